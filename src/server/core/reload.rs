//! Commands of the management plane: a new generation of the configuration, and the verbs.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{ClientSlot, FamilySet, Time};
use crate::server::exchange::{Client, Exchange};
use crate::server::query::{CoreCommand, CoreReply};
use crate::session::{Parting, State, Stop, StopHold};
use crate::wire::{CeaseSubcode, RefreshSubtype, encode_route_refresh};

use super::SessionCore;

impl SessionCore {
    pub(super) fn command(&mut self, now: Time, command: CoreCommand) -> CoreReply {
        match command {
            CoreCommand::Reload(exchange) => {
                self.reload(now, exchange);
                CoreReply::Done
            }
            CoreCommand::Reset { slot, message } => {
                let stop = Stop {
                    subcode: CeaseSubcode::AdministrativeReset,
                    message,
                    hold: StopHold::For(Duration::ZERO),
                    parting: Parting::Final,
                };
                self.stop(now, slot, stop);
                self.end_stale(slot, FamilySet::ALL);
                self.let_back(now, slot);
                CoreReply::Done
            }
            CoreCommand::Refresh { slot } => self.request_refresh(slot, FamilySet::ALL),
            CoreCommand::Shutdown { message, restart } => {
                self.shut_down(now, &message, restart);
                CoreReply::Done
            }
            CoreCommand::Generation => CoreReply::Generation(self.exchange.generation),
            CoreCommand::Tap(question) => CoreReply::Tapped(self.taps.answer(now, &question)),
            CoreCommand::Sessions => CoreReply::Sessions(self.sessions()),
            CoreCommand::Stats => CoreReply::Stats(Box::new(self.statistics())),
        }
    }

    /// What a limit keeps down until the operator says so comes back.
    fn let_back(&mut self, now: Time, slot: ClientSlot) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let is_stopped =
            state.session.state() == State::Idle && state.session.poll_timeout().is_none();
        if is_stopped && state.client.may_be_up() && !self.is_shutting_down {
            state.session.handle_start(now);
            self.settle(now, slot);
        }
    }

    fn request_refresh(&mut self, slot: ClientSlot, families: FamilySet) -> CoreReply {
        let Some(up) = self.clients.up_mut(slot) else {
            return CoreReply::Refused("the session is not established".to_owned());
        };
        if !up.session.negotiated.route_refresh {
            return CoreReply::Refused(
                "the client did not announce route refresh (RFC 2918)".to_owned(),
            );
        }
        let conn = up.conn;
        let families = families.intersection(up.session.negotiated.families);
        families.iter().for_each(|_| up.marks.grant());
        for family in families.iter() {
            let mut octets = Vec::new();
            encode_route_refresh(&mut octets, family, RefreshSubtype::Request);
            self.push_control(conn, octets.into());
        }
        CoreReply::Done
    }

    /// What was left out of a client's routes as they came can only come again.
    fn hear_anew(&mut self, now: Time, slot: ClientSlot, families: FamilySet) {
        if !families.is_empty()
            && let CoreReply::Refused(why) = self.request_refresh(slot, families)
            && let Some(state) = self
                .clients
                .get_mut(slot)
                .filter(|state| state.up.is_some())
            && let Some(left_out) = state.history.lines.take(now)
        {
            tracing::warn!(
                client = state.name(),
                left_out,
                "{why}; what was left out of its routes comes back when its session is reset"
            );
        }
    }

    fn shut_down(&mut self, now: Time, message: &str, restart: bool) {
        (self.is_shutting_down, self.is_restarting) = (true, restart);
        for slot in self.clients.slots() {
            let stop = match restart {
                true => Stop {
                    subcode: CeaseSubcode::AdministrativeReset,
                    parting: Parting::Restart,
                    ..shutdown(message)
                },
                false => shutdown(message),
            };
            self.stop(now, slot, stop);
        }
    }

    fn reload(&mut self, now: Time, exchange: Arc<Exchange>) {
        let old = std::mem::replace(&mut self.exchange, exchange.clone());
        self.hijacks.handle_reload(&old, &exchange);
        let hears_more = exchange.scheme.hears_more_than(&old.scheme);
        for slot in self.clients.slots() {
            let is_ours = |client: &&Arc<Client>| client.core == self.core;
            match (old.client(slot), exchange.client(slot).filter(is_ours)) {
                (Some(before), Some(after)) if before.is_same_peer(after) => {
                    self.change_client(now, after);
                    let families = match hears_more {
                        true => FamilySet::ALL,
                        false => after.hears_more_than(before),
                    };
                    self.review_stale(now, slot, before, families);
                    self.hear_anew(now, slot, families);
                }
                (_, _) => self.remove_client(now, slot),
            }
        }
        let core = self.core;
        for client in exchange.clients().filter(|client| client.core == core) {
            if self.clients.get(client.slot).is_none() && !self.is_shutting_down {
                self.add_client(now, client.clone(), false);
            }
        }
        self.note_pacing();
        self.review_all_limits(now);
    }

    fn remove_client(&mut self, now: Time, slot: ClientSlot) {
        let stop = Stop {
            subcode: CeaseSubcode::PeerDeconfigured,
            message: String::new(),
            hold: StopHold::UntilStart,
            parting: Parting::Final,
        };
        self.stop(now, slot, stop);
        self.end_stale(slot, FamilySet::ALL);
        self.clients.remove(slot);
    }

    fn change_client(&mut self, now: Time, after: &Arc<Client>) {
        let slot = after.slot;
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let before = std::mem::replace(&mut state.client, after.clone());
        if before == *after {
            return;
        }
        state.session.handle_settings(now, after.session.clone());
        if after.min_advertisement != before.min_advertisement {
            self.unpause(now, slot);
        }
        self.settle(now, slot);
        if after.is_socket_changed(&before) {
            let stop = Stop {
                subcode: CeaseSubcode::OtherConfigurationChange,
                message: String::new(),
                hold: StopHold::For(Duration::ZERO),
                parting: Parting::Brief,
            };
            self.stop(now, slot, stop);
        }
        match (&before.disabled, &after.disabled) {
            (None, Some(message)) => self.stop(now, slot, shutdown(message)),
            _ if !before.may_be_up() && after.may_be_up() => {
                if let Some(state) = self.clients.get_mut(slot) {
                    state.session.handle_start(now);
                }
                self.settle(now, slot);
            }
            _ => {}
        }
        if let Some(state) = self.clients.get_mut(slot)
            && let Some(up) = &mut state.up
        {
            up.has_warned = [false; 2];
        }
    }
}

fn shutdown(message: &str) -> Stop {
    Stop {
        subcode: CeaseSubcode::AdministrativeShutdown,
        message: message.to_owned(),
        hold: StopHold::UntilStart,
        parting: Parting::Final,
    }
}
