//! What a path costs a shard in memory, all in: resident octets of the process over paths held.
//!
//! `cargo bench --bench memory [CLIENTS PREFIXES PREFIXES_PER_SET]…`; no arguments: the usual shapes.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use rialto::base::*;
use rialto::policy::PrefixClass;
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::message::{ClientUp, RouteBatch, RouteUpdate, ToShard};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, EncodingClass};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(dead_code, reason = "the tests of shards ask more of it")]
#[path = "../tests/shard/exchange.rs"]
mod exchange;

const RS: u32 = 64500;

/// (clients, prefixes that each of them announces, prefixes to an attribute set).
const SHAPES: [(u16, u32, u32); 4] = [
    (1, 1_000_000, 4),
    (1, 1_000_000, 572),
    (3, 500_000, 4),
    (50, 50_000, 4),
];

fn main() {
    rialto::runtime::keep_memory_small();
    let numbers: Vec<u32> = (std::env::args().skip(1))
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let asked = numbers.chunks_exact(3).map(|n| (n[0] as u16, n[1], n[2]));
    let shapes: Vec<_> = match numbers.len() {
        0 => SHAPES.to_vec(),
        _ => asked.collect(),
    };
    println!("clients  prefixes  to a set  octets of a set  octets per path  peak  ns per path");
    for (clients, prefixes, per_set) in shapes {
        let before = resident();
        let begun = Instant::now();
        let exchange = exchange::Exchange {
            clients,
            med: MedMode::SameAs,
            hide_own_as: 0,
        };
        let mut shard = Shard::new(ShardId(0), exchange::compile(&exchange, 1, 1), 1);
        (0..clients).for_each(|slot| client_up(&mut shard, slot));
        let peak = (0..clients)
            .map(|slot| {
                announce(&mut shard, slot, prefixes, per_set);
                resident()
            })
            .max()
            .unwrap_or(before);
        let took = begun.elapsed();
        let paths = f64::from(clients) * f64::from(prefixes);
        let per_path = |octets: usize| (octets.saturating_sub(before)) as f64 / paths;
        println!(
            "{clients:7} {prefixes:9} {per_set:9} {:16} {:16.1} {:5.1} {:12.0}",
            set(0, 1).octets().len(),
            per_path(resident()),
            per_path(peak),
            took.as_nanos() as f64 / paths,
        );
        drop(shard);
    }
}

/// Octets of this process in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.expect("Linux says how much of a process is resident") << 10
}

fn client_up(shard: &mut Shard, slot: u16) {
    shard.handle(
        Time::ZERO,
        ToShard::ClientUp(ClientUp {
            slot: ClientSlot(slot),
            epoch: SessionEpoch(1),
            families: FamilySet::only(Family::Ipv4),
            class: EncodingClass::PLAIN,
            router_id: Ipv4Addr::from(0x0a4d_0000 + u32::from(slot)),
            stale: FamilySet::EMPTY,
        }),
    );
}

/// One client's whole table, in batches as a session core makes them.
fn announce(shard: &mut Shard, slot: u16, prefixes: u32, per_set: u32) {
    let sets: Vec<u32> = (0..prefixes / per_set).collect();
    for (round, sets) in sets.chunks(64).enumerate() {
        let mut batch = RouteBatch {
            slot: ClientSlot(slot),
            epoch: SessionEpoch(1),
            generation: Generation(1),
            heard: Time::NEVER,
            updates: Vec::new(),
            prefixes: Vec::new(),
        };
        for number in sets {
            let start = batch.prefixes.len() as u32;
            batch.prefixes.extend((0..per_set).map(|index| {
                let address = Ipv4Addr::from(0x1400_0000 + ((number * per_set + index) << 8));
                (Prefix::v4(address, 24), PrefixClass::ACCEPTED)
            }));
            batch.updates.push(RouteUpdate {
                seq: u64::from(number + 1),
                set: Some(set(slot, *number)),
                prefixes: start..start + per_set,
            });
        }
        shard.handle(Time::ZERO, ToShard::Routes(batch));
        let mut more = true;
        while more {
            more = shard.turn(Time::from_secs(1 + round as u64));
            while shard.poll_to_core().is_some() {}
        }
    }
}

/// Of an ordinary size: four ASNs, MED, three communities; none that controls anything.
fn set(slot: u16, number: u32) -> Arc<AttributeSet> {
    SetBuilder::new()
        .next_hop(Ipv4Addr::from(0x0a4d_0000 + u32::from(slot)))
        .as_path(&[10_000 + u32::from(slot), 3_000, number % 500, number])
        .med(number % 100)
        .communities(&[(3_000, 1), (3_000, 2), (3_001, (number % 1_000) as u16)])
        .build()
}
