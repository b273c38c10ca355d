//! MRT records (RFC 6396, RFC 8050): tables and messages as files have them. Times are those of the
//! day, in seconds since 1970.

use std::net::{IpAddr, Ipv4Addr};

use crate::base::{Asn, Prefix};

use super::attribute::{flag, push_attribute};
use super::encode::{push_next_hop, split_before_next_hop};
use super::{AttributeSet, NextHop, as_path, code};

const TABLE_DUMP_V2: u16 = 13;
const BGP4MP_ET: u16 = 17;

mod table_dump_v2 {
    pub const PEER_INDEX_TABLE: u16 = 1;
    pub const RIB_IPV4_UNICAST: u16 = 2;
    pub const RIB_IPV6_UNICAST: u16 = 4;
}

mod bgp4mp {
    pub const MESSAGE: u16 = 1;
    pub const MESSAGE_AS4: u16 = 4;
    pub const STATE_CHANGE_AS4: u16 = 5;
    pub const MESSAGE_LOCAL: u16 = 6;
    pub const MESSAGE_AS4_LOCAL: u16 = 7;
    pub const MESSAGE_ADDPATH: u16 = 8;
    pub const MESSAGE_AS4_ADDPATH: u16 = 9;
    pub const MESSAGE_LOCAL_ADDPATH: u16 = 10;
    pub const MESSAGE_AS4_LOCAL_ADDPATH: u16 = 11;
}

/// Seconds since 1970, and microseconds of the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct TimeOfDay {
    pub seconds: u32,
    pub micros: u32,
}

/// A peer as the index of a table dump has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MrtPeer {
    pub router_id: Ipv4Addr,
    pub address: IpAddr,
    pub asn: Asn,
}

/// One path of a prefix in a table dump.
#[derive(Clone, Copy, Debug)]
pub struct MrtPath<'a> {
    /// In the peer index table.
    pub peer: u16,
    /// When it was heard.
    pub originated_s: u32,
    pub set: &'a AttributeSet,
}

/// Between whom a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MrtSession {
    pub peer_asn: Asn,
    pub local_asn: Asn,
    pub peer: IpAddr,
    pub local: IpAddr,
}

/// What has to be known of a message to read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageForm {
    /// RFC 6793.
    pub four_octet: bool,
    /// Its NLRI have path identifiers.
    pub add_path: bool,
    /// We sent it.
    pub is_local: bool,
}

impl MessageForm {
    const fn subtype(self) -> u16 {
        match (self.four_octet, self.is_local, self.add_path) {
            (false, false, false) => bgp4mp::MESSAGE,
            (false, false, true) => bgp4mp::MESSAGE_ADDPATH,
            (false, true, false) => bgp4mp::MESSAGE_LOCAL,
            (false, true, true) => bgp4mp::MESSAGE_LOCAL_ADDPATH,
            (true, false, false) => bgp4mp::MESSAGE_AS4,
            (true, false, true) => bgp4mp::MESSAGE_AS4_ADDPATH,
            (true, true, false) => bgp4mp::MESSAGE_AS4_LOCAL,
            (true, true, true) => bgp4mp::MESSAGE_AS4_LOCAL_ADDPATH,
        }
    }
}

/// Appends PEER_INDEX_TABLE, which a table dump begins with. At most 65,535 peers.
pub fn encode_peer_index_table(
    out: &mut Vec<u8>,
    at_s: u32,
    collector: Ipv4Addr,
    peers: &[MrtPeer],
) {
    const IPV6: u8 = 1;
    const FOUR_OCTETS: u8 = 2;
    let start = open(out, at_s, TABLE_DUMP_V2, table_dump_v2::PEER_INDEX_TABLE);
    out.extend_from_slice(&collector.octets());
    // No view name.
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(peers.len() as u16).to_be_bytes());
    for peer in peers {
        let family = if peer.address.is_ipv6() { IPV6 } else { 0 };
        out.push(family | FOUR_OCTETS);
        out.extend_from_slice(&peer.router_id.octets());
        push_address(out, peer.address);
        out.extend_from_slice(&peer.asn.0.to_be_bytes());
    }
    close(out, start);
}

/// Appends RIB_IPV4_UNICAST or RIB_IPV6_UNICAST: all paths of one prefix. A path whose attributes are
/// longer than the format allows is left out.
pub fn encode_rib<'a>(
    out: &mut Vec<u8>,
    at_s: u32,
    sequence: u32,
    prefix: &Prefix,
    paths: impl Iterator<Item = MrtPath<'a>>,
) {
    let subtype = match prefix.address() {
        IpAddr::V4(_) => table_dump_v2::RIB_IPV4_UNICAST,
        IpAddr::V6(_) => table_dump_v2::RIB_IPV6_UNICAST,
    };
    let start = open(out, at_s, TABLE_DUMP_V2, subtype);
    out.extend_from_slice(&sequence.to_be_bytes());
    out.push(prefix.len());
    out.extend_from_slice(prefix.octets());
    let count_at = out.len();
    out.extend_from_slice(&[0, 0]);
    let mut count = 0u16;
    let mut attributes = Vec::new();
    for path in paths {
        attributes.clear();
        push_attributes(&mut attributes, path.set);
        let Ok(len) = u16::try_from(attributes.len()) else {
            continue;
        };
        out.extend_from_slice(&path.peer.to_be_bytes());
        out.extend_from_slice(&path.originated_s.to_be_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&attributes);
        count += 1;
    }
    if let Some(field) = out.get_mut(count_at..count_at + 2) {
        field.copy_from_slice(&count.to_be_bytes());
    }
    close(out, start);
}

/// Attributes with the next hop; of MP_REACH_NLRI there is nothing but that (RFC 6396 §4.3.4).
fn push_attributes(out: &mut Vec<u8>, set: &AttributeSet) {
    if let NextHop::V4(address) = set.next_hop() {
        let (before, after) = split_before_next_hop(set.octets());
        out.extend_from_slice(before);
        push_attribute(out, flag::TRANSITIVE, code::NEXT_HOP, &address.octets());
        return out.extend_from_slice(after);
    }
    let mut value = Vec::with_capacity(33);
    push_next_hop(&mut value, set.next_hop());
    out.extend_from_slice(set.octets());
    push_attribute(out, flag::OPTIONAL, code::MP_REACH_NLRI, &value);
}

/// Appends BGP4MP_MESSAGE in the form that `form` needs, with microseconds.
pub fn encode_mrt_message(
    out: &mut Vec<u8>,
    at: TimeOfDay,
    session: &MrtSession,
    form: MessageForm,
    message: &[u8],
) {
    let start = open_extended(out, at, form.subtype());
    push_session(out, session, form.four_octet);
    out.extend_from_slice(message);
    close(out, start);
}

/// Appends BGP4MP_STATE_CHANGE_AS4, with microseconds. States have their numbers of RFC 4271 §8.2.2:
/// Idle is 1, Established 6.
pub fn encode_state_change(
    out: &mut Vec<u8>,
    at: TimeOfDay,
    session: &MrtSession,
    (old, new): (u16, u16),
) {
    let start = open_extended(out, at, bgp4mp::STATE_CHANGE_AS4);
    push_session(out, session, true);
    out.extend_from_slice(&old.to_be_bytes());
    out.extend_from_slice(&new.to_be_bytes());
    close(out, start);
}

fn push_session(out: &mut Vec<u8>, session: &MrtSession, four_octet: bool) {
    const NO_INTERFACE: u16 = 0;
    for asn in [session.peer_asn, session.local_asn] {
        match four_octet {
            true => out.extend_from_slice(&asn.0.to_be_bytes()),
            false => out.extend_from_slice(&as_path::narrowed(asn)),
        }
    }
    out.extend_from_slice(&NO_INTERFACE.to_be_bytes());
    let afi: u16 = if session.peer.is_ipv6() { 2 } else { 1 };
    out.extend_from_slice(&afi.to_be_bytes());
    push_address(out, session.peer);
    push_address(out, session.local);
}

fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
    }
}

/// Appends the header; says where what its length counts begins.
fn open(out: &mut Vec<u8>, at_s: u32, kind: u16, subtype: u16) -> usize {
    out.extend_from_slice(&at_s.to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&subtype.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.len()
}

fn open_extended(out: &mut Vec<u8>, at: TimeOfDay, subtype: u16) -> usize {
    let start = open(out, at.seconds, BGP4MP_ET, subtype);
    out.extend_from_slice(&at.micros.to_be_bytes());
    start
}

fn close(out: &mut [u8], start: usize) {
    let len = (out.len() - start) as u32;
    if let Some(field) = out.get_mut(start - 4..start) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}
