//! Attribute sets for the tests of other floors.

use std::sync::Arc;

use super::attribute::{flag, flags_of, push_attribute};
use super::{AttributeSet, NextHop, Origin, code};

/// The hash seed of every set built here; decode with it to get equal hashes.
pub const HASH_SEED: u64 = 0x5eed;

/// Builds an [`AttributeSet`]. Starts as ORIGIN IGP, an empty AS_PATH and next hop 192.0.2.1.
#[derive(Clone, Debug)]
pub struct SetBuilder {
    next_hop: NextHop,
    as_path: Vec<u8>,
    /// (flags, code, value), AS_PATH apart.
    attributes: Vec<(u8, u8, Vec<u8>)>,
}

impl Default for SetBuilder {
    fn default() -> SetBuilder {
        SetBuilder::new()
    }
}

impl SetBuilder {
    pub fn new() -> SetBuilder {
        let next_hop = NextHop::V4([192, 0, 2, 1].into());
        SetBuilder {
            next_hop,
            as_path: Vec::new(),
            attributes: Vec::new(),
        }
        .origin(Origin::Igp)
    }

    /// Takes an `Ipv4Addr`, `Ipv6Addr`, `IpAddr` or [`NextHop`].
    pub fn next_hop(mut self, next_hop: impl Into<NextHop>) -> SetBuilder {
        self.next_hop = next_hop.into();
        self
    }

    pub fn origin(self, origin: Origin) -> SetBuilder {
        self.known(code::ORIGIN, vec![origin as u8])
    }

    /// Appends an AS_SEQUENCE, 255 ASNs at most; an empty one is left out.
    pub fn as_path(self, asns: &[u32]) -> SetBuilder {
        self.segment(2, asns)
    }

    /// Appends an AS_SET, 255 ASNs at most.
    pub fn as_set(self, asns: &[u32]) -> SetBuilder {
        self.segment(1, asns)
    }

    fn segment(mut self, kind: u8, asns: &[u32]) -> SetBuilder {
        assert!(asns.len() <= 255, "a segment holds 255 ASNs at most");
        if !asns.is_empty() {
            self.as_path.extend([kind, asns.len() as u8]);
            self.as_path
                .extend(asns.iter().flat_map(|asn| asn.to_be_bytes()));
        }
        self
    }

    pub fn med(self, med: u32) -> SetBuilder {
        self.known(code::MULTI_EXIT_DISC, med.to_be_bytes().to_vec())
    }

    pub fn communities(self, communities: &[(u16, u16)]) -> SetBuilder {
        let halves = communities
            .iter()
            .flat_map(|(high, low)| [high.to_be_bytes(), low.to_be_bytes()]);
        self.known(code::COMMUNITIES, halves.flatten().collect())
    }

    pub fn large(self, communities: &[(u32, u32, u32)]) -> SetBuilder {
        let words = communities
            .iter()
            .flat_map(|(a, b, c)| [a, b, c].map(|word| word.to_be_bytes()));
        self.known(code::LARGE_COMMUNITIES, words.flatten().collect())
    }

    pub fn extended(self, communities: &[[u8; 8]]) -> SetBuilder {
        self.known(code::EXTENDED_COMMUNITIES, communities.concat())
    }

    fn known(self, code: u8, value: Vec<u8>) -> SetBuilder {
        self.attribute(flags_of(code).unwrap_or(flag::OPTIONAL), code, value)
    }

    /// Any other attribute, or one of these with octets of one's own. Replaces an earlier one of
    /// that type; an empty one of the kinds above is taken out again.
    pub fn attribute(mut self, flags: u8, code: u8, value: impl Into<Vec<u8>>) -> SetBuilder {
        let value = value.into();
        self.attributes.retain(|(_, other, _)| *other != code);
        if !value.is_empty() || flags_of(code).is_none() || code == code::ATOMIC_AGGREGATE {
            self.attributes.push((flags, code, value));
        }
        self
    }

    pub fn build(mut self) -> Arc<AttributeSet> {
        if !self
            .attributes
            .iter()
            .any(|(_, code, _)| *code == code::AS_PATH)
        {
            self.attributes
                .push((flag::TRANSITIVE, code::AS_PATH, self.as_path));
        }
        self.attributes.sort_by_key(|(_, code, _)| *code);
        let mut octets = Vec::new();
        for (flags, code, value) in &self.attributes {
            push_attribute(&mut octets, *flags, *code, value);
        }
        Arc::new(AttributeSet::from_canonical(
            HASH_SEED,
            self.next_hop,
            &octets,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Asn;

    #[test]
    fn facts_follow_from_what_was_put_in() {
        let set = SetBuilder::new()
            .next_hop(std::net::Ipv4Addr::new(10, 0, 0, 1))
            .as_path(&[64500, 4_200_000_000])
            .as_set(&[1, 2, 3])
            .med(7)
            .communities(&[(65535, 0)])
            .large(&[(64500, 1, 2)])
            .build();
        assert_eq!(set.next_hop(), NextHop::V4([10, 0, 0, 1].into()));
        assert_eq!(set.facts().as_path_len, 3);
        assert_eq!(set.facts().leftmost_as, Some(Asn(64500)));
        assert_eq!(set.facts().med, Some(7));
        assert!(set.facts().has_communities && set.facts().graceful_shutdown);
        assert_eq!(set.large_communities().collect::<Vec<_>>(), [(64500, 1, 2)]);
        let codes: Vec<u8> = set.attributes().map(|attribute| attribute.code).collect();
        assert_eq!(codes, [1, 2, 4, 8, 32]);
    }

    #[test]
    fn equal_contents_are_equal_sets_and_a_next_hop_makes_a_difference() {
        let build = |last: u8| {
            SetBuilder::new()
                .next_hop(std::net::Ipv4Addr::new(10, 0, 0, last))
                .build()
        };
        assert_eq!(build(1), build(1));
        assert_eq!(build(1).hash(), build(1).hash());
        assert_ne!(build(1), build(2));
        assert_ne!(build(1).hash(), build(2).hash());
        let linked = |last: u16| {
            let link_local = [0xfe80, 0, 0, 0, 0, 0, 0, last].into();
            let next_hop =
                NextHop::V6LinkLocal([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), link_local);
            SetBuilder::new().next_hop(next_hop).build()
        };
        assert_ne!(linked(1), linked(2));
        assert_ne!(linked(1).hash(), linked(2).hash());
    }
}
