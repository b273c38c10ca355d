//! Blackhole routes, of which the import checks forgive a little.

use std::sync::Arc;

use rialto::base::Asn;
use rialto::policy::{
    BlackholeRequests, ControlAction, ControlScheme, IrrChecks, IrrOriginClass, IrrPrefixClass,
    RejectReason, RovClass, SchemeOptions,
};

use crate::checks::{ORDER, spoiled};
use crate::outside::Cases;
use crate::world::{CLIENT, SERVER, World, irr_set, vrps};

use RejectReason::*;

/// The good world with a client that may ask for blackholing of IPv4 prefixes; it asks.
fn blackhole() -> World {
    let mut world = World::good();
    world.checks.blackhole = Some(BlackholeRequests {
        scheme: Arc::new(ControlScheme::standard(SERVER)),
        families: [true, false],
    });
    (world.prefix, world.communities) = ("193.0.0.7/32", vec![(65_535, 666)]);
    world
}

#[test]
fn blackhole_routes_may_be_longer() {
    // (case, change, verdict, whether it is one)
    let cases: Cases<'_, bool> = &[
        ("one address", |_| {}, Ok(()), true),
        (
            "a prefix of ordinary length",
            |w| w.prefix = "193.0.0.0/21",
            Ok(()),
            true,
        ),
        (
            "without the community",
            |w| w.communities.clear(),
            Err(PrefixTooLong),
            false,
        ),
        (
            "where the client may not ask",
            |w| w.checks.blackhole = None,
            Err(PrefixTooLong),
            false,
        ),
        (
            "and an ordinary one is no blackhole route there",
            |w| (w.prefix, w.checks.blackhole) = ("193.0.0.0/21", None),
            Ok(()),
            false,
        ),
        (
            "of a family that has none",
            |w| (w.prefix, w.checks.irr) = ("2a00::7/128", None),
            Err(PrefixTooLong),
            false,
        ),
        (
            "too short is too short",
            |w| (w.prefix, w.checks.irr) = ("193.0.0.0/7", None),
            Err(PrefixTooShort),
            true,
        ),
        (
            "what is shorter than all that is registered is not dropped",
            |w| {
                w.prefix = "193.0.0.0/22";
                w.irr().set = irr_set(&["193.0.0.0/21{24,24}"], &[3333]);
            },
            Err(IrrPrefix),
            true,
        ),
        (
            "what is not registered is not dropped",
            |w| w.prefix = "193.0.8.7/32",
            Err(IrrPrefix),
            true,
        ),
        (
            "a ROA registers as well",
            |w| {
                w.prefix = "193.0.8.7/32";
                w.irr().roas_as_route_objects = true;
                w.outside.vrps = vrps(&[("193.0.8.0/21", 21, 3333)]);
            },
            Ok(()),
            true,
        ),
        (
            "nor by whom it is not",
            |w| w.origin = Some(Asn(3334)),
            Err(IrrOrigin),
            true,
        ),
        (
            "nor by whom RPKI does not let",
            |w| w.outside.vrps = vrps(&[("193.0.0.0/21", 32, 3334)]),
            Err(RpkiInvalid),
            true,
        ),
        (
            "nor what no ROA covers, where one must",
            |w| w.outside.vrps = vrps(&[("193.0.8.0/21", 32, 3333)]),
            Err(RpkiUnknown),
            true,
        ),
    ];
    for (case, change, verdict, is_one) in cases {
        let mut world = blackhole();
        change(&mut world);
        let found = (world.verdict().map(drop), world.class().is_blackhole());
        assert_eq!(found, (*verdict, *is_one), "{case}");
    }
    let class = blackhole().class();
    let said = (class.rov(), class.irr_prefix(), class.irr_origin());
    let expected = (
        RovClass::Valid,
        IrrPrefixClass::MoreSpecific,
        IrrOriginClass::Present,
    );
    assert_eq!(said, expected, "the length alone is forgiven");
}

#[test]
fn a_roa_proves_the_space_of_its_origin_alone() {
    let cases: Cases<'_, bool> = &[
        (
            "the client's own",
            |w| {
                (w.path, w.origin) = (vec![], Some(CLIENT));
                w.outside.vrps = vrps(&[("193.0.0.0/21", 21, CLIENT.0)]);
            },
            Ok(()),
            true,
        ),
        (
            "somebody else's, whose ASN anybody can write behind their own",
            |_| {},
            Err(PrefixTooLong),
            false,
        ),
        (
            "that of an origin that the client registered",
            |w| w.checks.irr = of_origins(&[3333]),
            Ok(()),
            true,
        ),
        (
            "not that of one that it did not",
            |w| {
                w.checks.irr = of_origins(&[3334]);
                w.checks.remarks = vec![IrrOrigin];
            },
            Err(PrefixTooLong),
            false,
        ),
        (
            "what is no blackhole route then is validated like any other",
            |w| w.prefix = "193.0.0.0/24",
            Err(RpkiInvalid),
            false,
        ),
        (
            "and may be Valid",
            |w| w.prefix = "193.0.0.0/21",
            Ok(()),
            false,
        ),
    ];
    for (case, change, verdict, is_one) in cases {
        let mut world = blackhole();
        world.checks.irr = None;
        change(&mut world);
        let found = (world.verdict().map(drop), world.class().is_blackhole());
        assert_eq!(found, (*verdict, *is_one), "{case}");
    }
}

/// The client registered origins, and no prefixes.
fn of_origins(origins: &[u32]) -> Option<IrrChecks> {
    Some(IrrChecks {
        set: irr_set(&[], origins),
        origin: true,
        ..IrrChecks::default()
    })
}

#[test]
fn all_other_checks_hold_for_blackhole_routes() {
    for reason in ORDER.into_iter().filter(|reason| *reason != PrefixTooLong) {
        let mut world = spoiled(&[reason]);
        world.checks.blackhole = blackhole().checks.blackhole;
        world.communities.push((65_535, 666));
        assert_eq!(world.verdict(), Err(reason));
    }
}

#[test]
fn blackholing_communities_are_those_of_the_scheme() {
    let forms = ["rs_as:666", "rt:rs_as:666", "rs_as:666:0"].map(str::to_owned);
    let options = SchemeOptions {
        forms: vec![(ControlAction::Blackholing, forms.into())],
        ..SchemeOptions::default()
    };
    let scheme = ControlScheme::new(SERVER, &options).unwrap();
    let rs = SERVER.0;
    let [high, low] = (rs as u16).to_be_bytes();
    let set = rialto::wire::testing::SetBuilder::new;
    let cases = [
        (
            "standard",
            set().communities(&[(7, 7), (rs as u16, 666)]),
            true,
        ),
        (
            "extended",
            set().extended(&[[0, 2, high, low, 0, 0, 2, 154]]),
            true,
        ),
        ("large", set().large(&[(rs, 666, 0)]), true),
        (
            "one of theirs, where it is none here",
            set().communities(&[(65_535, 666)]),
            false,
        ),
        (
            "a route origin, where a target is meant",
            set().extended(&[[0, 3, high, low, 0, 0, 2, 154]]),
            false,
        ),
        ("none at all", set(), false),
    ];
    for (case, builder, expected) in cases {
        assert_eq!(scheme.is_blackhole(&builder.build()), expected, "{case}");
    }
}
