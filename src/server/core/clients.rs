//! One client as its session core knows it.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::base::{ClientSlot, FamilySet, SessionEpoch, ShardId, Time};
use crate::fanout::{DirtyRecord, Marker};
use crate::server::exchange::Client;
use crate::server::query::{SessionUp, Tally};
use crate::session::{DownReason, Session, State, Way};

use super::connections::ConnId;
use super::counts::{Block, Counts};
use super::fault_log::FaultLog;
use super::helper::Stale;
use super::hijacks::HijackHistory;
use super::log_lines::LogLines;
use super::pace::{Budget, Pace};

/// A configured client, up or not.
pub(super) struct ClientState {
    pub client: Arc<Client>,
    pub session: Session,
    conns: [Option<ConnId>; 2],
    /// Of the present or last session.
    pub epoch: SessionEpoch,
    pub up: Option<Up>,
    /// Of a session before.
    pub stale: Option<Stale>,
    /// The earliest entry for it among the timers.
    pub armed: Time,
    /// Messages may wait in the session until shards have room.
    pub is_stuck: bool,
    /// Its connection has ended: what was read of it is taken now, or never.
    pub is_ending: bool,
    /// When the oldest octets that may wait in the session had come.
    pub heard: Time,
    pub state: State,
    pub since: Time,
    pub history: History,
}

/// What outlives a session.
#[derive(Default)]
pub(super) struct History {
    pub flaps: u32,
    pub last_error: Option<String>,
    pub octets_in: u64,
    pub octets_out: u64,
    pub updates_in: u64,
    pub updates_out: u64,
    pub nlri_out: u64,
    pub treat_as_withdraw_count: u64,
    pub attribute_discard_count: u64,
    pub tally: Tally,
    pub fault_log: FaultLog,
    pub hijacks: HijackHistory,
    pub lines: LogLines,
    /// The log has it that it reads slowly.
    pub is_told_slow: bool,
}

/// An established session.
pub(super) struct Up {
    pub conn: ConnId,
    pub session: Arc<SessionUp>,
    pub counts: Counts,
    pub blocks: [Block; 2],
    pub has_warned: [bool; 2],
    /// Families whose End-of-RIB the client sent.
    pub end_of_rib: FamilySet,
    /// Families whose long-lived stale routes were dropped before it had said everything: nothing that
    /// it has said is kept, either (RFC 9494 §4.2).
    pub spent: FamilySet,
    /// It does not read: what it should get is noted in `dirty`.
    pub is_stalled: bool,
    pub dirty: DirtyRecord,
    /// What it may hold is not known any more: a refresh of everything is due (RFC 7313).
    pub is_lost: bool,
    /// Since when it has not had the present state of everything, its pauses apart.
    pub behind_since: Option<Time>,
    /// Markers to send, in this order, once nothing is dirty.
    pub owed: SmallVec<[Marker; 4]>,
    /// In a walk, or waiting for one.
    pub is_walking: bool,
    pub resyncs: Resyncs,
    pub marks: RefreshMarks,
    pub pace: Pace,
    pub budget: Budget,
    /// When octets were last written, or began to wait.
    pub progress: Time,
    /// When it was last looked at what is kept for it alone.
    pub looked_at: Time,
    /// Octets written since the core went over its budget.
    pub written_over_budget: u64,
}

/// How many enhanced route refreshes a client may still begin: each that leaves something to purge
/// costs a look at the whole table.
pub(super) struct RefreshMarks {
    left: u8,
    next: Time,
    pub has_warned: bool,
}

/// So many at once, and one more after each pause.
const MARKS_MAX: u8 = 8;
const MARKS_APART: Duration = Duration::from_secs(5);

impl RefreshMarks {
    fn new(now: Time) -> RefreshMarks {
        RefreshMarks {
            left: MARKS_MAX,
            next: now + MARKS_APART,
            has_warned: false,
        }
    }

    /// The client was asked for a family again: that is not held against it.
    pub fn grant(&mut self) {
        self.left = self.left.saturating_add(1);
    }

    /// Whether one more may begin.
    pub fn take(&mut self, now: Time) -> bool {
        while self.next <= now && self.left < MARKS_MAX {
            self.left += 1;
            self.next = self.next + MARKS_APART;
        }
        if self.left >= MARKS_MAX {
            self.next = now + MARKS_APART;
        }
        let may = self.left > 0;
        self.left -= u8::from(may);
        may
    }
}

/// Questions to shards for the present state of dirty prefixes, counted by shard.
#[derive(Default)]
pub(super) struct Resyncs {
    asked: Vec<u32>,
    answered: Vec<u32>,
    /// Whose turn it is.
    pub next_shard: u16,
}

impl ClientState {
    pub fn new(client: Arc<Client>, seed: u64, now: Time) -> ClientState {
        let jitter_seed = seed ^ (u64::from(client.slot.0) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let session = Session::new(client.session.clone(), jitter_seed);
        ClientState {
            state: session.state(),
            client,
            session,
            conns: [None; 2],
            epoch: SessionEpoch(0),
            up: None,
            stale: None,
            armed: Time::NEVER,
            is_stuck: false,
            is_ending: false,
            heard: now,
            since: now,
            history: History::default(),
        }
    }

    pub fn slot(&self) -> ClientSlot {
        self.client.slot
    }

    pub fn conn(&self, way: Way) -> Option<ConnId> {
        self.conns[way as usize]
    }

    pub fn set_conn(&mut self, way: Way, conn: Option<ConnId>) {
        self.conns[way as usize] = conn;
    }

    /// How its line in the log begins.
    pub fn name(&self) -> &str {
        &self.client.name
    }

    /// A line about the end of a session, or of an attempt.
    pub fn say_end(&mut self, now: Time, what: &str, reason: &DownReason) {
        let Some(left_out) = self.history.lines.take(now) else {
            return;
        };
        let (client, asn) = (self.name(), self.client.asn.0);
        match reason.is_trouble() {
            true => tracing::warn!(client, asn, left_out, "{what}: {reason}"),
            false => tracing::info!(client, asn, left_out, "{what}: {reason}"),
        }
    }
}

impl Up {
    pub fn new(conn: ConnId, session: Arc<SessionUp>, shard_count: u16, now: Time) -> Up {
        let shard_count = usize::from(shard_count);
        Up {
            conn,
            session,
            counts: Counts::default(),
            blocks: Default::default(),
            has_warned: [false; 2],
            end_of_rib: FamilySet::EMPTY,
            spent: FamilySet::EMPTY,
            is_stalled: false,
            dirty: DirtyRecord::default(),
            is_lost: false,
            behind_since: None,
            owed: SmallVec::new(),
            is_walking: false,
            resyncs: Resyncs {
                asked: vec![0; shard_count],
                answered: vec![0; shard_count],
                next_shard: 0,
            },
            marks: RefreshMarks::new(now),
            pace: Pace::default(),
            budget: Budget::new(now),
            progress: now,
            looked_at: Time::ZERO,
            written_over_budget: 0,
        }
    }

    /// Whether what changes is noted for it because it wants to hear of it later. One that does not
    /// read is not asked.
    pub fn is_paused(&self) -> bool {
        self.pace.paused_until.is_some() && !self.is_stalled
    }

    /// A refresh that begins makes void what is owed of one before: it would end while this one goes on.
    pub fn owe(&mut self, marker: Marker) {
        if let Marker::RefreshBegin(family) = marker {
            let void = [marker, Marker::RefreshEnd(family)];
            self.owed.retain(|owed| !void.contains(owed));
        }
        self.owed.push(marker);
    }

    /// Whether the client has, or has queued, the present state of everything.
    pub fn is_clean(&self) -> bool {
        !self.is_stalled
            && !self.is_lost
            && !self.is_walking
            && self.dirty.is_empty()
            && !self.resyncs.is_awaited()
    }
}

impl Resyncs {
    pub fn ask(&mut self, shard: ShardId) {
        self.asked[shard.index()] += 1;
    }

    pub fn handle_answer(&mut self, shard: ShardId) {
        self.answered[shard.index()] += 1;
    }

    pub fn is_awaited(&self) -> bool {
        self.asked != self.answered
    }

    /// How many were asked of a shard, if some of them are not answered.
    pub fn asked_of(&self, shard: ShardId) -> Option<u32> {
        let asked = self.asked[shard.index()];
        (asked != self.answered[shard.index()]).then_some(asked)
    }

    pub fn has_answered(&self, shard: ShardId, count: u32) -> bool {
        self.answered[shard.index()] >= count
    }
}

/// By slot: the clients of this core.
#[derive(Default)]
pub(super) struct Clients {
    slots: Vec<Option<Box<ClientState>>>,
    /// The last epoch of clients that are gone, so that their slots go on from there.
    epochs: Vec<SessionEpoch>,
}

impl Clients {
    pub fn get(&self, slot: ClientSlot) -> Option<&ClientState> {
        self.slots.get(slot.index())?.as_deref()
    }

    pub fn get_mut(&mut self, slot: ClientSlot) -> Option<&mut ClientState> {
        self.slots.get_mut(slot.index())?.as_deref_mut()
    }

    /// The established session of a client.
    pub fn up_mut(&mut self, slot: ClientSlot) -> Option<&mut Up> {
        self.get_mut(slot)?.up.as_mut()
    }

    /// The same, if it is still the one of that epoch.
    pub fn up_of_mut(&mut self, slot: ClientSlot, epoch: SessionEpoch) -> Option<&mut ClientState> {
        self.get_mut(slot)
            .filter(|state| state.epoch == epoch && state.up.is_some())
    }

    pub fn insert(&mut self, mut state: ClientState) {
        let index = state.slot().index();
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
            self.epochs.resize(index + 1, SessionEpoch(0));
        }
        state.epoch = self.epochs[index];
        self.slots[index] = Some(Box::new(state));
    }

    pub fn remove(&mut self, slot: ClientSlot) -> Option<Box<ClientState>> {
        let state = self.slots.get_mut(slot.index())?.take()?;
        self.epochs[slot.index()] = state.epoch;
        Some(state)
    }

    pub fn iter(&self) -> impl Iterator<Item = &ClientState> {
        self.slots.iter().flatten().map(|state| &**state)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut ClientState> {
        self.slots.iter_mut().flatten().map(|state| &mut **state)
    }

    pub fn slots(&self) -> Vec<ClientSlot> {
        self.iter().map(ClientState::slot).collect()
    }
}
