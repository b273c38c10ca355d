//! From delta groups to the send queues of clients.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{ClientSet, ClientSlot, ShardId, Time};
use crate::fanout::{
    Buffer, Classes, DeltaBatch, DeltaGroup, DirtyPrefix, Gather, Gauge, Packer, Periods,
};
use crate::server::exchange::FanoutLimits;

use super::clients::Clients;
use super::{CoreAction, SessionCore};

/// A window with so many prefixes is emptied early.
const WINDOW_PREFIXES_MAX: usize = 32_768;
/// So is one whose octets will be such a part of what the core may retain, which it looks at
/// between windows.
const WINDOW_SHARE: usize = 8;
/// Prefixes in a window that make the next one longer, and shorter.
const BUSY_PREFIXES: usize = 512;
const IDLE_PREFIXES: usize = 64;
/// What one UPDATE changed on several shards comes within about this, and is put together again.
const SHARDS_APART: Duration = Duration::from_micros(150);
/// The shortest window that is one; under it changes are sent at once.
const GROWS_FROM: Duration = Duration::from_micros(200);

/// What turns groups into octets.
pub(super) struct Output {
    pub gauge: Gauge,
    pub periods: Periods,
    pub packer: Packer,
    /// Of the clients that are up.
    pub classes: Classes,
    pub gather: Gather,
    /// By shard: clients whose present session its ordinary stream is for.
    live_at: Vec<Arc<ClientSet>>,
    /// Clients that do not read.
    pub stalled: ClientSet,
    window: Duration,
    flush_due: Option<Time>,
    /// When the oldest UPDATE had come that is answered in the window, or in what is handed out of it.
    heard: Time,
}

impl Output {
    pub fn new(shard_count: u16, limits: &FanoutLimits) -> Output {
        let gauge = Gauge::default();
        let periods = Periods::default();
        Output {
            packer: Packer::new(gauge.clone(), periods.current().clone()),
            gauge,
            periods,
            classes: Classes::default(),
            gather: Gather::default(),
            live_at: (0..shard_count.max(1)).map(|_| Arc::default()).collect(),
            stalled: ClientSet::new(),
            window: limits.gather_min,
            flush_due: None,
            heard: Time::NEVER,
        }
    }

    pub fn flush_due(&self) -> Option<Time> {
        self.flush_due
    }

    /// How long changes are gathered at present.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// From here on a shard's ordinary stream is for these clients too.
    pub fn enliven(&mut self, shard: ShardId, clients: &ClientSet) {
        if let Some(live) = self.live_at.get_mut(shard.index())
            && !clients.is_subset(live)
        {
            Arc::make_mut(live).union_with(clients);
        }
    }

    /// The session of a client is over.
    pub fn forget(&mut self, slot: ClientSlot) {
        self.classes.remove(slot);
        self.stalled.remove(slot);
        for live in self.live_at.iter_mut().filter(|live| live.contains(slot)) {
            Arc::make_mut(live).remove(slot);
        }
    }

    fn adapt(&mut self, prefix_count: usize, limits: &FanoutLimits) {
        if prefix_count >= BUSY_PREFIXES {
            self.window =
                (self.window * 2).clamp(GROWS_FROM.min(limits.gather_max), limits.gather_max);
        } else if prefix_count < IDLE_PREFIXES {
            let half = self.window / 2;
            self.window = match half < GROWS_FROM {
                true => limits.gather_min,
                false => half,
            };
        }
    }
}

/// Gives groups that are alike to those of their audience that are in `scope`: to the packer, or to
/// the dirty record of a client that does not read.
pub(super) fn deliver(
    alike: &[(&DeltaBatch, &DeltaGroup)],
    scope: &ClientSet,
    stalled: &ClientSet,
    clients: &mut Clients,
    (packer, classes): (&mut Packer, &Classes),
) {
    let Some((_, first)) = alike.first() else {
        return;
    };
    let mut to = first.audience.intersection(scope);
    if stalled.intersects(&to) {
        for slot in stalled.intersection(&to).iter() {
            if let Some(up) = clients.up_mut(slot).filter(|up| !up.is_lost) {
                for (batch, group) in alike {
                    for &prefix in batch.named_by(group).1 {
                        up.dirty.mark(
                            batch.shard,
                            DirtyPrefix {
                                prefix,
                                path_id: group.path_id,
                            },
                        );
                    }
                }
            }
        }
        to.subtract(stalled);
    }
    if !to.is_empty() {
        // In the middle of a reload shards may differ.
        for alike in alike.chunk_by(|(a, _), (b, _)| Arc::ptr_eq(&a.scheme, &b.scheme)) {
            packer.push(alike, &to, classes, alike[0].0.scheme.export_scrub());
        }
    }
}

impl SessionCore {
    pub(super) fn take_deltas(&mut self, now: Time, batch: Arc<DeltaBatch>) {
        let Some(live) = self.output.live_at.get(batch.shard.index()).cloned() else {
            return;
        };
        let heard = batch.heard;
        if let Err(batch) = self.output.gather.offer(batch, &live) {
            self.flush_window(now);
            let again = self.output.gather.offer(batch, &live);
            debug_assert!(again.is_ok(), "an empty window takes every batch");
        }
        self.output.heard = self.output.heard.min(heard);
        let octets_max = self.exchange.limits.core_octets_max / WINDOW_SHARE;
        let Output {
            gather, classes, ..
        } = &self.output;
        let octets = gather.octets() * classes.count();
        if gather.prefix_count() > WINDOW_PREFIXES_MAX || octets > octets_max {
            self.flush_window(now);
        } else if self.output.flush_due.is_none() {
            let apart = match self.links.shard_count() {
                1 => Duration::ZERO,
                _ => SHARDS_APART,
            };
            self.output.flush_due = Some(now + self.output.window.max(apart));
        }
    }

    pub(super) fn pump_output(&mut self, now: Time) {
        if self.output.flush_due.is_some_and(|due| due <= now) {
            let prefix_count = self.output.gather.prefix_count();
            self.output.adapt(prefix_count, &self.exchange.limits);
            self.flush_window(now);
        }
    }

    /// Encodes what is in the gathering window and queues it.
    pub(super) fn flush_window(&mut self, now: Time) {
        self.output.flush_due = None;
        if self.output.gather.is_empty() {
            return;
        }
        let SessionCore {
            output, clients, ..
        } = self;
        let Output {
            gather,
            packer,
            classes,
            stalled,
            ..
        } = output;
        gather.drain(|alike, live| deliver(alike, live, stalled, clients, (packer, classes)));
        self.hand_out(now);
        let heard = std::mem::replace(&mut self.output.heard, Time::NEVER);
        if heard != Time::NEVER {
            self.stats.until_queued.record(now.since(heard));
        }
    }

    /// Queues what the packer has for those it is for.
    pub(super) fn hand_out(&mut self, now: Time) {
        for packed in self.output.packer.finish() {
            packed.hand_out(|slot, stretches| self.queue(now, slot, &packed.buffer, stretches));
        }
    }

    pub(super) fn queue(
        &mut self,
        now: Time,
        slot: ClientSlot,
        buffer: &Arc<Buffer>,
        stretches: &[Range<u32>],
    ) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let Some(up) = &mut state.up else { return };
        let Some(connection) = self.connections.get_mut(up.conn) else {
            return;
        };
        if connection.out.is_empty() {
            up.progress = now;
            if up.is_clean() || up.behind_since.is_none() {
                up.behind_since = Some(now);
            }
        }
        for runs in stretches {
            let (updates, nlri) = buffer.counts(runs);
            state.history.updates_out += u64::from(updates);
            self.stats.updates_out += u64::from(updates);
            state.history.nlri_out += u64::from(nlri);
            self.stats.nlri_out += u64::from(nlri);
        }
        connection.out.push_all(buffer, stretches);
        connection.heard = connection.heard.min(self.output.heard);
        if !connection.write_told {
            connection.write_told = true;
            self.actions.push_back(CoreAction::Write { conn: up.conn });
        }
    }
}
