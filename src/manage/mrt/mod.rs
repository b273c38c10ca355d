//! MRT files (`[mrt]`): tables as they are, and UPDATEs as they come. Whole files only have their names;
//! what is being written ends in `.part`. What is there already is never touched.

mod dump;
mod file;
mod updates;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::Time;
use crate::runtime::wall_clock;
use crate::wire::TimeOfDay;

use super::data_path::DataPath;

pub use dump::{DumpError, Dumped};

pub(super) use dump::write_dumps;
pub(super) use updates::write_updates;

/// From the clock of the data path to the time of day.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    /// When the data path's clock was at zero.
    zero: Duration,
}

impl Calendar {
    pub fn now(data: &dyn DataPath) -> Calendar {
        let today = since_epoch(wall_clock());
        Calendar {
            zero: today.saturating_sub(data.now().since(Time::ZERO)),
        }
    }

    pub fn at(&self, time: Time) -> TimeOfDay {
        let at = self.zero + time.since(Time::ZERO);
        TimeOfDay {
            seconds: at.as_secs() as u32,
            micros: at.subsec_micros(),
        }
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn now_s() -> u64 {
    since_epoch(wall_clock()).as_secs()
}
