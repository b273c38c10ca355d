//! From the sorted streams of shards to octets in the queues of clients.

use std::convert::Infallible;
use std::hint::black_box;
use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rialto::base::*;
use rialto::fanout::*;
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, EncodingClass, KeepAll, Variant};

const CLIENTS: u16 = 700;
const PREFIXES_PER_SET: u32 = 3;
const PREFIXES: u32 = 30_000;

const CLASS: EncodingClass = EncodingClass {
    four_octet: true,
    add_path: FamilySet::EMPTY,
    message_max: 4096,
    ..EncodingClass::PLAIN
};

fn sets() -> Vec<Arc<AttributeSet>> {
    let set = |index: u32| {
        let path = [10_000 + index % 64, 3356, 1299, 60_000 + index];
        SetBuilder::new()
            .as_path(&path)
            .communities(&[(3356, 3), (3356, 100)])
            .build()
    };
    (0..PREFIXES / PREFIXES_PER_SET).map(set).collect()
}

/// Everybody but one of 64 announcers.
fn audiences() -> Vec<Arc<ClientSet>> {
    let everybody: ClientSet = (0..CLIENTS).map(ClientSlot).collect();
    let without = |slot: u16| {
        let mut audience = everybody.clone();
        audience.remove(ClientSlot(slot));
        Arc::new(audience)
    };
    (0..64).map(without).collect()
}

/// One sorted batch for each shard.
fn batches(shard_count: u16) -> Vec<Arc<DeltaBatch>> {
    let (sets, audiences) = (sets(), audiences());
    let mut entries: Vec<Vec<(DeltaKey, usize, Prefix)>> =
        vec![Vec::new(); usize::from(shard_count)];
    for index in 0..PREFIXES {
        let prefix = Prefix::v4(Ipv4Addr::from(0x1400_0000 + (index << 8)), 24);
        let set = (index / PREFIXES_PER_SET) as usize;
        let key = DeltaKey {
            audience: (set % audiences.len()) as u64,
            set: sets[set].hash(),
            form: 1 << 35,
        };
        entries[shard_of(&prefix, shard_count).index()].push((key, set, prefix));
    }
    let batch = |(shard, mut entries): (usize, Vec<(DeltaKey, usize, Prefix)>)| {
        entries.sort();
        let mut batch = DeltaBatch {
            shard: ShardId(shard as u16),
            flush: 1,
            scheme: Arc::default(),
            heard: Time::NEVER,
            groups: Vec::new(),
            octets: 0,
            prefixes: entries.iter().map(|entry| entry.2).collect(),
            slots: (0..entries.len() as u32).map(PrefixSlot).collect(),
        };
        let mut start = 0;
        for group in entries.chunk_by(|a, b| a.0 == b.0) {
            let end = start + group.len() as u32;
            batch.groups.push(DeltaGroup {
                key: group[0].0,
                family: Family::Ipv4,
                path_id: None,
                audience: audiences[group[0].0.audience as usize].clone(),
                content: DeltaContent::Announce {
                    set: sets[group[0].1].clone(),
                    variant: Variant::default(),
                },
                prefixes: start..end,
            });
            batch.octets += batch.groups.last().map_or(0, DeltaGroup::octets);
            start = end;
        }
        Arc::new(batch)
    };
    entries.into_iter().enumerate().map(batch).collect()
}

fn classes() -> Classes {
    let mut classes = Classes::default();
    (0..CLIENTS).for_each(|slot| classes.insert(ClientSlot(slot), CLASS));
    classes
}

fn pack(batches: &[Arc<DeltaBatch>], classes: &Classes) -> (Vec<Packed>, PackerStats) {
    let mut merge = WalkMerge::new(batches.len() as u16);
    for batch in batches {
        merge.handle_batch(batch.clone());
        merge.handle_end(batch.shard);
    }
    let mut packer = Packer::new(Gauge::default(), Arc::default());
    let each = |packer: &mut Packer, alike: &[(&DeltaBatch, &DeltaGroup)]| {
        packer.push(alike, &alike[0].1.audience, classes, &KeepAll);
    };
    while merge.step(|alike| each(&mut packer, alike)) == Step::Groups {}
    (packer.finish(), packer.stats())
}

fn walk(criterion: &mut Criterion) {
    let classes = classes();
    let mut group = criterion.benchmark_group("merge and pack a walk (NLRI)");
    group
        .throughput(Throughput::Elements(u64::from(PREFIXES)))
        .sample_size(20);
    for shard_count in [1, 2, 4, 8] {
        let batches = batches(shard_count);
        let stats = pack(&batches, &classes).1;
        assert_eq!(
            stats.updates,
            u64::from(PREFIXES / PREFIXES_PER_SET),
            "splitting does not unpack"
        );
        group.bench_function(format!("{shard_count} shards"), |bencher| {
            bencher.iter(|| black_box(pack(&batches, &classes)));
        });
    }
    group.finish();
}

fn window(criterion: &mut Criterion) {
    let (batches, classes) = (batches(4), classes());
    let live: Arc<ClientSet> = Arc::new((0..CLIENTS).map(ClientSlot).collect());
    let mut group = criterion.benchmark_group("gather and pack a window (NLRI)");
    group
        .throughput(Throughput::Elements(u64::from(PREFIXES)))
        .sample_size(20);
    group.bench_function("4 shards", |bencher| {
        let mut gather = Gather::default();
        bencher.iter(|| {
            batches
                .iter()
                .for_each(|batch| gather.offer(batch.clone(), &live).unwrap());
            let mut packer = Packer::new(Gauge::default(), Arc::default());
            gather.drain(|alike, _| packer.push(alike, &alike[0].1.audience, &classes, &KeepAll));
            black_box(packer.finish())
        });
    });
    group.finish();
}

fn queues(criterion: &mut Criterion) {
    let (packed, stats) = pack(&batches(4), &classes());
    let mut group = criterion.benchmark_group("queue for 700 clients, show and write");
    group
        .throughput(Throughput::Elements(stats.nlri * u64::from(CLIENTS)))
        .sample_size(20);
    group.bench_function("NLRI x clients", |bencher| {
        let fresh = || {
            (0..CLIENTS)
                .map(|_| SendQueue::default())
                .collect::<Vec<_>>()
        };
        bencher.iter_batched_ref(
            fresh,
            |queues| {
                for packed in &packed {
                    packed.hand_out(|slot, stretches| {
                        queues[slot.index()].push_all(&packed.buffer, stretches);
                    });
                }
                for queue in queues {
                    while !queue.is_empty() {
                        let all = |slices: &[IoSlice<'_>]| slices.iter().map(|it| it.len()).sum();
                        let Ok::<_, Infallible>(written) =
                            queue.write(256 << 10, |slices| Ok(all(slices)));
                        black_box(written);
                    }
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, walk, window, queues);
criterion_main!(benches);
