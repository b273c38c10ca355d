//! Every import check on its own, against every other, and as a remark; the numbers of the reasons.

use rialto::base::Asn;
use rialto::policy::{ImportChecks, IrrSet, RejectNumbers, RejectReason};

use crate::world::{CLIENT, SERVER, World, aspas, list, prefix_set, vrps};

use RejectReason::*;

/// Every reason that a check has, in the order in which the checks are made.
pub const ORDER: [RejectReason; 25] = [
    EmptyAsPath,
    LeftmostAs,
    AsPathTooLong,
    OwnAs,
    BogonAsn,
    TransitFree,
    NeverViaRouteServers,
    AsSet,
    NextHop,
    TooManyCommunities,
    RouteLeak,
    AspaInvalid,
    BogonPrefix,
    OwnPrefix,
    BlackList,
    ClientBlackList,
    PrefixTooShort,
    PrefixTooLong,
    IrrMissing,
    IrrOrigin,
    IrrPrefix,
    RpkiMissing,
    RpkiInvalid,
    RpkiUnknown,
    Quarantined,
];

/// Makes the route fail this check, and no other.
fn spoil(world: &mut World, reason: RejectReason) {
    let here = || list(&["193.0.0.0/21"]);
    match reason {
        EmptyAsPath => (world.path, world.origin) = (Vec::new(), None),
        LeftmostAs => world.path.insert(0, 1000),
        AsPathTooLong => world.path.extend([CLIENT.0; 40]),
        OwnAs => world.path.push(SERVER.0),
        BogonAsn => world.path.push(64_512),
        TransitFree => world.path.push(174),
        NeverViaRouteServers => world.path.insert(1, 5001),
        AsSet => world.as_set.push(7),
        NextHop => world.next_hop = [10, 77, 1, 9],
        TooManyCommunities => world.communities = vec![(7, 7); 101],
        RouteLeak => world.otc = Some(Asn(1)),
        AspaInvalid => world.outside.aspas = aspas(&[(3333, &[3334])]),
        BogonPrefix => world.checks.bogon_prefixes = here(),
        OwnPrefix => world.checks.own_prefixes = here(),
        BlackList => world.checks.black_list = here(),
        ClientBlackList => world.checks.client_black_list = here(),
        PrefixTooShort => world.checks.prefix_lengths[0] = Some(22..=24),
        PrefixTooLong => world.checks.prefix_lengths[0] = Some(8..=20),
        IrrMissing => world.irr().set = None,
        IrrOrigin => world.registered(|irr| IrrSet::new(irr.prefixes.clone(), vec![Asn(3334)])),
        IrrPrefix => world
            .registered(|irr| IrrSet::new(prefix_set(&["193.0.8.0/21"]), irr.origins().to_vec())),
        RpkiMissing => world.outside.vrps = None,
        RpkiInvalid => world.outside.vrps = vrps(&[("193.0.0.0/16", 24, 3334)]),
        RpkiUnknown => world.outside.vrps = vrps(&[]),
        Quarantined => world.checks.quarantined = true,
        AcceptedLimit => unreachable!("no check of a route"),
    }
}

/// Switches the check off.
fn switch_off(checks: &mut ImportChecks, reason: RejectReason) {
    let irr = checks.irr.get_or_insert_default();
    match reason {
        EmptyAsPath | LeftmostAs => checks.leftmost_as = false,
        AsPathTooLong => checks.as_path_len_max = None,
        OwnAs => checks.own_as = false,
        BogonAsn => checks.bogon_asns.clear(),
        TransitFree => checks.transit_free_asns = [].into(),
        NeverViaRouteServers => checks.never_via_route_servers_asns = [].into(),
        AsSet => checks.as_set = false,
        NextHop => checks.next_hops = None,
        TooManyCommunities => checks.communities_max = None,
        RouteLeak => checks.route_leak = false,
        AspaInvalid => checks.aspa_invalid = false,
        BogonPrefix => checks.bogon_prefixes = None,
        OwnPrefix => checks.own_prefixes = None,
        BlackList => checks.black_list = None,
        ClientBlackList => checks.client_black_list = None,
        PrefixTooShort | PrefixTooLong => checks.prefix_lengths = [None, None],
        IrrMissing => (irr.prefix, irr.origin) = (false, false),
        IrrOrigin => irr.origin = false,
        IrrPrefix => irr.prefix = false,
        RpkiMissing => (checks.rpki_invalid, checks.rpki_unknown) = (false, false),
        RpkiInvalid => checks.rpki_invalid = false,
        RpkiUnknown => checks.rpki_unknown = false,
        Quarantined => checks.quarantined = false,
        AcceptedLimit => unreachable!("no check of a route"),
    }
}

/// Whether the switch of one check is that of another as well.
fn is_off_with(reason: RejectReason, switch: RejectReason) -> bool {
    let groups = [
        (EmptyAsPath, LeftmostAs),
        (LeftmostAs, EmptyAsPath),
        (PrefixTooShort, PrefixTooLong),
        (PrefixTooLong, PrefixTooShort),
        (IrrMissing, IrrOrigin),
        (IrrMissing, IrrPrefix),
        (RpkiMissing, RpkiInvalid),
        (RpkiMissing, RpkiUnknown),
    ];
    reason == switch || groups.contains(&(switch, reason))
}

/// Whether one route can fail both. An empty AS_PATH has no ASN that could be wrong, and no origin.
fn can_meet(first: RejectReason, second: RejectReason) -> bool {
    let of_prefix = [BogonPrefix, OwnPrefix, BlackList, ClientBlackList];
    let of_rpki = [RpkiMissing, RpkiInvalid, RpkiUnknown];
    let of_rest = [
        NextHop,
        TooManyCommunities,
        RouteLeak,
        PrefixTooShort,
        PrefixTooLong,
    ];
    match (first, second) {
        (EmptyAsPath, other) => of_prefix.contains(&other) || of_rest.contains(&other),
        (PrefixTooShort, PrefixTooLong) | (IrrMissing, IrrOrigin | IrrPrefix) => false,
        (first, second) => !(of_rpki.contains(&first) && of_rpki.contains(&second)),
    }
}

pub fn spoiled(reasons: &[RejectReason]) -> World {
    let mut world = World::good();
    // ASPA has its own word on paths that are empty or have an AS_SET, the data on those without origin.
    let is_empty = reasons.contains(&EmptyAsPath);
    if is_empty || reasons.contains(&AsSet) && !reasons.contains(&AspaInvalid) {
        world.checks.aspa_invalid = false;
    }
    if is_empty {
        switch_off(&mut world.checks, IrrMissing);
        switch_off(&mut world.checks, RpkiMissing);
    }
    reasons.iter().for_each(|reason| spoil(&mut world, *reason));
    world
}

#[test]
fn every_reason_of_a_check_is_in_the_order() {
    let of_no_check = [AcceptedLimit];
    for reason in RejectReason::ALL {
        let count = ORDER.iter().filter(|other| **other == reason).count();
        assert_eq!(
            count,
            usize::from(!of_no_check.contains(&reason)),
            "{reason}"
        );
    }
}

#[test]
fn a_good_route_passes_all_checks() {
    assert_eq!(World::good().verdict(), Ok(None));
}

#[test]
fn each_check_rejects_on_its_own_and_its_switch_touches_no_other() {
    for reason in ORDER {
        let world = spoiled(&[reason]);
        assert_eq!(world.verdict(), Err(reason), "all are on");
        let mut off = world.clone();
        switch_off(&mut off.checks, reason);
        assert_eq!(off.verdict(), Ok(None), "{reason} is off");
        for other in ORDER {
            if is_off_with(reason, other) {
                continue;
            }
            let mut off = world.clone();
            switch_off(&mut off.checks, other);
            assert_eq!(off.verdict(), Err(reason), "{other} is off");
        }
    }
}

#[test]
fn checks_are_made_in_order() {
    for (index, first) in ORDER.into_iter().enumerate() {
        for second in &ORDER[index + 1..] {
            if can_meet(first, *second) {
                let world = spoiled(&[first, *second]);
                assert_eq!(world.verdict(), Err(first), "{first} before {second}");
            }
        }
    }
}

#[test]
fn what_is_tagged_only_is_accepted_with_a_remark_and_what_is_rejected_beats_it() {
    for (index, first) in ORDER.into_iter().enumerate() {
        let mut alone = spoiled(&[first]);
        alone.checks.remarks = vec![first];
        let tagged = match first {
            // Not to be tagged: no configuration can say it.
            Quarantined => Err(Quarantined),
            _ => Ok(Some(first)),
        };
        assert_eq!(alone.verdict(), tagged, "{first} alone");
        for second in &ORDER[index + 1..] {
            if !can_meet(first, *second) || *second == Quarantined {
                continue;
            }
            let verdict = |remarks: &[RejectReason]| {
                let mut world = spoiled(&[first, *second]);
                world.checks.remarks = remarks.to_vec();
                world.verdict()
            };
            let case = format!("{first} and {second}");
            assert_eq!(
                verdict(&[first]),
                Err(*second),
                "{case}: the first is tagged"
            );
            assert_eq!(
                verdict(&[*second]),
                Err(first),
                "{case}: the second is tagged"
            );
            let both = verdict(&[*second, first]);
            assert_eq!(both, Ok(Some(first)), "{case}: the first remark stays");
        }
    }
}

#[test]
fn quarantine_comes_last_and_leaves_no_remark() {
    for reason in ORDER {
        let mut world = spoiled(&[reason]);
        world.checks.quarantined = true;
        assert_eq!(world.verdict(), Err(reason), "{reason}");
        world.checks.remarks = vec![reason];
        assert_eq!(world.verdict(), Err(Quarantined), "{reason} is tagged");
    }
}

#[test]
fn reasons_have_the_numbers_of_ixp_manager_and_of_arouteserver() {
    // (reason, IXP Manager's; 0: it has none, arouteserver's id)
    let numbers = [
        (PrefixTooLong, 1, 13),
        (PrefixTooShort, 2, 13),
        (BogonPrefix, 3, 2),
        (BogonAsn, 4, 7),
        (AsPathTooLong, 5, 1),
        (EmptyAsPath, 6, 1),
        (LeftmostAs, 7, 6),
        (NextHop, 8, 5),
        (IrrPrefix, 9, 12),
        (IrrOrigin, 10, 9),
        (RpkiUnknown, 12, 65_535),
        (RpkiInvalid, 13, 14),
        (TransitFree, 14, 8),
        (TooManyCommunities, 15, 65_535),
        (BlackList, 0, 3),
        (ClientBlackList, 0, 11),
        (NeverViaRouteServers, 0, 15),
        (OwnAs, 0, 7),
        (AsSet, 0, 7),
    ];
    for (reason, ixp_manager, arouteserver) in numbers {
        let of_theirs = reason.number(RejectNumbers::IxpManager);
        match ixp_manager {
            0 => assert!(of_theirs > 100, "{reason} is not one of IXP Manager's"),
            _ => assert_eq!(of_theirs, ixp_manager, "{reason}"),
        }
        assert_eq!(
            reason.number(RejectNumbers::Arouteserver),
            arouteserver,
            "{reason}"
        );
    }
    for reason in RejectReason::ALL {
        let number = reason.number(RejectNumbers::IxpManager);
        let same = RejectReason::ALL.map(|other| other.number(RejectNumbers::IxpManager) == number);
        assert_eq!(same.iter().filter(|same| **same).count(), 1, "{reason}");
        assert_eq!(RejectReason::of_code(reason.code()), Some(reason));
        assert_eq!(RejectReason::from_name(reason.name()), Some(reason));
    }
    assert_eq!(
        (RejectReason::of_code(0), RejectReason::of_code(27)),
        (None, None)
    );
}
