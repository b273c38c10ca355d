//! The OpenAPI document says what is there, all of it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

use super::{Server, THREE};

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = include_str!("../../src/manage/openapi.json");
        serde_json::from_str(text).expect("it is JSON")
    })
}

/// What the document describes: not the pages, not the protocols of others.
fn is_described(path: &str) -> bool {
    let alone = ["/healthz", "/readyz", "/metrics"];
    path.starts_with("/api/v1/") || alone.contains(&path)
}

/// The path of the document that a request's path is one of.
fn template(path: &str) -> Option<&'static str> {
    let parts = path.split('/').collect::<Vec<_>>();
    let is_of = |template: &&String| {
        let wanted = template.split('/').collect::<Vec<_>>();
        wanted.len() == parts.len()
            && wanted
                .iter()
                .zip(&parts)
                .all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    let mut paths = document()["paths"].as_object().unwrap().keys();
    paths.find(is_of).map(String::as_str)
}

/// Every answer in these tests comes through here.
pub fn check(path: &str, status: u16, head: &str, body: &str) {
    let bare = path.split('?').next().unwrap();
    if !is_described(bare) {
        return;
    }
    let Some(template) = template(bare) else {
        assert_eq!(status, 404, "{path} is not in the document");
        return;
    };
    let responses = &document()["paths"][template]["get"]["responses"];
    let described = &responses[status.to_string()];
    assert!(
        described.is_object(),
        "{path}: {status} is not in the document"
    );
    let content = described["content"].as_object().unwrap();
    let is_sent = |kind: &str| head.contains(&format!("content-type: {kind}"));
    let sent = content.iter().find(|(kind, _)| is_sent(kind));
    let (kind, of_kind) = sent.unwrap_or_else(|| panic!("{path} is none of {content:?}: {head}"));
    if kind == "application/json" {
        let value = serde_json::from_str(body).unwrap();
        validate(&of_kind["schema"], &value, path);
    }
}

pub fn validate(schema: &Value, value: &Value, what: &str) {
    type Validators = BTreeMap<String, jsonschema::Validator>;
    static VALIDATORS: Mutex<Validators> = Mutex::new(BTreeMap::new());
    let mut validators = VALIDATORS.lock().unwrap_or_else(|error| error.into_inner());
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = document()["components"].clone();
        jsonschema::draft202012::new(&whole).expect("it is a schema")
    });
    let errors = validator.iter_errors(value);
    let errors = errors.map(|error| format!("{}: {error}", error.instance_path()));
    assert_eq!(
        errors.collect::<Vec<_>>(),
        Vec::<String>::new(),
        "{what}: {value:#}"
    );
}

/// The paths of all routers, as they stand in the sources.
fn routes(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routes(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let calls = text.split(".route(").skip(1);
            let first = calls.filter_map(|rest| rest.trim_start().strip_prefix('"'));
            found.extend(
                first
                    .filter_map(|rest| rest.split('"').next())
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn every_route_of_the_api_is_in_the_document_and_no_other() {
    let mut found = BTreeSet::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manage");
    routes(&sources, &mut found);
    found.retain(|path| is_described(path));
    assert!(found.len() > 10, "{found:?}");
    let described = document()["paths"].as_object().unwrap().keys();
    assert_eq!(found, described.cloned().collect::<BTreeSet<_>>());
}

#[test]
fn the_document_is_served_as_it_is_and_what_it_names_is_there() {
    let server = Server::start(THREE);
    assert_eq!(&server.json("/api/v1/openapi.json"), document());
    for (path, methods) in document()["paths"].as_object().unwrap() {
        if path == "/api/v1/events" {
            continue;
        }
        let parameters = methods["get"]["parameters"].as_array();
        let required = parameters
            .into_iter()
            .flatten()
            .filter(|one| one["required"] == true);
        let value = |one: &Value| match one["name"].as_str().unwrap() {
            "prefix" => "192.0.2.0/24",
            "which" => "advertised",
            _ => "third",
        };
        let mut query = String::from("?");
        let mut asked = path.clone();
        for one in required {
            let (name, value) = (one["name"].as_str().unwrap(), value(one));
            match one["in"].as_str() {
                Some("path") => asked = asked.replace(&format!("{{{name}}}"), value),
                _ => query += &format!("{name}={value}&"),
            }
        }
        let (status, body) = server.get(&(asked + query.trim_end_matches(['?', '&'])));
        assert!(
            status == 200 || path == "/readyz",
            "{path}: {status} {body}"
        );
    }
}

#[test]
fn a_field_that_the_document_does_not_know_is_found_out() {
    let error = json!({"error": "so it is", "more": 1});
    let schema = json!({"$ref": "#/components/schemas/Error"});
    let found = std::panic::catch_unwind(|| validate(&schema, &error, "an error"));
    assert!(found.is_err());
    validate(&schema, &json!({"error": "so it is"}), "an error");
}
