//! One path attribute: its header and flags, and what RFC 7606 says where they or the value are
//! wrong. Knows nothing of the UPDATE around it.

use super::fault::{Fault, Remedy, subcode};
use super::{RawAttribute, as_path, code};

/// Attribute flags (RFC 4271 §4.3).
pub mod flag {
    pub const OPTIONAL: u8 = 0x80;
    pub const TRANSITIVE: u8 = 0x40;
    pub const PARTIAL: u8 = 0x20;
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// The bits that mean something and are kept (RFC 7947 §2.2): all but Extended Length, which
/// depends on the length, and the unused ones.
const KEPT: u8 = flag::OPTIONAL | flag::TRANSITIVE | flag::PARTIAL;

/// The bits a known attribute fixes.
const FIXED: u8 = flag::OPTIONAL | flag::TRANSITIVE;

/// An attribute that is longer than the octets that are left; its type, if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CutShort {
    pub code: Option<u8>,
}

/// Takes the first attribute off.
pub(super) fn split_attribute(octets: &[u8]) -> Result<(RawAttribute<'_>, &[u8]), CutShort> {
    let cut = CutShort {
        code: octets.get(1).copied(),
    };
    let (flags, code, header_len, value_len) = match *octets {
        [flags, code, high, low, ..] if flags & flag::EXTENDED_LENGTH != 0 => {
            (flags, code, 4, usize::from(u16::from_be_bytes([high, low])))
        }
        [flags, code, len, ..] if flags & flag::EXTENDED_LENGTH == 0 => {
            (flags, code, 3, usize::from(len))
        }
        _ => return Err(cut),
    };
    let (whole, rest) = octets.split_at_checked(header_len + value_len).ok_or(cut)?;
    let value = whole.get(header_len..).ok_or(cut)?;
    Ok((
        RawAttribute {
            flags,
            code,
            value,
            whole,
        },
        rest,
    ))
}

/// Appends an attribute in canonical form: unused flags zero, Extended Length only where needed.
pub(super) fn push_attribute(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    push_header(out, flags, code, value.len());
    out.extend_from_slice(value);
}

/// Appends the canonical header of an attribute whose value has `value_len` octets, 65,535 at most.
pub(super) fn push_header(out: &mut Vec<u8>, flags: u8, code: u8, value_len: usize) {
    match u8::try_from(value_len) {
        Ok(len) => out.extend_from_slice(&[flags & KEPT, code, len]),
        Err(_) => {
            let [high, low] = u16::try_from(value_len).unwrap_or(u16::MAX).to_be_bytes();
            out.extend_from_slice(&[flags & KEPT | flag::EXTENDED_LENGTH, code, high, low]);
        }
    }
}

/// Appends an attribute as it is, its header made canonical.
pub(super) fn push_unchanged(out: &mut Vec<u8>, attribute: &RawAttribute<'_>) {
    let extended = if attribute.value.len() > 255 {
        flag::EXTENDED_LENGTH
    } else {
        0
    };
    if attribute.flags & !KEPT == extended {
        out.extend_from_slice(attribute.whole);
    } else {
        push_attribute(out, attribute.flags, attribute.code, attribute.value);
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

/// Why an attribute that belongs to no EBGP session is discarded unread.
fn unwelcome(code: u8, four_octet: bool) -> Option<&'static str> {
    match code {
        // RFC 7606 §7.5, §7.9, §7.10.
        code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST => {
            Some("has no place on an external session")
        }
        // RFC 7311 §3.3: disabled on EBGP sessions unless configured, and then it goes no further.
        code::AIGP => Some("is not enabled on this session"),
        // RFC 6793 §4.1.
        code::AS4_PATH | code::AS4_AGGREGATOR if four_octet => {
            Some("came from a four-octet speaker")
        }
        _ => None,
    }
}

/// Checks flags and value of any attribute but NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI, whose
/// meaning hangs on the rest of the UPDATE.
pub(super) fn check_attribute<'a>(
    attribute: &RawAttribute<'a>,
    four_octet: bool,
) -> Result<(), Fault<'a>> {
    let code = attribute.code;
    let fault = |what, subcode| Err(fault_of(attribute, what, subcode));
    if let Some(what) = unwelcome(code, four_octet) {
        return Err(Fault {
            remedy: Remedy::AttributeDiscard,
            ..fault_of(attribute, what, subcode::OPTIONAL_ATTRIBUTE)
        });
    }
    check_flags(attribute)?;
    if let Err(what) = check_len(code, attribute.value.len(), four_octet) {
        return fault(what, subcode::ATTRIBUTE_LENGTH);
    }
    match (code, attribute.value) {
        (code::ORIGIN, [value]) if *value > 2 => {
            fault("value is undefined", subcode::INVALID_ORIGIN)
        }
        (code::AS4_PATH, value) => match as_path::check_as4(value) {
            Ok(()) => Ok(()),
            Err(what) => fault(what, subcode::OPTIONAL_ATTRIBUTE),
        },
        (code::AGGREGATOR | code::AS4_AGGREGATOR, [asn @ .., _, _, _, _])
            if asn.iter().all(|&octet| octet == 0) =>
        {
            fault("AS 0", subcode::OPTIONAL_ATTRIBUTE)
        }
        (code::ATTR_SET, [_, _, _, _, inner @ ..]) if !is_attribute_list(inner) => fault(
            "attributes inside do not add up",
            subcode::OPTIONAL_ATTRIBUTE,
        ),
        _ => Ok(()),
    }
}

/// RFC 7606 §3 (c): treat-as-withdraw at least, for §7.6, §7.7 and RFC 6793 §6 discard only what is
/// malformed in length or value. An unknown attribute that says it is well-known: RFC 4271 §6.3.
pub(super) fn check_flags<'a>(attribute: &RawAttribute<'a>) -> Result<(), Fault<'a>> {
    match flags_of(attribute.code) {
        Some(flags) if attribute.flags & FIXED == flags => Ok(()),
        Some(_) => {
            let fault = fault_of(attribute, "flags are wrong", subcode::ATTRIBUTE_FLAGS);
            Err(Fault {
                remedy: fault.remedy.max(Remedy::TreatAsWithdraw),
                ..fault
            })
        }
        None if attribute.flags & flag::OPTIONAL != 0 => Ok(()),
        None => Err(Fault {
            remedy: Remedy::SessionReset,
            ..fault_of(
                attribute,
                "is well-known but not recognized",
                subcode::UNRECOGNIZED_WELL_KNOWN,
            )
        }),
    }
}

/// RFC 7606 §4 and §7, RFC 6793 §6, RFC 8092 §6, RFC 9234 §5.
fn check_len(code: u8, len: usize, four_octet: bool) -> Result<(), &'static str> {
    let filled = |unit: usize| len != 0 && len.is_multiple_of(unit);
    let (well, what) = match code {
        code::ORIGIN => (len == 1, "length is not 1"),
        code::MULTI_EXIT_DISC => (len == 4, "length is not 4"),
        code::ATOMIC_AGGREGATE => (len == 0, "length is not 0"),
        code::AGGREGATOR if four_octet => (len == 8, "length is not 8"),
        code::AGGREGATOR => (len == 6, "length is not 6"),
        code::COMMUNITIES => (filled(4), "length is not a multiple of 4, or zero"),
        code::EXTENDED_COMMUNITIES => (filled(8), "length is not a multiple of 8, or zero"),
        code::AS4_AGGREGATOR => (len == 8, "length is not 8"),
        code::IPV6_EXTENDED_COMMUNITIES => (filled(20), "length is not a multiple of 20, or zero"),
        code::LARGE_COMMUNITIES => (filled(12), "length is not a multiple of 12, or zero"),
        code::OTC => (len == 4, "length is not 4"),
        code::ATTR_SET => (len >= 4, "length is less than 4"),
        _ => return Ok(()),
    };
    if well { Ok(()) } else { Err(what) }
}

/// A fault of this attribute's length or value with the remedy its type calls for (RFC 7606
/// §3 (e), (f), RFC 6793 §6).
pub(super) fn fault_of<'a>(
    attribute: &RawAttribute<'a>,
    what: &'static str,
    subcode: u8,
) -> Fault<'a> {
    let remedy = match attribute.code {
        code::ATOMIC_AGGREGATE | code::AGGREGATOR | code::AS4_PATH | code::AS4_AGGREGATOR => {
            Remedy::AttributeDiscard
        }
        code::MP_REACH_NLRI | code::MP_UNREACH_NLRI => Remedy::SessionReset,
        _ => Remedy::TreatAsWithdraw,
    };
    let data = if subcode == subcode::MALFORMED_AS_PATH {
        &[]
    } else {
        attribute.whole
    };
    Fault {
        remedy,
        code: attribute.code,
        what,
        subcode,
        data,
    }
}

fn is_attribute_list(mut octets: &[u8]) -> bool {
    while !octets.is_empty() {
        match split_attribute(octets) {
            Ok((_, rest)) => octets = rest,
            Err(_) => return false,
        }
    }
    true
}
