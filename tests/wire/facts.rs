//! What the import checks ask of an attribute set.

use rialto::base::Asn;
use rialto::wire::testing::SetBuilder;

use super::support::*;

#[test]
fn the_origin_is_the_last_of_a_path_that_ends_with_a_sequence() {
    let path = SetBuilder::new;
    let cases = [
        ("an empty path has no origin", path(), None),
        (
            "the last of one sequence",
            path().as_path(&[1, 2, 70_000]),
            Some(70_000),
        ),
        ("the only one", path().as_path(&[7]), Some(7)),
        (
            "the last of the rightmost sequence",
            path().as_path(&[1, 2]).as_set(&[3]).as_path(&[4, 5]),
            Some(5),
        ),
        (
            "a path that ends with a set has none",
            path().as_path(&[1, 2]).as_set(&[3]),
            None,
        ),
        (
            "a path that is a set has none",
            path().as_set(&[1, 2]),
            None,
        ),
        (
            "a path that ends with a confederation has none",
            path().attribute(0x40, 2, hex("0201 00000001 0301 00000002")),
            None,
        ),
    ];
    for (name, set, origin) in cases {
        assert_eq!(set.build().origin_as(), origin.map(Asn), "{name}");
    }
}

#[test]
fn a_set_anywhere_in_the_path_is_seen() {
    let path = SetBuilder::new;
    let cases = [
        ("an empty path has none", path(), false),
        ("a sequence is none", path().as_path(&[1, 2]), false),
        ("at the end", path().as_path(&[1]).as_set(&[2, 3]), true),
        (
            "at the beginning",
            path().as_set(&[2, 3]).as_path(&[1]),
            true,
        ),
        (
            "a confederation's set is one",
            path().attribute(0x40, 2, hex("0201 00000001 0401 00000002")),
            true,
        ),
        (
            "a confederation's sequence is none",
            path().attribute(0x40, 2, hex("0301 00000001 0201 00000002")),
            false,
        ),
    ];
    for (name, set, expected) in cases {
        let set = set.build();
        assert_eq!(set.has_as_set(), expected, "{name}");
        assert_eq!(set.facts().has_as_set, expected, "{name}");
    }
}

#[test]
fn a_set_is_seen_in_what_two_octet_speakers_send() {
    let heard = |as4_path: &str| {
        let attributes = [
            origin(),
            attribute(0x40, 2, &hex("0202 0001 5ba0 0101 5ba0")),
            next_hop(),
            attribute(0xc0, 17, &hex(as4_path)),
        ];
        let body = body(&[], &attributes.concat(), NLRI);
        let context = rialto::wire::DecodeContext {
            four_octet: false,
            ..context()
        };
        let mut scratch = rialto::wire::Scratch::default();
        let update = rialto::wire::decode_update(&body, &context, &mut scratch).unwrap();
        update.announced[0].0.clone()
    };
    let kept = heard("0201 00011170 0101 00011171");
    assert!(kept.has_as_set() && kept.origin_as().is_none());
    let replaced = heard("0202 00011170 00011171");
    assert!(!replaced.has_as_set(), "{replaced:?}");
    assert_eq!(replaced.origin_as(), Some(Asn(70_001)));
}

#[test]
fn communities_of_all_kinds_are_counted() {
    let set = SetBuilder::new;
    let cases = [
        ("none", set().as_path(&[1]), 0),
        (
            "one of each kind",
            set()
                .communities(&[(1, 1)])
                .extended(&[[0; 8]])
                .large(&[(1, 2, 3)])
                .attribute(0xc0, 25, [0; 20]),
            4,
        ),
        (
            "those that come twice count twice",
            set().communities(&[(1, 1), (1, 1), (2, 2)]),
            3,
        ),
        (
            "IPv6 extended ones alone",
            set().attribute(0xc0, 25, [0; 60]),
            3,
        ),
        (
            "other attributes do not count",
            set().med(7).attribute(0xc0, 99, [0; 40]),
            0,
        ),
    ];
    for (name, set, count) in cases {
        assert_eq!(set.build().community_count(), count, "{name}");
    }
}

#[test]
fn only_to_customer_is_read() {
    let set = SetBuilder::new;
    let cases = [
        ("none", set().as_path(&[1]), None),
        (
            "behind large communities and before an unknown one",
            set()
                .large(&[(1, 2, 3)])
                .attribute(0xc0, 35, hex("00011170"))
                .attribute(0xc0, 99, [1]),
            Some(70_000),
        ),
        (
            "one with the Partial bit",
            set().attribute(0xe0, 35, hex("0000fbf4")),
            Some(64_500),
        ),
    ];
    for (name, set, expected) in cases {
        let set = set.build();
        assert_eq!(set.otc(), expected.map(Asn), "{name}");
        assert_eq!(set.facts().has_otc, expected.is_some(), "{name}");
    }
    let attributes = [mandatory(), attribute(0xc0, 35, &[0, 0, 0, 9])].concat();
    let body = body(&[], &attributes, NLRI);
    let update = decode(&body).unwrap();
    assert_eq!(update.announced[0].0.otc(), Some(Asn(9)));
}
