//! Address space and ASNs that no exchange should carry, and lists of prefixes to look them up in.

use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use crate::base::{Asn, Family, Prefix};

use super::PrefixRange;

/// ASNs that have no place in an AS_PATH of the Internet.
pub const BOGON_ASNS: [RangeInclusive<Asn>; 4] = [
    Asn(0)..=Asn(0),           // RFC 7607
    Asn(23_456)..=Asn(23_456), // AS_TRANS, RFC 6793
    // Documentation and private use of two octets, 65535, documentation of four octets, reserved:
    // RFC 5398, RFC 6996, RFC 7300, IANA.
    Asn(64_496)..=Asn(131_071),
    Asn(4_200_000_000)..=Asn(u32::MAX), // private use and the last one: RFC 6996, RFC 7300
];

/// Networks that buy transit from nobody: behind a client they are a leak. Ascending.
pub const TRANSIT_FREE_ASNS: [Asn; 14] = [
    Asn(174),
    Asn(701),
    Asn(1299),
    Asn(2914),
    Asn(3257),
    Asn(3320),
    Asn(3356),
    Asn(5511),
    Asn(6453),
    Asn(6461),
    Asn(6762),
    Asn(6830),
    Asn(7018),
    Asn(12956),
];

/// Bogon prefixes with everything in them (IANA special-purpose registries), but for the default
/// routes, which are bogons alone.
const BOGON_PREFIXES: &[&str] = &[
    "0.0.0.0/8",       // this network, RFC 791
    "10.0.0.0/8",      // private, RFC 1918
    "100.64.0.0/10",   // carrier-grade NAT, RFC 6598
    "127.0.0.0/8",     // loopback, RFC 1122
    "169.254.0.0/16",  // link-local, RFC 3927
    "172.16.0.0/12",   // private, RFC 1918
    "192.0.0.0/24",    // protocol assignments, RFC 6890
    "192.0.2.0/24",    // documentation, RFC 5737
    "192.88.99.0/24",  // former 6to4 relay anycast, RFC 7526
    "192.168.0.0/16",  // private, RFC 1918
    "198.18.0.0/15",   // benchmarking, RFC 2544
    "198.51.100.0/24", // documentation, RFC 5737
    "203.0.113.0/24",  // documentation, RFC 5737
    "224.0.0.0/3",     // multicast and reserved, RFC 5771, RFC 1112
    "::/3", // unspecified, loopback, mapped, translation, discard; RFC 4291, RFC 6052, RFC 6666
    "2001::/32", // Teredo, RFC 4380
    "2001:2::/48", // benchmarking, RFC 5180
    "2001:3::/32", // automatic multicast tunnelling, RFC 7450
    "2001:10::/28", // ORCHID, RFC 4843
    "2001:20::/28", // ORCHIDv2, RFC 7343
    "2001:db8::/32", // documentation, RFC 3849
    "2002::/16", // 6to4, RFC 3056
    "3ffe::/16", // former 6bone, RFC 3701
    "3fff::/20", // documentation, RFC 9637
    "4000::/2", // not global unicast, RFC 4291
    "8000::/1", // not global unicast, unique local, link-local, multicast; RFC 4291, RFC 4193
];

/// A set of prefixes, each alone or with all that is more specific.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PrefixList {
    exact: Vec<Prefix>,
    /// With everything in them. Sorted, none within another.
    with_longer: [Vec<Prefix>; 2],
    /// Others; looked at one by one.
    ranges: Vec<PrefixRange>,
    /// A bit for each first octet with which something in the list begins. Most prefixes have none.
    first_octets: [[u64; 4]; 2],
}

impl PrefixList {
    /// The bogon prefixes of both families.
    pub fn bogons() -> Arc<PrefixList> {
        static BOGONS: LazyLock<Arc<PrefixList>> = LazyLock::new(|| {
            let blocks = BOGON_PREFIXES.iter().map(|text| (text, true));
            let defaults = ["0.0.0.0/0", "::/0"].iter().map(|text| (text, false));
            let ranges = blocks.chain(defaults).map(|(text, or_longer)| {
                let prefix = text.parse().expect("the constants above are prefixes");
                match or_longer {
                    true => PrefixRange::or_longer(prefix),
                    false => PrefixRange::exact(prefix),
                }
            });
            Arc::new(ranges.collect())
        });
        BOGONS.clone()
    }

    pub fn contains(&self, prefix: &Prefix) -> bool {
        let first = first_octet(prefix);
        if self.first_octets[prefix.family().index()][first / 64] & (1 << (first % 64)) == 0 {
            return false;
        }
        let blocks = &self.with_longer[prefix.family().index()];
        let after = blocks.partition_point(|block| block.bits() <= prefix.bits());
        let covered = after
            .checked_sub(1)
            .is_some_and(|last| blocks[last].covers(prefix));
        covered
            || self.exact.binary_search(prefix).is_ok()
            || self.ranges.iter().any(|range| range.contains(prefix))
    }

    pub fn is_empty(&self) -> bool {
        *self == PrefixList::default()
    }

    /// A block shorter than eight bits has several.
    fn note_first_octets(&mut self, prefix: &Prefix) {
        let first = first_octet(prefix);
        let count = 1 << 8u8.saturating_sub(prefix.len());
        for octet in first..first + count {
            self.first_octets[prefix.family().index()][octet / 64] |= 1 << (octet % 64);
        }
    }
}

const fn first_octet(prefix: &Prefix) -> usize {
    (prefix.bits() >> 120) as usize
}

impl FromIterator<PrefixRange> for PrefixList {
    fn from_iter<I: IntoIterator<Item = PrefixRange>>(ranges: I) -> PrefixList {
        let mut list = PrefixList::default();
        for range in ranges {
            list.note_first_octets(&range.prefix());
            let len = range.prefix().len();
            let longest = range.prefix().family().max_len();
            match (range.len_min(), range.len_max()) {
                (min, max) if min == len && max == len => list.exact.push(range.prefix()),
                (min, max) if min <= len && max >= longest => {
                    list.with_longer[range.prefix().family().index()].push(range.prefix())
                }
                _ => list.ranges.push(range),
            }
        }
        list.exact.sort_unstable();
        list.exact.dedup();
        for family in Family::ALL {
            let blocks = &mut list.with_longer[family.index()];
            blocks.sort_unstable();
            blocks.dedup_by(|inner, outer| outer.covers(inner));
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_bogons() {
        let bogons = PrefixList::bogons();
        let cases = [
            ("the IPv4 default route is one", "0.0.0.0/0", true),
            ("the IPv6 default route is one", "::/0", true),
            ("a private block is one", "10.0.0.0/8", true),
            (
                "what lies in a private block is one",
                "10.255.255.0/24",
                true,
            ),
            ("what covers a bogon is none", "192.0.0.0/16", false),
            (
                "the block before carrier-grade NAT is none",
                "100.63.0.0/16",
                false,
            ),
            (
                "the block after carrier-grade NAT is none",
                "100.128.0.0/16",
                false,
            ),
            (
                "the last of carrier-grade NAT is one",
                "100.127.255.0/24",
                true,
            ),
            ("multicast is one", "232.1.0.0/16", true),
            ("an ordinary IPv4 prefix is none", "193.0.0.0/21", false),
            ("one half of the IPv4 Internet is none", "0.0.0.0/1", false),
            ("Teredo is one", "2001::/32", true),
            ("the RIPE NCC's block is none", "2001:67c::/32", false),
            ("documentation is one", "2001:db8:77::/48", true),
            ("new documentation is one", "3fff:fff::/32", true),
            (
                "the block after new documentation is none",
                "3fff:1000::/32",
                false,
            ),
            ("an ordinary IPv6 prefix is none", "2a00:1450::/32", false),
            ("link-local is one", "fe80::/64", true),
            ("a mapped IPv4 address is one", "::ffff:0:0/96", true),
            ("all of global unicast is none", "2000::/3", false),
        ];
        for (case, prefix, expected) in cases {
            assert_eq!(
                bogons.contains(&prefix.parse().unwrap()),
                expected,
                "{case}"
            );
        }
    }

    #[test]
    fn an_exact_entry_means_itself_alone() {
        let exact = PrefixRange::exact("192.0.2.0/24".parse().unwrap());
        let list: PrefixList = [exact, exact].into_iter().collect();
        assert!(list.contains(&"192.0.2.0/24".parse().unwrap()));
        assert!(!list.contains(&"192.0.2.0/25".parse().unwrap()));
        assert!(!list.contains(&"192.0.2.0/23".parse().unwrap()));
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        // Few bits, so that prefixes meet.
        (0u8..4, 0u8..=10, any::<bool>()).prop_map(|(bits, len, six)| match six {
            false => Prefix::v4([bits << 6, bits << 5, 0, 0].into(), len),
            true => Prefix::new(Family::Ipv6, &[bits << 6, bits << 5], len).unwrap(),
        })
    }

    proptest! {
        #[test]
        fn a_list_says_what_a_look_at_each_entry_says(
            ranges in prop::collection::vec((any_prefix(), 0u8..4, 0u8..4), 0..12),
            prefix in any_prefix(),
        ) {
            let ranges = ranges.into_iter().map(|(prefix, min, span)| match (min, span) {
                (0, 0) => PrefixRange::exact(prefix),
                (0, 1) => PrefixRange::or_longer(prefix),
                (min, span) => {
                    let min = prefix.len() + min;
                    PrefixRange::new(prefix, min, min + span).unwrap()
                }
            });
            let list: PrefixList = ranges.clone().collect();
            let expected = ranges.into_iter().any(|range| range.contains(&prefix));
            prop_assert_eq!(list.contains(&prefix), expected);
        }
    }
}
