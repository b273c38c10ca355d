//! Exit statuses: 0 done and well, 1 it ran and something is wrong, 2 the words are.

mod bfd;
mod data;
mod package;
mod process;
mod run;

use std::fs;
use std::process::{Command, Output};

pub fn rialto(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rialto"))
        .args(words)
        .output()
        .expect("the binary runs")
}

fn status(words: &[&str]) -> i32 {
    rialto(words).status.code().expect("it was not killed")
}

#[test]
fn wrong_words_end_with_two() {
    let cases: &[&[&str]] = &[
        &[],
        &["walk"],
        &["check"],
        &["check", "--config"],
        &["run"],
        &["show"],
        &["show", "route"],
        &["show", "route", "192.0.2.0/33"],
        &["show", "route", "nonsense"],
        &["show", "routes", "--client", "a"],
        &[
            "show",
            "routes",
            "--client",
            "a",
            "--received",
            "--accepted",
        ],
        &["show", "summary", "--api", "no-port"],
        &["explain", "192.0.2.0/24"],
        &["reload", "--confirm", "0s"],
        &["reload", "--confirm", "soon"],
        &["reload", "--confirmed", "--dry-run"],
        &["reload", "--confirm", "60s", "--dry-run"],
        &["reload", "--max-lost", "some"],
        &["reload", "--force", "--max-lost", "1%"],
        &["reload", "--force", "--max-restarts", "0"],
        &["drain", "--undo", "--stop"],
        &["drain", "--wait", "2d"],
        &["client", "a"],
        &["client", "a", "explode"],
        &["client", "a", "trace", "--for", "2h"],
        &["client", "a", "trace", "--for", "0s"],
        &["show", "clients", "--sort", "beauty"],
        &["show", "clients", "--watch", "0"],
        &["show", "clients", "--watch", "--json"],
        &["report"],
        &["report", "a", "--section", "all"],
        &["diff"],
        &["diff", "--api", "127.0.0.1:1"],
        &[
            "diff",
            "--api",
            "127.0.0.1:1",
            "--api",
            "127.0.0.1:2",
            "--api",
            "127.0.0.1:3",
        ],
        &[
            "diff",
            "--api",
            "127.0.0.1:1",
            "--api",
            "127.0.0.1:2",
            "--birdwatcher",
            "127.0.0.1:3",
        ],
        &["client", "a", "quarantine", "perhaps"],
        &["client", "a", "disable", "--message", &"x".repeat(256)],
    ];
    for words in cases {
        assert_eq!(status(words), 2, "rialto {}", words.join(" "));
    }
}

#[test]
fn help_and_version_end_with_zero() {
    for words in [
        &["--help"][..],
        &["--version"],
        &["show", "--help"],
        &["client", "a", "disable", "--help"],
    ] {
        assert_eq!(status(words), 0, "rialto {}", words.join(" "));
    }
}

#[test]
fn check_ends_with_one_where_something_is_wrong_and_says_what() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rialto.toml");
    let name = file.to_str().unwrap();
    for command in ["check", "run"] {
        let output = rialto(&[command, "--config", name]);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains(&format!("{name}:1: error: cannot read {name}: "))
                && text.contains("name another with --config"),
            "{text}"
        );
    }
    fs::write(&file, [0xff, 0xfe]).unwrap();
    let output = rialto(&["check", "--config", name]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("is no UTF-8 text"), "{text}");

    fs::write(&file, "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n[[client]]\nasn = 1\naddres = \"192.0.2.1\"\n").unwrap();
    let output = rialto(&["check", "--config", name]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!(
            "{name}:6: error: client.addres: unknown key; did you mean 'address'?"
        )),
        "{text}"
    );
    assert!(text.ends_with("2 errors\n"), "{text}");

    let output = rialto(&["check", "--json", "--config", name]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &json["good"]),
        (Some(1), &serde_json::json!(false))
    );
    assert_eq!(json["problems"][1]["place"]["line"], 6);

    fs::write(&file, "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n[[client]]\nasn = 1\naddress = \"192.0.2.1\"\n").unwrap();
    let output = rialto(&["check", "--config", name]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("AS1-1  AS1 at 192.0.2.1: ipv4, hold 90 s, passive"),
        "{text}"
    );
    assert!(
        text.contains("next_hop strict") && text.contains("bogon_asns"),
        "{text}"
    );
    let output = rialto(&["check", "--json", "--config", name]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["effective"]["clients"][0]["name"], "AS1-1");
}
