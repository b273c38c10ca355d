//! In what form a BMP collector is told: path identifiers, the length of messages, statistics.

use std::sync::Arc;

use rialto::base::FamilySet;
use rialto::policy::RejectReason;
use rialto::server::query::{Tally, TappedWhat};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, EncodingClass};

use super::collector::Collector;
use super::{Server, THREE};

fn set_of(asns: &[u32], last: u8) -> Arc<AttributeSet> {
    let next_hop = [192, 0, 2, last];
    SetBuilder::new().as_path(asns).next_hop(next_hop).build()
}

fn tell(server: &Server, collector: &Collector, lines: &str) {
    server.write_clients(&format!("{}{THREE}", collector.config(lines)));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
}

const OUT: &str = "adj_rib_out = [\"third\"]\n";

#[test]
fn a_client_with_add_path_has_all_its_paths_told_and_withdrawn_by_their_identifiers() {
    let mut collector = Collector::new();
    let server = Server::start(THREE);
    let class = EncodingClass {
        add_path: FamilySet::ALL,
        ..EncodingClass::PLAIN
    };
    (0..2).for_each(|slot| {
        server.data.up(slot);
        server.data.session(slot);
    });
    server.data.up_as(2, class);
    server.data.session_as(2, class);
    server.data.make_live(3);
    let data = &server.data;
    data.announce(0, "203.0.113.0/24", &set_of(&[10001], 1), None);
    data.announce(1, "203.0.113.0/24", &set_of(&[10002, 7], 2), None);
    data.announce(1, "2001:db8::/32", &v6_set(), None);
    tell(&server, &collector, OUT);
    collector.accept();
    collector.wait("all tables", |told| told.ended.len() == 6 + 2);
    let first = "203.0.113.0/24 #1 10001 via 192.0.2.1 []";
    let second = "203.0.113.0/24 #2 10002 7 via 192.0.2.2 []";
    let v6 = "2001:db8::/32 #2 10002 via 2001:db8::2 []";
    let out = "out 192.0.2.3";
    assert_eq!(collector.told.routes(out), [v6, first, second]);
    // What it has from them is told without.
    let heard = collector.told.routes("pre 192.0.2.2");
    assert!(heard.iter().all(|route| !route.contains('#')), "{heard:?}");

    data.announce(0, "198.51.100.0/24", &set_of(&[10001], 1), None);
    data.announce(1, "198.51.100.0/24", &set_of(&[10002, 7], 2), None);
    data.withdraw(0, "203.0.113.0/24");
    data.withdraw(1, "2001:db8::/32");
    let third = "198.51.100.0/24 #1 10001 via 192.0.2.1 []";
    let fourth = "198.51.100.0/24 #2 10002 7 via 192.0.2.2 []";
    let due = [third, fourth, second];
    collector.wait("what changed", |told| told.routes(out) == due);
    let rejected = Some(RejectReason::BogonPrefix);
    data.announce(1, "203.0.113.0/24", &set_of(&[10002, 7], 2), rejected);
    data.withdraw(1, "198.51.100.0/24");
    collector.wait("the rest", |told| told.routes(out) == [third]);
}

fn v6_set() -> Arc<AttributeSet> {
    let next_hop: std::net::Ipv6Addr = "2001:db8::2".parse().unwrap();
    SetBuilder::new()
        .as_path(&[10002])
        .next_hop(next_hop)
        .build()
}

fn three_live() -> Server {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| {
        server.data.up(slot);
        server.data.session(slot);
    });
    server.data.make_live(3);
    server
}

/// What a collector knows of a session's messages it has from the OPENs.
#[test]
fn an_update_is_as_long_as_the_session_allows_unless_one_route_needs_more() {
    let mut collector = Collector::new();
    let server = three_live();
    for number in 0..2_500 {
        let prefix = format!("2001:db8::{number:x}/128");
        server.data.announce(1, &prefix, &v6_set(), None);
    }
    let lines = format!("monitor = [\"pre_policy\", \"loc_rib\"]\n{OUT}");
    tell(&server, &collector, &lines);
    collector.accept();
    collector.wait("all tables", |told| told.ended.len() == 6 + 2 + 2);
    for table in ["pre 192.0.2.2", "loc-rib", "out 192.0.2.3"] {
        assert_eq!(collector.told.routes(table).len(), 2_500, "{table}");
    }
    let longest = collector.told.longest;
    assert!((1_000..=4_096).contains(&longest), "{longest}");

    let long = SetBuilder::new().as_path(&[10001]).next_hop([192, 0, 2, 1]);
    let long = long.attribute(0xd0, 250, vec![7; 5_000]).build();
    server.data.announce(0, "203.0.113.0/24", &long, None);
    collector.wait("the long one", |told| {
        !told.routes("pre 192.0.2.1").is_empty() && told.routes("loc-rib").len() == 2_501
    });
    assert!(collector.told.longest > 5_000);
}

#[test]
fn statistics_are_those_that_are_counted() {
    let mut collector = Collector::new();
    let server = three_live();
    server.data.with(|state| {
        let status = &mut state.core.clients[0];
        status.treat_as_withdraw_count = 4;
        status.tally = Tally {
            rejected_prefixes: (1 << 32) + 5,
            duplicate_announcements: 6,
            duplicate_withdrawals: 7,
            duplicate_updates: 8,
            looped_updates: 9,
            treat_as_withdraw_prefixes: 10,
        };
    });
    let set = set_of(&[10001], 1);
    let rejected = Some(RejectReason::BogonPrefix);
    server.data.announce(0, "203.0.113.0/24", &set, None);
    server.data.announce(0, "10.0.0.0/8", &set, rejected);
    tell(&server, &collector, "statistics_s = 1\n");
    collector.accept();
    let is_sent = |figures: &Vec<(u16, u64)>| figures.iter().any(|(kind, _)| *kind == 15);
    collector.wait("what is sent is counted", |told| {
        let figures = told.statistics.get("pre 192.0.2.3");
        figures.is_some_and(is_sent) && told.statistics.len() == 3
    });
    // 7 received in IPv4, 3 in IPv6, as the fake core has it; one is rejected in the tables. A counter
    // wraps around.
    let due = [
        (0, 5),
        (1, 6),
        (2, 7),
        (4, 9),
        (7, 10),
        (11, 4),
        (12, 10),
        (13, 8),
        (15, 0),
        (9, 7),
        (17, 0),
        (21, 6),
        (22, 1),
        (9, 3),
        (17, 0),
        (21, 3),
        (22, 0),
    ];
    assert_eq!(collector.told.statistics["pre 192.0.2.1"], due);
    let third = &collector.told.statistics["pre 192.0.2.3"];
    assert!(
        third.contains(&(15, 1)) && third.contains(&(17, 1)),
        "{third:?}"
    );
    // Loc-RIB is not told, and so are its figures not.
    assert!(!collector.told.statistics.contains_key("loc-rib"));
}

#[test]
fn end_of_rib_of_what_a_client_that_came_up_later_is_sent_waits_for_no_word_of_the_client() {
    let mut collector = Collector::new();
    let server = Server::start(THREE);
    (0..2).for_each(|slot| {
        server.data.up(slot);
        server.data.session(slot);
    });
    server.data.make_live(2);
    let set = set_of(&[10001], 1);
    server.data.announce(0, "203.0.113.0/24", &set, None);
    tell(&server, &collector, OUT);
    collector.accept();
    collector.wait("all tables", |told| told.ended.len() == 4);
    server.data.up(2);
    let up = server.data.session(2);
    server.data.tap(2, TappedWhat::Up(up));
    collector.wait("it is up", |told| told.has_event("up pre 192.0.2.3"));
    assert!(collector.told.routes("out 192.0.2.3").is_empty());
    server.data.make_live(3);
    collector.wait("the end of what it is sent", |told| told.ended.len() == 6);
    let due = "203.0.113.0/24 10001 via 192.0.2.1 []";
    assert_eq!(collector.told.routes("out 192.0.2.3"), [due]);
    // It has said no End-of-RIB itself.
    let is_pre = |ended: &&String| ended.starts_with("pre 192.0.2.3");
    assert_eq!(collector.told.ended.iter().find(is_pre), None);
}
