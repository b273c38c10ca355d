//! Random but valid UPDATEs, for properties and comparisons.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rialto::base::{Family, Prefix};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, NextHop, Origin};

use super::support::{attribute, body};

/// What one UPDATE says.
#[derive(Clone, Debug)]
pub struct Said {
    /// With the next hop of `announced_4`.
    pub set: SetBuilder,
    pub next_hop_4: Ipv4Addr,
    pub next_hop_6: NextHop,
    pub withdrawn_4: Vec<Prefix>,
    pub withdrawn_6: Vec<Prefix>,
    pub announced_4: Vec<Prefix>,
    pub announced_6: Vec<Prefix>,
    /// Shuffles the attributes.
    order: u64,
    /// Puts Extended Length and unused flags where they are not needed.
    dress: u64,
}

pub fn prefix(family: Family) -> impl Strategy<Value = Prefix> {
    match family {
        Family::Ipv4 => (0x0100_0000u32..0xdf00_0000, 8u8..=32)
            .prop_map(|(addr, len)| Prefix::v4(addr.into(), len))
            .boxed(),
        Family::Ipv6 => (any::<u128>(), 8u8..=128)
            .prop_map(|(bits, len)| Prefix::v6((bits >> 3 | 1 << 125).into(), len))
            .boxed(),
    }
}

fn asn() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 1u32..65_000, 1 => Just(23456), 1 => 65_536u32..4_294_967_295]
}

pub fn next_hop_6() -> impl Strategy<Value = NextHop> {
    let global =
        any::<u64>().prop_map(|low| Ipv6Addr::from(0x2001_0db8u128 << 96 | u128::from(low) | 1));
    let link_local =
        any::<u64>().prop_map(|low| Ipv6Addr::from(0xfe80u128 << 112 | u128::from(low)));
    (global, option::of(link_local)).prop_map(|(global, link_local)| match link_local {
        None => NextHop::V6(global),
        Some(link_local) => NextHop::V6LinkLocal(global, link_local),
    })
}

pub fn set() -> impl Strategy<Value = SetBuilder> {
    let segments = vec((any::<bool>(), vec(asn(), 1..6)), 0..4);
    let origin = prop_oneof![
        Just(Origin::Igp),
        Just(Origin::Egp),
        Just(Origin::Incomplete)
    ];
    let unknown = (
        prop_oneof![Just(0xc0u8), Just(0xe0), Just(0x80)],
        vec(any::<u8>(), 0..300),
    );
    (
        (
            segments,
            origin,
            option::of(any::<u32>()),
            any::<bool>(),
            option::of((asn(), any::<[u8; 4]>())),
        ),
        vec(any::<(u16, u16)>(), 0..80),
        proptest::collection::btree_set(any::<(u32, u32, u32)>(), 0..30),
        vec(any::<[u8; 6]>(), 0..40),
        option::of(asn()),
        option::of(unknown),
    )
        .prop_map(
            |(
                (segments, origin, med, atomic, aggregator),
                communities,
                large,
                extended,
                otc,
                unknown,
            )| {
                let mut set = SetBuilder::new().origin(origin).communities(&communities);
                for (is_set, asns) in segments {
                    set = if is_set {
                        set.as_set(&asns)
                    } else {
                        set.as_path(&asns)
                    };
                }
                if let Some(med) = med {
                    set = set.med(med);
                }
                if atomic {
                    set = set.attribute(0x40, 6, []);
                }
                if let Some((asn, address)) = aggregator {
                    set = set.attribute(0xc0, 7, [asn.to_be_bytes(), address].concat());
                }
                if let Some(otc) = otc {
                    set = set.attribute(0xc0, 35, otc.to_be_bytes());
                }
                if let Some((flags, value)) = unknown {
                    set = set.attribute(flags, 200, value);
                }
                // Route targets: a kind that every decoder knows.
                let extended: Vec<[u8; 8]> = extended
                    .iter()
                    .map(|&[a, b, c, d, e, f]| [0, 2, a, b, c, d, e, f])
                    .collect();
                set.large(&large.into_iter().collect::<Vec<_>>())
                    .extended(&extended)
            },
        )
}

pub fn said() -> impl Strategy<Value = Said> {
    let block = |family| vec(prefix(family), 0..12);
    (
        (set(), 0x0a00_0000u32..0xdf00_0000, next_hop_6()),
        block(Family::Ipv4),
        block(Family::Ipv6),
        block(Family::Ipv4),
        block(Family::Ipv6),
        any::<(u64, u64)>(),
    )
        .prop_map(
            |(
                (set, next_hop, next_hop_6),
                withdrawn_4,
                withdrawn_6,
                announced_4,
                announced_6,
                (order, dress),
            )| Said {
                set,
                next_hop_4: next_hop.into(),
                next_hop_6,
                withdrawn_4,
                withdrawn_6,
                announced_4,
                announced_6,
                order,
                dress,
            },
        )
}

pub fn nlri_octets(prefixes: &[Prefix]) -> Vec<u8> {
    prefixes
        .iter()
        .flat_map(|prefix| [&[prefix.len()], prefix.octets()].concat())
        .collect()
}

impl Said {
    pub fn set_of(&self, next_hop: impl Into<NextHop>) -> Arc<AttributeSet> {
        self.set.clone().next_hop(next_hop).build()
    }

    /// As a four-octet speaker would put it, in any order and dress that is valid.
    pub fn body(&self) -> Vec<u8> {
        let set = self.set_of(self.next_hop_4);
        let mut attributes: Vec<(u8, u8, Vec<u8>)> = set
            .attributes()
            .map(|attribute| {
                (
                    attribute.flags & 0xe0,
                    attribute.code,
                    attribute.value.to_vec(),
                )
            })
            .collect();
        if self.announced_4.is_empty() && self.announced_6.is_empty() {
            attributes.clear();
        }
        if !self.announced_4.is_empty() {
            attributes.push((0x40, 3, self.next_hop_4.octets().to_vec()));
        }
        if !self.announced_6.is_empty() {
            let hops = match self.next_hop_6 {
                NextHop::V6(global) => global.octets().to_vec(),
                NextHop::V6LinkLocal(global, link_local) => {
                    [global.octets(), link_local.octets()].concat()
                }
                NextHop::V4(_) => unreachable!("made as an IPv6 next hop"),
            };
            let value = [
                &[0, 2, 1, hops.len() as u8],
                &hops[..],
                &[0],
                &nlri_octets(&self.announced_6),
            ]
            .concat();
            attributes.push((0x80, 14, value));
        }
        if !self.withdrawn_6.is_empty() {
            attributes.push((
                0x80,
                15,
                [&[0, 2, 1], &nlri_octets(&self.withdrawn_6)[..]].concat(),
            ));
        }
        attributes.sort_by_key(|(_, code, _)| {
            u64::from(*code)
                .wrapping_mul(self.order | 1)
                .rotate_left(17)
        });
        let dress = |code: u8| {
            if self.dress >> (code % 64) & 1 == 1 {
                0x10
            } else {
                0
            }
        };
        let octets: Vec<u8> = attributes
            .iter()
            .flat_map(|(flags, code, value)| attribute(flags | dress(*code), *code, value))
            .collect();
        body(
            &nlri_octets(&self.withdrawn_4),
            &octets,
            &nlri_octets(&self.announced_4),
        )
    }
}
