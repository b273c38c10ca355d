//! Bringing clients that join or ask for a refresh to the present state: one walk at a time, for as
//! many of them as wait.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{ClientSet, ClientSlot, Family, FamilySet, ShardId, Time, WalkId};
use crate::fanout::{DeltaBatch, Marker, Step, WalkMerge};
use crate::server::message::ToShard;

use super::SessionCore;
use super::output::{Output, deliver};

/// Prefixes consumed in one go, before others have their turn.
const PREFIXES_AT_ONCE: usize = 16_384;

/// After a walk for refreshes, the next one is this long in coming: each is a walk over the whole
/// table, and clients may ask for one after another. All who wait share it.
const REFRESHES_APART: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Walks {
    waiting: Vec<Waiting>,
    active: Option<Walk>,
    next_refresh: Time,
    last_id: u32,
}

struct Waiting {
    slot: ClientSlot,
    families: FamilySet,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Join,
    Refresh,
}

struct Walk {
    id: WalkId,
    kind: Kind,
    families: FamilySet,
    /// Those whose session is still the one the walk began for.
    members: ClientSet,
    merge: WalkMerge,
    /// The first groups are consumed.
    has_begun: bool,
    /// All streams are consumed; so many shards have said Promoted.
    promoted: Option<u16>,
}

impl Walks {
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// The session of a client is over.
    pub fn forget(&mut self, slot: ClientSlot) {
        self.waiting.retain(|waiting| waiting.slot != slot);
        if let Some(walk) = &mut self.active {
            walk.members.remove(slot);
        }
    }

    pub fn handle_deltas(&mut self, walk: WalkId, batch: Arc<DeltaBatch>) {
        if let Some(active) = self.active.as_mut().filter(|active| active.id == walk) {
            active.merge.handle_batch(batch);
        }
    }

    /// When the refreshes that wait may begin.
    pub fn due(&self, is_startup_over: bool) -> Option<Time> {
        let waits = is_startup_over && self.active.is_none() && !self.waiting.is_empty();
        waits.then_some(self.next_refresh)
    }

    fn does_anyone_join(&self) -> bool {
        self.waiting
            .iter()
            .any(|waiting| waiting.kind == Kind::Join)
    }

    fn join(&mut self, slot: ClientSlot, families: FamilySet) {
        self.waiting.push(Waiting {
            slot,
            families,
            kind: Kind::Join,
        });
    }

    fn refresh(&mut self, slot: ClientSlot, family: Family) {
        match self.waiting.iter_mut().find(|waiting| waiting.slot == slot) {
            Some(waiting) => waiting.families = waiting.families.with(family),
            None => {
                let families = FamilySet::only(family);
                self.waiting.push(Waiting {
                    slot,
                    families,
                    kind: Kind::Refresh,
                });
            }
        }
    }

    /// Makes the walk that follows the start, for all who are up: perhaps nobody.
    fn start_joint(&mut self, shard_count: u16) -> &Walk {
        let (mut families, mut members) = (FamilySet::EMPTY, ClientSet::new());
        for waiting in self.waiting.extract_if(.., |it| it.kind == Kind::Join) {
            families = families.union(waiting.families);
            members.insert(waiting.slot);
        }
        self.begin(Kind::Join, families, members, shard_count)
    }

    /// Makes the next walk: for all who join, or for all who want the same families again.
    fn start(&mut self, now: Time, shard_count: u16) -> Option<&Walk> {
        let kind = match self.does_anyone_join() {
            true => Kind::Join,
            false if now < self.next_refresh => return None,
            false => Kind::Refresh,
        };
        let wanted = self
            .waiting
            .iter()
            .find(|waiting| waiting.kind == kind)?
            .families;
        let (mut families, mut members) = (wanted, ClientSet::new());
        self.waiting.retain(|waiting| {
            let taken = waiting.kind == kind && (kind == Kind::Join || waiting.families == wanted);
            if taken {
                families = families.union(waiting.families);
                members.insert(waiting.slot);
            }
            !taken
        });
        Some(self.begin(kind, families, members, shard_count))
    }

    fn begin(
        &mut self,
        kind: Kind,
        families: FamilySet,
        members: ClientSet,
        shard_count: u16,
    ) -> &Walk {
        self.last_id += 1;
        self.active.insert(Walk {
            id: WalkId(self.last_id),
            kind,
            families,
            members,
            merge: WalkMerge::new(shard_count),
            has_begun: false,
            promoted: None,
        })
    }
}

impl SessionCore {
    pub(super) fn ask_join(&mut self, slot: ClientSlot, families: FamilySet) {
        self.walks.join(slot, families);
    }

    pub(super) fn ask_refresh(&mut self, slot: ClientSlot, family: Family) {
        self.walks.refresh(slot, family);
    }

    pub(super) fn handle_walk_end(&mut self, shard: ShardId, walk: WalkId) {
        let Some(active) = self
            .walks
            .active
            .as_mut()
            .filter(|active| active.id == walk)
        else {
            return;
        };
        active.merge.handle_end(shard);
    }

    /// Nothing of an earlier session of the members can come after this.
    pub(super) fn handle_promoting(&mut self, shard: ShardId, walk: WalkId) {
        if let Some(active) = self
            .walks
            .active
            .as_ref()
            .filter(|active| active.id == walk)
        {
            self.output.enliven(shard, &active.members);
        }
    }

    pub(super) fn handle_promoted(&mut self, now: Time, walk: WalkId) {
        let Some(active) = self
            .walks
            .active
            .as_mut()
            .filter(|active| active.id == walk)
        else {
            return;
        };
        let Some(promoted) = &mut active.promoted else {
            return;
        };
        *promoted += 1;
        if *promoted == self.links.shard_count() {
            self.finish_walk(now);
        }
    }

    pub(super) fn pump_walk(&mut self, now: Time) {
        if self.walks.active.is_none() && self.startup.is_over() {
            if !self.walks.waiting.is_empty() {
                // Between walks, so that one after another does not keep freed slots from reuse.
                self.reclaims.look_now();
                self.pump_reclaims(now);
            }
            self.start_walk(now);
        }
        if self
            .walks
            .active
            .as_ref()
            .is_some_and(|walk| walk.promoted.is_none())
        {
            self.consume_walk(now);
        }
    }

    /// The walk of all cores together that brings everybody who is up to the present state.
    pub(super) fn start_joint_walk(&mut self) {
        debug_assert!(self.walks.active.is_none(), "nobody is walked to before");
        self.walks.start_joint(self.links.shard_count());
        self.ask_walk(true);
    }

    fn start_walk(&mut self, now: Time) {
        if self.walks.start(now, self.links.shard_count()).is_some() {
            self.ask_walk(false);
        }
    }

    /// Asks the shards for the walk that was just made.
    fn ask_walk(&mut self, joint: bool) {
        let Some(walk) = &self.walks.active else {
            return;
        };
        for slot in walk.members.iter() {
            if let Some(up) = self.clients.up_mut(slot) {
                up.is_walking = true;
                // A walk of some families does not bring back who lacks everything.
                let spoken = up.session.negotiated.families;
                up.is_lost &= walk.families.intersection(spoken) != spoken;
            }
        }
        let (id, families, clients) = (walk.id, walk.families, Arc::new(walk.members.clone()));
        let core = self.core;
        self.links.push_all(|| ToShard::Walk {
            core,
            walk: id,
            clients: clients.clone(),
            families,
            joint,
        });
    }

    /// Merges what has come of the streams, within the budget.
    fn consume_walk(&mut self, now: Time) {
        let Some(mut walk) = self.walks.active.take() else {
            return;
        };
        if !walk.has_begun && walk.merge.is_ready() {
            walk.has_begun = true;
            // Changes that came before the walk must not overtake it.
            self.flush_window(now);
            self.queue_markers(now, &walk, Marker::RefreshBegin);
        }
        let step = if walk.has_begun {
            self.merge_walk(now, &mut walk)
        } else {
            Step::Waiting
        };
        if step == Step::Done {
            walk.promoted = Some(0);
            let (core, id) = (self.core, walk.id);
            self.links.push_all(|| ToShard::Promote { core, walk: id });
        } else if step == Step::Groups && !self.is_over_budget() {
            self.work_due = Some(now);
        }
        self.walks.active = Some(walk);
    }

    /// Hands out a piece of the merged streams; [`Step::Groups`] if there may be more.
    fn merge_walk(&mut self, now: Time, walk: &mut Walk) -> Step {
        let mut prefix_count = 0;
        let mut last = Step::Groups;
        while last == Step::Groups && prefix_count < PREFIXES_AT_ONCE && !self.is_over_budget() {
            let SessionCore {
                output, clients, ..
            } = self;
            let Output {
                packer,
                classes,
                stalled,
                ..
            } = output;
            last = walk.merge.step(|alike| {
                prefix_count += alike
                    .iter()
                    .map(|(_, group)| group.prefixes.len())
                    .sum::<usize>();
                deliver(alike, &walk.members, stalled, clients, (packer, classes));
            });
        }
        self.hand_out(now);
        last
    }

    fn finish_walk(&mut self, now: Time) {
        // What changed during the walk comes before the markers.
        self.flush_window(now);
        let Some(walk) = self.walks.active.take() else {
            return;
        };
        for slot in walk.members.iter() {
            if let Some(up) = self.clients.up_mut(slot) {
                up.is_walking = false;
            }
        }
        match walk.kind {
            Kind::Join => self.queue_markers(now, &walk, Marker::EndOfRib),
            Kind::Refresh => {
                self.walks.next_refresh = now + REFRESHES_APART;
                self.queue_markers(now, &walk, Marker::RefreshEnd);
            }
        }
    }

    /// The marker for each family of the walk that a member negotiated, where it wants one.
    fn queue_markers(&mut self, now: Time, walk: &Walk, marker: fn(Family) -> Marker) {
        for slot in walk.members.iter() {
            let Some(up) = self.clients.up_mut(slot) else {
                continue;
            };
            let families = walk.families.intersection(up.session.negotiated.families);
            let is_wanted = match marker(Family::Ipv4) {
                Marker::EndOfRib(_) => true,
                // One that is lost in the middle gets another refresh, with its own markers.
                _ => {
                    walk.kind == Kind::Refresh
                        && up.session.negotiated.enhanced_refresh
                        && !up.is_lost
                }
            };
            if is_wanted {
                families.iter().for_each(|family| up.owe(marker(family)));
                self.pay_markers(now, slot);
            }
        }
    }
}
