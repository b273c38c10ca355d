//! Clients that are read slowly (`updates_per_s`), and clients that changes reach now and then only
//! (`min_advertisement_ms`).

use std::time::Duration;

use rialto::wire::encode_keepalive;

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
