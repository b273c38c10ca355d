//! What the runtime steps: a session core and a shard. `server::` has the real ones; tests bring
//! their own.

use std::fmt::Debug;
use std::hash::Hash;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{ClientSlot, CoreId, ShardId, Time};
use crate::fanout::Written;
use crate::server::exchange::Exchange;
use crate::server::message::{ToCore, ToShard};
use crate::server::query::{CoreCommand, CoreReply, ShardReply};

/// What a session core asks of its runtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action<C> {
    /// Answered by `handle_connected` or `handle_connect_failed`. A second one for a slot replaces
    /// the first.
    Connect {
        slot: ClientSlot,
        remote: SocketAddr,
    },
    /// Write what waits, as far as the peer takes it within a second, then close.
    /// `handle_closed` says when that is done.
    Close { conn: C },
    /// There is something to write.
    Write { conn: C },
    /// Octets are wanted again.
    Read { conn: C },
}

/// A session core as a plain value. Each connection ends with exactly one `handle_closed`.
pub trait CoreStep: 'static {
    type ConnId: Copy + Eq + Hash + Debug + 'static;
    type Notice: Send + 'static;

    fn new(core: CoreId, exchange: Arc<Exchange>, seed: u64, now: Time) -> Self;
    /// `None`: the connection is refused (and counted).
    fn handle_accepted(
        &mut self,
        now: Time,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> Option<Self::ConnId>;
    /// A connection was refused before the session core was asked: it only counts.
    fn handle_refused(&mut self);
    fn handle_connected(
        &mut self,
        now: Time,
        slot: ClientSlot,
        local: SocketAddr,
    ) -> Option<Self::ConnId>;
    fn handle_connect_failed(&mut self, now: Time, slot: ClientSlot, why: &str);
    fn handle_octets(&mut self, now: Time, conn: Self::ConnId, octets: &[u8]);
    fn handle_closed(&mut self, now: Time, conn: Self::ConnId, why: &str);
    fn handle_shard(&mut self, now: Time, shard: ShardId, message: ToCore);
    fn handle_core(&mut self, now: Time, from: CoreId, notice: Self::Notice);
    fn handle_command(&mut self, now: Time, command: CoreCommand) -> CoreReply;
    fn handle_timeout(&mut self, now: Time);
    fn poll_timeout(&self) -> Option<Time>;
    fn poll_to_shard(&mut self) -> Option<(ShardId, ToShard)>;
    /// The mailbox was full: the message comes again first, after `handle_shard_room`.
    fn put_back(&mut self, shard: ShardId, message: ToShard);
    fn handle_shard_room(&mut self, shard: ShardId);
    fn poll_to_core(&mut self) -> Option<(CoreId, Self::Notice)>;
    fn poll_action(&mut self) -> Option<Action<Self::ConnId>>;
    /// `false`: leave that socket unread until [`Action::Read`].
    fn wants_octets(&self, conn: Self::ConnId) -> bool;
    /// `false`: leave what shards sent in the mailbox.
    fn wants_deltas(&self) -> bool;
    /// Shows the head of the connection's queue to `sink`, about `octets_max` octets, and takes off what
    /// it says it took. It is not asked if nothing waits.
    fn write<E>(
        &mut self,
        now: Time,
        conn: Self::ConnId,
        octets_max: usize,
        sink: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<Written, E>;
    /// After `CoreCommand::Shutdown`: every session has ended and is flushed.
    fn is_over(&self) -> bool;
}

/// A shard as a plain value.
pub trait ShardStep: 'static {
    fn new(shard: ShardId, exchange: Arc<Exchange>, seed: u64) -> Self;
    /// False: leave the mailbox alone until cores have taken what waits for them.
    fn wants_messages(&self) -> bool;
    fn handle(&mut self, now: Time, message: ToShard);
    /// A bounded piece of work; `true`: there is more to do right away.
    fn turn(&mut self, now: Time) -> bool;
    fn poll_timeout(&self) -> Option<Time>;
    fn poll_to_core(&mut self) -> Option<(CoreId, ToCore)>;
    /// The mailbox was full: comes again first; that core's messages wait until the next turn.
    fn put_back(&mut self, core: CoreId, message: ToCore);
    fn poll_reply(&mut self) -> Option<(u64, ShardReply)>;
}
