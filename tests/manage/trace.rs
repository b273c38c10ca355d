//! What a trace of one client says.

use std::sync::Arc;

use rialto::base::{Asn, ClientSlot, Family, FamilySet, PathId, Prefix, Time};
use rialto::manage::trace::view::{TraceLine, Traced};
use rialto::server::query::{SessionUp, Tapped, TappedWhat};
use rialto::session::{DownReason, Negotiated};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{
    Capabilities, CeaseSubcode, EncodingClass, MessageType, NextHop, Notification, Open,
    encode_announcements, encode_end_of_rib, encode_keepalive, encode_message, encode_withdrawals,
};

use super::{Server, THREE};

const THIRD: ClientSlot = ClientSlot(2);

fn open(asn: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    let open = Open {
        asn: Asn(asn),
        hold_time_s: 90,
        router_id: "192.0.2.3".parse().unwrap(),
        capabilities: Capabilities {
            families: FamilySet::ALL,
            route_refresh: true,
            add_path_receive: FamilySet::only(Family::Ipv4),
            ..Capabilities::default()
        },
    };
    open.encode(&mut octets);
    octets
}

fn session_up() -> Arc<SessionUp> {
    Arc::new(SessionUp {
        since: Time::from_secs(900),
        local: "192.0.2.254:179".parse().unwrap(),
        remote: "192.0.2.3:40000".parse().unwrap(),
        negotiated: Negotiated {
            families: FamilySet::ALL,
            add_path_send: FamilySet::only(Family::Ipv4),
            ipv6_next_hops: false,
            four_octet: true,
            extended_messages: false,
            enhanced_refresh: false,
            route_refresh: true,
            peer_restart: None,
            peer_long_lived: None,
            keeps_routes: false,
            hard_resets: false,
            hold_time_s: 90,
            peer_router_id: "192.0.2.3".parse().unwrap(),
            peer_asn: Asn(10003),
            peer_role: None,
        },
        sent_open: open(64500).into(),
        received_open: open(10003).into(),
    })
}

fn announcement(
    class: &EncodingClass,
    next_hop: &str,
    prefixes: &[(&str, Option<u32>)],
) -> Vec<u8> {
    let next_hop: std::net::IpAddr = next_hop.parse().unwrap();
    let set = SetBuilder::new()
        .as_path(&[10003, 10004])
        .communities(&[(10003, 7)])
        .next_hop(next_hop)
        .build();
    let all = prefixes.iter().map(|(prefix, id)| {
        let prefix: Prefix = prefix.parse().unwrap();
        (prefix, id.map(PathId))
    });
    let mut octets = Vec::new();
    let (next_hop, family) = (NextHop::from(next_hop), Family::Ipv4);
    let count = encode_announcements(&mut octets, class, set.octets(), next_hop, family, &mut {
        all
    });
    assert_eq!(count, 1);
    octets
}

/// An hour in the life of the third client, all at once.
fn server(is_up: bool) -> Server {
    let server = Server::start(THREE);
    let with_ids = EncodingClass {
        add_path: FamilySet::only(Family::Ipv4),
        ..EncodingClass::PLAIN
    };
    let mut sent_withdrawal = Vec::new();
    let mut gone = [("203.0.112.0/24".parse().unwrap(), Some(PathId(9)))].into_iter();
    encode_withdrawals(&mut sent_withdrawal, &with_ids, Family::Ipv4, &mut gone);
    let (mut keepalive, mut end_of_rib, mut notification, mut broken) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    encode_keepalive(&mut keepalive);
    encode_end_of_rib(&mut end_of_rib, Family::Ipv6);
    let cease = Notification::cease(CeaseSubcode::AdministrativeReset, "see you");
    cease.encode(&mut notification, 4096);
    encode_message(&mut broken, MessageType::Update, &[0, 9, 1]);
    let accepted = [("193.0.14.0/24", None), ("10.0.0.0/8", None)];
    let sent = [("203.0.112.0/24", Some(7)), ("203.0.112.0/24", Some(9))];
    let stranger = [("203.0.114.0/24", None)];
    let entries = [
        TappedWhat::Up(session_up()),
        TappedWhat::Received(announcement(&EncodingClass::PLAIN, "192.0.2.3", &accepted).into()),
        TappedWhat::Received(announcement(&EncodingClass::PLAIN, "192.0.2.1", &stranger).into()),
        TappedWhat::Received(end_of_rib.into()),
        TappedWhat::Received(broken.into()),
        TappedWhat::Sent(announcement(&with_ids, "192.0.2.1", &sent).into()),
        TappedWhat::Sent(sent_withdrawal.into()),
        TappedWhat::Sent(keepalive.into()),
        TappedWhat::Sent(notification.into()),
        TappedWhat::Down(DownReason::Stopped {
            notification: cease,
            message: "see you".to_owned(),
        }),
    ];
    server.data.with(|state| {
        let of = |slot, what| Tapped {
            at: Time::from_secs(999),
            slot,
            what,
        };
        state.tapped = entries.map(|what| of(THIRD, what)).into();
        // Somebody else's.
        let other = of(ClientSlot(0), TappedWhat::Failed(DownReason::PeerClosed));
        state.tapped.insert(1, other);
        state.sessions = match is_up {
            true => vec![(THIRD, session_up())],
            false => Vec::new(),
        };
    });
    server
}

#[test]
fn its_lines_are_what_the_document_says() {
    for is_up in [true, false] {
        let (status, body) = server(is_up).get("/api/v1/clients/third/trace?for_s=1");
        assert_eq!(status, 200);
        let lines = body
            .lines()
            .map(|line| line.parse::<serde_json::Value>().unwrap());
        let events = lines.map(|line| line["event"].as_str().unwrap().to_owned());
        let events = events.collect::<Vec<_>>();
        for event in ["began", "up", "received", "sent", "down", "ended"] {
            assert!(
                events.iter().any(|one| one == event),
                "{event} is not in {events:?}"
            );
        }
    }
}

#[test]
fn all_that_a_client_says_and_is_told_is_told_in_words() {
    let server = server(true);
    let (status, text) = server.says(&["client", "third", "trace", "--for", "1s"]);
    assert_eq!(status, 0, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "trace of third, AS10003 at 192.0.2.3, for 1 s",
        "established: 192.0.2.3:40000 to 192.0.2.254:179",
        "UP",
        "established: ",
        "its OPEN: AS10003, router id 192.0.2.3, hold time 90 s; multiprotocol ipv4 and ipv6, route refresh, ADD-PATH receive ipv4",
        "our OPEN: AS64500",
        "heard  UPDATE 60 octets: 2 announced",
        "193.0.14.0/24  accepted",
        "10.0.0.0/8  rejected: bogon_prefix",
        "next hop 192.0.2.3, AS_PATH 10003 10004, origin igp, communities 10003:7",
        "heard  UPDATE",
        "203.0.114.0/24  rejected: next_hop",
        "next hop 192.0.2.1",
        "End-of-RIB ipv6",
        "UPDATE 22 octets: cannot be read: ",
        "ffffffffffffffffffffffffffffffff",
        "sent   UPDATE 70 octets: 2 announced",
        "203.0.112.0/24 (path 7) 203.0.112.0/24 (path 9)",
        "next hop 192.0.2.1",
        "sent   UPDATE 31 octets: 1 withdrawn",
        "withdrawn  203.0.112.0/24 (path 9)",
        "sent   KEEPALIVE 19 octets",
        "sent   NOTIFICATION 29 octets: Cease / Administrative Reset: \"see you\"",
        "DOWN  sent Cease / Administrative Reset: \"see you\"",
        "end of the trace: 1 s are over",
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(
            line.contains(expected),
            "'{line}' has no '{expected}'\n{text}"
        );
    }
    assert!(
        !text.contains('\x1b'),
        "no colours where there is no terminal"
    );
}

#[test]
fn as_json_each_line_is_one_event_with_its_time() {
    let server = server(false);
    let (status, text) = server.says(&["client", "192.0.2.3", "trace", "--for", "1s", "--json"]);
    assert_eq!(status, 0, "{text}");
    let line = |line: &str| serde_json::from_str::<TraceLine>(line).unwrap();
    let lines: Vec<TraceLine> = text.lines().map(line).collect();
    assert!(matches!(
        &lines[0].what,
        Traced::Began { session: None, .. }
    ));
    assert!(matches!(&lines[1].what, Traced::Up { .. }));
    let Traced::Received(message) = &lines[2].what else {
        panic!("{:?}", lines[2]);
    };
    let announced = &message.update.as_ref().unwrap().announced[0];
    let verdicts: Vec<_> = announced.prefixes.iter().map(|it| it.accepted).collect();
    assert_eq!(verdicts, [Some(true), Some(false)]);
    assert_eq!(
        announced.prefixes[1].reason.as_deref(),
        Some("bogon_prefix")
    );
    assert!(
        lines[0].at.ends_with('Z') && lines[1].at < lines[0].at,
        "{text}"
    );
    assert!(matches!(&lines.last().unwrap().what, Traced::Ended { .. }));
}

#[test]
fn a_trace_of_nobody_and_one_too_many_are_refused() {
    let server = server(true);
    let (status, text) = server.says(&["client", "fourth", "trace"]);
    assert_eq!(
        (status, text.contains("there is no client 'fourth'")),
        (1, true)
    );
    let readers: Vec<_> = (0..8)
        .map(|_| server.begin("/api/v1/clients/third/trace?for_s=600"))
        .collect();
    let (status, text) = server.says(&["client", "third", "trace", "--for", "1s"]);
    assert_eq!(status, 1);
    assert!(text.contains("8 traces run already"), "{text}");
    // Whose reader goes away, ends.
    drop(readers);
    let mut status = 1;
    for _ in 0..50 {
        status = server.says(&["client", "third", "trace", "--for", "1s"]).0;
        if status == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(status, 0);
}
