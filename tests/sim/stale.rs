//! What a client leaves behind at the server when its session ends without a goodbye (RFC 4724 §4.2).

use std::collections::BTreeMap;
use std::time::Duration;

use rialto::base::Time;

use super::oracle::{Attributes, Net};

/// What a client says of its own restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Helped {
    pub time_s: u16,
    pub families: [bool; 2],
    pub forwarding: [bool; 2],
}

/// Routes of a session that ended, as a helper would keep them.
#[derive(Clone, Debug)]
pub struct Left {
    pub routes: BTreeMap<Net, Attributes>,
    pub families: [bool; 2],
    pub until: Time,
}

impl Left {
    /// Whether it is over soon enough for the world to wait for that.
    pub fn is_brief(&self, now: Time) -> bool {
        self.until > now && self.until.since(now) < Duration::from_secs(60)
    }

    /// The server's clock of it began a moment after ours.
    pub fn is_over(&self, now: Time) -> bool {
        now > self.until + Duration::from_secs(30)
    }
}
