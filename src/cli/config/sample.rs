//! The configuration to begin with: everything that can be said, with the defaults, commented out.
//! A line that begins with `#` and no blank is a setting; with a blank, a remark.

use std::fmt::Write;

use super::settings::SETTINGS;
use crate::keys::{ACTIONS, Context};

const HEAD: &str = "\
# The configuration of pitstop: ~/.config/pitstop/config.toml.
#
# What stands here are the defaults. Take a # away to change a line. `pitstop doctor` shows what
# holds, and who said so: this file, a profile in it, a variable PITSTOP_… or a flag; the later
# of these wins.
";

const PROFILE: &str = r##"
# A profile is a source: `pitstop prod`, `pitstop snapshots prod`. It stands for a replica set and
# its backups, together. A connection string with a password is taken only from a file that nobody
# else may read (chmod 600). Every setting above can stand here too, for when this profile is used.
#[profiles.prod]
#source = "mongodb://reader@db1.example:27017,db2.example:27017/?replicaSet=rs0"
#backups = ["/backups/prod", "/backups/prod-oplog"]
#criticality = "mission-critical"
"##;

const KEYS: &str = "
# Keys, by the name of the action: in one context, or without the context in all that have it, as in
#   [keys]
#   stop-before = \"B\"
# Several keys are a list; keys pressed one after the other have a blank between them: \"g g\". There
# is no Alt and there are no F-keys: not every terminal passes them on.
";

/// The sample.
pub fn sample() -> String {
    let mut out = HEAD.to_owned();
    for setting in SETTINGS {
        out.push('\n');
        for line in setting.doc {
            let _ = writeln!(out, "# {line}");
        }
        let _ = writeln!(out, "#{} = {}", setting.name, setting.written(setting.default));
    }
    out.push_str(PROFILE);
    out.push_str(KEYS);
    for context in Context::ALL {
        let _ = writeln!(out, "\n#[keys.{}]", context.name());
        // Ctrl-c cannot be bound otherwise.
        for row in ACTIONS.iter().filter(|row| row.context == context && row.action.is_rebindable()) {
            let keys: Vec<String> =
                row.keys.iter().map(|key| toml::Value::String((*key).to_owned()).to_string()).collect();
            let _ = writeln!(out, "#{} = [{}]  # {}", row.action.name(), keys.join(", "), row.doc);
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::config::file::File;
    use crate::keys::Keymap;

    fn read(text: &str) -> File {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut problems = Vec::new();
        let file = File::read(&path, &mut problems).unwrap();
        assert_eq!(problems, []);
        file
    }

    #[test]
    fn as_printed_it_says_nothing() {
        let file = read(&sample());
        assert!(file.texts.is_empty() && file.keys.is_empty() && file.profiles.is_empty());
    }

    #[test]
    fn taken_at_its_word_it_says_the_defaults() {
        let setting = |line: &str| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| !c.is_whitespace()) => rest.to_owned(),
            _ => line.to_owned(),
        };
        let text: Vec<String> = sample().lines().map(setting).collect();
        let file = read(&text.join("\n"));
        for setting in SETTINGS {
            assert_eq!(file.texts.get(setting.name).map(String::as_str), Some(setting.default));
        }
        let prod = file.profiles.get("prod").unwrap();
        assert_eq!((prod.source.is_some(), prod.backups.len(), prod.texts.len()), (true, 2, 1));
        let (keymap, usual) = (Keymap::rebound(&file.keys).unwrap(), Keymap::default());
        assert_eq!(file.keys.len(), ACTIONS.len() - 1, "all but Ctrl-c");
        for row in ACTIONS {
            let keys = |map: &Keymap| map.keys(row.context, row.action).cloned().collect::<Vec<_>>();
            assert_eq!(keys(&keymap), keys(&usual), "{row:?}");
        }
    }
}
