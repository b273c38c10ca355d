//! Import verdicts with reasons; audiences from control communities. Pure functions of an
//! attribute set, a prefix and the compiled configuration.

mod actions;
mod aspa;
mod bogons;
mod class;
mod control;
mod cover;
mod directory;
mod form;
mod forms;
mod import;
mod info;
mod irr;
mod irr_check;
mod kept_back;
mod reason;
mod scheme;
mod tags;
mod vrps;

pub use actions::{Actions, Marked, RttAction, RttRequest, audiences};
pub use aspa::{Aspa, AspaSet, AspaState};
pub use bogons::{BOGON_ASNS, PrefixList, TRANSIT_FREE_ASNS};
pub use class::{IrrOriginClass, IrrPrefixClass, PrefixClass, RovClass};
pub use control::{ControlAction, Last, Precedence, SchemeError, SchemeOptions};
pub use cover::{Cover, CoverEntry, Covering, PrefixBlocks};
pub use directory::{Directory, DirectoryEntry};
pub use import::{
    AS_PATH_LEN_MAX, BlackholeRequests, COMMUNITIES_MAX, ImportChecks, ImportPolicy, Outside,
    SetJudgement, usual_prefix_lengths,
};
pub use info::InfoTag;
pub use irr::{IrrSet, Match, PrefixRange, PrefixRangeError, PrefixSet};
pub use irr_check::IrrChecks;
pub use kept_back::{KeptBack, kept_back};
pub use reason::{RejectNumbers, RejectReason, Verdict};
pub use scheme::{BlackholeNextHops, ControlScheme};
pub use vrps::{RovState, Vrp, VrpSet};
