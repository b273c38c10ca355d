//! A shard's table: attribute sets, candidates, the decision, audiences, deltas.

mod decision;

pub use decision::{DecidedBy, MedMode};
