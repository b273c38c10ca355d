//! Validated ROA payloads, and the validation of origins by them (RFC 6811).

use crate::base::{Asn, Prefix};

use super::cover::{Cover, PrefixBlocks};

/// An AS may announce the prefix, and what lies in it up to a length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vrp {
    pub prefix: Prefix,
    pub max_len: u8,
    pub asn: Asn,
}

/// RFC 6811 §2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RovState {
    NotFound,
    Valid,
    Invalid,
}

/// All VRPs, compact: fourteen octets an IPv4 one.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct VrpSet {
    cover: Cover,
    /// By place.
    max_lens: Box<[u8]>,
    asns: Box<[Asn]>,
}

impl VrpSet {
    /// `vrps` may come in any order, and more than once.
    pub fn new(mut vrps: Vec<Vrp>) -> VrpSet {
        if !vrps.is_sorted() {
            vrps.sort_unstable();
        }
        vrps.dedup();
        let prefixes: Vec<Prefix> = vrps.iter().map(|vrp| vrp.prefix).collect();
        VrpSet {
            cover: Cover::new(&prefixes),
            max_lens: vrps.iter().map(|vrp| vrp.max_len).collect(),
            asns: vrps.iter().map(|vrp| vrp.asn).collect(),
        }
    }

    /// `origin` is `None` where the AS_PATH has none that counts (RFC 6811 §2): that matches nothing.
    pub fn validate(&self, prefix: &Prefix, origin: Option<Asn>) -> RovState {
        self.validated(prefix, origin, prefix.len())
    }

    /// A blackhole route (RFC 7999) may be longer than its holder has foreseen.
    pub fn validate_blackhole(&self, prefix: &Prefix, origin: Option<Asn>) -> RovState {
        self.validated(prefix, origin, 0)
    }

    fn validated(&self, prefix: &Prefix, origin: Option<Asn>, len: u8) -> RovState {
        let mut is_covered = false;
        let valid = self.cover.find(prefix, |index| {
            is_covered = true;
            let asn = self.asns[index];
            // AS 0 says that nobody may (RFC 6483 §4).
            let matches = origin == Some(asn) && asn != Asn(0) && len <= self.max_lens[index];
            matches.then_some(RovState::Valid)
        });
        valid.unwrap_or(match is_covered {
            true => RovState::Invalid,
            false => RovState::NotFound,
        })
    }

    /// Whether a VRP lets this AS announce the prefix.
    pub fn covers_with(&self, prefix: &Prefix, origin: Asn) -> bool {
        self.validate(prefix, Some(origin)) == RovState::Valid
    }

    /// The address space of VRPs that are in one of the two only.
    pub fn difference(&self, other: &VrpSet) -> PrefixBlocks {
        let (mut a, mut b) = (self.iter().peekable(), other.iter().peekable());
        let mut changed = Vec::new();
        loop {
            match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(x), Some(y)) if x == y => {
                    a.next();
                    b.next();
                }
                (Some(x), Some(y)) if x < y => changed.extend(a.next().map(|vrp| vrp.prefix)),
                (Some(_), None) => changed.extend(a.next().map(|vrp| vrp.prefix)),
                (_, Some(_)) => changed.extend(b.next().map(|vrp| vrp.prefix)),
            }
        }
        changed.into_iter().collect()
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = Vrp> {
        let pairs = self.max_lens.iter().zip(&self.asns).enumerate();
        pairs.map(|(index, (max_len, asn))| Vrp {
            prefix: self.cover.prefix(index),
            max_len: *max_len,
            asn: *asn,
        })
    }

    pub fn len(&self) -> usize {
        self.asns.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn octets(&self) -> usize {
        self.cover.octets() + size_of_val(&*self.max_lens) + size_of_val(&*self.asns)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Family;

    fn vrp(prefix: &str, max_len: u8, asn: u32) -> Vrp {
        Vrp {
            prefix: prefix.parse().unwrap(),
            max_len,
            asn: Asn(asn),
        }
    }

    #[test]
    fn origins_are_validated_as_rfc_6811_says() {
        let vrps = VrpSet::new(vec![
            vrp("192.0.2.0/24", 24, 64_496),
            vrp("198.51.100.0/22", 24, 64_497),
            vrp("198.51.100.0/24", 24, 64_498),
            vrp("203.0.113.0/24", 32, 0),
            vrp("2001:db8::/32", 48, 64_496),
        ]);
        use RovState::*;
        let cases = [
            ("the AS of the VRP", "192.0.2.0/24", Some(64_496), Valid),
            ("another AS", "192.0.2.0/24", Some(64_497), Invalid),
            ("no origin", "192.0.2.0/24", None, Invalid),
            (
                "longer than the VRP lets",
                "192.0.2.0/25",
                Some(64_496),
                Invalid,
            ),
            (
                "shorter than every VRP",
                "192.0.2.0/23",
                Some(64_496),
                NotFound,
            ),
            (
                "up to the longest length",
                "198.51.100.0/24",
                Some(64_497),
                Valid,
            ),
            (
                "one of two VRPs matches",
                "198.51.100.0/24",
                Some(64_498),
                Valid,
            ),
            ("AS 0 is nobody", "203.0.113.0/24", Some(0), Invalid),
            ("IPv6", "2001:db8:1::/48", Some(64_496), Valid),
            ("not covered", "2001:db9::/32", Some(64_496), NotFound),
        ];
        for (case, prefix, origin, expected) in cases {
            let state = vrps.validate(&prefix.parse().unwrap(), origin.map(Asn));
            assert_eq!(state, expected, "{case}");
        }
        let host = "192.0.2.1/32".parse().unwrap();
        assert_eq!(vrps.validate_blackhole(&host, Some(Asn(64_496))), Valid);
        assert_eq!(vrps.validate_blackhole(&host, Some(Asn(64_497))), Invalid);
    }

    fn any_vrp() -> impl Strategy<Value = Vrp> {
        let parts = (any::<u8>(), 0u8..=7, 0u8..4, 0u32..4, any::<bool>());
        parts.prop_map(|(bits, len, more, asn, six)| Vrp {
            prefix: match six {
                false => Prefix::v4([bits, 0, 0, 0].into(), len),
                true => Prefix::new(Family::Ipv6, &[bits], len).unwrap(),
            },
            max_len: len + more,
            asn: Asn(asn),
        })
    }

    proptest! {
        #[test]
        fn a_set_says_what_a_look_at_each_vrp_says(
            vrps in prop::collection::vec(any_vrp(), 0..40),
            route in any_vrp(),
        ) {
            let set = VrpSet::new(vrps.clone());
            let covering: Vec<_> = vrps.iter().filter(|vrp| vrp.prefix.covers(&route.prefix)).collect();
            let matches = |vrp: &&Vrp| {
                vrp.asn == route.asn && vrp.asn.0 != 0 && route.prefix.len() <= vrp.max_len
            };
            let expected = match (covering.is_empty(), covering.iter().any(|vrp| matches(vrp))) {
                (true, _) => RovState::NotFound,
                (false, true) => RovState::Valid,
                (false, false) => RovState::Invalid,
            };
            prop_assert_eq!(set.validate(&route.prefix, Some(route.asn)), expected);
        }

        #[test]
        fn what_changes_state_lies_in_the_difference(
            before in prop::collection::vec(any_vrp(), 0..20),
            after in prop::collection::vec(any_vrp(), 0..20),
            routes in prop::collection::vec(any_vrp(), 1..20),
        ) {
            let (before, after) = (VrpSet::new(before), VrpSet::new(after));
            let blocks = before.difference(&after);
            prop_assert_eq!(blocks.is_empty(), before == after);
            for route in routes {
                let state = |set: &VrpSet| set.validate(&route.prefix, Some(route.asn));
                let changed = state(&before) != state(&after);
                prop_assert!(!changed || blocks.touches(&route.prefix));
            }
        }
    }
}
