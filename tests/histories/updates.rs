//! Documents that operators find something in, and updates of every kind.

use bson::{Bson, Document, doc};

use crate::random::Random;

/// Fields that operators expect, and whatever else.
pub fn document(random: &mut Random, id: Bson) -> Document {
    let mut out = doc! {};
    let late = random.one_in(12);
    if !late {
        out.insert("_id", id.clone());
    }
    out.insert("n", random.below(50) as i32);
    let length = random.below(6);
    out.insert("l", (0..length).map(|_| small(random)).collect::<Vec<_>>());
    if random.one_in(2) {
        out.insert("d", doc! { "x": small(random), "y": { "z": small(random) }, "n": 1i64 });
    }
    if random.one_in(2) {
        out.extend(random.fields(2));
    }
    if random.one_in(8) {
        out.insert("zero", bson::Timestamp { time: 0, increment: 0 });
        out.insert("inner", doc! { "zero": bson::Timestamp { time: 0, increment: 0 } });
    }
    if random.one_in(30) {
        out.insert("long", "x".repeat(random.below(40_000)));
    }
    if late {
        out.insert("_id", id);
    }
    out
}

fn small(random: &mut Random) -> Bson {
    match random.below(5) {
        0 => Bson::String("s".repeat(random.below(4))),
        1 => Bson::Document(doc! { "k": random.below(4) as i32, "v": random.below(9) as i32 }),
        2 => random.scalar(),
        _ => Bson::Int32(random.below(10) as i32),
    }
}

/// One of few, so that documents are met again; sometimes of any type.
pub fn id(random: &mut Random) -> Bson {
    if random.one_in(8) {
        // Values that the server would take for equal are different bytes, hence different content.
        return random.id();
    }
    Bson::Int32(random.below(40) as i32)
}

pub fn filter(random: &mut Random) -> Document {
    match random.below(8) {
        0 => doc! { "n": { "$lt": random.below(30) as i32 } },
        1 => doc! { "d.x": { "$exists": true } },
        2 => doc! { "l": random.below(10) as i32 },
        3 => doc! { "_id": { "$gte": random.below(40) as i32 } },
        _ => doc! { "_id": id(random) },
    }
}

/// An update and its array filters.
pub fn update(random: &mut Random) -> (Bson, Option<Document>) {
    let path = random.pick(&["n", "d.x", "d.y.z", "d.new", "fresh", "l.1", "l.3", "d", "e.f.g", "d.y"]);
    let value = random.value(2);
    let number = random.pick(&[Bson::Int32(3), Bson::Int64(-2), Bson::Double(0.5), Bson::Int32(0)]);
    let array = random.pick(&["l", "l", "l", "d.list"]);
    let modifiers = match random.below(26) {
        0 | 1 => doc! { "$set": { path: value } },
        2 => doc! { "$unset": { path: "" } },
        3 => doc! { "$inc": { "n": number, "d.n": 1 } },
        4 => doc! { "$mul": { "n": number } },
        5 => doc! { "$min": { "n": number.clone(), "d.x": number } },
        6 => doc! { "$max": { path: value } },
        7 => {
            let from = random.pick(&["n", "d.x", "fresh", "d"]);
            doc! { "$rename": { from: random.pick(&["m", "r.s", "o"]) } }
        }
        8 => doc! { "$currentDate": { "when": true, "stamp": { "$type": "timestamp" } } },
        9 | 10 => {
            let mut push = doc! { "$each": [small(random), small(random), random.value(1)] };
            if random.one_in(2) {
                push.insert("$position", random.below(5) as i32 - 2);
            }
            if random.one_in(2) {
                push.insert("$slice", random.below(9) as i32 - 4);
            }
            if random.one_in(3) {
                push.insert("$sort", random.pick(&[Bson::Int32(1), Bson::Int32(-1), doc! { "k": 1 }.into()]));
            }
            doc! { "$push": { array: push } }
        }
        11 => doc! { "$addToSet": { array: { "$each": [small(random), 1, 2] } } },
        12 => doc! { "$pop": { "l": random.pick(&[1, -1]) } },
        13 => doc! { "$pull": { "l": { "$lt": 5 } } },
        14 => doc! { "$pullAll": { "l": [1, 2, 3, small(random)] } },
        15 => {
            doc! { "$bit": { "n": { random.pick(&["and", "or", "xor"]): random.below(64) as i32 } } }
        }
        16 => doc! { "$setOnInsert": { "born": value }, "$inc": { "hits": 1 } },
        17 => {
            let set = doc! { "$set": { "l.$[e]": small(random) } };
            return (set.into(), Some(doc! { "e": { "$gt": 2 } }));
        }
        18 => {
            let set = doc! { "$set": { "l.$[e].v": value } };
            return (set.into(), Some(doc! { "e.k": { "$gte": 0 } }));
        }
        19 => doc! { "$set": { "l.0": value, "d.y.z": 1 }, "$unset": { "n": "" }, "$inc": { "d.n": 2 } },
        20 => return (Bson::Array(vec![doc! { "$set": { path: { "$literal": value } } }.into()]), None),
        21 => {
            let stages = [
                doc! { "$set": { "n": { "$add": [1, { "$size": { "$ifNull": ["$l", []] } }] }, "d.c": "$n" } },
                doc! { "$unset": [random.pick(&["fresh", "d.x", "m"])] },
            ];
            return (Bson::Array(stages.into_iter().map(Bson::from).collect()), None);
        }
        22 => {
            let with =
                doc! { "n": 5, "l": { "$concatArrays": [[1, { "k": 1 }], { "$ifNull": ["$l", []] }] } };
            let zero = doc! { "zero": { "$literal": bson::Timestamp { time: 0, increment: 0 } } };
            let stage = doc! { "$replaceWith": { "$mergeObjects": ["$$ROOT", with, zero] } };
            return (Bson::Array(vec![stage.into()]), None);
        }
        23 => {
            let stage = doc! { "$set": { "l": { "$slice": [{ "$ifNull": ["$l", []] }, 2] } } };
            return (Bson::Array(vec![stage.into()]), None);
        }
        24 => {
            let mut whole = document(random, Bson::Null);
            whole.remove("_id");
            // Operators' names at the top would make it an update document.
            whole.into_iter().filter(|(name, _)| !name.starts_with('$')).collect()
        }
        _ => doc! { "$set": { "a.b.c": 1, "a.b.d": value, "b": [1, 2, 3] } },
    };
    (modifiers.into(), None)
}
