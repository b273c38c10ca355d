//! Every endpoint of birdwatcher's and Bird's Eye's protocols against a file of its own, in values and in
//! types. Dates and the version are placeholders there, which say their form.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::exchange::{self, fetch};

/// Address and file. Sessions are those of [`exchange::server`].
const BIRDWATCHER: [(&str, &str); 17] = [
    ("/status", "status"),
    ("/protocols/bgp", "protocols_bgp"),
    ("/protocols", "protocols_bgp"),
    ("/protocols/short", "protocols_short"),
    ("/routes/protocol/pb_0001_as10001", "routes_protocol"),
    (
        "/routes/protocol/pb_0001_as10001_ipv6",
        "routes_protocol_ipv6",
    ),
    ("/routes/protocol/AS10004_1", "routes_none"),
    ("/routes/filtered/pb_0001_as10001", "routes_filtered"),
    ("/routes/filtered/AS10002_1", "routes_filtered_quarantined"),
    ("/routes/noexport/third", "routes_noexport"),
    ("/routes/table/master4", "routes_table"),
    ("/routes/table/master6", "routes_table_ipv6"),
    ("/routes/table/master4/filtered", "routes_table_filtered"),
    ("/routes/prefix?prefix=203.0.113.0/24", "routes_prefix"),
    ("/routes/prefix?prefix=203.0.113.0/25", "routes_none"),
    ("/ipv6/protocols/short", "ipv6_protocols_short"),
    (
        "/ipv6/routes/protocol/pb_0001_as10001",
        "ipv6_routes_protocol",
    ),
];

const BIRDSEYE: [(&str, &str); 21] = [
    ("/api/status", "status"),
    ("/api/protocols/bgp", "protocols_bgp"),
    ("/api/protocol/pb_0001_as10001", "protocol"),
    ("/api/symbols", "symbols"),
    ("/api/symbols/tables", "symbols_tables"),
    ("/api/symbols/protocols", "symbols_protocols"),
    ("/api/routes/protocol/pb_0001_as10001", "routes_protocol"),
    ("/api/routes/table/master6", "routes_table"),
    ("/api/routes/export/third", "routes_export"),
    (
        "/api/routes/count/protocol/pb_0001_as10001",
        "count_protocol",
    ),
    ("/api/routes/count/table/master4", "count_table"),
    ("/api/routes/count/export/third", "count_export"),
    (
        "/api/routes/lc-zwild/protocol/pb_0001_as10001/64500/1101",
        "routes_lc_zwild",
    ),
    (
        "/api/routes/lc-zwild/protocol/pb_0001_as10001/64500/9",
        "routes_none",
    ),
    ("/api/route/203.0.113.7", "route"),
    ("/api/route/203.0.113.0%2F25/table/master4", "route"),
    (
        "/api/route/10.0.0.0%2F8/protocol/pb_0001_as10001",
        "route_protocol",
    ),
    ("/api/route/203.0.113.0%2F24/export/third", "route_export"),
    ("/api/ipv4/symbols", "ipv4_symbols"),
    ("/api/ipv6/protocol/pb_0001_as10001", "ipv6_protocol"),
    ("/api/ipv6/routes/table/master", "routes_table_ipv6"),
];

#[test]
fn birdwatcher_answers_as_its_golden_files_say() {
    check("birdwatcher", &BIRDWATCHER);
}

#[test]
fn birds_eye_answers_as_its_golden_files_say() {
    check("birdseye", &BIRDSEYE);
}

fn check(protocol: &str, cases: &[(&str, &str)]) {
    let server = exchange::server();
    for (address, file) in cases {
        let answer = fetch(&server, address, "");
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{address}"
        );
        let found: Value = serde_json::from_slice(&answer.body).unwrap();
        let expected = golden(protocol, file);
        let differences = differences(&expected, &found, "");
        assert!(
            differences.is_empty(),
            "{address} is not what {file}.json says:\n{}\n{found:#}",
            differences.join("\n")
        );
    }
}

/// Every file belongs to an address.
#[test]
fn no_golden_file_is_left_over() {
    for (protocol, cases) in [
        ("birdwatcher", &BIRDWATCHER[..]),
        ("birdseye", &BIRDSEYE[..]),
    ] {
        for entry in std::fs::read_dir(folder().join(protocol)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_used = cases.iter().any(|(_, file)| *file == name);
            assert!(is_used, "{}", path.display());
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manage/golden")
}

fn golden(protocol: &str, file: &str) -> Value {
    let path = folder().join(protocol).join(format!("{file}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// A number is not the string that shows it, and nothing may be missing or too much.
fn differences(expected: &Value, found: &Value, at: &str) -> Vec<String> {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = a.keys().filter(|key| !b.contains_key(*key));
            let extra = b.keys().filter(|key| !a.contains_key(*key));
            let mut all: Vec<String> = missing
                .map(|key| format!("{at}.{key} is missing"))
                .collect();
            all.extend(extra.map(|key| format!("{at}.{key} is too much")));
            for (key, a) in a {
                let b = b.get(key).into_iter();
                all.extend(b.flat_map(|b| differences(a, b, &format!("{at}.{key}"))));
            }
            all
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs
                .flat_map(|(index, (a, b))| differences(a, b, &format!("{at}[{index}]")))
                .collect()
        }
        (Value::String(a), Value::String(b)) if stands_for(a, b) => Vec::new(),
        (a, b) if a == b => Vec::new(),
        (a, b) => vec![format!("{at} is {b}, not {a}")],
    }
}

fn stands_for(placeholder: &str, text: &str) -> bool {
    let shape = |text: &str| -> String {
        let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
        text.chars().map(digit).collect()
    };
    match placeholder {
        "<version>" => text == env!("CARGO_PKG_VERSION"),
        "<Rialto version>" => text == format!("Rialto {}", env!("CARGO_PKG_VERSION")),
        "<YYYY-MM-DD HH:MM:SS>" => shape(text) == "0000-00-00 00:00:00",
        "<YYYY-MM-DDTHH:MM:SSZ>" => shape(text) == "0000-00-00T00:00:00Z",
        "<YYYY-MM-DDTHH:MM:SS+00:00>" => shape(text) == "0000-00-00T00:00:00+00:00",
        _ => false,
    }
}

#[test]
fn a_difference_in_type_alone_is_a_difference() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let cases = [
        (r#"{"a": "1"}"#, r#"{"a": 1}"#, false),
        (r#"{"a": 1}"#, r#"{"a": 1}"#, true),
        (r#"{"a": [1]}"#, r#"{"a": [1, 2]}"#, false),
        (r#"{"a": {}}"#, r#"{"a": []}"#, false),
        (r#"{"a": 1}"#, r#"{"a": 1, "b": 1}"#, false),
        (r#"{"a": 1, "b": 1}"#, r#"{"a": 1}"#, false),
        (
            r#""<YYYY-MM-DD HH:MM:SS>""#,
            r#""2026-11-28 21:00:00""#,
            true,
        ),
        (
            r#""<YYYY-MM-DD HH:MM:SS>""#,
            r#""2026-11-28T21:00:00""#,
            false,
        ),
    ];
    for (expected, found, is_same) in cases {
        let all = differences(&read(expected), &read(found), "");
        assert_eq!(all.is_empty(), is_same, "{expected} and {found}: {all:?}");
    }
}
