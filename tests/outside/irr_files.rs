//! One file of IRR data: the shapes that are read, and what is refused.

use proptest::prelude::*;
use rialto::base::{Asn, Family, Prefix};
use rialto::outside::irr::{IrrEntries, IrrFileError};
use rialto::policy::PrefixRange;

fn read(text: &str) -> IrrEntries {
    IrrEntries::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\nin\n{text}"))
}

/// As bgpq4 wrote it, but for the addresses.
const BGPQ4: &str = r#"{ "NN": [
    { "prefix": "192.0.2.0\/24", "exact": true },
    { "prefix": "198.51.100.0\/22", "exact": false, "less-equal": 24 },
    { "prefix": "203.0.113.0\/24", "exact": false,
      "greater-equal": 26, "less-equal": 28 },
    { "prefix": "2001:db8::\/32", "exact": false, "less-equal": 48 }
] }
"#;

#[test]
fn each_shape_is_read() {
    let prefixes = [
        "192.0.2.0/24",
        "198.51.100.0/22{22,24}",
        "203.0.113.0/24{26,28}",
        "2001:db8::/32{32,48}",
    ];
    let cases: &[(&str, &str, &[&str], &[u32])] = &[
        ("bgpq4's prefixes", BGPQ4, &prefixes, &[]),
        (
            "bgpq4's origins",
            "{\"NN\": [\n  64496,64497,4200000000,\n  64499\n]}\n",
            &[],
            &[64496, 64497, 4_200_000_000, 64499],
        ),
        (
            "bgpq4's prefixes under another name",
            r#"{"data":[{"prefix":"192.0.2.0/24","exact":true}]}"#,
            &["192.0.2.0/24"],
            &[],
        ),
        (
            "arouteserver's prefixes",
            r#"{"ts": 1765000000, "data": [
                {"prefix": "192.0.2.0", "length": 24, "exact": true, "ge": null, "le": null, "comment": null, "max_length": 32},
                {"prefix": "198.51.100.0", "length": 22, "exact": false, "ge": null, "le": 24, "max_length": 32},
                {"prefix": "203.0.113.0", "length": 24, "exact": false, "ge": 26, "le": 28, "max_length": 32},
                {"prefix": "2001:db8::", "length": 32, "exact": false, "ge": null, "le": 48, "max_length": 128}]}"#,
            &prefixes,
            &[],
        ),
        (
            "arouteserver's open ends",
            r#"{"ts": 1, "data": [{"prefix": "192.0.2.0", "length": 24, "exact": false, "ge": null, "le": null}]}"#,
            &["192.0.2.0/24+"],
            &[],
        ),
        (
            "arouteserver's origins, the date behind",
            r#"{"data": [64496], "ts": 1}"#,
            &[],
            &[64496],
        ),
        ("a list without entries", r#"{ "NN": [ ] }"#, &[], &[]),
    ];
    for (case, text, prefixes, origins) in cases {
        let entries = read(text);
        let ranges: Vec<String> = entries
            .prefixes
            .iter()
            .map(|range| range.to_string())
            .collect();
        assert_eq!(ranges, *prefixes, "{case}");
        let asns: Vec<u32> = entries.origins.iter().map(|asn| asn.0).collect();
        assert_eq!(asns, *origins, "{case}");
    }
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    let entry = |entry: &str| format!("{{\"NN\": [\n{entry}]}}");
    let cases = [
        (
            "a list alone",
            "[64496]".to_owned(),
            "an object that holds one list at line 1",
        ),
        ("no list", "{}".to_owned(), "there is no list in it"),
        (
            "a date alone",
            r#"{"ts": 1}"#.to_owned(),
            "there is no list in it",
        ),
        (
            "arouteserver's nothing",
            r#"{"ts": 1, "data": null}"#.to_owned(),
            "invalid type: null",
        ),
        (
            "two lists",
            r#"{"a": [1], "b": [2]}"#.to_owned(),
            "\"b\" is a second list",
        ),
        (
            "two files in one",
            r#"{"NN": [1]} {"NN": [2]}"#.to_owned(),
            "trailing characters",
        ),
        (
            "another program's words",
            "<html>503".to_owned(),
            "expected value at line 1",
        ),
        (
            "too large an ASN",
            entry("4294967296"),
            "4294967296 is not an ASN",
        ),
        ("a negative ASN", entry("-1"), "line 2"),
        (
            "an ASN in words",
            entry("\"AS64496\""),
            "or an ASN at line 2",
        ),
        (
            "no prefix",
            entry("{\"exact\": true}"),
            "missing field `prefix`",
        ),
        (
            "a prefix of letters",
            entry("{\"prefix\": \"any\", \"length\": 8}"),
            "'any' is not a prefix",
        ),
        (
            "five octets",
            entry("{\"prefix\": \"192.0.2.0.0/24\"}"),
            "'192.0.2.0.0/24' is not a prefix",
        ),
        (
            "an octet over 255",
            entry("{\"prefix\": \"192.0.256.0/24\"}"),
            "'192.0.256.0/24' is not a prefix",
        ),
        (
            "no length",
            entry("{\"prefix\": \"192.0.2.0\", \"exact\": true}"),
            "a prefix has no length at line 2",
        ),
        (
            "too long a length",
            entry("{\"prefix\": \"192.0.2.0/33\", \"exact\": true}"),
            "prefix length 33 is over 32",
        ),
        (
            "a length that is no number",
            entry("{\"prefix\": \"192.0.2.0/2x\", \"exact\": true}"),
            "'192.0.2.0/2x' is not a prefix",
        ),
        (
            "lengths that go down",
            entry("{\"prefix\": \"192.0.2.0/24\", \"less-equal\": 23}"),
            "192.0.2.0/24{24,23}: the lengths must go up",
        ),
        (
            "lengths out of the family",
            entry("{\"prefix\": \"192.0.2.0/24\", \"less-equal\": 48}"),
            "192.0.2.0/24{24,48}",
        ),
    ];
    for (case, text, expected) in cases {
        let error = IrrEntries::read(text.as_bytes()).expect_err(case);
        assert!(
            matches!(error, IrrFileError::Malformed(_)),
            "{case}: {error}"
        );
        assert!(error.to_string().contains(expected), "{case}: {error}");
    }
    let not_utf8 = b"{\"NN\": [{\"prefix\": \"\xff\"}]}";
    assert!(IrrEntries::read(not_utf8).is_err());
}

#[test]
fn an_empty_file_is_blank() {
    for text in ["", "\n", "  \r\n\t"] {
        assert_eq!(IrrEntries::read(text.as_bytes()), Err(IrrFileError::Blank));
    }
}

#[test]
fn a_file_that_ends_anywhere_before_its_end_is_cut_off() {
    let whole = BGPQ4.trim_end();
    for end in 1..whole.len() {
        let read = IrrEntries::read(&whole.as_bytes()[..end]);
        assert!(
            matches!(read, Err(IrrFileError::CutOff(_))),
            "{end}: {read:?}"
        );
    }
}

fn any_range() -> impl Strategy<Value = PrefixRange> {
    (any::<[u8; 16]>(), 0u8..=128, any::<bool>(), 0u8..4, 0u8..4).prop_map(
        |(octets, len, six, from, count)| {
            let family = if six { Family::Ipv6 } else { Family::Ipv4 };
            let max = family.max_len();
            let prefix = Prefix::new(family, &octets, len.min(max)).unwrap();
            let len_min = (prefix.len() + from).min(max);
            PrefixRange::new(prefix, len_min, (len_min + count).min(max)).unwrap()
        },
    )
}

fn bgpq4_entry(range: &PrefixRange) -> String {
    let prefix = range.prefix().to_string().replace('/', "\\/");
    let (len_min, len_max) = (range.len_min(), range.len_max());
    match (range.is_exact(), len_min == range.prefix().len()) {
        (true, _) => format!(r#"{{ "prefix": "{prefix}", "exact": true }}"#),
        (false, true) => {
            format!(r#"{{ "prefix": "{prefix}", "exact": false, "less-equal": {len_max} }}"#)
        }
        (false, false) => format!(
            r#"{{ "prefix": "{prefix}", "exact": false,
      "greater-equal": {len_min}, "less-equal": {len_max} }}"#
        ),
    }
}

proptest! {
    #[test]
    fn what_bgpq4_writes_is_read_as_it_was_meant(
        ranges in prop::collection::vec(any_range(), 0..8),
        asns in prop::collection::vec(any::<u32>(), 0..8),
    ) {
        let entries: Vec<String> = ranges.iter().map(bgpq4_entry).collect();
        let text = format!("{{ \"NN\": [\n    {}\n] }}\n", entries.join(",\n    "));
        prop_assert_eq!(read(&text).prefixes, ranges);
        let origins = read(&super::origins(&asns)).origins;
        prop_assert_eq!(origins, asns.into_iter().map(Asn).collect::<Vec<_>>());
    }

    #[test]
    fn any_octets_give_entries_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = IrrEntries::read(&octets);
    }

    #[test]
    fn a_spoilt_file_gives_entries_or_an_error(at in 0..BGPQ4.len(), octet in any::<u8>()) {
        let mut octets = BGPQ4.as_bytes().to_vec();
        octets[at] = octet;
        let _ = IrrEntries::read(&octets);
    }
}
