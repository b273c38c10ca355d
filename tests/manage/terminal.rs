//! What a terminal sees: `script` makes one.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::{Server, THREE};

/// What the command shows in a terminal of that many columns; `keys` are typed once something is there.
fn shown(server: &Server, columns: u16, words: &str, keys: &str) -> (bool, String) {
    let (program, api) = (env!("CARGO_BIN_EXE_rialto"), server.api);
    let command = format!("stty cols {columns} rows 12; exec '{program}' {words} --api {api}");
    let mut script = Command::new("script")
        .args([
            "--quiet",
            "--flush",
            "--return",
            "--command",
            &command,
            "/dev/null",
        ])
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("util-linux has it");
    let (mut typed, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    let mut is_typed = keys.is_empty();
    while let Ok(count @ 1..) = screen.read(&mut piece) {
        text.extend_from_slice(&piece[..count]);
        if !is_typed && String::from_utf8_lossy(&text).contains("q ends it") {
            typed.write_all(keys.as_bytes()).unwrap();
            typed.flush().unwrap();
            is_typed = true;
        }
    }
    let text = String::from_utf8_lossy(&text).replace('\r', "");
    (script.wait().unwrap().success(), text)
}

fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain += before;
        let end = after.find(|letter: char| letter.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    plain + rest
}

#[test]
fn a_table_fits_its_terminal_and_has_colours_there() {
    let server = Server::start(THREE);
    server.data.up(0);
    server.data.with(|state| {
        state.core.clients[1].last_error =
            Some("peer closed the TCP connection without a word".to_owned());
    });
    for columns in [140, 110, 80, 60, 40, 20] {
        let (is_well, text) = shown(&server, columns, "show clients", "");
        assert!(is_well, "{text}");
        let plain = without_colours(&text);
        let table: Vec<&str> = plain.lines().take(4).collect();
        for line in &table {
            assert!(
                line.chars().count() <= columns.into(),
                "{columns}: '{line}'"
            );
        }
        assert!(table[1].starts_with("AS10001-1"), "{columns}: {plain}");
        let has_address = plain.contains("192.0.2.1");
        assert_eq!(has_address, columns >= 100, "{columns}: {plain}");
        assert!(text.contains("\x1b[32mEs"), "up is green: {text:?}");
    }
    let (_, text) = shown(&server, 80, "show clients --json", "");
    assert!(!text.contains('\x1b'), "JSON has none");
}

#[test]
fn what_is_watched_ends_with_a_key_and_leaves_the_terminal_as_it_was() {
    let server = Server::start(THREE);
    for keys in ["q", "\x03"] {
        let (is_well, text) = shown(&server, 70, "show clients --watch 1", keys);
        assert!(is_well, "{text}");
        let (enter, leave) = ("\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l");
        let screen = text.split(enter).nth(1).expect("the other screen");
        assert!(screen.ends_with(leave), "{text:?}");
        assert!(without_colours(screen).contains("AS10001-1"), "{text:?}");
    }
    // A server that is not there is told at once.
    let (is_well, text) = shown(&server, 70, "show client fourth --watch", "q");
    assert!(
        !is_well && text.contains("there is no client 'fourth'"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text:?}");
}
