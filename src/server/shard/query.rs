//! Answers for the management plane: read-only, each bounded.

use crate::base::{ClientSet, ClientSlot, Family, Prefix, PrefixSlot, Time};
use crate::policy::kept_back;
use crate::rib::{Assigned, Assignments, Marks, MedMode, Path, Scope};
use crate::server::query::{
    Explanation, PathFate, PathRow, ShardQuery, ShardReply, ShardStats, Which,
};
use crate::wire::{NextHop, Variant, VariantFlags};

use super::refresh::Phases;
use super::{Shard, tables};

/// A piece of a client's routes ends when it has looked at so many prefixes and paths, whatever its limit of table
/// entries. Working out who has them is so many times the work.
const WORK_MAX: usize = 8_192;
const ASSIGNMENT_WORK: usize = 4;

impl Shard {
    pub(super) fn answer(&mut self, now: Time, query: &ShardQuery) -> ShardReply {
        match query {
            ShardQuery::Route { prefix } => ShardReply::Route(self.route(prefix)),
            ShardQuery::Routes {
                slot,
                which,
                cursor,
                limit,
            } => self.routes(*slot, *which, *cursor, *limit),
            ShardQuery::Search {
                filter,
                cursor,
                limit,
                rows_max,
            } => ShardReply::Found(self.search(filter, *cursor, *limit, *rows_max)),
            ShardQuery::Paths { cursor, limit } => self.all_paths(*cursor, *limit),
            ShardQuery::Explain { prefix, to } => ShardReply::Explain(self.explain(prefix, *to)),
            ShardQuery::Stats => ShardReply::Stats(Box::new(self.statistics())),
            ShardQuery::Generation => ShardReply::Generation(self.settled_generation()),
            ShardQuery::Watch(question) => ShardReply::Watched(self.watch.answer(now, question)),
            ShardQuery::Served { cursor, limit } => {
                ShardReply::Served(self.served(*cursor, *limit))
            }
            ShardQuery::Alike {
                which,
                cursor,
                limit,
            } => ShardReply::Alike(self.alike(*which, *cursor, *limit)),
            ShardQuery::Rehearse {
                rehearsal,
                cursor,
                limit,
            } => ShardReply::Rehearsed(Box::new(self.rehearse(rehearsal, *cursor, *limit))),
        }
    }

    fn route(&mut self, prefix: &Prefix) -> Vec<PathRow> {
        let Some(slot) = self.table.find(prefix) else {
            return Vec::new();
        };
        let live = self.live[prefix.family().index()].clone();
        let assignments = self.assignments(slot, &live);
        let paths = self.table.entry(slot).paths.clone();
        let advertised_to = |index: usize| {
            let of = |assigned: &[Assigned]| -> usize {
                assigned
                    .iter()
                    .filter(|a| usize::from(a.path) == index)
                    .map(|a| a.clients.count())
                    .sum()
            };
            (of(&assignments.best) + of(&assignments.all)) as u32
        };
        let row = |(index, path): (usize, &Path)| PathRow {
            advertised_to: advertised_to(index),
            ..self.row(slot, path)
        };
        paths.iter().enumerate().map(row).collect()
    }

    fn routes(
        &mut self,
        client: ClientSlot,
        which: Which,
        cursor: PrefixSlot,
        limit: u32,
    ) -> ShardReply {
        let mut rows = Vec::new();
        if !self.settle_for_watch() {
            let next = Some(cursor);
            return ShardReply::Routes { rows, next };
        }
        let end = cursor.0.saturating_add(limit).min(self.table.slot_count());
        let (mut next, mut work) = (cursor, 0);
        while next.0 < end && work < WORK_MAX {
            let slot = next;
            next = PrefixSlot(slot.0 + 1);
            let paths = &self.table.entry(slot).paths;
            work += 1 + paths.len();
            match which {
                Which::Advertised => {
                    work += (ASSIGNMENT_WORK - 1) * (1 + paths.len());
                    self.advertised(slot, client, &mut rows);
                }
                _ => {
                    let wanted = |path: &&Path| path.announcer == client && is_wanted(path, which);
                    rows.extend(paths.iter().filter(wanted).map(|path| self.row(slot, path)));
                }
            }
        }
        let next = (next.0 < self.table.slot_count()).then_some(next);
        ShardReply::Routes { rows, next }
    }

    /// Who watches is told of what differs from before: rows must not be ahead of that. False: not now.
    fn settle_for_watch(&mut self) -> bool {
        if !self.watch.is_on() || self.pending.is_empty() {
            return true;
        }
        let has_room = !self.outbox.is_full();
        if has_room {
            self.flush();
        }
        has_room
    }

    fn all_paths(&mut self, cursor: PrefixSlot, limit: u32) -> ShardReply {
        let mut rows = Vec::new();
        if !self.settle_for_watch() {
            let next = Some(cursor);
            return ShardReply::Routes { rows, next };
        }
        let end = cursor.0.saturating_add(limit).min(self.table.slot_count());
        let mut next = cursor;
        // A prefix that many announce is whole, and the last one then.
        while next.0 < end && rows.len() < limit as usize {
            let paths = self.table.entry(next).paths.iter();
            rows.extend(paths.map(|path| self.row(next, path)));
            next = PrefixSlot(next.0 + 1);
        }
        let next = (next.0 < self.table.slot_count()).then_some(next);
        ShardReply::Routes { rows, next }
    }

    fn advertised(&mut self, slot: PrefixSlot, client: ClientSlot, rows: &mut Vec<PathRow>) {
        let entry = self.table.entry(slot);
        if entry.paths.is_empty() || !self.live[entry.family().index()].contains(client) {
            return;
        }
        let scope = self.scope_of(&ClientSet::only(client), entry.family());
        let assignments = self.assignments(slot, &scope);
        let paths = &self.table.entry(slot).paths;
        let row = |assigned: &Assigned, with_id: bool| {
            let path = &paths[usize::from(assigned.path)];
            let path_id = with_id.then(|| crate::base::PathId::of(path.announcer));
            PathRow {
                variant: assigned.variant,
                path_id,
                ..self.row(slot, path)
            }
        };
        rows.extend(assignments.best.iter().map(|assigned| row(assigned, false)));
        rows.extend(assignments.all.iter().map(|assigned| row(assigned, true)));
    }

    fn explain(&mut self, prefix: &Prefix, to: ClientSlot) -> Explanation {
        let family = prefix.family();
        let live = self.live[family.index()].contains(to);
        let Some(slot) = self.table.find(prefix) else {
            return Explanation {
                paths: Vec::new(),
                live,
            };
        };
        let up = self
            .announcers
            .get(to.index())
            .and_then(|announcer| announcer.up.clone());
        let negotiated = up.as_ref().is_none_or(|up| up.families.contains(family));
        let mut scope = self.scope_of(&ClientSet::only(to), family);
        if up.is_none() {
            // Not up: what it would have.
            scope.best.insert(to);
        }
        let assignments = self.assignments(slot, &scope);
        let paths = self.table.entry(slot).paths.clone();
        let fates = self.fates(slot, to, &paths, &assignments, negotiated);
        let row = |(path, (variant, fate)): (&Path, (Variant, PathFate))| {
            (
                PathRow {
                    variant,
                    ..self.row(slot, path)
                },
                fate,
            )
        };
        Explanation {
            paths: paths.iter().zip(fates).map(row).collect(),
            live,
        }
    }

    fn fates(
        &mut self,
        slot: PrefixSlot,
        to: ClientSlot,
        paths: &[Path],
        assignments: &Assignments,
        negotiated: bool,
    ) -> Vec<(Variant, PathFate)> {
        let best = assignments
            .best
            .first()
            .map(|assigned| usize::from(assigned.path));
        let mut fates = Vec::with_capacity(paths.len());
        for (index, path) in paths.iter().enumerate() {
            let variant = self.variant_for(path, to);
            let additional = assignments
                .all
                .iter()
                .any(|assigned| usize::from(assigned.path) == index);
            let fate = match variant {
                _ if !path.verdict.is_accepted() => Some(PathFate::Rejected),
                _ if path.announcer == to => Some(PathFate::Own),
                None => Some(self.kept_from(path, to)),
                _ if !negotiated => Some(PathFate::FamilyNotNegotiated),
                _ if additional => Some(PathFate::Additional),
                _ if best == Some(index) => Some(PathFate::Best(None)),
                Some(variant) if !self.takes_stale(to, variant) => Some(PathFate::LongLived),
                _ if !self.takes_next_hop(slot, to, path) => Some(PathFate::NextHopForm),
                _ if best.is_none() || self.is_too_long(slot, to, path) => Some(PathFate::TooLong),
                _ => None,
            };
            fates.push((variant.unwrap_or_default(), fate));
        }
        self.told_why(self.entry_med(slot), paths, fates)
    }

    /// Why the client is in no audience of an accepted path.
    fn kept_from(&self, path: &Path, to: ClientSlot) -> PathFate {
        let exchange = &self.exchange;
        let class = self.eligibilities.eligibility(path.eligibility).class;
        let set = self.sets.set(path.set);
        let actions = exchange.scheme.actions(set, &exchange.directory);
        let why = kept_back(path.announcer, &actions, class, to, &exchange.directory);
        // In the middle of a reload the path may not have been judged again yet.
        why.map_or(PathFate::Unsettled, PathFate::NotInAudience)
    }

    /// Whether the client takes the path in view of how old it is.
    fn takes_stale(&self, to: ClientSlot, variant: Variant) -> bool {
        let up = self.announcers.get(to.index());
        let up = up.and_then(|announcer| announcer.up.as_ref());
        !variant.flags.contains(VariantFlags::LLGR_STALE) || up.is_none_or(|up| up.takes_stale)
    }

    /// Whether the client takes next hops of this kind for this family.
    fn takes_next_hop(&self, slot: PrefixSlot, to: ClientSlot, path: &Path) -> bool {
        let is_v4 = self.table.entry(slot).family() == Family::Ipv4;
        let next_hop = self.sets.set(path.set).next_hop();
        let up = self.announcers.get(to.index());
        let up = up.and_then(|announcer| announcer.up.as_ref());
        matches!(next_hop, NextHop::V4(_)) || !is_v4 || up.is_none_or(|up| up.class.v6_next_hops)
    }

    /// Whether the client could not have the path if it were the only one.
    fn is_too_long(&mut self, slot: PrefixSlot, to: ClientSlot, path: &Path) -> bool {
        let family = self.table.entry(slot).family();
        let med = self.entry_med(slot);
        let mut scope = Scope::default();
        scope.best.insert(to);
        let alone = tables!(self).assign(std::slice::from_ref(path), family, med, &scope);
        alone.best.is_empty()
    }

    /// Says which step decided against those that are `None`, and for the best one.
    fn told_why(
        &self,
        med: MedMode,
        paths: &[Path],
        fates: Vec<(Variant, Option<PathFate>)>,
    ) -> Vec<(Variant, PathFate)> {
        let decision = self.decision(med);
        let with_fate = || paths.iter().zip(&fates);
        let candidate = |(path, (variant, _)): (_, &(Variant, _))| (path, variant.prepend);
        let best = with_fate()
            .find(|(_, (_, fate))| *fate == Some(PathFate::Best(None)))
            .map(candidate);
        let eligible: Vec<_> = with_fate()
            .filter(|(_, (_, fate))| matches!(fate, None | Some(PathFate::Best(_))))
            .map(candidate)
            .collect();
        let step_against = |path, variant: &Variant| {
            best.map(|best| decision.decided_by(best, (path, variant.prepend), &eligible))
        };
        // The step that took out the last of the others.
        let decided = with_fate()
            .filter(|(_, (_, fate))| fate.is_none())
            .filter_map(|(path, (variant, _))| step_against(path, variant))
            .max();
        let told = |(path, (variant, fate)): (_, &(Variant, Option<PathFate>))| {
            let fate = match fate {
                Some(PathFate::Best(_)) => PathFate::Best(decided),
                Some(fate) => *fate,
                None => step_against(path, variant).map_or(PathFate::TooLong, PathFate::Lost),
            };
            (*variant, fate)
        };
        with_fate().map(told).collect()
    }

    /// The variant in which the client may have the path, if it may.
    fn variant_for(&self, path: &Path, to: ClientSlot) -> Option<Variant> {
        let eligibility = self.eligibilities.eligibility(path.eligibility);
        eligibility
            .audiences
            .iter()
            .find(|(_, audience)| audience.contains(to))
            .map(|(variant, _)| *variant)
    }

    pub(super) fn assignments(&mut self, slot: PrefixSlot, scope: &Scope) -> Assignments {
        let entry = self.table.entry(slot);
        let med = self.med_modes[usize::from(entry.marks.contains(Marks::SECOND_MODE))];
        tables!(self).assign(&entry.paths, entry.family(), med, scope)
    }

    pub(super) fn row(&self, slot: PrefixSlot, path: &Path) -> PathRow {
        PathRow {
            prefix: self.table.prefix(slot),
            announcer: path.announcer,
            class: self.eligibilities.eligibility(path.eligibility).class,
            set: self.sets.set(path.set).clone(),
            variant: Variant::default(),
            path_id: None,
            is_stale: self.is_stale(path, self.table.entry(slot).family()),
            advertised_to: 0,
        }
    }

    fn statistics(&self) -> ShardStats {
        let (classes, variants) = self.eligibilities.kinds();
        ShardStats {
            shard: self.shard,
            attribute_sets: self.sets.len() as u64,
            attribute_octets: self.sets.octets() as u64,
            audiences: self.eligibilities.audience_count() as u64,
            eligibilities: self.eligibilities.len() as u64,
            classes: classes as u64,
            variants: variants as u64,
            pending: self.pending.len() as u64,
            window: self.flush_window,
            free_slots: self.table.free_count() as u64,
            dead_prefixes: self.dead_count() as u64,
            counts: self
                .announcers
                .iter()
                .map(|announcer| announcer.phases.each_ref().map(Phases::total))
                .collect(),
            stale: self.stale_counts(),
            generation: self.exchange.generation,
            ..self.stats.clone()
        }
    }
}

/// What quarantine alone holds back is shown with the accepted ones: import would accept it.
pub(super) fn is_wanted(path: &Path, which: Which) -> bool {
    let passes = path.verdict.passes_import();
    match which {
        Which::Received => true,
        Which::Accepted => passes,
        Which::Rejected => !passes,
        Which::Advertised => false,
    }
}
