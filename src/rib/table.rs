//! A shard's prefixes: slots, their path lists, and which of them await something.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::base::{Prefix, PrefixSlot};

use super::PathList;

/// One prefix of the shard.
pub struct Entry {
    pub prefix: Prefix,
    pub marks: Marks,
    pub paths: PathList,
}

const _: () = assert!(size_of::<Entry>() <= 48);

/// What awaits an entry.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Marks(u8);

impl Marks {
    /// A pre-image of it is kept for the next flush.
    pub const PENDING: Marks = Marks(1);
    /// It changed since the walk began.
    pub const TOUCHED: Marks = Marks(2);
    /// It has no path and is listed for reuse.
    pub const EMPTIED: Marks = Marks(4);
    /// Its paths are sorted, and sent, under the second of the shard's two MED modes.
    pub const SECOND_MODE: Marks = Marks(8);
    /// It changed since its slot was last offered for reuse.
    pub const STIRRED: Marks = Marks(16);

    pub const fn contains(self, mark: Marks) -> bool {
        self.0 & mark.0 != 0
    }

    pub fn set(&mut self, mark: Marks) {
        self.0 |= mark.0;
    }

    pub fn clear(&mut self, mark: Marks) {
        self.0 &= !mark.0;
    }
}

/// Prefix to slot and back. A freed slot is reused for the next new prefix.
#[derive(Default)]
pub struct Table {
    entries: Vec<Entry>,
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    free: Vec<PrefixSlot>,
}

impl Table {
    pub fn find(&self, prefix: &Prefix) -> Option<PrefixSlot> {
        let hash = self.hasher.hash_one(prefix);
        self.index
            .find(hash, |&slot| self.entries[slot as usize].prefix == *prefix)
            .map(|&slot| PrefixSlot(slot))
    }

    pub fn find_or_insert(&mut self, prefix: &Prefix) -> PrefixSlot {
        let hash = self.hasher.hash_one(prefix);
        let (entries, hasher) = (&self.entries, &self.hasher);
        let found = self.index.entry(
            hash,
            |&slot| entries[slot as usize].prefix == *prefix,
            |&slot| hasher.hash_one(entries[slot as usize].prefix),
        );
        match found {
            hashbrown::hash_table::Entry::Occupied(slot) => PrefixSlot(*slot.get()),
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                let slot = self
                    .free
                    .pop()
                    .unwrap_or(PrefixSlot(self.entries.len() as u32));
                vacant.insert(slot.0);
                let entry = Entry {
                    prefix: *prefix,
                    marks: Marks::default(),
                    paths: PathList::new(),
                };
                match self.entries.get_mut(slot.index()) {
                    Some(place) => *place = entry,
                    None => self.entries.push(entry),
                }
                slot
            }
        }
    }

    /// Gives an empty entry's slot back for reuse.
    pub fn free(&mut self, slot: PrefixSlot) {
        let entry = &mut self.entries[slot.index()];
        assert!(
            entry.paths.is_empty(),
            "only a prefix without paths is freed"
        );
        entry.paths = PathList::new();
        let hash = self.hasher.hash_one(entry.prefix);
        if let Ok(found) = self.index.find_entry(hash, |&other| other == slot.0) {
            found.remove();
            self.free.push(slot);
        }
    }

    pub fn entry(&self, slot: PrefixSlot) -> &Entry {
        &self.entries[slot.index()]
    }

    pub fn entry_mut(&mut self, slot: PrefixSlot) -> &mut Entry {
        &mut self.entries[slot.index()]
    }

    /// How many slots there are, free ones included.
    pub fn slot_count(&self) -> u32 {
        self.entries.len() as u32
    }

    pub fn free_count(&self) -> usize {
        self.free.len()
    }

    /// Prefixes in the index, those without a path that await reuse included.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub fn entries(&self) -> impl Iterator<Item = (PrefixSlot, &Entry)> {
        self.entries
            .iter()
            .enumerate()
            .map(|(slot, entry)| (PrefixSlot(slot as u32), entry))
    }
}
