//! When no queue names a prefix slot any more.

use std::collections::VecDeque;
use std::sync::Arc;

/// Output is made in periods; a buffer keeps the one it was made in alive. A question such as "is all
/// that was queued until now gone?" begins a new period and waits for the older ones to die.
#[derive(Debug)]
pub struct Periods {
    current: Arc<()>,
    /// Oldest first, with its number.
    older: VecDeque<(u64, Arc<()>)>,
    number: u64,
}

impl Default for Periods {
    fn default() -> Periods {
        Periods {
            current: Arc::new(()),
            older: VecDeque::new(),
            number: 1,
        }
    }
}

impl Periods {
    pub fn current(&self) -> &Arc<()> {
        &self.current
    }

    /// Begins a new period; the number is that of the one before.
    pub fn turn(&mut self) -> u64 {
        let ended = self.number;
        self.older
            .push_back((ended, std::mem::replace(&mut self.current, Arc::new(()))));
        self.number += 1;
        ended
    }

    /// Whether every buffer of that period and of those before it is gone.
    pub fn is_over(&mut self, number: u64) -> bool {
        while self
            .older
            .front()
            .is_some_and(|(_, period)| Arc::strong_count(period) == 1)
        {
            self.older.pop_front();
        }
        self.older
            .front()
            .is_none_or(|(oldest, _)| *oldest > number)
            && number < self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_over_when_its_buffers_and_all_older_ones_are_gone() {
        let mut periods = Periods::default();
        let first = periods.current().clone();
        let one = periods.turn();
        let two = periods.turn();
        assert!(!periods.is_over(two) && !periods.is_over(one));
        drop(first);
        assert!(periods.is_over(one) && periods.is_over(two));
        assert!(!periods.is_over(two + 1));
    }
}
