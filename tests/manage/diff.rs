//! Two servers compared, and one with what tells its routes by birdwatcher's protocol.

use std::net::Ipv4Addr;

use rialto::policy::RejectReason;
use rialto::wire::testing::SetBuilder;
use serde_json::{Value, json};

use super::{Server, THREE};

/// So many routes of the first client, some rejected, and one of the second.
fn server(clients: &str) -> Server {
    let server = Server::start(clients);
    (0..3).for_each(|slot| server.data.up(slot));
    server.data.make_live(3);
    let next_hop: Ipv4Addr = "192.0.2.1".parse().unwrap();
    let set = SetBuilder::new()
        .next_hop(next_hop)
        .as_path(&[10001])
        .med(5)
        .communities(&[(9, 9)])
        .build();
    for index in 0..20 {
        server
            .data
            .announce(0, &format!("8.0.{index}.0/24"), &set, None);
    }
    server
        .data
        .announce(0, "10.0.0.0/8", &set, Some(RejectReason::BogonPrefix));
    server
}

/// What one command says of both.
fn diff(a: &Server, b: &Server, words: &[&str]) -> (i32, String) {
    let b = b.api.to_string();
    a.says(&[&["diff", "--api", &b], words].concat())
}

#[test]
fn servers_with_the_same_routes_are_the_same() {
    let (a, b) = (server(THREE), server(THREE));
    let digest = |server: &Server| server.json("/api/v1/digest?client=192.0.2.1&which=received");
    assert_eq!(digest(&a), digest(&b));
    assert_eq!(digest(&a)["ipv4"]["routes"], json!(21));
    let (status, text) = diff(&a, &b, &[]);
    assert_eq!(status, 0, "{text}");
    assert!(text.ends_with("\n3 clients: all is the same\n"), "{text}");
    for words in [
        &["--which", "accepted"][..],
        &["--client", "third"],
        &["--json"],
    ] {
        assert_eq!(diff(&a, &b, words).0, 0, "{words:?}");
    }
    assert_eq!(a.get("/api/v1/digest?client=192.0.2.1&which=x").0, 400);
}

#[test]
fn what_differs_is_told_by_client_and_prefix() {
    let (a, b) = (server(THREE), server(THREE));
    let other = SetBuilder::new().as_path(&[10001, 7]).build();
    // `rialto` puts its own --api last: the other one is A.
    b.data.announce(0, "8.0.3.0/24", &other, None);
    b.data.announce(0, "8.0.99.0/24", &other, None);
    a.data.announce(1, "8.1.0.0/16", &other, None);
    let (status, text) = diff(&a, &b, &["--which", "received"]);
    assert_eq!(status, 1);
    for line in [
        "\nAS10001-1 (192.0.2.1)\n  received ipv4: 22 at A, 21 at B; 2 prefixes differ\n",
        "    8.0.3.0/24           other at A than at B\n      A AS_PATH 10001 7, next hop 192.0.2.1, origin igp\n      B AS_PATH 10001, next hop 192.0.2.1, origin igp, MED 5, communities 9:9\n",
        "    8.0.99.0/24          at A alone\n",
        "\nAS10002-1 (192.0.2.2)\n  received ipv4: 0 at A, 1 at B; 1 prefix differ\n",
        "\n3 clients: 2 with other routes, 0 at one server alone\n",
    ] {
        assert!(text.contains(line), "'{line}' is not in\n{text}");
    }
    let (status, text) = diff(&a, &b, &["--client", "third", "--json"]);
    assert_eq!(status, 1);
    let view: Value = serde_json::from_str(&text).unwrap();
    let compared = view["clients"][0]["compared"].as_array().unwrap();
    let of = |which: &str, family: &str| {
        let is_it = |it: &&Value| it["which"] == which && it["family"] == family;
        compared.iter().find(is_it).unwrap()["differences"]
            .as_array()
            .unwrap()
            .len()
    };
    let told = [
        of("received", "ipv4"),
        of("advertised", "ipv4"),
        of("advertised", "ipv6"),
    ];
    assert_eq!(told, [0, 3, 0], "{view:#}");
}

#[test]
fn a_client_at_one_server_alone_is_told_and_not_compared() {
    let two = THREE
        .split("[[client]]")
        .take(3)
        .collect::<Vec<_>>()
        .join("[[client]]");
    let (a, b) = (server(THREE), Server::start(&two));
    b.data.up(1);
    let (status, text) = diff(&a, &b, &["--which", "received"]);
    assert_eq!(status, 1);
    for line in [
        "AS10001-1 (192.0.2.1) is up at B alone\n",
        "third (192.0.2.3) is a client at B alone\n",
        "3 clients: 0 with other routes, 2 at one server alone\n",
    ] {
        assert!(text.contains(line), "'{line}' is not in\n{text}");
    }
    let (status, text) = diff(&a, &b, &["--client", "fourth"]);
    assert_eq!(
        (status, text.as_str()),
        (1, "rialto: neither has a client 'fourth'\n")
    );
}

#[test]
fn a_server_behind_birdwatchers_protocol_is_compared_by_what_it_accepted() {
    let (a, b) = (server(THREE), server(THREE));
    let bird = b.api.to_string();
    let words = ["diff", "--birdwatcher", &bird];
    let (status, text) = a.says(&words);
    assert_eq!(status, 0, "{text}");
    assert!(text.ends_with("3 clients: all is the same\n"), "{text}");
    let other = SetBuilder::new()
        .as_path(&[10002, 7])
        .as_set(&[8, 9])
        .build();
    a.data.announce(1, "8.1.0.0/16", &other, None);
    let (status, text) = a.says(&words);
    assert_eq!(status, 1);
    let line = "accepted ipv4: 1 at A, 0 at B; 1 prefix differ\n    8.1.0.0/16           at A alone\n      A AS_PATH 10002 7 {8,9}, ";
    assert!(text.contains(line), "{text}");
}
