//! BGP messages as the simulated clients write and read them. Shares nothing with the server's
//! codec; reads strictly, so that whatever the server sends amiss is an error.

mod decode;

use std::net::{IpAddr, Ipv4Addr};

use super::oracle::{Attributes, Net};
use super::stale::Helped;

pub use decode::decode;

/// What the two sides agreed on, from the client's point of view.
#[derive(Clone, Copy, Default, Debug)]
pub struct Agreed {
    pub families: [bool; 2],
    pub four_octet: bool,
    /// The server sends path identifiers: IPv4, IPv6.
    pub add_path: [bool; 2],
    /// The client takes long messages (RFC 8654).
    pub extended_in: bool,
    /// So does the server.
    pub extended_out: bool,
    pub enhanced_refresh: bool,
    /// IPv4 prefixes may have IPv6 next hops (RFC 8950).
    pub v6_next_hops: bool,
    pub restart: Restart,
}

/// What the server says of its restarts (RFC 4724, RFC 8538).
#[derive(Clone, Copy, Default, Debug)]
pub struct Restart {
    pub notifications: bool,
    pub time_s: u16,
    pub families: [bool; 2],
    pub forwarding: [bool; 2],
}

impl Agreed {
    /// Whether a route's next hop may be of its kind.
    pub fn can_carry(&self, net: &Net, attributes: &Attributes) -> bool {
        net.0.is_ipv6() || attributes.next_hop.is_ipv4() || self.v6_next_hops
    }
}

/// What a client says of itself in its OPEN.
#[derive(Clone, Debug)]
pub struct Hello {
    pub asn: u32,
    pub router_id: Ipv4Addr,
    pub hold_time_s: u16,
    pub agreed: Agreed,
    /// Leaves the capability for IPv4 unicast out, which is then understood (RFC 4760 §8).
    pub silent_about_ipv4: bool,
    /// Says that it will send End-of-RIB (RFC 4724, without families).
    pub graceful: bool,
    /// Asks a helper to keep its routes, which needs `graceful`.
    pub helped: Option<Helped>,
    /// And keeps routes after a NOTIFICATION that is no Hard Reset (RFC 8538).
    pub notifications: bool,
    /// Announces the role RS-Client (RFC 9234).
    pub has_role: bool,
}

impl Hello {
    /// Long-lived stale routes may be sent to it (RFC 9494 §4.3).
    pub fn takes_stale(&self) -> bool {
        self.graceful
            && self
                .helped
                .is_some_and(|helped| helped.long_lived.is_some())
    }
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all messages are UPDATEs")]
pub enum Message {
    Open(Agreed),
    Update(Update),
    Keepalive,
    Notification {
        code: u8,
        subcode: u8,
        /// Code and subcode inside a Hard Reset.
        inner: Option<(u8, u8)>,
    },
    /// Family (0 IPv4, 1 IPv6) and RFC 7313 subtype.
    Refresh(usize, u8),
}

#[derive(Default, Debug)]
pub struct Update {
    pub withdrawn: Vec<(Net, u32)>,
    pub announced: Vec<(Net, u32)>,
    pub attributes: Option<Attributes>,
    pub end_of_rib: Option<usize>,
}

pub fn family_of(net: &Net) -> usize {
    usize::from(net.0.is_ipv6())
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; 16];
    out.extend((19 + body.len() as u16).to_be_bytes());
    out.push(kind);
    out.extend_from_slice(body);
    out
}

pub fn encode_open(hello: &Hello) -> Vec<u8> {
    let mut capabilities = Vec::new();
    let mut capability = |code: u8, value: &[u8]| {
        capabilities.extend([code, value.len() as u8]);
        capabilities.extend_from_slice(value);
    };
    for family in 0..2 {
        let silent = family == 0 && hello.silent_about_ipv4 && !hello.agreed.families[1];
        if hello.agreed.families[family] && !silent {
            capability(1, &[0, family as u8 + 1, 0, 1]);
        }
    }
    capability(2, &[]);
    if hello.agreed.extended_in {
        capability(6, &[]);
    }
    if hello.agreed.four_octet {
        capability(65, &hello.asn.to_be_bytes());
    }
    for family in (0..2).filter(|family| hello.agreed.add_path[*family]) {
        capability(69, &[0, family as u8 + 1, 1, 1]);
    }
    if hello.agreed.enhanced_refresh {
        capability(70, &[]);
    }
    if hello.graceful {
        let helped = hello.helped.unwrap_or(Helped {
            time_s: 0,
            families: [false; 2],
            forwarding: [false; 2],
            long_lived: None,
        });
        let [high, low] = helped.time_s.to_be_bytes();
        let mut value = vec![(u8::from(hello.notifications) * 0x40) | high, low];
        for family in (0..2).filter(|family| helped.families[*family]) {
            let forwarding = u8::from(helped.forwarding[family]) * 0x80;
            value.extend([0, family as u8 + 1, 1, forwarding]);
        }
        capability(64, &value);
        if let Some(long_lived) = helped.long_lived {
            let mut value = Vec::new();
            for (family, time_s) in (0..2).zip(long_lived.times_s) {
                let forwarding = u8::from(long_lived.forwarding[family]) * 0x80;
                value.extend([0, family as u8 + 1, 1, forwarding]);
                value.extend(&time_s.to_be_bytes()[1..]);
            }
            capability(71, &value);
        }
    }
    if hello.agreed.v6_next_hops {
        capability(5, &[0, 1, 0, 1, 0, 2]);
    }
    if hello.has_role {
        capability(9, &[2]);
    }
    let asn = u16::try_from(hello.asn).unwrap_or(23_456);
    let mut body = vec![4];
    body.extend(asn.to_be_bytes());
    body.extend(hello.hold_time_s.to_be_bytes());
    body.extend(hello.router_id.octets());
    body.extend([capabilities.len() as u8 + 2, 2, capabilities.len() as u8]);
    body.extend(capabilities);
    message(1, &body)
}

pub fn encode_keepalive() -> Vec<u8> {
    message(4, &[])
}

pub fn encode_cease(subcode: u8) -> Vec<u8> {
    message(3, &[6, subcode])
}

pub fn encode_refresh(family: usize, subtype: u8) -> Vec<u8> {
    message(5, &[0, family as u8 + 1, subtype, 1])
}

pub fn encode_end_of_rib(family: usize) -> Vec<u8> {
    match family {
        0 => message(2, &[0, 0, 0, 0]),
        _ => message(2, &[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]),
    }
}

/// One UPDATE that withdraws, or as many as it takes for so many prefixes of one family.
pub fn encode_withdrawals(nets: &[Net], by_mp: bool) -> Vec<u8> {
    let updates = nets.chunks(150).map(|chunk| {
        let (field, unreach) = withdrawn(chunk, by_mp);
        update(&field, &unreach, &[])
    });
    updates.flatten().collect()
}

/// The withdrawn routes of an UPDATE, or an MP_UNREACH_NLRI that says the same.
fn withdrawn(nets: &[Net], by_mp: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut field, mut unreach) = (Vec::new(), Vec::new());
    match nets.first() {
        None => {}
        Some(net) if family_of(net) == 0 && !by_mp => encode_nlri(nets, &mut field),
        Some(net) => {
            let mut value = vec![0, family_of(net) as u8 + 1, 1];
            encode_nlri(nets, &mut value);
            attribute(&mut unreach, 0x80, 15, &value);
        }
    }
    (field, unreach)
}

/// How an announcement is written, which means the same every way.
#[derive(Clone, Copy, Default)]
pub struct Style {
    /// Longest list of prefixes in one UPDATE.
    pub pack_max: usize,
    /// MP_REACH_NLRI for IPv4, too.
    pub by_mp: bool,
    /// MP_REACH_NLRI at the end of the attributes.
    pub mp_last: bool,
    /// ORIGIN with a wrong length: treat-as-withdraw (RFC 7606 §7.1).
    pub broken_origin: bool,
}

/// UPDATEs that announce prefixes of one family; the first one withdraws those of `gone`, few and
/// of one family, as well. Too long a set has to be agreed on.
pub fn encode_announcements(
    gone: &[Net],
    nets: &[Net],
    attributes: &Attributes,
    agreed: &Agreed,
    style: Style,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut gone = withdrawn(gone, style.by_mp);
    for chunk in nets.chunks(style.pack_max) {
        let in_body = chunk[0].0.is_ipv4() && attributes.next_hop.is_ipv4() && !style.by_mp;
        let mut reach = Vec::new();
        if !in_body {
            let mut value = vec![0, family_of(&chunk[0]) as u8 + 1, 1];
            let next_hop = next_hop_octets(attributes);
            value.push(next_hop.len() as u8);
            value.extend(next_hop);
            value.push(0);
            encode_nlri(chunk, &mut value);
            attribute(&mut reach, 0x80, 14, &value);
        }
        let (field, mut block) = std::mem::take(&mut gone);
        if !style.mp_last {
            block.extend_from_slice(&reach);
        }
        encode_attributes(attributes, agreed, in_body, style.broken_origin, &mut block);
        if style.mp_last {
            block.extend_from_slice(&reach);
        }
        let mut nlri = Vec::new();
        if in_body {
            encode_nlri(chunk, &mut nlri);
        }
        let update = update(&field, &block, &nlri);
        assert!(agreed.extended_out || update.len() <= 4_096);
        out.extend(update);
    }
    out
}

fn update(withdrawn: &[u8], block: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend((withdrawn.len() as u16).to_be_bytes());
    body.extend_from_slice(withdrawn);
    body.extend((block.len() as u16).to_be_bytes());
    body.extend_from_slice(block);
    body.extend_from_slice(nlri);
    message(2, &body)
}

fn encode_nlri(nets: &[Net], out: &mut Vec<u8>) {
    for (address, len) in nets {
        let octets = octets_of(*address);
        out.push(*len);
        out.extend_from_slice(&octets[..usize::from(len.div_ceil(8))]);
    }
}

fn octets_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn next_hop_octets(attributes: &Attributes) -> Vec<u8> {
    let mut octets = octets_of(attributes.next_hop);
    octets.extend(
        attributes
            .link_local
            .iter()
            .flat_map(|address| address.octets()),
    );
    octets
}

fn attribute(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    if value.len() > 255 {
        out.extend([flags | 0x10, code]);
        out.extend((value.len() as u16).to_be_bytes());
    } else {
        out.extend([flags, code, value.len() as u8]);
    }
    out.extend_from_slice(value);
}

fn encode_attributes(
    attributes: &Attributes,
    agreed: &Agreed,
    with_next_hop: bool,
    broken: bool,
    out: &mut Vec<u8>,
) {
    let origin: &[u8] = if broken {
        &[attributes.origin, 0]
    } else {
        &[attributes.origin]
    };
    attribute(out, 0x40, 1, origin);
    attribute(
        out,
        0x40,
        2,
        &encode_as_path(&attributes.as_path, agreed.four_octet),
    );
    if with_next_hop {
        attribute(out, 0x40, 3, &octets_of(attributes.next_hop));
    }
    if let Some(med) = attributes.med {
        attribute(out, 0x80, 4, &med.to_be_bytes());
    }
    let some = |out: &mut Vec<u8>, code: u8, value: Vec<u8>| {
        if !value.is_empty() {
            attribute(out, 0xc0, code, &value);
        }
    };
    let standard = attributes
        .communities
        .iter()
        .flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat());
    some(out, 8, standard.collect());
    some(out, 16, attributes.extended.concat());
    if !agreed.four_octet
        && attributes
            .as_path
            .iter()
            .any(|(_, asns)| asns.iter().any(|asn| *asn > 0xffff))
    {
        attribute(out, 0xc0, 17, &encode_as_path(&attributes.as_path, true));
    }
    let large = attributes
        .large
        .iter()
        .flat_map(|(a, b, c)| [a, b, c].map(|part| part.to_be_bytes()).concat());
    some(out, 32, large.collect());
    for (code, (flags, value)) in &attributes.other {
        attribute(out, *flags, *code, value);
    }
}

fn encode_as_path(segments: &[(u8, Vec<u32>)], four_octet: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, asns) in segments {
        out.extend([*kind, asns.len() as u8]);
        for asn in asns {
            if four_octet {
                out.extend(asn.to_be_bytes());
            } else {
                out.extend(u16::try_from(*asn).unwrap_or(23_456).to_be_bytes());
            }
        }
    }
    out
}
