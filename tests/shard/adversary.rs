//! What a member could do to a shard, step by step.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rialto::base::*;
use rialto::policy::Verdict;
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::message::*;
use rialto::server::query::{ShardQuery, ShardReply, ShardStats};
use rialto::wire::{AttributeSet, testing::SetBuilder};

use crate::core::{self, Exchange};

/// One shard and what it said; time is in the test's hands.
struct Bench {
    shard: Shard,
    now: Time,
    said: Vec<ToCore>,
    seq: u64,
}

fn prefix(index: u32) -> Prefix {
    Prefix::v4(Ipv4Addr::from(0x0a00_0000 + (index << 8)), 24)
}

fn set(slot: u16, tag: u16) -> Arc<AttributeSet> {
    SetBuilder::new()
        .next_hop(Ipv4Addr::new(10, 77, 1, slot as u8 + 1))
        .as_path(&[core::asn_of(ClientSlot(slot)).0])
        .communities(&[(1, tag)])
        .build()
}

impl Bench {
    /// Clients 0 to 3 are up.
    fn new() -> Bench {
        let exchange = Exchange {
            clients: 4,
            med: MedMode::SameAs,
            hide_own_as: 0,
        };
        let shard = Shard::new(ShardId(0), core::compile(&exchange, 1, 1), 1);
        let mut bench = Bench {
            shard,
            now: Time::ZERO,
            said: Vec::new(),
            seq: 0,
        };
        (0..4).for_each(|slot| bench.up(slot));
        bench
    }

    fn up(&mut self, slot: u16) {
        let families = FamilySet::only(Family::Ipv4);
        self.tell(ToShard::ClientUp(ClientUp {
            slot: ClientSlot(slot),
            epoch: SessionEpoch(1),
            families,
            add_path: FamilySet::EMPTY,
            extended_messages: false,
            four_octet: true,
            router_id: Ipv4Addr::new(192, 0, 2, slot as u8 + 1),
        }));
    }

    fn tell(&mut self, message: ToShard) {
        self.shard.handle(self.now, message);
    }

    fn turn(&mut self) {
        while self.shard.turn(self.now) {
            self.hear();
        }
        self.hear();
    }

    fn hear(&mut self) {
        while let Some((_, message)) = self.shard.poll_to_core() {
            self.said.push(message);
        }
    }

    fn turn_after(&mut self, time: Duration) {
        self.now = self.now + time;
        self.turn();
    }

    fn walk(&mut self, id: u32, slot: u16) {
        self.tell(ToShard::Walk {
            core: CoreId(0),
            walk: WalkId(id),
            clients: Arc::new(ClientSet::only(ClientSlot(slot))),
            families: FamilySet::only(Family::Ipv4),
        });
    }

    fn promote(&mut self, id: u32) {
        let (core, walk) = (CoreId(0), WalkId(id));
        self.tell(ToShard::Promote { core, walk });
    }

    /// The parts of one UPDATE.
    fn update(&mut self, slot: u16, parts: Vec<(Option<Arc<AttributeSet>>, Vec<Prefix>)>) {
        self.seq += 1;
        let (mut updates, mut prefixes) = (Vec::new(), Vec::new());
        for (set, named) in parts {
            let start = prefixes.len() as u32;
            prefixes.extend(named.into_iter().map(|prefix| (prefix, Verdict::Accepted)));
            updates.push(RouteUpdate {
                seq: self.seq,
                set,
                prefixes: start..prefixes.len() as u32,
            });
        }
        self.tell(ToShard::Routes(RouteBatch {
            slot: ClientSlot(slot),
            epoch: SessionEpoch(1),
            generation: Generation(1),
            updates,
            prefixes,
        }));
    }

    fn announce(&mut self, slot: u16, tag: u16, range: std::ops::Range<u32>) {
        let prefixes = range.map(prefix).collect();
        self.update(slot, vec![(Some(set(slot, tag)), prefixes)]);
    }

    fn withdraw(&mut self, slot: u16, range: std::ops::Range<u32>) {
        self.update(slot, vec![(None, range.map(prefix).collect())]);
    }

    fn stats(&mut self) -> ShardStats {
        self.tell(ToShard::Query {
            id: 1,
            query: ShardQuery::Stats,
        });
        match self.shard.poll_reply() {
            Some((_, ShardReply::Stats(stats))) => *stats,
            other => panic!("no statistics but {other:?}"),
        }
    }

    /// Batches of freed slots that the shard offers, taken out of what it said.
    fn reclaims(&mut self) -> Vec<u32> {
        let mut batches = Vec::new();
        self.said.retain(|message| match message {
            ToCore::Reclaim { batch, .. } => {
                batches.push(*batch);
                false
            }
            _ => true,
        });
        batches
    }

    /// Slots and prefixes in the ordinary stream, taken out of what the shard said.
    fn named(&mut self) -> Vec<(PrefixSlot, Prefix)> {
        let mut named = Vec::new();
        for message in self.said.drain(..) {
            if let ToCore::Deltas(batch) = message {
                named.extend(
                    batch
                        .slots
                        .iter()
                        .copied()
                        .zip(batch.prefixes.iter().copied()),
                );
            }
        }
        named
    }
}

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
