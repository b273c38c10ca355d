//! AS_PATH: checking, widening to four octets, merging with AS4_PATH, narrowing, prepending
//! (RFC 4271 §5.1.2, RFC 6793, RFC 7606 §7.2, RFC 7607).

use crate::base::Asn;

use super::segment;

/// What checking learns of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct PathShape {
    /// RFC 4271 §9.1.2.2 (a): an AS_SET counts one.
    pub len: u16,
    /// Where the first segment is an AS_SEQUENCE.
    pub leftmost: Option<Asn>,
    pub has_set: bool,
}

/// One segment; `asns` has two or four octets for each of `count` ASNs.
#[derive(Clone, Copy)]
struct Segment<'a> {
    kind: u8,
    count: u8,
    asns: &'a [u8],
}

impl Segment<'_> {
    fn len(&self) -> usize {
        match self.kind {
            segment::AS_SEQUENCE => usize::from(self.count),
            segment::AS_SET => 1,
            _ => 0,
        }
    }
}

fn width_of(four_octet: bool) -> usize {
    if four_octet { 4 } else { 2 }
}

fn split_segment(octets: &[u8], width: usize) -> Result<(Segment<'_>, &[u8]), &'static str> {
    let (&[kind, count], rest) = octets
        .split_first_chunk::<2>()
        .ok_or("last segment is cut short")?;
    if !(segment::AS_SET..=segment::AS_CONFED_SET).contains(&kind) {
        return Err("segment type is undefined");
    }
    if count == 0 {
        return Err("segment is empty");
    }
    let asns_len = usize::from(count) * width;
    let (asns, rest) = rest
        .split_at_checked(asns_len)
        .ok_or("last segment is cut short")?;
    Ok((Segment { kind, count, asns }, rest))
}

/// Segments of a path that has been checked.
fn segments(octets: &[u8], width: usize) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (segment, tail) = split_segment(rest, width).ok()?;
        rest = tail;
        Some(segment)
    })
}

fn asn_of(octets: &[u8]) -> Asn {
    Asn(octets
        .iter()
        .fold(0, |asn, &octet| asn << 8 | u32::from(octet)))
}

/// Checks an AS_PATH of an external peer.
pub(super) fn check(octets: &[u8], four_octet: bool) -> Result<PathShape, &'static str> {
    let width = width_of(four_octet);
    let mut shape = PathShape::default();
    let mut rest = octets;
    while !rest.is_empty() {
        let first = rest.len() == octets.len();
        let (segment, tail) = split_segment(rest, width)?;
        if matches!(
            segment.kind,
            segment::AS_CONFED_SEQUENCE | segment::AS_CONFED_SET
        ) {
            return Err("confederation segment from outside the confederation");
        }
        if has_as_0(&segment, width) {
            return Err("AS 0");
        }
        if first && segment.kind == segment::AS_SEQUENCE {
            shape.leftmost = segment.asns.get(..width).map(asn_of);
        }
        shape.has_set |= segment::is_set(segment.kind);
        shape.len = shape.len.saturating_add(segment.len() as u16);
        rest = tail;
    }
    Ok(shape)
}

/// Checks an AS4_PATH (RFC 6793 §6), where confederation segments are left out afterwards.
pub(super) fn check_as4(octets: &[u8]) -> Result<(), &'static str> {
    if octets.len() < 6 {
        return Err("length is less than 6");
    }
    let mut rest = octets;
    while !rest.is_empty() {
        let (segment, tail) = split_segment(rest, 4)?;
        if has_as_0(&segment, 4) {
            return Err("AS 0");
        }
        rest = tail;
    }
    Ok(())
}

fn has_as_0(segment: &Segment<'_>, width: usize) -> bool {
    segment
        .asns
        .chunks_exact(width)
        .any(|asn| asn.iter().all(|&octet| octet == 0))
}

/// Appends segments with four-octet ASNs; knows where the last one's count stands.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    last: Option<(u8, usize)>,
}

impl Writer<'_> {
    fn push(&mut self, kind: u8, asns: impl ExactSizeIterator<Item = Asn>) {
        self.last = Some((kind, self.out.len() + 1));
        self.out.extend_from_slice(&[kind, asns.len() as u8]);
        self.push_asns(asns);
    }

    /// Into the last segment, where both are AS_SEQUENCEs and there is room.
    fn push_joined(&mut self, kind: u8, asns: impl ExactSizeIterator<Item = Asn>) {
        let room = self
            .last
            .filter(|last| last.0 == segment::AS_SEQUENCE && kind == segment::AS_SEQUENCE);
        let count = room.and_then(|(_, at)| self.out.get_mut(at));
        match count {
            Some(count) if usize::from(*count) + asns.len() <= 255 => {
                *count += asns.len() as u8;
                self.push_asns(asns);
            }
            _ => self.push(kind, asns),
        }
    }

    fn push_asns(&mut self, asns: impl Iterator<Item = Asn>) {
        for asn in asns {
            self.out.extend_from_slice(&asn.0.to_be_bytes());
        }
    }
}

/// Appends a checked two-octet path with four-octet ASNs, taking from `as4_path` what it knows
/// (RFC 6793 §4.2.3).
pub(super) fn push_widened(out: &mut Vec<u8>, octets: &[u8], as4_path: Option<&[u8]>) {
    let mut writer = Writer { out, last: None };
    let length = |octets, width| {
        segments(octets, width)
            .map(|segment| segment.len())
            .sum::<usize>()
    };
    let known = as4_path.map(|as4| (as4, length(octets, 2).checked_sub(length(as4, 4))));
    let (as4, mut leading) = match known {
        Some((as4, Some(leading))) => (as4, leading),
        _ => (&[][..], usize::MAX),
    };
    for Segment { kind, asns, .. } in segments(octets, 2) {
        if leading == 0 {
            break;
        }
        let count = if kind == segment::AS_SET {
            usize::MAX
        } else {
            leading
        };
        writer.push(kind, asns.chunks_exact(2).map(asn_of).take(count));
        leading -= writer.len_of_last().min(leading);
    }
    let mut joins = true;
    for Segment { kind, asns, .. } in segments(as4, 4) {
        if kind == segment::AS_SEQUENCE || kind == segment::AS_SET {
            let asns = asns.chunks_exact(4).map(asn_of);
            if joins {
                writer.push_joined(kind, asns)
            } else {
                writer.push(kind, asns)
            }
            joins = false;
        }
    }
}

impl Writer<'_> {
    fn len_of_last(&self) -> usize {
        match self.last {
            Some((segment::AS_SEQUENCE, at)) => self.out.get(at).copied().map_or(0, usize::from),
            Some(_) => 1,
            None => 0,
        }
    }
}

/// Appends a four-octet path with `asn` prepended `times` times, 255 at most.
pub(super) fn push_prepended(out: &mut Vec<u8>, octets: &[u8], asn: Asn, times: u8) {
    let rest = match *octets {
        _ if times == 0 => octets,
        [segment::AS_SEQUENCE, count, ref rest @ ..] if count.checked_add(times).is_some() => {
            out.extend_from_slice(&[segment::AS_SEQUENCE, count + times]);
            rest
        }
        _ => {
            out.extend_from_slice(&[segment::AS_SEQUENCE, times]);
            octets
        }
    };
    for _ in 0..times {
        out.extend_from_slice(&asn.0.to_be_bytes());
    }
    out.extend_from_slice(rest);
}

/// Appends a four-octet path with two-octet ASNs, AS_TRANS for those that do not fit; says
/// whether there were any (RFC 6793 §4.2.2).
pub(super) fn push_narrowed(out: &mut Vec<u8>, octets: &[u8]) -> bool {
    let mut lost = false;
    for Segment { kind, count, asns } in segments(octets, 4) {
        out.extend_from_slice(&[kind, count]);
        for asn in asns.chunks_exact(4).map(asn_of) {
            lost |= !asn.is_two_octet();
            out.extend_from_slice(&narrowed(asn));
        }
    }
    lost
}

/// Two octets for an ASN: its own, or AS_TRANS.
pub(super) fn narrowed(asn: Asn) -> [u8; 2] {
    let asn = if asn.is_two_octet() { asn } else { Asn::TRANS };
    (asn.0 as u16).to_be_bytes()
}
