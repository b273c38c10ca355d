//! Reloads that look first, that are refused, that are taken back; and draining.

use std::sync::Arc;
use std::time::Duration;

use rialto::wire::{AttributeSet, testing::SetBuilder};
use serde_json::{Value, json};

use super::{HEAD, Server, THREE};

/// Three clients, all live; the first announces four prefixes, the second two of them.
pub fn with_routes() -> Server {
    with_routes_under("")
}

/// The same, with sections before the clients.
pub fn with_routes_under(sections: &str) -> Server {
    let server = Server::start(&format!("{sections}{THREE}"));
    (0..3).for_each(|slot| server.data.up(slot));
    server.data.make_live(3);
    for (slot, prefixes) in [(0, 0..4), (1, 2..4)] {
        for number in prefixes {
            let prefix = format!("198.51.{number}.0/24");
            server.data.announce(slot, &prefix, &set(slot), None);
        }
    }
    server
}

pub fn set(slot: u16) -> Arc<AttributeSet> {
    SetBuilder::new()
        .next_hop(std::net::Ipv4Addr::new(192, 0, 2, slot as u8 + 1))
        .as_path(&[10_001 + u32::from(slot)])
        .build()
}

/// The clients, and prefixes that nobody may announce.
fn with_black_list(clients: &str, prefixes: &str) -> String {
    format!("[lists]\nblack_list = [{prefixes}]\n{clients}")
}

fn reload_count(server: &Server) -> usize {
    server.data.with(|state| state.reload_count)
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let server = with_routes();
    server.write_clients(&with_black_list(
        THREE,
        "\"198.51.0.0/24\", \"198.51.3.0/24\"",
    ));
    let (status, text) = server.says(&["reload", "--dry-run"]);
    assert_eq!(status, 0, "{text}");
    let expected = "\
paths     3 of 6 accepted ones rejected (50.0 %), 0 accepted that were not
prefixes  5 of 10 lost (50.0 %), 0 gained; counted for each client that has them

PATHS OF   REJECTED  ACCEPTED  WHY
AS10001-1         2         0  black_list 2
AS10002-1         1         0  black_list 1

black_list  The prefix is on the exchange's black list

PREFIXES AT  LOST  GAINED
AS10002-1       2       0
third           2       0
AS10001-1       1       0

changed for everyone: lists
a dry run: nothing was changed
";
    assert_eq!(text, expected);
    assert_eq!(reload_count(&server), 0);

    // It is what a reload then does.
    assert_eq!(server.says(&["reload"]).0, 0);
    let rejected = server.json("/api/v1/clients/AS10001-1")["client"]["rejected"].clone();
    assert_eq!(
        rejected,
        json!([{"reason": "black_list", "ipv4": 2, "ipv6": 0}])
    );
    server.write_clients(THREE);
    let (_, text) = server.says(&["reload", "--dry-run", "--json"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let rehearsal = &answer["rehearsal"];
    assert_eq!(rehearsal["newly_accepted"], 3, "{text}");
    assert_eq!(rehearsal["gained"], 5, "{text}");
    let why = &rehearsal["announcers"][0]["why_now"][0];
    assert_eq!(
        (&why["reason"], &why["count"]),
        (&json!("black_list"), &json!(2))
    );
    assert_eq!(reload_count(&server), 1);
}

#[test]
fn clients_that_go_and_sessions_that_begin_anew_are_told() {
    let server = with_routes();
    let two = "[[client]]\nasn = 10002\naddress = \"192.0.2.2\"\ndisabled = true\n\
               [[client]]\nasn = 10003\naddress = \"192.0.2.3\"\nname = \"third\"\nhold_time = 30\n";
    server.write_clients(two);
    let (status, text) = server.says(&["reload", "--dry-run"]);
    assert_eq!(status, 0, "{text}");
    for words in [
        "paths     6 of 6 accepted ones rejected (100.0 %)",
        "prefixes  6 of 10 lost (60.0 %)",
        "sessions  of 1 client begin anew: third",
        "AS10001-1         4         0  removed 4",
        "AS10002-1         2         0  kept_down 2",
        "removed    The client would be removed",
        "removed: AS10001-1",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn a_reload_that_begins_too_many_sessions_anew_is_refused() {
    let server = with_routes();
    server.write_clients(&format!(
        "[reload]\nmax_restarts = 2\n[defaults]\nhold_time = 30\n{THREE}"
    ));
    let why = "3 of 3 sessions that are up would begin anew (100.0 %), and [reload] max_restarts allows 2";
    for words in [&["reload"][..], &["reload", "--dry-run"]] {
        let (status, text) = server.says(words);
        assert!(status == 1 && text.contains(why), "{words:?}: {text}");
        assert_eq!(reload_count(&server), 0, "{words:?}");
    }
    let (status, text) = server.says(&["reload", "--max-restarts", "100%"]);
    assert_eq!((status, reload_count(&server)), (0, 1), "{text}");
}

#[test]
fn a_dry_run_of_a_bad_configuration_says_what_a_reload_would() {
    let server = with_routes();
    std::fs::write(server.file(), "nonsense").unwrap();
    let dry = server.says(&["reload", "--dry-run"]);
    assert_eq!(dry.0, 1);
    assert_eq!(dry, server.says(&["reload"]));
    let other = HEAD.replace("asn = 64500", "asn = 64501");
    std::fs::write(server.file(), format!("{other}{THREE}")).unwrap();
    assert_eq!(
        server.says(&["reload", "--dry-run"]),
        server.says(&["reload"])
    );
}

#[test]
fn a_reload_over_its_bounds_is_refused() {
    let half = "\"198.51.0.0/24\", \"198.51.3.0/24\"";
    let cases: &[(&str, &str, &[&str], Option<&str>)] = &[
        ("without bounds", "", &[], None),
        (
            "so many may be rejected",
            "",
            &["--max-rejected", "3"],
            None,
        ),
        (
            "one too many",
            "",
            &["--max-rejected", "2"],
            Some(
                "3 of 6 accepted paths would be rejected or withdrawn (50.0 %), and --max-rejected allows 2",
            ),
        ),
        (
            "a part too large is lost",
            "",
            &["--max-rejected", "50%", "--max-lost", "49.9%"],
            Some(
                "5 of 10 prefixes, counted for each client that has them, would be lost (50.0 %), and --max-lost allows 49.9%",
            ),
        ),
        (
            "by the configuration",
            "[reload]\nmax_rejected = \"5%\"\n",
            &[],
            Some("and [reload] max_rejected allows 5%"),
        ),
        (
            "the command's bound goes before that of the configuration",
            "[reload]\nmax_rejected = \"5%\"\n",
            &["--max-rejected", "60%"],
            None,
        ),
        (
            "the other bound of the configuration holds all the same",
            "[reload]\nmax_rejected = \"5%\"\nmax_lost = 4\n",
            &["--max-rejected", "60%"],
            Some("and [reload] max_lost allows 4"),
        ),
        (
            "no session begins anew",
            "[reload]\nmax_restarts = \"10%\"\n",
            &["--max-restarts", "0"],
            None,
        ),
        (
            "by force",
            "[reload]\nmax_rejected = 0\nmax_lost = 0\n",
            &["--force"],
            None,
        ),
    ];
    for (name, section, words, refused) in cases {
        let server = with_routes();
        server.write_clients(&format!("{section}{}", with_black_list(THREE, half)));
        let dry = server.says(&[&["reload", "--dry-run"], *words].concat());
        let done = server.says(&[&["reload"], *words].concat());
        let expected = (i32::from(refused.is_some()), usize::from(refused.is_none()));
        assert_eq!(
            (done.0, reload_count(&server)),
            expected,
            "{name}: {}",
            done.1
        );
        assert_eq!(dry.0, expected.0, "{name}: {}", dry.1);
        if let Some(why) = refused {
            assert!(done.1.contains(why), "{name}: {}", done.1);
            assert!(done.1.contains("AS10001-1         2"), "{name}: {}", done.1);
            assert!(
                done.1
                    .contains("the reload was refused, nothing was changed")
            );
            let would_be = "it would be refused: ";
            assert!(
                dry.1.contains(would_be) && dry.1.contains(why),
                "{name}: {}",
                dry.1
            );
            let got = server.json("/api/v1/clients/AS10001-1");
            assert_eq!(got["client"]["rejected"], json!([]), "{name}");
        }
    }
}

#[test]
fn bounds_in_force_hold_for_a_file_that_has_lost_them() {
    let server = with_routes();
    server.write_clients(&format!("[reload]\nmax_lost = \"10%\"\n{THREE}"));
    assert_eq!(server.says(&["reload"]).0, 0);
    let one = "[[client]]\nasn = 10003\naddress = \"192.0.2.3\"\nname = \"third\"\n";
    server.write_clients(one);
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("[reload] max_lost allows 10%"), "{text}");
    assert_eq!(server.says(&["reload", "--force"]).0, 0);
    assert_eq!(server.json("/api/v1/summary")["clients"], 1);
}

#[test]
fn clients_that_are_removed_lose_all_they_had() {
    let (two, _) = THREE.split_at(THREE.rfind("[[client]]").unwrap());
    let other_peer = THREE.replace("asn = 10003", "asn = 10009");
    let cases = [
        ("all of them stay", THREE, "max_lost = 0", None),
        (
            "one that announced nothing others lack",
            two,
            "max_lost = 0",
            Some("4 of 10 prefixes, counted for each client that has them, would be lost"),
        ),
        ("within the bound", two, "max_lost = 4", None),
        (
            "another peer at its address begins with nothing",
            &other_peer,
            "max_lost = 0",
            Some("4 of 10 prefixes"),
        ),
        (
            "all of them, without a bound",
            "",
            "",
            Some("all clients (3) would be removed, and none would be left"),
        ),
        (
            "all of them, with a bound that lets it pass",
            "",
            "max_lost = \"100%\"",
            Some("all clients (3) would be removed, and none would be left"),
        ),
        (
            "all of them, over a bound too",
            "",
            "max_lost = \"1%\"",
            Some("10 of 10 prefixes"),
        ),
    ];
    for (name, clients, bound, refused) in cases {
        let server = with_routes();
        server.write_clients(&format!("[reload]\n{bound}\n{clients}"));
        let dry = server.says(&["reload", "--dry-run"]);
        let done = server.says(&["reload"]);
        let status = i32::from(refused.is_some());
        assert_eq!(
            (done.0, dry.0),
            (status, status),
            "{name}: {} {}",
            done.1,
            dry.1
        );
        let why = refused.unwrap_or_default();
        assert!(
            done.1.contains(why) && dry.1.contains(why),
            "{name}: {} {}",
            done.1,
            dry.1
        );
        if refused.is_some() {
            assert_eq!(server.json("/api/v1/summary")["clients"], 3, "{name}");
            let (status, text) = server.says(&["reload", "--force"]);
            assert_eq!(status, 0, "{name}: {text}");
        }
    }
}

#[test]
fn a_reload_that_is_confirmed_stays() {
    let server = with_routes();
    let none = "no reload awaits a confirmation";
    let (status, text) = server.says(&["reload", "--confirmed"]);
    assert!(status == 1 && text.contains(none), "{text}");
    assert_eq!(
        server.says(&["reload", "--confirm", "60s"]),
        (0, "nothing changed\n".to_owned()),
        "nothing to confirm"
    );

    server.write_clients(&THREE.replace("third", "3rd"));
    let (status, text) = server.says(&["reload", "--confirm", "5min"]);
    let expected =
        "changed: 3rd (name)\nin force for 300 s; to keep it: rialto reload --confirmed\n";
    assert_eq!((status, text.as_str()), (0, expected));
    assert_eq!(server.json("/api/v1/summary")["unconfirmed_s"], 300);
    let (_, text) = server.says(&["show", "summary"]);
    assert!(
        text.contains("UNCONFIRMED the last reload is rolled back in 5 min 0 s"),
        "{text}"
    );

    for words in [
        &["reload"][..],
        &["reload", "--confirm", "1s"],
        &["reload", "--force"],
    ] {
        let (status, text) = server.says(words);
        let expected = "a reload awaits its confirmation, or is rolled back in 300 s; nothing was changed. \
                        Confirm it first (rialto reload --confirmed), or wait\n";
        assert_eq!((status, text.as_str()), (1, expected), "{words:?}");
    }
    assert_eq!(
        server.says(&["reload", "--dry-run"]).0,
        0,
        "looking harms nobody"
    );

    assert_eq!(
        server.says(&["reload", "--confirmed"]),
        (0, "confirmed: the reload stays in force\n".to_owned())
    );
    assert_eq!(server.json("/api/v1/summary")["unconfirmed_s"], Value::Null);
    assert_eq!(
        server.says(&["reload"]),
        (0, "nothing changed\n".to_owned())
    );
}

#[test]
fn a_reload_that_is_not_confirmed_is_taken_back_and_what_was_done_by_hand_stays() {
    let server = with_routes();
    server.says(&["client", "third", "disable", "--message", "ticket 7"]);
    let one = with_black_list(
        "[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n",
        "\"198.51.0.0/24\"",
    );
    server.write_clients(&one);
    assert_eq!(server.says(&["reload", "--confirm", "2s"]).0, 0);
    assert_eq!(server.says(&["client", "AS10001-1", "quarantine"]).0, 0);
    assert_eq!(server.json("/api/v1/summary")["clients"], 1);
    server.wait_until("it is taken back", || {
        server.json("/api/v1/summary")["clients"] == 3
    });
    let summary = server.json("/api/v1/summary");
    assert_eq!(summary["unconfirmed_s"], Value::Null);
    server.data.with(|state| {
        let client = |name: &str| state.exchange.client_named(name).unwrap();
        assert!(client("AS10001-1").quarantined, "from while it was awaited");
        assert_eq!(client("third").disabled.as_deref(), Some("ticket 7"));
        let of_first = &client("AS10001-1").import;
        assert_ne!(*of_first, client("AS10002-1").import);
    });
    // The file is still the one that was taken back.
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("removed: AS10002-1, third"), "{text}");
}

#[test]
fn what_is_taken_back_has_the_data_from_outside_that_it_had_but_the_newest_vrps() {
    let server = with_routes();
    let vrps = |asn: u32| {
        let text = json!({"roas": [{"prefix": "198.51.0.0/16", "maxLength": 24, "asn": asn}]});
        std::fs::write(server.folder.path().join("vrps.json"), text.to_string()).unwrap();
    };
    let with_irr = |prefix: &str| {
        format!(
            "[rpki]\nvrp_files = [\"vrps.json\"]\n[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n\
             irr.prefixes = [\"{prefix}\"]\nirr.origins = [10001]\n"
        )
    };
    vrps(10_001);
    server.write_clients(&with_irr("198.51.0.0/16+"));
    assert_eq!(server.says(&["reload"]).0, 0);
    let rejected = || server.json("/api/v1/clients/AS10001-1")["client"]["rejected"].clone();
    assert_eq!(rejected(), json!([]));

    server.write_clients(&with_irr("203.0.112.0/24"));
    assert_eq!(server.says(&["reload", "--confirm", "1s"]).0, 0);
    assert_eq!(rejected()[0]["reason"], "irr_prefix");
    vrps(64_999);
    let is_back = || server.json("/api/v1/summary")["unconfirmed_s"].is_null();
    server.wait_until("it is taken back", is_back);
    assert_eq!(
        rejected(),
        json!([{"reason": "rpki_invalid", "ipv4": 4, "ipv6": 0}]),
        "neither irr_prefix nor irr_data_missing"
    );
}

#[test]
fn the_copies_of_irr_files_are_of_what_is_in_force() {
    let server = with_routes();
    let irr = server.folder.path().join("irr");
    std::fs::create_dir(&irr).unwrap();
    std::fs::write(irr.join("AS-A.origins.json"), "{\"NN\": [10001]}").unwrap();
    let write = |prefix: &str| {
        let text = json!({"NN": [{"prefix": prefix, "exact": true}]}).to_string();
        std::fs::write(irr.join("AS-A.v4.json"), &text).unwrap();
        text
    };
    let state = server.folder.path().join("irr-state");
    let copy = || std::fs::read_to_string(state.join("AS-A.v4.json.last-good")).ok();
    server.write_clients(&THREE.replacen("[[client]]", "[[client]]\nirr.as_sets = [\"AS-A\"]", 1));
    let first = write("198.51.0.0/24");
    assert_eq!(server.says(&["reload", "--dry-run"]).0, 0);
    assert!(!state.exists(), "nothing is in force");
    assert_eq!(server.says(&["reload"]).0, 0);
    server.wait_until("the copy is written", || copy().as_ref() == Some(&first));

    write("203.0.113.0/24");
    let refused = server.says(&["reload", "--max-lost", "0"]);
    let dry = server.says(&["reload", "--dry-run"]);
    assert_eq!((refused.0, dry.0), (1, 0), "{} {}", refused.1, dry.1);
    assert_eq!(copy(), Some(first), "it is not in force");

    let last = write("198.51.100.0/24");
    assert_eq!(server.says(&["reload"]).0, 0);
    server.wait_until("the copy is a new one", || copy().as_ref() == Some(&last));

    // What goes wrong with them is said by the next reload, and until it is put right.
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::write(&state, "in the way").unwrap();
    let last = write("198.51.1.0/24");
    assert_eq!(server.says(&["reload"]).0, 0);
    let problem = "no copies of 2 good files";
    let is_told = || server.get("/api/v1/feeds").1.contains(problem);
    server.wait_until("the problem is told", is_told);
    let (_, text) = server.says(&["reload", "--dry-run"]);
    assert!(text.contains(problem), "{text}");
    std::fs::remove_file(&state).unwrap();
    assert_eq!(server.says(&["reload"]).0, 0);
    server.wait_until("the copy is there", || copy().as_ref() == Some(&last));
    server.wait_until("all is well", || !is_told());
}

#[test]
fn a_server_that_drains_says_so_and_can_be_undone() {
    let server = with_routes();
    server.data.with(|state| state.core.startup_over = true);
    assert_eq!(server.get("/readyz").0, 200);
    let (status, text) = server.says(&["drain", "--wait", "1s"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("draining: everything that is sent has GRACEFUL_SHUTDOWN (RFC 8326)")
            && text.contains("to drain no longer: rialto drain --undo"),
        "{text}"
    );
    let is_draining = || {
        server
            .data
            .with(|state| state.exchange.directory.is_draining())
    };
    assert!(is_draining());
    let (status, body) = server.get("/readyz");
    assert!(status == 503 && body.contains("draining"), "{body}");
    let summary = server.json("/api/v1/summary");
    assert_eq!(
        (&summary["draining"], &summary["ready"]),
        (&json!(true), &json!(false))
    );
    assert!(server.says(&["show", "summary"]).1.contains("DRAINING"));
    let advertised = server.json("/api/v1/routes?client=third&which=advertised");
    let communities = &advertised["routes"][0]["attributes"]["communities"];
    assert_eq!(communities, &json!(["65535:0"]));

    // A reload meanwhile drains on.
    server.write_clients(&THREE.replace("third", "3rd"));
    assert_eq!(
        server.says(&["reload"]),
        (0, "changed: 3rd (name)\n".to_owned())
    );
    assert!(is_draining());
    let count = reload_count(&server);
    assert_eq!(server.says(&["drain", "--wait", "0"]).0, 0);
    assert_eq!(reload_count(&server), count, "it drains already");

    let (status, text) = server.says(&["drain", "--undo"]);
    assert!(status == 0 && text.starts_with("not draining"), "{text}");
    assert!(!is_draining());
    assert_eq!(server.get("/readyz").0, 200);
}

#[test]
fn what_older_commands_say_is_understood_as_they_mean_it() {
    let server = with_routes();
    let cases = [
        (json!({"do": "reload"}), 1),
        (json!({"do": "reload_with", "dry_run": true}), 1),
        (
            json!({"do": "reload_with", "max_rejected": "5%", "a_key": "of another version"}),
            2,
        ),
    ];
    let mut count = 1;
    for (request, expected) in cases {
        count += 1;
        server.write_clients(&THREE.replace("third", &format!("third-{count}")));
        let answer = server.ask(&request);
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        assert_eq!(reload_count(&server), expected, "{request}");
    }
    let wrong = server.ask(&json!({"do": "reload_with", "max_rejected": "some"}));
    assert_eq!(wrong["ok"], false);
    assert!(
        wrong["text"]
            .as_str()
            .unwrap()
            .contains("'some' is neither"),
        "{wrong}"
    );
}

impl Server {
    fn ask(&self, request: &Value) -> Value {
        use std::io::{BufRead, BufReader, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(self.socket()).unwrap();
        writeln!(stream, "{request}").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..600 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: not within 12 s");
    }
}
