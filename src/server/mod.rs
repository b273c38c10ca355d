//! The session core and the shard as plain values, and every message between them. No I/O: the
//! simulator and `runtime/` step the same values.

pub mod alike;
mod core;
pub mod exchange;
mod latency;
pub mod message;
pub mod query;
pub mod reach;
mod ring;
pub mod search;
mod shard;

pub use self::core::{ConnId, CoreAction, SessionCore};
pub use latency::{LATENCY_BOUNDS_US, Latencies};
pub use shard::Shard;
