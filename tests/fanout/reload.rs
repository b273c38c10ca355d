//! A reload: what it does to sessions, and to routes that are held.

use rialto::base::*;
use rialto::wire::RefreshSubtype;

use crate::assert_all_have;
use crate::peer::{Heard, prefixes};
use crate::world::{World, exchange, with_client};

#[test]
fn a_reload_touches_only_the_sessions_it_concerns() {
    let mut world = World::new(exchange(5, 2));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..50));
    world.run();
    let mut next = exchange(5, 2);
    next.generation = Generation(2);
    with_client(&mut next, 1, |client| {
        client.disabled = Some("unpaid".into())
    });
    with_client(&mut next, 2, |client| client.session.hold_time_s = 30);
    let gone = next.clients[3].take().unwrap();
    next.by_address.remove(&gone.address);
    world.reload(next);
    let expected = [None, Some((6, 2)), Some((6, 6)), Some((6, 3)), None];
    for (peer, expected) in world.peers.iter().zip(expected) {
        let told = peer.heard.iter().find_map(|heard| match heard {
            Heard::Notification(code, subcode) => Some((*code, *subcode)),
            _ => None,
        });
        assert_eq!(told, expected, "client {}", peer.slot);
    }
    for slot in [1, 2, 3] {
        world.connect(slot);
    }
    world.run();
    let up: Vec<bool> = world.peers.iter().map(|peer| peer.is_up).collect();
    assert_eq!(up, [true, false, true, false, true]);
    assert_eq!(world.peer(2).table.len(), 50);
    let mut next = exchange(5, 2);
    next.generation = Generation(3);
    world.reload(next);
    for slot in [1, 2, 3] {
        world.connect(slot);
    }
    world.run();
    assert!(world.peers.iter().all(|peer| peer.is_up));
    assert_all_have(&world, 0, 50);
}

#[test]
fn a_reload_withdraws_what_an_attribute_makes_a_withdrawal_from_now_on() {
    let mut world = World::new(exchange(3, 2));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..50));
    world.run();
    let mut next = exchange(3, 2);
    next.generation = Generation(2);
    with_client(&mut next, 0, |client| {
        client.treat_as_withdraw.insert(8);
    });
    world.reload(next);
    assert_eq!(world.peer(2).table.len(), 0);
    let held: u64 = [0, 1]
        .map(|shard| world.shard_stats(shard).paths)
        .iter()
        .sum();
    assert_eq!(held, 0, "it is no route any more");
    // Nor is what was on its way under the settings before.
    world.peer(0).announce(2, prefixes(50..60));
    world.run();
    assert!(world.peer(0).is_up && world.peer(2).table.is_empty());
    let mut next = exchange(3, 2);
    next.generation = Generation(3);
    world.reload(next);
    let asked = |heard: &Heard| *heard == Heard::Refresh(RefreshSubtype::Request);
    assert_eq!(
        world.peer(0).count(asked),
        1,
        "the rest can only come again"
    );
    assert_eq!(world.peer(1).count(asked), 0);
}

#[test]
fn a_reload_takes_a_discarded_attribute_out_of_what_is_held() {
    let mut world = World::new(exchange(3, 2));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..50));
    world.run();
    let has_communities = |world: &mut World| {
        let sets = world.peer(2).table.values();
        sets.map(|set| set.facts().has_communities)
            .collect::<Vec<_>>()
    };
    assert_eq!(has_communities(&mut world), [true; 50]);
    let mut next = exchange(3, 2);
    next.generation = Generation(2);
    with_client(&mut next, 0, |client| {
        client.discard.insert(8);
    });
    world.reload(next);
    assert_eq!(has_communities(&mut world), [false; 50]);
    let asked = |heard: &Heard| *heard == Heard::Refresh(RefreshSubtype::Request);
    assert_eq!(world.peer(0).count(asked), 0, "nothing need come again");
}

#[test]
fn a_set_that_two_clients_share_is_heard_by_the_rules_of_each() {
    let mut world = World::new(exchange(3, 1));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..10));
    world.run();
    // The same attributes to the octet.
    world.peer(0).announce(1, prefixes(10..20));
    let said = std::mem::take(&mut world.peer(0).says);
    world.peer(1).says.extend(said);
    world.run();
    let mut next = exchange(3, 1);
    next.generation = Generation(2);
    for (slot, code) in [(0, 8), (1, 99)] {
        with_client(&mut next, slot, |client| {
            client.discard.insert(code);
        });
    }
    world.reload(next);
    let table = &world.peer(2).table;
    let with_communities = table.values().filter(|set| set.facts().has_communities);
    assert_eq!((table.len(), with_communities.count()), (20, 10));
}
