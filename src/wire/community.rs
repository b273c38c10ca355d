//! Standard, extended and large communities: taking some of them away, adding some (RFC 1997, 4360,
//! 8092).

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::attribute::{flags_of, push_attribute, push_unchanged, split_attribute};
use super::{NextHop, RawAttribute, Variant, code};

/// RFC 1997.
pub const NO_EXPORT: (u16, u16) = (65535, 65281);
/// RFC 1997.
pub const NO_ADVERTISE: (u16, u16) = (65535, 65282);
/// RFC 7999 §5.
pub const BLACKHOLE: (u16, u16) = (65535, 666);
/// RFC 8326 §2.
pub const GRACEFUL_SHUTDOWN: (u16, u16) = (65535, 0);
/// RFC 9494 §3.2: kept for long after its session.
pub const LLGR_STALE: (u16, u16) = (65535, 6);
/// RFC 9494 §3.3: not to be kept for long.
pub const NO_LLGR: (u16, u16) = (65535, 7);

/// Which communities disappear, and what comes in addition.
pub trait CommunityScrub {
    fn removes_standard(&self, community: (u16, u16)) -> bool;
    fn removes_large(&self, community: (u32, u32, u32)) -> bool;
    fn removes_extended(&self, community: [u8; 8]) -> bool;

    /// What is added to a path in this variant, beside what its flags stand for. Not asked where it
    /// has neither flags nor tags.
    fn additions(&self, _variant: Variant) -> Additions {
        Additions::default()
    }

    /// The next hop of a path in this variant, of the same family as its own. Not asked where it has
    /// no flags.
    fn next_hop(&self, _variant: Variant, next_hop: NextHop) -> NextHop {
        next_hop
    }

    /// Octets that [`Self::additions`] make a path longer, at most, with the headers of attributes made
    /// for them; never more than [`Additions::LEN_MAX`].
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
    /// Most that additions may make a path longer, in octets.
    pub const LEN_MAX: usize = 400;

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

/// All that a variant adds, as octets; none comes twice.
#[derive(Default)]
pub(super) struct Added {
    standard: SmallVec<[[u8; 4]; 8]>,
    extended: SmallVec<[[u8; 8]; 2]>,
    large: SmallVec<[[u8; 12]; 4]>,
}

impl Added {
    pub fn of(variant: Variant, scrub: &dyn CommunityScrub) -> Added {
        let mut added = Added::default();
        if !variant.adds_communities() {
            return added;
        }
        let additions = scrub.additions(variant);
        for (high, low) in variant.flags.communities().chain(additions.standard) {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            push_once(&mut added.standard, [a, b, c, d]);
        }
        for octets in additions.extended {
            push_once(&mut added.extended, octets);
        }
        for (a, b, c) in additions.large {
            let octets = u128::from(a) << 64 | u128::from(b) << 32 | u128::from(c);
            let [_, _, _, _, octets @ ..] = octets.to_be_bytes();
            push_once(&mut added.large, octets);
        }
        added
    }

    /// Appends the attribute of this code, where the set has none of it.
    pub fn push_alone(&self, out: &mut Vec<u8>, code: u8) {
        let value = match code {
            code::COMMUNITIES => self.standard.as_flattened(),
            code::EXTENDED_COMMUNITIES => self.extended.as_flattened(),
            code::LARGE_COMMUNITIES => self.large.as_flattened(),
            _ => &[],
        };
        if let (false, Some(flags)) = (value.is_empty(), flags_of(code)) {
            push_attribute(out, flags, code, value);
        }
    }
}

fn push_once<A: smallvec::Array<Item: PartialEq>>(values: &mut SmallVec<A>, value: A::Item) {
    if !values.contains(&value) {
        values.push(value);
    }
}

/// Appends a communities attribute less what `scrub` removes; nothing at all where none is left.
pub(super) fn push_scrubbed(
    out: &mut Vec<u8>,
    attribute: &RawAttribute<'_>,
    scrub: &dyn CommunityScrub,
) {
    push_outgoing(out, attribute, scrub, &Added::default());
}

/// Like [`push_scrubbed`], with what is added behind what stays.
pub(super) fn push_outgoing(
    out: &mut Vec<u8>,
    attribute: &RawAttribute<'_>,
    scrub: &dyn CommunityScrub,
    added: &Added,
) {
    match attribute.code {
        code::COMMUNITIES => push_kept(out, attribute, &added.standard, |&octets| {
            scrub.removes_standard(standard(octets))
        }),
        code::EXTENDED_COMMUNITIES => push_kept(out, attribute, &added.extended, |&octets| {
            scrub.removes_extended(octets)
        }),
        code::LARGE_COMMUNITIES => push_kept(out, attribute, &added.large, |octets| {
            scrub.removes_large(large(octets))
        }),
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
    added: &[[u8; N]],
    removes: impl Fn(&[u8; N]) -> bool,
) {
    let values = attribute.value.as_chunks::<N>().0;
    if added.is_empty() && !values.iter().any(&removes) {
        return push_unchanged(out, attribute);
    }
    let stays = |value: &&[u8; N]| !removes(value);
    let is_new = |value: &&[u8; N]| !values.iter().filter(stays).any(|kept| kept == *value);
    let kept: SmallVec<[u8; 256]> = (values.iter().filter(stays))
        .chain(added.iter().filter(is_new))
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
