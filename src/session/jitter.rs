//! Jitter (RFC 4271 §10) that is the same for the same seed.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Jitter {
    state: u64,
}

impl Jitter {
    pub const fn new(seed: u64) -> Jitter {
        Jitter { state: seed }
    }

    /// Between 75 % and 100 % of `span`.
    pub fn apply(&mut self, span: Duration) -> Duration {
        let micros = span.as_micros() as u64;
        Duration::from_micros(micros - self.draw() % (micros / 4 + 1))
    }

    /// SplitMix64.
    const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
