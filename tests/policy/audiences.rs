//! Audiences against a look at each client on its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rialto::base::{Asn, ClientSlot};
use rialto::policy::{
    ControlScheme, Directory, DirectoryEntry, Precedence, PrefixClass, SchemeOptions, audiences,
};
use rialto::wire::testing::SetBuilder;

const RS: u16 = 64_500;

type Standard = Vec<(u16, u16)>;
type Large = Vec<(u32, u32, u32)>;

/// What one client of ASN `peer` may have, straight from the contract: its prepends, or nothing.
fn owed(peer: u32, standard: &Standard, large: &Large, large_first: bool) -> Option<u8> {
    let rs = u32::from(RS);
    let standard_has = |high: u16, low: u32| {
        standard
            .iter()
            .any(|c| c.0 == high && u32::from(c.1) == low)
    };
    let large_has = |function: u32, last: u32| large.contains(&(rs, function, last));
    let standard_says = [
        (standard_has(0, peer), false),
        (standard_has(RS, peer), true),
        (standard_has(0, rs), false),
        (standard_has(RS, rs), true),
    ];
    let large_says = [
        (large_has(0, peer), false),
        (large_has(1, peer), true),
        (large_has(0, 0), false),
        (large_has(1, 0), true),
    ];
    let merged = standard_says
        .into_iter()
        .zip(large_says)
        .map(|(a, b)| (a.0 || b.0, a.1));
    let rules: Vec<(bool, bool)> = match large_first {
        true => large_says.into_iter().chain(standard_says).collect(),
        false => merged.collect(),
    };
    let goes = rules
        .into_iter()
        .find(|(said, _)| *said)
        .is_none_or(|(_, goes)| goes);
    let highest = |last| {
        (1..=3u8)
            .rev()
            .find(|count| large_has(100 + u32::from(*count), last))
    };
    goes.then(|| highest(peer).or(highest(0)).unwrap_or(0))
}

fn peer() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 1u32..8, 1 => Just(200_000u32), 1 => Just(u32::from(RS)), 1 => Just(0u32)]
}

fn standard() -> impl Strategy<Value = Standard> {
    let low = prop_oneof![4 => 1u16..8, 1 => Just(RS)];
    prop::collection::vec((prop_oneof![Just(0u16), Just(RS), Just(3u16)], low), 0..5)
}

fn large() -> impl Strategy<Value = Large> {
    let function = prop_oneof![
        Just(0u32),
        Just(1),
        Just(101),
        Just(102),
        Just(103),
        Just(104)
    ];
    prop::collection::vec((Just(u32::from(RS)), function, peer()), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn audiences_are_disjoint_and_give_each_client_its_due(
        clients in prop::collection::vec((prop_oneof![4 => 1u32..8, 1 => Just(200_000u32)], any::<bool>(), 1u16..4), 1..12),
        standard in standard(),
        large in large(),
        large_first in any::<bool>(),
        path in prop::collection::vec(1u32..8, 0..4),
    ) {
        // Slots with gaps; the first client announces.
        let slots = clients.iter().scan(0u16, |slot, (_, _, gap)| { *slot += gap * 40; Some(ClientSlot(*slot)) });
        let entries: Vec<DirectoryEntry> = slots
            .zip(&clients)
            .map(|(slot, (asn, hide_own_as, _))| DirectoryEntry { hide_own_as: *hide_own_as, ..DirectoryEntry::new(slot, Asn(*asn)) })
            .collect();
        let directory: Directory = entries.iter().cloned().collect();
        let precedence = if large_first { Precedence::LargeFirst } else { Precedence::Merged };
        let options = SchemeOptions { precedence, ..SchemeOptions::default() };
        let scheme = ControlScheme::new(Asn(RS.into()), &options).unwrap();
        let set = SetBuilder::new().as_path(&path).communities(&standard).large(&large).build();
        let announcer = entries[0].slot;

        let result = audiences(announcer, &scheme.actions(&set, &directory), PrefixClass::ACCEPTED, 0, &directory);

        prop_assert!(result.is_sorted_by(|a, b| a.0 < b.0), "in the order of the variants, each once");
        prop_assert!(result.iter().all(|(_, clients)| !clients.is_empty()));
        let mut found = BTreeMap::new();
        for (variant, clients) in &result {
            for slot in clients.iter() {
                prop_assert_eq!(found.insert(slot, variant.prepend), None, "disjoint");
            }
        }
        let expected: BTreeMap<ClientSlot, u8> = entries[1..]
            .iter()
            .filter(|entry| !(entry.hide_own_as && path.contains(&entry.asn.0)))
            .filter_map(|entry| Some((entry.slot, owed(entry.asn.0, &standard, &large, large_first)?)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
