//! What a member, or an operator in a hurry, could do to a session core.

use std::time::Duration;

use rialto::base::*;
use rialto::server::exchange::*;
use rialto::server::query::CoreCommand;
use rialto::wire::{GracefulRestart, RefreshSubtype};

use crate::assert_same;
use crate::peer::{Heard, prefixes};
use crate::world::{World, exchange, with_client};

/// How many messages of a kind the core sent to its shards.
fn sent(world: &World, kind: &str) -> usize {
    world
        .sent
        .iter()
        .filter(|text| text.starts_with(kind))
        .count()
}

#[test]
fn a_client_that_a_limit_shut_down_comes_back_when_the_operator_lets_it() {
    let mut exchange = exchange(2, 1);
    with_client(&mut exchange, 0, |client| {
        client.limits[0].accepted_max = Some(10);
        client.limits[0].accepted_action = LimitAction::Shutdown;
    });
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..11));
    world.run();
    assert!(world.peer(0).heard.contains(&Heard::Notification(6, 1)));
    world.run_for(Duration::from_secs(3600));
    world.connect(0);
    assert_eq!(world.peer(0).conn, None, "not by itself");
    let (slot, message) = (ClientSlot(0), String::new());
    world.cores[0].handle_command(world.now, CoreCommand::Reset { slot, message });
    world.run();
    world.connect(0);
    world.run();
    assert!(world.peer(0).is_up);
}

#[test]
fn a_client_over_its_block_limit_makes_shards_look_for_hashes_now_and_then_only() {
    let mut exchange = exchange(2, 1);
    with_client(&mut exchange, 0, |client| {
        client.limits[0].accepted_max = Some(40);
        client.limits[0].accepted_action = LimitAction::Block;
    });
    let mut world = World::new(exchange);
    world.connect_all();
    for tag in 0..100 {
        world.peer(0).announce(tag, prefixes(0..50));
        world.run_for(Duration::from_millis(10));
    }
    let asked = sent(&world, "AskHashes");
    assert!((1..=4).contains(&asked), "{asked} questions in a second");
    world.peer(0).withdraw(prefixes(0..20));
    world.peer(0).announce(1, prefixes(100..200));
    world.run();
    assert_eq!(world.peer(1).table.len(), 40, "the last state counts");
}

#[test]
fn a_flood_of_refreshes_makes_a_walk_now_and_then_only() {
    let mut world = World::new(exchange(3, 2));
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..900));
    world.run();
    world.sent.clear();
    for _ in 0..100 {
        world.peer(1).ask_refresh();
        world.run_for(Duration::from_millis(10));
    }
    let walks = sent(&world, "Walk ") / 2;
    assert!((1..=4).contains(&walks), "{walks} walks in a second");
    // One that joins does not wait for them.
    world.hang_up(2);
    world.connect(2);
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.peer(2).table.len(), 900);
    world.peer(1).table.clear();
    world.peer(1).ask_refresh();
    world.run();
    assert_eq!(world.peer(1).table.len(), 900, "none is forgotten");
}

#[test]
fn a_refresh_that_makes_another_void_leaves_no_second_end_of_it() {
    let mut exchange = exchange(2, 2);
    exchange.limits.stalled_octets_max = 500;
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..900));
    world.run();
    world.peer(1).heard.clear();
    world.peer(1).is_reading = false;
    world.peer(1).socket_max = 10;
    for _ in 0..2 {
        world.peer(1).ask_refresh();
        world.run_for(Duration::from_secs(3));
    }
    world.peer(1).is_reading = true;
    world.peer(1).socket_max = 64 << 10;
    world.run();
    let markers = world.peer(1).heard.iter().filter_map(|heard| match heard {
        Heard::Refresh(subtype) => Some(*subtype),
        _ => None,
    });
    use RefreshSubtype::{Begin, End};
    let markers: Vec<_> = markers.collect();
    assert!(markers.ends_with(&[Begin, End]), "{markers:?}");
    assert!(
        !markers.windows(2).any(|pair| pair == [End, End]),
        "{markers:?}"
    );
    assert_eq!(world.peer(1).table.len(), 900);
}

/// One member does not read while another announces and withdraws ever new prefixes.
fn churn_past_a_client_that_does_not_read(enhanced_refresh: bool) -> World {
    let mut exchange = exchange(3, 1);
    exchange.limits.stalled_octets_max = 5_000;
    exchange.limits.dead_prefixes_max = 2_000;
    exchange.limits.dead_patience = Duration::from_secs(2);
    let mut world = World::new(exchange);
    world.peer(1).capabilities.enhanced_refresh = enhanced_refresh;
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..500));
    world.run();
    world.peer(1).is_reading = false;
    world.peer(1).socket_max = 1_000;
    for round in 1..60 {
        let range = round * 1_000..(round + 1) * 1_000;
        world.peer(0).announce(2, prefixes(range.clone()));
        world.run_for(Duration::from_millis(200));
        world.peer(0).withdraw(prefixes(range));
        world.run_for(Duration::from_millis(200));
        let stats = world.shard_stats(0);
        let slots = stats.prefixes + stats.dead_prefixes + stats.free_slots;
        let sent = world
            .sent
            .iter()
            .filter(|s| s.starts_with("Reclaimed"))
            .count();
        eprintln!(
            "round {round} dead {} free {} dirty {} queue {} reclaimed {}",
            stats.dead_prefixes,
            stats.free_slots,
            world.stats().clients[1].dirty_prefixes,
            world.stats().clients[1].queue_octets,
            sent
        );
        assert!(slots < 20_000, "{slots} table entries in round {round}");
    }
    // Some of what it heard of at first is no more.
    world.peer(0).withdraw(prefixes(0..100));
    world.peer(0).announce(3, prefixes(90_000..90_010));
    world.run();
    world
}

#[test]
fn a_client_that_does_not_read_cannot_make_the_table_grow_with_another_ones_help() {
    let mut world = churn_past_a_client_that_does_not_read(true);
    assert!(world.peer(1).is_up);
    world.peer(1).is_reading = true;
    world.run();
    let is_begin = |heard: &Heard| *heard == Heard::Refresh(RefreshSubtype::Begin);
    let is_end = |heard: &Heard| *heard == Heard::Refresh(RefreshSubtype::End);
    assert_eq!(world.peer(1).count(is_begin), world.peer(1).count(is_end));
    assert!(world.peer(1).count(is_end) > 0);
    assert_same(&world, 1, 2);
    assert_eq!(world.peer(1).table.len(), 410);
}

#[test]
fn one_that_cannot_be_told_to_forget_loses_its_session_for_it() {
    let mut world = churn_past_a_client_that_does_not_read(false);
    world.peer(1).is_reading = true;
    world.run();
    assert!(world.peer(1).heard.contains(&Heard::Notification(6, 8)));
    assert_eq!(world.peer(2).table.len(), 410);
}

#[test]
fn what_a_client_does_not_say_again_by_its_eorr_is_gone_and_counts_no_more() {
    for shard_count in [1, 4] {
        let mut exchange = exchange(3, shard_count);
        with_client(&mut exchange, 0, |client| {
            client.limits[0].received_max = Some(16);
        });
        let mut world = World::new(exchange);
        world.connect_all();
        world.peer(0).announce(1, prefixes(0..8));
        world.peer(0).say_refresh(RefreshSubtype::Begin);
        world.peer(0).announce(2, prefixes(4..16));
        world.run();
        assert_eq!(
            world.peer(2).table.len(),
            16,
            "until the EoRR all are there"
        );
        // The limit is judged as if what is purged went with the EoRR itself.
        world.peer(0).say_refresh(RefreshSubtype::End);
        world.peer(0).announce(3, prefixes(20..24));
        world.run();
        assert!(world.peer(0).is_up);
        assert_same(&world, 1, 2);
        assert_eq!(world.peer(2).table.len(), 16);
        assert!(!prefixes(0..4).any(|gone| world.peer(2).table.contains_key(&gone)));
        // An EoRR without a BoRR says nothing, and a BoRR in the middle begins anew.
        world.peer(0).say_refresh(RefreshSubtype::End);
        world.peer(0).say_refresh(RefreshSubtype::Begin);
        world.peer(0).announce(3, prefixes(20..24));
        world.peer(0).say_refresh(RefreshSubtype::Begin);
        world.peer(0).announce(3, prefixes(5..6));
        world.peer(0).say_refresh(RefreshSubtype::End);
        world.run();
        assert_eq!(world.peer(2).table.len(), 1);
        world.peer(0).announce(4, prefixes(30..45));
        world.run();
        assert!(world.peer(0).is_up && world.peer(2).table.len() == 16);
    }
}

#[test]
fn what_an_eorr_has_taken_away_is_not_there_again_when_the_session_ends() {
    for shard_count in [1, 4] {
        let mut exchange = exchange(3, shard_count);
        with_client(&mut exchange, 0, |client| {
            client.session.graceful_restart_helper_s = 80;
        });
        let mut world = World::new(exchange);
        let families = FamilySet::only(Family::Ipv4);
        world.peer(0).capabilities.graceful_restart = Some(GracefulRestart {
            restart_time_s: 50,
            families,
            forwarding: families,
            ..GracefulRestart::default()
        });
        world.connect_all();
        world.peer(0).announce(1, prefixes(0..100));
        world.peer(0).end_of_rib();
        world.run();
        // Shards hear of both at once.
        world.are_shards_asleep = true;
        world.peer(0).say_refresh(RefreshSubtype::Begin);
        world.peer(0).announce(2, prefixes(40..100));
        world.peer(0).say_refresh(RefreshSubtype::End);
        world.run();
        world.hang_up(0);
        world.run();
        world.are_shards_asleep = false;
        world.run();
        assert_same(&world, 1, 2);
        assert_eq!(world.peer(2).table.len(), 60);
        assert!(!prefixes(0..40).any(|gone| world.peer(2).table.contains_key(&gone)));
    }
}

#[test]
fn answers_to_our_own_requests_do_not_use_up_a_clients_refreshes() {
    for (asked, left) in [(false, 8), (true, 4)] {
        let mut world = World::new(exchange(2, 1));
        world.connect_all();
        world.peer(0).announce(1, prefixes(0..8));
        for _ in 0..8 {
            if asked {
                let slot = ClientSlot(0);
                world.cores[0].handle_command(world.now, CoreCommand::Refresh { slot });
            }
            world.peer(0).say_refresh(RefreshSubtype::Begin);
            world.peer(0).announce(1, prefixes(0..8));
            world.peer(0).say_refresh(RefreshSubtype::End);
            world.run_for(Duration::from_millis(100));
        }
        world.peer(0).say_refresh(RefreshSubtype::Begin);
        world.peer(0).announce(1, prefixes(0..4));
        world.peer(0).say_refresh(RefreshSubtype::End);
        world.run();
        assert_eq!(world.peer(1).table.len(), left, "asked: {asked}");
    }
}

#[test]
fn a_borr_before_the_clients_end_of_rib_is_ignored() {
    let mut world = World::new(exchange(3, 1));
    world.peer(0).capabilities.graceful_restart = Some(GracefulRestart::default());
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..8));
    for rounds in [8, 4] {
        world.peer(0).say_refresh(RefreshSubtype::Begin);
        world.peer(0).announce(1, prefixes(0..4));
        world.peer(0).say_refresh(RefreshSubtype::End);
        world.run();
        assert_eq!(world.peer(2).table.len(), rounds);
        world.peer(0).end_of_rib();
        world.run();
    }
}

/// It is lost while its first table is under way: had the BoRR come first, it would be ignored.
#[test]
fn a_client_that_is_lost_before_its_end_of_rib_gets_that_first() {
    let mut exchange = exchange(3, 1);
    exchange.limits.stalled_octets_max = 2_000;
    exchange.limits.dead_prefixes_max = 2_000;
    exchange.limits.dead_patience = Duration::from_secs(2);
    let mut world = World::new(exchange);
    world.connect(0);
    world.connect(2);
    world.run();
    world.peer(0).announce(1, prefixes(0..4_000));
    world.run();
    world.peer(1).socket_max = 1_000;
    world.connect(1);
    while !world.peer(1).is_up {
        assert!(world.step());
    }
    world.peer(1).is_reading = false;
    world.run_for(Duration::from_secs(5));
    world.peer(0).withdraw(prefixes(0..4_000));
    world.peer(0).announce(2, prefixes(10_000..10_100));
    world.run_for(Duration::from_secs(5));
    world.peer(1).is_reading = true;
    world.run();
    let marks: Vec<&Heard> = world.peers[1]
        .heard
        .iter()
        .filter(|heard| matches!(heard, Heard::EndOfRib(_) | Heard::Refresh(_)))
        .collect();
    assert_eq!(
        marks,
        [
            &Heard::EndOfRib(Family::Ipv4),
            &Heard::Refresh(RefreshSubtype::Begin),
            &Heard::Refresh(RefreshSubtype::End)
        ]
    );
    assert_same(&world, 1, 2);
    assert_eq!(world.peer(1).table.len(), 100);
}

/// It asks for one family while it lacks both: the walk of that one does not bring the other back.
#[test]
fn a_client_that_is_lost_and_asks_for_one_family_gets_both() {
    let mut exchange = exchange(3, 1);
    exchange.limits.stalled_octets_max = 2_000;
    exchange.limits.dead_prefixes_max = 2_000;
    exchange.limits.dead_patience = Duration::from_secs(2);
    with_client(&mut exchange, 1, |client| {
        client.session.families = FamilySet::ALL;
    });
    let mut world = World::new(exchange);
    world.peer(1).socket_max = 1_000;
    world.peer(1).capabilities.families = FamilySet::ALL;
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..4_000));
    world.run();
    world.peer(1).is_reading = false;
    world.peer(0).withdraw(prefixes(0..3_000));
    world.peer(0).announce(2, prefixes(3_000..4_000));
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.stats().whole_resyncs, 1, "it is lost");
    world.peer(1).ask_refresh_of(Family::Ipv6);
    world.run_for(Duration::from_secs(2));
    world.peer(1).is_reading = true;
    world.run();
    assert_same(&world, 1, 2);
    assert_eq!(world.peer(1).table.len(), 1_000);
}
