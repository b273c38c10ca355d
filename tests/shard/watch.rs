//! What is told of changes, and what is not.

use std::sync::Arc;
use std::time::Duration;

use rialto::base::{ClientSlot, PrefixSlot};
use rialto::server::query::{
    ShardQuery, ShardReply, TableChange, WatchAnswer, WatchQuestion, Which,
};

use crate::bench::Bench;

fn watch(bench: &mut Bench, after: u64, limit: u32) -> WatchAnswer {
    watch_sent(bench, after, limit, &[])
}

/// What is sent to some is asked for, too.
fn watch_sent(bench: &mut Bench, after: u64, limit: u32, to: &[u16]) -> WatchAnswer {
    let question = WatchQuestion {
        after,
        limit,
        named: Arc::new(to.iter().copied().map(ClientSlot).collect()),
    };
    match bench.ask(ShardQuery::Watch(question)) {
        ShardReply::Watched(answer) => answer,
        other => panic!("Watch was answered with {other:?}"),
    }
}

#[test]
fn changes_come_in_pieces_and_each_once() {
    let mut bench = Bench::new();
    let first = watch(&mut bench, 0, 10);
    assert!(first.has_missed, "only the table knows what there was");
    bench.announce(0, 1, 0..25);
    bench.turn_after(Duration::from_secs(1));
    let (mut last, mut told) = (first.last, Vec::new());
    loop {
        let answer = watch(&mut bench, last, 10);
        assert!(!answer.has_missed && answer.changes.len() <= 10);
        last = answer.last;
        told.extend(answer.changes);
        if !answer.has_more {
            break;
        }
    }
    let count = |is: fn(&TableChange) -> bool| told.iter().filter(|change| is(change)).count();
    assert_eq!(count(|it| matches!(it, TableChange::Heard { .. })), 25);
    assert_eq!(count(|it| matches!(it, TableChange::Best { .. })), 25);
    assert_eq!(told.len(), 50);
    assert!(watch(&mut bench, last, 10).changes.is_empty());
}

#[test]
fn who_is_too_late_is_told_so() {
    let cases: [(&str, u32, u64, bool); 4] = [
        ("in time", 10, 9, false),
        ("silent for more than ten seconds", 10, 11, true),
        ("few enough changes to be kept", 32_000, 1, false),
        ("more changes than are kept", 33_000, 1, true),
    ];
    for (case, count, silent_s, is_late) in cases {
        let mut bench = Bench::new();
        let first = watch(&mut bench, 0, 10);
        bench.announce(0, 1, 0..count);
        bench.turn_after(Duration::from_secs(silent_s));
        let answer = watch(&mut bench, first.last, u32::MAX);
        assert_eq!(answer.has_missed, is_late, "{case}");
        let told = if is_late { 0 } else { 2 * count };
        assert_eq!(answer.changes.len(), told as usize, "{case}");
        bench.announce(1, 1, 0..1);
        bench.turn_after(Duration::from_secs(1));
        let after = watch(&mut bench, answer.last, u32::MAX);
        assert!(!after.has_missed, "{case}: from there on all is told");
        assert!(!after.changes.is_empty(), "{case}");
    }
}

/// A row that nobody was told of yet would stay for ever if it went before the next flush.
#[test]
fn rows_are_not_ahead_of_what_is_told() {
    let mut bench = Bench::new();
    let first = watch(&mut bench, 0, 10);
    bench.announce(0, 1, 0..1);
    let rows = ShardQuery::Routes {
        slot: ClientSlot(0),
        which: Which::Received,
        cursor: PrefixSlot(0),
        limit: 10,
    };
    let ShardReply::Routes { rows, next: None } = bench.ask(rows) else {
        panic!("Routes was answered with something else");
    };
    assert_eq!(rows.len(), 1);
    bench.withdraw(0, 0..1);
    bench.turn_after(Duration::from_secs(1));
    let told = watch(&mut bench, first.last, 10).changes;
    let is_gone = |change: &TableChange| matches!(change, TableChange::Gone { .. });
    assert!(told.iter().any(is_gone), "{told:?}");
}

#[test]
fn who_is_named_is_told_of_what_it_is_sent_and_of_nobody_elses() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    let first = watch_sent(&mut bench, 0, 10, &[1]);
    bench.announce(0, 1, 0..1);
    bench.turn_after(Duration::from_secs(1));
    bench.withdraw(0, 0..1);
    bench.turn_after(Duration::from_secs(1));
    let told = watch_sent(&mut bench, first.last, 10, &[1]);
    assert!(!told.has_missed);
    let sent: Vec<(ClientSlot, bool)> = (told.changes.iter())
        .filter_map(|change| match change {
            TableChange::Sent { to, .. } => Some((*to, true)),
            TableChange::Unsent { to, .. } => Some((*to, false)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(ClientSlot(1), true), (ClientSlot(1), false)]);
    let others = watch_sent(&mut bench, told.last, 10, &[1, 3]);
    bench.join(2, 3);
    let told = watch_sent(&mut bench, others.last, 10, &[1, 3]);
    let live = |change: &TableChange| match change {
        TableChange::Live { client } => Some(*client),
        _ => None,
    };
    let live: Vec<_> = told.changes.iter().filter_map(live).collect();
    assert_eq!(live, [ClientSlot(3)]);
}

#[test]
fn what_a_new_session_hears_again_is_told_again() {
    let cases = [
        ("before the sweep has come to it", false),
        ("after it", true),
    ];
    for (case, is_swept) in cases {
        let mut bench = Bench::new();
        bench.announce(0, 1, 0..3);
        bench.turn_after(Duration::from_secs(1));
        let first = watch(&mut bench, 0, 10);
        bench.down(0);
        if is_swept {
            bench.turn_after(Duration::from_secs(1));
        }
        bench.up(0);
        bench.announce(0, 1, 0..3);
        bench.announce(0, 1, 0..3);
        bench.turn_after(Duration::from_secs(1));
        let told = watch(&mut bench, first.last, 100).changes;
        let is_heard = |change: &&TableChange| matches!(change, TableChange::Heard { .. });
        assert_eq!(told.iter().filter(is_heard).count(), 3, "{case}");
    }
}

#[test]
fn who_is_named_later_has_to_be_looked_up_and_nobody_else() {
    let mut bench = Bench::new();
    let first = watch(&mut bench, 0, 10);
    bench.announce(0, 1, 0..2);
    bench.turn_after(Duration::from_secs(1));
    let question = WatchQuestion {
        after: first.last,
        limit: 100,
        named: Arc::new(rialto::base::ClientSet::only(ClientSlot(3))),
    };
    let ShardReply::Watched(answer) = bench.ask(ShardQuery::Watch(question)) else {
        panic!("Watch was answered with something else");
    };
    assert!(!answer.has_missed);
    let count = |is: fn(&TableChange) -> bool| answer.changes.iter().filter(|it| is(it)).count();
    assert_eq!(count(|it| matches!(it, TableChange::Heard { .. })), 2);
    let is_live = |it: &TableChange| {
        matches!(
            it,
            TableChange::Live {
                client: ClientSlot(3)
            }
        )
    };
    assert_eq!(count(is_live), 1);
}

#[test]
fn all_paths_come_in_pieces_with_each_prefix_whole() {
    let mut bench = Bench::new();
    (0..3).for_each(|slot| bench.announce(slot, slot + 1, 0..20));
    bench.turn_after(Duration::from_secs(1));
    let (mut cursor, mut rows) = (PrefixSlot(0), Vec::new());
    loop {
        let ShardReply::Routes { rows: piece, next } =
            bench.ask(ShardQuery::Paths { cursor, limit: 7 })
        else {
            panic!("Paths was answered with something else");
        };
        assert!(piece.len() <= 9 && piece.len() % 3 == 0, "{}", piece.len());
        rows.extend(piece);
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    let prefixes: Vec<_> = rows.chunks(3).map(|paths| paths[0].prefix).collect();
    assert_eq!(
        prefixes,
        (0..20).map(crate::bench::prefix).collect::<Vec<_>>()
    );
    assert!(
        rows.chunks(3)
            .all(|paths| paths.iter().all(|row| row.prefix == paths[0].prefix))
    );
}
