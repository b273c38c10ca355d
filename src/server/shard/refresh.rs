//! Enhanced route refresh of a client (RFC 7313): what it had announced before its BoRR and not again
//! by its EoRR is purged.
//!
//! A BoRR opens a new *phase*: paths carry the phase in which they were announced. An EoRR dooms the
//! phases before: their paths stop counting at once, and the sweep takes them out.

use crate::base::{ClientSlot, Family};
use crate::rib::{Path, Stamp};
use crate::server::message::{CountChange, RefreshMark};
use crate::server::query::PrefixCounts;

use super::Shard;

/// The phases of one client and family.
#[derive(Clone)]
pub(super) struct Phases {
    current: u8,
    /// Those that may have paths, a bit each.
    live: u8,
    /// Those whose paths await the sweep.
    doomed: u8,
    /// Those of them that its next round is for, too.
    doomed_late: u8,
    /// Between BoRR and EoRR.
    is_open: bool,
    pub counts: [PrefixCounts; Stamp::PHASES],
}

impl Default for Phases {
    fn default() -> Phases {
        Phases {
            current: 0,
            live: 1,
            doomed: 0,
            doomed_late: 0,
            is_open: false,
            counts: Default::default(),
        }
    }
}

impl Phases {
    pub fn current(&self) -> u8 {
        self.current
    }

    pub fn doomed(&self) -> u8 {
        self.doomed
    }

    fn is_doomed(&self, phase: u8) -> bool {
        self.doomed & 1 << phase != 0
    }

    fn free(&self) -> Option<u8> {
        (0..Stamp::PHASES as u8).find(|phase| (self.live | self.doomed) & 1 << phase == 0)
    }

    /// BoRR. Where too many have begun and not ended, what came since an earlier one is not told
    /// apart from what comes now.
    fn begin(&mut self) {
        if let Some(phase) = self.free() {
            self.current = phase;
            self.live |= 1 << phase;
            self.is_open = true;
        }
    }

    /// EoRR: the counts of what is doomed by it.
    fn end(&mut self, is_sweeping: bool) -> PrefixCounts {
        let mut gone = PrefixCounts::default();
        if !std::mem::take(&mut self.is_open) {
            return gone;
        }
        let old = std::mem::replace(&mut self.live, 1 << self.current) & !(1 << self.current);
        for (phase, count) in self.counts.iter_mut().enumerate() {
            if old & 1 << phase != 0 && count.received > 0 {
                self.doomed |= 1 << phase;
                self.doomed_late |= u8::from(is_sweeping) << phase;
                let count = std::mem::take(count);
                gone.add(&count);
            }
        }
        gone
    }

    /// A round of the sweep is over.
    pub fn handle_swept(&mut self) {
        self.doomed = std::mem::take(&mut self.doomed_late);
    }

    pub fn total(&self) -> PrefixCounts {
        let mut total = PrefixCounts::default();
        self.counts.iter().for_each(|count| total.add(count));
        total
    }
}

impl Shard {
    pub(super) fn handle_refresh_mark(&mut self, mark: &RefreshMark) {
        let RefreshMark {
            slot,
            epoch,
            family,
            end,
        } = *mark;
        let Some(announcer) = self.announcers.get_mut(slot.index()) else {
            return;
        };
        if announcer.up.is_none() || announcer.epoch != epoch.0 {
            return;
        }
        let Some(seq) = end else {
            if announcer.phases[family.index()].free().is_none() {
                self.sweep_all();
            }
            return self.announcers[slot.index()].phases[family.index()].begin();
        };
        let gone = announcer.phases[family.index()].end(self.sweep.is_active());
        if gone.received > 0 {
            self.sweep.request(self.table.slot_count());
        }
        let mut change = CountChange {
            seq,
            ..CountChange::default()
        };
        change.received[family.index()] = -gone.received;
        change.accepted[family.index()] = -gone.accepted;
        self.tell_counts(slot, epoch, vec![change]);
    }

    /// Whether a path is a route: of the announcer's present session, or stale.
    pub(super) fn is_alive(&self, path: &Path, family: Family) -> bool {
        self.is_of_session(path, family) || self.is_stale(path, family)
    }

    /// Whether a path is of the announcer's present session, and not doomed.
    pub(super) fn is_of_session(&self, path: &Path, family: Family) -> bool {
        let announcer = &self.announcers[path.announcer.index()];
        announcer.up.is_some()
            && path.stamp.is_of_epoch(announcer.epoch)
            && !announcer.phases[family.index()].is_doomed(path.stamp.phase())
    }

    /// The stamp of what a client announces now.
    pub(super) fn stamp(&self, announcer: ClientSlot, family: Family) -> Stamp {
        let announcer = &self.announcers[announcer.index()];
        Stamp::new(announcer.epoch, announcer.phases[family.index()].current())
    }
}
