//! One shard whose every step is in the test's hands.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use rialto::base::*;
use rialto::policy::{ImportChecks, ImportPolicy, PrefixClass};
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::exchange as server;
use rialto::server::message::*;
use rialto::server::query::{ShardQuery, ShardReply, ShardStats};
use rialto::wire::{AttributeSet, EncodingClass, testing::SetBuilder};

use crate::RS;
use crate::exchange::{self, Exchange};

/// One shard and what it said; time is in the test's hands.
pub struct Bench {
    pub shard: Shard,
    pub now: Time,
    pub said: Vec<ToCore>,
    seq: u64,
    epochs: [u32; 4],
}

const EXCHANGE: Exchange = Exchange {
    clients: 4,
    med: MedMode::SameAs,
    hide_own_as: 0,
};

pub fn prefix(index: u32) -> Prefix {
    Prefix::v4(Ipv4Addr::from(0x0a00_0000 + (index << 8)), 24)
}

pub fn set(slot: u16, tag: u16) -> Arc<AttributeSet> {
    builder(slot, tag).build()
}

/// Its announcer is prepended once for everybody.
pub fn set_with_prepend(slot: u16, tag: u16) -> Arc<AttributeSet> {
    builder(slot, tag).large(&[(RS, 101, 0)]).build()
}

pub fn set_too_long(slot: u16) -> Arc<AttributeSet> {
    let large: Vec<_> = (0..400).map(|number| (3356, number, 1)).collect();
    builder(slot, 0).large(&large).build()
}

/// One of them a hundred octets long, the other short.
pub fn set_with_two_attributes(slot: u16, tag: u16) -> Arc<AttributeSet> {
    let set = builder(slot, tag).attribute(0xd0, 250, vec![7; 100]);
    set.attribute(0xc0, 99, vec![1]).build()
}

/// RFC 8950.
pub fn set_with_v6_next_hop(slot: u16) -> Arc<AttributeSet> {
    let next_hop: Ipv6Addr = "2001:db8::1".parse().expect("it is an address");
    builder(slot, 0).next_hop(next_hop).build()
}

fn builder(slot: u16, tag: u16) -> SetBuilder {
    SetBuilder::new()
        .next_hop(Ipv4Addr::new(10, 77, 1, slot as u8 + 1))
        .as_path(&[exchange::asn_of(ClientSlot(slot)).0])
        .communities(&[(1, tag)])
}

/// Changes one client of an exchange.
pub fn with_client(
    exchange: &mut server::Exchange,
    slot: u16,
    change: impl FnOnce(&mut server::Client),
) {
    let client = exchange.clients[usize::from(slot)].as_mut();
    let client = client.expect("there is such a client");
    change(Arc::get_mut(client).expect("nobody else has it"));
}

impl Bench {
    /// Clients 0 to 3 are up.
    pub fn new() -> Bench {
        let shard = Shard::new(ShardId(0), exchange::compile(&EXCHANGE, 1, 1), 1);
        let mut bench = Bench {
            shard,
            now: Time::ZERO,
            said: Vec::new(),
            seq: 0,
            epochs: [0; 4],
        };
        (0..4).for_each(|slot| bench.up(slot));
        bench
    }

    /// A new session, with the router identifier that the client always has.
    pub fn up(&mut self, slot: u16) {
        self.up_as(slot, Ipv4Addr::new(192, 0, 2, slot as u8 + 1));
    }

    pub fn up_as(&mut self, slot: u16, router_id: Ipv4Addr) {
        self.up_in(slot, router_id, EncodingClass::PLAIN);
    }

    pub fn up_in(&mut self, slot: u16, router_id: Ipv4Addr, class: EncodingClass) {
        self.epochs[usize::from(slot)] += 1;
        self.tell(ToShard::ClientUp(ClientUp {
            class,
            router_id,
            ..self.client_up(slot)
        }));
    }

    /// A new session of a client that forwards what it announced before, and takes what is long-lived.
    pub fn back(&mut self, slot: u16) {
        self.epochs[usize::from(slot)] += 1;
        self.tell(ToShard::ClientUp(ClientUp {
            stale: FamilySet::only(Family::Ipv4),
            takes_stale: true,
            ..self.client_up(slot)
        }));
    }

    fn client_up(&self, slot: u16) -> ClientUp {
        ClientUp {
            slot: ClientSlot(slot),
            epoch: self.epoch(slot),
            families: FamilySet::only(Family::Ipv4),
            class: EncodingClass::PLAIN,
            router_id: Ipv4Addr::new(192, 0, 2, slot as u8 + 1),
            stale: FamilySet::EMPTY,
            takes_stale: false,
        }
    }

    /// Its session ends, and what it announced is long-lived stale.
    pub fn leave(&mut self, slot: u16) {
        self.tell(ToShard::ClientDown {
            slot: ClientSlot(slot),
            epoch: self.epoch(slot),
            stale: FamilySet::EMPTY,
            long_lived: FamilySet::only(Family::Ipv4),
        });
    }

    pub fn down(&mut self, slot: u16) {
        self.tell(ToShard::ClientDown {
            slot: ClientSlot(slot),
            epoch: self.epoch(slot),
            stale: FamilySet::EMPTY,
            long_lived: FamilySet::EMPTY,
        });
    }

    /// A client asks for the present state of prefixes; their slots are in the order they came in.
    pub fn resync(&mut self, slot: u16, range: std::ops::Range<u32>) {
        let dirty = range.map(|index| DirtyPrefix {
            prefix: PrefixSlot(index),
            path_id: None,
        });
        self.tell(ToShard::Resync {
            slot: ClientSlot(slot),
            epoch: self.epoch(slot),
            dirty: dirty.collect(),
        });
    }

    fn epoch(&self, slot: u16) -> SessionEpoch {
        SessionEpoch(self.epochs[usize::from(slot)])
    }

    pub fn tell(&mut self, message: ToShard) {
        self.shard.handle(self.now, message);
    }

    pub fn turn(&mut self) {
        while self.shard.turn(self.now) {
            self.hear();
        }
        self.hear();
    }

    pub fn hear(&mut self) {
        while let Some((_, message)) = self.shard.poll_to_core() {
            self.said.push(message);
        }
    }

    pub fn turn_after(&mut self, time: Duration) {
        self.now = self.now + time;
        self.turn();
    }

    pub fn walk(&mut self, id: u32, slot: u16) {
        self.tell(ToShard::Walk {
            core: CoreId(0),
            walk: WalkId(id),
            clients: Arc::new(ClientSet::only(ClientSlot(slot))),
            families: FamilySet::only(Family::Ipv4),
            joint: false,
        });
    }

    pub fn promote(&mut self, id: u32) {
        let (core, walk) = (CoreId(0), WalkId(id));
        self.tell(ToShard::Promote { core, walk });
    }

    /// The parts of one UPDATE.
    pub fn update(&mut self, slot: u16, parts: Vec<(Option<Arc<AttributeSet>>, Vec<Prefix>)>) {
        self.seq += 1;
        let (mut updates, mut prefixes) = (Vec::new(), Vec::new());
        for (set, named) in parts {
            let start = prefixes.len() as u32;
            prefixes.extend(
                named
                    .into_iter()
                    .map(|prefix| (prefix, PrefixClass::ACCEPTED)),
            );
            updates.push(RouteUpdate {
                seq: self.seq,
                set,
                prefixes: start..prefixes.len() as u32,
            });
        }
        self.tell(ToShard::Routes(RouteBatch {
            slot: ClientSlot(slot),
            epoch: self.epoch(slot),
            generation: Generation(1),
            heard: Time::NEVER,
            updates,
            prefixes,
        }));
    }

    pub fn announce(&mut self, slot: u16, tag: u16, range: std::ops::Range<u32>) {
        self.announce_set(slot, set(slot, tag), range);
    }

    pub fn announce_set(&mut self, slot: u16, set: Arc<AttributeSet>, range: std::ops::Range<u32>) {
        let prefixes = range.map(prefix).collect();
        self.update(slot, vec![(Some(set), prefixes)]);
    }

    /// An enhanced route refresh in which the client has only these to announce.
    pub fn refresh(&mut self, slot: u16, tag: u16, range: std::ops::Range<u32>) {
        self.refresh_mark(slot, None);
        self.announce(slot, tag, range);
        self.seq += 1;
        self.refresh_mark(slot, Some(self.seq));
    }

    fn refresh_mark(&mut self, slot: u16, end: Option<u64>) {
        self.tell(ToShard::Refresh(RefreshMark {
            slot: ClientSlot(slot),
            epoch: self.epoch(slot),
            family: Family::Ipv4,
            end,
        }));
    }

    pub fn withdraw(&mut self, slot: u16, range: std::ops::Range<u32>) {
        self.update(slot, vec![(None, range.map(prefix).collect())]);
    }

    pub fn ask(&mut self, query: ShardQuery) -> ShardReply {
        self.tell(ToShard::Query { id: 1, query });
        let (_, reply) = self.shard.poll_reply().expect("it answers at once");
        reply
    }

    pub fn stats(&mut self) -> ShardStats {
        match self.ask(ShardQuery::Stats) {
            ShardReply::Stats(stats) => *stats,
            other => panic!("no statistics but {other:?}"),
        }
    }

    pub fn reload_with_nothing_accepted_from(&mut self, slot: u16) {
        let nothing = ImportChecks {
            quarantined: true,
            ..ImportChecks::lab(Asn(0), Asn(0))
        };
        self.reload(2, |exchange| {
            with_client(exchange, slot, |client| {
                client.import = Arc::new(ImportPolicy::new(nothing));
            });
        });
    }

    pub fn reload_without(&mut self, slot: u16) {
        self.reload(2, |exchange| exchange.clients[usize::from(slot)] = None);
    }

    pub fn reload(&mut self, generation: u32, change: impl FnOnce(&mut server::Exchange)) {
        let mut exchange = exchange::compile(&EXCHANGE, generation, 1);
        change(Arc::get_mut(&mut exchange).expect("nobody else has it"));
        self.tell(ToShard::Reload(exchange));
    }

    /// The generation that the shard is done with.
    pub fn settled(&mut self) -> u32 {
        match self.ask(ShardQuery::Generation) {
            ShardReply::Generation(Generation(number)) => number,
            other => panic!("no generation but {other:?}"),
        }
    }

    /// The core tells from which hash on a client's routes are kept back.
    pub fn block_from(&mut self, slot: u16, hash: Option<u64>) {
        self.tell(ToShard::BlockFrom {
            slot: ClientSlot(slot),
            epoch: self.epoch(slot),
            family: Family::Ipv4,
            hash,
        });
    }

    /// Walks to a client, and lets what is due be said.
    pub fn join(&mut self, id: u32, slot: u16) {
        self.walk(id, slot);
        self.turn();
        self.promote(id);
        self.turn_after(Duration::from_secs(1));
    }

    /// What a client holds after all that was said, in walks and in the ordinary stream.
    pub fn held_by(&self, slot: u16) -> BTreeMap<Prefix, Arc<AttributeSet>> {
        let mut held = BTreeMap::new();
        for message in &self.said {
            let (ToCore::Deltas(batch) | ToCore::WalkDeltas { batch, .. }) = message else {
                continue;
            };
            let due = |group: &&DeltaGroup| group.audience.contains(ClientSlot(slot));
            for group in batch.groups.iter().filter(due) {
                for index in group.prefixes.start as usize..group.prefixes.end as usize {
                    match &group.content {
                        DeltaContent::Announce { set, .. } => {
                            held.insert(batch.prefixes[index], set.clone())
                        }
                        DeltaContent::Withdraw => held.remove(&batch.prefixes[index]),
                    };
                }
            }
        }
        held
    }

    /// Received and accepted prefixes of a client's present session, as it was told.
    pub fn counted(&self, client: u16) -> [i32; 2] {
        let mut total = [0; 2];
        for message in &self.said {
            match message {
                ToCore::Counts {
                    slot,
                    epoch,
                    counts,
                } if *slot == ClientSlot(client) && *epoch == self.epoch(client) => {
                    for change in counts {
                        total[0] += change.received[0];
                        total[1] += change.accepted[0];
                    }
                }
                _ => {}
            }
        }
        total
    }

    /// Batches of freed slots that the shard offers, taken out of what it said.
    pub fn reclaims(&mut self) -> Vec<u32> {
        let mut batches = Vec::new();
        self.said.retain(|message| match message {
            ToCore::Reclaim { batch, .. } => {
                batches.push(*batch);
                false
            }
            _ => true,
        });
        batches
    }

    /// Slots and prefixes in the ordinary stream, taken out of what the shard said.
    pub fn named(&mut self) -> Vec<(PrefixSlot, Prefix)> {
        let mut named = Vec::new();
        for message in self.said.drain(..) {
            if let ToCore::Deltas(batch) = message {
                named.extend(
                    batch
                        .slots
                        .iter()
                        .copied()
                        .zip(batch.prefixes.iter().copied()),
                );
            }
        }
        named
    }
}
