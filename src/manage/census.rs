//! What all session cores and shards say of themselves at one moment.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use crate::base::{ClientSlot, CoreId, Generation, ShardId};
use crate::policy::RejectReason;
use crate::server::query::{
    ClientStatus, CoreCommand, CoreReply, CoreStats, ShardQuery, ShardReply, ShardStats,
};

use super::advertised::Counts;
use super::data_path::{Answer, DataPath, Unavailable};

/// A thread that takes longer is not well.
const ANSWER_MAX: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Default)]
pub struct Census {
    pub cores: Vec<CoreStats>,
    pub shards: Vec<ShardStats>,
    /// What clients had when it was last counted.
    pub advertised: Option<Counts>,
    /// Threads that did not answer, each with the reason.
    pub silent: Vec<String>,
}

/// An answer, or the reason why there is none within two seconds.
pub async fn within<T>(answer: Answer<T>) -> Result<T, Unavailable> {
    let late = |_| Unavailable(format!("no answer within {} s", ANSWER_MAX.as_secs()));
    tokio::time::timeout(ANSWER_MAX, answer)
        .await
        .map_err(late)?
}

impl Census {
    /// Asks all at once.
    pub async fn take(data: &dyn DataPath) -> Census {
        let cores = (0..data.core_count()).map(CoreId);
        let cores = cores.map(|core| ask(data.core_command(core, CoreCommand::Stats)));
        let cores = cores.collect::<Vec<_>>();
        let shards = (0..data.shard_count()).map(ShardId);
        let shards = shards.map(|shard| ask(data.shard_query(shard, ShardQuery::Stats)));
        let shards = shards.collect::<Vec<_>>();
        let mut census = Census::default();
        for (index, answer) in cores.into_iter().enumerate() {
            match answer.await {
                Ok(CoreReply::Stats(stats)) => census.cores.push(*stats),
                other => census
                    .silent
                    .push(format!("core-{index}: {}", complaint(other))),
            }
        }
        for (index, answer) in shards.into_iter().enumerate() {
            match answer.await {
                Ok(ShardReply::Stats(stats)) => census.shards.push(*stats),
                other => census
                    .silent
                    .push(format!("shard-{index}: {}", complaint(other))),
            }
        }
        census
    }

    /// Whether every thread answers and runs this generation or a later one.
    pub async fn is_everywhere(data: &dyn DataPath, generation: Generation) -> bool {
        let cores = (0..data.core_count()).map(CoreId);
        let cores = cores.map(|core| ask(data.core_command(core, CoreCommand::Generation)));
        let cores = cores.collect::<Vec<_>>();
        let shards = (0..data.shard_count()).map(ShardId);
        let shards = shards.map(|shard| ask(data.shard_query(shard, ShardQuery::Generation)));
        let shards = shards.collect::<Vec<_>>();
        for answer in cores {
            match answer.await {
                Ok(CoreReply::Generation(own)) if own >= generation => {}
                _ => return false,
            }
        }
        for answer in shards {
            match answer.await {
                Ok(ShardReply::Generation(own)) if own >= generation => {}
                _ => return false,
            }
        }
        true
    }

    pub fn client(&self, slot: ClientSlot) -> Option<&ClientStatus> {
        self.cores
            .iter()
            .flat_map(|core| &core.clients)
            .find(|client| client.slot == slot)
    }

    /// Paths that a client had when it was last counted, by family.
    pub fn advertised(&self, slot: ClientSlot) -> Option<[u64; 2]> {
        let counts = self.advertised.as_ref()?;
        Some(counts.get(slot.index()).copied().unwrap_or_default())
    }

    /// Prefixes that have an accepted path, by family; `None`: not all shards say.
    pub fn loc_rib(&self) -> Option<[u64; 2]> {
        let mut counts = [0; 2];
        for shard in &self.shards {
            for (sum, count) in counts.iter_mut().zip(shard.loc_rib) {
                *sum += count;
            }
        }
        self.silent.is_empty().then_some(counts)
    }

    /// Why prefixes of a client are rejected, and how many by family.
    pub fn rejected(&self, slot: ClientSlot) -> BTreeMap<RejectReason, [u32; 2]> {
        let mut rejected: BTreeMap<RejectReason, [u32; 2]> = BTreeMap::new();
        let shards = self.shards.iter();
        for counts in shards.filter_map(|shard| shard.counts.get(slot.index())) {
            for (family, counts) in counts.iter().enumerate() {
                for (reason, count) in &counts.rejected {
                    rejected.entry(*reason).or_default()[family] += (*count).max(0) as u32;
                }
            }
        }
        rejected
    }

    /// Paths of a client that outlive its session, by family.
    pub fn stale(&self, slot: ClientSlot) -> [u64; 2] {
        let counts = self
            .shards
            .iter()
            .filter_map(|shard| shard.stale.get(slot.index()));
        counts.fold([0; 2], |[v4, v6], [more_v4, more_v6]| {
            [v4 + u64::from(*more_v4), v6 + u64::from(*more_v6)]
        })
    }

    pub fn is_startup_over(&self) -> bool {
        self.cores.iter().all(|core| core.startup_over)
    }

    /// The wait of the core that waited longest.
    pub fn startup_wait_ms(&self) -> u64 {
        self.cores
            .iter()
            .map(|core| core.startup_wait_ms)
            .max()
            .unwrap_or(0)
    }
}

/// Starts the question now, and waits for the answer later.
fn ask<T: Send + 'static>(answer: Answer<T>) -> impl Future<Output = Result<T, Unavailable>> {
    let task = tokio::spawn(within(answer));
    async move {
        task.await
            .unwrap_or_else(|error| Err(Unavailable(error.to_string())))
    }
}

fn complaint<T>(answer: Result<T, Unavailable>) -> String {
    answer.map_or_else(|error| error.0, |_| "a wrong answer".to_owned())
}
