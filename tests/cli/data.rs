//! What `rialto check` says of data from outside, and of a start with it.

use std::fs;
use std::path::Path;

use super::rialto;
use crate::outside::{origins, prefixes};

const HEAD: &str =
    "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n[irr]\ndirectory = \"irr\"\n";

/// One asks for AS-A, the other for both families and both AS-SETs, the third for nothing.
const CLIENTS: &str = "[[client]]\nasn = 1\naddress = \"192.0.2.1\"\nname = \"one\"\nirr.as_sets = [\"AS-A\"]\n\
                       [[client]]\nasn = 2\naddress = \"2001:db8::2\"\nname = \"two\"\nirr.as_sets = [\"AS-A\", \"AS-B\"]\n\
                       [[client]]\nasn = 3\naddress = \"192.0.2.3\"\nname = \"three\"\n";

fn check(folder: &Path, text: &str) -> String {
    let file = folder.join("rialto.toml");
    fs::write(&file, text).unwrap();
    let output = rialto(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    text.replace(&format!("{}/", folder.display()), "")
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn write_sets(folder: &Path, names: &[&str]) {
    fs::create_dir(folder.join("irr")).unwrap();
    for name in names {
        let text = match name {
            _ if name.ends_with("origins.json") => origins(&[1]),
            _ if name.ends_with("v6.json") => prefixes(&["2001:db8:1::/48"]),
            _ => prefixes(&["198.51.100.0/24"]),
        };
        fs::write(folder.join("irr").join(name), text).unwrap();
    }
}

#[test]
fn what_is_missing_of_as_sets_is_named_with_all_clients_concerned() {
    const ALL: [&str; 6] = [
        "AS-A.v4.json",
        "AS-A.v6.json",
        "AS-A.origins.json",
        "AS-B.v4.json",
        "AS-B.v6.json",
        "AS-B.origins.json",
    ];
    type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("nothing is missing", &[], &[]),
        (
            "IPv4 prefixes, where only the other client is of IPv4",
            &["AS-B.v4.json"],
            &[],
        ),
        (
            "IPv6 prefixes",
            &["AS-A.v6.json"],
            &[
                "AS-A: there is no irr/AS-A.v6.json, and there are other files of it: IPv6 prefixes that only it \
                 registers are rejected, for 1 client (two); write there what bgpq4 -6j AS-A says",
            ],
        ),
        (
            "origins of one of two",
            &["AS-B.origins.json"],
            &[
                "AS-B: there is no irr/AS-B.origins.json, and there are other files of it: routes of origins that \
                 only it registers are rejected, for 1 client (two); write there what bgpq4 -tj AS-B says",
            ],
        ),
        (
            "origins of all that a client has",
            &["AS-A.origins.json"],
            &[
                "AS-A: there is no irr/AS-A.origins.json, and there are other files of it: routes of origins that \
                 only it registers are rejected, for 2 clients (one, two); write there what bgpq4 -tj AS-A says",
                "after a start, sessions are held back for up to 60 s until data for their checks is there: 1 client (one)",
                "after a start: no IRR data, or not enough of it, for 1 client (one): their routes are rejected",
            ],
        ),
        (
            "all files of one",
            &ALL[..3],
            &[
                "AS-A: irr: there is no file of it; there is nothing else to use; write there what bgpq4 -4j AS-A says, \
                 as AS-A.v4.json (-6j: .v6.json, -tj: .origins.json); it is of 2 clients (one, two)",
                "after a start, sessions are held back for up to 60 s until data for their checks is there: \
                 2 clients (one, two)",
                "after a start: no IRR data, or not enough of it, for 1 client (one): their routes are rejected",
                "after a start: no IRR data for AS-A of 2 clients (one, two): what only it registers is rejected",
            ],
        ),
    ];
    for (case, missing, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let there: Vec<&str> = ALL.into_iter().filter(|it| !missing.contains(it)).collect();
        write_sets(folder.path(), &there);
        let told = check(folder.path(), &format!("{HEAD}{CLIENTS}"));
        let expected: String = expected
            .iter()
            .map(|line| format!("warning: {line}\n"))
            .collect();
        assert_eq!(told, expected, "{case}");
    }
}

#[test]
fn what_becomes_of_clients_without_vrps_is_told() {
    const HELD: &str = "after a start, sessions are held back for up to 60 s until data for their checks is there: \
                        2 clients (one, two)";
    const NONE: &str = "VRP file vrps.json: No such file or directory (os error 2); there is nothing to use in its place";
    const REJECTED: &str =
        "after a start: no RPKI data yet: routes that are validated are rejected";
    let good = r#"{"roas": [{"prefix": "198.51.100.0/24", "asn": 1}]}"#;
    let clients = "[[client]]\nasn = 1\naddress = \"192.0.2.1\"\nname = \"one\"\n\
                   [[client]]\nasn = 2\naddress = \"192.0.2.2\"\nname = \"two\"\n\
                   [[client]]\nasn = 3\naddress = \"192.0.2.3\"\nname = \"three\"\nimport.rpki_invalid = false\n";
    let off = clients.replace("name", "import.rpki_invalid = false\nname");
    let off = off.replacen("\"three\"\nimport.rpki_invalid = false\n", "\"three\"\n", 1);
    let file = "[rpki]\nvrp_files = [\"vrps.json\"]\n";
    let cache = "[rpki]\nvrp_files = [\"vrps.json\"]\ncaches = [\"192.0.2.200:3323\"]\n";
    type Case<'a> = (&'a str, Option<&'a str>, String, &'a [&'a str]);
    let cases: [Case<'_>; 5] = [
        ("all is well", Some(good), format!("{file}{clients}"), &[]),
        (
            "no file",
            None,
            format!("{file}{clients}"),
            &[NONE, HELD, REJECTED],
        ),
        (
            "no file, and no wait",
            None,
            format!("[irr]\nwait_max_s = 0\n{file}{clients}"),
            &[NONE, REJECTED],
        ),
        (
            "no file, and no check",
            None,
            format!("{file}{off}"),
            &[
                NONE,
                "after a start: no RPKI data yet: validation begins when it has come",
            ],
        ),
        (
            "no file, and a cache that will say more",
            None,
            format!("{cache}{clients}"),
            &[NONE],
        ),
    ];
    for (case, vrps, sections, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        if let Some(vrps) = vrps {
            fs::write(folder.path().join("vrps.json"), vrps).unwrap();
        }
        let server = "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n";
        let told = check(folder.path(), &format!("{server}{sections}"));
        let expected: String = expected
            .iter()
            .map(|line| format!("warning: {line}\n"))
            .collect();
        assert_eq!(told, expected, "{case}");
    }
}
