//! The server as a helper (RFC 4724 §4.2, RFC 8538): where it is asked to, it keeps what a client announced
//! when the session ends without a goodbye, until the client has announced it again or does not come back.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::base::{ClientSlot, Family, FamilySet, SessionEpoch, ShardId, Time};
use crate::server::exchange::{Client, LimitAction};
use crate::server::message::{CountChange, ToShard};
use crate::session::{DownReason, Negotiated, SessionSettings};

use super::SessionCore;
use super::clients::{ClientState, Up};
use super::counts::{Breach, Counts};
use super::timers::earliest;

/// A client that is back has announced everything by then, whether it says so or not.
const RETURNED_MAX: Duration = Duration::from_secs(360);

/// What is kept of a session that is over.
pub(super) struct Stale {
    epoch: SessionEpoch,
    router_id: Ipv4Addr,
    /// What shards have yet to say of its UPDATEs, and of what stays of sessions before, may pass a limit.
    counts: Counts,
    /// By family; `None`: nothing is kept.
    kept: [Option<Kept>; 2],
}

/// How long a family's routes are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    pub until: Time,
    /// Long-lived stale already (RFC 9494).
    pub is_long_lived: bool,
    /// And then so long as such.
    long_lived_s: u32,
}

impl Stale {
    pub fn families(&self) -> FamilySet {
        self.those(|_| true)
    }

    pub fn kept(&self) -> [Option<Kept>; 2] {
        self.kept
    }

    /// New settings give less time: it is over so much earlier. Says of which families nothing is kept any
    /// more. `is_back`: the client has a session, in which stale routes that are not long-lived have a time of
    /// their own.
    fn shorten(
        &mut self,
        now: Time,
        [before, after]: [&SessionSettings; 2],
        is_back: bool,
    ) -> FamilySet {
        let mut over = FamilySet::EMPTY;
        for family in Family::ALL {
            let Some(kept) = &mut self.kept[family.index()] else {
                continue;
            };
            let of = |settings: &SessionSettings| match kept.is_long_lived {
                true => settings.llgr_max_s[family.index()],
                false => settings.graceful_restart_helper_s.into(),
            };
            let (before_s, after_s) = (of(before), of(after));
            kept.long_lived_s = kept.long_lived_s.min(after.llgr_max_s[family.index()]);
            if after_s < before_s && (kept.is_long_lived || !is_back) {
                kept.until = kept.until.min(now + Duration::from_secs(after_s.into()));
            }
            if kept.is_long_lived && after_s == 0 {
                over = over.with(family);
            }
        }
        over
    }

    fn those(&self, is_meant: impl Fn(&Kept) -> bool) -> FamilySet {
        let families = Family::ALL.into_iter();
        families
            .filter(|family| self.kept[family.index()].as_ref().is_some_and(&is_meant))
            .collect()
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
    /// Keeps what may be kept of a session that ends; says of which families, and of which as long-lived.
    pub fn begin_stale(&mut self, now: Time, up: Up, reason: &DownReason) -> [FamilySet; 2] {
        let before = self.stale.take();
        let limits = &self.client.limits;
        let is_over_limit = (up.counts.breach(limits)).is_some_and(|breach| breach.closes(limits));
        let families = match self.client.may_be_up() && !is_over_limit {
            true => (up.session.negotiated.outlives(reason))
                .difference(sifted(&self.client))
                .difference(up.spent.difference(up.end_of_rib)),
            false => FamilySet::EMPTY,
        };
        let kept = Family::ALL.map(|family| {
            let before = before
                .as_ref()
                .and_then(|before| before.kept[family.index()]);
            let negotiated = &up.session.negotiated;
            let kept = families
                .contains(family)
                .then(|| self.kept(now, negotiated, family))?;
            // RFC 9494 §4.2: that time goes on until the client is back with everything. What came since
            // shares it.
            kept.map(|kept| before.filter(|before| before.is_long_lived).unwrap_or(kept))
        });
        let stale = Stale {
            epoch: self.epoch,
            router_id: up.session.negotiated.peer_router_id,
            counts: up.counts,
            kept,
        };
        let told = [
            stale.those(|kept| !kept.is_long_lived),
            stale.those(|kept| kept.is_long_lived),
        ];
        self.stale = (!stale.families().is_empty()).then_some(stale);
        told
    }

    /// A line about what is kept.
    pub fn say_kept(&mut self, now: Time, [stale, long_lived]: [FamilySet; 2]) {
        if stale.union(long_lived).is_empty() {
            return;
        }
        let Some(left_out) = self.history.lines.take(now) else {
            return;
        };
        let kept = self
            .stale
            .iter()
            .flat_map(|stale| stale.kept.iter().flatten());
        let until = kept.map(|kept| kept.until).max();
        let for_s = until.map_or(0, |until| until.since(now).as_secs());
        let (client, asn) = (self.name(), self.client.asn.0);
        tracing::info!(
            client,
            asn,
            left_out,
            ?stale,
            ?long_lived,
            for_s,
            "its routes are kept until it is back"
        );
    }

    /// How long a family is kept of a session that has just ended.
    fn kept(&self, now: Time, negotiated: &Negotiated, family: Family) -> Option<Kept> {
        let settings = self.session.settings();
        let restart = negotiated.peer_restart.unwrap_or_default();
        let restart_s = match restart.families.contains(family) {
            true => restart
                .restart_time_s
                .min(settings.graceful_restart_helper_s),
            false => 0,
        };
        let long_lived = negotiated.peer_long_lived.unwrap_or_default();
        let long_lived_s =
            long_lived.stale_time_s[family.index()].min(settings.llgr_max_s[family.index()]);
        let kept = match restart_s {
            0 => Kept {
                until: now + Duration::from_secs(long_lived_s.into()),
                is_long_lived: true,
                long_lived_s: 0,
            },
            _ => Kept {
                until: now + Duration::from_secs(restart_s.into()),
                is_long_lived: false,
                long_lived_s,
            },
        };
        (restart_s > 0 || long_lived_s > 0).then_some(kept)
    }

    /// The client is back: what stays until it has announced it again.
    pub fn return_stale(&mut self, now: Time, negotiated: &Negotiated) -> FamilySet {
        // Shards sort by the identifier.
        let is_it = |stale: &mut Stale| stale.router_id == negotiated.peer_router_id;
        self.stale = self.stale.take_if(is_it);
        let Some(stale) = &mut self.stale else {
            return FamilySet::EMPTY;
        };
        let plain = negotiated.peer_restart.unwrap_or_default().forwarding;
        let long_lived = negotiated.peer_long_lived.unwrap_or_default().forwarding;
        for family in Family::ALL {
            let kept = &mut stale.kept[family.index()];
            let stays = |kept: &mut Kept| {
                let forwarding = if kept.is_long_lived {
                    long_lived
                } else {
                    plain
                };
                forwarding
                    .intersection(negotiated.families)
                    .contains(family)
            };
            *kept = kept.take_if(stays);
            if let Some(kept) = kept.as_mut().filter(|kept| !kept.is_long_lived) {
                (kept.until, kept.long_lived_s) = (now + RETURNED_MAX, 0);
            }
        }
        let stays = stale.families();
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
            stale.kept[family.index()] = None;
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
            let first = stale.kept.iter().flatten().map(|kept| kept.until).min();
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
            let stale = self
                .clients
                .get(slot)
                .and_then(|state| state.stale.as_ref());
            let Some(stale) = stale else { continue };
            let lives_on = |kept: &Kept| !kept.is_long_lived && kept.long_lived_s > 0;
            let later = stale.those(|kept| kept.until <= now && lives_on(kept));
            let over = stale.those(|kept| kept.until <= now && !lives_on(kept));
            let spent = stale.those(|kept| kept.until <= now && kept.is_long_lived);
            if !later.is_empty() {
                self.begin_long_lived(now, slot, later);
            }
            if !over.is_empty() {
                if let Some(up) = self.clients.up_mut(slot) {
                    up.spent = up.spent.union(spent);
                }
                self.say_of_stale(
                    now,
                    slot,
                    "stale routes that did not come again are dropped",
                    over,
                );
                self.end_stale(slot, over);
            }
            self.note_stale_due(slot);
        }
    }

    fn say_of_stale(&mut self, now: Time, slot: ClientSlot, what: &str, families: FamilySet) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        if let Some(left_out) = state.history.lines.take(now) {
            let (client, asn) = (state.name(), state.client.asn.0);
            tracing::warn!(client, asn, left_out, ?families, "{what}");
        }
    }

    fn begin_long_lived(&mut self, now: Time, slot: ClientSlot, families: FamilySet) {
        let what = "the client is not back: its routes are the last choice from now on (RFC 9494)";
        self.say_of_stale(now, slot, what, families);
        let state = self.clients.get_mut(slot);
        let Some(stale) = state.and_then(|state| state.stale.as_mut()) else {
            return;
        };
        for family in families.iter() {
            if let Some(kept) = &mut stale.kept[family.index()] {
                *kept = Kept {
                    until: now + Duration::from_secs(kept.long_lived_s.into()),
                    is_long_lived: true,
                    long_lived_s: 0,
                };
            }
        }
        self.links
            .push_all(|| ToShard::LongLived { slot, families });
    }

    /// What a reload does to stale routes: they go where the session would have ended, where nothing is to
    /// be kept any more or so many are not, and where they would have to be heard anew.
    pub(super) fn review_stale(
        &mut self,
        now: Time,
        slot: ClientSlot,
        before: &Client,
        unheard: FamilySet,
    ) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let (after, is_back) = (&state.client, state.up.is_some());
        let Some(stale) = &mut state.stale else {
            return;
        };
        let breach = stale.counts.breach(&after.limits);
        let is_over_limit = breach.is_some_and(|breach| breach.closes(&after.limits));
        let settings = [&before.session, &after.session];
        let over = stale.shorten(now, settings, is_back);
        let is_over = !after.may_be_up()
            || (is_over_limit && !is_back)
            || !after.session.is_helper()
            || after.session.has_news_for_peer(&before.session)
            || after.is_socket_changed(before);
        let families = match is_over {
            true => FamilySet::ALL,
            false => sifted(after).union(unheard).union(over),
        };
        self.end_stale(slot, families);
        self.note_stale_due(slot);
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
            let tally = &mut state.history.tally;
            let passed = stale.counts.apply(shard, change, limits, tally);
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
