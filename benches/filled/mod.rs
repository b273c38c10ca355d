//! A shard with a table, whose clients have it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rialto::base::*;
use rialto::policy::PrefixClass;
use rialto::server::Shard;
use rialto::server::exchange::Exchange;
use rialto::server::message::{ClientUp, RouteBatch, RouteUpdate, ToShard};
use rialto::wire::EncodingClass;
use rialto::wire::testing::SetBuilder;

use crate::exchange::asn_of;

pub struct Filling {
    pub clients: u16,
    pub prefixes: u32,
    /// Clients that announce each prefix.
    pub paths: u32,
    /// Prefixes to an attribute set.
    pub per_set: u32,
}

pub fn filled(exchange: &Arc<Exchange>, filling: &Filling) -> Shard {
    let mut shard = Shard::new(ShardId(0), exchange.clone(), 1);
    for slot in (0..filling.clients).map(ClientSlot) {
        client_up(&mut shard, slot);
    }
    let (core, walk) = (CoreId(0), WalkId(1));
    let families = FamilySet::only(Family::Ipv4);
    let clients = Arc::new((0..filling.clients).map(ClientSlot).collect());
    let joint = false;
    let walked = ToShard::Walk {
        core,
        walk,
        clients,
        families,
        joint,
    };
    for message in [walked, ToShard::Promote { core, walk }] {
        shard.handle(Time::ZERO, message);
        rest(&mut shard);
    }
    for set in 0..filling.prefixes / filling.per_set {
        for path in 0..filling.paths {
            let slot = ClientSlot(((set * 7 + path * 91) % u32::from(filling.clients)) as u16);
            announce(&mut shard, slot, set, filling.per_set);
        }
        rest(&mut shard);
    }
    shard
}

fn client_up(shard: &mut Shard, slot: ClientSlot) {
    let up = ClientUp {
        slot,
        epoch: SessionEpoch(1),
        families: FamilySet::only(Family::Ipv4),
        class: EncodingClass::PLAIN,
        router_id: Ipv4Addr::from(0x0a00_0001 + u32::from(slot.0)),
        stale: FamilySet::EMPTY,
        takes_stale: false,
    };
    shard.handle(Time::ZERO, ToShard::ClientUp(up));
}

fn announce(shard: &mut Shard, slot: ClientSlot, number: u32, per_set: u32) {
    let set = SetBuilder::new()
        .next_hop(Ipv4Addr::new(10, 77, 1, 1))
        .as_path(&[asn_of(slot).0, 3_333, number])
        .communities(&[(3_333, number as u16)])
        .build();
    let prefix = |index: u32| Prefix::v4(Ipv4Addr::from(0x0b00_0000 + (index << 8)), 24);
    let prefixes = (number * per_set..(number + 1) * per_set).map(prefix);
    let prefixes: Vec<_> = prefixes
        .map(|prefix| (prefix, PrefixClass::ACCEPTED))
        .collect();
    let update = RouteUpdate {
        seq: 1,
        set: Some(set),
        prefixes: 0..per_set,
    };
    let batch = RouteBatch {
        slot,
        epoch: SessionEpoch(1),
        generation: Generation(1),
        heard: Time::NEVER,
        updates: vec![update],
        prefixes,
    };
    shard.handle(Time::ZERO, ToShard::Routes(batch));
}

fn rest(shard: &mut Shard) {
    let now = Time::from_secs(1_000_000);
    while shard.turn(now) {
        while shard.poll_to_core().is_some() {}
    }
    while shard.poll_to_core().is_some() {}
}
