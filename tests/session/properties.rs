//! Whatever octets come, however they are cut.

use proptest::prelude::*;
use rialto::base::{Asn, Family, FamilySet};
use rialto::session::{SessionSettings, Way};
use rialto::wire::{Capabilities, GracefulRestart, Notification, Open};

use super::script::{
    Said, Script, active, keepalive, message, notification, open, open_octets, peer_open, settings,
    update,
};

/// Mostly valid messages, some broken, in an order that may make sense.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(keepalive()),
        2 => Just(open()),
        3 => (4usize..200).prop_map(update),
        1 => (0usize..6000).prop_map(update),
        2 => prop::collection::vec(0u8..4, 0..6).prop_map(|body| message(5, &body)),
        1 => prop::collection::vec(any::<u8>(), 0..9).prop_map(|data| notification(6, 2, &data)),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => (0u8..8, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, body)| message(kind, &body)),
        1 => (0usize..60, any::<u8>()).prop_map(|(at, octet)| {
            let mut octets = open();
            let at = at % octets.len();
            octets[at] = octet;
            octets
        }),
    ];
    (any::<bool>(), prop::collection::vec(piece, 0..12)).prop_map(|(begins_well, pieces)| {
        let mut octets = if begins_well {
            [open(), keepalive()].concat()
        } else {
            vec![]
        };
        octets.extend(pieces.concat());
        octets
    })
}

fn hear_in(segments: &[&[u8]], settings: &SessionSettings) -> Said {
    let mut script = Script::started(settings.clone());
    script.accept();
    for segment in segments {
        script.hear(Way::Accepted, segment);
    }
    script.close(Way::Accepted);
    Said {
        lines: vec![],
        ..script.said
    }
}

fn cut<'a>(octets: &'a [u8], lens: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = octets;
    let mut segments = vec![];
    for len in lens.iter().cycle() {
        if rest.is_empty() || lens.iter().all(|len| *len == 0) {
            break;
        }
        let (segment, after) = rest.split_at((*len).min(rest.len()));
        segments.push(segment);
        rest = after;
    }
    segments.push(rest);
    segments
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_segmentation_says_the_same(octets in octets(), lens in prop::collection::vec(0usize..90, 1..8), ext in any::<bool>()) {
        let settings = SessionSettings { extended_messages: ext, ..settings() };
        let whole = hear_in(&[&octets], &settings);
        prop_assert_eq!(&hear_in(&cut(&octets, &lens), &settings), &whole);
        prop_assert_eq!(&hear_in(&cut(&octets, &[1]), &settings), &whole);
    }

    #[test]
    fn any_octets_on_both_connections_leave_a_sane_session(
        pieces in prop::collection::vec((any::<bool>(), octets()), 1..6),
    ) {
        let mut script = Script::started(active());
        for (accepted, octets) in pieces {
            let way = if accepted { Way::Accepted } else { Way::Connected };
            if accepted {
                script.step(|session, now| session.handle_accepted(now));
            } else {
                script.step(|session, now| session.handle_connected(now));
            }
            script.hear(way, &octets);
            script.pass(std::time::Duration::from_secs(20));
        }
        let ups = script.said.lines.iter().filter(|line| *line == "established").count();
        let downs = script.said.lines.iter().filter(|line| line.starts_with("down")).count();
        let up = usize::from(script.session.established_way().is_some());
        prop_assert_eq!(ups, downs + up);
    }

    #[test]
    fn any_octets_are_an_open_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(open) = Open::decode(&octets) {
            let again = open_octets(&open);
            prop_assert_eq!(Open::decode(&again[19..]), Ok(open));
        }
    }

    #[test]
    fn an_open_comes_back_as_it_was_encoded(open in any_open()) {
        let octets = open_octets(&open);
        prop_assert_eq!(Open::decode(&octets[19..]), Ok(open));
    }

    #[test]
    fn a_notification_comes_back_and_reads(code in any::<u8>(), subcode in any::<u8>(), data in prop::collection::vec(any::<u8>(), 0..300)) {
        let octets = notification(code, subcode, &data);
        let back = Notification::decode(&octets[19..]);
        prop_assert_eq!(&back, &Notification::new(code, subcode, data));
        prop_assert!(!back.to_string().contains('\n'));
    }
}

fn families() -> impl Strategy<Value = FamilySet> {
    (any::<bool>(), any::<bool>()).prop_map(|(v4, v6)| {
        let both = [(v4, Family::Ipv4), (v6, Family::Ipv6)];
        both.into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, family)| family)
            .collect()
    })
}

/// With enough unknown capabilities to need RFC 9072 now and then.
fn any_open() -> impl Strategy<Value = Open> {
    let unknown = prop::collection::vec(
        (100u8..200, prop::collection::vec(any::<u8>(), 0..200)),
        0..6,
    );
    let flags = any::<[bool; 5]>();
    let sets = (families(), families(), families(), families());
    (any::<u32>(), 3u16.., 1u32.., flags, sets, unknown).prop_map(
        |(asn, hold_time_s, id, flags, sets, unknown)| {
            let [
                route_refresh,
                extended_messages,
                restarting,
                enhanced_refresh,
                four_octet,
            ] = flags;
            let (families, add_path_receive, add_path_send, restart) = sets;
            let asn = Asn(if four_octet {
                asn.max(1)
            } else {
                asn % 65535 + 1
            });
            let graceful_restart = restarting.then_some(GracefulRestart {
                restarting,
                notifications: route_refresh,
                restart_time_s: hold_time_s & 0xfff,
                families: restart,
                forwarding: restart.intersection(families),
            });
            Open {
                asn,
                hold_time_s,
                router_id: id.into(),
                capabilities: Capabilities {
                    families,
                    route_refresh,
                    extended_messages,
                    ipv6_next_hops: extended_messages != route_refresh,
                    roles: if restarting { vec![3, 2] } else { vec![] },
                    graceful_restart,
                    four_octet_asn: four_octet.then_some(asn),
                    add_path_receive,
                    add_path_send,
                    enhanced_refresh,
                    unknown,
                    ..peer_open().capabilities
                },
            }
        },
    )
}
