//! Every error a peer can make, and the NOTIFICATION it gets.

use rialto::base::{Asn, Family, FamilySet};
use rialto::session::{SessionEvent, SessionSettings, Way};
use rialto::wire::{Capabilities, MessageType, Open};

use super::script::{
    LOCAL_ID, Script, keepalive, message, only, open, open_octets, peer_open, settings, update,
    with_len,
};

enum At {
    OpenSent,
    OpenConfirm,
    Established,
}

use At::{Established, OpenConfirm, OpenSent};

/// A valid OPEN of the peer with some octets changed; positions count from the body's start.
fn open_with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut octets = open();
    for (position, octet) in changes {
        octets[19 + position] = *octet;
    }
    octets
}

/// An OPEN body up to the router id, then these optional parameters with their length.
fn open_parameters(parameters: &[u8]) -> Vec<u8> {
    message(
        1,
        &[&[4, 0x27, 0x10, 0, 90, 10, 77, 1, 1][..], parameters].concat(),
    )
}

type Case = (&'static str, At, Vec<u8>, (u8, u8, &'static [u8]));

fn header_cases() -> Vec<Case> {
    let mut broken_marker = keepalive();
    broken_marker[3] = 0;
    vec![
        (
            "a marker with a zero is not synchronized",
            OpenSent,
            broken_marker.clone(),
            (1, 1, &[]),
        ),
        (
            "a marker with a zero ends an established session too",
            Established,
            broken_marker,
            (1, 1, &[]),
        ),
        (
            "a length under 19 is bad, and comes back",
            OpenSent,
            with_len(4, 18, &[]),
            (1, 2, &[0, 18]),
        ),
        (
            "an OPEN of more than 4096 octets is bad, whatever we offered (RFC 8654)",
            OpenSent,
            with_len(1, 4097, &[]),
            (1, 2, &[0x10, 1]),
        ),
        (
            "a type that nobody knows comes back",
            OpenSent,
            message(9, &[]),
            (1, 3, &[9]),
        ),
        (
            "type 0 is bad in Established",
            Established,
            message(0, &[]),
            (1, 3, &[0]),
        ),
        (
            "an OPEN shorter than 29 octets",
            OpenSent,
            message(1, &[4; 9]),
            (1, 2, &[0, 28]),
        ),
        (
            "a KEEPALIVE with a body",
            OpenConfirm,
            message(4, &[0]),
            (1, 2, &[0, 20]),
        ),
        (
            "an UPDATE shorter than 23 octets",
            Established,
            message(2, &[0; 3]),
            (1, 2, &[0, 22]),
        ),
        (
            "a NOTIFICATION shorter than 21 octets",
            Established,
            message(3, &[6]),
            (1, 2, &[0, 20]),
        ),
    ]
}

fn open_cases() -> Vec<Case> {
    let changed = |change: &dyn Fn(&mut Open)| {
        let mut open = peer_open();
        change(&mut open);
        open_octets(&open)
    };
    vec![
        (
            "BGP version 3 is told that 4 is spoken here",
            OpenSent,
            open_with(&[(0, 3)]),
            (2, 1, &[0, 4]),
        ),
        (
            "AS 0 in My Autonomous System (RFC 7607)",
            OpenSent,
            open_with(&[(1, 0), (2, 0)]),
            (2, 2, &[]),
        ),
        (
            "AS 0 in the four-octet capability (RFC 7607)",
            OpenSent,
            changed(&|open| open.capabilities.four_octet_asn = Some(Asn(0))),
            (2, 2, &[]),
        ),
        (
            "another AS than the configured one",
            OpenSent,
            changed(&|open| {
                open.asn = Asn(10001);
                open.capabilities.four_octet_asn = Some(Asn(10001));
            }),
            (2, 2, &[]),
        ),
        (
            "the four-octet AS counts, not My Autonomous System",
            OpenSent,
            changed(&|open| open.capabilities.four_octet_asn = Some(Asn(4_200_000_000))),
            (2, 2, &[]),
        ),
        (
            "a hold time of one second",
            OpenSent,
            open_with(&[(3, 0), (4, 1)]),
            (2, 6, &[]),
        ),
        (
            "a hold time of two seconds",
            OpenSent,
            open_with(&[(3, 0), (4, 2)]),
            (2, 6, &[]),
        ),
        (
            "BGP identifier 0.0.0.0 (RFC 6286)",
            OpenSent,
            open_with(&[(5, 0), (6, 0), (7, 0), (8, 0)]),
            (2, 3, &[]),
        ),
        (
            "an optional parameter that nobody knows",
            OpenSent,
            open_parameters(&[3, 1, 1, 0]),
            (2, 4, &[]),
        ),
        (
            "optional parameters shorter than they say",
            OpenSent,
            open_parameters(&[4, 2, 0]),
            (2, 0, &[]),
        ),
        (
            "optional parameters longer than they say",
            OpenSent,
            open_parameters(&[0, 2, 0]),
            (2, 0, &[]),
        ),
        (
            "a parameter that does not fit in the parameters",
            OpenSent,
            open_parameters(&[3, 2, 2, 2]),
            (2, 0, &[]),
        ),
        (
            "a capability that does not fit in its parameter",
            OpenSent,
            open_parameters(&[4, 2, 2, 2, 1]),
            (2, 0, &[]),
        ),
        (
            "a capability of one octet",
            OpenSent,
            open_parameters(&[3, 2, 1, 2]),
            (2, 0, &[]),
        ),
        (
            "a Multiprotocol capability of 3 octets",
            OpenSent,
            open_parameters(&[7, 2, 5, 1, 3, 0, 1, 1]),
            (2, 0, &[]),
        ),
        (
            "a four-octet AS capability of 2 octets",
            OpenSent,
            open_parameters(&[6, 2, 4, 65, 2, 39, 16]),
            (2, 0, &[]),
        ),
        (
            "an ADD-PATH capability of 3 octets",
            OpenSent,
            open_parameters(&[7, 2, 5, 69, 3, 0, 1, 1]),
            (2, 0, &[]),
        ),
    ]
}

fn state_cases() -> Vec<Case> {
    vec![
        (
            "a KEEPALIVE in OpenSent",
            OpenSent,
            keepalive(),
            (5, 1, &[4]),
        ),
        ("an UPDATE in OpenSent", OpenSent, update(4), (5, 1, &[2])),
        (
            "a ROUTE-REFRESH in OpenSent",
            OpenSent,
            message(5, &[0, 1, 0, 1]),
            (5, 1, &[5]),
        ),
        (
            "an UPDATE in OpenConfirm",
            OpenConfirm,
            update(4),
            (5, 2, &[2]),
        ),
        (
            "a second OPEN in OpenConfirm",
            OpenConfirm,
            open(),
            (5, 2, &[1]),
        ),
        ("an OPEN in Established", Established, open(), (5, 3, &[1])),
        (
            "a request cut short is an error of the header",
            Established,
            message(5, &[0, 1, 0]),
            (1, 2, &[0, 22]),
        ),
        (
            "a BoRR that is too long comes back whole (RFC 7313)",
            Established,
            message(5, &[0, 1, 1, 1, 9]),
            (
                7,
                1,
                &[
                    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                    0, 24, 5, 0, 1, 1, 1, 9,
                ],
            ),
        ),
        (
            "an EoRR that is cut short comes back whole (RFC 7313)",
            Established,
            message(5, &[0, 1, 2]),
            (
                7,
                1,
                &[
                    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                    0, 22, 5, 0, 1, 2,
                ],
            ),
        ),
    ]
}

#[test]
fn each_error_gets_its_notification() {
    for (name, at, octets, expected) in header_cases()
        .into_iter()
        .chain(open_cases())
        .chain(state_cases())
    {
        let mut script = match at {
            OpenSent => Script::open_sent(),
            OpenConfirm => Script::open_confirm(),
            Established => Script::established(),
        };
        script.hear(Way::Accepted, &octets);
        let sent = script
            .sent_notification()
            .unwrap_or_else(|| panic!("{name}: nothing was sent"));
        assert_eq!(
            (sent.code, sent.subcode, sent.data.as_slice()),
            expected,
            "{name}"
        );
        assert_eq!(script.session.state().name(), "Idle", "{name}");
        let was_established = matches!(script.said.events.last(), Some(SessionEvent::Down { .. }));
        assert_eq!(was_established, matches!(at, Established), "{name}");
        let last = script.said.lines.last().map(String::as_str);
        assert_eq!(
            last,
            Some("Close(Accepted)"),
            "{name}: the NOTIFICATION goes out before the connection closes"
        );
    }
}

#[test]
fn an_open_without_a_common_family_names_what_was_wanted() {
    let ipv4 = SessionSettings {
        families: only(Family::Ipv4),
        ..settings()
    };
    let ipv6 = SessionSettings {
        families: only(Family::Ipv6),
        ..settings()
    };
    let announces = |families, other_families| Capabilities {
        families,
        other_families,
        ..Default::default()
    };
    let silent = Capabilities::default();
    let cases = [
        (
            "IPv6 for IPv4",
            &ipv4,
            announces(only(Family::Ipv6), false),
            Some(&[1, 4, 0, 1, 0, 1][..]),
        ),
        (
            "IPv4 for IPv6",
            &ipv6,
            announces(only(Family::Ipv4), false),
            Some(&[1, 4, 0, 2, 0, 1]),
        ),
        (
            "nothing said means IPv4, which does not do for IPv6",
            &ipv6,
            silent.clone(),
            Some(&[1, 4, 0, 2, 0, 1]),
        ),
        ("nothing said means IPv4 (RFC 4760)", &ipv4, silent, None),
        (
            "both for one",
            &ipv6,
            announces(FamilySet::ALL, false),
            None,
        ),
    ];
    for (name, settings, capabilities, expected) in cases {
        let mut script = Script::started(settings.clone());
        script.accept();
        script.hear(
            Way::Accepted,
            &open_octets(&Open {
                capabilities,
                ..peer_open()
            }),
        );
        let sent = script
            .sent_notification()
            .map(|sent| (sent.code, sent.subcode, sent.data));
        assert_eq!(sent, expected.map(|data| (2, 7, data.to_vec())), "{name}");
    }
}

#[test]
fn only_vpn_families_are_no_common_family() {
    let mut script = Script::open_sent();
    script.hear(
        Way::Accepted,
        &open_parameters(&[8, 2, 6, 1, 4, 0, 1, 0, 128]),
    );
    let sent = script.sent_notification().expect("it is refused");
    assert_eq!((sent.code, sent.subcode), (2, 7));
}

#[test]
fn an_internal_peer_with_our_own_identifier_is_refused() {
    let mut script = Script::started(SessionSettings {
        peer_asn: Asn(64500),
        ..settings()
    });
    script.accept();
    let capabilities = Capabilities {
        four_octet_asn: None,
        ..peer_open().capabilities
    };
    script.hear(
        Way::Accepted,
        &open_octets(&Open {
            asn: Asn(64500),
            router_id: LOCAL_ID,
            capabilities,
            hold_time_s: 90,
        }),
    );
    let sent = script.sent_notification().expect("it is refused");
    assert_eq!((sent.code, sent.subcode), (2, 3));
}

#[test]
fn harmless_route_refreshes_are_served_or_ignored() {
    let plain = Open {
        capabilities: Capabilities {
            enhanced_refresh: false,
            families: only(Family::Ipv4),
            ..peer_open().capabilities
        },
        ..peer_open()
    };
    let enhanced = peer_open();
    let cases: [(&str, &Open, &[u8], &[&str]); 9] = [
        (
            "a request is served",
            &enhanced,
            &[0, 1, 0, 1],
            &["refresh ipv4 Request"],
        ),
        (
            "of IPv6 too",
            &enhanced,
            &[0, 2, 0, 1],
            &["refresh ipv6 Request"],
        ),
        (
            "BoRR passes",
            &enhanced,
            &[0, 2, 1, 1],
            &["refresh ipv6 Begin"],
        ),
        (
            "EoRR passes",
            &enhanced,
            &[0, 2, 2, 1],
            &["refresh ipv6 End"],
        ),
        (
            "a subtype that nobody knows is ignored",
            &enhanced,
            &[0, 1, 3, 1],
            &[],
        ),
        (
            "an address family that we do not know is ignored",
            &enhanced,
            &[0, 25, 0, 70],
            &[],
        ),
        (
            "a family that was not negotiated is ignored",
            &plain,
            &[0, 2, 0, 1],
            &[],
        ),
        (
            "a request with ORF is served whole",
            &plain,
            &[0, 1, 0, 1, 1, 64, 0, 0],
            &["refresh ipv4 Request"],
        ),
        (
            "the subtype is a reserved octet without RFC 7313",
            &plain,
            &[0, 1, 1, 1],
            &["refresh ipv4 Request"],
        ),
    ];
    for (name, peer, body, expected) in cases {
        let mut script = Script::established_with(settings(), peer);
        script.hear(Way::Accepted, &message(5, body));
        assert_eq!(script.said.messages, expected, "{name}");
        let ignored = match expected {
            [] => vec![(MessageType::RouteRefresh, body.to_vec())],
            _ => Vec::new(),
        };
        assert_eq!(script.said.ignored, ignored, "{name}");
        assert_eq!(script.session.state().name(), "Established", "{name}");
    }
    let mut script = Script::established_with(settings(), &plain);
    script.hear(Way::Accepted, &message(5, &[0, 1, 0]));
    let sent = script
        .sent_notification()
        .expect("a short one is an error of the header without RFC 7313");
    assert_eq!(
        (sent.code, sent.subcode, sent.data.as_slice()),
        (1, 2, &[0, 22][..])
    );
}
