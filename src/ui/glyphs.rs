//! Every glyph that is not ASCII, with its ASCII twin. None of them is of ambiguous width: such
//! characters are two columns wide in some terminals and one in others, and tear lines apart.
//! That leaves no solid box drawing; rules are dashed, bars are made of Braille dots.

/// Which characters the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// All of Unicode.
    Utf8,
    /// ASCII only.
    Ascii,
}

/// A glyph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Glyph {
    /// A horizontal rule.
    Rule,
    /// A vertical rule.
    Side,
    /// From one thing to the next.
    Next,
    /// The highlighted row.
    Here,
    /// Text goes on beyond the edge.
    More,
    /// A snapshot on the timeline.
    Snapshot,
    /// The stop on the timeline.
    Stop,
    /// A gap in the oplog.
    Gap,
    /// Covered by oplog.
    Covered,
    /// A suspect.
    Suspect,
    /// A place that somebody has named.
    Mark,
    /// A folded burst.
    Folded,
    /// A burst that is open.
    Opened,
    /// An op of a burst that is open.
    Member,
    /// Done.
    Done,
    /// Wrong.
    Wrong,
    /// A bar filled to a quarter, two, three, four.
    Bar1,
    /// See [`Glyph::Bar1`].
    Bar2,
    /// See [`Glyph::Bar1`].
    Bar3,
    /// See [`Glyph::Bar1`].
    Bar4,
    /// A piece of a progress bar that is done.
    Full,
    /// A piece of a progress bar that is not.
    Empty,
}

/// All of them.
pub const ALL: [Glyph; 22] = [
    Glyph::Rule,
    Glyph::Side,
    Glyph::Next,
    Glyph::Here,
    Glyph::More,
    Glyph::Snapshot,
    Glyph::Stop,
    Glyph::Gap,
    Glyph::Covered,
    Glyph::Suspect,
    Glyph::Mark,
    Glyph::Folded,
    Glyph::Opened,
    Glyph::Member,
    Glyph::Done,
    Glyph::Wrong,
    Glyph::Bar1,
    Glyph::Bar2,
    Glyph::Bar3,
    Glyph::Bar4,
    Glyph::Full,
    Glyph::Empty,
];

impl Glyph {
    /// As text, one column wide.
    pub fn text(self, charset: Charset) -> &'static str {
        let (utf8, ascii) = self.twins();
        match charset {
            Charset::Utf8 => utf8,
            Charset::Ascii => ascii,
        }
    }

    fn twins(self) -> (&'static str, &'static str) {
        match self {
            Glyph::Rule => ("\u{254c}", "-"), // box drawings light double dash horizontal
            Glyph::Side => ("\u{254e}", "|"), // box drawings light double dash vertical
            Glyph::Next => ("\u{203a}", ">"), // single right-pointing angle quotation mark
            Glyph::Here => ("\u{25b8}", ">"), // black right-pointing small triangle
            Glyph::More => ("\u{22ef}", "~"), // midline horizontal ellipsis
            Glyph::Snapshot => ("\u{25be}", "v"), // black down-pointing small triangle
            Glyph::Stop => ("\u{25b4}", "^"), // black up-pointing small triangle
            Glyph::Gap => ("\u{2591}", "x"),  // light shade
            Glyph::Covered => ("\u{28e4}", "="), // Braille, lower half
            Glyph::Suspect => ("!", "!"),
            Glyph::Mark => ("\u{2691}", "*"),   // black flag
            Glyph::Folded => ("\u{25b9}", "+"), // white right-pointing small triangle
            Glyph::Opened => ("\u{25bf}", "-"), // white down-pointing small triangle
            Glyph::Member => ("\u{2847}", ":"), // Braille, left column
            Glyph::Done => ("\u{2713}", "+"),   // check mark
            Glyph::Wrong => ("\u{2717}", "x"),  // ballot x
            Glyph::Bar1 => ("\u{28c0}", "."),
            Glyph::Bar2 => ("\u{28e4}", ":"),
            Glyph::Bar3 => ("\u{28f6}", "+"),
            Glyph::Bar4 => ("\u{28ff}", "#"),
            Glyph::Full => ("\u{28ff}", "#"),
            Glyph::Empty => ("\u{28c0}", "."),
        }
    }
}

/// A bar filled to so many quarters; 0 is blank.
pub fn bar(quarters: usize) -> Option<Glyph> {
    [None, Some(Glyph::Bar1), Some(Glyph::Bar2), Some(Glyph::Bar3), Some(Glyph::Bar4)]
        .get(quarters.min(4))
        .copied()
        .flatten()
}

/// Before a count of what has been read so far. Slanted: the upright sign is of ambiguous width.
pub fn at_least(charset: Charset) -> &'static str {
    match charset {
        Charset::Utf8 => "\u{2a7e}", // greater-than or slanted equal to
        Charset::Ascii => ">=",
    }
}

/// Something that turns, at this time in milliseconds.
pub fn spinner(charset: Charset, now: u64) -> &'static str {
    const DOTS: [&str; 6] = ["\u{2807}", "\u{280b}", "\u{2819}", "\u{2838}", "\u{2834}", "\u{2826}"];
    const LINES: [&str; 4] = ["|", "/", "-", "\\"];
    let at = usize::try_from(now / 100).unwrap_or(0);
    let frames: &[&'static str] = match charset {
        Charset::Utf8 => &DOTS,
        Charset::Ascii => &LINES,
    };
    frames.get(at % frames.len()).copied().unwrap_or(" ")
}
