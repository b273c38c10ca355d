//! Audiences against a look at each client on its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rialto::base::{Asn, ClientSet, ClientSlot};
use rialto::policy::{
    Actions, ControlScheme, Directory, DirectoryEntry, Precedence, PrefixClass, RttAction,
    RttRequest, SchemeOptions, audiences, kept_back,
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

fn actions() -> impl Strategy<Value = Actions> {
    let asns = || prop::collection::btree_set((1u32..6).prop_map(Asn), 0..3);
    let what = prop_oneof![Just(RttAction::Announce), Just(RttAction::DoNotAnnounce)];
    let rtt = prop::collection::vec((what, any::<bool>(), 1u16..5), 0..3);
    (any::<bool>(), any::<bool>(), asns(), asns(), asns(), rtt).prop_map(
        |(to_none, well_known, not_to, to, hidden_from, rtt)| Actions {
            to_none,
            well_known,
            not_to: not_to.into_iter().collect(),
            to: to.into_iter().collect(),
            hidden_from: hidden_from.into_iter().collect(),
            rtt: rtt
                .into_iter()
                .map(|(what, is_above, ms)| RttRequest { what, is_above, ms })
                .collect(),
            ..Actions::default()
        },
    )
}

/// Slot 0 announces; who may have its routes is drawn as well.
fn directory() -> impl Strategy<Value = Directory> {
    let client = (
        1u32..6,
        any::<bool>(),
        prop::option::of(0u32..6_000),
        any::<bool>(),
    );
    let receivers = prop::option::of(prop::collection::vec(any::<bool>(), 9));
    (
        prop::collection::vec(client, 1..9),
        receivers,
        any::<bool>(),
    )
        .prop_map(|(clients, receivers, obeys_well_known)| {
            let slots = |flags: Vec<bool>| -> ClientSet {
                let named = (0u16..).zip(flags).filter(|(_, named)| *named);
                named.map(|(slot, _)| ClientSlot(slot)).collect()
            };
            let receivers = receivers.map(slots);
            (0u16..)
                .zip(clients)
                .map(
                    |(slot, (asn, hide_own_as, rtt_us, takes_blackholes))| DirectoryEntry {
                        hide_own_as,
                        rtt_us,
                        takes_blackholes,
                        obeys_well_known: slot == 0 && obeys_well_known,
                        receivers: receivers.clone().filter(|_| slot == 0),
                        ..DirectoryEntry::new(ClientSlot(slot), Asn(asn))
                    },
                )
                .collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn who_is_in_no_audience_has_a_reason_and_nobody_else(
        actions in actions(),
        directory in directory(),
        is_blackhole in any::<bool>(),
    ) {
        let class = PrefixClass::ACCEPTED.with_blackhole(is_blackhole);
        let announcer = ClientSlot(0);
        let audiences = audiences(announcer, &actions, class, 0, &directory);
        for slot in directory.everyone().iter().filter(|slot| *slot != announcer) {
            let has = audiences.iter().any(|(_, clients)| clients.contains(slot));
            let why = kept_back(announcer, &actions, class, slot, &directory);
            prop_assert_eq!(why.is_none(), has, "{:?}: {:?}", slot, why);
        }
    }
}
