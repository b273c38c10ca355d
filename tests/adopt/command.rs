//! `rialto import`: what it writes where, and how it ends.

use std::fs;
use std::process::Output;

use super::example;
use crate::cli::rialto;

fn run(words: &[&str]) -> (Output, String) {
    let output = rialto(&[&["import", "arouteserver"], words].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, told)
}

#[test]
fn the_command_writes_the_configuration_its_keys_and_the_list() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("rialto.toml");
    let [general, clients] = ["general.yml", "clients.yml"].map(example);
    let words = [&general, &clients, &output].map(|file| file.to_str().expect("UTF-8"));
    let (ran, told) = run(&[words[0], words[1], "--output", words[2], "--keys", "keys"]);
    assert_eq!(ran.status.code(), Some(0), "{told}");
    assert!(ran.stdout.is_empty());
    assert!(
        told.contains("cfg.filtering.irrdb.peering_db (general.yml:"),
        "{told}"
    );
    assert!(!told.contains("secret"), "{told}");
    let text = fs::read_to_string(&output).expect("it is written");
    assert!(text.contains("password_file = \"keys/AS64499-1\""));
    let key = folder.path().join("keys/AS64499-1");
    assert_eq!(
        fs::read_to_string(&key).expect("it is there"),
        "another secret\n"
    );
    let mode = fs::metadata(&key)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_command_ends_with_one_where_nothing_can_be_read() {
    let clients = example("clients.yml");
    let clients = clients.to_str().expect("UTF-8");
    let (ran, told) = run(&[clients, clients]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(told.contains("clients.yml: there is no \"cfg\""), "{told}");
    assert!(ran.stdout.is_empty());
}

#[test]
fn the_command_ends_well_with_a_list_and_with_one_where_there_is_nothing() {
    let file = example("members.json");
    let file = file.to_str().expect("UTF-8");
    let ran = rialto(&["import", "ixf", file]);
    assert_eq!(ran.status.code(), Some(0));
    let expected = fs::read(example("ixf.toml")).expect("it is there");
    assert_eq!(ran.stdout, expected);
    assert!(String::from_utf8_lossy(&ran.stderr).contains("Left to do by hand:"));
    let ran = rialto(&["import", "ixf", file, "--vlan", "99"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stdout.is_empty());
}
