//! What is well formed, or no answer at all, and must not be taken for what it seems to say.

use std::time::Duration;

use rialto::outside::rtr::{CacheState, CacheStatus, RpkiFeed, RtrCaches};
use tokio::time::timeout;

use super::cache::{Cache, Says, vrp};
use super::{PATIENCE, aspa, config, wait_for, wait_for_status, wait_for_vrps};

/// Whole and well formed, and yet nobody's wish: all that was Invalid would be NotFound.
#[tokio::test]
async fn a_cache_that_has_nothing_any_more_is_lost() {
    let is_empty = |status: &CacheStatus| {
        let last = status.last_error.as_deref();
        status.state == CacheState::NoData && last.is_some_and(|last| last.contains("not a single"))
    };
    for (case, is_load) in [("all is withdrawn", false), ("a load is empty", true)] {
        let preferred = Cache::start(Says::new(5, 1..4)).await;
        let other = Cache::start(Says::new(6, 1..5)).await;
        let caches = RtrCaches::start(config(&[&preferred, &other]));
        let mut feed = caches.feed();
        wait_for_vrps(&mut feed, 1..4).await;
        let both = |status: &CacheStatus| status.state == CacheState::Synchronised;
        wait_for_status(&caches, 1, case, both).await;
        feed.mark_unchanged();
        preferred.says().set([]);
        if is_load {
            preferred.says().forget();
        }
        preferred.notify();
        let status = wait_for_status(&caches, 0, case, is_empty).await;
        assert_eq!(status.vrp_count, 3, "{case}: what holds is shown");
        let changed = timeout(PATIENCE, feed.changed()).await;
        changed.expect(case).expect("the tasks run");
        let held = feed.borrow_and_update().clone().expect(case);
        assert!(held.vrps.iter().eq((1..5).map(vrp)), "{case}: the other's");
        // It is asked without a notification.
        preferred.says().set(2..4);
        wait_for_vrps(&mut feed, 2..4).await;
    }
}

#[tokio::test]
async fn where_no_other_cache_answers_what_an_empty_one_said_holds_until_it_expires() {
    let cache = Cache::start(Says::new(5, 1..4)).await;
    let mut config = config(&[&cache]);
    config.expire = Duration::from_millis(1500);
    let caches = RtrCaches::start(config);
    let mut feed = caches.feed();
    wait_for_vrps(&mut feed, 1..4).await;
    feed.mark_unchanged();
    cache.set([]);
    let no_data = |status: &CacheStatus| status.state == CacheState::NoData;
    let status = wait_for_status(&caches, 0, "it to be empty", no_data).await;
    assert!(status.is_in_use, "{status:?}");
    assert!(!feed.has_changed().unwrap());
    wait_for(&mut feed, "the data to expire", |feed| feed.is_none()).await;
    assert!(!caches.statuses()[0].is_in_use);
}

/// A cut connection is no word of the cache: ASPAs are not given up for it.
#[tokio::test]
async fn connections_that_are_cut_cost_no_version_for_long() {
    let says = |cuts| {
        let mut says = Says::new(5, 1..4);
        (says.cuts, says.aspas) = (cuts, vec![aspa(1, &[2])]);
        says
    };
    // Before it was ever heard, a lower version is tried, and then the highest again.
    let cache = Cache::start(says(2)).await;
    let mut config = config(&[&cache]);
    config.timing.climb = Duration::from_millis(300);
    let caches = RtrCaches::start(config);
    let mut feed = caches.feed();
    assert!(!wait_for_vrps(&mut feed, 1..4).await.has_aspa);
    let has_aspa = |feed: Option<&RpkiFeed>| feed.is_some_and(|feed| feed.has_aspa);
    wait_for(&mut feed, "ASPAs, without a gap", |feed| {
        assert!(feed.is_some());
        has_aspa(feed)
    })
    .await;
    let queries = cache.says().queries.clone();
    assert_eq!(queries, [('R', 2), ('R', 2), ('R', 1), ('R', 2)]);

    // What it has spoken it speaks still.
    let address = cache.address;
    drop(cache);
    let what = "the loss to be noticed";
    wait_for_status(&caches, 0, what, |status| status.state == CacheState::Down).await;
    let mut back = says(4);
    back.set(1..5);
    let cache = Cache::start_at(address, back).await;
    assert!(wait_for_vrps(&mut feed, 1..5).await.has_aspa);
    assert_eq!(cache.says().queries, [('S', 2); 5]);
}
