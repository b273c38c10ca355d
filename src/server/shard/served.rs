//! How many paths each client has. It is computed when asked for, piece by piece, never kept.

use crate::base::PrefixSlot;
use crate::rib::Assignments;
use crate::server::query::Served;

use super::Shard;

/// A piece ends when it has counted so often, whatever its limit of entries.
const WORK_MAX: usize = 65_536;

impl Shard {
    pub(super) fn served(&mut self, cursor: PrefixSlot, limit: u32) -> Served {
        let mut counts = vec![[0; 2]; self.announcers.len()];
        let last = cursor.0.saturating_add(limit).min(self.table.slot_count());
        let (mut slot, mut work) = (cursor.0, 0);
        let live = self.live.clone();
        // Many prefixes in a row have the same paths, and go to the same clients.
        let mut alike: Option<(PrefixSlot, Assignments, u32)> = None;
        while slot < last && work < WORK_MAX {
            let next = PrefixSlot(slot);
            slot += 1;
            work += 1;
            let entry = self.table.entry(next);
            match &mut alike {
                Some((before, _, count)) if entry.is_like(self.table.entry(*before)) => *count += 1,
                _ if entry.paths.is_empty() => {}
                _ => {
                    let assignments = self.assignments(next, &live[entry.family().index()]);
                    if let Some(done) = alike.replace((next, assignments, 1)) {
                        work += self.count_served(&mut counts, &done);
                    }
                }
            }
        }
        if let Some(done) = alike {
            self.count_served(&mut counts, &done);
        }
        Served {
            counts,
            next: (slot < self.table.slot_count()).then_some(PrefixSlot(slot)),
        }
    }

    /// Returns how often it counted.
    fn count_served(
        &self,
        counts: &mut [[u32; 2]],
        (slot, assignments, times): &(PrefixSlot, Assignments, u32),
    ) -> usize {
        let family = self.table.entry(*slot).family().index();
        let mut work = 0;
        for assigned in assignments.best.iter().chain(&assignments.all) {
            for client in assigned.clients.iter() {
                work += 1;
                if let Some(count) = counts.get_mut(client.index()) {
                    count[family] += times;
                }
            }
        }
        work
    }
}
