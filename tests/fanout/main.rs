//! A session core with real shards, stepped with clients that read well, slowly or not at all.

mod adversary;
mod budget;
mod helper;
mod latency;
mod left_behind;
mod limits;
mod link_locals;
mod long_lived;
mod merge;
mod pace;
mod packing;
mod peer;
mod reload;
mod reuse;
mod slow;
mod tally;
mod taps;
mod world;

use std::time::Duration;

use peer::{Heard, prefixes};
use rialto::base::*;
use rialto::server::exchange::*;
use rialto::server::query::CoreCommand;
use rialto::wire::RefreshSubtype;
use world::{World, exchange, exchange_of_cores, with_client};

/// Every client has exactly what the one announcer `from` announced.
fn assert_all_have(world: &World, from: u16, count: usize) {
    for peer in &world.peers {
        let expected = if peer.slot.0 == from { 0 } else { count };
        assert_eq!(peer.table.len(), expected, "client {}", peer.slot);
    }
}

/// Two clients hold the same routes.
fn assert_same(world: &World, a: usize, b: usize) {
    let (a, b) = (&world.peers[a].table, &world.peers[b].table);
    let other = a
        .iter()
        .filter(|(prefix, set)| b.get(prefix) != Some(set))
        .count();
    assert!(
        a.len() == b.len() && other == 0,
        "{} and {} routes, {other} differ",
        a.len(),
        b.len()
    );
}

#[test]
fn what_one_client_announces_all_others_get_and_lose_again() {
    for shard_count in [1, 2, 4, 8] {
        let mut world = World::new(exchange(5, shard_count));
        world.connect_all();
        world.peer(2).announce(1, prefixes(0..500));
        world.run();
        assert_all_have(&world, 2, 500);
        world.peer(2).withdraw(prefixes(0..200));
        world.run();
        assert_all_have(&world, 2, 300);
        world.hang_up(2);
        world.run();
        assert_all_have(&world, 0, 0);
    }
}

#[test]
fn a_client_that_joins_gets_the_table_then_end_of_rib() {
    for shard_count in [1, 4] {
        let mut world = World::new(exchange(3, shard_count));
        world.connect(0);
        world.run();
        world.peer(0).announce(1, prefixes(0..3000));
        world.run();
        world.connect(1);
        world.run();
        let peer = world.peer(1);
        assert_eq!(peer.table.len(), 3000);
        assert_eq!(peer.heard.last(), Some(&Heard::EndOfRib(Family::Ipv4)));
        assert_eq!(peer.count(|heard| matches!(heard, Heard::EndOfRib(_))), 1);
    }
}

#[test]
fn what_changes_while_a_client_joins_comes_before_its_end_of_rib() {
    for shard_count in [1, 4] {
        let mut world = World::new(exchange(3, shard_count));
        world.connect(0);
        world.connect(2);
        world.run();
        world.peer(0).announce(1, prefixes(0..300));
        world.run();
        // The walk cannot end as long as one of its streams has not come.
        world.unheard = Some(0);
        world.connect(1);
        world.run();
        world.peer(0).announce(2, prefixes(100..400));
        world.run();
        world.unheard = None;
        world.run();
        assert_same(&world, 1, 2);
        let peer = world.peer(1);
        assert_eq!(peer.table.len(), 400);
        assert_eq!(peer.heard.last(), Some(&Heard::EndOfRib(Family::Ipv4)));
    }
}

#[test]
fn splitting_the_table_over_shards_does_not_split_the_packing() {
    let updates = |shard_count: u16| {
        let mut world = World::new(exchange(2, shard_count));
        world.connect(0);
        world.run();
        for tag in 0..300u32 {
            world
                .peer(0)
                .announce(tag as u16, prefixes(tag * 7..tag * 7 + 7));
        }
        world.run();
        world.connect(1);
        world.run();
        assert_eq!(world.peer(1).table.len(), 2100);
        world
            .peer(1)
            .count(|heard| matches!(heard, Heard::Announced(_)))
    };
    for shard_count in [1, 2, 4, 8] {
        assert_eq!(updates(shard_count), 300, "{shard_count} shards");
    }
}

#[test]
fn changes_of_four_shards_in_one_window_share_their_messages() {
    let mut world = World::new(exchange(2, 4));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..700));
    world.run();
    let peer = world.peer(1);
    assert_eq!(peer.table.len(), 700);
    let updates = peer.count(|heard| matches!(heard, Heard::Announced(_)));
    assert!(
        updates <= 3,
        "{updates} UPDATEs for 700 prefixes of one attribute set"
    );
}

#[test]
fn what_the_session_says_does_not_wait_behind_the_table() {
    let mut world = World::new(exchange(2, 1));
    world.connect(0);
    world.run();
    for tag in 0..2000u32 {
        world
            .peer(0)
            .announce(tag as u16, prefixes(tag * 4..tag * 4 + 4));
    }
    world.run();
    world.peer(1).socket_max = 1000;
    world.connect(1);
    while world.stats().clients[1].queue_octets < 50_000 {
        world.step();
    }
    let slot = ClientSlot(1);
    world.cores[0].handle_command(world.now, CoreCommand::Refresh { slot });
    let asked = Heard::Refresh(RefreshSubtype::Request);
    let before = world.peer(1).octets_heard;
    while !world.peers[1].heard.contains(&asked) {
        assert!(world.step(), "the table is through and nothing was asked");
    }
    let passed = world.peer(1).octets_heard - before;
    assert!(passed < 4096 + 2 * 1000, "{passed} octets came first");
    world.run();
    assert_eq!(world.peer(1).table.len(), 8000);
}

#[test]
fn received_max_ends_the_session_at_the_update_that_passes_it() {
    for shard_count in [1, 4] {
        for (count, breaks) in [(100, false), (101, true)] {
            let mut exchange = exchange(3, shard_count);
            with_client(&mut exchange, 0, |client| {
                client.limits[0].received_max = Some(100);
                client.limit_restart = Some(Duration::from_secs(30));
            });
            let mut world = World::new(exchange);
            world.connect_all();
            world.peer(0).announce(1, prefixes(0..50));
            // Withdraws and announces: never over the limit at a boundary.
            world.peer(0).announce(2, prefixes(50..100));
            world.peer(0).withdraw(prefixes(0..10));
            world.peer(0).announce(3, prefixes(200..200 + count - 90));
            world.run();
            let ended = world.peer(0).heard.contains(&Heard::Notification(6, 1));
            assert_eq!(ended, breaks, "{count} prefixes on {shard_count} shards");
            let expected = if breaks { 0 } else { count as usize };
            assert_eq!(world.peer(1).table.len(), expected);
            world.connect(0);
            assert_eq!(world.peer(0).conn, None, "held down, or there already");
            if breaks {
                world.run_for(Duration::from_secs(31));
                world.connect(0);
                assert!(
                    world.peer(0).conn.is_some(),
                    "comes back after limit_restart"
                );
            }
        }
    }
}

#[test]
fn block_keeps_the_same_prefixes_whatever_the_order_and_the_number_of_shards() {
    let mut kept: Vec<Vec<Prefix>> = Vec::new();
    for (shard_count, backwards) in [(1, false), (1, true), (4, false), (4, true)] {
        let mut exchange = exchange(2, shard_count);
        with_client(&mut exchange, 0, |client| {
            client.limits[0].accepted_max = Some(40);
            client.limits[0].accepted_action = LimitAction::Block;
        });
        let mut world = World::new(exchange);
        world.connect_all();
        let mut order: Vec<Prefix> = prefixes(0..300).collect();
        if backwards {
            order.reverse();
        }
        for (tag, piece) in order.chunks(7).enumerate() {
            world
                .peer(0)
                .announce(tag as u16 % 3, piece.iter().copied());
            if tag % 5 == 0 {
                world.run_for(Duration::from_millis(5));
            }
        }
        world.run();
        assert!(world.peer(0).is_up);
        kept.push(world.peer(1).table.keys().copied().collect());
        world.peer(0).withdraw(order.iter().copied().skip(30));
        world.run();
        assert_eq!(world.peer(1).table.len(), 30, "lifted when there are few");
    }
    assert_eq!(kept[0].len(), 40);
    assert!(kept.iter().all(|other| *other == kept[0]));
}

#[test]
fn a_refresh_sends_everything_again_between_its_markers() {
    let mut world = World::new(exchange(3, 4));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..900));
    world.run();
    world.peer(1).heard.clear();
    world.peer(1).table.clear();
    world.peer(1).ask_refresh();
    world.run();
    let peer = world.peer(1);
    assert_eq!(peer.table.len(), 900);
    assert_eq!(
        peer.heard.first(),
        Some(&Heard::Refresh(RefreshSubtype::Begin))
    );
    assert_eq!(
        peer.heard.last(),
        Some(&Heard::Refresh(RefreshSubtype::End))
    );
    assert_eq!(
        world
            .peer(2)
            .count(|heard| matches!(heard, Heard::Refresh(_))),
        0
    );
}

#[test]
fn a_cold_start_sends_each_prefix_once() {
    let mut exchange = exchange(4, 2);
    exchange.startup = Startup::default();
    let mut world = World::new(exchange);
    for slot in 0..4 {
        world.connect(slot);
    }
    world.run_for(Duration::from_millis(20));
    for round in 0..5u16 {
        for slot in 0..4 {
            world.peer(slot).announce(round, prefixes(0..100));
        }
        world.run_for(Duration::from_millis(20));
    }
    assert!(!world.stats().startup_over);
    assert!(world.peers.iter().all(|peer| peer.table.is_empty()));
    for slot in 0..4 {
        world.peer(slot).end_of_rib();
    }
    world.run();
    let stats = world.stats();
    assert!(
        stats.startup_over && stats.startup_wait_ms < 300,
        "{} ms",
        stats.startup_wait_ms
    );
    for peer in &world.peers {
        assert_eq!(peer.table.len(), 100);
        let announced: usize = peer
            .heard
            .iter()
            .map(|h| if let Heard::Announced(n) = h { *n } else { 0 })
            .sum();
        assert_eq!(announced, 100, "client {}", peer.slot);
    }
}

#[test]
fn after_a_start_one_walk_serves_the_clients_of_all_cores() {
    let mut exchange = exchange_of_cores(4, 1, 2);
    exchange.startup = Startup::default();
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..1_000));
    world.run_for(Duration::from_millis(20));
    for slot in 0..4 {
        world.peer(slot).end_of_rib();
    }
    world.run();
    for slot in 1..4 {
        assert_eq!(world.peer(slot).table.len(), 1_000);
    }
    assert_eq!(world.shard_stats(0).deltas_out, 1_000);
}

#[test]
fn a_cold_start_waits_a_moment_for_clients_that_are_still_to_come() {
    for (is_last_late, expected) in [(false, 700..800), (true, 1_000..1_100)] {
        let mut exchange = exchange(3, 1);
        exchange.startup = Startup::default();
        let mut world = World::new(exchange);
        let join = |world: &mut World, slot| {
            world.connect(slot);
            world.run_for(Duration::from_millis(5));
            world.peer(slot).end_of_rib();
        };
        join(&mut world, 0);
        join(&mut world, 1);
        world.run_for(Duration::from_millis(700));
        if !is_last_late {
            join(&mut world, 2);
        }
        world.run_for(Duration::from_millis(500));
        let wait_ms = world.stats().startup_wait_ms;
        assert!(expected.contains(&wait_ms), "{wait_ms} ms");
    }
}

#[test]
fn a_cold_start_without_end_of_rib_is_over_after_quiet_or_at_last() {
    for (talks, expected) in [(false, 1_000..1_100), (true, 30_000..30_100)] {
        let mut exchange = exchange(2, 1);
        exchange.startup = Startup::default();
        let mut world = World::new(exchange);
        world.connect(0);
        world.run_for(Duration::from_millis(1));
        for tag in 0..3_500u16 {
            if talks || tag == 0 {
                world.peer(0).announce(tag, prefixes(0..3));
            }
            world.run_for(Duration::from_millis(10));
        }
        let wait_ms = world.stats().startup_wait_ms;
        assert!(expected.contains(&wait_ms), "{wait_ms} ms");
    }
}

#[test]
fn a_session_that_comes_back_gets_nothing_meant_for_the_one_before() {
    for shard_count in [1, 4] {
        let mut world = World::new(exchange(3, shard_count));
        world.connect_all();
        for round in 0..30u16 {
            world.peer(0).announce(round, prefixes(0..400));
            for _ in 0..usize::from(round) {
                world.step();
            }
            world.hang_up(1);
            world.peer(0).withdraw(prefixes(100..400));
            for _ in 0..usize::from(round % 7) {
                world.step();
            }
            world.connect(1);
            world.run();
            assert!(world.peer(1).is_up);
            assert_same(&world, 1, 2);
            assert_eq!(world.peer(1).table.len(), 100);
            world.grow_old();
        }
    }
}

#[test]
fn a_session_that_comes_back_gets_nothing_that_a_slow_shard_said_for_the_one_before() {
    let mut world = World::new(exchange(3, 2));
    world.connect_all();
    world.unheard = Some(1);
    world.peer(0).announce(1, prefixes(0..400));
    world.run();
    world.hang_up(1);
    world.run();
    world.peer(0).withdraw(prefixes(100..400));
    world.run();
    world.connect(1);
    world.run();
    world.unheard = None;
    world.run();
    assert_same(&world, 1, 2);
    assert_eq!(world.peer(1).table.len(), 100);
}

#[test]
fn shutdown_tells_everyone_and_then_it_is_over() {
    let mut world = World::new(exchange(3, 1));
    world.connect_all();
    assert!(!world.cores[0].is_over());
    world.cores[0].handle_command(
        world.now,
        CoreCommand::Shutdown {
            message: "good night".into(),
            restart: false,
        },
    );
    assert!(!world.cores[0].is_over());
    world.run();
    assert!(world.cores[0].is_over());
    for peer in &world.peers {
        assert_eq!(peer.heard.last(), Some(&Heard::Notification(6, 2)));
    }
    world.connect(0);
    assert_eq!(world.peer(0).conn, None);
}

#[test]
fn walks_of_several_cores_do_not_wait_for_each_other_in_a_circle() {
    for (core_count, shard_count) in [(2, 2), (3, 4)] {
        for wait in [false, true] {
            let mut exchange = exchange_of_cores(9, shard_count, core_count);
            exchange.startup.wait = wait;
            let mut world = World::new(exchange);
            world.cores_disagree = true;
            for slot in 0..9 {
                world.connect(slot);
            }
            world.run();
            world.peer(4).announce(1, prefixes(0..500));
            world.run_for(Duration::from_secs(6));
            assert_all_have(&world, 4, 500);
            for round in 0..10 {
                for slot in [0, 1, 2] {
                    world.hang_up(slot);
                    (0..round % 4).for_each(|_| _ = world.step());
                    world.connect(slot);
                }
                world.run();
                assert_all_have(&world, 4, 500);
                world.grow_old();
            }
        }
    }
}

#[test]
fn a_reader_that_was_told_to_stop_is_told_to_go_on() {
    let mut world = World::new(exchange(3, 1));
    world.connect_all();
    for tag in 0..200u32 {
        world.peer(0).announce(tag as u16, prefixes(tag..tag + 1));
    }
    let (conn, other) = (world.peer(0).conn.unwrap(), world.peer(2).conn.unwrap());
    let said = std::mem::take(&mut world.peer(0).says);
    // One by one, and nobody empties the queues to the shards.
    for octets in said.chunks(100) {
        world.cores[0].handle_octets(world.now, conn, octets);
    }
    assert!(!world.cores[0].wants_octets(other));
    world.run();
    assert!(world.reads_asked.contains(&other));
    assert!(world.cores[0].wants_octets(other));
    assert_all_have(&world, 0, 200);
}
