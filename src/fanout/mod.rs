//! Packing, shared buffers, send queues, dirty records: how one change reaches many clients at the
//! price of one. Knows nothing of sessions, sockets or the table.

mod buffer;
mod classes;
mod delta;
mod dirty;
mod gather;
mod merge;
mod packer;
mod period;
mod queue;
mod run;

pub use buffer::{Gauge, Share};
pub use classes::Classes;
pub use delta::{DeltaBatch, DeltaContent, DeltaGroup, DeltaKey, DirtyPrefix};
pub use dirty::DirtyRecord;
pub use gather::Gather;
pub use merge::{Step, WalkMerge};
pub use packer::{Packed, Packer, PackerStats};
pub use period::Periods;
pub use queue::SendQueue;
pub use run::{Marker, Named, Run};
