//! Routes that outlive their session (RFC 4724 §4.2): stale, and for everybody as good as before, until the
//! client's core says that it is enough or the client has announced them again.

use crate::base::{ClientSlot, Family, FamilySet};
use crate::rib::{Path, Stamp};

use super::Shard;

/// What a client and family has of a session that is over.
#[derive(Clone, Copy)]
pub(super) struct Stale {
    epoch: u32,
    /// Phases that were doomed when it ended, a bit each.
    doomed: u8,
    /// Paths that are left.
    count: u32,
}

impl Stale {
    fn holds(&self, stamp: Stamp) -> bool {
        stamp.is_of_epoch(self.epoch) && self.doomed & 1 << stamp.phase() == 0
    }
}

impl Shard {
    /// The session of that epoch is over; its paths in these families are stale from now on, all others
    /// of the client are dead.
    pub(super) fn keep_stale(&mut self, slot: ClientSlot, epoch: u32, families: FamilySet) {
        let announcer = &mut self.announcers[slot.index()];
        for family in Family::ALL {
            let phases = &announcer.phases[family.index()];
            announcer.stale[family.index()] = families.contains(family).then(|| Stale {
                epoch,
                doomed: phases.doomed(),
                count: phases.total().received.max(0) as u32,
            });
        }
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

    pub(super) fn is_stale(&self, path: &Path, family: Family) -> bool {
        let stale = &self.announcers[path.announcer.index()].stale[family.index()];
        stale.is_some_and(|stale| stale.holds(path.stamp)) && !self.is_of_session(path, family)
    }

    /// A stale path gives way.
    pub(super) fn note_stale_gone(&mut self, announcer: ClientSlot, family: Family) {
        if let Some(stale) = &mut self.announcers[announcer.index()].stale[family.index()] {
            stale.count = stale.count.saturating_sub(1);
        }
    }

    /// How many stale paths there are, by client slot and family.
    pub(super) fn stale_counts(&self) -> Vec<[u32; 2]> {
        let count = |stale: &Option<Stale>| stale.map_or(0, |stale| stale.count);
        let announcers = self.announcers.iter();
        announcers
            .map(|announcer| announcer.stale.each_ref().map(count))
            .collect()
    }
}
