//! Informational communities: which a path gets, as few numbers stand for them.

use std::collections::{BTreeMap, BTreeSet};

use rialto::base::Asn;
use rialto::policy::{
    ControlAction, ControlScheme, InfoTag, IrrOriginClass, IrrPrefixClass, PrefixClass,
    RejectNumbers, RejectReason, RovClass, SchemeError, SchemeOptions,
};
use rialto::wire::{Additions, Variant};

use crate::scheme::RS;

fn options(tags: &[(InfoTag, &[&str])], reject_cause: &[&str]) -> SchemeOptions {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    SchemeOptions {
        tags: tags
            .iter()
            .map(|(tag, texts)| (*tag, owned(texts)))
            .collect(),
        reject_cause: owned(reject_cause),
        ..SchemeOptions::default()
    }
}

pub fn scheme(options: &SchemeOptions) -> ControlScheme {
    ControlScheme::new(Asn(RS), options).unwrap()
}

/// IXP Manager's communities.
pub fn ixp_manager() -> SchemeOptions {
    use InfoTag::*;
    let tags: [(InfoTag, &[&str]); 7] = [
        (RpkiValid, &["rs_as:1000:1"]),
        (RpkiUnknown, &["rs_as:1000:2"]),
        (RpkiNotChecked, &["rs_as:1000:3"]),
        (RpkiInvalid, &["rs_as:1000:4"]),
        (IrrValid, &["rs_as:1001:1"]),
        (IrrNotChecked, &["rs_as:1001:2"]),
        (IrrMoreSpecific, &["rs_as:1001:3"]),
    ];
    options(&tags, &["rs_as:1101:reason"])
}

/// Some of all kinds, under the server's ASN and others, several tags with the same.
pub fn mixed() -> SchemeOptions {
    use InfoTag::*;
    let tags: [(InfoTag, &[&str]); 8] = [
        (PrefixPresent, &["65530:1", "rs_as:2000:1", "rt:65530:1"]),
        (PrefixNotPresent, &["65530:2"]),
        (OriginPresent, &["65530:1", "rs_as:2000:2"]),
        (OriginNotPresent, &["65530:2"]),
        (PrefixViaRoas, &["65530:3", "rs_as:2000:3"]),
        (RouteViaWhiteList, &["rs_as:2000:3", "65530:3"]),
        (RpkiValid, &["ro:65530:4"]),
        (RpkiUnknown, &["65530:9", "65530:9"]),
    ];
    let reject_cause = ["65520:reason", "rt:65520:reason", "65521:65520:reason"];
    SchemeOptions {
        reject_numbers: RejectNumbers::Arouteserver,
        ..options(&tags, &reject_cause)
    }
}

fn all_options() -> [(&'static str, SchemeOptions); 5] {
    [
        ("the default scheme", SchemeOptions::default()),
        ("none at all", options(&[], &[])),
        ("IXP Manager's", ixp_manager()),
        ("all kinds", mixed()),
        (
            "one tag",
            options(&[(InfoTag::PrefixPresent, &["65530:1"])], &[]),
        ),
    ]
}

/// Accepted with and without some remarks (which share numbers), and rejected; blackhole or not.
fn classes() -> impl Iterator<Item = PrefixClass> {
    use RejectReason::*;
    let remarks = [
        PrefixTooLong,
        PrefixTooShort,
        OwnAs,
        RpkiInvalid,
        RpkiMissing,
        AspaInvalid,
    ];
    PrefixClass::all_plain().flat_map(move |class| {
        let remarked = remarks.map(|reason| class.with_remark(reason));
        let others = [
            class,
            class.with_blackhole(true),
            class.with_rejected(OwnAs),
        ];
        others.into_iter().chain(remarked)
    })
}

fn additions(scheme: &ControlScheme, class: PrefixClass) -> Additions {
    let tags = scheme.tags_of(class);
    scheme.export_scrub().additions(Variant {
        tags,
        ..Variant::default()
    })
}

/// As text, sorted.
fn texts(additions: &Additions) -> BTreeSet<String> {
    let standard = additions.standard.iter().map(|(a, b)| format!("{a}:{b}"));
    let large = additions.large.iter();
    let large = large.map(|(a, b, c)| format!("{a}:{b}:{c}"));
    let extended = additions
        .extended
        .iter()
        .map(|[kind, subtype, a, b, c, d, e, f]| {
            assert_eq!(*kind, 0, "all of these tests are of two-octet ASes");
            let asn = u16::from_be_bytes([*a, *b]);
            let last = u32::from_be_bytes([*c, *d, *e, *f]);
            format!("{}:{asn}:{last}", if *subtype == 2 { "rt" } else { "ro" })
        });
    standard.chain(large).chain(extended).collect()
}

#[test]
fn plain_classes_are_all_there() {
    let all: Vec<PrefixClass> = PrefixClass::all_plain().collect();
    let distinct: BTreeSet<PrefixClass> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (4 * 6 * 3, 4 * 6 * 3));
    let is_plain = |class: &PrefixClass| class.is_accepted() && class.reason().is_none();
    assert!(
        all.iter()
            .all(|class| is_plain(class) && !class.is_blackhole())
    );
    assert_eq!(all[0], PrefixClass::ACCEPTED);
}

#[test]
fn a_path_gets_what_is_true_of_it() {
    use InfoTag::*;
    let all = InfoTag::ALL.map(|tag| (tag, vec![format!("65530:{}", tag as u16)]));
    let everything = scheme(&SchemeOptions {
        tags: all.to_vec(),
        reject_cause: vec!["65531:reason".to_owned()],
        ..SchemeOptions::default()
    });
    let plain = PrefixClass::ACCEPTED;
    let (prefix, origin) = (
        |state| plain.with_irr_prefix(state),
        |state| plain.with_irr_origin(state),
    );
    // What is said of a path of which nothing is known.
    let nothing = [RpkiNotChecked, IrrNotChecked];
    let cases: [(&str, PrefixClass, &[InfoTag]); 13] = [
        ("nothing is known", plain, &nothing),
        (
            "RPKI Valid",
            plain.with_rov(RovClass::Valid),
            &[RpkiValid, IrrNotChecked],
        ),
        (
            "RPKI Invalid",
            plain.with_rov(RovClass::Invalid),
            &[RpkiInvalid, IrrNotChecked],
        ),
        (
            "RPKI NotFound",
            plain.with_rov(RovClass::NotFound),
            &[RpkiUnknown, IrrNotChecked],
        ),
        (
            "a route object",
            prefix(IrrPrefixClass::Exact),
            &[RpkiNotChecked, IrrValid, PrefixPresent],
        ),
        (
            "a shorter route object",
            prefix(IrrPrefixClass::MoreSpecific),
            &[RpkiNotChecked, IrrMoreSpecific, PrefixPresent],
        ),
        (
            "no route object",
            prefix(IrrPrefixClass::NotPresent),
            &[RpkiNotChecked, PrefixNotPresent],
        ),
        (
            "a ROA in its place",
            prefix(IrrPrefixClass::Roa),
            &[RpkiNotChecked, IrrValid, PrefixNotPresent, PrefixViaRoas],
        ),
        (
            "the white list",
            prefix(IrrPrefixClass::WhiteList),
            &[RpkiNotChecked, IrrValid, RouteViaWhiteList],
        ),
        (
            "a registered origin",
            origin(IrrOriginClass::Present),
            &[RpkiNotChecked, IrrNotChecked, OriginPresent],
        ),
        (
            "an origin that is not",
            origin(IrrOriginClass::NotPresent),
            &[RpkiNotChecked, IrrNotChecked, OriginNotPresent],
        ),
        ("a blackhole route", plain.with_blackhole(true), &nothing),
        (
            "all together",
            prefix(IrrPrefixClass::Exact)
                .with_irr_origin(IrrOriginClass::Present)
                .with_rov(RovClass::Valid),
            &[RpkiValid, IrrValid, PrefixPresent, OriginPresent],
        ),
    ];
    for (case, class, expected) in cases {
        let expected = expected.iter().map(|tag| format!("65530:{}", *tag as u16));
        let expected: BTreeSet<String> = expected.collect();
        assert_eq!(texts(&additions(&everything, class)), expected, "{case}");
    }
    let remarked = plain.with_remark(RejectReason::RpkiInvalid);
    let expected = ["65531:13", "65530:3", "65530:6"].map(str::to_owned).into();
    assert_eq!(
        texts(&additions(&everything, remarked)),
        expected,
        "a remark"
    );
}

#[test]
fn remarks_show_the_number_of_whom_is_asked_for() {
    let remarked = |reason| PrefixClass::ACCEPTED.with_remark(reason);
    let shown = |scheme: &ControlScheme, reason| texts(&additions(scheme, remarked(reason)));
    let default = ControlScheme::standard(Asn(RS));
    let mixed = scheme(&SchemeOptions {
        tags: Vec::new(),
        ..mixed()
    });
    let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let cases = [
        (RejectReason::RpkiInvalid, "64500:1101:13", 14),
        (RejectReason::IrrPrefix, "64500:1101:9", 12),
        (RejectReason::BlackList, "64500:1101:112", 3),
        (RejectReason::RpkiMissing, "64500:1101:120", 65_535),
    ];
    for (reason, ixp_manager, arouteserver) in cases {
        let one: BTreeSet<String> = set(&[ixp_manager]);
        assert_eq!(shown(&default, reason), one, "{reason}");
        assert_eq!(
            BTreeSet::from_iter(default.reject_causes(reason)),
            one,
            "{reason}"
        );
        let id = arouteserver.to_string();
        let three = ["65520:", "rt:65520:", "65521:65520:"].map(|head| format!("{head}{id}"));
        assert_eq!(shown(&mixed, reason), three.clone().into(), "{reason}");
        assert_eq!(
            BTreeSet::from(three),
            BTreeSet::from_iter(mixed.reject_causes(reason))
        );
    }
    let rejected = PrefixClass::rejected(RejectReason::OwnAs);
    assert_eq!(
        default.tags_of(rejected),
        0,
        "what is rejected goes to nobody"
    );
}

#[test]
fn equal_additions_have_equal_tags_and_none_repeats() {
    for (case, options) in all_options() {
        let scheme = scheme(&options);
        let mut known: BTreeMap<BTreeSet<String>, u16> = BTreeMap::new();
        for class in classes() {
            let (tags, additions) = (scheme.tags_of(class), additions(&scheme, class));
            assert_eq!(tags == 0, additions.is_empty(), "{case}: {class:?}");
            let texts = texts(&additions);
            let count = additions.standard.len() + additions.extended.len() + additions.large.len();
            assert_eq!(count, texts.len(), "{case}: {class:?} repeats");
            let first = *known.entry(texts).or_insert(tags);
            assert_eq!(first, tags, "{case}: {class:?}");
        }
        let distinct: BTreeSet<u16> = known.values().copied().collect();
        assert_eq!(distinct.len(), known.len(), "{case}: different ones differ");
    }
}

#[test]
fn a_class_that_shows_nothing_has_no_tags() {
    let default = ControlScheme::standard(Asn(RS));
    let plain = PrefixClass::ACCEPTED;
    assert_eq!(default.tags_of(plain), 0);
    let known = plain
        .with_rov(RovClass::Valid)
        .with_irr_prefix(IrrPrefixClass::Exact);
    assert_eq!(default.tags_of(known), 0, "it is known and not shown");
    assert_ne!(default.tags_of(known.with_remark(RejectReason::AsSet)), 0);
    let ixp_manager = scheme(&ixp_manager());
    assert_ne!(ixp_manager.tags_of(plain), 0, "not checked is said, too");
    assert_eq!(
        ixp_manager.tags_of(known),
        ixp_manager.tags_of(known.with_irr_origin(IrrOriginClass::Present)),
        "the origin does not show"
    );
}

#[test]
fn additions_keep_to_their_bound() {
    for (case, options) in all_options() {
        let scheme = scheme(&options);
        let max = scheme.export_scrub().additions_len_max();
        assert!(max <= Additions::LEN_MAX, "{case}");
        for class in classes() {
            let additions = additions(&scheme, class);
            let lens = [
                additions.standard.len() * 4,
                additions.extended.len() * 8,
                additions.large.len() * 12,
            ];
            let headers = lens.iter().filter(|len| **len > 0).count() * 4;
            assert!(
                lens.iter().sum::<usize>() + headers <= max,
                "{case}: {class:?}"
            );
        }
    }
    // 32 large ones and the headers are 396 octets; with a standard one 400.
    let large: Vec<String> = (0..32).map(|n| format!("rs_as:2000:{n}")).collect();
    let with = |standard: usize| SchemeOptions {
        tags: vec![
            (InfoTag::RpkiValid, large.clone()),
            (
                InfoTag::IrrValid,
                (0..standard).map(|n| format!("65530:{n}")).collect(),
            ),
        ],
        reject_cause: Vec::new(),
        ..SchemeOptions::default()
    };
    assert_eq!(scheme(&with(1)).export_scrub().additions_len_max(), 400);
    let errors = ControlScheme::new(Asn(RS), &with(2)).unwrap_err();
    let (key, octets, max) = ("rpki_valid", 404, 400);
    assert_eq!(errors, [SchemeError::TooLong { key, octets, max }]);
}

#[test]
fn one_community_has_one_meaning() {
    let control = |action: ControlAction, form: &str| (action, vec![form.to_owned()]);
    let ambiguous = |key, form: &str, other: ControlAction| SchemeError::Ambiguous {
        key,
        form: form.to_owned(),
        other: other.name(),
    };
    use ControlAction::*;
    // (case, forms, tags, reject cause, error)
    type Case<'a> = (
        &'a str,
        Option<(ControlAction, Vec<String>)>,
        &'a [&'a str],
        &'a [&'a str],
        Option<SchemeError>,
    );
    let cases: [Case<'_>; 10] = [
        (
            "a tag that names a peer to the default scheme",
            None,
            &["rs_as:7"],
            &[],
            Some(ambiguous("rpki_valid", "64500:7", AnnounceToPeer)),
        ),
        (
            "a large one",
            None,
            &["rs_as:101:7"],
            &[],
            Some(ambiguous("rpki_valid", "64500:101:7", PrependOnceToPeer)),
        ),
        (
            "an extended one",
            Some(control(AnnounceToAny, "rt:1:2")),
            &["rt:1:2"],
            &[],
            Some(ambiguous("rpki_valid", "rt:1:2", AnnounceToAny)),
        ),
        (
            "a target is no origin",
            Some(control(AnnounceToAny, "rt:1:2")),
            &["ro:1:2"],
            &[],
            None,
        ),
        (
            "a reject cause that names peers",
            None,
            &[],
            &["rs_as:0:reason"],
            Some(ambiguous(
                "reject_cause",
                "rs_as:0:reason",
                DoNotAnnounceToAny,
            )),
        ),
        (
            "a reject cause of which one number is taken",
            Some(control(AnnounceToAny, "65520:14")),
            &[],
            &["65520:reason"],
            Some(ambiguous("reject_cause", "65520:reason", AnnounceToAny)),
        ),
        (
            "even if it stands for no reason",
            Some(control(AnnounceToAny, "rs_as:1101:0")),
            &[],
            &["rs_as:1101:reason"],
            Some(ambiguous(
                "reject_cause",
                "rs_as:1101:reason",
                AnnounceToAny,
            )),
        ),
        (
            "a reject cause that looks like a round-trip time",
            Some(control(DoNotAnnounceAboveRtt, "rt:65520:rtt")),
            &[],
            &["rt:65520:reason"],
            Some(ambiguous(
                "reject_cause",
                "rt:65520:reason",
                DoNotAnnounceAboveRtt,
            )),
        ),
        (
            "a reject cause has a reason",
            None,
            &[],
            &["rs_as:1101:1"],
            Some(SchemeError::LastMissing {
                key: "reject_cause",
                form: "rs_as:1101:1".to_owned(),
                last: "reason",
            }),
        ),
        (
            "a tag has none",
            None,
            &["rs_as:1101:reason"],
            &[],
            Some(SchemeError::Unexpected {
                key: "rpki_valid",
                form: "rs_as:1101:reason".to_owned(),
                word: "reason",
            }),
        ),
    ];
    for (case, form, tags, reject_cause, error) in cases {
        let options = SchemeOptions {
            forms: form.into_iter().collect(),
            ..options(&[(InfoTag::RpkiValid, tags)], reject_cause)
        };
        let found = ControlScheme::new(Asn(RS), &options).err();
        assert_eq!(found, error.map(|error| vec![error]), "{case}");
    }
}

#[test]
fn a_server_with_a_four_octet_asn_leaves_out_what_does_not_fit() {
    let options = options(
        &[(InfoTag::RpkiValid, &["rs_as:1", "rs_as:1000:1"])],
        &["rs_as:reason", "rs_as:1101:reason"],
    );
    let scheme = ControlScheme::new(Asn(4_200_000_100), &options).unwrap();
    let class = PrefixClass::ACCEPTED
        .with_rov(RovClass::Valid)
        .with_remark(RejectReason::AsSet);
    let expected = ["4200000100:1000:1", "4200000100:1101:125"].map(str::to_owned);
    assert_eq!(texts(&additions(&scheme, class)), expected.into());
    let tags: Vec<_> = scheme.tags().collect();
    assert_eq!(tags, [("rpki_valid", "4200000100:1000:1".to_owned())]);
}
