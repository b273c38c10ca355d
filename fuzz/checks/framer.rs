//! Any octets on a connection: the session says the same however they are cut into segments.
//! Shared by the fuzz target and the property tests.

use std::net::Ipv4Addr;

use rialto::base::{Asn, FamilySet, Time};
use rialto::session::{Session, SessionSettings, Way};
use rialto::wire::{Capabilities, Open, encode_keepalive};

/// Bit 0 of the first octet: whether the peer begins with a good OPEN and KEEPALIVE; bit 1:
/// whether messages may be long. The second octet is the length of a segment, less one.
pub fn check(octets: &[u8]) {
    let [choices, segment_len, octets @ ..] = octets else {
        return;
    };
    let mut heard = if choices & 1 == 0 {
        greeting(choices & 2 != 0)
    } else {
        vec![]
    };
    heard.extend_from_slice(octets);
    let settings = settings(choices & 2 != 0);
    let whole = said(settings.clone(), [&heard[..]].into_iter());
    assert_eq!(
        said(settings, heard.chunks(usize::from(*segment_len) + 1)),
        whole
    );
}

fn settings(extended_messages: bool) -> SessionSettings {
    SessionSettings {
        local_asn: Asn(64500),
        local_router_id: Ipv4Addr::new(10, 77, 255, 254),
        peer_asn: Asn(10000),
        families: FamilySet::ALL,
        hold_time_s: 90,
        passive: true,
        add_path_send: FamilySet::ALL,
        extended_messages,
        connect_retry_s: 120,
        idle_hold_s: 5,
        idle_hold_max_s: 60,
        send_hold_time_s: None,
        graceful_restart_s: 120,
        graceful_restart_helper_s: 0,
        llgr_max_s: [0; 2],
        role: None,
        prepend_rs_as: false,
        ipv6_next_hops: false,
    }
}

fn greeting(extended_messages: bool) -> Vec<u8> {
    let capabilities = Capabilities {
        families: FamilySet::ALL,
        route_refresh: true,
        enhanced_refresh: true,
        extended_messages,
        four_octet_asn: Some(Asn(10000)),
        ..Capabilities::default()
    };
    let router_id = Ipv4Addr::new(10, 77, 1, 1);
    let open = Open {
        asn: Asn(10000),
        hold_time_s: 90,
        router_id,
        capabilities,
    };
    let mut octets = Vec::new();
    open.encode(&mut octets);
    encode_keepalive(&mut octets);
    octets
}

/// Everything a session says in each of its ways while it hears these segments.
fn said<'a>(
    settings: SessionSettings,
    segments: impl Iterator<Item = &'a [u8]>,
) -> [Vec<String>; 4] {
    let now = Time::from_secs(1000);
    let mut session = Session::new(settings, 7);
    let [mut messages, mut events, mut transmits, mut actions] = <[Vec<String>; 4]>::default();
    session.handle_start(now);
    assert!(
        session.handle_accepted(now),
        "a started session takes a connection"
    );
    for segment in segments.chain([&[][..]]) {
        session.handle_octets(now, Way::Accepted, segment);
        while let Some(event) = session.poll_event() {
            events.push(format!("{event:?}"));
        }
        while let Some(message) = session.poll_message(now) {
            messages.push(format!("{message:?}"));
        }
        while let Some((way, octets)) = session.poll_transmit() {
            transmits.push(format!("{way:?} {octets:?}"));
            session.handle_written(now, way, false);
        }
        while let Some(action) = session.poll_action() {
            actions.push(format!("{action:?}"));
        }
    }
    [messages, events, transmits, actions]
}
