//! BGP messages put together by hand, right or wrong, and the reading of those that come back.
//! Shares no code with the server.

use std::collections::BTreeMap;

use rialto::base::{Family, Prefix};

pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;
pub const ROUTE_REFRESH: u8 = 5;

/// Routes by prefix: their path attributes as octets.
pub type Table = BTreeMap<Prefix, Vec<u8>>;

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    with_len(kind, 19 + body.len(), body)
}

/// A message that says it has `len` octets.
pub fn with_len(kind: u8, len: usize, body: &[u8]) -> Vec<u8> {
    let mut octets = vec![0xff; 16];
    octets.extend((len as u16).to_be_bytes());
    octets.push(kind);
    octets.extend(body);
    octets
}

pub fn keepalive() -> Vec<u8> {
    message(KEEPALIVE, &[])
}

/// The good OPEN of an AS: IPv4, route refresh (also enhanced), four-octet ASNs.
pub fn open(asn: u16, router_id: [u8; 4]) -> Vec<u8> {
    open_that_can(asn, router_id, &[])
}

/// The same of one whose messages may be long (RFC 8654).
pub fn open_extended(asn: u16, router_id: [u8; 4]) -> Vec<u8> {
    open_that_can(asn, router_id, &[6, 0])
}

/// The same of one that sends End-of-RIB (RFC 4724).
pub fn open_graceful(asn: u16, router_id: [u8; 4]) -> Vec<u8> {
    open_that_can(asn, router_id, &[64, 2, 0, 0])
}

fn open_that_can(asn: u16, router_id: [u8; 4], more: &[u8]) -> Vec<u8> {
    let usual = [1, 4, 0, 1, 0, 1, 2, 0, 70, 0, 65, 4, 0, 0];
    let capabilities = [more, &usual].concat();
    let mut body = vec![4];
    body.extend(asn.to_be_bytes());
    body.extend([2, 88]);
    body.extend(router_id);
    let len = capabilities.len() as u8 + 2;
    body.extend([len + 2, 2, len]);
    body.extend(capabilities);
    body.extend(asn.to_be_bytes());
    message(OPEN, &body)
}

/// An OPEN body up to the router id, then these optional parameters with their length.
pub fn open_with(asn: u16, parameters: &[u8]) -> Vec<u8> {
    let [high, low] = asn.to_be_bytes();
    message(
        OPEN,
        &[&[4, high, low, 0, 90, 10, 77, 1, 1], parameters].concat(),
    )
}

/// One attribute; Extended Length where the flags say so or the length needs it.
pub fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let extended = flags & 0x10 != 0 || value.len() > 255;
    let mut octets = vec![flags | if extended { 0x10 } else { 0 }, code];
    let len = (value.len() as u16).to_be_bytes();
    octets.extend(if extended { &len[..] } else { &len[1..] });
    octets.extend(value);
    octets
}

/// ORIGIN, AS_PATH of one AS, NEXT_HOP.
pub fn mandatory(asn: u16) -> Vec<u8> {
    let [high, low] = asn.to_be_bytes();
    let path = attribute(0x40, 2, &[2, 1, 0, 0, high, low]);
    let next_hop = attribute(0x40, 3, &[192, 0, 2, 1]);
    [attribute(0x40, 1, &[0]), path, next_hop].concat()
}

pub fn med(value: u32) -> Vec<u8> {
    attribute(0x80, 4, &value.to_be_bytes())
}

pub fn nlri(prefixes: &[Prefix]) -> Vec<u8> {
    let mut octets = Vec::new();
    for prefix in prefixes {
        octets.push(prefix.len());
        octets.extend(prefix.octets());
    }
    octets
}

pub fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut body = (withdrawn.len() as u16).to_be_bytes().to_vec();
    body.extend(withdrawn);
    body.extend((attributes.len() as u16).to_be_bytes());
    body.extend(attributes);
    body.extend(nlri);
    message(UPDATE, &body)
}

pub fn announce(attributes: &[u8], prefixes: &[Prefix]) -> Vec<u8> {
    update(&[], attributes, &nlri(prefixes))
}

pub fn withdraw(prefixes: &[Prefix]) -> Vec<u8> {
    update(&nlri(prefixes), &[], &[])
}

pub fn end_of_rib() -> Vec<u8> {
    update(&[], &[], &[])
}

/// Withdrawn prefixes, path attributes and announced prefixes of an UPDATE's body.
pub fn read_update(body: &[u8]) -> (Vec<Prefix>, &[u8], Vec<Prefix>) {
    let (withdrawn, rest) = counted(body);
    let (attributes, announced) = counted(rest);
    (prefixes(withdrawn), attributes, prefixes(announced))
}

fn counted(octets: &[u8]) -> (&[u8], &[u8]) {
    let len = usize::from(u16::from_be_bytes([octets[0], octets[1]]));
    octets[2..].split_at(len)
}

fn prefixes(mut octets: &[u8]) -> Vec<Prefix> {
    let mut found = Vec::new();
    while let [len, rest @ ..] = octets {
        let (address, rest) = rest.split_at(usize::from(len.div_ceil(8)));
        found.push(Prefix::new(Family::Ipv4, address, *len).unwrap());
        octets = rest;
    }
    found
}

/// Octets that look like nothing, the same for each seed.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}
