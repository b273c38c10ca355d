//! RFC 9234: who a peer says it is, and whether that goes with a route server.

use rialto::session::{RoleSettings, SessionSettings, Way};
use rialto::wire::{Capabilities, Open, role};

use super::script::*;

fn with_role(strict: bool) -> SessionSettings {
    SessionSettings {
        role: Some(RoleSettings { strict }),
        ..settings()
    }
}

fn open_with(roles: &[u8]) -> Open {
    Open {
        capabilities: Capabilities {
            roles: roles.to_vec(),
            ..peer_open().capabilities
        },
        ..peer_open()
    }
}

#[test]
fn a_peer_must_be_a_route_server_client() {
    use role::*;
    let [none, lenient, strict] = [settings(), with_role(false), with_role(true)];
    let fault = |what: &str| format!("failed: peer's fault: {what}; sent {MISMATCH}");
    const MISMATCH: &str = "OPEN Message Error / Role Mismatch";
    let cases = [
        ("an RS-Client is welcome", &lenient, &[RS_CLIENT][..], None),
        ("to the strict too", &strict, &[RS_CLIENT], None),
        ("no role is no fault", &lenient, &[], None),
        (
            "but to the strict",
            &strict,
            &[],
            Some("OPEN has no role, a client of this route server must announce RS-Client"),
        ),
        (
            "another route server",
            &lenient,
            &[RS],
            Some("OPEN has role RS, a client of a route server must announce RS-Client"),
        ),
        (
            "a provider",
            &lenient,
            &[PROVIDER],
            Some("OPEN has role Provider, a client of a route server must announce RS-Client"),
        ),
        (
            "a customer, to the strict",
            &strict,
            &[CUSTOMER],
            Some("OPEN has role Customer, a client of a route server must announce RS-Client"),
        ),
        (
            "a role that nobody knows",
            &lenient,
            &[9],
            Some("OPEN has role number 9, a client of a route server must announce RS-Client"),
        ),
        (
            "two roles, one of them right",
            &lenient,
            &[RS_CLIENT, PEER],
            Some(
                "OPEN has role RS-Client and Peer, a client of a route server must announce RS-Client",
            ),
        ),
        (
            "unconfigured, a wrong role does not matter",
            &none,
            &[PEER],
            None,
        ),
        ("nor do two", &none, &[RS_CLIENT, PEER], None),
    ];
    for (name, settings, roles, expected) in cases {
        let mut script = Script::started(settings.clone());
        script.accept();
        script.lines();
        script.hear(Way::Accepted, &open_octets(&open_with(roles)));
        let lines = script.lines();
        let expected = match expected {
            None => vec!["Accepted sends KEEPALIVE".to_owned()],
            Some(what) => vec![
                fault(what),
                format!("Accepted sends {MISMATCH}"),
                "Close(Accepted)".to_owned(),
            ],
        };
        assert_eq!(lines, expected, "{name}");
    }
}

#[test]
fn the_mismatch_is_this_to_the_octet() {
    let mut script = Script::started(with_role(false));
    script.accept();
    script.hear(Way::Accepted, &open_octets(&open_with(&[role::PEER])));
    let (_, octets) = script.said.transmits.last().unwrap();
    assert_eq!(*octets, message(3, &[2, 11]));
}

#[test]
fn the_same_role_twice_is_one() {
    let parameters = [2, 6, 9, 1, 2, 9, 1, 2];
    let body = [&[4, 0x27, 0x10, 0, 90, 10, 77, 1, 1, 8][..], &parameters].concat();
    let open = Open::decode(&body).unwrap();
    assert_eq!(open.capabilities.roles, [role::RS_CLIENT]);
    let mut script = Script::started(with_role(true));
    script.accept();
    script.hear(Way::Accepted, &message(1, &body));
    assert_eq!(script.session.state().name(), "OpenConfirm");
}

#[test]
fn a_role_of_a_wrong_length_is_none() {
    let body = |value: &[u8]| {
        let len = value.len() as u8;
        let head = [
            4,
            0x27,
            0x10,
            0,
            90,
            10,
            77,
            1,
            1,
            len + 4,
            2,
            len + 2,
            9,
            len,
        ];
        [&head[..], value].concat()
    };
    for value in [&[][..], &[2, 2]] {
        let open = Open::decode(&body(value)).unwrap();
        assert_eq!(open.capabilities.roles, [0; 0], "{value:?}");
    }
}

#[test]
fn our_role_is_announced_where_it_is_configured() {
    let announced = |settings: SessionSettings| {
        let mut script = Script::started(settings);
        script.accept();
        let octets = script.said.transmits[0].1.clone();
        let has_capability = octets.windows(3).any(|window| window == [9, 1, 1]);
        let open = Open::decode(&octets[19..]).unwrap();
        assert_eq!(has_capability, !open.capabilities.roles.is_empty());
        open.capabilities.roles
    };
    assert_eq!(announced(settings()), [0; 0]);
    assert_eq!(announced(with_role(false)), [role::RS]);
    assert_eq!(announced(with_role(true)), [role::RS]);
}

#[test]
fn what_the_peer_said_is_known_whether_it_mattered_or_not() {
    let cases = [
        ("configured", with_role(false), &[2][..], Some(2)),
        (
            "configured, and it said nothing",
            with_role(false),
            &[],
            None,
        ),
        ("not configured", settings(), &[4], Some(4)),
        (
            "not configured, and it contradicts itself",
            settings(),
            &[4, 2],
            None,
        ),
    ];
    for (name, settings, roles, expected) in cases {
        let script = Script::established_with(settings, &open_with(roles));
        let negotiated = script.session.negotiated().unwrap();
        assert_eq!(negotiated.peer_role, expected, "{name}");
    }
}

#[test]
fn new_roles_end_the_session() {
    for (before, after) in [
        (settings(), with_role(false)),
        (with_role(false), settings()),
        (
            settings(),
            SessionSettings {
                prepend_rs_as: true,
                ..settings()
            },
        ),
    ] {
        let mut script = Script::established_with(before, &open_with(&[role::RS_CLIENT]));
        script.step(|session, now| session.handle_settings(now, after));
        let first = script.lines().into_iter().next();
        let expected = "down: sent Cease / Other Configuration Change";
        assert_eq!(first.as_deref(), Some(expected));
    }
}
