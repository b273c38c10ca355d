//! One TCP connection of a session: what was received on it, how far it got, its deadlines.

use std::time::Duration;

use crate::base::Time;
use crate::wire::{EXTENDED_MESSAGE_MAX, MESSAGE_MAX};

use super::framer::Framer;
use super::{Negotiated, SessionSettings, State};

/// RFC 4271 §8.2.2 suggests 4 minutes.
pub(super) const OPEN_WAIT_S: u16 = 240;
/// RFC 9687 §4: the default is the larger of this and twice the hold time.
const SEND_HOLD_S: u16 = 480;
/// When we notice a passed hold time this late, it is we who slept.
const LATE: Duration = Duration::from_secs(1);
/// What the peer's octets get then to be read.
const LATE_GRACE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Connection {
    pub framer: Framer,
    /// The OPENs, with their headers: ours and the peer's.
    pub opens: [Vec<u8>; 2],
    progress: Progress,
    /// When the peer counts as gone; `NEVER` without a hold time.
    hold: Time,
    /// The grace for our own lateness was given.
    graced: bool,
    /// Nobody reads the socket, so silence says nothing about the peer.
    paused: bool,
    /// When a KEEPALIVE is due.
    pub keepalive: Time,
    /// When it has been impossible to send for too long (RFC 9687).
    send_hold: Time,
    /// A KEEPALIVE was queued and nothing was written since: another would tell no more.
    pub keepalive_waits: bool,
    /// TCP is gone already.
    pub is_closed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    OpenSent,
    OpenConfirm(Negotiated),
    Established(Negotiated),
}

/// What has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expiry {
    Open,
    Hold,
    SendHold,
    Keepalive,
}

impl Connection {
    /// `extended`: we offer RFC 8654, so that from our OPEN on long messages may come, whatever the
    /// peer offers (§4); its offer says what we may send.
    pub fn new(now: Time, extended: bool, open: Vec<u8>) -> Connection {
        let message_max = if extended {
            EXTENDED_MESSAGE_MAX
        } else {
            MESSAGE_MAX
        };
        Connection {
            framer: Framer::new(message_max),
            opens: [open, Vec::new()],
            progress: Progress::OpenSent,
            hold: now + seconds(OPEN_WAIT_S),
            graced: false,
            paused: false,
            keepalive: Time::NEVER,
            send_hold: Time::NEVER,
            keepalive_waits: false,
            is_closed: false,
        }
    }

    pub const fn state(&self) -> State {
        match self.progress {
            Progress::OpenSent => State::OpenSent,
            Progress::OpenConfirm(_) => State::OpenConfirm,
            Progress::Established(_) => State::Established,
        }
    }

    pub const fn is_established(&self) -> bool {
        matches!(self.progress, Progress::Established(_))
    }

    /// Known from OpenConfirm on.
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        match &self.progress {
            Progress::OpenSent => None,
            Progress::OpenConfirm(negotiated) | Progress::Established(negotiated) => {
                Some(negotiated)
            }
        }
    }

    pub fn confirm(&mut self, now: Time, negotiated: Negotiated) {
        self.progress = Progress::OpenConfirm(negotiated);
        self.hold = Time::NEVER;
        self.handle_life(now);
    }

    pub fn establish(&mut self, now: Time) {
        if let Progress::OpenConfirm(negotiated) = self.progress {
            self.progress = Progress::Established(negotiated);
            self.handle_life(now);
        }
    }

    /// A whole message came from the peer. The wait for its OPEN goes on regardless.
    pub fn handle_life(&mut self, now: Time) {
        let Some(negotiated) = self.negotiated() else {
            return;
        };
        if negotiated.hold_time_s != 0 {
            self.hold = now + seconds(negotiated.hold_time_s);
            self.graced = false;
        }
    }

    pub fn handle_paused(&mut self, now: Time, paused: bool) {
        if self.paused && !paused {
            self.handle_life(now);
        }
        self.paused = paused;
    }

    /// Octets were written; `still_queued`: more wait.
    pub fn handle_written(
        &mut self,
        now: Time,
        still_queued: bool,
        send_hold_time: Option<Duration>,
    ) {
        self.keepalive_waits = false;
        self.send_hold = Time::NEVER;
        if still_queued {
            self.handle_queued(now, send_hold_time);
        }
    }

    /// There is something to send: from now on the peer has to take octets.
    pub fn handle_queued(&mut self, now: Time, send_hold_time: Option<Duration>) {
        if let (true, Time::NEVER, Some(span)) =
            (self.is_established(), self.send_hold, send_hold_time)
        {
            self.send_hold = now + span;
        }
    }

    pub fn next_deadline(&self) -> Time {
        let hold = if self.paused { Time::NEVER } else { self.hold };
        hold.min(self.send_hold).min(self.keepalive)
    }

    /// What is due, the worst first. A hold time that passed while we slept is extended once, so that
    /// the octets that wait in the socket can be read.
    pub fn expiry(&mut self, now: Time) -> Option<Expiry> {
        if now >= self.hold && !self.paused {
            if now.since(self.hold) < LATE || self.graced {
                return Some(if self.negotiated().is_some() {
                    Expiry::Hold
                } else {
                    Expiry::Open
                });
            }
            self.graced = true;
            self.hold = now + LATE_GRACE;
        }
        if now >= self.send_hold {
            return Some(Expiry::SendHold);
        }
        (now >= self.keepalive).then_some(Expiry::Keepalive)
    }
}

/// RFC 9687 SendHoldTime, always more than the hold time (§4.4) and none without one (§4.3).
pub(super) fn send_hold_time_s(settings: &SessionSettings, hold_time_s: u16) -> Option<u16> {
    if hold_time_s == 0 {
        return None;
    }
    let time_s = settings
        .send_hold_time_s
        .unwrap_or(hold_time_s.saturating_mul(2).max(SEND_HOLD_S));
    (time_s != 0).then_some(time_s.max(hold_time_s.saturating_add(1)))
}

pub(super) const fn seconds(count: u16) -> Duration {
    Duration::from_secs(count as u64)
}
