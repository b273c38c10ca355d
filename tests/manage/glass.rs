//! How the protocols of other looking glasses behave beside the form of their answers: what is refused,
//! what is kept, how long answers come.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use rialto::base::shard_of;
use rialto::policy::RejectReason;
use rialto::wire::testing::SetBuilder;
use serde_json::{Value, json};

use super::exchange::{fetch, server};
use super::{Server, THREE};

#[test]
fn what_is_not_there_and_what_is_too_much_is_refused() {
    let server = server();
    let cases = [
        ("/routes/protocol/fourth", 404, "no session 'fourth'"),
        ("/routes/noexport/pb_0001", 404, "no session"),
        ("/ipv6/routes/filtered/AS10005_1", 404, "no session"),
        ("/routes/table/master5", 404, "master4 and master6"),
        ("/ipv4/routes/table/master6", 404, "no table"),
        (
            "/routes/prefix?prefix=x",
            400,
            "neither a prefix nor an address",
        ),
        ("/ipv6/routes/prefix?prefix=10.0.0.0/8", 400, "neither"),
        ("/routes/prefix", 400, "missing field `prefix`"),
        ("/api/protocol/fourth", 404, "Protocol not found"),
        ("/api/routes/protocol/fourth", 404, "Protocol not found"),
        ("/api/routes/export/fourth", 404, "Protocol not found"),
        (
            "/api/routes/count/protocol/fourth",
            404,
            "Protocol not found",
        ),
        (
            "/api/route/10.0.0.0%2F8/protocol/fourth",
            404,
            "Protocol not found",
        ),
        ("/api/routes/table/t", 404, "Invalid table"),
        ("/api/routes/count/table/t", 404, "Invalid table"),
        ("/api/ipv4/routes/table/master6", 404, "Invalid table"),
        ("/api/routes/pipe/third", 404, "nothing at this address"),
        ("/api/route/10.0.0.0%2F33", 400, "Bad IP address"),
        ("/api/route/x/table/master4", 400, "Bad IP address"),
        (
            "/api/routes/lc-zwild/protocol/fourth/1/2",
            404,
            "Protocol not found",
        ),
        ("/api/routes/lc-zwild/protocol/third/0/2", 404, "nothing"),
        ("/api/nothing", 404, "nothing at this address"),
    ];
    for (address, status, words) in cases {
        let answer = fetch(&server, address, "");
        assert_eq!(answer.status, status, "{address}: {}", answer.text());
        assert!(
            answer.text().contains(words),
            "{address}: {}",
            answer.text()
        );
    }
}

#[test]
fn longer_lists_than_the_configuration_says_are_refused() {
    let limits = "[looking_glass]\nmax_routes = 2\nanswer_routes_max = 3\n";
    // How many routes there are, what session cores have counted, and who refuses.
    let cases = [
        ("few", 2, 2, false, false),
        ("too many for Bird's Eye", 3, 3, true, false),
        ("which was not counted yet", 3, 0, true, false),
        ("too many for birdwatcher", 4, 4, true, true),
        ("which was not counted yet", 4, 0, true, true),
    ];
    for (name, routes, counted, is_birdseye, is_birdwatcher) in cases {
        let server = Server::start(&format!("{THREE}{limits}"));
        (0..3).for_each(|slot| server.data.up(slot));
        server.data.make_live(3);
        let set = SetBuilder::new().as_path(&[10001]).build();
        for number in 0..routes {
            let prefix = format!("198.18.{number}.0/24");
            server.data.announce(0, &prefix, &set, None);
        }
        server.data.with(|state| {
            let first = &mut state.core.clients[0];
            (first.received, first.accepted) = ([counted, 0], [counted, 0]);
            let others = state.core.clients[1..].iter_mut();
            others.for_each(|other| (other.received, other.accepted) = Default::default());
        });
        let refused = |address: &str| {
            let answer = fetch(&server, address, "");
            let words = "Number of routes exceeds maximum allowed";
            let is_told = answer.status == 403 && answer.text().contains(words);
            assert!(is_told || answer.status == 200, "{name}: {}", answer.text());
            // A stream that has begun can only be broken off.
            is_told || !answer.is_whole
        };
        for source in ["protocol/AS10001_1", "export/third"] {
            let address = format!("/api/routes/{source}");
            assert_eq!(refused(&address), is_birdseye, "{name}: {address}");
        }
        let address = "/routes/protocol/AS10001_1";
        assert_eq!(refused(address), is_birdwatcher, "{name}: {address}");
    }
}

#[test]
fn an_answer_is_given_again_for_a_while() {
    let server = server();
    for (address, from_cache, routes) in [
        (
            "/routes/protocol/AS10005_1",
            "/api/result_from_cache",
            "/routes",
        ),
        (
            "/api/routes/protocol/AS10005_1",
            "/api/from_cache",
            "/routes",
        ),
    ] {
        let first = fetch(&server, address, "").json();
        assert_eq!(first.pointer(from_cache), Some(&json!(false)), "{address}");
        let set = SetBuilder::new().as_path(&[10005]).build();
        let prefix = format!("198.19.{}.0/24", address.len());
        server.data.announce(5, &prefix, &set, None);
        let second = fetch(&server, address, "").json();
        assert_eq!(second.pointer(from_cache), Some(&json!(true)), "{address}");
        assert_eq!(first.pointer(routes), second.pointer(routes), "{address}");
    }
    let asked = server.data.with(|state| state.stats_count);
    for address in ["/status", "/protocols/short", "/api/protocols/bgp"] {
        fetch(&server, address, "");
    }
    let asked_again = server.data.with(|state| state.stats_count);
    assert_eq!(asked, asked_again, "one census serves all");
}

#[test]
fn a_long_answer_comes_whole_compressed_or_not_and_each_route_once() {
    let server = Server::start(THREE);
    server.data.up(0);
    let set = SetBuilder::new()
        .as_path(&[10001])
        .large(&[(1, 2, 3)])
        .build();
    let mut all = BTreeSet::new();
    for high in 0..12 {
        for low in 0..250 {
            let prefix = format!("198.{high}.{low}.0/24");
            let reason = (low % 5 == 0).then_some(RejectReason::NextHop);
            server.data.announce(0, &prefix, &set, reason);
            all.insert((prefix, reason.is_some()));
        }
    }
    let networks = |answer: &Value| {
        let routes = answer["routes"].as_array().unwrap().iter();
        let networks = routes.map(|route| route["network"].as_str().unwrap().to_owned());
        networks.collect::<Vec<_>>()
    };
    for (address, is_rejected) in [("protocol", false), ("filtered", true)] {
        let address = format!("/routes/{address}/AS10001_1");
        let plain = fetch(&server, &address, "");
        assert!(plain.is_whole && plain.header("content-encoding").is_none());
        let found = networks(&plain.json());
        let wanted = all.iter().filter(|(_, rejected)| *rejected == is_rejected);
        let wanted: BTreeSet<_> = wanted.map(|(prefix, _)| prefix.clone()).collect();
        assert_eq!(found.len(), wanted.len(), "{address}");
        assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), wanted);
        let packed = fetch(&server, &address, "Accept-Encoding: br, gzip;q=0.5\r\n");
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        let text = unpacked(&packed.body);
        let again: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(networks(&again), found, "{address}");
        assert!(packed.body.len() * 10 < text.len(), "{}", packed.body.len());
    }
    let refused = fetch(
        &server,
        "/routes/protocol/AS10001_1",
        "Accept-Encoding: gzip;q=0\r\n",
    );
    assert_eq!(refused.header("content-encoding"), None);
    let count = server.json("/api/routes/count/table/master4");
    assert_eq!(
        count["count"]["routes"].as_u64(),
        Some(6),
        "as the session core counts"
    );
}

#[test]
fn lists_of_all_are_collected_in_one_walk_and_told_session_by_session() {
    const SHARDS: u16 = 2;
    let server = Server::start(THREE);
    (0..3).for_each(|slot| server.data.up(slot));
    // By session, then as the tables have them.
    let (mut accepted, mut rejected, mut kept_back) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for number in 0..300u32 {
        let (slot, index) = (number % 3, number / 3);
        let prefix = format!("198.18.{index}.0/24");
        let is_kept_back = index % 2 == 1;
        let to_third = is_kept_back.then_some((64_500, 0, 10_003));
        let set = SetBuilder::new().as_path(&[10_001 + slot]);
        let set = set.large(to_third.as_slice()).build();
        let reason = (number % 5 == 0).then_some(RejectReason::NextHop);
        server.data.announce(slot as u16, &prefix, &set, reason);
        let shard = shard_of(&prefix.parse().unwrap(), SHARDS);
        let told = (prefix, (10_001 + slot).to_string());
        let key = (slot, shard, index);
        if reason.is_some() {
            rejected.insert(key, told);
        } else {
            accepted.insert(key, told.clone());
            kept_back.extend((is_kept_back && slot < 2).then_some((key, told)));
        }
    }
    for (address, expected) in [
        ("/routes/table/master4", accepted),
        ("/routes/table/master4/filtered", rejected),
        ("/routes/noexport/third", kept_back),
    ] {
        let expected: Vec<_> = expected.into_values().collect();
        assert!(expected.len() > 50, "{address}");
        let pieces = || server.data.with(|state| state.pieces_count);
        let before = pieces();
        for accepts in ["", "Accept-Encoding: gzip\r\n"] {
            let answer = fetch(&server, address, accepts);
            let text = match answer.header("content-encoding") {
                None => answer.text(),
                Some(_) => unpacked(&answer.body),
            };
            let answer: Value = serde_json::from_str(&text).unwrap();
            let routes = answer["routes"].as_array().unwrap().iter();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let told = routes.map(|it| (text(&it["network"]), text(&it["bgp"]["as_path"][0])));
            assert_eq!(told.collect::<Vec<_>>(), expected, "{address} {accepts}");
        }
        assert_eq!(pieces() - before, usize::from(SHARDS), "{address}");
    }
}

fn unpacked(octets: &[u8]) -> String {
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(octets);
    decoder.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_data_path_that_does_not_answer_is_told() {
    let server = server();
    server.data.with(|state| state.is_silent = true);
    for address in [
        "/routes/protocol/pb_0001_as10001",
        "/routes/prefix?prefix=10.0.0.0/8",
        "/api/routes/export/third",
        "/api/route/10.0.0.1",
        "/api/routes/count/export/third",
        "/api/status",
    ] {
        let answer = fetch(&server, address, "");
        assert_eq!(answer.status, 503, "{address}: {}", answer.text());
        assert!(
            answer.text().contains("gone"),
            "{address}: {}",
            answer.text()
        );
    }
    server.data.with(|state| state.is_silent = false);
    let answer = fetch(&server, "/routes/protocol/pb_0001_as10001", "");
    assert_eq!(answer.status, 200, "a failure is not kept");
}

#[test]
fn a_reload_takes_over_how_sessions_are_called() {
    let server = Server::start(THREE);
    let names = || server.json("/api/symbols/protocols")["symbols"].clone();
    assert_eq!(names(), json!(["AS10001_1", "AS10002_1", "third"]));
    let template = "[looking_glass]\nsession_name = \"pb_as{asn}_ipv{ip_version}\"\n";
    let named = THREE.replace(
        "name = \"third\"",
        "name = \"third\"\nsession_name = \"pb_0003\"",
    );
    server.write_clients(&format!("{named}{template}"));
    let control = server.socket().display().to_string();
    let (status, text) = server.says(&["reload", "--control", &control]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("third (session_name)") && text.contains("looking_glass"),
        "{text}"
    );
    assert_eq!(
        names(),
        json!(["pb_as10001_ipv4", "pb_as10002_ipv4", "pb_0003"])
    );
}
