//! Decoding of UPDATE messages (RFC 4271 §4.3, RFC 4760) with the remedies of RFC 7606.
//!
//! A fault that ends the session is the error; any weaker one is part of the value. Withdrawals
//! are given out whatever is wrong with the attributes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::{Family, FamilySet};

use super::attribute::{check_flags, fault_of};
use super::attribute_block::AttributeBlock;
use super::attribute_set::content_hash;
use super::fault::{Fault, Remedy, subcode};
use super::{
    AttributeSet, CommunityScrub, NextHop, Nlri, RawAttribute, TypeCodes, UpdateError, UpdateFault,
    code,
};

/// What decoding depends on besides the octets.
#[derive(Clone, Copy)]
pub struct DecodeContext<'a> {
    /// Both sides announced RFC 6793.
    pub four_octet: bool,
    /// Negotiated families.
    pub families: FamilySet,
    /// MP_REACH_NLRI of IPv4 may have an IPv6 next hop (RFC 8950).
    pub v6_next_hops: bool,
    /// The operator's `attributes.discard`. Not heeded for the mandatory attributes and those of
    /// RFC 4760.
    pub discard: &'a TypeCodes,
    /// The operator's `attributes.treat_as_withdraw`. Not heeded for those of RFC 4760.
    pub treat_as_withdraw: &'a TypeCodes,
    /// Communities removed on import.
    pub scrub: &'a dyn CommunityScrub,
    /// The link-local next hops that are kept beside a global one (RFC 2545 §3), any other is
    /// dropped: receivers may prefer it, and a stranger's would lead them astray (RFC 7948 §4.8).
    /// `None` keeps all.
    pub link_locals: Option<&'a [Ipv6Addr]>,
    /// The same for the whole process.
    pub hash_seed: u64,
}

/// Buffers that decoding reuses from one UPDATE to the next.
#[derive(Default, Debug)]
pub struct Scratch {
    pub(super) octets: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// An UPDATE after validation.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update<'a> {
    /// Every block to withdraw, those of treat-as-withdraw among them. Apply before `announced`.
    pub withdrawn: SmallVec<[Nlri<'a>; 4]>,
    /// One for each next hop: that of the NEXT_HOP attribute, that of MP_REACH_NLRI.
    pub announced: SmallVec<[(Arc<AttributeSet>, Nlri<'a>); 2]>,
    pub end_of_rib: Option<Family>,
    /// The first reason, if that remedy was taken.
    pub treat_as_withdraw: Option<UpdateFault>,
    /// So many of `withdrawn`, the last ones, are of that remedy.
    pub at_fault: usize,
    /// Attributes discarded, and NLRI of a family that was not negotiated.
    pub discarded: SmallVec<[UpdateFault; 2]>,
}

impl Update<'_> {
    /// Prefixes that were announced and are treated as withdrawn.
    pub fn at_fault_count(&self) -> usize {
        let at_fault = self.withdrawn.iter().rev().take(self.at_fault);
        at_fault.flat_map(Nlri::iter).count()
    }
}

/// The three fields of the message.
struct Fields<'a> {
    withdrawn: Nlri<'a>,
    attributes: &'a [u8],
    nlri: Nlri<'a>,
}

/// Prefixes announced with one next hop; `None` where that is at fault.
struct Announcement<'a> {
    next_hop: Option<NextHop>,
    nlri: Nlri<'a>,
}

/// Decodes an UPDATE without its header. An error means session reset.
pub fn decode_update<'a>(
    body: &'a [u8],
    context: &DecodeContext<'_>,
    scratch: &mut Scratch,
) -> Result<Update<'a>, UpdateError> {
    decode(body, context, scratch).map_err(|fault| fault.session_reset())
}

fn decode<'a>(
    body: &'a [u8],
    context: &DecodeContext<'_>,
    scratch: &mut Scratch,
) -> Result<Update<'a>, Fault<'a>> {
    let fields = split_fields(body)?;
    let mut block = AttributeBlock::read(fields.attributes, context)?;
    let withdrawn = block.negotiated(fields.withdrawn, context);
    let unreach = block.read_unreach(context)?;
    let announced = [
        block.read_body(&fields, context)?,
        block.read_reach(context)?,
    ];
    let announces =
        !fields.nlri.is_empty() || block.reach.is_some_and(|reach| !is_without_nlri(&reach));
    if announces {
        block.check_mandatory()?;
    } else if let Some(fault) = block.fault {
        // RFC 7606 §5.2: where no NLRI are found, it is not certain that there are none.
        return Err(Fault {
            remedy: Remedy::SessionReset,
            ..fault
        });
    }
    let mut update = Update {
        end_of_rib: block.end_of_rib(&fields, context),
        ..Update::default()
    };
    update
        .withdrawn
        .extend([withdrawn, unreach].into_iter().flatten());
    match block.reason_to_withdraw() {
        Some(reason) if announces => {
            update.treat_as_withdraw = Some(reason);
            let wanted = update.withdrawn.len();
            update.withdrawn.extend(
                announced
                    .into_iter()
                    .flatten()
                    .map(|announcement| announcement.nlri),
            );
            update.at_fault = update.withdrawn.len() - wanted;
        }
        _ => announce(&mut update, announced, &block, context, scratch),
    }
    update.discarded = block.discarded;
    Ok(update)
}

/// RFC 4271 §6.3: lengths that do not add up are a Malformed Attribute List.
fn split_fields(body: &[u8]) -> Result<Fields<'_>, Fault<'_>> {
    let overlong = Fault {
        remedy: Remedy::SessionReset,
        code: 0,
        what: "Withdrawn Routes Length or Total Path Attribute Length is too large",
        subcode: subcode::MALFORMED_ATTRIBUTE_LIST,
        data: &[],
    };
    let (withdrawn, rest) = split_counted(body).ok_or(overlong)?;
    let (attributes, nlri) = split_counted(rest).ok_or(overlong)?;
    Ok(Fields {
        withdrawn: check_body_nlri(withdrawn)?,
        attributes,
        nlri: check_body_nlri(nlri)?,
    })
}

/// Takes off a field that has its length in two octets before it.
fn split_counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

fn check_body_nlri(octets: &[u8]) -> Result<Nlri<'_>, Fault<'_>> {
    Nlri::check(Family::Ipv4, octets).map_err(|error| Fault {
        remedy: Remedy::SessionReset,
        code: 0,
        what: error.what(),
        subcode: subcode::INVALID_NETWORK_FIELD,
        data: &[],
    })
}

fn announce<'a>(
    update: &mut Update<'a>,
    announced: [Option<Announcement<'a>>; 2],
    block: &AttributeBlock<'a>,
    context: &DecodeContext<'_>,
    scratch: &mut Scratch,
) {
    let mut facts = None;
    for Announcement { next_hop, nlri } in announced.into_iter().flatten() {
        let Some(next_hop) = next_hop else { continue };
        let next_hop = next_hop.with_link_local_of(context.link_locals);
        let facts = *facts.get_or_insert_with(|| block.canonicalize(context, scratch));
        let octets = scratch.octets.as_slice();
        let hash = content_hash(context.hash_seed, next_hop, octets);
        let set = AttributeSet::new(hash, facts, next_hop, octets);
        update.announced.push((Arc::new(set), nlri));
    }
}

/// MP_REACH_NLRI and MP_UNREACH_NLRI begin with these (RFC 4760).
fn split_afi_safi(value: &[u8]) -> Option<(Option<Family>, &[u8])> {
    let (&[high, low, safi], rest) = value.split_first_chunk::<3>()?;
    Some((
        Family::from_afi_safi(u16::from_be_bytes([high, low]), safi),
        rest,
    ))
}

/// Next hop and NLRI of an MP_REACH_NLRI, its AFI and SAFI taken off (RFC 4760 §3).
fn split_next_hop(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = rest.split_first()?;
    let (next_hop, rest) = rest.split_at_checked(usize::from(len))?;
    let (_reserved, nlri) = rest.split_first()?;
    Some((next_hop, nlri))
}

fn is_without_nlri(reach: &RawAttribute<'_>) -> bool {
    split_afi_safi(reach.value)
        .and_then(|(_, rest)| split_next_hop(rest))
        .is_none_or(|(_, nlri)| nlri.is_empty())
}

/// The forms a next hop may have in a family (RFC 4760, RFC 2545 §3, RFC 8950 §3); `None`: no such
/// length.
fn read_next_hop(family: Family, v6_next_hops: bool, octets: &[u8]) -> Option<NextHop> {
    match family {
        Family::Ipv4 => {
            let v6 = || read_v6_next_hop(octets).filter(|_| v6_next_hops);
            read_v4_next_hop(octets).or_else(v6)
        }
        Family::Ipv6 => read_v6_next_hop(octets),
    }
}

fn read_v4_next_hop(octets: &[u8]) -> Option<NextHop> {
    let octets = <[u8; 4]>::try_from(octets).ok()?;
    Some(octets.into())
}

fn read_v6_next_hop(octets: &[u8]) -> Option<NextHop> {
    let v6 = |octets: &[u8]| <[u8; 16]>::try_from(octets).ok().map(Ipv6Addr::from);
    match octets.split_at_checked(16)? {
        (global, []) => v6(global).map(NextHop::V6),
        (global, link_local) => Some(NextHop::V6LinkLocal(v6(global)?, v6(link_local)?)),
    }
}

/// RFC 4271 §6.3: "a valid IP host address".
fn is_host(next_hop: NextHop) -> bool {
    let is_v4_host = |addr: Ipv4Addr| !addr.is_unspecified() && addr.octets() < [224, 0, 0, 0];
    let is_v6_host = |addr: Ipv6Addr| !addr.is_unspecified() && !addr.is_multicast();
    match next_hop {
        NextHop::V4(addr) => is_v4_host(addr),
        NextHop::V6(addr) | NextHop::V6LinkLocal(addr, _) => is_v6_host(addr),
    }
}

/// What an UPDATE says beyond its attributes.
impl<'a> AttributeBlock<'a> {
    /// NLRI of the message body that count: some, of a family that was negotiated.
    fn negotiated(&mut self, nlri: Nlri<'a>, context: &DecodeContext<'_>) -> Option<Nlri<'a>> {
        if nlri.is_empty() {
            return None;
        }
        if !context.families.contains(nlri.family) {
            self.discard(UpdateFault {
                code: 0,
                what: "NLRI of a family that was not negotiated",
            });
            return None;
        }
        Some(nlri)
    }

    /// The NLRI field with its NEXT_HOP. Without NLRI, but with MP_REACH_NLRI, NEXT_HOP is ignored
    /// (RFC 4760 §3).
    fn read_body(
        &mut self,
        fields: &Fields<'a>,
        context: &DecodeContext<'_>,
    ) -> Result<Option<Announcement<'a>>, Fault<'a>> {
        if fields.nlri.is_empty() && (self.reach.is_some() || self.next_hop.is_none()) {
            return Ok(None);
        }
        let next_hop = match self
            .next_hop
            .map_or_else(|| Err(missing(&[code::NEXT_HOP])), check_next_hop)
        {
            Ok(next_hop) => Some(next_hop),
            Err(fault) => self.note(fault).map(|()| None)?,
        };
        Ok(self
            .negotiated(fields.nlri, context)
            .map(|nlri| Announcement { next_hop, nlri }))
    }

    fn read_reach(
        &mut self,
        context: &DecodeContext<'_>,
    ) -> Result<Option<Announcement<'a>>, Fault<'a>> {
        let Some(reach) = self.reach else {
            return Ok(None);
        };
        let incorrect = |what| fault_of(&reach, what, subcode::OPTIONAL_ATTRIBUTE);
        let (family, rest) =
            split_afi_safi(reach.value).ok_or(incorrect("length is less than 5"))?;
        let (next_hop, nlri) = split_next_hop(rest).ok_or(incorrect("next hop is cut short"))?;
        let Some(family) = self.negotiated_family(&reach, family, context) else {
            return Ok(None);
        };
        let next_hop = read_next_hop(family, context.v6_next_hops, next_hop)
            .ok_or(incorrect("next hop has a wrong length"))?;
        let nlri = Nlri::check(family, nlri).map_err(|error| incorrect(error.what()))?;
        if nlri.is_empty() {
            return Ok(None);
        }
        if !is_host(next_hop) {
            self.note(Fault {
                remedy: Remedy::TreatAsWithdraw,
                ..incorrect("next hop is no host address")
            })?;
        }
        Ok(Some(Announcement {
            next_hop: Some(next_hop),
            nlri,
        }))
    }

    fn read_unreach(&mut self, context: &DecodeContext<'_>) -> Result<Option<Nlri<'a>>, Fault<'a>> {
        let Some(unreach) = self.unreach else {
            return Ok(None);
        };
        let incorrect = |what| fault_of(&unreach, what, subcode::OPTIONAL_ATTRIBUTE);
        let (family, nlri) =
            split_afi_safi(unreach.value).ok_or(incorrect("length is less than 3"))?;
        let Some(family) = self.negotiated_family(&unreach, family, context) else {
            return Ok(None);
        };
        let nlri = Nlri::check(family, nlri).map_err(|error| incorrect(error.what()))?;
        Ok(Some(nlri).filter(|nlri| !nlri.is_empty()))
    }

    fn negotiated_family(
        &mut self,
        attribute: &RawAttribute<'a>,
        family: Option<Family>,
        context: &DecodeContext<'_>,
    ) -> Option<Family> {
        let negotiated = family.filter(|family| context.families.contains(*family));
        if negotiated.is_none() {
            self.discard(UpdateFault {
                code: attribute.code,
                what: "its family was not negotiated",
            });
        }
        negotiated
    }

    /// RFC 7606 §3 (d). NEXT_HOP belongs to the NLRI field alone: see `read_body`.
    fn check_mandatory(&mut self) -> Result<(), Fault<'a>> {
        for code in [&[code::ORIGIN], &[code::AS_PATH]] {
            let [number] = *code;
            if !self.has_seen(number) {
                self.note(missing(code))?;
            }
        }
        Ok(())
    }

    fn reason_to_withdraw(&self) -> Option<UpdateFault> {
        self.fault
            .map(|fault| fault.update_fault())
            .or(self.unwanted)
    }

    /// RFC 4724 §2: an empty UPDATE, or one with an empty MP_UNREACH_NLRI and nothing else.
    fn end_of_rib(&self, fields: &Fields<'a>, context: &DecodeContext<'_>) -> Option<Family> {
        if !fields.withdrawn.is_empty() || !fields.nlri.is_empty() || !self.is_bare() {
            return None;
        }
        let family = match self.unreach.map(|unreach| split_afi_safi(unreach.value)) {
            None => Some(Family::Ipv4),
            Some(Some((family, []))) => family,
            Some(_) => None,
        };
        family.filter(|family| context.families.contains(*family))
    }
}

fn check_next_hop(attribute: RawAttribute<'_>) -> Result<NextHop, Fault<'_>> {
    check_flags(&attribute)?;
    let next_hop = read_v4_next_hop(attribute.value).ok_or(fault_of(
        &attribute,
        "length is not 4",
        subcode::ATTRIBUTE_LENGTH,
    ))?;
    if !is_host(next_hop) {
        return Err(fault_of(
            &attribute,
            "is no host address",
            subcode::INVALID_NEXT_HOP,
        ));
    }
    Ok(next_hop)
}

/// A mandatory attribute that is not there; `code` holds its type, which the NOTIFICATION tells.
fn missing(code: &'static [u8; 1]) -> Fault<'static> {
    let [number] = *code;
    Fault {
        remedy: Remedy::TreatAsWithdraw,
        code: number,
        what: "is mandatory and missing",
        subcode: subcode::MISSING_WELL_KNOWN,
        data: code,
    }
}
