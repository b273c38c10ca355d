//! What the rest of the process sees of a pinned thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use super::sys;

#[derive(Default)]
pub struct ThreadState {
    stop: AtomicBool,
    ended: AtomicBool,
    /// 0: not running yet.
    thread_id: AtomicI32,
}

/// Held by a thread for as long as it lives, however it ends.
pub struct EndOfThread(Arc<ThreadState>);

impl EndOfThread {
    pub fn of(state: &Arc<ThreadState>) -> EndOfThread {
        state.thread_id.store(sys::thread_id(), Ordering::Relaxed);
        EndOfThread(Arc::clone(state))
    }
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

impl ThreadState {
    /// Takes effect when the thread looks: ring its bell after this.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub fn cpu_time(&self) -> Duration {
        match self.thread_id.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            id => sys::thread_cpu_time(id).unwrap_or_default(),
        }
    }
}

/// One row of `show cores`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadRow {
    /// `core-0`, `shard-0`, …
    pub name: String,
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    pub cpu_time: Duration,
    /// Messages in its mailbox from the data path.
    pub queued: usize,
}
