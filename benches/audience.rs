//! What policy costs: verdicts, requests, audiences. 1,000 clients, as at a large exchange.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rialto::base::{Asn, ClientSlot, Prefix};
use rialto::policy::{
    ControlScheme, Directory, DirectoryEntry, ImportChecks, ImportPolicy, Outside, PrefixClass,
    audiences,
};
use rialto::wire::AttributeSet;
use rialto::wire::testing::SetBuilder;

const RS: u32 = 8714;
const CLIENT_COUNT: u16 = 1_000;

fn directory(hide_own_as: bool) -> Directory {
    let entry = |slot| DirectoryEntry {
        hide_own_as: hide_own_as && slot % 10 == 0,
        ..DirectoryEntry::new(ClientSlot(slot), Asn(1_000 + u32::from(slot) / 2))
    };
    (0..CLIENT_COUNT).map(entry).collect()
}

/// Each with the name of the case.
fn sets() -> Vec<(&'static str, std::sync::Arc<AttributeSet>)> {
    let path = || SetBuilder::new().as_path(&[1_000, 3_333, 6_939, 15_169]);
    let informational: Vec<(u16, u16)> = (0..12).map(|low| (6_939, low)).collect();
    let not_to: Vec<(u16, u16)> = (0..20).map(|peer| (0, 1_001 + peer * 3)).collect();
    vec![
        ("no communities", path().build()),
        ("12 of others", path().communities(&informational).build()),
        ("not to 20 peers", path().communities(&not_to).build()),
        (
            "to no one but one",
            path().large(&[(RS, 0, 0), (RS, 1, 1_100)]).build(),
        ),
        ("prepend to one", path().large(&[(RS, 102, 1_100)]).build()),
    ]
}

fn bench_import(c: &mut Criterion) {
    let own: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
    let policy = ImportPolicy::new(ImportChecks::exchange(Asn(RS), Asn(1_000), vec![own]));
    let set = &sets()[0].1;
    let outside = Outside::default();
    let of_set = policy.check_attributes(set, &outside);
    let usual = "193.0.0.0/21".parse().unwrap();
    assert!(policy.judge(&of_set, &usual, &outside).is_accepted());
    let mut group = c.benchmark_group("import");
    group.bench_function("attributes", |b| {
        b.iter(|| policy.check_attributes(black_box(set), &outside))
    });
    let v4 = |i: u32| {
        Prefix::v4(
            Ipv4Addr::from(i.wrapping_mul(0x9e37_79b9)),
            16 + (i % 9) as u8,
        )
    };
    let v6 = |i: u32| {
        format!("2a{:02x}:{:x}::/{}", i % 16, i % 0xffff, 29 + i % 20)
            .parse()
            .unwrap()
    };
    let lists: [(&str, Vec<Prefix>); 2] = [
        ("1,000 IPv4 prefixes", (0..1_000).map(v4).collect()),
        ("1,000 IPv6 prefixes", (0..1_000).map(v6).collect()),
    ];
    for (name, prefixes) in lists {
        group.throughput(Throughput::Elements(prefixes.len() as u64));
        let accepted = |prefixes: &[Prefix]| {
            prefixes
                .iter()
                .filter(|prefix| policy.judge(&of_set, prefix, &outside).is_accepted())
                .count()
        };
        group.bench_function(name, |b| b.iter(|| accepted(black_box(&prefixes))));
    }
    group.finish();
}

fn bench_actions(c: &mut Criterion) {
    let scheme = ControlScheme::standard(Asn(RS));
    let mut group = c.benchmark_group("actions");
    for (hiding, directory) in [
        ("", directory(false)),
        (", with hide_own_as", directory(true)),
    ] {
        for (name, set) in sets() {
            group.bench_function(format!("{name}{hiding}"), |b| {
                b.iter(|| scheme.actions(black_box(&set), &directory));
            });
        }
    }
    group.finish();
}

fn bench_audiences(c: &mut Criterion) {
    let scheme = ControlScheme::standard(Asn(RS));
    let directory = directory(false);
    let mut group = c.benchmark_group("audiences");
    for (name, set) in sets() {
        let actions = scheme.actions(&set, &directory);
        let accepted = PrefixClass::ACCEPTED;
        assert!(!audiences(ClientSlot(0), &actions, accepted, 0, &directory).is_empty());
        group.bench_function(name, |b| {
            b.iter(|| audiences(ClientSlot(0), black_box(&actions), accepted, 0, &directory));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_import, bench_actions, bench_audiences);
criterion_main!(benches);
