//! From pre-images to delta batches; present state on request; slots given back.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::base::{ClientSet, ClientSlot, CoreId, PathId, PrefixSlot, SessionEpoch, ShardId, Time};
use crate::policy::ControlScheme;
use crate::rib::{
    At, ChangeGroup, Changes, Form, Marks, Scope, SetTable, Table, difference, present,
};
use crate::server::message::{DeltaBatch, DeltaContent, DeltaGroup, DeltaKey, DirtyPrefix, ToCore};

use super::{PreImage, RECLAIM_COUNT, RECLAIM_MAX, Shard, tables};

/// Prefixes in one batch, at most.
const BATCH_PREFIXES: usize = 8_192;
/// About so many octets of UPDATEs a batch is at most: session cores have a bound on what they
/// retain, and look at it between batches.
const BATCH_OCTETS: usize = 256 << 10;

/// The gathering window of a shard grows with what its last flush had to say, up to this.
const FLUSH_WINDOW_MAX: Duration = Duration::from_millis(50);

impl Shard {
    pub(super) fn is_flush_due(&self, now: Time) -> bool {
        now >= self.last_flush + self.flush_window
    }

    pub(super) fn flush_if_due(&mut self, now: Time) {
        if self.pending.is_empty() || !self.is_flush_due(now) {
            return;
        }
        let count = self.flush();
        self.last_flush = now;
        self.flush_window = Duration::from_nanos(count as u64 * 500).min(FLUSH_WINDOW_MAX);
    }

    /// Says what changed since the last flush; returns how many records that took.
    pub(super) fn flush(&mut self) -> usize {
        let mut changes = Changes::new(self.seed);
        let pending = std::mem::take(&mut self.pending);
        self.watch_paths(&pending);
        // What one prefix came to, the next one often does as well.
        let mut last: Option<(&PreImage, std::ops::Range<usize>)> = None;
        for pre_image in &pending {
            let from = changes.len();
            match &last {
                Some((before, records)) if self.is_same_change(before, pre_image) => {
                    changes.repeat(records.clone(), pre_image.slot);
                }
                _ => {
                    self.difference_since(&mut changes, pre_image);
                    last = Some((pre_image, from..changes.len()));
                }
            }
        }
        for pre_image in &pending {
            (self.table.entry_mut(pre_image.slot).marks).clear(Marks::PENDING);
            for path in &pre_image.paths {
                self.sets.release(path.set);
                self.eligibilities.release(path.eligibility);
            }
        }
        self.stats.flushes += 1;
        let heard = std::mem::replace(&mut self.heard, Time::NEVER);
        self.emit(changes, heard)
    }

    /// Whether two prefixes went from the same paths to the same paths.
    fn is_same_change(&self, a: &PreImage, b: &PreImage) -> bool {
        a.paths == b.paths
            && a.second_mode == b.second_mode
            && self.table.entry(a.slot).is_like(self.table.entry(b.slot))
    }

    fn difference_since(&mut self, changes: &mut Changes, pre_image: &PreImage) {
        let entry = self.table.entry(pre_image.slot);
        let family = entry.family();
        let scope = &self.live[family.index()];
        if scope.is_empty() || (entry.paths.is_empty() && pre_image.paths.is_empty()) {
            return;
        }
        let old_med = self.med_modes[usize::from(pre_image.second_mode)];
        let new_med = self.med_modes[usize::from(entry.marks.contains(Marks::SECOND_MODE))];
        let mut tables = tables!(self);
        let old = tables.assign(&pre_image.paths, family, old_med, scope);
        let new = tables.assign(&entry.paths, family, new_med, scope);
        let at = At {
            slot: pre_image.slot,
            family,
        };
        difference(
            changes,
            &self.sets,
            &self.eligibilities,
            at,
            (&pre_image.paths, &old),
            (&entry.paths, &new),
        );
    }

    /// Sends changes in the ordinary stream, as one flush; `heard` as in [`DeltaBatch::heard`].
    pub(super) fn emit(&mut self, mut changes: Changes, heard: Time) -> usize {
        let count = changes.len();
        if count == 0 {
            return 0;
        }
        changes.sort();
        self.watch_sent(&changes);
        self.flush_count = self.flush_count.wrapping_add(1);
        self.stats.deltas_out += count as u64;
        let mut from = 0;
        while from < count {
            let mut batch;
            (batch, from) = build_batch(
                (self.shard, self.flush_count, &self.exchange.scheme),
                &changes,
                &self.sets,
                &self.table,
                from,
            );
            batch.heard = heard;
            let batch = Arc::new(batch);
            self.outbox.push_all(|| ToCore::Deltas(batch.clone()));
        }
        count
    }

    /// Appends the present state of a prefix for the clients of `scope`. Those served nothing get a
    /// withdrawal where `withdraw` is set; those with ADD-PATH for each of `path_ids`.
    pub(super) fn present_state(
        &mut self,
        changes: &mut Changes,
        slot: PrefixSlot,
        scope: &Scope,
        withdraw: bool,
        path_ids: &[PathId],
    ) {
        let entry = self.table.entry(slot);
        let family = entry.family();
        let med = self.med_modes[usize::from(entry.marks.contains(Marks::SECOND_MODE))];
        let assignments = tables!(self).assign(&entry.paths, family, med, scope);
        let at = At { slot, family };
        present(
            changes,
            &self.sets,
            at,
            &entry.paths,
            &assignments,
            withdraw.then_some(scope),
            path_ids,
        );
    }

    /// One client asks for the present state of prefixes it may hold something stale of.
    pub(super) fn handle_resync(&mut self, slot: ClientSlot, epoch: u32, dirty: &[DirtyPrefix]) {
        let Some(announcer) = self.announcers.get(slot.index()) else {
            return;
        };
        if announcer.up.is_none() || announcer.epoch != epoch {
            return;
        }
        // What is pending would reach the client after this answer, computed from what it had before.
        self.flush();
        let mut changes = Changes::new(self.seed);
        let mut dirty = dirty.to_vec();
        dirty.sort_unstable();
        dirty.dedup();
        for asked in dirty.chunk_by(|a, b| a.prefix == b.prefix) {
            self.resync_prefix(&mut changes, slot, asked);
        }
        self.emit(changes, Time::NEVER);
        if let Some(client) = self.exchange.client(slot) {
            let epoch = SessionEpoch(epoch);
            let resynced = ToCore::Resynced { slot, epoch };
            self.outbox.push(client.core, resynced);
        }
    }

    fn resync_prefix(&mut self, changes: &mut Changes, client: ClientSlot, asked: &[DirtyPrefix]) {
        let slot = asked[0].prefix;
        if slot.0 >= self.table.slot_count() {
            return;
        }
        let path_ids: SmallVec<[PathId; 4]> =
            asked.iter().filter_map(|dirty| dirty.path_id).collect();
        let family = self.table.entry(slot).family();
        if !self.live[family.index()].contains(client) {
            self.touch(slot);
            self.walks.hold_for(slot, &path_ids);
            return;
        }
        let scope = self.scope_of(&ClientSet::only(client), family);
        self.present_state(changes, slot, &scope, true, &path_ids);
    }

    /// Offers freed slots for reuse once enough have gathered.
    pub(super) fn start_reclaim(&mut self) {
        if self.reclaim.slots.is_some() {
            return self.hurry_reclaim();
        }
        if self.emptied.len() < RECLAIM_COUNT || !self.pending.is_empty() {
            return;
        }
        // What is yet to be said of a prefix would name its slot after the cores have answered.
        let table = &mut self.table;
        let offered = self.emptied.extract_if(.., |slot| {
            let marks = &mut table.entry_mut(*slot).marks;
            let is_said = !marks.contains(Marks::PENDING) && !marks.contains(Marks::TOUCHED);
            if is_said {
                marks.clear(Marks::STIRRED);
            }
            is_said
        });
        let slots: Arc<[PrefixSlot]> = offered.take(RECLAIM_MAX).collect();
        if slots.is_empty() {
            return;
        }
        self.reclaim.batch = self.reclaim.batch.wrapping_add(1);
        self.reclaim.awaited = (0..self.outbox.core_count())
            .map(|core| CoreId(core as u16))
            .collect();
        self.reclaim.slots = Some(slots.clone());
        self.reclaim.patience = None;
        let batch = self.reclaim.batch;
        self.outbox.push_all(|| ToCore::Reclaim {
            batch,
            slots: slots.clone(),
        });
    }

    pub(super) fn dead_count(&self) -> usize {
        let offered = self.reclaim.slots.as_ref();
        self.emptied.len() + offered.map_or(0, |slots| slots.len())
    }

    /// Tells the cores not to wait for just anybody, where too many freed slots have gathered.
    fn hurry_reclaim(&mut self) {
        let limits = &self.exchange.limits;
        let dead = self.dead_count();
        let with_paths = self.table.len().saturating_sub(dead);
        let max = limits.dead_prefixes_max.max(with_paths);
        let patience = match dead {
            dead if dead > max.saturating_mul(4) => limits.dead_patience / 8,
            dead if dead > max => limits.dead_patience,
            _ => return,
        };
        if self.reclaim.patience.is_some_and(|told| told <= patience) {
            return;
        }
        self.reclaim.patience = Some(patience);
        let batch = self.reclaim.batch;
        self.outbox.push_all(|| ToCore::Hurry { batch, patience });
    }

    pub(super) fn handle_reclaimed(&mut self, core: CoreId, batch: u32) {
        if self.reclaim.batch != batch {
            return;
        }
        self.reclaim.awaited.retain(|awaited| *awaited != core);
        if !self.reclaim.awaited.is_empty() {
            return;
        }
        let Some(slots) = self.reclaim.slots.take() else {
            return;
        };
        for &slot in slots.iter() {
            let entry = self.table.entry_mut(slot);
            if !entry.paths.is_empty() {
                entry.marks.clear(Marks::EMPTIED);
            } else if entry.marks.contains(Marks::STIRRED)
                || entry.marks.contains(Marks::PENDING)
                || entry.marks.contains(Marks::TOUCHED)
                || self.walks.is_active()
            {
                self.emptied.push(slot);
            } else {
                self.table.free(slot);
            }
        }
    }
}

/// Makes a batch of sorted records from `from` on; returns where the next one begins.
pub(super) fn build_batch(
    (shard, flush, scheme): (ShardId, u32, &Arc<ControlScheme>),
    changes: &Changes,
    sets: &SetTable,
    table: &Table,
    from: usize,
) -> (DeltaBatch, usize) {
    let records = &changes.records()[from..];
    let records = &records[..records.len().min(BATCH_PREFIXES)];
    let mut batch = DeltaBatch {
        shard,
        flush,
        scheme: scheme.clone(),
        heard: Time::NEVER,
        groups: Vec::new(),
        octets: 0,
        prefixes: Vec::new(),
        slots: Vec::new(),
    };
    let mut end = 0;
    for alike in records.chunk_by(|a, b| a.group == b.group) {
        if batch.octets > BATCH_OCTETS {
            break;
        }
        let group = changes.group(alike[0].group);
        let mut group = delta_group(changes, sets, group, end as u32..end as u32);
        let count = alike.len().min(group.size().prefix_count(BATCH_OCTETS));
        end += count;
        group.prefixes.end = end as u32;
        batch.octets += group.octets();
        batch.groups.push(group);
        if count < alike.len() {
            break;
        }
    }
    let slots = records[..end].iter().map(|record| record.slot);
    batch.prefixes = slots.clone().map(|slot| table.prefix(slot)).collect();
    batch.slots = slots.collect();
    (batch, from + end)
}

fn delta_group(
    changes: &Changes,
    sets: &SetTable,
    group: &ChangeGroup,
    prefixes: std::ops::Range<u32>,
) -> DeltaGroup {
    let form = Form::unpacked(group.form);
    DeltaGroup {
        key: DeltaKey {
            audience: group.audience_hash,
            set: group.set_hash,
            form: group.form,
        },
        family: form.family,
        path_id: form.path_id,
        audience: changes.audience(group.audience).clone(),
        content: match group.set {
            Some(set) => DeltaContent::Announce {
                set: sets.set(set).clone(),
                variant: form.variant,
            },
            None => DeltaContent::Withdraw,
        },
        prefixes,
    }
}
