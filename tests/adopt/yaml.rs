//! YAML files: what includes what, places, and texts that are none.

use std::fs;

use proptest::prelude::*;
use rialto::adopt::arouteserver::adopt;

use super::arouteserver::{CLIENTS, GENERAL, adopted, of_client, value, with_files};
use super::parsed;

#[test]
fn files_that_include_others_and_the_environment() {
    let general =
        "cfg:\n  rs_as: 64500\n  router_id: \"${ROUTER_ID}\"\n  # $COMMENT\n  !include more.yml\n";
    let more = "  passive: False${UNKNOWN}\n  pasive: True\n";
    with_files(general, CLIENTS, |folder, files| {
        fs::write(folder.join("more.yml"), more).expect("a file");
        let adopted = adopt(files).expect("it is read");
        assert_eq!(value(&adopted, "server.router_id"), "\"192.0.2.77\"");
        assert_eq!(value(&adopted, "defaults.passive"), "false");
        let notes = adopted.notes.iter().map(ToString::to_string);
        let notes = notes.collect::<Vec<_>>().join("\n");
        for expected in [
            "${ROUTER_ID} (general.yml:3): ",
            "${UNKNOWN} (more.yml:1): ",
            "cfg.pasive (more.yml:2): ",
        ] {
            assert!(notes.contains(expected), "{expected} in {notes}");
        }
        assert!(!notes.contains("COMMENT"), "{notes}");
    });
}

#[test]
fn errors_name_the_file_and_the_line() {
    let endless = "cfg:\n  rs_as: 1\n  !include general.yml\n";
    let cases = [
        (
            "not YAML",
            "cfg:\n  a: [1,\n  b: 2",
            CLIENTS,
            "general.yml:",
        ),
        (
            "another file",
            CLIENTS,
            CLIENTS,
            "general.yml: there is no \"cfg\"",
        ),
        (
            "files in wrong order",
            GENERAL,
            GENERAL,
            "clients.yml: there is no \"clients\"",
        ),
        (
            "an empty file",
            "",
            CLIENTS,
            "general.yml: there is no \"cfg\"",
        ),
        (
            "includes without end",
            endless,
            CLIENTS,
            "general.yml:3: is not YAML: files include",
        ),
        (
            "an include that is not there",
            "cfg:\n  !include none.yml\n",
            CLIENTS,
            "general.yml:2: cannot read ",
        ),
        (
            "an alias of nothing",
            "cfg: *nothing\n",
            CLIENTS,
            "general.yml:1: is not YAML",
        ),
    ];
    for (case, general, clients, expected) in cases {
        let error = adopted(general, clients).expect_err(case).to_string();
        assert!(error.starts_with(expected), "{case}: {error}");
    }
}

#[test]
fn aliases_do_not_grow_without_end() {
    let mut general = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        general += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let error = adopted(&general, CLIENTS).expect_err("it is too much");
    assert!(error.to_string().contains("more than"), "{error}");
}

/// Of the pieces that YAML is made of, so that they meet.
fn any_yaml() -> impl Strategy<Value = String> {
    let pieces = [
        "cfg:",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "a: ",
        "&a ",
        "*a",
        "<<: ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "| ",
        ">",
        "!x ",
        "# ",
        "rs_as: 1",
        "communities:",
        "filtering:",
        "---",
        "...",
        "\t",
        "${A}",
        "%",
        "? ",
        "é",
        "~",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_read_or_refused(text in any_yaml()) {
        if let Ok(adopted) = adopted(&format!("cfg: {text}"), CLIENTS) {
            parsed(&adopted);
        }
    }

    #[test]
    fn what_others_wrote_stays_a_comment(description in any::<String>()) {
        let description = serde_json::Value::from(description);
        let adopted = of_client(&format!("    description: {description}\n"));
        prop_assert_eq!(value(&adopted, "client.0.asn"), "64496");
        let keys = parsed(&adopted)["client"][0].as_table().map(toml::Table::len);
        prop_assert_eq!(keys, Some(2));
    }
}
