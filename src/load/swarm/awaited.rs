//! Changes that the scenario has made and that have not yet arrived everywhere.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::base::Time;

#[derive(Default)]
pub struct Awaited {
    /// By prefix: when it was changed, and by how many clients it is awaited.
    since: HashMap<u32, (Time, usize), FixedState>,
}

impl Awaited {
    pub fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Prefixes.
    pub fn len(&self) -> usize {
        self.since.len()
    }

    /// Arrivals: prefixes of clients.
    pub fn outstanding(&self) -> usize {
        self.since.values().map(|(_, count)| count).sum()
    }

    pub fn contains(&self, prefix: u32) -> bool {
        self.since.contains_key(&prefix)
    }

    pub fn insert(&mut self, prefix: u32, now: Time, client_count: usize) {
        if client_count > 0 {
            self.since.insert(prefix, (now, client_count));
        }
    }

    /// One client has what it should have of the prefix. Since when that was awaited.
    pub fn arrived(&mut self, prefix: u32) -> Option<Time> {
        let (since, count) = self.since.get_mut(&prefix)?;
        let since = *since;
        *count -= 1;
        if *count == 0 {
            self.since.remove(&prefix);
        }
        Some(since)
    }
}
