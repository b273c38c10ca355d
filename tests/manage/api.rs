//! What the API and the reading commands say.

use std::collections::BTreeSet;
use std::sync::Arc;

use rialto::policy::RejectReason;
use rialto::wire::GracefulRestart;
use rialto::wire::testing::SetBuilder;
use serde_json::json;

use super::{Server, THREE};

/// Clients 1 and 2 announce one prefix, client 1 the better one; client 2 a second one that is
/// rejected, and one that control communities keep from client 3.
fn server() -> Server {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| server.data.up(slot));
    let short = Arc::new(
        SetBuilder::new()
            .next_hop("192.0.2.1".parse::<std::net::Ipv4Addr>().unwrap())
            .as_path(&[10001])
            .med(5)
            .build(),
    );
    let long = Arc::new(
        SetBuilder::new()
            .as_path(&[10002, 7])
            .as_set(&[8, 9])
            .communities(&[(64500, 64500), (9, 9)])
            .build(),
    );
    let hidden = Arc::new(
        SetBuilder::new()
            .as_path(&[10002])
            .large(&[(64500, 0, 10003)])
            .build(),
    );
    server.data.announce(0, "203.0.113.0/24", &short, None);
    server.data.announce(1, "203.0.113.0/24", &long, None);
    server
        .data
        .announce(1, "10.0.0.0/8", &long, Some(RejectReason::BogonPrefix));
    server.data.announce(1, "2001:db8::/32", &hidden, None);
    server
}

#[test]
fn ready_is_told_only_when_the_wait_is_over_and_all_threads_answer() {
    let server = server();
    let (status, body) = server.get("/readyz");
    assert_eq!(status, 503);
    assert!(
        body.contains("3 of 3 clients are up, 0 of them have sent End-of-RIB"),
        "{body}"
    );
    server.data.with(|state| {
        state.core.startup_over = true;
        state.core.startup_wait_ms = 321;
    });
    let (status, body) = server.get("/readyz");
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"startup_wait_ms\":321"), "{body}");
    assert_eq!(server.get("/healthz").0, 200);

    server.data.with(|state| state.is_silent = true);
    for path in ["/readyz", "/healthz"] {
        let (status, body) = server.get(path);
        assert_eq!(status, 503, "{path}");
        assert!(
            body.contains("shard-0: gone") && body.contains("shard-1: gone"),
            "{body}"
        );
    }
    assert_eq!(server.get("/api/v1/route?prefix=203.0.113.0/24").0, 503);
    let (status, text) = server.says(&["show", "route", "203.0.113.0/24"]);
    assert_eq!((status, text.as_str()), (1, "rialto: gone\n"));
}

#[test]
fn the_summary_adds_up_cores_and_shards() {
    let server = server();
    let view = server.json("/api/v1/summary");
    assert_eq!(
        (&view["clients"], &view["established"]),
        (&json!(3), &json!(3))
    );
    assert_eq!((&view["prefixes"], &view["paths"]), (&json!(3), &json!(4)));
    assert_eq!(
        (&view["uptime_s"], &view["ready"]),
        (&json!(1000), &json!(false))
    );
    assert_eq!(view["control_socket"], json!(server.socket()));
    let (status, text) = server.says(&["show", "summary"]);
    assert_eq!(status, 0);
    assert!(
        text.contains("clients   3 configured, 3 established, 0 disabled, 0 quarantined"),
        "{text}"
    );
    assert!(text.contains("table     3 prefixes, 4 paths, "), "{text}");
}

#[test]
fn clients_are_shown_by_name_and_address() {
    let server = server();
    let (status, text) = server.says(&["show", "clients"]);
    assert_eq!(status, 0);
    assert!(
        text.contains("third      AS10003  192.0.2.3  Established  1 min 40 s        10         9"),
        "{text}"
    );
    for name in ["third", "192.0.2.3"] {
        let view = server.json(&format!("/api/v1/clients/{name}"));
        assert_eq!(
            (&view["client"]["name"], &view["client"]["received"]),
            (&json!("third"), &json!({"ipv4": 7, "ipv6": 3}))
        );
        assert_eq!(view["configured"]["import"][0], "next_hop strict");
        let (status, text) = server.says(&["show", "client", name]);
        assert!(
            status == 0 && text.starts_with("third  AS10003 at 192.0.2.3, session core 0\n"),
            "{text}"
        );
    }
    assert_eq!(server.get("/api/v1/clients/fourth").0, 404);
    let mut names = Vec::new();
    let mut cursor = Some("0".to_owned());
    while let Some(from) = cursor {
        let view = server.json(&format!("/api/v1/clients?limit=2&cursor={from}"));
        let page = view["clients"].as_array().unwrap();
        names.push(
            page.iter()
                .map(|client| client["name"].to_string())
                .collect::<Vec<_>>()
                .join(" "),
        );
        cursor = view["next"].as_str().map(str::to_owned);
    }
    assert_eq!(names, ["\"AS10001-1\" \"AS10002-1\"", "\"third\""]);
    assert_eq!(server.get("/api/v1/clients?limit=some").0, 400);
    assert_eq!(
        server.says(&["show", "client", "fourth"]),
        (
            1,
            "rialto: there is no client 'fourth'; rialto show clients lists them\n".to_owned()
        )
    );
    let cases = [
        ("thrid", "did you mean third?"),
        ("AS10001", "did you mean AS10001-1?"),
        ("10002", "did you mean AS10002-1?"),
        ("as10002-1", "did you mean AS10002-1"),
        ("192.0.2.33", "did you mean third"),
    ];
    for (name, hint) in cases {
        let asked: [&[&str]; 4] = [
            &["show", "client", name],
            &["explain", "8.8.8.0/24", "--to", name],
            &["show", "routes", "--received", "--client", name],
            &["client", name, "reset"],
        ];
        for words in asked {
            let (status, text) = server.says(words);
            assert!(status == 1 && text.contains(hint), "{words:?}: {text}");
        }
    }
}

#[test]
fn a_route_is_found_by_prefix_and_by_address_with_all_its_attributes() {
    let server = server();
    for asked in ["203.0.113.0/24", "203.0.113.77"] {
        let view = server.json(&format!("/api/v1/route?prefix={asked}"));
        assert_eq!(view["prefix"], "203.0.113.0/24", "{asked}");
        let [best, second] = &view["paths"].as_array().unwrap()[..] else {
            panic!("{view}")
        };
        assert_eq!(
            (&best["from"], &best["attributes"]["med"]),
            (&json!("AS10001-1"), &json!(5))
        );
        assert_eq!(second["attributes"]["as_path"], "10002 7 {8,9}");
        assert_eq!(
            second["attributes"]["communities"],
            json!(["64500:64500", "9:9"])
        );
    }
    let (status, text) = server.says(&["show", "route", "203.0.113.77"]);
    assert_eq!(status, 0);
    assert!(
        text.contains("203.0.113.0/24: 2 paths\n")
            && text.contains("from AS10001-1 (AS10001, 192.0.2.1): accepted"),
        "{text}"
    );
    let (_, text) = server.says(&["show", "route", "10.0.0.0/8"]);
    assert!(
        text.contains("rejected: ") && text.contains("(bogon_prefix, 64500:1101:3)"),
        "{text}"
    );
    assert_eq!(
        server.says(&["show", "route", "198.51.100.0/24"]),
        (1, "nobody announces 198.51.100.0/24\n".to_owned())
    );
    assert_eq!(server.get("/api/v1/route?prefix=nonsense").0, 400);
    assert_eq!(server.get("/api/v1/route").0, 400);
}

#[test]
fn explain_says_what_became_of_each_path_and_why() {
    let server = server();
    let fates = |prefix: &str, to: &str| {
        let view = server.json(&format!("/api/v1/explain?prefix={prefix}&to={to}"));
        let paths = view["paths"].as_array().unwrap().clone();
        paths
            .iter()
            .map(|path| {
                (
                    path["fate"].as_str().unwrap().to_owned(),
                    path["decided_by"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    let as_path_length = json!("as_path_length");
    let cases = [
        (
            "203.0.113.0/24",
            "third",
            vec![("best", as_path_length.clone()), ("lost", as_path_length)],
        ),
        (
            "203.0.113.0/24",
            "AS10001-1",
            vec![("own", json!(null)), ("best", json!(null))],
        ),
        ("10.0.0.0/8", "third", vec![("rejected", json!(null))]),
        (
            "2001:db8::/32",
            "third",
            vec![("not_in_audience", json!("do_not_announce_to_peer"))],
        ),
        ("2001:db8::/32", "AS10001-1", vec![("best", json!(null))]),
        ("198.51.100.0/24", "third", vec![]),
    ];
    for (prefix, to, expected) in cases {
        let expected = expected
            .into_iter()
            .map(|(fate, by)| (fate.to_owned(), by))
            .collect::<Vec<_>>();
        let found = fates(prefix, to);
        let sorted = |list: &[(String, serde_json::Value)]| {
            list.iter()
                .map(|item| format!("{item:?}"))
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(sorted(&found), sorted(&expected), "{prefix} to {to}");
    }
    let (status, text) = server.says(&["explain", "203.0.113.9", "--to", "third"]);
    assert_eq!(status, 0);
    assert!(
        text.contains("203.0.113.0/24 to third: ")
            && text.contains("third would have 203.0.113.0/24 from AS10001-1."),
        "{text}"
    );
    assert!(
        text.contains("best: preferred to the next one by the shorter AS_PATH"),
        "{text}"
    );
    let (_, text) = server.says(&["explain", "198.51.100.0/24", "--to", "third"]);
    assert_eq!(text, "198.51.100.0/24 to third: Nobody announces it.\n");
    assert_eq!(
        server.says(&["explain", "198.51.100.0/24", "--to", "x"]).0,
        1
    );
}

#[test]
fn routes_of_a_client_come_page_by_page_and_each_once() {
    let server = Server::start(THREE);
    server.data.up(0);
    let set = Arc::new(SetBuilder::new().as_path(&[10001]).build());
    let all = (0..200)
        .map(|number| format!("198.18.{number}.0/24"))
        .collect::<BTreeSet<_>>();
    for (index, prefix) in all.iter().enumerate() {
        server.data.announce(
            0,
            prefix,
            &set,
            (index % 4 == 0).then_some(RejectReason::NextHop),
        );
    }
    for (which, count) in [
        ("received", 200),
        ("accepted", 150),
        ("rejected", 50),
        ("advertised", 0),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server.json(&format!(
                "/api/v1/routes?client=AS10001-1&which={which}&limit=7{cursor}"
            ));
            let routes = page["routes"].as_array().unwrap();
            assert!(routes.len() <= 7, "{which}: {}", routes.len());
            seen.extend(
                routes
                    .iter()
                    .map(|route| route["prefix"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), count, "{which}");
        let distinct = seen.into_iter().collect::<BTreeSet<_>>();
        assert!(
            distinct.len() == count && distinct.is_subset(&all),
            "{which}"
        );
        let (status, text) = server.says(&[
            "show",
            "routes",
            "--client",
            "AS10001-1",
            &format!("--{which}"),
        ]);
        assert_eq!(status, 0);
        assert!(
            text.ends_with(&format!("{count} routes {which}, AS10001-1\n")),
            "{text}"
        );
        let output = server.rialto(&[
            "show",
            "routes",
            "--json",
            "--client",
            "AS10001-1",
            &format!("--{which}"),
        ]);
        let view: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(view["routes"].as_array().unwrap().len(), count);
    }
    assert_eq!(
        server.get("/api/v1/routes?client=AS10001-1&which=all").0,
        400
    );
    assert_eq!(
        server
            .get("/api/v1/routes?client=AS10001-1&which=received&cursor=x")
            .0,
        400
    );
    assert_eq!(server.get("/api/v1/routes?client=x&which=received").0, 404);
}

#[test]
fn cores_and_metrics_name_every_thread_and_client() {
    let server = server();
    let view = server.json("/api/v1/cores");
    assert_eq!(view["sessions"][0]["thread"]["name"], "core-0");
    assert_eq!(
        view["shards"][1]["thread"],
        json!({"name": "shard-1", "cpu": 1, "cpu_time_s": 1.5, "queued": 4})
    );
    let (status, text) = server.says(&["show", "cores"]);
    assert!(
        status == 0 && text.contains("shard-1") && text.contains("1.50 s"),
        "{text}"
    );
    for words in [&["show", "cores"][..], &["show", "client", "third"]] {
        let (_, text) = server.says(words);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}:\n{text}");
    }

    let (status, text) = server.get("/metrics");
    assert_eq!(status, 200);
    for line in [
        "# TYPE rialto_core_updates_in_total counter",
        "rialto_core_updates_in_total{core=\"0\"} 0",
        "rialto_client_up{client=\"third\",asn=\"10003\"} 1",
        "rialto_client_received_prefixes{client=\"third\",asn=\"10003\",family=\"ipv4\"} 7",
        "rialto_ready 0",
    ] {
        assert!(
            text.lines().any(|other| other == line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn what_is_not_there_is_told_as_json() {
    let server = Server::start(THREE);
    let (status, body) = server.get("/api/v1/nothing");
    assert_eq!(
        (status, body.as_str()),
        (404, "{\"error\":\"there is nothing at this address\"}")
    );
    let config = server.json("/api/v1/config");
    assert_eq!(
        (&config["asn"], &config["clients"][2]["name"]),
        (&json!(64500), &json!("third"))
    );
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_do() {
    let output = crate::cli::rialto(&["show", "summary", "--api", "127.0.0.1:1"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("no server answers at 127.0.0.1:1") && text.contains("--api ADDR:PORT"),
        "{text}"
    );
}

#[test]
fn a_paced_client_is_not_called_slow() {
    let cases = [
        ("", 0, ""),
        ("", 3, "slow: 3 prefixes behind"),
        (
            "min_advertisement_ms = 5000\n",
            0,
            "paced by min_advertisement_ms 5000",
        ),
        (
            "min_advertisement_ms = 5000\n",
            3,
            "paced by min_advertisement_ms 5000: 3 prefixes wait",
        ),
        (
            "limits.updates_per_s = 10\n",
            0,
            "paced by updates_per_s 10",
        ),
        (
            "min_advertisement_ms = 5000\nlimits.updates_per_s = 10\n",
            3,
            "paced by min_advertisement_ms 5000: 3 prefixes wait, paced by updates_per_s 10",
        ),
    ];
    for (keys, behind, expected) in cases {
        let server = Server::start(&format!("{THREE}{keys}"));
        server.data.up(2);
        server
            .data
            .with(|state| state.core.clients[2].dirty_prefixes = behind);
        let (_, text) = server.says(&["show", "clients"]);
        let line = text.lines().find(|line| line.starts_with("third"));
        let (_, remarks) = line.unwrap().split_once("         9").unwrap();
        assert_eq!(remarks.trim(), expected, "{keys}");
    }
}

#[test]
fn what_is_kept_of_a_client_that_is_away_is_shown_everywhere() {
    for (is_long_lived, of_client, of_route, of_fate) in [
        (
            false,
            "kept 1 ipv4 stale: its session is over (RFC 4724); that ends in 1 min 30 s unless it is back",
            "accepted (stale: its session is over), 0 clients have it",
            "best: preferred to the next one by the shorter AS_PATH; stale, its session is over (RFC 4724)",
        ),
        (
            true,
            "kept 1 ipv4 long-lived stale (RFC 9494), dropped in 1 min 30 s unless it is back",
            "accepted (long-lived stale, the last choice), 0 clients have it",
            "not sent: it is long-lived stale, and third did not announce that capability (RFC 9494 §4.3); \
             stale for long, its session is over: the last choice (RFC 9494)",
        ),
    ] {
        let server = Server::start(THREE);
        (0..3).for_each(|slot| server.data.up(slot));
        for (slot, path) in [(0, &[10001][..]), (1, &[10002, 7])] {
            let next_hop = std::net::Ipv4Addr::new(192, 0, 2, 1 + slot as u8);
            let set = SetBuilder::new().next_hop(next_hop).as_path(path).build();
            server.data.announce(slot, "20.0.0.0/24", &set, None);
        }
        server.data.leave(0, is_long_lived, 90);
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let says = |words: &[&str]| one_line(&server.says(words).1);
        let client = says(&["show", "client", "AS10001-1"]);
        assert!(client.contains(of_client), "{client}");
        let route = says(&["show", "route", "20.0.0.0/24"]);
        assert!(route.contains(of_route), "{route}");
        let fate = says(&["explain", "20.0.0.0/24", "--to", "third"]);
        assert!(fate.contains(of_fate), "{fate}");
        let clients = says(&["show", "clients"]);
        assert!(
            clients.contains("KEPT: 1 of the session before"),
            "{clients}"
        );
        let metrics = server.get("/metrics").1;
        let line =
            r#"rialto_client_stale_prefixes{client="AS10001-1",asn="10001",family="ipv4"} 1"#;
        assert!(metrics.contains(line), "{metrics}");
        let answer = server.json("/api/v1/clients/AS10001-1");
        let stale = &answer["client"]["stale"][0];
        let expected =
            json!({"family": "ipv4", "prefixes": 1, "long_lived": is_long_lived, "for_s": 90});
        assert_eq!(*stale, expected);
    }
}

#[test]
fn a_client_is_shown_with_what_was_negotiated_of_restarts() {
    let said = |restarting, restart_time_s| {
        Some(GracefulRestart {
            restarting,
            restart_time_s,
            ..GracefulRestart::default()
        })
    };
    let cases = [
        (
            (true, true, said(false, 120)),
            json!({"keeps_routes": true, "after_notifications": true, "restart_time_s": 120, "has_restarted": false}),
            "it keeps our routes when we restart, after a NOTIFICATION, too (RFC 4724, RFC 8538); its Restart Time is 120 s",
        ),
        (
            (true, false, said(true, 0)),
            json!({"keeps_routes": true, "after_notifications": false, "restart_time_s": 0, "has_restarted": true}),
            "it keeps our routes when we restart without a NOTIFICATION (RFC 4724, not RFC 8538); its Restart Time is 0 s, and it said that it had restarted",
        ),
        (
            (false, false, None),
            json!({"keeps_routes": false, "after_notifications": false, "restart_time_s": null, "has_restarted": false}),
            "it drops our routes when we restart; it announced no graceful restart",
        ),
    ];
    let server = server();
    for ((keeps_routes, hard_resets, peer_restart), view, words) in cases {
        server.data.with(|state| {
            let status = &mut state.core.clients[2];
            status.keeps_routes = keeps_routes;
            status.hard_resets = hard_resets;
            status.peer_restart = peer_restart;
        });
        let answer = server.json("/api/v1/clients/third");
        assert_eq!(answer["client"]["restarts"], view);
        let (status, text) = server.says(&["show", "client", "third"]);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = format!(" restarts {words} End-of-RIB ");
        assert!(status == 0 && text.contains(&line), "{line}\n{text}");
    }
    server
        .data
        .with(|state| state.core.clients[2].state = "Idle");
    let answer = server.json("/api/v1/clients/third");
    assert_eq!(answer["client"]["restarts"], json!(null));
    let (_, text) = server.says(&["show", "client", "third"]);
    assert!(!text.contains("\nrestarts "), "{text}");
}
