//! The sweep: rounds over the table, in pieces, that remove dead paths and judge again what a reload or
//! a limit touches.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::{ClientSet, ClientSlot, Family, FamilySet, Generation, PrefixSlot, SessionEpoch};
use crate::policy::{PrefixBlocks, SetJudgement, Verdict};
use crate::rib::{Marks, Path, PathList, Rank, SetId};
use crate::server::exchange::Exchange;
use crate::server::message::{CountChange, ToCore};
use crate::server::reach::Reach;

use super::Shard;
use super::refresh::Phases;
use super::routes::{is_acceptable, is_blocked};

/// Table entries that one turn of a sweep looks at.
const PIECE_ENTRIES: u32 = 16_384;

/// A round is as long as it was when it began, whatever comes up meanwhile: that is seen to from
/// there on, and in the next round.
#[derive(Default)]
pub(super) struct Sweep {
    cursor: u32,
    /// Entries that this round has yet to visit.
    remaining: u32,
    /// Slots that there were when it began; newer entries need no visit.
    end: u32,
    /// Another round follows.
    again: bool,
    /// Their paths' verdicts may have changed.
    judge_again: ClientSet,
    /// Those of them that the next round is for.
    judge_next: ClientSet,
    /// Where VRPs changed, and the clients whose routes are judged by them.
    rov: Option<(Arc<PrefixBlocks>, ClientSet)>,
    /// Everybody's audiences, or the order of paths, may have changed.
    all: bool,
    /// This round is that of a reload.
    reload: bool,
    /// That of the present generation is over, which is yet to be told.
    untold: bool,
    /// How the counts of a client's present session changed.
    recounted: BTreeMap<ClientSlot, CountChange>,
    /// What a client's sets are heard as, and what they come to, each worked out once in a round; holds
    /// references on both. `None`: a withdrawal.
    heard: FxHashMap<(ClientSlot, SetId), Option<(SetId, SetJudgement)>>,
}

impl Sweep {
    pub(super) fn is_active(&self) -> bool {
        self.remaining > 0
    }

    /// Every entry is visited from here on.
    pub(super) fn request(&mut self, slot_count: u32) {
        self.again |= self.is_active();
        if !self.is_active() {
            self.begin(slot_count);
        }
    }

    fn begin(&mut self, slot_count: u32) {
        self.remaining = slot_count;
        self.end = slot_count;
    }

    /// Between a reload and the end of the round that it makes.
    pub(super) fn is_of_reload(&self) -> bool {
        self.reload
    }

    /// A reload is over but for what is to be said of it.
    pub(super) fn is_untold(&self) -> bool {
        self.untold
    }

    /// The session that was counted is over.
    pub(super) fn forget_counts(&mut self, slot: ClientSlot) {
        self.recounted.remove(&slot);
    }

    pub(super) fn judge_again(&mut self, slot: ClientSlot, slot_count: u32) {
        self.judge_again.insert(slot);
        if self.is_active() {
            self.judge_next.insert(slot);
        }
        self.request(slot_count);
    }
}

impl Shard {
    pub(super) fn sweep_piece(&mut self) {
        if !self.sweep.is_active() {
            return;
        }
        let count = self.sweep.remaining.min(PIECE_ENTRIES);
        for _ in 0..count {
            if self.sweep.cursor >= self.sweep.end {
                self.sweep.cursor = 0;
            }
            let slot = PrefixSlot(self.sweep.cursor);
            self.sweep.cursor += 1;
            self.sweep_entry(slot);
        }
        self.sweep.remaining -= count;
        if !self.sweep.is_active() {
            self.end_round();
        }
    }

    /// Finishes at once.
    pub(super) fn sweep_all(&mut self) {
        while self.sweep.is_active() {
            self.sweep_piece();
        }
    }

    fn end_round(&mut self) {
        self.sweep.judge_again = std::mem::take(&mut self.sweep.judge_next);
        self.sweep.rov = None;
        self.sweep.all = false;
        for announcer in &mut self.announcers {
            announcer.phases.iter_mut().for_each(Phases::handle_swept);
        }
        for (slot, change) in std::mem::take(&mut self.sweep.recounted) {
            let epoch = SessionEpoch(self.announcers[slot.index()].epoch);
            self.tell_counts(slot, epoch, vec![change]);
        }
        for ((_, held), heard) in std::mem::take(&mut self.sweep.heard) {
            self.sets.release(held);
            heard
                .into_iter()
                .for_each(|(set, _)| self.sets.release(set));
        }
        self.sweep.untold |= std::mem::take(&mut self.sweep.reload);
        if std::mem::take(&mut self.sweep.again) {
            self.sweep.begin(self.table.slot_count());
        }
        self.check_budgets();
    }

    /// Tells the cores that a reload is over, after all that it changed.
    pub(super) fn tell_reloaded(&mut self) {
        if !std::mem::take(&mut self.sweep.untold) {
            return;
        }
        self.flush();
        let generation = self.exchange.generation;
        self.outbox.push_all(|| ToCore::Reloaded { generation });
        self.check_budgets();
    }

    fn sweep_entry(&mut self, slot: PrefixSlot) {
        let entry = self.table.entry(slot);
        let wrong_mode = entry.marks.contains(Marks::SECOND_MODE) != self.med_second;
        if entry.paths.is_empty() {
            if wrong_mode {
                self.adopt_med_mode(slot);
            }
            return;
        }
        let family = entry.family();
        let all = self.sweep.all || wrong_mode;
        let rov_changed = self.rov_changed(slot);
        let concerned = |path: &Path| {
            all || !self.is_alive(path, family) || self.is_judged_again(path, rov_changed)
        };
        if !entry.paths.iter().any(concerned) {
            return;
        }
        let old = entry.paths.clone();
        let new: PathList = old
            .iter()
            .filter(|path| self.is_alive(path, family))
            .copied()
            .collect();
        let new: PathList = new
            .iter()
            .filter_map(|path| self.judged_again(slot, path, rov_changed))
            .collect();
        if new == old && !wrong_mode {
            new.iter().for_each(|path| self.let_go(path));
            return;
        }
        self.keep_pre_image(slot);
        for path in &old {
            self.remove_path(slot, path.announcer);
        }
        self.adopt_med_mode(slot);
        for path in &new {
            self.insert_path(slot, *path);
            self.let_go(path);
        }
        self.note_if_empty(slot);
    }

    fn let_go(&mut self, path: &Path) {
        self.sets.release(path.set);
        self.eligibilities.release(path.eligibility);
    }

    /// Whether the VRPs that cover the prefix of this slot changed.
    fn rov_changed(&self, slot: PrefixSlot) -> bool {
        let rov = self.sweep.rov.as_ref();
        rov.is_some_and(|(blocks, _)| blocks.touches(&self.table.prefix(slot)))
    }

    fn is_judged_again(&self, path: &Path, rov_changed: bool) -> bool {
        let by_rov = |(_, clients): &(_, ClientSet)| clients.contains(path.announcer);
        self.sweep.judge_again.contains(path.announcer)
            || rov_changed && self.sweep.rov.as_ref().is_some_and(by_rov)
    }

    /// The path as the present generation sees it; takes references on its set and eligibility.
    /// `None`: with such an attribute it is no route any more.
    fn judged_again(&mut self, slot: PrefixSlot, path: &Path, rov_changed: bool) -> Option<Path> {
        let judge_again = self.is_judged_again(path, rov_changed);
        if !judge_again && !self.sweep.all {
            self.sets.retain(path.set);
            self.eligibilities.retain(path.eligibility);
            return Some(*path);
        }
        let prefix = self.table.prefix(slot);
        let family = prefix.family();
        let (set, class) = if judge_again || is_blocked(path.verdict) {
            let heard = self.heard_set(path.announcer, path.set);
            let client = self.exchange.client(path.announcer);
            let (Some((set, of_set)), Some(client)) = (heard, client) else {
                self.recount(path, family, None);
                return None;
            };
            self.sets.retain(set);
            let outside = &self.exchange.outside;
            (set, client.import.judge(&of_set, &prefix, outside))
        } else {
            self.sets.retain(path.set);
            (
                path.set,
                self.eligibilities.eligibility(path.eligibility).class,
            )
        };
        let Some(class) = self.class_if_stale(path, set, family, class) else {
            self.recount(path, family, None);
            self.sets.release(set);
            return None;
        };
        self.recount(path, family, Some(class.verdict()));
        let class = self.blocked_or(path.announcer, &prefix, class);
        Some(Path {
            set,
            verdict: class.verdict(),
            eligibility: self.intern_eligibility(path.announcer, set, class),
            rank: Rank::of(self.sets.set(set).facts(), class.is_long_lived()),
            ..*path
        })
    }

    /// A client's set as the present generation hears it, with what it comes to.
    fn heard_set(&mut self, slot: ClientSlot, held: SetId) -> Option<(SetId, SetJudgement)> {
        if let Some(known) = self.sweep.heard.get(&(slot, held)) {
            return *known;
        }
        let client = self.exchange.client(slot)?;
        let heard = self.heard_again(client, self.sets.set(held));
        let outside = &self.exchange.outside;
        let judged = heard.map(|set| (client.import.check_attributes(&set, outside), set));
        let heard = judged.map(|(of_set, set)| (self.sets.intern(&set, slot), of_set));
        self.sets.retain(held);
        self.sweep.heard.insert((slot, held), heard);
        heard
    }

    /// Notes what a path counts for now.
    fn recount(&mut self, path: &Path, family: Family, verdict: Option<Verdict>) {
        if !self.is_of_session(path, family) {
            return self.recount_stale(path, family, verdict);
        }
        let received = i32::from(verdict.is_some()) - 1;
        let accepted =
            i32::from(verdict.is_some_and(is_acceptable)) - i32::from(is_acceptable(path.verdict));
        let phases = &mut self.announcers[path.announcer.index()].phases[family.index()];
        let count = &mut phases.counts[usize::from(path.stamp.phase())];
        count.received += received;
        if verdict == Some(path.verdict) {
            return;
        }
        count.add_verdict(path.verdict, -1);
        if let Some(verdict) = verdict {
            count.add_verdict(verdict, 1);
        }
        if (received, accepted) == (0, 0) {
            return;
        }
        let change = self.sweep.recounted.entry(path.announcer).or_default();
        change.received[family.index()] += received;
        change.accepted[family.index()] += accepted;
    }

    /// An entry without paths takes the present MED mode.
    pub(super) fn adopt_med_mode(&mut self, slot: PrefixSlot) {
        let second = self.med_second;
        let marks = &mut self.table.entry_mut(slot).marks;
        if second {
            marks.set(Marks::SECOND_MODE);
        } else {
            marks.clear(Marks::SECOND_MODE);
        }
    }

    /// Whoever is not configured any more, or whose slot means somebody else now, is down at once: what
    /// is still under way from it is judged by nobody's rules.
    fn end_sessions_of_others(&mut self, old: &Exchange) {
        for index in 0..self.announcers.len() {
            let slot = ClientSlot(index as u16);
            let is_same = match (old.client(slot), self.exchange.client(slot)) {
                (Some(before), Some(after)) => before.is_same_peer(after),
                (before, after) => before.is_none() && after.is_some(),
            };
            if !is_same {
                self.handle_client_down(slot, self.announcers[index].epoch, Default::default());
                self.drop_stale(slot, FamilySet::ALL);
            }
        }
    }

    pub(super) fn handle_reload(&mut self, exchange: Arc<Exchange>) {
        if exchange.generation <= self.exchange.generation {
            return;
        }
        // At most two MED modes, and one reload, are under way at a time.
        self.sweep_all();
        self.tell_reloaded();
        let old = std::mem::replace(&mut self.exchange, exchange);
        self.end_sessions_of_others(&old);
        self.fit_slots();
        let new = self.exchange.clone();
        let scheme_changed = old.scheme != new.scheme;
        if scheme_changed {
            // What is pending is of the one before, as everything is that the sweep has yet to reach.
            self.flush();
            self.versions.scheme += 1;
            self.schemes[self.versions.scheme as usize % 2] = new.scheme.clone();
        }
        let reach = Reach::of(&old, &new);
        if reach.audiences {
            self.versions.eligibility += 1;
            self.tags.clear();
            self.sweep.all = true;
        }
        if old.med != new.med {
            self.flush();
            self.med_second = !self.med_second;
            self.med_modes[usize::from(self.med_second)] = new.med;
            self.sweep.all = true;
        }
        self.sweep.judge_again.union_with(&reach.judge_again);
        self.sweep.rov = reach.rov;
        self.sweep.reload = true;
        let is_due = self.sweep.all || self.sweep.rov.is_some();
        let count = if is_due || !self.sweep.judge_again.is_empty() {
            self.table.slot_count()
        } else {
            0
        };
        match count {
            0 => self.end_round(),
            _ => self.sweep.request(count),
        }
    }

    /// The newest generation that every path was judged under where it had to be: one that comes after
    /// it makes the round be finished at once.
    pub(super) fn settled_generation(&self) -> Generation {
        let Generation(number) = self.exchange.generation;
        Generation(number - u32::from(self.sweep.reload))
    }
}
