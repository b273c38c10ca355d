//! Standard, extended and large communities: taking some of them away (RFC 1997, 4360, 8092).

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::attribute::{push_attribute, push_unchanged, split_attribute};
use super::{NextHop, RawAttribute, Variant, code};

/// Which communities disappear, and what comes in addition.
pub trait CommunityScrub {
    fn removes_standard(&self, community: (u16, u16)) -> bool;
    fn removes_large(&self, community: (u32, u32, u32)) -> bool;
    fn removes_extended(&self, community: [u8; 8]) -> bool;

    /// What is added to a path in this variant.
    fn additions(&self, _variant: Variant) -> Additions {
        Additions::default()
    }

    /// The next hop of a path in this variant.
    fn next_hop(&self, _variant: Variant, next_hop: NextHop) -> NextHop {
        next_hop
    }

    /// Octets that [`Self::additions`] make a path longer, at most.
    fn additions_len_max(&self) -> usize {
        0
    }
}

/// Communities to add, each kind without repetition.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Additions {
    pub standard: SmallVec<[(u16, u16); 4]>,
    pub extended: SmallVec<[[u8; 8]; 2]>,
    pub large: SmallVec<[(u32, u32, u32); 4]>,
}

impl Additions {
    pub fn is_empty(&self) -> bool {
        self.standard.is_empty() && self.extended.is_empty() && self.large.is_empty()
    }
}

/// Removes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepAll;

impl CommunityScrub for KeepAll {
    fn removes_standard(&self, _: (u16, u16)) -> bool {
        false
    }
    fn removes_large(&self, _: (u32, u32, u32)) -> bool {
        false
    }
    fn removes_extended(&self, _: [u8; 8]) -> bool {
        false
    }
}

/// Appends a communities attribute less what `scrub` removes; nothing at all where none is left.
pub(super) fn push_scrubbed(
    out: &mut Vec<u8>,
    attribute: &RawAttribute<'_>,
    scrub: &dyn CommunityScrub,
) {
    match attribute.code {
        code::COMMUNITIES => push_kept(out, attribute, |&octets| {
            scrub.removes_standard(standard(octets))
        }),
        code::EXTENDED_COMMUNITIES => {
            push_kept(out, attribute, |&octets| scrub.removes_extended(octets))
        }
        code::LARGE_COMMUNITIES => {
            push_kept(out, attribute, |octets| scrub.removes_large(large(octets)))
        }
        _ => push_unchanged(out, attribute),
    }
}

/// Like [`push_scrubbed`]; a large community that comes again is left out (RFC 8092 §5).
pub(super) fn push_received(
    out: &mut Vec<u8>,
    attribute: &RawAttribute<'_>,
    scrub: &dyn CommunityScrub,
) {
    let values = attribute.value.as_chunks::<12>().0;
    if attribute.code != code::LARGE_COMMUNITIES || !repeats(values) {
        return push_scrubbed(out, attribute, scrub);
    }
    let mut seen = BTreeSet::new();
    let once: Vec<u8> = values
        .iter()
        .filter(|value| seen.insert(**value))
        .flatten()
        .copied()
        .collect();
    let mut whole = Vec::new();
    push_attribute(&mut whole, attribute.flags, attribute.code, &once);
    if let Ok((attribute, _)) = split_attribute(&whole) {
        push_scrubbed(out, &attribute, scrub);
    }
}

fn push_kept<const N: usize>(
    out: &mut Vec<u8>,
    attribute: &RawAttribute<'_>,
    removes: impl Fn(&[u8; N]) -> bool,
) {
    let values = attribute.value.as_chunks::<N>().0;
    if !values.iter().any(&removes) {
        return push_unchanged(out, attribute);
    }
    let kept: SmallVec<[u8; 256]> = values
        .iter()
        .filter(|value| !removes(value))
        .flatten()
        .copied()
        .collect();
    if !kept.is_empty() {
        push_attribute(out, attribute.flags, attribute.code, &kept);
    }
}

/// Whether a value comes twice.
fn repeats<const N: usize>(values: &[[u8; N]]) -> bool {
    if values.len() <= 16 {
        return values
            .iter()
            .enumerate()
            .any(|(at, value)| values.iter().take(at).any(|other| other == value));
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b))
}

fn standard([a, b, c, d]: [u8; 4]) -> (u16, u16) {
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

fn large(octets: &[u8; 12]) -> (u32, u32, u32) {
    match *octets.as_chunks::<4>().0 {
        [a, b, c] => (
            u32::from_be_bytes(a),
            u32::from_be_bytes(b),
            u32::from_be_bytes(c),
        ),
        _ => (0, 0, 0),
    }
}
