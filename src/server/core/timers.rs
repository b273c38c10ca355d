//! When which session wants to be told of time passing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::{ClientSlot, Time};

/// Deadlines of many sessions. Entries are never removed early: one that has moved on is found out
/// when it comes up.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Time, ClientSlot)>>,
}

impl Timers {
    /// `armed` is the earliest entry of that client, [`Time::NEVER`] for none.
    pub fn arm(&mut self, slot: ClientSlot, deadline: Time, armed: &mut Time) {
        if deadline < *armed {
            *armed = deadline;
            self.heap.push(Reverse((deadline, slot)));
        }
    }

    pub fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((time, _))| *time)
    }

    pub fn pop_due(&mut self, now: Time) -> Option<(Time, ClientSlot)> {
        let Reverse((time, _)) = self.heap.peek()?;
        if *time > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

/// Of two moments that may be due.
pub(super) fn earliest(a: Option<Time>, b: impl Into<Option<Time>>) -> Option<Time> {
    a.into_iter().chain(b.into()).min()
}
