//! A client reduced to what a test asks of it: it says what it is told to, and keeps what it hears.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rialto::base::*;
use rialto::server::ConnId;
use rialto::wire::testing::{HASH_SEED, SetBuilder};
use rialto::wire::*;

use crate::world::{RS, asn_of};

/// One thing that a client heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    Keepalive,
    Announced(usize),
    Withdrawn(usize),
    EndOfRib(Family),
    Refresh(RefreshSubtype),
    Notification(u8, u8),
}

pub struct Peer {
    pub slot: ClientSlot,
    pub conn: Option<ConnId>,
    /// Octets that its socket takes before it reads.
    pub socket_max: usize,
    pub is_reading: bool,
    /// In its socket, and read but not whole.
    unread: Vec<u8>,
    partial: Vec<u8>,
    pub table: BTreeMap<Prefix, Arc<AttributeSet>>,
    /// Between BoRR and EoRR: what was not said again.
    stale: BTreeSet<Prefix>,
    pub heard: Vec<Heard>,
    pub octets_heard: usize,
    /// What it says next.
    pub says: Vec<u8>,
    pub capabilities: Capabilities,
    pub router_id: Ipv4Addr,
    pub is_up: bool,
    /// Octets of an attribute that all it announces has.
    pub ballast: usize,
}

pub const CLASS: EncodingClass = EncodingClass {
    four_octet: true,
    add_path: FamilySet::EMPTY,
    message_max: 4096,
    v6_next_hops: true,
    ..EncodingClass::PLAIN
};

impl Peer {
    pub fn new(slot: ClientSlot) -> Peer {
        Peer {
            slot,
            conn: None,
            socket_max: 64 << 10,
            is_reading: true,
            unread: Vec::new(),
            partial: Vec::new(),
            table: BTreeMap::new(),
            stale: BTreeSet::new(),
            heard: Vec::new(),
            octets_heard: 0,
            says: Vec::new(),
            capabilities: Capabilities {
                families: FamilySet::only(Family::Ipv4),
                route_refresh: true,
                enhanced_refresh: true,
                four_octet_asn: Some(asn_of(slot)),
                ..Capabilities::default()
            },
            router_id: Ipv4Addr::new(10, 1, 0, slot.0 as u8 + 1),
            is_up: false,
            ballast: 0,
        }
    }

    /// A new connection: everything starts afresh.
    pub fn reset(&mut self, conn: Option<ConnId>) {
        self.conn = conn;
        self.unread.clear();
        self.partial.clear();
        self.says.clear();
        self.table.clear();
        self.stale.clear();
        self.heard.clear();
        self.octets_heard = 0;
        self.is_up = false;
        if conn.is_some() {
            let open = Open {
                asn: asn_of(self.slot),
                hold_time_s: 90,
                router_id: self.router_id,
                capabilities: self.capabilities.clone(),
            };
            open.encode(&mut self.says);
        }
    }

    pub fn set(&self, tag: u16) -> Arc<AttributeSet> {
        let set = SetBuilder::new()
            .next_hop(address_of(self.slot))
            .as_path(&[asn_of(self.slot).0, 65_000 + u32::from(tag)])
            .communities(&[(65_001, tag)]);
        match self.ballast {
            0 => set.build(),
            octets => set.attribute(0xd0, 250, vec![7; octets]).build(),
        }
    }

    pub fn announce(&mut self, tag: u16, prefixes: impl IntoIterator<Item = Prefix>) {
        self.announce_set(&self.set(tag), prefixes);
    }

    pub fn announce_set(&mut self, set: &AttributeSet, prefixes: impl IntoIterator<Item = Prefix>) {
        let mut attributes = Vec::new();
        encode_attributes(
            &mut attributes,
            set,
            Variant::default(),
            RS,
            &CLASS,
            &KeepAll,
        );
        let mut nlri = prefixes.into_iter().map(|prefix| (prefix, None));
        let next_hop = set.next_hop();
        encode_announcements(
            &mut self.says,
            &CLASS,
            &attributes,
            next_hop,
            Family::Ipv4,
            &mut nlri,
        );
    }

    pub fn withdraw(&mut self, prefixes: impl IntoIterator<Item = Prefix>) {
        let mut nlri = prefixes.into_iter().map(|prefix| (prefix, None));
        encode_withdrawals(&mut self.says, &CLASS, Family::Ipv4, &mut nlri);
    }

    pub fn end_of_rib(&mut self) {
        encode_end_of_rib(&mut self.says, Family::Ipv4);
    }

    pub fn ask_refresh(&mut self) {
        self.say_refresh(RefreshSubtype::Request);
    }

    pub fn ask_refresh_of(&mut self, family: Family) {
        encode_route_refresh(&mut self.says, family, RefreshSubtype::Request);
    }

    pub fn say_refresh(&mut self, subtype: RefreshSubtype) {
        encode_route_refresh(&mut self.says, Family::Ipv4, subtype);
    }

    /// How many octets its socket takes now.
    pub fn room(&self) -> usize {
        self.socket_max - self.unread.len().min(self.socket_max)
    }

    pub fn hear(&mut self, octets: &[u8]) {
        self.octets_heard += octets.len();
        self.unread.extend_from_slice(octets);
    }

    pub fn has_unread(&self) -> bool {
        self.is_reading && !self.unread.is_empty()
    }

    /// Reads whole messages; a torn one does not decode and fails the test.
    pub fn read(&mut self) {
        let mut octets = std::mem::take(&mut self.partial);
        octets.append(&mut self.unread);
        let mut rest = &octets[..];
        while let Some((head, _)) = rest.split_first_chunk::<19>() {
            let header = decode_header(head, 4096).expect("a whole message");
            if rest.len() < usize::from(header.len) {
                break;
            }
            let (message, after) = rest.split_at(usize::from(header.len));
            self.take(header.kind, &message[19..]);
            rest = after;
        }
        self.partial = rest.to_vec();
    }

    fn take(&mut self, kind: MessageType, body: &[u8]) {
        match kind {
            MessageType::Open => encode_keepalive(&mut self.says),
            MessageType::Keepalive => {
                self.is_up = true;
                self.heard.push(Heard::Keepalive);
            }
            MessageType::Notification => {
                self.is_up = false;
                self.heard.push(Heard::Notification(body[0], body[1]));
            }
            MessageType::RouteRefresh => {
                let (family, subtype) = decode_route_refresh(body, true).unwrap().unwrap();
                self.heard.push(Heard::Refresh(subtype));
                match subtype {
                    // Its table is one of IPv4.
                    _ if family != Family::Ipv4 => {}
                    RefreshSubtype::Begin => self.stale = self.table.keys().copied().collect(),
                    RefreshSubtype::End => {
                        let stale = std::mem::take(&mut self.stale);
                        stale.iter().for_each(|gone| drop(self.table.remove(gone)));
                    }
                    RefreshSubtype::Request => {}
                }
            }
            MessageType::Update => self.take_update(body),
        }
    }

    fn take_update(&mut self, body: &[u8]) {
        if !self.capabilities.add_path_receive.is_empty() {
            // The server's decoder, which this is, knows no path identifiers.
            return;
        }
        let none = TypeCodes::default();
        let context = DecodeContext {
            four_octet: true,
            families: FamilySet::only(Family::Ipv4),
            v6_next_hops: true,
            discard: &none,
            treat_as_withdraw: &none,
            scrub: &KeepAll,
            link_locals: None,
            hash_seed: HASH_SEED,
        };
        let mut scratch = Scratch::default();
        let update = decode_update(body, &context, &mut scratch).expect("an UPDATE without fault");
        if let Some(family) = update.end_of_rib {
            return self.heard.push(Heard::EndOfRib(family));
        }
        for nlri in &update.withdrawn {
            self.heard.push(Heard::Withdrawn(nlri.iter().count()));
            nlri.iter().for_each(|prefix| {
                self.table.remove(&prefix);
                self.stale.remove(&prefix);
            });
        }
        for (set, nlri) in &update.announced {
            self.heard.push(Heard::Announced(nlri.iter().count()));
            for prefix in nlri.iter() {
                self.stale.remove(&prefix);
            }
            self.table
                .extend(nlri.iter().map(|prefix| (prefix, set.clone())));
        }
    }

    pub fn count(&self, what: impl Fn(&Heard) -> bool) -> usize {
        self.heard.iter().filter(|heard| what(heard)).count()
    }
}

pub fn address_of(slot: ClientSlot) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 1, slot.0 as u8 + 1))
}

/// 10.0.0.0/24 and those after it.
pub fn prefixes(range: std::ops::Range<u32>) -> impl Iterator<Item = Prefix> {
    range.map(|index| Prefix::v4(Ipv4Addr::from(0x0a00_0000 + (index << 8)), 24))
}
