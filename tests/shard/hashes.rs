//! Which prefixes "block" may choose from.

use std::collections::BTreeSet;
use std::time::Duration;

use rialto::base::{ClientSlot, Family, SessionEpoch};
use rialto::server::message::{ToCore, ToShard};

use crate::bench::{Bench, prefix};

/// A turn looks at 16,384 entries.
const ENTRIES: u32 = 50_000;
const TURNS: usize = 4;

fn ask(bench: &mut Bench, slot: u16, family: Family) {
    bench.tell(ToShard::AskHashes {
        slot: ClientSlot(slot),
        epoch: SessionEpoch(1),
        family,
    });
}

/// The answers so far: of whom, and to what they come.
fn answers(bench: &Bench) -> Vec<(u16, Vec<u64>)> {
    let answer = |message: &ToCore| match message {
        ToCore::Hashes { slot, hashes, .. } => Some((slot.0, hashes.clone())),
        _ => None,
    };
    bench.said.iter().filter_map(answer).collect()
}

#[test]
fn a_large_table_is_looked_at_in_pieces_and_each_question_answered() {
    let mut bench = Bench::new();
    bench.announce(0, 1, 0..ENTRIES);
    bench.announce(2, 1, 7..9);
    bench.turn_after(Duration::from_secs(1));
    bench.withdraw(0, 0..5);
    ask(&mut bench, 0, Family::Ipv4);
    ask(&mut bench, 2, Family::Ipv4);
    ask(&mut bench, 2, Family::Ipv6);
    ask(&mut bench, 3, Family::Ipv4);
    let mut counts = Vec::new();
    for _ in 0..4 * TURNS {
        bench.now = bench.now + Duration::from_millis(1);
        bench.shard.turn(bench.now);
        bench.hear();
        counts.push(answers(&bench).len());
        if counts.len() == TURNS {
            // Too late for what was looked at; whoever asked is told that there are more.
            bench.announce(0, 2, 0..1);
        }
    }
    let each = |count: usize| std::iter::repeat_n(count, TURNS - 1);
    let due: Vec<usize> = (each(0).chain([1]))
        .chain(each(1).chain([2]))
        .chain(each(2).chain([3]))
        .chain(each(3).chain([4]))
        .collect();
    assert_eq!(counts, due);
    let hashes = |range: std::ops::Range<u32>| {
        let hashes = range.map(|index| prefix(index).shard_hash());
        hashes.collect::<BTreeSet<u64>>()
    };
    let due = [
        (0, hashes(5..ENTRIES)),
        (2, hashes(7..9)),
        (2, hashes(0..0)),
        (3, hashes(0..0)),
    ];
    let found: Vec<_> = (answers(&bench).into_iter())
        .map(|(slot, hashes)| (slot, BTreeSet::from_iter(hashes)))
        .collect();
    assert_eq!(found, due);
}
