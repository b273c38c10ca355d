//! What a client leaves behind, against its limits and against reloads (RFC 4724 §4.2, RFC 9494).

use rialto::base::*;
use rialto::server::exchange::*;
use rialto::wire::{GracefulRestart, LongLivedRestart};

use crate::assert_all_have;
use crate::peer::prefixes;
use crate::world::{World, exchange, with_client};

const LONG_S: u32 = 10_000;

/// What client 0 leaves is kept at once as long-lived, or, where that is wanted, as stale for a minute before.
fn keeping(shard_count: u16, helper_s: u16, change: impl FnOnce(&mut Client)) -> Exchange {
    let mut exchange = exchange(3, shard_count);
    for slot in 0..3 {
        with_client(&mut exchange, slot, |client| {
            client.session.graceful_restart_helper_s = helper_s;
            client.session.llgr_max_s = [LONG_S; 2];
        });
    }
    with_client(&mut exchange, 0, |client| {
        client.session.graceful_restart_helper_s = helper_s;
        client.session.llgr_max_s = [LONG_S; 2];
        change(client);
    });
    exchange
}

fn world_of(exchange: Exchange) -> World {
    let families = FamilySet::only(Family::Ipv4);
    let mut world = World::new(exchange);
    for peer in &mut world.peers {
        peer.capabilities.graceful_restart = Some(GracefulRestart {
            restart_time_s: 60,
            families,
            forwarding: families,
            ..GracefulRestart::default()
        });
        peer.capabilities.long_lived_restart = Some(LongLivedRestart {
            stale_time_s: [2 * LONG_S; 2],
            forwarding: families,
        });
    }
    world.connect_all();
    world
}

/// Client 0 announces these, and goes.
fn leave(world: &mut World, range: std::ops::Range<u32>) {
    world.peer(0).announce(1, prefixes(range));
    world.run();
    world.hang_up(0);
    world.run();
}

/// Comes back after a while, so that it is not held off.
fn come_back(world: &mut World) {
    world.grow_old();
    world.connect(0);
    world.run();
    assert!(world.peer(0).is_up);
}

/// Until when IPv4 routes of client 0 are kept.
fn kept_until(world: &mut World) -> Option<u64> {
    world.stats().clients[0].stale[0].map(|kept| kept.until_us)
}

#[test]
fn sessions_one_after_another_leave_no_more_than_one_may_announce() {
    let received: fn(&mut Client) = |client| client.limits[0].received_max = Some(100);
    let accepted: fn(&mut Client) = |client| client.limits[0].accepted_max = Some(100);
    for (limit, shard_count) in [(received, 1), (received, 4), (accepted, 4)] {
        let limited = || {
            keeping(shard_count, 0, |client| {
                limit(client);
                client.limits[0].accepted_action = LimitAction::Shutdown;
            })
        };
        let mut world = world_of(limited());
        leave(&mut world, 0..60);
        come_back(&mut world);
        leave(&mut world, 30..90);
        come_back(&mut world);
        leave(&mut world, 70..100);
        assert_all_have(&world, 0, 100);
        come_back(&mut world);
        leave(&mut world, 100..101);
        assert_all_have(&world, 0, 0);
        assert_eq!(kept_until(&mut world), None);
    }
}

/// An attribute set of 24 octets for each prefix.
fn announce_apart(world: &mut World, tags: std::ops::Range<u16>) {
    for tag in tags {
        let at = u32::from(tag);
        world.peer(0).announce(tag, prefixes(at..at + 1));
    }
    world.run();
}

#[test]
fn what_a_client_left_gives_way_to_what_it_announces_when_both_are_over_its_budget() {
    for (shard_count, helper_s) in [(1, 0), (1, 60), (2, 60)] {
        let mut world = world_of(keeping(shard_count, helper_s, |client| {
            client.attribute_octets_max = Some(8_000);
        }));
        announce_apart(&mut world, 0..200);
        world.hang_up(0);
        world.run();
        assert_all_have(&world, 0, 200);
        world.connect(0);
        world.run();
        announce_apart(&mut world, 1_000..1_250);
        let case = format!("{shard_count} shards, kept for {helper_s} s");
        let why = world.stats().clients[0].last_error.clone();
        assert!(world.peer(0).is_up, "{case}: {why:?}");
        assert_all_have(&world, 0, 250);
        // The budget is still one.
        announce_apart(&mut world, 1_250..1_500);
        assert!(!world.peer(0).is_up, "{case}");
        assert_all_have(&world, 0, 0);
    }
}

#[test]
fn another_router_at_the_same_address_takes_over_nothing() {
    let mut world = world_of(keeping(2, 0, |_| {}));
    leave(&mut world, 0..50);
    let before = kept_until(&mut world);
    world.peer(0).router_id = [10, 1, 0, 99].into();
    come_back(&mut world);
    assert_all_have(&world, 0, 0);
    assert_eq!(kept_until(&mut world), None);
    // What this one leaves has all the time that there is.
    leave(&mut world, 0..50);
    assert!(kept_until(&mut world) > before);
}

#[test]
fn a_reload_with_shorter_times_shortens_what_is_kept_already() {
    type Change = fn(&mut Client);
    // Of client 0: for how long its routes are kept before, the change, and how long then.
    let cases: [(u16, &str, Change, Option<u64>); 8] = [
        (0, "nothing", |_| {}, Some(u64::from(LONG_S))),
        (
            0,
            "longer",
            |client| client.session.llgr_max_s[0] = 2 * LONG_S,
            Some(u64::from(LONG_S)),
        ),
        (
            0,
            "shorter",
            |client| client.session.llgr_max_s[0] = 900,
            Some(900),
        ),
        (
            0,
            "the other family",
            |client| client.session.llgr_max_s[1] = 0,
            Some(u64::from(LONG_S)),
        ),
        (
            0,
            "no longer",
            |client| client.session.llgr_max_s[0] = 0,
            None,
        ),
        (
            60,
            "shorter",
            |client| client.session.graceful_restart_helper_s = 30,
            Some(30 + u64::from(LONG_S)),
        ),
        (
            60,
            "at once",
            |client| client.session.graceful_restart_helper_s = 0,
            Some(u64::from(LONG_S)),
        ),
        (
            60,
            "both",
            |client| {
                client.session.graceful_restart_helper_s = 30;
                client.session.llgr_max_s[0] = 0;
            },
            Some(30),
        ),
    ];
    for (helper_s, case, change, expected_s) in cases {
        let mut world = world_of(keeping(2, helper_s, |_| {}));
        let begin = world.now;
        leave(&mut world, 0..50);
        let mut next = keeping(2, helper_s, change);
        next.generation = Generation(2);
        world.reload(next);
        let case = format!("{helper_s} s, {case}");
        let Some(expected_s) = expected_s else {
            assert_eq!(kept_until(&mut world), None, "{case}");
            assert_all_have(&world, 0, 0);
            continue;
        };
        let mut passed_s = || {
            while world.stats().clients[0].stale[0].is_some() {
                world.grow_old();
            }
            world.now.since(begin).as_secs()
        };
        let passed_s = passed_s();
        assert!(
            (expected_s..expected_s + 70).contains(&passed_s),
            "{case}: {passed_s}"
        );
        assert_all_have(&world, 0, 0);
    }
}

#[test]
fn a_reload_with_limits_below_what_is_kept_ends_it() {
    for (max, is_kept) in [(50, true), (49, false)] {
        let mut world = world_of(keeping(2, 60, |_| {}));
        leave(&mut world, 0..50);
        let mut next = keeping(2, 60, |client| client.limits[0].received_max = Some(max));
        next.generation = Generation(2);
        world.reload(next);
        assert_eq!(kept_until(&mut world).is_some(), is_kept);
        assert_all_have(&world, 0, if is_kept { 50 } else { 0 });
    }
}
