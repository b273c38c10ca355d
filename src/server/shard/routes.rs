//! Announcements and withdrawals of clients, and the prefix limits that follow from them.

use std::sync::Arc;

use crate::base::{ClientSlot, Family, Prefix, PrefixSlot, SessionEpoch};
use crate::policy::{
    ControlScheme, ImportPolicy, PrefixClass, RejectReason, SetJudgement, Verdict,
};
use crate::rib::{EligibilityId, Marks, Path, Rank, Request, SetId, Stamp};
use crate::server::exchange::Client;
use crate::server::message::{CountChange, RouteBatch, ToCore};
use crate::wire::{AttributeSet, Facts, HeardAgain};

use super::{PreImage, Shard};

/// One attribute set of one UPDATE on its way into the table; holds references.
struct Announced {
    announcer: ClientSlot,
    set: SetId,
    facts: Facts,
    /// Of the prefix before.
    last: Option<(PrefixClass, EligibilityId)>,
}

impl Shard {
    pub(super) fn handle_routes(&mut self, batch: RouteBatch) {
        let Some(announcer) = self.announcers.get(batch.slot.index()) else {
            return;
        };
        if announcer.up.is_none() || announcer.epoch != batch.epoch.0 {
            return;
        }
        // One that is configured no more loses its session as soon as its core hears of it.
        let Some(client) = self.exchange.client(batch.slot).cloned() else {
            return;
        };
        let judge_again = batch.generation < self.exchange.generation;
        let mut counts: Vec<CountChange> = Vec::with_capacity(batch.updates.len());
        for update in &batch.updates {
            let mut change = CountChange {
                seq: update.seq,
                ..CountChange::default()
            };
            let prefixes =
                &batch.prefixes[update.prefixes.start as usize..update.prefixes.end as usize];
            self.stats.routes_in += prefixes.len() as u64;
            let heard;
            let set = match &update.set {
                Some(set) if judge_again => {
                    heard = self.heard_again(&client, set);
                    heard.as_ref()
                }
                set => set.as_ref(),
            };
            match set {
                Some(set) => {
                    let again = judge_again.then_some(&*client.import);
                    self.announce_all(batch.slot, set, prefixes, again, &mut change);
                }
                None => prefixes
                    .iter()
                    .for_each(|(prefix, _)| self.withdraw(batch.slot, prefix, &mut change)),
            }
            if set.is_none() && update.set.is_some() {
                // Withdrawn for a new setting, not by the client.
                change.duplicate_withdrawals = 0;
            }
            let duplicates = change.duplicate_announcements + change.duplicate_withdrawals;
            change.has_news = (duplicates as usize) < prefixes.len();
            match counts.last_mut().filter(|last| last.seq == change.seq) {
                Some(last) => last.add(&change),
                None => counts.push(change),
            }
        }
        if !self.pending.is_empty() {
            self.heard = self.heard.min(batch.heard);
        }
        self.tell_counts(batch.slot, batch.epoch, counts);
        self.check_budget(&client, batch.epoch);
    }

    /// Tells a client's core how its counts changed.
    pub(super) fn tell_counts(
        &mut self,
        slot: ClientSlot,
        epoch: SessionEpoch,
        counts: Vec<CountChange>,
    ) {
        if let Some(client) = self.exchange.client(slot) {
            let message = ToCore::Counts {
                slot,
                epoch,
                counts,
            };
            self.outbox.push(client.core, message);
        }
    }

    /// Each shard watches over its part of a client's budget: prefixes are spread evenly. In the middle
    /// of a reload a client is charged for what was as well as for what will be, and while dead paths are
    /// swept for those too: both are asked again afterwards.
    fn check_budget(&mut self, client: &Client, epoch: SessionEpoch) {
        if self.sweep.is_of_reload() || self.sweep.is_untold() {
            return;
        }
        let slot = client.slot;
        let Some(max) = client.attribute_octets_max else {
            return;
        };
        if self.sheds_stale(slot, max) {
            return;
        }
        let share = max as usize / usize::from(self.exchange.shard_count);
        let octets = self.sets.charge_of(slot) + self.eligibilities.charge_of(slot);
        let announcer = &mut self.announcers[slot.index()];
        if octets > share && !std::mem::replace(&mut announcer.is_over_budget, true) {
            let over = ToCore::OverBudget {
                slot,
                epoch,
                octets: octets as u64,
            };
            self.outbox.push(client.core, over);
        }
    }

    /// What was put off while a reload was under way.
    pub(super) fn check_budgets(&mut self) {
        let exchange = self.exchange.clone();
        for client in exchange.clients() {
            let announcer = &self.announcers[client.slot.index()];
            if announcer.up.is_some() {
                self.check_budget(client, SessionEpoch(announcer.epoch));
            }
        }
    }

    fn announce_all(
        &mut self,
        slot: ClientSlot,
        set: &Arc<AttributeSet>,
        prefixes: &[(Prefix, PrefixClass)],
        again: Option<&ImportPolicy>,
        change: &mut CountChange,
    ) {
        let exchange = self.exchange.clone();
        let outside = &exchange.outside;
        let judge = |import: &ImportPolicy| import.check_attributes(set, outside);
        let again: Option<(&ImportPolicy, SetJudgement)> =
            again.map(|import| (import, judge(import)));
        let mut announced = Announced {
            announcer: slot,
            set: self.sets.intern(set, slot),
            facts: set.facts(),
            last: None,
        };
        for (prefix, class) in prefixes {
            let class = match &again {
                Some((import, of_set)) => import.judge(of_set, prefix, outside),
                None => *class,
            };
            self.announce(&mut announced, prefix, class, change);
        }
        self.sets.release(announced.set);
        if let Some((_, eligibility)) = announced.last {
            self.eligibilities.release(eligibility);
        }
    }

    /// The set as the present generation hears it; `None`: as a withdrawal.
    pub(super) fn heard_again(
        &self,
        client: &Client,
        set: &Arc<AttributeSet>,
    ) -> Option<Arc<AttributeSet>> {
        self.heard_under(&self.exchange.scheme, client, set)
    }

    /// The set as a client's settings hear it, of whatever generation.
    pub(super) fn heard_under(
        &self,
        scheme: &ControlScheme,
        client: &Client,
        set: &Arc<AttributeSet>,
    ) -> Option<Arc<AttributeSet>> {
        let heard = set.hear_again(
            self.seed,
            &client.discard,
            &client.treat_as_withdraw,
            client.import.link_locals(),
            scheme.import_scrub(),
        );
        match heard {
            HeardAgain::Same => Some(set.clone()),
            HeardAgain::Without(set) => Some(Arc::new(set)),
            HeardAgain::Withdrawn => None,
        }
    }

    /// Takes a reference on the eligibility of the announcer's paths with this set and class.
    pub(super) fn intern_eligibility(
        &mut self,
        announcer: ClientSlot,
        set: SetId,
        class: PrefixClass,
    ) -> EligibilityId {
        if !class.is_accepted() {
            return self.eligibilities.intern_nobody(class);
        }
        let exchange = &self.exchange;
        let actions = self.sets.actions(set, self.versions.eligibility, |set| {
            exchange.scheme.actions(set, &exchange.directory)
        });
        let tags = self.tags.entry(class);
        let request = Request {
            announcer,
            actions,
            class,
            tags: *tags.or_insert_with(|| exchange.scheme.tags_of(class)),
        };
        (self.eligibilities).intern(request, self.versions, &exchange.directory)
    }

    /// The eligibility of what is announced; prefixes that come together mostly are of one class.
    fn eligibility_of(&mut self, announced: &mut Announced, class: PrefixClass) -> EligibilityId {
        match announced.last {
            Some((known, eligibility)) if known == class => eligibility,
            last => {
                let eligibility =
                    self.intern_eligibility(announced.announcer, announced.set, class);
                if let Some((_, before)) = last {
                    self.eligibilities.release(before);
                }
                announced.last = Some((class, eligibility));
                eligibility
            }
        }
    }

    fn announce(
        &mut self,
        announced: &mut Announced,
        prefix: &Prefix,
        class: PrefixClass,
        change: &mut CountChange,
    ) {
        let announcer = announced.announcer;
        let slot = self.table.find_or_insert(prefix);
        let family = prefix.family();
        let stamp = self.stamp(announcer, family);
        let old = self
            .table
            .entry(slot)
            .paths
            .iter()
            .find(|path| path.announcer == announcer)
            .copied();
        let alive = old.filter(|old| self.is_of_session(old, family));
        if let Some(old) = old.filter(|old| self.is_stale(old, family)) {
            self.recount_stale(&old, family, None);
        }
        self.count(
            announcer,
            family,
            alive.map(|old| (old.verdict, old.stamp)),
            Some((class.verdict(), stamp)),
            change,
        );
        let is_duplicate = old.is_some_and(|old| old.set == announced.set && old.stamp == stamp);
        change.duplicate_announcements += u32::from(is_duplicate);
        let class = self.blocked_or(announcer, prefix, class);
        let path = Path {
            set: announced.set,
            eligibility: self.eligibility_of(announced, class),
            rank: Rank::of(announced.facts, class.is_long_lived()),
            announcer,
            verdict: class.verdict(),
            stamp,
        };
        if old.is_some_and(|old| Path { stamp, ..old } == path) {
            return self.restamp(slot, announcer, stamp);
        }
        self.keep_pre_image(slot);
        if self.table.entry(slot).paths.is_empty() {
            self.adopt_med_mode(slot);
        }
        self.remove_path(slot, announcer);
        self.insert_path(slot, path);
    }

    /// The same path again: no client need be told.
    fn restamp(&mut self, slot: PrefixSlot, announcer: ClientSlot, stamp: Stamp) {
        let paths = &mut self.table.entry_mut(slot).paths;
        if let Some(path) = paths.iter_mut().find(|path| path.announcer == announcer) {
            let is_of_new_session = !path.stamp.is_beside(stamp);
            path.stamp = stamp;
            let path = *path;
            if is_of_new_session && self.watch.is_on() {
                self.watch_again(slot, &path);
            }
        }
    }

    fn withdraw(&mut self, announcer: ClientSlot, prefix: &Prefix, change: &mut CountChange) {
        let Some(slot) = self.table.find(prefix) else {
            change.duplicate_withdrawals += 1;
            return;
        };
        let Some(old) = self
            .table
            .entry(slot)
            .paths
            .iter()
            .find(|path| path.announcer == announcer)
            .copied()
        else {
            change.duplicate_withdrawals += 1;
            return;
        };
        if self.is_of_session(&old, prefix.family()) {
            let old = Some((old.verdict, old.stamp));
            self.count(announcer, prefix.family(), old, None, change);
        } else if self.is_stale(&old, prefix.family()) {
            self.recount_stale(&old, prefix.family(), None);
        } else {
            change.duplicate_withdrawals += 1;
        }
        self.keep_pre_image(slot);
        self.remove_path(slot, announcer);
        self.note_if_empty(slot);
    }

    /// Puts a path in its place, and takes references for it.
    pub(super) fn insert_path(&mut self, slot: PrefixSlot, path: Path) {
        self.sets.retain(path.set);
        self.eligibilities.retain(path.eligibility);
        self.announcers[path.announcer.index()].path_count += 1;
        let decision = self.decision(self.entry_med(slot));
        let entry = self.table.entry(slot);
        let (paths, family) = (&entry.paths, entry.family());
        let has_best = has_best(paths);
        let place = if path.verdict.is_accepted() {
            paths
                .iter()
                .position(|other| {
                    !other.verdict.is_accepted() || decision.compare(&path, other).is_lt()
                })
                .unwrap_or(paths.len())
        } else {
            paths.len()
        };
        self.table.entry_mut(slot).paths.insert(place, path);
        self.stats.prefixes += u64::from(self.table.entry(slot).paths.len() == 1);
        self.stats.paths += 1;
        self.stats.loc_rib[family.index()] += u64::from(!has_best && path.verdict.is_accepted());
    }

    /// Takes the announcer's path out, and gives its references back.
    pub(super) fn remove_path(&mut self, slot: PrefixSlot, announcer: ClientSlot) -> Option<Path> {
        let entry = self.table.entry_mut(slot);
        let family = entry.family();
        let paths = &mut entry.paths;
        let place = paths.iter().position(|path| path.announcer == announcer)?;
        let path = paths.remove(place);
        let was_last = path.verdict.is_accepted() && !has_best(paths);
        self.stats.loc_rib[family.index()] -= u64::from(was_last);
        if paths.len() == 1 {
            paths.shrink_to_fit();
        }
        self.stats.prefixes -= u64::from(paths.is_empty());
        self.sets.release(path.set);
        self.eligibilities.release(path.eligibility);
        self.announcers[announcer.index()].path_count -= 1;
        self.stats.paths -= 1;
        Some(path)
    }

    pub(super) fn note_if_empty(&mut self, slot: PrefixSlot) {
        let entry = self.table.entry_mut(slot);
        if entry.paths.is_empty() && !entry.marks.contains(Marks::EMPTIED) {
            entry.marks.set(Marks::EMPTIED);
            self.emptied.push(slot);
        }
    }

    /// Before any change of a prefix's paths: remembers what its clients have of it.
    pub(super) fn keep_pre_image(&mut self, slot: PrefixSlot) {
        let family = self.table.entry(slot).family();
        if self.walks.is_active() {
            self.touch(slot);
        }
        let entry = self.table.entry_mut(slot);
        entry.marks.set(Marks::STIRRED);
        let is_told = !self.live[family.index()].is_empty() || self.watch.is_on();
        if entry.marks.contains(Marks::PENDING) || !is_told {
            return;
        }
        entry.marks.set(Marks::PENDING);
        let pre_image = PreImage {
            slot,
            second_mode: entry.marks.contains(Marks::SECOND_MODE),
            paths: entry.paths.clone(),
        };
        for path in &pre_image.paths {
            self.sets.retain(path.set);
            self.eligibilities.retain(path.eligibility);
        }
        self.pending.push(pre_image);
    }

    fn count(
        &mut self,
        announcer: ClientSlot,
        family: Family,
        old: Option<(Verdict, Stamp)>,
        new: Option<(Verdict, Stamp)>,
        change: &mut CountChange,
    ) {
        let counts = &mut self.announcers[announcer.index()].phases[family.index()].counts;
        for (path, one) in [(old, -1), (new, 1)] {
            let Some((verdict, stamp)) = path else {
                continue;
            };
            let count = &mut counts[usize::from(stamp.phase())];
            count.received += one;
            count.add_verdict(verdict, one);
            change.received[family.index()] += one;
            change.accepted[family.index()] += if is_acceptable(verdict) { one } else { 0 };
        }
    }

    pub(super) fn blocked_or(
        &self,
        announcer: ClientSlot,
        prefix: &Prefix,
        class: PrefixClass,
    ) -> PrefixClass {
        let threshold = self.announcers[announcer.index()].block_from[prefix.family().index()];
        match threshold {
            Some(hash) if class.is_accepted() && prefix.shard_hash() >= hash => {
                class.with_rejected(RejectReason::AcceptedLimit)
            }
            _ => class,
        }
    }

    pub(super) fn handle_block_from(
        &mut self,
        slot: ClientSlot,
        epoch: u32,
        family: Family,
        hash: Option<u64>,
    ) {
        let Some(announcer) = self.announcers.get_mut(slot.index()) else {
            return;
        };
        if announcer.up.is_none()
            || announcer.epoch != epoch
            || announcer.block_from[family.index()] == hash
        {
            return;
        }
        announcer.block_from[family.index()] = hash;
        self.sweep.judge_again(slot, self.table.slot_count());
    }
}

/// Accepted ones come first.
fn has_best(paths: &[Path]) -> bool {
    paths.first().is_some_and(|path| path.verdict.is_accepted())
}

/// Kept back by a limit: what would be made of it otherwise is not kept.
pub(super) fn is_blocked(verdict: Verdict) -> bool {
    verdict == Verdict::Rejected(RejectReason::AcceptedLimit)
}

/// Accepted by import, whether or not "block" lets it through.
pub(super) fn is_acceptable(verdict: Verdict) -> bool {
    verdict.is_accepted() || is_blocked(verdict)
}
