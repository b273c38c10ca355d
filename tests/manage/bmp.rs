//! A BMP collector, which keeps what it is told and is compared with the tables.
#![allow(clippy::disallowed_methods, reason = "a collector keeps real time")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgpkit_parser::models::{BgpElem, ElemType};
use bgpkit_parser::parser::bmp::messages::{BmpMessage, BmpMessageBody, PeerDownReason, StatsData};
use bgpkit_parser::{Elementor, parse_bmp_msg};
use rialto::policy::RejectReason;
use rialto::server::query::TappedWhat;
use rialto::session::DownReason;
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, Notification};

use super::{HEAD, Server, THREE};

const SOON: Duration = Duration::from_secs(20);

/// A table by whose it is: "pre 192.0.2.1", "loc-rib".
type Tables = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Default, Debug)]
struct Told {
    /// All but routes and statistics, in short words.
    events: Vec<String>,
    tables: Tables,
    /// Tables of which End-of-RIB came, by family.
    ended: BTreeSet<String>,
    /// By peer.
    statistics: BTreeMap<String, Vec<(u16, u64)>>,
    zero_times: usize,
}

struct Collector {
    listener: TcpListener,
    stream: Option<TcpStream>,
    octets: Vec<u8>,
    told: Told,
}

impl Collector {
    fn new() -> Collector {
        Collector {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            stream: None,
            octets: Vec::new(),
            told: Told::default(),
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    fn config(&self, lines: &str) -> String {
        format!("[[bmp]]\ncollector = \"{}\"\n{lines}", self.address())
    }

    fn accept(&mut self) {
        self.listener.set_nonblocking(true).unwrap();
        let deadline = Instant::now() + SOON;
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(_) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("nobody connects: {error}"),
            }
        };
        self.adopt(stream);
    }

    fn adopt(&mut self, stream: TcpStream) {
        stream.set_nonblocking(false).unwrap();
        let patience = Some(Duration::from_millis(100));
        stream.set_read_timeout(patience).unwrap();
        self.stream = Some(stream);
        self.octets.clear();
        self.told = Told::default();
    }

    /// Reads until it has been told that.
    fn wait(&mut self, what: &str, is_so: impl Fn(&Told) -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so(&self.told) {
            assert!(
                Instant::now() < deadline,
                "{what}: not yet: {:#?}",
                self.told
            );
            self.read();
        }
    }

    fn read(&mut self) {
        let mut octets = [0; 65_536];
        let Ok(count) = self.stream.as_mut().unwrap().read(&mut octets) else {
            return;
        };
        if count == 0 {
            if !self.told.has_event("closed") {
                self.told.events.push("closed".to_owned());
            }
            return;
        }
        self.octets.extend_from_slice(&octets[..count]);
        while let Some(head) = self.octets.get(1..5) {
            let len = u32::from_be_bytes(head.try_into().unwrap()) as usize;
            if self.octets.len() < len {
                return;
            }
            let message: Vec<u8> = self.octets.drain(..len).collect();
            self.told.take(&message);
        }
    }
}

impl Told {
    fn take(&mut self, octets: &[u8]) {
        let message = parse_bmp_msg(&mut octets.to_vec().into()).expect("a BMP message");
        let BmpMessage {
            per_peer_header,
            message_body,
            ..
        } = message;
        let Some(peer) = per_peer_header else {
            return self.events.push(match message_body {
                BmpMessageBody::InitiationMessage(_) => "initiation".to_owned(),
                BmpMessageBody::TerminationMessage(_) => "termination".to_owned(),
                other => panic!("without a peer: {other:?}"),
            });
        };
        let view = match octets[6..8] {
            [0, flags] => match flags & 0x7f {
                0 => "pre",
                0x40 => "post",
                0x50 => "out",
                other => panic!("flags {other:#x}"),
            },
            [3, 0] => "loc-rib",
            ref other => panic!("peer type and flags {other:?}"),
        };
        let is_loc_rib = view == "loc-rib";
        assert_eq!(octets[7] & 0x80 != 0, !is_loc_rib && peer.peer_ip.is_ipv6());
        let name = match is_loc_rib {
            true => view.to_owned(),
            false => format!("{view} {}", peer.peer_ip),
        };
        let asn = peer.peer_asn.to_u32();
        match message_body {
            BmpMessageBody::PeerUpNotification(up) => {
                let ends = (up.local_addr, up.local_port, up.remote_port);
                let opens = up.sent_open == up.received_open;
                self.events.push(format!(
                    "up {name} AS{asn} {} {ends:?} {opens} tlvs {}",
                    peer.peer_bgp_id,
                    up.tlvs.len()
                ));
            }
            BmpMessageBody::PeerDownNotification(down) => {
                let data = down.data.unwrap_or_default();
                // The marker is not telling.
                let data = data.get(16..).unwrap_or(&data).to_vec();
                self.tables.retain(|table, _| !table.ends_with(&name[3..]));
                self.events
                    .push(format!("down {name} {:?} {data:?}", down.reason));
            }
            BmpMessageBody::RouteMonitoring(routes) if routes.is_end_of_rib() => {
                let family = if octets.len() > 6 + 42 + 23 { 6 } else { 4 };
                self.ended.insert(format!("{name} {family}"));
            }
            BmpMessageBody::RouteMonitoring(routes) => {
                self.zero_times += usize::from(peer.timestamp == 0.0);
                let table = self.tables.entry(name).or_default();
                let elems =
                    Elementor::bgp_to_elems(routes.bgp_message, 0.0, &peer.peer_ip, &peer.peer_asn);
                elems.into_iter().for_each(|elem| apply(table, elem));
            }
            BmpMessageBody::StatsReport(report) => {
                let counter = |counter: &bgpkit_parser::parser::bmp::messages::StatCounter| {
                    let value = match &counter.stat_data {
                        StatsData::Counter(value) => u64::from(*value),
                        StatsData::Gauge(value) => *value,
                        StatsData::AfiSafiGauge(_, _, value) => *value,
                        other => panic!("a figure {other:?}"),
                    };
                    (u16::from(counter.stat_type), value)
                };
                let figures = report.counters.iter().map(counter).collect();
                self.statistics.insert(name, figures);
            }
            other => panic!("{other:?}"),
        }
    }

    fn has_event(&self, begin: &str) -> bool {
        self.events.iter().any(|event| event.starts_with(begin))
    }

    fn routes(&self, table: &str) -> Vec<String> {
        let routes = self.tables.get(table).into_iter().flatten();
        routes
            .map(|(prefix, path)| format!("{prefix} {path}"))
            .collect()
    }
}

fn apply(table: &mut BTreeMap<String, String>, elem: BgpElem) {
    match elem.elem_type {
        ElemType::ANNOUNCE => {
            let path = elem.as_path.unwrap().to_string();
            let next_hop = elem.next_hop.unwrap();
            let communities = elem.communities.unwrap_or_default();
            let communities: Vec<_> = communities.iter().map(ToString::to_string).collect();
            let path = format!("{path} via {next_hop} [{}]", communities.join(" "));
            table.insert(elem.prefix.to_string(), path);
        }
        ElemType::WITHDRAW => drop(table.remove(&elem.prefix.to_string())),
    }
}

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

    let figures = |told: &Told| told.statistics.len();
    collector.wait("statistics", |told| figures(told) == 3);
    // 7 received in IPv4, 3 in IPv6, as the fake core has it; one is rejected in the tables.
    let first = &collector.told.statistics["pre 192.0.2.1"];
    let due = [
        (7, 10),
        (11, 0),
        (9, 7),
        (21, 6),
        (22, 1),
        (9, 3),
        (21, 3),
        (22, 0),
    ];
    assert_eq!(first[..], due);
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
    assert_eq!(events[events.len() - 2..], ["termination", "closed"]);
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
