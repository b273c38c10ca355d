//! The server as a helper (RFC 4724 §4.2, RFC 8538): where it is asked to, it keeps what a client announced
//! when the session ends without a goodbye, until the client has announced it again or does not come back.

use std::time::Duration;

use crate::base::{ClientSlot, Family, FamilySet, SessionEpoch, ShardId, Time};
use crate::server::exchange::{Client, LimitAction};
use crate::server::message::{CountChange, ToShard};
use crate::session::{DownReason, Negotiated};

use super::SessionCore;
use super::clients::{ClientState, Up};
use super::counts::{Breach, Counts};
use super::timers::earliest;

/// A client that is back has announced everything by then, whether it says so or not.
const RETURNED_MAX: Duration = Duration::from_secs(360);

/// What is kept of a session that is over.
pub(super) struct Stale {
    epoch: SessionEpoch,
    /// What shards have yet to say of its UPDATEs may still pass a limit.
    counts: Counts,
    /// By family; `None`: nothing is kept.
    until: [Option<Time>; 2],
}

impl Stale {
    pub fn families(&self) -> FamilySet {
        let families = Family::ALL.into_iter();
        families
            .filter(|family| self.until[family.index()].is_some())
            .collect()
    }

    pub fn until(&self) -> [Option<Time>; 2] {
        self.until
    }
}

/// Families of which nothing may be kept: what a limit lets through there is counted in a session.
fn sifted(client: &Client) -> FamilySet {
    let is_sifted = |family: &Family| {
        let limits = client.prefix_limits(*family);
        limits.accepted_max.is_some()
            && matches!(
                limits.accepted_action,
                LimitAction::Block | LimitAction::Reject
            )
    };
    Family::ALL.into_iter().filter(is_sifted).collect()
}

impl ClientState {
    /// Keeps what may be kept of a session that ends; says of which families.
    pub fn begin_stale(&mut self, now: Time, up: Up, reason: &DownReason) -> FamilySet {
        let negotiated = &up.session.negotiated;
        let settings = self.session.settings();
        let restart_time_s = negotiated.peer_restart.map_or(0, |own| own.restart_time_s);
        let kept_s = restart_time_s.min(settings.graceful_restart_helper_s);
        let limits = &self.client.limits;
        let is_over_limit = up
            .counts
            .breach(limits)
            .is_some_and(|breach| breach.closes(limits));
        let may = kept_s > 0 && self.client.may_be_up() && !is_over_limit;
        let families = match may {
            true => negotiated.outlives(reason).difference(sifted(&self.client)),
            false => FamilySet::EMPTY,
        };
        let until = now + Duration::from_secs(kept_s.into());
        self.stale = (!families.is_empty()).then(|| Stale {
            epoch: self.epoch,
            counts: up.counts,
            until: Family::ALL.map(|family| families.contains(family).then_some(until)),
        });
        families
    }

    /// The client is back: what stays until it has announced it again.
    pub fn return_stale(&mut self, now: Time, negotiated: &Negotiated) -> FamilySet {
        let Some(stale) = &mut self.stale else {
            return FamilySet::EMPTY;
        };
        let forwarding = negotiated.peer_restart.unwrap_or_default().forwarding;
        let stays = (stale.families())
            .intersection(forwarding)
            .intersection(negotiated.families);
        let until = now + RETURNED_MAX;
        stale.until = Family::ALL.map(|family| stays.contains(family).then_some(until));
        if stays.is_empty() {
            self.stale = None;
        }
        stays
    }
}

impl SessionCore {
    /// Nothing is kept any longer of these families.
    pub(super) fn end_stale(&mut self, slot: ClientSlot, families: FamilySet) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let Some(stale) = &mut state.stale else {
            return;
        };
        let families = families.intersection(stale.families());
        if families.is_empty() {
            return;
        }
        for family in families.iter() {
            stale.until[family.index()] = None;
        }
        if stale.families().is_empty() {
            state.stale = None;
        }
        // Behind the routes that came before.
        self.links.flush();
        self.links
            .push_all(|| ToShard::StaleOver { slot, families });
    }

    pub(super) fn note_stale_due(&mut self, slot: ClientSlot) {
        let stale = self
            .clients
            .get(slot)
            .and_then(|state| state.stale.as_ref());
        if let Some(stale) = stale {
            let first = stale.until.into_iter().flatten().min();
            self.stale_due = earliest(self.stale_due, first);
        }
    }

    /// Time is up for those who did not come back, or did not say what they have.
    pub(super) fn expire_stale(&mut self, now: Time) {
        if self.stale_due.is_none_or(|due| due > now) {
            return;
        }
        self.stale_due = None;
        for slot in self.clients.slots() {
            let Some(state) = self.clients.get_mut(slot) else {
                continue;
            };
            let Some(stale) = &state.stale else { continue };
            let is_over =
                |family: &Family| stale.until[family.index()].is_some_and(|until| until <= now);
            let over: FamilySet = Family::ALL.into_iter().filter(is_over).collect();
            if !over.is_empty() {
                let is_up = state.up.is_some();
                if let Some(left_out) = state.history.lines.take(now) {
                    let client = state.name();
                    match is_up {
                        true => {
                            tracing::warn!(client, left_out, families = ?over, "sent no End-of-RIB; stale routes that did not come again are dropped")
                        }
                        false => {
                            tracing::warn!(client, left_out, families = ?over, "did not come back in time; its stale routes are dropped")
                        }
                    }
                }
                self.end_stale(slot, over);
            }
            self.note_stale_due(slot);
        }
    }

    /// What a reload does to stale routes: they go where the session would have ended, where nothing is to
    /// be kept any more, and where they would have to be heard anew.
    pub(super) fn review_stale(&mut self, slot: ClientSlot, before: &Client, unheard: FamilySet) {
        let Some(state) = self.clients.get(slot) else {
            return;
        };
        let after = &state.client;
        let stale = state.stale.as_ref();
        let breach = stale.and_then(|stale| stale.counts.breach(&after.limits));
        let is_over = breach.is_some_and(|breach| breach.closes(&after.limits))
            || !after.may_be_up()
            || !after.session.is_helper()
            || after.session.has_news_for_peer(&before.session)
            || after.is_socket_changed(before);
        let families = match is_over {
            true => FamilySet::ALL,
            false => sifted(after).union(unheard),
        };
        self.end_stale(slot, families);
    }

    /// Shards tell of UPDATEs that came before the end of the session: over a limit nothing is kept.
    pub(super) fn count_stale(
        &mut self,
        shard: ShardId,
        (slot, epoch): (ClientSlot, SessionEpoch),
        counts: &[CountChange],
    ) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let limits = &state.client.limits;
        let Some(stale) = state.stale.as_mut().filter(|stale| stale.epoch == epoch) else {
            return;
        };
        let mut breach = None;
        for change in counts {
            let passed = stale.counts.apply(shard, change, limits);
            breach = Breach::worse(breach, passed, limits);
        }
        if breach.is_some_and(|breach| breach.closes(limits)) {
            self.end_stale(slot, FamilySet::ALL);
        }
    }

    /// They take more memory than the client may have.
    pub(super) fn stale_over_budget(&mut self, slot: ClientSlot, epoch: SessionEpoch) {
        let is_of_it = |state: &&ClientState| {
            let stale = state.stale.as_ref();
            stale.is_some_and(|stale| stale.epoch == epoch)
        };
        if self.clients.get(slot).filter(is_of_it).is_some() {
            self.end_stale(slot, FamilySet::ALL);
        }
    }
}
