//! Clients that are weak: changes reach them now and then only (`min_advertisement_ms`). And clients
//! that say too much: they are read more slowly (`updates_per_s`). Both are off unless configured.

use std::time::Duration;

use crate::base::{ClientSlot, Time};

use super::clients::ClientState;
use super::timers::earliest;
use super::{CoreAction, SessionCore};

/// A client gets what changed at once, and then nothing for a while but what it is noted to lack.
#[derive(Clone, Copy, Default)]
pub(super) struct Pace {
    /// What changes is only noted, until this.
    pub paused_until: Option<Time>,
}

/// UPDATEs that a client may still send: it gets one more after each part of a second.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    left: u32,
    since: Time,
    /// It is not read before this.
    pub rests_until: Option<Time>,
}

/// What may come at once after a rest.
const BURST: Duration = Duration::from_secs(10);
/// A rest is no shorter: each wakes the core up.
const REST: Duration = Duration::from_millis(50);

impl Budget {
    pub fn new(now: Time) -> Budget {
        Budget {
            left: u32::MAX,
            since: now,
            rests_until: None,
        }
    }

    /// Counts one UPDATE of a client that may send so many in a second.
    pub fn spend(&mut self, now: Time, per_s: u32) {
        let most = u64::from(per_s) * BURST.as_secs();
        let micros = now.since(self.since).as_micros() as u64;
        let earned = micros.saturating_mul(u64::from(per_s)) / 1_000_000;
        if earned > 0 {
            self.since = now;
        }
        let left = u64::from(self.left).saturating_add(earned).min(most);
        self.left = left.saturating_sub(1) as u32;
        if self.left == 0 {
            let one = Duration::from_micros(1_000_000 / u64::from(per_s.max(1)));
            self.rests_until = Some(now + one.max(REST));
        }
    }
}

impl SessionCore {
    /// Pauses those that have got what changed, and lets go on those whose pause is over.
    pub(super) fn tick_pace(&mut self, now: Time) {
        for slot in self.clients.slots() {
            let Some(state) = self.clients.get_mut(slot) else {
                continue;
            };
            let Some(interval) = state.client.min_advertisement else {
                continue;
            };
            let Some(up) = &mut state.up else { continue };
            match up.pace.paused_until {
                None if up.is_clean() && up.owed.is_empty() => {
                    up.pace.paused_until = Some(now + interval);
                    self.output.stalled.insert(slot);
                }
                Some(until) if until <= now && !up.dirty.is_empty() => self.unpause(now, slot),
                _ => {}
            }
        }
    }

    /// Whether there is anybody to pause under the present configuration.
    pub(super) fn note_pacing(&mut self) {
        let core = self.core;
        let mut clients = self.exchange.clients().filter(|client| client.core == core);
        self.is_pacing = clients.any(|client| client.min_advertisement.is_some());
    }

    /// Ends the pause of a client: it was long enough, or what is noted for it has become too much. A
    /// pause is a wish, not a right.
    pub(super) fn unpause(&mut self, now: Time, slot: ClientSlot) {
        if let Some(up) = self.clients.up_mut(slot).filter(|up| up.is_paused()) {
            up.pace.paused_until = None;
            if !up.dirty.is_empty() {
                up.behind_since.get_or_insert(now);
            }
            self.output.stalled.remove(slot);
            self.slow.recover(slot);
        }
    }

    /// Reads on where a rest is over.
    pub(super) fn end_rests(&mut self, now: Time) {
        if self.rests_due.is_none_or(|due| due > now) {
            return;
        }
        self.rests_due = None;
        for slot in self.clients.slots() {
            let Some(state) = self.clients.get_mut(slot) else {
                continue;
            };
            let Some(up) = &mut state.up else { continue };
            let Some(until) = up.budget.rests_until else {
                continue;
            };
            if until > now {
                self.rests_due = earliest(self.rests_due, until);
                continue;
            }
            up.budget.rests_until = None;
            // The rest was meant, and is no latency.
            state.heard = now;
            let conn = up.conn;
            if let Some(way) = state.session.established_way() {
                // From here on silence is the client's own again.
                state.session.handle_paused(now, way, false);
            }
            self.settle(now, slot);
            if let Some(connection) = self.connections.get(conn)
                && connection.held.take()
            {
                self.actions.push_back(CoreAction::Read { conn });
            }
        }
    }
}

impl ClientState {
    /// Whether it has said more than it may, and is not heard for now.
    pub(super) fn rests(&self) -> bool {
        let up = self.up.as_ref();
        up.is_some_and(|up| up.budget.rests_until.is_some())
    }
}
