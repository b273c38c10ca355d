//! Import checks by data from outside: IRR, RPKI.

use std::sync::Arc;

use rialto::base::Asn;
use rialto::policy::{IrrOriginClass, IrrPrefixClass, RejectReason, RovClass};

use crate::world::{World, irr_set, prefix_set, ranges, vrps};

use RejectReason::*;

/// A change of the good world, the verdict, and what the class says of one piece of data.
pub type Cases<'a, T> = &'a [(&'a str, fn(&mut World), Result<(), RejectReason>, T)];

#[test]
fn prefixes_that_a_client_registered() {
    use IrrPrefixClass::*;
    let cases: Cases<'_, IrrPrefixClass> = &[
        ("a route object for just this prefix", |_| {}, Ok(()), Exact),
        (
            "more specific than all that is registered",
            |w| w.prefix = "193.0.0.0/22",
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "more specific, where a range has it",
            |w| {
                w.prefix = "193.0.4.0/22";
                w.irr().set = irr_set(&["193.0.0.0/21{21,23}"], &[3333]);
            },
            Ok(()),
            MoreSpecific,
        ),
        (
            "more specific than the range has",
            |w| {
                w.prefix = "193.0.4.0/24";
                w.irr().set = irr_set(&["193.0.0.0/21{21,23}"], &[3333]);
            },
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "exact, where a range from its own length on has it",
            |w| {
                w.prefix = "193.0.0.0/21";
                w.irr().set = irr_set(&["193.0.0.0/21{21,23}"], &[3333]);
            },
            Ok(()),
            Exact,
        ),
        (
            "with allow_longer_prefixes, shorter than all that the range means",
            |w| {
                w.prefix = "193.0.0.0/21";
                w.irr().set = irr_set(&["193.0.0.0/21{23,23}"], &[3333]);
                w.irr().allow_longer_prefixes = true;
            },
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "with allow_longer_prefixes, longer than all that the range means",
            |w| {
                w.prefix = "193.0.4.0/24";
                w.irr().set = irr_set(&["193.0.0.0/21{23,23}"], &[3333]);
                w.irr().allow_longer_prefixes = true;
            },
            Ok(()),
            MoreSpecific,
        ),
        (
            "with allow_longer_prefixes",
            |w| {
                w.prefix = "193.0.4.0/24";
                w.irr().allow_longer_prefixes = true;
            },
            Ok(()),
            MoreSpecific,
        ),
        (
            "which does not make good what nothing covers",
            |w| {
                w.prefix = "193.0.8.0/24";
                w.irr().allow_longer_prefixes = true;
            },
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "a shorter prefix is not registered by longer ones",
            |w| {
                w.prefix = "193.0.0.0/20";
                w.irr().allow_longer_prefixes = true;
            },
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "on the white list of prefixes",
            |w| {
                w.prefix = "193.0.8.0/24";
                w.irr().white_list_prefixes = Arc::new(prefix_set(&["193.0.8.0/22+"]));
            },
            Ok(()),
            WhiteList,
        ),
        (
            "registered and on the white list: registered",
            |w| w.irr().white_list_prefixes = Arc::new(prefix_set(&["193.0.0.0/16+"])),
            Ok(()),
            Exact,
        ),
        (
            "without the check, nothing is said",
            |w| {
                w.prefix = "193.0.8.0/24";
                w.irr().prefix = false;
            },
            Ok(()),
            NotChecked,
        ),
        (
            "without data nothing passes",
            |w| w.irr().set = None,
            Err(IrrMissing),
            NotChecked,
        ),
        (
            "a set without prefixes is data that has not come",
            |w| w.irr().set = irr_set(&[], &[3333]),
            Err(IrrMissing),
            NotChecked,
        ),
        (
            "one without origins is so too",
            |w| w.irr().set = irr_set(&["193.0.0.0/21"], &[]),
            Err(IrrMissing),
            NotChecked,
        ),
        (
            "unless origins are not checked",
            |w| {
                w.irr().set = irr_set(&["193.0.0.0/21"], &[]);
                w.irr().origin = false;
            },
            Ok(()),
            Exact,
        ),
        (
            "a remark does not hide what is known",
            |w| {
                w.irr().set = irr_set(&["193.0.16.0/24"], &[3333]);
                w.checks.remarks = vec![IrrPrefix];
            },
            Ok(()),
            NotPresent,
        ),
    ];
    for (case, change, verdict, state) in cases {
        let mut world = World::good();
        (world.checks.rpki_invalid, world.checks.rpki_unknown) = (false, false);
        change(&mut world);
        let class = world.class();
        let found = (world.verdict().map(drop), class.irr_prefix());
        assert_eq!(found, (*verdict, *state), "{case}");
    }
}

#[test]
fn roas_that_stand_for_route_objects() {
    use IrrPrefixClass::*;
    let cases: Cases<'_, IrrPrefixClass> = &[
        ("a ROA of an origin of the set", |_| {}, Ok(()), Roa),
        (
            "not unless it is asked for",
            |w| w.irr().roas_as_route_objects = false,
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "nor without VRPs",
            |w| w.outside.vrps = None,
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "nor for a longer prefix than the ROA has",
            |w| w.prefix = "193.0.8.0/24",
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "nor of an origin that the client did not register",
            |w| {
                w.irr().set = irr_set(&[], &[3334]);
                w.irr().origin = false;
            },
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "of one on the white list of origins it does",
            |w| {
                w.irr().set = irr_set(&[], &[3334]);
                w.irr().white_list_origins = vec![Asn(3333)];
            },
            Ok(()),
            Roa,
        ),
        (
            "nor where the path has another origin",
            |w| {
                w.origin = Some(Asn(3334));
                w.irr().set = irr_set(&[], &[3333, 3334]);
            },
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "nor where it has none",
            |w| {
                (w.origin, w.as_set) = (None, vec![3333]);
                (w.checks.as_set, w.checks.aspa_invalid) = (false, false);
                w.irr().origin = false;
            },
            Err(IrrPrefix),
            NotPresent,
        ),
        (
            "a route object is better",
            |w| w.irr().set = irr_set(&["193.0.8.0/21"], &[3333]),
            Ok(()),
            Exact,
        ),
    ];
    for (case, change, verdict, state) in cases {
        let mut world = World::good();
        (world.checks.rpki_invalid, world.checks.rpki_unknown) = (false, false);
        world.outside.vrps = vrps(&[("193.0.8.0/21", 22, 3333)]);
        world.prefix = "193.0.8.0/21";
        world.irr().set = irr_set(&["193.0.0.0/21"], &[3333]);
        world.irr().roas_as_route_objects = true;
        change(&mut world);
        let found = (world.verdict().map(drop), world.class().irr_prefix());
        assert_eq!(found, (*verdict, *state), "{case}");
    }
}

#[test]
fn origins_that_a_client_registered() {
    use IrrOriginClass::*;
    let cases: Cases<'_, IrrOriginClass> = &[
        ("one of the set", |_| {}, Ok(()), Present),
        (
            "one that is not in it",
            |w| w.origin = Some(Asn(3334)),
            Err(IrrOrigin),
            NotPresent,
        ),
        (
            "the client itself is no exception",
            |w| w.origin = None,
            Err(IrrOrigin),
            NotPresent,
        ),
        (
            "on the white list of origins",
            |w| {
                w.origin = Some(Asn(3334));
                w.irr().white_list_origins = vec![Asn(9), Asn(3334)];
            },
            Ok(()),
            Present,
        ),
        (
            "a path that ends with an AS_SET has none",
            |w| {
                (w.origin, w.as_set) = (None, vec![3333]);
                (w.checks.as_set, w.checks.aspa_invalid) = (false, false);
            },
            Err(IrrOrigin),
            NotPresent,
        ),
        (
            "without the check, nothing is said",
            |w| {
                w.origin = Some(Asn(3334));
                w.irr().origin = false;
            },
            Ok(()),
            NotChecked,
        ),
        (
            "without data nothing passes",
            |w| w.irr().set = None,
            Err(IrrMissing),
            NotChecked,
        ),
        (
            "without data and checks everything does",
            |w| {
                let irr = w.irr();
                (irr.set, irr.prefix, irr.origin) = (None, false, false);
            },
            Ok(()),
            NotChecked,
        ),
        (
            "a remark does not hide what is known",
            |w| (w.origin, w.checks.remarks) = (Some(Asn(3334)), vec![IrrOrigin]),
            Ok(()),
            NotPresent,
        ),
    ];
    for (case, change, verdict, state) in cases {
        let mut world = World::good();
        (world.checks.rpki_invalid, world.checks.rpki_unknown) = (false, false);
        change(&mut world);
        let found = (world.verdict().map(drop), world.class().irr_origin());
        assert_eq!(found, (*verdict, *state), "{case}");
    }
}

#[test]
fn routes_on_the_white_list_pass_both_checks() {
    // (case, list, passes)
    type Routes<'a> = &'a [(&'a str, Option<u32>)];
    let cases: [(&str, Routes<'_>, bool); 8] = [
        ("nothing is listed", &[], false),
        ("of just this origin", &[("193.0.8.0/22", Some(3334))], true),
        ("of another origin", &[("193.0.8.0/22", Some(3333))], false),
        ("of any origin", &[("193.0.8.0/22", None)], true),
        ("another prefix", &[("193.0.8.0/23", None)], false),
        (
            "a shorter one with a plus",
            &[("193.0.8.0/21+", Some(3334))],
            true,
        ),
        (
            "a shorter one without",
            &[("193.0.8.0/21", Some(3334))],
            false,
        ),
        (
            "one of several",
            &[("193.0.0.0/21", None), ("193.0.8.0/22", Some(3334))],
            true,
        ),
    ];
    for (case, routes, passes) in cases {
        for has_data in [true, false] {
            let mut world = World::good();
            (world.checks.rpki_invalid, world.checks.rpki_unknown) = (false, false);
            (world.prefix, world.origin) = ("193.0.8.0/22", Some(Asn(3334)));
            let route =
                |(range, origin): &(&str, Option<u32>)| (ranges(&[range])[0], origin.map(Asn));
            world.irr().white_list_routes = routes.iter().map(route).collect();
            if !has_data {
                world.irr().set = None;
            }
            let rejected = if has_data { IrrOrigin } else { IrrMissing };
            let expected = if passes { Ok(None) } else { Err(rejected) };
            assert_eq!(world.verdict(), expected, "{case}, data: {has_data}");
            let is_said = world.class().irr_prefix() == IrrPrefixClass::WhiteList;
            assert_eq!(is_said, passes, "{case}, data: {has_data}");
        }
    }
}

#[test]
fn origins_are_validated_by_rpki() {
    use RovClass::*;
    let cases: Cases<'_, RovClass> = &[
        ("a VRP for prefix and origin", |_| {}, Ok(()), Valid),
        (
            "of another origin",
            |w| w.outside.vrps = vrps(&[("193.0.0.0/16", 24, 3334)]),
            Err(RpkiInvalid),
            Invalid,
        ),
        (
            "of another origin, on a white list",
            |w| {
                w.outside.vrps = vrps(&[("193.0.0.0/16", 24, 3334)]);
                w.irr().set = irr_set(&["193.0.8.0/21"], &[3333]);
                w.irr().white_list_prefixes = Arc::new(prefix_set(&["193.0.0.0/21"]));
            },
            Err(RpkiInvalid),
            Invalid,
        ),
        (
            "longer than the VRP has",
            |w| w.outside.vrps = vrps(&[("193.0.0.0/16", 20, 3333)]),
            Err(RpkiInvalid),
            Invalid,
        ),
        (
            "one that fits is enough",
            |w| w.outside.vrps = vrps(&[("193.0.0.0/16", 20, 3333), ("193.0.0.0/21", 21, 3333)]),
            Ok(()),
            Valid,
        ),
        (
            "no VRP covers it",
            |w| w.outside.vrps = vrps(&[("193.0.0.0/22", 24, 3333)]),
            Err(RpkiUnknown),
            NotFound,
        ),
        (
            "and nobody insists on one",
            |w| {
                w.outside.vrps = vrps(&[]);
                w.checks.rpki_unknown = false;
            },
            Ok(()),
            NotFound,
        ),
        (
            "Invalid, where only NotFound is rejected",
            |w| {
                w.outside.vrps = vrps(&[("193.0.0.0/16", 24, 3334)]);
                w.checks.rpki_invalid = false;
            },
            Ok(()),
            Invalid,
        ),
        (
            "Invalid, with a remark only",
            |w| {
                w.outside.vrps = vrps(&[("193.0.0.0/16", 24, 3334)]);
                w.checks.remarks = vec![RpkiInvalid];
            },
            Ok(()),
            Invalid,
        ),
        (
            "AS 0 lets nobody",
            |w| w.outside.vrps = vrps(&[("193.0.0.0/16", 24, 0)]),
            Err(RpkiInvalid),
            Invalid,
        ),
        (
            "a path without an origin matches nothing",
            |w| {
                (w.origin, w.as_set) = (None, vec![3333]);
                (w.checks.as_set, w.checks.aspa_invalid) = (false, false);
                w.checks.irr = None;
            },
            Err(RpkiInvalid),
            Invalid,
        ),
        (
            "there is no data yet",
            |w| w.outside.vrps = None,
            Err(RpkiMissing),
            NotChecked,
        ),
        (
            "there is no data, and it is only told",
            |w| (w.outside.vrps, w.checks.remarks) = (None, vec![RpkiMissing]),
            Ok(()),
            NotChecked,
        ),
        (
            "nothing is checked",
            |w| (w.checks.rpki_invalid, w.checks.rpki_unknown) = (false, false),
            Ok(()),
            NotChecked,
        ),
    ];
    for (case, change, verdict, state) in cases {
        let mut world = World::good();
        change(&mut world);
        let found = (world.verdict().map(drop), world.class().rov());
        assert_eq!(found, (*verdict, *state), "{case}");
    }
}
