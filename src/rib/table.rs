//! A shard's prefixes: slots, their path lists, and which of them await something.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use slab::Slab;

use crate::base::{Family, Prefix, PrefixSlot};

use super::PathList;
use super::chunks::Chunks;

/// One prefix of the shard: 24 octets with one path. [`Table::prefix`] says which.
pub struct Entry {
    pub paths: PathList,
    pub marks: Marks,
    key: Key,
}

const _: () = assert!(size_of::<Entry>() == 24);

/// A prefix in seven octets: what it is, and its address. Those of more than 48 bits stand elsewhere
/// ([`Table::long`]).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    kind: u8,
    octets: [u8; 6],
}

impl Key {
    /// `kind` is the length for IPv4, this and the length for IPv6, or this alone for what stands
    /// elsewhere.
    const IPV6: u8 = 64;
    const LONG: u8 = u8::MAX;

    fn of(prefix: &Prefix) -> Option<Key> {
        let mut octets = [0; 6];
        let address = prefix.octets();
        octets.get_mut(..address.len())?.copy_from_slice(address);
        let kind = match prefix.family() {
            Family::Ipv4 => prefix.len(),
            Family::Ipv6 => Key::IPV6 + prefix.len(),
        };
        Some(Key { kind, octets })
    }

    fn long(index: usize) -> Key {
        let [_, _, octets @ ..] = (index as u64).to_be_bytes();
        let kind = Key::LONG;
        Key { kind, octets }
    }

    fn family(self) -> Family {
        match self.kind {
            ..Key::IPV6 => Family::Ipv4,
            _ => Family::Ipv6,
        }
    }

    fn prefix(self, long: &Slab<Prefix>) -> Prefix {
        match self.long_index() {
            Some(index) => long[index],
            None => Prefix::from_short(self.family(), self.octets, self.kind % Key::IPV6),
        }
    }

    fn long_index(self) -> Option<usize> {
        let index = Key { kind: 0, ..self }.bits();
        (self.kind == Key::LONG).then_some(index as usize)
    }

    fn bits(self) -> u64 {
        let [a, b, c, d, e, f] = self.octets;
        u64::from_be_bytes([0, self.kind, a, b, c, d, e, f])
    }
}

impl Entry {
    pub fn family(&self) -> Family {
        self.key.family()
    }

    /// Whether the paths, and all that assignments hang on beside them, are those of the other.
    pub fn is_like(&self, other: &Entry) -> bool {
        let mode = |entry: &Entry| entry.marks.contains(Marks::SECOND_MODE);
        self.paths == other.paths && self.family() == other.family() && mode(self) == mode(other)
    }
}

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
    entries: Chunks<Entry>,
    /// Prefixes of more than 48 bits.
    long: Slab<Prefix>,
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    free: Vec<PrefixSlot>,
}

impl Table {
    pub fn find(&self, prefix: &Prefix) -> Option<PrefixSlot> {
        let wanted = Key::of(prefix);
        let found = self
            .index
            .find(hash(&self.hasher, wanted, prefix), |&slot| {
                is_same(&self.long, self.entries[slot as usize].key, wanted, prefix)
            });
        found.map(|&slot| PrefixSlot(slot))
    }

    pub fn find_or_insert(&mut self, prefix: &Prefix) -> PrefixSlot {
        let wanted = Key::of(prefix);
        let (entries, long, hasher) = (&self.entries, &self.long, &self.hasher);
        let found = self.index.entry(
            hash(hasher, wanted, prefix),
            |&slot| is_same(long, entries[slot as usize].key, wanted, prefix),
            |&slot| hash_again(hasher, long, entries[slot as usize].key),
        );
        match found {
            hashbrown::hash_table::Entry::Occupied(slot) => PrefixSlot(*slot.get()),
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                let freed = self.free.pop();
                let slot = freed.unwrap_or(PrefixSlot(self.entries.len() as u32));
                vacant.insert(slot.0);
                let new = Entry {
                    paths: PathList::new(),
                    marks: Marks::default(),
                    key: wanted.unwrap_or_else(|| Key::long(self.long.insert(*prefix))),
                };
                match freed {
                    Some(slot) => {
                        let old = std::mem::replace(&mut self.entries[slot.index()], new);
                        if let Some(index) = old.key.long_index() {
                            self.long.remove(index);
                        }
                    }
                    None => self.entries.push(new),
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
        let key = entry.key;
        let hash = hash_again(&self.hasher, &self.long, key);
        if let Ok(found) = self.index.find_entry(hash, |&other| other == slot.0) {
            found.remove();
            self.free.push(slot);
        }
    }

    pub fn prefix(&self, slot: PrefixSlot) -> Prefix {
        self.entries[slot.index()].key.prefix(&self.long)
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

/// Whether the key of a slot is that of `prefix`, which is `wanted` if it is short enough.
fn is_same(long: &Slab<Prefix>, key: Key, wanted: Option<Key>, prefix: &Prefix) -> bool {
    match (wanted, key.long_index()) {
        (Some(wanted), _) => key == wanted,
        (None, Some(index)) => long[index] == *prefix,
        (None, None) => false,
    }
}

fn hash(hasher: &impl BuildHasher, key: Option<Key>, prefix: &Prefix) -> u64 {
    match key {
        Some(key) => hasher.hash_one(key.bits()),
        None => hasher.hash_one(prefix),
    }
}

fn hash_again(hasher: &impl BuildHasher, long: &Slab<Prefix>, key: Key) -> u64 {
    match key.long_index() {
        Some(index) => hasher.hash_one(long[index]),
        None => hasher.hash_one(key.bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_any_length_are_found_again_in_their_slots() {
        let texts = [
            "0.0.0.0/0",
            "::/0",
            "192.0.2.0/24",
            "192.0.2.0/25",
            "192.0.2.1/32",
            "c000:200::/24",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "2001:db8:1::/49",
            "2001:db8:1::/64",
            "2001:db8::1/128",
        ];
        let prefixes = texts.map(|text| text.parse::<Prefix>().unwrap());
        let mut table = Table::default();
        let slots = prefixes.map(|prefix| table.find_or_insert(&prefix));
        assert_eq!(table.len(), prefixes.len());
        for (prefix, slot) in prefixes.iter().zip(slots) {
            assert_eq!(table.prefix(slot), *prefix);
            assert_eq!(table.find(prefix), Some(slot));
            assert_eq!(table.find_or_insert(prefix), slot);
        }
        for (prefix, slot) in prefixes.iter().zip(slots) {
            table.free(slot);
            assert_eq!(table.find(prefix), None, "{prefix}");
        }
        assert!(table.is_empty());
        let again: Vec<_> = prefixes
            .iter()
            .rev()
            .map(|p| table.find_or_insert(p))
            .collect();
        assert_eq!(
            again.len(),
            table.slot_count() as usize,
            "freed slots first"
        );
        assert_eq!(table.long.len(), 3);
        let held: Vec<_> = table
            .entries()
            .map(|(slot, _)| table.prefix(slot))
            .collect();
        assert!(prefixes.iter().all(|prefix| held.contains(prefix)));
    }
}
