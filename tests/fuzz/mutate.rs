//! Damage: to bytes, to what stands where lengths and types stand, and to whole documents.

use crate::random::Random;

/// Numbers that break careless readers.
const HOSTILE: [i32; 16] = [
    0,
    1,
    4,
    5,
    -1,
    -5,
    i32::MIN,
    i32::MAX,
    i32::MAX - 4,
    16_777_216,
    16_777_217,
    127,
    128,
    255,
    65_536,
    1 << 30,
];

/// Damages bytes a little.
pub fn bytes(data: &mut Vec<u8>, random: &mut Random) {
    if data.is_empty() {
        data.push(random.next() as u8);
        return;
    }
    let at = random.below(data.len());
    match random.below(9) {
        0 => data[at] ^= 1 << random.below(8),
        1 => data[at] = random.pick(&[0, 1, 0x7f, 0x80, 0xff, 3, 4, 0x11, 0x13, b'{', b'"', b'[']),
        2 => data.truncate(at),
        3 => {
            let end = (at + 1 + random.below(64)).min(data.len());
            data.drain(at..end);
        }
        4 => {
            let end = (at + 1 + random.below(64)).min(data.len());
            let copy = data[at..end].to_vec();
            let to = random.below(data.len());
            data.splice(to..to, copy);
        }
        5 => {
            let more: Vec<u8> = (0..1 + random.below(16)).map(|_| random.next() as u8).collect();
            data.splice(at..at, more);
        }
        _ => {
            let value = random.pick(&HOSTILE).to_le_bytes();
            for (n, byte) in value.into_iter().enumerate() {
                if let Some(place) = data.get_mut(at + n) {
                    *place = byte;
                }
            }
        }
    }
}

/// Damages one BSON document; most often its length still fits afterwards, so that readers go in.
pub fn document(data: &mut Vec<u8>, random: &mut Random) {
    match random.below(12) {
        0 if data.len() < 1 << 16 => nest(data, random),
        1 => bytes(data, random),
        _ => {
            let body = data.len().saturating_sub(5);
            if body == 0 {
                return bytes(data, random);
            }
            let mut inner = data[4..4 + body].to_vec();
            bytes(&mut inner, random);
            *data = framed(inner);
            return;
        }
    }
    if random.one_in(2) && data.len() >= 5 {
        let inner = data[4..data.len() - 1].to_vec();
        *data = framed(inner);
    }
}

/// A document around these elements.
fn framed(inner: Vec<u8>) -> Vec<u8> {
    let mut out = (inner.len() as u32 + 5).to_le_bytes().to_vec();
    out.extend(inner);
    out.push(0);
    out
}

/// Puts the document into another, and that into another, often.
fn nest(data: &mut Vec<u8>, random: &mut Random) {
    let depth = random.pick(&[1, 10, 99, 101, 250, 5_000, 60_000]);
    let kind = random.pick(&[3, 4]);
    // Innermost first would copy the whole for each level: heads and tails are made at once.
    let inner = data.len();
    let mut out = Vec::with_capacity(inner + depth * 8);
    for level in (1..=depth).rev() {
        out.extend(((inner + level * 8) as u32).to_le_bytes());
        out.extend([kind, b'o', 0]);
    }
    out.extend_from_slice(data);
    out.resize(out.len() + depth, 0);
    *data = out;
}

/// Damages a run of documents: one of them, or their order and number.
pub fn documents(all: &mut Vec<Vec<u8>>, random: &mut Random) {
    if all.is_empty() {
        return;
    }
    let (at, other) = (random.below(all.len()), random.below(all.len()));
    match random.below(10) {
        0 => drop(all.remove(at)),
        1 => all.swap(at, other),
        2 => {
            let copy = all[at].clone();
            all.insert(other, copy);
        }
        _ => document(&mut all[at], random),
    }
}
