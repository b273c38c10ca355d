//! One path attribute as octets: its header, its flags, the bounds of its value.

use super::code;

/// Attribute flags (RFC 4271 §4.3).
pub mod flag {
    pub const OPTIONAL: u8 = 0x80;
    pub const TRANSITIVE: u8 = 0x40;
    pub const PARTIAL: u8 = 0x20;
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// Appends an attribute in canonical form: unused flags zero, Extended Length only where needed.
pub(super) fn push_attribute(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    push_header(out, flags, code, value.len());
    out.extend_from_slice(value);
}

/// Appends the canonical header of an attribute whose value has `value_len` octets, 65,535 at most.
pub(super) fn push_header(out: &mut Vec<u8>, flags: u8, code: u8, value_len: usize) {
    let flags = flags & (flag::OPTIONAL | flag::TRANSITIVE | flag::PARTIAL);
    match u8::try_from(value_len) {
        Ok(len) => out.extend_from_slice(&[flags, code, len]),
        Err(_) => {
            let [high, low] = u16::try_from(value_len).unwrap_or(u16::MAX).to_be_bytes();
            out.extend_from_slice(&[flags | flag::EXTENDED_LENGTH, code, high, low]);
        }
    }
}

/// The Optional and Transitive bits that a known attribute must have; `None` where the code is
/// not known.
pub(super) const fn flags_of(code: u8) -> Option<u8> {
    const WELL_KNOWN: u8 = flag::TRANSITIVE;
    const OPTIONAL_TRANSITIVE: u8 = flag::OPTIONAL | flag::TRANSITIVE;
    const OPTIONAL_NON_TRANSITIVE: u8 = flag::OPTIONAL;
    Some(match code {
        code::ORIGIN
        | code::AS_PATH
        | code::NEXT_HOP
        | code::LOCAL_PREF
        | code::ATOMIC_AGGREGATE => WELL_KNOWN,
        code::AGGREGATOR
        | code::COMMUNITIES
        | code::EXTENDED_COMMUNITIES
        | code::AS4_PATH
        | code::AS4_AGGREGATOR
        | code::IPV6_EXTENDED_COMMUNITIES
        | code::LARGE_COMMUNITIES
        | code::OTC
        | code::ATTR_SET => OPTIONAL_TRANSITIVE,
        code::MULTI_EXIT_DISC
        | code::ORIGINATOR_ID
        | code::CLUSTER_LIST
        | code::MP_REACH_NLRI
        | code::MP_UNREACH_NLRI
        | code::AIGP => OPTIONAL_NON_TRANSITIVE,
        _ => return None,
    })
}
