//! Clients that read slowly or not at all, and mailboxes that are full.

use std::time::Duration;

use rialto::base::*;

use crate::peer::{Heard, prefixes};
use crate::world::{World, exchange};
use crate::{assert_all_have, assert_same};

#[test]
fn a_client_that_does_not_read_costs_the_others_nothing_and_ends_with_the_present_state() {
    for shard_count in [1, 4] {
        let mut exchange = exchange(3, shard_count);
        exchange.limits.stalled_octets_max = 20_000;
        let mut world = World::new(exchange);
        world.connect_all();
        world.peer(1).is_reading = false;
        world.peer(1).socket_max = 5_000;
        for tag in 0..40u16 {
            world.peer(0).announce(tag, prefixes(0..2000));
            world.run_for(Duration::from_millis(100));
        }
        let stats = world.stats();
        assert!(
            stats.clients[1].dirty_prefixes >= 2000,
            "{:?}",
            stats.clients[1]
        );
        assert!(
            stats.clients[1].queue_octets < 20_000,
            "{:?}",
            stats.clients[1]
        );
        assert_eq!(world.peer(2).table.len(), 2000);
        world.peer(0).withdraw(prefixes(1500..2000));
        world.run();
        let before = world.peer(1).octets_heard;
        world.peer(1).is_reading = true;
        world.run();
        assert_same(&world, 1, 2);
        assert_eq!(world.peers[1].table.len(), 1500);
        let read = world.peer(1).octets_heard - before;
        assert!(
            read < 40_000,
            "{read} octets: each dirty prefix once, not forty times"
        );
        assert_eq!(world.stats().clients[1].dirty_prefixes, 0);
    }
}

#[test]
fn what_many_wait_for_makes_nobody_slow_until_one_waits_alone() {
    let mut exchange = exchange(7, 1);
    exchange.limits.stalled_octets_max = 30_000;
    let mut world = World::new(exchange);
    world.connect_all();
    for slot in 1..7 {
        world.peer(slot).is_reading = false;
        world.peer(slot).socket_max = 1_000;
    }
    world.peer(0).announce(1, prefixes(0..15_000));
    world.run_for(Duration::from_secs(3));
    let stats = world.stats();
    for client in &stats.clients[1..] {
        assert!(client.queue_octets > 40_000, "{client:?}");
        assert_eq!(client.dirty_prefixes, 0, "{client:?}");
    }
    for slot in 2..7 {
        world.peer(slot).is_reading = true;
    }
    world.run_for(Duration::from_secs(3));
    let client = &world.stats().clients[1];
    assert!(client.queue_octets < 20_000, "{client:?}");
    assert!(client.dirty_prefixes > 10_000, "{client:?}");
    world.peer(1).is_reading = true;
    world.run();
    assert_same(&world, 1, 2);
}

#[test]
fn a_client_that_stalls_while_it_joins_gets_end_of_rib_after_the_last_dirty_prefix() {
    let mut exchange = exchange(2, 2);
    exchange.limits.stalled_octets_max = 5_000;
    let mut world = World::new(exchange);
    world.connect(0);
    world.run();
    for tag in 0..50u32 {
        world
            .peer(0)
            .announce(tag as u16, prefixes(tag * 50..tag * 50 + 50));
    }
    world.run();
    world.peer(1).socket_max = 3_000;
    world.connect(1);
    while !world.peers[1].is_up {
        world.step();
    }
    world.peer(1).is_reading = false;
    world.run();
    world.run();
    let status = world.stats().clients[1].clone();
    assert!(status.dirty_prefixes > 0, "{status:?}");
    world.peer(0).announce(77, prefixes(0..10));
    world.run();
    world.peer(1).is_reading = true;
    world.run();
    let peer = world.peer(1);
    assert_eq!(peer.table.len(), 2500);
    assert_eq!(peer.heard.last(), Some(&Heard::EndOfRib(Family::Ipv4)));
    assert_eq!(peer.count(|heard| matches!(heard, Heard::EndOfRib(_))), 1);
}

#[test]
fn over_the_budget_the_core_leaves_the_mailboxes_alone_until_octets_are_written() {
    let mut exchange = exchange(3, 2);
    exchange.limits.core_octets_max = 30_000;
    let mut world = World::new(exchange);
    world.connect(0);
    world.run();
    for tag in 0..200u32 {
        world
            .peer(0)
            .announce(tag as u16, prefixes(tag * 50..tag * 50 + 50));
    }
    world.run();
    for slot in [1, 2] {
        world.connect(slot);
        world.peer(slot).socket_max = 2_000;
    }
    let mut was_over = false;
    for _ in 0..20_000 {
        world.step();
        was_over |= !world.cores[0].wants_deltas();
    }
    world.run();
    assert!(was_over, "the budget was never reached");
    let stats = world.stats();
    assert!(
        stats.octets_retained_max < 200_000,
        "{} octets",
        stats.octets_retained_max
    );
    for slot in [1, 2] {
        assert_eq!(world.peer(slot).table.len(), 10_000);
        assert_eq!(
            world.peer(slot).heard.last(),
            Some(&Heard::EndOfRib(Family::Ipv4))
        );
    }
}

#[test]
fn however_much_one_flush_says_the_core_passes_its_bound_by_a_part_only() {
    // Many sets with one prefix each; one set of which only a few prefixes fit in a message.
    for (shard_count, set_count, ballast) in [(1, 25_000, 0), (2, 25_000, 0), (1, 1, 4_000)] {
        let mut exchange = exchange(2, shard_count);
        exchange.limits.core_octets_max = 512 << 10;
        let mut world = World::new(exchange);
        world.connect_all();
        world.peer(1).socket_max = 5_000;
        world.peer(0).ballast = ballast;
        world.are_shards_asleep = true;
        let share = 25_000 / set_count;
        for tag in 0..set_count {
            let named = prefixes(tag * share..(tag + 1) * share);
            world.peer(0).announce(tag as u16, named);
        }
        world.run();
        world.are_shards_asleep = false;
        world.run();
        let retained = world.stats().octets_retained_max;
        let (least, most) = (512 << 10, 1 << 20);
        assert!((least..most).contains(&retained), "{retained} octets");
        assert_eq!(world.peer(1).table.len(), 25_000);
    }
}

#[test]
fn one_that_dribbles_does_not_hold_up_the_others_over_the_budget() {
    let mut exchange = exchange(5, 1);
    exchange.limits.core_octets_max = 30_000;
    exchange.limits.stalled_octets_max = 10 << 20;
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(1).socket_max = 500;
    for tag in 0..20u16 {
        world.peer(0).announce(tag, prefixes(0..3000));
        for _ in 0..100 {
            // It reads, but now and then only.
            world.peer(1).is_reading = world.now.as_micros() % 50_000 < 2_000;
            world.run_for(Duration::from_micros(500));
        }
    }
    let last = world.peers[0].set(19);
    for slot in [2, 3, 4] {
        let up_to_date = world.peers[slot]
            .table
            .values()
            .filter(|set| **set == last)
            .count();
        assert_eq!(up_to_date, 3000, "client {slot}");
    }
    world.peer(1).is_reading = true;
    world.run_for(Duration::from_secs(20));
    assert_same(&world, 1, 2);
}

#[test]
fn full_mailboxes_slow_the_announcer_down_and_lose_nothing() {
    let mut world = World::new(exchange(3, 2));
    world.connect_all();
    world.mailbox_max = 1;
    world.are_shards_asleep = true;
    for tag in 0..400u32 {
        world
            .peer(0)
            .announce(tag as u16, prefixes(tag * 20..tag * 20 + 20));
    }
    world.run();
    assert!(
        !world.peer(0).says.is_empty(),
        "the announcer is made to wait"
    );
    let conn = world.peer(0).conn.unwrap();
    assert!(!world.cores[0].wants_octets(conn));
    // Longer than the hold time: silence is not held against those we do not read.
    world.run_for(Duration::from_secs(200));
    world.are_shards_asleep = false;
    world.run_for(Duration::from_secs(5));
    assert!(world.peer(0).is_up && world.peer(0).says.is_empty());
    assert_all_have(&world, 0, 8000);
}
