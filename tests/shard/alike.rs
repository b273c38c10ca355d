//! Paths of all clients told together are those that clients announced and hold, each once.

use std::sync::Arc;

use rialto::base::{ClientSlot, Prefix, PrefixSlot};
use rialto::server::alike::AlikePiece;
use rialto::server::query::{ShardQuery, ShardReply, Which};
use rialto::wire::{AttributeSet, Variant};

use crate::bench::{Bench, prefix, set};
use crate::core::World;

/// Whose path, of what, and what it is.
type Told = (ClientSlot, Prefix, String);

fn told(slot: ClientSlot, prefix: Prefix, set: &AttributeSet, variant: Variant) -> Told {
    let what = format!("{:?} {:?} {variant:?}", set.octets(), set.next_hop());
    (slot, prefix, what)
}

fn all_in(piece: &AlikePiece) -> Vec<Told> {
    let mut all = Vec::new();
    for group in &piece.groups {
        for path in &piece.paths[group.paths.clone()] {
            for prefix in &piece.prefixes[group.prefixes.clone()] {
                assert_eq!(prefix.family(), group.family);
                let clients = path.clients.iter();
                all.extend(clients.map(|slot| told(slot, *prefix, &path.set, path.variant)));
            }
        }
    }
    all
}

fn told_by(world: &mut World, which: Which, limit: u32) -> Vec<Told> {
    let mut all = Vec::new();
    for shard in 0..world.shard_count() {
        let mut next = Some(PrefixSlot(0));
        while let Some(cursor) = next {
            let query = ShardQuery::Alike {
                which,
                cursor,
                limit,
            };
            let ShardReply::Alike(piece) = world.ask(shard, query) else {
                panic!("Alike was answered with something else");
            };
            assert!(piece.next.is_none_or(|next| next > cursor));
            assert!(piece.prefixes.len() <= limit as usize);
            all.extend(all_in(&piece));
            next = piece.next;
        }
    }
    all.sort();
    all
}

/// Once all has settled.
pub fn check(world: &mut World, seed: u64) {
    for limit in [1, 7, u32::MAX] {
        for which in [Which::Received, Which::Accepted, Which::Rejected] {
            let is_wanted = |accepted: bool| match which {
                Which::Accepted => accepted,
                Which::Rejected => !accepted,
                _ => true,
            };
            let announced = world.announced.iter();
            let wanted = announced.filter(|(_, (_, class))| is_wanted(class.is_accepted()));
            let mut due: Vec<Told> = wanted
                .map(|((slot, prefix), (set, _))| told(*slot, *prefix, set, Variant::default()))
                .collect();
            due.sort();
            let of_shards = told_by(world, which, limit);
            assert_eq!(of_shards, due, "seed {seed}, {which:?}, {limit} at a time");
        }
        let peers = (0..).map(ClientSlot).zip(&world.peers);
        let held = peers.filter(|(_, peer)| peer.up).flat_map(|(slot, peer)| {
            let has = peer.has.iter();
            has.map(move |((prefix, _), (set, variant))| told(slot, *prefix, set, *variant))
        });
        let mut held: Vec<Told> = held.collect();
        held.sort();
        let of_shards = told_by(world, Which::Advertised, limit);
        assert_eq!(of_shards, held, "seed {seed}, {limit} at a time");
    }
}

fn piece(bench: &mut Bench, which: Which) -> AlikePiece {
    let query = ShardQuery::Alike {
        which,
        cursor: PrefixSlot(0),
        limit: u32::MAX,
    };
    match bench.ask(query) {
        ShardReply::Alike(piece) => piece,
        other => panic!("not what was asked for but {other:?}"),
    }
}

#[test]
fn a_piece_of_a_clients_routes_has_an_end_and_all_pieces_are_all_of_them() {
    let mut bench = Bench::new();
    bench.join(1, 1);
    bench.announce(0, 1, 0..10_000);
    bench.turn();
    for (which, slot, least) in [(Which::Received, 0, 2), (Which::Advertised, 1, 10)] {
        let (mut all, mut pieces, mut next) = (Vec::new(), 0, Some(PrefixSlot(0)));
        while let Some(cursor) = next {
            let query = ShardQuery::Routes {
                slot: ClientSlot(slot),
                which,
                cursor,
                limit: u32::MAX,
            };
            let ShardReply::Routes { rows, next: after } = bench.ask(query) else {
                panic!("Routes was answered with something else");
            };
            all.extend(rows.iter().map(|row| row.prefix));
            (pieces, next) = (pieces + 1, after);
        }
        assert!(pieces >= least, "{which:?}: {pieces} pieces");
        assert_eq!(all, (0..10_000).map(prefix).collect::<Vec<_>>());
    }
}

#[test]
fn prefixes_with_the_same_paths_are_one_group_and_a_piece_has_an_end() {
    let mut bench = Bench::new();
    (1..4).for_each(|slot| bench.join(u32::from(slot), slot));
    bench.announce(0, 1, 0..10_000);
    bench.turn();
    for (which, clients) in [(Which::Received, 1), (Which::Advertised, 3)] {
        let piece = piece(&mut bench, which);
        let [group] = &piece.groups[..] else {
            panic!("{which:?}: not one group but {:?}", piece.groups);
        };
        assert_eq!(piece.paths[group.paths.clone()].len(), 1);
        assert_eq!(piece.paths[0].clients.count(), clients);
        let next = piece.next.expect("it is not all of the table");
        let all: Vec<Prefix> = (0..next.0).map(prefix).collect();
        assert_eq!(piece.prefixes, all);
    }
    assert!(piece(&mut bench, Which::Rejected).groups.is_empty());
    let alike = piece(&mut bench, Which::Advertised).prefixes.len();
    for index in 0..10_000 {
        let set: Arc<AttributeSet> = set(0, index as u16);
        bench.announce_set(0, set, index..index + 1);
    }
    bench.turn();
    let piece = piece(&mut bench, Which::Advertised);
    assert_eq!(piece.groups.len(), piece.prefixes.len());
    assert!(piece.prefixes.len() < alike / 2, "each is more work");
    assert!(piece.next.is_some());
}
