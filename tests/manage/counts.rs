//! What is accepted, kept back or quarantined, said the same by every command and by the metrics.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rialto::wire::testing::SetBuilder;
use serde_json::json;

use super::{Server, THREE};

/// The first client announces one route that is good and one whose next hop is another's.
fn announcing(clients: &str) -> Server {
    let server = Server::start(clients);
    (0..3).for_each(|slot| server.data.up(slot));
    let set = |next_hop: [u8; 4]| {
        let set = SetBuilder::new().next_hop(Ipv4Addr::from(next_hop));
        Arc::new(set.as_path(&[10001]).build())
    };
    let (good, bad) = (set([192, 0, 2, 1]), set([192, 0, 2, 99]));
    server.data.announce(0, "8.8.8.0/24", &good, None);
    server.data.announce(0, "9.9.9.0/24", &bad, None);
    server
}

#[test]
fn the_routes_of_a_quarantined_client_are_told_as_would_be_accepted_and_relayed_to_none() {
    let server = announcing(THREE);
    let first = "AS10001-1";
    assert_eq!(server.says(&["client", first, "quarantine"]).0, 0);
    server.data.with(|state| {
        state.core.clients[0].received = [2, 0];
        state.core.clients[0].accepted = [0, 0];
    });

    let view = server.json("/api/v1/clients/AS10001-1");
    let held = json!({"ipv4": 1, "ipv6": 0});
    assert_eq!(view["client"]["would_be_accepted"], held);
    let says = |words: &[&str], parts: &[&str]| {
        let (status, text) = server.says(words);
        assert_eq!(status, 0, "{text}");
        for part in parts {
            assert!(text.contains(part), "{words:?} lacks {part}:\n{text}");
        }
    };
    says(
        &["show", "client", first],
        &["1 ipv4, 0 ipv6 would be accepted; they are relayed to none"],
    );
    says(&["show", "clients"], &["QUARANTINED: 1 would be accepted"]);
    says(
        &["show", "routes", "--client", first, "--accepted"],
        &[
            "8.8.8.0/24",
            "QUARANTINED\n",
            "1 route would be accepted and relayed to none: AS10001-1 is quarantined",
        ],
    );
    says(
        &["show", "routes", "--client", first, "--rejected"],
        &["9.9.9.0/24", "REJECTED next_hop", "1 route rejected"],
    );
    says(
        &["show", "route", "8.8.8.0/24"],
        &["would be accepted; quarantined, and so relayed to none"],
    );
    says(
        &["explain", "8.8.8.0/24", "--to", "third"],
        &[
            "no path may go to it (AS10001-1 is quarantined).",
            "would be accepted; relayed to none, because AS10001-1 is quarantined",
        ],
    );
    says(
        &["explain", "9.9.9.0/24", "--to", "third"],
        &["no path may go to it.", "rejected on import: The NEXT_HOP"],
    );
    let (_, metrics) = server.get("/metrics");
    let line = "rialto_client_quarantined_prefixes{client=\"AS10001-1\",asn=\"10001\",family=\"ipv4\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");

    assert_eq!(server.says(&["client", first, "quarantine", "off"]).0, 0);
    let view = server.json("/api/v1/clients/AS10001-1");
    assert_eq!(
        view["client"]["would_be_accepted"],
        json!({"ipv4": 0, "ipv6": 0})
    );
    says(
        &["show", "routes", "--client", first, "--accepted"],
        &["1 route accepted, AS10001-1"],
    );
}

#[test]
fn metrics_and_show_clients_agree_on_what_is_accepted_where_block_keeps_some_back() {
    let blocking = THREE.replacen(
        "[[client]]",
        "[defaults.limits.ipv4]\naccepted_max = 4\naccepted_action = \"block\"\n[[client]]",
        1,
    );
    let server = announcing(&blocking);
    let client = &server.json("/api/v1/clients")["clients"][0];
    assert_eq!(client["accepted"], json!({"ipv4": 4, "ipv6": 3}));
    assert_eq!(client["blocked"], json!({"ipv4": 2, "ipv6": 0}));
    let (_, metrics) = server.get("/metrics");
    for (name, value) in [("received", 7), ("accepted", 4), ("blocked", 2)] {
        let line = format!(
            "rialto_client_{name}_prefixes{{client=\"AS10001-1\",asn=\"10001\",family=\"ipv4\"}} {value}\n"
        );
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
        let help = format!("# HELP rialto_client_{name}_prefixes ");
        let help = metrics.lines().find(|text| text.starts_with(&help));
        let says = if name == "received" {
            "before policy"
        } else {
            "accepted_max"
        };
        assert!(help.is_some_and(|help| help.contains(says)), "{help:?}");
    }
}
