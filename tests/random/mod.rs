//! Random documents, updates and `_id`s, from a seed that can be given again.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};

/// Few, so that updates meet documents; some look like paths, operators, indexes and sections.
const NAMES: [&str; 14] = ["a", "b", "c", "d", "u", "l", "0", "1", "2", "10", "9", "a.b", "$x", ""];
/// What a dotted path is made of.
const COMPONENTS: [&str; 16] =
    ["a", "b", "c", "d", "u", "0", "1", "2", "3", "9", "10", "007", "1x", "10x", "x-", "$id"];

/// SplitMix64: enough for tests, and every seed is good.
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// From `PITSTOP_SEED`, else from the clock.
    pub fn seeded() -> Random {
        let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = std::env::var("PITSTOP_SEED").map_or_else(|_| clock(), |s| s.parse().unwrap());
        Random::from(seed)
    }

    /// From this seed.
    pub fn from(seed: u64) -> Random {
        Random { seed, state: seed }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// A document with that `_id`, in front.
    pub fn document(&mut self, id: i32) -> Document {
        let mut document = doc! { "_id": id };
        document.extend(self.fields(3));
        document
    }

    pub fn fields(&mut self, depth: usize) -> Document {
        let count = self.below(7);
        (0..count).map(|_| (self.pick(&NAMES).to_owned(), self.value(depth))).collect()
    }

    pub fn value(&mut self, depth: usize) -> Bson {
        match self.below(if depth == 0 { 6 } else { 12 }) {
            0 => Bson::Null,
            1 => Bson::Int32(self.below(3) as i32),
            2 => Bson::String("x".repeat(self.below(4))),
            3 | 4 => self.scalar(),
            5 => Bson::Int64(self.next() as i64),
            6..=8 => self.fields(depth - 1).into(),
            _ => {
                let count = if self.one_in(6) { 9 + self.below(4) } else { self.below(5) };
                Bson::Array((0..count).map(|_| self.value(depth - 1)).collect())
            }
        }
    }

    /// A value of any type that holds no other.
    pub fn scalar(&mut self) -> Bson {
        let small = self.below(4) as u8;
        let text = || "t".repeat(small.into());
        match self.below(18) {
            0 => Bson::MinKey,
            1 => Bson::MaxKey,
            2 => Bson::Undefined,
            3 => Bson::Boolean(small > 1),
            4 => Bson::Double(f64::from(small) / 2.0),
            5 => self.number(),
            6 => Bson::Symbol(text()),
            7 => bson::Regex { pattern: text().try_into().unwrap(), options: "i".try_into().unwrap() }.into(),
            8 => Bson::JavaScriptCode(text()),
            9 => {
                let scope = doc! { "s": i32::from(small) };
                bson::JavaScriptCodeWithScope { code: text(), scope }.into()
            }
            10 => bson::Timestamp { time: 1 + self.next() as u32 / 2, increment: self.next() as u32 }.into(),
            11 => bson::DateTime::from_millis(self.next() as i64).into(),
            12 => {
                let subtype = self.pick(&[0u8, 1, 3, 4, 5, 128]).into();
                let length = self.below(20);
                let bytes = (0..length).map(|_| self.next() as u8).collect();
                bson::Binary { subtype, bytes }.into()
            }
            13 => {
                let id = [small; 12].map(|b| b.wrapping_add(self.below(2) as u8 * 200));
                bson::oid::ObjectId::from_bytes(id).into()
            }
            14 => db_pointer(&text(), small),
            15 => bson::Decimal128::from_bytes(self.decimal().bytes()).into(),
            _ => Bson::String(text()),
        }
    }

    /// Numbers of all types near the places where types differ.
    pub fn number(&mut self) -> Bson {
        let near = self.below(5) as i64 - 2;
        match self.below(9) {
            0 => Bson::Int32(near as i32),
            1 => Bson::Int64(near),
            2 => Bson::Double(near as f64 / 2.0),
            3 => Bson::Int64(self.pick(&[1 << 53, -(1 << 53), i64::MAX - 4, i64::MIN + 4]) + near),
            4 => {
                let far = [9007199254740992.0, -9007199254740992.0, 9223372036854775808.0, 0.1, 1e22, 1e23];
                let bits = f64::to_bits(self.pick(&far));
                Bson::Double(f64::from_bits(bits.wrapping_add_signed(near)))
            }
            5 => {
                Bson::Double(self.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324, f64::MAX]))
            }
            6 => Bson::Double(f64::from_bits(self.next())),
            _ => bson::Decimal128::from_bytes(self.decimal().bytes()).into(),
        }
    }

    fn decimal(&mut self) -> bson::Decimal128 {
        let chosen = [
            "NaN",
            "-NaN",
            "Infinity",
            "-Infinity",
            "0",
            "-0",
            "0E+6000",
            "-0E-6000",
            "1",
            "1.0",
            "0.50",
            "-1.00",
            "1.5",
            "1E+1",
            "100E-2",
            "9007199254740993",
            "9007199254740992.0",
            "9223372036854775808",
            "9223372036854775807",
            "9223372036854775807.5",
            "-9223372036854775809",
            "1E22",
            "1E23",
            "99999999999999991611392",
            "0.1",
            "0.1000000000000000055511151231257827",
            "0.1000000000000000055511151231257828",
            "4.940656458412465441765687928682213E-324",
            "4.940656458412465441765687928682214E-324",
            "2E-324",
            "1.797693134862315708145274237317043E+308",
            "1.797693134862315708145274237317044E+308",
            "1E+309",
            "9.999999999999999999999999999999999E+6144",
            "1E-6176",
            "-1E-6176",
            "1E+6144",
        ];
        if !self.one_in(3) {
            return self.pick(&chosen).parse().unwrap();
        }
        // A double's digits, perhaps cut or one off: the neighbours of what doubles are.
        let double = loop {
            let double = f64::from_bits(self.next());
            if double.is_finite() && double.abs() > 1e-300 {
                break if self.one_in(2) { double } else { (double % 1e6) * 0.001 };
            }
        };
        let digits = self.pick(&[5usize, 14, 15, 16, 33]);
        format!("{double:.digits$e}").parse().unwrap()
    }

    /// An `_id` of every type that the server takes as one.
    pub fn id(&mut self) -> Bson {
        match self.below(6) {
            0 | 1 => self.number(),
            2 => {
                let count = self.below(4);
                let names = ["a", "b", "ab", ""];
                let fields = (0..count).map(|_| (self.pick(&names).to_owned(), self.nested(2)));
                Bson::Document(fields.collect())
            }
            3 => Bson::String(
                (0..self.below(4)).map(|_| self.pick(&['a', 'b', '\0', 'é', '\u{ffff}', '😀'])).collect(),
            ),
            _ => loop {
                let scalar = self.scalar();
                if !matches!(scalar, Bson::Undefined | Bson::RegularExpression(_)) {
                    break scalar;
                }
            },
        }
    }

    fn nested(&mut self, depth: usize) -> Bson {
        match self.below(if depth == 0 { 2 } else { 4 }) {
            0 => self.number(),
            1 => self.scalar(),
            2 => Bson::Array((0..self.below(4)).map(|_| self.nested(depth - 1)).collect()),
            _ => {
                let count = self.below(3);
                let fields = (0..count).map(|_| (self.pick(&["a", "b"]).to_owned(), self.nested(depth - 1)));
                Bson::Document(fields.collect())
            }
        }
    }

    /// A valid `o` for the document of that `_id`, whatever it holds.
    pub fn update(&mut self, id: i32) -> Document {
        match self.below(10) {
            0 => {
                let mut fields = self.fields(2);
                if self.one_in(2) {
                    fields.insert("$set", 1);
                }
                fields.insert("_id", id);
                fields.extend(self.fields(1));
                fields
            }
            1..=5 => doc! { "$v": 2, "diff": self.document_diff(3) },
            _ => self.modifiers(),
        }
    }

    fn document_diff(&mut self, depth: usize) -> Document {
        let mut sections = [doc! {}, doc! {}, doc! {}];
        let mut inner = doc! {};
        for name in NAMES {
            match self.below(12) {
                0 => drop(sections[0].insert(name, false)),
                1 => drop(sections[1].insert(name, self.value(2))),
                2 => drop(sections[2].insert(name, self.value(2))),
                3 | 4 if depth > 0 => drop(inner.insert(format!("s{name}"), self.any_diff(depth - 1))),
                _ => {}
            }
        }
        let mut diff = doc! {};
        for (name, section) in ["d", "u", "i"].into_iter().zip(sections) {
            if !section.is_empty() || self.one_in(20) {
                let mut fields: Vec<_> = section.into_iter().collect();
                for at in (1..fields.len()).rev() {
                    fields.swap(at, self.below(at + 1));
                }
                diff.insert(name, fields.into_iter().collect::<Document>());
            }
        }
        diff.extend(inner);
        if diff.is_empty() {
            diff.insert("d", doc! {});
        }
        diff
    }

    fn any_diff(&mut self, depth: usize) -> Document {
        if self.one_in(2) {
            return self.document_diff(depth);
        }
        let mut diff = doc! { "a": true };
        let limit = if self.one_in(3) { self.below(14) } else { 14 };
        if limit < 14 || self.one_in(8) {
            diff.insert("l", limit as i32);
        }
        for index in 0..limit {
            match self.below(12) {
                0 | 1 => drop(diff.insert(format!("u{index}"), self.value(2))),
                2 | 3 if depth > 0 => drop(diff.insert(format!("s{index}"), self.any_diff(depth - 1))),
                _ => {}
            }
        }
        diff
    }

    fn modifiers(&mut self) -> Document {
        let mut paths: BTreeSet<String> = BTreeSet::new();
        for _ in 0..1 + self.below(8) {
            let length = 1 + self.below(4);
            let path: Vec<_> = (0..length).map(|_| self.pick(&COMPONENTS)).collect();
            let path = path.join(".");
            let below =
                |a: &str, b: &str| a.strip_prefix(b).is_some_and(|r| r.is_empty() || r.starts_with('.'));
            if !paths.iter().any(|p| below(p, &path) || below(&path, p)) {
                paths.insert(path);
            }
        }
        let mut paths: Vec<_> = paths.into_iter().collect();
        for at in (1..paths.len()).rev() {
            paths.swap(at, self.below(at + 1));
        }
        let (mut set, mut unset) = (doc! {}, doc! {});
        for path in paths {
            if self.one_in(3) {
                unset.insert(path, true);
            } else {
                set.insert(path, self.value(2));
            }
        }
        let mut o = doc! { "$v": 1 };
        for (name, fields) in [("$set", set), ("$unset", unset)] {
            if !fields.is_empty() {
                o.insert(name, fields);
            }
        }
        o
    }
}

/// The library has no constructor for this type.
fn db_pointer(namespace: &str, byte: u8) -> Bson {
    let id = bson::oid::ObjectId::from_bytes([byte; 12]).to_hex();
    let json = serde_json::json!({ "$dbPointer": { "$ref": namespace, "$id": { "$oid": id } } });
    Bson::try_from(json).unwrap()
}
