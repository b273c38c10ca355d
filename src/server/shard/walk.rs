//! Walks over the whole table for clients that join or refresh.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::base::{ClientSet, ClientSlot, CoreId, Family, FamilySet, PathId, PrefixSlot, WalkId};
use crate::rib::{Changes, Marks, Scope};
use crate::server::message::ToCore;

use super::{Shard, flush::build_batch};

/// Table entries that one turn of a walk looks at.
const PIECE_ENTRIES: u32 = 16_384;

/// Walks asked for, the one under way, and those whose streams are out. The next one does not wait
/// for the promotions of the last: cores would wait for each other, each served by another shard.
#[derive(Default)]
pub(super) struct Walks {
    queued: VecDeque<Request>,
    active: Option<Walk>,
    /// Waiting for the cores' Promote.
    sent: Vec<Walk>,
}

struct Request {
    core: CoreId,
    walk: WalkId,
    clients: ClientSet,
    families: FamilySet,
}

struct Walk {
    asked: Request,
    /// Everyone who is being walked to, by family.
    scopes: [Scope; 2],
    stage: Stage,
    /// What changed since the walk began, with the path identifiers its clients may hold.
    touched: FxHashMap<PrefixSlot, SmallVec<[PathId; 2]>>,
}

enum Stage {
    /// Computing assignments from this slot on.
    Gather {
        cursor: u32,
        changes: Changes,
    },
    /// Sending sorted records from this one on.
    Send {
        from: usize,
        changes: Changes,
    },
    Sent,
}

impl Walks {
    pub(super) fn queue(
        &mut self,
        core: CoreId,
        walk: WalkId,
        clients: Arc<ClientSet>,
        families: FamilySet,
    ) {
        self.queued.push_back(Request {
            core,
            walk,
            clients: (*clients).clone(),
            families,
        });
    }

    /// Whether there is a client that is told of changes only when its walk ends.
    pub(super) fn is_active(&self) -> bool {
        self.active.is_some() || !self.sent.is_empty()
    }

    pub(super) fn has_work(&self) -> bool {
        self.active.is_some() || !self.queued.is_empty()
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Walk> {
        self.active.iter_mut().chain(&mut self.sent)
    }

    pub(super) fn remove_client(&mut self, slot: ClientSlot) {
        for request in &mut self.queued {
            request.clients.remove(slot);
        }
        for walk in self.all_mut() {
            walk.asked.clients.remove(slot);
            for scope in &mut walk.scopes {
                scope.best.remove(slot);
                scope.all.remove(slot);
            }
        }
    }

    /// Clients of the walks may hold these path identifiers of a prefix.
    pub(super) fn hold_for(&mut self, slot: PrefixSlot, path_ids: &[PathId]) {
        for walk in self.all_mut() {
            let held = walk.touched.entry(slot).or_default();
            held.extend(
                path_ids
                    .iter()
                    .copied()
                    .filter(|id| !held.contains(id))
                    .collect::<SmallVec<[PathId; 4]>>(),
            );
        }
    }
}

impl Shard {
    /// A prefix changes, or its state at a walked-to client is unknown: it is told when the walk ends.
    pub(super) fn touch(&mut self, slot: PrefixSlot) {
        let entry = self.table.entry_mut(slot);
        if !self.walks.is_active() || entry.marks.contains(Marks::TOUCHED) {
            return;
        }
        entry.marks.set(Marks::TOUCHED);
        let held: SmallVec<[PathId; 4]> = entry
            .paths
            .iter()
            .map(|path| PathId::of(path.announcer))
            .collect();
        self.walks.hold_for(slot, &held);
    }

    pub(super) fn walk_piece(&mut self) {
        if self.walks.active.is_none() {
            if self.walks.queued.is_empty() {
                return;
            }
            self.start_walk();
        }
        let Some(mut walk) = self.walks.active.take() else {
            return;
        };
        walk.stage = match walk.stage {
            Stage::Gather { cursor, changes } => self.gather(&walk.scopes, cursor, changes),
            Stage::Send { from, changes } => self.send(&walk.asked, from, changes),
            Stage::Sent => Stage::Sent,
        };
        match walk.stage {
            Stage::Sent => self.walks.sent.push(walk),
            _ => self.walks.active = Some(walk),
        }
    }

    /// Takes the clients of the walk that was asked for first out of the live ones. Walks of several
    /// cores are not put together: shards would do so differently, and split the packing.
    fn start_walk(&mut self) {
        let Some(asked) = self.walks.queued.pop_front() else {
            return;
        };
        let scopes = self.scopes_of(&asked);
        for (live, scope) in self.live.iter_mut().zip(&scopes) {
            let walked = scope.best.union(&scope.all);
            live.subtract(&walked);
        }
        // What was touched before is yet to be touched for the clients of this walk.
        self.clear_touched();
        let stage = Stage::Gather {
            cursor: 0,
            changes: Changes::new(self.seed),
        };
        self.walks.active = Some(Walk {
            asked,
            scopes,
            stage,
            touched: FxHashMap::default(),
        });
        // Pending changes have not reached them, and will not.
        for index in 0..self.pending.len() {
            let slot = self.pending[index].slot;
            let held: SmallVec<[PathId; 4]> = self.pending[index]
                .paths
                .iter()
                .map(|path| PathId::of(path.announcer))
                .collect();
            self.touch(slot);
            self.walks.hold_for(slot, &held);
        }
    }

    fn scopes_of(&self, asked: &Request) -> [Scope; 2] {
        Family::ALL.map(|family| match asked.families.contains(family) {
            true => self.scope_of(&asked.clients, family),
            false => Scope::default(),
        })
    }

    fn gather(&mut self, scopes: &[Scope; 2], cursor: u32, mut changes: Changes) -> Stage {
        // Clients that have gone need no more of the table.
        let cursor = match scopes.iter().all(Scope::is_empty) {
            true => self.table.slot_count(),
            false => cursor,
        };
        let end = (cursor + PIECE_ENTRIES).min(self.table.slot_count());
        for slot in (cursor..end).map(PrefixSlot) {
            let entry = self.table.entry(slot);
            let family = entry.family();
            if entry.paths.is_empty()
                || entry.marks.contains(Marks::TOUCHED)
                || scopes[family.index()].is_empty()
            {
                continue;
            }
            let from = changes.len();
            self.present_state(&mut changes, slot, &scopes[family.index()], false, &[]);
            // Records outlive the paths: each holds its set until it is sent.
            for set in changes.records()[from..]
                .iter()
                .filter_map(|record| record.set)
            {
                self.sets.retain(set);
            }
        }
        if end < self.table.slot_count() {
            return Stage::Gather {
                cursor: end,
                changes,
            };
        }
        changes.sort();
        Stage::Send { from: 0, changes }
    }

    fn send(&mut self, asked: &Request, from: usize, changes: Changes) -> Stage {
        let mut from = from;
        while from < changes.len() && !self.outbox.is_full() {
            let (batch, end) = build_batch(
                (self.shard, 0, &self.exchange.scheme),
                &changes,
                &self.sets,
                &self.table,
                from,
            );
            for set in changes.records()[from..end]
                .iter()
                .filter_map(|record| record.set)
            {
                self.sets.release(set);
            }
            from = end;
            self.stats.deltas_out += batch.prefixes.len() as u64;
            let (walk, batch) = (asked.walk, Arc::new(batch));
            self.outbox
                .push(asked.core, ToCore::WalkDeltas { walk, batch });
        }
        if from < changes.len() {
            return Stage::Send { from, changes };
        }
        self.outbox
            .push(asked.core, ToCore::WalkEnd { walk: asked.walk });
        Stage::Sent
    }

    /// The core has consumed the walk: its clients learn what changed meanwhile, and are live.
    pub(super) fn handle_promote(&mut self, core: CoreId, id: WalkId) {
        let sent = &mut self.walks.sent;
        let is_it = |walk: &Walk| walk.asked.core == core && walk.asked.walk == id;
        let Some(place) = sent.iter().position(is_it) else {
            return;
        };
        let walk = sent.swap_remove(place);
        // A pre-image from before would not say what its clients are about to be told.
        self.flush();
        self.outbox.push(core, ToCore::Promoting { walk: id });
        let mut changes = Changes::new(self.seed);
        let scopes = self.scopes_of(&walk.asked);
        // In the order of slots: what goes out never hangs on hash order.
        let mut touched: Vec<_> = walk.touched.iter().collect();
        touched.sort_unstable_by_key(|(slot, _)| **slot);
        for (&slot, held) in touched {
            let scope = &scopes[self.table.entry(slot).family().index()];
            if !scope.is_empty() {
                self.present_state(&mut changes, slot, scope, true, held);
            }
        }
        self.emit(changes);
        for family in Family::ALL {
            self.live[family.index()].union_with(&scopes[family.index()]);
        }
        self.outbox.push(core, ToCore::Promoted { walk: id });
        self.end_walk(walk);
    }

    fn end_walk(&mut self, walk: Walk) {
        self.walks.sent.push(walk);
        self.clear_touched();
        self.walks.sent.pop();
    }

    /// A mark says that every walk has the prefix among its touched ones; without it, the next change
    /// tells them again, which does no harm.
    fn clear_touched(&mut self) {
        for slot in self.walks.sent.iter().flat_map(|walk| walk.touched.keys()) {
            self.table.entry_mut(*slot).marks.clear(Marks::TOUCHED);
        }
    }
}
