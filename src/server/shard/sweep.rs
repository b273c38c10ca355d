//! The sweep: one pass over the table, in pieces, that removes dead paths and judges again what a
//! reload or a limit touches.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::{ClientSet, ClientSlot, Family, PrefixSlot, SessionEpoch};
use crate::policy::Verdict;
use crate::rib::{EligibilityId, Marks, Path, PathList, Rank, SetId};
use crate::server::exchange::Exchange;
use crate::server::message::{CountChange, ToCore};

use super::Shard;
use super::refresh::Phases;
use super::routes::{is_acceptable, is_quarantined};

/// Table entries that one turn of a sweep looks at.
const PIECE_ENTRIES: u32 = 16_384;

/// A circular pass: each new reason makes it go once more round.
#[derive(Default)]
pub(super) struct Sweep {
    cursor: u32,
    remaining: u32,
    /// Slots that there were at the last restart; newer entries need no visit.
    end: u32,
    /// Their paths' verdicts may have changed.
    judge_again: ClientSet,
    /// Everybody's audiences, or the order of paths, may have changed.
    all: bool,
    /// Generations to report when the pass is over.
    reload: bool,
    /// How the counts of a client's present session changed.
    recounted: BTreeMap<ClientSlot, CountChange>,
    /// What a client's sets are heard as, and their verdicts, each worked out once in a pass; holds
    /// references on both. `None`: a withdrawal.
    heard: FxHashMap<(ClientSlot, SetId), Option<(SetId, Verdict)>>,
}

impl Sweep {
    pub(super) fn is_active(&self) -> bool {
        self.remaining > 0
    }

    pub(super) fn restart(&mut self, slot_count: u32) {
        self.remaining = slot_count;
        self.end = slot_count;
    }

    /// The session that was counted is over.
    pub(super) fn forget_counts(&mut self, slot: ClientSlot) {
        self.recounted.remove(&slot);
    }

    pub(super) fn judge_again(&mut self, slot: ClientSlot, slot_count: u32) {
        self.judge_again.insert(slot);
        self.restart(slot_count);
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
            self.end_sweep();
        }
    }

    /// Finishes the pass at once.
    pub(super) fn sweep_all(&mut self) {
        while self.sweep.is_active() {
            self.sweep_piece();
        }
    }

    fn end_sweep(&mut self) {
        self.sweep.judge_again.clear();
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
        if std::mem::take(&mut self.sweep.reload) {
            self.flush();
            let generation = self.exchange.generation;
            self.outbox.push_all(|| ToCore::Reloaded { generation });
        }
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
        let old = entry.paths.clone();
        let concerned = |path: &Path| {
            all || !self.is_alive(path, family) || self.sweep.judge_again.contains(path.announcer)
        };
        if !old.iter().any(concerned) {
            return;
        }
        let new: PathList = old
            .iter()
            .filter(|path| self.is_alive(path, family))
            .copied()
            .collect();
        let new: PathList = new
            .iter()
            .filter_map(|path| self.judged_again(slot, path))
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

    /// The path as the present generation sees it; takes references on its set and eligibility.
    /// `None`: with such an attribute it is no route any more.
    fn judged_again(&mut self, slot: PrefixSlot, path: &Path) -> Option<Path> {
        let judge_again = self.sweep.judge_again.contains(path.announcer);
        if !judge_again && !self.sweep.all {
            self.sets.retain(path.set);
            self.eligibilities.retain(path.eligibility);
            return Some(*path);
        }
        let prefix = self.table.prefix(slot);
        let family = prefix.family();
        let (set, verdict) = match path.verdict {
            _ if judge_again => {
                let heard = self.heard_set(path.announcer, path.set);
                let client = self.exchange.client(path.announcer);
                let (Some((set, of_set)), Some(client)) = (heard, client) else {
                    self.recount(path, family, None);
                    return None;
                };
                self.sets.retain(set);
                (set, client.import.judge(of_set, &prefix))
            }
            verdict => {
                self.sets.retain(path.set);
                let accepted = is_acceptable(verdict).then_some(Verdict::Accepted);
                (path.set, accepted.unwrap_or(verdict))
            }
        };
        self.recount(path, family, Some(verdict));
        let verdict = self.blocked_or(path.announcer, &prefix, verdict);
        let eligibility = if verdict.is_accepted() {
            self.intern_eligibility(path.announcer, set)
        } else {
            EligibilityId::NOBODY
        };
        Some(Path {
            set,
            verdict,
            eligibility,
            rank: Rank::of(self.sets.set(set).facts()),
            ..*path
        })
    }

    /// A client's set as the present generation hears it, with its verdict.
    fn heard_set(&mut self, slot: ClientSlot, held: SetId) -> Option<(SetId, Verdict)> {
        if let Some(known) = self.sweep.heard.get(&(slot, held)) {
            return *known;
        }
        let client = self.exchange.client(slot)?;
        let heard = self.heard_again(client, self.sets.set(held));
        let judged = heard.map(|set| (client.import.check_attributes(&set), set));
        let heard = judged.map(|(verdict, set)| (self.sets.intern(&set, slot), verdict));
        self.sets.retain(held);
        self.sweep.heard.insert((slot, held), heard);
        heard
    }

    /// Notes what a path counts for now.
    fn recount(&mut self, path: &Path, family: Family, verdict: Option<Verdict>) {
        let received = i32::from(verdict.is_some()) - 1;
        let accepted =
            i32::from(verdict.is_some_and(is_acceptable)) - i32::from(is_acceptable(path.verdict));
        let phases = &mut self.announcers[path.announcer.index()].phases[family.index()];
        let count = &mut phases.counts[usize::from(path.stamp.phase())];
        count.received += received;
        count.accepted += accepted;
        count.quarantined += i32::from(verdict.is_some_and(is_quarantined))
            - i32::from(is_quarantined(path.verdict));
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
                self.handle_client_down(slot, self.announcers[index].epoch);
            }
        }
    }

    pub(super) fn handle_reload(&mut self, exchange: Arc<Exchange>) {
        if exchange.generation <= self.exchange.generation {
            return;
        }
        // At most two MED modes, and one reload, are under way at a time.
        self.sweep_all();
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
        if scheme_changed || old.directory != new.directory {
            self.versions.eligibility += 1;
            self.sweep.all = true;
        }
        if old.med != new.med {
            self.flush();
            self.med_second = !self.med_second;
            self.med_modes[usize::from(self.med_second)] = new.med;
            self.sweep.all = true;
        }
        for client in new.clients() {
            let known = old.client(client.slot);
            let is_as_before = known.is_some_and(|known| {
                known.import == client.import
                    && known.discard == client.discard
                    && known.treat_as_withdraw == client.treat_as_withdraw
            });
            if !is_as_before || scheme_changed {
                self.sweep.judge_again.insert(client.slot);
            }
        }
        self.sweep.reload = true;
        let count = if self.sweep.all || !self.sweep.judge_again.is_empty() {
            self.table.slot_count()
        } else {
            0
        };
        if count == 0 {
            self.end_sweep();
        } else {
            self.sweep.restart(count);
        }
    }
}
