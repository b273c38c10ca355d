//! How many paths each client has, counted over the whole table now and then while somebody wants to
//! know. Owns the last count. It is work for each client and group of prefixes alike, so it is done in
//! pieces far apart, which the data path does not feel.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{PrefixSlot, ShardId, Time};
use crate::server::query::{Served, ShardQuery, ShardReply};

use super::census::within;
use super::data_path::{DataPath, Unavailable, wrong_answer};

/// Table entries that a shard looks at for one question.
const ENTRIES_PER_QUESTION: u32 = 2_000;
/// For each part of the time that a piece takes, so many in which nothing is asked.
const REST: u32 = 4;
const REST_MIN: Duration = Duration::from_millis(2);
/// Between the end of a count and the next.
pub const APART: Duration = Duration::from_secs(60);
/// Who has not asked for so long does not want to know any more.
const WANTED_FOR: Duration = Duration::from_secs(300);

/// Paths that clients have, by slot and family.
pub type Counts = Arc<Vec<[u64; 2]>>;

#[derive(Default)]
pub struct Advertised(Mutex<Known>);

#[derive(Default)]
struct Known {
    counts: Option<Counts>,
    asked_at: Option<Time>,
}

impl Advertised {
    /// The last count, if there is one.
    pub fn counts(&self) -> Option<Counts> {
        self.lock().counts.clone()
    }

    /// Somebody wants to know: counts follow.
    pub fn want(&self, now: Time) {
        self.lock().asked_at = Some(now);
    }

    pub fn is_wanted(&self, now: Time) -> bool {
        let asked_at = self.lock().asked_at;
        asked_at.is_some_and(|asked_at| now.since(asked_at) < WANTED_FOR)
    }

    /// Counts anew.
    pub async fn count(&self, data: &dyn DataPath) -> Result<(), Unavailable> {
        let mut counts: Vec<[u64; 2]> = Vec::new();
        for shard in (0..data.shard_count()).map(ShardId) {
            let mut cursor = Some(PrefixSlot(0));
            while let Some(from) = cursor {
                let began = data.now();
                let query = ShardQuery::Served {
                    cursor: from,
                    limit: ENTRIES_PER_QUESTION,
                };
                let served = match within(data.shard_query(shard, query)).await? {
                    ShardReply::Served(served) => served,
                    other => return Err(wrong_answer(&other)),
                };
                add(&mut counts, &served);
                cursor = served.next;
                let took = data.now().since(began);
                tokio::time::sleep((took * REST).max(REST_MIN)).await;
            }
        }
        self.lock().counts = Some(Arc::new(counts));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counts: &mut Vec<[u64; 2]>, served: &Served) {
    if counts.len() < served.counts.len() {
        counts.resize(served.counts.len(), [0; 2]);
    }
    for (sum, found) in counts.iter_mut().zip(&served.counts) {
        for family in 0..2 {
            sum[family] += u64::from(found[family]);
        }
    }
}
