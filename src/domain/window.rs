//! How long an oplog reaches back, and how long what is in it will stay: an oplog is a ring.

use super::Position;

/// How full the ring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Ring {
    /// Bytes of entries in it.
    pub bytes: u64,
    /// Bytes beyond which the oldest are overwritten.
    pub limit: u64,
}

/// The window of a live oplog at one moment.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Window {
    /// The oldest entry: the next to be overwritten.
    pub oldest: Position,
    /// The newest entry.
    pub newest: Position,
    /// How full the ring is, where it is known.
    pub ring: Option<Ring>,
    /// Bytes written per second, lately; `None` when nothing was written.
    pub churn: Option<f64>,
}

impl Window {
    /// Seconds from the oldest to the newest entry.
    pub fn seconds(&self) -> u64 {
        u64::from(self.newest.secs.saturating_sub(self.oldest.secs))
    }

    /// Seconds until the oldest entry is overwritten at this churn.
    pub fn oldest_disappears_in(&self) -> Option<u64> {
        let ring = self.ring?;
        seconds(ring.limit.saturating_sub(ring.bytes), self.churn?)
    }

    /// Seconds until what is written now is overwritten at this churn.
    pub fn newest_disappears_in(&self) -> Option<u64> {
        seconds(self.ring?.limit, self.churn?)
    }

    /// As a sentence's middle: how far it reaches back, and what disappears when.
    pub fn describe(&self) -> String {
        let mut text = format!("it reaches back {} to {}", duration(self.seconds()), self.oldest.time());
        match self.oldest_disappears_in() {
            Some(0..60) => text.push_str("; it is full: the oldest operations disappear now"),
            Some(left) => text
                .push_str(&format!("; the oldest operation disappears in {} at this churn", duration(left))),
            None => {}
        }
        if let Some(left) = self.newest_disappears_in() {
            text.push_str(&format!("; what is written now, in {}", duration(left)));
        }
        text
    }
}

fn seconds(bytes: u64, churn: f64) -> Option<u64> {
    // A cast of a float saturates: an idle set keeps its oplog for ages.
    (churn > 0.0).then(|| (bytes as f64 / churn) as u64)
}

/// `90 s`, `42 min`, `3.2 h`, `12 days`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{:.1} h", seconds as f64 / 3600.0),
        172_800..315_360_000 => format!("{} days", seconds / 86_400),
        _ => "more than ten years".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_disappears_when() {
        let mut window = Window {
            oldest: Position::new(1_000_000_000, 1),
            newest: Position::new(1_000_036_000, 1),
            ring: Some(Ring { bytes: 640 << 20, limit: 1000 << 20 }),
            churn: Some((100 << 20) as f64 / 3600.0),
        };
        // 360 MiB are left and 1000 MiB fit, at 100 MiB an hour.
        assert_eq!(window.oldest_disappears_in(), Some(12_960));
        assert_eq!(window.newest_disappears_in(), Some(36_000));
        let text = window.describe();
        assert!(text.contains("10.0 h") && text.contains("disappears in 3.6 h"), "{text}");
        window.ring = Some(Ring { bytes: 1001 << 20, limit: 1000 << 20 });
        assert!(window.describe().contains("disappear now"));
        window.churn = None;
        assert_eq!(window.oldest_disappears_in(), None);
        assert_eq!(duration(119), "119 s");
        assert_eq!(duration(u64::MAX), "more than ten years");
    }
}
