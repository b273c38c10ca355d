//! Routes that the server comes to reject, or to accept again, by what it learns elsewhere: their
//! clients announce them all along.

use super::Swarm;
use crate::base::Time;

/// A route that may be rejected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Flipping {
    pub prefix: u32,
    pub client: u16,
    pub set: u32,
}

/// What came right without a change of ours.
#[derive(Clone, Copy, Default, Debug)]
pub struct Flips {
    /// Off, they are counted only while changes are under way.
    pub are_watched: bool,
    pub first: Option<Time>,
    pub last: Option<Time>,
    /// Prefixes of clients.
    pub count: u64,
}

impl Flips {
    pub fn note(&mut self, now: Time) {
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.count += 1;
    }
}

impl Swarm {
    /// These routes, in order, are to be rejected from now on, or accepted again. Returns how many
    /// prefixes of clients are wrong for that.
    pub fn flip(&mut self, routes: &[Flipping], rejects: bool) -> usize {
        let mut prefixes: Vec<u32> = Vec::with_capacity(routes.len());
        for route in routes {
            match rejects {
                true => self.model.withdraw(route.client, route.prefix),
                false => self.model.announce(route.client, route.prefix, route.set),
            }
            prefixes.push(route.prefix);
        }
        prefixes.dedup();
        let mut wrong = 0;
        self.tables.judge(&self.model, &prefixes, |_, _| wrong += 1);
        wrong
    }
}
