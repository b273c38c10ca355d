//! The RFC 4271 §8 state machine of one client: up to two connections, the timers, the outputs.
//!
//! Knows no socket and no clock. After each `handle_*` the caller takes all that `poll_message`,
//! `poll_event`, `poll_transmit` and `poll_action` have; octets are handed in before timeouts of
//! the same moment, and no more of them than the messages before were polled.

mod incoming;

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Time;
use crate::wire::{
    CeaseSubcode, EXTENDED_MESSAGE_MAX, HOLD_TIMER_EXPIRED, MESSAGE_MAX, MessageType, Notification,
    SEND_HOLD_TIMER_EXPIRED, UpdateError, encode_keepalive,
};

use super::connection::{Connection, Expiry, OPEN_WAIT_S, seconds, send_hold_time_s};
use super::jitter::Jitter;
use super::negotiate::local_open;
use super::{
    DownReason, Message, Negotiated, Parting, SessionAction, SessionEvent, SessionSettings, State,
    Stop, StopHold, Way,
};

/// An established session of this length wipes out the back-off of earlier failures.
const STABLE: Duration = Duration::from_secs(60);

/// So many shorter ones in a row the peer may end before it is held off as after a failure
/// (DampPeerOscillations, RFC 4271 §8.1.1): each makes the server compute a full table for it.
const SHORT_MAX: u32 = 3;

/// After a restart: how long we wait for the peer before we connect in spite of `passive`.
const RETURN_PAUSE_S: u16 = 5;

/// One client's session.
#[derive(Debug)]
pub struct Session {
    settings: SessionSettings,
    phase: Phase,
    /// By [`Way::index`].
    connections: [Option<Connection>; 2],
    /// A [`SessionAction::Connect`] awaits its outcome.
    connecting: bool,
    connect_retry: Time,
    /// Sessions that failed one after another, for the back-off.
    failures: u32,
    /// Sessions that the peer ended one after another before they were stable.
    short_sessions: u32,
    established_at: Time,
    /// Until then, or the first session, the peer may have routes of the process before this one.
    restarting_until: Time,
    jitter: Jitter,
    transmits: VecDeque<(Way, Vec<u8>)>,
    actions: VecDeque<SessionAction>,
    events: VecDeque<SessionEvent>,
}

/// Whether connections are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Stopped,
    /// IdleHold (RFC 4271 §8.1.1): wanted again at that time.
    Held(Time),
    Running,
}

/// What becomes of a session that has lost its last connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// Ready again at once; we ourselves connect after a pause.
    Retry,
    Hold(StopHold),
}

impl Session {
    /// Stopped; `jitter_seed` makes the timers of sessions differ, and those of one seed not.
    pub fn new(settings: SessionSettings, jitter_seed: u64) -> Session {
        Session {
            settings,
            phase: Phase::Stopped,
            connections: [None, None],
            connecting: false,
            connect_retry: Time::NEVER,
            failures: 0,
            short_sessions: 0,
            established_at: Time::ZERO,
            restarting_until: Time::ZERO,
            jitter: Jitter::new(jitter_seed),
            transmits: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// This process has just started, and the peer may have had a session with the one before: the first
    /// session says so (the R bit of RFC 4724 §3), if it comes before that time. Comes before `handle_start`.
    pub fn handle_process_start(&mut self, until: Time) {
        self.restarting_until = until;
    }

    pub fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// ManualStart, also out of a back-off.
    pub fn handle_start(&mut self, now: Time) {
        if self.phase == Phase::Running {
            return;
        }
        self.phase = Phase::Running;
        self.connect_retry = Time::NEVER;
        if !self.settings.passive {
            self.connect(now);
        } else if !self.waits_for_peer(now) {
            self.retry_after(now, RETURN_PAUSE_S);
        }
    }

    /// Ends the session with Cease and says when it may come back.
    pub fn handle_stop(&mut self, now: Time, stop: Stop) {
        let was = std::mem::replace(&mut self.phase, Phase::Stopped);
        for way in Way::BOTH {
            let Some(notification) = self.parting_word(way, &stop) else {
                self.end(now, way, None, DownReason::Restarting, Next::Retry);
                continue;
            };
            let reason = DownReason::Stopped {
                notification: notification.clone(),
                message: stop.message.clone(),
            };
            self.end(now, way, Some(&notification), reason, Next::Retry);
        }
        if was != Phase::Stopped {
            self.hold_down(now, stop.hold);
        }
    }

    /// What the peer is told at the end of a connection; `None`: nothing, so that it keeps our routes.
    fn parting_word(&self, way: Way, stop: &Stop) -> Option<Notification> {
        let notification = Notification::cease(stop.subcode, &stop.message);
        let negotiated = self.connection(way).and_then(Connection::negotiated);
        let (keeps_routes, hard_resets) = negotiated
            .map(|negotiated| (negotiated.keeps_routes, negotiated.hard_resets))
            .unwrap_or_default();
        match stop.parting {
            Parting::Final => Some(self.made_final(way, notification)),
            Parting::Restart if keeps_routes && !hard_resets => None,
            Parting::Brief | Parting::Restart => Some(notification),
        }
    }

    /// A Hard Reset around it, where the peer would keep our routes otherwise (RFC 8538 §3.1).
    fn made_final(&self, way: Way, notification: Notification) -> Notification {
        let negotiated = self.connection(way).and_then(Connection::negotiated);
        match negotiated {
            Some(negotiated) if negotiated.hard_resets => notification.into_hard_reset(),
            _ => notification,
        }
    }

    /// New settings. What the peer would have to be told, or sent everything again for, ends the
    /// session with Cease / Other Configuration Change; it may come back at once.
    pub fn handle_settings(&mut self, now: Time, settings: SessionSettings) {
        let differs = settings.has_news_for_peer(&self.settings);
        self.settings = settings;
        if differs {
            let subcode = CeaseSubcode::OtherConfigurationChange;
            self.handle_stop(
                now,
                Stop {
                    subcode,
                    message: String::new(),
                    hold: StopHold::For(Duration::ZERO),
                    parting: Parting::Brief,
                },
            );
        }
        let idle = self.phase == Phase::Running && self.connections.iter().all(Option::is_none);
        if idle && !self.settings.passive && self.connect_retry == Time::NEVER {
            self.connect(now);
        }
    }

    /// Our connection succeeded; if it is not wanted any more, [`SessionAction::Close`] follows.
    pub fn handle_connected(&mut self, now: Time) {
        let wanted = self.connecting
            && self.phase == Phase::Running
            && self.connection(Way::Connected).is_none()
            && self.established_way().is_none();
        self.connecting = false;
        if wanted {
            self.open(now, Way::Connected);
        } else {
            self.actions.push_back(SessionAction::Close(Way::Connected));
        }
    }

    /// The next attempt follows the ConnectRetryTimer.
    pub fn handle_connect_failed(&mut self, _now: Time) {
        self.connecting = false;
    }

    /// Before Established each message is judged at once, so that no more than part of one is kept.
    /// `now` is when the octets were received: a message whose last octet is among them is a sign of
    /// life from then on, whenever it is polled. Part of one is none (RFC 4271 §8.2.2).
    pub fn handle_octets(&mut self, now: Time, way: Way, octets: &[u8]) {
        let Some(connection) = self.connection_mut(way) else {
            return;
        };
        if connection.framer.push(octets) {
            connection.handle_life(now);
        }
        while self
            .connection(way)
            .is_some_and(|connection| !connection.is_established())
        {
            match self.next_frame(now, way) {
                Some(frame) => self.handle_frame(now, way, frame),
                None => break,
            }
        }
    }

    /// The caller stops (`true`) or goes on reading: meanwhile silence is not held against the peer.
    pub fn handle_paused(&mut self, now: Time, way: Way, paused: bool) {
        if let Some(connection) = self.connection_mut(way) {
            connection.handle_paused(now, paused);
        }
    }

    /// TCP ended; no [`SessionAction::Close`] follows. A NOTIFICATION that came before and was not
    /// polled yet still gives the reason.
    pub fn handle_closed(&mut self, now: Time, way: Way) {
        self.transmits.retain(|(of, _)| *of != way);
        let Some(connection) = self.connection_mut(way) else {
            return;
        };
        connection.is_closed = true;
        while let Some(frame) = self.next_frame(now, way) {
            if frame.kind == MessageType::Notification {
                self.handle_frame(now, way, frame);
            }
        }
        self.end(now, way, None, DownReason::PeerClosed, Next::Retry);
    }

    /// The decoder found what only a session reset cures (RFC 7606).
    pub fn handle_update_error(&mut self, now: Time, error: &UpdateError) {
        if let Some(way) = self.established_way() {
            self.fault(now, way, error.notification.clone(), error.what.clone());
        }
    }

    /// Octets of this connection were written, whoever queued them; `still_queued`: more wait. No
    /// KEEPALIVE is due for a while then, and the peer is seen to read (RFC 9687).
    pub fn handle_written(&mut self, now: Time, way: Way, still_queued: bool) {
        let send_hold_time = self.send_hold_time(way);
        let interval = self.keepalive_interval(way);
        if let Some(connection) = self.connection_mut(way) {
            connection.handle_written(now, still_queued, send_hold_time);
            if let Some(interval) = interval {
                connection.keepalive = now + interval;
            }
        }
    }

    pub fn handle_timeout(&mut self, now: Time) {
        for way in Way::BOTH {
            while let Some(expiry) = self
                .connection_mut(way)
                .and_then(|connection| connection.expiry(now))
            {
                self.handle_expiry(now, way, expiry);
            }
        }
        if matches!(self.phase, Phase::Held(until) if now >= until) {
            self.handle_start(now);
        }
        if now >= self.connect_retry {
            self.connect(now);
        }
    }

    /// Next time at which [`Session::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Time> {
        let held = if let Phase::Held(until) = self.phase {
            until
        } else {
            Time::NEVER
        };
        let connections = self
            .connections
            .iter()
            .flatten()
            .map(Connection::next_deadline);
        let next = connections.fold(held.min(self.connect_retry), Time::min);
        (next != Time::NEVER).then_some(next)
    }

    /// The next message, once established. `None` may also mean that the session ended: poll events.
    pub fn poll_message(&mut self, now: Time) -> Option<Message<'_>> {
        let way = self.established_way()?;
        let (frame, refresh) = loop {
            let frame = self.next_frame(now, way)?;
            match frame.kind {
                MessageType::Update | MessageType::Keepalive => break (frame, None),
                MessageType::RouteRefresh => {
                    break (frame, self.judge_route_refresh(now, way, frame));
                }
                _ => self.handle_frame(now, way, frame),
            }
        };
        let body = self.connection(way)?.framer.body(frame);
        Some(Message::of(frame.kind, refresh, body))
    }

    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// A whole message to send, in this order.
    pub fn poll_transmit(&mut self) -> Option<(Way, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// Nothing while there is something to transmit: a NOTIFICATION goes out before its connection closes.
    pub fn poll_action(&mut self) -> Option<SessionAction> {
        if self.transmits.is_empty() {
            self.actions.pop_front()
        } else {
            None
        }
    }

    pub fn state(&self) -> State {
        let connections = self.connections.iter().flatten().map(Connection::state);
        connections.max().unwrap_or(match self.phase {
            Phase::Running if self.connecting => State::Connect,
            Phase::Running => State::Active,
            Phase::Held(_) | Phase::Stopped => State::Idle,
        })
    }

    pub fn established_way(&self) -> Option<Way> {
        Way::BOTH.into_iter().find(|way| {
            self.connection(*way)
                .is_some_and(Connection::is_established)
        })
    }

    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.connection(self.established_way()?)?.negotiated()
    }

    /// The OPENs of the established session, with their headers: ours and the peer's.
    pub fn opens(&self) -> Option<&[Vec<u8>; 2]> {
        Some(&self.connection(self.established_way()?)?.opens)
    }

    fn connection(&self, way: Way) -> Option<&Connection> {
        self.connections.get(way.index())?.as_ref()
    }

    fn connection_mut(&mut self, way: Way) -> Option<&mut Connection> {
        self.connections.get_mut(way.index())?.as_mut()
    }

    /// TCP is up: OpenSent.
    fn open(&mut self, now: Time, way: Way) {
        let mut octets = Vec::new();
        local_open(&self.settings, now < self.restarting_until).encode(&mut octets);
        if let Some(place) = self.connections.get_mut(way.index()) {
            let extended = self.settings.extended_messages;
            *place = Some(Connection::new(now, extended, octets.clone()));
        }
        self.transmits.push_back((way, octets));
    }

    /// Connects unless a connection is there already, and sets the ConnectRetryTimer.
    fn connect(&mut self, now: Time) {
        self.connect_retry = Time::NEVER;
        if self.phase != Phase::Running || self.waits_for_peer(now) {
            return;
        }
        if self.connections.iter().all(Option::is_none) {
            self.connecting = true;
            self.actions.push_back(SessionAction::Connect);
        }
        self.retry_after(now, self.settings.connect_retry_s);
    }

    /// Passive, but for the time after a restart: a peer that keeps our routes may wait for us to
    /// connect, as FRR does.
    fn waits_for_peer(&self, now: Time) -> bool {
        self.settings.passive && now >= self.restarting_until
    }

    fn retry_after(&mut self, now: Time, pause_s: u16) {
        self.connect_retry = now + self.jitter.apply(seconds(pause_s.max(1)));
    }

    fn handle_expiry(&mut self, now: Time, way: Way, expiry: Expiry) {
        let hold_time_s = self
            .connection(way)
            .and_then(Connection::negotiated)
            .map_or(0, |n| n.hold_time_s);
        let (code, reason) = match expiry {
            Expiry::Keepalive => return self.send_keepalive(now, way),
            Expiry::Open => (
                HOLD_TIMER_EXPIRED,
                DownReason::OpenTimer {
                    wait_s: OPEN_WAIT_S,
                },
            ),
            Expiry::Hold => (HOLD_TIMER_EXPIRED, DownReason::HoldTimer { hold_time_s }),
            Expiry::SendHold => {
                let send_hold_time_s =
                    send_hold_time_s(&self.settings, hold_time_s).unwrap_or_default();
                (
                    SEND_HOLD_TIMER_EXPIRED,
                    DownReason::SendHoldTimer { send_hold_time_s },
                )
            }
        };
        let mut notification = Notification::new(code, 0, []);
        if expiry == Expiry::SendHold {
            // What it has of us is old already.
            notification = self.made_final(way, notification);
        }
        self.end(
            now,
            way,
            Some(&notification),
            reason,
            Next::Hold(StopHold::Backoff),
        );
    }

    /// Queues a KEEPALIVE, unless the one before still waits for the peer to read.
    fn send_keepalive(&mut self, now: Time, way: Way) {
        let interval = self.keepalive_interval(way);
        let send_hold_time = self.send_hold_time(way);
        let Some(connection) = self.connection_mut(way) else {
            return;
        };
        connection.keepalive = interval.map_or(Time::NEVER, |interval| now + interval);
        connection.handle_queued(now, send_hold_time);
        if !std::mem::replace(&mut connection.keepalive_waits, true) {
            let mut octets = Vec::new();
            encode_keepalive(&mut octets);
            self.transmits.push_back((way, octets));
        }
    }

    /// A third of the hold time, with jitter, and not under a second (RFC 4271 §4.4); `None` without
    /// one or before it is negotiated.
    fn keepalive_interval(&mut self, way: Way) -> Option<Duration> {
        match self.connection(way)?.negotiated()?.hold_time_s {
            0 => None,
            hold_time_s => {
                let interval = self.jitter.apply(seconds(hold_time_s) / 3);
                Some(interval.max(seconds(1)))
            }
        }
    }

    fn send_hold_time(&self, way: Way) -> Option<Duration> {
        let negotiated = self.connection(way)?.negotiated()?;
        send_hold_time_s(&self.settings, negotiated.hold_time_s).map(seconds)
    }

    fn fault(&mut self, now: Time, way: Way, notification: Notification, what: String) {
        let notification = self.made_final(way, notification);
        let reason = DownReason::Fault {
            notification: notification.clone(),
            what,
        };
        self.end(
            now,
            way,
            Some(&notification),
            reason,
            Next::Hold(StopHold::Backoff),
        );
    }

    fn end_collided(&mut self, now: Time, way: Way) {
        let notification = Notification::cease(CeaseSubcode::ConnectionCollision, "");
        let reason = DownReason::Stopped {
            notification: notification.clone(),
            message: String::new(),
        };
        self.end(now, way, Some(&notification), reason, Next::Retry);
    }

    /// Ends a connection: tells the peer, closes, and moves on if it was the last one.
    fn end(
        &mut self,
        now: Time,
        way: Way,
        notification: Option<&Notification>,
        reason: DownReason,
        next: Next,
    ) {
        let Some(connection) = self.connections.get_mut(way.index()).and_then(Option::take) else {
            return;
        };
        if let (Some(notification), false) = (notification, connection.is_closed) {
            let extended = connection
                .negotiated()
                .is_some_and(|negotiated| negotiated.extended_messages);
            let mut octets = Vec::new();
            notification.encode(
                &mut octets,
                if extended {
                    EXTENDED_MESSAGE_MAX
                } else {
                    MESSAGE_MAX
                },
            );
            self.transmits.push_back((way, octets));
        }
        if !connection.is_closed {
            self.actions.push_back(SessionAction::Close(way));
        }
        let established = connection.is_established();
        self.events.push_back(if established {
            SessionEvent::Down { reason }
        } else {
            SessionEvent::Failed { reason }
        });
        let next = match established {
            true => self.damped(now, next),
            false => next,
        };
        if self.phase == Phase::Running && self.connections.iter().all(Option::is_none) {
            self.move_on(now, next);
        }
    }

    /// What becomes of a session that was established, in view of those before it.
    fn damped(&mut self, now: Time, next: Next) -> Next {
        if now.since(self.established_at) >= STABLE {
            (self.failures, self.short_sessions) = (0, 0);
        } else if next == Next::Retry {
            self.short_sessions = self.short_sessions.saturating_add(1);
        }
        match next {
            Next::Retry if self.short_sessions > SHORT_MAX => Next::Hold(StopHold::Backoff),
            next => next,
        }
    }

    fn move_on(&mut self, now: Time, next: Next) {
        match next {
            Next::Hold(hold) => self.hold_down(now, hold),
            Next::Retry if self.waits_for_peer(now) => {}
            Next::Retry => self.retry_after(
                now,
                self.settings.connect_retry_s.min(self.settings.idle_hold_s),
            ),
        }
    }

    fn hold_down(&mut self, now: Time, hold: StopHold) {
        self.connect_retry = Time::NEVER;
        self.phase = match hold {
            StopHold::UntilStart => Phase::Stopped,
            StopHold::For(span) => Phase::Held(now + span),
            StopHold::Backoff => {
                let span_s =
                    u32::from(self.settings.idle_hold_s).saturating_mul(1 << self.failures.min(15));
                let span =
                    Duration::from_secs(span_s.min(self.settings.idle_hold_max_s.into()).into());
                self.failures = self.failures.saturating_add(1);
                Phase::Held(now + self.jitter.apply(span))
            }
        };
    }
}
