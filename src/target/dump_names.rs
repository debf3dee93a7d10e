//! File names of a dump directory: how mongodump writes the names of collections.

use sha1::{Digest, Sha1};

use crate::domain::{Error, Result};

/// Escaped names up to this length are used as they are.
const LONGEST: usize = 238;
/// Of longer ones this much is kept, then `%24` and a hash of the name.
const KEPT: usize = 208;

/// The file name of a collection without its ending. Never a path: `/` is always escaped.
pub(super) fn file_stem(coll: &str) -> String {
    let mut escaped = String::with_capacity(coll.len());
    for byte in coll.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte as char),
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    if escaped.len() <= LONGEST {
        return escaped;
    }
    escaped.truncate(KEPT);
    escaped.push_str("%24");
    escaped.push_str(&base64url(&Sha1::digest(coll.as_bytes())));
    escaped
}

/// Base64 with the alphabet for URLs, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let part = |at: usize| three.get(at).copied().map_or(0, u32::from);
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for letter in 0..=three.len() {
            out.push(char::from(ALPHABET[(bits >> (18 - 6 * letter) & 63) as usize]));
        }
    }
    out
}

/// Refuses a database whose name is no name of one directory: databases are not escaped.
pub(super) fn require_directory_name(db: &str) -> Result<()> {
    let hostile = matches!(db, "" | "." | "..") || db.contains(['/', '\\', '\0']);
    if !hostile {
        return Ok(());
    }
    Error::refused(
        "writing the dump",
        format_args!("the database {db:?}"),
        "its name cannot be that of a directory",
    )
    .hint("leave it out with --ns, or restore to a server.")
    .err()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn names_are_escaped_as_in_a_query() {
        for (name, stem) in [
            ("orders", "orders"),
            ("a b", "a+b"),
            ("a/../b", "a%2F..%2Fb"),
            ("..", ".."),
            ("ü%+~-_.", "%C3%BC%25%2B~-_."),
            ("a\nb$", "a%0Ab%24"),
        ] {
            assert_eq!(file_stem(name), stem);
        }
    }

    #[test]
    fn long_names_end_in_a_hash() {
        // The hash is what `sha1sum` says of 250 times "a", in Python's urlsafe_b64encode.
        let name = "a".repeat(250);
        let stem = file_stem(&name);
        assert_eq!(stem.len(), LONGEST);
        assert_eq!(stem, "a".repeat(208) + "%24tdXj4PzM-0nXBKHhC8l86XYaFP4");
        assert_eq!(file_stem(&"a".repeat(238)).len(), 238);
        assert!(!file_stem(&"a".repeat(238)).contains('%'));
        assert_ne!(stem, file_stem(&"a".repeat(251)));
    }

    #[test]
    fn base64_for_urls() {
        // RFC 4648, section 10, and the two letters in which the alphabets differ.
        for (bytes, text) in [("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn databases_are_never_paths() {
        for db in ["", ".", "..", "a/b", "../x", "/etc", "a\0b", "a\\b"] {
            assert_eq!(
                require_directory_name(db).unwrap_err().class,
                crate::domain::Class::Refused,
                "{db:?}"
            );
        }
        require_directory_name("shop-2").unwrap();
    }
}
