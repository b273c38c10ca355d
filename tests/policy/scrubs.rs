//! What disappears on import, so that nobody forges it, and what stays of blackhole routes.

use rialto::base::Asn;
use rialto::policy::{BlackholeNextHops, ControlAction, ControlScheme, Precedence, SchemeOptions};
use rialto::wire::{NextHop, Variant, VariantFlags};

use crate::scheme::{RS, extended_community};
use crate::tags::{ixp_manager, mixed, scheme};

#[test]
fn forged_ones_are_removed_on_import() {
    let (default, ixp_manager, mixed) = (
        ControlScheme::standard(Asn(RS)),
        scheme(&ixp_manager()),
        scheme(&mixed()),
    );
    let rs = RS as u16;
    let standard = [
        ("a tag under another ASN", (65_530, 1), [false, false, true]),
        ("a number that is no tag there", (65_530, 5), [false; 3]),
        ("a reject cause", (65_520, 14), [false, false, true]),
        (
            "one that is no reason of ours",
            (65_520, 999),
            [false, false, true],
        ),
        ("something under the server's ASN", (rs, 0xffff), [false; 3]),
        ("a control community", (0, rs), [false; 3]),
        ("another network's", (65_529, 1), [false; 3]),
    ];
    let schemes = [&default, &ixp_manager, &mixed];
    for (case, community, expected) in standard {
        let removed = schemes.map(|s| s.import_scrub().removes_standard(community));
        assert_eq!(removed, expected, "{case}");
    }
    let large = [
        ("IXP Manager's RPKI Valid", (RS, 1000, 1), [true; 3]),
        ("a reject cause of the default", (RS, 1101, 13), [true; 3]),
        (
            "a reject cause under another ASN",
            (65_521, 65_520, 14),
            [false, false, true],
        ),
        (
            "whatever its number",
            (65_521, 65_520, 70_000),
            [false, false, true],
        ),
        ("another function there", (65_521, 65_521, 14), [false; 3]),
    ];
    for (case, community, expected) in large {
        let removed = schemes.map(|s| s.import_scrub().removes_large(community));
        assert_eq!(removed, expected, "{case}");
    }
    let extended = [
        (
            "a tag under another ASN",
            (2, 65_530, 1),
            [false, false, true],
        ),
        ("the same as an origin", (3, 65_530, 1), [false; 3]),
        ("a reject cause", (2, 65_520, 14), [false, false, true]),
        (
            "whatever its number",
            (2, 65_520, 70_000),
            [false, false, true],
        ),
        (
            "under the server's ASN, where the server uses extended ones",
            (2, RS, 7),
            [false, false, true],
        ),
        ("its origins as well", (3, RS, 7), [false, false, true]),
        ("another network's", (2, 65_529, 7), [false; 3]),
    ];
    for (case, (subtype, asn, last), expected) in extended {
        let community = extended_community(subtype, asn, last);
        let removed = schemes.map(|s| s.import_scrub().removes_extended(community));
        assert_eq!(removed, expected, "{case}");
        let on_export = schemes.map(|s| s.export_scrub().removes_extended(community));
        assert_eq!(
            on_export, [false; 3],
            "{case}: what is informational goes out"
        );
    }
}

#[test]
fn a_control_form_of_extended_ones_makes_them_the_servers_own() {
    let scheme = scheme(&SchemeOptions {
        forms: vec![(
            ControlAction::DoNotAnnounceToPeer,
            vec!["rt:rs_as:peer_as".to_owned()],
        )],
        ..SchemeOptions::default()
    });
    let scrub = scheme.import_scrub();
    assert!(
        !scrub.removes_extended(extended_community(2, RS, 20)),
        "it is one"
    );
    assert!(
        scrub.removes_extended(extended_community(3, RS, 20)),
        "it is none"
    );
    assert!(
        !scrub.removes_extended(extended_community(3, 7, 20)),
        "another's"
    );
}

#[test]
fn what_asks_for_blackholing_goes_out_with_blackhole_routes_alone() {
    let forms = ["65535:666", "rs_as:666:0"].map(str::to_owned);
    let next_hops = BlackholeNextHops {
        v4: Some([192, 0, 2, 66].into()),
        v6: None,
        is_on: true,
    };
    let scheme = scheme(&SchemeOptions {
        forms: vec![(ControlAction::Blackholing, forms.into())],
        ..SchemeOptions::default()
    })
    .with_blackhole_next_hops(next_hops);
    let (import, export) = (scheme.import_scrub(), scheme.export_scrub());
    assert!(!import.removes_standard((65_535, 666)), "it asks");
    assert!(
        export.removes_standard((65_535, 666)),
        "it comes with the variant of blackhole routes, and with no other"
    );
    assert!(!import.removes_large((RS, 666, 0)), "it is heard");
    assert!(
        export.removes_large((RS, 666, 0)),
        "RFC 7999's stands for it"
    );

    let of = |flags| Variant {
        flags,
        ..Variant::default()
    };
    let (v4, v6) = (
        NextHop::V4([10, 77, 1, 1].into()),
        NextHop::V6("2001:db8::1".parse().unwrap()),
    );
    let blackhole = of(VariantFlags::BLACKHOLE.with(VariantFlags::NO_EXPORT));
    let drop = NextHop::V4([192, 0, 2, 66].into());
    assert_eq!(export.next_hop(blackhole, v4), drop);
    assert_eq!(export.next_hop(blackhole, v6), v6, "there is none for it");
    assert_eq!(export.next_hop(of(VariantFlags::NO_EXPORT), v4), v4);
}

#[test]
fn a_scheme_that_removes_less_has_to_hear_again() {
    let default = SchemeOptions::default;
    let with = |action, forms: &[&str]| SchemeOptions {
        forms: vec![(
            action,
            forms.iter().map(|form| (*form).to_owned()).collect(),
        )],
        ..default()
    };
    use ControlAction::*;
    let rtt = |ms: &[u16]| SchemeOptions {
        rtt_thresholds_ms: ms.to_vec(),
        ..with(AnnounceBelowRtt, &["rs_as:400:rtt"])
    };
    let large_first = SchemeOptions {
        precedence: Precedence::LargeFirst,
        ..default()
    };
    let cases = [
        ("the same", default(), default(), false),
        ("another precedence", default(), large_first, false),
        ("a form less", default(), with(AnnounceToAny, &[]), false),
        ("a form more", with(AnnounceToAny, &[]), default(), true),
        ("other tags", default(), ixp_manager(), true),
        ("a threshold less", rtt(&[5, 10]), rtt(&[5]), false),
        ("a threshold more", rtt(&[5]), rtt(&[5, 10]), true),
        (
            "extended ones are the server's no more",
            with(AnnounceToAny, &["rs_as:1:0", "rt:1:2"]),
            with(AnnounceToAny, &["rs_as:1:0"]),
            true,
        ),
    ];
    for (case, before, after, expected) in cases {
        let hears_more = scheme(&after).hears_more_than(&scheme(&before));
        assert_eq!(hears_more, expected, "{case}");
    }
}
