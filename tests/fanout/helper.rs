//! Routes that outlive their session (RFC 4724 §4.2): what others have of them meanwhile, what the client
//! that is back makes of them, and what ends them early.

use std::sync::Arc;
use std::time::Duration;

use rialto::base::*;
use rialto::policy::{ImportChecks, ImportPolicy, PrefixList, PrefixRange};
use rialto::server::exchange::*;
use rialto::server::query::{CoreCommand, CoreReply};
use rialto::wire::GracefulRestart;

use crate::assert_all_have;
use crate::peer::{Heard, Peer, address_of, prefixes};
use crate::world::{RS, World, asn_of, exchange, with_client};

/// How long the server keeps routes at most, and how long client 0 asks for.
const HELPER_S: u16 = 80;
const RESTART_TIME_S: u16 = 50;

fn helping(shard_count: u16, change: impl FnOnce(&mut Client)) -> Exchange {
    let mut exchange = exchange(3, shard_count);
    with_client(&mut exchange, 0, |client| {
        client.session.graceful_restart_helper_s = HELPER_S;
        change(client);
    });
    exchange
}

fn restart() -> GracefulRestart {
    let families = FamilySet::only(Family::Ipv4);
    GracefulRestart {
        restart_time_s: RESTART_TIME_S,
        families,
        forwarding: families,
        ..GracefulRestart::default()
    }
}

/// Client 0 is one whose routes are to be kept.
fn world_of(exchange: Exchange) -> World {
    let mut world = World::new(exchange);
    world.peer(0).capabilities.graceful_restart = Some(restart());
    world.connect_all();
    world
}

/// Client 0 is away, and the others have 100 routes of it.
fn away(exchange: Exchange) -> World {
    let mut world = world_of(exchange);
    world.peer(0).announce(1, prefixes(0..100));
    world.peer(0).end_of_rib();
    world.run();
    world.hang_up(0);
    world.run();
    assert_all_have(&world, 0, 100);
    assert_eq!((withdrawn(&world), stale(&mut world)), (0, 100));
    world
}

/// The same, after a reload in which nothing changes for it but this.
fn away_and_reloaded(change: impl FnOnce(&mut Client)) -> World {
    let mut world = away(helping(2, |_| {}));
    let mut next = helping(2, change);
    next.generation = Generation(2);
    world.reload(next);
    world
}

/// Prefixes that client 1 was told are gone.
fn withdrawn(world: &World) -> usize {
    let counts = world.peers[1].heard.iter().map(|heard| match heard {
        Heard::Withdrawn(count) => *count,
        _ => 0,
    });
    counts.sum()
}

fn announced(world: &World) -> usize {
    let counts = world.peers[1].heard.iter().map(|heard| match heard {
        Heard::Announced(count) => *count,
        _ => 0,
    });
    counts.sum()
}

/// Paths that shards count as stale; both sides must agree on whether there are any.
fn stale(world: &mut World) -> u32 {
    let shard_count = usize::from(world.exchange.shard_count);
    let of_shard = |shard: usize| {
        let stale = world.shard_stats(shard).stale;
        stale.first().map_or(0, |counts| counts[0])
    };
    (0..shard_count).map(of_shard).sum()
}

#[test]
fn what_is_announced_again_is_not_told_and_the_rest_goes_at_end_of_rib() {
    for shard_count in [1, 4] {
        let mut world = away(helping(shard_count, |_| {}));
        world.connect(0);
        world.run();
        assert!(world.peer(0).is_up);
        world.peer(0).announce(1, prefixes(40..100));
        world.run();
        assert_eq!(stale(&mut world), 40);
        world.peer(0).announce(1, prefixes(100..120));
        world.run();
        assert_all_have(&world, 0, 120);
        assert_eq!((announced(&world), withdrawn(&world)), (120, 0));
        // Of a route that is stale, it can be said that it is gone.
        world.peer(0).withdraw(prefixes(0..10));
        world.run();
        assert_all_have(&world, 0, 110);
        assert_eq!(stale(&mut world), 30);
        world.peer(0).end_of_rib();
        world.run();
        assert_all_have(&world, 0, 80);
        assert_eq!((announced(&world), withdrawn(&world)), (120, 40));
        assert_eq!(stale(&mut world), 0);
        assert_eq!(world.stats().clients[0].stale, [None; 2]);
        // It has no End-of-RIB to say any more.
        world.peer(0).end_of_rib();
        world.wait(400);
        assert_all_have(&world, 0, 80);
    }
}

#[test]
fn routes_stay_for_the_shorter_of_both_times() {
    let cases = [
        (HELPER_S, RESTART_TIME_S, RESTART_TIME_S),
        (30, RESTART_TIME_S, 30),
        (4_095, 4_095, 4_095),
        (0, RESTART_TIME_S, 0),
        (HELPER_S, 0, 0),
    ];
    for (helper_s, restart_time_s, expected) in cases {
        let mut world = World::new(helping(2, |client| {
            client.session.graceful_restart_helper_s = helper_s;
        }));
        world.peer(0).capabilities.graceful_restart = Some(GracefulRestart {
            restart_time_s,
            ..restart()
        });
        world.connect_all();
        world.peer(0).announce(1, prefixes(0..100));
        world.run();
        let begin = world.now;
        world.hang_up(0);
        if expected > 0 {
            world.wait(u64::from(expected) - 1);
            assert_all_have(&world, 0, 100);
            let until = world.stats().clients[0].stale[0].map(|kept| kept.until_us);
            let due = begin + Duration::from_secs(expected.into());
            assert_eq!(until, Some(due.as_micros()));
        }
        world.wait(2);
        assert_all_have(&world, 0, 0);
        assert_eq!((withdrawn(&world), stale(&mut world)), (100, 0));
        // It may come all the same.
        world.connect(0);
        world.run();
        world.peer(0).announce(1, prefixes(0..10));
        world.run();
        assert_all_have(&world, 0, 10);
    }
}

#[test]
fn a_client_that_is_back_and_never_says_end_of_rib_has_six_minutes() {
    let mut world = away(helping(2, |_| {}));
    world.connect(0);
    world.run();
    world.peer(0).announce(1, prefixes(60..100));
    world.wait(357);
    assert_all_have(&world, 0, 100);
    world.wait(4);
    assert_all_have(&world, 0, 40);
    assert_eq!(withdrawn(&world), 60);
    assert!(world.peer(0).is_up);
}

#[test]
fn stale_routes_go_when_the_session_ends_again() {
    let mut world = away(helping(2, |_| {}));
    world.connect(0);
    world.run();
    world.peer(0).announce(1, prefixes(90..110));
    world.run();
    assert_all_have(&world, 0, 110);
    world.hang_up(0);
    world.run();
    assert_all_have(&world, 0, 20);
    assert_eq!(stale(&mut world), 20);
}

#[test]
fn what_the_client_that_is_back_says_decides_at_once_what_stays() {
    type Change = fn(&mut Peer);
    let cases: [(&str, Change, usize); 7] = [
        ("as before", |_| {}, 100),
        (
            "and that it restarted",
            |peer| {
                peer.capabilities.graceful_restart = Some(GracefulRestart {
                    restarting: true,
                    restart_time_s: 0,
                    ..restart()
                });
            },
            100,
        ),
        (
            "another router id",
            |peer| peer.router_id = [10, 1, 0, 99].into(),
            0,
        ),
        (
            "no graceful restart",
            |peer| peer.capabilities.graceful_restart = None,
            0,
        ),
        (
            "graceful restart without families",
            |peer| peer.capabilities.graceful_restart = Some(GracefulRestart::default()),
            0,
        ),
        (
            "what was forwarded is no more",
            |peer| {
                peer.capabilities.graceful_restart = Some(GracefulRestart {
                    forwarding: FamilySet::only(Family::Ipv6),
                    families: FamilySet::ALL,
                    ..restart()
                });
            },
            0,
        ),
        (
            "a session without the family",
            |peer| peer.capabilities.families = FamilySet::only(Family::Ipv6),
            0,
        ),
    ];
    for (name, change, expected) in cases {
        for shard_count in [1, 4] {
            let mut world = away(helping(shard_count, |client| {
                client.session.families = FamilySet::ALL;
            }));
            change(world.peer(0));
            world.connect(0);
            world.run();
            assert!(world.peer(0).is_up, "{name}");
            assert_all_have(&world, 0, expected);
            assert_eq!(withdrawn(&world), 100 - expected, "{name}");
            assert_eq!(stale(&mut world), expected as u32, "{name}");
        }
    }
}

#[test]
fn what_a_reload_would_end_the_session_for_ends_stale_routes_and_nothing_else_does() {
    type Change = fn(&mut Client);
    let cases: [(&str, Change, usize); 11] = [
        ("nothing", |_| {}, 100),
        (
            "received_max is passed",
            |client| client.limits[0].received_max = Some(99),
            0,
        ),
        (
            "accepted_max is passed",
            |client| {
                client.limits[0].accepted_max = Some(99);
                client.limits[0].accepted_action = LimitAction::Restart;
            },
            0,
        ),
        (
            "another time",
            |client| client.session.graceful_restart_helper_s = 70,
            100,
        ),
        (
            "our own Restart Time",
            |client| client.session.graceful_restart_s = 7,
            100,
        ),
        (
            "a limit that is far",
            |client| client.limits[0].received_max = Some(100),
            100,
        ),
        (
            "no helper any more",
            |client| client.session.graceful_restart_helper_s = 0,
            0,
        ),
        (
            "it is disabled",
            |client| client.disabled = Some("unpaid".into()),
            0,
        ),
        (
            "its session would be another",
            |client| client.session.hold_time_s = 30,
            0,
        ),
        (
            "its socket would be another",
            |client| client.ttl_security_hops = Some(1),
            0,
        ),
        (
            "what a limit lets through is counted in a session",
            |client| {
                client.limits[0].accepted_max = Some(1_000);
                client.limits[0].accepted_action = LimitAction::Block;
            },
            0,
        ),
    ];
    for (name, change, expected) in cases {
        let mut world = away_and_reloaded(change);
        assert_all_have(&world, 0, expected);
        assert_eq!(withdrawn(&world), 100 - expected, "{name}");
        assert_eq!(stale(&mut world), expected as u32, "{name}");
    }
}

#[test]
fn a_reload_judges_stale_routes_as_all_others() {
    let world = away_and_reloaded(|client| {
        let ranges = prefixes(0..30).map(|prefix| PrefixRange::new(prefix, 24, 24));
        let list: PrefixList = ranges.map(|range| range.expect("such a range")).collect();
        client.import = Arc::new(ImportPolicy::new(ImportChecks {
            black_list: Some(Arc::new(list)),
            ..ImportChecks::lab(RS, asn_of(ClientSlot(0)))
        }));
    });
    assert_all_have(&world, 0, 70);
    assert_eq!(withdrawn(&world), 30);
}

#[test]
fn a_client_that_is_removed_leaves_nothing_to_the_next_in_its_slot() {
    for is_replaced in [false, true] {
        let mut world = away(helping(2, |_| {}));
        let mut next = helping(2, |client| {
            client.asn = Asn(4_242);
            client.session.peer_asn = Asn(4_242);
            client.address = address_of(ClientSlot(77));
        });
        next.generation = Generation(2);
        next.by_address.remove(&address_of(ClientSlot(0)));
        match is_replaced {
            true => {
                let address = address_of(ClientSlot(77));
                next.by_address.insert(address, ClientSlot(0));
            }
            false => next.clients[0] = None,
        }
        world.reload(next);
        assert_all_have(&world, 0, 0);
        assert_eq!((withdrawn(&world), stale(&mut world)), (100, 0));
        // Back in the files, it begins with nothing.
        let mut next = helping(2, |_| {});
        next.generation = Generation(3);
        world.reload(next);
        world.connect(0);
        world.run();
        assert!(world.peer(0).is_up);
        assert_all_have(&world, 0, 0);
    }
}

fn reset(world: &mut World) {
    let command = CoreCommand::Reset {
        slot: ClientSlot(0),
        message: String::new(),
    };
    let now = world.now;
    let reply = world.core_of(0).handle_command(now, command);
    assert!(matches!(reply, CoreReply::Done));
    world.run();
}

#[test]
fn a_reset_takes_stale_routes_along() {
    let mut world = away(helping(2, |_| {}));
    reset(&mut world);
    assert_all_have(&world, 0, 0);

    let mut world = away(helping(2, |_| {}));
    world.connect(0);
    world.run();
    world.peer(0).announce(1, prefixes(0..10));
    world.run();
    assert_all_have(&world, 0, 100);
    reset(&mut world);
    assert_all_have(&world, 0, 0);
    assert_eq!(stale(&mut world), 0);
}

/// Limits of client 0, how many prefixes it announces just before it goes, and how many others have then.
#[test]
fn over_a_limit_nothing_is_kept_even_where_shards_tell_later() {
    type Change = fn(&mut Client);
    let accepted = |action: LimitAction| {
        move |client: &mut Client| {
            client.limits[0].accepted_max = Some(100);
            client.limits[0].accepted_action = action;
        }
    };
    let received: Change = |client| client.limits[0].received_max = Some(100);
    let budget: Change = |client| client.attribute_octets_max = Some(8_000);
    let [shutdown, restart, warn, block, reject] = [
        LimitAction::Shutdown,
        LimitAction::Restart,
        LimitAction::Warn,
        LimitAction::Block,
        LimitAction::Reject,
    ]
    .map(accepted);
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Client), u32, usize);
    let cases: [Case<'_>; 13] = [
        ("received_max", &received, 100, 100),
        ("received_max", &received, 101, 0),
        ("accepted_max, shutdown", &shutdown, 100, 100),
        ("accepted_max, shutdown", &shutdown, 101, 0),
        ("accepted_max, restart", &restart, 100, 100),
        ("accepted_max, restart", &restart, 101, 0),
        ("accepted_max, warn", &warn, 101, 101),
        ("accepted_max, block", &block, 20, 0),
        ("accepted_max, block", &block, 101, 0),
        ("accepted_max, reject", &reject, 20, 0),
        ("accepted_max, reject", &reject, 101, 0),
        ("attribute_octets_max", &budget, 200, 200),
        ("attribute_octets_max", &budget, 600, 0),
    ];
    for (name, change, count, expected) in cases {
        for shard_count in [1, 4] {
            let mut world = world_of(helping(shard_count, change));
            world.peer(0).announce(1, prefixes(0..10));
            world.run();
            assert_all_have(&world, 0, 10);
            world.are_shards_asleep = true;
            world.mailbox_max = 1_000;
            for tag in 10..count {
                // An attribute set for each, of 24 octets.
                world.peer(0).announce(tag as u16, prefixes(tag..tag + 1));
            }
            world.run();
            assert!(world.peer(0).says.is_empty(), "{name}: all of it is read");
            world.hang_up(0);
            world.run();
            world.are_shards_asleep = false;
            world.run();
            assert_all_have(&world, 0, expected);
            let case = format!("{name}, {count} on {shard_count} shards");
            assert_eq!(stale(&mut world), expected as u32, "{case}");
            let until = world.stats().clients[0].stale[0].map(|kept| kept.until_us);
            assert_eq!(until.is_some(), expected > 0, "{case}");
        }
    }
}

#[test]
fn a_client_that_connects_anew_takes_over_from_its_session_before() {
    for shard_count in [1, 4] {
        let mut world = world_of(helping(shard_count, |_| {}));
        world.peer(0).announce(1, prefixes(0..100));
        world.run();
        let before = world.peer(0).conn;
        world.connect(0);
        assert!(world.peer(0).conn.is_some() && world.peer(0).conn != before);
        world.run();
        assert!(world.peer(0).is_up);
        assert_all_have(&world, 0, 100);
        assert_eq!(stale(&mut world), 100);
        world.peer(0).announce(1, prefixes(50..100));
        world.peer(0).end_of_rib();
        world.run();
        assert_all_have(&world, 0, 50);
        assert_eq!((announced(&world), withdrawn(&world)), (100, 50));
        let status = &world.stats().clients[0];
        let why = status.last_error.clone().unwrap_or_default();
        assert!(why.contains("connected anew"), "{why}");
    }
}

#[test]
fn elsewhere_a_second_connection_is_refused_and_the_session_stays() {
    type Change = fn(&mut Client);
    let off: Change = |client| client.session.graceful_restart_helper_s = 0;
    for (change, capability) in [
        (off, Some(restart())),
        ((|_| {}) as Change, Some(GracefulRestart::default())),
        (|_| {}, None),
    ] {
        let mut world = World::new(helping(2, change));
        world.peer(0).capabilities.graceful_restart = capability;
        world.connect_all();
        world.peer(0).announce(1, prefixes(0..100));
        world.run();
        let conn = world.peer(0).conn;
        world.connect(0);
        assert_eq!(world.peer(0).conn, None);
        world.run();
        assert_all_have(&world, 0, 100);
        world.peer(0).conn = conn;
        world.peer(0).announce(1, prefixes(100..110));
        world.run();
        assert_all_have(&world, 0, 110);
        world.hang_up(0);
        world.run();
        assert_all_have(&world, 0, 0);
    }
}

/// What was read before the end, and waited for its turn, counts all the same.
#[test]
fn of_a_client_that_is_read_slowly_all_is_kept_that_had_come() {
    for is_anew in [false, true] {
        let mut world = world_of(helping(2, |client| client.updates_per_s = Some(1)));
        for tag in 0..100 {
            world
                .peer(0)
                .announce(tag, prefixes(u32::from(tag)..u32::from(tag) + 1));
        }
        world.run();
        assert!(world.peer(0).says.is_empty(), "all of it has come");
        let taken = world.stats().clients[0].updates_in;
        assert!(taken < 20, "{taken} UPDATEs are taken");
        match is_anew {
            true => world.connect(0),
            false => world.hang_up(0),
        }
        world.run();
        assert_all_have(&world, 0, 100);
        assert_eq!(stale(&mut world), 100, "connected anew: {is_anew}");
    }
}
