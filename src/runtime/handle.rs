//! How the management plane reaches the pinned threads: questions, commands, reload. It waits when
//! a mailbox is full; the threads never wait for it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::{CoreId, ShardId};
use crate::server::exchange::Exchange;
use crate::server::message::{ToCore, ToShard};
use crate::server::query::{CoreCommand, CoreReply, ShardQuery, ShardReply};

use super::RuntimeError;
use super::clock::Clock;
use super::core_thread::CoreMail;
use super::mailbox::{Bell, Outlet};
use super::shard_thread::ShardMail;
use super::sockets::Listeners;
use super::thread_state::{ThreadRow, ThreadState};

/// Pause before a full mailbox is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// The thread that was asked has ended, or ended before it answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the route server is shutting down")]
pub struct Stopped;

/// One pinned thread, as seen from outside.
pub struct ThreadDoor {
    pub name: String,
    pub cpu: Option<usize>,
    pub bell: Bell,
    pub state: Arc<ThreadState>,
}

pub struct CoreDoor {
    pub thread: ThreadDoor,
    pub mail: Outlet<CoreMail>,
    /// Only looked at.
    pub deltas: Outlet<(ShardId, ToCore)>,
}

pub struct ShardDoor {
    pub thread: ThreadDoor,
    pub mail: Outlet<ShardMail>,
}

/// Cheap to clone; for the management plane's own (tokio) threads.
#[derive(Clone)]
pub struct RuntimeHandle(pub(super) Arc<Doors>);

pub struct Doors {
    pub clock: Clock,
    pub cores: Vec<CoreDoor>,
    pub shards: Vec<ShardDoor>,
    pub listeners: Mutex<Listeners>,
}

impl RuntimeHandle {
    /// The clock of every [`crate::base::Time`] in an answer.
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    pub fn core_count(&self) -> u16 {
        self.0.cores.len() as u16
    }

    pub fn shard_count(&self) -> u16 {
        self.0.shards.len() as u16
    }

    /// Where the server listens; ports that were configured as 0 are known here.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        self.0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .addresses()
    }

    pub async fn shard_query(
        &self,
        shard: ShardId,
        query: ShardQuery,
    ) -> Result<ShardReply, Stopped> {
        let door = &self.0.shards[shard.index()];
        let (answer, answered) = oneshot::channel();
        post(&door.mail, &door.thread, ShardMail::Ask(query, answer)).await?;
        answered.await.map_err(|_| Stopped)
    }

    pub async fn core_command(
        &self,
        core: CoreId,
        command: CoreCommand,
    ) -> Result<CoreReply, Stopped> {
        let door = &self.0.cores[core.index()];
        let (answer, answered) = oneshot::channel();
        post(&door.mail, &door.thread, CoreMail::Command(command, answer)).await?;
        answered.await.map_err(|_| Stopped)
    }

    /// A new generation, for every shard first: what a session core judges by it reaches no shard
    /// that has not got it. Returns the TCP MD5 keys that could not be set: those clients are
    /// refused, from before anybody knows the generation, until a reload sets their keys.
    pub async fn reload(&self, exchange: Arc<Exchange>) -> Result<Vec<RuntimeError>, Stopped> {
        let (errors, unkeyed) = {
            let listeners = &self.0.listeners;
            let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
            (listeners.update(&exchange), listeners.unkeyed())
        };
        let accepting = &self.0.cores[0];
        post(
            &accepting.mail,
            &accepting.thread,
            CoreMail::Unkeyed(unkeyed),
        )
        .await?;
        for door in &self.0.shards {
            let message = ToShard::Reload(Arc::clone(&exchange));
            post(&door.mail, &door.thread, ShardMail::Message(message)).await?;
        }
        // The one that accepts comes last: whom it knows, the others know.
        for core in (0..self.core_count()).rev() {
            self.core_command(CoreId(core), CoreCommand::Reload(Arc::clone(&exchange)))
                .await?;
        }
        Ok(errors)
    }

    /// Session cores first, then shards.
    pub fn threads(&self) -> Vec<ThreadRow> {
        let row = |thread: &ThreadDoor, queued| ThreadRow {
            name: thread.name.clone(),
            cpu: thread.cpu,
            cpu_time: thread.state.cpu_time(),
            queued,
        };
        let cores = self
            .0
            .cores
            .iter()
            .map(|door| row(&door.thread, door.deltas.len()));
        let shards = self
            .0
            .shards
            .iter()
            .map(|door| row(&door.thread, door.mail.len()));
        cores.chain(shards).collect()
    }

    /// Every thread ends as soon as it looks, whatever its sessions are at.
    pub(super) fn stop(&self) {
        let cores = self.0.cores.iter().map(|door| &door.thread);
        for thread in cores.chain(self.0.shards.iter().map(|door| &door.thread)) {
            thread.state.stop();
            thread.bell.ring();
        }
    }
}

async fn post<T>(mail: &Outlet<T>, thread: &ThreadDoor, message: T) -> Result<(), Stopped> {
    let mut message = message;
    while let Err(refused) = mail.offer(message) {
        if thread.state.has_ended() {
            return Err(Stopped);
        }
        message = refused;
        tokio::time::sleep(RETRY).await;
    }
    Ok(())
}
