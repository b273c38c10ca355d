//! What another generation would make of the table: paths newly rejected and accepted, clients that
//! would lose their last path of a prefix. Looks, and changes nothing. Whether a client would be told of
//! a path anew, because another one is its best or the same comes with other communities, is not asked.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::base::{ClientSet, ClientSlot, Family, PrefixSlot};
use crate::policy::{ControlScheme, PrefixClass, RejectReason, SetJudgement, Verdict, audiences};
use crate::rib::{EligibilityId, Path, SetId, Tables};
use crate::server::query::{Loss, Rehearsal, Rehearsed};
use crate::wire::AttributeSet;

use super::{Shard, tables};

/// A piece ends when it has cost so much, whatever its limit of entries: some milliseconds.
const WORK_MAX: usize = 65_536;
/// What is found once in a piece, in units of one path looked at.
const WORK_OF_MEMO: usize = 8;

/// One piece under way. What is worked out for one path is kept for those like it.
struct Piece<'a> {
    rehearsal: &'a Rehearsal,
    /// For the length of paths on their way out under the other generation's scheme.
    version_then: u32,
    /// Clients that changes reach, by family.
    live: [ClientSet; 2],
    /// Those that would not be kept down: what they may lose counts.
    concerned: [ClientSet; 2],
    /// Of these, those that would be clients still.
    staying: [ClientSet; 2],
    heard: FxHashMap<(ClientSlot, SetId), Option<Heard>>,
    has: FxHashMap<(SetId, EligibilityId, Family), ClientSet>,
    would_have: FxHashMap<(ClientSlot, SetId, PrefixClass, Family), ClientSet>,
    found: Rehearsed,
    /// By slot.
    lost: Vec<u64>,
    gained: Vec<u64>,
    work: usize,
}

/// A held set as the other generation hears it, and what it comes to.
#[derive(Clone)]
struct Heard {
    set: Arc<AttributeSet>,
    of_set: SetJudgement,
}

/// What becomes of one prefix, or of many that are alike.
#[derive(Default)]
struct Outcome {
    accepted: u64,
    served: u64,
    newly_rejected: SmallVec<[(ClientSlot, Loss); 4]>,
    newly_accepted: SmallVec<[(ClientSlot, RejectReason); 4]>,
    lost: ClientSet,
    gained: ClientSet,
}

impl Shard {
    pub(super) fn rehearse(
        &mut self,
        rehearsal: &Rehearsal,
        cursor: PrefixSlot,
        limit: u32,
    ) -> Rehearsed {
        if self.sweep.is_of_reload() || rehearsal.since != self.exchange.generation {
            return Rehearsed {
                next: Some(cursor),
                ..Rehearsed::default()
            };
        }
        let live = (self.live.each_ref()).map(|scope| scope.best.union(&scope.all));
        let reach = &rehearsal.reach;
        let concerned = live
            .each_ref()
            .map(|live| live.difference(&reach.kept_down));
        let staying = concerned
            .each_ref()
            .map(|concerned| concerned.difference(&reach.removed));
        let mut piece = Piece {
            rehearsal,
            version_then: self.version_then(&rehearsal.exchange.scheme),
            live,
            concerned,
            staying,
            heard: FxHashMap::default(),
            has: FxHashMap::default(),
            would_have: FxHashMap::default(),
            found: Rehearsed::default(),
            lost: vec![0; self.announcers.len()],
            gained: vec![0; self.announcers.len()],
            work: 0,
        };
        let last = cursor.0.saturating_add(limit).min(self.table.slot_count());
        let mut slot = cursor.0;
        // Many prefixes in a row have the same paths, and the same comes of them.
        let mut alike: Option<(PrefixSlot, Outcome, u64)> = None;
        while slot < last && piece.work < WORK_MAX {
            let next = PrefixSlot(slot);
            slot += 1;
            piece.work += 1;
            match &mut alike {
                Some((before, _, count)) if self.is_alike(rehearsal, *before, next) => *count += 1,
                _ => {
                    let outcome = self.rehearse_entry(&mut piece, next);
                    if let Some((_, outcome, count)) = alike.replace((next, outcome, 1)) {
                        piece.note(&outcome, count);
                    }
                }
            }
        }
        if let Some((_, outcome, count)) = alike {
            piece.note(&outcome, count);
        }
        Rehearsed {
            next: (slot < self.table.slot_count()).then_some(PrefixSlot(slot)),
            ..piece.finish()
        }
    }

    /// Whether the same becomes of both: their paths are the same, and not judged by the prefix.
    fn is_alike(&self, rehearsal: &Rehearsal, a: PrefixSlot, b: PrefixSlot) -> bool {
        let (a, b) = (self.table.entry(a), self.table.entry(b));
        let reach = &rehearsal.reach;
        let by_prefix = |path: &Path| {
            let by_rov = |(_, clients): &(_, ClientSet)| clients.contains(path.announcer);
            reach.judge_again.contains(path.announcer) || reach.rov.as_ref().is_some_and(by_rov)
        };
        a.family() == b.family() && a.paths == b.paths && !b.paths.iter().any(by_prefix)
    }

    fn rehearse_entry(&mut self, piece: &mut Piece<'_>, slot: PrefixSlot) -> Outcome {
        let mut outcome = Outcome::default();
        let entry = self.table.entry(slot);
        let (family, count) = (entry.family(), entry.paths.len());
        piece.work += count;
        let reach = &piece.rehearsal.reach;
        let rov_changed = reach.rov.as_ref().is_some_and(|(blocks, _)| {
            let prefix = self.table.prefix(slot);
            blocks.touches(&prefix)
        });
        let (mut has, mut would_have) = (ClientSet::new(), ClientSet::new());
        for index in 0..count {
            let path = &{ self.table.entry(slot).paths[index] };
            if !self.is_alive(path, family) {
                continue;
            }
            let was_accepted = path.verdict.is_accepted();
            if was_accepted {
                outcome.accepted += 1;
                has.union_with(self.has(piece, path, family));
            }
            match (
                was_accepted,
                self.class_then(piece, path, slot, rov_changed),
            ) {
                (true, Err(loss)) => outcome.newly_rejected.push((path.announcer, loss)),
                (false, Err(_)) => {}
                (_, Ok(class)) => {
                    if let (false, Verdict::Rejected(reason)) = (was_accepted, path.verdict) {
                        outcome.newly_accepted.push((path.announcer, reason));
                    }
                    would_have.union_with(self.would_have(piece, path, class, family));
                }
            }
        }
        has.intersect_with(&piece.live[family.index()]);
        outcome.served = has.count() as u64;
        has.intersect_with(&piece.concerned[family.index()]);
        would_have.intersect_with(&piece.staying[family.index()]);
        outcome.lost = has.difference(&would_have);
        outcome.gained = would_have.difference(&has);
        outcome
    }

    /// The class of an accepted path under the other generation, or why it would be none.
    fn class_then(
        &self,
        piece: &mut Piece<'_>,
        path: &Path,
        slot: PrefixSlot,
        rov_changed: bool,
    ) -> Result<PrefixClass, Loss> {
        let Rehearsal {
            exchange, reach, ..
        } = piece.rehearsal;
        let announcer = path.announcer;
        if reach.removed.contains(announcer) {
            return Err(Loss::Removed);
        }
        if reach.kept_down.contains(announcer) {
            return Err(Loss::KeptDown);
        }
        let by_rov = |(_, clients): &(_, ClientSet)| clients.contains(announcer);
        let is_judged_again = reach.judge_again.contains(announcer)
            || rov_changed && reach.rov.as_ref().is_some_and(by_rov);
        let class = match is_judged_again {
            false => self.eligibilities.eligibility(path.eligibility).class,
            true => {
                let client = exchange.client(announcer).ok_or(Loss::Removed)?;
                let heard = self.heard_then(piece, path);
                let heard = heard.as_ref().ok_or(Loss::Withdrawn)?;
                let prefix = self.table.prefix(slot);
                let judged = (client.import).judge(&heard.of_set, &prefix, &exchange.outside);
                let is_long_lived =
                    judged.is_long_lived() || self.is_long_lived(path, prefix.family());
                self.blocked_or(announcer, &prefix, judged.with_long_lived(is_long_lived))
            }
        };
        match class.verdict() {
            Verdict::Accepted => Ok(class),
            Verdict::Rejected(reason) => Err(Loss::Rejected(reason)),
        }
    }

    /// A client's set as the other generation hears it; `None`: as a withdrawal.
    fn heard_then<'p>(&self, piece: &'p mut Piece<'_>, path: &Path) -> &'p Option<Heard> {
        let exchange = &piece.rehearsal.exchange;
        let work = &mut piece.work;
        let hear = || {
            *work += WORK_OF_MEMO;
            let client = exchange.client(path.announcer)?;
            let set = self.heard_under(&exchange.scheme, client, self.sets.set(path.set))?;
            let of_set = client.import.check_attributes(&set, &exchange.outside);
            Some(Heard { set, of_set })
        };
        (piece.heard.entry((path.announcer, path.set))).or_insert_with(hear)
    }

    /// Who can have the path at present.
    fn has<'p>(&mut self, piece: &'p mut Piece<'_>, path: &Path, family: Family) -> &'p ClientSet {
        let work = &mut piece.work;
        let reach = || {
            *work += WORK_OF_MEMO;
            let eligibility = self.eligibilities.eligibility(path.eligibility);
            let version = eligibility.scheme_version;
            tables!(self).reach(path, &eligibility.audiences, family, version)
        };
        let key = (path.set, path.eligibility, family);
        piece.has.entry(key).or_insert_with(reach)
    }

    /// A version for the other generation's scheme: the present one where they are the same; else one
    /// that no generation has, no other piece has, and that leaves what is known of the present alone.
    fn version_then(&mut self, scheme: &ControlScheme) -> u32 {
        let present = self.versions.scheme;
        if *self.exchange.scheme == *scheme {
            return present;
        }
        self.rehearsed_count = (self.rehearsed_count + 1) % (u32::MAX / 4);
        u32::MAX - 2 * self.rehearsed_count - present % 2
    }

    /// Who could have it under the other generation, with the communities that it would come with.
    fn would_have<'p>(
        &mut self,
        piece: &'p mut Piece<'_>,
        path: &Path,
        class: PrefixClass,
        family: Family,
    ) -> &'p ClientSet {
        let Rehearsal {
            exchange, reach, ..
        } = piece.rehearsal;
        let heard = piece.heard.get(&(path.announcer, path.set));
        let heard = heard.and_then(Option::as_ref).map(|heard| &heard.set);
        let other = heard.filter(|heard| !Arc::ptr_eq(heard, self.sets.set(path.set)));
        let held = self.eligibilities.eligibility(path.eligibility).class;
        if other.is_none() && held == class && !reach.audiences {
            return self.has(piece, path, family);
        }
        let (work, version) = (&mut piece.work, piece.version_then);
        let reach = || {
            *work += WORK_OF_MEMO;
            let set = other.unwrap_or_else(|| self.sets.set(path.set));
            let actions = exchange.scheme.actions(set, &exchange.directory);
            let tags = exchange.scheme.tags_of(class);
            let audiences = audiences(path.announcer, &actions, class, tags, &exchange.directory);
            let other = other.map(|set| self.sets.intern(set, path.announcer));
            let set = other.unwrap_or(path.set);
            let mut tables = Tables {
                scrubs: [exchange.scheme.export_scrub(); 2],
                ..tables!(self)
            };
            let reached = tables.reach(&Path { set, ..*path }, &audiences, family, version);
            other.into_iter().for_each(|set| self.sets.release(set));
            reached
        };
        let key = (path.announcer, path.set, class, family);
        piece.would_have.entry(key).or_insert_with(reach)
    }
}

impl Piece<'_> {
    fn note(&mut self, outcome: &Outcome, count: u64) {
        let found = &mut self.found;
        found.accepted += outcome.accepted * count;
        found.served += outcome.served * count;
        for key in &outcome.newly_rejected {
            *found.newly_rejected.entry(*key).or_default() += count;
        }
        for key in &outcome.newly_accepted {
            *found.newly_accepted.entry(*key).or_default() += count;
        }
        (outcome.lost.iter()).for_each(|slot| self.lost[slot.index()] += count);
        (outcome.gained.iter()).for_each(|slot| self.gained[slot.index()] += count);
        self.work += (outcome.lost.count() + outcome.gained.count()) / 32;
    }

    fn finish(self) -> Rehearsed {
        let by_client = |counts: Vec<u64>| {
            let counts = (0..).map(ClientSlot).zip(counts);
            counts.filter(|(_, count)| *count > 0).collect()
        };
        Rehearsed {
            lost: by_client(self.lost),
            gained: by_client(self.gained),
            ..self.found
        }
    }
}
