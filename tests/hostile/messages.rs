//! Malformed headers and OPENs, messages at the wrong time, ROUTE-REFRESH and NOTIFICATION.

use super::inputs::At::{Established, OpenConfirm, OpenSent};
use super::inputs::Outcome::{Announced, Notified, NotifiedWith, Silence, Withdrawn};
use super::inputs::{Case, again, case, fixed};
use super::octets::*;
use super::tables::{address_of, asn_of, prefix_of};

/// A good OPEN with one octet of its body changed.
fn open_but(position: usize, octet: u8) -> impl Fn(u16) -> Vec<u8> {
    move |index| {
        let mut octets = open(asn_of(index), address_of(index).octets());
        octets[19 + position] = octet;
        octets
    }
}

pub fn headers() -> Vec<Case> {
    let mut marker = keepalive();
    marker[15] = 0xfe;
    let not_bgp = "what came does not begin like a BGP message";
    vec![
        case(
            "a bad marker first of all",
            OpenSent,
            fixed(marker.clone()),
            Notified(1, 1, vec![]),
            not_bgp,
        ),
        case(
            "a bad marker in Established",
            Established,
            fixed(marker),
            Notified(1, 1, vec![]),
            not_bgp,
        ),
        case(
            "a web browser",
            OpenSent,
            fixed(b"GET / HTTP/1.1\r\nHost: route-server\r\n\r\n".to_vec()),
            Notified(1, 1, vec![]),
            not_bgp,
        ),
        case(
            "a million octets of noise before OPEN",
            OpenSent,
            fixed(noise(1, 1_000_000)),
            Notified(1, 1, vec![]),
            not_bgp,
        ),
        case(
            "a million octets of noise in Established",
            Established,
            fixed(noise(2, 1_000_000)),
            Notified(1, 1, vec![]),
            not_bgp,
        ),
        case(
            "a million zeros in Established",
            Established,
            fixed(vec![0; 1_000_000]),
            Notified(1, 1, vec![]),
            not_bgp,
        ),
        case(
            "a million ones in Established",
            Established,
            fixed(vec![0xff; 1_000_000]),
            Notified(1, 3, vec![0xff]),
            "a message has type 255",
        ),
        case(
            "noise after a good message",
            Established,
            |index| [again(med(9))(index), noise(3, 5000)].concat(),
            Notified(1, 1, vec![]),
            not_bgp,
        ),
        case(
            "a length of 18",
            Established,
            fixed(with_len(KEEPALIVE, 18, &[])),
            Notified(1, 2, vec![0, 18]),
            "a length of 18 octets",
        ),
        case(
            "a length of 0",
            OpenSent,
            fixed(with_len(OPEN, 0, &[])),
            Notified(1, 2, vec![0, 0]),
            "a length of 0 octets",
        ),
        case(
            "an UPDATE over 4096 octets, from one that does not take such itself (RFC 8654 §4)",
            Established,
            |index| withdraw(&[prefix_of(index, 1); 1100]),
            Withdrawn,
            "",
        ),
        case(
            "a huge KEEPALIVE",
            Established,
            fixed(with_len(KEEPALIVE, 4097, &[0; 4078])),
            Notified(1, 2, vec![0x10, 1]),
            "a length of 4097 octets",
        ),
        case(
            "a huge OPEN",
            OpenSent,
            fixed(with_len(OPEN, 65_535, &[4; 65_516])),
            Notified(1, 2, vec![0xff, 0xff]),
            "a length of 65535 octets",
        ),
        case(
            "a KEEPALIVE with a body",
            Established,
            fixed(message(KEEPALIVE, &[0])),
            Notified(1, 2, vec![0, 20]),
            "a length of 20 octets",
        ),
        case(
            "an UPDATE of 22 octets",
            Established,
            fixed(message(UPDATE, &[0; 3])),
            Notified(1, 2, vec![0, 22]),
            "a length of 22 octets",
        ),
        case(
            "a NOTIFICATION of 20 octets",
            Established,
            fixed(message(NOTIFICATION, &[6])),
            Notified(1, 2, vec![0, 20]),
            "a length of 20 octets",
        ),
        case(
            "type 0",
            Established,
            fixed(message(0, &[])),
            Notified(1, 3, vec![0]),
            "has type 0",
        ),
        case(
            "type 200 before OPEN",
            OpenSent,
            fixed(message(200, &[])),
            Notified(1, 3, vec![200]),
            "has type 200",
        ),
    ]
}

pub fn opens() -> Vec<Case> {
    let parameters = |octets: &'static [u8]| move |index| open_with(asn_of(index), octets);
    let refused = "session not established";
    vec![
        case(
            "BGP version 3",
            OpenSent,
            open_but(0, 3),
            Notified(2, 1, vec![0, 4]),
            "BGP version 3",
        ),
        case(
            "AS 0",
            OpenSent,
            |index| {
                let mut octets = open_with(asn_of(index), &[0]);
                octets[20..22].fill(0);
                octets
            },
            Notified(2, 2, vec![]),
            "AS 0",
        ),
        case(
            "the AS of somebody else",
            OpenSent,
            |_| open(10_000, [10, 0, 0, 1]),
            Notified(2, 2, vec![]),
            "OPEN has AS 10000, configured is AS",
        ),
        case(
            "identifier 0.0.0.0",
            OpenSent,
            |index| open(asn_of(index), [0; 4]),
            Notified(2, 3, vec![]),
            "identifier 0.0.0.0",
        ),
        case(
            "a hold time of one second",
            OpenSent,
            |index| {
                let mut octets = open_with(asn_of(index), &[0]);
                octets[22..24].copy_from_slice(&[0, 1]);
                octets
            },
            Notified(2, 6, vec![]),
            "hold time of 1 s",
        ),
        case(
            "an unknown optional parameter",
            OpenSent,
            parameters(&[3, 9, 1, 0]),
            Notified(2, 4, vec![]),
            "parameter 9",
        ),
        case(
            "optional parameters that are cut",
            OpenSent,
            parameters(&[40, 2, 0]),
            Notified(2, 0, vec![]),
            "do not fit",
        ),
        case(
            "a capability that is cut",
            OpenSent,
            parameters(&[4, 2, 2, 65, 4]),
            Notified(2, 0, vec![]),
            refused,
        ),
        case(
            "an OPEN of 4096 octets that is all parameters",
            OpenSent,
            |index| open_with(asn_of(index), &[255; 4068]),
            Notified(2, 0, vec![]),
            refused,
        ),
        case(
            "4,000 octets of capabilities nobody knows, with RFC 9072, and nothing else of IPv6",
            OpenSent,
            |index| {
                let capabilities: Vec<u8> = [200u8, 0].repeat(2000);
                let family: &[u8] = &[1, 4, 0, 2, 0, 1];
                let len = (capabilities.len() + family.len()) as u16;
                let mut octets = vec![255, 255];
                octets.extend((len + 3).to_be_bytes());
                octets.push(2);
                octets.extend(len.to_be_bytes());
                octets.extend([family, &capabilities].concat());
                open_with(asn_of(index), &octets)
            },
            NotifiedWith(2, 7),
            "none of the families",
        ),
    ]
}

pub fn states() -> Vec<Case> {
    let good_open = |index| open(asn_of(index), address_of(index).octets());
    vec![
        case(
            "an UPDATE before OPEN",
            OpenSent,
            again(vec![]),
            Notified(5, 1, vec![2]),
            "UPDATE came in OpenSent",
        ),
        case(
            "a KEEPALIVE before OPEN",
            OpenSent,
            fixed(keepalive()),
            Notified(5, 1, vec![4]),
            "KEEPALIVE came in OpenSent",
        ),
        case(
            "a ROUTE-REFRESH before OPEN",
            OpenSent,
            fixed(message(ROUTE_REFRESH, &[0, 1, 0, 1])),
            Notified(5, 1, vec![5]),
            "ROUTE-REFRESH came in OpenSent",
        ),
        case(
            "an UPDATE before KEEPALIVE",
            OpenConfirm,
            again(vec![]),
            Notified(5, 2, vec![2]),
            "UPDATE came in OpenConfirm",
        ),
        case(
            "a second OPEN in OpenConfirm",
            OpenConfirm,
            good_open,
            Notified(5, 2, vec![1]),
            "OPEN came in OpenConfirm",
        ),
        case(
            "an OPEN in Established",
            Established,
            good_open,
            Notified(5, 3, vec![1]),
            "OPEN came in Established",
        ),
        case(
            "a NOTIFICATION before OPEN",
            OpenSent,
            fixed(message(NOTIFICATION, &[2, 2])),
            Silence,
            "Bad Peer AS",
        ),
        case(
            "a NOTIFICATION in the middle of a table",
            Established,
            |index| {
                [
                    again(med(5))(index),
                    message(NOTIFICATION, &[6, 2, 3, b'b', b'y', b'e']),
                    again(med(6))(index),
                ]
                .concat()
            },
            Silence,
            "peer sent Cease / Administrative Shutdown: \"bye\"",
        ),
        case(
            "a NOTIFICATION that makes no sense, with a line end in it",
            Established,
            fixed(message(NOTIFICATION, &[6, 2, 200, 0xff, b'\n', 0])),
            Silence,
            "peer sent Cease / Administrative Shutdown",
        ),
        case(
            "a NOTIFICATION of unknown code",
            Established,
            fixed(message(NOTIFICATION, &[99, 98, 97])),
            Silence,
            "peer sent error code 99 / subcode 98",
        ),
    ]
}

pub fn refreshes() -> Vec<Case> {
    let refresh = |body: &[u8]| fixed(message(ROUTE_REFRESH, body));
    let whole = [message(ROUTE_REFRESH, &[0, 1, 1, 1, 9])].concat();
    vec![
        case(
            "a ROUTE-REFRESH that is cut",
            Established,
            refresh(&[0, 1, 0]),
            Notified(1, 2, vec![0, 22]),
            "ROUTE-REFRESH has a wrong length",
        ),
        case(
            "a BoRR that is too long",
            Established,
            fixed(whole.clone()),
            Notified(7, 1, whole),
            "ROUTE-REFRESH has a wrong length",
        ),
        case(
            "a ROUTE-REFRESH of a family nobody knows",
            Established,
            refresh(&[0, 25, 0, 70]),
            Announced(vec![]),
            "",
        ),
        case(
            "a ROUTE-REFRESH of a family not negotiated",
            Established,
            refresh(&[0, 2, 0, 1]),
            Announced(vec![]),
            "",
        ),
        case(
            "a ROUTE-REFRESH of an unknown subtype",
            Established,
            refresh(&[0, 1, 77, 1]),
            Announced(vec![]),
            "",
        ),
        case(
            "an EoRR without a BoRR",
            Established,
            refresh(&[0, 1, 2, 1]),
            Announced(vec![]),
            "",
        ),
        case(
            "a thousand requests",
            Established,
            |_| message(ROUTE_REFRESH, &[0, 1, 0, 1]).repeat(1000),
            Announced(vec![]),
            "",
        ),
    ]
}
