//! The value of one element, as a type of the trade; `None` where it is of another kind.

use super::{Doc, Elem, int32_at, int64_at, kind};
use crate::domain::Position;

impl<'a> Elem<'a> {
    /// The name for humans; broken UTF-8 becomes U+FFFD.
    pub fn name_lossy(&self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.name)
    }

    /// A document or array.
    pub fn as_doc(&self) -> Option<Doc<'a>> {
        match self.kind {
            kind::DOCUMENT | kind::ARRAY => Doc::new(self.value).ok(),
            _ => None,
        }
    }

    /// A string, if it is UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        if self.kind != kind::STRING {
            return None;
        }
        std::str::from_utf8(self.value.get(4..self.value.len() - 1)?).ok()
    }

    /// An int32, an int64, or a double without fraction.
    pub fn as_i64(&self) -> Option<i64> {
        match self.kind {
            kind::INT32 => int32_at(self.value, 0).map(i64::from),
            kind::INT64 => int64_at(self.value, 0),
            kind::DOUBLE => {
                let v = f64::from_bits(int64_at(self.value, 0)? as u64);
                (v.fract() == 0.0 && v.abs() < 9e15).then_some(v as i64)
            }
            _ => None,
        }
    }

    /// A double's value.
    pub fn as_f64(&self) -> Option<f64> {
        if self.kind != kind::DOUBLE {
            return None;
        }
        int64_at(self.value, 0).map(|bits| f64::from_bits(bits as u64))
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        (self.kind == kind::BOOL).then(|| self.value[0] == 1)
    }

    /// True for `true` and for any non-zero number, as the server reads flags.
    pub fn is_truthy(&self) -> bool {
        self.as_bool().unwrap_or_else(|| self.as_i64().is_some_and(|n| n != 0))
    }

    /// A timestamp.
    pub fn as_position(&self) -> Option<Position> {
        if self.kind != kind::TIMESTAMP {
            return None;
        }
        int64_at(self.value, 0).map(|bits| Position::from_u64(bits as u64))
    }

    /// Milliseconds since 1970.
    pub fn as_date(&self) -> Option<i64> {
        if self.kind != kind::DATE {
            return None;
        }
        int64_at(self.value, 0)
    }

    /// Binary data: subtype and bytes.
    pub fn as_binary(&self) -> Option<(u8, &'a [u8])> {
        if self.kind != kind::BINARY {
            return None;
        }
        Some((*self.value.get(4)?, self.value.get(5..)?))
    }

    /// A UUID (binary subtype 4, 16 bytes).
    pub fn as_uuid(&self) -> Option<[u8; 16]> {
        let (subtype, bytes) = self.as_binary()?;
        if subtype != 4 {
            return None;
        }
        bytes.try_into().ok()
    }

    /// The scope document of code with scope.
    pub(super) fn scope(&self) -> Option<&'a [u8]> {
        let code = usize::try_from(int32_at(self.value, 4)?).ok()?;
        self.value.get(8usize.checked_add(code)?..)
    }
}
