//! A path as a shard keeps it: sixteen octets.

use crate::base::ClientSlot;
use crate::policy::Verdict;
use crate::wire::Facts;

use super::{EligibilityId, SetId, Stamp};

/// One path of a prefix. Holds a reference on its attribute set and on its eligibility.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    pub set: SetId,
    pub eligibility: EligibilityId,
    pub rank: Rank,
    pub announcer: ClientSlot,
    pub verdict: Verdict,
    pub stamp: Stamp,
}

const _: () = assert!(size_of::<Path>() == 16);

/// Preference, AS_PATH length and ORIGIN in one number; less is preferred.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank(u32);

impl Rank {
    const LONG_LIVED: u32 = 1 << 31;
    const DEPRIORITISED: u32 = 1 << 30;
    const PREFERENCE: u32 = Rank::LONG_LIVED | Rank::DEPRIORITISED;
    const LEN_SHIFT: u32 = 2;

    /// RFC 8326 puts paths in graceful shutdown last, RFC 9494 long-lived stale ones behind them.
    pub fn of(facts: Facts, is_long_lived: bool) -> Rank {
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        let last = flag(facts.graceful_shutdown, Rank::DEPRIORITISED)
            | flag(is_long_lived, Rank::LONG_LIVED);
        Rank(last | u32::from(facts.as_path_len) << Rank::LEN_SHIFT | facts.origin as u32)
    }

    /// The rank of a variant with `count` prepends.
    pub const fn prepended(self, count: u8) -> Rank {
        Rank(self.0 + ((count as u32) << Rank::LEN_SHIFT))
    }

    /// 0 is ordinary, the others are last resorts.
    pub const fn preference(self) -> u32 {
        self.0 & Rank::PREFERENCE
    }

    pub const fn as_path_len(self) -> u32 {
        (self.0 & !Rank::PREFERENCE) >> Rank::LEN_SHIFT
    }
}
