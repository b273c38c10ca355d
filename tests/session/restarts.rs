//! Graceful restart: what a peer is told when its session ends, and what our OPEN says of restarts.

use std::time::Duration;

use rialto::base::{Family, FamilySet, Time};
use rialto::session::{Parting, SessionSettings, Stop, StopHold, Way};
use rialto::wire::{Capabilities, CeaseSubcode, GracefulRestart, Notification, Open, UpdateError};

use super::script::{Script, keepalive, only, open, open_octets, peer_open, settings, update};

/// A peer that keeps routes as RFC 4724 has it, and one that does after a NOTIFICATION too.
const PLAIN: Option<GracefulRestart> = Some(GracefulRestart {
    restarting: false,
    notifications: false,
    restart_time_s: 0,
    families: FamilySet::EMPTY,
    forwarding: FamilySet::EMPTY,
});
const NOTIFIED: Option<GracefulRestart> = Some(GracefulRestart {
    notifications: true,
    ..PLAIN.unwrap()
});

fn established(ours_s: u16, peer: Option<GracefulRestart>) -> Script {
    let ours = SessionSettings {
        graceful_restart_s: ours_s,
        ..settings()
    };
    let open = Open {
        capabilities: Capabilities {
            graceful_restart: peer,
            ..peer_open().capabilities
        },
        ..peer_open()
    };
    Script::established_with(ours, &open)
}

/// What goes to the peer at the end, in words; empty where TCP is closed without any.
fn last_word(script: &mut Script) -> String {
    let lines = script.lines();
    assert_eq!(
        lines.last().map(String::as_str),
        Some("Close(Accepted)"),
        "{lines:?}"
    );
    let said = lines
        .iter()
        .find_map(|line| line.strip_prefix("Accepted sends "));
    said.unwrap_or_default().to_owned()
}

#[test]
fn a_peer_is_told_what_becomes_of_our_routes() {
    const SHUTDOWN: &str = "Cease / Administrative Shutdown: \"bye\"";
    const RESET: &str = "Cease / Administrative Reset: \"bye\"";
    let final_ = (CeaseSubcode::AdministrativeShutdown, Parting::Final);
    let restart = (CeaseSubcode::AdministrativeReset, Parting::Restart);
    let brief = (CeaseSubcode::OtherConfigurationChange, Parting::Brief);
    let cases = [
        (
            "a shutdown, for one without graceful restart",
            120,
            None,
            final_,
            SHUTDOWN.to_owned(),
        ),
        (
            "a shutdown, under RFC 4724",
            120,
            PLAIN,
            final_,
            SHUTDOWN.to_owned(),
        ),
        (
            "a shutdown, under RFC 8538",
            120,
            NOTIFIED,
            final_,
            format!("Cease / Hard Reset: {SHUTDOWN}"),
        ),
        (
            "a shutdown, where we did not ask to keep anything",
            0,
            NOTIFIED,
            final_,
            SHUTDOWN.to_owned(),
        ),
        (
            "a restart, for one without graceful restart",
            120,
            None,
            restart,
            RESET.to_owned(),
        ),
        (
            "a restart, under RFC 4724",
            120,
            PLAIN,
            restart,
            String::new(),
        ),
        (
            "a restart, under RFC 8538",
            120,
            NOTIFIED,
            restart,
            RESET.to_owned(),
        ),
        (
            "a restart, where we did not ask to keep anything",
            0,
            NOTIFIED,
            restart,
            RESET.to_owned(),
        ),
        (
            "new settings, under RFC 4724",
            120,
            PLAIN,
            brief,
            "Cease / Other Configuration Change".to_owned(),
        ),
        (
            "new settings, under RFC 8538",
            120,
            NOTIFIED,
            brief,
            "Cease / Other Configuration Change".to_owned(),
        ),
    ];
    for (name, ours_s, peer, (subcode, parting), expected) in cases {
        let mut script = established(ours_s, peer);
        let stop = Stop {
            subcode,
            message: "bye".to_owned(),
            hold: StopHold::UntilStart,
            parting,
        };
        script.step(|session, now| session.handle_stop(now, stop));
        assert_eq!(last_word(&mut script), expected, "{name}");
    }
}

#[test]
fn a_restart_under_rfc_4724_reads_well() {
    let mut script = established(120, PLAIN);
    let stop = Stop {
        subcode: CeaseSubcode::AdministrativeReset,
        message: "back soon".to_owned(),
        hold: StopHold::UntilStart,
        parting: Parting::Restart,
    };
    script.step(|session, now| session.handle_stop(now, stop));
    assert_eq!(
        script.lines(),
        [
            "down: closed without a NOTIFICATION, for a restart of this server: the peer keeps its routes (RFC 4724)",
            "Close(Accepted)"
        ]
    );
}

#[test]
fn a_fault_is_final_and_silence_is_not() {
    let bad_update = |script: &mut Script| {
        let error = UpdateError {
            notification: Notification::new(3, 1, []),
            what: "nonsense".to_owned(),
        };
        script.hear(Way::Accepted, &update(4));
        script.step(|session, now| session.handle_update_error(now, &error));
    };
    let second_open = |script: &mut Script| script.hear(Way::Accepted, &open());
    let silence = |script: &mut Script| script.pass(Duration::from_secs(91));
    type Act<'a> = &'a dyn Fn(&mut Script);
    let cases: [(&str, Act<'_>, [&str; 2]); 3] = [
        (
            "an UPDATE that only a reset cures",
            &bad_update,
            [
                "UPDATE Message Error / Malformed Attribute List",
                "Cease / Hard Reset: UPDATE Message Error / Malformed Attribute List",
            ],
        ),
        (
            "an OPEN in Established",
            &second_open,
            [
                "Finite State Machine Error / Unexpected Message in Established",
                "Cease / Hard Reset: Finite State Machine Error / Unexpected Message in Established",
            ],
        ),
        (
            "nothing for the hold time",
            &silence,
            ["Hold Timer Expired", "Hold Timer Expired"],
        ),
    ];
    for (name, act, expected) in cases {
        for (peer, expected) in [PLAIN, NOTIFIED].into_iter().zip(expected) {
            let mut script = established(120, peer);
            act(&mut script);
            let lines = script.lines();
            let mut said = lines
                .iter()
                .rev()
                .filter_map(|line| line.strip_prefix("Accepted sends "));
            assert_eq!(said.next(), Some(expected), "{name}");
        }
    }
}

#[test]
fn a_hard_reset_counts_as_what_is_in_it() {
    let cases = [
        ("a shutdown is no failure", [6, 2], true),
        ("a hold timer that expired is one", [4, 0], false),
    ];
    for (name, inner, is_orderly) in cases {
        let mut script = established(120, NOTIFIED);
        let hard = Notification::new(inner[0], inner[1], []).into_hard_reset();
        script.hear(
            Way::Accepted,
            &super::script::notification(hard.code, hard.subcode, &hard.data),
        );
        assert_eq!(
            script.step(|session, now| session.handle_accepted(now)),
            is_orderly,
            "{name}"
        );
    }
}

#[test]
fn a_passive_session_connects_for_a_while_after_a_restart() {
    let mut script = Script::new(settings());
    script.step(|session, now| {
        session.handle_process_start(now + Duration::from_secs(120));
        session.handle_start(now);
    });
    assert_eq!(
        script.lines(),
        Vec::<String>::new(),
        "the peer gets a few seconds"
    );
    script.pass(Duration::from_secs(5));
    assert_eq!(script.lines(), ["Connect"]);
    script.step(|session, now| session.handle_connect_failed(now));
    script.pass(Duration::from_secs(300));
    assert_eq!(
        script.lines(),
        ["Connect"],
        "one more, by connect_retry; the next one would be too late"
    );

    let mut script = Script::started(settings());
    script.pass(Duration::from_secs(240));
    assert_eq!(script.lines(), ["Connect"; 0], "no restart");
}

/// What the OPEN of the next connection says.
fn announced(script: &mut Script) -> GracefulRestart {
    script.accept();
    let (_, octets) = script.said.transmits.last().expect("an OPEN");
    let open = Open::decode(&octets[19..]).expect("it is valid");
    open.capabilities.graceful_restart.expect("the capability")
}

#[test]
fn our_open_claims_what_members_forward() {
    let ours = |graceful_restart_s| SessionSettings {
        graceful_restart_s,
        families: only(Family::Ipv6),
        ..settings()
    };
    let expected = GracefulRestart {
        restarting: false,
        notifications: true,
        restart_time_s: 33,
        families: only(Family::Ipv6),
        forwarding: only(Family::Ipv6),
    };
    assert_eq!(announced(&mut Script::started(ours(33))), expected);
    assert_eq!(
        announced(&mut Script::started(ours(0))),
        GracefulRestart::default()
    );
}

#[test]
fn the_first_session_after_a_start_says_that_we_restarted() {
    let started = |until: Time| {
        let mut script = Script::new(settings());
        script.step(|session, now| {
            session.handle_process_start(until);
            session.handle_start(now);
        });
        script
    };
    let begin = Script::new(settings()).now;

    let mut script = started(begin + Duration::from_secs(120));
    assert!(announced(&mut script).restarting);
    script.close(Way::Accepted);
    assert!(
        announced(&mut script).restarting,
        "none was established yet"
    );
    script.hear(
        Way::Accepted,
        &[open_octets(&peer_open()), keepalive()].concat(),
    );
    script.close(Way::Accepted);
    assert!(
        !announced(&mut script).restarting,
        "the peer knows this process"
    );

    let mut script = started(begin + Duration::from_secs(120));
    script.pass(Duration::from_secs(120));
    assert!(
        !announced(&mut script).restarting,
        "the peer keeps nothing any more"
    );

    assert!(
        !announced(&mut Script::started(settings())).restarting,
        "a client that is new"
    );
}
