//! What passing `accepted_max` does over time, and across a reload.

use std::sync::Arc;
use std::time::Duration;

use rialto::base::*;
use rialto::policy::{ImportChecks, ImportPolicy, PrefixList, PrefixRange};
use rialto::server::exchange::*;

use crate::assert_all_have;
use crate::peer::{Heard, prefixes};
use crate::world::{RS, World, asn_of, exchange, with_client};

const MAX: u32 = 20;

fn limited(shard_count: u16, action: LimitAction) -> Exchange {
    let mut exchange = exchange(3, shard_count);
    with_client(&mut exchange, 0, |client| {
        client.limits[0].accepted_max = Some(MAX);
        client.limits[0].accepted_action = action;
    });
    exchange
}

fn blocks_told(world: &World) -> usize {
    let told = world.sent.iter();
    told.filter(|sent| sent.starts_with("BlockFrom")).count()
}

#[test]
fn one_prefix_that_comes_and_goes_does_not_take_all_others_along_each_time() {
    for shard_count in [1, 4] {
        let mut world = World::new(limited(shard_count, LimitAction::Reject));
        world.connect_all();
        world.peer(0).announce(1, prefixes(0..MAX));
        world.run();
        assert_all_have(&world, 0, MAX as usize);
        for _ in 0..10 {
            world.peer(0).announce(1, prefixes(MAX..MAX + 1));
            world.run();
            world.peer(0).withdraw(prefixes(MAX..MAX + 1));
            world.run();
            assert_all_have(&world, 0, 0);
        }
        assert_eq!(blocks_told(&world), usize::from(shard_count));
        let withdrawn = world
            .peer(1)
            .count(|heard| matches!(heard, Heard::Withdrawn(_)));
        assert!(withdrawn <= usize::from(shard_count), "{withdrawn} times");
        // Nine tenths of the maximum, and a minute.
        world.peer(0).withdraw(prefixes(18..MAX));
        world.run_for(Duration::from_secs(59));
        assert_all_have(&world, 0, 0);
        world.run_for(Duration::from_secs(2));
        assert_all_have(&world, 0, 18);
    }
}

/// Over for a moment, in UPDATEs that shards answer for together.
#[test]
fn each_update_counts_for_reject_however_shards_answer() {
    for shard_count in [1, 4] {
        let mut world = World::new(limited(shard_count, LimitAction::Reject));
        world.connect_all();
        world.peer(0).announce(1, prefixes(0..MAX + 1));
        world.peer(0).withdraw(prefixes(10..MAX + 1));
        world.run();
        assert_all_have(&world, 0, 0);
        world.run_for(Duration::from_secs(61));
        assert_all_have(&world, 0, 10);
    }
}

/// As many prefixes of each of two shards as are allowed in all.
fn by_shard() -> [Vec<Prefix>; 2] {
    [0, 1].map(|shard| {
        let of_shard = |prefix: &Prefix| shard_of(prefix, 2) == ShardId(shard);
        let all = prefixes(0..1000).filter(of_shard);
        all.take(MAX as usize).collect()
    })
}

fn black_list(exchange: &mut Exchange, prefixes: &[Prefix]) {
    let range = |prefix: &Prefix| PrefixRange::new(*prefix, 24, 24).expect("such a range");
    let list: PrefixList = prefixes.iter().map(range).collect();
    with_client(exchange, 0, |client| {
        client.import = Arc::new(ImportPolicy::new(ImportChecks {
            black_list: Some(Arc::new(list)),
            ..ImportChecks::lab(RS, asn_of(ClientSlot(0)))
        }));
    });
}

/// One shard has told of what it accepts from now on, the other not yet of what it rejects.
#[test]
fn what_a_reload_changes_is_judged_when_all_shards_have_told() {
    for action in [LimitAction::Reject, LimitAction::Shutdown] {
        let [first, second] = by_shard();
        let mut before = limited(2, action);
        black_list(&mut before, &first);
        let mut world = World::new(before);
        world.connect_all();
        let all: Vec<Prefix> = first.iter().chain(&second).copied().collect();
        world.peer(0).announce(1, all);
        world.run();
        assert_all_have(&world, 0, MAX as usize);
        let mut after = limited(2, action);
        after.generation = Generation(2);
        black_list(&mut after, &second);
        world.unheard = Some(1);
        world.reload(after);
        world.peer(0).announce(2, first[..1].iter().copied());
        world.run();
        world.unheard = None;
        world.run();
        assert!(world.peer(0).is_up, "{action:?}");
        assert_all_have(&world, 0, MAX as usize);
        assert_eq!(blocks_told(&world), 0, "{action:?}");
    }
}

#[test]
fn a_reload_that_leaves_too_many_makes_reject_reject() {
    let [first, second] = by_shard();
    let mut before = limited(2, LimitAction::Reject);
    black_list(&mut before, &first);
    let mut world = World::new(before);
    world.connect_all();
    let all: Vec<Prefix> = first.iter().chain(&second).copied().collect();
    world.peer(0).announce(1, all);
    world.run();
    for (generation, max, expected) in [
        (2, MAX, 0),
        (3, MAX + 2, 0),
        (4, 2 * MAX + 10, 2 * MAX as usize),
    ] {
        let mut after = limited(2, LimitAction::Reject);
        after.generation = Generation(generation);
        with_client(&mut after, 0, |client| {
            client.limits[0].accepted_max = Some(max);
        });
        world.reload(after);
        world.run_for(Duration::from_secs(1));
        if expected > 0 {
            world.run_for(Duration::from_secs(61));
        }
        assert_all_have(&world, 0, expected);
    }
}
