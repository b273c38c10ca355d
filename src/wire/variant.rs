//! How what goes out differs from what was heard.

use crate::base::Asn;

use super::{BLACKHOLE, GRACEFUL_SHUTDOWN, LLGR_STALE, NO_ADVERTISE, NO_EXPORT};

/// How an outgoing form differs from the attribute set as heard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Variant {
    /// How many times the announcer's ASN is prepended, 0 to 3.
    pub prepend: u8,
    pub flags: VariantFlags,
    /// Which informational communities are added: only the [`super::CommunityScrub`] knows what the
    /// number means. 0: none.
    pub tags: u16,
    /// The ASN that is prepended; 0 where nothing is.
    pub prepend_as: Asn,
}

const _: () = assert!(size_of::<Variant>() == 8);

impl Variant {
    /// Whether communities may come in addition; without it nothing but AS_PATH differs.
    pub const fn adds_communities(self) -> bool {
        !self.flags.is_empty() || self.tags != 0
    }
}

/// What is added or replaced beside prepends and tags.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct VariantFlags(u8);

impl VariantFlags {
    /// RFC 1997 NO_EXPORT is added.
    pub const NO_EXPORT: VariantFlags = VariantFlags(1);
    /// RFC 1997 NO_ADVERTISE is added.
    pub const NO_ADVERTISE: VariantFlags = VariantFlags(2);
    /// A blackhole route (RFC 7999): BLACKHOLE is added, the next hop replaced where the operator has one.
    pub const BLACKHOLE: VariantFlags = VariantFlags(4);
    /// RFC 8326 GRACEFUL_SHUTDOWN is added: the server is about to stop.
    pub const GRACEFUL_SHUTDOWN: VariantFlags = VariantFlags(8);
    /// RFC 9494 LLGR_STALE is added: the route outlived its session for long. It goes only to who announced
    /// that capability.
    pub const LLGR_STALE: VariantFlags = VariantFlags(16);
    /// Bits in use.
    pub const BITS: u32 = 5;

    pub const fn bits(self) -> u8 {
        self.0
    }

    pub const fn from_bits(bits: u8) -> VariantFlags {
        VariantFlags(bits & ((1 << VariantFlags::BITS) - 1))
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn contains(self, other: VariantFlags) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn with(self, other: VariantFlags) -> VariantFlags {
        VariantFlags(self.0 | other.0)
    }

    /// The well-known communities that are added.
    pub fn communities(self) -> impl Iterator<Item = (u16, u16)> {
        [
            (VariantFlags::NO_EXPORT, NO_EXPORT),
            (VariantFlags::NO_ADVERTISE, NO_ADVERTISE),
            (VariantFlags::BLACKHOLE, BLACKHOLE),
            (VariantFlags::GRACEFUL_SHUTDOWN, GRACEFUL_SHUTDOWN),
            (VariantFlags::LLGR_STALE, LLGR_STALE),
        ]
        .into_iter()
        .filter(move |(flag, _)| self.contains(*flag))
        .map(|(_, community)| community)
    }
}
