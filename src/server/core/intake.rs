//! What clients say: UPDATEs become verdicts and shares for the shards, ROUTE-REFRESH a walk.

use smallvec::SmallVec;

use crate::base::{ClientSlot, Family, FamilySet, Prefix, Time};
use crate::policy::{Outside, PrefixClass, RejectReason};
use crate::server::message::{RefreshMark, ToShard};
use crate::session::Message;
use crate::wire::{MessageType, Nlri, RefreshSubtype, Update, UpdateError, decode_update};

use super::clients::ClientState;
use super::fault_log::FaultLog;
use super::links::{Links, Source};
use super::timers::earliest;
use super::{CoreAction, SessionCore};

/// What one message came to, once it is done with.
enum Outcome {
    Nothing,
    Routes {
        end_of_rib: Option<Family>,
    },
    Refresh(Family),
    /// BoRR, or EoRR where the flag is set.
    Mark(Family, bool),
    Error(UpdateError),
}

impl SessionCore {
    /// Takes the next message out of a session; false: there is none, or shards have no room.
    pub(super) fn take_message(&mut self, now: Time, slot: ClientSlot) -> bool {
        let SessionCore {
            clients,
            exchange,
            links,
            scratch,
            taps,
            hijacks,
            ..
        } = self;
        let Some(state) = clients.get_mut(slot) else {
            return false;
        };
        state.is_stuck = state.up.is_some() && links.is_pressed();
        if (state.is_stuck || state.rests()) && !state.is_ending {
            return false;
        }
        let ClientState {
            client,
            session,
            up,
            history,
            epoch,
            heard,
            ..
        } = state;
        let mut rests_due = None;
        let outcome = match (session.poll_message(now), up) {
            (None, _) => return false,
            (Some(Message::Update(body)), Some(up)) => {
                taps.received(now, slot, MessageType::Update, body);
                history.updates_in += 1;
                if let Some(per_s) = client.updates_per_s {
                    up.budget.spend(now, per_s);
                    rests_due = up.budget.rests_until;
                }
                let negotiated = &up.session.negotiated;
                let context = client.decode_context(negotiated, &exchange.scheme, self.seed);
                match decode_update(body, &context, scratch) {
                    Ok(update) => {
                        history.treat_as_withdraw_count +=
                            u64::from(update.treat_as_withdraw.is_some());
                        history.attribute_discard_count += update.discarded.len() as u64;
                        if update.treat_as_withdraw.is_some() {
                            let count = update.at_fault_count() as u64;
                            history.tally.treat_as_withdraw_prefixes += count;
                        }
                        let names = (&*client.name, &mut history.lines);
                        history.fault_log.note(now, names, &update, body);
                        let generation = exchange.generation;
                        let source = Source {
                            slot,
                            epoch: *epoch,
                            generation,
                            heard: *heard,
                        };
                        let mut judged = Judged::default();
                        if let Some(shares) = split(
                            links,
                            source,
                            up.counts.next_seq(),
                            client,
                            &exchange.outside,
                            &update,
                            &mut judged,
                        ) {
                            let is_meant = update.treat_as_withdraw.is_none();
                            up.counts.expect(shares, is_meant);
                        }
                        let tally = &mut history.tally;
                        tally.rejected_prefixes += judged.rejected_count;
                        tally.looped_updates += u64::from(judged.is_looped);
                        let strangers = judged.strangers.iter();
                        for (set, nlri) in strangers.filter_map(|at| update.announced.get(*at)) {
                            let told = (&mut history.hijacks, &mut history.lines);
                            hijacks.note(now, exchange, client, told, (set, nlri));
                        }
                        up.end_of_rib = update
                            .end_of_rib
                            .map_or(up.end_of_rib, |family| up.end_of_rib.with(family));
                        Outcome::Routes {
                            end_of_rib: update.end_of_rib,
                        }
                    }
                    Err(error) => {
                        FaultLog::note_reset(now, (&client.name, &mut history.lines), &error, body);
                        Outcome::Error(error)
                    }
                }
            }
            (
                Some(Message::RouteRefresh {
                    family,
                    subtype,
                    body,
                }),
                Some(_),
            ) => {
                taps.received(now, slot, MessageType::RouteRefresh, body);
                match subtype {
                    RefreshSubtype::Request => Outcome::Refresh(family),
                    RefreshSubtype::Begin => Outcome::Mark(family, false),
                    RefreshSubtype::End => Outcome::Mark(family, true),
                }
            }
            (Some(Message::Ignored(kind, body)), Some(_)) => {
                taps.received(now, slot, kind, body);
                Outcome::Nothing
            }
            (Some(_), _) => Outcome::Nothing,
        };
        if let Some(until) = rests_due {
            self.rests_due = earliest(self.rests_due, until);
        }
        match outcome {
            Outcome::Nothing => {}
            Outcome::Routes { end_of_rib } => {
                self.stats.updates_in += 1;
                self.startup.handle_routes(now, end_of_rib.is_some());
                if let Some(family) = end_of_rib {
                    self.end_stale(slot, FamilySet::only(family));
                }
            }
            Outcome::Refresh(family) => self.ask_refresh(slot, family),
            Outcome::Mark(family, is_end) => self.mark_refresh(now, slot, family, is_end),
            Outcome::Error(error) => {
                if let Some(state) = self.clients.get_mut(slot) {
                    state.session.handle_update_error(now, &error);
                }
            }
        }
        true
    }

    /// The client's own enhanced route refresh (RFC 7313) begins or ends.
    fn mark_refresh(&mut self, now: Time, slot: ClientSlot, family: Family, is_end: bool) {
        let SessionCore { clients, links, .. } = self;
        let Some(state) = clients.get_mut(slot) else {
            return;
        };
        let epoch = state.epoch;
        let Some(up) = &mut state.up else { return };
        // RFC 7313 §4: such a BoRR is ignored, and with it the EoRR that follows.
        let is_early = up.session.negotiated.sends_end_of_rib() && !up.end_of_rib.contains(family);
        if !is_end && (is_early || !up.marks.take(now)) {
            if !std::mem::replace(&mut up.marks.has_warned, true)
                && let Some(left_out) = state.history.lines.take(now)
            {
                tracing::warn!(
                    client = state.client.name.as_str(),
                    left_out,
                    "{}; some are ignored, and stale routes kept",
                    if is_early {
                        "sends BoRR before End-of-RIB"
                    } else {
                        "sends BoRR again and again"
                    }
                );
            }
            return;
        }
        let end = is_end.then(|| {
            let seq = up.counts.next_seq();
            up.counts.expect(links.all_shards(), false);
            seq
        });
        let mark = RefreshMark {
            slot,
            epoch,
            family,
            end,
        };
        // Behind the routes that came before it.
        links.flush();
        links.push_all(|| ToShard::Refresh(mark));
    }

    /// Reads on where sessions had to wait for shards.
    pub(super) fn resume_reading(&mut self, now: Time) {
        for slot in self.clients.slots() {
            if self.links.is_pressed() {
                return;
            }
            if self.clients.get(slot).is_some_and(|state| state.is_stuck) {
                self.settle(now, slot);
            }
        }
        if self.links.is_pressed() {
            return;
        }
        self.is_resume_due.set(false);
        for (conn, connection) in self.connections.iter() {
            if connection.held.take() {
                self.actions.push_back(CoreAction::Read { conn });
            }
            if let Some((slot, way)) = connection.owner
                && let Some(state) = self.clients.get_mut(slot)
            {
                state.session.handle_paused(now, way, false);
            }
        }
        for slot in self.clients.slots() {
            self.rearm(slot);
        }
    }
}

/// What import says of an UPDATE.
#[derive(Default)]
struct Judged {
    /// Announcements whose next hop is none of the client's.
    strangers: SmallVec<[usize; 2]>,
    /// Prefixes.
    rejected_count: u64,
    /// The server's own ASN is in the AS_PATH.
    is_looped: bool,
}

/// Judges and splits an UPDATE; the shards that got a share, or `None` if it has no prefixes.
fn split(
    links: &mut Links,
    source: Source,
    seq: u64,
    client: &crate::server::exchange::Client,
    outside: &Outside,
    update: &Update<'_>,
    judged: &mut Judged,
) -> Option<u128> {
    let mut shares = 0;
    let withdrawn = update.withdrawn.iter().flat_map(Nlri::iter);
    if !update.withdrawn.is_empty() {
        shares |= links.add(
            source,
            seq,
            None,
            withdrawn.map(|prefix| (prefix, PrefixClass::ACCEPTED)),
        );
    }
    for (at, (set, nlri)) in update.announced.iter().enumerate() {
        let of_set = client.import.check_attributes(set, outside);
        match of_set.reason() {
            Some(RejectReason::NextHop) => judged.strangers.push(at),
            Some(RejectReason::OwnAs) => judged.is_looped |= of_set.is_rejected(),
            _ => {}
        }
        let rejected = &mut judged.rejected_count;
        let judge = |prefix: Prefix| {
            let class = client.import.judge(&of_set, &prefix, outside);
            *rejected += u64::from(!class.is_accepted());
            (prefix, class)
        };
        shares |= links.add(source, seq, Some(set), nlri.iter().map(judge));
    }
    (shares != 0).then_some(shares)
}
