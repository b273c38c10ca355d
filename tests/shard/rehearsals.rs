//! What a rehearsal says of a generation is what its reload then does: over random policies, tables and
//! pieces, compared by doing it.

mod communities;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rialto::base::*;
use rialto::policy::{
    ControlScheme, Directory, DirectoryEntry, ImportChecks, ImportPolicy, Outside, Precedence,
    PrefixClass, SchemeOptions, Verdict, Vrp, VrpSet,
};
use rialto::rib::MedMode;
use rialto::server::Shard;
use rialto::server::exchange::{Exchange, VrpChanges};
use rialto::server::message::*;
use rialto::server::query::{
    Loss, PathRow, Rehearsal, Rehearsed, ShardQuery, ShardReply, ShardStats, Which,
};
use rialto::server::reach::Reach;
use rialto::wire::EncodingClass;
use rialto::wire::{AttributeSet, testing::SetBuilder};

use crate::exchange::{self, asn_of};
use crate::{RS, Random, attributes, numbered, prefix};

const CLIENTS: u16 = 7;
const PREFIXES: u64 = 40;
const ALL: u32 = 1_000;

/// A shard with clients that are up, and live.
struct World {
    shard: Shard,
    exchange: Arc<Exchange>,
    now: Time,
    seq: u64,
}

impl World {
    fn new(exchange: Arc<Exchange>) -> World {
        World {
            shard: Shard::new(ShardId(0), exchange.clone(), 1),
            exchange,
            now: Time::ZERO,
            seq: 0,
        }
    }

    fn tell(&mut self, message: ToShard) {
        self.shard.handle(self.now, message);
    }

    fn rest(&mut self) {
        self.now = self.now + Duration::from_secs(1);
        while self.shard.turn(self.now) {
            while self.shard.poll_to_core().is_some() {}
        }
        while self.shard.poll_to_core().is_some() {}
    }

    fn up(&mut self, slot: ClientSlot, add_path: bool) {
        let families = FamilySet::only(Family::Ipv4);
        self.tell(ToShard::ClientUp(ClientUp {
            slot,
            epoch: SessionEpoch(1),
            families,
            class: EncodingClass {
                add_path: if add_path { families } else { FamilySet::EMPTY },
                message_max: if slot.0 == 1 { u16::MAX } else { 4_096 },
                ..EncodingClass::PLAIN
            },
            router_id: Ipv4Addr::new(192, 0, 2, slot.0 as u8 + 1),
            stale: FamilySet::EMPTY,
        }));
    }

    fn make_live(&mut self, clients: ClientSet) {
        let (core, walk) = (CoreId(0), WalkId(1));
        self.tell(ToShard::Walk {
            core,
            walk,
            clients: Arc::new(clients),
            families: FamilySet::only(Family::Ipv4),
            joint: false,
        });
        self.rest();
        self.tell(ToShard::Promote { core, walk });
        self.rest();
    }

    /// Older than any generation: the shard judges itself.
    fn announce(&mut self, slot: ClientSlot, set: Arc<AttributeSet>, prefixes: &[Prefix]) {
        self.seq += 1;
        let update = RouteUpdate {
            seq: self.seq,
            set: Some(set),
            prefixes: 0..prefixes.len() as u32,
        };
        self.tell(ToShard::Routes(RouteBatch {
            slot,
            epoch: SessionEpoch(1),
            generation: Generation(0),
            heard: Time::NEVER,
            updates: vec![update],
            prefixes: (prefixes.iter())
                .map(|prefix| (*prefix, PrefixClass::ACCEPTED))
                .collect(),
        }));
    }

    fn ask(&mut self, query: ShardQuery) -> ShardReply {
        self.tell(ToShard::Query { id: 1, query });
        self.shard.poll_reply().expect("it answers at once").1
    }

    fn rows(&mut self, slot: ClientSlot, which: Which) -> Vec<PathRow> {
        let query = ShardQuery::Routes {
            slot,
            which,
            cursor: PrefixSlot(0),
            limit: ALL,
        };
        match self.ask(query) {
            ShardReply::Routes { rows, next: None } => rows,
            other => panic!("{other:?} is not all of the routes"),
        }
    }

    fn stats(&mut self) -> ShardStats {
        match self.ask(ShardQuery::Stats) {
            ShardReply::Stats(stats) => ShardStats {
                messages: 0,
                ..*stats
            },
            other => panic!("no statistics but {other:?}"),
        }
    }

    /// In pieces of so many entries.
    fn rehearse(&mut self, exchange: &Arc<Exchange>, limit: u32) -> Rehearsed {
        let rehearsal = Arc::new(Rehearsal {
            since: self.exchange.generation,
            exchange: exchange.clone(),
            reach: Reach::of(&self.exchange, exchange),
        });
        let mut found = Rehearsed::default();
        let mut cursor = Some(PrefixSlot(0));
        while let Some(from) = cursor {
            let query = ShardQuery::Rehearse {
                rehearsal: rehearsal.clone(),
                cursor: from,
                limit,
            };
            match self.ask(query) {
                ShardReply::Rehearsed(piece) => {
                    assert_ne!(piece.next, cursor, "it goes on");
                    cursor = piece.next;
                    found.add(&piece);
                }
                other => panic!("no rehearsal but {other:?}"),
            }
        }
        found
    }

    fn reload(&mut self, exchange: Arc<Exchange>) {
        let reach = Reach::of(&self.exchange, &exchange);
        self.tell(ToShard::Reload(exchange.clone()));
        for slot in reach.kept_down.iter() {
            let epoch = SessionEpoch(1);
            let stale = FamilySet::EMPTY;
            self.tell(ToShard::ClientDown { slot, epoch, stale });
        }
        self.exchange = exchange;
        self.rest();
    }

    fn state(&mut self) -> State {
        let mut state = State::default();
        for slot in (0..CLIENTS).map(ClientSlot) {
            for row in self.rows(slot, Which::Received) {
                state.paths.insert((slot, row.prefix), row.class.verdict());
            }
            let advertised = self.rows(slot, Which::Advertised);
            let prefixes: BTreeSet<Prefix> = advertised.iter().map(|row| row.prefix).collect();
            state.has.insert(slot, prefixes);
        }
        state
    }
}

/// Every path, and the prefixes that each live client has a path of.
#[derive(Default)]
struct State {
    paths: BTreeMap<(ClientSlot, Prefix), Verdict>,
    has: BTreeMap<ClientSlot, BTreeSet<Prefix>>,
}

/// What became of a world by a reload.
fn difference(before: &State, after: &State, reach: &Reach) -> Rehearsed {
    let mut found = Rehearsed::default();
    let mut reject = |slot, loss| {
        *found.newly_rejected.entry((slot, loss)).or_default() += 1;
    };
    for ((slot, prefix), verdict) in &before.paths {
        found.accepted += u64::from(verdict.is_accepted());
        match (verdict, after.paths.get(&(*slot, *prefix))) {
            (Verdict::Accepted, Some(Verdict::Rejected(reason))) => {
                reject(*slot, Loss::Rejected(*reason));
            }
            (Verdict::Accepted, None) if reach.removed.contains(*slot) => {
                reject(*slot, Loss::Removed);
            }
            (Verdict::Accepted, None) if reach.kept_down.contains(*slot) => {
                reject(*slot, Loss::KeptDown);
            }
            (Verdict::Accepted, None) => reject(*slot, Loss::Withdrawn),
            (Verdict::Rejected(reason), Some(Verdict::Accepted)) => {
                *found.newly_accepted.entry((*slot, *reason)).or_default() += 1;
            }
            _ => {}
        }
    }
    for (slot, had) in &before.has {
        found.served += had.len() as u64;
        if reach.kept_down.contains(*slot) {
            continue;
        }
        let none = BTreeSet::new();
        let has = match reach.removed.contains(*slot) {
            true => &none,
            false => &after.has[slot],
        };
        let lost = had.difference(has).count() as u64;
        let gained = has.difference(had).count() as u64;
        found.lost.extend((lost > 0).then_some((*slot, lost)));
        found.gained.extend((gained > 0).then_some((*slot, gained)));
    }
    found
}

/// A generation of random policies.
fn generation(random: &mut Random, number: u32) -> Exchange {
    let shape = exchange::Exchange {
        clients: CLIENTS,
        med: MedMode::SameAs,
        hide_own_as: 0,
    };
    let mut exchange = Arc::into_inner(exchange::compile(&shape, number, 1)).expect("it is ours");
    if random.chance(20) {
        let options = SchemeOptions {
            precedence: Precedence::LargeFirst,
            ..SchemeOptions::default()
        };
        exchange.scheme = Arc::new(ControlScheme::new(Asn(RS), &options).expect("it is sound"));
    }
    let hide = random.chance(30).then(|| random.below(1 << CLIENTS));
    let receivers = random.chance(30).then(|| random.below(1 << CLIENTS));
    let vrps = random.chance(60).then(|| random_vrps(random));
    exchange.outside = Outside {
        vrps: vrps.map(Arc::new),
        aspas: None,
    };
    for index in 0..CLIENTS {
        let slot = ClientSlot(index);
        let client = exchange.clients[slot.index()].as_mut().expect("compiled");
        let client = Arc::get_mut(client).expect("it is ours");
        client.import = Arc::new(ImportPolicy::new(checks(random, slot)));
        if random.chance(10) {
            client.discard = [[4u8], [32]][random.below(2) as usize]
                .into_iter()
                .collect();
        }
        if random.chance(8) {
            client.treat_as_withdraw = [4u8].into_iter().collect();
        }
        client.disabled = (number > 1 && random.chance(8)).then(String::new);
        if number > 1 && random.chance(8) {
            let gone = exchange.clients[slot.index()].take().expect("it was there");
            exchange.by_address.remove(&gone.address);
        }
    }
    exchange.directory = directory(&exchange, hide, receivers);
    exchange
}

fn directory(exchange: &Exchange, hide: Option<u64>, receivers: Option<u64>) -> Directory {
    let is_in =
        |bits: Option<u64>, slot: ClientSlot| bits.is_some_and(|bits| bits >> slot.0 & 1 == 1);
    let entry = |client: &Arc<rialto::server::exchange::Client>| DirectoryEntry {
        hide_own_as: is_in(hide, client.slot),
        receivers: is_in(receivers, client.slot).then(|| {
            let others = (0..CLIENTS).filter(|other| other % 3 != client.slot.0 % 3);
            others.map(ClientSlot).collect()
        }),
        ..DirectoryEntry::new(client.slot, client.asn)
    };
    exchange.clients().map(entry).collect()
}

fn checks(random: &mut Random, slot: ClientSlot) -> ImportChecks {
    let list = |random: &mut Random| {
        let ranges = (0..random.below(6)).map(|_| {
            let prefix = prefix(random, PREFIXES);
            format!("{prefix}").parse().expect("it is a range")
        });
        Arc::new(ranges.collect())
    };
    ImportChecks {
        as_path_len_max: random.chance(20).then_some(2),
        bogon_asns: match random.chance(10) {
            true => vec![Asn(101)..=Asn(102)],
            false => Vec::new(),
        },
        client_black_list: random.chance(40).then(|| list(random)),
        rpki_invalid: random.chance(50),
        rpki_unknown: random.chance(15),
        communities_max: random.chance(15).then_some(1),
        quarantined: random.chance(10),
        ..ImportChecks::lab(Asn(RS), asn_of(slot))
    }
}

fn random_vrps(random: &mut Random) -> VrpSet {
    let vrp = |random: &mut Random| Vrp {
        prefix: prefix(random, PREFIXES),
        max_len: 24,
        asn: Asn([1000, 1001, 1002, 100, 101][random.below(5) as usize]),
    };
    (0..random.below(30)).map(|_| vrp(random)).collect()
}

fn set_too_long(slot: ClientSlot) -> Arc<AttributeSet> {
    let large: Vec<_> = (0..400).map(|number| (3356, number, 1)).collect();
    SetBuilder::new()
        .next_hop(Ipv4Addr::new(10, 77, 1, slot.0 as u8 + 1))
        .as_path(&[asn_of(slot).0])
        .large(&large)
        .build()
}

fn filled(random: &mut Random, exchange: Exchange) -> World {
    let mut world = World::new(Arc::new(exchange));
    for slot in (0..CLIENTS).map(ClientSlot) {
        if random.chance(90) {
            world.up(slot, random.chance(25));
        }
    }
    let live = (0..CLIENTS).map(ClientSlot).filter(|_| random.chance(85));
    world.make_live(live.collect());
    for _ in 0..random.below(60) {
        let slot = ClientSlot(random.below(CLIENTS.into()) as u16);
        let set = match random.chance(5) {
            true => set_too_long(slot),
            false => attributes(random, slot, CLIENTS.into()),
        };
        let first = random.below(PREFIXES);
        let prefixes: Vec<_> = (first..first + 1 + random.below(6)).map(numbered).collect();
        world.announce(slot, set, &prefixes);
    }
    if random.chance(30) {
        world.tell(ToShard::BlockFrom {
            slot: ClientSlot(random.below(CLIENTS.into()) as u16),
            epoch: SessionEpoch(1),
            family: Family::Ipv4,
            hash: Some(u64::MAX / 2),
        });
    }
    world.rest();
    world
}

/// The generation after: another one, or the same with something changed.
fn successor(random: &mut Random, old: &Exchange) -> Exchange {
    let mut new = generation(random, 2);
    if random.chance(50) {
        new.scheme = old.scheme.clone();
    }
    if random.chance(50) {
        new.clients = old.clients.clone();
        new.by_address = old.by_address.clone();
        new.directory = old.directory.clone();
    }
    if random.chance(30) {
        new.outside = old.outside.clone();
    }
    let (before, now) = (&old.outside.vrps, &new.outside.vrps);
    if let (Some(before), Some(now)) = (before, now)
        && !Arc::ptr_eq(before, now)
    {
        new.vrp_changes = Some(VrpChanges {
            since: old.generation,
            blocks: Arc::new(before.difference(now)),
        });
    }
    new
}

#[test]
fn a_rehearsal_says_what_the_reload_then_does_and_changes_nothing() {
    let mut changed = [0; 5];
    for seed in 1..=250 {
        let mut random = Random::new(seed);
        let first = generation(&mut random, 1);
        let mut world = filled(&mut random, first);
        let new = Arc::new(successor(&mut random, &world.exchange));
        let stats = format!("{:?}", world.stats());
        let whole = world.rehearse(&new, ALL);
        let in_pieces = world.rehearse(&new, 1 + random.below(7) as u32);
        assert_eq!(whole, in_pieces, "seed {seed}: any pieces say the same");
        assert_eq!(
            format!("{:?}", world.stats()),
            stats,
            "seed {seed}: unchanged"
        );
        let reach = Reach::of(&world.exchange, &new);
        let before = world.state();
        world.reload(new);
        let done = difference(&before, &world.state(), &reach);
        assert_eq!(whole, done, "seed {seed}");
        let kinds = [
            whole.newly_rejected.len(),
            whole.newly_accepted.len(),
            whole.lost.len(),
            whole.gained.len(),
            usize::from(reach.rov.is_some()),
        ];
        for (count, kind) in changed.iter_mut().zip(kinds) {
            *count += kind;
        }
    }
    assert!(changed.iter().all(|count| *count > 50), "{changed:?}");
}

#[test]
fn every_way_to_lose_a_path_is_told_apart() {
    type Change = fn(&mut Exchange);
    fn first(exchange: &mut Exchange) -> &mut rialto::server::exchange::Client {
        let client = exchange.clients[0].as_mut().expect("it is there");
        Arc::get_mut(client).expect("it is ours")
    }
    fn with_checks(exchange: &mut Exchange, checks: impl FnOnce(&mut ImportChecks)) {
        let mut new = ImportChecks::lab(Asn(RS), asn_of(ClientSlot(0)));
        checks(&mut new);
        first(exchange).import = Arc::new(ImportPolicy::new(new));
    }
    let cases: [(&str, Change, Option<Loss>); 5] = [
        ("nothing changes", |_| {}, None),
        (
            "its routes are too long",
            |exchange| with_checks(exchange, |checks| checks.as_path_len_max = Some(0)),
            Some(Loss::Rejected(rialto::policy::RejectReason::AsPathTooLong)),
        ),
        (
            "one of its attributes is treated as a withdrawal",
            |exchange| first(exchange).treat_as_withdraw = [4u8].into_iter().collect(),
            Some(Loss::Withdrawn),
        ),
        (
            "it is disabled",
            |exchange| first(exchange).disabled = Some(String::new()),
            Some(Loss::KeptDown),
        ),
        (
            "it is another peer, in the same slot",
            |exchange| first(exchange).asn = Asn(7),
            Some(Loss::Removed),
        ),
    ];
    for (name, change, loss) in cases {
        let shape = exchange::Exchange {
            clients: CLIENTS,
            med: MedMode::SameAs,
            hide_own_as: 0,
        };
        let mut world = World::new(exchange::compile(&shape, 1, 1));
        (0..3).for_each(|slot| world.up(ClientSlot(slot), false));
        world.make_live((0..3).map(ClientSlot).collect());
        let set = SetBuilder::new()
            .next_hop(Ipv4Addr::new(10, 77, 1, 1))
            .as_path(&[asn_of(ClientSlot(0)).0])
            .med(1)
            .build();
        world.announce(ClientSlot(0), set, &[numbered(1), numbered(2)]);
        world.rest();
        let mut new = exchange::compile(&shape, 2, 1);
        change(Arc::get_mut(&mut new).expect("it is ours"));
        let found = world.rehearse(&new, ALL);
        let rejected: Vec<_> = found.newly_rejected.into_iter().collect();
        let expected = loss.map(|loss| ((ClientSlot(0), loss), 2));
        assert_eq!(rejected, Vec::from_iter(expected), "{name}");
        let lost = match loss {
            Some(_) => [1, 2].map(|slot| (ClientSlot(slot), 2)).into(),
            None => BTreeMap::new(),
        };
        assert_eq!(found.lost, lost, "{name}: who loses its last path");
        assert_eq!((found.accepted, found.served), (2, 4), "{name}");
    }
}

#[test]
fn a_shard_that_is_not_there_yet_says_so() {
    let shape = exchange::Exchange {
        clients: CLIENTS,
        med: MedMode::SameAs,
        hide_own_as: 0,
    };
    let mut world = World::new(exchange::compile(&shape, 1, 1));
    world.up(ClientSlot(0), false);
    let set = set_too_long(ClientSlot(0));
    world.announce(ClientSlot(0), set, &[numbered(1)]);
    world.rest();
    let second = exchange::compile(
        &exchange::Exchange {
            hide_own_as: 1,
            ..shape.clone()
        },
        2,
        1,
    );
    let third = exchange::compile(&shape, 3, 1);
    let rehearsal = Arc::new(Rehearsal {
        since: Generation(2),
        exchange: third.clone(),
        reach: Reach::of(&second, &third),
    });
    let cursor = PrefixSlot(0);
    let ask = ShardQuery::Rehearse {
        rehearsal,
        cursor,
        limit: ALL,
    };
    let next = |world: &mut World, name: &str| match world.ask(ask.clone()) {
        ShardReply::Rehearsed(piece) => piece.next,
        other => panic!("{name}: no rehearsal but {other:?}"),
    };
    assert_eq!(next(&mut world, "before the reload"), Some(cursor));
    world.tell(ToShard::Reload(second));
    assert_eq!(next(&mut world, "while it judges again"), Some(cursor));
    world.rest();
    assert_eq!(next(&mut world, "after it"), None);
}
