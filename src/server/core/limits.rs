//! Prefix limits: counts that shards report, and what passing a limit does.

use std::time::Duration;

use crate::base::{ClientSlot, Family, Generation, SessionEpoch, ShardId, Time};
use crate::server::exchange::LimitAction;
use crate::server::message::{CountChange, ToShard};
use crate::session::{Parting, Stop, StopHold};
use crate::wire::CeaseSubcode;

use super::SessionCore;
use super::counts::{Asking, Breach};
use super::rejection::Rejection;
use super::timers::earliest;

/// Each question for hashes makes shards look at their whole tables: how far apart they are for one
/// client and family.
const ASKS_APART: Duration = Duration::from_millis(500);

impl SessionCore {
    pub(super) fn handle_counts(
        &mut self,
        now: Time,
        shard: ShardId,
        (slot, epoch): (ClientSlot, SessionEpoch),
        counts: &[CountChange],
    ) {
        let Some(state) = self.clients.up_of_mut(slot, epoch) else {
            return self.count_stale(shard, (slot, epoch), counts);
        };
        let limits = &state.client.limits;
        let Some(up) = &mut state.up else { return };
        let mut breach = None;
        for change in counts {
            let tally = &mut state.history.tally;
            let passed = up.counts.apply(shard, change, limits, tally);
            breach = Breach::worse(breach, passed, limits);
        }
        // What a reload changed is judged when all shards have told of it.
        if counts.iter().any(|change| change.seq != 0) {
            self.review_limits(now, slot, breach);
        }
    }

    /// Acts on a limit that was passed, and sees to what "block" asks for now.
    pub(super) fn review_limits(&mut self, now: Time, slot: ClientSlot, breach: Option<Breach>) {
        match breach {
            Some(Breach::Received(family)) => return self.end_over_limit(now, slot, family, true),
            Some(Breach::Accepted(family)) if self.is_settled() => {
                if self.handle_accepted_breach(now, slot, family) {
                    return;
                }
                self.warn_of_others(now, slot, family);
            }
            _ => {}
        }
        for family in Family::ALL {
            self.review_block(now, slot, family);
        }
    }

    /// Asks the questions that were put off, and ends what has lasted long enough.
    pub(super) fn review_due_blocks(&mut self, now: Time) {
        if self.blocks_due.is_none_or(|due| due > now) {
            return;
        }
        self.blocks_due = None;
        let end = self.exchange.limits.rejection;
        for slot in self.clients.slots() {
            for family in Family::ALL {
                let is_due = self.clients.up_mut(slot).is_some_and(|up| {
                    let block = &up.blocks[family.index()];
                    block.is_stale && block.asking.is_none() || block.rejection.ends(&end).is_some()
                });
                if is_due {
                    self.review_block(now, slot, family);
                }
            }
        }
    }

    /// A limit that closes comes first; those of other families can only be worth a warning.
    fn warn_of_others(&mut self, now: Time, slot: ClientSlot, but: Family) {
        for family in Family::ALL.into_iter().filter(|family| *family != but) {
            let is_over = self.clients.get(slot).is_some_and(|state| {
                let limits = &state.client.limits;
                let counts = state.up.as_ref().map(|up| &up.counts);
                counts.is_some_and(|counts| counts.is_over_accepted(family, limits))
            });
            if is_over && self.handle_accepted_breach(now, slot, family) {
                return;
            }
        }
    }

    /// True: the session is over.
    fn handle_accepted_breach(&mut self, now: Time, slot: ClientSlot, family: Family) -> bool {
        let Some(state) = self.clients.get_mut(slot) else {
            return true;
        };
        let limits = *state.client.prefix_limits(family);
        match limits.accepted_action {
            LimitAction::Shutdown | LimitAction::Restart => {
                self.end_over_limit(
                    now,
                    slot,
                    family,
                    limits.accepted_action == LimitAction::Restart,
                );
                return true;
            }
            LimitAction::Warn | LimitAction::Block | LimitAction::Reject => {}
        }
        let (max, action) = (
            limits.accepted_max.unwrap_or(u32::MAX),
            limits.accepted_action,
        );
        let Some(up) = &mut state.up else { return true };
        if !std::mem::replace(&mut up.has_warned[family.index()], true) {
            let name = &state.client.name;
            if let Some(left_out) = state.history.lines.take(now) {
                tracing::warn!(client = name.as_str(), left_out, %family, max, ?action, "more accepted prefixes than accepted_max");
            }
        }
        false
    }

    fn end_over_limit(&mut self, now: Time, slot: ClientSlot, family: Family, comes_back: bool) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let (hold, wait) = hold(state.client.limit_restart.filter(|_| comes_back));
        let limits = state.client.prefix_limits(family);
        let counts = state.up.as_ref().map(|up| &up.counts);
        let [received, accepted] = counts.map_or([0; 2], |counts| {
            [
                counts.received[family.index()],
                counts.accepted[family.index()],
            ]
        });
        let message = format!(
            "{family} prefix limit passed: {received} received{}, {accepted} accepted{}; {wait}",
            shown(limits.received_max),
            shown(limits.accepted_max),
        );
        self.stop(
            now,
            slot,
            Stop {
                subcode: CeaseSubcode::MaximumPrefixes,
                message,
                hold,
                parting: Parting::Final,
            },
        );
    }

    /// A shard keeps more for a client than its part of the client's budget.
    pub(super) fn handle_over_budget(
        &mut self,
        now: Time,
        shard: ShardId,
        (slot, epoch): (ClientSlot, SessionEpoch),
        octets: u64,
    ) {
        let shard_count = self.links.shard_count();
        let Some(state) = self.clients.up_of_mut(slot, epoch) else {
            return self.stale_over_budget(slot, epoch);
        };
        // A reload may have raised it meanwhile.
        let Some(max) = state.client.attribute_octets_max else {
            return;
        };
        let (hold, wait) = hold(state.client.limit_restart);
        let message = format!(
            "attribute_octets_max passed: {octets} octets of distinct attribute sets on shard {shard}, at most {} on \
             each of {shard_count} ({max} in all); {wait}",
            u64::from(max) / u64::from(shard_count)
        );
        let stop = Stop {
            subcode: CeaseSubcode::OutOfResources,
            message,
            hold,
            parting: Parting::Final,
        };
        self.stop(now, slot, stop);
    }

    /// Asks for the hashes that decide what "block" keeps, begins or ends what "reject" does, or lifts
    /// either.
    fn review_block(&mut self, now: Time, slot: ClientSlot, family: Family) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let limits = *state.client.prefix_limits(family);
        let Some(up) = &mut state.up else { return };
        let block = &mut up.blocks[family.index()];
        match (limits.accepted_action, limits.accepted_max) {
            (LimitAction::Reject, Some(max)) => {
                return self.review_rejection(now, slot, family, max);
            }
            _ => block.rejection = Rejection::default(),
        }
        let keeps_back = limits.accepted_action == LimitAction::Block;
        let max = limits.accepted_max.filter(|_| keeps_back);
        let is_over = max.is_some_and(|max| up.counts.accepted[family.index()] > i64::from(max));
        if !is_over {
            block.is_stale = block.asking.is_some();
            return self.block_from(slot, family, None);
        }
        if block.asking.is_some() {
            block.is_stale = true;
            return;
        }
        if now < block.next_ask {
            block.is_stale = true;
            self.blocks_due = earliest(self.blocks_due, block.next_ask);
            return;
        }
        block.is_stale = false;
        block.next_ask = now + ASKS_APART;
        block.asking = Some(Asking {
            hashes: Vec::new(),
            left: self.links.shard_count(),
        });
        let epoch = state.epoch;
        self.links.push_all(|| ToShard::AskHashes {
            slot,
            epoch,
            family,
        });
    }

    fn review_rejection(&mut self, now: Time, slot: ClientSlot, family: Family, max: u32) {
        let is_settled = self.is_settled();
        let end = self.exchange.limits.rejection;
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let Some(up) = &mut state.up else { return };
        let block = &mut up.blocks[family.index()];
        block.is_stale = block.asking.is_some();
        if !is_settled {
            return;
        }
        let was_on = block.rejection.is_on();
        let peak = up.counts.take_peak(family);
        let accepted = up.counts.accepted[family.index()];
        let is_on = block.rejection.review(now, (peak, accepted), max, &end);
        if let Some(ends) = block.rejection.ends(&end) {
            self.blocks_due = earliest(self.blocks_due, ends);
        }
        if was_on != is_on
            && let Some(left_out) = state.history.lines.take(now)
        {
            let client = state.client.name.as_str();
            match is_on {
                true => {
                    tracing::warn!(client, left_out, %family, max, accepted, "all its routes are rejected: more than accepted_max")
                }
                false => {
                    tracing::info!(client, left_out, %family, max, accepted, "its routes are accepted again")
                }
            }
        }
        self.block_from(slot, family, is_on.then_some(0));
    }

    /// Tells the shards which hash is the first that is kept back, where it is another.
    fn block_from(&mut self, slot: ClientSlot, family: Family, hash: Option<u64>) {
        let Some(state) = self.clients.get_mut(slot) else {
            return;
        };
        let epoch = state.epoch;
        let Some(up) = &mut state.up else { return };
        let block = &mut up.blocks[family.index()];
        if std::mem::replace(&mut block.from, hash) != hash {
            self.links.push_all(|| ToShard::BlockFrom {
                slot,
                epoch,
                family,
                hash,
            });
        }
    }

    /// A shard has judged all its paths under this generation, and told what that changed.
    pub(super) fn handle_reloaded(&mut self, now: Time, shard: ShardId, generation: Generation) {
        if let Some(settled) = self.settled.get_mut(shard.index()) {
            *settled = generation;
        }
        self.review_all_limits(now);
    }

    /// Once this core and all shards are of one generation.
    pub(super) fn review_all_limits(&mut self, now: Time) {
        if !self.is_settled() {
            return;
        }
        for slot in self.clients.slots() {
            let Some(state) = self.clients.get_mut(slot) else {
                continue;
            };
            let Some(up) = &mut state.up else { continue };
            up.counts.forget_peaks();
            let breach = up.counts.breach(&state.client.limits);
            self.review_limits(now, slot, breach);
        }
    }

    /// False in the middle of a reload: what is accepted is counted under two generations.
    fn is_settled(&self) -> bool {
        let generation = self.exchange.generation;
        self.settled.iter().all(|settled| *settled == generation)
    }

    pub(super) fn handle_hashes(
        &mut self,
        now: Time,
        (slot, epoch): (ClientSlot, SessionEpoch),
        family: Family,
        hashes: Vec<u64>,
    ) {
        let Some(state) = self.clients.up_of_mut(slot, epoch) else {
            return;
        };
        let limits = *state.client.prefix_limits(family);
        let Some(up) = &mut state.up else { return };
        let block = &mut up.blocks[family.index()];
        let Some(asking) = &mut block.asking else {
            return;
        };
        if limits.accepted_action != LimitAction::Block {
            asking.left -= 1;
            if asking.left == 0 {
                block.asking = None;
                self.review_block(now, slot, family);
            }
            return;
        }
        asking.hashes.extend(hashes);
        asking.left -= 1;
        if asking.left > 0 {
            return;
        }
        let hash = block.asking.take().and_then(|asking| {
            let max = limits.accepted_max?;
            asking.threshold(max)
        });
        let is_stale = std::mem::take(&mut block.is_stale);
        self.block_from(slot, family, hash);
        if is_stale {
            self.review_block(now, slot, family);
        }
    }
}

/// How long a limit keeps a session down, and the same in words.
fn hold(restart: Option<Duration>) -> (StopHold, String) {
    match restart {
        Some(wait) => (
            StopHold::For(wait),
            format!("comes back in {} s", wait.as_secs()),
        ),
        None => (StopHold::UntilStart, "stays down until enabled".to_owned()),
    }
}

fn shown(max: Option<u32>) -> String {
    max.map_or_else(String::new, |max| format!(" (at most {max})"))
}
