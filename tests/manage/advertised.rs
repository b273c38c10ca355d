//! How much clients are sent, counted now and then while somebody asks.

use std::net::Ipv4Addr;

use rialto::wire::testing::SetBuilder;

use super::{Server, THREE};

#[test]
fn what_clients_are_sent_is_counted_once_somebody_asks() {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| server.data.up(slot));
    server.data.make_live(3);
    let set = SetBuilder::new()
        .next_hop(Ipv4Addr::new(192, 0, 2, 1))
        .as_path(&[10_001])
        .build();
    for prefix in ["198.51.0.0/24", "198.51.1.0/24"] {
        server.data.announce(0, prefix, &set, None);
    }
    let advertised = |name: &str| {
        let view = server.json(&format!("/api/v1/clients/{name}"));
        view["client"]["advertised"]["ipv4"].as_u64()
    };
    assert_eq!(advertised("third"), None, "nobody has asked before");
    server.wait_until("it is counted", || advertised("third").is_some());
    let routes = server.json("/api/v1/routes?client=third&which=advertised");
    assert_eq!(routes["routes"].as_array().map(Vec::len), Some(2));
    let found = ["AS10001-1", "AS10002-1", "third"].map(advertised);
    assert_eq!(found, [Some(0), Some(2), Some(2)]);
    let (_, metrics) = server.get("/metrics");
    let line = |it: &&str| {
        it.starts_with("rialto_client_advertised_prefixes{client=\"third\"") && it.contains("ipv4")
    };
    let line = metrics.lines().find(line).expect("it is a metric");
    assert!(line.ends_with(" 2"), "{line}");
}
