//! What shards hand over: prefixes grouped by audience and content, ordered alike everywhere.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{ClientSet, Family, PathId, Prefix, PrefixSlot, ShardId};
use crate::policy::ControlScheme;
use crate::wire::{AttributeSet, Variant};

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
    pub groups: Vec<DeltaGroup>,
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

/// Of one prefix in an UPDATE, about: most are IPv4.
const NLRI_OCTETS: usize = 5;

/// Orders groups alike on every shard, so that a session core can put equal ones together.
/// `audience` first: what one audience gets stands in one run of octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeltaKey {
    /// Content hash of the audience.
    pub audience: u64,
    /// [`AttributeSet::hash`]; 0 for a withdrawal.
    pub set: u64,
    /// Packs family, announce or withdraw, variant and path identifier.
    pub form: u64,
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
    /// About how many octets its UPDATEs take in one encoding: at least its attributes, once.
    pub fn octets(&self) -> usize {
        let attributes = match &self.content {
            DeltaContent::Announce { set, .. } => set.octets().len(),
            DeltaContent::Withdraw => 0,
        };
        attributes + self.prefixes.len() * NLRI_OCTETS
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
