//! A route's path attributes as plain values.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

pub const AS_SET: u8 = 1;
pub const AS_SEQUENCE: u8 = 2;

/// ONLY_TO_CUSTOMER (RFC 9234 §5).
pub const OTC: u8 = 35;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// 0 IGP, 1 EGP, 2 INCOMPLETE.
    pub origin: u8,
    /// (segment type, ASNs).
    pub as_path: Vec<(u8, Vec<u32>)>,
    pub next_hop: IpAddr,
    pub link_local: Option<Ipv6Addr>,
    pub med: Option<u32>,
    pub communities: Vec<(u16, u16)>,
    pub large: Vec<(u32, u32, u32)>,
    pub extended: Vec<[u8; 8]>,
    /// All others: type code to (flags, value).
    pub other: BTreeMap<u8, (u8, Vec<u8>)>,
}

impl Attributes {
    pub fn asns(&self) -> impl Iterator<Item = u32> + '_ {
        self.as_path
            .iter()
            .flat_map(|(_, asns)| asns.iter().copied())
    }

    /// Whether there is an attribute of this type.
    pub fn has(&self, code: u8) -> bool {
        match code {
            1..=3 => true,
            4 => self.med.is_some(),
            8 => !self.communities.is_empty(),
            16 => !self.extended.is_empty(),
            32 => !self.large.is_empty(),
            _ => self.other.contains_key(&code),
        }
    }

    pub fn discard(&mut self, code: u8) {
        match code {
            4 => self.med = None,
            8 => self.communities.clear(),
            16 => self.extended.clear(),
            32 => self.large.clear(),
            _ => drop(self.other.remove(&code)),
        }
    }

    pub fn has_as_set(&self) -> bool {
        self.as_path.iter().any(|(kind, _)| *kind == AS_SET)
    }

    pub fn community_count(&self) -> usize {
        self.communities.len() + self.extended.len() + self.large.len()
    }

    /// An AS_SET counts one.
    pub fn as_path_len(&self) -> usize {
        let len = |(kind, asns): &(u8, Vec<u32>)| match *kind {
            AS_SET => 1,
            AS_SEQUENCE => asns.len(),
            _ => 0,
        };
        self.as_path.iter().map(len).sum()
    }

    /// The neighbouring AS. Paths that have none count as from one and the same.
    pub fn leftmost(&self) -> Option<u32> {
        let (kind, asns) = self.as_path.first()?;
        if *kind == AS_SEQUENCE {
            asns.first().copied()
        } else {
            None
        }
    }

    /// RFC 6811 §2: none where the path is empty or ends with an AS_SET.
    pub fn origin_as(&self) -> Option<u32> {
        let (kind, asns) = self.as_path.last()?;
        asns.last().copied().filter(|_| *kind == AS_SEQUENCE)
    }

    /// Neighbouring AS_SEQUENCEs put together, however the wire split them.
    pub fn joined(mut self) -> Attributes {
        let mut path: Vec<(u8, Vec<u32>)> = Vec::new();
        for (kind, asns) in self.as_path {
            match path.last_mut() {
                Some((AS_SEQUENCE, last)) if kind == AS_SEQUENCE => last.extend(asns),
                _ => path.push((kind, asns)),
            }
        }
        self.as_path = path;
        self
    }

    /// Communities sorted: their order means nothing.
    pub fn sorted(mut self) -> Attributes {
        self.communities.sort_unstable();
        self.large.sort_unstable();
        self.extended.sort_unstable();
        self
    }

    /// Octets of the UPDATE that carries this and one longest prefix.
    pub fn message_len(&self, four_octet: bool, add_path: bool) -> usize {
        let attribute = |len: usize| len + if len > 255 { 4 } else { 3 };
        let some = |len: usize| if len > 0 { attribute(len) } else { 0 };
        let path = |width: usize| -> usize {
            self.clone()
                .joined()
                .as_path
                .iter()
                .map(|(_, asns)| 2 + width * asns.len())
                .sum()
        };
        let as4_path = !four_octet && self.asns().any(|asn| asn > 0xffff);
        let lens = [
            23, // header, lengths of withdrawn routes and of attributes
            attribute(1),
            attribute(path(if four_octet { 4 } else { 2 })),
            if as4_path { attribute(path(4)) } else { 0 },
            self.med.map_or(0, |_| attribute(4)),
            some(4 * self.communities.len()),
            some(8 * self.extended.len()),
            some(12 * self.large.len()),
            self.other
                .values()
                .map(|(_, value)| attribute(value.len()))
                .sum(),
            match (self.next_hop, self.link_local) {
                (IpAddr::V4(_), _) => attribute(4) + 5,
                (_, None) => 4 + 5 + 16 + 17,
                (_, Some(_)) => 4 + 5 + 32 + 17,
            },
            if add_path { 4 } else { 0 },
        ];
        lens.into_iter().sum()
    }
}
