//! The RTR client against caches on loopback that say what a test wants.

pub mod cache;
mod doubtful;

use std::sync::Arc;
use std::time::Duration;

use rialto::base::Asn;
use rialto::outside::rtr::pdu::{Intervals, Pdu, encode_pdu};
use rialto::outside::rtr::{CacheState, CacheStatus, RpkiFeed, RtrCaches, RtrConfig, RtrTiming};
use rialto::policy::{Aspa, Vrp};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use cache::{Cache, Refusal, Says, announced, vrp};

/// For what must happen; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Short times, so that nothing has to be waited for, but the loss of data.
fn config(caches: &[&Cache]) -> RtrConfig {
    let caches = caches.iter().map(|cache| cache.address).collect();
    let mut config = RtrConfig::new(caches, Duration::from_secs(600));
    config.timing = RtrTiming {
        pause: Duration::from_millis(20),
        pause_max: Duration::from_millis(100),
        no_data_retry: Duration::from_millis(50),
        gap: Duration::from_millis(20),
        settle: Duration::from_millis(200),
        patience: Duration::from_millis(300),
        ..RtrTiming::default()
    };
    config
}

type Feed = watch::Receiver<Option<Arc<RpkiFeed>>>;

/// The next state of the feed that is so; panics if none is.
async fn wait_for(
    feed: &mut Feed,
    what: &str,
    is_so: impl Fn(Option<&RpkiFeed>) -> bool,
) -> Option<Arc<RpkiFeed>> {
    if let Ok(found) = timeout(PATIENCE, feed.wait_for(|feed| is_so(feed.as_deref()))).await {
        return found.expect("the tasks run").clone();
    }
    panic!("waited for {what}");
}

async fn wait_for_vrps(feed: &mut Feed, numbers: impl IntoIterator<Item = u32>) -> Arc<RpkiFeed> {
    let due: Vec<Vrp> = numbers.into_iter().map(vrp).collect();
    let what = format!("{due:?}");
    let found = wait_for(feed, &what, |feed| {
        feed.is_some_and(|feed| feed.vrps.iter().eq(due.iter().copied()))
    });
    found.await.expect("it is there")
}

async fn wait_for_status(
    caches: &RtrCaches,
    cache: usize,
    what: &str,
    is_so: impl Fn(&CacheStatus) -> bool,
) -> CacheStatus {
    let ask = async {
        loop {
            let status = caches.statuses().swap_remove(cache);
            if is_so(&status) {
                return status;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    match timeout(PATIENCE, ask).await {
        Ok(status) => status,
        Err(_) => panic!("waited for {what}: {:?}", caches.statuses()),
    }
}

fn aspa(customer: u32, providers: &[u32]) -> Aspa {
    Aspa {
        customer: Asn(customer),
        providers: providers.iter().copied().map(Asn).collect(),
    }
}

#[tokio::test]
async fn a_cache_is_loaded() {
    let mut says = Says::new(5, [3, 1, 2]);
    says.aspas = vec![aspa(64496, &[64499, 64500])];
    let cache = Cache::start(says).await;
    let caches = RtrCaches::start(config(&[&cache]));
    let feed = wait_for_vrps(&mut caches.feed(), 1..4).await;
    assert_eq!(
        feed.aspas.providers(Asn(64496)),
        Some(&[Asn(64499), Asn(64500)][..])
    );
    assert!(feed.has_aspa);
    assert_eq!((&feed.source, feed.serial), (&cache.address.to_string(), 1));
    let status = caches.statuses().swap_remove(0);
    let expected = CacheStatus {
        address: cache.address,
        state: CacheState::Synchronised,
        is_in_use: true,
        version: Some(2),
        session: Some(5),
        serial: Some(1),
        vrp_count: 3,
        aspa_count: 1,
        updated_at: Some(feed.at),
        last_error: None,
    };
    assert_eq!(status, expected);
    assert_eq!(cache.says().queries, [('R', 2)]);
    let later = feed.at + Duration::from_secs(9);
    assert_eq!(status.update_age(later), Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn changes_come_with_notifications() {
    let cache = Cache::start(Says::new(5, 1..4)).await;
    let caches = RtrCaches::start(config(&[&cache]));
    let mut feed = caches.feed();
    wait_for_vrps(&mut feed, 1..4).await;
    cache.set(2..6);
    wait_for_vrps(&mut feed, 2..6).await;
    cache.set([9]);
    assert_eq!(wait_for_vrps(&mut feed, [9]).await.serial, 3);
    assert_eq!(cache.says().queries, [('R', 2), ('S', 2), ('S', 2)]);

    // The same content with another serial number is nothing new.
    feed.mark_unchanged();
    cache.set([9]);
    wait_for_status(&caches, 0, "serial 4", |status| status.serial == Some(4)).await;
    assert!(!feed.has_changed().unwrap());
}

#[tokio::test]
async fn changes_come_without_notifications() {
    let mut says = Says::new(5, 1..4);
    says.intervals.refresh_s = 1;
    let cache = Cache::start(says).await;
    let caches = RtrCaches::start(config(&[&cache]));
    wait_for_vrps(&mut caches.feed(), 1..4).await;
    cache.says().set(1..5);
    wait_for_vrps(&mut caches.feed(), 1..5).await;
}

#[tokio::test]
async fn a_burst_of_changes_comes_out_together() {
    let cache = Cache::start(Says::new(5, [0])).await;
    let caches = RtrCaches::start(config(&[&cache]));
    let mut feed = caches.feed();
    wait_for_vrps(&mut feed, [0]).await;
    let count = tokio::spawn(async move {
        let mut count = 0;
        while feed
            .borrow_and_update()
            .as_ref()
            .is_none_or(|feed| feed.vrps.len() != 1001)
        {
            feed.changed().await.expect("the tasks run");
            count += 1;
        }
        count
    });
    for last in 1..=1000 {
        cache.set(0..=last);
        tokio::task::yield_now().await;
    }
    let count = timeout(PATIENCE, count).await.expect("in time").unwrap();
    assert!(
        (1..100).contains(&count),
        "{count} changes of the feed for 1000"
    );
    let queries = cache.says().queries.len();
    assert!(queries < 100, "{queries} queries for 1000 changes");
}

/// What a cache does before it notifies, and what it sees then.
struct Amid {
    case: &'static str,
    act: fn(&mut Says),
    /// After the one for the load.
    queries: &'static [(char, u8)],
    /// Codes of Error Reports.
    errors: &'static [u16],
    last_error: &'static str,
}

#[tokio::test]
async fn what_a_cache_can_do_amid_a_session() {
    let cases = [
        Amid {
            case: "it has forgotten what has changed",
            act: |says| says.forget(),
            queries: &[('S', 2), ('R', 2)],
            errors: &[],
            last_error: "",
        },
        Amid {
            case: "it has begun a new session",
            act: |says| says.session = 6,
            queries: &[('R', 2)],
            errors: &[0],
            last_error: "it is in session 6 now, was in 5",
        },
        Amid {
            case: "it withdraws what it never announced",
            act: |says| says.extra = vec![announced(99, false)],
            queries: &[('S', 2), ('R', 2)],
            errors: &[6],
            last_error: "withdrew what it had not announced",
        },
        Amid {
            case: "it announces twice",
            act: |says| says.extra = vec![announced(3, true)],
            queries: &[('S', 2), ('R', 2)],
            errors: &[7],
            last_error: "announced twice",
        },
    ];
    for Amid {
        case,
        act,
        queries,
        errors,
        last_error,
    } in cases
    {
        let cache = Cache::start(Says::new(5, 1..4)).await;
        let caches = RtrCaches::start(config(&[&cache]));
        let mut feed = caches.feed();
        wait_for_vrps(&mut feed, 1..4).await;
        cache.says().set(2..5);
        act(&mut cache.says());
        cache.notify();
        // What was there stays until there is something else.
        let changed = feed.changed();
        timeout(PATIENCE, changed)
            .await
            .expect(case)
            .expect("the tasks run");
        let due: Vec<Vrp> = (2..5).map(vrp).collect();
        let held: Vec<Vrp> = feed.borrow().as_ref().expect(case).vrps.iter().collect();
        assert_eq!(held, due, "{case}");
        let says = cache.says();
        assert_eq!(says.queries[1..], *queries, "{case}");
        assert_eq!(says.errors, errors, "{case}");
        let error = caches
            .statuses()
            .swap_remove(0)
            .last_error
            .unwrap_or_default();
        assert!(error.contains(last_error), "{case}: {error}");
        assert_eq!(error.is_empty(), last_error.is_empty(), "{case}: {error}");
    }
}

#[tokio::test]
async fn caches_of_older_versions() {
    let cases = [
        (
            "one of version 1 says so",
            1,
            Refusal::Says,
            &[('R', 2), ('R', 1)][..],
        ),
        (
            "and hangs up",
            1,
            Refusal::SaysAndHangsUp,
            &[('R', 2), ('R', 1)],
        ),
        (
            "one of version 0 says so",
            0,
            Refusal::Says,
            &[('R', 2), ('R', 0)],
        ),
        (
            "one of version 0 answers so",
            0,
            Refusal::Answers,
            &[('R', 2)],
        ),
        (
            "one of version 0 does not say so",
            0,
            Refusal::Echoes,
            &[('R', 2), ('R', 1), ('R', 0)],
        ),
        (
            "one of version 0 hangs up without a word",
            0,
            Refusal::HangsUp,
            &[('R', 2), ('R', 2), ('R', 1), ('R', 1), ('R', 0)],
        ),
    ];
    for (case, version, refusal, queries) in cases {
        let mut says = Says::new(5, 1..4);
        (says.version_max, says.refusal) = (version, refusal);
        says.aspas = vec![aspa(1, &[2])];
        let cache = Cache::start(says).await;
        let caches = RtrCaches::start(config(&[&cache]));
        let mut feed = caches.feed();
        let loaded = wait_for_vrps(&mut feed, 1..4).await;
        assert!(!loaded.has_aspa, "{case}");
        assert_eq!(cache.says().queries, queries, "{case}");
        assert_eq!(caches.statuses()[0].version, Some(version), "{case}");
        cache.set(1..9);
        wait_for_vrps(&mut feed, 1..9).await;
        assert_eq!(cache.says().queries.last(), Some(&('S', version)), "{case}");
    }
}

/// As StayRTR 0.5.1 has it: the flags are not in the header.
#[tokio::test]
async fn aspas_of_an_old_draft_are_done_without() {
    let old = [2, 11, 0, 0, 0, 0, 0, 20, 1, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 8];
    let says = Says::new(5, 1..4);
    let cache = Cache::start(says).await;
    let response = encode_pdu(2, &Pdu::CacheResponse { session: 5 });
    cache.says().octets = Some([&response[..], &old].concat());
    let caches = RtrCaches::start(config(&[&cache]));
    let what = "the ASPA to be refused";
    wait_for_status(&caches, 0, what, |status| status.last_error.is_some()).await;
    cache.says().octets = None;
    let feed = wait_for_vrps(&mut caches.feed(), 1..4).await;
    assert!(!feed.has_aspa);
    let says = cache.says();
    assert_eq!((says.queries[0], says.errors[0]), (('R', 2), 9));
    assert_eq!(says.queries[1], ('R', 1));
}

#[tokio::test]
async fn a_cache_without_data_is_asked_again() {
    let mut says = Says::new(5, 1..4);
    says.has_data = false;
    let cache = Cache::start(says).await;
    let caches = RtrCaches::start(config(&[&cache]));
    let what = "a cache without data";
    wait_for_status(&caches, 0, what, |status| {
        status.state == CacheState::NoData
    })
    .await;
    cache.says().has_data = true;
    wait_for_vrps(&mut caches.feed(), 1..4).await;
    assert_eq!(
        caches.statuses()[0].last_error,
        None,
        "the connection has stayed"
    );
}

#[tokio::test]
async fn lost_data_hold_for_a_while() {
    let first = Cache::start(Says::new(5, 1..4)).await;
    let address = first.address;
    let mut config = config(&[&first]);
    config.expire = Duration::from_millis(500);
    let caches = RtrCaches::start(config);
    let mut feed = caches.feed();
    wait_for_vrps(&mut feed, 1..4).await;
    feed.mark_unchanged();
    drop(first);
    let what = "the loss to be noticed";
    wait_for_status(&caches, 0, what, |status| status.state == CacheState::Down).await;
    wait_for(&mut feed, "the data to expire", |feed| feed.is_none()).await;
    let status = caches.statuses().swap_remove(0);
    assert!(!status.is_in_use);
    assert!(status.last_error.is_some(), "{status:?}");

    // It comes back, with a new session.
    let second = Cache::start_at(address, Says::new(6, 3..7)).await;
    wait_for_vrps(&mut feed, 3..7).await;
    assert_eq!(second.says().queries.last(), Some(&('R', 2)));
}

#[tokio::test]
async fn a_cache_that_is_back_in_time_goes_on_where_it_was() {
    let first = Cache::start(Says::new(5, 1..4)).await;
    let address = first.address;
    let caches = RtrCaches::start(config(&[&first]));
    let mut feed = caches.feed();
    wait_for_vrps(&mut feed, 1..4).await;
    feed.mark_unchanged();
    drop(first);
    let what = "the loss to be noticed";
    wait_for_status(&caches, 0, what, |status| status.state == CacheState::Down).await;
    let mut says = Says::new(5, 1..4);
    says.set(1..5);
    let second = Cache::start_at(address, says).await;
    timeout(PATIENCE, feed.changed())
        .await
        .expect("a change")
        .unwrap();
    let held = feed.borrow_and_update().clone().expect("data all the time");
    assert!(held.vrps.iter().eq((1..5).map(vrp)));
    assert_eq!(second.says().queries, [('S', 2)]);
}

#[tokio::test]
async fn a_preferred_cache_is_used_while_it_answers_and_another_long_before_its_data_expire() {
    let preferred = Cache::start(Says::new(5, 1..4)).await;
    let address = preferred.address;
    let other = Cache::start(Says::new(6, 7..9)).await;
    let caches = RtrCaches::start(config(&[&preferred, &other]));
    let mut feed = caches.feed();
    wait_for_vrps(&mut feed, 1..4).await;
    let mut watched = caches.feed();
    let is_without_a_gap = tokio::spawn(async move {
        while watched.changed().await.is_ok() {
            if watched.borrow_and_update().is_none() {
                return false;
            }
        }
        true
    });
    let both = |status: &CacheStatus| status.state == CacheState::Synchronised;
    let status = wait_for_status(&caches, 1, "the other to be kept", both).await;
    assert!(!status.is_in_use);
    drop(preferred);
    let fallen_back = wait_for_vrps(&mut feed, 7..9).await;
    assert_eq!(fallen_back.source, other.address.to_string());
    let _preferred = Cache::start_at(address, Says::new(8, 1..5)).await;
    wait_for_vrps(&mut feed, 1..5).await;
    let in_use: Vec<bool> = caches
        .statuses()
        .iter()
        .map(|status| status.is_in_use)
        .collect();
    assert_eq!(in_use, [true, false]);
    drop(caches);
    assert!(is_without_a_gap.await.unwrap());
}

#[tokio::test]
async fn what_is_no_cache_or_a_broken_one_does_no_harm() {
    let load =
        |pdus: &[Pdu]| -> Vec<u8> { pdus.iter().flat_map(|pdu| encode_pdu(2, pdu)).collect() };
    let response = Pdu::CacheResponse { session: 5 };
    let one = Pdu::Vrp {
        vrp: vrp(1),
        is_announced: true,
    };
    let notify = Pdu::SerialNotify {
        session: 5,
        serial: 1,
    };
    let cases = [
        (
            "an HTTP server",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            false,
            "is it an RTR cache?",
        ),
        ("one that says nothing", Vec::new(), false, "sent nothing"),
        (
            "one that stops in the middle",
            load(&[response.clone(), one.clone()]),
            false,
            "sent nothing",
        ),
        (
            "one that stops amid a PDU",
            load(&[response.clone(), one.clone()])[..20].to_vec(),
            false,
            "sent nothing",
        ),
        (
            "one that sends for ever",
            load(&[response.clone(), one.clone()])[8..].to_vec(),
            true,
            "data where that cannot be",
        ),
        (
            "one that notifies for ever",
            load(&[notify]),
            true,
            "its answer is not over",
        ),
        (
            "one that answers for ever",
            load(&[response]),
            true,
            "a Cache Response where",
        ),
        (
            "one with a length out of bounds",
            vec![2, 10, 0, 0, 0xff, 0xff, 0xff, 0xff],
            false,
            "octets long",
        ),
    ];
    for (case, octets, is_endless, error) in cases {
        let mut says = Says::new(5, []);
        (says.octets, says.is_endless) = (Some(octets), is_endless);
        let broken = Cache::start(says).await;
        let sound = Cache::start(Says::new(6, 1..4)).await;
        let mut config = config(&[&broken, &sound]);
        config.timing.answer = Duration::from_millis(100);
        config.timing.exchange = Duration::from_millis(300);
        let caches = RtrCaches::start(config);
        let feed = wait_for_vrps(&mut caches.feed(), 1..4).await;
        assert_eq!(feed.source, sound.address.to_string(), "{case}");
        let is_so = |status: &CacheStatus| {
            let last = status.last_error.as_deref();
            last.is_some_and(|last| last.contains(error))
        };
        wait_for_status(&caches, 0, case, is_so).await;
    }
}

/// The bound is on what one cache says, however it says it.
#[tokio::test]
async fn there_is_a_bound_on_entries() {
    let cache = Cache::start(Says::new(5, 0..10)).await;
    let mut config = config(&[&cache]);
    config.entries_max = 10;
    let caches = RtrCaches::start(config.clone());
    let too_many = |status: &CacheStatus| {
        let last = status.last_error.as_deref();
        last.is_some_and(|last| last.contains("more than 10"))
    };
    // Ten VRPs and a router key.
    wait_for_status(&caches, 0, "a load to be too much", too_many).await;
    cache.says().set(0..9);
    wait_for_vrps(&mut caches.feed(), 0..9).await;
    cache.set(0..11);
    wait_for_status(&caches, 0, "changes to be too much", too_many).await;
    assert!(cache.says().errors.iter().all(|code| *code == 1));
}

#[tokio::test]
async fn data_hold_no_longer_than_the_cache_says() {
    // The bounds of RFC 8210 §6 are too long to wait for; that they are kept is what is seen here.
    let mut says = Says::new(5, 1..4);
    says.intervals = Intervals {
        refresh_s: 1,
        retry_s: 1,
        expire_s: 1,
    };
    let cache = Cache::start(says).await;
    let caches = RtrCaches::start(config(&[&cache]));
    let mut feed = caches.feed();
    wait_for_vrps(&mut feed, 1..4).await;
    feed.mark_unchanged();
    let asked = |says: &Says| says.queries.len() >= 4;
    let ask = async {
        while !asked(&cache.says()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, ask)
        .await
        .expect("it is asked each second");
    assert!(
        !feed.has_changed().unwrap(),
        "an interval under 600 s is one of 600 s"
    );
}
