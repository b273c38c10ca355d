//! Capabilities of an OPEN (RFC 5492).

use crate::base::{Asn, Family, FamilySet};

/// Capability codes (IANA).
pub mod capability_code {
    pub const MULTIPROTOCOL: u8 = 1;
    pub const ROUTE_REFRESH: u8 = 2;
    pub const EXTENDED_NEXT_HOP: u8 = 5;
    pub const EXTENDED_MESSAGE: u8 = 6;
    pub const ROLE: u8 = 9;
    pub const GRACEFUL_RESTART: u8 = 64;
    pub const FOUR_OCTET_ASN: u8 = 65;
    pub const ADD_PATH: u8 = 69;
    pub const ENHANCED_REFRESH: u8 = 70;
    pub const LONG_LIVED_RESTART: u8 = 71;
}

/// Values of the Role capability (RFC 9234 §4.1).
pub mod role {
    pub const PROVIDER: u8 = 0;
    pub const RS: u8 = 1;
    pub const RS_CLIENT: u8 = 2;
    pub const CUSTOMER: u8 = 3;
    pub const PEER: u8 = 4;

    pub fn name(role: u8) -> String {
        match role {
            PROVIDER => "Provider".to_owned(),
            RS => "RS".to_owned(),
            RS_CLIENT => "RS-Client".to_owned(),
            CUSTOMER => "Customer".to_owned(),
            PEER => "Peer".to_owned(),
            other => format!("number {other}"),
        }
    }
}

const ADD_PATH_RECEIVE: u8 = 1;
const ADD_PATH_SEND: u8 = 2;
/// NLRI AFI, NLRI SAFI, next hop AFI, two octets each (RFC 8950 §4).
const IPV4_WITH_IPV6_NEXT_HOP: [u8; 6] = [0, 1, 0, 1, 0, 2];
const RESTART_STATE: u16 = 0x8000;
/// RFC 8538 §2.
const GRACEFUL_NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0fff;
const FORWARDING_STATE: u8 = 0x80;

/// What a speaker says it can do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// RFC 4760, as far as Rialto knows the family.
    pub families: FamilySet,
    /// Families unknown to Rialto were announced too.
    pub other_families: bool,
    /// RFC 2918.
    pub route_refresh: bool,
    /// RFC 8950, as far as Rialto knows the family: IPv4 prefixes may have IPv6 next hops.
    pub ipv6_next_hops: bool,
    /// RFC 8654.
    pub extended_messages: bool,
    /// RFC 9234 §4.1, as on the wire. Each value once: more than one contradict each other.
    pub roles: Vec<u8>,
    /// RFC 4724 §3.
    pub graceful_restart: Option<GracefulRestart>,
    /// RFC 6793.
    pub four_octet_asn: Option<Asn>,
    /// RFC 7911: families of which several paths are understood.
    pub add_path_receive: FamilySet,
    /// RFC 7911: families of which several paths may be sent.
    pub add_path_send: FamilySet,
    /// RFC 7313.
    pub enhanced_refresh: bool,
    /// RFC 9494 §3.1. Means nothing without `graceful_restart`.
    pub long_lived_restart: Option<LongLivedRestart>,
    /// Capabilities that Rialto does not know: code and value.
    pub unknown: Vec<(u8, Vec<u8>)>,
}

/// The Graceful Restart capability (RFC 4724 §3). Without families it only says that End-of-RIB
/// will be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GracefulRestart {
    /// Restart State, the R bit: this speaker restarted and need not be waited for.
    pub restarting: bool,
    /// The N bit (RFC 8538 §2): a NOTIFICATION other than a Hard Reset ends no graceful restart.
    pub notifications: bool,
    /// At most 4,095.
    pub restart_time_s: u16,
    pub families: FamilySet,
    /// Those of them with the F bit: what was forwarded before the session, still is.
    pub forwarding: FamilySet,
}

/// The Long-Lived Graceful Restart capability (RFC 9494 §3.1). Without families it only says that stale
/// routes may be sent to this speaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LongLivedRestart {
    /// Long-Lived Stale Time by [`Family::index`], at most 24 bits; 0 where none was given.
    pub stale_time_s: [u32; 2],
    /// Families with the F bit: what was forwarded before the session, still is.
    pub forwarding: FamilySet,
}

/// A capability that is recognised but malformed (RFC 4271 §6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("capability {code} is malformed")]
pub struct CapabilityError {
    pub code: u8,
}

impl Capabilities {
    /// The families that may be used: without any Multiprotocol capability it is IPv4 alone (RFC 4760 §8).
    pub fn usable_families(&self) -> FamilySet {
        if self.families.is_empty() && !self.other_families {
            return FamilySet::only(Family::Ipv4);
        }
        self.families
    }

    /// Takes in the capabilities of one optional parameter.
    pub(super) fn decode(&mut self, mut octets: &[u8]) -> Result<(), CapabilityError> {
        while let [code, len, rest @ ..] = octets {
            let Some((value, rest)) = rest.split_at_checked(usize::from(*len)) else {
                return Err(CapabilityError { code: *code });
            };
            self.take(*code, value)?;
            octets = rest;
        }
        match octets {
            [] => Ok(()),
            [code, ..] => Err(CapabilityError { code: *code }),
        }
    }

    /// What is malformed where nothing hangs on it counts as not announced.
    fn take(&mut self, code: u8, value: &[u8]) -> Result<(), CapabilityError> {
        use capability_code::*;
        let malformed = CapabilityError { code };
        match (code, value) {
            (MULTIPROTOCOL, [a, b, _, safi]) => match family_of([*a, *b], *safi) {
                Some(family) => self.families = self.families.with(family),
                None => self.other_families = true,
            },
            (FOUR_OCTET_ASN, value) => {
                let octets = <[u8; 4]>::try_from(value).map_err(|_| malformed)?;
                self.four_octet_asn = Some(Asn(u32::from_be_bytes(octets)));
            }
            (ADD_PATH, value) if value.len() % 4 == 0 => self.take_add_path(value),
            (MULTIPROTOCOL | ADD_PATH, _) => return Err(malformed),
            (ROUTE_REFRESH, _) => self.route_refresh = true,
            (EXTENDED_NEXT_HOP, value) => {
                let (triples, _) = value.as_chunks::<6>();
                self.ipv6_next_hops |= triples.contains(&IPV4_WITH_IPV6_NEXT_HOP);
            }
            (EXTENDED_MESSAGE, _) => self.extended_messages = true,
            (ENHANCED_REFRESH, _) => self.enhanced_refresh = true,
            (ROLE, [role]) if self.roles.contains(role) => {}
            (ROLE, [role]) => self.roles.push(*role),
            (GRACEFUL_RESTART, [a, b, tuples @ ..]) => {
                self.graceful_restart = Some(GracefulRestart::from_wire(
                    u16::from_be_bytes([*a, *b]),
                    tuples,
                ));
            }
            (LONG_LIVED_RESTART, tuples) => {
                self.long_lived_restart = Some(LongLivedRestart::from_wire(tuples));
            }
            (ROLE | GRACEFUL_RESTART, _) => {}
            (code, value) => self.unknown.push((code, value.to_vec())),
        }
        Ok(())
    }

    /// RFC 7911 §4: a family with an unknown Send/Receive value is ignored.
    fn take_add_path(&mut self, value: &[u8]) {
        let (tuples, _) = value.as_chunks::<4>();
        for [a, b, safi, mode] in tuples {
            let Some(family) = family_of([*a, *b], *safi) else {
                continue;
            };
            if *mode > ADD_PATH_RECEIVE | ADD_PATH_SEND {
                continue;
            }
            if mode & ADD_PATH_RECEIVE != 0 {
                self.add_path_receive = self.add_path_receive.with(family);
            }
            if mode & ADD_PATH_SEND != 0 {
                self.add_path_send = self.add_path_send.with(family);
            }
        }
    }

    /// Appends them ascending by code, the unknown ones last.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        use capability_code::*;
        encode_multiprotocol(out, self.families);
        if self.route_refresh {
            put(out, ROUTE_REFRESH, &[]);
        }
        if self.ipv6_next_hops {
            put(out, EXTENDED_NEXT_HOP, &IPV4_WITH_IPV6_NEXT_HOP);
        }
        if self.extended_messages {
            put(out, EXTENDED_MESSAGE, &[]);
        }
        for role in &self.roles {
            put(out, ROLE, &[*role]);
        }
        if let Some(restart) = self.graceful_restart {
            put(out, GRACEFUL_RESTART, &restart.to_wire());
        }
        if let Some(asn) = self.four_octet_asn {
            put(out, FOUR_OCTET_ASN, &asn.0.to_be_bytes());
        }
        let add_path = self.add_path_tuples();
        if !add_path.is_empty() {
            put(out, ADD_PATH, &add_path);
        }
        if self.enhanced_refresh {
            put(out, ENHANCED_REFRESH, &[]);
        }
        if let Some(long_lived) = self.long_lived_restart {
            put(out, LONG_LIVED_RESTART, &long_lived.to_wire());
        }
        for (code, value) in &self.unknown {
            put(out, *code, value);
        }
    }

    fn add_path_tuples(&self) -> Vec<u8> {
        let mut tuples = Vec::new();
        for family in self.add_path_receive.union(self.add_path_send).iter() {
            let receive = u8::from(self.add_path_receive.contains(family)) * ADD_PATH_RECEIVE;
            let send = u8::from(self.add_path_send.contains(family)) * ADD_PATH_SEND;
            tuples.extend_from_slice(&family.afi().to_be_bytes());
            tuples.extend_from_slice(&[family.safi(), receive | send]);
        }
        tuples
    }
}

impl GracefulRestart {
    fn from_wire(word: u16, tuples: &[u8]) -> GracefulRestart {
        let (tuples, _) = tuples.as_chunks::<4>();
        let families = |flags_wanted: u8| {
            let wanted = tuples
                .iter()
                .filter(move |[.., flags]| flags & flags_wanted == flags_wanted);
            wanted
                .filter_map(|[a, b, safi, _]| family_of([*a, *b], *safi))
                .collect()
        };
        GracefulRestart {
            restarting: word & RESTART_STATE != 0,
            notifications: word & GRACEFUL_NOTIFICATION != 0,
            restart_time_s: word & RESTART_TIME,
            families: families(0),
            forwarding: families(FORWARDING_STATE),
        }
    }

    fn to_wire(self) -> Vec<u8> {
        let flag = |is_set: bool, flag: u16| if is_set { flag } else { 0 };
        let flags =
            flag(self.restarting, RESTART_STATE) | flag(self.notifications, GRACEFUL_NOTIFICATION);
        let mut value = (flags | self.restart_time_s & RESTART_TIME)
            .to_be_bytes()
            .to_vec();
        for family in self.families.iter() {
            let forwarding = u8::from(self.forwarding.contains(family)) * FORWARDING_STATE;
            value.extend_from_slice(&family.afi().to_be_bytes());
            value.extend_from_slice(&[family.safi(), forwarding]);
        }
        value
    }
}

impl LongLivedRestart {
    /// Those with a time.
    pub fn families(&self) -> FamilySet {
        let families = Family::ALL.into_iter().zip(self.stale_time_s);
        families
            .filter_map(|(family, stale_time_s)| (stale_time_s > 0).then_some(family))
            .collect()
    }

    fn from_wire(tuples: &[u8]) -> LongLivedRestart {
        let mut restart = LongLivedRestart::default();
        let (tuples, _) = tuples.as_chunks::<7>();
        for [a, b, safi, flags, time @ ..] in tuples {
            let Some(family) = family_of([*a, *b], *safi) else {
                continue;
            };
            let [high, mid, low] = *time;
            if let Some(place) = restart.stale_time_s.get_mut(family.index()) {
                *place = u32::from_be_bytes([0, high, mid, low]);
            }
            if flags & FORWARDING_STATE != 0 {
                restart.forwarding = restart.forwarding.with(family);
            }
        }
        restart
    }

    fn to_wire(self) -> Vec<u8> {
        let mut value = Vec::new();
        for (family, stale_time_s) in Family::ALL.into_iter().zip(self.stale_time_s) {
            let forwarding = self.forwarding.contains(family);
            if stale_time_s == 0 && !forwarding {
                continue;
            }
            value.extend_from_slice(&family.afi().to_be_bytes());
            value.extend_from_slice(&[family.safi(), u8::from(forwarding) * FORWARDING_STATE]);
            value.extend_from_slice(&stale_time_s.to_be_bytes()[1..]);
        }
        value
    }
}

/// Appends a Multiprotocol capability for each family; also the data of "Unsupported Capability".
pub fn encode_multiprotocol(out: &mut Vec<u8>, families: FamilySet) {
    for family in families.iter() {
        let [afi_high, afi_low] = family.afi().to_be_bytes();
        put(
            out,
            capability_code::MULTIPROTOCOL,
            &[afi_high, afi_low, 0, family.safi()],
        );
    }
}

fn family_of(afi: [u8; 2], safi: u8) -> Option<Family> {
    Family::from_afi_safi(u16::from_be_bytes(afi), safi)
}

fn put(out: &mut Vec<u8>, code: u8, value: &[u8]) {
    assert!(
        value.len() <= 255,
        "a capability's value has at most 255 octets"
    );
    out.extend_from_slice(&[code, value.len() as u8]);
    out.extend_from_slice(value);
}
