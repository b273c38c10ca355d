//! How long things took, in buckets: what is kept does not grow with what is counted.

use std::time::Duration;

/// Where buckets end, in microseconds; what takes longer is in one more.
pub const LATENCY_BOUNDS_US: [u64; 17] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000,
];

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Latencies {
    counts: [u64; LATENCY_BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Latencies {
    pub fn record(&mut self, took: Duration) {
        let took_us = took.as_micros() as u64;
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < took_us);
        self.counts[bucket] += 1;
        self.sum_us = self.sum_us.saturating_add(took_us);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    /// Each bound with how many took so long or less; those that took longer are in the count only.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let mut below = 0;
        let bounds = LATENCY_BOUNDS_US.iter().zip(&self.counts);
        bounds.map(move |(bound, count)| {
            below += count;
            (Duration::from_micros(*bound), below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_exactly_as_long_as_a_bound_is_within_it() {
        let mut latencies = Latencies::default();
        let all = [0, 100, 101, 250, 30_000_000, 30_000_001, 90_000_000];
        for us in all {
            latencies.record(Duration::from_micros(us));
        }
        let cumulative: Vec<u64> = latencies.cumulative().map(|(_, count)| count).collect();
        assert_eq!(cumulative[..3], [2, 4, 4]);
        assert_eq!(cumulative[16], 5, "two took longer than any bound");
        assert_eq!(latencies.count(), 7);
        assert_eq!(latencies.sum().as_micros() as u64, all.iter().sum::<u64>());
    }
}
