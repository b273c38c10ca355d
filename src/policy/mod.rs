//! Import verdicts with reasons; audiences from control communities. Pure functions of an
//! attribute set, a prefix and the compiled configuration.

mod actions;
mod bogons;
mod control;
mod cover;
mod directory;
mod import;
mod irr;
mod reason;
mod scheme;
mod vrps;

pub use actions::{Actions, audiences};
pub use bogons::{BOGON_ASNS, PrefixList, PrefixRule};
pub use control::{ControlAction, Precedence, SchemeError, SchemeOptions};
pub use cover::{Cover, CoverEntry, Covering, PrefixBlocks};
pub use directory::{Directory, DirectoryEntry};
pub use import::{AS_PATH_LEN_MAX, ImportChecks, ImportPolicy, usual_prefix_lengths};
pub use irr::{IrrSet, Match, PrefixRange, PrefixRangeError, PrefixSet};
pub use reason::{RejectReason, Verdict};
pub use scheme::ControlScheme;
pub use vrps::{RovState, Vrp, VrpSet};
