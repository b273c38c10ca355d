//! What can be wrong with lists, feeds, communities, import checks and the peering matrix.

use std::fs;

use rialto::config::load;

use super::problems::{Case, check};

const CASES: &[Case] = &[
    Case {
        name: "AS-SETs whose names become that of one file",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 10001\naddress = \"192.0.2.2\"\n\
               irr.as_sets = [\"AS-BIG:AS-CONE\", \"AS-BIG\", \"AS-A-B\"]\n\
               [[client]]\nasn = 10002\naddress = \"192.0.2.3\"\n\
               irr.as_sets = [\"as-big\", \"AS-BIG_AS-CONE\", \"AS-A_B\"]\n",
        problems: &[
            (
                8,
                "client.irr.as_sets",
                "AS-BIG:AS-CONE and AS-BIG_AS-CONE have the same file, as ':' is written '_' in its name",
            ),
            (
                8,
                "client.irr.as_sets",
                "AS-A-B and AS-A_B have the same file in a cache of arouteserver",
            ),
        ],
    },
    Case {
        name: "the exchange's own prefixes are prefixes",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlan = [\"192.0.2.0\", \"192.0.2.0/24+\", 7]\n",
        problems: &[
            (
                4,
                "server.lan",
                "must be a prefix such as \"192.0.2.0/24\", and is \"192.0.2.0\"",
            ),
            (4, "server.lan", "and is \"192.0.2.0/24+\""),
            (4, "server.lan", "and is 7; write it in quotes"),
        ],
    },
    Case {
        name: "lists have prefixes with lengths, and ASNs",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[lists]\nbogon_prefixes = [\"10.0.0.0/8{7,9}\"]\n\
               bogon_asns = [\"5-3\", \"AS5\"]\nblack_list = \"192.0.2.0/33\"\ntransit_free_asns = [\"174\"]\n\
               never_via_route_servers_asns = [4294967296]\nblak_list = []\n",
        problems: &[
            (
                5,
                "lists.bogon_prefixes",
                "with all longer ones \"192.0.2.0/24+\"",
            ),
            (
                6,
                "lists.bogon_asns",
                "a range such as \"64496-64511\", and is \"5-3\"",
            ),
            (6, "lists.bogon_asns", "and is \"AS5\""),
            (7, "lists.black_list", "must be a prefix"),
            (
                8,
                "lists.transit_free_asns",
                "and is \"174\"; write it without quotes",
            ),
            (
                9,
                "lists.never_via_route_servers_asns",
                "from 0 to 4294967295, and is 4294967296",
            ),
            (
                10,
                "lists.blak_list",
                "unknown key; did you mean 'black_list'?",
            ),
        ],
    },
    Case {
        name: "IRR data has a folder, and times",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[irr]\ndirectory = 5\nstate = false\n\
               watch_s = -1\nwait_max_s = 3601\n",
        problems: &[
            (5, "irr.directory", "must be a string, and is 5"),
            (6, "irr.state", "must be a string, and is false"),
            (7, "irr.watch_s", "from 0 to 86400, and is -1"),
            (8, "irr.wait_max_s", "from 0 to 3600, and is 3601"),
        ],
    },
    Case {
        name: "RPKI data comes from somewhere",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[rpki]\nexpire_s = 59\n",
        problems: &[
            (
                4,
                "rpki",
                "names no source; name caches or vrp_files, or leave the section out",
            ),
            (5, "rpki.expire_s", "from 60 to 604800, and is 59"),
        ],
    },
    Case {
        name: "RTR caches have a port",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[rpki]\ncaches = [\"192.0.2.10\", \"192.0.2.10:3323\"]\n\
               vrp_files = [7]\n",
        problems: &[
            (
                5,
                "rpki.caches",
                "an address and port such as \"192.0.2.10:3323\"",
            ),
            (6, "rpki.vrp_files", "must be the name of a file"),
        ],
    },
    Case {
        name: "files of round-trip times and of PeeringDB are named",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[rtt]\n[peeringdb]\nincrement = -1\nfactor = 0.9\n",
        problems: &[
            (4, "rtt.file", "is missing; name the file"),
            (5, "peeringdb.file", "is missing; name the file"),
            (6, "peeringdb.increment", "from 0 to 1000000, and is -1"),
            (7, "peeringdb.factor", "must be a number from 1.0 to 100.0"),
        ],
    },
    Case {
        name: "and are there",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[rtt]\nfile = \"no.json\"\n[peeringdb]\nfile = \"no.json\"\n",
        problems: &[
            (5, "rtt.file", "cannot read no.json"),
            (7, "peeringdb.file", "paths start from this file's folder"),
        ],
    },
    Case {
        name: "a next hop that is rewritten has an address",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[blackhole]\nipv4 = \"rewrite_next_hop\"\nipv6 = \"on\"\n\
               add_no_export = \"yes\"\n",
        problems: &[
            (
                4,
                "blackhole.next_hop_ipv4",
                "is missing for rewrite_next_hop; name the address whose traffic is dropped",
            ),
            (
                6,
                "blackhole.ipv6",
                "\"off\" or \"propagate_unchanged\" or \"rewrite_next_hop\", and is \"on\"",
            ),
            (7, "blackhole.add_no_export", "true or false"),
        ],
    },
    Case {
        name: "of its own family",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[blackhole]\nipv4 = \"rewrite_next_hop\"\n\
               next_hop_ipv4 = \"2001:db8::1\"\nnext_hop_ipv6 = \"192.0.2.66\"\n",
        problems: &[
            (
                6,
                "blackhole.next_hop_ipv4",
                "must be an IPv4 address, and is \"2001:db8::1\"",
            ),
            (
                6,
                "blackhole.next_hop_ipv4",
                "is missing for rewrite_next_hop",
            ),
            (7, "blackhole.next_hop_ipv6", "must be an IPv6 address"),
        ],
    },
    Case {
        name: "forms end in what varies",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities]\n\
               add_noexport_to_any = [\"rs_as:300:peer_as\"]\nadd_noadvertise_to_peer = [\"rs_as:301:0\"]\n\
               announce_to_peers_with_rtt_lower_than = [\"rs_as:400:peer_as\"]\nreject_cause = [\"rs_as:1101:13\"]\n\
               rpki_valid = [\"rs_as:1000:rtt\"]\nblackholing = [7]\n",
        problems: &[
            (
                5,
                "communities.add_noexport_to_any",
                "cannot have peer_as: it concerns everybody",
            ),
            (
                6,
                "communities.add_noadvertise_to_peer",
                "must end in peer_as",
            ),
            (
                7,
                "communities.announce_to_peers_with_rtt_lower_than",
                "must end in rtt",
            ),
            (8, "communities.reject_cause", "must end in reason"),
            (9, "communities.rpki_valid", "cannot have rtt"),
            (
                10,
                "communities.blackholing",
                "a form such as \"rs_as:0:peer_as\", and is 7",
            ),
        ],
    },
    Case {
        name: "one community has one meaning",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities]\nirr_valid = [\"rs_as:1001:1\", \"rs_as:101:1\"]\n\
               add_noexport_to_peer = [\"rs_as:101:peer_as\"]\nreject_cause = [\"rs_as:0:reason\"]\n",
        problems: &[
            (
                5,
                "communities.irr_valid",
                "'64500:101:1' is also a form of prepend_once_to_peer",
            ),
            (
                6,
                "communities.add_noexport_to_peer",
                "'rs_as:101:peer_as' is also a form of prepend_once_to_peer",
            ),
            (
                7,
                "communities.reject_cause",
                "'rs_as:0:reason' is also a form of do_not_announce_to_any",
            ),
        ],
    },
    Case {
        name: "round-trip times, aliases and numbers",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities]\nrtt_thresholds_ms = [0, 5, 60001]\n\
               reject_numbers = \"bird\"\n[communities.peer_as_aliases]\n70000 = 1\nAS7 = 4200000001\n65001 = 0\n65002 = 200000\n",
        problems: &[
            (
                5,
                "communities.rtt_thresholds_ms",
                "from 1 to 60000, and is 0",
            ),
            (5, "communities.rtt_thresholds_ms", "and is 60001"),
            (
                6,
                "communities.reject_numbers",
                "\"ixp_manager\" or \"arouteserver\"",
            ),
            (
                8,
                "communities.peer_as_aliases.70000",
                "'70000' is no number of 16 bits; write 65001 = 4200000001",
            ),
            (
                9,
                "communities.peer_as_aliases.AS7",
                "'AS7' is no number of 16 bits",
            ),
            (
                10,
                "communities.peer_as_aliases.65001",
                "from 1 to 4294967295, and is 0",
            ),
            (
                11,
                "communities.peer_as_aliases.65002",
                "warning: communities.peer_as_aliases.65002: AS200000 is no client",
            ),
        ],
    },
    Case {
        name: "aliases are a table",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities]\npeer_as_aliases = [65001]\n",
        problems: &[(
            5,
            "communities.peer_as_aliases",
            "a table, as in [communities.peer_as_aliases]",
        )],
    },
    Case {
        name: "what is added fits",
        text: concat!(
            "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities]\nrpki_valid = [",
            "\"1:1:0\",\"1:1:1\",\"1:1:2\",\"1:1:3\",\"1:1:4\",\"1:1:5\",\"1:1:6\",\"1:1:7\",\"1:1:8\",\"1:1:9\",",
            "\"1:2:0\",\"1:2:1\",\"1:2:2\",\"1:2:3\",\"1:2:4\",\"1:2:5\",\"1:2:6\",\"1:2:7\",\"1:2:8\",\"1:2:9\",",
            "\"1:3:0\",\"1:3:1\",\"1:3:2\",\"1:3:3\",\"1:3:4\",\"1:3:5\",\"1:3:6\",\"1:3:7\",\"1:3:8\",\"1:3:9\",",
            "\"1:4:0\",\"1:4:1\"]\n",
        ),
        problems: &[(
            5,
            "communities.rpki_valid",
            "what is added to routes takes up to 408 octets; at most 400",
        )],
    },
    Case {
        name: "switches of clients",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults]\nrole = \"yes\"\nprepend_rs_as = 1\n\
               ipv6_next_hops = \"on\"\nrfc1997 = \"drop\"\nblackhole = \"true\"\nrtt_ms = 5.3\n",
        problems: &[
            (
                5,
                "defaults.role",
                "true, false or \"strict\", and is \"yes\"",
            ),
            (6, "defaults.prepend_rs_as", "true or false, and is 1"),
            (7, "defaults.ipv6_next_hops", "true or false"),
            (
                8,
                "defaults.rfc1997",
                "\"pass\" or \"obey\", and is \"drop\"",
            ),
            (9, "defaults.blackhole", "write it without quotes"),
            (10, "defaults.rtt_ms", "unknown key"),
        ],
    },
    Case {
        name: "a round-trip time is a number of milliseconds",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nrtt_ms = -1\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.8\"\nrtt_ms = \"5.3\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.9\"\nrtt_ms = 60000.1\n",
        problems: &[
            (
                7,
                "client.rtt_ms",
                "a number of milliseconds such as 5.3, and is -1",
            ),
            (11, "client.rtt_ms", "and is \"5.3\""),
            (15, "client.rtt_ms", "a number of milliseconds"),
        ],
    },
    Case {
        name: "the peering matrix names those that are there",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nannounce_only_to = [\"AS2-1\", \"AS9-1\", 2, 9]\n\
               do_not_announce_to = [true]\nreceive_only_from = \"192.0.2.8\"\ndo_not_receive_from = [0]\n\
               [[client]]\nasn = 2\naddress = \"192.0.2.8\"\n",
        problems: &[
            (
                4,
                "client.announce_only_to",
                "error: client.announce_only_to: 'AS9-1' is no client; write the name it has here",
            ),
            (
                4,
                "client.announce_only_to",
                "warning: client.announce_only_to: 'AS9' is no client",
            ),
            (4, "client.receive_only_from", "'192.0.2.8' is no client"),
            (
                8,
                "client.do_not_announce_to",
                "an ASN or the name of a client, and is true",
            ),
            (
                10,
                "client.do_not_receive_from",
                "from 1 to 4294967295, and is 0",
            ),
        ],
    },
    Case {
        name: "import checks are switches, numbers and lists",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.import]\ncommunities_max = \"many\"\n\
               black_list = []\nas_set = \"false\"\nblack_list_prefixes = [\"10/8\"]\nrpki_invalid = 1\n\
               tag = [\"rpki_invalid\", \"quarantined\", \"no_such\"]\nrpki_unkown = true\n",
        problems: &[
            (
                5,
                "defaults.import.communities_max",
                "a number or \"none\", and is \"many\"",
            ),
            (6, "defaults.import.black_list", "true or false"),
            (7, "defaults.import.as_set", "write it without quotes"),
            (8, "defaults.import.black_list_prefixes", "and is \"10/8\""),
            (9, "defaults.import.rpki_invalid", "true or false, and is 1"),
            (10, "defaults.import.tag", "and is \"quarantined\""),
            (
                10,
                "defaults.import.tag",
                "a reject reason (prefix_too_long, ",
            ),
            (
                11,
                "defaults.import.rpki_unkown",
                "did you mean 'rpki_unknown'?",
            ),
        ],
    },
    Case {
        name: "what a client registered is named",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 1\naddress = \"192.0.2.7\"\n\
               [client.irr]\nas_sets = [\"../AS-X\", \"\", \"AS-X\", \".AS-X\"]\nprefixes = [\"x\"]\norigins = [0]\n\
               allow_longer_prefixes = \"yes\"\nwhite_list_prefixes = [7]\nwhite_list_origins = [\"AS1\"]\n\
               white_list_routes = [\"192.0.2.0/24\", \"192.0.2.0/24 AS1\", \"192.0.2.0/24 AS-X\", \"192.0.2.0/24 1 2\"]\n",
        problems: &[
            (
                8,
                "client.irr.as_sets",
                "\"RIPE::AS-EXAMPLE\", and is \"../AS-X\"",
            ),
            (8, "client.irr.as_sets", "and is \"\""),
            (8, "client.irr.as_sets", "and is \".AS-X\""),
            (9, "client.irr.prefixes", "must be a prefix"),
            (10, "client.irr.origins", "from 1 to 4294967295, and is 0"),
            (11, "client.irr.allow_longer_prefixes", "true or false"),
            (12, "client.irr.white_list_prefixes", "must be a prefix"),
            (13, "client.irr.white_list_origins", "and is \"AS1\""),
            (
                14,
                "client.irr.white_list_routes",
                "and is \"192.0.2.0/24 AS-X\"",
            ),
            (
                14,
                "client.irr.white_list_routes",
                "and is \"192.0.2.0/24 1 2\"",
            ),
        ],
    },
    Case {
        name: "a limit may reject all",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.limits.ipv4]\naccepted_max = 5\naccepted_action = \"reject\"\n",
        problems: &[],
    },
    Case {
        name: "address bits behind the length of a prefix",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlan = [\"192.0.2.254/24\", \"2001:db8::/64\"]\n\
               [lists]\nblack_list = [\n\"198.51.100.0/24+\",\n\"198.51.100.1/24+\",\n\"2001:db8::1/32{32,48}\"]\n\
               [defaults.irr]\nprefixes = [\"193.0.1.0/21\"]\nwhite_list_routes = [\"193.0.0.1/21 64496\", \"193.0.0.0/21 64496\"]\n",
        problems: &[
            (
                4,
                "server.lan",
                "warning: server.lan: 192.0.2.254/24 has address bits behind its length; 192.0.2.0/24 is taken",
            ),
            (
                8,
                "lists.black_list",
                "error: lists.black_list: 198.51.100.1/24 has address bits behind its length; did you mean \
                 198.51.100.0/24, or a longer one?",
            ),
            (9, "lists.black_list", "did you mean 2001:db8::/32"),
            (11, "defaults.irr.prefixes", "did you mean 193.0.0.0/21"),
            (
                12,
                "defaults.irr.white_list_routes",
                "error: defaults.irr.white_list_routes: 193.0.0.1/21 has address bits",
            ),
        ],
    },
];

#[test]
fn each_problem_is_told_with_line_and_key() {
    check(CASES);
}

#[test]
fn what_is_wrong_with_files_from_outside_is_told_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let server = "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n";
    // (case, section, text of the file, part of each problem)
    let cases: [(&str, &str, &str, &[&str]); 7] = [
        ("no JSON", "rtt", "5.3", &["is not what was expected"]),
        (
            "no addresses, no times",
            "rtt",
            "{\"a\": 1, \"192.0.2.2\": -1, \"192.0.2.3\": 5}",
            &[
                "'192.0.2.2': -1 is no address with its milliseconds; write {\"192.0.2.1\": 5.3}",
                "'a': 1 is no address",
            ],
        ),
        (
            "no numbers",
            "rtt",
            "{\"192.0.2.2\": \"5\"}",
            &["is not what was expected"],
        ),
        (
            "no objects",
            "peeringdb",
            "{}",
            &["is not what was expected"],
        ),
        (
            "objects without an ASN",
            "peeringdb",
            "[{\"info_prefixes4\": 5}]",
            &["is not what was expected"],
        ),
        (
            "an answer as it comes",
            "peeringdb",
            "{\"data\": [], \"meta\": {}}",
            &[],
        ),
        (
            "objects alone, with much beside",
            "peeringdb",
            "[{\"asn\": 5, \"name\": \"x\", \"info_prefixes4\": null}]",
            &[],
        ),
    ];
    for (case, section, text, expected) in cases {
        write("file.json", text);
        write(
            "rialto.toml",
            &format!("{server}[{section}]\nfile = \"file.json\"\n"),
        );
        let problems = match load(&folder.path().join("rialto.toml")) {
            Ok(config) => config.warnings,
            Err(problems) => problems,
        };
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{case}: {problems:?}");
        for (problem, words) in problems.iter().zip(expected) {
            assert!(problem.contains(words), "{case}: {problem}");
            let place = format!("rialto.toml:5: error: {section}.file: ");
            assert!(problem.contains(&place), "{case}: {problem}");
        }
    }
}
