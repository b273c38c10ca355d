//! Import verdicts with reasons; audiences from control communities. Pure functions of an
//! attribute set, a prefix and the compiled configuration.

mod actions;
mod directory;
mod import;
mod reason;
mod scheme;

pub use actions::{Actions, audiences};
pub use directory::{Directory, DirectoryEntry};
pub use import::ImportPolicy;
pub use reason::{RejectReason, Verdict};
pub use scheme::ControlScheme;
