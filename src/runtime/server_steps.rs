//! The real session core and shard, as the runtime steps them.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{ClientSlot, CoreId, ShardId, Time};
use crate::fanout::Written;
use crate::server::exchange::Exchange;
use crate::server::message::{CoreNotice, ToCore, ToShard};
use crate::server::query::{CoreCommand, CoreReply, ShardReply};
use crate::server::{ConnId, CoreAction, SessionCore, Shard};

use super::step::{Action, CoreStep, ShardStep};

impl CoreStep for SessionCore {
    type ConnId = ConnId;
    type Notice = CoreNotice;

    fn new(core: CoreId, exchange: Arc<Exchange>, seed: u64, now: Time) -> SessionCore {
        SessionCore::new(core, exchange, seed, now)
    }

    fn handle_accepted(
        &mut self,
        now: Time,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> Option<ConnId> {
        self.handle_accepted(now, remote, local)
    }

    fn handle_refused(&mut self) {
        self.handle_refused();
    }

    fn handle_connected(
        &mut self,
        now: Time,
        slot: ClientSlot,
        local: SocketAddr,
    ) -> Option<ConnId> {
        self.handle_connected(now, slot, local)
    }

    fn handle_connect_failed(&mut self, now: Time, slot: ClientSlot, why: &str) {
        self.handle_connect_failed(now, slot, why);
    }

    fn handle_octets(&mut self, now: Time, conn: ConnId, octets: &[u8]) {
        self.handle_octets(now, conn, octets);
    }

    fn handle_closed(&mut self, now: Time, conn: ConnId, why: &str) {
        self.handle_closed(now, conn, why);
    }

    fn handle_shard(&mut self, now: Time, shard: ShardId, message: ToCore) {
        self.handle_shard(now, shard, message);
    }

    fn handle_core(&mut self, now: Time, from: CoreId, notice: CoreNotice) {
        self.handle_core(now, from, notice);
    }

    fn handle_command(&mut self, now: Time, command: CoreCommand) -> CoreReply {
        self.handle_command(now, command)
    }

    fn handle_timeout(&mut self, now: Time) {
        self.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.poll_timeout()
    }

    fn poll_to_shard(&mut self) -> Option<(ShardId, ToShard)> {
        self.poll_to_shard()
    }

    fn put_back(&mut self, shard: ShardId, message: ToShard) {
        self.put_back(shard, message);
    }

    fn handle_shard_room(&mut self, shard: ShardId) {
        self.handle_shard_room(shard);
    }

    fn poll_to_core(&mut self) -> Option<(CoreId, CoreNotice)> {
        self.poll_to_core()
    }

    fn poll_action(&mut self) -> Option<Action<ConnId>> {
        Some(match self.poll_action()? {
            CoreAction::Connect { slot, remote } => Action::Connect { slot, remote },
            CoreAction::Close { conn } => Action::Close { conn },
            CoreAction::Write { conn } => Action::Write { conn },
            CoreAction::Read { conn } => Action::Read { conn },
        })
    }

    fn wants_octets(&self, conn: ConnId) -> bool {
        self.wants_octets(conn)
    }

    fn wants_deltas(&self) -> bool {
        self.wants_deltas()
    }

    fn write<E>(
        &mut self,
        now: Time,
        conn: ConnId,
        octets_max: usize,
        sink: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<Written, E> {
        self.write(now, conn, octets_max, sink)
    }

    fn is_over(&self) -> bool {
        self.is_over()
    }
}

impl ShardStep for Shard {
    fn new(shard: ShardId, exchange: Arc<Exchange>, seed: u64) -> Shard {
        Shard::new(shard, exchange, seed)
    }

    fn wants_messages(&self) -> bool {
        self.wants_messages()
    }

    fn handle(&mut self, now: Time, message: ToShard) {
        self.handle(now, message);
    }

    fn turn(&mut self, now: Time) -> bool {
        self.turn(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.poll_timeout()
    }

    fn poll_to_core(&mut self) -> Option<(CoreId, ToCore)> {
        self.poll_to_core()
    }

    fn put_back(&mut self, core: CoreId, message: ToCore) {
        self.put_back(core, message);
    }

    fn poll_reply(&mut self) -> Option<(u64, ShardReply)> {
        self.poll_reply()
    }
}
