//! Connection strings without their secrets.

use super::text::visible;

/// The string as it may be shown: scheme, hosts and database, without credentials and options.
/// Where it cannot be told what is a secret, only the scheme is left.
pub fn without_secrets(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return "(not a connection string)".to_owned();
    };
    let scheme = if scheme == "mongodb+srv" { scheme } else { "mongodb" };
    let (front, options) = rest.split_once('?').unwrap_or((rest, ""));
    // A password with an unescaped `?` would move its rest, and the `@`, behind the cut.
    if options.contains('@') {
        return format!("{scheme}://…");
    }
    let hosts = front.rsplit_once('@').map_or(front, |(_, hosts)| hosts);
    format!("{scheme}://{}", visible(hosts))
}

/// Removes from a message whatever it repeats of the string's credentials and options.
pub fn scrub(message: &str, uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (user_info, _) = rest.rsplit_once('@').unwrap_or(("", rest));
    let password = user_info.split_once(':').map_or("", |(_, password)| password);
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    let values = options.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let key = key.to_ascii_lowercase();
        (key.contains("password") || key.contains("properties")).then_some(value)
    });
    let mut out = message.to_owned();
    for secret in [user_info, password].into_iter().chain(values) {
        for form in [secret.to_owned(), decoded(secret)] {
            if !form.is_empty() {
                out = out.replace(&form, "***");
            }
        }
    }
    visible(&out).into_owned()
}

/// Whether the string holds something that nobody else may know.
pub fn holds_secret(uri: &str) -> bool {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let password = rest.rsplit_once('@').and_then(|(user_info, _)| user_info.split_once(':'));
    let options = rest.split_once('?').map_or("", |(_, options)| options).to_ascii_lowercase();
    password.is_some_and(|(_, password)| !password.is_empty())
        || options.contains("password=")
        || options.contains("properties=")
}

/// A text of any kind, with every connection string in it as [`without_secrets`] shows it.
pub fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("mongodb://").into_iter().chain(rest.find("mongodb+srv://")).min() {
        let (before, uri) = rest.split_at(at);
        out.push_str(before);
        // A quotation mark or a blank cannot stand in one unescaped.
        let end = uri.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')).unwrap_or(uri.len());
        let (uri, behind) = uri.split_at(end);
        out.push_str(&without_secrets(uri));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Percent-encodes everything but unreserved characters: a value or a socket's path as a host.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_password_is_shown() {
        for (uri, shown) in [
            ("mongodb://h1:1,h2:2/db", "mongodb://h1:1,h2:2/db"),
            ("mongodb://u:s3cret@h:1/?tlsCertificateKeyFilePassword=s3cret", "mongodb://h:1/"),
            ("mongodb+srv://u:s3%40cret@h/db", "mongodb+srv://h/db"),
            ("mongodb://u:s3/cret@h", "mongodb://h"),
            ("mongodb://u:s3@cret@h", "mongodb://h"),
            ("mongodb://u:s3?cret@h/db", "mongodb://…"),
            ("mongodb://u:s3@x?cret@h/db", "mongodb://…"),
            ("s3cret", "(not a connection string)"),
            ("s3cret://h", "mongodb://h"),
        ] {
            assert_eq!(without_secrets(uri), shown);
        }
    }

    #[test]
    fn messages_do_not_repeat_secrets() {
        let uri = "mongodb://u:s3%2Fcret@h/?authMechanismProperties=AWS_SESSION_TOKEN:tok";
        let said = scrub("bad s3/cret and s3%2Fcret and AWS_SESSION_TOKEN:tok", uri);
        assert!(!said.contains("cret") && !said.contains("tok"), "{said}");
    }

    #[test]
    fn texts_lose_the_secrets_of_all_their_connection_strings() {
        let text = "--target=mongodb://u:s3cret@h/db?x=1 'mongodb+srv://a:s3cret@b' \"mongodb://c\"";
        let shown = "--target=mongodb://h/db 'mongodb+srv://b' \"mongodb://c\"";
        assert_eq!(redacted(text), shown);
        assert_eq!(redacted("nothing here"), "nothing here");
        for secret in ["mongodb://u:p@h", "mongodb://h/?tlsCertificateKeyFilePassword=x"] {
            assert!(holds_secret(secret), "{secret}");
        }
        for none in ["mongodb://u@h", "mongodb://h:27017/?replicaSet=rs", "mongodb://u:@h"] {
            assert!(!holds_secret(none), "{none}");
        }
    }

    #[test]
    fn encoding_and_decoding_are_inverse() {
        let odd = "/tmp/a b%/ü@:.sock";
        assert_eq!(encoded("/tmp/x.sock"), "%2Ftmp%2Fx.sock");
        assert_eq!(decoded(&encoded(odd)), odd);
    }
}
