//! What goes wrong, in four parts a tired human needs: what was being done, to what, why it
//! failed, and what to do next. The class decides the exit code and nothing else does.

use std::fmt;

/// Why a command ended; the exit code follows from it (see [`Class::exit_code`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Something broke: a file, a server, the network.
    Failed,
    /// The command was not understood.
    Usage,
    /// A verification found a difference.
    Differs,
    /// The exact state cannot be given: a gap, a stop outside the valid range, an operation that
    /// cannot be replayed.
    Inexact,
    /// A safety rule forbids it, or nobody confirmed it.
    Refused,
    /// Ctrl-c, or the worker was told to stop.
    Interrupted,
}

impl Class {
    /// The exit code of the process, as the command-line contract has it.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Failed => 1,
            Class::Usage => 2,
            Class::Differs => 3,
            Class::Inexact => 4,
            Class::Refused => 5,
            Class::Interrupted => 130,
        }
    }

    /// The class that has this exit code, `None` for any other number.
    pub fn from_exit_code(code: u8) -> Option<Class> {
        use Class::*;
        [Failed, Usage, Differs, Inexact, Refused, Interrupted]
            .into_iter()
            .find(|class| class.exit_code() == code)
    }
}

/// An error for a human. Prints as `doing place: cause`, then a line `hint: …`.
///
/// None of the parts may hold a secret: a URI goes in without its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Decides the exit code.
    pub class: Class,
    /// What was being done, as a gerund phrase: "reading the archive".
    pub doing: String,
    /// To what: file and byte offset, or namespace and position. May be empty.
    pub place: String,
    /// Why it failed.
    pub cause: String,
    /// What to do next. May be empty only where nothing can be done.
    pub hint: String,
}

/// The result of nearly everything here. The error is boxed: it is large and rare.
pub type Result<T, E = Box<Error>> = std::result::Result<T, E>;

impl Error {
    fn new(class: Class, doing: &str, place: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Error {
            class,
            doing: doing.to_owned(),
            place: place.to_string(),
            cause: cause.to_string(),
            hint: String::new(),
        }
    }

    /// Something broke (exit 1).
    pub fn failed(doing: &str, place: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Class::Failed, doing, place, cause)
    }

    /// The command was not understood (exit 2).
    pub fn usage(doing: &str, place: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Class::Usage, doing, place, cause)
    }

    /// A verification found a difference (exit 3).
    pub fn differs(doing: &str, place: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Class::Differs, doing, place, cause)
    }

    /// The exact state cannot be given (exit 4).
    pub fn inexact(doing: &str, place: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Class::Inexact, doing, place, cause)
    }

    /// A safety rule forbids it (exit 5).
    pub fn refused(doing: &str, place: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Class::Refused, doing, place, cause)
    }

    /// Stopped on request (exit 130).
    pub fn interrupted(doing: &str) -> Self {
        Self::new(Class::Interrupted, doing, "", "stopped on request")
    }

    /// Adds the next step.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = hint.to_string();
        self
    }

    /// Boxes it, ready for `return`.
    pub fn err<T>(self) -> Result<T> {
        Err(Box::new(self))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)?;
        if !self.place.is_empty() {
            write!(f, " {}", self.place)?;
        }
        write!(f, ": {}", self.cause)?;
        if !self.hint.is_empty() {
            write!(f, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
