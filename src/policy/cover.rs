//! Sorted prefixes of both families, compact, and which of them cover a given one. Owns the order and
//! the way from an entry to the next shorter one around it; knows nothing of what an entry stands for.

use crate::base::{Family, Prefix};

/// The parent of an entry that lies in no other, and the position of none.
const NONE: u32 = u32::MAX;

/// Entries of a family from which on a table of where each sixteen bits begin is worth its 256 KiB.
const JUMP_COUNT_MIN: usize = 1 << 16;

/// Sorted prefixes, one of them possibly several times; an entry is known by its position.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cover {
    v4: Blocks<u32>,
    v6: Blocks<u128>,
}

impl Cover {
    /// Positions are those in `prefixes`, which are sorted (and fewer than 2^32).
    pub fn of_sorted(prefixes: impl Iterator<Item = Prefix> + Clone) -> Cover {
        let of = |family| {
            prefixes
                .clone()
                .filter(move |prefix| prefix.family() == family)
        };
        Cover {
            v4: Blocks::of_sorted(of(Family::Ipv4)),
            v6: Blocks::of_sorted(of(Family::Ipv6)),
        }
    }

    pub fn len(&self) -> usize {
        self.v4.lens.len() + self.v6.lens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets on the heap.
    pub fn octets(&self) -> usize {
        self.v4.octets() + self.v6.octets()
    }

    /// The positions of all entries that cover `prefix` or equal it, the longest first.
    #[inline]
    pub fn covering(&self, prefix: &Prefix) -> Covering<'_> {
        match prefix.family() {
            Family::Ipv4 => self.v4.covering(prefix, 0),
            Family::Ipv6 => self.v6.covering(prefix, self.v4.lens.len()),
        }
    }

    /// The entry at `position`, which is less than [`Self::len`].
    pub fn prefix(&self, position: usize) -> Prefix {
        match position.checked_sub(self.v4.lens.len()) {
            None => self.v4.prefix(position),
            Some(position) => self.v6.prefix(position),
        }
    }

    /// In order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Prefix> + Clone + '_ {
        (0..self.len()).map(|position| self.prefix(position))
    }
}

/// The walk from an entry outwards; see [`Cover::covering`].
#[derive(Clone, Debug)]
pub struct Covering<'a> {
    lens: &'a [u8],
    parents: &'a [u32],
    /// In these slices.
    next: u32,
    /// What comes before these slices.
    first: usize,
}

/// An entry that covers the prefix asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoverEntry {
    pub position: usize,
    /// Prefix length.
    pub len: u8,
}

impl Iterator for Covering<'_> {
    type Item = CoverEntry;

    #[inline]
    fn next(&mut self) -> Option<CoverEntry> {
        let position = self.next as usize;
        let len = *self.lens.get(position)?;
        self.next = self.parents[position];
        Some(CoverEntry {
            position: self.first + position,
            len,
        })
    }
}

/// The entries of a family.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Blocks<B> {
    bits: Box<[B]>,
    lens: Box<[u8]>,
    /// The nearest entry before that covers this one or equals it, or [`NONE`].
    parents: Box<[u32]>,
    /// For each sixteen leading bits, how many entries begin with less. Empty in small sets.
    jumps: Box<[u32]>,
}

impl<B: Bits> Blocks<B> {
    fn of_sorted(prefixes: impl Iterator<Item = Prefix> + Clone) -> Blocks<B> {
        let bits: Box<[B]> = prefixes.clone().map(|prefix| B::of(&prefix)).collect();
        let lens: Box<[u8]> = prefixes.map(|prefix| prefix.len()).collect();
        assert!(bits.len() < NONE as usize, "positions are 32 bits wide");
        let mut parents = vec![NONE; bits.len()].into_boxed_slice();
        for position in 1..bits.len() {
            let last = position - 1;
            assert!(
                (bits[last], lens[last]) <= (bits[position], lens[position]),
                "sorted"
            );
            let mut outer = last as u32;
            while outer != NONE {
                let at = outer as usize;
                if lens[at] <= bits[at].common_len(bits[position]).min(lens[position]) {
                    break;
                }
                outer = parents[at];
            }
            parents[position] = outer;
        }
        let jumps = match bits.len() >= JUMP_COUNT_MIN {
            true => jumps(&bits),
            false => Box::default(),
        };
        Blocks {
            bits,
            lens,
            parents,
            jumps,
        }
    }

    fn octets(&self) -> usize {
        size_of_val(&*self.bits)
            + size_of_val(&*self.lens)
            + size_of_val(&*self.parents)
            + size_of_val(&*self.jumps)
    }

    fn prefix(&self, position: usize) -> Prefix {
        self.bits[position].prefix(self.lens[position])
    }

    /// Whatever covers the prefix begins at or before it, and covers all between: it is the last
    /// entry that does not begin behind the prefix, or around that one.
    #[inline]
    fn covering(&self, prefix: &Prefix, first: usize) -> Covering<'_> {
        let bits = B::of(prefix);
        let mut next = NONE;
        if let Some(last) = self.count_up_to(bits).checked_sub(1) {
            let len_max = self.bits[last].common_len(bits).min(prefix.len());
            next = last as u32;
            while self
                .lens
                .get(next as usize)
                .is_some_and(|len| *len > len_max)
            {
                next = self.parents[next as usize];
            }
        }
        Covering {
            lens: &self.lens,
            parents: &self.parents,
            next,
            first,
        }
    }

    /// How many entries begin at `bits` or before.
    #[inline]
    fn count_up_to(&self, bits: B) -> usize {
        let top = bits.top16();
        let (from, to) = match self.jumps.get(top..top + 2) {
            Some(jumps) => (jumps[0] as usize, jumps[1] as usize),
            None => (0, self.bits.len()),
        };
        from + self.bits[from..to].partition_point(|begin| *begin <= bits)
    }
}

fn jumps<B: Bits>(bits: &[B]) -> Box<[u32]> {
    let mut jumps = vec![0u32; (1 << 16) + 1].into_boxed_slice();
    for bits in bits {
        jumps[bits.top16() + 1] += 1;
    }
    for top in 1..jumps.len() {
        jumps[top] += jumps[top - 1];
    }
    jumps
}

/// The leading bits of a prefix, in as many octets as an address of the family has.
trait Bits: Copy + Ord {
    fn of(prefix: &Prefix) -> Self;
    fn prefix(self, len: u8) -> Prefix;
    fn top16(self) -> usize;
    /// How many leading bits are the same.
    fn common_len(self, other: Self) -> u8;
}

impl Bits for u32 {
    #[inline]
    fn of(prefix: &Prefix) -> u32 {
        (prefix.bits() >> 96) as u32
    }

    #[inline]
    fn prefix(self, len: u8) -> Prefix {
        let [a, b, c, d] = self.to_be_bytes();
        Prefix::from_short(Family::Ipv4, [a, b, c, d, 0, 0], len)
    }

    #[inline]
    fn top16(self) -> usize {
        (self >> 16) as usize
    }

    #[inline]
    fn common_len(self, other: u32) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
}

impl Bits for u128 {
    #[inline]
    fn of(prefix: &Prefix) -> u128 {
        prefix.bits()
    }

    #[inline]
    fn prefix(self, len: u8) -> Prefix {
        Prefix::v6(self.into(), len)
    }

    #[inline]
    fn top16(self) -> usize {
        (self >> 112) as usize
    }

    #[inline]
    fn common_len(self, other: u128) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
}

/// Address blocks, as few as the address space in them allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixBlocks {
    /// Sorted, none within another, no two that make up a larger one.
    blocks: Box<[Prefix]>,
    /// For each family, a bit for each sixteen leading bits with which something in the blocks begins.
    begins: [Box<[u64]>; 2],
}

impl PrefixBlocks {
    /// Of sorted prefixes.
    pub fn of_sorted(prefixes: impl Iterator<Item = Prefix>) -> PrefixBlocks {
        let mut blocks: Vec<Prefix> = Vec::new();
        for prefix in prefixes {
            if blocks.last().is_some_and(|last| last.covers(&prefix)) {
                continue;
            }
            blocks.push(prefix);
            while let [.., low, high] = blocks[..]
                && let Some(both) = joined(&low, &high)
            {
                blocks.truncate(blocks.len() - 2);
                blocks.push(both);
            }
        }
        let mut begins = [Box::default(), Box::default()];
        for block in &blocks {
            note_begins(&mut begins[block.family().index()], block);
        }
        PrefixBlocks {
            blocks: blocks.into(),
            begins,
        }
    }

    /// Whether the prefix lies in one of the blocks or equals it.
    #[inline]
    pub fn touches(&self, prefix: &Prefix) -> bool {
        let top = (prefix.bits() >> 112) as usize;
        let begins = &self.begins[prefix.family().index()];
        begins
            .get(top / 64)
            .is_some_and(|word| word & 1 << (top % 64) != 0)
            && self.touches_surely(prefix)
    }

    fn touches_surely(&self, prefix: &Prefix) -> bool {
        let after = self.blocks.partition_point(|block| block <= prefix);
        after
            .checked_sub(1)
            .is_some_and(|last| self.blocks[last].covers(prefix))
    }

    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Prefix> + '_ {
        self.blocks.iter().copied()
    }
}

/// In any order.
impl FromIterator<Prefix> for PrefixBlocks {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> PrefixBlocks {
        let mut prefixes: Vec<Prefix> = prefixes.into_iter().collect();
        prefixes.sort_unstable();
        PrefixBlocks::of_sorted(prefixes.into_iter())
    }
}

/// The block that two halves make up.
fn joined(low: &Prefix, high: &Prefix) -> Option<Prefix> {
    let len = low.len().checked_sub(1)?;
    let both = Prefix::new(low.family(), low.octets(), len).ok()?;
    (low.len() == high.len() && low != high && both.covers(high)).then_some(both)
}

/// A block shorter than sixteen bits has several.
fn note_begins(begins: &mut Box<[u64]>, block: &Prefix) {
    if begins.is_empty() {
        *begins = vec![0; (1 << 16) / 64].into();
    }
    let first = (block.bits() >> 112) as usize;
    let count = 1 << 16u8.saturating_sub(block.len());
    for top in first..first + count {
        begins[top / 64] |= 1 << (top % 64);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few bits, so that prefixes meet; some of them deep within the address.
    pub(in crate::policy) fn any_prefix() -> impl Strategy<Value = Prefix> {
        (any::<[u8; 2]>(), 0u8..=10, any::<bool>(), any::<bool>()).prop_map(
            |([high, low], len, six, deep)| {
                let octets = [high & 0b1100_0000, low & 0b1010_0000];
                match (six, deep) {
                    (false, false) => Prefix::new(Family::Ipv4, &octets, len),
                    (false, true) => {
                        Prefix::new(Family::Ipv4, &[10, 0, octets[0], octets[1]], len + 16)
                    }
                    (true, false) => Prefix::new(Family::Ipv6, &octets, len),
                    (true, true) => {
                        let mut address = [0; 16];
                        address[..2].copy_from_slice(&[0x20, 0x01]);
                        address[14..].copy_from_slice(&octets);
                        Prefix::new(Family::Ipv6, &address, len + 112)
                    }
                }
                .unwrap()
            },
        )
    }

    fn sorted(mut prefixes: Vec<Prefix>) -> Vec<Prefix> {
        prefixes.sort();
        prefixes
    }

    /// Whether the entries cover all of a block, together or one of them.
    fn is_filled(entries: &[Prefix], block: &Prefix) -> bool {
        let half = |high: u8| {
            let len = block.len() + 1;
            let bits = block.bits() | u128::from(high) << (128 - u32::from(len));
            Prefix::new(block.family(), &bits.to_be_bytes(), len).unwrap()
        };
        entries.iter().any(|entry| entry.covers(block))
            || entries.iter().any(|entry| block.covers(entry))
                && [0, 1].iter().all(|high| is_filled(entries, &half(*high)))
    }

    proptest! {
        #[test]
        fn the_entries_that_cover_a_prefix_are_those_that_a_look_at_each_finds(
            entries in prop::collection::vec(any_prefix(), 0..24),
            prefix in any_prefix(),
        ) {
            let entries = sorted(entries);
            let cover = Cover::of_sorted(entries.iter().copied());
            let expected: Vec<usize> = (0..entries.len())
                .rev()
                .filter(|position| entries[*position].covers(&prefix))
                .collect();
            let found: Vec<usize> = cover.covering(&prefix).map(|entry| entry.position).collect();
            prop_assert_eq!(found, expected);
            for entry in cover.covering(&prefix) {
                prop_assert_eq!(entry.len, entries[entry.position].len());
            }
        }

        #[test]
        fn entries_come_back_in_order(entries in prop::collection::vec(any_prefix(), 0..24)) {
            let entries = sorted(entries);
            let cover = Cover::of_sorted(entries.iter().copied());
            prop_assert_eq!(cover.iter().collect::<Vec<_>>(), entries);
        }

        #[test]
        fn blocks_touch_what_lies_in_one_of_their_prefixes(
            entries in prop::collection::vec(any_prefix(), 0..24),
            prefix in any_prefix(),
        ) {
            let blocks: PrefixBlocks = entries.iter().copied().collect();
            prop_assert_eq!(blocks.touches(&prefix), is_filled(&entries, &prefix));
        }

        #[test]
        fn blocks_are_as_few_as_can_be(entries in prop::collection::vec(any_prefix(), 0..24)) {
            let blocks: Vec<Prefix> = entries.into_iter().collect::<PrefixBlocks>().iter().collect();
            for (index, one) in blocks.iter().enumerate() {
                for other in &blocks[index + 1..] {
                    prop_assert!(one < other && !one.covers(other));
                    prop_assert_eq!(joined(one, other), None);
                }
            }
        }
    }

    #[test]
    fn a_large_set_finds_its_entries_by_the_table_of_beginnings() {
        let v4 = |index: u32| Prefix::v4((0x0100_0000 + (index << 8)).into(), 24);
        let v6 = |index: u32| Prefix::v6((0x2001_u128 << 112 | u128::from(index) << 80).into(), 48);
        let count = JUMP_COUNT_MIN as u32 + 1000;
        let entries = (0..count).map(v4).chain((0..count).map(v6));
        let cover = Cover::of_sorted(entries);
        assert!(!cover.v4.jumps.is_empty() && !cover.v6.jumps.is_empty());
        for index in (0..count).step_by(7) {
            for (position, prefix) in [(index, v4(index)), (count + index, v6(index))] {
                let found: Vec<usize> = cover.covering(&prefix).map(|e| e.position).collect();
                assert_eq!(found, [position as usize]);
            }
        }
        let none = [
            "0.0.0.0/0",
            "0.255.255.0/24",
            "255.255.255.255/32",
            "::/0",
            "ffff::/16",
        ];
        for prefix in none {
            assert_eq!(
                cover.covering(&prefix.parse().unwrap()).next(),
                None,
                "{prefix}"
            );
        }
    }

    #[test]
    fn an_ipv4_entry_takes_nine_octets() {
        let cover = Cover::of_sorted((0..100u32).map(|index| Prefix::v4((index << 8).into(), 24)));
        assert_eq!(cover.octets(), 900);
    }
}
