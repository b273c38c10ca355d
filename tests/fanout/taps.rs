//! What a client says reaches those who ask for it, all of it; and what its OPEN said of restarts.

use std::sync::Arc;

use rialto::base::*;
use rialto::server::query::{CoreCommand, CoreReply, TapQuestion, TappedWhat};
use rialto::wire::*;

use crate::peer::prefixes;
use crate::world::{World, exchange, with_client};

/// All that was kept of what client 0 said since the last question, as messages.
fn told(world: &mut World, after: u64) -> (Vec<(bool, Vec<u8>)>, u64) {
    let question = TapQuestion {
        after,
        limit: 1_000,
        received: Arc::new(ClientSet::only(ClientSlot(0))),
        sent: Arc::default(),
    };
    let now = world.now;
    let answer = world.cores[0].handle_command(now, CoreCommand::Tap(question));
    let CoreReply::Tapped(answer) = answer else {
        panic!("no tap but {answer:?}");
    };
    let messages = answer.entries.iter().filter_map(|entry| match &entry.what {
        TappedWhat::Received(octets) => Some((true, octets.to_vec())),
        TappedWhat::ReceivedOther(octets) => Some((false, octets.to_vec())),
        _ => None,
    });
    (messages.collect(), answer.last)
}

#[test]
fn keepalives_and_refreshes_of_a_client_are_told_as_they_came_heeded_or_not() {
    let mut world = World::new(exchange(2, 1));
    world.connect_all();
    let (first, last) = told(&mut world, 0);
    assert_eq!(first, [], "nobody had asked before");
    let mut said: Vec<Vec<u8>> = Vec::new();
    let mut say = |kind: MessageType, body: &[u8]| {
        let mut octets = Vec::new();
        encode_message(&mut octets, kind, body);
        said.push(octets);
    };
    say(MessageType::Keepalive, &[]);
    for body in [
        [0, 1, 0, 1],
        [0, 1, 1, 1],
        [0, 1, 2, 1],
        [0, 1, 9, 1],
        [0, 2, 0, 1],
        [64, 4, 0, 71],
    ] {
        say(MessageType::RouteRefresh, &body);
    }
    say(MessageType::RouteRefresh, &[0, 1, 0, 1, 7, 7]);
    world.peer(0).says.extend(said.concat());
    encode_keepalive(&mut world.peer(1).says);
    world.run();
    world.peer(0).announce(1, prefixes(0..1));
    world.run();
    let (all, last) = told(&mut world, last);
    let (update, others) = all.split_last().expect("there is something");
    assert!(update.0, "an UPDATE is told as one");
    let others: Vec<_> = others
        .iter()
        .map(|(is_update, octets)| (*is_update, octets))
        .collect();
    let expected: Vec<_> = said.iter().map(|octets| (false, octets)).collect();
    assert_eq!(others, expected);
    assert!(world.peer(0).is_up);
    assert_eq!(told(&mut world, last).0, []);
}

#[test]
fn what_was_negotiated_of_restarts_stands_in_the_status() {
    let restart = |restarting, notifications| {
        Some(GracefulRestart {
            restarting,
            notifications,
            restart_time_s: 77,
            ..GracefulRestart::default()
        })
    };
    // (ours, of the client) -> (it keeps our routes, after a NOTIFICATION too)
    let cases = [
        (120, None, (false, false)),
        (120, restart(false, false), (true, false)),
        (120, restart(true, true), (true, true)),
        (0, restart(false, true), (false, false)),
    ];
    for (ours_s, peer, expected) in cases {
        let mut exchange = exchange(1, 1);
        with_client(&mut exchange, 0, |client| {
            client.session.graceful_restart_s = ours_s
        });
        let mut world = World::new(exchange);
        world.peer(0).capabilities.graceful_restart = peer;
        world.connect_all();
        let status = world.stats().clients[0].clone();
        assert_eq!(
            (status.keeps_routes, status.hard_resets),
            expected,
            "{ours_s} {peer:?}"
        );
        assert_eq!(status.peer_restart, peer);
        world.hang_up(0);
        world.run();
        let status = world.stats().clients[0].clone();
        assert_eq!(
            (status.keeps_routes, status.peer_restart),
            (false, None),
            "it is down"
        );
    }
}
