//! What each message of the peer does to the state machine; collision detection.

use crate::base::{Family, Time};
use crate::wire::{
    CEASE, MessageType, Notification, Open, RefreshSubtype, decode_route_refresh, encode_message,
    fsm_error, header_error, open_error,
};

use super::super::framer::Frame;
use super::super::negotiate::{negotiate, surviving_way};
use super::super::{DownReason, Negotiated, SessionEvent, State, StopHold, Way};
use super::{Next, Phase, Session};

impl Session {
    /// The peer connects although its session is up. Where its routes may outlive that, the peer has
    /// restarted without our hearing of it: the connection before is given up without a word, and the
    /// new one may be accepted (RFC 4724 §4.2). True: what was the session's is to be let go first.
    pub fn handle_rival(&mut self, now: Time) -> bool {
        let Some(way) = self.established_way() else {
            return false;
        };
        let outlives = |negotiated: &Negotiated| negotiated.outlives(&DownReason::Superseded);
        let is_restart = self.settings.is_helper()
            && self
                .negotiated()
                .map(outlives)
                .is_some_and(|families| !families.is_empty());
        if is_restart {
            self.end(now, way, None, DownReason::Superseded, Next::Retry);
        }
        is_restart
    }

    /// The peer connected to us. False: close it, nothing of it is wanted.
    pub fn handle_accepted(&mut self, now: Time) -> bool {
        let wanted = self.phase == Phase::Running
            && self.connection(Way::Accepted).is_none()
            && self.established_way().is_none();
        if wanted {
            self.open(now, Way::Accepted);
        }
        wanted
    }

    /// Takes the next message from the framer; what is no message ends the connection.
    pub(super) fn next_frame(&mut self, now: Time, way: Way) -> Option<Frame> {
        let connection = self.connection_mut(way)?;
        match connection.framer.next() {
            Ok(frame) => frame,
            Err(notification) => {
                let what = describe_header_error(&notification);
                self.fault(now, way, notification, what);
                None
            }
        }
    }

    /// Any message but UPDATE and ROUTE-REFRESH in Established.
    pub(super) fn handle_frame(&mut self, now: Time, way: Way, frame: Frame) {
        let Some(connection) = self.connection(way) else {
            return;
        };
        let body = connection.framer.body(frame);
        match (connection.state(), frame.kind) {
            (_, MessageType::Notification) => {
                let notification = Notification::decode(body);
                self.handle_notification(now, way, notification);
            }
            (State::OpenSent, MessageType::Open) => {
                let open = Open::decode(body);
                let mut octets = Vec::new();
                encode_message(&mut octets, MessageType::Open, body);
                match open {
                    Ok(open) => self.handle_open(now, way, &open, octets),
                    Err(error) => self.fault(now, way, error.notification(), error.to_string()),
                }
            }
            (State::OpenConfirm, MessageType::Keepalive) => self.establish(now, way),
            (state, kind) => {
                let subcode = match state {
                    State::Established => fsm_error::IN_ESTABLISHED,
                    State::OpenConfirm => fsm_error::IN_OPEN_CONFIRM,
                    _ => fsm_error::IN_OPEN_SENT,
                };
                let notification = Notification::new(fsm_error::CODE, subcode, [kind as u8]);
                self.fault(
                    now,
                    way,
                    notification,
                    format!("{} came in {}", kind.name(), state.name()),
                );
            }
        }
    }

    /// Never answered (RFC 4271 §6.4). Cease and a version that differs do not count as failures.
    fn handle_notification(&mut self, now: Time, way: Way, notification: Notification) {
        let meant = notification.meant();
        let orderly = matches!(
            (meant.code, meant.subcode),
            (CEASE, _) | (open_error::CODE, open_error::UNSUPPORTED_VERSION)
        );
        let next = if orderly {
            Next::Retry
        } else {
            Next::Hold(StopHold::Backoff)
        };
        self.end(
            now,
            way,
            None,
            DownReason::PeerNotification(notification),
            next,
        );
    }

    /// OpenSent to OpenConfirm, and collision detection.
    fn handle_open(&mut self, now: Time, way: Way, open: &Open, octets: Vec<u8>) {
        let negotiated = match negotiate(&self.settings, open) {
            Ok(negotiated) => negotiated,
            Err((notification, what)) => return self.fault(now, way, notification, what),
        };
        if let Some(loser) = self.collision_loser(way, &negotiated) {
            self.end_collided(now, loser);
        }
        if let Some(connection) = self.connection_mut(way) {
            connection.opens[1] = octets;
            connection.confirm(now, negotiated);
            self.send_keepalive(now, way);
        }
    }

    /// RFC 4271 §6.8, on the OPEN of `way`: another connection in OpenConfirm or beyond collides.
    fn collision_loser(&self, way: Way, negotiated: &Negotiated) -> Option<Way> {
        match self.connection(way.other())?.state() {
            State::Established => Some(way),
            State::OpenConfirm => Some(surviving_way(&self.settings, negotiated).other()),
            _ => None,
        }
    }

    fn establish(&mut self, now: Time, way: Way) {
        self.end_collided(now, way.other());
        let Some(connection) = self.connection_mut(way) else {
            return;
        };
        connection.establish(now);
        let Some(negotiated) = connection.negotiated().copied() else {
            return;
        };
        self.established_at = now;
        self.restarting_until = Time::ZERO;
        self.connect_retry = Time::NEVER;
        self.events.push_back(SessionEvent::Established(negotiated));
    }

    /// What it asks, if it is heeded; one that is wrong ends the session.
    pub(super) fn judge_route_refresh(
        &mut self,
        now: Time,
        way: Way,
        frame: Frame,
    ) -> Option<(Family, RefreshSubtype)> {
        let connection = self.connection(way)?;
        let negotiated = connection.negotiated()?;
        match decode_route_refresh(connection.framer.body(frame), negotiated.enhanced_refresh) {
            Ok(refresh) => refresh.filter(|(family, _)| negotiated.families.contains(*family)),
            Err(notification) => {
                self.fault(
                    now,
                    way,
                    notification,
                    "ROUTE-REFRESH has a wrong length".to_owned(),
                );
                None
            }
        }
    }
}

fn describe_header_error(notification: &Notification) -> String {
    match (notification.subcode, notification.data.as_slice()) {
        (header_error::BAD_LENGTH, [high, low]) => {
            format!(
                "a message has a length of {} octets",
                u16::from_be_bytes([*high, *low])
            )
        }
        (header_error::BAD_TYPE, [kind]) => format!("a message has type {kind}"),
        _ => "what came does not begin like a BGP message".to_owned(),
    }
}
