//! A prefix as a packed, canonical key: host bits are zero, the order is family, address, length.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Family, ShardId};

/// An IPv4 or IPv6 address block. Twenty octets; the address is kept left-aligned, in network order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    family: Family,
    addr: [u8; 16],
    len: u8,
}

const _: () = assert!(size_of::<Prefix>() <= 20);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PrefixError {
    #[error("prefix length {len} is over {max} for {family}")]
    Length { family: Family, len: u8, max: u8 },
    #[error("'{0}' is not an address block such as 192.0.2.0/24 or 2001:db8::/32")]
    Text(String),
}

impl Prefix {
    /// From left-aligned address octets; bits past `len` are cleared.
    ///
    /// `octets` may be shorter than an address (as NLRI are); the rest is zero.
    pub fn new(family: Family, octets: &[u8], len: u8) -> Result<Prefix, PrefixError> {
        if len > family.max_len() {
            return Err(PrefixError::Length {
                family,
                len,
                max: family.max_len(),
            });
        }
        let mut addr = [0u8; 16];
        let whole = usize::from(len / 8);
        let count = octets.len().min(usize::from(len.div_ceil(8)));
        addr[..count].copy_from_slice(&octets[..count]);
        if !len.is_multiple_of(8) {
            addr[whole] &= 0xffu8 << (8 - len % 8);
        }
        Ok(Prefix { family, addr, len })
    }

    /// From the first six octets of [`Self::octets`] and zeros, where there are no more.
    #[inline]
    pub const fn from_short(family: Family, octets: [u8; 6], len: u8) -> Prefix {
        let [a, b, c, d, e, f] = octets;
        let addr = [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Prefix { family, addr, len }
    }

    pub fn v4(addr: Ipv4Addr, len: u8) -> Prefix {
        Prefix::new(Family::Ipv4, &addr.octets(), len).expect("an IPv4 prefix length is at most 32")
    }

    pub fn v6(addr: Ipv6Addr, len: u8) -> Prefix {
        Prefix::new(Family::Ipv6, &addr.octets(), len)
            .expect("an IPv6 prefix length is at most 128")
    }

    pub const fn family(&self) -> Family {
        self.family
    }

    /// Prefix length, in bits.
    #[expect(clippy::len_without_is_empty, reason = "a length in bits, not a count")]
    pub const fn len(&self) -> u8 {
        self.len
    }

    /// Whether this is a default route.
    pub const fn is_default(&self) -> bool {
        self.len == 0
    }

    /// The octets of an NLRI: only those that the length covers.
    pub fn octets(&self) -> &[u8] {
        &self.addr[..usize::from(self.len.div_ceil(8))]
    }

    pub fn address(&self) -> IpAddr {
        match self.family {
            Family::Ipv4 => {
                let [a, b, c, d, ..] = self.addr;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(self.addr)),
        }
    }

    /// The address, left-aligned in 128 bits.
    pub const fn bits(&self) -> u128 {
        u128::from_be_bytes(self.addr)
    }

    /// Whether `other` lies within this prefix (or equals it).
    pub fn covers(&self, other: &Prefix) -> bool {
        if self.family != other.family || self.len > other.len {
            return false;
        }
        self.len == 0 || (self.bits() ^ other.bits()) >> (128 - u32::from(self.len)) == 0
    }

    /// The prefix itself and all that it lies in, longest first.
    pub fn covering(self) -> impl Iterator<Item = Prefix> {
        (0..=self.len).rev().map(move |len| self.shortened(len))
    }

    /// The block of this length (no more than its own) that it lies in.
    fn shortened(self, len: u8) -> Prefix {
        let mask = !u128::MAX.checked_shr(len.into()).unwrap_or(0);
        Prefix {
            addr: (self.bits() & mask).to_be_bytes(),
            len,
            ..self
        }
    }

    pub fn to_net(&self) -> IpNet {
        match self.address() {
            IpAddr::V4(addr) => IpNet::V4(Ipv4Net::new_assert(addr, self.len)),
            IpAddr::V6(addr) => IpNet::V6(Ipv6Net::new_assert(addr, self.len)),
        }
    }

    /// The hash that splits prefixes over shards (RFC 7948 §4.2.1.2). Fixed, so that a dump of
    /// who owns what is the same on every machine; collisions only unbalance shards.
    pub fn shard_hash(&self) -> u64 {
        let bits = self.bits();
        let mut hash = (bits >> 64) as u64 ^ (bits as u64).rotate_left(29);
        hash ^= u64::from(self.len) << 1 | self.family as u64;
        hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ (hash >> 32)
    }
}

/// The shard that owns `prefix` when there are `shard_count` of them.
pub fn shard_of(prefix: &Prefix, shard_count: u16) -> ShardId {
    ShardId(((u128::from(prefix.shard_hash()) * u128::from(shard_count)) >> 64) as u16)
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Prefix {
        match net {
            IpNet::V4(net) => Prefix::v4(net.addr(), net.prefix_len()),
            IpNet::V6(net) => Prefix::v6(net.addr(), net.prefix_len()),
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;
    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let wrong = || PrefixError::Text(text.to_owned());
        if text.contains('/') {
            return text.parse::<IpNet>().map(Prefix::from).map_err(|_| wrong());
        }
        text.parse::<IpAddr>()
            .map(|addr| Prefix::from(IpNet::from(addr)))
            .map_err(|_| wrong())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.len)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_cleared() {
        let prefix = Prefix::v4(Ipv4Addr::new(192, 0, 2, 255), 25);
        assert_eq!(prefix.to_string(), "192.0.2.128/25");
        assert_eq!(prefix, "192.0.2.129/25".parse().unwrap());
    }

    #[test]
    fn covering_follows_family_and_length() {
        let parse = |text: &str| text.parse::<Prefix>().unwrap();
        assert!(parse("10.0.0.0/8").covers(&parse("10.1.0.0/16")));
        assert!(parse("0.0.0.0/0").covers(&parse("10.1.0.0/16")));
        assert!(!parse("10.1.0.0/16").covers(&parse("10.0.0.0/8")));
        assert!(!parse("::/0").covers(&parse("10.0.0.0/8")));
        assert!(parse("2001:db8::/32").covers(&parse("2001:db8:1::/48")));
    }

    #[test]
    fn what_covers_a_prefix_is_told_longest_first() {
        let cases: [(&str, usize, &[&str]); 5] = [
            ("0.0.0.0/0", 1, &["0.0.0.0/0"]),
            (
                "192.0.2.129/32",
                33,
                &["192.0.2.129/32", "192.0.2.128/31", "192.0.2.128/30"],
            ),
            ("10.0.0.0/8", 9, &["10.0.0.0/8", "10.0.0.0/7", "8.0.0.0/6"]),
            ("2001:db8::/32", 33, &["2001:db8::/32", "2001:db8::/31"]),
            (
                "2001:db8::ffff",
                129,
                &["2001:db8::ffff/128", "2001:db8::fffe/127"],
            ),
        ];
        for (text, count, first) in cases {
            let prefix: Prefix = text.parse().unwrap();
            let covering: Vec<Prefix> = prefix.covering().collect();
            assert_eq!(covering.len(), count, "{text}");
            let told = covering.iter().take(first.len()).map(Prefix::to_string);
            assert_eq!(told.collect::<Vec<_>>(), first, "{text}");
            for (one, len) in covering.iter().zip((0..count as u8).rev()) {
                let same = Prefix::new(prefix.family(), prefix.octets(), len);
                assert_eq!(Ok(*one), same, "{text}");
                assert!(one.covers(&prefix), "{text} in {one}");
            }
        }
    }

    #[test]
    fn an_address_is_a_prefix_of_its_own() {
        let cases = [
            ("192.0.2.1", Some("192.0.2.1/32")),
            ("2001:db8::1", Some("2001:db8::1/128")),
            ("192.0.2.1/24", Some("192.0.2.0/24")),
            ("192.0.2.1/33", None),
            ("192.0.2", None),
            (" 192.0.2.1", None),
        ];
        for (text, expected) in cases {
            let read = text.parse::<Prefix>().ok();
            let told = read.map(|prefix| prefix.to_string());
            assert_eq!(told.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn sequential_prefixes_spread_evenly_over_shards() {
        let mut counts = [0u32; 8];
        for i in 0..80_000u32 {
            let prefix = Prefix::v4(Ipv4Addr::from(0x0a00_0000 + (i << 8)), 24);
            counts[shard_of(&prefix, 8).index()] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_000..11_000).contains(count)),
            "{counts:?}"
        );
    }
}
