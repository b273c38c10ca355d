//! `attribute_octets_max`: what a client makes the shards keep.

use std::time::Duration;

use rialto::base::ClientSlot;

use crate::peer::{Heard, prefixes};
use crate::world::{World, exchange, with_client};

/// Of the sets that peers announce, one for each tag: 24 octets each.
const BUDGET: u32 = 8_000;

fn world(shard_count: u16) -> World {
    let mut exchange = exchange(3, shard_count);
    with_client(&mut exchange, 0, |client| {
        client.attribute_octets_max = Some(BUDGET);
        client.limit_restart = Some(Duration::from_secs(30));
    });
    let mut world = World::new(exchange);
    world.connect_all();
    world
}

/// A prefix for each set.
fn announce(world: &mut World, slot: u16, tags: std::ops::Range<u16>) {
    for tag in tags {
        world
            .peer(slot)
            .announce(tag, prefixes(u32::from(tag)..u32::from(tag) + 1));
    }
}

#[test]
fn more_distinct_sets_than_the_budget_end_the_session_with_out_of_resources() {
    for shard_count in [1, 2] {
        let mut world = world(shard_count);
        announce(&mut world, 0, 0..200);
        announce(&mut world, 1, 1_000..1_600);
        world.run();
        assert!(world.peer(0).is_up, "within it, on {shard_count} shards");
        assert_eq!(world.peer(2).table.len(), 800);
        announce(&mut world, 0, 200..600);
        world.run();
        assert!(
            world.peer(0).heard.contains(&Heard::Notification(6, 8)),
            "on {shard_count} shards"
        );
        assert!(world.peer(1).is_up, "nobody else pays");
        assert_eq!(world.peer(2).table.len(), 600);
        let status = world.stats().clients;
        let status = status.iter().find(|status| status.slot == ClientSlot(0));
        let why = status.and_then(|status| status.last_error.clone());
        assert!(
            why.as_ref()
                .is_some_and(|why| why.contains("attribute_octets_max")),
            "{why:?}"
        );
        world.connect(0);
        assert_eq!(world.peer(0).conn, None, "held down");
        world.run_for(Duration::from_secs(31));
        world.connect(0);
        world.run();
        announce(&mut world, 0, 0..200);
        world.run();
        assert!(
            world.peer(0).is_up,
            "what the old session had is given back"
        );
        assert_eq!(world.peer(2).table.len(), 800);
    }
}

#[test]
fn sets_that_are_replaced_or_withdrawn_are_given_back() {
    let mut world = world(1);
    for round in 0..20 {
        for number in 0..100 {
            let prefix = prefixes(u32::from(number)..u32::from(number) + 1);
            world.peer(0).announce(round * 100 + number, prefix);
        }
        if round % 3 == 0 {
            world.peer(0).withdraw(prefixes(0..50));
        }
        world.run_for(Duration::from_millis(100));
    }
    world.run();
    assert!(world.peer(0).is_up);
    assert_eq!(world.peer(2).table.len(), 100);
}

#[test]
fn one_set_for_many_prefixes_is_charged_once() {
    let mut world = world(2);
    for _ in 0..10 {
        world.peer(0).announce(1, prefixes(0..5_000));
        world.run_for(Duration::from_millis(20));
    }
    world.run();
    assert!(world.peer(0).is_up);
    assert_eq!(world.peer(1).table.len(), 5_000);
}
