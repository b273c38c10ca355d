//! How long a shard is kept from its work by one question of the management plane, of every kind that is asked
//! about the whole table, and how long all of them take.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use std::time::{Duration, Instant};

use rialto::base::*;
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::message::ToShard;
use rialto::server::query::{ShardQuery, ShardReply, Which};
use rialto::server::search::{CommunityMatch, RouteFilter, VerdictMatch};

use filled::{Filling, filled};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(dead_code, reason = "the tests of shards ask more of it")]
#[path = "../tests/shard/exchange.rs"]
mod exchange;
mod filled;

const RS: u32 = 64500;

/// As a walk over the table asks, from a cursor on.
type Ask = fn(PrefixSlot) -> ShardQuery;

fn main() {
    let shapes = [
        ("A", 700, 400_400, 1, 572),
        ("four prefixes to a set", 700, 400_000, 2, 4),
        ("each its own set, 10 paths", 900, 100_000, 10, 1),
    ];
    for (name, clients, prefixes, paths, per_set) in shapes {
        let filling = Filling {
            clients,
            prefixes,
            paths,
            per_set,
        };
        let shape = exchange::Exchange {
            clients,
            med: MedMode::SameAs,
            hide_own_as: 0,
        };
        let mut shard = filled(&exchange::compile(&shape, 1, 1), &filling);
        println!("{name}: {clients} clients, {prefixes} prefixes, {paths} paths each");
        println!("pieces  median   longest      all  question");
        for (question, ask) in questions() {
            let mut took = walk(&mut shard, ask);
            took.sort_unstable();
            let all: Duration = took.iter().sum();
            let micros = |span: Option<&Duration>| span.map_or(0, |span| span.as_micros());
            println!(
                "{:6} {:6} us {:6} us {:5} ms  {question}",
                took.len(),
                micros(took.get(took.len() / 2)),
                micros(took.last()),
                all.as_millis()
            );
        }
    }
}

/// With the limits that the management plane asks with.
fn questions() -> Vec<(&'static str, Ask)> {
    fn routes(which: Which, cursor: PrefixSlot, limit: u32) -> ShardQuery {
        ShardQuery::Routes {
            slot: ClientSlot(7),
            which,
            cursor,
            limit,
        }
    }
    fn alike(which: Which, cursor: PrefixSlot) -> ShardQuery {
        ShardQuery::Alike {
            which,
            cursor,
            limit: 2_000,
        }
    }
    fn search(filter: RouteFilter, cursor: PrefixSlot) -> ShardQuery {
        ShardQuery::Search {
            filter,
            cursor,
            limit: 2_000,
            rows_max: 100,
        }
    }
    vec![
        ("routes, received", |cursor| {
            routes(Which::Received, cursor, 2_000)
        }),
        ("routes, advertised", |cursor| {
            routes(Which::Advertised, cursor, 2_000)
        }),
        ("routes, advertised, for another looking glass", |cursor| {
            routes(Which::Advertised, cursor, 100)
        }),
        ("search, rejected", |cursor| {
            let verdict = Some(VerdictMatch::Rejected);
            let filter = RouteFilter {
                verdict,
                ..RouteFilter::default()
            };
            search(filter, cursor)
        }),
        ("search, a community", |cursor| {
            let community = Some(CommunityMatch::Standard(Some(9), Some(9)));
            let filter = RouteFilter {
                community,
                ..RouteFilter::default()
            };
            search(filter, cursor)
        }),
        ("all paths", |cursor| ShardQuery::Paths {
            cursor,
            limit: 500,
        }),
        ("how many clients have", |cursor| ShardQuery::Served {
            cursor,
            limit: 2_000,
        }),
        ("alike, received", |cursor| alike(Which::Received, cursor)),
        ("alike, advertised", |cursor| {
            alike(Which::Advertised, cursor)
        }),
        ("statistics", |_| ShardQuery::Stats),
    ]
}

/// How long each piece took.
fn walk(shard: &mut Shard, ask: Ask) -> Vec<Duration> {
    let mut took = Vec::new();
    let mut next = Some(PrefixSlot(0));
    while let Some(cursor) = next {
        let query = ask(cursor);
        let begun = Instant::now();
        shard.handle(Time::ZERO, ToShard::Query { id: 1, query });
        let (_, reply) = shard.poll_reply().expect("it answers at once");
        took.push(begun.elapsed());
        next = match reply {
            ShardReply::Routes { next, .. } => next,
            ShardReply::Found(found) => found.next,
            ShardReply::Served(served) => served.next,
            ShardReply::Alike(piece) => piece.next,
            _ => None,
        };
    }
    took
}
