//! What a BMP collector is told, compared with the tables.
#![allow(clippy::disallowed_methods, reason = "a collector keeps real time")]

use std::sync::Arc;
use std::time::Instant;

use bgpkit_parser::parser::bmp::messages::PeerDownReason;
use rialto::policy::RejectReason;
use rialto::server::query::TappedWhat;
use rialto::session::DownReason;
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, Notification};

use super::collector::{Collector, SOON, Told};
use super::{HEAD, Server, THREE};

fn set_of(asns: &[u32], last: u8, large: &[(u32, u32, u32)]) -> Arc<AttributeSet> {
    let next_hop = [192, 0, 2, last];
    SetBuilder::new()
        .as_path(asns)
        .next_hop(next_hop)
        .large(large)
        .build()
}

const ALL: &str = "monitor = [\"pre_policy\", \"post_policy\", \"loc_rib\"]\nadj_rib_out = [\"third\"]\nstatistics_s = 1\n";

/// Three clients that are up; the second one's route for the prefix of both is the worse one, and goes to
/// the third alone.
fn server(collector: &Collector, lines: &str) -> Server {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| {
        server.data.up(slot);
        server.data.session(slot);
    });
    server.data.make_live(3);
    let short = set_of(&[10001], 1, &[]);
    let long = set_of(&[10002, 7], 2, &[(5, 5, 5), (64500, 1, 10003)]);
    server.data.announce(0, "203.0.113.0/24", &short, None);
    server.data.announce(1, "203.0.113.0/24", &long, None);
    server.data.announce(1, "198.51.100.0/24", &long, None);
    let rejected = Some(RejectReason::BogonPrefix);
    server.data.announce(1, "10.0.0.0/8", &long, rejected);
    // By now there is something to tell.
    server.write_clients(&format!("{}{THREE}", collector.config(lines)));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    server
}

const SHORT: &str = "10001 via 192.0.2.1 []";
const LONG: &str = "10002 7 via 192.0.2.2 [5:5:5 64500:1:10003]";
/// As it goes out: control communities are for the server.
const LONG_OUT: &str = "10002 7 via 192.0.2.2 [5:5:5]";

#[test]
fn a_collector_has_all_tables_and_all_that_changes() {
    let mut collector = Collector::new();
    let server = server(&collector, ALL);
    collector.accept();
    // Three tables of two families of the third, two of the others, and Loc-RIB.
    collector.wait("all tables", |told| told.ended.len() == 6 + 4 + 4 + 2);
    let told = &collector.told;
    assert_eq!(told.events[0], "initiation");
    let loc_rib = "up loc-rib AS64500 192.0.2.254 (0.0.0.0, 0, 0) true tlvs 1";
    assert_eq!(told.events[1], loc_rib, "{:#?}", told.events);
    let third = "up pre 192.0.2.3 AS10003 192.0.2.3 (192.0.2.254, 179, 40002) false tlvs 0";
    assert!(told.has_event(third), "{:#?}", told.events);
    assert_eq!(told.events.len(), 5);
    let due = [
        ("pre 192.0.2.1", vec![format!("203.0.113.0/24 {SHORT}")]),
        ("post 192.0.2.1", vec![format!("203.0.113.0/24 {SHORT}")]),
        (
            "pre 192.0.2.2",
            ["10.0.0.0/8", "198.51.100.0/24", "203.0.113.0/24"]
                .map(|it| format!("{it} {LONG}"))
                .into(),
        ),
        (
            "post 192.0.2.2",
            ["198.51.100.0/24", "203.0.113.0/24"]
                .map(|it| format!("{it} {LONG}"))
                .into(),
        ),
        (
            "loc-rib",
            vec![
                format!("198.51.100.0/24 {LONG}"),
                format!("203.0.113.0/24 {SHORT}"),
            ],
        ),
        (
            "out 192.0.2.3",
            vec![
                format!("198.51.100.0/24 {LONG_OUT}"),
                format!("203.0.113.0/24 {SHORT}"),
            ],
        ),
    ];
    for (table, due) in &due {
        assert_eq!(told.routes(table), *due, "{table}");
    }
    assert_eq!(told.tables.len(), due.len(), "{:?}", told.tables.keys());
    assert!(told.zero_times > 0, "when it was heard is not known");

    // What was accepted is rejected now, what was best is gone.
    let data = &server.data;
    let rejected = Some(RejectReason::BogonPrefix);
    data.announce(0, "203.0.113.0/24", &set_of(&[10001], 1, &[]), rejected);
    data.announce(2, "192.88.0.0/16", &set_of(&[10003], 3, &[]), None);
    collector.wait("what changed", |told| {
        told.routes("loc-rib").len() == 3
            && told.routes("out 192.0.2.3")[1].contains("10002 7")
            && !told.routes("pre 192.0.2.3").is_empty()
    });
    let told = &collector.told;
    assert_eq!(told.routes("post 192.0.2.1"), [""; 0]);
    assert_eq!(
        told.routes("pre 192.0.2.1"),
        [format!("203.0.113.0/24 {SHORT}")]
    );
    assert!(
        told.routes("loc-rib")
            .contains(&format!("203.0.113.0/24 {LONG}"))
    );

    collector.wait("statistics", |told| told.statistics.contains_key("loc-rib"));
    assert_eq!(
        collector.told.statistics["loc-rib"],
        [(8, 3), (10, 3), (10, 0)]
    );
}

#[test]
fn sessions_that_end_and_come_back_are_told_with_the_reason() {
    let mut collector = Collector::new();
    let server = server(&collector, "");
    collector.accept();
    collector.wait("all tables", |told| told.ended.len() == 6);
    assert!(
        collector
            .told
            .tables
            .keys()
            .all(|table| table.starts_with("pre "))
    );
    let cease = || Notification::new(6, 4, *b"\x03new");
    let stopped = || DownReason::Stopped {
        notification: cease(),
        message: String::new(),
    };
    let cases = [
        (
            stopped(),
            PeerDownReason::LocalSystemClosedNotificationPduFollows,
            vec![0, 25, 3, 6, 4, 3, 110, 101, 119],
        ),
        (
            DownReason::PeerNotification(cease()),
            PeerDownReason::RemoteSystemClosedNotificationPduFollows,
            vec![0, 25, 3, 6, 4, 3, 110, 101, 119],
        ),
        (
            DownReason::PeerClosed,
            PeerDownReason::RemoteSystemsClosedNoData,
            vec![],
        ),
        (
            DownReason::HoldTimer { hold_time_s: 90 },
            PeerDownReason::LocalSystemClosedNotificationPduFollows,
            vec![0, 21, 3, 4, 0],
        ),
        (
            DownReason::Restarting,
            PeerDownReason::LocalSystemClosedFsmEvenFollows,
            vec![0, 2],
        ),
        (
            DownReason::SendHoldTimer {
                send_hold_time_s: 480,
            },
            PeerDownReason::LocalSystemClosedFsmEvenFollows,
            vec![0, 29],
        ),
    ];
    for (index, (why, reason, data)) in (1u64..).zip(cases) {
        server.data.tap(0, TappedWhat::Down(why));
        let due = format!("down pre 192.0.2.1 {reason:?} {data:?}");
        collector.wait(&due, |told| told.events.last() == Some(&due));
        assert_eq!(collector.told.routes("pre 192.0.2.1"), [""; 0]);
        let mut up = (*server.data.session(0)).clone();
        up.since = rialto::base::Time::from_secs(1000 + index);
        server.data.with(|state| {
            let slot = rialto::base::ClientSlot(0);
            let at = up.since;
            let what = TappedWhat::Up(Arc::new(up));
            state
                .tapped
                .push(rialto::server::query::Tapped { at, slot, what });
            // A Down is of the session before where it was earlier.
            state.now = at;
        });
        collector.wait("it is back", |told| {
            told.events.last().unwrap().starts_with("up pre 192.0.2.1")
        });
    }
}

#[test]
fn who_never_reads_is_cut_off_and_begins_anew_and_nobody_else_notices() {
    let mut idle = Collector::new();
    let mut other = Collector::new();
    let lines = format!("queue_octets_max = 65536\n{}", other.config(""));
    let server = server(&idle, &lines);
    idle.accept();
    other.accept();
    other.wait("all tables", |told| told.ended.len() == 6);
    // More than what the kernel keeps for a socket.
    let mut announced = 0u32;
    let mut again = None;
    let deadline = Instant::now() + 3 * SOON;
    while again.is_none() {
        assert!(Instant::now() < deadline, "it is still not cut off");
        for _ in 0..200 {
            let set = SetBuilder::new().as_path(&[10003, 7 + announced]);
            let set = set.next_hop([192, 0, 2, 3]);
            let set = set.attribute(0xd0, 250, vec![7; 3500]).build();
            let prefix = format!("100.{}.{}.0/24", announced / 256 % 64, announced % 256);
            server.data.announce(2, &prefix, &set, None);
            announced += 1;
        }
        // Questions are answered all the while.
        assert_eq!(server.get("/api/v1/summary").0, 200);
        let so_far = announced.min(64 * 256) as usize;
        other.wait("the other", |told| {
            told.routes("pre 192.0.2.3").len() == so_far
        });
        again = idle.listener.accept().ok();
    }
    let count = announced.min(64 * 256) as usize;
    let has_all = |told: &Told| told.routes("pre 192.0.2.3").len() == count;
    // What was announced last may have been too much once more.
    idle.adopt(again.unwrap().0);
    loop {
        idle.wait("all, or the end", |told| {
            has_all(told) || told.has_event("closed")
        });
        if has_all(&idle.told) {
            break;
        }
        idle.accept();
    }
    assert_eq!(idle.told.events[0], "initiation");
    assert!(!other.told.has_event("closed"), "{:?}", other.told.events);
    assert_eq!(idle.told.tables, other.told.tables);
}

#[test]
fn a_reload_begins_and_ends_what_collectors_are_told() {
    let mut collector = Collector::new();
    let server = server(&collector, "");
    collector.accept();
    collector.wait("all tables", |told| told.ended.len() == 6);
    server.write_clients(&format!(
        "{}{THREE}",
        collector.config("monitor = [\"loc_rib\"]\n")
    ));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("bmp"), "{text}");
    collector.wait("the end", |told| told.has_event("closed"));
    let events = &collector.told.events;
    let termination = "termination AdministrativelyClosed";
    assert_eq!(events[events.len() - 2..], [termination, "closed"]);
    collector.accept();
    collector.wait("Loc-RIB", |told| told.ended.len() == 2);
    assert_eq!(
        collector.told.tables.keys().collect::<Vec<_>>(),
        ["loc-rib"]
    );

    server.write_clients(THREE);
    server.says(&["reload"]);
    collector.wait("the end", |told| told.has_event("closed"));
    let events = &collector.told.events;
    let down = "down loc-rib LocalSystemClosedTlvDataFollows";
    assert!(events[events.len() - 3].starts_with(down), "{events:?}");
    let termination = "termination PermanentlyAdministrativelyClosed";
    assert_eq!(events[events.len() - 2..], [termination, "closed"]);
    server.write_clients(&format!("{}{THREE}", collector.config("")));
    server.says(&["reload"]);
    collector.accept();
    collector.wait("all tables", |told| told.ended.len() == 6);
    server.stop(|| ());
    collector.wait("the end", |told| told.has_event("closed"));
    assert!(
        collector.told.has_event("termination"),
        "{:?}",
        collector.told.events
    );
}

#[test]
fn wrong_words_about_collectors_are_told() {
    let collector = "[[bmp]]\ncollector = \"192.0.2.20:5000\"\n";
    let cases = [
        ("[[bmp]]\n".to_owned(), "bmp.collector: is missing"),
        (
            "[[bmp]]\ncollector = \"192.0.2.20\"\n".to_owned(),
            "an address and port",
        ),
        (
            format!("{collector}monitor = [\"adj_rib_in\"]\n"),
            "bmp.monitor",
        ),
        (
            format!("{collector}adj_rib_out = [\"x\"]\n"),
            "there is no client 'x'",
        ),
        (
            format!("{collector}{collector}"),
            "192.0.2.20:5000 is there already",
        ),
    ];
    for (section, due) in cases {
        let text = format!("{HEAD}{section}{THREE}");
        let problems = rialto::config::from_text(std::path::Path::new("x.toml"), &text);
        let problems = problems.unwrap_err().to_string();
        assert!(problems.contains(due), "{section}: {problems}");
    }
}
