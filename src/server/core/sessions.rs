//! Stepping the sessions: connections and octets in, events, messages and deadlines out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Asn, ClientSlot, SessionEpoch, Time};
use crate::server::exchange::Client;
use crate::server::message::{ClientUp, ToShard};
use crate::server::query::{SessionUp, TappedWhat};
use crate::session::{
    DownReason, Negotiated, SessionAction, SessionEvent, SessionSettings, State, Stop, Way,
};
use crate::wire::{EXTENDED_MESSAGE_MAX, EncodingClass, MESSAGE_MAX};

use super::clients::{ClientState, Up};
use super::connections::{ConnId, Connection};
use super::timers::earliest;
use super::{CoreAction, SessionCore};

impl SessionCore {
    /// `is_start`: this process begins with it, and the client may have known the one before.
    pub(super) fn add_client(&mut self, now: Time, client: Arc<Client>, is_start: bool) {
        let slot = client.slot;
        let is_enabled = client.may_be_up();
        let mut state = ClientState::new(client, self.seed, now);
        if is_start {
            let restart_time_s = state.client.session.graceful_restart_s;
            let until = now + Duration::from_secs(restart_time_s.into());
            state.session.handle_process_start(until);
        }
        self.clients.insert(state);
        if is_enabled && let Some(state) = self.clients.get_mut(slot) {
            state.session.handle_start(now);
        }
        self.settle(now, slot);
    }

    pub(super) fn accept(
        &mut self,
        now: Time,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<ConnId> {
        let client = self.exchange.client_at(remote.ip())?;
        let slot = client.slot;
        let state = self
            .clients
            .get_mut(slot)
            .filter(|_| !self.is_shutting_down)?;
        if state.session.established_way().is_some() {
            self.take_the_rest(now, slot);
            let state = self.clients.get_mut(slot)?;
            if state.session.handle_rival(now) {
                self.settle(now, slot);
            }
        }
        let state = self.clients.get_mut(slot)?;
        if !state.session.handle_accepted(now) {
            self.settle(now, slot);
            return None;
        }
        Some(self.adopt(now, slot, Way::Accepted, (local, remote)))
    }

    pub(super) fn connected(
        &mut self,
        now: Time,
        slot: ClientSlot,
        local: SocketAddr,
    ) -> Option<ConnId> {
        let state = self.clients.get_mut(slot)?;
        let remote = SocketAddr::new(state.client.address, state.client.port);
        state.session.handle_connected(now);
        Some(self.adopt(now, slot, Way::Connected, (local, remote)))
    }

    fn adopt(
        &mut self,
        now: Time,
        slot: ClientSlot,
        way: Way,
        ends: (SocketAddr, SocketAddr),
    ) -> ConnId {
        let conn = (self.connections).insert(slot, way, ends, &self.output.gauge);
        if let Some(state) = self.clients.get_mut(slot) {
            state.set_conn(way, Some(conn));
        }
        self.settle(now, slot);
        conn
    }

    pub(super) fn receive(&mut self, now: Time, conn: ConnId, octets: &[u8]) {
        let Some((slot, way)) = self.connections.get(conn).and_then(|c| c.owner) else {
            return;
        };
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        state.history.octets_in += octets.len() as u64;
        if !state.is_stuck {
            state.heard = now;
        }
        state.session.handle_octets(now, way, octets);
        self.settle(now, slot);
    }

    pub(super) fn closed(&mut self, now: Time, conn: ConnId, why: &str) {
        let Some(connection) = self.connections.remove(conn) else {
            return;
        };
        let Some((slot, way)) = connection.owner else {
            return;
        };
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        tracing::debug!(client = state.name(), "connection closed: {why}");
        self.take_the_rest(now, slot);
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        state.set_conn(way, None);
        state.session.handle_closed(now, way);
        self.settle(now, slot);
    }

    /// What came before the end of a connection, and waits for shards or for a rest to be over, is still
    /// worth reading: it is one piece at most.
    fn take_the_rest(&mut self, now: Time, slot: ClientSlot) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        if !state.is_stuck && !state.rests() {
            return;
        }
        state.is_ending = true;
        self.settle(now, slot);
        if let Some(state) = self.clients.get_mut(slot) {
            state.is_ending = false;
        }
    }

    pub(super) fn stop(&mut self, now: Time, slot: ClientSlot, stop: Stop) {
        if let Some(state) = self.clients.get_mut(slot) {
            state.session.handle_stop(now, stop);
            self.settle(now, slot);
        }
    }

    /// Takes all that a session has to say, in the order that its contract asks for.
    pub(super) fn settle(&mut self, now: Time, slot: ClientSlot) {
        loop {
            self.take_events(now, slot);
            if !self.take_message(now, slot) {
                break;
            }
        }
        self.take_events(now, slot);
        self.links.flush();
        self.take_transmits(slot);
        self.take_actions(slot);
        self.note_state(now, slot);
        self.rearm(slot);
    }

    fn take_events(&mut self, now: Time, slot: ClientSlot) {
        while let Some(event) = self
            .clients
            .get_mut(slot)
            .and_then(|state| state.session.poll_event())
        {
            match event {
                SessionEvent::Established(negotiated) => self.bring_up(now, slot, negotiated),
                SessionEvent::Down { reason } => self.take_down(now, slot, &reason),
                SessionEvent::Failed { reason } => {
                    if let Some(state) = self.clients.get_mut(slot) {
                        state.say_end(now, "session not established", &reason);
                        state.history.last_error = Some(reason.to_string());
                    }
                    self.taps.note(now, slot, || TappedWhat::Failed(reason));
                }
            }
        }
    }

    fn bring_up(&mut self, now: Time, slot: ClientSlot, negotiated: Negotiated) {
        let shard_count = self.links.shard_count();
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let conn = state
            .session
            .established_way()
            .and_then(|way| state.conn(way));
        let Some(conn) = conn else { return };
        state.epoch = SessionEpoch(state.epoch.0.wrapping_add(1));
        let epoch = state.epoch;
        let session_up = self.connections.get(conn).map(|connection| {
            let [sent, received] = state.session.opens().cloned().unwrap_or_default();
            Arc::new(SessionUp {
                since: now,
                local: connection.local,
                remote: connection.remote,
                negotiated,
                sent_open: sent.into(),
                received_open: received.into(),
            })
        });
        let Some(session_up) = session_up else { return };
        self.taps
            .note(now, slot, || TappedWhat::Up(session_up.clone()));
        state.up = Some(Up::new(conn, session_up, shard_count, now));
        if let Some(left_out) = state.history.lines.take(now) {
            tracing::info!(
                client = state.name(),
                asn = state.client.asn.0,
                left_out,
                families = ?negotiated.families,
                hold_time_s = negotiated.hold_time_s,
                router_id = %negotiated.peer_router_id,
                graceful_restart = graceful_restart(&negotiated),
                "session established"
            );
        }
        let class = encoding_class(state.session.settings(), &negotiated);
        let up = ClientUp {
            slot,
            epoch,
            families: negotiated.families,
            class,
            router_id: negotiated.peer_router_id,
            stale: state.return_stale(now, &negotiated),
            takes_stale: negotiated.peer_long_lived.is_some(),
        };
        self.links.push_all(|| ToShard::ClientUp(up.clone()));
        self.output.classes.insert(slot, class);
        self.ask_join(slot, negotiated.families);
        self.note_stale_due(slot);
        self.startup.handle_up(now);
    }

    fn take_down(&mut self, now: Time, slot: ClientSlot, reason: &DownReason) {
        // What is under way was for the session that ends.
        self.flush_window(now);
        self.links.flush();
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        state.say_end(now, "session down", reason);
        state.history.last_error = Some(reason.to_string());
        state.is_stuck = false;
        state.history.is_told_slow = false;
        let Some(up) = state.up.take() else { return };
        self.taps
            .note(now, slot, || TappedWhat::Down(reason.clone()));
        state.history.flaps += 1;
        let (epoch, conn) = (state.epoch, up.conn);
        let [stale, long_lived] = match self.is_shutting_down {
            true => Default::default(),
            false => state.begin_stale(now, up, reason),
        };
        state.say_kept(now, [stale, long_lived]);
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.out.drop_portions();
            connection.heard = Time::NEVER;
        }
        self.output.forget(slot);
        self.walks.forget(slot);
        self.slow.forget(slot);
        self.reclaims.forget(slot);
        if !self.is_restarting {
            self.links.push_all(|| ToShard::ClientDown {
                slot,
                epoch,
                stale,
                long_lived,
            });
        }
        self.note_stale_due(slot);
    }

    fn take_transmits(&mut self, slot: ClientSlot) {
        while let Some(state) = self.clients.get_mut(slot)
            && let Some((way, octets)) = state.session.poll_transmit()
        {
            if let Some(conn) = state.conn(way) {
                self.push_control(conn, octets.into());
            }
        }
    }

    /// Queues a message of the session's own, ahead of everything but the message being written.
    pub(super) fn push_control(&mut self, conn: ConnId, octets: Bytes) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.out.push_control(octets);
        if !connection.write_told {
            connection.write_told = true;
            self.actions.push_back(CoreAction::Write { conn });
        }
    }

    fn take_actions(&mut self, slot: ClientSlot) {
        while let Some(state) = self.clients.get_mut(slot)
            && let Some(action) = state.session.poll_action()
        {
            match action {
                SessionAction::Connect => {
                    let remote = SocketAddr::new(state.client.address, state.client.port);
                    self.actions.push_back(CoreAction::Connect { slot, remote });
                }
                SessionAction::Close(way) => {
                    if let Some(conn) = state.conn(way) {
                        state.set_conn(way, None);
                        self.part_with(conn);
                    }
                }
            }
        }
    }

    /// The session is done with a connection; what is queued still goes out.
    fn part_with(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.owner = None;
            connection.out.drop_portions();
            self.actions.push_back(CoreAction::Close { conn });
        }
    }

    fn note_state(&mut self, now: Time, slot: ClientSlot) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let present = state.session.state();
        if present != state.state {
            (state.state, state.since) = (present, now);
            self.startup.handle_session_change();
        }
        if let Some(due) = state.history.lines.due() {
            self.lines_due = earliest(self.lines_due, due);
        }
        // A peer that is kept waiting must not lose its session for it.
        if state.is_stuck
            && let Some(way) = state.session.established_way()
        {
            state.session.handle_paused(now, way, true);
            self.is_resume_due.set(true);
        }
    }

    /// Says of whom lines were left out, where no other line has said so.
    pub(super) fn say_left_out(&mut self, now: Time) {
        if self.lines_due.is_none_or(|due| due > now) {
            return;
        }
        self.lines_due = None;
        for slot in self.clients.slots() {
            let Some(state) = self.clients.get_mut(slot) else {
                continue;
            };
            if let Some(left_out) = state.history.lines.take_due(now) {
                let client = state.name();
                tracing::warn!(
                    client,
                    left_out,
                    "more lines than one client may have in a minute"
                );
            } else if let Some(due) = state.history.lines.due() {
                self.lines_due = earliest(self.lines_due, due);
            }
        }
    }

    pub(super) fn rearm(&mut self, slot: ClientSlot) {
        if let Some(state) = self.clients.get_mut(slot)
            && let Some(deadline) = state.session.poll_timeout()
        {
            self.timers.arm(slot, deadline, &mut state.armed);
        }
    }

    /// Whether this is the connection of an established session.
    pub(super) fn is_established(&self, connection: &Connection) -> bool {
        let Some((slot, _)) = connection.owner else {
            return false;
        };
        self.clients
            .get(slot)
            .is_some_and(|state| state.state == State::Established)
    }
}

/// By which rules the client keeps our routes over a restart.
fn graceful_restart(negotiated: &Negotiated) -> &'static str {
    match (negotiated.keeps_routes, negotiated.hard_resets) {
        (_, true) => "RFC 8538",
        (true, false) => "RFC 4724",
        (false, false) => "none",
    }
}

fn encoding_class(settings: &SessionSettings, negotiated: &Negotiated) -> EncodingClass {
    let server_asn = |wanted| if wanted { settings.local_asn } else { Asn(0) };
    let message_max = if negotiated.extended_messages {
        EXTENDED_MESSAGE_MAX
    } else {
        MESSAGE_MAX
    };
    EncodingClass {
        four_octet: negotiated.four_octet,
        add_path: negotiated.add_path_send,
        message_max,
        v6_next_hops: negotiated.ipv6_next_hops,
        otc: server_asn(settings.role.is_some()),
        rs_as: server_asn(settings.prepend_rs_as),
    }
}
