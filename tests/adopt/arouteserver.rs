//! arouteserver's files.

use std::fs;
use std::path::Path;

use rialto::adopt::arouteserver::{Files, adopt};
use rialto::adopt::{AdoptError, Adopted};

use super::{assert_golden, example, noted, parsed};

pub const GENERAL: &str = "\
cfg:
  rs_as: 64500
  router_id: 192.0.2.254
  filtering:
    never_via_route_servers: {peering_db: False}
    irrdb: {enforce_origin_in_as_set: False, enforce_prefix_in_as_set: False, tag_as_set: False}
";

pub const CLIENTS: &str = "\
clients:
  - asn: 64496
    ip: 192.0.2.1
";

/// In a folder of their own.
pub fn with_files<T>(general: &str, clients: &str, look: impl FnOnce(&Path, &Files<'_>) -> T) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    let [general_file, clients_file] =
        ["general.yml", "clients.yml"].map(|name| folder.path().join(name));
    fs::write(&general_file, general).expect("a file");
    fs::write(&clients_file, clients).expect("a file");
    let environment = |name: &str| (name == "ROUTER_ID").then(|| "192.0.2.77".to_owned());
    let files = Files {
        general: &general_file,
        clients: &clients_file,
        bogons: None,
        keys: None,
        environment: &environment,
    };
    look(folder.path(), &files)
}

pub fn adopted(general: &str, clients: &str) -> Result<Adopted, AdoptError> {
    with_files(general, clients, |_, files| adopt(files))
}

/// `general` below `cfg`, beside what is required.
fn of_general(general: &str) -> Adopted {
    adopted(&format!("{GENERAL}{general}"), CLIENTS).expect("it is read")
}

/// `client` below the client's own lines.
pub fn of_client(client: &str) -> Adopted {
    adopted(GENERAL, &format!("{CLIENTS}{client}")).expect("it is read")
}

/// Such as `defaults.import.next_hop`, `client.0.asn`; "" where it is not there.
pub fn value(adopted: &Adopted, path: &str) -> String {
    let mut value = toml::Value::Table(parsed(adopted));
    for key in path.split('.') {
        let inner = match key.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(key),
        };
        match inner {
            Some(inner) => value = inner.clone(),
            None => return String::new(),
        }
    }
    value.to_string()
}

#[test]
fn an_example_of_most_options() {
    let [general, clients, bogons] = ["general.yml", "clients.yml", "bogons.yml"].map(example);
    let files = Files {
        general: &general,
        clients: &clients,
        bogons: Some(&bogons),
        keys: Some("keys"),
        environment: &|_| None,
    };
    let adopted = adopt(&files).expect("it is read");
    assert_golden(&adopted, "arouteserver.toml");
    assert_eq!(adopted.client_count, 11);
    let keys = adopted.keys.iter().map(|key| key.file.as_str());
    assert_eq!(
        keys.collect::<Vec<_>>(),
        ["keys/AS64496-1", "keys/AS64496-2", "keys/AS64499-1"]
    );
    assert!(!adopted.text.contains("secret"), "keys are never shown");
    assert!(!format!("{adopted:?}").contains("secret"), "nor in a trace");
}

#[test]
fn the_least_there_can_be_needs_no_remark() {
    let adopted = adopted(GENERAL, CLIENTS).expect("it is read");
    assert_eq!(noted(&adopted), ["NotUnderstood clients"; 0]);
    assert!(adopted.text.contains("# All of it could be expressed."));
    assert_eq!(value(&adopted, "server.asn"), "64500");
    assert_eq!(value(&adopted, "client.0.address"), "\"192.0.2.1\"");
}

#[test]
fn single_options_of_general_yml() {
    let cases = [
        (
            "prepending the server's ASN",
            "  prepend_rs_as: True",
            "defaults.prepend_rs_as",
            "true",
        ),
        (
            "active sessions",
            "  passive: no",
            "defaults.passive",
            "false",
        ),
        ("GTSM", "  gtsm: True", "defaults.ttl_security", "true"),
        (
            "GTSM over several hops",
            "  gtsm: True\n  multihop: 4",
            "defaults.ttl_security",
            "4",
        ),
        (
            "several hops without GTSM need nothing",
            "  multihop: 4",
            "defaults.ttl_security",
            "",
        ),
        ("ADD-PATH", "  add_path: True", "defaults.add_path", "true"),
        (
            "what arouteserver does not check is not checked",
            "",
            "defaults.import.as_set",
            "false",
        ),
        (
            "transit-free ASNs are not looked for without an action",
            "",
            "defaults.import.transit_free",
            "false",
        ),
        (
            "no limits without an action",
            "",
            "defaults.limits.ipv4.received_max",
            "\"none\"",
        ),
        (
            "functions that arouteserver has no community for are off",
            "",
            "communities.prepend_twice_to_any",
            "[]",
        ),
        (
            "RPKI is off by default",
            "",
            "defaults.import.rpki_invalid",
            "false",
        ),
        (
            "RFC 1997",
            "  rfc1997_wellknown_communities: {policy: rfc1997}",
            "defaults.rfc1997",
            "\"obey\"",
        ),
        (
            "a black hole's next hop alone is no policy",
            "  blackhole_filtering: {rewrite_next_hop_ipv4: 192.0.2.66}",
            "blackhole.next_hop_ipv4",
            "",
        ),
        (
            "a reason's community takes arouteserver's numbers along",
            "  communities: {reject_cause: {lrg: \"rs_as:65520:dyn_val\"}}",
            "communities.reject_numbers",
            "\"arouteserver\"",
        ),
        (
            "RTT thresholds as a list",
            "  rtt_thresholds: [5, 10]",
            "communities.rtt_thresholds_ms",
            "[5, 10]",
        ),
        (
            "an AS-SET's communities mean nothing without tag_as_set",
            "  communities: {prefix_present_in_as_set: {lrg: \"rs_as:1:1\"}}",
            "communities.prefix_present_in_as_set",
            "",
        ),
    ];
    for (case, general, path, expected) in cases {
        assert_eq!(value(&of_general(general), path), expected, "{case}");
    }
}

#[test]
fn max_prefix() {
    let cases = [
        (
            "arouteserver's own limit where none is given",
            "action: shutdown",
            ["170000", "", ""],
            "\"none\"",
        ),
        (
            "shutdown counts what is received",
            "action: shutdown, general_limit_ipv4: 10",
            ["10", "", ""],
            "\"none\"",
        ),
        (
            "restart after a quarter of an hour",
            "action: restart, general_limit_ipv4: 10",
            ["10", "", ""],
            "900",
        ),
        (
            "restart when told",
            "action: restart, restart_after: 2, general_limit_ipv4: 10",
            ["10", "", ""],
            "120",
        ),
        (
            "accepted routes alone",
            "action: shutdown, count_rejected_routes: False, general_limit_ipv4: 10",
            ["\"none\"", "10", "\"shutdown\""],
            "\"none\"",
        ),
        (
            "block",
            "action: block, general_limit_ipv4: 10",
            ["\"none\"", "10", "\"block\""],
            "",
        ),
        (
            "a warning is the default action",
            "action: warning, general_limit_ipv4: 10",
            ["\"none\"", "10", ""],
            "",
        ),
        (
            "nought is no limit",
            "action: shutdown, general_limit_ipv4: 0",
            ["\"none\"", "", ""],
            "\"none\"",
        ),
    ];
    for (case, general, limits, restart) in cases {
        let general = GENERAL.to_owned() + "    max_prefix: {" + general + "}\n";
        let adopted = adopted(&general, CLIENTS).expect("it is read");
        let keys = ["received_max", "accepted_max", "accepted_action"];
        let found = keys.map(|key| value(&adopted, &format!("defaults.limits.ipv4.{key}")));
        assert_eq!(found, limits, "{case}");
        assert_eq!(
            value(&adopted, "defaults.limits.restart"),
            restart,
            "{case}"
        );
    }
}

#[test]
fn single_options_of_clients_yml() {
    let cases = [
        (
            "its own policy of next hops",
            "cfg: {filtering: {next_hop: {policy: same-as}}}",
            "import.next_hop",
            "\"same_as\"",
        ),
        (
            "the policy's old name",
            "cfg: {filtering: {next_hop_policy: same-as}}",
            "import.next_hop",
            "\"same_as\"",
        ),
        (
            "RPKI's old name",
            "cfg: {filtering: {rpki: {enabled: True}}}",
            "import.rpki_invalid",
            "true",
        ),
        (
            "a limit is of the session's family",
            "cfg: {filtering: {max_prefix: {action: shutdown, limit_ipv4: 7, limit_ipv6: 8}}}",
            "limits",
            "{ ipv4 = { received_max = 7 }, restart = \"none\" }",
        ),
        (
            "PeeringDB's old switch",
            "cfg: {filtering: {max_prefix: {action: shutdown, peering_db: False}}}",
            "limits.ipv4.received_max",
            "170000",
        ),
        (
            "the ASN itself stands for an AS-SET",
            "cfg: {filtering: {irrdb: {enforce_prefix_in_as_set: True}}}",
            "irr.as_sets",
            "[\"AS64496\"]",
        ),
        (
            "an ASN's own AS-SET is not said twice",
            "cfg: {filtering: {irrdb: {enforce_prefix_in_as_set: True, as_sets: [as64496, AS-B]}}}",
            "irr.as_sets",
            "[\"AS64496\", \"AS-B\"]",
        ),
        (
            "strict roles",
            "cfg: {filtering: {roles: {enabled: True, strict_mode: True}}}",
            "role",
            "\"strict\"",
        ),
        (
            "strict mode means nothing without roles",
            "cfg: {filtering: {roles: {strict_mode: True}}}",
            "role",
            "false",
        ),
        ("an empty section", "cfg:", "asn", "64496"),
    ];
    for (case, client, key, expected) in cases {
        let adopted = of_client(&format!("    {client}"));
        assert_eq!(
            value(&adopted, &format!("client.0.{key}")),
            expected,
            "{case}"
        );
    }
}

#[test]
fn what_is_noted() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "path hiding cannot be had",
            "  path_hiding: False",
            &["Missing cfg.path_hiding"],
        ),
        ("nor need it be switched off", "  path_hiding: True", &[]),
        (
            "a misspelt option",
            "  pasive: True",
            &["NotUnderstood cfg.pasive"],
        ),
        (
            "a misspelt option deep inside",
            "  communities: {announce_to_peer: {large: \"rs_as:1:peer_as\"}}",
            &["NotUnderstood cfg.communities.announce_to_peer.large"],
        ),
        (
            "a function that there is none of",
            "  communities: {announce_to_pear: {}}",
            &["NotUnderstood cfg.communities.announce_to_pear"],
        ),
        (
            "a community without the number that is asked for",
            "  communities: {announce_to_peer: {std: \"0:1\"}}",
            &["NotUnderstood cfg.communities.announce_to_peer.std"],
        ),
        (
            "a standard community with a number too large",
            "  communities: {do_not_announce_to_any: {std: \"0:65536\"}}",
            &["NotUnderstood cfg.communities.do_not_announce_to_any.std"],
        ),
        (
            "neither yes nor no",
            "  passive: maybe",
            &["NotUnderstood cfg.passive"],
        ),
        (
            "graceful shutdown need not be switched on",
            "  graceful_shutdown: {enabled: True, local_pref: 7}",
            &[],
        ),
        (
            "nor can it be switched off",
            "  graceful_shutdown: {enabled: False}",
            &["Differs cfg.graceful_shutdown.enabled"],
        ),
        (
            "a section that has no keys",
            "  graceful_shutdown: True",
            &["NotUnderstood cfg.graceful_shutdown"],
        ),
        (
            "an option given twice",
            "  passive: True\n  passive: False",
            &["NotUnderstood cfg.passive"],
        ),
        (
            "a blank option is not given",
            "  passive:\n  gtsm: \"  \"\n  add_path: ~",
            &[],
        ),
        (
            "sources that are not used need no word",
            "  rpki_roas: {source: rtr}",
            &[],
        ),
    ];
    for (case, general, expected) in cases {
        assert_eq!(noted(&of_general(general)), *expected, "{case}");
    }
}

#[test]
fn the_same_of_many_clients_is_said_once_with_all_places() {
    let clients = "\
clients:
  - {asn: 64496, ip: 192.0.2.1, password: secret}
  - {asn: 64497, ip: 192.0.2.2, password: secret}
  - asn: 64498
    ip: 192.0.2.3
    password: secret
";
    let adopted = adopted(GENERAL, clients).expect("it is read");
    assert_eq!(noted(&adopted), ["ToDo clients[].password"]);
    let note = adopted.notes[0].to_string();
    let places = "clients[].password (clients.yml:2, 3, 6): ";
    assert!(note.starts_with(places), "{note}");
    assert!(adopted.keys.is_empty() && value(&adopted, "client.0.password_file").is_empty());
}

#[test]
fn an_alias_is_no_clients_own_asn() {
    let clients = "\
clients:
  - {asn: 4200000001, ip: 192.0.2.1, 16bit_mapped_asn: 64512}
  - {asn: 4200000002, ip: 192.0.2.2, 16bit_mapped_asn: 64513}
  - {asn: 64512, ip: 192.0.2.3}
";
    let adopted = adopted(GENERAL, clients).expect("it is read");
    assert_eq!(
        noted(&adopted),
        ["NotUnderstood clients[].16bit_mapped_asn"]
    );
    assert_eq!(
        value(&adopted, "communities.peer_as_aliases"),
        "{ 64513 = 4200000002 }"
    );
}

#[test]
fn prefixes_and_the_lengths_that_are_meant() {
    let cases = [
        ("prefix: 198.51.100.0, length: 24", "198.51.100.0/24+"),
        ("prefix: 198.51.100.7, length: 24", "198.51.100.0/24+"),
        (
            "prefix: 198.51.100.0, length: 24, exact: True",
            "198.51.100.0/24",
        ),
        (
            "prefix: 198.51.100.0, length: 22, le: 24",
            "198.51.100.0/22{22,24}",
        ),
        (
            "prefix: 198.51.100.0, length: 22, ge: 24",
            "198.51.100.0/22{24,32}",
        ),
        (
            "prefix: 198.51.100.0, length: 22, ge: 23, le: 23",
            "198.51.100.0/22{23,23}",
        ),
        ("prefix: \"2001:db8::\", length: 32", "2001:db8::/32+"),
        (
            "prefix: \"2001:DB8::\", length: 32, le: 48",
            "2001:db8::/32{32,48}",
        ),
        ("prefix: 198.51.100.0, length: 33", ""),
        ("prefix: 198.51.100.0, length: 24, le: 23", ""),
        ("prefix: 198.51.100.0, length: 24, ge: 28, le: 27", ""),
        ("prefix: example, length: 24", ""),
        ("length: 24", ""),
    ];
    for (entry, expected) in cases {
        let general = format!("{GENERAL}    global_black_list_pref: [{{{entry}}}]\n");
        let adopted = adopted(&general, CLIENTS).expect("it is read");
        let found = value(&adopted, "lists.black_list.0");
        assert_eq!(found.trim_matches('"'), expected, "{entry}");
        assert_eq!(adopted.notes.is_empty(), !expected.is_empty(), "{entry}");
    }
}
