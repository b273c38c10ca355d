//! Two connections at once (RFC 4271 §6.8).

use std::net::Ipv4Addr;

use rialto::base::Asn;
use rialto::session::Way;
use rialto::wire::{Capabilities, Open};

use super::script::{LOCAL_ID, Script, active, keepalive, open_octets, peer_open};

const BELOW_US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const ABOVE_US: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);

/// Both connections are there, and neither has heard an OPEN.
fn both() -> Script {
    let mut script = Script::started(active());
    script.accept();
    script.step(|session, now| session.handle_connected(now));
    script.lines();
    script
}

fn open_of(router_id: Ipv4Addr) -> Vec<u8> {
    open_octets(&Open {
        router_id,
        ..peer_open()
    })
}

#[test]
fn the_connection_of_the_larger_identifier_stays_in_either_order() {
    let cases = [
        (
            "ours is larger, theirs came first",
            BELOW_US,
            Way::Accepted,
            Way::Connected,
        ),
        (
            "ours is larger, ours came first",
            BELOW_US,
            Way::Connected,
            Way::Connected,
        ),
        (
            "theirs is larger, theirs came first",
            ABOVE_US,
            Way::Accepted,
            Way::Accepted,
        ),
        (
            "theirs is larger, ours came first",
            ABOVE_US,
            Way::Connected,
            Way::Accepted,
        ),
    ];
    for (name, peer_id, first, stays) in cases {
        let mut script = both();
        script.hear(first, &open_of(peer_id));
        script.hear(first.other(), &open_of(peer_id));
        let loser = stays.other();
        let lines = script.lines();
        let collision = format!("{loser:?} sends Cease / Connection Collision Resolution");
        assert!(lines.contains(&collision), "{name}: {lines:?}");
        assert!(
            lines.contains(&format!("Close({loser:?})")),
            "{name}: {lines:?}"
        );
        assert_eq!(script.session.state().name(), "OpenConfirm", "{name}");
        script.hear(loser, &keepalive());
        assert_eq!(
            script.session.established_way(),
            None,
            "{name}: the loser is deaf"
        );
        script.hear(stays, &keepalive());
        assert_eq!(script.session.established_way(), Some(stays), "{name}");
    }
}

#[test]
fn of_equal_identifiers_the_larger_as_decides() {
    for (peer_asn, stays) in [(10000, Way::Connected), (65000, Way::Accepted)] {
        let settings = rialto::session::SessionSettings {
            peer_asn: Asn(peer_asn),
            ..active()
        };
        let capabilities = Capabilities {
            four_octet_asn: Some(Asn(peer_asn)),
            ..peer_open().capabilities
        };
        let open = open_octets(&Open {
            asn: Asn(peer_asn),
            router_id: LOCAL_ID,
            capabilities,
            hold_time_s: 90,
        });
        let mut script = Script::started(settings);
        script.accept();
        script.step(|session, now| session.handle_connected(now));
        script.hear(Way::Accepted, &open);
        script.hear(Way::Connected, &open);
        script.hear(stays, &keepalive());
        assert_eq!(
            script.session.established_way(),
            Some(stays),
            "AS {peer_asn}"
        );
    }
}

#[test]
fn an_established_session_wins_whatever_the_identifiers() {
    for peer_id in [BELOW_US, ABOVE_US] {
        for first in Way::BOTH {
            let mut script = both();
            script.hear(first, &open_of(peer_id));
            script.hear(first, &keepalive());
            assert_eq!(script.session.established_way(), Some(first));
            let lines = script.lines();
            let collision = format!(
                "{:?} sends Cease / Connection Collision Resolution",
                first.other()
            );
            assert!(lines.contains(&collision), "{lines:?}");
        }
    }
}

#[test]
fn a_connection_that_comes_after_establishment_is_not_taken() {
    let mut script = Script::started(active());
    script.accept();
    script.hear(Way::Accepted, &open_of(BELOW_US));
    script.hear(Way::Accepted, &keepalive());
    script.lines();
    script.step(|session, now| session.handle_connected(now));
    assert_eq!(script.lines(), ["Close(Connected)"]);
    assert_eq!(script.session.established_way(), Some(Way::Accepted));
}

#[test]
fn a_fault_on_one_connection_leaves_the_other() {
    let mut script = both();
    script.hear(Way::Accepted, &[0; 19]);
    assert_eq!(script.session.state().name(), "OpenSent");
    script.hear(Way::Connected, &open_of(BELOW_US));
    script.hear(Way::Connected, &keepalive());
    assert_eq!(script.session.established_way(), Some(Way::Connected));
}

#[test]
fn the_loser_closing_first_changes_nothing() {
    let mut script = both();
    script.hear(Way::Accepted, &open_of(BELOW_US));
    script.close(Way::Accepted);
    script.hear(Way::Connected, &open_of(BELOW_US));
    script.hear(Way::Connected, &keepalive());
    assert_eq!(script.session.established_way(), Some(Way::Connected));
}
