//! What is well-formed and would not do what it was written for is told.

use super::problems::{Case, check};

const CASES: &[Case] = &[
    Case {
        name: "a number that is a client's own ASN cannot stand for another",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities]\npeer_as_aliases = { 7 = 200000 }\n\
               [[client]]\nasn = 7\naddress = \"192.0.2.7\"\nname = \"seven\"\n[[client]]\nasn = 200000\naddress = \"192.0.2.8\"\n",
        problems: &[(
            5,
            "communities.peer_as_aliases.7",
            "error: communities.peer_as_aliases.7: 7 would stand for AS200000, and is the ASN of seven: no community \
             could mean seven any more; give AS200000 another number",
        )],
    },
    Case {
        name: "a number may stand for what it is",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities.peer_as_aliases]\n7 = 7\n\
               [[client]]\nasn = 7\naddress = \"192.0.2.7\"\n",
        problems: &[],
    },
    Case {
        name: "one that stands for nobody here is doubtful",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[communities.peer_as_aliases]\n65001 = 200000\n65002 = 200001\n\
               [[client]]\nasn = 200000\naddress = \"192.0.2.7\"\nimport.preset = \"lab\"\n",
        problems: &[(
            6,
            "communities.peer_as_aliases.65002",
            "warning: communities.peer_as_aliases.65002: AS200001 is no client",
        )],
    },
    Case {
        name: "a client whose ASN is a bogon has all its routes rejected",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 64496\naddress = \"192.0.2.7\"\n",
        problems: &[(
            4,
            "client.asn",
            "warning: client.asn: AS64496 is a bogon: all routes of the client are rejected; correct it, set \
             import.bogon_asns = false, or leave it out of bogon_asns of [lists]",
        )],
    },
    Case {
        name: "bogons of an exchange's own list",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[lists]\nbogon_asns = [\"1-2\"]\n\
               [[client]]\nasn = 64496\naddress = \"192.0.2.7\"\n[[client]]\nasn = 1\naddress = \"192.0.2.8\"\n\
               [[client]]\nasn = 2\naddress = \"192.0.2.9\"\n",
        problems: &[(
            9,
            "client.asn",
            "those of 2 clients (AS1-1, AS2-1) are bogons: all their routes are rejected",
        )],
    },
    Case {
        name: "a bogon that is only tagged, and one that is not looked at",
        text: "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n\
               [[client]]\nasn = 64496\naddress = \"192.0.2.7\"\nimport.tag = [\"bogon_asn\"]\n\
               [[client]]\nasn = 64497\naddress = \"192.0.2.8\"\nimport.bogon_asns = false\n",
        problems: &[],
    },
];

#[test]
fn each_is_told_with_line_and_key() {
    check(CASES);
}

/// Two clients with these keys under those sections; what is told, "line key: words" each.
const IDLE: &[(&str, &str, &str, &[&str])] = &[
    ("nothing is written", "", "", &[]),
    (
        "checks of defaults that nobody can make are told once",
        "[defaults.import]\nblackhole = true\nrpki_unknown = true\n",
        "",
        &[
            "5 defaults.import.blackhole: has no effect; say in [blackhole] what becomes of such routes",
            "6 defaults.import.rpki_unknown: has no effect; name caches or vrp_files in [rpki]",
        ],
    ),
    (
        "those of clients are told with the first",
        "",
        "import.rpki_invalid = true\nimport.aspa_invalid = false\n",
        &[
            "7 client.import.rpki_invalid: has no effect, as with another client; name caches or vrp_files in [rpki]",
        ],
    ),
    (
        "RPKI where there is some",
        "[rpki]\ncaches = [\"192.0.2.9:3323\"]\n",
        "import.rpki_invalid = true\nirr.origins = [1]\nirr.rpki_roas_as_route_objects = true\n",
        &[],
    ),
    (
        "ROAs that stand in for route objects",
        "",
        "irr.origins = [1]\nirr.rpki_roas_as_route_objects = true\n",
        &[
            "8 client.irr.rpki_roas_as_route_objects: has no effect, as with another client; name caches or vrp_files",
        ],
    ),
    (
        "lists that nobody asks",
        "[defaults.import]\nblack_list = true\nown_prefixes = true\nnever_via_route_servers = true\n",
        "",
        &[
            "5 defaults.import.black_list: has no effect; name prefixes in black_list of [lists]",
            "6 defaults.import.own_prefixes: has no effect; name the exchange's prefixes in lan of [server]",
            "7 defaults.import.never_via_route_servers: has no effect; name ASNs in",
        ],
    ),
    (
        "lists that are there",
        "lan = [\"192.0.2.0/24\"]\n[lists]\nblack_list = [\"192.0.2.0/24\"]\nnever_via_route_servers_asns = [7]\n\
         [defaults.import]\nblack_list = true\nown_prefixes = true\nnever_via_route_servers = true\n",
        "",
        &[],
    ),
    (
        "what is registered is not said",
        "[defaults.irr]\nallow_longer_prefixes = true\n",
        "irr.white_list_origins = [7]\nirr.white_list_routes = []\n",
        &[
            "5 defaults.irr.allow_longer_prefixes: has no effect; say in irr what is registered",
            "9 client.irr.white_list_origins: has no effect, as with another client; say in irr",
        ],
    ),
    (
        "a tag that nothing shows",
        "[communities]\nreject_cause = []\nreject_numbers = \"arouteserver\"\n",
        "import.tag = [\"bogon_asn\"]\n",
        &[
            "6 communities.reject_numbers: has no effect; give reject_cause a form",
            "10 client.import.tag: lets routes pass, and nothing says why, as with another client; give reject_cause of",
        ],
    ),
    (
        "a tag that shows",
        "",
        "import.tag = [\"bogon_asn\"]\n",
        &[],
    ),
    (
        "a text for a shutdown that is none",
        "",
        "shutdown_message = \"moving\"\n",
        &[
            "7 client.shutdown_message: has no effect, as with another client; set disabled = true too",
        ],
    ),
    (
        "IPv6 next hops of no IPv4 prefixes",
        "",
        "ipv6_next_hops = true\nfamilies = \"ipv6\"\nimport.next_hop = \"off\"\n",
        &[
            "7 client.ipv6_next_hops: has no effect, as with another client; it is about IPv4 prefixes",
        ],
    ),
    (
        "keys of sections that need another",
        "[blackhole]\nipv6 = \"propagate_unchanged\"\nnext_hop_ipv4 = \"192.0.2.66\"\nnext_hop_ipv6 = \"2001:db8::66\"\n\
         [startup]\nwait = false\nquiet_ms = 5\n[rpki]\nvrp_files = [\"vrps.json\"]\nexpire_s = 7200\nmax_age_s = 7200\n",
        "",
        &[
            "6 blackhole.next_hop_ipv4: has no effect; set ipv4 = \"rewrite_next_hop\"",
            "7 blackhole.next_hop_ipv6: has no effect; set ipv6 = \"rewrite_next_hop\"",
            "10 startup.quiet_ms: has no effect; set wait = true",
            "13 rpki.expire_s: has no effect; it is about caches: name some",
        ],
    ),
];

#[test]
fn what_has_no_effect_is_told_where_it_is_written() {
    for (name, sections, keys, expected) in IDLE {
        let client = |number: u8| {
            format!("[[client]]\nasn = {number}\naddress = \"192.0.2.{number}\"\n{keys}")
        };
        let text = format!(
            "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n{sections}{}{}",
            client(1),
            client(2)
        );
        let warnings = super::read(&text)
            .unwrap_or_else(|problems| panic!("{name}: {problems}"))
            .warnings;
        assert_eq!(
            warnings.iter().count(),
            expected.len(),
            "{name}: {warnings}"
        );
        for (problem, expected) in warnings.iter().zip(*expected) {
            let remedy = &problem.remedy;
            let told = format!(
                "{} {}: {}; {remedy}",
                problem.place.line, problem.key, problem.what
            );
            assert!(told.starts_with(expected), "{name}: {told}");
        }
    }
}
