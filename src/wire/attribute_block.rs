//! The path attributes of one UPDATE: walked once in the order of the message, then written once
//! in canonical form. Knows which attribute is wrong and how badly, not what becomes of the NLRI.

use smallvec::SmallVec;

use super::as_path::{self, PathShape};
use super::attribute::{
    check_attribute, check_flags, fault_of, flag, push_attribute, push_header, push_unchanged,
    split_attribute,
};
use super::community::{GRACEFUL_SHUTDOWN, push_received};
use super::fault::{Fault, Remedy, subcode};
use super::update::{DecodeContext, Scratch};
use super::{Facts, Origin, RawAttribute, TypeCodes, UpdateFault, code};
use crate::base::Asn;

/// Faults remembered for one UPDATE; what is discarded beyond is not told apart.
const DISCARDED_MAX: usize = 32;

/// The attributes as received, sorted out.
#[derive(Default)]
pub(super) struct AttributeBlock<'a> {
    /// Those that pass through; ascending by code once the walk is over.
    kept: SmallVec<[RawAttribute<'a>; 12]>,
    path_shape: Option<PathShape>,
    pub next_hop: Option<RawAttribute<'a>>,
    pub reach: Option<RawAttribute<'a>>,
    pub unreach: Option<RawAttribute<'a>>,
    as4_path: Option<&'a [u8]>,
    as4_aggregator: Option<&'a [u8]>,
    /// The first fault that calls for treat-as-withdraw.
    pub fault: Option<Fault<'a>>,
    /// The operator wants the routes withdrawn.
    pub unwanted: Option<UpdateFault>,
    pub discarded: SmallVec<[UpdateFault; 2]>,
    seen: TypeCodes,
}

impl<'a> AttributeBlock<'a> {
    /// Walks the attributes of an UPDATE. An error means session reset.
    pub fn read(
        octets: &'a [u8],
        context: &DecodeContext<'_>,
    ) -> Result<AttributeBlock<'a>, Fault<'a>> {
        let mut block = AttributeBlock::default();
        let mut rest = octets;
        while !rest.is_empty() {
            match split_attribute(rest) {
                Ok((attribute, tail)) => {
                    block.take(attribute, context)?;
                    rest = tail;
                }
                Err(cut) => {
                    block.note(cut_short(cut.code, rest))?;
                    break;
                }
            }
        }
        if !context.four_octet {
            block.check_widened_len()?;
        }
        if !block.kept.is_sorted_by_key(|attribute| attribute.code) {
            block.kept.sort_unstable_by_key(|attribute| attribute.code);
        }
        Ok(block)
    }

    fn take(
        &mut self,
        attribute: RawAttribute<'a>,
        context: &DecodeContext<'_>,
    ) -> Result<(), Fault<'a>> {
        let code = attribute.code;
        if !self.seen.insert(code) {
            return self.note(duplicate(&attribute));
        }
        if code == code::MP_REACH_NLRI || code == code::MP_UNREACH_NLRI {
            return self.take_multiprotocol(attribute);
        }
        if context.treat_as_withdraw.contains(code) {
            self.unwanted.get_or_insert(UpdateFault {
                code,
                what: UpdateFault::WITHDRAW_CONFIGURED,
            });
        }
        if context.discard.contains(code) && !is_mandatory(code) {
            self.discard(UpdateFault {
                code,
                what: UpdateFault::DISCARD_CONFIGURED,
            });
            return Ok(());
        }
        if code == code::NEXT_HOP {
            self.next_hop = Some(attribute);
            return Ok(());
        }
        match check_attribute(&attribute, context.four_octet) {
            Ok(()) => self.keep(attribute, context.four_octet),
            Err(fault) => self.note(fault),
        }
    }

    /// RFC 7606 §5.3: wrong flags make them incorrect; RFC 4760 §7: Optional Attribute Error.
    fn take_multiprotocol(&mut self, attribute: RawAttribute<'a>) -> Result<(), Fault<'a>> {
        check_flags(&attribute).map_err(|fault| Fault {
            subcode: subcode::OPTIONAL_ATTRIBUTE,
            ..fault
        })?;
        match attribute.code {
            code::MP_REACH_NLRI => self.reach = Some(attribute),
            _ => self.unreach = Some(attribute),
        }
        Ok(())
    }

    fn keep(&mut self, attribute: RawAttribute<'a>, four_octet: bool) -> Result<(), Fault<'a>> {
        match attribute.code {
            code::AS_PATH => match as_path::check(attribute.value, four_octet) {
                Ok(shape) => {
                    self.path_shape = Some(shape);
                    self.kept.push(attribute);
                }
                Err(what) => self.note(fault_of(&attribute, what, subcode::MALFORMED_AS_PATH))?,
            },
            code::AS4_PATH => self.as4_path = Some(attribute.value),
            code::AS4_AGGREGATOR => self.as4_aggregator = Some(attribute.value),
            _ => self.kept.push(attribute),
        }
        Ok(())
    }

    /// With four-octet ASNs an AS_PATH must still fit an attribute.
    fn check_widened_len(&mut self) -> Result<(), Fault<'a>> {
        let as4_len = self.as4_path.map_or(0, <[u8]>::len);
        let is_too_long = |attribute: &&RawAttribute<'a>| {
            attribute.code == code::AS_PATH
                && attribute.value.len() * 2 + as4_len > usize::from(u16::MAX)
        };
        match self.kept.iter().find(is_too_long) {
            Some(&path) => self.note(fault_of(&path, "is too long", subcode::MALFORMED_AS_PATH)),
            None => Ok(()),
        }
    }

    /// Applies a fault's remedy as far as it concerns the attributes.
    pub fn note(&mut self, fault: Fault<'a>) -> Result<(), Fault<'a>> {
        match fault.remedy {
            Remedy::AttributeDiscard => self.discard(fault.update_fault()),
            Remedy::TreatAsWithdraw => {
                self.fault.get_or_insert(fault);
            }
            Remedy::SessionReset => return Err(fault),
        }
        Ok(())
    }

    pub fn discard(&mut self, fault: UpdateFault) {
        if self.discarded.len() < DISCARDED_MAX {
            self.discarded.push(fault);
        }
    }

    /// Whether an attribute of this type was there, sound or not.
    pub fn has_seen(&self, code: u8) -> bool {
        self.seen.contains(code)
    }

    /// Whether there is nothing but (perhaps) MP_UNREACH_NLRI.
    pub fn is_bare(&self) -> bool {
        self.seen.iter().all(|code| code == code::MP_UNREACH_NLRI) && self.fault.is_none()
    }

    /// Writes the canonical octets into `scratch`.
    pub fn canonicalize(&self, context: &DecodeContext<'_>, scratch: &mut Scratch) -> Facts {
        let Scratch { octets: out, value } = scratch;
        out.clear();
        let mut facts = Facts::NONE;
        for attribute in &self.kept {
            match attribute.code {
                code::AS_PATH => {
                    let shape = self.push_as_path(out, value, attribute, context.four_octet);
                    facts.as_path_len = shape.len;
                    facts.leftmost_as = shape.leftmost;
                    facts.has_as_set = shape.has_set;
                }
                code::AGGREGATOR if !context.four_octet => self.push_aggregator(out, attribute),
                code if code::is_communities(code) => {
                    let start = out.len();
                    push_received(out, attribute, context.scrub);
                    facts.has_communities |= out.len() != start;
                    if code == code::COMMUNITIES {
                        facts.graceful_shutdown =
                            asks_for_shutdown(out.get(start..).unwrap_or(&[]));
                    }
                }
                _ => {
                    facts.note_value(attribute.code, attribute.value);
                    push_unchanged(out, attribute);
                }
            }
        }
        facts
    }

    fn push_as_path(
        &self,
        out: &mut Vec<u8>,
        value: &mut Vec<u8>,
        attribute: &RawAttribute<'_>,
        four_octet: bool,
    ) -> PathShape {
        let as_heard = self.path_shape.unwrap_or_default();
        if four_octet {
            push_unchanged(out, attribute);
            return as_heard;
        }
        value.clear();
        as_path::push_widened(
            value,
            attribute.value,
            self.as4_path.filter(|_| self.believes_as4()),
        );
        push_attribute(out, attribute.flags, attribute.code, value);
        as_path::check(value, true).unwrap_or(as_heard)
    }

    /// RFC 6793 §4.2.3: where AGGREGATOR names another AS than AS_TRANS beside an AS4_AGGREGATOR,
    /// both AS4 attributes are stale.
    fn believes_as4(&self) -> bool {
        let aggregator = self
            .kept
            .iter()
            .find(|attribute| attribute.code == code::AGGREGATOR);
        match (
            aggregator.map(|attribute| attribute.value),
            self.as4_aggregator,
        ) {
            (Some(&[high, low, ..]), Some(_)) => {
                u32::from(u16::from_be_bytes([high, low])) == Asn::TRANS.0
            }
            _ => true,
        }
    }

    /// Widens a two-octet AGGREGATOR.
    fn push_aggregator(&self, out: &mut Vec<u8>, attribute: &RawAttribute<'_>) {
        match (self.as4_aggregator, attribute.value) {
            (Some(as4), _) if self.believes_as4() => {
                push_attribute(out, attribute.flags, attribute.code, as4)
            }
            (_, value) => {
                push_header(out, attribute.flags, attribute.code, 8);
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(value);
            }
        }
    }
}

impl Facts {
    pub(super) const NONE: Facts = Facts {
        origin: Origin::Incomplete,
        as_path_len: 0,
        leftmost_as: None,
        has_as_set: false,
        med: None,
        has_communities: false,
        graceful_shutdown: false,
        has_otc: false,
    };

    fn note_value(&mut self, code: u8, value: &[u8]) {
        match (code, value) {
            (code::ORIGIN, [0]) => self.origin = Origin::Igp,
            (code::ORIGIN, [1]) => self.origin = Origin::Egp,
            (code::MULTI_EXIT_DISC, value) => {
                self.med = value.try_into().ok().map(u32::from_be_bytes)
            }
            (code::OTC, _) => self.has_otc = true,
            _ => {}
        }
    }
}

/// Whether a canonical COMMUNITIES attribute (or nothing) has GRACEFUL_SHUTDOWN.
fn asks_for_shutdown(attribute: &[u8]) -> bool {
    let (high, low) = GRACEFUL_SHUTDOWN;
    let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
    split_attribute(attribute)
        .is_ok_and(|(attribute, _)| attribute.value.as_chunks::<4>().0.contains(&[a, b, c, d]))
}

pub(super) fn is_mandatory(code: u8) -> bool {
    matches!(code, code::ORIGIN | code::AS_PATH | code::NEXT_HOP)
}

/// RFC 7606 §4; with a cut MP attribute the NLRI cannot be found (§3 (j)).
fn cut_short(code: Option<u8>, rest: &[u8]) -> Fault<'_> {
    let remedy = match code {
        Some(code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) => Remedy::SessionReset,
        _ => Remedy::TreatAsWithdraw,
    };
    let long_enough = rest.len()
        >= if matches!(rest, [flags, ..] if flags & flag::EXTENDED_LENGTH != 0) {
            4
        } else {
            3
        };
    Fault {
        remedy,
        code: code.unwrap_or(0),
        what: "attribute is longer than what is left of the attributes",
        subcode: if long_enough {
            subcode::ATTRIBUTE_LENGTH
        } else {
            subcode::MALFORMED_ATTRIBUTE_LIST
        },
        data: if long_enough { rest } else { &[] },
    }
}

/// RFC 7606 §3 (g).
fn duplicate<'a>(attribute: &RawAttribute<'a>) -> Fault<'a> {
    let remedy = match attribute.code {
        code::MP_REACH_NLRI | code::MP_UNREACH_NLRI => Remedy::SessionReset,
        _ => Remedy::AttributeDiscard,
    };
    Fault {
        remedy,
        code: attribute.code,
        what: "comes more than once",
        subcode: subcode::MALFORMED_ATTRIBUTE_LIST,
        data: &[],
    }
}
