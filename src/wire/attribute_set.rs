//! The attribute set: what a group of prefixes was announced with, in canonical form, shared.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;
use foldhash::quality::FixedState;

use crate::base::Asn;

use super::attribute::split_attribute;
use super::community::GRACEFUL_SHUTDOWN;

/// Path attribute type codes (IANA).
pub mod code {
    pub const ORIGIN: u8 = 1;
    pub const AS_PATH: u8 = 2;
    pub const NEXT_HOP: u8 = 3;
    pub const MULTI_EXIT_DISC: u8 = 4;
    pub const LOCAL_PREF: u8 = 5;
    pub const ATOMIC_AGGREGATE: u8 = 6;
    pub const AGGREGATOR: u8 = 7;
    pub const COMMUNITIES: u8 = 8;
    pub const ORIGINATOR_ID: u8 = 9;
    pub const CLUSTER_LIST: u8 = 10;
    pub const MP_REACH_NLRI: u8 = 14;
    pub const MP_UNREACH_NLRI: u8 = 15;
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    pub const AS4_PATH: u8 = 17;
    pub const AS4_AGGREGATOR: u8 = 18;
    pub const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
    pub const AIGP: u8 = 26;
    pub const LARGE_COMMUNITIES: u8 = 32;
    pub const OTC: u8 = 35;
    pub const ATTR_SET: u8 = 128;

    /// Whether the attribute is one of the three kinds that carry control communities.
    pub const fn is_communities(code: u8) -> bool {
        matches!(code, COMMUNITIES | EXTENDED_COMMUNITIES | LARGE_COMMUNITIES)
    }

    /// Octets of one community of this attribute; `None` where it has none.
    pub const fn community_len(code: u8) -> Option<usize> {
        match code {
            COMMUNITIES => Some(4),
            EXTENDED_COMMUNITIES => Some(8),
            LARGE_COMMUNITIES => Some(12),
            IPV6_EXTENDED_COMMUNITIES => Some(20),
            _ => None,
        }
    }

    /// The IANA name of an attribute that Rialto knows.
    pub const fn name(code: u8) -> Option<&'static str> {
        Some(match code {
            ORIGIN => "ORIGIN",
            AS_PATH => "AS_PATH",
            NEXT_HOP => "NEXT_HOP",
            MULTI_EXIT_DISC => "MULTI_EXIT_DISC",
            LOCAL_PREF => "LOCAL_PREF",
            ATOMIC_AGGREGATE => "ATOMIC_AGGREGATE",
            AGGREGATOR => "AGGREGATOR",
            COMMUNITIES => "COMMUNITIES",
            ORIGINATOR_ID => "ORIGINATOR_ID",
            CLUSTER_LIST => "CLUSTER_LIST",
            MP_REACH_NLRI => "MP_REACH_NLRI",
            MP_UNREACH_NLRI => "MP_UNREACH_NLRI",
            EXTENDED_COMMUNITIES => "EXTENDED_COMMUNITIES",
            AS4_PATH => "AS4_PATH",
            AS4_AGGREGATOR => "AS4_AGGREGATOR",
            IPV6_EXTENDED_COMMUNITIES => "IPV6_EXTENDED_COMMUNITIES",
            AIGP => "AIGP",
            LARGE_COMMUNITIES => "LARGE_COMMUNITIES",
            OTC => "OTC",
            ATTR_SET => "ATTR_SET",
            _ => return None,
        })
    }
}

/// AS_PATH segment types (RFC 4271 §4.3).
pub mod segment {
    pub const AS_SET: u8 = 1;
    pub const AS_SEQUENCE: u8 = 2;
    /// RFC 5065 §3: never in an attribute set, as no external peer may send them.
    pub const AS_CONFED_SEQUENCE: u8 = 3;
    pub const AS_CONFED_SET: u8 = 4;

    pub const fn is_set(kind: u8) -> bool {
        matches!(kind, AS_SET | AS_CONFED_SET)
    }
}

/// ORIGIN (RFC 4271 §5.1.1), in the order of preference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Origin {
    Igp = 0,
    Egp = 1,
    Incomplete = 2,
}

/// Where packets for a path go. Part of an attribute set's identity, whatever attribute carried it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NextHop {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// RFC 2545 §3: global address and link-local address.
    V6LinkLocal(Ipv6Addr, Ipv6Addr),
}

impl NextHop {
    /// Without a link-local address that is none of these; `None` leaves all.
    pub fn with_link_local_of(self, allowed: Option<&[Ipv6Addr]>) -> NextHop {
        match (self, allowed) {
            (NextHop::V6LinkLocal(global, link_local), Some(allowed))
                if !allowed.contains(&link_local) =>
            {
                NextHop::V6(global)
            }
            _ => self,
        }
    }
}

impl From<[u8; 4]> for NextHop {
    fn from(octets: [u8; 4]) -> NextHop {
        NextHop::V4(octets.into())
    }
}

impl From<Ipv4Addr> for NextHop {
    fn from(addr: Ipv4Addr) -> NextHop {
        NextHop::V4(addr)
    }
}

impl From<Ipv6Addr> for NextHop {
    fn from(addr: Ipv6Addr) -> NextHop {
        NextHop::V6(addr)
    }
}

impl From<IpAddr> for NextHop {
    fn from(addr: IpAddr) -> NextHop {
        match addr {
            IpAddr::V4(addr) => NextHop::V4(addr),
            IpAddr::V6(addr) => NextHop::V6(addr),
        }
    }
}

/// What the decision process and the import checks ask of every attribute set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    pub origin: Origin,
    /// RFC 4271 §9.1.2.2 (a): an AS_SET counts one, confederation segments none.
    pub as_path_len: u16,
    /// First ASN of the path, where the first segment is an AS_SEQUENCE.
    pub leftmost_as: Option<Asn>,
    /// An AS_SET or AS_CONFED_SET is in the path (RFC 9774).
    pub has_as_set: bool,
    pub med: Option<u32>,
    /// Whether COMMUNITIES, EXTENDED_COMMUNITIES or LARGE_COMMUNITIES is there.
    pub has_communities: bool,
    /// GRACEFUL_SHUTDOWN 65535:0 (RFC 8326) is among the communities.
    pub graceful_shutdown: bool,
    /// ONLY_TO_CUSTOMER is there (RFC 9234).
    pub has_otc: bool,
}

/// The path attributes of an UPDATE after validation, immutable and shared.
///
/// `octets` holds them whole (flags, type, length, value), ascending by type code, with
/// four-octet ASNs (AS4_PATH and AS4_AGGREGATOR merged), without NEXT_HOP, MP_REACH_NLRI and
/// MP_UNREACH_NLRI, without what RFC 7606 or the operator discards, and without communities under
/// the server's own ASN that are no control communities. Control communities are still there:
/// they are stripped on the way out.
#[derive(PartialEq, Eq)]
pub struct AttributeSet {
    hash: u64,
    /// Behind the canonical octets the next hop and, where there is one, the leftmost ASN.
    content: Box<[u8]>,
    med: u32,
    as_path_len: u16,
    packed: u16,
}

/// With the two counts before it, one of the allocator's sizes.
const _: () = assert!(size_of::<AttributeSet>() == 32);

/// What [`AttributeSet::packed`] says beside ORIGIN, in its last two bits.
mod packed {
    pub const ORIGIN: u16 = 0b11;
    pub const HAS_LEFTMOST: u16 = 1 << 2;
    pub const HAS_MED: u16 = 1 << 3;
    pub const HAS_COMMUNITIES: u16 = 1 << 4;
    pub const GRACEFUL_SHUTDOWN: u16 = 1 << 5;
    /// The next hop is IPv6; and has a link-local address.
    pub const V6: u16 = 1 << 6;
    pub const LINK_LOCAL: u16 = 1 << 7;
    pub const HAS_AS_SET: u16 = 1 << 8;
    pub const HAS_OTC: u16 = 1 << 9;
}

/// One path attribute of a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawAttribute<'a> {
    pub flags: u8,
    pub code: u8,
    pub value: &'a [u8],
    /// The attribute with its header.
    pub whole: &'a [u8],
}

impl AttributeSet {
    /// `octets` must be canonical as described above; `hash` covers octets and next hop, and is the
    /// same for equal sets throughout the process.
    pub(super) fn new(hash: u64, facts: Facts, next_hop: NextHop, octets: &[u8]) -> AttributeSet {
        let mut behind = next_hop_octets(next_hop);
        let has_link_local = behind.len() == 32;
        if let Some(asn) = facts.leftmost_as {
            behind.extend(asn.0.to_be_bytes());
        }
        let flag = |condition, flag| if condition { flag } else { 0 };
        AttributeSet {
            hash,
            content: [octets, &behind].concat().into(),
            med: facts.med.unwrap_or(0),
            as_path_len: facts.as_path_len,
            packed: facts.origin as u16
                | flag(facts.leftmost_as.is_some(), packed::HAS_LEFTMOST)
                | flag(facts.med.is_some(), packed::HAS_MED)
                | flag(facts.has_communities, packed::HAS_COMMUNITIES)
                | flag(facts.graceful_shutdown, packed::GRACEFUL_SHUTDOWN)
                | flag(facts.has_as_set, packed::HAS_AS_SET)
                | flag(facts.has_otc, packed::HAS_OTC)
                | flag(!matches!(next_hop, NextHop::V4(_)), packed::V6)
                | flag(has_link_local, packed::LINK_LOCAL),
        }
    }

    /// Takes hash and facts from canonical octets.
    pub(super) fn from_canonical(hash_seed: u64, next_hop: NextHop, octets: &[u8]) -> AttributeSet {
        let hash = content_hash(hash_seed, next_hop, octets);
        let bare = AttributeSet::new(hash, Facts::NONE, next_hop, octets);
        AttributeSet::new(hash, bare.read_facts(), next_hop, octets)
    }

    fn read_facts(&self) -> Facts {
        let origin = match self.value(code::ORIGIN) {
            [0] => Origin::Igp,
            [1] => Origin::Egp,
            _ => Origin::Incomplete,
        };
        let segment_len = |(kind, count)| match kind {
            segment::AS_SEQUENCE => count,
            segment::AS_SET => 1,
            _ => 0,
        };
        let as_path_len: usize = self
            .as_path_segments()
            .map(|(kind, asns)| segment_len((kind, asns.count())))
            .sum();
        let mut leftmost = self
            .as_path_segments()
            .take(1)
            .filter(|(kind, _)| *kind == segment::AS_SEQUENCE);
        Facts {
            origin,
            as_path_len: as_path_len.try_into().unwrap_or(u16::MAX),
            leftmost_as: leftmost.next().and_then(|(_, mut asns)| asns.next()),
            has_as_set: (self.as_path_segments()).any(|(kind, _)| segment::is_set(kind)),
            med: self
                .value(code::MULTI_EXIT_DISC)
                .try_into()
                .ok()
                .map(u32::from_be_bytes),
            has_communities: self
                .attributes()
                .any(|attribute| code::is_communities(attribute.code)),
            graceful_shutdown: self
                .communities()
                .any(|community| community == GRACEFUL_SHUTDOWN),
            has_otc: self.attribute(code::OTC).is_some(),
        }
    }

    pub const fn hash(&self) -> u64 {
        self.hash
    }

    const fn is(&self, flag: u16) -> bool {
        self.packed & flag != 0
    }

    pub fn facts(&self) -> Facts {
        Facts {
            origin: match self.packed & packed::ORIGIN {
                0 => Origin::Igp,
                1 => Origin::Egp,
                _ => Origin::Incomplete,
            },
            as_path_len: self.as_path_len,
            leftmost_as: self.leftmost_as(),
            has_as_set: self.has_as_set(),
            med: self.med(),
            has_communities: self.has_communities(),
            graceful_shutdown: self.is(packed::GRACEFUL_SHUTDOWN),
            has_otc: self.has_otc(),
        }
    }

    /// The ASN before all others in AS_PATH, where it begins with a sequence.
    pub fn leftmost_as(&self) -> Option<Asn> {
        self.is(packed::HAS_LEFTMOST)
            .then(|| asn_of(self.parts().1.1))
    }

    /// The ASN that originated the routes (RFC 6811 §2): the last one, where the path ends with an
    /// AS_SEQUENCE.
    pub fn origin_as(&self) -> Option<Asn> {
        let (kind, mut asns) = self.as_path_segments().last()?;
        asns.next_back().filter(|_| kind == segment::AS_SEQUENCE)
    }

    /// An AS_SET or AS_CONFED_SET anywhere in AS_PATH.
    pub fn has_as_set(&self) -> bool {
        self.is(packed::HAS_AS_SET)
    }

    pub fn has_otc(&self) -> bool {
        self.is(packed::HAS_OTC)
    }

    /// ONLY_TO_CUSTOMER (RFC 9234 §5).
    pub fn otc(&self) -> Option<Asn> {
        let value = self.has_otc().then(|| self.value(code::OTC))?;
        (value.try_into().ok()).map(|octets| Asn(u32::from_be_bytes(octets)))
    }

    /// Communities of all four kinds together.
    pub fn community_count(&self) -> usize {
        self.attributes()
            .filter_map(|attribute| {
                let len = code::community_len(attribute.code)?;
                Some(attribute.value.len() / len)
            })
            .sum()
    }

    /// Standard, extended or large ones.
    pub fn has_communities(&self) -> bool {
        self.is(packed::HAS_COMMUNITIES)
    }

    pub fn med(&self) -> Option<u32> {
        self.is(packed::HAS_MED).then_some(self.med)
    }

    pub fn next_hop(&self) -> NextHop {
        let v6 = |octets: &[u8]| Ipv6Addr::from(octets.try_into().unwrap_or([0; 16]));
        let octets = self.parts().1.0;
        match octets.split_at_checked(16) {
            None => NextHop::V4(octets.try_into().unwrap_or([0; 4]).into()),
            Some((global, [])) => NextHop::V6(v6(global)),
            Some((global, link_local)) => NextHop::V6LinkLocal(v6(global), v6(link_local)),
        }
    }

    /// The canonical octets.
    pub fn octets(&self) -> &[u8] {
        self.parts().0
    }

    /// The canonical octets, (those of the next hop, those of the leftmost ASN).
    fn parts(&self) -> (&[u8], (&[u8], &[u8])) {
        let next_hop_len = match (self.is(packed::V6), self.is(packed::LINK_LOCAL)) {
            (false, _) => 4,
            (true, false) => 16,
            (true, true) => 32,
        };
        let leftmost_len = if self.is(packed::HAS_LEFTMOST) { 4 } else { 0 };
        let octets_len = (self.content.len()).saturating_sub(next_hop_len + leftmost_len);
        let (octets, behind) = self
            .content
            .split_at_checked(octets_len)
            .unwrap_or_default();
        (
            octets,
            behind.split_at_checked(next_hop_len).unwrap_or_default(),
        )
    }

    /// Ascending by type code.
    pub fn attributes(&self) -> RawAttributes<'_> {
        RawAttributes {
            rest: self.octets(),
        }
    }

    pub fn attribute(&self, code: u8) -> Option<RawAttribute<'_>> {
        self.attributes().find(|attribute| attribute.code == code)
    }

    fn value(&self, code: u8) -> &[u8] {
        self.attribute(code)
            .map_or(&[], |attribute| attribute.value)
    }

    /// Segments of the AS_PATH: (segment type, ASNs).
    pub fn as_path_segments(
        &self,
    ) -> impl Iterator<Item = (u8, impl DoubleEndedIterator<Item = Asn> + Clone + '_)> + '_ {
        let mut rest = self.value(code::AS_PATH);
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<2>()?;
            let [kind, count] = *head;
            let (asns, tail) = tail.split_at_checked(usize::from(count) * 4)?;
            rest = tail;
            Some((kind, asns.chunks_exact(4).map(asn_of)))
        })
    }

    /// Every ASN in the AS_PATH, left to right, whatever its segment.
    pub fn as_path_asns(&self) -> impl Iterator<Item = Asn> + '_ {
        self.as_path_segments().flat_map(|(_, asns)| asns)
    }

    /// Standard communities (RFC 1997) as (high, low) halves.
    /// Whether a standard community is there.
    pub fn has_community(&self, community: (u16, u16)) -> bool {
        self.has_communities() && self.communities().any(|own| own == community)
    }

    pub fn communities(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.value(code::COMMUNITIES)
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&[a, b, c, d]| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// Large communities (RFC 8092).
    pub fn large_communities(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.value(code::LARGE_COMMUNITIES)
            .as_chunks::<12>()
            .0
            .iter()
            .map(|chunk| {
                let word = |at: usize| {
                    chunk
                        .get(at..at + 4)
                        .and_then(|octets| octets.try_into().ok())
                        .map_or(0, u32::from_be_bytes)
                };
                (word(0), word(4), word(8))
            })
    }

    /// Extended communities (RFC 4360), eight octets each.
    pub fn extended_communities(&self) -> impl Iterator<Item = [u8; 8]> + '_ {
        self.value(code::EXTENDED_COMMUNITIES)
            .as_chunks::<8>()
            .0
            .iter()
            .copied()
    }
}

/// The same for equal contents, whatever made them.
pub(super) fn content_hash(seed: u64, next_hop: NextHop, octets: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    hasher.write(octets);
    match next_hop {
        NextHop::V4(addr) => hasher.write_u32(addr.to_bits()),
        NextHop::V6(addr) => hasher.write_u128(addr.to_bits()),
        NextHop::V6LinkLocal(global, link_local) => {
            hasher.write_u128(global.to_bits());
            hasher.write_u128(link_local.to_bits());
        }
    }
    hasher.finish()
}

/// With room for an ASN behind.
fn next_hop_octets(next_hop: NextHop) -> ArrayVec<u8, 36> {
    let mut octets = ArrayVec::new();
    match next_hop {
        NextHop::V4(address) => octets.extend(address.octets()),
        NextHop::V6(address) => octets.extend(address.octets()),
        NextHop::V6LinkLocal(address, link_local) => {
            octets.extend(address.octets());
            octets.extend(link_local.octets());
        }
    }
    octets
}

fn asn_of(octets: &[u8]) -> Asn {
    Asn(octets.try_into().map_or(0, u32::from_be_bytes))
}

impl fmt::Debug for AttributeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributeSet")
            .field("facts", &self.facts())
            .field("next_hop", &self.next_hop())
            .field("octets", &self.octets())
            .finish()
    }
}

/// Iterator over canonical octets.
#[derive(Clone)]
pub struct RawAttributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RawAttributes<'a> {
    type Item = RawAttribute<'a>;

    fn next(&mut self) -> Option<RawAttribute<'a>> {
        let (attribute, rest) = split_attribute(self.rest).ok()?;
        self.rest = rest;
        Some(attribute)
    }
}
