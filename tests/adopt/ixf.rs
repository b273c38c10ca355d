//! IX-F member exports.

use std::fs;

use rialto::adopt::ixf::{Choice, adopt};
use rialto::adopt::{AdoptError, Adopted};
use serde_json::{Value, json};

use super::{assert_golden, example, noted, parsed};

fn adopted(export: &Value, choice: &Choice) -> Result<Adopted, AdoptError> {
    adopt("members.json", &export.to_string(), choice)
}

/// An export with one member, whose one IPv4 address has `details` beside it.
fn export(version: &str, details: Value) -> Value {
    let mut ipv4 = json!({ "address": "192.0.2.1", "routeserver": true });
    for (key, value) in details.as_object().expect("details have keys") {
        ipv4[key] = value.clone();
    }
    json!({
        "version": version,
        "ixp_list": [{ "ixp_id": 1, "shortname": "X", "vlan": [{ "id": 7, "name": "Peering" }] }],
        "member_list": [{
            "asnum": 64496,
            "name": "Alpha",
            "connection_list": [{ "ixp_id": 1, "vlan_list": [{ "vlan_id": 7, "ipv4": ipv4 }] }],
        }],
    })
}

fn whole() -> Choice {
    Choice {
        server_asn: Some(64500),
        router_id: Some([192, 0, 2, 254].into()),
        ..Choice::default()
    }
}

#[test]
fn an_example_of_most_that_there_is() {
    let text = fs::read_to_string(example("members.json")).expect("it is there");
    let adopted = adopt("members.json", &text, &Choice::default()).expect("it is read");
    assert_golden(&adopted, "ixf.toml");
    assert_eq!(adopted.client_count, 9);
}

#[test]
fn who_is_a_client() {
    let all = Choice {
        all: true,
        ..whole()
    };
    let cases = [
        ("who says so", "1.0", json!({}), whole(), 1),
        (
            "not who says no",
            "1.0",
            json!({ "routeserver": false }),
            whole(),
            0,
        ),
        (
            "not who does not say",
            "0.6",
            json!({ "routeserver": null }),
            whole(),
            0,
        ),
        (
            "with --all, all",
            "0.6",
            json!({ "routeserver": null }),
            all.clone(),
            1,
        ),
        (
            "never a route server of 1.0",
            "1.0",
            json!({ "services": [{ "type": "ixrouteserver" }] }),
            all.clone(),
            0,
        ),
        (
            "never a route server of 0.7",
            "0.7",
            json!({ "service_type": ["ixrouteserver"] }),
            all.clone(),
            0,
        ),
        (
            "never a collector",
            "1.0",
            json!({ "services": [{ "type": "ixroutecollector" }] }),
            all,
            0,
        ),
        (
            "in the LAN that is chosen",
            "1.0",
            json!({}),
            Choice {
                vlan: Some(7),
                ..whole()
            },
            1,
        ),
        (
            "not in another LAN",
            "1.0",
            json!({}),
            Choice {
                vlan: Some(8),
                ..whole()
            },
            0,
        ),
        (
            "not at another exchange",
            "1.0",
            json!({}),
            Choice {
                ixp: Some(2),
                ..whole()
            },
            0,
        ),
    ];
    for (case, version, details, choice, expected) in cases {
        let adopted = adopted(&export(version, details), &choice);
        let count = adopted.map_or(0, |adopted| adopted.client_count);
        assert_eq!(count, expected, "{case}");
    }
}

#[test]
fn a_member_of_type_routeserver_is_the_server() {
    let mut export = export("0.6", json!({}));
    let mut server = export["member_list"][0].clone();
    server["asnum"] = json!(64500);
    server["member_type"] = json!("routeserver");
    server["connection_list"][0]["vlan_list"][0]["ipv4"]["address"] = json!("192.0.2.254");
    export["member_list"]
        .as_array_mut()
        .expect("a list")
        .push(server);
    let adopted = adopted(&export, &Choice::default()).expect("it is read");
    let server = &parsed(&adopted)["server"];
    assert_eq!(server["asn"].as_integer(), Some(64500));
    assert_eq!(server["router_id"].as_str(), Some("192.0.2.254"));
    assert_eq!(adopted.client_count, 1);
}

#[test]
fn what_is_noted() {
    let cases: &[(&str, &str, Value, Choice, &[&str])] = &[
        (
            "nothing but the IRR",
            "1.0",
            json!({}),
            whole(),
            &["ToDo as_macro"],
        ),
        (
            "a version that nobody knows",
            "2.0",
            json!({}),
            whole(),
            &["ToDo as_macro", "NotUnderstood version"],
        ),
        (
            "what the export does not say",
            "1.0",
            json!({}),
            Choice::default(),
            &[
                "ToDo (server.asn)",
                "ToDo (server.router_id)",
                "ToDo as_macro",
            ],
        ),
        (
            "an address that is none",
            "1.0",
            json!({ "address": "2001:db8::1" }),
            whole(),
            &[
                "ToDo as_macro",
                "NotUnderstood member_list[0].connection_list[0].vlan_list[0].ipv4.address",
            ],
        ),
        (
            "an AS-SET that is none",
            "1.0",
            json!({ "as_macro": "AS-" }),
            whole(),
            &[
                "ToDo as_macro",
                "NotUnderstood member_list[0].connection_list[0].vlan_list[0].ipv4.as_macro",
            ],
        ),
    ];
    for (case, version, details, choice, expected) in cases {
        let adopted = adopted(&export(version, details.clone()), choice).expect("it is read");
        assert_eq!(noted(&adopted), *expected, "{case}");
    }
}

#[test]
fn what_is_no_export_is_said_to_be_none() {
    let cases = [
        ("no JSON", "{\"version\": \n", "members.json: is not JSON: "),
        (
            "no member list",
            "{}",
            "members.json: there is no \"member_list\" in it",
        ),
        (
            "no clients",
            "{\"version\": \"1.0\", \"member_list\": []}",
            "members.json: there are no addresses of members in it",
        ),
    ];
    for (case, text, expected) in cases {
        let error = adopt("members.json", text, &whole())
            .expect_err(case)
            .to_string();
        assert!(error.starts_with(expected), "{case}: {error}");
    }
    let error = adopt("members.json", "{\n\"a\": ,", &whole()).expect_err("no JSON");
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn where_there_is_nobody_the_lans_are_listed() {
    let text = fs::read_to_string(example("members.json")).expect("it is there");
    let lans = "--ixp and --vlan choose one of IXP 1 (EXAMPLE-IX): VLANs 7 (Peering LAN), \
                8 (Quarantine LAN)";
    let cases = [
        (
            "a VLAN that is not there",
            (None, Some(99)),
            "members.json: there are no addresses of members in VLAN 99; ",
        ),
        (
            "an exchange that is not there",
            (Some(3), None),
            "members.json: there are no addresses of members in IXP 3; ",
        ),
        (
            "a VLAN of another exchange",
            (Some(3), Some(7)),
            "members.json: there are no addresses of members in IXP 3, VLAN 7; ",
        ),
        (
            "a VLAN without clients",
            (None, Some(8)),
            "members.json: of 1 addresses in VLAN 8 none is said to connect to the route servers; \
             --all takes them too; ",
        ),
    ];
    for (case, (ixp, vlan), expected) in cases {
        let choice = Choice {
            ixp,
            vlan,
            ..whole()
        };
        let error = adopt("members.json", &text, &choice)
            .expect_err(case)
            .to_string();
        assert_eq!(error, format!("{expected}{lans}"), "{case}");
    }
}

#[test]
fn of_several_lans_one_must_be_chosen() {
    let mut export = export("1.0", json!({}));
    let vlans = &mut export["member_list"][0]["connection_list"][0]["vlan_list"];
    vlans.as_array_mut().expect("a list").push(json!({
        "vlan_id": 9,
        "ipv4": { "address": "198.51.100.1", "routeserver": true },
    }));
    let error = adopted(&export, &whole())
        .expect_err("there are two")
        .to_string();
    assert!(
        error.contains("7 (Peering), 9; choose one with --vlan"),
        "{error}"
    );
    let choice = Choice {
        vlan: Some(9),
        ..whole()
    };
    let adopted = adopted(&export, &choice).expect("it is read");
    assert!(adopted.text.contains("198.51.100.1") && adopted.client_count == 1);
}
