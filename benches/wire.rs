//! The UPDATE codec: decoding 1, 4 and 500 prefixes, encoding attributes and NLRI.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rialto::base::{Asn, Family, FamilySet, Prefix};
use rialto::wire::testing::{HASH_SEED, SetBuilder};
use rialto::wire::{
    DecodeContext, EncodingClass, KeepAll, Scratch, TypeCodes, Variant, decode_update,
    encode_announcements, encode_attributes, encode_withdrawals,
};

const CLASS: EncodingClass = EncodingClass {
    four_octet: true,
    add_path: FamilySet::EMPTY,
    message_max: 4096,
    ..EncodingClass::PLAIN
};

fn set() -> SetBuilder {
    let communities: Vec<(u16, u16)> = (0..8).map(|i| (64500, i)).collect();
    SetBuilder::new()
        .as_path(&[64500, 3356, 1299, 4_200_000_000])
        .med(0)
        .communities(&communities)
        .large(&[(64500, 1, 1), (64500, 2, 2)])
}

fn prefixes(count: u32) -> impl Iterator<Item = Prefix> {
    (0..count).map(|i| Prefix::v4((0x0a00_0000 + (i << 8)).into(), 24))
}

/// One UPDATE, without its header.
fn body(count: u32, four_octet: bool) -> Vec<u8> {
    let class = EncodingClass {
        four_octet,
        ..CLASS
    };
    let set = set().build();
    let (mut attributes, mut out) = (Vec::new(), Vec::new());
    encode_attributes(
        &mut attributes,
        &set,
        Variant::default(),
        Asn(0),
        &class,
        &KeepAll,
    );
    let mut nlri = prefixes(count).map(|prefix| (prefix, None));
    assert_eq!(
        encode_announcements(
            &mut out,
            &class,
            &attributes,
            set.next_hop(),
            Family::Ipv4,
            &mut nlri
        ),
        1
    );
    out.split_off(19)
}

fn decode(c: &mut Criterion) {
    let none = TypeCodes::default();
    let mut group = c.benchmark_group("decode_update");
    for (count, four_octet) in [(1, true), (4, true), (500, true), (4, false)] {
        let body = body(count, four_octet);
        let context = DecodeContext {
            four_octet,
            families: FamilySet::ALL,
            v6_next_hops: false,
            discard: &none,
            treat_as_withdraw: &none,
            scrub: &KeepAll,
            link_locals: None,
            hash_seed: HASH_SEED,
        };
        let mut scratch = Scratch::default();
        group.throughput(Throughput::Elements(u64::from(count)));
        let name = if four_octet {
            "four_octet"
        } else {
            "two_octet"
        };
        group.bench_function(BenchmarkId::new(name, count), |b| {
            b.iter(|| {
                let update = decode_update(black_box(&body), &context, &mut scratch).unwrap();
                let bits: u128 = update.announced[0]
                    .1
                    .iter()
                    .fold(0, |bits, prefix| bits ^ prefix.bits());
                (bits, update)
            });
        });
    }
}

fn encode(c: &mut Criterion) {
    let set = set().build();
    let mut group = c.benchmark_group("encode_attributes");
    for (name, prepend, four_octet) in [
        ("plain", 0, true),
        ("prepend", 3, true),
        ("two_octet", 0, false),
    ] {
        let class = EncodingClass {
            four_octet,
            ..CLASS
        };
        let mut out = Vec::with_capacity(4096);
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                encode_attributes(
                    &mut out,
                    black_box(&set),
                    Variant {
                        prepend,
                        ..Variant::default()
                    },
                    Asn(64500),
                    &class,
                    &KeepAll,
                );
                out.len()
            });
        });
    }
    group.finish();

    let mut attributes = Vec::new();
    encode_attributes(
        &mut attributes,
        &set,
        Variant::default(),
        Asn(0),
        &CLASS,
        &KeepAll,
    );
    let mut group = c.benchmark_group("encode_nlri");
    for count in [1u32, 4, 500, 5000] {
        let nlri: Vec<Prefix> = prefixes(count).collect();
        let mut out = Vec::with_capacity(1 << 16);
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("announce", count), |b| {
            b.iter(|| {
                out.clear();
                let mut nlri = nlri.iter().map(|prefix| (*prefix, None));
                encode_announcements(
                    &mut out,
                    &CLASS,
                    &attributes,
                    set.next_hop(),
                    Family::Ipv4,
                    &mut nlri,
                )
            });
        });
        group.bench_function(BenchmarkId::new("withdraw", count), |b| {
            b.iter(|| {
                out.clear();
                let mut nlri = nlri.iter().map(|prefix| (*prefix, None));
                encode_withdrawals(&mut out, &CLASS, Family::Ipv4, &mut nlri)
            });
        });
    }
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
