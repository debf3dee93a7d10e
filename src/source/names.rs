//! File names in a dump directory and the collections they stand for (reference 3.3). Names are
//! only ever names here: nothing makes a path of them.

/// What a file in a database's folder is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role<'a> {
    /// Documents of the collection with this escaped name.
    Data(&'a str),
    /// Metadata of the collection with this escaped name.
    Metadata(&'a str),
    /// The versions of server and tool.
    Prelude,
    /// Nothing that a dump has.
    Stray,
}

/// Reads the role off a file name. (That it is compressed is found by content, but the name has
/// to be stripped of it.)
pub fn role(file: &str) -> Role<'_> {
    let plain = file.strip_suffix(".gz").or_else(|| file.strip_suffix(".zst")).unwrap_or(file);
    if plain == "prelude.json" {
        return Role::Prelude;
    }
    let base = |suffix| plain.strip_suffix(suffix).filter(|base: &&str| !base.is_empty());
    if let Some(base) = base(".metadata.json") {
        return Role::Metadata(base);
    }
    if let Some(base) = base(".bson").or_else(|| base(".bin")) {
        return Role::Data(base);
    }
    Role::Stray
}

/// Whether this is a file that pitstop keeps beside slices that it writes.
pub fn is_ours(file: &str) -> bool {
    file.starts_with(".pitstop-") || file == "manifest.ndjson"
}

/// Whether the tool has cut this escaped name and put a hash at its end: then only the metadata
/// file knows the name.
pub fn is_shortened(base: &str) -> bool {
    base.len() == 238 && base.as_bytes().get(208..211) == Some(b"%24")
}

/// The collection of an escaped name; an error is a phrase.
pub fn unescape(base: &str) -> Result<String, String> {
    let bytes = base.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&c) = bytes.get(at) {
        at += 1;
        match c {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = base.get(at..at + 2).filter(|d| d.bytes().all(|c| c.is_ascii_hexdigit()));
                let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
                out.push(byte.ok_or_else(|| format!("`%` in {base:?} is not followed by two hex digits"))?);
                at += 2;
            }
            _ => out.push(c),
        }
    }
    String::from_utf8(out).map_err(|_| format!("{base:?} does not stand for UTF-8"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn roles() {
        for (file, want) in [
            ("a.bson", Role::Data("a")),
            ("a.b.bson.gz", Role::Data("a.b")),
            ("a.bin", Role::Data("a")),
            ("a.metadata.json", Role::Metadata("a")),
            ("a.metadata.json.gz", Role::Metadata("a")),
            ("prelude.json.gz", Role::Prelude),
            ("metadata.json", Role::Stray),
            (".bson", Role::Stray),
            ("a.zst", Role::Stray),
        ] {
            assert_eq!(role(file), want, "{file}");
        }
    }

    #[test]
    fn names_are_unescaped_once() {
        for (base, want) in [
            ("we.ird+name%2F100%25+%C3%BC", "we.ird name/100% ü"),
            ("a%252F", "a%2F"),
            ("%2E%2E%2F%2E%2E%2Fetc", "../../etc"),
            ("%00", "\0"),
            ("$admin.system.users", "$admin.system.users"),
        ] {
            assert_eq!(unescape(base).unwrap(), want);
        }
        for base in ["%", "%2", "%zz", "%+1", "a%ü", "%FF"] {
            assert!(unescape(base).is_err(), "{base}");
        }
    }

    #[test]
    fn a_shortened_name_is_known_by_its_shape() {
        let cut = format!("{}%24{}", "x".repeat(208), "h".repeat(27));
        assert!(is_shortened(&cut));
        assert!(!is_shortened(&cut[1..]));
        assert!(!is_shortened(&"x".repeat(238)));
    }
}
