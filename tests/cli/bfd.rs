//! `contrib/bfd-frr`, fed with what a real bfdd said.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn in_tree(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn program(file: &Path, text: &str) {
    fs::write(file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What the script says and what it has `rialto` do, where bfdd says these one after the other. One
/// that is not there is a vtysh that fails. The client 2001:db8::2 is unknown to `rialto`.
fn follow(looks: &[&str], words: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (index, look) in looks.iter().enumerate() {
        let recorded = in_tree("tests/data/bfd").join(format!("{look}.json"));
        if recorded.exists() {
            fs::copy(recorded, folder.join(format!("{index}.json"))).unwrap();
        }
    }
    let here = folder.display();
    program(
        &folder.join("vtysh"),
        &format!(
            "n=$(cat {here}/n 2>/dev/null || echo 0); echo $((n + 1)) > {here}/n\n\
             [ \"$*\" = '-d bfdd -c show bfd peers json' ] && cat {here}/$n.json"
        ),
    );
    program(
        &folder.join("rialto"),
        &format!(
            "echo \"$*\" >> {here}/done\n\
             [ $2 = 192.0.2.2 ] && echo 'the session was reset' || {{ echo 'no such client' >&2; exit 1; }}"
        ),
    );
    let output = Command::new(in_tree("contrib/bfd-frr"))
        .args(["--config", "rialto.toml", "--every", "0", "--looks"])
        .arg(looks.len().to_string())
        .args(["--vtysh", &format!("{here}/vtysh -d bfdd")])
        .args(["--rialto", &format!("{here}/rialto")])
        .args(words)
        .output()
        .expect("python3 runs it");
    assert!(output.status.success(), "{output:?}");
    let done = fs::read_to_string(folder.join("done")).unwrap_or_default();
    (String::from_utf8(output.stdout).unwrap(), done)
}

const RESET: &str =
    "client 192.0.2.2 reset --message BFD: nothing heard from it --config rialto.toml\n";
const STRANGER: &str =
    "client 2001:db8::2 reset --message BFD: nothing heard from it --config rialto.toml\n";
const ONE_WAY: &str =
    "client 192.0.2.2 reset --message BFD: it hears nothing from here --config rialto.toml\n";

#[test]
fn a_client_that_bfd_has_lost_is_reset_once_each_time() {
    let both = [STRANGER, RESET].concat();
    let cases: [(&str, &[&str], String); 8] = [
        ("all stays up", &["up", "up", "back"], String::new()),
        ("the link is lost", &["up", "lost", "lost"], both.clone()),
        (
            "it is lost, comes back, and is lost again",
            &["up", "lost", "back", "lost"],
            both.repeat(2),
        ),
        (
            "one direction is lost",
            &["up", "oneway"],
            ONE_WAY.to_owned(),
        ),
        (
            "the other side's operator shut it down",
            &["up", "remote-shutdown"],
            String::new(),
        ),
        (
            "it was shut down here",
            &["up", "local-shutdown"],
            String::new(),
        ),
        ("it was never seen up", &["lost", "lost"], String::new()),
        (
            "bfdd was away for a look",
            &["up", "bfdd is away", "lost"],
            both.clone(),
        ),
    ];
    for (case, looks, expected) in cases {
        assert_eq!(follow(looks, &[]).1, expected, "{case}");
    }
}

#[test]
fn what_is_done_and_what_is_not_is_said() {
    let (said, _) = follow(&["up", "lost", "back", "lost", "away", "away", "up"], &[]);
    let stranger = "2001:db8::2 is lost (nothing heard from it), and not reset: no such client";
    let reset = "192.0.2.2 is lost (nothing heard from it): the session was reset";
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..3], [stranger, reset, reset], "{said}");
    assert!(lines[3].starts_with("bfdd does not answer, nothing is done until it does"));
    assert_eq!(lines[4..], ["bfdd answers again"], "{said}");
}

#[test]
fn where_all_are_lost_at_once_none_is_reset() {
    let (said, done) = follow(&["up", "lost"], &["--at-once-max", "1"]);
    assert_eq!(done, "");
    assert!(said.contains("2 peers lost at once"), "{said}");
}
