//! What a reload says it changed.

use std::sync::Arc;

use rialto::base::Asn;
use rialto::config::{Config, Inputs, Overrides, compile, difference};
use rialto::policy::{IrrSet, PrefixSet};

use super::good;

const TWO: &str =
    "[[client]]\nasn = 1\naddress = \"192.0.2.1\"\n[[client]]\nasn = 2\naddress = \"192.0.2.2\"\n";

/// What changes from one configuration to the next, in words.
fn changes(old: &Config, new: &Config) -> String {
    changes_with(old, new, &Inputs::default(), &Inputs::default())
}

fn changes_with(old: &Config, new: &Config, before: &Inputs, after: &Inputs) -> String {
    let overrides = Overrides::default();
    let old_exchange = compile(old, &overrides, before, None);
    let new_exchange = compile(new, &overrides, after, Some(&old_exchange));
    let difference = difference((old, &old_exchange), (new, &new_exchange));
    let is_new = old_exchange.directory != new_exchange.directory
        || old_exchange.scheme != new_exchange.scheme
        || !old_exchange.clients().eq(new_exchange.clients());
    assert!(
        difference.concerns_data_path() || !is_new,
        "the data path is not told: {difference}"
    );
    difference.to_string()
}

#[test]
fn sections_are_named() {
    let rpki = "[rpki]\nvrp_files = [\"a\"]\n";
    // (case, sections before, sections after, what is said)
    let cases = [
        ("nothing", "", "", "nothing changed"),
        (
            "a section without a word",
            "",
            "[lists]\n[irr]\n[blackhole]\n[communities]\n",
            "nothing changed",
        ),
        (
            "what is the default",
            "",
            "[lists]\nblack_list = []\n[irr]\nwatch_s = 0\n",
            "nothing changed",
        ),
        (
            "the MED",
            "",
            "med = \"always\"\n",
            "changed for everyone: server.med",
        ),
        (
            "own prefixes",
            "",
            "lan = [\"192.0.2.0/24\"]\n",
            "changed for everyone: server.lan",
        ),
        (
            "a list",
            "",
            "[lists]\nbogon_asns = []\n",
            "changed for everyone: lists",
        ),
        (
            "informational communities",
            "",
            "[communities]\nrpki_valid = [\"rs_as:1000:1\"]\n",
            "changed for everyone: communities",
        ),
        (
            "the numbers of reasons",
            "",
            "[communities]\nreject_numbers = \"arouteserver\"\n",
            "changed for everyone: communities",
        ),
        (
            "thresholds",
            "",
            "[communities]\nrtt_thresholds_ms = [7]\n",
            "changed for everyone: communities",
        ),
        (
            "aliases",
            "",
            "[communities]\npeer_as_aliases = { 65001 = 2 }\n",
            "changed for everyone: communities",
        ),
        (
            "blackholing",
            "",
            "[blackhole]\nipv4 = \"rewrite_next_hop\"\nnext_hop_ipv4 = \"192.0.2.66\"\n",
            "changed for everyone: blackhole",
        ),
        (
            "IRR data from elsewhere",
            "",
            "[irr]\ndirectory = \"other\"\n",
            "changed for everyone: irr",
        ),
        ("RPKI", "", rpki, "changed for everyone: rpki"),
        ("no RPKI any more", rpki, "", "changed for everyone: rpki"),
        (
            "output",
            "",
            "[fanout]\nstall_ms = 7\n",
            "changed for everyone: fanout",
        ),
        (
            "several",
            "",
            "lan = [\"192.0.2.0/24\"]\n[lists]\nblack_list = [\"193.0.0.0/21\"]\n[log]\nlevel = \"warn\"\n",
            "changed for everyone: server.lan, lists\ntakes effect at the next start: log",
        ),
        (
            "start-up",
            "",
            "[startup]\nwait = false\n",
            "takes effect at the next start: startup",
        ),
    ];
    for (case, before, after, expected) in cases {
        let [old, new] = [before, after].map(|sections| good(&format!("{sections}{TWO}")));
        assert_eq!(changes(&old, &new), expected, "{case}");
        assert_eq!(
            changes(&new, &old) == "nothing changed",
            expected == "nothing changed",
            "{case}"
        );
    }
}

#[test]
fn keys_of_clients_are_named() {
    // (key of the second client, how it is named)
    let cases = [
        ("name = \"x\"", "name"),
        ("next_hops = [\"192.0.2.9\"]", "next_hops"),
        ("hold_time = 30", "hold_time"),
        ("passive = false", "passive"),
        ("port = 1790\npassive = false", "port, passive"),
        (
            "families = [\"ipv6\"]\nnext_hops = [\"2001:db8::2\"]",
            "next_hops, families",
        ),
        ("add_path = true", "add_path"),
        ("hide_own_as = true", "hide_own_as"),
        ("extended_messages = false", "extended_messages"),
        ("role = true", "role"),
        ("role = \"strict\"", "role"),
        ("prepend_rs_as = true", "prepend_rs_as"),
        ("ipv6_next_hops = true", "ipv6_next_hops"),
        ("rfc1997 = \"obey\"", "rfc1997"),
        ("blackhole = false", "blackhole"),
        ("rtt_ms = 5.3", "rtt_ms"),
        ("min_advertisement_ms = 7", "min_advertisement_ms"),
        ("limits.updates_per_s = 7", "limits"),
        ("announce_only_to = [1]", "announce_only_to"),
        ("announce_only_to = []", "announce_only_to"),
        ("do_not_announce_to = [1]", "do_not_announce_to"),
        ("receive_only_from = [1]", "receive_only_from"),
        ("do_not_receive_from = [1]", "do_not_receive_from"),
        ("connect_retry = 7", "connect_retry"),
        ("idle_hold = 7", "idle_hold"),
        ("idle_hold_max = 7", "idle_hold_max"),
        ("send_hold_time = 700", "send_hold_time"),
        ("graceful_restart_s = 7", "graceful_restart_s"),
        ("graceful_restart_helper_s = 7", "graceful_restart_helper_s"),
        ("ttl_security = true", "ttl_security"),
        ("congestion_control = \"cubic\"", "congestion_control"),
        ("import.as_set = false", "import"),
        ("import.tag = [\"as_set\"]", "import"),
        ("import.black_list_prefixes = [\"193.0.0.0/21\"]", "import"),
        ("irr.as_sets = [\"AS-X\"]", "irr"),
        ("irr.white_list_origins = [7]", "irr"),
        ("limits.ipv4.received_max = 7", "limits"),
        (
            "limits = { ipv4 = { accepted_max = 7, accepted_action = \"reject\" } }",
            "limits",
        ),
        ("limits.restart = 7", "limits"),
        ("limits.attribute_octets_max = \"none\"", "limits"),
        ("attributes.discard = [40]", "attributes.discard"),
        (
            "attributes.treat_as_withdraw = [40]",
            "attributes.treat_as_withdraw",
        ),
        ("disabled = true", "disabled"),
        ("quarantine = true", "quarantine"),
        (
            "import.as_set = false\nquarantine = true",
            "import, quarantine",
        ),
    ];
    for (keys, named) in cases {
        let [old, new] = [good(TWO), good(&format!("{TWO}{keys}\n"))];
        let name = if named == "name" { "x" } else { "AS2-1" };
        assert_eq!(
            changes(&old, &new),
            format!("changed: {name} ({named})"),
            "{keys}"
        );
    }
}

#[test]
fn a_client_is_named_with_its_own_keys_only() {
    let quiet = "[lists]\nblack_list = [\"193.0.0.0/21\"]\n";
    let loud = "[lists]\nblack_list = []\n";
    let [old, new] = [
        good(&format!("{quiet}{TWO}")),
        good(&format!("{loud}{TWO}add_path = true\n")),
    ];
    assert_eq!(
        changes(&old, &new),
        "changed: AS2-1 (add_path)\nchanged for everyone: lists"
    );
}

#[test]
fn the_next_hops_of_all_sessions_of_an_asn_change_together() {
    let session = |last: u8| format!("[[client]]\nasn = 1\naddress = \"192.0.2.{last}\"\n");
    let texts = |mode: &str| {
        let one = format!("[defaults.import]\nnext_hop = \"{mode}\"\n{}", session(1));
        [good(&one), good(&format!("{one}{}", session(2)))]
    };
    let [old, new] = texts("same_as");
    assert_eq!(
        changes(&old, &new),
        "added: AS1-2\nchanged: AS1-1 (next_hops)"
    );
    let [old, new] = texts("strict");
    assert_eq!(changes(&old, &new), "added: AS1-2");
    assert_eq!(changes(&new, &old), "removed: AS1-2");
}

#[test]
fn data_from_outside_is_named_where_no_key_changed() {
    let config = good(&format!("{TWO}irr.as_sets = [\"AS-X\"]\n"));
    let set = |origin| {
        let set = IrrSet::new(PrefixSet::default(), vec![Asn(origin)]);
        Inputs {
            irr: [(config.clients[1].irr.sources.clone(), Arc::new(set))].into(),
            ..Inputs::default()
        }
    };
    let (none, one, other) = (Inputs::default(), set(1), set(2));
    let said = "changed: AS2-1 (data from outside)";
    assert_eq!(
        changes_with(&config, &config, &none, &one),
        said,
        "it has come"
    );
    assert_eq!(
        changes_with(&config, &config, &one, &other),
        said,
        "it is another"
    );
    assert_eq!(
        changes_with(&config, &config, &one, &set(1)),
        "nothing changed"
    );
    let draining = Inputs {
        is_draining: true,
        ..Inputs::default()
    };
    assert_eq!(
        changes_with(&config, &config, &none, &draining),
        "changed for everyone: graceful shutdown"
    );
}

#[test]
fn commands_are_named_as_keys() {
    let config = good(TWO);
    let mut overrides = Overrides::default();
    let old = compile(&config, &overrides, &Inputs::default(), None);
    overrides.entry(config.clients[0].address).quarantine = Some(true);
    overrides.entry(config.clients[1].address).disabled = Some(Some("bye".to_owned()));
    let new = compile(&config, &overrides, &Inputs::default(), Some(&old));
    let difference = difference((&config, &old), (&config, &new));
    assert_eq!(
        difference.to_string(),
        "changed: AS1-1 (quarantine), AS2-1 (disabled)"
    );
}
