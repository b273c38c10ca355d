//! What all clients announced or are sent, piece by piece, with prefixes that have the same paths told at once.

use crate::base::{ClientSet, PrefixSlot};
use crate::rib::{Assigned, Scope};
use crate::server::alike::{Alike, AlikePath, AlikePiece};
use crate::server::query::Which;
use crate::wire::Variant;

use super::Shard;
use super::query::is_wanted;

/// A piece ends when it has looked at so many prefixes, paths and words of sets of clients, whatever its limit
/// of table entries.
const WORK_MAX: usize = 4_096;

impl Shard {
    pub(super) fn alike(&mut self, which: Which, cursor: PrefixSlot, limit: u32) -> AlikePiece {
        let mut piece = AlikePiece::default();
        let last = cursor.0.saturating_add(limit).min(self.table.slot_count());
        let (mut slot, mut work) = (cursor.0, 0);
        let live = self.live.clone();
        let mut before: Option<PrefixSlot> = None;
        while slot < last && work < WORK_MAX {
            let next = PrefixSlot(slot);
            slot += 1;
            work += 1;
            let entry = self.table.entry(next);
            if entry.paths.is_empty() {
                continue;
            }
            if !before.is_some_and(|before| entry.is_like(self.table.entry(before))) {
                before = Some(next);
                let family = entry.family();
                work += self.begin_group(next, which, &live[family.index()], &mut piece);
            }
            let prefix = self.table.prefix(next);
            if let Some(group) = piece.groups.last_mut()
                && !group.paths.is_empty()
            {
                piece.prefixes.push(prefix);
                group.prefixes.end = piece.prefixes.len();
            }
        }
        piece.groups.retain(|group| !group.paths.is_empty());
        piece.next = (slot < self.table.slot_count()).then_some(PrefixSlot(slot));
        piece
    }

    /// Returns how much work it was.
    fn begin_group(
        &mut self,
        slot: PrefixSlot,
        which: Which,
        live: &Scope,
        piece: &mut AlikePiece,
    ) -> usize {
        let (first, before) = (piece.paths.len(), piece.prefixes.len());
        match which {
            Which::Advertised => {
                let assignments = self.assignments(slot, live);
                let paths = &self.table.entry(slot).paths;
                let path = |assigned: Assigned| AlikePath {
                    clients: assigned.clients,
                    set: (self.sets.set(paths[usize::from(assigned.path)].set)).clone(),
                    variant: assigned.variant,
                };
                let assigned = assignments.best.into_iter().chain(assignments.all);
                piece.paths.extend(assigned.map(path));
            }
            _ => {
                let paths = self.table.entry(slot).paths.iter();
                let wanted = paths.filter(|path| is_wanted(path, which));
                piece.paths.extend(wanted.map(|path| AlikePath {
                    clients: ClientSet::only(path.announcer),
                    set: self.sets.set(path.set).clone(),
                    variant: Variant::default(),
                }));
            }
        }
        let new = piece.paths.get(first..).unwrap_or_default();
        let words: usize = match which {
            Which::Advertised => new.iter().map(|path| path.clients.words().len()).sum(),
            _ => new.len(),
        };
        let looked_at = self.table.entry(slot).paths.len();
        piece.groups.push(Alike {
            family: self.table.entry(slot).family(),
            prefixes: before..before,
            paths: first..piece.paths.len(),
        });
        words + looked_at
    }
}
