//! Audiences of all actions against a look at each client on its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rialto::base::{Asn, ClientSet, ClientSlot};
use rialto::policy::{
    ControlAction, Directory, DirectoryEntry, Last, Precedence, PrefixClass, SchemeOptions,
    audiences,
};
use rialto::wire::{Variant, VariantFlags};

use crate::export::{all_forms, communities};
use crate::scheme::set;

use ControlAction::*;

/// In forms of 16 bits, this number stands for that AS.
const ALIAS: (u16, u32) = (6, 200_000);

/// A community: an action, its last number, and whether it is a large one.
#[derive(Clone, Copy, Debug)]
struct Request {
    action: ControlAction,
    last: u32,
    kind: usize,
}

impl Request {
    const LARGE: usize = 3;

    /// Of the client, if it is meant by its ASN.
    fn names(&self, asn: u32) -> bool {
        let named = match self.kind != Request::LARGE && self.last == u32::from(ALIAS.0) {
            true => ALIAS.1,
            false => self.last,
        };
        named != 0 && named == asn
    }
}

/// What the route and the server are like, beside the communities.
#[derive(Clone, Debug)]
struct Circumstances {
    path: Vec<u32>,
    well_known: bool,
    blackhole: bool,
    blackholes_stay: bool,
    draining: bool,
    large_first: bool,
}

/// Milliseconds that a threshold may be; 7 is none.
fn is_threshold(ms: u32) -> bool {
    [5, 10, 20].contains(&ms)
}

/// What one client is owed: prepends and what is added, or nothing.
fn owed(
    client: &DirectoryEntry,
    announcer: &DirectoryEntry,
    requests: &[Request],
    circumstances: &Circumstances,
) -> Option<(u8, VariantFlags)> {
    let hides = client.hide_own_as && circumstances.path.contains(&client.asn.0);
    let is_allowed = |receivers: &ClientSet| receivers.contains(client.slot);
    let refused = [
        client.slot == announcer.slot,
        circumstances.well_known && announcer.obeys_well_known,
        !announcer.receivers.as_ref().is_none_or(is_allowed),
        circumstances.blackhole && !client.takes_blackholes,
        hides,
        !is_wanted(client, requests, circumstances.large_first),
    ];
    if refused.contains(&true) {
        return None;
    }
    let asks = |to_any, to_peer| {
        let names = |r: &Request| r.action == to_peer && r.names(client.asn.0);
        requests.iter().any(|r| r.action == to_any || names(r))
    };
    let flags = [
        (
            asks(AddNoExportToAny, AddNoExportToPeer)
                || circumstances.blackhole && circumstances.blackholes_stay,
            VariantFlags::NO_EXPORT,
        ),
        (
            asks(AddNoAdvertiseToAny, AddNoAdvertiseToPeer),
            VariantFlags::NO_ADVERTISE,
        ),
        (circumstances.blackhole, VariantFlags::BLACKHOLE),
        (circumstances.draining, VariantFlags::GRACEFUL_SHUTDOWN),
    ];
    let flags = flags.into_iter().filter(|(on, _)| *on);
    let flags = flags.fold(VariantFlags::default(), |all, (_, flag)| all.with(flag));
    Some((prepends(client, requests), flags))
}

/// Not to a peer, to a peer, not to and to those so near or far, to no one, to all.
fn is_wanted(client: &DirectoryEntry, requests: &[Request], large_first: bool) -> bool {
    let by_rtt = |below, above| {
        requests.iter().any(|r| {
            let is_known = is_threshold(r.last) && client.rtt_us.is_some();
            let is_above = client.rtt_us > Some(r.last * 1_000);
            is_known && (r.action == below && !is_above || r.action == above && is_above)
        })
    };
    let (large, others): (Vec<Request>, Vec<Request>) =
        requests.iter().partition(|r| r.kind == Request::LARGE);
    let groups = match large_first {
        true => vec![large, others],
        false => vec![requests.to_vec()],
    };
    for group in groups {
        let says = |action| group.iter().any(|r| r.action == action);
        let names = |action| {
            let names = |r: &&Request| r.action == action && r.names(client.asn.0);
            group.iter().any(|r| names(&r))
        };
        if names(DoNotAnnounceToPeer) || names(AnnounceToPeer) {
            return !names(DoNotAnnounceToPeer);
        }
        if says(DoNotAnnounceToAny) || says(AnnounceToAny) {
            let to_all = !says(DoNotAnnounceToAny);
            return match by_rtt(DoNotAnnounceBelowRtt, DoNotAnnounceAboveRtt) {
                true => false,
                false => to_all || by_rtt(AnnounceBelowRtt, AnnounceAboveRtt),
            };
        }
    }
    !by_rtt(DoNotAnnounceBelowRtt, DoNotAnnounceAboveRtt)
}

/// To the peer, to those beyond (the farthest first), to those within (the nearest first), to all.
fn prepends(client: &DirectoryEntry, requests: &[Request]) -> u8 {
    let count = |actions: [ControlAction; 3], r: &Request| {
        let at = actions.iter().position(|action| *action == r.action)?;
        Some(at as u8 + 1)
    };
    let highest = |actions, is_meant: &dyn Fn(&Request) -> bool| {
        let meant = requests.iter().filter(|r| is_meant(r));
        meant.filter_map(|r| count(actions, r)).max()
    };
    let to_peer = highest(
        [PrependOnceToPeer, PrependTwiceToPeer, PrependThriceToPeer],
        &|r| r.names(client.asn.0),
    );
    let above = [
        PrependOnceAboveRtt,
        PrependTwiceAboveRtt,
        PrependThriceAboveRtt,
    ];
    let below = [
        PrependOnceBelowRtt,
        PrependTwiceBelowRtt,
        PrependThriceBelowRtt,
    ];
    let mut by_rtt = None;
    if let Some(rtt_us) = client.rtt_us {
        let at = |actions, ms: u32| highest(actions, &|r| r.last == ms);
        let beyond = [20, 10, 5].into_iter().filter(|ms| rtt_us > ms * 1_000);
        let within = [5, 10, 20].into_iter().filter(|ms| rtt_us <= ms * 1_000);
        by_rtt = beyond
            .filter_map(|ms| at(above, ms))
            .chain(within.filter_map(|ms| at(below, ms)))
            .next();
    }
    let to_any = [PrependOnceToAny, PrependTwiceToAny, PrependThriceToAny];
    to_peer
        .or(by_rtt)
        .or(highest(to_any, &|_| true))
        .unwrap_or(0)
}

fn request() -> impl Strategy<Value = Request> {
    // The two that say most oftener than the rest.
    let actions = prop_oneof![
        1 => Just(DoNotAnnounceToAny),
        1 => Just(AnnounceToPeer),
        6 => prop::sample::select(ControlAction::ALL.to_vec()),
    ];
    let peer = prop::sample::select(vec![10u32, 20, 30, 200_000, 99, 0, 6]);
    let rtt = prop::sample::select(vec![5u32, 10, 20, 7]);
    (actions, peer, rtt, 0..4usize).prop_map(|(action, peer, rtt, kind)| {
        let last = match action.last() {
            Last::Fixed => 7,
            // Four octets do not fit in a standard community.
            Last::Peer if kind == 0 && peer > 0xffff => 6,
            Last::Peer => peer,
            Last::Rtt => rtt,
        };
        Request { action, last, kind }
    })
}

fn entry() -> impl Strategy<Value = DirectoryEntry> {
    let asn = prop::sample::select(vec![10u32, 20, 30, 200_000, 6]);
    let rtts = vec![0u32, 4_999, 5_000, 5_001, 10_000, 10_001, 20_000, 30_000];
    let rtt = prop::option::of(prop::sample::select(rtts));
    let receivers = prop::option::weighted(0.3, prop::collection::vec(any::<bool>(), 10));
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    (asn, rtt, receivers, switches).prop_map(|(asn, rtt_us, receivers, switches)| {
        let receivers = receivers.map(|may: Vec<bool>| {
            let slots = (0u16..).zip(may).filter(|(_, may)| *may);
            slots.map(|(index, _)| slot(index)).collect()
        });
        DirectoryEntry {
            hide_own_as: switches.0,
            rtt_us,
            receivers,
            takes_blackholes: switches.1,
            obeys_well_known: switches.2,
            ..DirectoryEntry::new(ClientSlot(0), Asn(asn))
        }
    })
}

/// With gaps.
fn slot(index: u16) -> ClientSlot {
    ClientSlot(index * 23)
}

fn circumstances() -> impl Strategy<Value = Circumstances> {
    let path = prop::collection::vec(prop::sample::select(vec![10u32, 20, 50]), 0..3);
    (path, any::<[bool; 5]>()).prop_map(|(path, switches)| {
        let [
            well_known,
            blackhole,
            blackholes_stay,
            draining,
            large_first,
        ] = switches;
        Circumstances {
            path,
            well_known,
            blackhole,
            blackholes_stay,
            draining,
            large_first,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn each_client_gets_its_due(
        entries in prop::collection::vec(entry(), 1..10),
        announcer in any::<prop::sample::Index>(),
        requests in prop::collection::vec(request(), 0..7),
        circumstances in circumstances(),
        tags in prop_oneof![Just(0u16), any::<u16>()],
    ) {
        let mut entries = entries;
        (0..).zip(&mut entries).for_each(|(index, entry)| entry.slot = slot(index));
        let directory: Directory = entries.iter().cloned().collect();
        let directory = directory.with_server(circumstances.blackholes_stay, circumstances.draining);
        let scheme = all_forms(SchemeOptions {
            rtt_thresholds_ms: vec![5, 10, 20],
            peer_as_aliases: [(ALIAS.0, Asn(ALIAS.1))].into(),
            precedence: if circumstances.large_first { Precedence::LargeFirst } else { Precedence::Merged },
            ..SchemeOptions::default()
        });
        let asked = requests.iter().map(|r| communities(r.action, r.last)[r.kind].clone());
        let well_known = circumstances.well_known.then(|| "65535:65281".to_owned());
        let asked: Vec<String> = asked.chain(well_known).collect();
        let set = set(&circumstances.path, &asked.join(" "));
        let class = PrefixClass::ACCEPTED.with_blackhole(circumstances.blackhole);
        let announcer = announcer.get(&entries);

        let actions = scheme.actions(&set, &directory);
        let found = audiences(announcer.slot, &actions, class, tags, &directory);

        prop_assert!(found.is_sorted_by(|a, b| a.0 < b.0), "in the order of the variants, each once");
        let mut due: BTreeMap<ClientSlot, (u8, VariantFlags)> = BTreeMap::new();
        for (Variant { prepend, flags, tags: added, prepend_as }, clients) in &found {
            prop_assert!(!clients.is_empty());
            prop_assert_eq!(*added, tags);
            prop_assert_eq!(*prepend_as, if *prepend > 0 { announcer.asn } else { Asn(0) });
            for slot in clients.iter() {
                prop_assert_eq!(due.insert(slot, (*prepend, *flags)), None, "disjoint");
            }
        }
        let expected: BTreeMap<ClientSlot, (u8, VariantFlags)> = entries
            .iter()
            .filter_map(|client| Some((client.slot, owed(client, announcer, &requests, &circumstances)?)))
            .collect();
        prop_assert_eq!(due, expected);
        if actions.reaches_nobody() {
            prop_assert!(found.is_empty());
        }
    }
}
