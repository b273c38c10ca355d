//! RFC 8950: whether IPv4 prefixes may have IPv6 next hops.

use rialto::base::Family::{Ipv4, Ipv6};
use rialto::base::FamilySet;
use rialto::session::{SessionSettings, Way};
use rialto::wire::{Capabilities, Open};

use super::script::*;

#[test]
fn ipv6_next_hops_are_for_those_who_both_say_so() {
    let cases = [
        ("both", true, FamilySet::ALL, true, FamilySet::ALL, true),
        (
            "we alone",
            true,
            FamilySet::ALL,
            false,
            FamilySet::ALL,
            false,
        ),
        (
            "the peer alone",
            false,
            FamilySet::ALL,
            true,
            FamilySet::ALL,
            false,
        ),
        (
            "we have no IPv4",
            true,
            only(Ipv6),
            true,
            FamilySet::ALL,
            false,
        ),
        (
            "the peer has no IPv4",
            true,
            FamilySet::ALL,
            true,
            only(Ipv6),
            false,
        ),
        ("nothing but IPv4", true, only(Ipv4), true, only(Ipv4), true),
    ];
    for (name, ours, our_families, theirs, their_families, expected) in cases {
        let ours = SessionSettings {
            ipv6_next_hops: ours,
            families: our_families,
            ..settings()
        };
        let peer = Open {
            capabilities: Capabilities {
                ipv6_next_hops: theirs,
                families: their_families,
                ..peer_open().capabilities
            },
            ..peer_open()
        };
        let announced = ours.ipv6_next_hops && our_families.contains(Ipv4);
        let mut script = Script::started(ours);
        script.accept();
        let open = Open::decode(&script.said.transmits[0].1[19..]).expect("it is valid");
        assert_eq!(open.capabilities.ipv6_next_hops, announced, "{name}");
        script.hear(Way::Accepted, &open_octets(&peer));
        script.hear(Way::Accepted, &keepalive());
        let negotiated = script.session.negotiated().expect("it is established");
        assert_eq!(negotiated.ipv6_next_hops, expected, "{name}");
    }
}
