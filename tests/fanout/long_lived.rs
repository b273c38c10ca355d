//! Long-lived stale routes (RFC 9494): when they begin and end, who has them, and what becomes of them when
//! the client is back.

use std::sync::Arc;

use rialto::base::*;
use rialto::policy::{ImportChecks, ImportPolicy};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{
    AttributeSet, GRACEFUL_SHUTDOWN, GracefulRestart, LLGR_STALE, LongLivedRestart, NO_LLGR,
    encode_end_of_rib,
};

use crate::peer::{Heard, address_of, prefixes};
use crate::world::{RS, World, asn_of, exchange, with_client};

/// How long client 0 asks for, and how long the server keeps its routes at most.
const RESTART_TIME_S: u16 = 50;
const STALE_TIME_S: u32 = 300;
const LLGR_MAX_S: u32 = 100;

/// Client 0 is one whose routes are to be kept, client 1 knows of long-lived ones, client 2 does not.
fn world_of(shard_count: u16, restart_time_s: u16) -> World {
    let mut exchange = exchange(3, shard_count);
    with_client(&mut exchange, 0, |client| {
        client.session.graceful_restart_helper_s = 80;
        client.session.llgr_max_s = [LLGR_MAX_S; 2];
        client.session.families = FamilySet::ALL;
    });
    let mut world = World::new(exchange);
    let families = FamilySet::only(Family::Ipv4);
    let own = &mut world.peer(0).capabilities;
    own.families = FamilySet::ALL;
    own.graceful_restart = Some(GracefulRestart {
        restart_time_s,
        families,
        forwarding: families,
        ..GracefulRestart::default()
    });
    own.long_lived_restart = Some(LongLivedRestart {
        stale_time_s: [STALE_TIME_S, 0],
        forwarding: families,
    });
    // Without the other capability it means nothing (RFC 9494 §3.1).
    let other = &mut world.peer(1).capabilities;
    other.graceful_restart = Some(GracefulRestart::default());
    other.long_lived_restart = Some(LongLivedRestart::default());
    world.connect_all();
    world
}

/// What a client announces, with a path of so many hops.
fn set_of(slot: u16, hops: usize, communities: &[(u16, u16)]) -> Arc<AttributeSet> {
    let slot = ClientSlot(slot);
    SetBuilder::new()
        .next_hop(address_of(slot))
        .as_path(&vec![asn_of(slot).0; hops])
        .communities(communities)
        .build()
}

/// Client 0 has said that it has 100 routes, of which 10 are not to be kept for long, and is gone.
fn away(shard_count: u16, restart_time_s: u16) -> World {
    let mut world = world_of(shard_count, restart_time_s);
    let short_lived = set_of(0, 1, &[NO_LLGR]);
    world.peer(0).announce(1, prefixes(0..90));
    world.peer(0).announce_set(&short_lived, prefixes(90..100));
    world.peer(0).end_of_rib();
    world.run();
    assert_eq!(tables(&world), [100, 100]);
    world.hang_up(0);
    world.run();
    world
}

/// How many routes clients 1 and 2 have.
fn tables(world: &World) -> [usize; 2] {
    [1, 2].map(|slot: usize| world.peers[slot].table.len())
}

/// How many of client 1's are marked.
fn marked(world: &World) -> usize {
    let sets = world.peers[1].table.values();
    sets.filter(|set| set.has_community(LLGR_STALE)).count()
}

/// How many of client 1's have a path of so many hops.
fn of_length(world: &World, hops: u16) -> usize {
    let sets = world.peers[1].table.values();
    sets.filter(|set| set.facts().as_path_len == hops).count()
}

fn withdrawn(world: &World) -> usize {
    let counts = world.peers[1].heard.iter().map(|heard| match heard {
        Heard::Withdrawn(count) => *count,
        _ => 0,
    });
    counts.sum()
}

#[test]
fn after_the_restart_time_routes_are_long_lived_for_who_takes_them_and_then_gone() {
    for shard_count in [1, 4] {
        let mut world = away(shard_count, RESTART_TIME_S);
        world.wait(u64::from(RESTART_TIME_S) - 2);
        assert_eq!((tables(&world), marked(&world)), ([100, 100], 0));
        world.wait(3);
        assert_eq!((tables(&world), marked(&world)), ([90, 0], 90));
        assert_eq!(withdrawn(&world), 10);
        world.wait(u64::from(LLGR_MAX_S) - 4);
        assert_eq!((tables(&world), marked(&world)), ([90, 0], 90));
        world.wait(4);
        assert_eq!(tables(&world), [0, 0]);
    }
}

#[test]
fn without_a_restart_time_they_are_so_at_once() {
    let mut world = away(2, 0);
    assert_eq!((tables(&world), marked(&world)), ([90, 0], 90));
    world.wait(u64::from(LLGR_MAX_S) - 3);
    assert_eq!((tables(&world), marked(&world)), ([90, 0], 90));
    world.wait(4);
    assert_eq!(tables(&world), [0, 0]);
}

#[test]
fn what_a_client_that_is_back_forwards_by_stays_until_it_has_said_all() {
    for forwards in [true, false] {
        let mut world = away(2, RESTART_TIME_S);
        world.wait(u64::from(RESTART_TIME_S) + 2);
        if !forwards {
            let own = world.peer(0).capabilities.long_lived_restart.as_mut();
            own.expect("it has one").forwarding = FamilySet::EMPTY;
        }
        world.connect(0);
        world.run();
        assert!(world.peer(0).is_up);
        let left = if forwards { 90 } else { 0 };
        assert_eq!((tables(&world), marked(&world)), ([left, 0], left));
        // That it has no more to say of the other family changes nothing.
        encode_end_of_rib(&mut world.peer(0).says, Family::Ipv6);
        world.run();
        assert_eq!((tables(&world), marked(&world)), ([left, 0], left));
        // What it says again is as good as ever.
        world.peer(0).announce(1, prefixes(0..40));
        world.run();
        let rest = left.saturating_sub(40);
        assert_eq!((tables(&world), marked(&world)), ([40 + rest, 40], rest));
        world.peer(0).end_of_rib();
        world.run();
        assert_eq!((tables(&world), marked(&world)), ([40, 40], 0));
    }
}

#[test]
fn their_time_goes_on_over_sessions_that_do_not_end_it() {
    for shard_count in [1, 4] {
        let mut world = away(shard_count, RESTART_TIME_S);
        world.wait(u64::from(RESTART_TIME_S) + 20);
        world.connect(0);
        world.run();
        world.peer(0).announce(2, prefixes(80..95));
        world.wait(20);
        assert_eq!((tables(&world), marked(&world)), ([95, 15], 80));
        world.hang_up(0);
        world.run();
        // What came since shares it.
        assert_eq!((tables(&world), marked(&world)), ([95, 0], 95));
        world.wait(u64::from(LLGR_MAX_S) - 46);
        assert_eq!((tables(&world), marked(&world)), ([95, 0], 95));
        world.wait(8);
        assert_eq!(tables(&world), [0, 0]);
    }
}

#[test]
fn who_let_it_pass_without_end_of_rib_has_none_left() {
    for says_all in [true, false] {
        let mut world = away(2, RESTART_TIME_S);
        world.wait(u64::from(RESTART_TIME_S) + 20);
        world.connect(0);
        world.run();
        world.peer(0).announce(1, prefixes(0..40));
        world.wait(u64::from(LLGR_MAX_S));
        assert_eq!((tables(&world), marked(&world)), ([40, 40], 0));
        if says_all {
            world.peer(0).end_of_rib();
        }
        world.run();
        world.hang_up(0);
        world.run();
        assert_eq!(tables(&world), if says_all { [40, 40] } else { [0, 0] });
    }
}

#[test]
fn they_are_the_last_choice() {
    for shard_count in [1, 4] {
        let mut world = world_of(shard_count, RESTART_TIME_S);
        world.peer(0).announce(1, prefixes(0..90));
        let (longer, leaving) = (set_of(2, 7, &[]), set_of(2, 7, &[GRACEFUL_SHUTDOWN]));
        world.peer(2).announce_set(&longer, prefixes(0..30));
        world.peer(2).announce_set(&leaving, prefixes(30..60));
        world.run();
        world.hang_up(0);
        world.wait(u64::from(RESTART_TIME_S) - 2);
        assert_eq!((of_length(&world, 7), marked(&world)), (0, 0));
        world.wait(3);
        assert_eq!((of_length(&world, 7), marked(&world)), (60, 30));
        assert_eq!(world.peers[1].table.len(), 90);
    }
}

#[test]
fn so_is_what_comes_with_the_mark() {
    let mut exchange = exchange(3, 2);
    with_client(&mut exchange, 0, |client| {
        client.import = Arc::new(ImportPolicy::new(ImportChecks {
            long_lived: true,
            ..ImportChecks::lab(RS, asn_of(ClientSlot(0)))
        }));
    });
    let mut world = World::new(exchange);
    let other = &mut world.peer(1).capabilities;
    other.graceful_restart = Some(GracefulRestart::default());
    other.long_lived_restart = Some(LongLivedRestart::default());
    world.connect_all();
    let (stale, longer) = (set_of(0, 1, &[LLGR_STALE]), set_of(2, 7, &[]));
    world.peer(0).announce_set(&stale, prefixes(0..20));
    world.peer(2).announce_set(&longer, prefixes(0..5));
    world.run();
    assert_eq!((of_length(&world, 7), marked(&world)), (5, 15));
    assert_eq!(tables(&world), [20, 0]);
}
