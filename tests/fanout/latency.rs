//! How long what clients say is on its way to the others, as a session core counts it.

use std::time::Duration;

use rialto::server::Latencies;

use crate::peer::prefixes;
use crate::world::{World, exchange, with_client};

/// How many took longer than that, which is one of the bounds.
fn longer(latencies: &Latencies, than_ms: u64) -> u64 {
    let bound = Duration::from_millis(than_ms);
    let within = latencies.cumulative().find(|(it, _)| *it == bound);
    latencies.count() - within.expect("it is a bound").1
}

fn written(world: &mut World) -> Latencies {
    world.stats().until_written
}

#[test]
fn it_is_counted_from_the_octets_of_the_update_to_the_write_to_each_client() {
    for shard_count in [1, 4] {
        let mut world = World::new(exchange(4, shard_count));
        world.connect_all();
        assert_eq!(written(&mut world), Latencies::default());
        world.are_shards_asleep = true;
        world.peer(0).announce(1, prefixes(0..100));
        world.run_for(Duration::from_millis(300));
        // It is not the oldest in what follows.
        world.peer(1).announce(2, prefixes(100..200));
        world.run_for(Duration::from_millis(100));
        world.are_shards_asleep = false;
        world.run();
        assert_eq!(world.peer(3).table.len(), 200);
        let stats = world.stats();
        for (what, latencies, count) in [
            ("each client once", stats.until_written, 4),
            ("one window", stats.until_queued, 1),
        ] {
            assert_eq!(latencies.count(), count, "{what}, {shard_count} shards");
            assert_eq!(longer(&latencies, 250), count, "{what}");
            assert_eq!(longer(&latencies, 500), 0, "{what}");
            let each = latencies.sum() / count as u32;
            assert!((400..410).contains(&each.as_millis()), "{what}: {each:?}");
        }
    }
}

#[test]
fn what_waits_for_shards_is_as_old_as_its_octets() {
    let mut world = World::new(exchange(2, 1));
    world.connect_all();
    world.are_shards_asleep = true;
    world.mailbox_max = 1;
    for tag in 0..20 {
        let from = 10_000 * u32::from(tag);
        world.peer(0).announce(tag, prefixes(from..from + 10_000));
    }
    world.run_for(Duration::from_secs(4));
    world.are_shards_asleep = false;
    world.run();
    assert_eq!(world.peer(1).table.len(), 200_000);
    assert!(longer(&written(&mut world), 2_500) > 0);
}

#[test]
fn a_client_that_joins_gets_everything_and_that_is_no_latency() {
    let mut world = World::new(exchange(3, 2));
    world.connect_all();
    world.hang_up(2);
    world.peer(0).announce(1, prefixes(0..1000));
    world.run();
    let before = world.stats();
    world.run_for(Duration::from_secs(20));
    world.connect(2);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.peer(2).table.len(), 1000);
    let after = world.stats();
    assert_eq!(after.until_written, before.until_written);
    assert_eq!(after.until_queued, before.until_queued);
}

#[test]
fn what_a_slow_client_lacks_is_brought_up_to_date_and_not_counted() {
    let mut exchange = exchange(3, 1);
    exchange.limits.stalled_octets_max = 20_000;
    for slot in 0..3 {
        with_client(&mut exchange, slot, |client| client.session.hold_time_s = 0);
    }
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(1).is_reading = false;
    world.peer(1).socket_max = 5_000;
    for tag in 0..40u16 {
        world.peer(0).announce(tag, prefixes(0..2000));
        world.run_for(Duration::from_millis(100));
    }
    assert!(world.stats().clients[1].stalled);
    world.run_for(Duration::from_secs(60));
    world.peer(1).is_reading = true;
    world.run();
    assert_eq!(world.peer(1).table.len(), 2000);
    let stats = world.stats();
    assert!(!stats.clients[1].stalled);
    assert!(stats.until_written.count() >= 40);
    assert_eq!(longer(&stats.until_written, 5_000), 0);
}

#[test]
fn the_rest_of_a_client_that_says_too_much_is_not_counted() {
    let mut exchange = exchange(2, 1);
    with_client(&mut exchange, 0, |client| client.updates_per_s = Some(1));
    let mut world = World::new(exchange);
    world.connect_all();
    for tag in 0..30 {
        world.peer(0).announce(tag, prefixes(0..1));
    }
    world.run_for(Duration::from_secs(40));
    let latencies = written(&mut world);
    assert!(latencies.count() > 15, "{latencies:?}");
    assert_eq!(longer(&latencies, 250), 0, "{latencies:?}");
}

#[test]
fn what_a_session_that_ends_never_read_is_not_counted() {
    let mut exchange = exchange(2, 1);
    with_client(&mut exchange, 0, |client| client.session.hold_time_s = 0);
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(1).is_reading = false;
    world.peer(1).socket_max = 1_000;
    world.peer(0).announce(1, prefixes(0..2000));
    world.run_for(Duration::from_secs(80));
    assert!(world.stats().clients[1].queue_octets > 0);
    // It says nothing either, and is told that its hold time is over as soon as it reads.
    world.run_for(Duration::from_secs(60));
    world.peer(1).is_reading = true;
    world.run();
    assert!(!world.peer(1).is_up);
    assert_eq!(longer(&written(&mut world), 30_000), 0);
}
