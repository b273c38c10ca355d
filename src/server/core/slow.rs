//! Clients that read slowly: their queues become dirty records, and they are brought back piece by
//! piece. Also the core's own bound on octets retained.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::base::{ClientSet, ClientSlot, FamilySet, ShardId, Time};
use crate::fanout::{Buffer, Marker};
use crate::server::exchange::FanoutLimits;
use crate::server::message::ToShard;
use crate::session::{Parting, Stop, StopHold};
use crate::wire::{
    CeaseSubcode, RefreshSubtype, encode_end_of_rib, encode_keepalive, encode_route_refresh,
};

use super::connections::ConnId;
use super::{SessionCore, TICK};

/// Dirty prefixes asked for at a time, and the queue under which they are.
const RESYNC_COUNT: usize = 4096;
const RESYNC_QUEUE_MAX: usize = 64 << 10;
/// How long the core stays over its bound before it looks who holds it up.
const OVER_BUDGET_PATIENCE: Duration = Duration::from_millis(100);
/// Who needs so many times longer than most to empty its queue holds it up.
const SLOWER_THAN_MOST: u64 = 4;

#[derive(Default)]
pub(super) struct Slow {
    /// Clients with dirty prefixes that read again.
    recovering: ClientSet,
    /// While something is retained or somebody is stalled.
    next_tick: Option<Time>,
    over_budget_since: Option<Time>,
}

impl Slow {
    pub fn next_tick(&self) -> Option<Time> {
        self.next_tick
    }

    pub fn forget(&mut self, slot: ClientSlot) {
        self.recovering.remove(slot);
    }

    /// A client is to get the present state of what it is noted to lack.
    pub fn recover(&mut self, slot: ClientSlot) {
        self.recovering.insert(slot);
    }
}

impl SessionCore {
    pub(super) fn is_over_budget(&self) -> bool {
        self.output.gauge.retained() > self.exchange.limits.core_octets_max
    }

    pub(super) fn note_retained(&mut self, now: Time) {
        let retained = self.output.gauge.retained();
        self.stats.octets_retained_max = self.stats.octets_retained_max.max(retained as u64);
        let has_some = retained > 0 || !self.output.stalled.is_empty() || self.is_pacing;
        if has_some && self.slow.next_tick.is_none() {
            self.slow.next_tick = Some(now + TICK);
        }
        if retained <= self.exchange.limits.core_octets_max {
            self.slow.over_budget_since = None;
        } else if self.slow.over_budget_since.is_none() {
            self.begin_over_budget(now);
        }
    }

    fn begin_over_budget(&mut self, now: Time) {
        self.slow.over_budget_since = Some(now);
        for up in self
            .clients
            .iter_mut()
            .filter_map(|state| state.up.as_mut())
        {
            up.written_over_budget = 0;
        }
    }

    pub(super) fn tick_slow(&mut self, now: Time) {
        if self.slow.next_tick.is_none_or(|tick| tick > now) {
            return;
        }
        self.slow.next_tick = None;
        self.tick_pace(now);
        self.tell_queued(now);
        for slot in self.stalled_by_silence(now) {
            self.stall(now, slot);
        }
        for slot in self.beyond_record() {
            match self.clients.up_mut(slot).is_some_and(|up| up.is_paused()) {
                true => self.unpause(now, slot),
                false => self.lose(now, slot),
            }
        }
        if let Some(since) = self.slow.over_budget_since
            && now >= since + OVER_BUDGET_PATIENCE
        {
            let waited = now.since(since);
            for slot in self.holding_up(waited) {
                self.stall(now, slot);
            }
            self.begin_over_budget(now);
        }
    }

    /// A session whose octets wait from the start learns it here, so that its send hold timer runs.
    fn tell_queued(&mut self, now: Time) {
        let mut told: SmallVec<[ClientSlot; 8]> = SmallVec::new();
        for (_, connection) in self.connections.iter_mut() {
            let Some((slot, way)) = connection.owner else {
                continue;
            };
            if connection.queued_told || connection.out.is_empty() {
                continue;
            }
            connection.queued_told = true;
            if let Some(state) = self.clients.get_mut(slot) {
                state.session.handle_written(now, way, true);
                told.push(slot);
            }
        }
        for slot in told {
            self.settle(now, slot);
        }
    }

    /// Clients that have read nothing for a while, and for whom more than their bound is kept that
    /// others do not wait for.
    fn stalled_by_silence(&mut self, now: Time) -> Vec<ClientSlot> {
        let limits: &FanoutLimits = &self.exchange.limits;
        let connections = &self.connections;
        let kept = |conn: ConnId| connections.get(conn).map_or(0, |it| it.out.own_octets());
        let mut stalled = Vec::new();
        for state in self.clients.iter_mut() {
            let slot = state.slot();
            let Some(up) = state.up.as_mut().filter(|up| !up.is_stalled) else {
                continue;
            };
            // Each look is one at all that waits for the client.
            if now >= up.progress.max(up.looked_at) + limits.stall {
                up.looked_at = now;
                if kept(up.conn) > limits.stalled_octets_max {
                    stalled.push(slot);
                }
            }
        }
        stalled
    }

    /// Clients whose dirty record has outgrown its bound.
    fn beyond_record(&self) -> Vec<ClientSlot> {
        let is_beyond = |slot: &ClientSlot| {
            let up = self.clients.get(*slot).and_then(|state| state.up.as_ref());
            up.is_some_and(|up| up.dirty.path_count() > self.exchange.limits.dirty_paths_max)
        };
        self.output.stalled.iter().filter(is_beyond).collect()
    }

    /// Clients that will need far longer than most to read what they have queued.
    fn holding_up(&self, waited: Duration) -> Vec<ClientSlot> {
        let mut needs: Vec<(u64, ClientSlot)> = Vec::new();
        for state in self.clients.iter() {
            let Some(up) = state.up.as_ref().filter(|up| !up.is_stalled) else {
                continue;
            };
            let Some(connection) = self.connections.get(up.conn) else {
                continue;
            };
            let queued = connection.out.portion_octets() as u64;
            let need = match up.written_over_budget {
                _ if queued == 0 => 0,
                0 => u64::MAX,
                written => queued * waited.as_micros() as u64 / written,
            };
            needs.push((need, state.slot()));
        }
        needs.sort_unstable();
        let Some((most, _)) = needs.get(needs.len() / 4).copied() else {
            return Vec::new();
        };
        let bound = most
            .saturating_mul(SLOWER_THAN_MOST)
            .saturating_add(waited.as_micros() as u64);
        needs
            .into_iter()
            .filter(|(need, _)| *need > bound)
            .map(|(_, slot)| slot)
            .collect()
    }

    /// Gives up noting what a client may still hold: it gets everything anew once it reads, where it
    /// can be told to forget the rest (RFC 7313); otherwise its session ends.
    pub(super) fn lose(&mut self, now: Time, slot: ClientSlot) {
        self.unpause(now, slot);
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let Some(up) = &mut state.up else { return };
        if !up.session.negotiated.enhanced_refresh {
            let message = "too much to note for a client that does not read".to_owned();
            let stop = Stop {
                subcode: CeaseSubcode::OutOfResources,
                message,
                hold: StopHold::Backoff,
                parting: Parting::Final,
            };
            return self.stop(now, slot, stop);
        }
        if let Some(left_out) = state.history.lines.take(now) {
            tracing::info!(
                client = state.client.name.as_str(),
                left_out,
                dirty = up.dirty.count(),
                "is behind for too long; it gets everything anew when it reads"
            );
        }
        up.dirty.clear();
        up.is_lost = true;
        self.stats.whole_resyncs += 1;
        // Those of a refresh that this one makes void.
        up.owed
            .retain(|marker| matches!(marker, Marker::EndOfRib(_)));
        self.slow.recovering.remove(slot);
        if !up.is_stalled {
            self.refresh_all(slot);
        }
    }

    fn refresh_all(&mut self, slot: ClientSlot) {
        let up = self.clients.up_mut(slot);
        let families = up.map_or(FamilySet::EMPTY, |up| up.session.negotiated.families);
        for family in families.iter() {
            self.ask_refresh(slot, family);
        }
    }

    /// Drops what is queued for a client, if anything is.
    pub(super) fn stall_if_queued(&mut self, now: Time, slot: ClientSlot) {
        let conn = self.clients.up_mut(slot).map(|up| up.conn);
        let connection = conn.and_then(|conn| self.connections.get(conn));
        if connection.is_some_and(|connection| connection.out.portion_octets() > 0) {
            self.stall(now, slot);
        }
    }

    /// Drops a client's queue for a dirty record.
    pub(super) fn stall(&mut self, now: Time, slot: ClientSlot) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let Some(up) = state.up.as_mut().filter(|up| !up.is_stalled) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(up.conn) else {
            return;
        };
        let conn = up.conn;
        let dropped = connection.out.drop_portions();
        connection.heard = Time::NEVER;
        for portion in dropped.lost.iter().filter(|_| !up.is_lost) {
            up.dirty.mark_all(portion);
        }
        let later = std::mem::take(&mut up.owed);
        (dropped.unsent.into_iter().chain(later)).for_each(|marker| up.owe(marker));
        up.is_stalled = true;
        state.history.is_told_slow = true;
        if let Some(left_out) = state.history.lines.take(now) {
            tracing::info!(
                client = state.client.name.as_str(),
                left_out,
                dirty = up.dirty.count(),
                "reads slowly; its queue is dropped"
            );
        }
        // Something must be there to write, so that we see when it reads again.
        let is_empty = connection.out.is_empty();
        self.output.stalled.insert(slot);
        self.slow.recovering.remove(slot);
        if is_empty {
            let mut keepalive = Vec::new();
            encode_keepalive(&mut keepalive);
            self.push_control(conn, keepalive.into());
        }
    }

    pub(super) fn written(&mut self, now: Time, conn: ConnId, octets: usize) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let is_empty = connection.out.is_empty();
        let is_news = octets > 0 || connection.queued_told == is_empty;
        connection.queued_told = !is_empty;
        let Some((slot, way)) = connection.owner else {
            if is_empty {
                self.connections.remove(conn);
            }
            return;
        };
        if is_empty && connection.heard != Time::NEVER {
            let heard = std::mem::replace(&mut connection.heard, Time::NEVER);
            self.stats.until_written.record(now.since(heard));
        }
        let Some(state) = self.clients.get_mut(slot).filter(|_| is_news) else {
            return;
        };
        state.history.octets_out += octets as u64;
        state.session.handle_written(now, way, !is_empty);
        let mut recovers = false;
        if let Some(up) = state.up.as_mut().filter(|up| up.conn == conn && octets > 0) {
            up.progress = now;
            up.written_over_budget += octets as u64;
            recovers = up.is_stalled && is_empty;
            if is_empty && (up.is_clean() || up.is_paused()) {
                up.behind_since = None;
            }
        }
        self.rearm(slot);
        if recovers {
            self.recover(now, slot);
        }
    }

    /// The client reads again.
    fn recover(&mut self, now: Time, slot: ClientSlot) {
        let Some(up) = self.clients.up_mut(slot) else {
            return;
        };
        up.is_stalled = false;
        up.pace.paused_until = None;
        self.output.stalled.remove(slot);
        if up.is_lost {
            return self.refresh_all(slot);
        }
        self.slow.recovering.insert(slot);
        self.pay_markers(now, slot);
    }

    /// Asks for the present state of dirty prefixes where a queue has room for it.
    pub(super) fn pump_resyncs(&mut self, now: Time) {
        if self.slow.recovering.is_empty() || self.is_over_budget() {
            return;
        }
        for slot in self.slow.recovering.clone().iter() {
            if self.resync(slot) {
                // The last answers may still be in the window.
                self.flush_window(now);
                self.slow.recovering.remove(slot);
                self.pay_markers(now, slot);
                self.say_recovered(now, slot);
            }
        }
    }

    fn say_recovered(&mut self, now: Time, slot: ClientSlot) {
        // Others are brought up to date like this, too: who is paced, who comes back after a restart.
        if let Some(state) = self.clients.get_mut(slot)
            && std::mem::take(&mut state.history.is_told_slow)
            && let Some(left_out) = state.history.lines.take(now)
        {
            let client = state.name();
            tracing::info!(client, left_out, "reads again, and has what it missed");
        }
    }

    /// Asks all shards for nothing: with their answers the client has been sent all that they knew when
    /// they were asked, and the markers that it is owed are due.
    pub(super) fn ask_whether_all_is_said(&mut self, slot: ClientSlot) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let epoch = state.epoch;
        let Some(up) = state.up.as_mut() else { return };
        for shard in (0..self.links.shard_count()).map(ShardId) {
            up.resyncs.ask(shard);
            let dirty = Vec::new();
            (self.links).push(shard, ToShard::Resync { slot, epoch, dirty });
        }
        if !up.is_stalled {
            self.slow.recovering.insert(slot);
        }
    }

    /// True: nothing is dirty any more.
    fn resync(&mut self, slot: ClientSlot) -> bool {
        let SessionCore {
            clients,
            connections,
            links,
            ..
        } = self;
        let Some(state) = clients.get_mut(slot) else {
            return false;
        };
        let epoch = state.epoch;
        let Some(up) = state.up.as_mut() else {
            return false;
        };
        let queued = connections
            .get(up.conn)
            .map_or(0, |c| c.out.portion_octets());
        if up.is_walking || up.resyncs.is_awaited() || queued > RESYNC_QUEUE_MAX {
            return false;
        }
        let mut room = RESYNC_COUNT;
        for _ in 0..links.shard_count() {
            let shard = ShardId(up.resyncs.next_shard);
            let dirty = up.dirty.take(shard, room);
            room -= dirty.len();
            if !dirty.is_empty() {
                up.resyncs.ask(shard);
                links.push(shard, ToShard::Resync { slot, epoch, dirty });
            }
            if room == 0 {
                break;
            }
            up.resyncs.next_shard = (up.resyncs.next_shard + 1) % links.shard_count();
        }
        !up.resyncs.is_awaited() && up.dirty.is_empty()
    }

    /// Sends the markers whose time has come.
    pub(super) fn pay_markers(&mut self, now: Time, slot: ClientSlot) {
        let are_all_back = self.startup.are_all_back();
        let Some(up) = self
            .clients
            .up_mut(slot)
            .filter(|up| !up.is_stalled && !up.owed.is_empty())
        else {
            return;
        };
        let is_clean = up.is_clean();
        let is_early = up.session.negotiated.keeps_routes && !are_all_back;
        // A BoRR before the End-of-RIB would have to be ignored (RFC 7313 §4).
        let owed = up.owed.clone();
        let is_due = |marker: &Marker| match marker {
            Marker::RefreshBegin(_) => true,
            Marker::EndOfRib(family) if owed.contains(&Marker::RefreshBegin(*family)) => true,
            Marker::EndOfRib(_) => is_clean && !is_early,
            Marker::RefreshEnd(_) => is_clean,
        };
        let mut due: SmallVec<[Marker; 4]> = owed.iter().copied().filter(is_due).collect();
        due.sort_by_key(|marker| !matches!(marker, Marker::EndOfRib(_)));
        up.owed.retain(|marker| !is_due(marker));
        for marker in due {
            let message = Arc::new(marker_message(marker));
            self.queue(now, slot, &message, std::slice::from_ref(&(0..1)));
        }
    }
}

fn marker_message(marker: Marker) -> Buffer {
    let mut octets = Vec::new();
    match marker {
        Marker::EndOfRib(family) => encode_end_of_rib(&mut octets, family),
        Marker::RefreshBegin(family) => {
            encode_route_refresh(&mut octets, family, RefreshSubtype::Begin)
        }
        Marker::RefreshEnd(family) => {
            encode_route_refresh(&mut octets, family, RefreshSubtype::End)
        }
    }
    // End-of-RIB is an UPDATE.
    let updates = u32::from(matches!(marker, Marker::EndOfRib(_)));
    Buffer::marker(marker, octets, updates)
}
