//! What a shard judges again, piece by piece, while there is more and more to judge.

use std::time::Duration;

use rialto::server::message::*;

use crate::bench::{Bench, set_with_two_attributes, with_client};

/// Turns that a round over this takes: a turn visits 16,384 entries.
const ENTRIES: u32 = 50_000;
const TURNS: u32 = 4;

fn one_turn(bench: &mut Bench) {
    bench.now = bench.now + Duration::from_millis(1);
    bench.shard.turn(bench.now);
    bench.hear();
}

/// Sessions that come and go, and a limit that is passed again and again.
#[test]
fn a_generation_is_settled_after_one_round_whatever_comes_up_meanwhile() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..ENTRIES);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1).len(), ENTRIES as usize);
    bench.reload_with_nothing_accepted_from(0);
    for turn in 1..=TURNS {
        assert_eq!(bench.settled(), 1, "turn {turn}");
        bench.announce(2, 1, 0..10);
        bench.announce(3, 1, 0..10);
        one_turn(&mut bench);
        bench.block_from(2, (turn % 2 == 1).then_some(0));
        bench.down(3);
        bench.up(3);
    }
    assert_eq!(bench.settled(), 2);
    assert!(bench.said.iter().any(is_reloaded));
    assert_eq!(bench.counted(0), [ENTRIES as i32, 0]);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1).len(), 10, "those of client 2");
}

#[test]
fn a_generation_settles_although_the_cores_take_nothing() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..ENTRIES);
    bench.turn_after(Duration::from_secs(1));
    (0..20).for_each(|tag| bench.announce(2, tag, 0..1));
    bench.reload_with_nothing_accepted_from(0);
    for _ in 0..TURNS {
        let now = bench.now;
        bench.shard.turn(now);
    }
    assert_eq!(bench.settled(), 2);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1).len(), 1);
    let reloaded = bench.said.iter().rposition(is_reloaded);
    let deltas = bench.said.iter().rposition(is_deltas);
    assert!(reloaded > deltas, "all that changed comes first");
}

fn is_reloaded(message: &ToCore) -> bool {
    matches!(message, ToCore::Reloaded { .. })
}

fn is_deltas(message: &ToCore) -> bool {
    matches!(message, ToCore::Deltas(_))
}

/// In each turn the client says something else and passes its limit, or is below it again.
#[test]
fn attribute_sets_that_were_judged_again_go_although_rounds_follow_each_other() {
    let mut bench = Bench::new();
    bench.announce(0, 1, 0..ENTRIES);
    bench.turn();
    for tag in 0..100 {
        bench.announce(2, tag, 0..1);
        bench.block_from(2, (tag % 2 == 1).then_some(0));
        one_turn(&mut bench);
        let sets = bench.stats().attribute_sets;
        assert!(sets <= 4 * u64::from(TURNS), "{sets} sets in turn {tag}");
    }
}

/// What is asked for in the middle of a round reaches what the round has passed already.
#[test]
fn what_comes_up_in_a_round_is_seen_to_everywhere() {
    for turns in 0..TURNS {
        let mut bench = Bench::new();
        for slot in [0, 2, 3] {
            bench.announce(slot, 1, 0..ENTRIES);
        }
        bench.turn_after(Duration::from_secs(1));
        bench.down(0);
        (0..turns).for_each(|_| one_turn(&mut bench));
        bench.block_from(2, Some(0));
        bench.refresh(3, 1, 0..1);
        bench.turn();
        let stats = bench.stats();
        assert_eq!(stats.paths, u64::from(ENTRIES) + 1, "after {turns} turns");
        bench.join(1, 1);
        assert_eq!(bench.held_by(1).len(), 1, "after {turns} turns");
        // And what was doomed is not doomed for ever.
        for index in 0..5 {
            bench.refresh(3, 1, index..index + 1);
            bench.turn();
            assert_eq!(bench.stats().paths, u64::from(ENTRIES) + 1);
        }
    }
}

/// 20,000 prefixes with 200 sets of which one attribute is not heard from the next generation on, and
/// a budget for half as much again.
fn in_the_middle_of_a_reload() -> Bench {
    let octets: usize = (0..200)
        .map(|tag| set_with_two_attributes(0, tag).octets().len())
        .sum();
    let mut bench = Bench::new();
    for generation in [2, 3] {
        bench.reload(generation, |exchange| {
            with_client(exchange, 0, |client| {
                client.attribute_octets_max = Some(octets as u32 * 3 / 2);
                if generation == 3 {
                    client.discard.insert(99);
                }
            });
        });
        if generation == 2 {
            for tag in 0..200 {
                let first = u32::from(tag) * 100;
                let set = set_with_two_attributes(0, tag);
                bench.announce_set(0, set, first..first + 100);
            }
            bench.turn_after(Duration::from_secs(1));
        }
    }
    one_turn(&mut bench);
    assert_eq!(bench.settled(), 2);
    bench
}

fn is_over_budget(message: &ToCore) -> bool {
    matches!(message, ToCore::OverBudget { .. })
}

#[test]
fn a_reload_charges_nobody_for_what_was_and_what_will_be() {
    let mut bench = in_the_middle_of_a_reload();
    bench.withdraw(0, 0..1);
    bench.turn_after(Duration::from_secs(1));
    bench.withdraw(0, 1..2);
    assert!(!bench.said.iter().any(is_over_budget));
}

#[test]
fn who_passes_its_budget_in_a_reload_is_told_of_when_it_is_over() {
    let mut bench = in_the_middle_of_a_reload();
    for tag in 200..500 {
        let set = set_with_two_attributes(0, tag);
        let first = u32::from(tag) * 100;
        bench.announce_set(0, set, first..first + 1);
    }
    assert!(!bench.said.iter().any(is_over_budget));
    bench.turn_after(Duration::from_secs(1));
    assert!(bench.said.iter().any(is_over_budget));
}
