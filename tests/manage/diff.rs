//! Two servers compared, and one with what tells its routes by birdwatcher's protocol.

use std::net::Ipv4Addr;

use std::collections::BTreeSet;

use rialto::policy::RejectReason;
use rialto::wire::{NextHop, Origin, testing::SetBuilder};
use serde_json::{Value, json};

use super::{HEAD, Server, THREE};

/// So many routes of the first client, some rejected, and one of the second.
fn server(clients: &str) -> Server {
    let server = Server::start(clients);
    (0..3).for_each(|slot| server.data.up(slot));
    server.data.make_live(3);
    fill(&server, 0..20);
    server
}

fn fill(server: &Server, numbers: impl Iterator<Item = u32>) {
    let next_hop: Ipv4Addr = "192.0.2.1".parse().unwrap();
    let set = SetBuilder::new()
        .next_hop(next_hop)
        .as_path(&[10001])
        .med(5)
        .communities(&[(9, 9)])
        .build();
    for index in numbers {
        server
            .data
            .announce(0, &format!("8.0.{index}.0/24"), &set, None);
    }
    server
        .data
        .announce(0, "10.0.0.0/8", &set, Some(RejectReason::BogonPrefix));
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

const WHICH: [&str; 4] = ["received", "accepted", "rejected", "advertised"];

#[test]
fn digests_of_all_clients_hang_on_no_order_and_no_number_of_shards() {
    let first = server(THREE);
    let digests = |server: &Server, which: &str| {
        let all = server.json(&format!("/api/v1/digests?which={which}"));
        all["digests"].as_array().unwrap().clone()
    };
    for shards in [1, 5] {
        let head = HEAD.replace("shards = 2", &format!("shards = {shards}"));
        let other = Server::start_as(&head, THREE);
        (0..3).for_each(|slot| other.data.up(slot));
        fill(&other, (0..20).rev());
        other.data.make_live(3);
        for which in WHICH {
            let of_first = digests(&first, which);
            assert_eq!(of_first, digests(&other, which), "{shards} shards, {which}");
            assert_eq!(of_first.len(), 3);
            for one in &of_first {
                let address = one["address"].as_str().unwrap();
                let path = format!("/api/v1/digest?client={address}&which={which}");
                assert_eq!(&first.json(&path), one);
                let path = format!("/api/v1/routes?client={address}&which={which}");
                let listed = first.json(&path)["routes"].as_array().unwrap().len();
                assert_eq!(one["ipv4"]["routes"], json!(listed), "{which} of {address}");
            }
        }
    }
    let routes = |which| digests(&first, which)[0]["ipv4"]["routes"].clone();
    let counts = WHICH.map(routes);
    assert_eq!(counts, [json!(21), json!(20), json!(1), json!(0)]);
    assert_eq!(first.get("/api/v1/digests?which=x").0, 400);
    assert_eq!(first.get("/api/v1/digests").0, 400);
}

#[test]
fn whatever_is_compared_is_in_the_digest() {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| server.data.up(slot));
    server.data.make_live(3);
    let set = || {
        let set = SetBuilder::new().as_path(&[10001, 7]);
        set.next_hop(Ipv4Addr::new(192, 0, 2, 1))
    };
    let [global, link_local] = ["2001:db8::1", "fe80::1"].map(|it| it.parse().unwrap());
    let sets = [
        set(),
        set().as_path(&[10001, 7, 7]),
        set().as_set(&[7]),
        set().origin(Origin::Incomplete),
        set().med(0),
        set().med(5),
        set().communities(&[(9, 9)]),
        set().communities(&[(9, 10)]),
        set().large(&[(9, 9, 9)]),
        set().attribute(0xc0, 16, vec![0, 2, 0, 9, 0, 0, 0, 9]),
        set().attribute(0xc0, 99, vec![1]),
        set().attribute(0xc0, 99, vec![2]),
        set().attribute(0xe0, 99, vec![1]),
        set().attribute(0xc0, 98, vec![1]),
        set().next_hop(Ipv4Addr::new(192, 0, 2, 2)),
    ];
    let of_v6 = [
        NextHop::V6(global),
        NextHop::V6LinkLocal(global, link_local),
    ];
    let of_v6 = of_v6.map(|next_hop| set().next_hop(next_hop));
    let prefixes = ["8.0.0.0/16", "8.0.0.0/17", "8.1.0.0/16"];
    let mut routes: Vec<(&str, &SetBuilder)> = sets.iter().map(|set| (prefixes[0], set)).collect();
    routes.extend(prefixes[1..].iter().map(|prefix| (*prefix, &sets[0])));
    routes.extend(of_v6.iter().map(|set| ("2001:db8::/32", set)));
    let mut seen = BTreeSet::new();
    for (prefix, set) in &routes {
        let set = (*set).clone().build();
        server.data.announce(0, prefix, &set, None);
        for (which, client) in [("received", "192.0.2.1"), ("advertised", "third")] {
            let digest = server.json(&format!("/api/v1/digest?client={client}&which={which}"));
            let of = |family: &str| digest[family]["digest"].as_str().unwrap().to_owned();
            seen.insert((which, of("ipv4"), of("ipv6")));
        }
        server.data.withdraw(0, prefix);
    }
    assert_eq!(seen.len(), 2 * routes.len());
    // As it goes out to each.
    let set = set().large(&[(64500, 101, 10003)]).build();
    server.data.announce(0, "8.0.0.0/16", &set, None);
    let sent = |client| server.json(&format!("/api/v1/digest?client={client}&which=advertised"));
    let [second, third] = ["192.0.2.2", "third"].map(|client| sent(client)["ipv4"].clone());
    assert_eq!(second["routes"], third["routes"]);
    assert_ne!(second["digest"], third["digest"], "it is prepended");
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
