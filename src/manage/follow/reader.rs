//! Asks all shards and session cores, on and on, for as long as somebody wants to know.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use crate::base::{CoreId, ShardId};
use crate::manage::census::within;
use crate::manage::data_path::{Answer, DataPath, Unavailable};
use crate::server::query::{
    CoreCommand, CoreReply, ShardQuery, ShardReply, TapAnswer, TapQuestion, WatchAnswer,
    WatchQuestion,
};

use super::subscription::Subscriber;
use super::{Shared, Wants};

/// Between two rounds, when the last one brought all there was.
const PAUSE: Duration = Duration::from_millis(50);
/// What one answer may hold.
const ENTRIES_MAX: u32 = 1024;
/// Answers of the session cores before the shards have their turn.
const CORE_ROUNDS_MAX: usize = 64;

pub(super) struct Reader {
    data: Arc<dyn DataPath>,
    shared: Arc<Shared>,
    /// What was taken last, by shard and by core.
    shards_after: Vec<u64>,
    cores_after: Vec<u64>,
    /// A thread did not answer in the last round, and in this one.
    was_troubled: bool,
    is_troubled: bool,
}

/// Somebody, and which of their wishes the questions were made of.
type Asking = (Arc<Subscriber>, u64);

impl Reader {
    pub fn new(data: Arc<dyn DataPath>, shared: Arc<Shared>) -> Reader {
        Reader {
            shards_after: vec![0; data.shard_count().into()],
            cores_after: vec![0; data.core_count().into()],
            data,
            shared,
            was_troubled: false,
            is_troubled: false,
        }
    }

    pub async fn read(mut self) {
        while let Some(subscribers) = self.shared.present() {
            let mut wants = Wants::default();
            let ask = |subscriber: Arc<Subscriber>| {
                let (own, version) = subscriber.wants();
                wants.join(&own);
                (subscriber, version)
            };
            let asking: Vec<Asking> = subscribers.into_iter().map(ask).collect();
            let has_more = self.round(&wants, &asking).await;
            self.was_troubled = std::mem::take(&mut self.is_troubled);
            drop(asking);
            if !has_more {
                sleep(PAUSE).await;
            }
        }
    }

    /// Shards are asked first and heard last: the session of what they tell is known by then.
    async fn round(&mut self, wants: &Wants, asking: &[Asking]) -> bool {
        let changes = match wants.of_shards() {
            true => self.ask_shards(wants).await,
            false => Vec::new(),
        };
        let mut cores_have_more = wants.of_cores();
        for _ in 0..CORE_ROUNDS_MAX {
            if !cores_have_more {
                break;
            }
            cores_have_more = self.hear_cores(wants, asking).await;
        }
        let shards_have_more = changes.iter().any(|(_, answer)| answer.has_more);
        for (shard, answer) in changes {
            let changes: Vec<_> = answer.changes.into_iter().map(Arc::new).collect();
            for (subscriber, version) in asking {
                subscriber.tell_changes(shard, answer.has_missed, &changes, *version);
            }
        }
        cores_have_more || shards_have_more
    }

    async fn ask_shards(&mut self, wants: &Wants) -> Vec<(ShardId, WatchAnswer)> {
        let named = Arc::new(wants.adj_rib_out.clone());
        let question = |after: &u64| WatchQuestion {
            after: *after,
            limit: ENTRIES_MAX,
            named: named.clone(),
        };
        let asked = self.shards_after.iter().zip(0..).map(|(after, shard)| {
            let query = ShardQuery::Watch(question(after));
            (ShardId(shard), self.data.shard_query(ShardId(shard), query))
        });
        let mut answers = Vec::new();
        for (shard, answer) in asked.collect::<Vec<_>>() {
            match within(answer).await {
                Ok(ShardReply::Watched(answer)) => {
                    self.shards_after[shard.index()] = answer.last;
                    answers.push((shard, answer));
                }
                other => self.complain(format!("shard-{shard}"), other),
            }
        }
        answers
    }

    async fn hear_cores(&mut self, wants: &Wants, asking: &[Asking]) -> bool {
        let (received, sent) = (wants.received.clone(), wants.sent.clone());
        let (received, sent) = (Arc::new(received), Arc::new(sent));
        let question = |after: &u64| TapQuestion {
            after: *after,
            limit: ENTRIES_MAX,
            received: received.clone(),
            sent: sent.clone(),
        };
        let ask = |(after, core): (&u64, u16)| -> (CoreId, Answer<CoreReply>) {
            let command = CoreCommand::Tap(question(after));
            (CoreId(core), self.data.core_command(CoreId(core), command))
        };
        let asked: Vec<_> = self.cores_after.iter().zip(0..).map(ask).collect();
        let mut has_more = false;
        for (core, answer) in asked {
            match within(answer).await {
                Ok(CoreReply::Tapped(answer)) => {
                    self.cores_after[core.index()] = answer.last;
                    has_more |= answer.has_more;
                    tell(core, answer, asking);
                }
                other => self.complain(format!("core-{core}"), other),
            }
        }
        has_more
    }

    /// Once until all is well again: it is asked again soon.
    fn complain<T>(&mut self, thread: String, answer: Result<T, Unavailable>) {
        let is_told = std::mem::replace(&mut self.is_troubled, true) || self.was_troubled;
        if !is_told {
            let why = answer.map_or_else(|error| error.0, |_| "a wrong answer".to_owned());
            warn!("{thread} does not tell what happens: {why}");
        }
    }
}

fn tell(core: CoreId, answer: TapAnswer, asking: &[Asking]) {
    let entries: Vec<_> = answer.entries.into_iter().map(Arc::new).collect();
    for (subscriber, version) in asking {
        subscriber.tell_entries(core, answer.has_missed, &entries, *version);
    }
}
