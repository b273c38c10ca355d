//! What shards hand over: prefixes grouped by audience and content, ordered alike everywhere.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{ClientSet, Family, PathId, Prefix, PrefixSlot, ShardId, Time};
use crate::policy::ControlScheme;
use crate::wire::{AttributeSet, EXTENDED_MESSAGE_MAX, HEADER_LEN, MESSAGE_MAX, Variant};

/// A shard's changes, grouped. Within all batches of one flush a client meets each prefix (each
/// path identifier of it) once, so that their groups may be sent in any order; two flushes of one
/// shard must be sent one after the other.
#[derive(Debug)]
pub struct DeltaBatch {
    pub shard: ShardId,
    /// Counts the shard's flushes (in the ordinary stream; a walk's stream is one flush of its own).
    pub flush: u32,
    /// Whose control communities are stripped: that of the generation it was made under, whatever
    /// the session core has by then.
    pub scheme: Arc<ControlScheme>,
    /// When the oldest UPDATE that is answered here had come; [`Time::NEVER`] where none is (a walk, a
    /// resync, a reload).
    pub heard: Time,
    pub groups: Vec<DeltaGroup>,
    /// About how many its UPDATEs take in one encoding ([`DeltaGroup::octets`]).
    pub octets: usize,
    /// The prefixes of all groups, one group after another.
    pub prefixes: Vec<Prefix>,
    /// Their slots, at the same positions.
    pub slots: Vec<PrefixSlot>,
}

/// Prefixes that go to one audience with one attribute set, or that it loses.
#[derive(Clone, Debug)]
pub struct DeltaGroup {
    pub key: DeltaKey,
    pub family: Family,
    /// For an audience with ADD-PATH.
    pub path_id: Option<PathId>,
    /// Live clients only. Never empty.
    pub audience: Arc<ClientSet>,
    pub content: DeltaContent,
    /// Into [`DeltaBatch::prefixes`].
    pub prefixes: Range<u32>,
}

#[derive(Clone, Debug)]
pub enum DeltaContent {
    Announce {
        set: Arc<AttributeSet>,
        variant: Variant,
    },
    Withdraw,
}

/// Orders groups alike on every shard, so that a session core can put equal ones together.
/// `audience` first: what one audience gets stands in one run of octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeltaKey {
    /// Content hash of the audience.
    pub audience: u64,
    /// [`AttributeSet::hash`]; 0 for a withdrawal.
    pub set: u64,
    /// Packs family, announce or withdraw, variant and path identifier.
    pub form: u128,
}

/// A prefix (with ADD-PATH: a path identifier of it) whose state at a client is unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DirtyPrefix {
    pub prefix: PrefixSlot,
    pub path_id: Option<PathId>,
}

impl DeltaBatch {
    /// A group's prefixes and, at the same positions, their slots.
    pub fn named_by(&self, group: &DeltaGroup) -> (&[Prefix], &[PrefixSlot]) {
        let range = group.prefixes.start as usize..group.prefixes.end as usize;
        (&self.prefixes[range.clone()], &self.slots[range])
    }
}

impl DeltaGroup {
    /// About how many octets its UPDATEs take in one encoding.
    pub fn octets(&self) -> usize {
        self.size().octets(self.prefixes.len())
    }

    /// What its UPDATEs are made of.
    pub fn size(&self) -> UpdateSize {
        let attributes = match &self.content {
            DeltaContent::Announce { set, .. } => set.octets().len(),
            DeltaContent::Withdraw => 0,
        };
        UpdateSize::new(attributes, self.family, self.path_id.is_some())
    }

    /// Whether the two say the same to the same clients, of other prefixes.
    pub fn is_like(&self, other: &DeltaGroup) -> bool {
        self.key == other.key
            && self.family == other.family
            && self.path_id == other.path_id
            && self.content.is_like(&other.content)
            && (Arc::ptr_eq(&self.audience, &other.audience) || self.audience == other.audience)
    }
}

/// About how long UPDATEs with one attribute set are.
#[derive(Clone, Copy, Debug)]
pub struct UpdateSize {
    /// Of a message, without NLRI.
    fixed: usize,
    /// Of one prefix.
    nlri: usize,
    /// Prefixes in a message.
    room: usize,
}

impl UpdateSize {
    fn new(attributes: usize, family: Family, has_path_id: bool) -> UpdateSize {
        let longest = match family {
            Family::Ipv4 => 5,
            Family::Ipv6 => 9,
        };
        let nlri = longest + if has_path_id { 4 } else { 0 };
        // The two lengths in an UPDATE (RFC 4271 §4.3).
        let fixed = HEADER_LEN + 4 + attributes;
        let message_max = match fixed + nlri <= usize::from(MESSAGE_MAX) {
            true => usize::from(MESSAGE_MAX),
            false => usize::from(EXTENDED_MESSAGE_MAX),
        };
        let room = (message_max.saturating_sub(fixed) / nlri).max(1);
        UpdateSize { fixed, nlri, room }
    }

    /// Of UPDATEs with so many prefixes.
    pub fn octets(&self, prefix_count: usize) -> usize {
        prefix_count.div_ceil(self.room) * self.fixed + prefix_count * self.nlri
    }

    /// How many prefixes fill messages of about so many octets together; at least one message.
    pub fn prefix_count(&self, octets: usize) -> usize {
        let message = self.fixed + self.room * self.nlri;
        (octets / message).max(1) * self.room
    }
}

impl DeltaContent {
    fn is_like(&self, other: &DeltaContent) -> bool {
        use DeltaContent::{Announce, Withdraw};
        match (self, other) {
            (Withdraw, Withdraw) => true,
            (Announce { set: a, variant: v }, Announce { set: b, variant: w }) => {
                v == w && (Arc::ptr_eq(a, b) || a == b)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_with_long_attributes_are_long_however_few_prefixes_each_has() {
        // Octets of attributes; prefixes and the octets that they take; prefixes in 64 KiB.
        for (attributes, prefixes, octets, in_buffer) in [
            (50, 1, 73 + 5, 16 * 804),
            (50, 804, 73 + 804 * 5, 16 * 804),
            (50, 805, 2 * 73 + 805 * 5, 16 * 804),
            (4_061, 100, 50 * 4_084 + 100 * 5, 16 * 2),
            (5_000, 100, 5_023 + 100 * 5, 12_102),
        ] {
            let size = UpdateSize::new(attributes, Family::Ipv4, false);
            assert_eq!(size.octets(prefixes), octets, "{attributes}");
            assert_eq!(size.prefix_count(64 << 10), in_buffer, "{attributes}");
        }
    }
}
