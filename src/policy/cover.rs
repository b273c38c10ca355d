//! Prefixes in compact sorted arrays, and which of them cover a given one. Knows nothing of what they
//! are prefixes of.

use std::fmt;
use std::str::FromStr;

use crate::base::{Family, Prefix};

/// No parent.
const NONE: u32 = u32::MAX;

/// So many entries of a family get a table of where each 16 bits begin.
const JUMP_FROM: usize = 100_000;

/// Sorted prefixes, repetitions kept; IPv4 first. An entry is known by its place.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Cover {
    v4: Column<u32>,
    v6: Column<u128>,
}

/// The prefixes of one family, an array for each field: nine octets an IPv4 entry.
#[derive(Clone, PartialEq, Eq)]
struct Column<B> {
    bits: Box<[B]>,
    lens: Box<[u8]>,
    /// The nearest entry before that covers it or equals it.
    parents: Box<[u32]>,
    /// Where the entries of each first 16 bits begin; empty in small ones.
    jumps: Box<[u32]>,
}

impl<B> Default for Column<B> {
    fn default() -> Column<B> {
        Column {
            bits: [].into(),
            lens: [].into(),
            parents: [].into(),
            jumps: [].into(),
        }
    }
}

/// An address, left-aligned.
trait Bits: Copy + Ord {
    fn of(prefix: &Prefix) -> Self;
    fn wide(self) -> u128;

    fn top(self) -> usize {
        (self.wide() >> 112) as usize
    }
}

impl Bits for u32 {
    fn of(prefix: &Prefix) -> u32 {
        (prefix.bits() >> 96) as u32
    }

    fn wide(self) -> u128 {
        u128::from(self) << 96
    }
}

impl Bits for u128 {
    fn of(prefix: &Prefix) -> u128 {
        prefix.bits()
    }

    fn wide(self) -> u128 {
        self
    }
}

/// Whether the first `len` bits are the same.
const fn agree(a: u128, b: u128, len: u8) -> bool {
    len == 0 || (a ^ b) >> (128 - len as u32) == 0
}

impl<B: Bits> Column<B> {
    /// `prefixes` ascend.
    fn new(prefixes: &[Prefix]) -> Column<B> {
        let bits: Box<[B]> = prefixes.iter().map(B::of).collect();
        let lens: Box<[u8]> = prefixes.iter().map(Prefix::len).collect();
        let mut parents = Vec::with_capacity(prefixes.len());
        let mut open: Vec<u32> = Vec::new();
        for (index, prefix) in prefixes.iter().enumerate() {
            while let Some(&last) = open.last() {
                if prefixes[last as usize].covers(prefix) {
                    break;
                }
                open.pop();
            }
            parents.push(open.last().copied().unwrap_or(NONE));
            open.push(index as u32);
        }
        let mut column = Column {
            bits,
            lens,
            parents: parents.into(),
            jumps: [].into(),
        };
        if prefixes.len() >= JUMP_FROM {
            column.jumps = column.jump_table();
        }
        column
    }

    fn jump_table(&self) -> Box<[u32]> {
        let mut jumps = vec![0u32; (1 << 16) + 1];
        for bits in &self.bits {
            jumps[bits.top() + 1] += 1;
        }
        for top in 0..1 << 16 {
            jumps[top + 1] += jumps[top];
        }
        jumps.into()
    }

    /// The last entry that is not behind the prefix.
    fn last_upto(&self, prefix: &Prefix) -> u32 {
        let (bits, len) = (B::of(prefix), prefix.len());
        let range = match self.jumps.get(bits.top()..bits.top() + 2) {
            Some(&[start, end]) => start as usize..end as usize,
            _ => 0..self.bits.len(),
        };
        let upto = self.bits[range.clone()].partition_point(|other| *other < bits) + range.start;
        // Of the same address there are few.
        let mut end = upto;
        while end < self.bits.len() && self.bits[end] == bits && self.lens[end] <= len {
            end += 1;
        }
        (end as u32).checked_sub(1).unwrap_or(NONE)
    }

    /// Most specific first.
    fn covering(&self, prefix: &Prefix) -> impl Iterator<Item = usize> {
        let bits = prefix.bits();
        let mut at = self.last_upto(prefix);
        std::iter::from_fn(move || {
            while at != NONE {
                let index = at as usize;
                at = self.parents[index];
                if self.lens[index] <= prefix.len()
                    && agree(self.bits[index].wide(), bits, self.lens[index])
                {
                    return Some(index);
                }
            }
            None
        })
    }

    fn octets(&self) -> usize {
        size_of_val(&*self.bits)
            + size_of_val(&*self.lens)
            + size_of_val(&*self.parents)
            + size_of_val(&*self.jumps)
    }
}

impl Cover {
    /// `prefixes` ascend.
    pub fn new(prefixes: &[Prefix]) -> Cover {
        let v4_count = prefixes.partition_point(|prefix| prefix.family() == Family::Ipv4);
        let (v4, v6) = prefixes.split_at(v4_count);
        Cover {
            v4: Column::new(v4),
            v6: Column::new(v6),
        }
    }

    pub fn len(&self) -> usize {
        self.v4.lens.len() + self.v6.lens.len()
    }

    pub fn octets(&self) -> usize {
        self.v4.octets() + self.v6.octets()
    }

    pub fn prefix(&self, index: usize) -> Prefix {
        let (family, bits, len) = match index.checked_sub(self.v4.lens.len()) {
            None => (
                Family::Ipv4,
                self.v4.bits[index].wide(),
                self.v4.lens[index],
            ),
            Some(index) => (Family::Ipv6, self.v6.bits[index], self.v6.lens[index]),
        };
        Prefix::new(family, &bits.to_be_bytes(), len).expect("it was taken from a prefix")
    }

    /// Calls `found` with each entry that covers the prefix, most specific first, until it says so.
    pub fn find<T>(&self, prefix: &Prefix, mut found: impl FnMut(usize) -> Option<T>) -> Option<T> {
        match prefix.family() {
            Family::Ipv4 => self.v4.covering(prefix).find_map(found),
            Family::Ipv6 => {
                let before = self.v4.lens.len();
                let mut at = self.v6.covering(prefix);
                at.find_map(|index| found(before + index))
            }
        }
    }
}

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cover({} prefixes)", self.len())
    }
}

/// A prefix with the lengths that are meant of what it covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PrefixRange {
    pub prefix: Prefix,
    pub len_min: u8,
    pub len_max: u8,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is no prefix such as 192.0.2.0/24, 192.0.2.0/24+ or 192.0.2.0/24{{25,26}}")]
pub struct PrefixRangeError(String);

impl PrefixRange {
    pub const fn exact(prefix: Prefix) -> PrefixRange {
        let len = prefix.len();
        PrefixRange {
            prefix,
            len_min: len,
            len_max: len,
        }
    }

    /// With all that lies in it.
    pub const fn or_longer(prefix: Prefix) -> PrefixRange {
        PrefixRange {
            prefix,
            len_min: prefix.len(),
            len_max: prefix.family().max_len(),
        }
    }

    pub fn contains(&self, prefix: &Prefix) -> bool {
        (self.len_min..=self.len_max).contains(&prefix.len()) && self.prefix.covers(prefix)
    }
}

impl FromStr for PrefixRange {
    type Err = PrefixRangeError;

    fn from_str(text: &str) -> Result<PrefixRange, PrefixRangeError> {
        let wrong = || PrefixRangeError(text.to_owned());
        let prefix = |text: &str| -> Option<Prefix> {
            text.contains('/').then(|| text.parse().ok()).flatten()
        };
        if let Some(rest) = text.strip_suffix('+') {
            return prefix(rest).map(PrefixRange::or_longer).ok_or_else(wrong);
        }
        let Some((rest, bounds)) = text.split_once('{') else {
            return prefix(text).map(PrefixRange::exact).ok_or_else(wrong);
        };
        let bounds = bounds.strip_suffix('}').and_then(|bounds| {
            let (min, max) = bounds.split_once(',')?;
            Some((min.trim().parse().ok()?, max.trim().parse().ok()?))
        });
        let (Some(prefix), Some((len_min, len_max))) = (prefix(rest), bounds) else {
            return Err(wrong());
        };
        if len_min < prefix.len() || len_min > len_max || len_max > prefix.family().max_len() {
            return Err(wrong());
        }
        Ok(PrefixRange {
            prefix,
            len_min,
            len_max,
        })
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PrefixRange {
            prefix,
            len_min,
            len_max,
        } = self;
        if *self == PrefixRange::exact(*prefix) {
            write!(f, "{prefix}")
        } else if *self == PrefixRange::or_longer(*prefix) {
            write!(f, "{prefix}+")
        } else {
            write!(f, "{prefix}{{{len_min},{len_max}}}")
        }
    }
}

/// How a prefix is in a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixMatch {
    /// Itself.
    Exact,
    /// A shorter one lets it in.
    MoreSpecific,
}

/// Prefix ranges, compact: eleven octets an IPv4 entry.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PrefixSet {
    cover: Cover,
    /// By place.
    bounds: Box<[(u8, u8)]>,
}

impl PrefixSet {
    /// `ranges` may come in any order, and more than once.
    pub fn new(mut ranges: Vec<PrefixRange>) -> PrefixSet {
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        ranges.dedup();
        let prefixes: Vec<Prefix> = ranges.iter().map(|range| range.prefix).collect();
        PrefixSet {
            cover: Cover::new(&prefixes),
            bounds: ranges
                .iter()
                .map(|range| (range.len_min, range.len_max))
                .collect(),
        }
    }

    pub fn contains(&self, prefix: &Prefix) -> Option<PrefixMatch> {
        self.cover.find(prefix, |index| {
            let (min, max) = self.bounds[index];
            let is_in = (min..=max).contains(&prefix.len());
            is_in.then(|| match self.cover.prefix(index).len() == prefix.len() {
                true => PrefixMatch::Exact,
                false => PrefixMatch::MoreSpecific,
            })
        })
    }

    /// Whether an entry covers the prefix, whatever lengths it means.
    pub fn covers(&self, prefix: &Prefix) -> bool {
        self.cover.find(prefix, |_| Some(())).is_some()
    }

    pub fn len(&self) -> usize {
        self.cover.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn octets(&self) -> usize {
        self.cover.octets() + size_of_val(&*self.bounds)
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = PrefixRange> {
        let bounds = self.bounds.iter().enumerate();
        bounds.map(|(index, &(len_min, len_max))| PrefixRange {
            prefix: self.cover.prefix(index),
            len_min,
            len_max,
        })
    }
}

impl FromIterator<PrefixRange> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = PrefixRange>>(ranges: I) -> PrefixSet {
        PrefixSet::new(ranges.into_iter().collect())
    }
}

/// Address blocks, none in another: where something changed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PrefixBlocks {
    /// By [`Family::index`]; ascending.
    blocks: [Vec<Prefix>; 2],
    /// A bit for each first 16 bits that a block has something of.
    tops: [Vec<u64>; 2],
}

impl PrefixBlocks {
    /// Whether the prefix lies in one of the blocks.
    pub fn touches(&self, prefix: &Prefix) -> bool {
        let family = prefix.family().index();
        let top = (prefix.bits() >> 112) as usize;
        let word = self.tops[family].get(top / 64).copied().unwrap_or(0);
        if word & 1 << (top % 64) == 0 {
            return false;
        }
        let blocks = &self.blocks[family];
        let after = blocks.partition_point(|block| block <= prefix);
        after
            .checked_sub(1)
            .is_some_and(|last| blocks[last].covers(prefix))
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }
}

impl FromIterator<Prefix> for PrefixBlocks {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> PrefixBlocks {
        let mut blocks = PrefixBlocks::default();
        for prefix in prefixes {
            blocks.blocks[prefix.family().index()].push(prefix);
        }
        for (blocks, tops) in blocks.blocks.iter_mut().zip(&mut blocks.tops) {
            blocks.sort_unstable();
            blocks.dedup_by(|inner, outer| outer.covers(inner));
            if !blocks.is_empty() {
                tops.resize(1 << 10, 0);
            }
            for block in blocks {
                let first = (block.bits() >> 112) as usize;
                let count = 1usize << 16u8.saturating_sub(block.len());
                for top in first..first + count {
                    tops[top / 64] |= 1 << (top % 64);
                }
            }
        }
        blocks
    }
}

impl fmt::Debug for PrefixBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrefixBlocks({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few bits, so that prefixes meet.
    fn any_prefix() -> impl Strategy<Value = Prefix> {
        (any::<u8>(), 0u8..=7, any::<bool>()).prop_map(|(bits, len, six)| match six {
            false => Prefix::v4([bits, 0, 0, 0].into(), len),
            true => Prefix::new(Family::Ipv6, &[bits], len).unwrap(),
        })
    }

    fn any_range() -> impl Strategy<Value = PrefixRange> {
        (any_prefix(), 0u8..4, 0u8..4).prop_map(|(prefix, min, span)| PrefixRange {
            prefix,
            len_min: prefix.len() + min,
            len_max: prefix.len() + min + span,
        })
    }

    proptest! {
        #[test]
        fn a_set_says_what_a_look_at_each_entry_says(
            ranges in prop::collection::vec(any_range(), 0..40),
            prefixes in prop::collection::vec(any_prefix(), 1..20),
        ) {
            let set: PrefixSet = ranges.iter().copied().collect();
            for prefix in prefixes {
                let letting_in = ranges.iter().filter(|range| range.contains(&prefix));
                let longest = letting_in.map(|range| range.prefix.len()).max();
                let expected = longest.map(|len| match len == prefix.len() {
                    true => PrefixMatch::Exact,
                    false => PrefixMatch::MoreSpecific,
                });
                prop_assert_eq!(set.contains(&prefix), expected);
                let covers = ranges.iter().any(|range| range.prefix.covers(&prefix));
                prop_assert_eq!(set.covers(&prefix), covers);
            }
            let mut sorted = ranges;
            sorted.sort();
            sorted.dedup();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), sorted);
        }

        #[test]
        fn blocks_touch_what_lies_in_them(
            blocks in prop::collection::vec(any_prefix(), 0..10),
            prefix in any_prefix(),
        ) {
            let expected = blocks.iter().any(|block| block.covers(&prefix));
            let blocks: PrefixBlocks = blocks.into_iter().collect();
            prop_assert_eq!(blocks.touches(&prefix), expected);
        }

        #[test]
        fn a_range_is_read_as_it_is_written(range in any_range()) {
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
    }

    #[test]
    fn large_columns_jump_to_the_same_places() {
        let prefixes: Vec<Prefix> = (0..JUMP_FROM as u32 + 7)
            .map(|n| Prefix::v4((n << 12).into(), 8 + (n % 17) as u8))
            .collect();
        let mut sorted = prefixes.clone();
        sorted.sort();
        let with = Cover::new(&sorted);
        assert!(!with.v4.jumps.is_empty());
        let without = Column {
            jumps: [].into(),
            ..with.v4.clone()
        };
        for prefix in prefixes.iter().step_by(97) {
            let longer = Prefix::v4((((prefix.bits() >> 96) as u32) | 0x123).into(), 30);
            for prefix in [prefix, &longer] {
                assert_eq!(with.v4.last_upto(prefix), without.last_upto(prefix));
            }
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let wrong = [
            "192.0.2.0",
            "192.0.2.0/24{25}",
            "192.0.2.0/24{23,25}",
            "192.0.2.0/24{26,25}",
            "192.0.2.0/24{25,33}",
            "192.0.2.0/33",
            "+",
            "",
        ];
        for text in wrong {
            assert!(text.parse::<PrefixRange>().is_err(), "{text}");
        }
    }
}
