//! What `rialto import` writes, and what stands on the pages, is a configuration that can be loaded.

use std::fs;
use std::path::Path;

use rialto::adopt::arouteserver::{Files, adopt};
use rialto::adopt::{Adopted, ixf};
use rialto::config;

use super::arouteserver::{CLIENTS, GENERAL, adopted};
use super::example;

/// The warnings; panics with what is wrong.
fn check(text: &str, files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("it is in the folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    };
    for (name, text) in files {
        write(name, text);
    }
    write("rialto.toml", text);
    match config::load(&folder.path().join("rialto.toml")) {
        Ok(config) => config.warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

fn check_adopted(adopted: &Adopted) {
    let keys = adopted.keys.iter();
    let keys = keys.map(|key| (key.file.as_str(), "a key\n"));
    check(&adopted.text, &keys.collect::<Vec<_>>());
}

#[test]
fn what_the_examples_come_to() {
    let [general, clients, bogons] = ["general.yml", "clients.yml", "bogons.yml"].map(example);
    for bogons in [None, Some(bogons.as_path())] {
        for keys in [None, Some("keys")] {
            let files = Files {
                general: &general,
                clients: &clients,
                bogons,
                keys,
                environment: &|_| None,
            };
            check_adopted(&adopt(&files).expect("it is read"));
        }
    }
    check_adopted(&adopted(GENERAL, CLIENTS).expect("it is read"));
    let text = fs::read_to_string(example("members.json")).expect("it is there");
    let choice = ixf::Choice::default();
    check_adopted(&ixf::adopt("members.json", &text, &choice).expect("it is read"));
}

/// What arouteserver fetches and Rialto does not.
#[test]
fn sections_whose_data_is_not_there_are_commented_out() {
    let cases = [
        (
            "PeeringDB",
            "    max_prefix: {action: shutdown, general_limit_ipv4: 7}\n",
            "# [peeringdb]\n# file = \"net.json\"",
        ),
        (
            "round-trip times",
            "  communities: {announce_to_peers_with_rtt_lower_than: {lrg: \"rs_as:1:dyn_val\"}}\n",
            "# [rtt]\n# file = \"rtt.json\"",
        ),
        (
            "RPKI over RTR",
            "    rpki_bgp_origin_validation: {enabled: True}\n  rpki_roas: {source: rtr}\n",
            "# [rpki]\n# caches = [",
        ),
        (
            "RPKI from where arouteserver has it without a word",
            "    rpki_bgp_origin_validation: {enabled: True}\n",
            "# [rpki]\n# caches = [",
        ),
    ];
    for (case, general, expected) in cases {
        let adopted = adopted(&format!("{GENERAL}{general}"), CLIENTS).expect("it is read");
        check_adopted(&adopted);
        assert!(adopted.text.contains(expected), "{case}: {}", adopted.text);
        assert_eq!(adopted.notes.len(), 1, "{case}: {:?}", adopted.notes);
    }
}

/// The configurations of a page, as they are pasted.
fn of_page(page: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(page).expect("the page is there");
    let blocks = page.split("```toml\n").skip(1);
    let blocks = blocks.map(|text| text.split("```").next().unwrap_or_default());
    blocks.map(str::to_owned).collect()
}

const SERVER: &str = "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n";

#[test]
fn what_stands_on_the_pages() {
    let examples = of_page("docs/coming-from-arouteserver-and-ixp-manager.md");
    assert_eq!(check(&format!("{SERVER}{}", examples[0]), &[]), [""; 0]);
    assert_eq!(check(&of_page("README.md")[0], &[]), [""; 0]);
}
