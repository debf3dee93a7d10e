//! The document being written, with a bound: blind application of an update from a broken log
//! must not fill the memory. Knows nothing of updates.

use crate::engine::bson::{Doc, Elem, Fault, MAX_BYTES, kind};
use crate::engine::build::Builder;

/// A [`Builder`] that stops before a result larger than [`MAX_BYTES`].
pub(super) struct Sink {
    builder: Builder,
    depth: usize,
}

impl Sink {
    pub(super) fn reuse(out: Vec<u8>) -> Self {
        Sink { builder: Builder::reuse(out), depth: 1 }
    }

    pub(super) fn copy(&mut self, elem: &Elem<'_>) -> Result<(), Fault> {
        self.room(elem.whole.len())?;
        self.builder.copy(elem);
        Ok(())
    }

    pub(super) fn put(&mut self, name: &[u8], kind: u8, value: &[u8]) -> Result<(), Fault> {
        self.room(name.len() + value.len() + 2)?;
        self.builder.put(name, kind, value);
        Ok(())
    }

    pub(super) fn null(&mut self, name: &[u8]) -> Result<(), Fault> {
        self.put(name, kind::NULL, &[])
    }

    pub(super) fn open(&mut self, name: &[u8], kind: u8) -> Result<(), Fault> {
        self.depth += 1;
        self.room(name.len() + 6)?;
        self.builder.open(name, kind);
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.depth -= 1;
        self.builder.close();
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.builder.finish()
    }

    /// Every open document still needs its terminator.
    fn room(&self, more: usize) -> Result<(), Fault> {
        if self.builder.len() + more + self.depth > MAX_BYTES {
            return Err(Fault::new(0, format!("the updated document exceeds {MAX_BYTES} bytes")));
        }
        Ok(())
    }
}

/// The name of an array element: its index in decimal, without allocation.
pub(super) struct IndexName {
    digits: [u8; 20],
    start: usize,
}

impl IndexName {
    pub(super) fn of(mut index: usize) -> Self {
        let mut name = IndexName { digits: [b'0'; 20], start: 20 };
        loop {
            name.start -= 1;
            name.digits[name.start] = b'0' + (index % 10) as u8;
            index /= 10;
            if index == 0 {
                return name;
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// The elements of an array or document by count.
pub(super) fn count(doc: Doc<'_>) -> Result<usize, Fault> {
    doc.iter().try_fold(0, |n, elem| elem.map(|_| n + 1))
}
