//! How long a shard is kept from its work by a piece of a rehearsal, and how long all pieces take.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto::base::*;
use rialto::policy::{ImportChecks, ImportPolicy, PrefixClass};
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::exchange::Exchange;
use rialto::server::message::{ClientUp, RouteBatch, RouteUpdate, ToShard};
use rialto::server::query::{Rehearsal, Rehearsed, ShardQuery, ShardReply};
use rialto::server::reach::Reach;
use rialto::wire::EncodingClass;
use rialto::wire::testing::SetBuilder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(dead_code, reason = "the tests of shards ask more of it")]
#[path = "../tests/shard/exchange.rs"]
mod exchange;

const RS: u32 = 64500;

const CLIENTS: u16 = 900;
const PREFIXES: u32 = 100_000;
/// Clients that announce each prefix.
const PATHS: u32 = 10;
/// Prefixes to an attribute set.
const PER_SET: u32 = 4;
/// As the management plane asks.
const LIMIT: u32 = 8_192;

type Change = fn(&mut Exchange);

fn main() {
    let shape = exchange::Exchange {
        clients: CLIENTS,
        med: MedMode::SameAs,
        hide_own_as: 0,
    };
    let old = exchange::compile(&shape, 1, 1);
    let mut shard = filled(&old);
    let cases: [(&str, Change); 4] = [
        ("nothing changes", |_| {}),
        ("a client goes", |exchange| {
            exchange.clients[7] = None;
            exchange.directory = (0..CLIENTS)
                .filter(|slot| *slot != 7)
                .map(|slot| {
                    let slot = ClientSlot(slot);
                    rialto::policy::DirectoryEntry::new(slot, exchange::asn_of(slot))
                })
                .collect();
        }),
        ("all judged again, nothing rejected", |exchange| {
            with_checks(exchange, |checks| checks.communities_max = Some(100));
        }),
        ("all judged again, everything rejected", |exchange| {
            with_checks(exchange, |checks| checks.quarantined = true);
        }),
    ];
    println!("pieces  longest    all  case");
    for (name, change) in cases {
        let mut new = exchange::compile(&shape, 2, 1);
        change(Arc::get_mut(&mut new).expect("it is ours"));
        let (count, longest, all) = rehearse(&mut shard, &old, &new);
        println!(
            "{count:6} {:5.1} ms {:4.0} ms  {name}",
            longest.as_secs_f64() * 1e3,
            all.as_secs_f64() * 1e3
        );
    }
}

fn with_checks(exchange: &mut Exchange, change: fn(&mut ImportChecks)) {
    for client in exchange.clients.iter_mut().flatten() {
        let mut checks = ImportChecks::lab(Asn(RS), client.asn);
        change(&mut checks);
        let client = Arc::get_mut(client).expect("it is ours");
        client.import = Arc::new(ImportPolicy::new(checks));
    }
}

/// How many pieces, the longest of them, all together.
fn rehearse(
    shard: &mut Shard,
    old: &Arc<Exchange>,
    new: &Arc<Exchange>,
) -> (usize, Duration, Duration) {
    let rehearsal = Arc::new(Rehearsal {
        since: old.generation,
        exchange: new.clone(),
        reach: Reach::of(old, new),
    });
    let (mut found, mut took) = (Rehearsed::default(), Vec::new());
    let mut next = Some(PrefixSlot(0));
    while let Some(cursor) = next {
        let query = ShardQuery::Rehearse {
            rehearsal: rehearsal.clone(),
            cursor,
            limit: LIMIT,
        };
        let begun = Instant::now();
        shard.handle(Time::ZERO, ToShard::Query { id: 1, query });
        let Some((_, ShardReply::Rehearsed(piece))) = shard.poll_reply() else {
            panic!("no rehearsal");
        };
        took.push(begun.elapsed());
        found.add(&piece);
        next = piece.next;
    }
    assert_eq!(found.accepted, u64::from(PREFIXES * PATHS));
    let longest = took.iter().max().copied().unwrap_or_default();
    (took.len(), longest, took.iter().sum())
}

fn filled(exchange: &Arc<Exchange>) -> Shard {
    let mut shard = Shard::new(ShardId(0), exchange.clone(), 1);
    for slot in (0..CLIENTS).map(ClientSlot) {
        client_up(&mut shard, slot);
    }
    let (core, walk) = (CoreId(0), WalkId(1));
    let families = FamilySet::only(Family::Ipv4);
    let clients = Arc::new((0..CLIENTS).map(ClientSlot).collect());
    let joint = false;
    let walked = ToShard::Walk {
        core,
        walk,
        clients,
        families,
        joint,
    };
    for message in [walked, ToShard::Promote { core, walk }] {
        shard.handle(Time::ZERO, message);
        rest(&mut shard);
    }
    for set in 0..PREFIXES / PER_SET {
        for path in 0..PATHS {
            let slot = ClientSlot(((set * 7 + path * 91) % u32::from(CLIENTS)) as u16);
            announce(&mut shard, slot, set);
        }
        rest(&mut shard);
    }
    shard
}

fn client_up(shard: &mut Shard, slot: ClientSlot) {
    let up = ClientUp {
        slot,
        epoch: SessionEpoch(1),
        families: FamilySet::only(Family::Ipv4),
        class: EncodingClass::PLAIN,
        router_id: Ipv4Addr::from(0x0a00_0001 + u32::from(slot.0)),
        stale: FamilySet::EMPTY,
    };
    shard.handle(Time::ZERO, ToShard::ClientUp(up));
}

fn announce(shard: &mut Shard, slot: ClientSlot, number: u32) {
    let set = SetBuilder::new()
        .next_hop(Ipv4Addr::new(10, 77, 1, 1))
        .as_path(&[exchange::asn_of(slot).0, 3_333, number])
        .communities(&[(3_333, number as u16)])
        .build();
    let prefix = |index: u32| Prefix::v4(Ipv4Addr::from(0x0b00_0000 + (index << 8)), 24);
    let prefixes = (number * PER_SET..(number + 1) * PER_SET).map(prefix);
    let prefixes: Vec<_> = prefixes
        .map(|prefix| (prefix, PrefixClass::ACCEPTED))
        .collect();
    let update = RouteUpdate {
        seq: 1,
        set: Some(set),
        prefixes: 0..PER_SET,
    };
    let batch = RouteBatch {
        slot,
        epoch: SessionEpoch(1),
        generation: Generation(1),
        heard: Time::NEVER,
        updates: vec![update],
        prefixes,
    };
    shard.handle(Time::ZERO, ToShard::Routes(batch));
}

fn rest(shard: &mut Shard) {
    let now = Time::from_secs(1_000_000);
    while shard.turn(now) {
        while shard.poll_to_core().is_some() {}
    }
    while shard.poll_to_core().is_some() {}
}
