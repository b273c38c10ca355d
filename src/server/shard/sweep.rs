//! The sweep: one pass over the table, in pieces, that removes dead paths and judges again what a
//! reload or a limit touches.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{ClientSet, ClientSlot, PrefixSlot, SessionEpoch};
use crate::policy::Verdict;
use crate::rib::{EligibilityId, Marks, Path, PathList};
use crate::server::exchange::Exchange;
use crate::server::message::{CountChange, ToCore};

use super::Shard;
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
    /// How accepted counts changed, by client.
    recounted: BTreeMap<ClientSlot, [i32; 2]>,
}

impl Sweep {
    pub(super) fn is_active(&self) -> bool {
        self.remaining > 0
    }

    pub(super) fn restart(&mut self, slot_count: u32) {
        self.remaining = slot_count;
        self.end = slot_count;
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
        for (slot, accepted) in std::mem::take(&mut self.sweep.recounted) {
            let epoch = SessionEpoch(self.announcers[slot.index()].epoch);
            if let Some(client) = self.exchange.client(slot) {
                let counts = vec![CountChange {
                    seq: 0,
                    received: [0; 2],
                    accepted,
                }];
                self.outbox.push(
                    client.core,
                    ToCore::Counts {
                        slot,
                        epoch,
                        counts,
                    },
                );
            }
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
        let all = self.sweep.all || wrong_mode;
        let old = entry.paths.clone();
        let concerned = |path: &Path| {
            all || !self.is_alive(path) || self.sweep.judge_again.contains(path.announcer)
        };
        if !old.iter().any(concerned) {
            return;
        }
        let new: PathList = old
            .iter()
            .filter(|path| self.is_alive(path))
            .copied()
            .collect();
        let new: PathList = new
            .iter()
            .map(|path| self.judged_again(slot, path))
            .collect();
        if new == old && !wrong_mode {
            new.iter()
                .for_each(|path| self.eligibilities.release(path.eligibility));
            return;
        }
        self.keep_pre_image(slot);
        new.iter().for_each(|path| self.sets.retain(path.set));
        for path in &old {
            self.remove_path(slot, path.announcer);
        }
        self.adopt_med_mode(slot);
        for path in &new {
            self.insert_path(slot, *path);
            self.sets.release(path.set);
            self.eligibilities.release(path.eligibility);
        }
        self.note_if_empty(slot);
    }

    /// The path as the present generation sees it; takes a reference on its eligibility. Its set
    /// stays referenced through the pre-image or the old path.
    fn judged_again(&mut self, slot: PrefixSlot, path: &Path) -> Path {
        let judge_again = self.sweep.judge_again.contains(path.announcer);
        if !judge_again && !self.sweep.all {
            self.eligibilities.retain(path.eligibility);
            return *path;
        }
        let prefix = self.table.entry(slot).prefix;
        let verdict = match path.verdict {
            _ if judge_again => {
                self.judge(path.announcer, &self.sets.set(path.set).clone(), &prefix)
            }
            verdict if is_acceptable(verdict) => Verdict::Accepted,
            rejected => rejected,
        };
        let family = prefix.family().index();
        let counts = &mut self.announcers[path.announcer.index()].counts[family];
        counts.quarantined +=
            i32::from(is_quarantined(verdict)) - i32::from(is_quarantined(path.verdict));
        let accepted = i32::from(is_acceptable(verdict)) - i32::from(is_acceptable(path.verdict));
        if accepted != 0 {
            counts.accepted += accepted;
            self.sweep.recounted.entry(path.announcer).or_default()[family] += accepted;
        }
        let verdict = self.blocked_or(path.announcer, &prefix, verdict);
        let eligibility = if verdict.is_accepted() {
            self.intern_eligibility(path.announcer, path.set)
        } else {
            EligibilityId::NOBODY
        };
        Path {
            verdict,
            eligibility,
            ..*path
        }
    }

    fn is_alive(&self, path: &Path) -> bool {
        let announcer = &self.announcers[path.announcer.index()];
        announcer.up.is_some() && announcer.epoch as u8 == path.epoch
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

    pub(super) fn handle_reload(&mut self, exchange: Arc<Exchange>) {
        if exchange.generation <= self.exchange.generation {
            return;
        }
        // At most two MED modes, and one reload, are under way at a time.
        self.sweep_all();
        let old = std::mem::replace(&mut self.exchange, exchange);
        self.fit_slots();
        let new = self.exchange.clone();
        let scheme_changed = old.scheme != new.scheme;
        if scheme_changed {
            self.versions.scheme += 1;
            self.sets.forget_fits();
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
            if known.is_none_or(|known| known.import != client.import) {
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
