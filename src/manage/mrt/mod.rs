//! MRT files (`[mrt]`): tables as they are, and UPDATEs as they come. Whole files only have their names;
//! what is being written ends in `.part`. What is there already is never touched.

mod dump;
mod file;
mod updates;

use crate::runtime::wall_clock;

use super::calendar::since_epoch;

pub use dump::{DumpError, Dumped};

pub(super) use dump::write_dumps;
pub(super) use updates::write_updates;

fn now_s() -> u64 {
    since_epoch(wall_clock()).as_secs()
}
