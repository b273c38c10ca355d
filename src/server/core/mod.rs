//! A session core: the sessions of its clients, what they say split over the shards, and what the
//! shards answer packed and queued for them. A plain value that `runtime/` and the simulator step.
//!
//! After each `handle_*` the caller takes all that `poll_to_shard`, `poll_to_core` and `poll_action`
//! have. Each connection ends with `handle_closed`, also one that [`CoreAction::Close`] asked for.

mod clients;
mod connections;
mod counts;
mod fault_log;
mod helper;
mod hijacks;
mod intake;
mod limits;
mod links;
mod log_lines;
mod output;
mod pace;
mod reclaim;
mod rejection;
mod reload;
mod sessions;
mod slow;
mod startup;
mod status;
mod taps;
mod timers;
mod walks;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{ClientSlot, CoreId, Generation, ShardId, Time};
use crate::fanout::Written;
use crate::wire::Scratch;

use super::exchange::Exchange;
use super::latency::Latencies;
use super::message::{CoreNotice, ToCore, ToShard};
use super::query::{CoreCommand, CoreReply};
use clients::Clients;
use connections::Connections;
use hijacks::Hijacks;
use links::Links;
use output::Output;
use reclaim::Reclaims;
use slow::Slow;
use startup::StartupWait;
use taps::Taps;
use timers::Timers;
use walks::Walks;

pub use connections::ConnId;

/// What the core wants done with sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoreAction {
    /// Connect to a client; the answer is `handle_connected` or `handle_connect_failed`.
    Connect {
        slot: ClientSlot,
        remote: SocketAddr,
    },
    /// Close, once what waits is written; best effort.
    Close { conn: ConnId },
    /// There is something to write.
    Write { conn: ConnId },
    /// `wants_octets` said no before; now it says yes.
    Read { conn: ConnId },
}

/// One session core. All cores and shards of a server share one `seed`.
pub struct SessionCore {
    core: CoreId,
    seed: u64,
    exchange: Arc<Exchange>,
    clients: Clients,
    connections: Connections,
    links: Links,
    scratch: Scratch,
    timers: Timers,
    output: Output,
    walks: Walks,
    slow: Slow,
    reclaims: Reclaims,
    startup: StartupWait,
    taps: Taps,
    hijacks: Hijacks,
    actions: VecDeque<CoreAction>,
    notices: VecDeque<(CoreId, CoreNotice)>,
    stats: Stats,
    /// By shard: under which generation all its paths were judged.
    settled: Vec<Generation>,
    /// Questions about "block" that were put off, and the end of what "reject" does.
    blocks_due: Option<Time>,
    /// The first end of routes that outlived their session.
    stale_due: Option<Time>,
    /// The end of the first rest of a client that said too much.
    rests_due: Option<Time>,
    /// When it is to be said that lines were left out of the log.
    lines_due: Option<Time>,
    /// More work waits than one call should do: come back at once.
    work_due: Option<Time>,
    /// Shards have room again, and sessions wait for it.
    is_resume_due: Cell<bool>,
    is_shutting_down: bool,
    /// And will be back: shards are told of no session that ends, so that clients of other cores, whose
    /// turn has not come yet, are sent no withdrawals.
    is_restarting: bool,
    /// Some clients here have `min_advertisement_ms`.
    is_pacing: bool,
}

#[derive(Default)]
struct Stats {
    octets_in: u64,
    octets_out: u64,
    updates_in: u64,
    updates_out: u64,
    nlri_out: u64,
    refused_connections: u64,
    octets_retained_max: u64,
    whole_resyncs: u64,
    until_queued: Latencies,
    until_written: Latencies,
}

/// How often what cannot be told from an event alone is looked at.
const TICK: Duration = Duration::from_millis(50);

impl SessionCore {
    pub fn new(core: CoreId, exchange: Arc<Exchange>, seed: u64, now: Time) -> SessionCore {
        let mut new = SessionCore {
            core,
            seed,
            clients: Clients::default(),
            connections: Connections::default(),
            links: Links::new(exchange.shard_count),
            scratch: Scratch::default(),
            timers: Timers::default(),
            output: Output::new(exchange.shard_count, &exchange.limits),
            walks: Walks::default(),
            slow: Slow::default(),
            reclaims: Reclaims::default(),
            startup: StartupWait::new(core, &exchange, now),
            taps: Taps::default(),
            hijacks: Hijacks::new(&exchange),
            actions: VecDeque::new(),
            notices: VecDeque::new(),
            stats: Stats::default(),
            settled: vec![exchange.generation; usize::from(exchange.shard_count.max(1))],
            blocks_due: None,
            stale_due: None,
            rests_due: None,
            lines_due: None,
            work_due: None,
            is_resume_due: Cell::new(false),
            is_shutting_down: false,
            is_restarting: false,
            is_pacing: false,
            exchange: exchange.clone(),
        };
        for client in exchange.clients().filter(|client| client.core == core) {
            new.add_client(now, client.clone(), true);
        }
        new.note_pacing();
        new.pump(now);
        new
    }

    /// A client connected to us. `None`: refuse it; that was counted.
    pub fn handle_accepted(
        &mut self,
        now: Time,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> Option<ConnId> {
        let conn = self.accept(now, local, remote);
        self.stats.refused_connections += u64::from(conn.is_none());
        self.pump(now);
        conn
    }

    /// A connection was refused before it came here.
    pub fn handle_refused(&mut self) {
        self.stats.refused_connections += 1;
    }

    /// Our connection to a client succeeded. If it is not wanted any more, a Close follows.
    pub fn handle_connected(
        &mut self,
        now: Time,
        slot: ClientSlot,
        local: SocketAddr,
    ) -> Option<ConnId> {
        let conn = self.connected(now, slot, local);
        self.pump(now);
        conn
    }

    pub fn handle_connect_failed(&mut self, now: Time, slot: ClientSlot, why: &str) {
        if let Some(state) = self.clients.get_mut(slot) {
            tracing::debug!(client = state.name(), "connection attempt failed: {why}");
            state.session.handle_connect_failed(now);
            self.settle(now, slot);
        }
        self.pump(now);
    }

    pub fn handle_octets(&mut self, now: Time, conn: ConnId, octets: &[u8]) {
        self.stats.octets_in += octets.len() as u64;
        self.receive(now, conn, octets);
        self.pump(now);
    }

    pub fn handle_closed(&mut self, now: Time, conn: ConnId, why: &str) {
        self.closed(now, conn, why);
        self.pump(now);
    }

    pub fn handle_shard(&mut self, now: Time, shard: ShardId, message: ToCore) {
        match message {
            ToCore::Deltas(batch) => self.take_deltas(now, batch),
            ToCore::WalkDeltas { walk, batch } => self.walks.handle_deltas(walk, batch),
            ToCore::WalkEnd { walk } => self.handle_walk_end(shard, walk),
            ToCore::Promoting { walk } => self.handle_promoting(shard, walk),
            ToCore::Promoted { walk } => self.handle_promoted(now, walk),
            ToCore::Counts {
                slot,
                epoch,
                counts,
            } => self.handle_counts(now, shard, (slot, epoch), &counts),
            ToCore::OverBudget {
                slot,
                epoch,
                octets,
            } => self.handle_over_budget(now, shard, (slot, epoch), octets),
            ToCore::Resynced { slot, epoch } => {
                if let Some(up) = self
                    .clients
                    .up_of_mut(slot, epoch)
                    .and_then(|state| state.up.as_mut())
                {
                    up.resyncs.handle_answer(shard);
                }
            }
            ToCore::Hashes {
                slot,
                epoch,
                family,
                hashes,
            } => self.handle_hashes(now, (slot, epoch), family, hashes),
            ToCore::Hurry { batch, patience } => self.reclaims.handle_hurry(shard, batch, patience),
            ToCore::Reclaim { batch, slots } => self.reclaims.handle_reclaim(shard, batch, slots),
            ToCore::Reloaded { generation } => self.handle_reloaded(now, shard, generation),
        }
        self.pump(now);
    }

    /// From another core. Core 0 decides when the start-up wait is over.
    pub fn handle_core(&mut self, now: Time, from: CoreId, notice: CoreNotice) {
        match notice {
            CoreNotice::StartupOver => self.finish_startup(now),
            CoreNotice::AllBack => self.finish_return(),
            CoreNotice::Startup(report) => self.startup.handle_report(from, report),
        }
        self.pump(now);
    }

    pub fn handle_command(&mut self, now: Time, command: CoreCommand) -> CoreReply {
        let reply = self.command(now, command);
        self.pump(now);
        reply
    }

    pub fn handle_timeout(&mut self, now: Time) {
        self.work_due = None;
        while let Some((time, slot)) = self.timers.pop_due(now) {
            let Some(state) = self
                .clients
                .get_mut(slot)
                .filter(|state| state.armed == time)
            else {
                continue;
            };
            state.armed = Time::NEVER;
            if let Some(up) = &state.up
                && let Some(way) = state.session.established_way()
                && self
                    .connections
                    .get(up.conn)
                    .is_some_and(|connection| connection.held.get())
            {
                // Nobody reads what it may have said.
                state.session.handle_paused(now, way, true);
            }
            if state
                .session
                .poll_timeout()
                .is_some_and(|deadline| deadline <= now)
            {
                state.session.handle_timeout(now);
            }
            self.settle(now, slot);
        }
        if self.is_resume_due.get() {
            self.resume_reading(now);
        }
        self.tick_slow(now);
        self.taps.let_go(now);
        self.end_rests(now);
        self.expire_stale(now);
        self.say_left_out(now);
        self.review_due_blocks(now);
        self.pump(now);
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        let deadlines = [
            self.timers.next(),
            self.work_due,
            self.blocks_due,
            self.stale_due,
            self.rests_due,
            self.lines_due,
            self.walks.due(self.startup.is_over()),
            self.output.flush_due(),
            self.slow.next_tick(),
            self.startup.next_tick(),
            self.reclaims.next_look(),
        ];
        deadlines.into_iter().flatten().min()
    }

    pub fn poll_to_shard(&mut self) -> Option<(ShardId, ToShard)> {
        let message = self.links.poll();
        if message.is_some() && self.is_resume_due.get() && !self.links.is_pressed() {
            self.work_due = Some(Time::ZERO);
        }
        message
    }

    /// The mailbox was full: the message comes first again, after `handle_shard_room`.
    pub fn put_back(&mut self, shard: ShardId, message: ToShard) {
        self.links.put_back(shard, message);
        self.is_resume_due.set(true);
    }

    pub fn handle_shard_room(&mut self, shard: ShardId) {
        self.links.handle_room(shard);
        if self.is_resume_due.get() && !self.links.is_pressed() {
            self.work_due = Some(Time::ZERO);
        }
    }

    pub fn poll_to_core(&mut self) -> Option<(CoreId, CoreNotice)> {
        self.notices.pop_front()
    }

    pub fn poll_action(&mut self) -> Option<CoreAction> {
        self.actions.pop_front()
    }

    /// False: stop reading that connection until [`CoreAction::Read`].
    pub fn wants_octets(&self, conn: ConnId) -> bool {
        let Some(connection) = self.connections.get(conn) else {
            return true;
        };
        let owner = connection
            .owner
            .and_then(|(slot, _)| self.clients.get(slot));
        if owner.is_some_and(|state| state.rests()) && self.is_established(connection) {
            connection.held.set(true);
            return false;
        }
        if !self.links.is_pressed() || !self.is_established(connection) {
            return true;
        }
        connection.held.set(true);
        self.is_resume_due.set(true);
        false
    }

    /// False: leave the mailboxes of the shards alone; too much waits to be written.
    pub fn wants_deltas(&self) -> bool {
        !self.is_over_budget()
    }

    /// Shows the head of what waits to be written to a connection to `sink`, about `octets_max` octets
    /// in order, and takes off as many as it says it took. It is not asked if nothing waits.
    pub fn write<E>(
        &mut self,
        now: Time,
        conn: ConnId,
        octets_max: usize,
        sink: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<Written, E> {
        let Some(connection) = self.connections.get_mut(conn) else {
            return Ok(Written::default());
        };
        let written = match connection.owner {
            Some((slot, _)) if self.taps.wants_sent(slot) => {
                self.taps
                    .write(now, (slot, conn), &mut connection.out, octets_max, sink)?
            }
            _ => connection.out.write(octets_max, sink)?,
        };
        if written.offered == 0 {
            connection.write_told = false;
            return Ok(written);
        }
        self.stats.octets_out += written.taken as u64;
        self.written(now, conn, written.taken);
        self.pump(now);
        Ok(written)
    }

    /// After Shutdown: every session has ended, and all that was to be said is written.
    pub fn is_over(&self) -> bool {
        self.is_shutting_down
            && self
                .connections
                .iter()
                .all(|(_, connection)| connection.out.is_empty())
    }

    /// What may go on now that something happened.
    fn pump(&mut self, now: Time) {
        self.pump_output(now);
        self.pump_walk(now);
        self.pump_resyncs(now);
        self.pump_reclaims(now);
        self.pump_startup(now);
        self.note_retained(now);
    }
}
