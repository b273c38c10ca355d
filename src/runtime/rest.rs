//! Sockets that were found full, left alone for a moment and then looked at all together.
//!
//! A reader makes room in small pieces. Who takes each of them at once sends small segments, and spends
//! more on them than on the octets; the kernel says that a socket is writable only when a third of its
//! buffer is free. Looking is one `poll` for all of them, which costs less than arming the ring for each.

use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::base::Time;

use super::connection::Connection;
use super::sys;

/// How long a socket that was just found full is left alone: the more of them there are, the longer, as
/// there is enough to do meanwhile and each look is worth more. Looks are on a grid, so that many
/// sockets share each.
const REST_MIN: Duration = Duration::from_millis(2);
const REST_MAX: Duration = Duration::from_millis(16);
/// So many sockets for each [`REST_MIN`].
const SHARE: usize = 16;
/// After each look in vain twice as long, up to this.
const VAIN_MAX: Duration = Duration::from_millis(64);

/// By the number of the connection.
pub struct Resting<I> {
    waiting: Vec<Waiting<I>>,
    until: Option<Time>,
}

struct Waiting<I> {
    conn: I,
    /// Its socket closes when its task ends, whatever waits here.
    connection: Weak<Connection>,
    rest: Duration,
    due: Time,
}

impl<I> Default for Resting<I> {
    fn default() -> Resting<I> {
        Resting {
            waiting: Vec::new(),
            until: None,
        }
    }
}

impl<I: Copy> Resting<I> {
    pub fn add(&mut self, now: Time, conn: I, connection: &Rc<Connection>) {
        let rest = self.rest();
        let due = on_grid(now, rest);
        self.waiting.push(Waiting {
            conn,
            connection: Rc::downgrade(connection),
            rest,
            due,
        });
        self.until = Some(self.until.map_or(due, |until| until.min(due)));
    }

    fn rest(&self) -> Duration {
        let shares = (self.waiting.len() / SHARE).max(1) as u32;
        REST_MIN.saturating_mul(shares).min(REST_MAX)
    }

    /// When the next look is due.
    pub fn until(&self) -> Option<Time> {
        self.until
    }

    /// Takes out those that can be written to, or are broken.
    pub fn take_rested(&mut self, now: Time) -> Vec<(I, Rc<Connection>)> {
        self.waiting
            .retain(|waiting| waiting.connection.strong_count() > 0);
        let due: Vec<(usize, Rc<Connection>)> = (self.waiting.iter().enumerate())
            .filter(|(_, waiting)| waiting.due <= now)
            .filter_map(|(index, waiting)| Some((index, waiting.connection.upgrade()?)))
            .collect();
        let streams: Vec<_> = due.iter().map(|(_, it)| it.stream.borrow()).collect();
        let writable = sys::writable(streams.iter().map(|stream| &**stream));
        drop(streams);
        let mut rested = Vec::new();
        for ((index, connection), is_writable) in due.into_iter().zip(writable) {
            let waiting = &mut self.waiting[index];
            if is_writable {
                waiting.connection = Weak::new();
                rested.push((waiting.conn, connection));
            } else {
                waiting.rest = (waiting.rest * 2).min(VAIN_MAX);
                waiting.due = on_grid(now, waiting.rest);
            }
        }
        self.waiting
            .retain(|waiting| waiting.connection.strong_count() > 0);
        self.until = self.waiting.iter().map(|waiting| waiting.due).min();
        rested
    }
}

/// The first point of a grid of steps of `rest` that is at least so far away.
fn on_grid(now: Time, rest: Duration) -> Time {
    let step = rest.as_micros() as u64;
    Time((now + rest).as_micros().div_ceil(step) * step)
}
