//! Paths in the tables of the shards, a page at a time. A shard that has no answer now gets a moment to
//! itself: the page is empty then, and goes on from where it began.

use std::time::Duration;

use crate::base::{ClientSlot, PrefixSlot, ShardId};
use crate::server::query::{PathRow, ShardQuery, ShardReply, Which};

use super::census::within;
use super::data_path::{DataPath, Unavailable, wrong_answer};

/// Before a shard that has no answer now is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Which paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rows {
    /// All, prefix by prefix, each's best first.
    All,
    OfClient(ClientSlot, Which),
}

#[derive(Debug)]
pub struct Page {
    pub rows: Vec<PathRow>,
    /// Where it goes on; the same place again where there was no answer.
    pub next: Option<PrefixSlot>,
    /// The answer alone.
    pub took: Duration,
}

/// The rows of so many table entries, or fewer.
pub async fn page(
    data: &dyn DataPath,
    rows: Rows,
    (shard, cursor): (ShardId, PrefixSlot),
    limit: u32,
) -> Result<Page, Unavailable> {
    let question = match rows {
        Rows::All => ShardQuery::Paths { cursor, limit },
        Rows::OfClient(slot, which) => ShardQuery::Routes {
            slot,
            which,
            cursor,
            limit,
        },
    };
    let asked_at = data.now();
    let (rows, next) = match within(data.shard_query(shard, question)).await? {
        ShardReply::Routes { rows, next } => (rows, next),
        other => return Err(wrong_answer(&other)),
    };
    let took = data.now().since(asked_at);
    if next == Some(cursor) {
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Ok(Page { rows, next, took })
}

/// A walk through the tables of all shards, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    rows: Rows,
    shard: ShardId,
    cursor: PrefixSlot,
}

impl Pages {
    pub fn new(rows: Rows) -> Pages {
        Pages {
            rows,
            shard: ShardId(0),
            cursor: PrefixSlot(0),
        }
    }

    /// The next page, which may be empty; `None` behind the last.
    pub async fn next(
        &mut self,
        data: &dyn DataPath,
        limit: u32,
    ) -> Result<Option<Page>, Unavailable> {
        if self.shard.0 >= data.shard_count() {
            return Ok(None);
        }
        let page = page(data, self.rows, (self.shard, self.cursor), limit).await?;
        self.cursor = page.next.unwrap_or(PrefixSlot(0));
        self.shard.0 += u16::from(page.next.is_none());
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::data_path::Answer;
    use super::*;
    use crate::base::{CoreId, Time};
    use crate::runtime::ThreadRow;
    use crate::server::exchange::Exchange;
    use crate::server::query::{CoreCommand, CoreReply};

    /// Two shards of three and two table entries; the first has no answer to its second question.
    #[derive(Default)]
    struct Shards(Mutex<Vec<(u16, u32)>>);

    impl DataPath for Shards {
        fn core_count(&self) -> u16 {
            0
        }

        fn shard_count(&self) -> u16 {
            2
        }

        fn now(&self) -> Time {
            Time::ZERO
        }

        fn shard_query(&self, shard: ShardId, query: ShardQuery) -> Answer<ShardReply> {
            let ShardQuery::Paths { cursor, limit } = query else {
                panic!("{query:?}");
            };
            let mut asked = self.0.lock().unwrap();
            asked.push((shard.0, cursor.0));
            let end = match asked.len() {
                2 => cursor.0,
                _ => cursor.0 + limit,
            };
            let next = (end < 3 - u32::from(shard.0)).then_some(PrefixSlot(end));
            let rows = Vec::new();
            Box::pin(async move { Ok(ShardReply::Routes { rows, next }) })
        }

        fn core_command(&self, _: CoreId, command: CoreCommand) -> Answer<CoreReply> {
            panic!("{command:?}");
        }

        fn reload(&self, _: std::sync::Arc<Exchange>) -> Answer<Vec<String>> {
            panic!("nothing is reloaded");
        }

        fn threads(&self) -> Vec<ThreadRow> {
            Vec::new()
        }
    }

    #[test]
    fn a_walk_takes_shard_after_shard_and_asks_again_where_there_was_no_answer() {
        let shards = Shards::default();
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let pages = tokio.block_on(async {
            let mut pages = Pages::new(Rows::All);
            let mut count = 0;
            while pages.next(&shards, 2).await.unwrap().is_some() {
                count += 1;
            }
            assert!(pages.next(&shards, 2).await.unwrap().is_none());
            count
        });
        let asked = shards.0.into_inner().unwrap();
        assert_eq!(asked, [(0, 0), (0, 2), (0, 2), (1, 0)]);
        assert_eq!(pages, asked.len());
    }
}
