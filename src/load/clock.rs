//! The one place of the load generator that reads a clock.

use std::time::Instant;

use crate::base::Time;

/// Microseconds since the load began.
#[derive(Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods)] // an outer command: this is its clock
    pub fn start() -> Clock {
        Clock {
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Time {
        Time(self.start.elapsed().as_micros() as u64)
    }
}
