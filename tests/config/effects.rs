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
];

#[test]
fn each_is_told_with_line_and_key() {
    check(CASES);
}
