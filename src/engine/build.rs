//! Writes raw BSON: elements copied whole, nested documents opened and closed in place.

use super::bson::{Elem, kind};

/// A document under construction. Every [`Builder::open`] needs its [`Builder::close`];
/// [`Builder::finish`] closes what is still open.
#[derive(Debug, Clone)]
pub struct Builder {
    buf: Vec<u8>,
    open: Vec<usize>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// An empty document.
    pub fn new() -> Self {
        Self::reuse(Vec::new())
    }

    /// A document that is there already, to be continued.
    pub fn of(document: &[u8]) -> Self {
        let body = document.get(..document.len().saturating_sub(1)).filter(|b| b.len() >= 4);
        body.map_or_else(Self::new, |body| Builder { buf: body.to_vec(), open: vec![0] })
    }

    /// The same in a buffer that is cleared and used again.
    pub fn reuse(mut buf: Vec<u8>) -> Self {
        buf.clear();
        buf.extend_from_slice(&[0; 4]);
        Builder { buf, open: vec![0] }
    }

    /// Copies a field as it is.
    pub fn copy(&mut self, elem: &Elem<'_>) {
        self.buf.extend_from_slice(elem.whole);
    }

    /// Copies a value under another name.
    pub fn put(&mut self, name: &[u8], kind: u8, value: &[u8]) {
        self.header(name, kind);
        self.buf.extend_from_slice(value);
    }

    /// An int32.
    pub fn int32(&mut self, name: &str, value: i32) {
        self.put(name.as_bytes(), kind::INT32, &value.to_le_bytes());
    }

    /// A boolean.
    pub fn bool(&mut self, name: &str, value: bool) {
        self.put(name.as_bytes(), kind::BOOL, &[u8::from(value)]);
    }

    /// A null.
    pub fn null(&mut self, name: &[u8]) {
        self.put(name, kind::NULL, &[]);
    }

    /// A string.
    pub fn string(&mut self, name: &str, value: &str) {
        self.header(name.as_bytes(), kind::STRING);
        self.buf.extend_from_slice(&(value.len() as i32 + 1).to_le_bytes());
        self.buf.extend_from_slice(value.as_bytes());
        self.buf.push(0);
    }

    /// A whole document, or an array, as a field.
    pub fn document(&mut self, name: &[u8], kind: u8, bytes: &[u8]) {
        self.put(name, kind, bytes);
    }

    /// Begins a nested document (`kind::DOCUMENT`) or array (`kind::ARRAY`).
    pub fn open(&mut self, name: &[u8], kind: u8) {
        self.header(name, kind);
        self.open.push(self.buf.len());
        self.buf.extend_from_slice(&[0; 4]);
    }

    /// Ends the innermost open document.
    pub fn close(&mut self) {
        if let Some(start) = self.open.pop() {
            self.buf.push(0);
            let length = (self.buf.len() - start) as u32;
            self.buf[start..start + 4].copy_from_slice(&length.to_le_bytes());
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing has been written into the outermost document.
    pub fn is_empty(&self) -> bool {
        self.buf.len() == 4
    }

    /// Closes everything and gives the bytes.
    pub fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.buf
    }

    fn header(&mut self, name: &[u8], kind: u8) {
        self.buf.push(kind);
        self.buf.extend_from_slice(name);
        self.buf.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bson::Doc;

    #[test]
    fn builds_what_the_bson_library_reads() {
        let mut b = Builder::new();
        b.int32("a", 7);
        b.open(b"l", kind::ARRAY);
        b.open(b"0", kind::DOCUMENT);
        b.string("s", "ü");
        b.close();
        b.null(b"1");
        b.close();
        b.bool("t", true);
        let bytes = b.finish();
        let doc: bson::Document = bson::deserialize_from_slice(&bytes).unwrap();
        assert_eq!(doc, bson::doc! { "a": 7, "l": [{ "s": "ü" }, bson::Bson::Null], "t": true });
        Doc::new(&bytes).unwrap().validate().unwrap();
        let mut more = Builder::of(&bytes);
        more.int32("z", 1);
        let more: bson::Document = bson::deserialize_from_slice(&more.finish()).unwrap();
        let mut want = doc;
        want.insert("z", 1);
        assert_eq!(more, want);
    }
}
