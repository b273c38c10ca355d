//! The streams of a walk, put together.

use std::sync::Arc;

use rialto::base::*;
use rialto::fanout::{DeltaBatch, DeltaContent, DeltaGroup, DeltaKey, Step, WalkMerge};

/// A group of one prefix for each key.
fn batch(shard: u16, keys: &[u64]) -> Arc<DeltaBatch> {
    let group = |(index, &key): (usize, &u64)| DeltaGroup {
        key: DeltaKey {
            audience: key,
            set: 0,
            form: 0,
        },
        family: Family::Ipv4,
        path_id: None,
        audience: Arc::new(ClientSet::only(ClientSlot(0))),
        content: DeltaContent::Withdraw,
        prefixes: index as u32..index as u32 + 1,
    };
    let slots = (0..keys.len() as u32).map(PrefixSlot);
    let prefixes = slots.clone().map(|slot| {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + (slot.0 << 8));
        Prefix::v4(address, 24)
    });
    Arc::new(DeltaBatch {
        shard: ShardId(shard),
        flush: 0,
        scheme: Arc::default(),
        heard: Time::NEVER,
        groups: keys.iter().enumerate().map(group).collect(),
        octets: 0,
        prefixes: prefixes.collect(),
        slots: slots.collect(),
    })
}

/// The key that the next step hands out, or what it says instead.
fn next(merge: &mut WalkMerge) -> Result<u64, Step> {
    let mut key = None;
    match merge.step(|alike| key = Some(alike[0].1.key.audience)) {
        Step::Groups => Ok(key.expect("a step that hands out groups has some")),
        step => Err(step),
    }
}

#[test]
fn streams_are_merged_in_the_order_of_their_keys_and_none_gets_ahead_of_another() {
    let mut merge = WalkMerge::new(2);
    merge.handle_batch(batch(0, &[3, 7]));
    assert_eq!(next(&mut merge), Err(Step::Waiting), "for shard 1 to begin");
    merge.handle_batch(batch(1, &[1]));
    assert_eq!(next(&mut merge), Ok(1));
    assert_eq!(next(&mut merge), Err(Step::Waiting), "for more of shard 1");
    merge.handle_batch(batch(1, &[5]));
    merge.handle_end(ShardId(1));
    assert_eq!([next(&mut merge), next(&mut merge)], [Ok(3), Ok(5)]);
    assert_eq!(next(&mut merge), Ok(7));
    assert_eq!(next(&mut merge), Err(Step::Waiting), "for shard 0 to end");
    merge.handle_end(ShardId(0));
    assert_eq!(next(&mut merge), Err(Step::Done));
}
