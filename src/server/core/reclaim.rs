//! When freed prefix slots of a shard may be used again: once nothing here can name them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{ClientSlot, PrefixSlot, SessionEpoch, ShardId, Time};
use crate::server::message::ToShard;

use super::SessionCore;
use super::clients::{ClientState, Up};

#[derive(Default)]
pub(super) struct Reclaims {
    pending: Vec<Reclaim>,
    next_look: Time,
}

/// How often it is looked whether something names freed slots.
const LOOK: Duration = Duration::from_millis(10);

/// So many dirty records make a look as long again in coming: each costs up to a tenth of a
/// millisecond.
const DIRTY_PER_LOOK: u32 = 16;

struct Reclaim {
    shard: ShardId,
    batch: u32,
    slots: Arc<[PrefixSlot]>,
    stage: Stage,
    /// Who has been behind for longer is not waited for.
    patience: Option<Duration>,
}

enum Stage {
    /// Walks and dirty records may name them.
    Named,
    /// Answers to these resyncs (so many asked of the shard) may name them.
    Asked(Vec<(ClientSlot, SessionEpoch, u32)>),
    /// Runs of this period and older may name them.
    Queued(u64),
}

impl Reclaims {
    pub fn handle_reclaim(&mut self, shard: ShardId, batch: u32, slots: Arc<[PrefixSlot]>) {
        self.pending.push(Reclaim {
            shard,
            batch,
            slots,
            stage: Stage::Named,
            patience: None,
        });
    }

    pub fn handle_hurry(&mut self, shard: ShardId, batch: u32, patience: Duration) {
        let pending = self.pending.iter_mut();
        for reclaim in pending.filter(|known| known.shard == shard && known.batch == batch) {
            reclaim.patience = Some(patience);
        }
    }

    /// The next look is due at once.
    pub fn look_now(&mut self) {
        self.next_look = Time::ZERO;
    }

    pub fn next_look(&self) -> Option<Time> {
        (!self.pending.is_empty()).then_some(self.next_look)
    }

    /// The session of a client is over; answers to it reach nobody.
    pub fn forget(&mut self, slot: ClientSlot) {
        for reclaim in &mut self.pending {
            if let Stage::Asked(asked) = &mut reclaim.stage {
                asked.retain(|(client, ..)| *client != slot);
            }
        }
    }
}

impl SessionCore {
    pub(super) fn pump_reclaims(&mut self, now: Time) {
        if self.reclaims.pending.is_empty() || now < self.reclaims.next_look {
            return;
        }
        let is_dirty =
            |state: &&ClientState| state.up.as_ref().is_some_and(|up| !up.dirty.is_empty());
        let dirty_count = self.clients.iter().filter(is_dirty).count() as u32;
        self.reclaims.next_look = now + LOOK * (1 + dirty_count / DIRTY_PER_LOOK);
        let mut pending = std::mem::take(&mut self.reclaims.pending);
        pending.retain_mut(|reclaim| {
            let is_done = self.advance_reclaim(now, reclaim);
            if is_done {
                let (core, batch) = (self.core, reclaim.batch);
                self.links
                    .push(reclaim.shard, ToShard::Reclaimed { core, batch });
            }
            !is_done
        });
        self.reclaims.pending = pending;
    }

    fn advance_reclaim(&mut self, now: Time, reclaim: &mut Reclaim) -> bool {
        if let Some(patience) = reclaim.patience {
            self.wait_no_longer(now, patience, reclaim);
        }
        if matches!(reclaim.stage, Stage::Named) {
            if self.walks.is_active() || self.is_dirty(reclaim) {
                return false;
            }
            reclaim.stage = Stage::Asked(self.resyncs_asked(reclaim.shard));
        }
        if let Stage::Asked(asked) = &reclaim.stage {
            let is_answered = |&(slot, epoch, count): &(ClientSlot, SessionEpoch, u32)| {
                let state = self.clients.get(slot).filter(|state| state.epoch == epoch);
                let up = state.and_then(|state| state.up.as_ref());
                up.is_none_or(|up| up.resyncs.has_answered(reclaim.shard, count))
            };
            if !asked.iter().all(is_answered) {
                return false;
            }
            self.flush_window(now);
            reclaim.stage = Stage::Queued(self.turn_period());
        }
        let Stage::Queued(period) = reclaim.stage else {
            return false;
        };
        if !self.output.periods.is_over(period) {
            return false;
        }
        // A queue that named them may have been dropped for a dirty record.
        let is_done = !self.is_dirty(reclaim);
        if !is_done {
            reclaim.stage = Stage::Named;
        }
        is_done
    }

    /// Gives up on pauses, and on queues and dirty records that have named the slots for too long.
    fn wait_no_longer(&mut self, now: Time, patience: Duration, reclaim: &Reclaim) {
        let names = |up: &Up| up.dirty.names_any(reclaim.shard, &reclaim.slots);
        for slot in self.clients.slots() {
            let up = self.clients.up_mut(slot);
            if up.is_some_and(|up| up.is_paused() && names(up)) {
                self.unpause(now, slot);
            }
        }
        let is_late = |slot: &ClientSlot| {
            let up = self.clients.get(*slot).and_then(|state| state.up.as_ref());
            up.is_some_and(|up| up.behind_since.is_some_and(|since| now >= since + patience))
        };
        let late: Vec<ClientSlot> = self.clients.slots().into_iter().filter(is_late).collect();
        for slot in late {
            self.stall_if_queued(now, slot);
            if self.clients.up_mut(slot).is_some_and(|up| names(up)) {
                self.lose(now, slot);
            }
        }
    }

    fn turn_period(&mut self) -> u64 {
        let ended = self.output.periods.turn();
        let current = self.output.periods.current().clone();
        self.output.packer.enter(&current);
        ended
    }

    fn is_dirty(&self, reclaim: &Reclaim) -> bool {
        self.clients
            .iter()
            .filter_map(|state| state.up.as_ref())
            .any(|up| up.dirty.names_any(reclaim.shard, &reclaim.slots))
    }

    fn resyncs_asked(&self, shard: ShardId) -> Vec<(ClientSlot, SessionEpoch, u32)> {
        let asked = self.clients.iter().filter_map(|state| {
            let asked = state.up.as_ref()?.resyncs.asked_of(shard)?;
            Some((state.slot(), state.epoch, asked))
        });
        asked.collect()
    }
}
