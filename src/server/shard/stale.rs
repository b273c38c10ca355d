//! Routes that outlive their session (RFC 4724 §4.2): stale, and for everybody as good as before, until the
//! client's core says that it is enough or the client has announced them again. After a while they may be
//! long-lived (RFC 9494): then they are the last choice, and only for those who know what that is.

use crate::base::{ClientSlot, Family, FamilySet, SessionEpoch};
use crate::policy::{PrefixClass, Verdict};
use crate::rib::{Path, SetId, Stamp};
use crate::server::message::CountChange;
use crate::wire::NO_LLGR;

use super::routes::is_acceptable;
use super::{Announcer, Shard};

/// What a client and family has of sessions that are over.
#[derive(Clone, Copy)]
pub(super) struct Stale {
    /// The first and the last of these sessions: it is one, but where long-lived paths have outlived more.
    epochs: (u32, u32),
    /// Phases that were doomed when the last one ended, a bit each.
    doomed: u8,
    is_long_lived: bool,
    /// Paths that are left, and those of them that import accepts.
    count: u32,
    accepted: u32,
}

/// So few epochs back a stamp still says which one it is of.
const EPOCHS_MAX: u32 = Stamp::EPOCHS / 2;

impl Stale {
    fn holds(&self, stamp: Stamp) -> bool {
        let (first, last) = self.epochs;
        if stamp.is_of_epoch(last) {
            return self.doomed & 1 << stamp.phase() == 0;
        }
        let mut earlier = (1..=last.wrapping_sub(first)).map(|back| last.wrapping_sub(back));
        earlier.any(|epoch| stamp.is_of_epoch(epoch))
    }
}

impl Shard {
    /// The session of that epoch is over; its paths in the first of these families are stale from now on, in
    /// the second long-lived; all others of the client are dead.
    pub(super) fn keep_stale(
        &mut self,
        slot: ClientSlot,
        epoch: u32,
        [stale, long_lived]: [FamilySet; 2],
    ) {
        let announcer = &mut self.announcers[slot.index()];
        let mut earlier = CountChange::default();
        for family in stale.union(long_lived).iter() {
            let phases = &announcer.phases[family.index()];
            let is_long_lived = long_lived.contains(family);
            // Those that are long-lived already stay for as long as they would have (RFC 9494 §4.2).
            let before = announcer.stale[family.index()]
                .filter(|before| is_long_lived && before.is_long_lived)
                .filter(|before| epoch.wrapping_sub(before.epochs.0) < EPOCHS_MAX);
            let first = before.map_or(epoch, |before| before.epochs.0);
            let [count, accepted] = before.map_or([0; 2], |before| [before.count, before.accepted]);
            earlier.received[family.index()] = count as i32;
            earlier.accepted[family.index()] = accepted as i32;
            let total = phases.total();
            announcer.stale[family.index()] = Some(Stale {
                epochs: (first, epoch),
                doomed: phases.doomed(),
                is_long_lived,
                count: count + total.received.max(0) as u32,
                accepted: accepted + total.accepted.max(0) as u32,
            });
        }
        for family in FamilySet::ALL.difference(stale.union(long_lived)).iter() {
            announcer.stale[family.index()] = None;
        }
        if earlier != CountChange::default() {
            // One session may announce so much, and all of them together leave no more.
            self.tell_counts(slot, SessionEpoch(epoch), vec![earlier]);
        }
        if !long_lived.is_empty() {
            self.sweep.judge_again(slot, self.table.slot_count());
        }
    }

    /// Stale paths of these families are long-lived from now on.
    pub(super) fn make_long_lived(&mut self, slot: ClientSlot, families: FamilySet) {
        let Some(announcer) = self.announcers.get_mut(slot.index()) else {
            return;
        };
        for family in families.iter() {
            if let Some(stale) = &mut announcer.stale[family.index()] {
                stale.is_long_lived = true;
            }
        }
        self.sweep.judge_again(slot, self.table.slot_count());
    }

    /// What is stale in these families is dead from now on.
    pub(super) fn drop_stale(&mut self, slot: ClientSlot, families: FamilySet) {
        let Some(announcer) = self.announcers.get_mut(slot.index()) else {
            return;
        };
        let mut is_due = false;
        for family in families.iter() {
            let stale = announcer.stale[family.index()].take();
            is_due |= stale.is_some_and(|stale| stale.count > 0);
        }
        if is_due {
            self.sweep.request(self.table.slot_count());
        }
    }

    /// The client is back, and has such a session now.
    pub(super) fn drop_stale_before(&mut self, slot: ClientSlot, epoch: u32) {
        let announcer = &self.announcers[slot.index()];
        let is_too_old = |family: &Family| {
            let stale = announcer.stale[family.index()];
            stale.is_some_and(|stale| epoch.wrapping_sub(stale.epochs.0) >= EPOCHS_MAX)
        };
        let families = Family::ALL.into_iter().filter(is_too_old).collect();
        self.drop_stale(slot, families);
    }

    /// Of one of these sessions some paths were doomed when it ended. They go before there is another one:
    /// of more than the last that is not known.
    pub(super) fn sweep_doomed(&mut self, slot: ClientSlot) {
        let has_doomed = |stale: &Stale| stale.doomed != 0;
        let stale = &self.announcers[slot.index()].stale;
        if !stale.iter().flatten().any(has_doomed) {
            return;
        }
        self.sweep_all();
        let stale = &mut self.announcers[slot.index()].stale;
        (stale.iter_mut().flatten()).for_each(|stale| stale.doomed = 0);
    }

    pub(super) fn is_stale(&self, path: &Path, family: Family) -> bool {
        let stale = &self.announcers[path.announcer.index()].stale[family.index()];
        stale.is_some_and(|stale| stale.holds(path.stamp)) && !self.is_of_session(path, family)
    }

    pub(super) fn is_long_lived(&self, path: &Path, family: Family) -> bool {
        let stale = &self.announcers[path.announcer.index()].stale[family.index()];
        stale.is_some_and(|stale| stale.is_long_lived) && self.is_stale(path, family)
    }

    /// The class of a path with this set, in view of how old it is; `None`: it says itself that it is not to
    /// be kept for so long (RFC 9494 §4.2).
    pub(super) fn class_if_stale(
        &self,
        path: &Path,
        set: SetId,
        family: Family,
        class: PrefixClass,
    ) -> Option<PrefixClass> {
        if !self.is_long_lived(path, family) {
            return Some(class);
        }
        let may_stay = !self.sets.set(set).has_community(NO_LLGR);
        may_stay.then(|| class.with_long_lived(true))
    }

    /// What a stale path counts for now; `None`: it gives way.
    pub(super) fn recount_stale(&mut self, path: &Path, family: Family, verdict: Option<Verdict>) {
        let announcer = &mut self.announcers[path.announcer.index()];
        let Some(stale) = &mut announcer.stale[family.index()] else {
            return;
        };
        let accepted = |verdict| u32::from(is_acceptable(verdict));
        stale.count = (stale.count).saturating_sub(u32::from(verdict.is_none()));
        stale.accepted =
            (stale.accepted + verdict.map_or(0, accepted)).saturating_sub(accepted(path.verdict));
    }

    /// Whether a client is charged for more than it may have, but also for paths that are none of its
    /// session's: what is stale goes before a session has to.
    pub(super) fn sheds_stale(&mut self, slot: ClientSlot, octets_max: u32) -> bool {
        let share = octets_max as usize / usize::from(self.exchange.shard_count);
        let is_over = |shard: &Shard| {
            shard.sets.charge_of(slot) + shard.eligibilities.charge_of(slot) > share
        };
        if !is_over(self) {
            return false;
        }
        self.drop_stale(slot, FamilySet::ALL);
        let announcer = &mut self.announcers[slot.index()];
        let phases = announcer.phases.iter();
        let received: i64 = phases.map(|it| i64::from(it.total().received)).sum();
        let has_others = self.sweep.is_active() && i64::from(announcer.path_count) > received;
        let had_others = std::mem::replace(&mut announcer.is_shedding, has_others);
        if has_others || !had_others {
            return has_others;
        }
        // What they were is kept until everybody knows that they are gone.
        self.flush();
        !is_over(self)
    }

    /// How many stale paths there are, by client slot and family.
    pub(super) fn stale_counts(&self) -> Vec<[u32; 2]> {
        self.announcers
            .iter()
            .map(Announcer::stale_counts)
            .collect()
    }
}

impl Announcer {
    fn stale_counts(&self) -> [u32; 2] {
        let count = |stale: &Option<Stale>| stale.map_or(0, |stale| stale.count);
        self.stale.each_ref().map(count)
    }

    pub(super) fn stale_count(&self) -> u32 {
        self.stale_counts().iter().sum()
    }
}
