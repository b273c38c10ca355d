//! `explain`: the step that decided against each path, as RFC 4271 §9.1.2.2 takes them out.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use rialto::base::ClientSlot;
use rialto::policy::PrefixClass;
use rialto::rib::{DecidedBy, MedMode};
use rialto::server::query::PathFate;
use rialto::wire::{AttributeSet, testing::SetBuilder};

use crate::core::World;
use crate::exchange::{Exchange, address_of, asn_of, router_id_of};
use crate::{Random, attributes, naive, numbered, verdict};

const CLIENTS: u16 = 6;

fn world(seed: u64, med: MedMode) -> World {
    let exchange = Exchange {
        clients: CLIENTS,
        med,
        hide_own_as: 0,
    };
    let mut world = World::new(seed, 1, exchange);
    for slot in 0..CLIENTS {
        world.client_up(ClientSlot(slot), false);
    }
    world
}

fn with_med(slot: ClientSlot, med: u32) -> Arc<AttributeSet> {
    SetBuilder::new()
        .next_hop(Ipv4Addr::new(10, 77, 1, 1))
        .as_path(&[asn_of(slot).0])
        .med(med)
        .build()
}

/// By announcer, those that are in the decision.
fn fates(world: &mut World, number: u64, to: ClientSlot) -> BTreeMap<ClientSlot, PathFate> {
    let explanation = world.explain(numbered(number), to);
    let fates = explanation.paths.into_iter();
    fates
        .map(|(row, fate)| (row.announcer, fate))
        .filter(|(_, fate)| matches!(fate, PathFate::Best(_) | PathFate::Lost(_)))
        .collect()
}

#[test]
fn a_path_that_a_third_one_takes_out_by_med_lost_by_med() {
    // Of one AS, the first with the lowest router identifier, the second with the highest.
    let (a, b) = (ClientSlot(0), ClientSlot(1));
    let (c, to) = (ClientSlot(2), ClientSlot(4));
    let [id_a, id_b, id_c] = [a, b, c].map(|slot| router_id_of(slot, 1));
    assert!(id_a < id_c && id_c < id_b && asn_of(a) == asn_of(b));
    let cases = [
        (
            "B is better than A, C than B",
            MedMode::SameAs,
            [10, 5],
            [Some(DecidedBy::Med), Some(DecidedBy::RouterId), None],
        ),
        (
            "A is the best where it has no worse MED",
            MedMode::SameAs,
            [5, 5],
            [None, Some(DecidedBy::RouterId), Some(DecidedBy::RouterId)],
        ),
        (
            "MED is nothing",
            MedMode::Ignore,
            [10, 5],
            [None, Some(DecidedBy::RouterId), Some(DecidedBy::RouterId)],
        ),
        (
            "MED is all",
            MedMode::Always,
            [10, 5],
            [Some(DecidedBy::Med), Some(DecidedBy::Med), None],
        ),
    ];
    for (name, med, [med_a, med_b], lost) in cases {
        let mut world = world(1, med);
        for (slot, med) in [(a, med_a), (b, med_b), (c, 0)] {
            let routes = vec![(numbered(1), PrefixClass::ACCEPTED)];
            world.announce(slot, with_med(slot, med), routes);
        }
        world.settle(&mut Random::new(1));
        let best = PathFate::Best(lost.into_iter().flatten().max());
        let expected = [a, b, c]
            .into_iter()
            .zip(lost)
            .map(|(slot, step)| (slot, step.map_or(best, PathFate::Lost)))
            .collect();
        assert_eq!(fates(&mut world, 1, to), expected, "{name}");
    }
}

#[test]
fn each_path_lost_at_the_step_at_which_a_naive_decision_takes_it_out() {
    for seed in 1..=40 {
        let mut random = Random::new(seed);
        let med = [MedMode::SameAs, MedMode::Always, MedMode::Ignore][seed as usize % 3];
        let mut world = world(seed, med);
        for slot in (0..CLIENTS).map(ClientSlot) {
            for number in 0..8 {
                let set = match random.below(2) {
                    0 => with_med(slot, random.below(3) as u32),
                    _ => attributes(&mut random, slot, CLIENTS.into()),
                };
                let verdict = verdict(&mut random);
                world.announce(slot, set, vec![(numbered(number), verdict)]);
            }
        }
        world.settle(&mut random);
        let order = |slot| (router_id_of(slot, 1), address_of(slot));
        for to in (0..CLIENTS).map(ClientSlot) {
            let announced = world.announced.clone();
            let mut eligible = naive::eligible(&announced, to, &world.exchange);
            for number in 0..8 {
                let mut expected = BTreeMap::new();
                if let Some(candidates) = eligible.remove(&numbered(number)) {
                    let (best, lost) = naive::best(candidates, med, &order);
                    let decided = lost.values().max().copied();
                    expected.extend(
                        lost.into_iter()
                            .map(|(slot, by)| (slot, PathFate::Lost(by))),
                    );
                    expected.insert(best.announcer, PathFate::Best(decided));
                }
                let found = fates(&mut world, number, to);
                assert_eq!(found, expected, "seed {seed}, prefix {number} to {to}");
            }
        }
    }
}
