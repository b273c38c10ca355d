//! What a client may announce by the Internet Routing Registry: sets of prefixes, with how much longer
//! each may be, and origins. Knows nothing of registries, files or AS-SETs.

use std::fmt;
use std::str::FromStr;

use super::Cover;
use crate::base::{Asn, Prefix};

/// A prefix, and the lengths of prefixes within it that are meant.
///
/// In text: `192.0.2.0/24` is itself alone, `192.0.2.0/24+` with all that is longer, and
/// `198.51.100.0/22{23,24}` what lies in it of 23 or 24 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrefixRange {
    prefix: Prefix,
    len_min: u8,
    len_max: u8,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PrefixRangeError {
    #[error(
        "'{0}' is not a prefix such as 192.0.2.0/24, 192.0.2.0/24+ (and all that is longer) or 198.51.100.0/22{{23,24}}"
    )]
    Text(String),
    #[error(
        "{prefix}{{{len_min},{len_max}}}: the lengths must go up, from {} to {} at most",
        prefix.len(), prefix.family().max_len()
    )]
    Lengths {
        prefix: Prefix,
        len_min: u8,
        len_max: u8,
    },
}

impl PrefixRange {
    pub fn new(prefix: Prefix, len_min: u8, len_max: u8) -> Result<PrefixRange, PrefixRangeError> {
        let within =
            prefix.len() <= len_min && len_min <= len_max && len_max <= prefix.family().max_len();
        let range = PrefixRange {
            prefix,
            len_min,
            len_max,
        };
        within.then_some(range).ok_or(PrefixRangeError::Lengths {
            prefix,
            len_min,
            len_max,
        })
    }

    pub const fn exact(prefix: Prefix) -> PrefixRange {
        PrefixRange {
            prefix,
            len_min: prefix.len(),
            len_max: prefix.len(),
        }
    }

    pub const fn or_longer(prefix: Prefix) -> PrefixRange {
        PrefixRange {
            prefix,
            len_min: prefix.len(),
            len_max: prefix.family().max_len(),
        }
    }

    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    pub const fn len_min(&self) -> u8 {
        self.len_min
    }

    pub const fn len_max(&self) -> u8 {
        self.len_max
    }

    pub const fn is_exact(&self) -> bool {
        self.len_min == self.prefix.len() && self.len_max == self.prefix.len()
    }

    /// Whether `prefix` is meant.
    pub fn contains(&self, prefix: &Prefix) -> bool {
        self.prefix.covers(prefix) && (self.len_min..=self.len_max).contains(&prefix.len())
    }
}

impl FromStr for PrefixRange {
    type Err = PrefixRangeError;

    fn from_str(text: &str) -> Result<PrefixRange, PrefixRangeError> {
        let wrong = || PrefixRangeError::Text(text.to_owned());
        let prefix = |text: &str| text.parse::<Prefix>().map_err(|_| wrong());
        if let Some(text) = text.strip_suffix('+') {
            return prefix(text).map(PrefixRange::or_longer);
        }
        let Some((text, lens)) = text.split_once('{') else {
            return prefix(text).map(PrefixRange::exact);
        };
        let lens = lens.strip_suffix('}').and_then(|lens| lens.split_once(','));
        let (len_min, len_max) = lens.ok_or_else(wrong)?;
        let len = |text: &str| text.trim().parse::<u8>().map_err(|_| wrong());
        PrefixRange::new(prefix(text)?, len(len_min)?, len(len_max)?)
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        if self.is_exact() {
            return Ok(());
        }
        match *self == PrefixRange::or_longer(self.prefix) {
            true => f.write_str("+"),
            false => write!(f, "{{{},{}}}", self.len_min, self.len_max),
        }
    }
}

impl fmt::Debug for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for PrefixRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PrefixRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How a prefix is in a [`PrefixSet`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Match {
    /// As an entry of its own.
    Exact,
    /// Within an entry that lets its length in.
    MoreSpecific,
}

/// Prefix ranges, in order; of one prefix only such as do not meet.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PrefixSet {
    cover: Cover,
    /// Least and greatest length of each entry. Empty if all are exact.
    lens: Box<[[u8; 2]]>,
}

impl PrefixSet {
    /// In any order; sorted ones cost least.
    pub fn new(mut ranges: Vec<PrefixRange>) -> PrefixSet {
        ranges.sort_unstable();
        // Lengths that meet or follow on each other are one range.
        ranges.dedup_by(|next, last| {
            let meet = last.prefix == next.prefix && next.len_min <= last.len_max.saturating_add(1);
            if meet {
                last.len_max = last.len_max.max(next.len_max);
            }
            meet
        });
        let lens = match ranges.iter().all(PrefixRange::is_exact) {
            true => Box::default(),
            false => ranges
                .iter()
                .map(|range| [range.len_min, range.len_max])
                .collect(),
        };
        PrefixSet {
            cover: Cover::of_sorted(ranges.iter().map(|range| range.prefix)),
            lens,
        }
    }

    pub fn len(&self) -> usize {
        self.cover.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cover.is_empty()
    }

    /// Octets on the heap.
    pub fn octets(&self) -> usize {
        self.cover.octets() + size_of_val(&*self.lens)
    }

    /// Whether an entry means this prefix, and how.
    #[inline]
    pub fn contains(&self, prefix: &Prefix) -> Option<Match> {
        for entry in self.cover.covering(prefix) {
            let [len_min, len_max] = self.lens(entry.position, entry.len);
            if (len_min..=len_max).contains(&prefix.len()) {
                return Some(match entry.len == prefix.len() {
                    true => Match::Exact,
                    false => Match::MoreSpecific,
                });
            }
        }
        None
    }

    /// Whether an entry means this prefix or a shorter one around it. What is shorter than all that an
    /// entry means is not covered by it: of 198.51.100.0/22{24,24}, the /22 itself is not.
    #[inline]
    pub fn covers(&self, prefix: &Prefix) -> bool {
        let mut entries = self.cover.covering(prefix);
        entries.any(|entry| self.lens(entry.position, entry.len)[0] <= prefix.len())
    }

    /// The entries that cover this prefix, the longest first.
    pub fn covering(&self, prefix: &Prefix) -> impl Iterator<Item = PrefixRange> + '_ {
        self.cover
            .covering(prefix)
            .map(|entry| self.range(entry.position))
    }

    /// In order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PrefixRange> + Clone + '_ {
        (0..self.len()).map(|position| self.range(position))
    }

    fn range(&self, position: usize) -> PrefixRange {
        let prefix = self.cover.prefix(position);
        let [len_min, len_max] = self.lens(position, prefix.len());
        PrefixRange {
            prefix,
            len_min,
            len_max,
        }
    }

    #[inline]
    fn lens(&self, position: usize, len: u8) -> [u8; 2] {
        self.lens.get(position).copied().unwrap_or([len, len])
    }
}

impl FromIterator<PrefixRange> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = PrefixRange>>(ranges: I) -> PrefixSet {
        PrefixSet::new(ranges.into_iter().collect())
    }
}

impl fmt::Debug for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The prefixes and origins that are registered for a client. Either is empty where there are none to check with.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct IrrSet {
    pub prefixes: PrefixSet,
    /// Sorted, each once.
    origins: Box<[Asn]>,
}

impl IrrSet {
    pub fn new(prefixes: PrefixSet, mut origins: Vec<Asn>) -> IrrSet {
        origins.sort_unstable();
        origins.dedup();
        IrrSet {
            prefixes,
            origins: origins.into(),
        }
    }

    pub fn origins(&self) -> &[Asn] {
        &self.origins
    }

    #[inline]
    pub fn has_origin(&self, origin: Asn) -> bool {
        self.origins.binary_search(&origin).is_ok()
    }

    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.origins.is_empty()
    }

    /// Octets on the heap.
    pub fn octets(&self) -> usize {
        self.prefixes.octets() + size_of_val(&*self.origins)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::cover::tests::any_prefix;

    fn set(ranges: &[&str]) -> PrefixSet {
        ranges.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_range_is_read_and_shown_in_its_shortest_form() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.0/24{24,24}", "192.0.2.0/24"),
            ("192.0.2.0/24+", "192.0.2.0/24+"),
            ("192.0.2.0/24{24,32}", "192.0.2.0/24+"),
            ("198.51.100.0/22{23,24}", "198.51.100.0/22{23,24}"),
            ("198.51.100.0/22{ 23, 24 }", "198.51.100.0/22{23,24}"),
            ("192.0.2.1/32+", "192.0.2.1/32"),
            ("2001:db8::/32{32,48}", "2001:db8::/32{32,48}"),
            ("2001:db8::/32+", "2001:db8::/32+"),
            ("192.0.2.7/24", "192.0.2.0/24"),
        ];
        for (text, shown) in cases {
            assert_eq!(text.parse::<PrefixRange>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_text() {
        let cases = [
            ("192.0.2.0/33", "'192.0.2.0/33' is not a prefix"),
            ("192.0.2.0/24-", "'192.0.2.0/24-' is not a prefix"),
            (
                "192.0.2.0/24{24}",
                "'192.0.2.0/24{24}' is not a prefix such as 192.0.2.0/24,",
            ),
            ("192.0.2.0/24{24,25", "'192.0.2.0/24{24,25' is not a prefix"),
            (
                "192.0.2.0/24{23,25}",
                "192.0.2.0/24{23,25}: the lengths must go up, from 24 to 32",
            ),
            ("192.0.2.0/24{26,25}", "the lengths must go up"),
            ("192.0.2.0/24{26,33}", "the lengths must go up"),
            ("", "'' is not a prefix"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<PrefixRange>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_set_says_whether_and_how_it_has_a_prefix() {
        let set = set(&[
            "192.0.2.0/24",
            "100.64.0.0/24{24,26}",
            "100.64.4.0/22{24,24}",
            "100.64.4.0/24{24,24}",
            "198.51.100.0/22{24,24}",
            "198.51.100.0/22",
            "203.0.113.0/24+",
            "2001:db8::/32{48,48}",
        ]);
        use Match::*;
        let cases = [
            ("an exact entry has itself", "192.0.2.0/24", Some(Exact)),
            ("an exact entry has nothing longer", "192.0.2.0/25", None),
            ("no entry has anything shorter", "192.0.2.0/23", None),
            (
                "a range from its own length on has itself exactly",
                "100.64.0.0/24",
                Some(Exact),
            ),
            (
                "so it has inside a range around it",
                "100.64.4.0/24",
                Some(Exact),
            ),
            (
                "of two ranges of a prefix, the first counts",
                "198.51.100.0/22",
                Some(Exact),
            ),
            (
                "of two ranges of a prefix, the second counts",
                "198.51.102.0/24",
                Some(MoreSpecific),
            ),
            (
                "what is between two ranges is not in",
                "198.51.102.0/23",
                None,
            ),
            ("an open entry has itself", "203.0.113.0/24", Some(Exact)),
            (
                "an open entry has hosts",
                "203.0.113.9/32",
                Some(MoreSpecific),
            ),
            (
                "an entry that does not mean itself does not have itself",
                "2001:db8::/32",
                None,
            ),
            (
                "an entry that means longer ones has them",
                "2001:db8:1::/48",
                Some(MoreSpecific),
            ),
        ];
        for (case, prefix, expected) in cases {
            assert_eq!(set.contains(&prefix.parse().unwrap()), expected, "{case}");
        }
    }

    #[test]
    fn a_set_covers_what_is_as_long_as_an_entry_means_or_longer() {
        let set = set(&[
            "192.0.2.0/24{24,24}",
            "198.51.100.0/22{24,24}",
            "2001:db8::/32{48,56}",
        ]);
        let cases = [
            ("an exact entry covers itself", "192.0.2.0/24", true),
            ("and what is longer", "192.0.2.128/25", true),
            ("and nothing shorter", "192.0.0.0/16", false),
            (
                "the prefix of a range that means longer ones alone is not covered",
                "198.51.100.0/22",
                false,
            ),
            ("nor what is still too short", "198.51.102.0/23", false),
            ("what the range means is", "198.51.102.0/24", true),
            ("and what is longer than that", "198.51.102.0/30", true),
            ("in IPv6, too short", "2001:db8:1::/47", false),
            ("in IPv6, long enough", "2001:db8:1::/64", true),
        ];
        for (case, prefix, expected) in cases {
            assert_eq!(set.covers(&prefix.parse().unwrap()), expected, "{case}");
        }
    }

    #[test]
    fn lengths_that_meet_are_one_range_and_others_are_kept_apart() {
        let cases = [
            (
                &["10.0.0.0/8{8,12}", "10.0.0.0/8{13,16}"][..],
                &["10.0.0.0/8{8,16}"][..],
            ),
            (
                &["10.0.0.0/8{8,20}", "10.0.0.0/8{12,16}"],
                &["10.0.0.0/8{8,20}"],
            ),
            (
                &["10.0.0.0/8{14,16}", "10.0.0.0/8"],
                &["10.0.0.0/8", "10.0.0.0/8{14,16}"],
            ),
            (&["10.0.0.0/8", "10.0.0.0/8+"], &["10.0.0.0/8+"]),
        ];
        for (ranges, expected) in cases {
            let shown: Vec<String> = set(ranges).iter().map(|range| range.to_string()).collect();
            assert_eq!(shown, expected);
        }
        assert_eq!(
            set(&["10.0.0.0/8", "10.0.0.0/8{9,9}"]),
            set(&["10.0.0.0/8{8,9}"])
        );
    }

    #[test]
    fn origins_are_found_whatever_their_order() {
        let set = IrrSet::new(PrefixSet::default(), vec![Asn(7), Asn(3), Asn(7)]);
        assert_eq!(set.origins(), [Asn(3), Asn(7)]);
        assert!(set.has_origin(Asn(3)) && !set.has_origin(Asn(5)));
    }

    fn any_range() -> impl Strategy<Value = PrefixRange> {
        (any_prefix(), 0u8..4, 0u8..5).prop_map(|(prefix, from, count)| {
            let max = prefix.family().max_len();
            let len_min = (prefix.len() + from).min(max);
            PrefixRange::new(prefix, len_min, (len_min + count).min(max)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_set_says_what_a_look_at_each_range_says(
            ranges in prop::collection::vec(any_range(), 0..24),
            prefix in any_prefix(),
        ) {
            let set = PrefixSet::new(ranges.clone());
            let meant = ranges.iter().filter(|range| range.contains(&prefix)).collect::<Vec<_>>();
            let expected = match meant.iter().any(|range| range.prefix == prefix) {
                true => Some(Match::Exact),
                false => meant.first().map(|_| Match::MoreSpecific),
            };
            prop_assert_eq!(set.contains(&prefix), expected);
            prop_assert_eq!(set.covers(&prefix), ranges.iter().any(|range| {
                range.prefix.covers(&prefix) && range.len_min <= prefix.len()
            }));
        }

        #[test]
        fn equal_content_is_equal_whatever_the_order(
            mut ranges in prop::collection::vec(any_range(), 0..12),
            times in 1usize..3,
        ) {
            let set = PrefixSet::new(ranges.clone());
            ranges.reverse();
            prop_assert_eq!(PrefixSet::new(ranges.repeat(times)), set.clone());
            prop_assert_eq!(set.iter().collect::<PrefixSet>(), set);
        }

        #[test]
        fn a_range_is_what_its_text_says(range in any_range()) {
            prop_assert_eq!(range.to_string().parse::<PrefixRange>(), Ok(range));
        }
    }
}
