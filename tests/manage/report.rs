//! What a client registered and does not announce, and the other way round; next hops of others; how
//! clients are sorted.

use rialto::base::{ClientSlot, Time};
use rialto::server::query::Hijack;
use rialto::wire::testing::SetBuilder;
use serde_json::{Value, json};

use super::{Server, THREE};

const REGISTERED: &str = "[rpki]\nvrp_files = [\"vrps.json\"]\n[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n\
     irr.prefixes = [\"198.51.0.0/16+\", \"203.0.112.0/24\", \"203.0.114.0/24\", \"100.0.0.0/16\"]\nirr.origins = [10001]\n\
     [[client]]\nasn = 10002\naddress = \"192.0.2.2\"\n";

/// The first client announces what it may, what is too long, what it never registered, what is of
/// another origin, and what a ROA forbids.
fn server() -> Server {
    let server = Server::start(
        "[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n[[client]]\nasn = 10002\naddress = \"192.0.2.2\"\n",
    );
    (0..2).for_each(|slot| server.data.up(slot));
    let next_hop: std::net::Ipv4Addr = "192.0.2.1".parse().unwrap();
    let of = |path: &[u32]| SetBuilder::new().next_hop(next_hop).as_path(path).build();
    let (own, other) = (of(&[10001]), of(&[10001, 10009]));
    for prefix in [
        "198.51.7.0/24",
        "203.0.112.0/23",
        "8.8.8.0/24",
        "100.0.3.0/24",
        "198.51.8.0/24",
    ] {
        server.data.announce(0, prefix, &own, None);
    }
    server.data.announce(0, "203.0.114.0/24", &other, None);
    let vrps = json!({"roas": [
        {"prefix": "198.51.0.0/16", "maxLength": 24, "asn": 10001},
        {"prefix": "198.51.8.0/24", "maxLength": 24, "asn": 10002},
        {"prefix": "100.0.0.0/16", "maxLength": 16, "asn": 10001},
    ]});
    std::fs::write(server.folder.path().join("vrps.json"), vrps.to_string()).unwrap();
    server.write_clients(REGISTERED);
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    server
}

fn told(view: &Value) -> Vec<(String, String, String)> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let items = view["items"].as_array().unwrap();
    let of = |item| {
        (
            text(item, "section"),
            text(item, "prefix"),
            text(item, "text"),
        )
    };
    items.iter().map(of).collect()
}

#[test]
fn a_report_says_what_does_not_match_and_what_was_meant() {
    let server = server();
    let view = server.json("/api/v1/clients/AS10001-1/report");
    let expected = [
        (
            "not_registered",
            "8.8.8.0/24",
            "announced by AS10001-1, rejected (irr_prefix); nothing like it is registered",
        ),
        (
            "not_registered",
            "100.0.3.0/24",
            "announced by AS10001-1, rejected (irr_prefix); registered is 100.0.0.0/16, less specific",
        ),
        (
            "not_registered",
            "203.0.112.0/23",
            "announced by AS10001-1, rejected (irr_prefix); registered is 203.0.112.0/24, more specific",
        ),
        (
            "not_registered",
            "203.0.114.0/24",
            "announced by AS10001-1, rejected (irr_origin); AS10009 is not in its AS-SET",
        ),
        (
            "roa_mismatch",
            "100.0.3.0/24",
            "100.0.0.0/16 is AS10001's by ROA, which allows no longer one",
        ),
        (
            "not_announced",
            "100.0.0.0/16",
            "registered, and not announced; announced is 100.0.3.0/24, more specific",
        ),
        (
            "not_announced",
            "203.0.112.0/24",
            "registered, and not announced; announced is 203.0.112.0/23, less specific",
        ),
    ];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(told(&view), expected, "{view:#}");
    assert_eq!(
        view["counts"],
        json!({"announced": 6, "registered": 4, "not_announced": 2, "not_registered": 4, "roa_mismatch": 1, "near_miss": 5})
    );
    assert_eq!(
        (&view["irr"], &view["rpki"]),
        (&json!("known"), &json!(true))
    );
    assert_eq!(
        view["items"][4]["vrps"],
        json!([{"prefix": "100.0.0.0/16", "max_len": 16, "asn": 10001, "wrong": "length",
            "text": "100.0.0.0/16 is AS10001's by ROA, which allows no longer one"}])
    );
    assert_eq!(view["items"][0]["near"], json!([]));
    assert_eq!(
        view["items"][1]["near"],
        json!([{"relation": "less_specific_registered", "prefix": "100.0.0.0/16", "text": "registered is 100.0.0.0/16, less specific"}])
    );
    assert_eq!(view["session_s"], json!(100));
}

#[test]
fn a_report_comes_in_sections_and_pages() {
    let server = server();
    let address = "/api/v1/clients/AS10001-1/report";
    for (section, count) in [
        ("not_registered", 4_usize),
        ("roa_mismatch", 1),
        ("not_announced", 2),
        ("near_miss", 5),
    ] {
        let (mut items, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = server.json(&format!("{address}?section={section}&limit=2{cursor}"));
            items.extend(told(&page));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(
            (items.len(), pages),
            (count, count.div_ceil(2)),
            "{section}"
        );
    }
    for (query, words) in [
        ("?section=nothing", "'nothing' is none of all"),
        ("?cursor=nothing", "no cursor of this client's report"),
        ("?cursor=99-0", "begin anew"),
    ] {
        let (status, body) = server.get(&format!("{address}{query}"));
        assert!(
            status == 400 && body.contains(words),
            "{query}: {status} {body}"
        );
    }
    assert_eq!(server.get("/api/v1/clients/nobody/report").0, 404);
    let none = server.json("/api/v1/clients/AS10002-1/report");
    assert_eq!(
        (&none["irr"], &none["items"]),
        (&json!("not_checked"), &json!([]))
    );
}

#[test]
fn the_command_shows_each_section_with_its_count() {
    let server = server();
    let (status, text) = server.says(&["report", "AS10001-1"]);
    assert_eq!(status, 0, "{text}");
    for line in [
        "AS10001-1  AS10001 at 192.0.2.1, up for 1 min 40 s; 6 announced, 4 registered\n",
        "\n4 announced, and not registered\nPREFIX          ORIGIN   SINCE  WHAT\n",
        "203.0.114.0/24  AS10009      -  announced by AS10001-1, rejected (irr_origin); AS10009 is not in its AS-SET\n",
        "\n1 allowed by no ROA\n",
        "\n2 registered, and not announced\n",
    ] {
        assert!(text.contains(line), "'{line}' is not in\n{text}");
    }
    let (_, text) = server.says(&["report", "AS10001-1", "--section", "near-miss"]);
    assert!(
        text.contains("\n5 near misses\n") && !text.contains("8.8.8.0/24"),
        "{text}"
    );
    let (_, text) = server.says(&["report", "192.0.2.1", "--json"]);
    let view: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(view["items"].as_array().map(Vec::len), Some(7));
}

#[test]
fn next_hops_of_others_are_listed_with_whose_they_are() {
    let server = Server::start(THREE);
    let none = server.says(&["show", "hijacks"]);
    assert_eq!(
        none,
        (
            0,
            "no client has announced a next hop of another one\n".to_owned()
        )
    );
    let next_hop: std::net::Ipv4Addr = "192.0.2.1".parse().unwrap();
    let set = SetBuilder::new()
        .next_hop(next_hop)
        .as_path(&[10003, 7])
        .build();
    server.data.with(|state| {
        state.core.hijacks = vec![Hijack {
            slot: ClientSlot(2),
            next_hop: next_hop.into(),
            of: ClientSlot(0),
            first: Time::from_secs(400),
            last: Time::from_secs(990),
            prefixes: 1234,
            prefix: "8.8.8.0/24".parse().unwrap(),
            set,
        }];
        state.core.clients[2].hijack_count = 1234;
    });
    let view = server.json("/api/v1/hijacks");
    let hijack = &view["hijacks"][0];
    for (key, expected) in [
        ("client", json!("third")),
        ("of", json!("AS10001-1")),
        ("of_asn", json!(10001)),
        ("next_hop", json!("192.0.2.1")),
        ("first_s", json!(600)),
        ("last_s", json!(10)),
        ("rejected", json!(true)),
    ] {
        assert_eq!(hijack[key], expected, "{key}");
    }
    let (status, text) = server.says(&["show", "hijacks"]);
    assert_eq!(status, 0);
    assert!(
        text.contains("third   AS10003  192.0.2.1  AS10001-1  AS10001  10 s  10 min 0 s     1,234  8.8.8.0/24   rejected  10003 7\n"),
        "{text}"
    );
    let (_, metrics) = server.get("/metrics");
    assert!(
        metrics.contains("rialto_client_next_hop_hijacks_total{client=\"third\"")
            && metrics.contains("} 1234\n"),
        "{metrics}"
    );
}

#[test]
fn clients_are_chosen_and_sorted_as_asked() {
    let server = Server::start(THREE);
    [0, 2].into_iter().for_each(|slot| server.data.up(slot));
    server.data.with(|state| {
        state.core.clients[2].received = [9_000, 0];
        state.core.clients[0].flaps = 3;
    });
    let names = |words: &[&str]| -> Vec<String> {
        let (status, text) = server.says(&[&["show", "clients"], words].concat());
        assert_eq!(status, 0, "{text}");
        let rows = text
            .lines()
            .skip(1)
            .filter(|line| line.contains("192.0.2."));
        rows.map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let cases: [(&[&str], &[&str]); 7] = [
        (&[], &["AS10001-1", "AS10002-1", "third"]),
        (&["--down"], &["AS10002-1"]),
        (
            &["--sort", "received"],
            &["third", "AS10001-1", "AS10002-1"],
        ),
        (&["--sort", "flaps"], &["AS10001-1", "AS10002-1", "third"]),
        (&["--match", "10003"], &["third"]),
        (&["--match", "THI"], &["third"]),
        (&["--match", "192.0.2.2", "--down"], &["AS10002-1"]),
    ];
    for (words, expected) in cases {
        assert_eq!(names(words), expected, "{words:?}");
    }
    let (_, text) = server.says(&["show", "clients", "--down"]);
    assert!(text.ends_with("1 of 3 clients, 2 established\n"), "{text}");
    let (_, text) = server.says(&["show", "clients", "--sort", "received"]);
    assert!(text.contains(" 9,000 "), "{text}");
}
