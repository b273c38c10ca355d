//! Distinct prefixes, as long and as short as those of today's tables.

use std::net::{Ipv4Addr, Ipv6Addr};

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::Shape;
use crate::base::{Family, Prefix};
use crate::load::random::Random;

/// Prefix lengths and their weights, after today's tables.
const IPV4_LENS: [(u8, u32); 14] = [
    (24, 600),
    (23, 100),
    (22, 115),
    (21, 55),
    (20, 45),
    (19, 27),
    (18, 15),
    (17, 9),
    (16, 14),
    (15, 3),
    (14, 2),
    (13, 2),
    (12, 2),
    (11, 1),
];
const IPV6_LENS: [(u8, u32); 10] = [
    (48, 480),
    (32, 130),
    (44, 90),
    (40, 90),
    (36, 60),
    (46, 50),
    (47, 30),
    (45, 20),
    (29, 30),
    (33, 20),
];
/// First octets with reserved blocks in them.
const SPECIAL: [u8; 9] = [10, 100, 127, 169, 172, 192, 198, 203, 0];
const IPV6_TOPS: [u16; 8] = [
    0x2400, 0x2404, 0x2600, 0x2607, 0x2800, 0x2a00, 0x2a02, 0x2c0f,
];

/// All of IPv4, then all of IPv6.
pub fn mixed(shape: &Shape, random: &mut Random) -> Vec<Prefix> {
    let v6 = match (
        shape.families.contains(Family::Ipv4),
        shape.families.contains(Family::Ipv6),
    ) {
        (true, true) => (shape.prefixes as f64 * shape.ipv6_share).round() as usize,
        (_, true) => shape.prefixes,
        _ => 0,
    };
    let mut seen: HashSet<Prefix, FixedState> =
        HashSet::with_capacity_and_hasher(shape.prefixes, FixedState::default());
    let mut prefixes = Vec::with_capacity(shape.prefixes);
    while prefixes.len() < shape.prefixes {
        let prefix = if prefixes.len() < shape.prefixes - v6 {
            v4_prefix(random)
        } else {
            v6_prefix(random)
        };
        if seen.insert(prefix) {
            prefixes.push(prefix);
        }
    }
    prefixes
}

/// One /24 after another.
pub fn even(count: usize) -> Vec<Prefix> {
    (1..224u32)
        .filter(|first| !SPECIAL.contains(&(*first as u8)))
        .flat_map(|first| (0..1 << 16).map(move |rest| first << 24 | rest << 8))
        .map(|bits| Prefix::v4(Ipv4Addr::from(bits), 24))
        .take(count)
        .collect()
}

fn len_of(lens: &[(u8, u32)], random: &mut Random) -> u8 {
    let total = lens.iter().map(|(_, weight)| *weight).sum::<u32>();
    let mut point = random.below(total.into()) as u32;
    for &(len, weight) in lens {
        if point < weight {
            return len;
        }
        point -= weight;
    }
    lens[0].0
}

pub fn v4_prefix(random: &mut Random) -> Prefix {
    let first = loop {
        let first = random.within(1, 223) as u8;
        if !SPECIAL.contains(&first) {
            break first;
        }
    };
    let rest = random.next() as u32 & 0x00ff_ffff;
    Prefix::v4(
        Ipv4Addr::from(u32::from(first) << 24 | rest),
        len_of(&IPV4_LENS, random),
    )
}

fn v6_prefix(random: &mut Random) -> Prefix {
    let top = *random.pick(&IPV6_TOPS);
    let bits = u128::from(top) << 112 | u128::from(random.next()) << 48;
    Prefix::v6(Ipv6Addr::from(bits), len_of(&IPV6_LENS, random))
}
