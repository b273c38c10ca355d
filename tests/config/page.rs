//! `docs/configuring-an-exchange.md`: its example is good, and its tables are those of the code.

use std::fs;
use std::path::Path;

use rialto::config::load;
use rialto::policy::{BOGON_ASNS, ControlAction, InfoTag, RejectNumbers, RejectReason};

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("docs/configuring-an-exchange.md")).expect("the page")
}

#[test]
fn the_example_is_a_good_configuration_as_it_stands() {
    let page = page();
    let (_, rest) = page.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```\n").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("a file");
        file
    };
    file("rtt.json", r#"{"192.0.2.1": 0.4, "2001:db8::1": 0.4}"#);
    file(
        "net.json",
        r#"{"data": [{"asn": 11111, "info_prefixes4": 100, "info_prefixes6": null}]}"#,
    );
    let config =
        load(&file("rialto.toml", example)).unwrap_or_else(|problems| panic!("{problems}"));
    // The ASNs of an example are nobody's.
    let is_of_example =
        |key: &str| key.starts_with("communities.peer_as_aliases.") || key == "client.asn";
    let warnings = config.warnings.iter().filter(|it| !is_of_example(&it.key));
    let warnings: Vec<String> = warnings.map(ToString::to_string).collect();
    assert_eq!(warnings, Vec::<String>::new());
    let names: Vec<&str> = config.clients.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["example-v4", "example-v6", "content", "small"]);
    let are_bogons = |asn| BOGON_ASNS.iter().any(|range| range.contains(&asn));
    assert!(!config.clients.iter().any(|c| are_bogons(c.asn)));
    let of_peeringdb = config.clients[0].limits[0].received_max;
    assert_eq!(of_peeringdb, Some(230), "(100 + 100) × 1.15");
    assert_eq!(config.clients[0].rtt_us, Some(400));
}

#[test]
fn the_tables_of_the_page_are_those_of_the_code() {
    let page = page();
    let mut missing = Vec::new();
    let mut look_for = |row: String| {
        if !page.contains(&row) {
            missing.push(row);
        }
    };
    for reason in RejectReason::ALL {
        let numbers = [RejectNumbers::IxpManager, RejectNumbers::Arouteserver];
        let [ixp_manager, arouteserver] = numbers.map(|numbers| reason.number(numbers));
        look_for(format!(
            "\n| `{reason}` | {ixp_manager} | {arouteserver} | {} |\n",
            reason.text()
        ));
    }
    for action in ControlAction::ALL {
        let forms = action.default_forms().iter();
        let forms: Vec<String> = forms.map(|form| format!("`{form}`")).collect();
        let forms = match forms.is_empty() {
            true => "none".to_owned(),
            false => forms.join(", "),
        };
        look_for(format!("\n| `{}` | {forms} |\n", action.name()));
    }
    for tag in InfoTag::ALL {
        look_for(format!("`{}`", tag.name()));
    }
    assert_eq!(missing, Vec::<String>::new());
}
