//! Import checks that need no data but lists and ASPAs, case by case.

use rialto::base::Asn;
use rialto::policy::{ImportChecks, ImportPolicy, RejectReason, Verdict};
use rialto::wire::testing::SetBuilder;

use crate::world::{CLIENT, SERVER, World, aspas, list};

use RejectReason::*;

/// What is changed of a world in which all checks are on, and what comes of it.
type Cases<'a> = &'a [(&'a str, fn(&mut World), Result<(), RejectReason>)];

fn check(cases: Cases<'_>) {
    for (case, change, expected) in cases {
        let mut world = World::good();
        world.checks.irr = None;
        (world.checks.rpki_invalid, world.checks.rpki_unknown) = (false, false);
        change(&mut world);
        assert_eq!(world.verdict().map(drop), *expected, "{case}");
    }
}

#[test]
fn prefixes_that_must_not_be() {
    check(&[
        (
            "what lies in a listed block is listed, with a plus",
            |w| w.checks.black_list = list(&["193.0.0.0/16+"]),
            Err(BlackList),
        ),
        (
            "without one, it is not",
            |w| w.checks.black_list = list(&["193.0.0.0/16"]),
            Ok(()),
        ),
        (
            "lengths can be named",
            |w| w.checks.client_black_list = list(&["193.0.0.0/16{20,21}"]),
            Err(ClientBlackList),
        ),
        (
            "and are kept to",
            |w| w.checks.client_black_list = list(&["193.0.0.0/16{22,24}"]),
            Ok(()),
        ),
        (
            "a prefix that covers a listed one is not listed",
            |w| w.checks.black_list = list(&["193.0.1.0/24+"]),
            Ok(()),
        ),
        (
            "the exchange's own prefixes are not announced",
            |w| {
                (w.prefix, w.checks.own_prefixes) = ("195.66.224.0/22", list(&["195.66.224.0/22+"]))
            },
            Err(OwnPrefix),
        ),
        (
            "nor what lies in them",
            |w| {
                (w.prefix, w.checks.own_prefixes) = ("195.66.226.0/24", list(&["195.66.224.0/22+"]))
            },
            Err(OwnPrefix),
        ),
        (
            "of both families",
            |w| {
                w.prefix = "2001:7f8:4::/48";
                w.checks.own_prefixes = list(&["195.66.224.0/22+", "2001:7f8:4::/48+"]);
            },
            Err(OwnPrefix),
        ),
        (
            "bogons of one's own replace the usual ones",
            |w| (w.prefix, w.checks.bogon_prefixes) = ("10.0.0.0/8", list(&["11.0.0.0/8"])),
            Ok(()),
        ),
        (
            "and are rejected",
            |w| (w.prefix, w.checks.bogon_prefixes) = ("11.0.0.0/8", list(&["11.0.0.0/8"])),
            Err(BogonPrefix),
        ),
    ]);
}

#[test]
fn ases_that_must_not_be_behind_the_client() {
    check(&[
        (
            "a transit-free network in the middle is a leak",
            |w| w.path = vec![CLIENT.0, 3356],
            Err(TransitFree),
        ),
        (
            "as the origin too",
            |w| w.origin = Some(Asn(1299)),
            Err(TransitFree),
        ),
        (
            "and in an AS_SET",
            |w| {
                w.as_set = vec![7, 2914];
                w.checks.as_set = false;
            },
            Err(TransitFree),
        ),
        (
            "a client that is transit-free itself may be in front",
            |w| (w.checks.client_asn, w.path) = (Asn(174), vec![174]),
            Ok(()),
        ),
        (
            "prepended as well",
            |w| (w.checks.client_asn, w.path) = (Asn(174), vec![174, 174, 174]),
            Ok(()),
        ),
        (
            "but not with another behind it",
            |w| (w.checks.client_asn, w.path) = (Asn(174), vec![174, 3356]),
            Err(TransitFree),
        ),
        (
            "an ASN that is on no list passes",
            |w| w.path.push(175),
            Ok(()),
        ),
        (
            "a list of one's own replaces the usual one",
            |w| (w.checks.transit_free_asns, w.path) = ([Asn(9)].into(), vec![CLIENT.0, 174]),
            Ok(()),
        ),
        (
            "and is looked up",
            |w| (w.checks.transit_free_asns, w.path) = ([Asn(9)].into(), vec![CLIENT.0, 9]),
            Err(TransitFree),
        ),
        (
            "who wants never to be seen via route servers is not",
            |w| w.path.push(5000),
            Err(NeverViaRouteServers),
        ),
        (
            "as the origin neither",
            |w| w.origin = Some(Asn(5001)),
            Err(NeverViaRouteServers),
        ),
        (
            "an ASN on both lists is wanted by neither",
            |w| {
                w.path.push(174);
                w.checks.never_via_route_servers_asns = [Asn(174)].into();
                w.checks.remarks = vec![TransitFree];
            },
            Err(NeverViaRouteServers),
        ),
        (
            "a client that is here itself has changed its mind",
            |w| (w.checks.client_asn, w.path) = (Asn(5000), vec![5000]),
            Ok(()),
        ),
        (
            "bogon ASNs of one's own replace the usual ones",
            |w| {
                w.checks.bogon_asns = vec![Asn(70)..=Asn(79)];
                w.path.push(64_512);
            },
            Ok(()),
        ),
        (
            "the last of a range is in it",
            |w| {
                w.checks.bogon_asns = vec![Asn(70)..=Asn(79)];
                w.path.push(79);
            },
            Err(BogonAsn),
        ),
    ]);
}

#[test]
fn an_as_set_is_one_anywhere() {
    check(&[
        ("in the middle", |w| w.as_set = vec![7], Err(AsSet)),
        (
            "at the end",
            |w| (w.as_set, w.origin) = (vec![7], None),
            Err(AsSet),
        ),
        (
            "ASPA has none either",
            |w| (w.as_set, w.checks.as_set) = (vec![7], false),
            Err(AspaInvalid),
        ),
        (
            "without both checks it passes",
            |w| {
                w.as_set = vec![7];
                (w.checks.as_set, w.checks.aspa_invalid) = (false, false);
            },
            Ok(()),
        ),
    ]);
}

#[test]
fn communities_of_all_kinds_count_together() {
    let (standard, large) = (vec![(7, 7); 40], vec![(7, 7, 7); 40]);
    // (case, extended ones, most, verdict)
    let cases = [
        ("as many as may be", 20, 100, Verdict::Accepted),
        ("one more", 21, 100, Verdict::Rejected(TooManyCommunities)),
        ("none of a kind", 0, 80, Verdict::Accepted),
        ("other bounds", 0, 79, Verdict::Rejected(TooManyCommunities)),
        (
            "zero lets none pass",
            0,
            0,
            Verdict::Rejected(TooManyCommunities),
        ),
    ];
    for (case, extended, max, expected) in cases {
        let set = SetBuilder::new()
            .communities(&standard)
            .large(&large)
            .extended(&vec![[0, 2, 0, 7, 0, 0, 0, 7]; extended])
            .build();
        let policy = ImportPolicy::new(ImportChecks {
            communities_max: Some(max),
            ..ImportChecks::lab(SERVER, CLIENT)
        });
        assert_eq!(crate::import::of_set(&policy, &set), expected, "{case}");
    }
}

#[test]
fn only_to_customer_from_a_client_is_a_leak() {
    check(&[
        (
            "of a client with a role",
            |w| w.otc = Some(Asn(1)),
            Err(RouteLeak),
        ),
        (
            "of a client with a role that says so itself",
            |w| w.otc = Some(CLIENT),
            Err(RouteLeak),
        ),
        (
            "without a role it passes",
            |w| (w.otc, w.checks.route_leak) = (Some(Asn(1)), false),
            Ok(()),
        ),
    ]);
}

#[test]
fn aspa_judges_paths_of_clients_as_upstream_ones() {
    check(&[
        (
            "who names its provider goes through that one",
            |w| w.outside.aspas = aspas(&[(3333, &[10_000])]),
            Ok(()),
        ),
        (
            "through another it is a leak",
            |w| w.outside.aspas = aspas(&[(3333, &[10_001])]),
            Err(AspaInvalid),
        ),
        (
            "prepends do not matter",
            |w| {
                w.path = vec![CLIENT.0, CLIENT.0, 3333];
                w.outside.aspas = aspas(&[(3333, &[10_000])]);
            },
            Ok(()),
        ),
        (
            "every hop is looked at",
            |w| {
                w.path = vec![CLIENT.0, 20, 30];
                w.outside.aspas = aspas(&[(20, &[10_001]), (3333, &[30])]);
            },
            Err(AspaInvalid),
        ),
        (
            "who says nothing is let through",
            |w| w.outside.aspas = aspas(&[(77, &[78])]),
            Ok(()),
        ),
        (
            "who has no provider is behind nobody",
            |w| w.outside.aspas = aspas(&[(3333, &[0])]),
            Err(AspaInvalid),
        ),
        (
            "the client's own providers do not matter",
            |w| w.outside.aspas = aspas(&[(10_000, &[1])]),
            Ok(()),
        ),
        (
            "without data nothing is Invalid",
            |w| w.outside.aspas = None,
            Ok(()),
        ),
        (
            "the check can be off",
            |w| {
                w.outside.aspas = aspas(&[(3333, &[10_001])]);
                w.checks.aspa_invalid = false;
            },
            Ok(()),
        ),
    ]);
}
