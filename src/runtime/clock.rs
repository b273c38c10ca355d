//! The one clock of the server: [`Time`] is what has passed since it was made.

use std::time::{Instant, SystemTime};

use crate::base::Time;

/// Copied into every thread, so that all of them mean the same by a [`Time`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Clock {
        Clock {
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Time {
        Time(self.start.elapsed().as_micros() as u64)
    }
}

/// For the age of files, and what else outlives the process.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn wall_clock() -> SystemTime {
    SystemTime::now()
}
