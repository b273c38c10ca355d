//! The one reader of the data path, and what its subscribers are told.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rialto::base::{ClientSet, ClientSlot};
use rialto::config::{Inputs, Overrides, compile, load};
use rialto::manage::follow::{Follow, News, Subscription, Wants};
use rialto::server::query::{TableChange, TappedWhat};
use rialto::session::DownReason;
use rialto::wire::testing::SetBuilder;

use super::fake::Fake;
use super::{HEAD, THREE};

const PLENTY: usize = 1 << 20;

fn with_follow<T: Future<Output = ()>>(test: impl FnOnce(Arc<Fake>, Follow) -> T) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rialto.toml");
    std::fs::write(&file, format!("{HEAD}{THREE}")).unwrap();
    let config = load(&file).unwrap();
    let (overrides, inputs) = (Overrides::default(), Inputs::default());
    let exchange = Arc::new(compile(&config, &overrides, &inputs, None));
    let data = Arc::new(Fake::new(exchange));
    (0..3).for_each(|slot| data.up(slot));
    let mut tokio = tokio::runtime::Builder::new_current_thread();
    let tokio = tokio.enable_all().build().unwrap();
    tokio.block_on(test(data.clone(), Follow::new(data)));
}

fn announce(data: &Fake, slot: u16, count: u8) {
    let set = Arc::new(
        SetBuilder::new()
            .as_path(&[10001 + u32::from(slot)])
            .build(),
    );
    for index in 0..count {
        data.announce(slot, &format!("203.0.{index}.0/24"), &set, None);
    }
}

/// What comes, until nothing comes for a while. In short words.
async fn told(subscription: &mut Subscription) -> Vec<String> {
    let mut told = Vec::new();
    while let Ok(news) = tokio::time::timeout(Duration::from_millis(500), subscription.next()).await
    {
        told.push(match news {
            News::TableBegins { shard, has_missed } => format!("table {shard} {has_missed}"),
            News::SessionsBegin { core, has_missed } => format!("sessions {core} {has_missed}"),
            News::Lagged => "lagged".to_owned(),
            News::Changed { change, .. } => match &*change {
                TableChange::Heard { announcer, .. } => format!("heard {announcer}"),
                TableChange::Best { announcer, .. } => format!("best {announcer}"),
                TableChange::Sent { to, .. } => format!("sent {to}"),
                TableChange::Live { client } => format!("live {client}"),
                other => format!("{other:?}"),
            },
            News::Tapped { entry, .. } => match &entry.what {
                TappedWhat::Received(_) => format!("received {}", entry.slot),
                TappedWhat::ReceivedOther(_) => format!("other {}", entry.slot),
                TappedWhat::Down(_) => format!("down {}", entry.slot),
                other => format!("{other:?}"),
            },
        });
    }
    told
}

fn only(slot: u16) -> ClientSet {
    ClientSet::only(ClientSlot(slot))
}

fn tables() -> Wants {
    Wants {
        tables: true,
        ..Wants::default()
    }
}

#[test]
fn each_is_told_what_it_wants_after_the_beginning() {
    with_follow(|data, follow| async move {
        data.make_live(3);
        let mut table = follow.subscribe(tables(), PLENTY);
        let sessions = Wants {
            sessions: true,
            received: only(1),
            ..Wants::default()
        };
        let mut sessions = follow.subscribe(sessions, PLENTY);
        assert_eq!(told(&mut table).await, ["table 0 false", "table 1 false"]);
        assert_eq!(told(&mut sessions).await, ["sessions 0 false"]);

        announce(&data, 0, 1);
        data.tap(0, TappedWhat::Received(vec![1].into()));
        data.tap(1, TappedWhat::Received(vec![2].into()));
        data.tap(0, TappedWhat::ReceivedOther(vec![3].into()));
        data.tap(1, TappedWhat::ReceivedOther(vec![4].into()));
        data.tap(1, TappedWhat::Down(DownReason::PeerClosed));
        assert_eq!(told(&mut table).await, ["heard 0", "best 0"]);
        assert_eq!(
            told(&mut sessions).await,
            ["received 1", "other 1", "down 1"]
        );
    });
}

#[test]
fn a_second_subscriber_begins_without_disturbing_the_first() {
    with_follow(|data, follow| async move {
        data.make_live(3);
        let mut first = follow.subscribe(tables(), PLENTY);
        told(&mut first).await;
        let out = Wants {
            adj_rib_out: only(2),
            ..Wants::default()
        };
        let mut second = follow.subscribe(out.clone(), PLENTY);
        let begun = told(&mut second).await;
        assert!(begun.contains(&"table 0 false".to_owned()), "{begun:?}");
        assert_eq!(told(&mut first).await, [""; 0], "it misses nothing");
        announce(&data, 0, 1);
        assert_eq!(told(&mut second).await, ["sent 2"]);
        assert_eq!(told(&mut first).await, ["heard 0", "best 0"]);

        second.want(Wants {
            adj_rib_out: [1, 2].map(ClientSlot).into_iter().collect(),
            ..out
        });
        let begun = told(&mut second).await;
        assert!(begun.contains(&"table 0 false".to_owned()), "{begun:?}");
        assert!(begun.contains(&"live 1".to_owned()), "{begun:?}");
    });
}

#[test]
fn who_is_too_slow_is_told_so_and_begins_anew() {
    with_follow(|data, follow| async move {
        let mut slow = follow.subscribe(tables(), 1000);
        let mut quick = follow.subscribe(tables(), PLENTY);
        told(&mut slow).await;
        told(&mut quick).await;
        announce(&data, 0, 20);
        let heard = |told: &[String]| told.iter().filter(|one| *one == "heard 0").count();
        let all = told(&mut quick).await;
        assert_eq!(heard(&all), 20);
        let little = told(&mut slow).await;
        let begins = ["table 0 false".to_owned(), "table 1 false".to_owned()];
        assert_eq!(little.first().map(String::as_str), Some("lagged"));
        assert!(begins.iter().all(|one| little.contains(one)), "{little:?}");
        assert!(heard(&little) < 20);
        announce(&data, 1, 1);
        assert_eq!(told(&mut slow).await, ["heard 1"], "and goes on from there");
    });
}

#[test]
fn nothing_is_asked_while_nobody_subscribes() {
    with_follow(|data, follow| async move {
        let questions = || data.with(|state| state.questions);
        assert_eq!(questions(), 0);
        for _ in 0..2 {
            let mut subscription = follow.subscribe(tables(), PLENTY);
            told(&mut subscription).await;
            assert!(questions() > 0);
            drop(subscription);
            tokio::time::sleep(Duration::from_millis(200)).await;
            let asked = questions();
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(questions(), asked);
        }
    });
}
