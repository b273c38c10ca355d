//! Shards alone, stepped against a minimal session core and a naive decision: random routes,
//! sessions, walks, resyncs and reloads, on one to four shards.

mod adversary;
mod alike;
mod bench;
mod core;
mod exchange;
mod explain;
mod hashes;
mod left_behind;
mod moments;
mod naive;
mod reach;
mod rehearsals;
mod sweeps;
mod watch;

use std::net::Ipv4Addr;
use std::sync::Arc;

use rialto::base::{Asn, ClientSlot, Prefix};
use rialto::policy::{ControlScheme, PrefixClass, RejectReason};
use rialto::rib::MedMode;
use rialto::wire::{AttributeSet, Origin, testing::SetBuilder};

use crate::core::World;
use crate::exchange::Exchange;

/// xorshift: the whole test hangs on its seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

const RS: u32 = 64500;

fn prefix(random: &mut Random, count: u64) -> Prefix {
    numbered(random.below(count))
}

fn numbered(number: u64) -> Prefix {
    Prefix::v4(Ipv4Addr::from(0x0a00_0000 + ((number as u32) << 8)), 24)
}

fn attributes(random: &mut Random, slot: ClientSlot, clients: u64) -> Arc<AttributeSet> {
    let first = exchange::asn_of(slot).0;
    let mut path = vec![first];
    for _ in 0..random.below(3) {
        path.push(100 + random.below(3) as u32);
    }
    let mut set = SetBuilder::new()
        .next_hop(Ipv4Addr::new(10, 77, 1, slot.0 as u8 + 1))
        .as_path(&path)
        .origin(if random.chance(20) {
            Origin::Incomplete
        } else {
            Origin::Igp
        });
    if random.chance(50) {
        set = set.med(random.below(3) as u32);
    }
    if random.chance(40) {
        let peer =
            |random: &mut Random| exchange::asn_of(ClientSlot(random.below(clients + 2) as u16)).0;
        let mut large = Vec::new();
        for _ in 0..1 + random.below(3) {
            let peer = peer(random);
            large.push(match random.below(6) {
                0 => (RS, 0, 0),
                1 | 2 => (RS, 0, peer),
                3 => (RS, 1, peer),
                4 => (RS, 101 + random.below(3) as u32, peer),
                _ => (RS, 101, 0),
            });
        }
        set = set.large(&large);
    }
    if random.chance(5) {
        set = set.communities(&[(65535, 0)]);
    }
    set.build()
}

fn verdict(random: &mut Random) -> PrefixClass {
    if random.chance(10) {
        PrefixClass::rejected(RejectReason::BogonPrefix)
    } else {
        PrefixClass::ACCEPTED
    }
}

fn run(seed: u64, shards: u16) {
    let mut random = Random::new(seed);
    let clients = 2 + random.below(8);
    let prefixes = 1 + random.below(60);
    let med = [MedMode::SameAs, MedMode::Always, MedMode::Ignore][random.below(3) as usize];
    let exchange = Exchange {
        clients: clients as u16,
        med,
        hide_own_as: random.below(1 << clients),
    };
    let mut world = World::new(seed, shards, exchange);
    for slot in 0..clients as u16 {
        world.client_up(ClientSlot(slot), random.chance(25));
    }
    for _ in 0..random.below(400) {
        let slot = ClientSlot(random.below(clients) as u16);
        match random.below(100) {
            0..60 => {
                let set = attributes(&mut random, slot, clients);
                let count = 1 + random.below(4);
                let routes = (0..count)
                    .map(|_| (prefix(&mut random, prefixes), verdict(&mut random)))
                    .collect();
                world.announce(slot, set, routes);
            }
            60..75 => world.withdraw(slot, &[prefix(&mut random, prefixes)]),
            75..78 => world.client_down(slot),
            78..81 => world.client_up(slot, random.chance(25)),
            81..82 => {
                world.client_down(slot);
                world.client_up(slot, random.chance(25));
            }
            82..85 => world.refresh(slot),
            85..90 => world.lose_deltas(slot),
            90..91 => {
                let med =
                    [MedMode::SameAs, MedMode::Always, MedMode::Ignore][random.below(3) as usize];
                world.reload(|exchange| exchange.med = med);
            }
            91..92 => {
                let hide = random.below(1 << clients);
                world.reload(|exchange| exchange.hide_own_as = hide);
            }
            _ => world.step(&mut random, 30),
        }
        if random.chance(50) {
            world.step(&mut random, 3);
        }
    }
    world.settle(&mut random);
    world.check(seed);
    alike::check(&mut world, seed);
}

/// Prefixes that come and go in thousands, so that their slots are given back and used again.
fn run_with_reuse(seed: u64, shards: u16) {
    let mut random = Random::new(seed);
    let clients = 3;
    let exchange = Exchange {
        clients: clients as u16,
        med: MedMode::SameAs,
        hide_own_as: 0,
    };
    let mut world = World::new(seed, shards, exchange);
    for slot in 0..clients as u16 {
        world.client_up(ClientSlot(slot), slot == 0);
    }
    for _ in 0..24 {
        let slot = ClientSlot(random.below(clients) as u16);
        let first = random.below(4) * 2_000;
        let prefixes: Vec<Prefix> = (first..first + 3_000).map(numbered).collect();
        match random.below(20) {
            0..10 => {
                let set = attributes(&mut random, slot, clients);
                let routes = prefixes
                    .iter()
                    .map(|prefix| (*prefix, PrefixClass::ACCEPTED));
                world.announce(slot, set, routes.collect());
            }
            10..17 => world.withdraw(slot, &prefixes),
            17 => world.client_down(slot),
            18 => world.client_up(slot, random.chance(30)),
            _ => world.refresh(slot),
        }
        let count = [2, 20, 60][random.below(3) as usize];
        world.step(&mut random, count);
    }
    world.settle(&mut random);
    world.check(seed);
    for slot in (0..clients as u16).map(ClientSlot) {
        world.client_up(slot, false);
        world.withdraw(slot, &(0..9_000).map(numbered).collect::<Vec<_>>());
    }
    world.settle(&mut random);
    world.check(seed);
    assert!(world.reclaimed_count > 0, "seed {seed}: no slot is free");
}

#[test]
fn slots_of_prefixes_that_are_gone_are_used_again_without_a_mistake() {
    for seed in 1..=8 {
        for shards in [1, 2] {
            run_with_reuse(seed, shards);
        }
    }
}

#[test]
fn every_client_holds_what_a_naive_server_would_give_it() {
    let (first, count) = match std::env::var("RIALTO_SEED") {
        Ok(seed) => (seed.parse().expect("RIALTO_SEED is a number"), 1),
        Err(_) => (
            1,
            std::env::var("RIALTO_SEEDS").map_or(300, |count| count.parse().expect("a number")),
        ),
    };
    for seed in first..first + count {
        for shards in [1, 2, 4] {
            run(seed, shards);
        }
    }
}

#[test]
fn a_scheme_of_the_contract_is_what_these_tests_use() {
    assert_eq!(exchange::scheme(), ControlScheme::standard(Asn(RS)));
}
