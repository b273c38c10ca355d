//! The whole exchange under a virtual clock: real session cores and shards, simulated clients, a
//! seed for everything. After each phase every client must hold exactly what the oracle says.
//!
//! `RIALTO_SEED=n` runs one seed; `RIALTO_SEEDS=n` says how many.

mod codec;
mod draw;
mod exchange;
mod oracle;
mod restarts;
mod rng;
mod scenario;
mod speaker;
mod stale;
mod tally;
mod world;

use exchange::Plan;
use scenario::{Scenario, Size};
use tally::Tally;

const SIZE: Size = Size {
    clients: 12,
    nets: 80,
    phases: 4,
    events: 40,
};

/// Seeds of the first test, enough for everything to have its say.
const USUAL: u64 = 160;

fn number_from(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

fn seeds(usual: u64) -> Vec<u64> {
    match number_from("RIALTO_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number_from("RIALTO_SEEDS").unwrap_or(usual)).collect(),
    }
}

/// Enough prefixes that freed table entries are used again.
const BIG: Size = Size {
    clients: 5,
    nets: 3_000,
    phases: 3,
    events: 25,
};

/// How many session cores and shards a seed has; `RIALTO_CORES` and `RIALTO_SHARDS` say otherwise.
fn numbers_of_cores(seed: u64) -> (u16, u16) {
    let (cores, shards) = [(1, 1), (1, 2), (2, 4), (3, 8)][(seed % 4) as usize];
    let said = |name: &str, usual: u16| number_from(name).map_or(usual, |number| number as u16);
    (said("RIALTO_CORES", cores), said("RIALTO_SHARDS", shards))
}

#[test]
fn every_client_holds_what_the_oracle_says() {
    let mut tally = Tally::new();
    let seeds = seeds(USUAL);
    for seed in &seeds {
        let (cores, shards) = numbers_of_cores(*seed);
        let outcome = Scenario::new(*seed, cores, shards, SIZE).run(SIZE);
        for (what, count) in outcome.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    (tally.iter()).for_each(|(what, count)| println!("{count:>9} {what}"));
    let missing = tally::missing(&tally);
    assert!(
        missing.is_empty() || seeds.len() < USUAL as usize,
        "never had a say: {missing:?}"
    );
}

#[test]
fn prefixes_that_come_and_go_by_the_thousand_leave_no_trace() {
    for seed in seeds(6) {
        let shards = number_from("RIALTO_SHARDS").map_or(1 + seed % 2, |shards| shards);
        Scenario::new(seed, 1 + seed as u16 % 2, shards as u16, BIG).run(BIG);
    }
}

#[test]
fn clients_that_are_brought_up_to_date_as_a_whole_hold_what_the_oracle_says() {
    let drown_all = |seed| Scenario::new(seed, 1 + seed as u16 % 2, 2, BIG).drown_all();
    let seeds = seeds(8);
    let count: u64 = seeds.iter().copied().map(drown_all).sum();
    assert!(count > 0 || seeds.len() == 1, "none was so far behind");
}

#[test]
fn a_graceful_restart_costs_a_client_that_keeps_routes_none_of_them() {
    let kept: u64 = seeds(24)
        .into_iter()
        .map(|seed| {
            let (cores, shards) = numbers_of_cores(seed);
            Scenario::new(seed, cores, shards, SIZE).restart_calmly(SIZE)
        })
        .sum();
    assert!(kept > 0, "no client kept a route");
}

#[test]
fn a_client_that_restarts_costs_the_others_none_of_its_routes() {
    let stale: u64 = seeds(24)
        .into_iter()
        .map(|seed| {
            let (cores, shards) = numbers_of_cores(seed);
            Scenario::help_calmly(seed, (cores, shards), SIZE)
        })
        .sum();
    assert!(stale > 0, "no route was stale");
}

#[test]
fn tables_are_the_same_to_the_octet_for_every_number_of_cores() {
    for seed in seeds(4) {
        // Whether a session ends in the middle of a reload is a matter of luck, and stale routes with it.
        let is_brief = |plan: &mut Plan| {
            for helped in plan
                .members
                .iter_mut()
                .filter_map(|own| own.hello.helped.as_mut())
            {
                helped.time_s = helped.time_s.min(2);
                if let Some(long_lived) = &mut helped.long_lived {
                    long_lived.times_s = long_lived.times_s.map(|time_s| time_s.min(2));
                }
            }
        };
        let dump = |(cores, shards)| {
            Scenario::with(seed, cores, shards, SIZE, is_brief)
                .run(SIZE)
                .dumps
        };
        let first = dump((1, 1));
        for numbers in [(1, 2), (2, 1), (2, 4), (3, 8)] {
            assert!(
                dump(numbers) == first,
                "seed {seed}: {numbers:?} ends otherwise than one core and one shard"
            );
        }
    }
}
