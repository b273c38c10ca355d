//! How long a shard is kept from its work by a piece of a rehearsal, and how long all pieces take.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto::base::*;
use rialto::policy::{ImportChecks, ImportPolicy};
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::exchange::Exchange;
use rialto::server::message::ToShard;
use rialto::server::query::{Rehearsal, Rehearsed, ShardQuery, ShardReply};
use rialto::server::reach::Reach;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(dead_code, reason = "the tests of shards ask more of it")]
#[path = "../tests/shard/exchange.rs"]
mod exchange;
mod filled;

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
    let filling = filled::Filling {
        clients: CLIENTS,
        prefixes: PREFIXES,
        paths: PATHS,
        per_set: PER_SET,
    };
    let mut shard = filled::filled(&old, &filling);
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
