//! What the management plane sees of the data path: it asks by message, and can never stall it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::{CoreId, ShardId, Time};
use crate::runtime::{RuntimeHandle, ThreadRow};
use crate::server::exchange::Exchange;
use crate::server::query::{CoreCommand, CoreReply, ShardQuery, ShardReply};

/// The thread that was asked has ended, or does not answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send>>;

/// For an answer to a question that was not asked.
pub fn wrong_answer<E: From<Unavailable>>(answer: &impl Debug) -> E {
    let what = "a thread of the data path gave an answer to another question";
    tracing::error!(?answer, "{what}");
    Unavailable(what.to_owned()).into()
}

/// The running data path, or a fake of it.
pub trait DataPath: Send + Sync + 'static {
    fn core_count(&self) -> u16;
    fn shard_count(&self) -> u16;
    /// On the clock of every time in an answer.
    fn now(&self) -> Time;
    fn shard_query(&self, shard: ShardId, query: ShardQuery) -> Answer<ShardReply>;
    fn core_command(&self, core: CoreId, command: CoreCommand) -> Answer<CoreReply>;
    /// Gives a generation to every shard and core; the answer is what could not be done of it.
    fn reload(&self, exchange: Arc<Exchange>) -> Answer<Vec<String>>;
    /// Session cores first, then shards.
    fn threads(&self) -> Vec<ThreadRow>;
}

impl DataPath for RuntimeHandle {
    fn core_count(&self) -> u16 {
        RuntimeHandle::core_count(self)
    }

    fn shard_count(&self) -> u16 {
        RuntimeHandle::shard_count(self)
    }

    fn now(&self) -> Time {
        self.clock().now()
    }

    fn shard_query(&self, shard: ShardId, query: ShardQuery) -> Answer<ShardReply> {
        let handle = self.clone();
        Box::pin(async move { handle.shard_query(shard, query).await.map_err(stopped) })
    }

    fn core_command(&self, core: CoreId, command: CoreCommand) -> Answer<CoreReply> {
        let handle = self.clone();
        Box::pin(async move { handle.core_command(core, command).await.map_err(stopped) })
    }

    fn reload(&self, exchange: Arc<Exchange>) -> Answer<Vec<String>> {
        let handle = self.clone();
        Box::pin(async move {
            let errors = handle.reload(exchange).await.map_err(stopped)?;
            let refused =
                |error| format!("{error}; until a reload sets it, its connections are refused");
            Ok(errors.iter().map(refused).collect())
        })
    }

    fn threads(&self) -> Vec<ThreadRow> {
        RuntimeHandle::threads(self)
    }
}

fn stopped(error: crate::runtime::Stopped) -> Unavailable {
    Unavailable(error.to_string())
}
