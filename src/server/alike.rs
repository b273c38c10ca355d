//! Paths of all clients, where prefixes that follow each other and have the same paths are told together.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{ClientSet, Family, Prefix, PrefixSlot};
use crate::wire::{AttributeSet, Variant};

/// What a piece of a shard's table holds.
#[derive(Clone, Debug, Default)]
pub struct AlikePiece {
    pub groups: Vec<Alike>,
    /// Of all groups. Those of which nobody has a path are left out.
    pub prefixes: Vec<Prefix>,
    pub paths: Vec<AlikePath>,
    /// As in [`super::query::ShardReply::Routes`].
    pub next: Option<PrefixSlot>,
}

/// Prefixes of which each has each of these paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alike {
    pub family: Family,
    /// Into [`AlikePiece::prefixes`].
    pub prefixes: Range<usize>,
    /// Into [`AlikePiece::paths`].
    pub paths: Range<usize>,
}

#[derive(Clone, Debug)]
pub struct AlikePath {
    /// Who announced it, or all who are sent it.
    pub clients: ClientSet,
    pub set: Arc<AttributeSet>,
    pub variant: Variant,
}
