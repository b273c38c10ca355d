//! Golden octets of the messages that a session is made of.

use std::net::Ipv4Addr;

use rialto::base::{Asn, Family, FamilySet};
use rialto::session::{RoleSettings, SessionSettings};
use rialto::wire::{
    Capabilities, CeaseSubcode, GracefulRestart, LongLivedRestart, MESSAGE_MAX, Notification, Open,
    RefreshSubtype, decode_route_refresh, encode_route_refresh,
};

use super::script::{Script, keepalive, message, only, open_octets, settings};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex"))
        .collect()
}

#[test]
fn our_open_is_this_to_the_octet() {
    let mut script = Script::started(SessionSettings {
        add_path_send: only(Family::Ipv4),
        ..settings()
    });
    script.accept();
    let golden = hex("ffffffffffffffffffffffffffffffff 0049 01
         04 fbf4 005a 0a4dfffe 2c
         02 2a
         01 04 0001 00 01
         01 04 0002 00 01
         02 00
         06 00
         40 0a 4078 0001 01 80 0002 01 80
         41 04 0000fbf4
         45 04 0001 01 02
         46 00");
    assert_eq!(script.said.transmits[0].1, golden);
    let open = Open::decode(&golden[19..]).expect("it is valid");
    assert_eq!(open_octets(&open), golden);
}

#[test]
fn our_open_with_all_that_can_be_configured_is_this_to_the_octet() {
    let mut script = Script::started(SessionSettings {
        role: Some(RoleSettings { strict: false }),
        ipv6_next_hops: true,
        ..settings()
    });
    script.accept();
    let golden = hex("ffffffffffffffffffffffffffffffff 004e 01
         04 fbf4 005a 0a4dfffe 31
         02 2f
         01 04 0001 00 01
         01 04 0002 00 01
         02 00
         05 06 0001 0001 0002
         06 00
         09 01 01
         40 0a 4078 0001 01 80 0002 01 80
         41 04 0000fbf4
         46 00");
    assert_eq!(script.said.transmits[0].1, golden);
    let open = Open::decode(&golden[19..]).expect("it is valid");
    assert_eq!(open_octets(&open), golden);
}

#[test]
fn opens_of_others_are_understood() {
    let cases = [
        (
            "one parameter for each capability, in the old and the new code of route refresh",
            "04 2710 00b4 0a4d0101 1e
             02 06 01 04 0001 00 01
             02 02 80 00
             02 02 02 00
             02 06 41 04 00002710
             02 02 46 00
             02 00",
            Open {
                asn: Asn(10000),
                hold_time_s: 180,
                router_id: Ipv4Addr::new(10, 77, 1, 1),
                capabilities: Capabilities {
                    families: only(Family::Ipv4),
                    route_refresh: true,
                    four_octet_asn: Some(Asn(10000)),
                    enhanced_refresh: true,
                    unknown: vec![(128, vec![])],
                    ..Capabilities::default()
                },
            },
        ),
        (
            "AS_TRANS with a four-octet AS, VPN families, role, restart, an ADD-PATH mode that is none",
            "04 5ba0 0000 c0000201 33
             02 31
             01 04 0001 ff 01
             01 04 0001 00 80
             01 04 0019 00 46
             09 01 02
             40 0a 8078 0001 01 80 0002 01 00
             41 04 fa56ea01
             45 08 0001 01 03 0002 01 07",
            Open {
                asn: Asn(4_200_000_001),
                hold_time_s: 0,
                router_id: Ipv4Addr::new(192, 0, 2, 1),
                capabilities: Capabilities {
                    families: only(Family::Ipv4),
                    other_families: true,
                    roles: vec![2],
                    graceful_restart: Some(GracefulRestart {
                        restarting: true,
                        notifications: false,
                        restart_time_s: 120,
                        families: FamilySet::ALL
                            .without(Family::Ipv4)
                            .union(only(Family::Ipv4)),
                        forwarding: only(Family::Ipv4),
                    }),
                    four_octet_asn: Some(Asn(4_200_000_001)),
                    add_path_receive: only(Family::Ipv4),
                    add_path_send: only(Family::Ipv4),
                    ..Capabilities::default()
                },
            },
        ),
        (
            "IPv6 next hops for VPN families and for IPv4, in two capabilities",
            "04 2710 005a 0a4d0101 18
             02 16
             05 0c 0001 0080 0002 0001 0004 0002
             05 06 0001 0001 0002",
            Open {
                asn: Asn(10000),
                hold_time_s: 90,
                router_id: Ipv4Addr::new(10, 77, 1, 1),
                capabilities: Capabilities {
                    ipv6_next_hops: true,
                    ..Capabilities::default()
                },
            },
        ),
        (
            "IPv6 next hops for VPN families alone, and what is too short to say it",
            "04 2710 005a 0a4d0101 11
             02 0f
             05 06 0001 0080 0002
             05 05 0001 0001 00",
            Open {
                asn: Asn(10000),
                hold_time_s: 90,
                router_id: Ipv4Addr::new(10, 77, 1, 1),
                capabilities: Capabilities::default(),
            },
        ),
        (
            "long-lived restart, of a VPN family too; the end of a tuple that is cut short is left out",
            "04 2710 005a 0a4d0101 1f
             02 1d
             40 02 4078
             47 17 0001 01 80 00ffff 0001 80 80 000001 0002 01 00 ffffff 0001",
            Open {
                asn: Asn(10000),
                hold_time_s: 90,
                router_id: Ipv4Addr::new(10, 77, 1, 1),
                capabilities: Capabilities {
                    graceful_restart: Some(GracefulRestart {
                        notifications: true,
                        restart_time_s: 120,
                        ..GracefulRestart::default()
                    }),
                    long_lived_restart: Some(LongLivedRestart {
                        stale_time_s: [65_535, 16_777_215],
                        forwarding: only(Family::Ipv4),
                    }),
                    ..Capabilities::default()
                },
            },
        ),
        (
            "no optional parameter at all",
            "04 fde9 0003 01010101 00",
            Open {
                asn: Asn(65001),
                hold_time_s: 3,
                router_id: Ipv4Addr::new(1, 1, 1, 1),
                capabilities: Capabilities::default(),
            },
        ),
        (
            "the long form where the short one would do (RFC 9072)",
            "04 fde9 005a 01010101 ff ff 0005 02 0002 02 00",
            Open {
                asn: Asn(65001),
                hold_time_s: 90,
                router_id: Ipv4Addr::new(1, 1, 1, 1),
                capabilities: Capabilities {
                    route_refresh: true,
                    ..Capabilities::default()
                },
            },
        ),
        (
            "the long form with a short length that lies (RFC 9072)",
            "04 fde9 005a 01010101 07 ff 0005 02 0002 46 00",
            Open {
                asn: Asn(65001),
                hold_time_s: 90,
                router_id: Ipv4Addr::new(1, 1, 1, 1),
                capabilities: Capabilities {
                    enhanced_refresh: true,
                    ..Capabilities::default()
                },
            },
        ),
    ];
    for (name, octets, expected) in cases {
        assert_eq!(Open::decode(&hex(octets)), Ok(expected), "{name}");
    }
}

#[test]
fn long_parameters_are_encoded_the_long_way() {
    let with = |unknown_len: usize| Open {
        asn: Asn(65001),
        hold_time_s: 90,
        router_id: Ipv4Addr::new(1, 1, 1, 1),
        capabilities: Capabilities {
            unknown: vec![(200, vec![7; unknown_len])],
            ..Capabilities::default()
        },
    };
    let short = open_octets(&with(251));
    assert_eq!(short[28..31], [255, 2, 253]);
    let long = open_octets(&with(252));
    assert_eq!(long[28..35], [255, 255, 1, 1, 2, 0, 254]);
    for open in [with(251), with(252), with(255)] {
        assert_eq!(Open::decode(&open_octets(&open)[19..]), Ok(open));
    }
}

#[test]
fn keepalive_and_route_refresh_are_this_to_the_octet() {
    assert_eq!(keepalive(), hex("ffffffffffffffffffffffffffffffff 0013 04"));
    let mut octets = Vec::new();
    encode_route_refresh(&mut octets, Family::Ipv6, RefreshSubtype::End);
    assert_eq!(
        octets,
        hex("ffffffffffffffffffffffffffffffff 0017 05 0002 02 01")
    );
    assert_eq!(
        decode_route_refresh(&octets[19..], true),
        Ok(Some((Family::Ipv6, RefreshSubtype::End)))
    );
}

#[test]
fn shutdown_text_is_cut_to_255_octets_between_characters() {
    let long = "ü".repeat(200);
    let notification = Notification::cease(CeaseSubcode::AdministrativeShutdown, &long);
    assert_eq!(notification.data[0], 254);
    assert_eq!(notification.text(), Some("ü".repeat(127)));
    let cases = [
        (
            CeaseSubcode::AdministrativeReset,
            "see you",
            "06 04 07 73656520796f75",
        ),
        (CeaseSubcode::AdministrativeShutdown, "", "06 02"),
        (CeaseSubcode::OutOfResources, "not for the wire", "06 08"),
    ];
    for (subcode, text, body) in cases {
        let mut octets = Vec::new();
        Notification::cease(subcode, text).encode(&mut octets, MESSAGE_MAX);
        assert_eq!(octets, message(3, &hex(body)), "{text}");
    }
}

#[test]
fn a_notification_never_outgrows_the_message() {
    let mut octets = Vec::new();
    Notification::new(7, 1, vec![0; 5000]).encode(&mut octets, MESSAGE_MAX);
    assert_eq!(octets.len(), 4096);
}
