//! Helping a peer over its restart: which ends of a session its routes outlive, and what a connection
//! is taken for that comes while the session is up (RFC 4724 §4.2, RFC 8538).

use std::time::Duration;

use rialto::base::{Family, FamilySet};
use rialto::session::{Parting, SessionEvent, SessionSettings, Stop, StopHold, Way};
use rialto::wire::{Capabilities, CeaseSubcode, GracefulRestart, Notification, Open, UpdateError};

use super::script::{
    Said, Script, keepalive, notification, only, open, open_octets, peer_open, settings, update,
};

/// A peer whose routes are to be kept as RFC 4724 has it, and one for which RFC 8538 holds too.
const PLAIN: GracefulRestart = GracefulRestart {
    restarting: false,
    notifications: false,
    restart_time_s: 30,
    families: FamilySet::ALL,
    // What is forwarded while it is away is nothing that its OPEN before could say.
    forwarding: FamilySet::EMPTY,
};
const NOTIFIED: GracefulRestart = GracefulRestart {
    notifications: true,
    ..PLAIN
};

fn helping() -> SessionSettings {
    SessionSettings {
        graceful_restart_helper_s: 60,
        ..settings()
    }
}

fn open_of(peer: Option<GracefulRestart>) -> Open {
    Open {
        capabilities: Capabilities {
            graceful_restart: peer,
            ..peer_open().capabilities
        },
        ..peer_open()
    }
}

fn established(ours: SessionSettings, peer: Option<GracefulRestart>) -> Script {
    Script::established_with(ours, &open_of(peer))
}

type End<'a> = &'a dyn Fn(&mut Script);

/// Of which families the peer's routes outlive such an end.
fn outliving(mut script: Script, end: End<'_>) -> FamilySet {
    let negotiated = *script.session.negotiated().expect("it is established");
    end(&mut script);
    let down = script.said.events.iter().find_map(|event| match event {
        SessionEvent::Down { reason } => Some(negotiated.outlives(reason)),
        _ => None,
    });
    down.expect("the session is down")
}

fn hears(code: u8, subcode: u8) -> impl Fn(&mut Script) {
    move |script: &mut Script| script.hear(Way::Accepted, &notification(code, subcode, &[]))
}

fn stops(parting: Parting) -> impl Fn(&mut Script) {
    move |script: &mut Script| {
        let stop = Stop {
            subcode: CeaseSubcode::AdministrativeReset,
            message: String::new(),
            hold: StopHold::UntilStart,
            parting,
        };
        script.step(|session, now| session.handle_stop(now, stop));
    }
}

fn hangs_up(script: &mut Script) {
    script.close(Way::Accepted);
}

/// Says a NOTIFICATION and closes, before anybody has looked at what it said.
fn says_and_hangs_up(said: Notification) -> impl Fn(&mut Script) {
    move |script: &mut Script| {
        let octets = notification(said.code, said.subcode, &said.data);
        script.step(|session, now| {
            session.handle_octets(now, Way::Accepted, &octets);
            session.handle_closed(now, Way::Accepted);
        });
    }
}

#[test]
fn routes_outlive_an_end_without_a_goodbye() {
    let hard_reset = |script: &mut Script| {
        let hard = Notification::cease(CeaseSubcode::AdministrativeShutdown, "").into_hard_reset();
        script.hear(
            Way::Accepted,
            &notification(hard.code, hard.subcode, &hard.data),
        );
    };
    let silence = |script: &mut Script| script.pass(Duration::from_secs(91));
    let rival = |script: &mut Script| {
        script.step(|session, now| assert!(session.handle_rival(now)));
    };
    let goodbye = Notification::cease(CeaseSubcode::AdministrativeShutdown, "");
    let second_open = |script: &mut Script| script.hear(Way::Accepted, &open());
    let bad_update = |script: &mut Script| {
        let error = UpdateError {
            notification: Notification::new(3, 1, []),
            what: "nonsense".to_owned(),
        };
        script.hear(Way::Accepted, &update(4));
        script.step(|session, now| session.handle_update_error(now, &error));
    };
    let deaf = |script: &mut Script| {
        script.blocked = true;
        for _ in 0..12 {
            script.pass(Duration::from_secs(60));
            script.hear(Way::Accepted, &keepalive());
        }
    };
    let new_settings = |script: &mut Script| {
        let ours = SessionSettings {
            hold_time_s: 30,
            ..helping()
        };
        script.step(|session, now| session.handle_settings(now, ours));
    };
    let all = FamilySet::ALL;
    let none = FamilySet::EMPTY;
    // (end, of which families routes outlive it: RFC 4724, RFC 8538)
    let cases: [(&str, End<'_>, FamilySet, FamilySet); 16] = [
        ("TCP closes", &hangs_up, all, all),
        ("it connects anew", &rival, all, all),
        ("nothing for the hold time", &silence, none, all),
        ("a shutdown", &hears(6, 2), none, all),
        ("a reset", &hears(6, 4), none, all),
        ("its hold timer", &hears(4, 0), none, all),
        ("it found an error", &hears(3, 1), none, all),
        (
            "a shutdown and TCP closes",
            &says_and_hangs_up(goodbye.clone()),
            none,
            all,
        ),
        ("a Hard Reset", &hard_reset, none, none),
        (
            "a Hard Reset and TCP closes",
            &says_and_hangs_up(goodbye.into_hard_reset()),
            none,
            none,
        ),
        ("an OPEN in Established", &second_open, none, none),
        ("an UPDATE only a reset cures", &bad_update, none, none),
        ("it reads nothing", &deaf, none, none),
        ("new settings of ours", &new_settings, none, none),
        ("our end", &stops(Parting::Final), none, none),
        ("our restart", &stops(Parting::Restart), none, none),
    ];
    for (name, end, plain, notified) in cases {
        for (peer, expected) in [(PLAIN, plain), (NOTIFIED, notified)] {
            let kept = outliving(established(helping(), Some(peer)), end);
            assert_eq!(kept, expected, "{name}, {peer:?}");
        }
    }
}

#[test]
fn a_goodbye_is_outlived_only_where_both_sides_said_so() {
    let silence = |script: &mut Script| script.pass(Duration::from_secs(91));
    let shutdown = hears(6, 2);
    let ends: [(&str, End<'_>); 2] = [("hold timer", &silence), ("shutdown", &shutdown)];
    // Without a Restart Time of ours our OPEN has no N bit.
    let cases = [
        (120, true, FamilySet::ALL),
        (120, false, FamilySet::EMPTY),
        (0, true, FamilySet::EMPTY),
        (0, false, FamilySet::EMPTY),
    ];
    for (name, end) in ends {
        for (graceful_restart_s, notifications, expected) in cases {
            let ours = SessionSettings {
                graceful_restart_s,
                ..helping()
            };
            let peer = GracefulRestart {
                notifications,
                ..PLAIN
            };
            let kept = outliving(established(ours.clone(), Some(peer)), end);
            assert_eq!(
                kept, expected,
                "{name}: {graceful_restart_s} s, {notifications}"
            );
            let kept = outliving(established(ours, Some(peer)), &hangs_up);
            assert_eq!(kept, FamilySet::ALL, "TCP alone needs no N bit");
        }
    }
}

/// Families of our session, what the peer says of its restarts, and what of it counts.
fn families() -> [(&'static str, FamilySet, Option<GracefulRestart>, FamilySet); 6] {
    let of = |families| Some(GracefulRestart { families, ..PLAIN });
    let (all, none) = (FamilySet::ALL, FamilySet::EMPTY);
    let [v4, v6] = [Family::Ipv4, Family::Ipv6].map(only);
    [
        ("all of both", all, of(all), all),
        ("one that it names", all, of(v6), v6),
        ("one that the session has", v4, of(all), v4),
        ("one that the session has not", v4, of(v6), none),
        ("it will send End-of-RIB, no more", all, of(none), none),
        ("not a word of restarts", all, None, none),
    ]
}

#[test]
fn only_families_outlive_that_the_peer_named() {
    for (name, families, peer, expected) in families() {
        let ours = SessionSettings {
            families,
            ..helping()
        };
        let kept = outliving(established(ours, peer), &hangs_up);
        assert_eq!(kept, expected, "{name}");
    }
}

fn connects_anew(script: &mut Script) -> bool {
    script.step(|session, now| session.handle_rival(now))
}

#[test]
fn a_new_connection_ends_the_old_one_where_routes_outlive_it() {
    for (name, families, peer, outlives) in families() {
        for helper_s in [0, 1, 60] {
            let ours = SessionSettings {
                families,
                graceful_restart_helper_s: helper_s,
                ..settings()
            };
            let mut script = established(ours, peer);
            let is_taken = helper_s > 0 && !outlives.is_empty();
            let name = format!("{name}, {helper_s} s");
            assert_eq!(connects_anew(&mut script), is_taken, "{name}");
            if !is_taken {
                assert_eq!(script.lines(), [""; 0], "{name}");
            }
            let is_accepted = script.step(|session, now| session.handle_accepted(now));
            assert_eq!(is_accepted, is_taken, "{name}");
            let state = if is_taken { "OpenSent" } else { "Established" };
            assert_eq!(script.session.state().name(), state, "{name}");
        }
    }
}

#[test]
fn the_old_connection_closes_without_a_word_before_the_new_one_opens() {
    let mut script = established(helping(), Some(NOTIFIED));
    script.hear(Way::Accepted, &update(4));
    assert!(connects_anew(&mut script));
    script.accept();
    script.hear(Way::Accepted, &open_octets(&open_of(Some(NOTIFIED))));
    script.hear(Way::Accepted, &keepalive());
    script.hear(Way::Accepted, &update(8));
    assert_eq!(
        script.lines(),
        [
            "UPDATE of 4 octets",
            "down: peer connected anew: the connection before is given up (RFC 4724 §4.2)",
            "Close(Accepted)",
            "Accepted sends OPEN",
            "Accepted sends KEEPALIVE",
            "established",
            "UPDATE of 8 octets",
        ]
    );
    assert!(!connects_anew(&mut Script::open_sent()), "no session yet");
    assert!(!connects_anew(&mut Script::open_confirm()), "nor here");
}

#[test]
fn nothing_of_the_old_connection_reaches_the_new_one() {
    let mut script = established(helping(), Some(PLAIN));
    // The first half of a message.
    script.hear(Way::Accepted, &update(40)[..30]);
    assert!(connects_anew(&mut script));
    script.accept();
    script.hear(
        Way::Accepted,
        &[open_octets(&open_of(Some(PLAIN))), keepalive()].concat(),
    );
    assert_eq!(script.session.state().name(), "Established");
    // Nor is the hold timer that of before.
    script.pass(Duration::from_secs(89));
    assert_eq!(script.session.state().name(), "Established");
}

#[test]
fn a_connection_of_ours_is_given_up_as_well() {
    let ours = SessionSettings {
        passive: false,
        ..helping()
    };
    let mut script = Script::started(ours);
    script.step(|session, now| session.handle_connected(now));
    let octets = [open_octets(&open_of(Some(PLAIN))), keepalive()].concat();
    script.hear(Way::Connected, &octets);
    assert_eq!(script.session.established_way(), Some(Way::Connected));
    script.said = Said::default();
    assert!(connects_anew(&mut script));
    script.accept();
    assert_eq!(
        script.lines()[1..],
        ["Close(Connected)", "Accepted sends OPEN"]
    );
    script.hear(Way::Accepted, &octets);
    assert_eq!(script.session.established_way(), Some(Way::Accepted));
    // What it had on the way itself meanwhile is not taken: the session is up.
    script.lines();
    script.step(|session, now| session.handle_connected(now));
    assert_eq!(script.lines(), ["Close(Connected)"]);
}

#[test]
fn who_connects_anew_all_the_time_is_held_off() {
    for (ours, seconds, times) in [
        (helping(), 1, Some(4)),
        (helping(), 59, Some(4)),
        (helping(), 61, None),
        (
            SessionSettings {
                passive: false,
                ..helping()
            },
            1,
            Some(4),
        ),
    ] {
        let mut script = Script::started(ours);
        let octets = [open_octets(&open_of(Some(PLAIN))), keepalive()].concat();
        script.accept();
        let mut refused = None;
        for time in 1..=10 {
            script.hear(Way::Accepted, &octets);
            assert_eq!(script.session.established_way(), Some(Way::Accepted));
            script.pass(Duration::from_secs(seconds));
            assert!(connects_anew(&mut script));
            if !script.step(|session, now| session.handle_accepted(now)) {
                refused = Some(time);
                break;
            }
        }
        assert_eq!(refused, times, "sessions of {seconds} s");
        if refused.is_some() {
            assert_eq!(script.session.state().name(), "Idle");
            assert!(!script.said.transmits.iter().any(|(_, said)| said[18] == 3));
            // An idle hold later it may come again.
            script.pass(Duration::from_secs(8));
            assert!(script.step(|session, now| session.handle_accepted(now)));
        }
    }
}
