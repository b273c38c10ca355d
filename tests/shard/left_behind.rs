//! Paths that outlive several sessions of their client, one after another (RFC 9494 §4.2).

use std::time::Duration;

use crate::bench::{Bench, prefix};

/// Client 3 takes long-lived routes.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.back(3);
    bench.join(1, 3);
    bench
}

#[test]
fn what_a_refresh_had_ended_stays_dead_through_all_sessions_that_follow() {
    let mut bench = bench();
    bench.announce(0, 1, 0..4);
    bench.turn_after(Duration::from_secs(1));
    bench.refresh(0, 1, 0..2);
    // Nothing is swept in between.
    for _ in 0..3 {
        bench.leave(0);
        bench.back(0);
    }
    bench.leave(0);
    bench.turn_after(Duration::from_secs(1));
    let held: Vec<_> = bench.held_by(3).into_keys().collect();
    assert_eq!(held, [prefix(0), prefix(1)]);
    assert_eq!((bench.stats().paths, bench.stats().stale[0][0]), (2, 2));
}

/// The client's core judges by limits all that is kept.
#[test]
fn what_stays_of_sessions_before_counts_with_the_last() {
    let mut bench = bench();
    bench.announce(0, 1, 0..10);
    bench.turn();
    bench.leave(0);
    bench.back(0);
    bench.announce(0, 1, 0..4);
    bench.announce(0, 1, 10..13);
    bench.withdraw(0, 9..10);
    bench.turn();
    assert_eq!(bench.counted(0), [7, 7]);
    bench.leave(0);
    bench.turn();
    assert_eq!(bench.counted(0), [12, 12]);
    assert_eq!(bench.stats().stale[0][0], 12);
}

#[test]
fn what_is_accepted_of_sessions_before_is_what_a_reload_has_made_of_it() {
    let mut bench = bench();
    bench.announce(0, 1, 0..10);
    bench.turn();
    bench.leave(0);
    bench.reload_with_nothing_accepted_from(0);
    bench.turn();
    bench.back(0);
    bench.leave(0);
    bench.turn();
    assert_eq!(bench.counted(0), [10, 0]);
}
