//! UPDATEs as they go out. Knows nothing of who gets them.

use crate::base::{Asn, Family, FamilySet, PathId, Prefix};

use super::attribute::{flag, push_attribute, push_header, split_attribute};
use super::community::{Added, push_outgoing};
use super::{
    AttributeSet, CommunityScrub, HEADER_LEN, MessageType, NextHop, RawAttribute, Variant, as_path,
    code,
};

/// What of the wire form depends on the receiver. Clients of one class get the same octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EncodingClass {
    /// RFC 6793.
    pub four_octet: bool,
    /// Families whose NLRI carry a path identifier (RFC 7911).
    pub add_path: FamilySet,
    /// Longest message, in octets: 4,096, or 65,535 (RFC 8654).
    pub message_max: u16,
    /// IPv4 prefixes may have IPv6 next hops (RFC 8950).
    pub v6_next_hops: bool,
    /// Goes into an ONLY_TO_CUSTOMER where there is none (RFC 9234 §5); 0: none is added.
    pub otc: Asn,
    /// Prepended once to every AS_PATH, for a client that insists on it; 0: nothing is.
    pub rs_as: Asn,
}

impl EncodingClass {
    /// Four-octet ASNs, short messages, one path for each prefix.
    pub const PLAIN: EncodingClass = EncodingClass {
        four_octet: true,
        add_path: FamilySet::EMPTY,
        message_max: 4_096,
        v6_next_hops: false,
        otc: Asn(0),
        rs_as: Asn(0),
    };
}

/// Path identifier, prefix length and address of the longest prefix.
const fn nlri_len_max(family: Family, with_path_id: bool) -> usize {
    1 + family.max_len() as usize / 8 + if with_path_id { 4 } else { 0 }
}

/// Appends the outgoing path attributes of a set in one variant, all but NEXT_HOP and
/// MP_REACH_NLRI: control communities stripped, what the variant adds added, `prepend_as` and before
/// it the class's `rs_as` prepended, ONLY_TO_CUSTOMER made where the class has one and the set has
/// not, AS4_PATH and AS4_AGGREGATOR for two-octet receivers.
pub fn encode_attributes(
    out: &mut Vec<u8>,
    set: &AttributeSet,
    variant: Variant,
    prepend_as: Asn,
    class: &EncodingClass,
    scrub: &dyn CommunityScrub,
) {
    let keeps_communities = !set.has_communities() && !variant.adds_communities();
    let keeps_path = class.four_octet && variant.prepend == 0 && class.rs_as == Asn(0);
    let keeps_otc = class.otc == Asn(0) || set.has_otc();
    if keeps_communities && keeps_path && keeps_otc {
        return out.extend_from_slice(set.octets());
    }
    let mut made = Made::new(Added::of(variant, scrub), class.otc);
    for attribute in set.attributes() {
        made.push_before(out, attribute.code);
        let as4 = &mut made.as4;
        match attribute.code {
            code::AS_PATH => push_as_path(out, as4, &attribute, variant, prepend_as, class),
            code::AGGREGATOR if !class.four_octet => push_aggregator(out, as4, &attribute),
            _ => push_outgoing(out, &attribute, scrub, &made.added),
        }
    }
    made.push_before(out, u8::MAX);
}

/// Attributes that the set does not have, each to be put where its code belongs.
struct Made {
    added: Added,
    /// AS4_PATH and AS4_AGGREGATOR.
    as4: Vec<u8>,
    /// 0: no ONLY_TO_CUSTOMER is made.
    otc: Asn,
    /// Those of [`Made::CODES`] that have not had their turn.
    rest: &'static [u8],
}

impl Made {
    /// Ascending; AS4_AGGREGATOR goes with AS4_PATH.
    const CODES: &[u8] = &[
        code::COMMUNITIES,
        code::EXTENDED_COMMUNITIES,
        code::AS4_PATH,
        code::LARGE_COMMUNITIES,
        code::OTC,
    ];

    fn new(added: Added, otc: Asn) -> Made {
        Made {
            added,
            otc,
            as4: Vec::new(),
            rest: Made::CODES,
        }
    }

    /// Appends what goes before an attribute of the set, which then need not be made.
    fn push_before(&mut self, out: &mut Vec<u8>, code: u8) {
        while let Some((&next, rest)) = self.rest.split_first()
            && next <= code
        {
            self.rest = rest;
            match next {
                _ if next == code => {}
                code::AS4_PATH => out.append(&mut self.as4),
                code::OTC => self.push_otc(out),
                _ => self.added.push_alone(out, next),
            }
        }
    }

    fn push_otc(&self, out: &mut Vec<u8>) {
        if self.otc != Asn(0) {
            let flags = flag::OPTIONAL | flag::TRANSITIVE;
            push_attribute(out, flags, code::OTC, &self.otc.0.to_be_bytes());
        }
    }
}

fn push_as_path(
    out: &mut Vec<u8>,
    as4: &mut Vec<u8>,
    attribute: &RawAttribute<'_>,
    variant: Variant,
    prepend_as: Asn,
    class: &EncodingClass,
) {
    let mut path = Vec::with_capacity(attribute.value.len() + 16);
    as_path::push_prepended(&mut path, attribute.value, prepend_as, variant.prepend);
    if class.rs_as != Asn(0) {
        let behind = std::mem::take(&mut path);
        as_path::push_prepended(&mut path, &behind, class.rs_as, 1);
    }
    if class.four_octet {
        return push_attribute(out, attribute.flags, attribute.code, &path);
    }
    let mut narrow = Vec::with_capacity(path.len());
    let lost = as_path::push_narrowed(&mut narrow, &path);
    push_attribute(out, attribute.flags, attribute.code, &narrow);
    if lost {
        push_attribute(
            as4,
            flag::OPTIONAL | flag::TRANSITIVE,
            code::AS4_PATH,
            &path,
        );
    }
}

fn push_aggregator(out: &mut Vec<u8>, as4: &mut Vec<u8>, attribute: &RawAttribute<'_>) {
    let Some((asn, address)) = attribute.value.split_first_chunk::<4>() else {
        return;
    };
    let asn = Asn(u32::from_be_bytes(*asn));
    push_header(out, attribute.flags, attribute.code, 6);
    out.extend_from_slice(&as_path::narrowed(asn));
    out.extend_from_slice(address);
    if !asn.is_two_octet() {
        push_attribute(
            as4,
            flag::OPTIONAL | flag::TRANSITIVE,
            code::AS4_AGGREGATOR,
            attribute.value,
        );
    }
}

/// Appends UPDATEs that announce `nlri`, as few as their longest message allows; says how many.
///
/// `attributes` is what [`encode_attributes`] made. Where the longest prefix of the family does
/// not fit beside them, or the family does not go with the next hop, nothing is appended and 0 is
/// returned; [`fits`] says so beforehand.
pub fn encode_announcements(
    out: &mut Vec<u8>,
    class: &EncodingClass,
    attributes: &[u8],
    next_hop: NextHop,
    family: Family,
    nlri: &mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
) -> usize {
    if !fits(class, attributes.len(), next_hop, family) {
        return 0;
    }
    let mut nlri = NlriSource::new(class, family, nlri);
    let mut count = 0;
    match next_hop {
        NextHop::V4(addr) => {
            let (before, after) = split_before_next_hop(attributes);
            while nlri.has_more() {
                let start = open_update(out, &[], attributes.len() + NEXT_HOP_LEN);
                out.extend_from_slice(before);
                push_attribute(out, flag::TRANSITIVE, code::NEXT_HOP, &addr.octets());
                out.extend_from_slice(after);
                nlri.fill(out, start + usize::from(class.message_max));
                close_message(out, start);
                count += 1;
            }
        }
        NextHop::V6(_) | NextHop::V6LinkLocal(..) => {
            let mut value = reach_head(family, next_hop);
            let head_len = value.len();
            let room = usize::from(class.message_max) - HEADER_LEN - 4 - attributes.len() - 4;
            while nlri.has_more() {
                nlri.fill(&mut value, room);
                push_multiprotocol(out, code::MP_REACH_NLRI, &value, attributes);
                value.truncate(head_len);
                count += 1;
            }
        }
    }
    count
}

/// Whether an UPDATE of this class can hold `attributes_len` octets made by [`encode_attributes`]
/// with this next hop and any one prefix of the family.
pub fn fits(
    class: &EncodingClass,
    attributes_len: usize,
    next_hop: NextHop,
    family: Family,
) -> bool {
    let next_hop_len = match (family, next_hop) {
        (Family::Ipv4, NextHop::V4(_)) => NEXT_HOP_LEN,
        (Family::Ipv6, NextHop::V4(_)) => return false,
        (Family::Ipv4, _) if !class.v6_next_hops => return false,
        (_, NextHop::V6(_)) => 4 + 5 + 16,
        (_, NextHop::V6LinkLocal(..)) => 4 + 5 + 32,
    };
    let nlri_len = nlri_len_max(family, class.add_path.contains(family));
    HEADER_LEN + 4 + attributes_len + next_hop_len + nlri_len <= usize::from(class.message_max)
}

/// Appends UPDATEs that withdraw `nlri`; says how many.
pub fn encode_withdrawals(
    out: &mut Vec<u8>,
    class: &EncodingClass,
    family: Family,
    nlri: &mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
) -> usize {
    let mut nlri = NlriSource::new(class, family, nlri);
    let room = usize::from(class.message_max) - HEADER_LEN - 4;
    let mut block = Vec::with_capacity(256);
    let mut count = 0;
    while nlri.has_more() {
        block.clear();
        match family {
            Family::Ipv4 => {
                nlri.fill(&mut block, room);
                let start = open_update(out, &block, 0);
                close_message(out, start);
            }
            Family::Ipv6 => {
                block.extend_from_slice(&afi_safi(family));
                nlri.fill(&mut block, room - 4);
                push_multiprotocol(out, code::MP_UNREACH_NLRI, &block, &[]);
            }
        }
        count += 1;
    }
    count
}

/// Appends End-of-RIB (RFC 4724 §2).
pub fn encode_end_of_rib(out: &mut Vec<u8>, family: Family) {
    match family {
        Family::Ipv4 => {
            let start = open_update(out, &[], 0);
            close_message(out, start);
        }
        Family::Ipv6 => push_multiprotocol(out, code::MP_UNREACH_NLRI, &afi_safi(family), &[]),
    }
}

/// Octets of a NEXT_HOP attribute.
const NEXT_HOP_LEN: usize = 7;

fn afi_safi(family: Family) -> [u8; 3] {
    let [high, low] = family.afi().to_be_bytes();
    [high, low, family.safi()]
}

/// MP_REACH_NLRI up to its NLRI (RFC 4760 §3, RFC 2545 §3, RFC 8950 §3).
fn reach_head(family: Family, next_hop: NextHop) -> Vec<u8> {
    let mut value = Vec::with_capacity(256);
    value.extend_from_slice(&afi_safi(family));
    push_next_hop(&mut value, next_hop);
    value.push(0);
    value
}

/// Length and octets of an IPv6 next hop, as in MP_REACH_NLRI; nothing of an IPv4 one.
pub(super) fn push_next_hop(value: &mut Vec<u8>, next_hop: NextHop) {
    match next_hop {
        NextHop::V4(_) => {}
        NextHop::V6(global) => {
            value.push(16);
            value.extend_from_slice(&global.octets());
        }
        NextHop::V6LinkLocal(global, link_local) => {
            value.push(32);
            value.extend_from_slice(&global.octets());
            value.extend_from_slice(&link_local.octets());
        }
    }
}

/// A whole UPDATE whose first attribute is MP_REACH_NLRI or MP_UNREACH_NLRI (RFC 7606 §5.1).
fn push_multiprotocol(out: &mut Vec<u8>, code: u8, value: &[u8], attributes: &[u8]) {
    let header_len = if value.len() > 255 { 4 } else { 3 };
    let start = open_update(out, &[], header_len + value.len() + attributes.len());
    push_attribute(out, flag::OPTIONAL, code, value);
    out.extend_from_slice(attributes);
    close_message(out, start);
}

/// The attributes that go before NEXT_HOP, and the others.
pub(super) fn split_before_next_hop(attributes: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = attributes;
    while let Ok((attribute, tail)) = split_attribute(rest) {
        if attribute.code > code::NEXT_HOP {
            break;
        }
        rest = tail;
    }
    attributes.split_at(attributes.len() - rest.len())
}

/// Appends an UPDATE up to its attributes; says where it starts.
fn open_update(out: &mut Vec<u8>, withdrawn: &[u8], attributes_len: usize) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&[0, 0, MessageType::Update as u8]);
    out.extend_from_slice(&(withdrawn.len() as u16).to_be_bytes());
    out.extend_from_slice(withdrawn);
    out.extend_from_slice(&(attributes_len as u16).to_be_bytes());
    start
}

/// Sets the length of the message that reaches from `start` to the end.
fn close_message(out: &mut [u8], start: usize) {
    let len = (out.len() - start) as u16;
    if let Some(field) = out.get_mut(start + 16..start + 18) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

/// NLRI to be packed, with one looked at ahead.
struct NlriSource<'a> {
    nlri: &'a mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
    with_path_id: bool,
    next: Option<(Prefix, Option<PathId>)>,
}

impl<'a> NlriSource<'a> {
    fn new(
        class: &EncodingClass,
        family: Family,
        nlri: &'a mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
    ) -> NlriSource<'a> {
        let next = nlri.next();
        NlriSource {
            nlri,
            with_path_id: class.add_path.contains(family),
            next,
        }
    }

    fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// Appends NLRI while `out` stays within `len_max` octets.
    fn fill(&mut self, out: &mut Vec<u8>, len_max: usize) {
        let path_id_len = if self.with_path_id { 4 } else { 0 };
        while let Some((prefix, path_id)) = self.next {
            if out.len() + path_id_len + 1 + usize::from(prefix.len().div_ceil(8)) > len_max {
                break;
            }
            if self.with_path_id {
                out.extend_from_slice(&path_id.map_or(0, |id| id.0).to_be_bytes());
            }
            push_nlri(out, &prefix);
            self.next = self.nlri.next();
        }
    }
}

/// Appends a prefix. A whole address is written and its end taken off: copies of a fixed size are
/// faster than those of any.
fn push_nlri(out: &mut Vec<u8>, prefix: &Prefix) {
    out.push(prefix.len());
    let address = prefix.bits().to_be_bytes();
    let end = out.len() + usize::from(prefix.len().div_ceil(8));
    match (prefix.family(), address) {
        (Family::Ipv4, [a, b, c, d, ..]) => out.extend_from_slice(&[a, b, c, d]),
        (Family::Ipv6, address) => out.extend_from_slice(&address),
    }
    out.truncate(end);
}
