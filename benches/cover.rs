//! What a look-up costs among all VRPs of the Internet, in the prefix set of a client, and in the
//! blocks that a change of a few VRPs touches.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rialto::base::{Asn, Prefix};
use rialto::policy::{PrefixBlocks, PrefixRange, PrefixSet, Vrp, VrpSet};

/// About what the RPKI has: three of four are IPv4.
const VRPS: u32 = 500_000;
const LOOKUPS: u32 = 4096;

/// The same numbers each time (the constants of PCG).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (((self.0 >> 32) * u64::from(end)) >> 32) as u32
    }
}

fn any_v4(random: &mut Random) -> Prefix {
    let len = 16 + (random.below(10) as u8).min(8);
    Prefix::v4((0x0100_0000 + random.below(0xde00_0000)).into(), len)
}

fn any_v6(random: &mut Random) -> Prefix {
    let top = [0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c0f][random.below(6) as usize];
    let bits = u128::from(top + random.below(16)) << 112 | u128::from(random.below(1 << 31)) << 80;
    Prefix::v6(bits.into(), 32 + random.below(17) as u8)
}

fn any_vrp(random: &mut Random) -> Vrp {
    let prefix = match random.below(4) {
        0 => any_v6(random),
        _ => any_v4(random),
    };
    Vrp {
        prefix,
        max_len: prefix.len() + random.below(2) as u8,
        asn: Asn(1 + random.below(60_000)),
    }
}

/// Half of them in the set, half of them anywhere.
fn lookups(random: &mut Random, mut known: impl FnMut(u32) -> Prefix, len: usize) -> Vec<Prefix> {
    let any = |random: &mut Random| match random.below(4) {
        0 => any_v6(random),
        _ => any_v4(random),
    };
    (0..LOOKUPS)
        .map(|_| match random.below(2) {
            0 => known(random.below(len as u32)),
            _ => any(random),
        })
        .collect()
}

fn vrps(c: &mut Criterion) {
    let mut random = Random(1);
    let list: Vec<Vrp> = (0..VRPS).map(|_| any_vrp(&mut random)).collect();
    let set = VrpSet::new(list.clone());
    let sorted: Vec<Vrp> = set.iter().collect();
    println!(
        "{} VRPs take {} octets each",
        set.len(),
        set.octets() / set.len()
    );
    let routes = lookups(&mut random, |at| list[at as usize].prefix, list.len());
    let mut newer = sorted.clone();
    let mut at = 0;
    newer.retain(|_| {
        at += 1;
        at % 500 != 0
    });
    let newer = VrpSet::new(newer);
    let difference = set.difference(&newer);

    let mut group = c.benchmark_group("vrps");
    group.throughput(Throughput::Elements(u64::from(LOOKUPS)));
    group.bench_function("validate", |b| {
        b.iter(|| {
            for prefix in &routes {
                black_box(set.validate(black_box(prefix), Some(Asn(64496))));
            }
        });
    });
    group.bench_function("touched by a change of 1,000", |b| {
        b.iter(|| touched(&difference, &routes));
    });
    group.throughput(Throughput::Elements(1));
    group.sample_size(10);
    group.bench_function("build from unsorted", |b| {
        b.iter(|| VrpSet::new(list.clone()));
    });
    group.bench_function("build from sorted", |b| {
        b.iter(|| VrpSet::new(sorted.clone()));
    });
    group.bench_function("difference of 1,000", |b| {
        b.iter(|| set.difference(&newer));
    });
}

fn touched(difference: &PrefixBlocks, routes: &[Prefix]) -> usize {
    let touches = |prefix: &&Prefix| difference.touches(black_box(prefix));
    routes.iter().filter(touches).count()
}

fn prefix_set(c: &mut Criterion) {
    let mut random = Random(2);
    let list: Vec<Prefix> = (0..10_000).map(|_| any_v4(&mut random)).collect();
    let set: PrefixSet = list.iter().copied().map(PrefixRange::exact).collect();
    let routes = lookups(&mut random, |at| list[at as usize], list.len());
    let mut group = c.benchmark_group("prefix set of 10,000");
    group.throughput(Throughput::Elements(u64::from(LOOKUPS)));
    group.bench_function("contains", |b| {
        b.iter(|| {
            for prefix in &routes {
                black_box(set.contains(black_box(prefix)));
            }
        });
    });
}

criterion_group!(benches, vrps, prefix_set);
criterion_main!(benches);
