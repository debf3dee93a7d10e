//! A look at a set without taking anything from it: who it is, how far its oplog reaches, what
//! its clock says.

use std::time::{SystemTime, UNIX_EPOCH};

use super::alone;
use super::connection::{Concern, Connection, End, SetIdentity};
use super::run::{Known, oldest};
use super::secure::ended;
use crate::domain::Result;
use crate::domain::window::Window;

/// What a look sees.
#[derive(Debug, Clone)]
pub struct Look {
    /// The set.
    pub set: SetIdentity,
    /// How far its oplog reaches; `None` when it is empty. The churn is the mean over all of it.
    pub window: Option<Window>,
    /// Seconds its clock is ahead of ours.
    pub skew_seconds: Option<i64>,
}

/// Who it is.
pub fn identify(uri: &str) -> Result<SetIdentity> {
    alone(|| async { Connection::open(uri).await.map(|(_, set)| set) })
}

/// Looks.
pub fn look(uri: &str) -> Result<Look> {
    alone(|| async {
        let (connection, set) = Connection::open(uri).await?;
        let lost = |t| ended(&connection, t);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let ours = i64::try_from(now).unwrap_or(i64::MAX);
        // The answer came a moment ago: that makes a second of difference at most.
        let skew_seconds = set.clock.map(|clock| clock.saturating_sub(ours) / 1000);
        let newest = connection.end(End::Newest, Concern::Local).await.map_err(lost)?;
        let window = match (newest.map(Known::new).transpose()?, oldest(&connection).await.map_err(lost)?) {
            (Some(newest), Some(oldest)) => {
                let newest = newest.at.pos;
                let ring = connection.ring().await;
                let span = f64::from(newest.secs.saturating_sub(oldest.secs).max(1));
                let churn = ring.map(|r| r.bytes as f64 / span).filter(|c| *c > 0.0);
                Some(Window { oldest, newest, ring, churn })
            }
            _ => None,
        };
        Ok(Look { set, window, skew_seconds })
    })
}
