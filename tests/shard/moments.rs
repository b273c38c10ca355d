//! Two things in one moment: a shard hears the second before it has done what the first asks for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rialto::base::*;
use rialto::server::message::*;
use rialto::wire::{AttributeSet, EncodingClass};

use crate::bench::{Bench, prefix, set, set_too_long, set_with_prepend, set_with_v6_next_hop};
use crate::exchange::asn_of;

fn table(
    range: std::ops::Range<u32>,
    set: &Arc<AttributeSet>,
) -> BTreeMap<Prefix, Arc<AttributeSet>> {
    range.map(|index| (prefix(index), set.clone())).collect()
}

#[test]
fn paths_of_a_session_that_went_are_gone_although_its_client_is_back_before_the_sweep() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(0..4, &set(0, 1)));
    bench.down(0);
    bench.up(0);
    bench.announce(0, 2, 3..5);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(3..5, &set(0, 2)));
    assert_eq!(bench.stats().paths, 2);
    assert_eq!(bench.counted(0), [2, 2]);
}

/// A prepended path among them makes the order of the others be worked out anew.
#[test]
fn what_clients_have_is_what_the_router_identifiers_of_then_gave_them() {
    let mut bench = Bench::new();
    bench.join(1, 3);
    bench.announce(0, 1, 0..4);
    bench.announce_set(1, set_with_prepend(1, 1), 0..4);
    bench.announce(2, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(3), table(0..4, &set(0, 1)));
    bench.down(0);
    bench.up_as(0, Ipv4Addr::new(192, 0, 2, 9));
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(3), table(0..4, &set(2, 1)));
}

#[test]
fn a_change_that_is_taken_back_after_a_promotion_is_taken_back_for_the_promoted_too() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    bench.walk(2, 2);
    bench.turn();
    // No turn until the last of these: client 1, which is live, has not heard of the change.
    bench.announce(0, 2, 0..4);
    bench.promote(2);
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    for slot in [1, 2] {
        assert_eq!(
            bench.held_by(slot),
            table(0..4, &set(0, 1)),
            "client {slot}"
        );
    }
}

#[test]
fn what_changed_in_one_walk_and_again_in_the_next_is_told_to_the_clients_of_both() {
    let mut bench = Bench::new();
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    bench.walk(1, 1);
    bench.turn();
    bench.announce(0, 2, 0..2);
    bench.turn();
    bench.walk(2, 2);
    bench.turn();
    bench.announce(0, 3, 0..1);
    bench.turn();
    bench.promote(1);
    bench.promote(2);
    bench.turn_after(Duration::from_secs(1));
    let mut due = table(0..1, &set(0, 3));
    due.extend(table(1..2, &set(0, 2)));
    due.extend(table(2..4, &set(0, 1)));
    for slot in [1, 2] {
        assert_eq!(bench.held_by(slot), due, "client {slot}");
    }
}

#[test]
fn a_walk_sends_the_attribute_sets_it_found_whatever_became_of_their_paths() {
    let mut bench = Bench::new();
    bench.announce(0, 1, 0..4);
    bench.turn();
    bench.walk(1, 1);
    // One turn looks at the table, the next one sends.
    let now = bench.now;
    assert!(bench.shard.turn(now), "the walk is yet to be sent");
    bench.withdraw(0, 0..4);
    bench.announce(2, 2, 10..14);
    bench.turn();
    assert_eq!(bench.held_by(1), table(0..4, &set(0, 1)));
    bench.promote(1);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(10..14, &set(2, 2)));
}

#[test]
fn a_slot_that_was_in_use_again_when_it_was_to_be_freed_is_offered_again_later() {
    let mut bench = Bench::new();
    bench.announce(0, 1, 0..3000);
    bench.withdraw(0, 0..3000);
    bench.turn();
    let offered = bench.reclaims();
    assert_eq!(offered.len(), 1);
    bench.announce(0, 2, 0..3000);
    let core = CoreId(0);
    bench.tell(ToShard::Reclaimed {
        core,
        batch: offered[0],
    });
    bench.turn();
    assert_eq!(bench.stats().free_slots, 0);
    bench.withdraw(0, 0..3000);
    bench.turn();
    for batch in bench.reclaims() {
        bench.tell(ToShard::Reclaimed { core, batch });
    }
    assert_eq!(bench.stats().free_slots, 3000);
}

#[test]
fn what_is_withdrawn_but_not_yet_said_when_a_refresh_begins_is_withdrawn_when_it_ends() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..3000);
    bench.turn_after(Duration::from_secs(1));
    // The gathering window is open: the withdrawals are pending when the walk begins.
    bench.withdraw(0, 0..10);
    bench.walk(2, 1);
    bench.turn();
    bench.promote(2);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(10..3000, &set(0, 1)));
}

/// The ASN that is prepended to what a client heard last.
fn prepended(bench: &Bench, slot: u16) -> Option<Asn> {
    let mut groups = bench.said.iter().flat_map(|message| match message {
        ToCore::Deltas(batch) => &batch.groups[..],
        _ => &[],
    });
    let last = groups.rfind(|group| group.audience.contains(ClientSlot(slot)))?;
    match &last.content {
        DeltaContent::Announce { variant, .. } if variant.prepend > 0 => Some(variant.prepend_as),
        _ => None,
    }
}

#[test]
fn a_path_with_the_same_attributes_and_other_prepends_is_another_path() {
    let mut bench = Bench::new();
    bench.join(1, 3);
    // Both announce the same set, which asks that their own ASN be prepended.
    let shared = set_with_prepend(0, 1);
    bench.announce_set(0, shared.clone(), 0..1);
    bench.announce_set(2, shared, 0..1);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(prepended(&bench, 3), Some(asn_of(ClientSlot(0))));
    bench.withdraw(0, 0..1);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(prepended(&bench, 3), Some(asn_of(ClientSlot(2))));
}

#[test]
fn a_change_that_is_taken_back_after_a_resync_is_taken_back_for_the_one_that_asked() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    bench.announce(0, 2, 0..4);
    bench.resync(1, 0..4);
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(0..4, &set(0, 1)));
}

/// A turn sweeps 16,384 entries.
#[test]
fn a_session_that_goes_while_another_is_swept_is_swept_from_the_beginning() {
    let mut bench = Bench::new();
    for slot in [0, 2] {
        bench.announce(slot, 1, 0..20_000);
    }
    bench.turn();
    bench.down(0);
    let now = bench.now;
    assert!(bench.shard.turn(now), "the sweep is not over");
    bench.down(2);
    bench.turn();
    assert_eq!(bench.stats().paths, 0);
}

#[test]
fn a_verdict_of_before_a_reload_is_not_believed_after_it() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..2);
    bench.turn_after(Duration::from_secs(1));
    bench.reload_with_nothing_accepted_from(0);
    // Its session core has not heard of the reload yet.
    bench.announce(0, 1, 2..4);
    bench.announce(2, 1, 4..5);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(4..5, &set(2, 1)));
    assert_eq!(bench.counted(0), [4, 0]);
}

/// "reject" is a block from the lowest hash on, which is that of the default route.
#[test]
fn what_is_blocked_from_a_hash_on_is_blocked_with_that_hash() {
    let default: Prefix = "0.0.0.0/0".parse().expect("it is a prefix");
    assert_eq!(default.shard_hash(), 0);
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.update(0, vec![(Some(set(0, 1)), vec![default])]);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1).len(), 1);
    bench.block_from(0, Some(0));
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), BTreeMap::new());
}

#[test]
fn who_cannot_be_sent_the_best_path_gets_the_next() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    // 4,800 octets, and none of the clients takes more than 4,096.
    bench.announce_set(0, set_too_long(0), 0..4);
    bench.announce(2, 1, 0..2);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(0..2, &set(2, 1)));
}

#[test]
fn an_ipv4_route_with_an_ipv6_next_hop_is_for_those_who_take_it() {
    let takes_it = EncodingClass {
        v6_next_hops: true,
        ..EncodingClass::PLAIN
    };
    let mut bench = Bench::new();
    bench.up_in(3, Ipv4Addr::new(192, 0, 2, 4), takes_it);
    bench.join(1, 1);
    bench.join(2, 3);
    bench.announce_set(0, set_with_v6_next_hop(0), 0..4);
    bench.announce(2, 1, 0..2);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), table(0..2, &set(2, 1)), "the next best");
    assert_eq!(bench.held_by(3), table(0..4, &set_with_v6_next_hop(0)));
    // A session that does not negotiate it any more is walked to anew.
    bench.said.clear();
    bench.up_in(3, Ipv4Addr::new(192, 0, 2, 4), EncodingClass::PLAIN);
    bench.join(3, 3);
    assert_eq!(bench.held_by(3), table(0..2, &set(2, 1)));
}

#[test]
fn what_is_under_way_from_a_client_that_a_reload_removed_reaches_nobody() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    bench.said.clear();
    bench.reload_without(0);
    // The session core has yet to hear of it.
    bench.announce(0, 2, 4..8);
    bench.announce(0, 2, 0..2);
    bench.turn_after(Duration::from_secs(1));
    assert_eq!(bench.held_by(1), BTreeMap::new());
    let announced = bench.said.iter().any(|message| match message {
        ToCore::Deltas(batch) => (batch.groups.iter())
            .any(|group| matches!(group.content, DeltaContent::Announce { .. })),
        _ => false,
    });
    assert!(!announced, "not for a moment");
    assert_eq!(bench.stats().paths, 0);
}

/// The window is what an operator sees of the load, in `rialto_shard_window_seconds`.
#[test]
fn the_more_a_flush_has_to_say_the_longer_changes_are_gathered_before_the_next() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    assert_eq!(bench.stats().window, Duration::ZERO);
    bench.announce(0, 1, 0..1);
    bench.turn_after(Duration::from_secs(1));
    let short = bench.stats().window;
    bench.announce(0, 1, 0..2_000);
    bench.turn_after(Duration::from_secs(1));
    let long = bench.stats().window;
    assert!(
        short > Duration::ZERO && long >= 1_000 * short,
        "{short:?} {long:?}"
    );
    // What the status says is what is done.
    bench.announce(0, 2, 0..1);
    bench.turn_after(long / 2);
    assert_eq!(bench.stats().pending, 1);
    bench.turn_after(long);
    assert_eq!(bench.stats().pending, 0);
}
