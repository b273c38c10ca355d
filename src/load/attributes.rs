//! Path attributes as values: what a client announces and what it reads back. This is the load
//! generator's own codec; it shares nothing with the server's `wire`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::Family;

/// A segment of an AS_PATH: 1 AS_SET, 2 AS_SEQUENCE (RFC 4271 §4.3), always with four-octet ASNs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Segment {
    pub kind: u8,
    pub asns: Vec<u32>,
}

pub const AS_SET: u8 = 1;
pub const AS_SEQUENCE: u8 = 2;

/// An attribute set, in a form in which equal means equal: communities ascending without
/// duplicates, flags without Partial and Extended Length.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Attributes {
    pub origin: u8,
    pub as_path: Vec<Segment>,
    pub next_hop: IpAddr,
    /// The second address of an IPv6 next hop (RFC 2545).
    pub link_local: Option<Ipv6Addr>,
    pub med: Option<u32>,
    /// Has no business on an external session; kept so that it is seen as wrong.
    pub local_pref: Option<u32>,
    pub atomic_aggregate: bool,
    pub aggregator: Option<(u32, Ipv4Addr)>,
    pub communities: Vec<u32>,
    pub extended: Vec<[u8; 8]>,
    pub large: Vec<[u32; 3]>,
    /// Everything else: flags, type, value; ascending by type.
    pub others: Vec<(u8, u8, Vec<u8>)>,
}

/// What is wrong with octets from the server.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("{0}")]
pub struct Fault(pub String);

pub fn fault<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault(what.into()))
}

const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const PARTIAL: u8 = 0x20;
const EXTENDED_LEN: u8 = 0x10;

pub const MP_REACH: u8 = 14;
pub const MP_UNREACH: u8 = 15;
pub const NEXT_HOP: u8 = 3;

impl Attributes {
    pub fn new(as_path: &[u32], next_hop: IpAddr) -> Attributes {
        Attributes {
            origin: 0,
            as_path: vec![Segment {
                kind: AS_SEQUENCE,
                asns: as_path.to_vec(),
            }],
            next_hop,
            link_local: None,
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Vec::new(),
            extended: Vec::new(),
            large: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Puts `asn` in front `times` times.
    pub fn prepend(&mut self, asn: u32, times: usize) {
        if times == 0 {
            return;
        }
        match self.as_path.first_mut() {
            Some(first) if first.kind == AS_SEQUENCE => {
                first.asns.splice(0..0, std::iter::repeat_n(asn, times));
            }
            _ => self.as_path.insert(
                0,
                Segment {
                    kind: AS_SEQUENCE,
                    asns: vec![asn; times],
                },
            ),
        }
    }

    /// Who announced it first, unless that is a set.
    pub fn origin_asn(&self) -> Option<u32> {
        let last = self.as_path.last()?;
        last.asns
            .last()
            .copied()
            .filter(|_| last.kind == AS_SEQUENCE)
    }

    /// Into the form in which equal means equal.
    pub fn normalise(&mut self) {
        self.communities.sort_unstable();
        self.communities.dedup();
        self.extended.sort_unstable();
        self.extended.dedup();
        self.large.sort_unstable();
        self.large.dedup();
        self.others.sort_unstable();
        for other in &mut self.others {
            other.0 &= !(PARTIAL | EXTENDED_LEN);
        }
        let mut joined: Vec<Segment> = Vec::with_capacity(self.as_path.len());
        for segment in std::mem::take(&mut self.as_path) {
            match joined.last_mut() {
                Some(last) if last.kind == AS_SEQUENCE && segment.kind == AS_SEQUENCE => {
                    last.asns.extend(segment.asns);
                }
                _ => joined.push(segment),
            }
        }
        self.as_path = joined;
    }

    /// Octets that say the same if and only if the sets are equal: family and next hop as
    /// MP_REACH_NLRI has it (nothing for IPv4), then the attributes in wire form.
    pub fn key(&self, out: &mut Vec<u8>) {
        match self.next_hop {
            IpAddr::V4(_) => out.extend([Family::Ipv4 as u8, 0]),
            IpAddr::V6(global) => {
                let len = if self.link_local.is_some() { 32 } else { 16 };
                out.extend([Family::Ipv6 as u8, len]);
                out.extend(global.octets());
                out.extend(self.link_local.iter().flat_map(|addr| addr.octets()));
            }
        }
        self.encode(out);
    }

    /// Reads a key, also one made of received octets.
    pub fn from_key(key: &[u8]) -> Result<Attributes, Fault> {
        let (_, next_hop, octets) = split_key(key);
        let v6 = |octets: &[u8]| <[u8; 16]>::try_from(octets).map(Ipv6Addr::from);
        match next_hop.len() {
            0 => Attributes::decode(octets, IpAddr::from([0, 0, 0, 0]), None),
            16 | 32 => {
                let (global, link_local) = next_hop.split_at(16);
                let global = v6(global).map_err(|_| Fault("a next hop of wrong length".into()))?;
                Attributes::decode(octets, IpAddr::V6(global), v6(link_local).ok())
            }
            len => fault(format!("a next hop of {len} octets")),
        }
    }

    /// The attributes of an UPDATE but MP_REACH_NLRI and an IPv6 next hop, in wire form.
    fn encode(&self, out: &mut Vec<u8>) {
        put(out, TRANSITIVE, 1, &[self.origin]);
        let segment_len =
            |segment: &Segment| 2 * segment.asns.len().div_ceil(255) + 4 * segment.asns.len();
        let len = self.as_path.iter().map(segment_len).sum();
        put_head(out, TRANSITIVE, 2, len);
        for segment in &self.as_path {
            for part in segment.asns.chunks(255) {
                out.extend([segment.kind, part.len() as u8]);
                part.iter().for_each(|asn| out.extend(asn.to_be_bytes()));
            }
        }
        if let IpAddr::V4(addr) = self.next_hop {
            put(out, TRANSITIVE, NEXT_HOP, &addr.octets());
        }
        if let Some(med) = self.med {
            put(out, OPTIONAL, 4, &med.to_be_bytes());
        }
        if let Some(preference) = self.local_pref {
            put(out, TRANSITIVE, 5, &preference.to_be_bytes());
        }
        if self.atomic_aggregate {
            put(out, TRANSITIVE, 6, &[]);
        }
        if let Some((asn, addr)) = self.aggregator {
            let mut value = asn.to_be_bytes().to_vec();
            value.extend(addr.octets());
            put(out, OPTIONAL | TRANSITIVE, 7, &value);
        }
        if !self.communities.is_empty() {
            put_head(out, OPTIONAL | TRANSITIVE, 8, 4 * self.communities.len());
            let words = self.communities.iter();
            words.for_each(|word| out.extend(word.to_be_bytes()));
        }
        if !self.extended.is_empty() {
            let value = self.extended.as_flattened();
            put(out, OPTIONAL | TRANSITIVE, 16, value);
        }
        if !self.large.is_empty() {
            put_head(out, OPTIONAL | TRANSITIVE, 32, 12 * self.large.len());
            let words = self.large.as_flattened().iter();
            words.for_each(|word| out.extend(word.to_be_bytes()));
        }
        for (flags, kind, value) in &self.others {
            put(out, *flags, *kind, value);
        }
    }

    /// Reads attributes as [`read_attribute`] splits them; MP_REACH_NLRI, MP_UNREACH_NLRI and, if
    /// `next_hop` is IPv6, NEXT_HOP are passed over.
    pub fn decode(
        mut octets: &[u8],
        next_hop: IpAddr,
        link_local: Option<Ipv6Addr>,
    ) -> Result<Attributes, Fault> {
        let mut set = Attributes::new(&[], next_hop);
        set.link_local = link_local;
        set.as_path.clear();
        let mut seen = [false; 256];
        while !octets.is_empty() {
            let (attribute, rest) = read_attribute(octets)?;
            octets = rest;
            if std::mem::replace(&mut seen[usize::from(attribute.kind)], true) {
                return fault(format!("attribute {} comes twice", attribute.kind));
            }
            set.take(&attribute)?;
        }
        for (mandatory, name) in [(1, "ORIGIN"), (2, "AS_PATH")] {
            if !seen[mandatory] {
                return fault(format!("{name} is missing"));
            }
        }
        set.normalise();
        Ok(set)
    }

    fn take(&mut self, attribute: &RawAttribute<'_>) -> Result<(), Fault> {
        let value = attribute.value;
        let wrong_len = || {
            Fault(format!(
                "attribute {} is {} octets long",
                attribute.kind,
                value.len()
            ))
        };
        match attribute.kind {
            1 => self.origin = *value.first().ok_or_else(wrong_len)?,
            2 => self.as_path = read_path(value)?,
            NEXT_HOP if self.next_hop.is_ipv4() => {
                self.next_hop = IpAddr::from(<[u8; 4]>::try_from(value).map_err(|_| wrong_len())?);
            }
            4 => {
                self.med = Some(u32::from_be_bytes(
                    value.try_into().map_err(|_| wrong_len())?,
                ))
            }
            5 => {
                self.local_pref = Some(u32::from_be_bytes(
                    value.try_into().map_err(|_| wrong_len())?,
                ))
            }
            6 => self.atomic_aggregate = true,
            7 => {
                let [a, b, c, d, addr @ ..] =
                    <[u8; 8]>::try_from(value).map_err(|_| wrong_len())?;
                self.aggregator = Some((u32::from_be_bytes([a, b, c, d]), Ipv4Addr::from(addr)));
            }
            8 => self.communities = words(value).ok_or_else(wrong_len)?,
            16 => self.extended = value.as_chunks().0.to_vec(),
            32 => {
                let words = words(value)
                    .filter(|words| words.len() % 3 == 0)
                    .ok_or_else(wrong_len)?;
                self.large = words.as_chunks().0.to_vec();
            }
            NEXT_HOP | MP_REACH | MP_UNREACH => {}
            kind => self.others.push((attribute.flags, kind, value.to_vec())),
        }
        Ok(())
    }
}

/// One attribute as it lies on the wire.
pub struct RawAttribute<'a> {
    pub flags: u8,
    pub kind: u8,
    pub value: &'a [u8],
}

/// Splits the first attribute off.
pub fn read_attribute(octets: &[u8]) -> Result<(RawAttribute<'_>, &[u8]), Fault> {
    let cut = || Fault("the attributes are cut short".into());
    let (&[flags, kind], rest) = octets.split_first_chunk().ok_or_else(cut)?;
    let (len, rest) = if flags & EXTENDED_LEN != 0 {
        let (len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        (usize::from(u16::from_be_bytes(*len)), rest)
    } else {
        let (&len, rest) = rest.split_first().ok_or_else(cut)?;
        (usize::from(len), rest)
    };
    let (value, rest) = rest.split_at_checked(len).ok_or_else(cut)?;
    Ok((RawAttribute { flags, kind, value }, rest))
}

fn read_path(mut value: &[u8]) -> Result<Vec<Segment>, Fault> {
    let mut path = Vec::new();
    while let Some((&[kind, count], rest)) = value.split_first_chunk() {
        let (asns, rest) = rest
            .split_at_checked(usize::from(count) * 4)
            .ok_or_else(|| Fault("the AS_PATH is cut short".into()))?;
        path.push(Segment {
            kind,
            asns: words(asns).unwrap_or_default(),
        });
        value = rest;
    }
    if value.is_empty() {
        Ok(path)
    } else {
        fault("the AS_PATH is cut short")
    }
}

/// Path length as the decision process counts it, from the octets of an AS_PATH: a set is one
/// (RFC 4271 §9.1.2.2 a).
pub fn path_len(mut value: &[u8]) -> u16 {
    let mut len = 0;
    while let &[kind, count, ref rest @ ..] = value {
        len += if kind == AS_SET { 1 } else { u16::from(count) };
        value = rest.get(usize::from(count) * 4..).unwrap_or_default();
    }
    len
}

fn words(value: &[u8]) -> Option<Vec<u32>> {
    let (words, []) = value.as_chunks() else {
        return None;
    };
    Some(words.iter().map(|word| u32::from_be_bytes(*word)).collect())
}

/// Appends one attribute.
pub fn put(out: &mut Vec<u8>, flags: u8, kind: u8, value: &[u8]) {
    put_head(out, flags, kind, value.len());
    out.extend(value);
}

/// Appends what comes before a value of so many octets.
fn put_head(out: &mut Vec<u8>, flags: u8, kind: u8, len: usize) {
    if len > 255 {
        out.extend([flags | EXTENDED_LEN, kind]);
        out.extend((len as u16).to_be_bytes());
    } else {
        out.extend([flags, kind, len as u8]);
    }
}

/// A key's family, next hop and attributes.
pub fn split_key(key: &[u8]) -> (Family, &[u8], &[u8]) {
    let family = match key[0] == Family::Ipv6 as u8 {
        true => Family::Ipv6,
        false => Family::Ipv4,
    };
    let (next_hop, attributes) = key[2..].split_at(usize::from(key[1]));
    (family, next_hop, attributes)
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path")?;
        for segment in &self.as_path {
            let (open, close) = if segment.kind == AS_SET {
                (" {", " }")
            } else {
                ("", "")
            };
            f.write_str(open)?;
            segment
                .asns
                .iter()
                .try_for_each(|asn| write!(f, " {asn}"))?;
            f.write_str(close)?;
        }
        write!(f, ", next hop {}", self.next_hop)?;
        if let Some(addr) = self.link_local {
            write!(f, " {addr}")?;
        }
        write!(
            f,
            ", origin {}",
            ["IGP", "EGP", "incomplete"]
                .get(usize::from(self.origin))
                .unwrap_or(&"?")
        )?;
        if let Some(med) = self.med {
            write!(f, ", MED {med}")?;
        }
        if let Some(preference) = self.local_pref {
            write!(f, ", LOCAL_PREF {preference}")?;
        }
        if self.atomic_aggregate {
            write!(f, ", atomic")?;
        }
        if let Some((asn, addr)) = self.aggregator {
            write!(f, ", aggregator {asn} {addr}")?;
        }
        self.communities
            .iter()
            .try_for_each(|c| write!(f, " {}:{}", c >> 16, c & 0xffff))?;
        self.large
            .iter()
            .try_for_each(|[a, b, c]| write!(f, " {a}:{b}:{c}"))?;
        self.extended
            .iter()
            .try_for_each(|c| write!(f, " ext {:016x}", u64::from_be_bytes(*c)))?;
        self.others
            .iter()
            .try_for_each(|(flags, kind, value)| write!(f, " [{flags:#x} {kind} {value:02x?}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rich() -> Attributes {
        let mut set = Attributes::new(&[10001, 64, 300_000], "127.77.1.2".parse().unwrap());
        set.as_path.push(Segment {
            kind: AS_SET,
            asns: vec![7, 8],
        });
        set.origin = 2;
        set.med = Some(77);
        set.atomic_aggregate = true;
        set.aggregator = Some((300_000, Ipv4Addr::new(192, 0, 2, 1)));
        set.communities = (0..100).map(|i| 64 << 16 | i).collect();
        set.extended = vec![[0, 2, 0, 64, 0, 0, 0, 1]];
        set.large = vec![[64500, 1, 2], [300_000, 3, 4]];
        set.others = vec![(0xc0, 240, vec![1, 2, 3])];
        set
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut octets = Vec::new();
        rich().encode(&mut octets);
        assert_eq!(
            Attributes::decode(&octets, "0.0.0.0".parse().unwrap(), None),
            Ok(rich())
        );
    }

    #[test]
    fn cut_octets_are_a_fault() {
        let mut octets = Vec::new();
        rich().encode(&mut octets);
        for len in [1, 2, 3, 10, octets.len() - 1] {
            assert!(
                Attributes::decode(&octets[..len], "0.0.0.0".parse().unwrap(), None).is_err(),
                "{len}"
            );
        }
    }

    #[test]
    fn prepending_lengthens_the_path_and_a_set_counts_once() {
        let mut set = rich();
        let path_len = |set: &Attributes| {
            let mut octets = Vec::new();
            set.encode(&mut octets);
            let (_, rest) = read_attribute(&octets).unwrap();
            super::path_len(read_attribute(rest).unwrap().0.value)
        };
        assert_eq!(path_len(&set), 4);
        set.prepend(10001, 2);
        assert_eq!(path_len(&set), 6);
        assert_eq!(set.as_path[0].asns[..3], [10001; 3]);
    }
}
