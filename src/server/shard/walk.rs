//! Walks over the whole table for clients that join or refresh.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::base::{
    ClientSet, ClientSlot, CoreId, Family, FamilySet, PathId, PrefixSlot, Time, WalkId,
};
use crate::rib::{Changes, Marks, Scope};
use crate::server::message::ToCore;

use super::{Shard, flush::build_batch};

/// Table entries that one turn of a walk looks at.
const PIECE_ENTRIES: u32 = 16_384;

/// Walks asked for, the one under way, and those whose streams are out. The next one does not wait
/// for the promotions of the last: cores would wait for each other, each served by another shard.
#[derive(Default)]
pub(super) struct Walks {
    /// Parts of the walk that every core asks for; it waits for the last.
    joint: Option<Request>,
    queued: VecDeque<Request>,
    active: Option<Walk>,
    /// Waiting for the cores' Promote.
    sent: Vec<Walk>,
}

/// What the cores asked for that it is for: one of them, or all together.
struct Request {
    parts: Vec<Part>,
    families: FamilySet,
}

/// One core's clients in a walk.
pub(super) struct Part {
    pub core: CoreId,
    pub walk: WalkId,
    pub clients: ClientSet,
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
    pub(super) fn queue(&mut self, part: Part, families: FamilySet) {
        let parts = vec![part];
        self.queued.push_back(Request { parts, families });
    }

    /// A part of the walk of all cores.
    pub(super) fn join(&mut self, part: Part, families: FamilySet, core_count: u16) {
        let joint = self.joint.get_or_insert_with(|| Request {
            parts: Vec::new(),
            families: FamilySet::EMPTY,
        });
        joint.parts.push(part);
        joint.families = joint.families.union(families);
        if joint.parts.len() == usize::from(core_count.max(1)) {
            self.queued.extend(self.joint.take());
        }
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
        let waiting = self.queued.iter_mut().chain(&mut self.joint);
        waiting.for_each(|request| request.remove(slot));
        for walk in self.all_mut() {
            walk.asked.remove(slot);
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

impl Request {
    fn remove(&mut self, slot: ClientSlot) {
        for part in &mut self.parts {
            part.clients.remove(slot);
        }
    }

    fn clients(&self) -> ClientSet {
        let mut all = ClientSet::new();
        self.parts
            .iter()
            .for_each(|part| all.union_with(&part.clients));
        all
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
            Stage::Sent => self.part_walk(walk),
            _ => self.walks.active = Some(walk),
        }
    }

    /// From here on each core's part goes its own way.
    fn part_walk(&mut self, walk: Walk) {
        let families = walk.asked.families;
        for part in walk.asked.parts {
            let asked = Request {
                parts: vec![part],
                families,
            };
            self.walks.sent.push(Walk {
                scopes: self.scopes_of(&asked),
                asked,
                stage: Stage::Sent,
                touched: walk.touched.clone(),
            });
        }
    }

    /// Takes the clients of the walk that was asked for first out of the live ones. Walks of several
    /// cores are put together only where all shards are sure to do it alike; otherwise it would split
    /// the packing.
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
        let clients = asked.clients();
        Family::ALL.map(|family| match asked.families.contains(family) {
            true => self.scope_of(&clients, family),
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
        let first_group = changes.groups().len();
        // What one prefix comes to, the next one often does as well.
        let mut last: Option<(PrefixSlot, Range<usize>)> = None;
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
            match &last {
                Some((before, records)) if entry.is_like(self.table.entry(*before)) => {
                    changes.repeat(records.clone(), slot);
                }
                _ => {
                    let scope = &scopes[family.index()];
                    self.present_state(&mut changes, slot, scope, false, &[]);
                    last = Some((slot, from..changes.len()));
                }
            }
        }
        // Groups outlive the paths: each holds its set until all is sent.
        for set in changes.groups()[first_group..]
            .iter()
            .filter_map(|group| group.set)
        {
            self.sets.retain(set);
        }
        if end < self.table.slot_count() {
            return Stage::Gather {
                cursor: end,
                changes,
            };
        }
        match self.exchange.shard_count {
            1 => changes.sort_as_they_came(),
            _ => changes.sort(),
        }
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
            from = end;
            self.stats.deltas_out += batch.prefixes.len() as u64;
            let batch = Arc::new(batch);
            for part in &asked.parts {
                let (walk, batch) = (part.walk, batch.clone());
                self.outbox
                    .push(part.core, ToCore::WalkDeltas { walk, batch });
            }
        }
        if from < changes.len() {
            return Stage::Send { from, changes };
        }
        for set in changes.groups().iter().filter_map(|group| group.set) {
            self.sets.release(set);
        }
        for part in &asked.parts {
            self.outbox
                .push(part.core, ToCore::WalkEnd { walk: part.walk });
        }
        Stage::Sent
    }

    /// The core has consumed the walk: its clients learn what changed meanwhile, and are live.
    pub(super) fn handle_promote(&mut self, core: CoreId, id: WalkId) {
        let sent = &mut self.walks.sent;
        let is_it = |walk: &Walk| {
            let parts = &walk.asked.parts;
            parts
                .iter()
                .any(|part| part.core == core && part.walk == id)
        };
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
        self.emit(changes, Time::NEVER);
        for family in Family::ALL {
            self.live[family.index()].union_with(&scopes[family.index()]);
        }
        (scopes.iter()).for_each(|scope| {
            self.watch_live(&scope.best);
            self.watch_live(&scope.all);
        });
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
