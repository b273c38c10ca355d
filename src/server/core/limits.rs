//! Prefix limits: counts that shards report, and what passing a limit does.

use std::time::Duration;

use crate::base::{ClientSlot, Family, SessionEpoch, ShardId, Time};
use crate::server::exchange::LimitAction;
use crate::server::message::{CountChange, ToShard};
use crate::session::{Stop, StopHold};
use crate::wire::CeaseSubcode;

use super::SessionCore;
use super::counts::{Asking, Breach};

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
            return;
        };
        let limits = &state.client.limits;
        let Some(up) = &mut state.up else { return };
        let mut breach = None;
        for change in counts {
            breach = Breach::worse(breach, up.counts.apply(shard, change, limits), limits);
        }
        self.review_limits(now, slot, breach);
    }

    /// Acts on a limit that was passed, and sees to what "block" asks for now.
    pub(super) fn review_limits(&mut self, now: Time, slot: ClientSlot, breach: Option<Breach>) {
        match breach {
            Some(Breach::Received(family)) => return self.end_over_limit(now, slot, family, true),
            Some(Breach::Accepted(family)) => {
                if self.handle_accepted_breach(now, slot, family) {
                    return;
                }
                self.warn_of_others(now, slot, family);
            }
            None => {}
        }
        for family in Family::ALL {
            self.review_block(now, slot, family);
        }
    }

    /// Asks the questions that were put off.
    pub(super) fn review_due_blocks(&mut self, now: Time) {
        if self.blocks_due.is_none_or(|due| due > now) {
            return;
        }
        self.blocks_due = None;
        for slot in self.clients.slots() {
            for family in Family::ALL {
                let is_stale = self.clients.up_mut(slot).is_some_and(|up| {
                    let block = &up.blocks[family.index()];
                    block.is_stale && block.asking.is_none()
                });
                if is_stale {
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
            tracing::warn!(client = name.as_str(), %family, max, ?action, "more accepted prefixes than accepted_max");
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
            return;
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
        };
        self.stop(now, slot, stop);
    }

    /// Asks for the hashes that decide what "block" keeps, or lifts it.
    fn review_block(&mut self, now: Time, slot: ClientSlot, family: Family) {
        let SessionCore {
            clients,
            links,
            blocks_due,
            ..
        } = self;
        let Some(state) = clients.get_mut(slot) else {
            return;
        };
        let limits = state.client.prefix_limits(family);
        let epoch = state.epoch;
        let Some(up) = &mut state.up else { return };
        let block = &mut up.blocks[family.index()];
        let keeps_back = matches!(
            limits.accepted_action,
            LimitAction::Block | LimitAction::Reject
        );
        let max = limits.accepted_max.filter(|_| keeps_back);
        let is_over = max.is_some_and(|max| up.counts.accepted[family.index()] > i64::from(max));
        if !is_over {
            if block.from.take().is_some() {
                links.push_all(|| ToShard::BlockFrom {
                    slot,
                    epoch,
                    family,
                    hash: None,
                });
            }
            block.is_stale = block.asking.is_some();
            return;
        }
        if limits.accepted_action == LimitAction::Reject {
            if block.from.replace(0) != Some(0) {
                links.push_all(|| ToShard::BlockFrom {
                    slot,
                    epoch,
                    family,
                    hash: Some(0),
                });
            }
            return;
        }
        if block.asking.is_some() {
            block.is_stale = true;
            return;
        }
        if now < block.next_ask {
            block.is_stale = true;
            *blocks_due = Some(blocks_due.map_or(block.next_ask, |due| due.min(block.next_ask)));
            return;
        }
        block.is_stale = false;
        block.next_ask = now + ASKS_APART;
        block.asking = Some(Asking {
            hashes: Vec::new(),
            left: links.shard_count(),
        });
        links.push_all(|| ToShard::AskHashes {
            slot,
            epoch,
            family,
        });
    }

    pub(super) fn handle_hashes(
        &mut self,
        now: Time,
        (slot, epoch): (ClientSlot, SessionEpoch),
        family: Family,
        hashes: Vec<u64>,
    ) {
        let SessionCore { clients, links, .. } = self;
        let Some(state) = clients.up_of_mut(slot, epoch) else {
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
        if block.from != hash {
            block.from = hash;
            links.push_all(|| ToShard::BlockFrom {
                slot,
                epoch,
                family,
                hash,
            });
        }
        if std::mem::take(&mut block.is_stale) {
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
