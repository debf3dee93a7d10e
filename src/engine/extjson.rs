//! Extended JSON v2 (canonical, relaxed, and the older spellings that tools have written) to raw
//! BSON. Only an object that is a type wrapper in every part is taken for one: operators of the
//! query language begin with `$` as well, and must come through as they are. `{"$regex": …,
//! "$options": …}` is such an operator; a regular expression is `{"$regularExpression": …}`.
//!
//! Source: the Extended JSON specification, version 2.1.

use serde_json::{Map, Number, Value};

use super::bson::kind;
use super::build::Builder;

/// Converts an object. Field order is kept; an error is a phrase.
pub fn document(object: &Map<String, Value>) -> Result<Vec<u8>, String> {
    let mut out = Builder::new();
    fields(&mut out, object)?;
    Ok(out.finish())
}

/// Writes one value under this name.
pub fn put(out: &mut Builder, name: &str, value: &Value) -> Result<(), String> {
    if name.contains('\0') {
        return Err(format!("the name {name:?} holds a zero byte"));
    }
    let name = name.as_bytes();
    match value {
        Value::Null => out.null(name),
        Value::Bool(b) => out.put(name, kind::BOOL, &[u8::from(*b)]),
        Value::Number(n) => number(out, name, n),
        Value::String(s) => out.put(name, kind::STRING, &string(s)),
        Value::Array(values) => {
            out.open(name, kind::ARRAY);
            for (index, value) in values.iter().enumerate() {
                put(out, &index.to_string(), value)?;
            }
            out.close();
        }
        Value::Object(object) => match wrapped(object)? {
            Some((kind, bytes)) => out.put(name, kind, &bytes),
            None => {
                out.open(name, kind::DOCUMENT);
                fields(out, object)?;
                out.close();
            }
        },
    }
    Ok(())
}

fn fields(out: &mut Builder, object: &Map<String, Value>) -> Result<(), String> {
    object.iter().try_for_each(|(name, value)| put(out, name, value))
}

/// A plain JSON number: the smallest integer type that holds it, else a double.
fn number(out: &mut Builder, name: &[u8], n: &Number) {
    match n.as_i64() {
        Some(i) => match i32::try_from(i) {
            Ok(small) => out.put(name, kind::INT32, &small.to_le_bytes()),
            Err(_) => out.put(name, kind::INT64, &i.to_le_bytes()),
        },
        None => out.put(name, kind::DOUBLE, &n.as_f64().unwrap_or(f64::NAN).to_le_bytes()),
    }
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u32 + 1).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}

type Wrapped = Option<(u8, Vec<u8>)>;

/// The value an object stands for, if it is a type wrapper. A wrapper whose content is out of
/// range is an error; one whose content has another shape is an ordinary object.
fn wrapped(object: &Map<String, Value>) -> Result<Wrapped, String> {
    let mut keys = object.iter();
    let one = (keys.next(), keys.next(), keys.next());
    match one {
        (Some((key, value)), None, _) => single(key, value),
        (Some((a, x)), Some((b, y)), None) => match (a.as_str(), b.as_str()) {
            ("$code", "$scope") => with_scope(x, y),
            ("$scope", "$code") => with_scope(y, x),
            ("$binary", "$type") => old_binary(x, y),
            ("$type", "$binary") => old_binary(y, x),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn single(key: &str, value: &Value) -> Result<Wrapped, String> {
    let wrong = || format!("{key} cannot hold {value}");
    let text = value.as_str();
    let some = |kind: u8, bytes: &[u8]| Ok(Some((kind, bytes.to_vec())));
    match (key, text) {
        ("$numberInt", Some(t)) => some(kind::INT32, &t.parse::<i32>().map_err(|_| wrong())?.to_le_bytes()),
        ("$numberLong", Some(t)) => some(kind::INT64, &t.parse::<i64>().map_err(|_| wrong())?.to_le_bytes()),
        ("$numberDouble", Some(t)) => some(kind::DOUBLE, &double(t).ok_or_else(wrong)?.to_le_bytes()),
        ("$numberDecimal", Some(t)) => {
            some(kind::DECIMAL, &t.parse::<bson::Decimal128>().map_err(|_| wrong())?.bytes())
        }
        ("$oid", Some(t)) => some(kind::OBJECT_ID, &hex(t).filter(|b| b.len() == 12).ok_or_else(wrong)?),
        ("$uuid", Some(t)) => {
            let bytes = hex(&t.replace('-', "")).filter(|b| b.len() == 16).ok_or_else(wrong)?;
            Ok(Some((kind::BINARY, binary(4, &bytes))))
        }
        ("$symbol", Some(t)) => some(kind::SYMBOL, &string(t)),
        ("$code", Some(t)) => some(kind::CODE, &string(t)),
        ("$date", _) => Ok(date(value)?.map(|ms| (kind::DATE, ms.to_le_bytes().to_vec()))),
        ("$minKey", None) if value.as_i64() == Some(1) => some(kind::MIN_KEY, &[]),
        ("$maxKey", None) if value.as_i64() == Some(1) => some(kind::MAX_KEY, &[]),
        ("$undefined", None) if value.as_bool() == Some(true) => some(kind::UNDEFINED, &[]),
        ("$timestamp", None) => timestamp(value),
        ("$binary", None) => new_binary(value),
        ("$regularExpression", None) => regular_expression(value),
        ("$dbPointer", None) => db_pointer(value),
        _ => Ok(None),
    }
}

fn double(text: &str) -> Option<f64> {
    match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok().filter(|v: &f64| v.is_finite()),
    }
}

fn date(value: &Value) -> Result<Option<i64>, String> {
    match value {
        Value::Number(n) => Ok(n.as_i64()),
        Value::String(text) => chrono::DateTime::parse_from_rfc3339(text)
            .or_else(|_| chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .map(|t| Some(t.timestamp_millis()))
            .map_err(|e| format!("$date cannot hold {text:?}: {e}")),
        Value::Object(inner) => match exactly(inner, ["$numberLong"]) {
            Some([Value::String(t)]) => t.parse().map(Some).map_err(|_| format!("$date cannot hold {t:?}")),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The values of exactly these keys, in any order.
fn exactly<'a, const N: usize>(object: &'a Map<String, Value>, keys: [&str; N]) -> Option<[&'a Value; N]> {
    if object.len() != N {
        return None;
    }
    let mut found = [&Value::Null; N];
    for (slot, key) in found.iter_mut().zip(keys) {
        *slot = object.get(key)?;
    }
    Some(found)
}

fn timestamp(value: &Value) -> Result<Wrapped, String> {
    let Some([t, i]) = value.as_object().and_then(|o| exactly(o, ["t", "i"])) else { return Ok(None) };
    let part = |v: &Value| {
        let wide = v.as_u64().or_else(|| exactly(v.as_object()?, ["$numberLong"])?[0].as_str()?.parse().ok());
        let wide = wide.or_else(|| exactly(v.as_object()?, ["$numberInt"])?[0].as_str()?.parse().ok());
        wide.and_then(|n| u32::try_from(n).ok())
    };
    match (part(t), part(i)) {
        (Some(t), Some(i)) => {
            Ok(Some((kind::TIMESTAMP, (u64::from(t) << 32 | u64::from(i)).to_le_bytes().to_vec())))
        }
        _ => Err(format!("$timestamp cannot hold {value}")),
    }
}

fn binary(subtype: u8, bytes: &[u8]) -> Vec<u8> {
    // Subtype 2 repeats the length inside.
    let inner = if subtype == 2 { bytes.len() + 4 } else { bytes.len() };
    let mut out = (inner as u32).to_le_bytes().to_vec();
    out.push(subtype);
    if subtype == 2 {
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(bytes);
    out
}

fn new_binary(value: &Value) -> Result<Wrapped, String> {
    match value.as_object().and_then(|o| exactly(o, ["base64", "subType"])) {
        Some([Value::String(data), Value::String(subtype)]) => some_binary(data, subtype),
        _ => Ok(None),
    }
}

fn old_binary(data: &Value, subtype: &Value) -> Result<Wrapped, String> {
    match (data, subtype) {
        (Value::String(data), Value::String(subtype)) => some_binary(data, subtype),
        _ => Ok(None),
    }
}

fn some_binary(data: &str, subtype: &str) -> Result<Wrapped, String> {
    let wrong = || format!("$binary cannot hold {data:?} of type {subtype:?}");
    let number = Some(subtype).filter(|s| (1..=2).contains(&s.len())).ok_or_else(wrong)?;
    let number = u8::from_str_radix(number, 16).map_err(|_| wrong())?;
    Ok(Some((kind::BINARY, binary(number, &base64(data).ok_or_else(wrong)?))))
}

fn regular_expression(value: &Value) -> Result<Wrapped, String> {
    match value.as_object().and_then(|o| exactly(o, ["pattern", "options"])) {
        Some([Value::String(pattern), Value::String(options)]) => {
            if pattern.contains('\0') || options.contains('\0') {
                return Err(format!("$regularExpression cannot hold {value}"));
            }
            Ok(Some((kind::REGEX, format!("{pattern}\0{options}\0").into_bytes())))
        }
        _ => Ok(None),
    }
}

fn db_pointer(value: &Value) -> Result<Wrapped, String> {
    let Some([Value::String(ns), Value::Object(id)]) =
        value.as_object().and_then(|o| exactly(o, ["$ref", "$id"]))
    else {
        return Ok(None);
    };
    match wrapped(id)? {
        Some((kind::OBJECT_ID, id)) => {
            let mut bytes = string(ns);
            bytes.extend_from_slice(&id);
            Ok(Some((kind::DB_POINTER, bytes)))
        }
        _ => Ok(None),
    }
}

fn with_scope(code: &Value, scope: &Value) -> Result<Wrapped, String> {
    let (Value::String(code), Value::Object(scope)) = (code, scope) else { return Ok(None) };
    let (code, scope) = (string(code), document(scope)?);
    let mut bytes = ((4 + code.len() + scope.len()) as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&code);
    bytes.extend_from_slice(&scope);
    Ok(Some((kind::CODE_WITH_SCOPE, bytes)))
}

/// Bytes from hex digits; `None` when there is anything else.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: &u8| char::from(*c).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some((digit(pair.first()?)? << 4 | digit(pair.last()?)?) as u8))
        .collect()
}

/// RFC 4648 base64, with padding or without.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut have) = (0u32, 0u32);
    for c in text.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    (have < 6).then_some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use bson::{Bson, doc};

    fn convert(json: &str) -> Result<bson::Document, String> {
        let value: Value = serde_json::from_str(json).unwrap();
        document(value.as_object().unwrap()).map(|bytes| bson::Document::from_reader(&bytes[..]).unwrap())
    }

    #[test]
    fn every_wrapper_of_the_specification() {
        let id = "0123456789abcdef01234567";
        let got = convert(&format!(
            r#"{{"i":{{"$numberInt":"-5"}},"l":{{"$numberLong":"5"}},"d":{{"$numberDouble":"2.0"}},
            "n":{{"$numberDouble":"-Infinity"}},"z":{{"$numberDouble":"-0.0"}},"c":{{"$numberDecimal":"1.50"}},
            "o":{{"$oid":"{id}"}},"t":{{"$timestamp":{{"t":7,"i":4294967295}}}},
            "w":{{"$date":{{"$numberLong":"-1"}}}},"x":{{"$date":"1970-01-01T00:00:01.5Z"}},
            "r":{{"$regularExpression":{{"pattern":"^a","options":"i"}}}},
            "b":{{"$binary":{{"base64":"AQID/w==","subType":"80"}}}},"u":{{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}},
            "s":{{"$symbol":"y"}},"j":{{"$code":"f"}},"k":{{"$code":"f","$scope":{{"a":{{"$numberInt":"1"}}}}}},
            "m":{{"$minKey":1}},"M":{{"$maxKey":1}},"U":{{"$undefined":true}}}}"#
        ))
        .unwrap();
        let oid = bson::oid::ObjectId::parse_str(id).unwrap();
        let want = doc! {
            "i": -5, "l": 5i64, "d": 2.0, "n": f64::NEG_INFINITY, "z": -0.0,
            "c": "1.50".parse::<bson::Decimal128>().unwrap(),
            "o": oid, "t": bson::Timestamp { time: 7, increment: u32::MAX },
            "w": bson::DateTime::from_millis(-1), "x": bson::DateTime::from_millis(1500),
            "r": bson::Regex { pattern: "^a".try_into().unwrap(), options: "i".try_into().unwrap() },
            "b": bson::Binary { subtype: bson::spec::BinarySubtype::UserDefined(0x80), bytes: vec![1, 2, 3, 255] },
            "u": bson::Uuid::parse_str("00112233-4455-6677-8899-aabbccddeeff").unwrap(),
            "s": Bson::Symbol("y".into()), "j": Bson::JavaScriptCode("f".into()),
            "k": bson::JavaScriptCodeWithScope { code: "f".into(), scope: doc! { "a": 1 } },
            "m": Bson::MinKey, "M": Bson::MaxKey, "U": Bson::Undefined,
        };
        assert_eq!(got, want);
        assert!(got.get_f64("z").unwrap().is_sign_negative());
    }

    #[test]
    fn operators_are_no_wrappers() {
        for json in [
            r#"{"v":{"$regex":"^a","$options":"i"}}"#,
            r#"{"v":{"$regex":"^a"}}"#,
            r#"{"v":{"$type":"string"}}"#,
            r#"{"v":{"$code":true}}"#,
            r#"{"v":{"$date":{"$dateFromString":"x"}}}"#,
            r#"{"v":{"$timestamp":{"t":"$a"}}}"#,
            r#"{"v":{"$oid":"$x","y":1}}"#,
            r#"{"v":{"$binary":{"base64":"AQID","more":"0"}}}"#,
            r#"{"$jsonSchema":{"required":["a"]},"$expr":{"$gt":["$a","$b"]}}"#,
        ] {
            let got = convert(json).unwrap();
            let as_json: Value = serde_json::from_str(json).unwrap();
            assert_eq!(plain(&Bson::Document(got)), as_json, "{json}");
        }
    }

    /// Documents, arrays, strings, booleans and int32 as JSON; nothing else may occur.
    fn plain(value: &Bson) -> Value {
        match value {
            Bson::Document(d) => d.iter().map(|(k, v)| (k.clone(), plain(v))).collect(),
            Bson::Array(a) => a.iter().map(plain).collect(),
            Bson::String(s) => s.as_str().into(),
            Bson::Boolean(b) => (*b).into(),
            Bson::Int32(i) => (*i).into(),
            other => panic!("{other:?} came out of nothing"),
        }
    }

    #[test]
    fn relaxed_numbers_keep_the_smallest_type() {
        assert_eq!(
            convert(r#"{"a":1,"b":2147483648,"c":1.0,"d":-3,"e":1e3}"#).unwrap(),
            doc! { "a": 1, "b": 2_147_483_648i64, "c": 1.0, "d": -3, "e": 1000.0 }
        );
    }

    #[test]
    fn what_cannot_be_held_is_an_error() {
        for json in [
            r#"{"a":{"$numberInt":"2147483648"}}"#,
            r#"{"a":{"$numberLong":"x"}}"#,
            r#"{"a":{"$oid":"01"}}"#,
            r#"{"a":{"$date":"yesterday"}}"#,
            r#"{"a":{"$binary":{"base64":"*","subType":"00"}}}"#,
            r#"{"a\u0000":1}"#,
            r#"{"a":{"$regularExpression":{"pattern":"\u0000","options":""}}}"#,
        ] {
            assert!(convert(json).is_err(), "{json}");
        }
    }
}
