//! Clients that are read slowly (`updates_per_s`), and clients that changes reach now and then only
//! (`min_advertisement_ms`).

use std::time::Duration;

use rialto::base::*;
use rialto::server::exchange::Exchange;
use rialto::wire::encode_keepalive;

use crate::assert_same;
use crate::peer::{Heard, prefixes};
use crate::world::{World, exchange, with_client};

/// The session's hold time is 90 s, and keepalives are due each 30 s: the timers of a session that
/// rests go off meanwhile.
#[test]
fn a_client_that_falls_silent_after_a_rest_loses_its_session_when_its_hold_time_is_over() {
    let mut exchange = exchange(2, 1);
    with_client(&mut exchange, 0, |client| client.updates_per_s = Some(1));
    let mut world = World::new(exchange);
    world.connect_all();
    // Ten at once, then one a second; what is left to say waits in the socket.
    for tag in 0..50 {
        world.peer(0).announce(tag, prefixes(0..1));
    }
    world.run_for(Duration::from_secs(1));
    world.peer(0).announce(50, prefixes(0..2));
    pass(&mut world, 35);
    assert!(!world.peer(0).says.is_empty(), "it is read slowly");
    pass(&mut world, 60);
    assert!(world.peer(0).is_up, "it was heard of less than 90 s ago");
    assert_eq!(world.peer(1).table.len(), 2);
    pass(&mut world, 90);
    assert!(world.peer(0).heard.contains(&Heard::Notification(4, 0)));
    assert_eq!(world.peer(1).table.len(), 0);
}

/// Seconds in which client 1, who looks on, says that it is there.
fn pass(world: &mut World, seconds: u64) {
    for _ in 0..seconds / 5 {
        encode_keepalive(&mut world.peer(1).says);
        world.run_for(Duration::from_secs(5));
    }
}

/// Client 1 wants changes ten minutes apart, and cannot be told to forget what it has (RFC 7313).
fn with_a_patient_client(mut exchange: Exchange) -> World {
    with_client(&mut exchange, 1, |client| {
        client.min_advertisement = Some(Duration::from_secs(600));
        client.session.add_path_send = FamilySet::only(Family::Ipv4);
        client.session.hold_time_s = 0;
    });
    for slot in [0, 2] {
        with_client(&mut exchange, slot, |client| client.session.hold_time_s = 0);
    }
    World::new(exchange)
}

#[test]
fn changes_reach_a_client_as_far_apart_as_it_wants() {
    let mut world = with_a_patient_client(exchange(3, 2));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..100));
    world.run();
    world.peer(0).announce(2, prefixes(0..100));
    world.peer(0).withdraw(prefixes(0..10));
    world.run_for(Duration::from_secs(590));
    assert_eq!(world.peer(2).table.len(), 90);
    assert!(world.peer(1).table.is_empty(), "its pause began before");
    world.run_for(Duration::from_secs(20));
    assert_same(&world, 1, 2);
    let announced = |heard: &Heard| matches!(heard, Heard::Announced(_));
    assert_eq!(world.peer(1).count(announced), 1, "the last state alone");
}

#[test]
fn a_pause_ends_when_freed_prefix_slots_gather_because_of_it() {
    let mut exchange = exchange(3, 1);
    exchange.limits.dead_prefixes_max = 2_000;
    exchange.limits.dead_patience = Duration::from_secs(2);
    let mut world = with_a_patient_client(exchange);
    world.peer(1).capabilities.enhanced_refresh = false;
    world.connect_all();
    world.run();
    // It is slow to read what one pause was for, and has read it when the next has much to note.
    world.peer(0).announce(1, prefixes(0..500));
    world.peer(1).socket_max = 1_000;
    world.peer(1).is_reading = false;
    world.run_for(Duration::from_secs(601));
    world.peer(0).announce(2, prefixes(0..500));
    world.run();
    world.peer(1).is_reading = true;
    world.run();
    world.peer(0).withdraw(prefixes(0..500));
    for round in 1..60 {
        let range = round * 1_000..(round + 1) * 1_000;
        world.peer(0).announce(2, prefixes(range.clone()));
        world.run_for(Duration::from_millis(200));
        world.peer(0).withdraw(prefixes(range));
        world.run_for(Duration::from_millis(200));
        let stats = world.shard_stats(0);
        let slots = stats.prefixes + stats.dead_prefixes + stats.free_slots;
        assert!(slots < 20_000, "{slots} table entries in round {round}");
    }
    world.peer(0).announce(3, prefixes(0..10));
    world.run_for(Duration::from_secs(601));
    let resets = |heard: &Heard| matches!(heard, Heard::Notification(..));
    assert_eq!(world.peer(1).count(resets), 0, "it reads all it is sent");
    assert_same(&world, 1, 2);
    assert_eq!(world.peer(1).table.len(), 10);
}

#[test]
fn a_pause_ends_before_more_paths_are_noted_than_may_be() {
    let mut exchange = exchange(3, 2);
    exchange.limits.dirty_paths_max = 500;
    let mut world = with_a_patient_client(exchange);
    world.peer(1).capabilities.enhanced_refresh = false;
    world.peer(1).capabilities.add_path_receive = FamilySet::only(Family::Ipv4);
    world.connect_all();
    world.run();
    for round in 0..10 {
        let range = round * 100..(round + 1) * 100;
        world.peer(0).announce(1, prefixes(range.clone()));
        world.peer(2).announce(1, prefixes(range));
        world.run();
        let noted = world.stats().clients[1].dirty_prefixes;
        assert!(noted <= 500, "{noted} paths in round {round}");
    }
    assert!(world.peer(1).is_up);
    world.run_for(Duration::from_secs(601));
    assert!(world.peer(1).is_up);
    assert_eq!(world.stats().clients[1].dirty_prefixes, 0);
}
