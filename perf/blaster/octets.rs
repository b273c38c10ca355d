//! The few messages that are written here and nowhere else: header, OPEN.

use std::net::Ipv4Addr;

use rialto::base::FamilySet;

pub const HEADER_LEN: usize = 19;
pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;
const HOLD_TIME_S: u16 = 90;

/// RFC 7911 §4.
#[derive(Clone, Copy)]
pub enum AddPath {
    Receive = 1,
    Send = 2,
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; 16];
    out.extend(((HEADER_LEN + body.len()) as u16).to_be_bytes());
    out.push(kind);
    out.extend(body);
    out
}

pub fn open(asn: u32, id: Ipv4Addr, families: FamilySet, add_path: Option<AddPath>) -> Vec<u8> {
    let mut capabilities = Vec::new();
    for family in families.iter() {
        capabilities.extend([1, 4, 0, family.afi() as u8, 0, family.safi()]);
    }
    capabilities.extend([65, 4]);
    capabilities.extend(asn.to_be_bytes());
    if let Some(mode) = add_path {
        capabilities.extend([69, 4 * families.iter().count() as u8]);
        for family in families.iter() {
            capabilities.extend([0, family.afi() as u8, family.safi(), mode as u8]);
        }
    }
    let mut body = vec![4];
    body.extend(u16::try_from(asn).unwrap_or(23456).to_be_bytes());
    body.extend(HOLD_TIME_S.to_be_bytes());
    body.extend(id.octets());
    body.extend([capabilities.len() as u8 + 2, 2, capabilities.len() as u8]);
    body.extend(capabilities);
    message(OPEN, &body)
}
