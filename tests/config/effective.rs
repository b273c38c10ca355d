//! What a client inherits, and what it overrides.

use std::time::Duration;

use rialto::base::{Asn, Family, FamilySet};
use rialto::config::{ImportConfig, Inputs, NextHopMode, Overrides, RECEIVED_MAX, compile};
use rialto::server::exchange::{LimitAction, PrefixLimits};

use super::good;

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = good(
        "[[client]]\nasn = 10000\naddress = \"10.77.1.1\"\n[[client]]\nasn = 10000\naddress = \"2001:db8::1\"\n",
    );
    let [v4, v6] = &config.clients[..] else {
        panic!("two clients")
    };
    assert_eq!(
        (v4.name.as_str(), v6.name.as_str()),
        ("AS10000-1", "AS10000-2")
    );
    assert_eq!(v4.families, FamilySet::only(Family::Ipv4));
    assert_eq!(v6.families, FamilySet::only(Family::Ipv6));
    assert_eq!(
        (
            v4.hold_time_s,
            v4.passive,
            v4.add_path,
            v4.hide_own_as,
            v4.port
        ),
        (90, true, false, false, 179)
    );
    assert_eq!(v4.import, ImportConfig::exchange());
    assert_eq!(v4.limits[0].received_max, Some(RECEIVED_MAX[0]));
    assert_eq!(v4.limit_restart, Some(Duration::from_secs(900)));
    assert_eq!(v4.attribute_octets_max, Some(512 << 20));
    let listen = config
        .server
        .listen
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    assert_eq!(listen, ["0.0.0.0:179", "[::]:179"]);
    assert_eq!(config.api, ["127.0.0.1:8179".parse().unwrap()]);
    assert_eq!(config.control.to_str(), Some("rialto.sock"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
}

#[test]
fn a_client_overrides_what_it_says_and_inherits_the_rest() {
    let config = good(
        "[defaults]\nhold_time = 30\nadd_path = true\nttl_security = true\nattributes.discard = [40]\n\
         [defaults.import]\nnext_hop = \"same_as\"\nas_path_max = \"none\"\n\
         [defaults.limits]\nrestart = \"none\"\nipv4 = { received_max = 10, accepted_max = 5, accepted_action = \"block\" }\n\
         [[client]]\nasn = 1\naddress = \"192.0.2.1\"\n\
         [[client]]\nasn = 1\naddress = \"192.0.2.2\"\nhold_time = 0\nadd_path = false\nttl_security = false\n\
         attributes.discard = []\nimport = { next_hop = \"off\", prefix_length.ipv4 = [0, 32] }\n\
         limits = { ipv4.accepted_max = \"none\", ipv4.accepted_action = \"warn\", restart = 60, attribute_octets_max = 65536 }\n",
    );
    let [inherits, overrides] = &config.clients[..] else {
        panic!("two clients")
    };
    assert_eq!(
        (
            inherits.hold_time_s,
            inherits.add_path,
            inherits.ttl_security_hops
        ),
        (30, true, Some(1))
    );
    assert_eq!(
        (
            overrides.hold_time_s,
            overrides.add_path,
            overrides.ttl_security_hops
        ),
        (0, false, None)
    );
    assert_eq!(
        (inherits.import.next_hop, inherits.import.as_path_max),
        (NextHopMode::SameAs, None)
    );
    assert_eq!(
        (overrides.import.next_hop, overrides.import.as_path_max),
        (NextHopMode::Off, None)
    );
    assert_eq!(
        overrides.import.prefix_length,
        [Some((0, 32)), Some((12, 48))]
    );
    let limits = PrefixLimits {
        received_max: Some(10),
        accepted_max: Some(5),
        accepted_action: LimitAction::Block,
    };
    assert_eq!((inherits.limits[0], inherits.limit_restart), (limits, None));
    let limits = PrefixLimits {
        received_max: Some(10),
        accepted_max: None,
        accepted_action: LimitAction::Warn,
    };
    assert_eq!(
        (overrides.limits[0], overrides.limit_restart),
        (limits, Some(Duration::from_secs(60)))
    );
    assert_eq!(
        [inherits, overrides].map(|client| client.attribute_octets_max),
        [Some(512 << 20), Some(65_536)]
    );
    assert!(inherits.attributes.discard.contains(40) && !overrides.attributes.discard.contains(40));
}

#[test]
fn nobodys_routes_outlive_a_session_unless_it_is_said() {
    let of = |defaults: &str| {
        let client = |last: u8, keys: &str| {
            format!("[[client]]\nasn = {last}\naddress = \"192.0.2.{last}\"\n{keys}")
        };
        let config = good(&format!(
            "{defaults}{}{}{}",
            client(1, ""),
            client(2, "graceful_restart_helper_s = 0\n"),
            client(3, "graceful_restart_helper_s = 4095\n")
        ));
        let exchange = compile(&config, &Overrides::default(), &Inputs::default(), None);
        let compiled = exchange.clients();
        let compiled: Vec<u16> = compiled
            .map(|client| client.session.graceful_restart_helper_s)
            .collect();
        let read = config.clients.iter();
        let read: Vec<u16> = read
            .map(|client| client.graceful_restart_helper_s)
            .collect();
        assert_eq!(compiled, read, "{defaults}");
        // Whether we ask to have ours kept is another matter.
        assert_eq!(config.clients[2].graceful_restart_s, 120);
        read
    };
    assert_eq!(of(""), [0, 0, 4095]);
    assert_eq!(
        of("[defaults]\ngraceful_restart_helper_s = 300\n"),
        [300, 0, 4095]
    );
}

#[test]
fn the_preset_lab_checks_nothing_but_what_is_said() {
    let config = good(
        "[defaults.import]\npreset = \"lab\"\nown_as = true\n\
         [[client]]\nasn = 1\naddress = \"192.0.2.1\"\nfamilies = [\"ipv4\", \"ipv6\"]\n\
         [[client]]\nasn = 2\naddress = \"192.0.2.2\"\nimport.preset = \"exchange\"\nimport.bogon_asns = false\n",
    );
    assert_eq!(
        config.clients[0].import,
        ImportConfig {
            own_as: true,
            ..ImportConfig::lab()
        }
    );
    assert_eq!(config.clients[0].limits[0].received_max, None);
    assert_eq!(config.clients[0].attribute_octets_max, None);
    assert_eq!(
        config.clients[1].import,
        ImportConfig {
            bogon_asns: false,
            ..ImportConfig::exchange()
        }
    );
    assert_eq!(
        config.clients[1].limits[0].received_max,
        Some(RECEIVED_MAX[0])
    );
}

#[test]
fn type_codes_of_the_server_hold_for_everyone() {
    let config = good(
        "attributes.treat_as_withdraw = [128]\n[defaults.attributes]\ndiscard = [40]\n\
         [[client]]\nasn = 1\naddress = \"192.0.2.1\"\nattributes.treat_as_withdraw = [255]\n",
    );
    let attributes = &config.clients[0].attributes;
    assert_eq!(
        attributes.treat_as_withdraw.iter().collect::<Vec<_>>(),
        [128, 255]
    );
    assert_eq!(attributes.discard.iter().collect::<Vec<_>>(), [40]);
}

#[test]
fn next_hops_of_another_session_count_where_the_mode_allows_them() {
    let both = |mode: &str| {
        format!(
            "[defaults.import]\nnext_hop = \"{mode}\"\n\
             [[client]]\nasn = 1\naddress = \"192.0.2.1\"\nfamilies = [\"ipv4\", \"ipv6\"]\n\
             [[client]]\nasn = 1\naddress = \"2001:db8::1\"\n"
        )
    };
    assert_eq!(good(&both("same_as")).clients.len(), 2);
    assert!(super::read(&format!("{}{}", super::SERVER, both("strict"))).is_err());
}

#[test]
fn the_example_of_the_contract_is_good() {
    let config = super::read(
        r#"
        [server]
        asn = 64500
        router_id = "10.77.255.254"
        listen = ["10.77.255.254:179"]
        [cores]
        sessions = 1
        shards = 1
        [api]
        listen = "127.0.0.1:8179"
        [control]
        socket = "/run/rialto/rialto.sock"
        [communities]
        [defaults]
        hold_time = 90
        passive = true
        add_path = false
        [defaults.import]
        preset = "exchange"
        [[client]]
        asn = 10000
        address = "10.77.1.1"
        name = "AS10000-1"
        "#,
    );
    let config = config.unwrap();
    assert_eq!(
        (config.clients[0].asn, config.clients[0].name.as_str()),
        (Asn(10000), "AS10000-1")
    );
    assert_eq!(config.control.to_str(), Some("/run/rialto/rialto.sock"));
}

#[test]
fn what_is_special_about_a_client_is_summed_up() {
    // (keys of the second client, its row)
    let cases = [
        ("", ""),
        ("role = true", "  export  role\n"),
        (
            "role = \"strict\"\nprepend_rs_as = true\nipv6_next_hops = true",
            "  export  role strict, prepend_rs_as, ipv6_next_hops\n",
        ),
        (
            "rfc1997 = \"obey\"\nblackhole = false\nrtt_ms = 5.3",
            "  export  rfc1997 obey, no blackhole routes, rtt 5.3 ms\n",
        ),
        (
            "announce_only_to = [1, \"AS1-1\"]\ndo_not_receive_from = [1]",
            "  export  announce_only_to AS1 AS1-1, do_not_receive_from AS1\n",
        ),
        (
            "receive_only_from = []\ndo_not_announce_to = []",
            "  export  receive_only_from no one\n",
        ),
        (
            "irr = { as_sets = [\"AS-X\"], prefixes = [\"193.0.0.0/21\"], allow_longer_prefixes = true }",
            "  irr     AS-X, prefixes (1), allow_longer_prefixes\n",
        ),
        (
            "irr = { origins = [1, 2], white_list_origins = [3], rpki_roas_as_route_objects = true }",
            "  irr     origins (2), white_list_origins (1), rpki_roas_as_route_objects\n",
        ),
        (
            "irr = { white_list_origins = [3], allow_longer_prefixes = true }",
            "",
        ),
    ];
    for (keys, expected) in cases {
        let config = good(&format!(
            "[[client]]\nasn = 1\naddress = \"192.0.2.1\"\n[[client]]\nasn = 2\naddress = \"192.0.2.2\"\n{keys}\n"
        ));
        let summary = rialto::config::Summary::of(&config).to_string();
        let (_, second) = summary.split_once("AS2-1").unwrap();
        let rows = second
            .lines()
            .filter(|line| line.starts_with("  export") || line.starts_with("  irr"));
        let rows: String = rows.map(|line| format!("{line}\n")).collect();
        assert_eq!(rows, expected, "{keys}");
    }
}

#[test]
fn what_is_special_about_a_session_is_listed() {
    let cases = [
        ("", "ipv4, hold 90 s, passive"),
        ("connect_retry = 30", "ipv4, hold 90 s, passive"),
        ("min_advertisement_ms = 0", "ipv4, hold 90 s, passive"),
        ("graceful_restart_s = 120", "ipv4, hold 90 s, passive"),
        (
            "graceful_restart_s = 0",
            "ipv4, hold 90 s, passive, no graceful restart",
        ),
        (
            "graceful_restart_s = 60",
            "ipv4, hold 90 s, passive, graceful_restart_s 60",
        ),
        ("graceful_restart_helper_s = 0", "ipv4, hold 90 s, passive"),
        (
            "graceful_restart_s = 60\ngraceful_restart_helper_s = 300",
            "ipv4, hold 90 s, passive, graceful_restart_s 60, graceful_restart_helper_s 300",
        ),
        (
            "min_advertisement_ms = 5000\nextended_messages = false\nconnect_retry = 5\nidle_hold = 2\n\
             idle_hold_max = 10\nsend_hold_time = 480",
            "ipv4, hold 90 s, passive, no extended_messages, min_advertisement_ms 5000, connect_retry 5 s, \
             idle_hold 2 s, idle_hold_max 10 s, send_hold_time 480 s",
        ),
    ];
    for (keys, expected) in cases {
        let config = good(&format!(
            "[[client]]\nasn = 1\naddress = \"192.0.2.1\"\n{keys}\n"
        ));
        let summary = rialto::config::Summary::of(&config).to_string();
        let line = summary.lines().find(|line| line.starts_with("AS1-1"));
        assert_eq!(
            line,
            Some(&*format!("AS1-1  AS1 at 192.0.2.1: {expected}")),
            "{keys}"
        );
    }
}
