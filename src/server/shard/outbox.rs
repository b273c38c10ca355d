//! Messages of a shard that wait for room in the mailboxes of the session cores.

use std::collections::VecDeque;

use crate::base::CoreId;
use crate::server::message::ToCore;

/// Over so many waiting messages a shard makes no further deltas: its changes stay pending.
const FULL_COUNT: usize = 8;
/// Over so many that are no deltas it takes no messages either: each of routes is answered with its
/// counts.
const CHOKED_COUNT: usize = 256;

pub(super) struct Outbox {
    /// By core.
    queues: Vec<Queue>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<ToCore>,
    /// Of them, deltas.
    delta_count: usize,
    /// Its mailbox refused one; tried again after the next turn.
    blocked: bool,
}

fn is_deltas(message: &ToCore) -> bool {
    matches!(message, ToCore::Deltas(_) | ToCore::WalkDeltas { .. })
}

impl Queue {
    fn push_back(&mut self, message: ToCore) {
        self.delta_count += usize::from(is_deltas(&message));
        self.messages.push_back(message);
    }
}

impl Outbox {
    pub(super) fn new(core_count: u16) -> Outbox {
        Outbox {
            queues: (0..core_count.max(1)).map(|_| Queue::default()).collect(),
        }
    }

    pub(super) fn push(&mut self, core: CoreId, message: ToCore) {
        self.queues[core.index()].push_back(message);
    }

    pub(super) fn push_all(&mut self, make: impl Fn() -> ToCore) {
        for queue in &mut self.queues {
            queue.push_back(make());
        }
    }

    pub(super) fn poll(&mut self) -> Option<(CoreId, ToCore)> {
        self.queues
            .iter_mut()
            .enumerate()
            .filter(|(_, queue)| !queue.blocked)
            .find_map(|(core, queue)| {
                let message = queue.messages.pop_front()?;
                queue.delta_count -= usize::from(is_deltas(&message));
                Some((CoreId(core as u16), message))
            })
    }

    pub(super) fn put_back(&mut self, core: CoreId, message: ToCore) {
        let queue = &mut self.queues[core.index()];
        queue.delta_count += usize::from(is_deltas(&message));
        queue.messages.push_front(message);
        queue.blocked = true;
    }

    pub(super) fn unblock(&mut self) {
        self.queues
            .iter_mut()
            .for_each(|queue| queue.blocked = false);
    }

    pub(super) fn is_full(&self) -> bool {
        self.queues
            .iter()
            .any(|queue| queue.messages.len() >= FULL_COUNT)
    }

    pub(super) fn is_choked(&self) -> bool {
        self.queues
            .iter()
            .any(|queue| queue.messages.len() - queue.delta_count >= CHOKED_COUNT)
    }

    pub(super) fn core_count(&self) -> usize {
        self.queues.len()
    }
}
