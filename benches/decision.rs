//! The shard's hot paths: taking routes in, and the assignment of a changed prefix.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rialto::base::*;
use rialto::policy::PrefixClass;
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::message::{ClientUp, RouteBatch, RouteUpdate, ToCore, ToShard};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, EncodingClass};

const CLIENTS: u16 = 700;
const PREFIXES: u32 = 10_000;
const RS: u32 = 64500;

#[allow(dead_code, reason = "the tests of shards ask more of it")]
#[path = "../tests/shard/exchange.rs"]
mod exchange;

/// A shard with every client up and walked to.
fn live_shard() -> Shard {
    let exchange = exchange::Exchange {
        clients: CLIENTS,
        med: MedMode::SameAs,
        hide_own_as: 0,
    };
    let mut shard = Shard::new(ShardId(0), exchange::compile(&exchange, 1, 1), 1);
    let ipv4 = FamilySet::only(Family::Ipv4);
    for slot in 0..CLIENTS {
        let up = ClientUp {
            slot: ClientSlot(slot),
            epoch: SessionEpoch(1),
            families: ipv4,
            class: EncodingClass::PLAIN,
            router_id: Ipv4Addr::from(0x0a4d_0000 + u32::from(slot)),
            stale: FamilySet::EMPTY,
        };
        shard.handle(Time::ZERO, ToShard::ClientUp(up));
    }
    let clients: Arc<ClientSet> = Arc::new((0..CLIENTS).map(ClientSlot).collect());
    let walk = ToShard::Walk {
        core: CoreId(0),
        walk: WalkId(1),
        clients,
        families: ipv4,
        joint: false,
    };
    shard.handle(Time::ZERO, walk);
    settle(&mut shard);
    shard.handle(
        Time::ZERO,
        ToShard::Promote {
            core: CoreId(0),
            walk: WalkId(1),
        },
    );
    settle(&mut shard);
    shard
}

fn settle(shard: &mut Shard) -> Vec<ToCore> {
    let mut out = Vec::new();
    let mut now = Time::from_secs(1);
    loop {
        now = now + Duration::from_secs(1);
        let more = shard.turn(now);
        let before = out.len();
        while let Some((_, message)) = shard.poll_to_core() {
            out.push(message);
        }
        if !more && out.len() == before {
            return out;
        }
    }
}

fn set(announcer: u16, number: u32, tagged: bool) -> Arc<AttributeSet> {
    let set = SetBuilder::new()
        .next_hop(Ipv4Addr::from(0x0a4d_0000 + u32::from(announcer)))
        .as_path(&[
            10_000 + u32::from(announcer),
            3_000 + number % 50,
            100_000 + number,
        ]);
    let peer = exchange::asn_of(ClientSlot((number % u32::from(CLIENTS)) as u16)).0;
    if tagged {
        set.large(&[(RS, 0, peer), (RS, 102, peer + 1)]).build()
    } else {
        set.build()
    }
}

/// Four prefixes to an attribute set.
fn routes(announcer: u16, tagged: bool) -> Vec<ToShard> {
    let updates: Vec<u32> = (0..PREFIXES / 4).collect();
    let batch = |numbers: &[u32]| {
        let mut batch = RouteBatch {
            slot: ClientSlot(announcer),
            epoch: SessionEpoch(1),
            generation: Generation(1),
            heard: Time::NEVER,
            updates: Vec::new(),
            prefixes: Vec::new(),
        };
        for number in numbers {
            let start = batch.prefixes.len() as u32;
            batch.prefixes.extend((0..4).map(|index| {
                let address = Ipv4Addr::from(0x1400_0000 + ((number * 4 + index) << 8));
                (Prefix::v4(address, 24), PrefixClass::ACCEPTED)
            }));
            let set = Some(set(announcer, *number, tagged));
            batch.updates.push(RouteUpdate {
                seq: u64::from(number + 1),
                set,
                prefixes: start..start + 4,
            });
        }
        ToShard::Routes(batch)
    };
    updates.chunks(256).map(batch).collect()
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("shard");
    group
        .throughput(Throughput::Elements(u64::from(PREFIXES)))
        .sample_size(20);
    let cases = [
        ("first path of a prefix, 700 clients", 0, false),
        ("third path of a prefix, 700 clients", 2, false),
        ("third path of a prefix, tagged, 700 clients", 2, true),
    ];
    for (name, before, tagged) in cases {
        let setup = || {
            let mut shard = live_shard();
            for announcer in 0..before {
                routes(announcer, tagged)
                    .into_iter()
                    .for_each(|batch| shard.handle(Time::ZERO, batch));
            }
            settle(&mut shard);
            (shard, routes(before, tagged))
        };
        group.bench_function(name, |b| {
            b.iter_batched(
                setup,
                |(mut shard, batches)| {
                    batches
                        .into_iter()
                        .for_each(|batch| shard.handle(Time::ZERO, batch));
                    let out = black_box(settle(&mut shard));
                    let counted = |message: &ToCore| matches!(message, ToCore::Counts { .. });
                    assert!(out.iter().any(counted), "the routes were taken in");
                    (shard, out)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
