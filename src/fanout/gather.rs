//! The gathering window: changes of several shards and flushes, kept together for a moment so that
//! equal groups go out in the same messages.

use std::sync::Arc;

use crate::base::{ClientSet, PrefixSlot};

use super::{DeltaBatch, DeltaGroup, DeltaKey};

/// Batches whose order does not matter: no prefix is in two flushes of them.
#[derive(Default, Debug)]
pub struct Gather {
    batches: Vec<(Arc<DeltaBatch>, Arc<ClientSet>)>,
    shards: Vec<Seen>,
    prefix_count: usize,
    octets: usize,
}

/// Prefixes of one shard that are in the window.
#[derive(Default, Debug)]
struct Seen {
    bits: Vec<u64>,
    slots: Vec<PrefixSlot>,
    /// Those of the last flush, which may come again in it.
    last: Vec<PrefixSlot>,
    last_flush: Option<u32>,
}

impl Gather {
    /// Takes a batch for `live` clients; gives it back if the window must be emptied first,
    /// because an earlier flush in it names one of its prefixes.
    pub fn offer(
        &mut self,
        batch: Arc<DeltaBatch>,
        live: &Arc<ClientSet>,
    ) -> Result<(), Arc<DeltaBatch>> {
        let index = batch.shard.index();
        if self.shards.len() <= index {
            self.shards.resize_with(index + 1, Seen::default);
        }
        if !self.shards[index].admit(&batch) {
            return Err(batch);
        }
        self.prefix_count += batch.prefixes.len();
        self.octets += batch.octets;
        self.batches.push((batch, live.clone()));
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Prefixes in the window, each counted for each of its groups.
    pub fn prefix_count(&self) -> usize {
        self.prefix_count
    }

    /// About how many octets the window will turn into, in one encoding.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Empties the window: calls `each` with groups that are alike, in an order that depends on
    /// their contents only, and with the clients that were live for them.
    pub fn drain(&mut self, mut each: impl FnMut(&[(&DeltaBatch, &DeltaGroup)], &ClientSet)) {
        let batches = std::mem::take(&mut self.batches);
        self.shards.iter_mut().for_each(Seen::clear);
        self.prefix_count = 0;
        self.octets = 0;
        let lives = distinct(&batches);
        let mut order: Vec<(usize, DeltaKey, &DeltaBatch, &DeltaGroup)> = Vec::new();
        for ((batch, _), live) in batches.iter().zip(&lives) {
            order.extend(
                batch
                    .groups
                    .iter()
                    .map(|group| (*live, group.key, &**batch, group)),
            );
        }
        order.sort_by_key(|&(live, key, batch, _)| (live, key, batch.shard));
        let mut alike: Vec<(&DeltaBatch, &DeltaGroup)> = Vec::new();
        let mut live_of = 0;
        for (live, _, batch, group) in order {
            if alike
                .first()
                .is_some_and(|(_, first)| live != live_of || !first.is_like(group))
            {
                each(&alike, &batches[live_of].1);
                alike.clear();
            }
            live_of = live;
            alike.push((batch, group));
        }
        if !alike.is_empty() {
            each(&alike, &batches[live_of].1);
        }
    }
}

/// For each batch the first one with the same live clients.
fn distinct(batches: &[(Arc<DeltaBatch>, Arc<ClientSet>)]) -> Vec<usize> {
    let same = |a: &Arc<ClientSet>, b: &Arc<ClientSet>| Arc::ptr_eq(a, b) || a == b;
    let mut firsts: Vec<usize> = Vec::new();
    batches
        .iter()
        .enumerate()
        .map(|(index, (_, live))| {
            match firsts.iter().find(|&&first| same(&batches[first].1, live)) {
                Some(&first) => first,
                None => {
                    firsts.push(index);
                    index
                }
            }
        })
        .collect()
}

impl Seen {
    fn admit(&mut self, batch: &DeltaBatch) -> bool {
        if self.last_flush != Some(batch.flush) {
            self.settle();
            self.last_flush = Some(batch.flush);
        }
        if !self.slots.is_empty() && batch.slots.iter().any(|slot| self.contains(*slot)) {
            return false;
        }
        self.last.extend_from_slice(&batch.slots);
        true
    }

    /// The last flush is complete: its prefixes may not come again.
    fn settle(&mut self) {
        for slot in self.last.drain(..) {
            let word = slot.index() / 64;
            if self.bits.len() <= word {
                self.bits.resize(word + 1, 0);
            }
            self.bits[word] |= 1 << (slot.0 % 64);
            self.slots.push(slot);
        }
    }

    fn contains(&self, slot: PrefixSlot) -> bool {
        self.bits
            .get(slot.index() / 64)
            .is_some_and(|word| word & (1 << (slot.0 % 64)) != 0)
    }

    fn clear(&mut self) {
        for slot in self.slots.drain(..) {
            self.bits[slot.index() / 64] = 0;
        }
        self.last.clear();
        self.last_flush = None;
    }
}
