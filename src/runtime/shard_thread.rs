//! The thread of one shard: mail in, turns, mail out, sleep.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{park, park_timeout};
use std::time::Duration;

use rustc_hash::FxBuildHasher;
use tokio::sync::oneshot;

use crate::base::{CoreId, ShardId, Time};
use crate::server::message::{ToCore, ToShard};
use crate::server::query::{ShardQuery, ShardReply};

use super::clock::Clock;
use super::mailbox::{Bell, Mailbox, Outlet};
use super::step::ShardStep;
use super::thread_state::ThreadState;

/// Messages handled before the shard gets its turn.
const BATCH: usize = 64;
/// How long a shard with work left pauses when a core refuses its messages.
const REFUSED_PAUSE: Duration = Duration::from_micros(200);

/// Into a shard's thread.
pub enum ShardMail {
    Message(ToShard),
    /// From the management plane; the answer goes straight back.
    Ask(ShardQuery, oneshot::Sender<ShardReply>),
}

pub struct ShardThread<S> {
    pub shard: S,
    pub id: ShardId,
    pub clock: Clock,
    pub bell: Bell,
    pub mailbox: Mailbox<ShardMail>,
    /// By core.
    pub to_cores: Vec<Outlet<(ShardId, ToCore)>>,
    pub state: Arc<ThreadState>,
    pub asked: HashMap<u64, oneshot::Sender<ShardReply>, FxBuildHasher>,
    pub next_question: u64,
    /// Cores whose mailboxes were full in this turn.
    pub refused: Vec<CoreId>,
}

impl<S: ShardStep> ShardThread<S> {
    /// Until it is told to stop.
    pub fn run(mut self) {
        self.bell.hang();
        while !self.state.is_stopped() {
            let now = self.clock.now();
            let taken = self.take_mail(now);
            let more = self.shard.turn(now);
            self.send();
            self.answer();
            match (more, self.refused.is_empty()) {
                (true, true) => {}
                (true, false) => self.sleep(Some(REFUSED_PAUSE)),
                (false, _) if taken == BATCH => {}
                (false, _) => self.sleep(
                    self.shard
                        .poll_timeout()
                        .map(|due| due.since(self.clock.now())),
                ),
            }
        }
    }

    fn take_mail(&mut self, now: Time) -> usize {
        for taken in 0..BATCH {
            if !self.shard.wants_messages() {
                return taken;
            }
            match self.mailbox.take() {
                Some(ShardMail::Message(message)) => self.shard.handle(now, message),
                Some(ShardMail::Ask(query, answer)) => self.ask(now, query, answer),
                None => {
                    self.mailbox.tell_room();
                    return taken;
                }
            }
        }
        self.mailbox.tell_room();
        BATCH
    }

    fn ask(&mut self, now: Time, query: ShardQuery, answer: oneshot::Sender<ShardReply>) {
        let id = self.next_question;
        self.next_question += 1;
        self.asked.insert(id, answer);
        self.shard.handle(now, ToShard::Query { id, query });
    }

    fn send(&mut self) {
        self.refused.clear();
        while let Some((core, message)) = self.shard.poll_to_core() {
            if let Err((_, message)) = self.to_cores[core.index()].offer((self.id, message)) {
                self.shard.put_back(core, message);
                self.refused.push(core);
            }
        }
    }

    fn answer(&mut self) {
        while let Some((id, reply)) = self.shard.poll_reply() {
            // Whoever asked may have given up.
            self.asked.remove(&id).map(|answer| answer.send(reply));
        }
    }

    /// Until mail comes, a core has room, `at_most` is over or somebody says stop.
    fn sleep(&mut self, at_most: Option<Duration>) {
        self.bell.will_sleep();
        let has_room = |core: &CoreId| !self.to_cores[core.index()].is_waiting();
        let has_mail = !self.mailbox.is_empty() && self.shard.wants_messages();
        if !has_mail && !self.refused.iter().any(has_room) && !self.state.is_stopped() {
            match at_most {
                Some(at_most) => park_timeout(at_most),
                None => park(),
            }
        }
        self.bell.is_awake();
    }
}
