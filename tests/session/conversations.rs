//! Scripted conversations, line by line.

use std::time::Duration;

use rialto::base::{Asn, FamilySet};
use rialto::session::{
    Parting, Session, SessionAction, SessionEvent, SessionSettings, Stop, StopHold, Way,
};
use rialto::wire::{Capabilities, CeaseSubcode, Notification, Open, UpdateError};

use super::script::{
    PEER_ID, Said, Script, active, keepalive, notification, open, open_octets, peer_open, settings,
    update,
};

fn stop(subcode: CeaseSubcode, message: &str, hold: StopHold) -> Stop {
    Stop {
        subcode,
        message: message.to_owned(),
        hold,
        parting: Parting::Final,
    }
}

#[test]
fn a_passive_session_comes_up_and_lends_messages() {
    let mut script = Script::new(settings());
    assert_eq!(script.session.state().name(), "Idle");
    assert!(
        !script.step(|session, now| session.handle_accepted(now)),
        "nothing is accepted before the start"
    );
    script.step(|session, now| session.handle_start(now));
    assert_eq!(script.session.state().name(), "Active");
    script.accept();
    assert_eq!(script.session.state().name(), "OpenSent");
    script.hear(Way::Accepted, &open());
    assert_eq!(script.session.state().name(), "OpenConfirm");
    assert_eq!(script.session.negotiated(), None);
    script.hear(
        Way::Accepted,
        &[keepalive(), update(4), keepalive(), update(30)].concat(),
    );
    assert_eq!(
        script.lines(),
        [
            "Accepted sends OPEN",
            "Accepted sends KEEPALIVE",
            "established",
            "UPDATE of 4 octets",
            "UPDATE of 30 octets"
        ]
    );
    assert_eq!(script.session.established_way(), Some(Way::Accepted));
    assert!(
        !script.step(|session, now| session.handle_accepted(now)),
        "a second connection is refused"
    );
}

#[test]
fn an_active_session_connects_and_comes_up() {
    let mut script = Script::started(active());
    assert_eq!(script.session.state().name(), "Connect");
    script.step(|session, now| session.handle_connected(now));
    script.hear(Way::Connected, &[open(), keepalive()].concat());
    assert_eq!(
        script.lines(),
        [
            "Connect",
            "Connected sends OPEN",
            "established",
            "Connected sends KEEPALIVE"
        ]
    );
    assert_eq!(script.session.established_way(), Some(Way::Connected));
}

#[test]
fn a_failed_attempt_is_repeated_after_connect_retry() {
    let mut script = Script::started(active());
    script.step(|session, now| session.handle_connect_failed(now));
    assert_eq!(script.session.state().name(), "Active");
    script.pass(Duration::from_secs(89));
    assert_eq!(script.lines(), ["Connect"]);
    script.pass(Duration::from_secs(31));
    assert_eq!(script.lines(), ["Connect"]);
    assert_eq!(script.session.state().name(), "Connect");
    script.pass(Duration::from_secs(120));
    assert_eq!(
        script.lines(),
        ["Connect"],
        "an attempt without an outcome is replaced"
    );
}

#[test]
fn a_peer_that_closes_in_open_sent_leaves_the_session_active() {
    let mut script = Script::open_sent();
    script.close(Way::Accepted);
    assert_eq!(script.session.state().name(), "Active");
    assert_eq!(
        script.lines(),
        [
            "Accepted sends OPEN",
            "failed: peer closed the TCP connection without a NOTIFICATION"
        ]
    );
    script.accept();
    assert_eq!(script.session.state().name(), "OpenSent");
}

#[test]
fn an_active_session_whose_peer_closes_connects_again_after_a_pause() {
    let mut script = Script::started(active());
    script.step(|session, now| session.handle_connected(now));
    script.close(Way::Connected);
    script.lines();
    assert_eq!(script.session.state().name(), "Active");
    script.pass(Duration::from_secs(5));
    assert_eq!(script.lines(), ["Connect"]);
}

#[test]
fn what_was_negotiated_is_what_both_said() {
    let ours = SessionSettings {
        add_path_send: FamilySet::ALL,
        ..settings()
    };
    let capabilities = Capabilities {
        families: FamilySet::ALL,
        add_path_receive: super::script::only(rialto::base::Family::Ipv6),
        extended_messages: true,
        four_octet_asn: None,
        ..Capabilities::default()
    };
    let peer = Open {
        capabilities,
        hold_time_s: 30,
        ..peer_open()
    };
    let script = Script::established_with(ours, &peer);
    let negotiated = script.session.negotiated().expect("it is established");
    assert_eq!(negotiated.families, FamilySet::ALL);
    assert_eq!(
        negotiated.add_path_send,
        super::script::only(rialto::base::Family::Ipv6)
    );
    assert_eq!(negotiated.hold_time_s, 30);
    assert_eq!(
        (negotiated.peer_asn, negotiated.peer_router_id),
        (Asn(10000), PEER_ID)
    );
    assert!(negotiated.extended_messages && !negotiated.four_octet);
    assert!(
        !negotiated.enhanced_refresh && !negotiated.route_refresh && !negotiated.sends_end_of_rib()
    );
}

#[test]
fn down_reasons_read_well() {
    type Act = fn(&mut Session, rialto::base::Time);
    let cases: [(&str, Act, &str); 7] = [
        (
            "a peer that goes for maintenance",
            |session, now| {
                session.handle_octets(now, Way::Accepted, &notification(6, 2, b"\x0bmaintenance"))
            },
            "down: peer sent Cease / Administrative Shutdown: \"maintenance\"",
        ),
        (
            "a peer that resets hard (RFC 8538)",
            |session, now| {
                session.handle_octets(
                    now,
                    Way::Accepted,
                    &notification(6, 9, &[6, 4, 2, b'h', b'i']),
                )
            },
            "down: peer sent Cease / Hard Reset: Cease / Administrative Reset: \"hi\"",
        ),
        (
            "a peer over whose limit we went",
            |session, now| {
                session.handle_octets(
                    now,
                    Way::Accepted,
                    &notification(6, 1, &[0, 2, 1, 0, 0, 3, 232]),
                )
            },
            "down: peer sent Cease / Maximum Number of Prefixes Reached: 1000 ipv6 prefixes",
        ),
        (
            "text that is no UTF-8 and would ring the bell",
            |session, now| {
                session.handle_octets(now, Way::Accepted, &notification(6, 4, b"\x03\x07\xff\""))
            },
            "down: peer sent Cease / Administrative Reset: \"\\u{7}\u{fffd}\\\"\"",
        ),
        (
            "codes that nobody knows",
            |session, now| session.handle_octets(now, Way::Accepted, &notification(77, 3, &[])),
            "down: peer sent error code 77 / subcode 3",
        ),
        (
            "our own limit",
            |session, now| {
                session.handle_stop(
                    now,
                    stop(
                        CeaseSubcode::MaximumPrefixes,
                        "1001 received, 1000 allowed",
                        StopHold::Backoff,
                    ),
                )
            },
            "down: sent Cease / Maximum Number of Prefixes Reached: 1001 received, 1000 allowed",
        ),
        (
            "a session reset of the decoder",
            |session, now| {
                let error = UpdateError {
                    notification: Notification::new(3, 1, []),
                    what: "withdrawn routes do not fit in the message".to_owned(),
                };
                session.handle_update_error(now, &error);
            },
            "down: peer's fault: withdrawn routes do not fit in the message; sent UPDATE Message Error / Malformed Attribute List",
        ),
    ];
    for (name, act, expected) in cases {
        let mut script = Script::established();
        script.step(act);
        assert_eq!(
            script.said.lines.first().map(String::as_str),
            Some(expected),
            "{name}"
        );
        assert_eq!(
            script.said.lines.last().map(String::as_str),
            Some("Close(Accepted)"),
            "{name}"
        );
    }
}

#[test]
fn a_notification_is_never_answered() {
    for at in [Script::open_sent, Script::open_confirm, Script::established] {
        let mut script = at();
        script.said = Said::default();
        script.hear(Way::Accepted, &notification(3, 5, &[1, 2, 3]));
        assert_eq!(script.said.transmits, []);
        assert_eq!(script.session.established_way(), None);
    }
}

#[test]
fn a_notification_before_the_close_gives_the_reason_even_unpolled() {
    let mut script = Script::established();
    let now = script.now;
    let octets = [update(4), notification(6, 2, b"\x03bye")].concat();
    script.session.handle_octets(now, Way::Accepted, &octets);
    script.session.handle_closed(now, Way::Accepted);
    script.step(|_, _| ());
    assert_eq!(
        script.lines(),
        ["down: peer sent Cease / Administrative Shutdown: \"bye\""]
    );
}

#[test]
fn nothing_is_sent_on_a_connection_that_is_gone() {
    let mut script = Script::established();
    let now = script.now;
    script.session.handle_octets(now, Way::Accepted, &[0; 40]);
    script.session.handle_closed(now, Way::Accepted);
    script.step(|_, _| ());
    assert_eq!(script.said.transmits, []);
    assert_eq!(script.said.actions, []);
    assert!(matches!(
        script.said.events.as_slice(),
        [SessionEvent::Down { .. }]
    ));
}

#[test]
fn messages_before_an_error_are_lent_and_none_after() {
    let mut script = Script::established();
    script.hear(
        Way::Accepted,
        &[update(4), update(5), open(), update(6)].concat(),
    );
    assert_eq!(
        script.lines(),
        [
            "UPDATE of 4 octets",
            "UPDATE of 5 octets",
            "down: peer's fault: OPEN came in Established; sent Finite State Machine Error / Unexpected Message in Established",
            "Accepted sends Finite State Machine Error / Unexpected Message in Established",
            "Close(Accepted)",
        ]
    );
}

#[test]
fn a_stop_says_when_the_session_may_come_back() {
    let cases = [
        ("until the operator starts it", StopHold::UntilStart, None),
        (
            "for ten minutes",
            StopHold::For(Duration::from_secs(600)),
            Some(600),
        ),
        ("at once", StopHold::For(Duration::ZERO), Some(0)),
    ];
    for (name, hold, back_s) in cases {
        let mut script = Script::established();
        script.step(|session, now| {
            session.handle_stop(
                now,
                stop(CeaseSubcode::AdministrativeShutdown, "later", hold),
            )
        });
        assert_eq!(
            script.lines(),
            [
                "down: sent Cease / Administrative Shutdown: \"later\"",
                "Accepted sends Cease / Administrative Shutdown: \"later\"",
                "Close(Accepted)"
            ],
            "{name}"
        );
        assert!(!script.session.handle_accepted(script.now), "{name}");
        match back_s {
            None => assert_eq!(script.session.poll_timeout(), None, "{name}"),
            Some(seconds) => {
                script.pass(Duration::from_secs(seconds));
                script.accept();
            }
        }
    }
}

#[test]
fn a_start_ends_a_hold() {
    let mut script = Script::established();
    script.step(|session, now| {
        session.handle_stop(
            now,
            stop(
                CeaseSubcode::OutOfResources,
                "",
                StopHold::For(Duration::from_secs(1_000_000)),
            ),
        )
    });
    assert!(!script.session.handle_accepted(script.now));
    script.step(|session, now| session.handle_start(now));
    script.accept();
}

#[test]
fn a_connection_that_is_not_wanted_any_more_is_closed() {
    let mut script = Script::started(active());
    script.step(|session, now| {
        session.handle_stop(
            now,
            stop(
                CeaseSubcode::AdministrativeShutdown,
                "",
                StopHold::UntilStart,
            ),
        )
    });
    script.step(|session, now| session.handle_connected(now));
    assert_eq!(script.lines(), ["Connect", "Close(Connected)"]);
}

#[test]
fn faults_back_off_twice_as_long_each_time_and_a_stable_session_forgives() {
    let mut script = Script::started(settings());
    let fail = |script: &mut Script, up_s: u64| {
        script.accept();
        script.hear(Way::Accepted, &[open(), keepalive()].concat());
        script.pass(Duration::from_secs(up_s));
        script.hear(Way::Accepted, &open());
        let until = script.session.poll_timeout().expect("it comes back");
        let hold = until.since(script.now).as_millis();
        script.pass(until.since(script.now));
        hold
    };
    for span_ms in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        let hold = fail(&mut script, 0);
        assert!(
            (span_ms * 3 / 4..=span_ms).contains(&hold),
            "{hold} ms for {span_ms}"
        );
    }
    let hold = fail(&mut script, 61);
    assert!(hold <= 5_000, "{hold} ms after a stable session");
}

#[test]
fn an_orderly_end_does_not_back_off() {
    for octets in [notification(6, 2, &[]), notification(6, 6, &[])] {
        let mut script = Script::established();
        script.hear(Way::Accepted, &octets);
        script.accept();
    }
    let mut script = Script::established();
    script.close(Way::Accepted);
    script.accept();
    let mut script = Script::established();
    script.hear(Way::Accepted, &notification(4, 0, &[]));
    assert!(
        !script.session.handle_accepted(script.now),
        "a hold timer that expired there is a failure"
    );
}

#[test]
fn new_settings_end_the_session_only_where_the_peer_must_know() {
    let mut script = Script::established();
    let quiet = SessionSettings {
        idle_hold_s: 9,
        connect_retry_s: 7,
        send_hold_time_s: Some(99),
        ..settings()
    };
    script.step(|session, now| session.handle_settings(now, quiet));
    assert_eq!(script.lines(), Vec::<String>::new());
    let told = SessionSettings {
        hold_time_s: 30,
        ..settings()
    };
    script.step(|session, now| session.handle_settings(now, told));
    assert_eq!(
        script.lines(),
        [
            "down: sent Cease / Other Configuration Change",
            "Accepted sends Cease / Other Configuration Change",
            "Close(Accepted)"
        ]
    );
    script.pass(Duration::ZERO);
    script.accept();
    assert_eq!(
        Open::decode(&script.said.transmits[0].1[19..]).map(|open| open.hold_time_s),
        Ok(30)
    );
}

#[test]
fn a_two_octet_peer_of_a_four_octet_server_gets_as_trans() {
    let mut script = Script::started(SessionSettings {
        local_asn: Asn(4_200_000_000),
        ..settings()
    });
    script.accept();
    let octets = &script.said.transmits[0].1;
    assert_eq!(octets[20..22], 23456u16.to_be_bytes());
    let open = Open::decode(&octets[19..]).expect("it is valid");
    assert_eq!(open.asn, Asn(4_200_000_000));
    script.hear(
        Way::Accepted,
        &open_octets(&Open {
            capabilities: Capabilities::default(),
            ..peer_open()
        }),
    );
    script.hear(Way::Accepted, &keepalive());
    assert!(
        !script
            .session
            .negotiated()
            .expect("it is established")
            .four_octet
    );
}

#[test]
fn a_second_connection_of_the_peer_is_refused_while_the_first_lives() {
    for mut script in [Script::open_sent(), Script::open_confirm()] {
        assert!(!script.step(|session, now| session.handle_accepted(now)));
        script.close(Way::Accepted);
        script.accept();
    }
}

#[test]
fn a_connection_closes_only_after_its_notification_was_taken() {
    let mut script = Script::open_sent();
    script
        .session
        .handle_octets(script.now, Way::Accepted, &keepalive());
    assert_eq!(script.session.poll_action(), None);
    assert!(script.session.poll_transmit().is_some());
    assert_eq!(
        script.session.poll_action(),
        Some(SessionAction::Close(Way::Accepted))
    );
}

#[test]
fn a_session_that_becomes_active_connects() {
    let mut script = Script::started(settings());
    script.step(|session, now| session.handle_settings(now, active()));
    assert_eq!(script.lines(), ["Connect"]);
    let mut script = Script::established();
    script.step(|session, now| session.handle_settings(now, active()));
    script.pass(Duration::from_secs(20));
    assert_eq!(script.lines(), Vec::<String>::new());
    script.close(Way::Accepted);
    script.pass(Duration::from_secs(5));
    assert_eq!(
        script.said.lines.last().map(String::as_str),
        Some("Connect")
    );
}
