//! Hold, keepalive and send hold timers.

use std::time::Duration;

use rialto::base::Time;
use rialto::session::{DownReason, Session, SessionEvent, SessionSettings, Way};
use rialto::wire::Open;

use super::script::{Script, keepalive, message, open, peer_open, settings, update};

#[test]
fn silence_for_the_hold_time_ends_the_session() {
    let mut script = Script::established();
    script.pass(Duration::from_millis(89_999));
    assert_eq!(script.session.state().name(), "Established");
    script.pass(Duration::from_millis(1));
    let lines = script.lines();
    assert!(
        lines
            .contains(&"down: hold timer expired: nothing heard from the peer for 90 s".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"Accepted sends Hold Timer Expired".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn the_smaller_hold_time_counts() {
    for (ours_s, theirs_s) in [(90, 9), (9, 90), (9, 9)] {
        let peer = Open {
            hold_time_s: theirs_s,
            ..peer_open()
        };
        let ours = SessionSettings {
            hold_time_s: ours_s,
            ..settings()
        };
        let mut script = Script::established_with(ours, &peer);
        script.pass(Duration::from_millis(8_999));
        assert_eq!(script.session.state().name(), "Established");
        script.pass(Duration::from_millis(1));
        assert_eq!(
            script.session.state().name(),
            "Idle",
            "{ours_s} s and {theirs_s} s"
        );
    }
}

#[test]
fn a_message_is_life_when_its_last_octet_is_received() {
    let mut script = Script::established();
    let octets = update(40);
    let (head, tail) = octets.split_at(30);
    script.pass(Duration::from_secs(60));
    script.hear(Way::Accepted, head);
    script.pass(Duration::from_secs(29));
    script.hear(Way::Accepted, tail);
    script.pass(Duration::from_secs(89));
    assert_eq!(script.session.state().name(), "Established");
    script.pass(Duration::from_secs(1));
    assert_eq!(script.session.state().name(), "Idle");
}

#[test]
fn part_of_a_message_is_no_life() {
    let every_message = [update(4), keepalive(), message(5, &[0, 1, 0, 1])];
    for octets in every_message {
        let mut script = Script::established();
        let mut drops = 0;
        while script.session.state().name() == "Established" && drops < octets.len() {
            script.hear(Way::Accepted, &octets[drops..=drops]);
            script.pass(Duration::from_secs(80));
            drops += 1;
        }
        assert_eq!(drops, 2, "one octet every 80 s is silence for 90 s");
        assert_eq!(
            script.said.events.last(),
            Some(&SessionEvent::Down {
                reason: DownReason::HoldTimer { hold_time_s: 90 }
            })
        );
    }
}

#[test]
fn any_whole_message_is_life() {
    for octets in [update(4), keepalive(), message(5, &[0, 1, 0, 1])] {
        let mut script = Script::established();
        for _ in 0..5 {
            script.pass(Duration::from_secs(80));
            script.hear(Way::Accepted, &octets);
        }
        assert_eq!(script.session.state().name(), "Established");
    }
}

#[test]
fn unpolled_messages_do_not_age_the_peer() {
    let mut script = Script::established();
    let octets = [update(40), update(40)].concat();
    let mut hear_unpolled = |octets: &[u8]| {
        script.now = script.now + Duration::from_secs(80);
        script
            .session
            .handle_octets(script.now, Way::Accepted, octets);
        script.session.handle_timeout(script.now);
        script.session.state().name()
    };
    assert_eq!(hear_unpolled(&octets[..70]), "Established");
    assert_eq!(
        hear_unpolled(&octets[70..]),
        "Established",
        "the first counts from when it was received"
    );
    assert_eq!(hear_unpolled(&[]), "Established", "so does the second");
}

#[test]
fn a_peer_that_is_not_read_is_not_blamed_for_silence() {
    let mut script = Script::established();
    script.step(|session, now| session.handle_paused(now, Way::Accepted, true));
    script.pass(Duration::from_secs(1000));
    assert_eq!(script.session.state().name(), "Established");
    script.step(|session, now| session.handle_paused(now, Way::Accepted, false));
    script.pass(Duration::from_secs(89));
    assert_eq!(script.session.state().name(), "Established");
    script.pass(Duration::from_secs(1));
    assert_eq!(script.session.state().name(), "Idle");
}

#[test]
fn our_own_late_waking_leaves_time_to_read_the_socket() {
    let mut script = Script::established();
    script.now = script.now + Duration::from_secs(100);
    script.step(|session, now| session.handle_timeout(now));
    assert_eq!(script.session.state().name(), "Established");
    script.hear(Way::Accepted, &keepalive());
    script.pass(Duration::from_secs(89));
    assert_eq!(script.session.state().name(), "Established");
    for _ in 0..2 {
        script.now = script.now + Duration::from_secs(100);
        script.step(|session, now| session.handle_timeout(now));
    }
    assert_eq!(
        script.session.state().name(),
        "Idle",
        "the grace is given once"
    );
}

#[test]
fn keepalives_go_out_every_third_of_the_hold_time_with_jitter() {
    let spacing = |seed, hold_time_s| {
        let settings = SessionSettings {
            hold_time_s,
            ..settings()
        };
        let mut session = Session::new(settings, seed);
        let mut now = Time::ZERO;
        session.handle_start(now);
        session.handle_accepted(now);
        session.handle_octets(now, Way::Accepted, &super::script::open());
        session.handle_octets(now, Way::Accepted, &keepalive());
        let mut sent = Vec::new();
        while sent.len() < 20 {
            now = session
                .poll_timeout()
                .expect("a session always has a deadline");
            session.handle_octets(now, Way::Accepted, &keepalive());
            while session.poll_message(now).is_some() {}
            session.handle_timeout(now);
            while session.poll_transmit().is_some() {
                session.handle_written(now, Way::Accepted, false);
            }
            sent.push(now);
        }
        sent
    };
    // Of the least hold time it would be less than a second (RFC 4271 §4.4).
    for (hold_time_s, gaps_ms) in [
        (90, 22_500..=30_000),
        (4, 1_000..=1_334),
        (3, 1_000..=1_000),
    ] {
        for pair in spacing(1, hold_time_s).windows(2) {
            let gap = pair[1].since(pair[0]).as_millis();
            assert!(gaps_ms.contains(&gap), "{gap} ms of {hold_time_s} s");
        }
    }
    let sent = spacing(1, 90);
    assert_eq!(sent, spacing(1, 90), "the same seed gives the same times");
    assert_ne!(sent, spacing(2, 90), "another seed gives others");
}

#[test]
fn what_is_written_stands_in_for_keepalives() {
    let mut script = Script::established();
    for _ in 0..20 {
        script.pass(Duration::from_secs(20));
        script.hear(Way::Accepted, &keepalive());
        script.step(|session, now| session.handle_written(now, Way::Accepted, false));
    }
    assert_eq!(script.lines(), Vec::<String>::new());
}

#[test]
fn a_blocked_peer_gets_no_heap_of_keepalives_and_is_let_go() {
    let peer = peer_open();
    let cases = [
        ("by default after 480 s", None, Some(480)),
        ("as configured", Some(100), Some(100)),
        ("longer than the hold time in any case", Some(7), Some(91)),
        ("never", Some(0), None),
    ];
    for (name, send_hold_time_s, expected_s) in cases {
        let mut script = Script::established_with(
            SessionSettings {
                send_hold_time_s,
                ..settings()
            },
            &peer,
        );
        script.step(|session, now| session.handle_written(now, Way::Accepted, true));
        script.blocked = true;
        let mut blocked_s = 0;
        while script.session.established_way().is_some() && blocked_s < 2000 {
            script.pass(Duration::from_secs(1));
            script.hear(Way::Accepted, &keepalive());
            blocked_s += 1;
        }
        let lines = script.lines();
        match expected_s {
            Some(seconds) => {
                assert_eq!(blocked_s, seconds, "{name}");
                let down = format!(
                    "down: send hold timer expired: the peer took no octet from us for {seconds} s"
                );
                assert_eq!(
                    lines,
                    [
                        "Accepted sends KEEPALIVE",
                        down.as_str(),
                        "Accepted sends Send Hold Timer Expired",
                        "Close(Accepted)"
                    ],
                    "{name}"
                );
            }
            None => assert_eq!(lines, ["Accepted sends KEEPALIVE"], "{name}"),
        }
    }
}

#[test]
fn a_keepalive_that_cannot_be_written_counts_towards_the_send_hold_time() {
    let mut script = Script::established();
    script.blocked = true;
    let mut silent_s = 0;
    while script.session.established_way().is_some() {
        script.pass(Duration::from_secs(1));
        script.hear(Way::Accepted, &keepalive());
        silent_s += 1;
    }
    assert!((480 + 22..=480 + 31).contains(&silent_s), "{silent_s} s");
}

#[test]
fn slow_progress_is_progress() {
    let mut script = Script::established();
    script.blocked = true;
    for _ in 0..30 {
        script.step(|session, now| session.handle_written(now, Way::Accepted, true));
        for _ in 0..6 {
            script.pass(Duration::from_secs(60));
            script.hear(Way::Accepted, &keepalive());
        }
    }
    assert_eq!(script.session.state().name(), "Established");
}

#[test]
fn a_session_without_hold_time_has_no_timers() {
    let peer = Open {
        hold_time_s: 0,
        ..peer_open()
    };
    for send_hold_time_s in [None, Some(100)] {
        let settings = SessionSettings {
            send_hold_time_s,
            ..settings()
        };
        let mut script = Script::established_with(settings, &peer);
        assert_eq!(script.session.poll_timeout(), None);
        // RFC 9687 §4.3: without hold time there is no SendHoldTimer.
        script.step(|session, now| session.handle_written(now, Way::Accepted, true));
        script.blocked = true;
        assert_eq!(script.session.poll_timeout(), None);
        script.pass(Duration::from_secs(100_000));
        assert_eq!(script.session.state().name(), "Established");
    }
}

#[test]
fn a_connection_without_open_is_ended_after_four_minutes() {
    let mut script = Script::open_sent();
    script.pass(Duration::from_secs(239));
    assert_eq!(script.session.state().name(), "OpenSent");
    script.hear(Way::Accepted, &[0xff]);
    script.pass(Duration::from_secs(1));
    assert_eq!(
        script.lines(),
        [
            "Accepted sends OPEN",
            "failed: peer sent no OPEN within 240 s",
            "Accepted sends Hold Timer Expired",
            "Close(Accepted)"
        ]
    );
}

#[test]
fn open_confirm_waits_for_the_negotiated_hold_time() {
    let mut script = Script::open_confirm();
    script.pass(Duration::from_secs(90));
    assert_eq!(script.session.state().name(), "Idle");
}

#[test]
fn a_peer_that_ends_one_short_session_after_another_is_held_off() {
    let mut script = Script::started(settings());
    let come_and_go = |script: &mut Script, last_s: u64| {
        let wanted = script.step(Session::handle_accepted);
        if wanted {
            script.hear(Way::Accepted, &[open(), keepalive()].concat());
            assert_eq!(script.session.state().name(), "Established");
            script.pass(Duration::from_secs(last_s));
            script.close(Way::Accepted);
        }
        wanted
    };
    let wanted: Vec<bool> = (0..5).map(|_| come_and_go(&mut script, 1)).collect();
    assert_eq!(wanted, [true, true, true, true, false]);
    // The back-off (5 s, 10 s, ... with jitter) is over at some time, and grows.
    script.pass(Duration::from_secs(5));
    assert!(come_and_go(&mut script, 1));
    script.pass(Duration::from_secs(5));
    assert!(
        !come_and_go(&mut script, 1),
        "the second takes twice as long"
    );
    script.pass(Duration::from_secs(5));
    // A session that lasts is forgiven everything.
    assert!(come_and_go(&mut script, 61));
    assert!(come_and_go(&mut script, 1));
}
