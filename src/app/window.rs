//! A cursor in a list of any length, and the first row on screen. Numbers, not rows: the list
//! itself may be somewhere else.

/// Where one is in a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The highlighted row.
    pub cursor: u64,
    /// The first visible row.
    pub top: u64,
}

/// How to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// So many rows down; up if negative.
    Rows(i64),
    /// So many halves of a page down; up if negative.
    Pages(i64),
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
}

impl Window {
    /// Moves in a list of `len` rows of which `height` are visible.
    pub fn go(&mut self, motion: Motion, len: u64, height: u64) {
        let half = i64::try_from(height / 2).unwrap_or(i64::MAX).max(1);
        self.cursor = match motion {
            Motion::Rows(n) => self.cursor.saturating_add_signed(n),
            Motion::Pages(n) => self.cursor.saturating_add_signed(n.saturating_mul(half)),
            Motion::Top => 0,
            Motion::Bottom => u64::MAX,
        };
        self.settle(len, height);
    }

    /// Puts the cursor on a row, in the middle of the page if it was not on it.
    pub fn jump(&mut self, row: u64, len: u64, height: u64) {
        let visible = row >= self.top && row < self.top.saturating_add(height);
        self.cursor = row;
        if !visible {
            self.top = row.saturating_sub(height / 2);
        }
        self.settle(len, height);
    }

    /// Makes cursor and first row fit a list that has changed its length, or a screen its height.
    pub fn settle(&mut self, len: u64, height: u64) {
        self.cursor = self.cursor.min(len.saturating_sub(1));
        self.top = self.top.min(self.cursor).max((self.cursor + 1).saturating_sub(height.max(1)));
        self.top = self.top.min(len.saturating_sub(height));
    }

    /// The visible rows of a list of `len`.
    pub fn visible(&self, len: u64, height: u64) -> std::ops::Range<u64> {
        self.top..self.top.saturating_add(height).min(len).max(self.top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_in_the_list_and_on_the_page() {
        let mut w = Window::default();
        w.go(Motion::Bottom, 100, 10);
        assert_eq!((w.cursor, w.top), (99, 90));
        w.go(Motion::Rows(-20), 100, 10);
        assert_eq!((w.cursor, w.top), (79, 79));
        w.go(Motion::Pages(1), 100, 10);
        assert_eq!((w.cursor, w.top), (84, 79));
        w.jump(5, 100, 10);
        assert_eq!((w.cursor, w.top), (5, 0));
        w.settle(3, 10);
        assert_eq!((w.cursor, w.top), (2, 0));
        w.settle(0, 0);
        assert_eq!((w.cursor, w.top, w.visible(0, 0)), (0, 0, 0..0));
    }
}
