//! BMP messages (RFC 7854; Adj-RIB-Out of RFC 8671, Loc-RIB of RFC 9069). UPDATEs within them have
//! four-octet ASNs, always.

use std::net::{IpAddr, Ipv4Addr};

use crate::base::{Asn, Family};

use super::TimeOfDay;

const VERSION: u8 = 3;
/// Octets of the common header.
const COMMON_LEN: usize = 6;

/// Message types, as IANA numbers them.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    RouteMonitoring = 0,
    StatisticsReport = 1,
    PeerDown = 2,
    PeerUp = 3,
    Initiation = 4,
    Termination = 5,
}

/// Which table of a peer a message speaks of. Peer Up, Peer Down and statistics are of the session, and
/// so of [`BmpTable::PrePolicy`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BmpTable {
    /// Adj-RIB-In as heard.
    PrePolicy,
    /// Adj-RIB-In as accepted.
    PostPolicy,
    /// What is sent to the peer, in its final form.
    AdjRibOut,
    /// Of the server itself.
    LocRib,
}

/// The per-peer header (RFC 7854 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BmpPeer {
    pub table: BmpTable,
    /// Of the other side; with [`BmpTable::LocRib`] it is not looked at.
    pub address: IpAddr,
    /// Of the other side; with [`BmpTable::LocRib`] the server's.
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    /// Zero: it is not known.
    pub at: TimeOfDay,
}

/// Why a session is over (RFC 7854 §4.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BmpPeerDown<'a> {
    /// We sent this NOTIFICATION; with its header.
    LocalNotification(&'a [u8]),
    /// We closed it without one, for this event of RFC 4271 §8.1.
    LocalEvent(u16),
    RemoteNotification(&'a [u8]),
    RemoteClosed,
    /// The collector is told no more of it.
    Unconfigured,
    /// With [`BmpTable::LocRib`], whose name it is.
    LocRib(&'a str),
}

/// One figure of a statistics report; types as IANA numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BmpStatistic {
    Counter(u16, u32),
    Gauge(u16, u64),
    FamilyGauge(u16, Family, u64),
}

impl BmpPeer {
    const LOC_RIB_INSTANCE: u8 = 3;
    const IPV6: u8 = 0x80;
    const POST_POLICY: u8 = 0x40;
    const ADJ_RIB_OUT: u8 = 0x10;

    fn push(&self, out: &mut Vec<u8>) {
        let family = if self.address.is_ipv6() {
            BmpPeer::IPV6
        } else {
            0
        };
        let (kind, flags) = match self.table {
            BmpTable::PrePolicy => (0, family),
            BmpTable::PostPolicy => (0, family | BmpPeer::POST_POLICY),
            BmpTable::AdjRibOut => (0, family | BmpPeer::POST_POLICY | BmpPeer::ADJ_RIB_OUT),
            BmpTable::LocRib => (BmpPeer::LOC_RIB_INSTANCE, 0),
        };
        out.extend_from_slice(&[kind, flags]);
        // The global instance has no distinguisher.
        out.extend_from_slice(&[0; 8]);
        match self.table {
            BmpTable::LocRib => out.extend_from_slice(&[0; 16]),
            _ => push_address(out, self.address),
        }
        out.extend_from_slice(&self.asn.0.to_be_bytes());
        out.extend_from_slice(&self.router_id.octets());
        out.extend_from_slice(&self.at.seconds.to_be_bytes());
        out.extend_from_slice(&self.at.micros.to_be_bytes());
    }
}

/// 16 octets; those of an IPv4 address are the last ones.
fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.extend_from_slice(&[0; 12]);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
    }
}

fn push_tlv(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}

fn open(out: &mut Vec<u8>, kind: Kind) -> usize {
    let start = out.len();
    out.push(VERSION);
    out.extend_from_slice(&[0; 4]);
    out.push(kind as u8);
    start
}

fn close(out: &mut [u8], start: usize) {
    let len = (out.len() - start) as u32;
    if let Some(field) = out.get_mut(start + 1..start + COMMON_LEN - 1) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

/// Appends Initiation (§4.3): what speaks, and its name.
pub fn encode_initiation(out: &mut Vec<u8>, description: &str, name: &str) {
    const SYS_DESCR: u16 = 1;
    const SYS_NAME: u16 = 2;
    let start = open(out, Kind::Initiation);
    push_tlv(out, SYS_DESCR, description.as_bytes());
    push_tlv(out, SYS_NAME, name.as_bytes());
    close(out, start);
}

/// Why a BMP session is over (RFC 7854 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum BmpTermination {
    /// It may be begun again.
    AdministrativelyClosed = 0,
    OutOfResources = 2,
    /// It will not be.
    PermanentlyClosed = 4,
}

/// Appends Termination (§4.5), with the reason in words, too.
pub fn encode_termination(out: &mut Vec<u8>, reason: BmpTermination, why: &str) {
    const TEXT: u16 = 0;
    const REASON: u16 = 1;
    let start = open(out, Kind::Termination);
    push_tlv(out, REASON, &(reason as u16).to_be_bytes());
    push_tlv(out, TEXT, why.as_bytes());
    close(out, start);
}

/// VRF/Table Name, in Peer Up and Peer Down of a Loc-RIB.
const TABLE_NAME: u16 = 3;

/// Between which addresses a session is; with [`BmpTable::LocRib`] there are none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BmpEnds {
    pub local: IpAddr,
    pub local_port: u16,
    pub remote_port: u16,
}

/// Appends Peer Up (§4.10). The OPENs have their headers.
pub fn encode_peer_up(
    out: &mut Vec<u8>,
    peer: &BmpPeer,
    ends: &BmpEnds,
    (sent_open, received_open): (&[u8], &[u8]),
    table_name: Option<&str>,
) {
    let start = open(out, Kind::PeerUp);
    peer.push(out);
    match peer.table {
        BmpTable::LocRib => out.extend_from_slice(&[0; 20]),
        _ => {
            push_address(out, ends.local);
            out.extend_from_slice(&ends.local_port.to_be_bytes());
            out.extend_from_slice(&ends.remote_port.to_be_bytes());
        }
    }
    out.extend_from_slice(sent_open);
    out.extend_from_slice(received_open);
    if let Some(name) = table_name {
        push_tlv(out, TABLE_NAME, name.as_bytes());
    }
    close(out, start);
}

/// Appends Peer Down.
pub fn encode_peer_down(out: &mut Vec<u8>, peer: &BmpPeer, why: BmpPeerDown<'_>) {
    let start = open(out, Kind::PeerDown);
    peer.push(out);
    match why {
        BmpPeerDown::LocalNotification(message) => {
            out.push(1);
            out.extend_from_slice(message);
        }
        BmpPeerDown::LocalEvent(event) => {
            out.push(2);
            out.extend_from_slice(&event.to_be_bytes());
        }
        BmpPeerDown::RemoteNotification(message) => {
            out.push(3);
            out.extend_from_slice(message);
        }
        BmpPeerDown::RemoteClosed => out.push(4),
        BmpPeerDown::Unconfigured => out.push(5),
        BmpPeerDown::LocRib(name) => {
            out.push(6);
            push_tlv(out, TABLE_NAME, name.as_bytes());
        }
    }
    close(out, start);
}

/// Appends Route Monitoring (§4.6) for each of the UPDATEs in `updates`, which have their headers.
pub fn encode_route_monitoring(out: &mut Vec<u8>, peer: &BmpPeer, updates: &[u8]) {
    let mut rest = updates;
    while let Some([high, low]) = rest.get(16..18) {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((update, after)) = rest.split_at_checked(len).filter(|_| len > 0) else {
            return;
        };
        let start = open(out, Kind::RouteMonitoring);
        peer.push(out);
        out.extend_from_slice(update);
        close(out, start);
        rest = after;
    }
}

/// Appends a Statistics Report (§4.8).
pub fn encode_statistics(out: &mut Vec<u8>, peer: &BmpPeer, statistics: &[BmpStatistic]) {
    let start = open(out, Kind::StatisticsReport);
    peer.push(out);
    out.extend_from_slice(&(statistics.len() as u32).to_be_bytes());
    for statistic in statistics {
        match statistic {
            BmpStatistic::Counter(kind, value) => push_tlv(out, *kind, &value.to_be_bytes()),
            BmpStatistic::Gauge(kind, value) => push_tlv(out, *kind, &value.to_be_bytes()),
            BmpStatistic::FamilyGauge(kind, family, value) => {
                let mut octets = [0; 11];
                let ([high, low], value) = (family.afi().to_be_bytes(), value.to_be_bytes());
                let head = [high, low, family.safi()];
                for (to, from) in octets.iter_mut().zip(head.iter().chain(&value)) {
                    *to = *from;
                }
                push_tlv(out, *kind, &octets);
            }
        }
    }
    close(out, start);
}
