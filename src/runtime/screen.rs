//! What the terminal shows, and the way to make it show something else: only cells that differ
//! are written, inside one synchronized update. (The library's own `Terminal` asks the terminal
//! where its cursor is whenever it clears, and waits for the answer among the keys.)

use std::io::{self, Stdout, Write};

use crossterm::cursor::Hide;
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::terminal;
use crate::domain::{Error, Result};

/// The screen.
pub struct Screen {
    backend: CrosstermBackend<Stdout>,
    /// What is on it; `None` = unknown.
    shown: Option<Buffer>,
}

fn failed(e: io::Error) -> Box<Error> {
    Box::new(Error::failed("drawing", "", e))
}

impl Screen {
    /// Of this process's standard output.
    pub fn new() -> Screen {
        Screen { backend: CrosstermBackend::new(io::stdout()), shown: None }
    }

    /// Columns and rows.
    pub fn size(&self) -> Result<(u16, u16)> {
        self.backend.size().map(|size| (size.width, size.height)).map_err(failed)
    }

    /// Forgets what is on it, so that all of it is written again.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// Shows a buffer.
    pub fn show(&mut self, next: Buffer) -> Result<()> {
        let _whole = terminal::writing();
        queue!(self.backend, BeginSynchronizedUpdate).map_err(failed)?;
        let shown = self.shown.take().filter(|shown| shown.area == next.area);
        let shown = match shown {
            Some(shown) => shown,
            None => {
                queue!(self.backend, Clear(ClearType::All), Hide).map_err(failed)?;
                Buffer::empty(next.area)
            }
        };
        let changes = shown.diff(&next);
        self.backend.draw(changes.into_iter()).map_err(failed)?;
        queue!(self.backend, EndSynchronizedUpdate).map_err(failed)?;
        Write::flush(&mut self.backend).map_err(failed)?;
        self.shown = Some(next);
        Ok(())
    }
}

/// A blank buffer of this size.
pub fn blank(size: (u16, u16)) -> Buffer {
    Buffer::empty(Rect::new(0, 0, size.0, size.1))
}
