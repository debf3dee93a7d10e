//! What the scratch holds: records of one size, little-endian.

use super::Set;
use crate::engine::key::DocKey;

/// One thing that is known about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Whose key.
    pub set: Set,
    /// The key, or whatever the set is sorted by.
    pub key: u128,
    /// What is known.
    pub what: What,
    /// Where the body is.
    pub place: u64,
    /// Of what is put or gone the number of the last insert, 0 = the older runs know it; else a
    /// position.
    pub number: u64,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The snapshot has a document there.
    Base,
    /// Put whole.
    Put,
    /// Put whole, and stored as it is logged.
    PutAsLogged,
    /// Removed.
    Gone,
    /// Behind something put: somebody's `applyOps` inserted it, at the position in `number`, over
    /// whatever the older runs know.
    Placed,
    /// Behind something put: the log does not tell its content; written at the position in
    /// `number`.
    Untold,
    /// Updated.
    Update,
    /// Not about a document: the set is a list in which `place` and `number` hold a key.
    Listed,
}

impl What {
    const ALL: [What; 8] = [
        What::Base,
        What::Put,
        What::PutAsLogged,
        What::Gone,
        What::Placed,
        What::Untold,
        What::Update,
        What::Listed,
    ];
}

/// Bytes of one record.
pub(super) const SIZE: usize = 4 + 16 + 1 + 8 + 8;

impl Record {
    /// By what records are sorted.
    pub fn order(&self) -> (Set, u128) {
        (self.set, self.key)
    }

    /// An item of a list: sorted by `at`.
    pub fn listed(set: Set, at: u64, key: DocKey) -> Record {
        let bits = key.bits();
        let (place, number) = ((bits >> 64) as u64, bits as u64);
        Record { set, key: at.into(), what: What::Listed, place, number }
    }

    /// The key in an item of a list.
    pub fn listed_key(&self) -> DocKey {
        DocKey::from_bits(u128::from(self.place) << 64 | u128::from(self.number))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.set.0.to_le_bytes());
        out.extend_from_slice(&self.key.to_le_bytes());
        out.push(self.what as u8);
        out.extend_from_slice(&self.place.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
    }

    /// `None` for bytes that are no record.
    pub fn read(bytes: &[u8]) -> Option<Record> {
        let (set, rest) = bytes.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (&what, rest) = rest.split_first()?;
        let (place, rest) = rest.split_first_chunk()?;
        let (number, _) = rest.split_first_chunk()?;
        Some(Record {
            set: Set(u32::from_le_bytes(*set)),
            key: u128::from_le_bytes(*key),
            what: *What::ALL.get(usize::from(what))?,
            place: u64::from_le_bytes(*place),
            number: u64::from_le_bytes(*number),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let key = DocKey::from_bits(u128::MAX / 3);
        for (at, what) in What::ALL.into_iter().enumerate() {
            let record = Record { set: Set(7), key: 1 << 77, what, place: u64::MAX - 1, number: 1 << 40 };
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            assert_eq!(bytes.len(), SIZE);
            assert_eq!(usize::from(bytes[20]), at);
            assert_eq!(Record::read(&bytes), Some(record));
            assert_eq!(Record::read(&bytes[1..]), None);
        }
        assert_eq!(Record::listed(Set(1), 5, key).listed_key(), key);
    }
}
