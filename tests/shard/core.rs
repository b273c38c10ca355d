//! A session core reduced to what shards can see of it, with lossy clients.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use rialto::base::*;
use rialto::policy::PrefixClass;
use rialto::server::Shard;
use rialto::server::message::*;
use rialto::server::query::{Explanation, ShardQuery, ShardReply};
use rialto::wire::{AttributeSet, EncodingClass, Variant};

use crate::exchange::{Exchange, address_of, compile, router_id_of};
use crate::{Random, naive};

/// Far more than any of these tests needs.
const SETTLE_STEPS_MAX: usize = 2_000_000;

pub type Held = (Arc<AttributeSet>, Variant);

/// The client's end: what arrived.
#[derive(Default)]
pub struct Peer {
    pub epoch: u32,
    pub up: bool,
    pub add_path: bool,
    /// Shards that have promoted this session.
    live: BTreeSet<u16>,
    losing: bool,
    dirty: BTreeSet<(u16, DirtyPrefix)>,
    pub has: BTreeMap<(Prefix, Option<PathId>), Held>,
    seq: u64,
}

/// Walks as the core sees them: one at a time.
struct Walk {
    id: WalkId,
    clients: Vec<(ClientSlot, u32)>,
    /// Shards whose stream has begun, and those that have promoted.
    begun: BTreeSet<u16>,
    live: BTreeSet<u16>,
    ended: BTreeSet<u16>,
    promoted: BTreeSet<u16>,
}

pub struct World {
    pub exchange: Exchange,
    generation: u32,
    shards: Vec<Shard>,
    to_shard: Vec<VecDeque<ToShard>>,
    to_core: Vec<VecDeque<ToCore>>,
    pub peers: Vec<Peer>,
    joining: BTreeSet<ClientSlot>,
    walk: Option<Walk>,
    walk_count: u32,
    /// What each client announced and is owed to others, as the naive server has it.
    pub announced: HashMap<(ClientSlot, Prefix), (Arc<AttributeSet>, PrefixClass)>,
    now: Time,
    counted: HashMap<ClientSlot, [i32; 2]>,
    /// Prefix slots offered for reuse.
    pub reclaimed_count: usize,
}

impl World {
    pub fn new(seed: u64, shards: u16, exchange: Exchange) -> World {
        let compiled = compile(&exchange, 1, shards);
        World {
            generation: 1,
            shards: (0..shards)
                .map(|shard| Shard::new(ShardId(shard), compiled.clone(), seed))
                .collect(),
            to_shard: (0..shards).map(|_| VecDeque::new()).collect(),
            to_core: (0..shards).map(|_| VecDeque::new()).collect(),
            peers: (0..exchange.clients).map(|_| Peer::default()).collect(),
            joining: BTreeSet::new(),
            walk: None,
            walk_count: 0,
            announced: HashMap::new(),
            now: Time::ZERO,
            counted: HashMap::new(),
            reclaimed_count: 0,
            exchange,
        }
    }

    fn tell_all(&mut self, make: impl Fn() -> ToShard) {
        self.to_shard
            .iter_mut()
            .for_each(|queue| queue.push_back(make()));
    }

    pub fn client_up(&mut self, slot: ClientSlot, add_path: bool) {
        let peer = &mut self.peers[slot.index()];
        if peer.up {
            return;
        }
        *peer = Peer {
            epoch: peer.epoch + 1,
            up: true,
            add_path,
            ..Peer::default()
        };
        let ipv4 = FamilySet::only(Family::Ipv4);
        let up = ClientUp {
            slot,
            epoch: SessionEpoch(peer.epoch),
            families: ipv4,
            class: EncodingClass {
                add_path: if add_path { ipv4 } else { FamilySet::EMPTY },
                ..EncodingClass::PLAIN
            },
            router_id: router_id_of(slot, peer.epoch),
            stale: FamilySet::EMPTY,
            takes_stale: false,
        };
        self.tell_all(|| ToShard::ClientUp(up.clone()));
        self.joining.insert(slot);
        self.counted.remove(&slot);
    }

    pub fn client_down(&mut self, slot: ClientSlot) {
        let peer = &mut self.peers[slot.index()];
        if !peer.up {
            return;
        }
        peer.up = false;
        peer.has.clear();
        peer.live.clear();
        let epoch = SessionEpoch(peer.epoch);
        self.joining.remove(&slot);
        self.announced
            .retain(|(announcer, _), _| *announcer != slot);
        let stale = FamilySet::EMPTY;
        self.tell_all(|| ToShard::ClientDown {
            slot,
            epoch,
            stale,
            long_lived: stale,
        });
    }

    pub fn refresh(&mut self, slot: ClientSlot) {
        if self.peers[slot.index()].up {
            self.joining.insert(slot);
        }
    }

    /// What the shards say of the fates of a prefix's paths, once settled.
    pub fn explain(&mut self, prefix: Prefix, to: ClientSlot) -> Explanation {
        let shard = shard_of(&prefix, self.shard_count());
        match self.ask(shard.0, ShardQuery::Explain { prefix, to }) {
            ShardReply::Explain(explanation) => explanation,
            other => panic!("{other:?} is no explanation"),
        }
    }

    pub fn shard_count(&self) -> u16 {
        self.shards.len() as u16
    }

    pub fn ask(&mut self, shard: u16, query: ShardQuery) -> ShardReply {
        let shard = &mut self.shards[usize::from(shard)];
        shard.handle(self.now, ToShard::Query { id: 1, query });
        let (_, reply) = shard.poll_reply().expect("it answers at once");
        reply
    }

    /// From now on the client's queue is a dirty record.
    pub fn lose_deltas(&mut self, slot: ClientSlot) {
        self.peers[slot.index()].losing = true;
    }

    pub fn reload(&mut self, change: impl FnOnce(&mut Exchange)) {
        change(&mut self.exchange);
        self.generation += 1;
        let compiled = compile(&self.exchange, self.generation, self.shards.len() as u16);
        self.tell_all(|| ToShard::Reload(compiled.clone()));
    }

    pub fn announce(
        &mut self,
        slot: ClientSlot,
        set: Arc<AttributeSet>,
        routes: Vec<(Prefix, PrefixClass)>,
    ) {
        let mut routes = routes;
        routes.sort_by_key(|(prefix, _)| *prefix);
        routes.dedup_by_key(|(prefix, _)| *prefix);
        if !self.peers[slot.index()].up {
            return;
        }
        for (prefix, verdict) in &routes {
            // Generations do not judge again: their verdicts are the ones these tests drew.
            self.announced
                .insert((slot, *prefix), (set.clone(), *verdict));
        }
        self.send_routes(slot, Some(set), routes);
    }

    pub fn withdraw(&mut self, slot: ClientSlot, prefixes: &[Prefix]) {
        if !self.peers[slot.index()].up {
            return;
        }
        for prefix in prefixes {
            self.announced.remove(&(slot, *prefix));
        }
        let routes = prefixes
            .iter()
            .map(|prefix| (*prefix, PrefixClass::ACCEPTED))
            .collect();
        self.send_routes(slot, None, routes);
    }

    fn send_routes(
        &mut self,
        slot: ClientSlot,
        set: Option<Arc<AttributeSet>>,
        routes: Vec<(Prefix, PrefixClass)>,
    ) {
        let peer = &mut self.peers[slot.index()];
        peer.seq += 1;
        for shard in 0..self.shards.len() as u16 {
            let mine = |route: &&(Prefix, PrefixClass)| {
                shard_of(&route.0, self.shards.len() as u16) == ShardId(shard)
            };
            let prefixes: Vec<_> = routes.iter().filter(mine).copied().collect();
            let update = RouteUpdate {
                seq: peer.seq,
                set: set.clone(),
                prefixes: 0..prefixes.len() as u32,
            };
            let batch = RouteBatch {
                slot,
                epoch: SessionEpoch(peer.epoch),
                // Never older than the shard's, so that drawn verdicts stand.
                generation: Generation(u32::MAX),
                heard: Time::NEVER,
                updates: vec![update],
                prefixes,
            };
            self.to_shard[usize::from(shard)].push_back(ToShard::Routes(batch));
        }
    }

    pub fn step(&mut self, random: &mut Random, count: u64) {
        for _ in 0..random.below(count) + 1 {
            self.step_once(random);
        }
    }

    fn step_once(&mut self, random: &mut Random) {
        self.now = self.now + std::time::Duration::from_micros(random.below(2_000));
        let shard = random.below(self.shards.len() as u64) as usize;
        match random.below(4) {
            0 => {
                for _ in 0..random.below(4) {
                    if let Some(message) = self.to_shard[shard].pop_front() {
                        self.shards[shard].handle(self.now, message);
                    }
                }
            }
            1 => {
                self.shards[shard].turn(self.now);
                while let Some((core, message)) = self.shards[shard].poll_to_core() {
                    if random.chance(20) {
                        self.shards[shard].put_back(core, message);
                        break;
                    }
                    self.to_core[shard].push_back(message);
                }
            }
            2 => {
                if let Some(message) = self.to_core[shard].pop_front() {
                    self.handle_from_shard(shard as u16, message);
                }
            }
            _ => self.core_turn(random),
        }
    }

    fn core_turn(&mut self, random: &mut Random) {
        if self.walk.is_none() && !self.joining.is_empty() {
            self.walk_count += 1;
            let id = WalkId(self.walk_count);
            let joining = std::mem::take(&mut self.joining);
            let clients = joining
                .iter()
                .map(|slot| (*slot, self.peers[slot.index()].epoch))
                .collect();
            let set: Arc<ClientSet> = Arc::new(joining.into_iter().collect());
            self.walk = Some(Walk {
                id,
                clients,
                begun: BTreeSet::new(),
                live: BTreeSet::new(),
                ended: BTreeSet::new(),
                promoted: BTreeSet::new(),
            });
            let families = FamilySet::only(Family::Ipv4);
            self.tell_all(|| ToShard::Walk {
                core: CoreId(0),
                walk: id,
                clients: set.clone(),
                families,
                joint: false,
            });
        }
        let slot = ClientSlot(random.below(self.peers.len() as u64) as u16);
        let peer = &mut self.peers[slot.index()];
        if peer.losing && random.chance(20) {
            peer.losing = false;
        }
        if !peer.losing && !peer.dirty.is_empty() {
            for shard in 0..self.shards.len() as u16 {
                let dirty: Vec<_> = peer
                    .dirty
                    .iter()
                    .filter(|(of, _)| *of == shard)
                    .map(|(_, dirty)| *dirty)
                    .collect();
                let epoch = SessionEpoch(peer.epoch);
                self.to_shard[usize::from(shard)].push_back(ToShard::Resync { slot, epoch, dirty });
            }
            peer.dirty.clear();
        }
    }

    fn handle_from_shard(&mut self, shard: u16, message: ToCore) {
        match message {
            ToCore::Deltas(batch) => {
                self.assert_walked_to_are_left_out(shard, &batch);
                self.deliver(shard, &batch, None);
            }
            ToCore::WalkDeltas { walk, batch } => {
                if let Some(active) = self.walk.as_mut().filter(|active| active.id == walk) {
                    active.begun.insert(shard);
                }
                self.deliver(shard, &batch, Some(walk));
            }
            ToCore::WalkEnd { walk } => self.handle_walk_end(shard, walk),
            ToCore::Promoting { walk } => self.handle_promoting(shard, walk),
            ToCore::Promoted { walk } => self.handle_promoted(shard, walk),
            ToCore::Counts {
                slot,
                epoch,
                counts,
            } => {
                if self.peers[slot.index()].epoch == epoch.0 {
                    let total = self.counted.entry(slot).or_default();
                    for change in counts {
                        total[0] += change.received[0];
                        total[1] += change.accepted[0];
                    }
                }
            }
            ToCore::Reclaim { batch, slots } => {
                self.reclaimed_count += slots.len();
                self.to_shard[usize::from(shard)].push_back(ToShard::Reclaimed {
                    core: CoreId(0),
                    batch,
                });
            }
            ToCore::Hurry { .. }
            | ToCore::Hashes { .. }
            | ToCore::OverBudget { .. }
            | ToCore::Resynced { .. }
            | ToCore::Reloaded { .. } => {}
        }
    }

    /// Who is being walked to is in no ordinary change until it is promoted.
    fn assert_walked_to_are_left_out(&self, shard: u16, batch: &DeltaBatch) {
        let Some(walk) = self
            .walk
            .as_ref()
            .filter(|walk| walk.begun.contains(&shard) && !walk.live.contains(&shard))
        else {
            return;
        };
        for (slot, epoch) in &walk.clients {
            let peer = &self.peers[slot.index()];
            let is_told = batch
                .groups
                .iter()
                .any(|group| group.audience.contains(*slot));
            assert!(
                !is_told || !peer.up || peer.epoch != *epoch,
                "{slot:?} is told of a change in the middle of its walk"
            );
        }
    }

    fn handle_walk_end(&mut self, shard: u16, id: WalkId) {
        let Some(walk) = self.walk.as_mut().filter(|walk| walk.id == id) else {
            panic!("a walk nobody asked for")
        };
        walk.begun.insert(shard);
        assert!(walk.ended.insert(shard));
        if walk.ended.len() == self.shards.len() {
            self.tell_all(|| ToShard::Promote {
                core: CoreId(0),
                walk: id,
            });
        }
    }

    fn handle_promoting(&mut self, shard: u16, id: WalkId) {
        let Some(walk) = self.walk.as_mut().filter(|walk| walk.id == id) else {
            panic!("a walk nobody asked for")
        };
        walk.live.insert(shard);
        for (slot, epoch) in &walk.clients {
            let peer = &mut self.peers[slot.index()];
            if peer.up && peer.epoch == *epoch {
                peer.live.insert(shard);
            }
        }
    }

    fn handle_promoted(&mut self, shard: u16, id: WalkId) {
        let Some(walk) = self.walk.as_mut().filter(|walk| walk.id == id) else {
            panic!("a walk nobody asked for")
        };
        walk.promoted.insert(shard);
        if walk.promoted.len() == self.shards.len() {
            self.walk = None;
        }
    }

    fn deliver(&mut self, shard: u16, batch: &DeltaBatch, walk: Option<WalkId>) {
        for group in &batch.groups {
            for slot in group.audience.iter() {
                let peer = &mut self.peers[slot.index()];
                let due = match walk {
                    None => peer.live.contains(&shard),
                    Some(id) => self.walk.as_ref().is_some_and(|walk| {
                        walk.id == id && walk.clients.contains(&(slot, peer.epoch))
                    }),
                };
                if !peer.up || !due {
                    continue;
                }
                assert_eq!(
                    group.path_id.is_some(),
                    peer.add_path,
                    "ADD-PATH goes to those that want it"
                );
                for index in group.prefixes.start as usize..group.prefixes.end as usize {
                    let key = (batch.prefixes[index], group.path_id);
                    if peer.losing {
                        let dirty = DirtyPrefix {
                            prefix: batch.slots[index],
                            path_id: group.path_id,
                        };
                        peer.dirty.insert((shard, dirty));
                        continue;
                    }
                    match &group.content {
                        DeltaContent::Announce { set, variant } => {
                            peer.has.insert(key, (set.clone(), *variant))
                        }
                        DeltaContent::Withdraw => peer.has.remove(&key),
                    };
                }
            }
        }
    }

    /// Until nothing moves any more.
    pub fn settle(&mut self, random: &mut Random) {
        for peer in &mut self.peers {
            peer.losing = false;
        }
        let (mut quiet, mut steps) = (0, 0);
        while quiet < 200 * self.shards.len() + 40 * self.peers.len() {
            self.step_once(random);
            self.now = self.now + std::time::Duration::from_millis(20);
            let busy = self.walk.is_some()
                || !self.joining.is_empty()
                || self.to_core.iter().any(|queue| !queue.is_empty())
                || self.to_shard.iter().any(|queue| !queue.is_empty())
                || self
                    .peers
                    .iter()
                    .any(|peer| peer.up && !peer.dirty.is_empty());
            quiet = if busy { 0 } else { quiet + 1 };
            steps += 1;
            assert!(steps < SETTLE_STEPS_MAX, "it never comes to rest");
        }
        self.check_prefix_count();
    }

    /// The shards' own count of prefixes that have a path.
    fn check_prefix_count(&mut self) {
        let prefixes: BTreeSet<Prefix> = self.announced.keys().map(|(_, prefix)| *prefix).collect();
        let mut count = 0;
        for shard in &mut self.shards {
            let query = ShardQuery::Stats;
            shard.handle(self.now, ToShard::Query { id: 7, query });
            match shard.poll_reply() {
                Some((7, ShardReply::Stats(stats))) => count += stats.prefixes,
                other => panic!("no statistics but {other:?}"),
            }
        }
        assert_eq!(count, prefixes.len() as u64, "prefixes counted");
    }

    pub fn check(&self, seed: u64) {
        let order = |slot: ClientSlot| {
            (
                router_id_of(slot, self.peers[slot.index()].epoch),
                address_of(slot),
            )
        };
        for slot in (0..self.peers.len() as u16)
            .map(ClientSlot)
            .filter(|slot| self.peers[slot.index()].up)
        {
            let peer = &self.peers[slot.index()];
            let due = naive::due(&self.announced, slot, peer.add_path, &self.exchange, &order);
            let at = format!(
                "seed {seed}, {} shards, {slot:?} (add_path {})",
                self.shards.len(),
                peer.add_path
            );
            let keys = |map: &BTreeMap<(Prefix, Option<PathId>), Held>| {
                map.keys().copied().collect::<Vec<_>>()
            };
            assert_eq!(keys(&peer.has), keys(&due), "{at}: prefixes");
            for (key, has) in &peer.has {
                assert_eq!(has, &due[key], "{at}: {key:?}");
            }
            let own: Vec<_> = self
                .announced
                .iter()
                .filter(|((announcer, _), _)| *announcer == slot)
                .collect();
            let accepted = own
                .iter()
                .filter(|(_, (_, verdict))| verdict.is_accepted())
                .count() as i32;
            let counted = self.counted.get(&slot).copied().unwrap_or_default();
            assert_eq!(counted, [own.len() as i32, accepted], "{at}: counts");
        }
    }
}
