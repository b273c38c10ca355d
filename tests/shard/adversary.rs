//! What a member could do to a shard, step by step.

use std::time::Duration;

use rialto::base::*;
use rialto::server::message::*;

use crate::bench::{Bench, prefix, set};

#[test]
fn a_shard_answers_for_all_parts_of_an_update_at_once() {
    let mut bench = Bench::new();
    bench.announce(0, 1, 0..3);
    bench.turn();
    bench.said.clear();
    let parts = vec![
        (None, vec![prefix(0)]),
        (Some(set(0, 2)), vec![prefix(7), prefix(8)]),
    ];
    bench.update(0, parts);
    bench.turn();
    let counts: Vec<_> = bench
        .said
        .iter()
        .filter_map(|message| match message {
            ToCore::Counts { counts, .. } => Some(counts.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let expected = CountChange {
        seq: 2,
        received: [1, 0],
        accepted: [1, 0],
        has_news: true,
        ..CountChange::default()
    };
    assert_eq!(counts, [expected]);
}

/// A slot changes hands only if nothing that was said since it was offered names it: a client that
/// loses its queue would ask for the state of the new prefix, and keep the old one for ever.
fn assert_slots_are_not_reused(bench: &mut Bench, said_since: &[(PrefixSlot, Prefix)]) {
    bench.announce(0, 9, 50_000..60_000);
    bench.turn_after(Duration::from_secs(1));
    for (slot, prefix) in bench.named() {
        let clash = said_since
            .iter()
            .find(|(named, old)| *named == slot && *old != prefix);
        assert_eq!(clash, None, "{slot:?} is {prefix:?} now");
    }
}

#[test]
fn a_slot_whose_withdrawal_is_yet_to_be_said_is_not_offered_for_reuse() {
    let mut bench = Bench::new();
    bench.walk(1, 1);
    bench.turn();
    bench.promote(1);
    bench.announce(0, 1, 0..3000);
    bench.turn_after(Duration::from_secs(1));
    // The gathering window is open now: withdrawals wait, but the slots are free.
    bench.withdraw(0, 0..3000);
    bench.turn();
    bench
        .said
        .retain(|message| !matches!(message, ToCore::Deltas(_)));
    let offered = bench.reclaims();
    bench.turn_after(Duration::from_secs(1));
    let said_since = bench.named();
    assert_eq!(said_since.len(), 3000, "the withdrawals");
    for batch in offered {
        bench.tell(ToShard::Reclaimed {
            core: CoreId(0),
            batch,
        });
    }
    assert_slots_are_not_reused(&mut bench, &said_since);
}

#[test]
fn a_slot_that_was_used_again_while_it_was_offered_is_offered_again() {
    let mut bench = Bench::new();
    bench.walk(1, 1);
    bench.turn();
    bench.promote(1);
    bench.announce(0, 1, 0..3000);
    bench.turn_after(Duration::from_secs(1));
    bench.withdraw(0, 0..3000);
    bench.turn_after(Duration::from_secs(1));
    bench.turn_after(Duration::from_secs(1));
    let offered = bench.reclaims();
    assert_eq!(offered.len(), 1);
    bench.said.clear();
    bench.announce(0, 2, 0..3000);
    bench.turn_after(Duration::from_secs(1));
    bench.withdraw(0, 0..3000);
    bench.turn_after(Duration::from_secs(1));
    let said_since = bench.named();
    bench.tell(ToShard::Reclaimed {
        core: CoreId(0),
        batch: offered[0],
    });
    bench.turn();
    assert_eq!(bench.reclaims().len(), 1, "another round");
    assert_slots_are_not_reused(&mut bench, &said_since);
    assert_eq!(bench.stats().prefixes, 10_000);
}

#[test]
fn a_round_of_reclaiming_is_bounded() {
    let mut bench = Bench::new();
    bench.announce(0, 1, 0..70_000);
    bench.turn_after(Duration::from_secs(1));
    bench.withdraw(0, 0..70_000);
    bench.turn_after(Duration::from_secs(1));
    let most = bench
        .said
        .iter()
        .filter_map(|message| match message {
            ToCore::Reclaim { slots, .. } => Some(slots.len()),
            _ => None,
        })
        .max();
    assert_eq!(most, Some(65_536));
    for batch in bench.reclaims() {
        let core = CoreId(0);
        bench.tell(ToShard::Reclaimed { core, batch });
    }
    bench.turn();
    for batch in bench.reclaims() {
        let core = CoreId(0);
        bench.tell(ToShard::Reclaimed { core, batch });
    }
    assert_eq!(bench.stats().free_slots, 70_000);
}

#[test]
fn attribute_sets_that_nobody_has_any_more_go_although_walks_never_end() {
    let mut bench = Bench::new();
    bench.announce(0, 0, 0..10);
    for round in 1..200u16 {
        // One walk begins before the last one ends, as those of two session cores may.
        bench.walk(u32::from(round), 1 + round % 3);
        bench.turn();
        bench.announce(0, round, 0..10);
        bench.turn_after(Duration::from_secs(1));
        bench.promote(u32::from(round) - 1);
        bench.turn();
        bench.said.clear();
    }
    let stats = bench.stats();
    assert!(
        stats.attribute_sets < 10,
        "{} attribute sets",
        stats.attribute_sets
    );
}

#[test]
fn a_refresh_is_no_duplicate_and_the_loc_rib_is_counted() {
    let mut bench = Bench::new();
    let duplicates = |bench: &mut Bench| -> (u32, u32) {
        bench.turn();
        let said = std::mem::take(&mut bench.said);
        let counts = said.into_iter().filter_map(|message| match message {
            ToCore::Counts { counts, .. } => Some(counts),
            _ => None,
        });
        counts.flatten().fold((0, 0), |(announced, withdrawn), it| {
            (
                announced + it.duplicate_announcements,
                withdrawn + it.duplicate_withdrawals,
            )
        })
    };
    bench.announce(0, 1, 0..6);
    bench.announce(1, 1, 4..8);
    assert_eq!(duplicates(&mut bench), (0, 0));
    assert_eq!(bench.stats().loc_rib, [8, 0]);
    bench.announce(0, 1, 0..6);
    assert_eq!(duplicates(&mut bench), (6, 0));
    // RFC 7313: what does not come again is gone.
    bench.refresh(0, 1, 0..5);
    assert_eq!(duplicates(&mut bench), (0, 0));
    bench.turn();
    assert_eq!(bench.stats().loc_rib, [8, 0]);
    bench.withdraw(0, 4..6);
    assert_eq!(duplicates(&mut bench), (0, 1));
    bench.withdraw(1, 4..6);
    assert_eq!(duplicates(&mut bench), (0, 0));
    assert_eq!(bench.stats().loc_rib, [6, 0]);
    bench.reload_with_nothing_accepted_from(0);
    bench.turn();
    assert_eq!(bench.stats().loc_rib, [2, 0], "rejected ones are not in it");
    bench.down(1);
    bench.turn();
    assert_eq!(bench.stats().loc_rib, [0, 0]);
}
