//! Changes over the control socket: each a new generation, or none and the reason.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use rialto::server::query::CoreCommand;
use serde_json::{Value, json};

use super::{Server, THREE};

#[test]
fn the_socket_is_for_owner_and_group_and_goes_with_the_server() {
    let server = Server::start(THREE);
    let socket = server.socket();
    assert_eq!(
        std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o660
    );
    assert_eq!(server.says(&["show", "summary"]).0, 0);
    server.stop(|| assert!(!socket.exists(), "it is gone before its folder is"));
}

#[test]
fn lines_that_make_no_sense_are_answered_and_the_next_one_is_served() {
    let server = Server::start(THREE);
    let mut stream = UnixStream::connect(server.socket()).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut ask = |line: &str| -> Value {
        writeln!(stream, "{line}").unwrap();
        serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap()
    };
    assert_eq!(ask("nonsense")["ok"], false);
    assert_eq!(ask("{\"do\":\"explode\"}")["ok"], false);
    let long = json!({"do": "disable", "client": "third", "message": "x".repeat(256)});
    assert_eq!(
        ask(&long.to_string())["text"],
        "the message has 256 octets, RFC 9003 allows 255"
    );
    assert_eq!(
        ask("{\"do\":\"reload\"}"),
        json!({"ok": true, "text": "nothing changed", "changes": {
            "added": [], "removed": [], "changed": [], "sections": [], "at_next_start": []
        }})
    );
}

#[test]
fn a_client_is_disabled_until_it_is_enabled_whatever_is_reloaded() {
    let server = Server::start(THREE);
    let (status, text) = server.says(&["client", "third", "disable", "--message", "see ticket 7"]);
    assert_eq!(
        (status, text.as_str()),
        (
            0,
            "third is disabled, until it is enabled or the server starts again\n"
        )
    );
    let disabled = || {
        server.data.with(|state| {
            state
                .exchange
                .client_named("third")
                .unwrap()
                .disabled
                .clone()
        })
    };
    assert_eq!(disabled().as_deref(), Some("see ticket 7"));
    let (_, text) = server.says(&["show", "clients"]);
    assert!(text.contains("DISABLED \"see ticket 7\""), "{text}");

    server.write_clients(&format!(
        "{THREE}[[client]]\nasn = 10004\naddress = \"192.0.2.4\"\n"
    ));
    assert_eq!(
        server.says(&["reload"]),
        (0, "added: AS10004-1\n".to_owned())
    );
    assert_eq!(disabled().as_deref(), Some("see ticket 7"));
    assert_eq!(
        server.says(&["client", "third", "reset"]),
        (
            1,
            "third is disabled; let it back first: rialto client third enable\n".to_owned()
        )
    );

    assert_eq!(
        server.says(&["client", "192.0.2.3", "enable"]),
        (0, "third is enabled\n".to_owned())
    );
    assert_eq!(disabled(), None);
    assert_eq!(
        server
            .data
            .with(|state| (state.reload_count, state.exchange.generation.0)),
        (3, 4)
    );
}

#[test]
fn a_client_is_quarantined_and_let_go() {
    let server = Server::start(THREE);
    let quarantined = || {
        server
            .data
            .with(|state| state.exchange.client_named("third").unwrap().quarantined)
    };
    assert_eq!(server.says(&["client", "third", "quarantine"]).0, 0);
    assert!(quarantined());
    assert_eq!(server.json("/api/v1/summary")["quarantined"], 1);
    assert_eq!(server.says(&["client", "third", "quarantine", "off"]).0, 0);
    assert!(!quarantined());
}

#[test]
fn reset_and_refresh_go_to_the_session_core_of_the_client() {
    let server = Server::start(THREE);
    server.data.up(2);
    assert_eq!(
        server.says(&["client", "third", "reset", "--message", "bye"]),
        (0, "the session of third was reset\n".to_owned())
    );
    assert_eq!(
        server.says(&["client", "third", "refresh"]),
        (0, "third was asked for its routes\n".to_owned())
    );
    server.data.with(|state| {
        let [
            CoreCommand::Reset {
                slot: reset,
                message,
            },
            CoreCommand::Refresh { slot: refreshed },
        ] = &state.commands[..]
        else {
            panic!("{:?}", state.commands)
        };
        assert_eq!((reset.0, message.as_str(), refreshed.0), (2, "bye", 2));
        state.refusal = Some("it cannot".to_owned());
    });
    assert_eq!(
        server.says(&["client", "third", "refresh"]),
        (1, "third: it cannot\n".to_owned())
    );
    assert_eq!(
        server.says(&["client", "third", "enable"]),
        (0, "third was enabled already\n".to_owned())
    );
    assert_eq!(
        server.says(&["client", "fourth", "enable"]),
        (
            1,
            "there is no client 'fourth'; rialto show clients lists them\n".to_owned()
        )
    );
}

#[test]
fn a_client_that_a_limit_holds_down_is_let_back_by_enable() {
    let server = Server::start(THREE);
    server
        .data
        .with(|state| state.core.clients[2].state = "Idle");
    assert_eq!(
        server.says(&["client", "third", "enable"]),
        (0, "third may come back\n".to_owned())
    );
    assert!(
        server
            .data
            .with(|state| matches!(state.commands[..], [CoreCommand::Reset { .. }]))
    );
}

#[test]
fn a_reload_says_what_it_changed_and_keeps_the_slots_of_the_others() {
    let server = Server::start(THREE);
    let two = "[communities]\nprecedence = \"large_first\"\n\
               [[client]]\nasn = 10003\naddress = \"192.0.2.3\"\nname = \"third\"\nhold_time = 30\nadd_path = true\n\
               [[client]]\nasn = 10009\naddress = \"192.0.2.9\"\n[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n";
    server.write_clients(two);
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    let expected = "added: AS10009-1\nremoved: AS10002-1\nchanged: third (hold_time, add_path)\nchanged for everyone: communities\n";
    assert_eq!(text, expected);
    let slots = server.data.with(|state| {
        let slot = |name: &str| state.exchange.client_named(name).unwrap().slot.0;
        [slot("AS10001-1"), slot("third"), slot("AS10009-1")]
    });
    assert_eq!(slots, [0, 2, 3]);
}

#[test]
fn what_a_reload_could_not_do_is_a_problem_until_a_reload_can() {
    let server = Server::start(THREE);
    let complain = |count: usize| {
        let complaints = (0..count).map(|index| format!("no key {index}")).collect();
        server.data.with(|state| state.complaints = complaints);
    };
    complain(1);
    server.write_clients(&THREE.replace("third", "3rd"));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(
        (status, text.as_str()),
        (1, "changed: 3rd (name)\nPROBLEM: no key 0\n")
    );
    assert_eq!(
        server.says(&["reload"]),
        (1, "PROBLEM: no key 0\n".to_owned()),
        "tried again, though the file is the same"
    );
    complain(7);
    let (status, text) = server.says(&["reload"]);
    assert_eq!((status, text.lines().count()), (1, 6), "{text}");
    assert!(text.contains("2 more"), "{text}");
    complain(0);
    assert_eq!(
        server.says(&["reload"]),
        (0, "nothing changed\n".to_owned())
    );
    let reload_count = || server.data.with(|state| state.reload_count);
    assert_eq!(reload_count(), 4);
    let stats_count = server.data.with(|state| state.stats_count);
    // Each command looks at the summary once, which asks two shards.
    assert_eq!(stats_count, 4 * 2, "waiting for threads asks for none");
    server.says(&["reload"]);
    assert_eq!(reload_count(), 4, "nothing is left to be done");
}

#[test]
fn a_reload_that_cannot_be_changes_nothing() {
    let server = Server::start(THREE);
    std::fs::write(server.file(), "[server]\nasn = 64500\n").unwrap();
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 1);
    assert!(
        text.contains("nothing was changed\n")
            && text.contains("rialto.toml:1: error: server.router_id: is missing"),
        "{text}"
    );

    let other = super::HEAD
        .replace("shards = 2", "shards = 3")
        .replace("asn = 64500", "asn = 64501");
    std::fs::write(server.file(), format!("{other}{THREE}")).unwrap();
    let file = server.file().display().to_string();
    let expected = format!(
        "{file}:2: server.asn changed\n{file}:5: cores changed\nwhich needs a restart; nothing was \
         changed. Undo that, or restart the server\n"
    );
    assert_eq!(server.says(&["reload"]), (1, expected));

    let other = super::HEAD.replace("[api]", "[log]\nlevel = \"debug\"\n[api]");
    std::fs::write(server.file(), format!("{other}{THREE}")).unwrap();
    assert_eq!(
        server.says(&["reload"]),
        (0, "takes effect at the next start: log\n".to_owned())
    );
    assert_eq!(server.data.with(|state| state.reload_count), 0);
}

#[test]
fn commands_find_the_socket_by_configuration_too() {
    let server = Server::start(THREE);
    let file = server.file();
    let output = crate::cli::rialto(&[
        "client",
        "third",
        "quarantine",
        "--config",
        file.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let socket = server.socket();
    let output = crate::cli::rialto(&["reload", "--json", "--control", socket.to_str().unwrap()]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &answer["ok"]),
        (Some(0), &json!(true))
    );
}

#[test]
fn a_control_socket_that_does_not_answer_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    let left = left.to_str().unwrap();
    let cases: [(&[&str], &str); 3] = [
        (
            &["--control", "/nowhere/rialto.sock"],
            "is this its [control] socket? (--control SOCKET or --config FILE)",
        ),
        (&["--control", left], "has left it: start one"),
        (
            &["--api", "127.0.0.1:1"],
            "name its socket with --control SOCKET or its configuration with --config FILE",
        ),
    ];
    for (words, remedy) in cases {
        let output = crate::cli::rialto(&[&["reload"], words].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(remedy), "{text}");
    }
}

#[test]
fn a_reload_passes_on_what_is_doubtful() {
    let server = Server::start(THREE);
    server.write_clients(&format!(
        "{THREE}[[client]]\nasn = 10004\naddress = \"2001:db8::4\"\n"
    ));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.starts_with("added: AS10004-1\n")
            && text.contains("warning: client.address: 2001:db8::4 can never connect"),
        "{text}"
    );
}
