//! Changes in series, each with figures of its own, for something beside them that begins and ends with a series.

use std::io;
use std::time::Duration;

use super::{NOBODY, Run};
use crate::load::measure::{LagMs, SeriesFigures};
use crate::load::proc;
use crate::load::report::spread;
use crate::load::swarm::{Lag, histogram};

/// Before each series changes run that are not in its figures, while what goes with it begins.
const BEGINNING: Duration = Duration::from_secs(2);

impl Run<'_> {
    pub(super) fn series(&mut self) -> io::Result<bool> {
        if !self.converge("all clients announce")? {
            return Ok(false);
        }
        let meter = self.begin();
        let since = self.swarm.now();
        let mut pace = self.pace();
        for number in 0..self.args.rounds {
            // Whoever started this waits for the line.
            eprintln!("series {number}");
            self.run_for(&mut pace, BEGINNING)?;
            self.swarm.latency = histogram();
            self.swarm.lag = Lag::default();
            let (before, done) = (self.usages(), pace.done);
            self.run_for(&mut pace, Duration::from_secs(self.args.duration.into()))?;
            let after = self.usages();
            self.outcome.series.push(SeriesFigures {
                arrival: spread(&self.swarm.latency),
                changes: pace.done - done,
                awaited_at_end: self.swarm.awaited.len(),
                server_cpu_s: after[0] - before[0],
                generator_cpu_s: after[1] - before[1],
                generator_lag_ms: LagMs::from(std::mem::take(&mut self.swarm.lag)),
            });
        }
        eprintln!("series over");
        self.swarm.latency = histogram();
        self.settle("no more changes", meter, since, NOBODY)
    }

    /// CPU time of the server and of the load generator itself, in seconds.
    fn usages(&self) -> [f64; 2] {
        let of = |pids: &[u32]| proc::usage(pids).cpu_s;
        [of(&self.args.server_pid), of(&[std::process::id()])]
    }
}
