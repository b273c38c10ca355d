//! Every problem has its line, key and words.

use std::fs;

use rialto::config::load;

use super::read;

pub struct Case {
    pub name: &'static str,
    pub text: &'static str,
    /// (line, key, part of the text) of every problem, warnings among them.
    pub problems: &'static [(u32, &'static str, &'static str)],
}

const CASES: &[Case] = &[
    Case {
        name: "an empty file lacks its server",
        text: "",
        problems: &[(1, "", "[server] is missing")],
    },
    Case {
        name: "what the server needs is asked for at its header",
        text: "\n[server]\n",
        problems: &[
            (2, "server.asn", "is missing"),
            (2, "server.router_id", "is missing"),
        ],
    },
    Case {
        name: "a mistyped key is told with the one that is meant",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlistn = []\n",
        problems: &[(4, "server.listn", "unknown key; did you mean 'listen'?")],
    },
    Case {
        name: "a mistyped section is told, and what depends on it as well",
        text: "[sever]\nasn = 1\n",
        problems: &[
            (1, "", "[server] is missing"),
            (1, "sever", "did you mean 'server'?"),
        ],
    },
    Case {
        name: "a key that resembles none is told with those that there are",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[cores]\nzzzzzzzz = 1\n",
        problems: &[(5, "cores.zzzzzzzz", "known keys here: sessions, shards")],
    },
    Case {
        name: "the ASN 0 is none",
        text: "[server]\nasn = 0\nrouter_id = \"192.0.2.1\"\n",
        problems: &[(2, "server.asn", "from 1 to 4294967295, and is 0")],
    },
    Case {
        name: "AS_TRANS is nobody's ASN",
        text: "[server]\nasn = 23456\nrouter_id = \"192.0.2.1\"\n",
        problems: &[(2, "server.asn", "23456 is reserved")],
    },
    Case {
        name: "a router identifier is not zero",
        text: "[server]\nasn = 64500\nrouter_id = \"0.0.0.0\"\n",
        problems: &[(3, "server.router_id", "other than 0.0.0.0")],
    },
    Case {
        name: "a listen address needs to be one, each that is not is told",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\n\"a\",\n\"192.0.2.1:179\",\n7]\n",
        problems: &[
            (5, "server.listen", "and is \"a\""),
            (7, "server.listen", "and is 7"),
        ],
    },
    Case {
        name: "a hold time of two seconds is none",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults]\nhold_time = 2\n",
        problems: &[(5, "defaults.hold_time", "RFC 4271 §4.2; use 0")],
    },
    Case {
        name: "a Restart Time has twelve bits, and nobody's routes stay for longer",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults]\ngraceful_restart_helper_s = 4096\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\ngraceful_restart_helper_s = -1\n",
        problems: &[
            (
                5,
                "defaults.graceful_restart_helper_s",
                "from 0 to 4095, and is 4096",
            ),
            (
                9,
                "client.graceful_restart_helper_s",
                "from 0 to 4095, and is -1",
            ),
        ],
    },
    Case {
        name: "a number is not a string",
        text: "[server]\nasn = \"64500\"\nrouter_id = \"192.0.2.1\"\n",
        problems: &[(2, "server.asn", "and is \"64500\"")],
    },
    Case {
        name: "a section is a table",
        text: "defaults = 3\n[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n",
        problems: &[(1, "defaults", "a table, as in [defaults]")],
    },
    Case {
        name: "what is not TOML is told, and the rest is read all the same",
        text: "[server]\nasn = \nrouter_id = \"192.0.2.1\"\n[cores]\nshards = 0\n",
        problems: &[
            (2, "server.asn", ""),
            (2, "", "not TOML"),
            (5, "cores.shards", "from 1 to 64"),
        ],
    },
    Case {
        name: "a client needs an ASN and an address",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nname = \"a\"\n",
        problems: &[
            (4, "client.asn", "is missing"),
            (4, "client.address", "is missing"),
        ],
    },
    Case {
        name: "an address belongs to one client, IPv4-mapped or not",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\n[[client]]\nasn = 2\naddress = \"::ffff:192.0.2.7\"\n",
        problems: &[(7, "client.address", "is the client at x.toml:4 already")],
    },
    Case {
        name: "a name belongs to one client, and may be one that another has by default",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\n[[client]]\nasn = 2\naddress = \"192.0.2.8\"\nname = \"AS1-1\"\n",
        problems: &[(
            7,
            "client.name",
            "'AS1-1' is the name of the client at x.toml:4 already",
        )],
    },
    Case {
        name: "a name cannot be an address",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nname = \"192.0.2.8\"\n",
        problems: &[(7, "client.name", "must be a name of letters")],
    },
    Case {
        name: "the server is no client of its own",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\"192.0.2.1:179\"]\n\
               [[client]]\nasn = 64500\naddress = \"192.0.2.1\"\n",
        problems: &[
            (5, "client.address", "server's own address"),
            (5, "client.asn", "server's own ASN"),
        ],
    },
    Case {
        name: "both families with checked next hops need the address of the other one",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nfamilies = [\"ipv4\", \"ipv6\"]\n",
        problems: &[(
            4,
            "client.next_hops",
            "no ipv6 address of AS1-1 is known; list its ipv6 address in next_hops",
        )],
    },
    Case {
        name: "a link-local address does not do for the address of the other family",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nfamilies = [\"ipv4\", \"ipv6\"]\nnext_hops = [\"fe80::7\"]\n",
        problems: &[(4, "client.next_hops", "no ipv6 address of AS1-1 is known")],
    },
    Case {
        name: "families are named, and at least one",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults]\nfamilies = [\"ipv4\", \"ipx\"]\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nfamilies = []\n",
        problems: &[
            (5, "defaults.families", "\"ipv4\" or \"ipv6\""),
            (9, "client.families", "must name a family"),
        ],
    },
    Case {
        name: "an import check that is not there is told with its nearest",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.import]\npreset = \"strict\"\nnexthop = \"off\"\n",
        problems: &[
            (
                5,
                "defaults.import.preset",
                "\"exchange\" or \"lab\", and is \"strict\"",
            ),
            (6, "defaults.import.nexthop", "did you mean 'next_hop'?"),
        ],
    },
    Case {
        name: "prefix lengths are a range within the family",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.import]\n\
               prefix_length = { ipv4 = [24, 8], ipv6 = [12, 129] }\n",
        problems: &[
            (
                5,
                "defaults.import.prefix_length.ipv4",
                "[shortest, longest]",
            ),
            (
                5,
                "defaults.import.prefix_length.ipv6",
                "from 0 to 128, and is 129",
            ),
            (
                5,
                "defaults.import.prefix_length.ipv6",
                "[shortest, longest]",
            ),
        ],
    },
    Case {
        name: "a limit is a number or none",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.limits.ipv4]\nreceived_max = \"all\"\naccepted_action = \"drop\"\n",
        problems: &[
            (
                5,
                "defaults.limits.ipv4.received_max",
                "a number or \"none\"",
            ),
            (
                6,
                "defaults.limits.ipv4.accepted_action",
                "\"warn\" or \"block\"",
            ),
        ],
    },
    Case {
        name: "an action without its limit has no effect",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 1\naddress = \"192.0.2.7\"\n\
               limits.ipv4.accepted_action = \"block\"\n",
        problems: &[(
            4,
            "client.limits.ipv4.accepted_action",
            "has no effect; set accepted_max too",
        )],
    },
    Case {
        name: "an action without its limit that clients inherit is told once",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.limits.ipv4]\naccepted_action = \"block\"\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\n[[client]]\nasn = 2\naddress = \"192.0.2.8\"\n",
        problems: &[(
            6,
            "client.limits.ipv4.accepted_action",
            "has no effect for 2 clients (AS1-1, AS2-1); set accepted_max too",
        )],
    },
    Case {
        name: "a limit that one client cannot reach is told with its numbers",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.limits.ipv4]\naccepted_max = 50\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nlimits.ipv4.received_max = 10\n",
        problems: &[(
            6,
            "client.limits.ipv4.accepted_max",
            "50 can never be reached: received_max is 10",
        )],
    },
    Case {
        name: "a limit that many clients cannot reach is told once, with how many and the first three",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[defaults.limits.ipv4]\naccepted_max = 50\nreceived_max = 10\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\n[[client]]\nasn = 2\naddress = \"192.0.2.8\"\n\
               [[client]]\nasn = 3\naddress = \"192.0.2.9\"\nlimits.ipv4.received_max = 99\n\
               [[client]]\nasn = 4\naddress = \"192.0.2.10\"\nname = \"four\"\n[[client]]\nasn = 5\naddress = \"192.0.2.11\"\n",
        problems: &[(
            7,
            "client.limits.ipv4.accepted_max",
            "can never be reached by 4 clients (AS1-1, AS2-1, four, …): received_max is less",
        )],
    },
    Case {
        name: "attributes that carry the routes cannot be discarded",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nattributes.discard = [2, 40]\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\nattributes.treat_as_withdraw = [14, 0]\n",
        problems: &[
            (
                4,
                "server.attributes.discard",
                "attribute 2 is part of every route",
            ),
            (8, "client.attributes.treat_as_withdraw", "attribute 14"),
            (
                8,
                "client.attributes.treat_as_withdraw",
                "from 1 to 255, and is 0",
            ),
        ],
    },
    Case {
        name: "a password file that is not there is told",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 1\naddress = \"192.0.2.7\"\npassword_file = \"no\"\n",
        problems: &[(7, "client.password_file", "cannot read no")],
    },
    Case {
        name: "a shutdown message has 255 octets at most",
        text: concat!(
            "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 1\naddress = \"192.0.2.7\"\ndisabled = true\n",
            "shutdown_message = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n",
        ),
        problems: &[(8, "client.shutdown_message", "RFC 9003 allows 255")],
    },
    Case {
        name: "a log level that the log would take for a module is none",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[log]\nlevel = \"rialto=debug,chatty\"\n",
        problems: &[(5, "log.level", "'chatty' is no level")],
    },
    Case {
        name: "a log level is one that the log understands",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[log]\nlevel = \"rialto=loud\"\nformat = \"xml\"\n",
        problems: &[
            (5, "log.level", "'rialto=loud' is no level"),
            (6, "log.format", "\"human\" or \"json\""),
        ],
    },
    Case {
        name: "an address is listened on once, alone or with a wildcard",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\n\"192.0.2.1:179\",\n\
               \"[2001:db8::1]:179\",\n\"192.0.2.1\",\n\"[::]:179\",\n\"192.0.2.1:1790\"]\n",
        problems: &[
            (
                7,
                "server.listen",
                "192.0.2.1:179 is listed twice; leave one of them out",
            ),
            (
                8,
                "server.listen",
                "[::]:179 and [2001:db8::1]:179 cannot both be listened on",
            ),
        ],
    },
    Case {
        name: "the two wildcards do not collide",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\"0.0.0.0:179\", \"[::]:179\"]\n",
        problems: &[],
    },
    Case {
        name: "the API has a port of its own",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\"192.0.2.1:179\", \"[::]:1790\"]\n\
               [api]\nlisten = [\n\"192.0.2.1:179\",\n\"0.0.0.0:179\",\n\"[::1]:1790\",\n\"[::]:179\",\n\
               \"127.0.0.1:179\",\n\"127.0.0.1:1790\"]\n",
        problems: &[
            (
                7,
                "api.listen",
                "192.0.2.1:179 and the BGP address 192.0.2.1:179 of server.listen (x.toml:4)",
            ),
            (8, "api.listen", "0.0.0.0:179 and the BGP address"),
            (9, "api.listen", "and the BGP address [::]:1790"),
            (10, "api.listen", "give the API another port"),
            (
                11,
                "api.listen",
                "127.0.0.1:179 and 0.0.0.0:179 cannot both be listened on",
            ),
        ],
    },
    Case {
        name: "the API may collide with what BGP listens on unasked",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[api]\nlisten = \"127.0.0.1:179\"\n",
        problems: &[(
            5,
            "api.listen",
            "and the BGP address 0.0.0.0:179 of server.listen (x.toml:1)",
        )],
    },
    Case {
        name: "a passive client of a family that is not listened for can never connect",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\"192.0.2.1:179\"]\n\
               [[client]]\nasn = 1\naddress = \"2001:db8::7\"\n\
               [[client]]\nasn = 2\naddress = \"2001:db8::8\"\npassive = false\n\
               [[client]]\nasn = 3\naddress = \"192.0.2.9\"\n",
        problems: &[(
            5,
            "client.address",
            "warning: client.address: 2001:db8::7 can never connect: server.listen has no IPv6 address, \
             and the client is passive; add the server's IPv6 address (or \"[::]:179\") to server.listen",
        )],
    },
    Case {
        name: "what is missing is told with how to write it",
        text: "[server]\n",
        problems: &[
            (1, "server.asn", "is missing; write asn = 64500"),
            (
                1,
                "server.router_id",
                "is missing; write router_id = \"192.0.2.254\"",
            ),
        ],
    },
    Case {
        name: "quotes that are too many or too few are told",
        text: "[server]\nasn = \"64500\"\nrouter_id = 7\n[defaults]\npassive = \"true\"\n",
        problems: &[
            (2, "server.asn", "and is \"64500\"; write it without quotes"),
            (3, "server.router_id", "and is 7; write it in quotes"),
            (5, "defaults.passive", "write it without quotes"),
        ],
    },
    Case {
        name: "gathering cannot be shorter at most than at least",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[fanout]\ngather_min_us = 500\ngather_max_us = 400\n",
        problems: &[(5, "fanout.gather_min_us", "longer than gather_max_us")],
    },
    Case {
        name: "a key that stands twice is told with its name, whatever it is",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nasn = 64501\n[api]\n[server]\n\
               [[client]]\nasn = 1\naddress = \"192.0.2.7\"\n[client.import]\n[client.import]\n",
        problems: &[
            (
                4,
                "server.asn",
                "stands here a second time; keep one of the two",
            ),
            (6, "server", "stands here a second time"),
            (11, "client.import", "stands here a second time"),
        ],
    },
    Case {
        name: "an IPv6 address that ends like one with a port lacks its brackets",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\n\"2001:db8::fe:179\",\n\"2001:db8::17\"]\n",
        problems: &[(5, "server.listen", "did you mean \"[2001:db8::fe]:179\"?")],
    },
    Case {
        name: "where a listen address cannot be read, what hangs on it is not told",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\nlisten = [\n\"192.0.2.1:99999\",\n\
               \"[2001:db8::1]:179\"]\n[api]\nlisten = \"[::]:179\"\n[[client]]\nasn = 1\naddress = \"192.0.2.7\"\n",
        problems: &[(5, "server.listen", "and is \"192.0.2.1:99999\"")],
    },
    Case {
        name: "a next hop of a family that is off has no effect",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 1\naddress = \"192.0.2.7\"\n\
               next_hops = [\"192.0.2.8\", \"2001:db8::7\"]\n",
        problems: &[(
            4,
            "client.next_hops",
            "2001:db8::7 has no effect: ipv6 is not among its families; add \"ipv6\" to families",
        )],
    },
    Case {
        name: "it has one where another session of its AS has the family, and one where IPv4 routes may have it",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 1\naddress = \"192.0.2.7\"\n\
               next_hops = [\"2001:db8::7\"]\n[[client]]\nasn = 1\naddress = \"2001:db8::8\"\nimport.next_hop = \"same_as\"\n\
               [[client]]\nasn = 2\naddress = \"192.0.2.9\"\nipv6_next_hops = true\nnext_hops = [\"2001:db8::9\"]\n",
        problems: &[],
    },
    Case {
        name: "a bound of a reload is a number or a part",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[reload]\nmax_rejected = \"5\"\nmax_lost = \"a few\"\n",
        problems: &[(
            6,
            "reload.max_lost",
            "must be a number such as 1000, a part such as \"5%\", or \"none\", and is \"a few\"",
        )],
    },
];

#[test]
fn each_problem_is_told_with_line_and_key() {
    check(CASES);
}

pub fn check(cases: &[Case]) {
    for case in cases {
        let problems = match read(case.text) {
            Ok(config) => config.warnings,
            Err(problems) => problems,
        };
        let all = format!("{}:\n{problems}", case.name);
        assert_eq!(problems.iter().count(), case.problems.len(), "{all}");
        for (line, key, words) in case.problems {
            let is_it = |problem: &&rialto::config::Problem| {
                (problem.place.line, problem.key.as_str()) == (*line, *key)
                    && problem.to_string().contains(words)
            };
            assert!(
                problems.iter().any(|problem| is_it(&problem)),
                "{all}\nlacks {line} {key} {words}"
            );
        }
        assert!(
            problems
                .iter()
                .is_sorted_by_key(|problem| problem.place.line),
            "{all}"
        );
    }
}

#[test]
fn a_password_is_the_first_line_of_its_file_and_in_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rialto.toml");
    let text = "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
                [[client]]\nasn = 1\naddress = \"192.0.2.7\"\npassword_file = \"key\"\n";
    fs::write(&file, text).unwrap();
    fs::write(folder.path().join("key"), "hush-hush\nsecond line\n").unwrap();
    let config = load(&file).unwrap();
    assert_eq!(
        config.clients[0].password.as_ref().unwrap().expose(),
        b"hush-hush"
    );
    let everything = format!(
        "{config:?} {} {:?}",
        config.warnings,
        rialto::config::Summary::of(&config)
    );
    assert!(!everything.contains("hush"), "{everything}");

    fs::write(folder.path().join("key"), "x".repeat(81)).unwrap();
    let problems = load(&file).unwrap_err().to_string();
    assert!(
        problems.contains("rialto.toml:7: error: client.password_file")
            && problems.contains("81 octets"),
        "{problems}"
    );
}
