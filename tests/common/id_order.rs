//! The order of `_id` values in a server's index, written for the tests alone so that it checks
//! the engine's own instead of repeating it. Simple binary comparison, no collation. A Decimal128
//! is compared as the nearest double, which is enough for the values that occur in tests.

use std::cmp::Ordering;

use bson::Bson;

/// Compares as the server's `_id` index does.
pub fn compare(a: &Bson, b: &Bson) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Bson::String(a) | Bson::Symbol(a), Bson::String(b) | Bson::Symbol(b)) => {
            a.as_bytes().cmp(b.as_bytes())
        }
        (Bson::Document(a), Bson::Document(b)) => fields(a.iter(), b.iter()),
        (Bson::Array(a), Bson::Array(b)) => {
            a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|o| o.is_ne()).unwrap_or(a.len().cmp(&b.len()))
        }
        (Bson::Binary(a), Bson::Binary(b)) => {
            let key = |x: &bson::Binary| (x.bytes.len(), u8::from(x.subtype));
            key(a).cmp(&key(b)).then_with(|| a.bytes.cmp(&b.bytes))
        }
        (Bson::ObjectId(a), Bson::ObjectId(b)) => a.bytes().cmp(&b.bytes()),
        (Bson::Boolean(a), Bson::Boolean(b)) => a.cmp(b),
        (Bson::DateTime(a), Bson::DateTime(b)) => a.cmp(b),
        (Bson::Timestamp(a), Bson::Timestamp(b)) => (a.time, a.increment).cmp(&(b.time, b.increment)),
        (a, b) if rank(a) == NUMBER => numbers(a, b),
        (a, b) if a == b => Ordering::Equal,
        (a, b) => panic!("no test needs the order of {a} and {b} as _id yet"),
    })
}

const NUMBER: u8 = 10;

/// The server's order of types.
fn rank(value: &Bson) -> u8 {
    match value {
        Bson::MinKey => 0,
        Bson::Undefined => 1,
        Bson::Null => 5,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => NUMBER,
        Bson::String(_) | Bson::Symbol(_) => 15,
        Bson::Document(_) => 20,
        Bson::Array(_) => 25,
        Bson::Binary(_) => 30,
        Bson::ObjectId(_) => 35,
        Bson::Boolean(_) => 40,
        Bson::DateTime(_) => 45,
        Bson::Timestamp(_) => 47,
        Bson::RegularExpression(_) => 50,
        Bson::DbPointer(_) => 55,
        Bson::JavaScriptCode(_) => 60,
        Bson::JavaScriptCodeWithScope(_) => 65,
        Bson::MaxKey => 127,
    }
}

/// Fields pairwise: type, then name, then value; the shorter one first.
fn fields<'a>(
    mut a: impl Iterator<Item = (&'a String, &'a Bson)>,
    mut b: impl Iterator<Item = (&'a String, &'a Bson)>,
) -> Ordering {
    loop {
        return match (a.next(), b.next()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some((a_name, a)), Some((b_name, b))) => {
                let by_name = rank(a).cmp(&rank(b)).then_with(|| a_name.as_bytes().cmp(b_name.as_bytes()));
                match by_name.then_with(|| compare(a, b)) {
                    Ordering::Equal => continue,
                    unequal => unequal,
                }
            }
        };
    }
}

fn numbers(a: &Bson, b: &Bson) -> Ordering {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        // NaN comes before every other number.
        _ => {
            let (a, b) = (double(a), double(b));
            a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
        }
    }
}

fn whole(value: &Bson) -> Option<i128> {
    match value {
        Bson::Int32(n) => Some(i128::from(*n)),
        Bson::Int64(n) => Some(i128::from(*n)),
        Bson::Double(n) if n.fract() == 0.0 && n.abs() < 1e30 => Some(*n as i128),
        _ => None,
    }
}

fn double(value: &Bson) -> f64 {
    match value {
        Bson::Int32(n) => f64::from(*n),
        Bson::Int64(n) => *n as f64,
        Bson::Double(n) => *n,
        Bson::Decimal128(n) => n.to_string().parse().unwrap(),
        other => panic!("{other} is no number"),
    }
}
