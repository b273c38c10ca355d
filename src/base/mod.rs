//! The words every floor shares: numbers, prefixes, identities, sets of clients, virtual time, and
//! rows of text.
//! Knows nothing of octets on the wire, of policy or of I/O.

mod asn;
mod client_set;
mod family;
mod ids;
mod prefix;
pub mod text;
mod time;

pub use asn::Asn;
pub use client_set::ClientSet;
pub use family::{Family, FamilySet};
pub use ids::{ClientSlot, CoreId, Generation, PathId, PrefixSlot, SessionEpoch, ShardId, WalkId};
pub use prefix::{Prefix, PrefixError, shard_of};
pub use time::Time;
