//! Validated ROA Payloads and route origin validation (RFC 6811). Knows nothing of where VRPs come
//! from, nor of what is done about a route that is Invalid.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Cover, PrefixBlocks};
use crate::base::{Asn, Prefix};

/// A Validated ROA Payload: this AS may originate this prefix and longer ones, to `max_len` bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vrp {
    pub prefix: Prefix,
    pub max_len: u8,
    pub asn: Asn,
}

/// The validation state of a route (RFC 6811 §2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RovState {
    NotFound,
    Valid,
    Invalid,
}

/// All VRPs, each once, in order. A few changes cost little: they stand beside what was there.
#[derive(Clone, Default, Debug)]
pub struct VrpSet {
    base: Arc<Entries>,
    /// Not in the base.
    added: Entries,
    /// In the base, and gone; sorted.
    removed: Box<[Vrp]>,
}

/// VRPs in arrays, sorted.
#[derive(Clone, Default, Debug)]
struct Entries {
    cover: Cover,
    max_lens: Box<[u8]>,
    asns: Box<[Asn]>,
}

/// More changes than this make a new base.
const CHANGES_MAX: usize = 1 << 14;

impl Entries {
    /// Sorted, each once.
    fn of_sorted(vrps: &[Vrp]) -> Entries {
        Entries {
            cover: Cover::of_sorted(vrps.iter().map(|vrp| vrp.prefix)),
            max_lens: vrps.iter().map(|vrp| vrp.max_len).collect(),
            asns: vrps.iter().map(|vrp| vrp.asn).collect(),
        }
    }

    fn vrp(&self, position: usize) -> Vrp {
        Vrp {
            prefix: self.cover.prefix(position),
            max_len: self.max_lens[position],
            asn: self.asns[position],
        }
    }

    fn iter(&self) -> impl Iterator<Item = Vrp> + '_ {
        (0..self.cover.len()).map(|position| self.vrp(position))
    }

    fn position_of(&self, vrp: &Vrp) -> Option<usize> {
        let (mut low, mut high) = (0, self.cover.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.vrp(middle).cmp(vrp) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    fn octets(&self) -> usize {
        self.cover.octets() + size_of_val(&*self.max_lens) + size_of_val(&*self.asns)
    }
}

impl VrpSet {
    /// In any order; sorted ones cost least.
    pub fn new(mut vrps: Vec<Vrp>) -> VrpSet {
        vrps.sort_unstable();
        vrps.dedup();
        VrpSet::of_sorted(&vrps)
    }

    /// Sorted, each once.
    pub fn of_sorted(vrps: &[Vrp]) -> VrpSet {
        VrpSet {
            base: Arc::new(Entries::of_sorted(vrps)),
            ..VrpSet::default()
        }
    }

    /// The set with these, which it has not, and without those, which it has.
    pub fn with_changes(&self, added: &[Vrp], removed: &[Vrp]) -> VrpSet {
        let mut beside: BTreeSet<Vrp> = self.added.iter().collect();
        let mut gone: BTreeSet<Vrp> = self.removed.iter().copied().collect();
        for vrp in removed {
            if !beside.remove(vrp) {
                gone.insert(*vrp);
            }
        }
        for vrp in added {
            if !gone.remove(vrp) {
                beside.insert(*vrp);
            }
        }
        let changed = VrpSet {
            base: self.base.clone(),
            added: Entries::of_sorted(&beside.into_iter().collect::<Vec<_>>()),
            removed: gone.into_iter().collect(),
        };
        match changed.added.cover.len() + changed.removed.len() > CHANGES_MAX {
            true => VrpSet::of_sorted(&changed.iter().collect::<Vec<_>>()),
            false => changed,
        }
    }

    pub fn len(&self) -> usize {
        self.base.cover.len() - self.removed.len() + self.added.cover.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets on the heap.
    pub fn octets(&self) -> usize {
        self.base.octets() + self.added.octets() + size_of_val(&*self.removed)
    }

    /// The state of a route, by RFC 6811 §2. An origin of `None` (an AS_SET) matches no VRP.
    #[inline]
    pub fn validate(&self, prefix: &Prefix, origin: Option<Asn>) -> RovState {
        self.validate_with(prefix, origin, |max_len| prefix.len() <= max_len)
    }

    /// For blackhole routes (RFC 7999), which are longer than any VRP allows: the length is not looked at.
    pub fn validate_blackhole(&self, prefix: &Prefix, origin: Option<Asn>) -> RovState {
        self.validate_with(prefix, origin, |_| true)
    }

    /// Whether a VRP stands in for a route object of this prefix and origin.
    pub fn covers_with(&self, prefix: &Prefix, origin: Asn) -> bool {
        self.validate(prefix, Some(origin)) == RovState::Valid
    }

    /// The VRPs whose prefix covers this one, the longest first but for those that are new.
    pub fn covering(&self, prefix: &Prefix) -> impl Iterator<Item = Vrp> + '_ {
        let base = self.base.cover.covering(prefix);
        let base = base.filter(|entry| !self.is_gone(entry.position));
        let base = base.map(|entry| self.base.vrp(entry.position));
        let added = self.added.cover.covering(prefix);
        base.chain(added.map(|entry| self.added.vrp(entry.position)))
    }

    fn is_gone(&self, position: usize) -> bool {
        !self.removed.is_empty() && self.removed.binary_search(&self.base.vrp(position)).is_ok()
    }

    #[inline]
    fn validate_with(
        &self,
        prefix: &Prefix,
        origin: Option<Asn>,
        len_fits: impl Fn(u8) -> bool,
    ) -> RovState {
        // No route matches a VRP of AS 0 (RFC 6811 §2, RFC 6483 §4).
        let origin = origin.filter(|origin| *origin != Asn(0));
        let mut state = RovState::NotFound;
        let matches = |entries: &Entries, position: usize| {
            Some(entries.asns[position]) == origin && len_fits(entries.max_lens[position])
        };
        for entry in self.base.cover.covering(prefix) {
            if self.is_gone(entry.position) {
                continue;
            }
            if matches(&self.base, entry.position) {
                return RovState::Valid;
            }
            state = RovState::Invalid;
        }
        for entry in self.added.cover.covering(prefix) {
            if matches(&self.added, entry.position) {
                return RovState::Valid;
            }
            state = RovState::Invalid;
        }
        state
    }

    /// What is other than in the base.
    fn changes(&self) -> BTreeSet<Vrp> {
        self.added
            .iter()
            .chain(self.removed.iter().copied())
            .collect()
    }

    pub fn contains(&self, vrp: &Vrp) -> bool {
        let holds = |entries: &Entries| entries.position_of(vrp).is_some();
        holds(&self.added) || holds(&self.base) && self.removed.binary_search(vrp).is_err()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Vrp> + '_ {
        let mut held = self.base.iter().enumerate().peekable();
        let mut added = self.added.iter().peekable();
        std::iter::from_fn(move || {
            while held
                .next_if(|(position, _)| self.is_gone(*position))
                .is_some()
            {}
            match (held.peek(), added.peek()) {
                (Some((_, held)), Some(other)) if other < held => added.next(),
                (Some(_), _) => held.next().map(|(_, vrp)| vrp),
                (None, _) => added.next(),
            }
        })
    }

    /// The address space whose routes may have another state in `newer`: that of the VRPs that
    /// are in one of the two only. Two sets of which one came from the other take as long as what
    /// changed is much.
    pub fn difference(&self, newer: &VrpSet) -> PrefixBlocks {
        if Arc::ptr_eq(&self.base, &newer.base) {
            return self
                .changes()
                .symmetric_difference(&newer.changes())
                .map(|vrp| vrp.prefix)
                .collect();
        }
        let (mut old, mut new) = (self.iter().peekable(), newer.iter().peekable());
        PrefixBlocks::of_sorted(std::iter::from_fn(|| {
            loop {
                let order = match (old.peek(), new.peek()) {
                    (Some(old), Some(new)) => old.cmp(new),
                    (Some(_), None) => Ordering::Less,
                    (None, _) => Ordering::Greater,
                };
                let vrp = match order {
                    Ordering::Less => old.next(),
                    Ordering::Greater => new.next(),
                    Ordering::Equal => {
                        old.next();
                        new.next();
                        continue;
                    }
                };
                return vrp.map(|vrp| vrp.prefix);
            }
        }))
    }
}

/// By content, however it came about.
impl PartialEq for VrpSet {
    fn eq(&self, other: &VrpSet) -> bool {
        if Arc::ptr_eq(&self.base, &other.base) {
            return self.removed == other.removed && self.added.iter().eq(other.added.iter());
        }
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for VrpSet {}

impl FromIterator<Vrp> for VrpSet {
    fn from_iter<I: IntoIterator<Item = Vrp>>(vrps: I) -> VrpSet {
        VrpSet::new(vrps.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::cover::tests::any_prefix;

    fn vrp(prefix: &str, max_len: u8, asn: u32) -> Vrp {
        Vrp {
            prefix: prefix.parse().unwrap(),
            max_len,
            asn: Asn(asn),
        }
    }

    #[test]
    fn states_are_those_of_rfc_6811() {
        let vrps = VrpSet::new(vec![
            vrp("192.0.2.0/24", 24, 64496),
            vrp("198.51.100.0/22", 23, 64496),
            vrp("198.51.100.0/22", 24, 64497),
            vrp("203.0.113.0/24", 32, 0),
            vrp("2001:db8::/32", 48, 64496),
        ]);
        use RovState::*;
        let cases = [
            (
                "the very prefix of its origin is Valid",
                "192.0.2.0/24",
                Some(64496),
                Valid,
            ),
            (
                "another origin is Invalid",
                "192.0.2.0/24",
                Some(64499),
                Invalid,
            ),
            (
                "longer than the maximum is Invalid",
                "192.0.2.0/25",
                Some(64496),
                Invalid,
            ),
            (
                "shorter than any VRP is NotFound",
                "192.0.0.0/16",
                Some(64496),
                NotFound,
            ),
            (
                "beside all VRPs is NotFound",
                "192.0.3.0/24",
                Some(64496),
                NotFound,
            ),
            (
                "within the maximum is Valid",
                "198.51.102.0/23",
                Some(64496),
                Valid,
            ),
            (
                "a longer maximum of another AS does not help",
                "198.51.102.0/24",
                Some(64496),
                Invalid,
            ),
            (
                "that of the other AS does",
                "198.51.102.0/24",
                Some(64497),
                Valid,
            ),
            (
                "AS 0 forbids, whoever originates",
                "203.0.113.0/24",
                Some(64496),
                Invalid,
            ),
            (
                "AS 0 as an origin matches no VRP of AS 0",
                "203.0.113.0/24",
                Some(0),
                Invalid,
            ),
            ("an AS_SET matches no VRP", "192.0.2.0/24", None, Invalid),
            (
                "an AS_SET beside all VRPs is NotFound",
                "192.0.3.0/24",
                None,
                NotFound,
            ),
            (
                "an AS_SET matches no VRP of AS 0",
                "203.0.113.0/24",
                None,
                Invalid,
            ),
            (
                "IPv6 within the maximum is Valid",
                "2001:db8:1::/48",
                Some(64496),
                Valid,
            ),
            (
                "IPv6 over the maximum is Invalid",
                "2001:db8:1::/49",
                Some(64496),
                Invalid,
            ),
        ];
        for (case, prefix, origin, expected) in cases {
            let state = vrps.validate(&prefix.parse().unwrap(), origin.map(Asn));
            assert_eq!(state, expected, "{case}");
        }
    }

    #[test]
    fn a_blackhole_route_may_be_longer_but_not_of_another_origin() {
        let vrps = VrpSet::new(vec![vrp("192.0.2.0/24", 24, 64496)]);
        let host = "192.0.2.1/32".parse().unwrap();
        assert_eq!(
            vrps.validate_blackhole(&host, Some(Asn(64496))),
            RovState::Valid
        );
        assert_eq!(
            vrps.validate_blackhole(&host, Some(Asn(64497))),
            RovState::Invalid
        );
        assert_eq!(vrps.validate(&host, Some(Asn(64496))), RovState::Invalid);
    }

    fn any_vrp() -> impl Strategy<Value = Vrp> {
        (any_prefix(), 0u8..6, 0u32..3).prop_map(|(prefix, longer, asn)| Vrp {
            prefix,
            max_len: (prefix.len() + longer).min(prefix.family().max_len()),
            asn: Asn(asn),
        })
    }

    fn naive(
        vrps: &[Vrp],
        prefix: &Prefix,
        origin: Option<Asn>,
        fits: impl Fn(&Vrp) -> bool,
    ) -> RovState {
        let mut covering = vrps
            .iter()
            .filter(|vrp| vrp.prefix.covers(prefix))
            .peekable();
        if covering.peek().is_none() {
            return RovState::NotFound;
        }
        let matched = covering.any(|vrp| vrp.asn != Asn(0) && Some(vrp.asn) == origin && fits(vrp));
        match matched {
            true => RovState::Valid,
            false => RovState::Invalid,
        }
    }

    proptest! {
        #[test]
        fn a_state_is_what_a_look_at_each_vrp_says(
            vrps in prop::collection::vec(any_vrp(), 0..24),
            prefix in any_prefix(),
            origin in prop::option::of((0u32..4).prop_map(Asn)),
        ) {
            let set = VrpSet::new(vrps.clone());
            let expected = naive(&vrps, &prefix, origin, |vrp| prefix.len() <= vrp.max_len);
            prop_assert_eq!(set.validate(&prefix, origin), expected);
            if let Some(origin) = origin {
                prop_assert_eq!(set.covers_with(&prefix, origin), expected == RovState::Valid);
            }
            let expected = naive(&vrps, &prefix, origin, |_| true);
            prop_assert_eq!(set.validate_blackhole(&prefix, origin), expected);
        }

        #[test]
        fn a_set_gives_back_its_vrps_sorted_and_once(vrps in prop::collection::vec(any_vrp(), 0..24)) {
            let set = VrpSet::new(vrps.clone());
            let expected: std::collections::BTreeSet<Vrp> = vrps.into_iter().collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn a_route_whose_state_changes_lies_in_the_difference(
            both in prop::collection::vec(any_vrp(), 0..12),
            old in prop::collection::vec(any_vrp(), 0..3),
            new in prop::collection::vec(any_vrp(), 0..3),
            prefix in any_prefix(),
            origin in prop::option::of((0u32..4).prop_map(Asn)),
        ) {
            let of = |more: &[Vrp]| both.iter().chain(more).copied().collect::<VrpSet>();
            let (old, new) = (of(&old), of(&new));
            let difference = old.difference(&new);
            if old.validate(&prefix, origin) != new.validate(&prefix, origin) {
                prop_assert!(difference.touches(&prefix));
            }
            let only_one = |a: &VrpSet, b: &VrpSet| {
                a.iter().filter(|vrp| !b.iter().any(|other| other == *vrp)).map(|vrp| vrp.prefix).collect::<Vec<_>>()
            };
            let expected: PrefixBlocks = only_one(&old, &new).into_iter().chain(only_one(&new, &old)).collect();
            prop_assert_eq!(difference, expected);
        }
    }

    proptest! {
        #[test]
        fn a_set_with_changes_is_the_set_made_anew(
            base in prop::collection::vec(any_vrp(), 0..12),
            steps in prop::collection::vec(
                (prop::collection::vec(any::<bool>(), 1..12), prop::collection::vec(any_vrp(), 0..12)),
                1..5,
            ),
            routes in prop::collection::vec((any_prefix(), 0u32..3), 1..20),
        ) {
            let mut set = VrpSet::new(base);
            for (stays, step) in steps {
                let stay = set.iter().zip(stays.into_iter().cycle()).filter(|(_, stays)| *stays);
                let now: BTreeSet<Vrp> = step.into_iter().chain(stay.map(|(vrp, _)| vrp)).collect();
                let before: BTreeSet<Vrp> = set.iter().collect();
                let added: Vec<Vrp> = now.difference(&before).copied().collect();
                let removed: Vec<Vrp> = before.difference(&now).copied().collect();
                let last = set.clone();
                set = set.with_changes(&added, &removed);
                let changed: PrefixBlocks = added.iter().chain(&removed).map(|vrp| vrp.prefix).collect();
                prop_assert_eq!(last.difference(&set), changed);
                prop_assert_eq!(last == set, before == now);
                prop_assert!(now.iter().all(|vrp| set.contains(vrp)));
                prop_assert!(removed.iter().all(|vrp| !set.contains(vrp)));
                let anew = VrpSet::of_sorted(&now.into_iter().collect::<Vec<_>>());
                prop_assert_eq!(&set, &anew);
                prop_assert_eq!(set.len(), anew.iter().count());
                for (prefix, asn) in &routes {
                    let origin = Some(Asn(*asn));
                    prop_assert_eq!(set.validate(prefix, origin), anew.validate(prefix, origin));
                }
            }
        }
    }
}
