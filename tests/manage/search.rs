//! Searching the tables, in pages; and the rates.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rialto::policy::RejectReason;
use rialto::wire::AttributeSet;
use rialto::wire::testing::SetBuilder;
use serde_json::{Value, json};

use super::{Server, THREE};

fn set(path: &[u32]) -> SetBuilder {
    SetBuilder::new()
        .next_hop(Ipv4Addr::new(192, 0, 2, 1))
        .as_path(path)
}

fn shared(builder: SetBuilder) -> Arc<AttributeSet> {
    builder.build()
}

fn server() -> Server {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| server.data.up(slot));
    let plain = shared(set(&[10001, 7]));
    let marked = shared(
        set(&[10002, 8, 7, 9])
            .communities(&[(64500, 64500), (9, 9)])
            .large(&[(9, 1, 2)])
            .extended(&[[0, 2, 0, 9, 0, 0, 0, 5]]),
    );
    server.data.announce(0, "203.0.112.0/20", &plain, None);
    server.data.announce(0, "203.0.113.0/24", &plain, None);
    server.data.announce(1, "203.0.113.0/24", &marked, None);
    server.data.announce(
        1,
        "203.0.113.128/25",
        &marked,
        Some(RejectReason::PrefixTooLong),
    );
    server
        .data
        .announce(1, "10.0.0.0/8", &marked, Some(RejectReason::BogonPrefix));
    server.data.announce(1, "2001:db8::/32", &marked, None);
    server
}

/// "prefix from client" of every route found, over all pages of `limit`.
fn found(server: &Server, query: &str, limit: usize) -> BTreeSet<String> {
    let (mut found, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let view = server.json(&format!("/api/v1/search?{query}&limit={limit}{cursor}"));
        let routes = view["routes"].as_array().unwrap();
        for route in routes {
            let text = |key: &str| route[key].as_str().unwrap().to_owned();
            let is_new = found.insert(format!("{} {}", text("prefix"), text("from")));
            assert!(is_new, "{route} came twice");
        }
        match &view["next"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return found,
        }
    }
}

#[test]
fn routes_are_found_by_what_is_asked_and_by_nothing_else() {
    let server = server();
    let (aggregate, mine) = ("203.0.112.0/20 AS10001-1", "203.0.113.0/24 AS10001-1");
    let (theirs, long) = ("203.0.113.0/24 AS10002-1", "203.0.113.128/25 AS10002-1");
    let (bogon, six) = ("10.0.0.0/8 AS10002-1", "2001:db8::/32 AS10002-1");
    let marked = [bogon, six, theirs, long];
    let cases: &[(&str, &[&str])] = &[
        ("prefix=203.0.113.0/24", &[mine, theirs]),
        ("prefix=203.0.113.0/24&match=exact", &[mine, theirs]),
        ("prefix=203.0.114.0/24", &[]),
        ("prefix=203.0.114.0/24&match=longest", &[aggregate]),
        ("prefix=203.0.113.200", &[long]),
        ("prefix=203.0.113.200&verdict=accepted", &[mine, theirs]),
        (
            "prefix=203.0.113.200&match=less",
            &[aggregate, mine, theirs, long],
        ),
        (
            "prefix=203.0.112.0/20&match=more",
            &[aggregate, mine, theirs, long],
        ),
        (
            "prefix=203.0.113.0/24&match=more&client=AS10002-1",
            &[theirs, long],
        ),
        ("prefix=2001:db8::1", &[six]),
        ("prefix=::/0&match=more", &[six]),
        ("prefix=198.51.100.1", &[]),
        ("asn=7", &[aggregate, mine, bogon, six, theirs, long]),
        ("asn=AS8", &marked),
        ("asn=6", &[]),
        ("origin=7", &[aggregate, mine]),
        ("origin=9&verdict=accepted", &[theirs, six]),
        ("community=9:9", &marked),
        ("community=9:*", &marked),
        ("community=9:8", &[]),
        ("community=9:*:2", &marked),
        ("community=rt:9:5", &marked),
        ("community=0002000900000005", &marked),
        ("client=192.0.2.1", &[aggregate, mine]),
        ("client=AS10002-1&verdict=rejected", &[bogon, long]),
        ("reason=bogon_prefix", &[bogon]),
        (
            "asn=7&community=9:9&verdict=rejected&reason=prefix_too_long",
            &[long],
        ),
    ];
    for (query, wanted) in cases {
        let wanted = wanted.iter().map(|text| (*text).to_owned()).collect();
        for limit in [1, 2, 1000] {
            assert_eq!(
                found(&server, query, limit),
                wanted,
                "{query}, pages of {limit}"
            );
        }
    }
}

#[test]
fn paths_of_a_prefix_come_the_preferred_first_and_longer_prefixes_before_shorter_ones() {
    let server = server();
    let view = server.json("/api/v1/search?prefix=203.0.113.200&match=less");
    let told = view["routes"].as_array().unwrap().iter().map(|route| {
        let text = |key: &str| route[key].as_str().unwrap().to_owned();
        (text("prefix"), text("from"))
    });
    let wanted = [
        ("203.0.113.128/25", "AS10002-1"),
        ("203.0.113.0/24", "AS10001-1"),
        ("203.0.113.0/24", "AS10002-1"),
        ("203.0.112.0/20", "AS10001-1"),
    ];
    let wanted = wanted.map(|(prefix, from)| (prefix.to_owned(), from.to_owned()));
    assert_eq!(told.collect::<Vec<_>>(), wanted);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    let server = server();
    let cases = [
        ("prefix=nonsense", 400, "is not an address block"),
        (
            "prefix=10.0.0.0/8&match=near",
            400,
            "none of exact, longest, less, more",
        ),
        ("match=more", 400, "match is for a prefix"),
        ("asn=AS", 400, "no ASN"),
        ("community=1:2:3:4", 400, "no community"),
        ("verdict=maybe", 400, "neither accepted nor rejected"),
        ("reason=none", 400, "is no reason"),
        ("reason=bogon_prefix&verdict=accepted", 400, "has no reason"),
        ("cursor=x", 400, "no cursor"),
        ("prefix=10.0.0.0/8&cursor=0-1", 400, "no cursor"),
        ("limit=x", 400, "limit"),
        ("verdickt=rejected", 400, "unknown field `verdickt`"),
        ("client=fourth", 404, "there is no client 'fourth'"),
    ];
    for (query, wanted, words) in cases {
        let (status, body) = server.get(&format!("/api/v1/search?{query}"));
        assert!(
            status == wanted && body.contains(words),
            "{query}: {status} {body}"
        );
    }
    server.data.with(|state| state.is_silent = true);
    assert_eq!(server.get("/api/v1/search?asn=7").0, 503);
}

#[test]
fn an_answer_looks_at_so_much_and_a_page_has_no_more_than_was_asked_for() {
    let server = Server::start(THREE);
    server.data.up(0);
    let plain = shared(set(&[10001]));
    let rare = shared(set(&[10001, 77]));
    for index in 0..3_000_u32 {
        let [_, _, a, b] = index.to_be_bytes();
        server
            .data
            .announce(0, &format!("20.{a}.{b}.0/24"), &plain, None);
    }
    server.data.announce(0, "198.51.100.0/24", &rare, None);
    for limit in [1, 7, 500] {
        let view = server.json(&format!("/api/v1/search?asn=10001&limit={limit}"));
        assert_eq!(view["routes"].as_array().unwrap().len(), limit);
        let looked_at = view["looked_at"].as_u64().unwrap();
        assert!(looked_at <= 2 * limit as u64 + 2, "{looked_at} for {limit}");
    }
    assert_eq!(found(&server, "asn=10001", 1000).len(), 3_001);
    assert_eq!(found(&server, "asn=77", 10).len(), 1);
    let routes = server.json("/api/v1/routes?client=AS10001-1&which=accepted&limit=10");
    assert_eq!(routes["routes"].as_array().unwrap().len(), 10);
}

#[test]
fn rates_come_from_two_counts_some_seconds_apart() {
    let server = server();
    let nothing = json!({"over_s": 0.0, "total": null, "clients": []});
    assert_eq!(
        server.json("/api/v1/rates"),
        nothing,
        "one count is no rate"
    );
    server.data.with(|state| {
        state.now = state.now + Duration::from_secs(4);
        state.core.updates_in += 40;
        state.core.octets_out += 1_000;
        state.core.clients[2].updates_in += 2;
    });
    let view = server.json("/api/v1/rates");
    let total =
        json!({"updates_in": 10.0, "updates_out": 0.0, "octets_in": 0.0, "octets_out": 250.0});
    assert_eq!((&view["over_s"], &view["total"]), (&json!(4.0), &total));
    let third = json!([{"name": "third", "updates_in": 0.5, "updates_out": 0.0, "octets_in": 0.0, "octets_out": 0.0}]);
    assert_eq!(view["clients"], third);

    let asked = server.data.with(|state| state.stats_count);
    server.json("/api/v1/rates");
    let again = server.data.with(|state| state.stats_count);
    assert_eq!(asked, again, "within a second, nobody is asked again");
    server
        .data
        .with(|state| state.now = state.now + Duration::from_secs(600));
    let view = server.json("/api/v1/rates");
    assert_eq!(
        view, nothing,
        "what was ten minutes ago says nothing of now"
    );
}
