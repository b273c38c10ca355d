//! UPDATEs put together by hand, right or wrong.

use rialto::base::FamilySet;
use rialto::wire::{
    DecodeContext, KeepAll, Scratch, TypeCodes, Update, UpdateError, decode_update, testing,
};

/// A four-octet session with both families and nothing configured.
pub fn context() -> DecodeContext<'static> {
    static NONE: std::sync::LazyLock<TypeCodes> = std::sync::LazyLock::new(TypeCodes::default);
    DecodeContext {
        four_octet: true,
        families: FamilySet::ALL,
        v6_next_hops: false,
        discard: &NONE,
        treat_as_withdraw: &NONE,
        scrub: &KeepAll,
        link_locals: None,
        hash_seed: testing::HASH_SEED,
    }
}

pub fn decode(body: &[u8]) -> Result<Update<'_>, UpdateError> {
    decode_update(body, &context(), &mut Scratch::default())
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

/// An UPDATE without its header.
pub fn body(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut octets = (withdrawn.len() as u16).to_be_bytes().to_vec();
    octets.extend(withdrawn);
    octets.extend((attributes.len() as u16).to_be_bytes());
    octets.extend(attributes);
    octets.extend(nlri);
    octets
}

pub fn origin() -> Vec<u8> {
    attribute(0x40, 1, &[0])
}

/// An AS_SEQUENCE of four-octet ASNs.
pub fn as_path(asns: &[u32]) -> Vec<u8> {
    attribute(0x40, 2, &sequence(asns))
}

pub fn sequence(asns: &[u32]) -> Vec<u8> {
    let mut value = vec![2, asns.len() as u8];
    value.extend(asns.iter().flat_map(|asn| asn.to_be_bytes()));
    value
}

/// An AS_SEQUENCE of two-octet ASNs.
pub fn sequence_2(asns: &[u16]) -> Vec<u8> {
    let mut value = vec![2, asns.len() as u8];
    value.extend(asns.iter().flat_map(|asn| asn.to_be_bytes()));
    value
}

pub fn next_hop() -> Vec<u8> {
    attribute(0x40, 3, &[192, 0, 2, 1])
}

/// ORIGIN, AS_PATH and NEXT_HOP in good order.
pub fn mandatory() -> Vec<u8> {
    [origin(), as_path(&[64500, 64501]), next_hop()].concat()
}

/// 198.51.100.0/24
pub const NLRI: &[u8] = &[24, 198, 51, 100];
/// 203.0.113.0/24
pub const OTHER_NLRI: &[u8] = &[24, 203, 0, 113];
/// 2001:db8:1::/48
pub const NLRI_6: &[u8] = &[48, 0x20, 0x01, 0x0d, 0xb8, 0, 1];

/// AFI, SAFI, next hop 2001:db8::1, reserved octet.
pub fn reach_head() -> Vec<u8> {
    let mut value = vec![0, 2, 1, 16, 0x20, 0x01, 0x0d, 0xb8];
    value.extend([0; 11]);
    value.extend([1, 0]);
    value
}

pub fn reach(nlri: &[u8]) -> Vec<u8> {
    attribute(0x80, 14, &[&reach_head()[..], nlri].concat())
}

pub fn unreach(nlri: &[u8]) -> Vec<u8> {
    attribute(0x80, 15, &[&[0, 2, 1], nlri].concat())
}

/// MP_REACH_NLRI of IPv4 with any next hop.
pub fn reach_4(next_hop: &[u8], nlri: &[u8]) -> Vec<u8> {
    let head = [0, 1, 1, next_hop.len() as u8];
    attribute(0x80, 14, &[&head[..], next_hop, &[0], nlri].concat())
}

/// `40 01 01 00` to octets; spaces and line ends do not matter.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
