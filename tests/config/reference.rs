//! The reference states every key, and the defaults as they are.

use std::fs;

use rialto::config::{REFERENCE, load};

/// Settings that are examples, by how they begin.
const EXAMPLES: [&str; 17] = [
    "include",
    "families",
    "send_hold_time",
    "congestion_control",
    "password_file",
    "session_name = \"pb_",
    "next_hops",
    "sessions",
    "shards",
    "bogon_prefixes = [",
    "next_hop_ipv",
    "announce_only_to",
    "receive_only_from",
    "rtt_ms",
    "caches",
    "vrp_files",
    "file",
];

/// Sections that are not there unless they name a source.
const OPTIONAL: [&str; 5] = ["rpki", "rtt", "peeringdb", "mrt", "bmp"];

/// The reference with these lines uncommented.
fn uncommented(is_meant: impl Fn(&str, &str) -> bool) -> String {
    let mut section = "";
    let lines = REFERENCE.lines().map(|line| {
        let stated = line.strip_prefix("# ");
        let header = stated.unwrap_or(line);
        if header.starts_with('[') {
            section = header.trim_start_matches('[').split(']').next().unwrap();
        }
        match stated {
            Some(stated) if stated.starts_with('[') || stated.contains(" = ") => {
                match is_meant(section, stated) {
                    true => stated,
                    false => line,
                }
            }
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn it_states_the_defaults_as_they_are() {
    let plain = super::read(REFERENCE).unwrap();
    let stated = uncommented(|section, setting| {
        let is_example = EXAMPLES.iter().any(|example| setting.starts_with(example));
        !(is_example || OPTIONAL.contains(&section))
    });
    let mut stated = super::read(&stated).unwrap_or_else(|problems| panic!("{problems}\n{stated}"));
    stated.clients[0].place = plain.clients[0].place.clone();
    stated.fixed = plain.fixed.clone();
    // What is on and has nothing to go by is doubtful only where it is written.
    stated.warnings = plain.warnings.clone();
    assert_eq!(format!("{plain:#?}"), format!("{stated:#?}"));
}

#[test]
fn it_states_the_defaults_of_sections_that_need_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("rtt.json", "{\"192.0.2.1\": 5.3}");
    write(
        "net.json",
        "{\"data\": [{\"asn\": 64496, \"info_prefixes4\": 100, \"info_prefixes6\": 0}]}",
    );
    let sources = [
        "[",
        "caches",
        "vrp_files",
        "file",
        "directory = \"mrt\"",
        "collector",
    ];
    let read = |text: &str| {
        write("rialto.toml", text);
        load(&folder.path().join("rialto.toml")).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let plain = read(&uncommented(|section, setting| {
        OPTIONAL.contains(&section) && sources.iter().any(|source| setting.starts_with(source))
    }));
    let mut stated = read(&uncommented(|section, _| OPTIONAL.contains(&section)));
    stated.clients[0].place = plain.clients[0].place.clone();
    stated.fixed = plain.fixed.clone();
    assert_eq!(format!("{plain:#?}"), format!("{stated:#?}"));
    let client = &plain.clients[0];
    assert_eq!(client.rtt_us, Some(5_300), "of the example");
    assert_eq!(
        client.limits.map(|limits| limits.received_max),
        [Some(230), Some(200_000)],
        "(100 + 100) * 1.15"
    );
}

#[test]
fn its_examples_can_be_used() {
    // Files that must be there, and all families with a next hop.
    let stated = uncommented(|section, setting| {
        let needs_more = [
            "include",
            "password_file",
            "announce_only_to",
            "receive_only_from",
        ];
        !(OPTIONAL.contains(&section) || needs_more.iter().any(|key| setting.starts_with(key)))
    });
    let config = super::read(&stated).unwrap_or_else(|problems| panic!("{problems}\n{stated}"));
    assert_eq!(config.clients[0].rtt_us, Some(5_300));
}

#[test]
fn it_names_every_key() {
    const SECTIONS: [&str; 28] = [
        "server",
        "server.attributes",
        "cores",
        "api",
        "control",
        "log",
        "startup",
        "fanout",
        "reload",
        "looking_glass",
        "lists",
        "irr",
        "rpki",
        "rtt",
        "peeringdb",
        "mrt",
        "bmp",
        "blackhole",
        "communities",
        "defaults",
        "defaults.import",
        "defaults.import.prefix_length",
        "defaults.irr",
        "defaults.limits",
        "defaults.limits.ipv4",
        "defaults.attributes",
        "client",
        "",
    ];
    let unknown = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz = 1\n";
    for section in SECTIONS {
        let text = match section {
            "" => unknown.to_owned(),
            "client" | "bmp" => format!("[[{section}]]\n{unknown}"),
            _ => format!("[{section}]\n{unknown}"),
        };
        let problems = super::read(&text).unwrap_err().to_string();
        let found = problems.split("known keys here: ").nth(1);
        let Some(known) = found.and_then(|rest| rest.lines().next()) else {
            panic!("{section} is no section: {problems}");
        };
        for key in known.split(", ") {
            let is_stated = REFERENCE.contains(&format!("{key} = "))
                || REFERENCE.contains(&format!("[{key}]"))
                || REFERENCE.contains(&format!("{key}."))
                || REFERENCE.contains(&format!(".{key}]"));
            assert!(is_stated, "the reference does not name {section}.{key}");
        }
    }
}
