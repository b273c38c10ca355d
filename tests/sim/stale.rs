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
    /// RFC 9494, where it says anything of it.
    pub long_lived: Option<LongLived>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongLived {
    /// 0: none.
    pub times_s: [u32; 2],
    pub forwarding: [bool; 2],
}

/// What the server is configured to keep at most, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Helper {
    pub time_s: u16,
    /// By family.
    pub llgr_s: [u32; 2],
}

/// Routes of a session that ended, as a helper would keep them.
#[derive(Clone, Debug)]
pub struct Left {
    pub routes: BTreeMap<Net, Attributes>,
    pub families: [bool; 2],
    /// When its Restart Time is over, and by family its Long-Lived Stale Time.
    pub until: Time,
    pub at_last: [Time; 2],
}

impl Left {
    /// Whether it is over soon enough for the world to wait for that.
    pub fn is_brief(&self, now: Time) -> bool {
        let is_near = |time: Time| time > now && time.since(now) < Duration::from_secs(60);
        is_near(self.until) || self.at_last.into_iter().any(is_near)
    }

    /// The server's clock of it began a moment after ours.
    pub fn is_over(&self, now: Time, family: usize, is_long_lived: bool) -> bool {
        let until = if is_long_lived {
            self.at_last[family]
        } else {
            self.until
        };
        now > until + Duration::from_secs(30)
    }
}
