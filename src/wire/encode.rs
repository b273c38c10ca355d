//! UPDATEs as they go out.

use crate::base::{Asn, Family, FamilySet, PathId, Prefix};

use super::{AttributeSet, NextHop, Variant};

/// What of the wire form depends on the receiver. Clients of one class get the same octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EncodingClass {
    /// RFC 6793.
    pub four_octet: bool,
    /// Families whose NLRI carry a path identifier (RFC 7911).
    pub add_path: FamilySet,
    /// Longest message, in octets: 4,096, or 65,535 (RFC 8654).
    pub message_max: u16,
}

/// Which communities disappear.
pub trait CommunityScrub {
    fn removes_standard(&self, community: (u16, u16)) -> bool;
    fn removes_large(&self, community: (u32, u32, u32)) -> bool;
    fn removes_extended(&self, community: [u8; 8]) -> bool;
}

/// Appends the outgoing path attributes of a set in one variant, all but NEXT_HOP and
/// MP_REACH_NLRI: control communities stripped, `prepend_as` prepended, AS4_PATH and
/// AS4_AGGREGATOR made for two-octet receivers.
pub fn encode_attributes(
    _out: &mut Vec<u8>,
    _set: &AttributeSet,
    _variant: Variant,
    _prepend_as: Asn,
    _class: &EncodingClass,
    _scrub: &dyn CommunityScrub,
) {
    unimplemented!()
}

/// Appends UPDATEs that announce `nlri`, as few as their longest message allows; says how many.
///
/// `attributes` is what [`encode_attributes`] made. Where not even one prefix fits, nothing is
/// appended and 0 is returned.
pub fn encode_announcements(
    _out: &mut Vec<u8>,
    _class: &EncodingClass,
    _attributes: &[u8],
    _next_hop: NextHop,
    _family: Family,
    _nlri: &mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
) -> usize {
    unimplemented!()
}

/// Appends UPDATEs that withdraw `nlri`; says how many.
pub fn encode_withdrawals(
    _out: &mut Vec<u8>,
    _class: &EncodingClass,
    _family: Family,
    _nlri: &mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
) -> usize {
    unimplemented!()
}

/// Appends End-of-RIB (RFC 4724 §2).
pub fn encode_end_of_rib(_out: &mut Vec<u8>, _family: Family) {
    unimplemented!()
}
