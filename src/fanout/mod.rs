//! Packing, shared buffers, send queues, dirty records: how one change reaches many clients at the
//! price of one. Knows nothing of sessions, sockets or the table.

mod buffer;
mod classes;
mod delta;
mod dirty;
mod gather;
mod gauge;
mod merge;
mod packer;
mod period;
mod queue;

pub use buffer::{Buffer, Marker, Packed};
pub use classes::Classes;
pub use delta::{DeltaBatch, DeltaContent, DeltaGroup, DeltaKey, DirtyPrefix, UpdateSize};
pub use dirty::DirtyRecord;
pub use gather::Gather;
pub use gauge::Gauge;
pub use merge::{Step, WalkMerge};
pub use packer::{Packer, PackerStats};
pub use period::Periods;
pub use queue::{Dropped, Portion, SendQueue, Written};
