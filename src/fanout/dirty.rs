//! The dirty record of a slow client: prefixes whose state at the client is unknown, a bit each.

use std::collections::BTreeSet;

use crate::base::{PathId, PrefixSlot, ShardId};

use super::DirtyPrefix;
use super::queue::Portion;

/// By shard. Marking is idempotent.
#[derive(Default, Debug)]
pub struct DirtyRecord {
    shards: Vec<ShardRecord>,
    count: usize,
    path_count: usize,
}

#[derive(Default, Debug)]
struct ShardRecord {
    bits: Vec<u64>,
    /// No word before this one has a bit.
    first_word: usize,
    bit_count: usize,
    /// Those with a path identifier (RFC 7911).
    paths: BTreeSet<(PrefixSlot, PathId)>,
}

impl DirtyRecord {
    pub fn mark(&mut self, shard: ShardId, dirty: DirtyPrefix) {
        if self.shards.len() <= shard.index() {
            self.shards
                .resize_with(shard.index() + 1, ShardRecord::default);
        }
        let record = &mut self.shards[shard.index()];
        let added = match dirty.path_id {
            None => record.mark(dirty.prefix),
            Some(path_id) => record.paths.insert((dirty.prefix, path_id)),
        };
        self.count += usize::from(added);
        self.path_count += usize::from(added && dirty.path_id.is_some());
    }

    /// All that a portion names.
    pub fn mark_all(&mut self, portion: &Portion) {
        portion
            .names()
            .for_each(|(shard, dirty)| self.mark(shard, dirty));
    }

    /// Up to `max` entries of one shard, which it holds no more.
    pub fn take(&mut self, shard: ShardId, max: usize) -> Vec<DirtyPrefix> {
        let Some(record) = self.shards.get_mut(shard.index()) else {
            return Vec::new();
        };
        let mut taken = Vec::with_capacity(max.min(record.bit_count + record.paths.len()));
        record.take_bits(max, &mut taken);
        while taken.len() < max
            && let Some((prefix, path_id)) = record.paths.pop_first()
        {
            taken.push(DirtyPrefix {
                prefix,
                path_id: Some(path_id),
            });
            self.path_count -= 1;
        }
        self.count -= taken.len();
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Entries.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Entries with a path identifier, which cost more than a bit.
    pub fn path_count(&self) -> usize {
        self.path_count
    }

    pub fn clear(&mut self) {
        *self = DirtyRecord::default();
    }

    /// Whether it names one of these, whatever the path identifier.
    pub fn names_any(&self, shard: ShardId, slots: &[PrefixSlot]) -> bool {
        let Some(record) = self.shards.get(shard.index()) else {
            return false;
        };
        if record.bit_count == 0 && record.paths.is_empty() {
            return false;
        }
        slots.iter().any(|&slot| record.names(slot))
    }
}

impl ShardRecord {
    fn mark(&mut self, slot: PrefixSlot) -> bool {
        let (word, bit) = (slot.index() / 64, 1u64 << (slot.0 % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let added = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.first_word = self.first_word.min(word);
        self.bit_count += usize::from(added);
        added
    }

    fn take_bits(&mut self, max: usize, taken: &mut Vec<DirtyPrefix>) {
        while self.bit_count > 0 && taken.len() < max {
            let word = &mut self.bits[self.first_word];
            if *word == 0 {
                self.first_word += 1;
                continue;
            }
            let slot = self.first_word as u32 * 64 + word.trailing_zeros();
            *word &= *word - 1;
            self.bit_count -= 1;
            taken.push(DirtyPrefix {
                prefix: PrefixSlot(slot),
                path_id: None,
            });
        }
        if self.bit_count == 0 {
            (self.bits, self.first_word) = (Vec::new(), 0);
        }
    }

    fn names(&self, slot: PrefixSlot) -> bool {
        let bit = self
            .bits
            .get(slot.index() / 64)
            .is_some_and(|word| word & (1 << (slot.0 % 64)) != 0);
        bit || self
            .paths
            .range((slot, PathId(0))..=(slot, PathId(u32::MAX)))
            .next()
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirty(slot: u32, path_id: Option<u32>) -> DirtyPrefix {
        DirtyPrefix {
            prefix: PrefixSlot(slot),
            path_id: path_id.map(PathId),
        }
    }

    #[test]
    fn each_entry_is_taken_once_in_order() {
        let mut record = DirtyRecord::default();
        for slot in [500, 3, 64, 3, 63] {
            record.mark(ShardId(1), dirty(slot, None));
        }
        record.mark(ShardId(1), dirty(9, Some(2)));
        record.mark(ShardId(0), dirty(1, None));
        assert_eq!((record.count(), record.path_count()), (6, 1));
        assert_eq!(
            record.take(ShardId(1), 3),
            [dirty(3, None), dirty(63, None), dirty(64, None)]
        );
        record.mark(ShardId(1), dirty(2, None));
        assert_eq!(
            record.take(ShardId(1), 9),
            [dirty(2, None), dirty(500, None), dirty(9, Some(2))]
        );
        assert_eq!(record.take(ShardId(7), 9), []);
        assert_eq!(record.take(ShardId(0), 9), [dirty(1, None)]);
        assert!(record.is_empty() && record.path_count() == 0);
    }

    #[test]
    fn it_knows_which_slots_it_names() {
        let mut record = DirtyRecord::default();
        record.mark(ShardId(0), dirty(5, None));
        record.mark(ShardId(0), dirty(90, Some(4)));
        for (slot, named) in [(5, true), (90, true), (6, false), (4000, false)] {
            assert_eq!(
                record.names_any(ShardId(0), &[PrefixSlot(slot)]),
                named,
                "{slot}"
            );
        }
        assert!(!record.names_any(ShardId(1), &[PrefixSlot(5)]));
    }
}
