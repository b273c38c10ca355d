//! Slots of prefixes that are gone, and clients that have yet to hear of it.

use crate::assert_same;
use crate::peer::prefixes;
use crate::world::{World, exchange};

#[test]
fn a_freed_prefix_slot_is_not_used_again_while_a_slow_client_may_be_told_of_it() {
    let mut exchange = exchange(3, 1);
    exchange.limits.stalled_octets_max = 5_000;
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..3000));
    world.run();
    world.peer(1).is_reading = false;
    world.peer(1).socket_max = 1_000;
    for tag in 2..8 {
        world.peer(0).announce(tag, prefixes(0..3000));
        world.run();
    }
    assert!(world.stats().clients[1].dirty_prefixes >= 3000);
    // Slots are freed, and asked for again by other prefixes.
    world.peer(0).withdraw(prefixes(0..3000));
    world.run();
    let is_reclaimed = |world: &World| world.sent.iter().any(|sent| sent.starts_with("Reclaimed"));
    assert!(!is_reclaimed(&world));
    world.peer(0).announce(9, prefixes(5000..8000));
    world.run();
    world.peer(1).is_reading = true;
    world.run();
    assert_same(&world, 1, 2);
    assert_eq!(world.peer(1).table.len(), 3000);
    assert!(is_reclaimed(&world));
}

#[test]
fn a_freed_prefix_slot_waits_for_a_slow_client_whatever_else_is_freed_with_it() {
    let mut exchange = exchange(3, 1);
    exchange.limits.stalled_octets_max = 5_000;
    let mut world = World::new(exchange);
    world.connect_all();
    // What the slow client itself announced, it is never told of.
    world.peer(1).announce(1, prefixes(0..500));
    world.peer(0).announce(1, prefixes(500..3000));
    world.run();
    world.peer(1).is_reading = false;
    world.peer(1).socket_max = 1_000;
    for tag in 2..8 {
        world.peer(0).announce(tag, prefixes(500..3000));
        world.run();
    }
    assert!(world.stats().clients[1].dirty_prefixes >= 2500);
    world.peer(1).withdraw(prefixes(0..500));
    world.run();
    world.peer(0).withdraw(prefixes(500..3000));
    world.run();
    let is_reclaimed = |world: &World| world.sent.iter().any(|sent| sent.starts_with("Reclaimed"));
    assert!(!is_reclaimed(&world));
    // It reads what is left of its queue, and waits for the present state of the rest.
    world.unheard = Some(0);
    world.peer(1).is_reading = true;
    world.run();
    assert!(!is_reclaimed(&world));
    world.unheard = None;
    world.run();
    assert!(is_reclaimed(&world));
    assert!(world.peer(1).table.is_empty());
}
