//! Groups to octets, for the receivers of several encoding classes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rialto::base::*;
use rialto::fanout::*;
use rialto::session::RoleSettings;
use rialto::wire::testing::SetBuilder;
use rialto::wire::{
    AttributeSet, CommunityScrub, EncodingClass, NextHop, Variant, VariantFlags, code,
};

use crate::peer::{address_of, prefixes};
use crate::world::{RS, World, asn_of, exchange, with_client};

/// Blackhole routes go to 192.0.2.66.
struct Blackholes;

impl CommunityScrub for Blackholes {
    fn removes_standard(&self, _: (u16, u16)) -> bool {
        false
    }
    fn removes_large(&self, _: (u32, u32, u32)) -> bool {
        false
    }
    fn removes_extended(&self, _: [u8; 8]) -> bool {
        false
    }
    fn next_hop(&self, variant: Variant, next_hop: NextHop) -> NextHop {
        assert!(!variant.flags.is_empty(), "asked about {variant:?}");
        match variant.flags.contains(VariantFlags::BLACKHOLE) {
            true => Ipv4Addr::new(192, 0, 2, 66).into(),
            false => next_hop,
        }
    }
}

fn announcement(set: &Arc<AttributeSet>, variant: Variant, audience: &ClientSet) -> DeltaBatch {
    let group = DeltaGroup {
        key: DeltaKey {
            audience: 1,
            set: set.hash(),
            form: 1,
        },
        family: Family::Ipv4,
        path_id: None,
        audience: Arc::new(audience.clone()),
        content: DeltaContent::Announce {
            set: set.clone(),
            variant,
        },
        prefixes: 0..1,
    };
    DeltaBatch {
        shard: ShardId(0),
        flush: 1,
        scheme: Arc::default(),
        heard: Time::NEVER,
        octets: group.octets(),
        groups: vec![group],
        prefixes: vec!["203.0.113.0/24".parse().unwrap()],
        slots: vec![PrefixSlot(0)],
    }
}

/// What each client is sent, in the order of the slots; and how much could not be encoded.
fn pack(
    set: &Arc<AttributeSet>,
    variant: Variant,
    classes: &[EncodingClass],
) -> (Vec<Vec<u8>>, u64) {
    let slots = || (0..classes.len() as u16).map(ClientSlot);
    let everybody: ClientSet = slots().collect();
    let mut members = Classes::default();
    slots()
        .zip(classes)
        .for_each(|(slot, class)| members.insert(slot, *class));
    let batch = announcement(set, variant, &everybody);
    let mut packer = Packer::new(Gauge::default(), Arc::default());
    let group = &batch.groups[0];
    packer.push(&[(&batch, group)], &everybody, &members, &Blackholes);
    let mut sent = vec![Vec::new(); classes.len()];
    for packed in packer.finish() {
        packed.hand_out(|slot, stretches| {
            for runs in stretches {
                let octets = &packed.buffer.octets()[packed.buffer.range(runs)];
                sent[slot.index()].extend_from_slice(octets);
            }
        });
    }
    (sent, packer.stats().unencodable)
}

/// The value of an attribute of an UPDATE that withdraws nothing.
fn value(update: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let attributes_len = usize::from(u16::from_be_bytes([update[21], update[22]]));
    let mut rest = &update[23..23 + attributes_len];
    while let [flags, code, len, tail @ ..] = rest {
        assert_eq!(flags & 0x10, 0, "no attribute is long here");
        let (value, tail) = tail.split_at(usize::from(*len));
        if *code == wanted {
            return Some(value.to_vec());
        }
        rest = tail;
    }
    None
}

#[test]
fn the_next_hop_is_replaced_where_the_variant_says_so() {
    let set = SetBuilder::new()
        .next_hop(Ipv4Addr::new(192, 0, 2, 7))
        .as_path(&[1])
        .build();
    let cases = [
        ("a plain route keeps its own", VariantFlags::default(), 7),
        (
            "so does one that is only marked",
            VariantFlags::NO_EXPORT,
            7,
        ),
        ("a blackhole route has another", VariantFlags::BLACKHOLE, 66),
    ];
    for (name, flags, last) in cases {
        let variant = Variant {
            flags,
            ..Variant::default()
        };
        let (sent, _) = pack(&set, variant, &[EncodingClass::PLAIN]);
        let next_hop = value(&sent[0], code::NEXT_HOP);
        assert_eq!(next_hop, Some(vec![192, 0, 2, last]), "{name}");
    }
}

#[test]
fn each_class_gets_what_it_is_to_get() {
    let set = SetBuilder::new().as_path(&[1]).build();
    let plain = EncodingClass::PLAIN;
    let otc = EncodingClass {
        otc: Asn(64_500),
        ..plain
    };
    let rs_as = EncodingClass {
        rs_as: Asn(64_500),
        ..plain
    };
    let (sent, _) = pack(&set, Variant::default(), &[plain, otc, rs_as, plain]);
    let said = |update: &Vec<u8>| (value(update, code::AS_PATH), value(update, code::OTC));
    let own = Some(vec![2, 1, 0, 0, 0, 1]);
    let server = vec![0, 0, 0xfb, 0xf4];
    assert_eq!(said(&sent[0]), (own.clone(), None));
    assert_eq!(said(&sent[1]), (own, Some(server)));
    let behind_server = vec![2, 2, 0, 0, 0xfb, 0xf4, 0, 0, 0, 1];
    assert_eq!(said(&sent[2]), (Some(behind_server), None));
    assert_eq!(sent[0], sent[3]);
}

#[test]
fn ipv6_next_hops_of_ipv4_routes_reach_those_who_negotiated_them() {
    let mut exchange = exchange(3, 1);
    for slot in [0, 1] {
        with_client(&mut exchange, slot, |client| {
            client.session.ipv6_next_hops = true;
        });
    }
    let mut world = World::new(exchange);
    // Client 2 says that it takes them, but the server does not offer it.
    for slot in 0..3 {
        world.peer(slot).capabilities.ipv6_next_hops = true;
    }
    world.connect_all();
    let next_hop: Ipv6Addr = "2001:db8::7".parse().unwrap();
    let set = SetBuilder::new()
        .next_hop(next_hop)
        .as_path(&[asn_of(ClientSlot(0)).0])
        .build();
    world.peer(0).announce_set(&set, prefixes(0..3));
    world.peer(0).announce(1, prefixes(3..4));
    world.run();
    let mut next_hops = |slot: u16| -> Vec<NextHop> {
        let table = world.peer(slot).table.values();
        table.map(|set| set.next_hop()).collect()
    };
    let plain = address_of(ClientSlot(0)).into();
    let v6 = NextHop::V6(next_hop);
    assert_eq!(next_hops(1), [v6, v6, v6, plain]);
    assert_eq!(next_hops(2), [plain]);
}

#[test]
fn a_client_is_sent_what_is_configured_for_it() {
    let mut exchange = exchange(4, 1);
    with_client(&mut exchange, 1, |client| {
        client.session.role = Some(RoleSettings { strict: false });
    });
    with_client(&mut exchange, 2, |client| {
        client.session.prepend_rs_as = true
    });
    let mut world = World::new(exchange);
    world.connect_all();
    world.peer(0).announce(1, prefixes(0..1));
    world.run();
    let mut sent = |slot: u16| {
        let set = world.peer(slot).table.values().next().unwrap();
        (set.otc(), set.as_path_asns().next())
    };
    assert_eq!(sent(1), (Some(RS), Some(asn_of(ClientSlot(0)))));
    assert_eq!(sent(2), (None, Some(RS)));
    assert_eq!(sent(3), (None, Some(asn_of(ClientSlot(0)))));
}
