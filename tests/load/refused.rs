//! Servers that are not there, or do not want these clients: told within seconds, with what to do.

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;

use super::{RIALTO, free_port, load, serve, wait_until};

/// Standard error and standard output of a load that must fail, and not for want of time.
fn fails(words: &[&str]) -> (String, String) {
    let output = load(&[words, &["--clients", "3", "--timeout", "120"]].concat());
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    let (err, out) = (text(output.stderr), text(output.stdout));
    assert_eq!(output.status.code(), Some(1), "{err}{out}");
    (err, out)
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn nothing_that_listens_is_told_with_the_target_and_the_remedy() {
    let target = format!("127.0.0.1:{}", free_port());
    let words = ["--target", &target, "--connect-timeout", "1"];
    let (err, out) = fails(&words);
    let parts = [
        &format!("rialto load: no connection to {target}: Connection refused"),
        "say where it listens with --target ADDR:PORT",
    ];
    contains(&err, &parts);
    assert_eq!(out, "", "no table of what nobody has");

    let (err, out) = fails(&[&words[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["ok"], &report["given_up"]),
        (&false.into(), &true.into())
    );
    assert!(
        err.contains(report["connect_error"].as_str().unwrap()),
        "{err}"
    );
}

#[test]
fn a_net_that_is_not_this_machines_is_told_at_once() {
    let target = format!("127.0.0.1:{}", free_port());
    let words = ["--target", &target, "--source-net", "198.18.0.0/16"];
    let (err, _) = fails(&words);
    contains(&err, &["cannot use its address 198.18.1.1", "--source-net"]);
}

#[test]
fn a_server_that_takes_none_of_the_clients_is_told_with_its_notification() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rialto.toml");
    let target = format!("127.0.0.1:{}", free_port());
    let plan = ["--target", &target, "--connect-timeout", "3"];
    let words = [&plan[..], &["--clients", "3", "--print-config"]].concat();
    let printed = String::from_utf8(load(&words).stdout).unwrap();
    let api = format!("[api]\nlisten = \"127.0.0.1:{}\"\n", free_port());
    type Change = fn(&str) -> String;
    let cases: [(Change, &str); 2] = [
        (
            |config| config.replace("asn = 100", "asn = 110"),
            "for AS10000-1, the server sent NOTIFICATION 2/2 OPEN Message Error / Bad Peer AS",
        ),
        (
            |config| config.replace("127.77.1.", "127.77.9."),
            "it closed each connection without a NOTIFICATION",
        ),
    ];
    for (change, reason) in cases {
        fs::write(&config, change(&printed) + &api).unwrap();
        let _server = serve(&config);
        wait_until("the server listens", || TcpStream::connect(&target).is_ok());
        let (err, _) = fails(&plan);
        let head = format!("the route server at {target} takes none of these clients");
        contains(
            &err,
            &[
                &head,
                "AS10000-1 is at 127.77.1.1",
                reason,
                "--print-config",
            ],
        );
    }
}

#[test]
fn a_server_asn_that_is_not_the_servers_is_remarked() {
    let plan = ["--clients", "3", "--prefixes", "60"];
    let words = [
        "--server-asn",
        "64501",
        "--timeout",
        "60",
        "--patience",
        "2",
    ];
    let (ok, report) = super::run(&plan, &words, |config| config);
    assert!(!ok, "{report:#}");
    let remark = report["remarks"][0].as_str().unwrap();
    assert!(
        remark.contains("says AS64500, --server-asn is 64501"),
        "{remark}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    for words in [
        &["load", "--print-config", "--clients", "5000"][..],
        &["demo", "--clients", "3", "--prefixes", "100"],
    ] {
        let mut child = std::process::Command::new(RIALTO)
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{words:?}");
    }
}

#[test]
fn a_configuration_that_cannot_be_written_names_its_file() {
    let output = load(&["--write-config", "/nowhere/rialto.toml"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    contains(
        &text,
        &["cannot write /nowhere/rialto.toml", "--write-config"],
    );
}

#[test]
fn what_made_the_tables_wrong_is_remarked_where_it_is_the_measurement() {
    let plan = ["--clients", "4", "--prefixes", "100"];
    let remark = |words: &[&str]| {
        let (ok, report) = super::run(&plan, words, |config| config);
        assert!(!ok, "{report:#}");
        report["remarks"][0].as_str().unwrap_or_default().to_owned()
    };
    let text = remark(&["--add-path-clients", "2", "--patience", "2"]);
    assert!(text.contains("2 clients asked for ADD-PATH"), "{text}");
    let words = ["--scenario", "churn", "--duration", "30", "--timeout", "3"];
    let text = remark(&words);
    assert!(text.contains("--timeout 3"), "{text}");
}

#[test]
fn one_client_that_is_refused_is_named_and_not_waited_for_long() {
    let plan = ["--clients", "4", "--prefixes", "100"];
    let words = ["--patience", "3", "--timeout", "100"];
    let (ok, report) = super::run(&plan, &words, |config| {
        config.replace("asn = 10002", "asn = 10099")
    });
    assert!(!ok, "{report:#}");
    let why = report["connect_error"].as_str().unwrap();
    assert!(
        why.starts_with("AS10002-1: the server sent NOTIFICATION 2/2"),
        "{why}"
    );
    let took = report["steps"][0]["took_s"].as_f64().unwrap();
    assert!(took < 8.0, "three times the patience: {took}");
}

#[test]
fn a_demo_without_a_place_for_its_files_says_so_and_makes_none() {
    let output = std::process::Command::new(RIALTO)
        .arg("demo")
        .env("TMPDIR", "/tmp/rialto-no-such-folder")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    contains(&text, &["/tmp/rialto-no-such-folder", "TMPDIR"]);
    assert!(!std::path::Path::new("/tmp/rialto-no-such-folder").exists());
}
