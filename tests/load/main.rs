//! `rialto load` and `rialto demo` as commands, against the real server on loopback: what is right
//! is found right, and what is wrong is found wrong.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const RIALTO: &str = env!("CARGO_BIN_EXE_rialto");

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

mod refused;
mod reload;
mod shapes;

fn load(words: &[&str]) -> Output {
    Command::new(RIALTO)
        .arg("load")
        .args(words)
        .output()
        .unwrap()
}

/// What the load says about a server whose configuration is that of `plan`, edited.
fn run(plan: &[&str], scenario: &[&str], edit: fn(String) -> String) -> (bool, Value) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rialto.toml");
    let target = format!("127.0.0.1:{}", free_port());
    let plan = [&["--target", &target], plan].concat();
    let written = load(&[&plan[..], &["--write-config", config.to_str().unwrap()]].concat());
    assert!(written.status.success());
    let text = edit(fs::read_to_string(&config).unwrap());
    let api = format!("[api]\nlisten = \"127.0.0.1:{}\"\n", free_port());
    fs::write(&config, text + &api).unwrap();
    let _server = serve(&config);
    let patience: &[&str] = match scenario.contains(&"--patience") {
        true => &[],
        false => &["--patience", "4"],
    };
    // The server has only just been started, on a machine that may have much to do.
    let patience = &[patience, &["--connect-timeout", "20"]].concat();
    let file = &["--server-config", config.to_str().unwrap()];
    let output = load(&[&plan[..], &["--json"], file, patience, scenario].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{error}: {text} {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    assert_eq!(report["ok"].as_bool(), Some(output.status.success()));
    (output.status.success(), report)
}

fn serve(config: &Path) -> Server {
    let mut command = Command::new(RIALTO);
    command
        .args(["run", "--config"])
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Server(command.spawn().unwrap())
}

const SMALL: [&str; 8] = [
    "--clients",
    "12",
    "--prefixes",
    "1500",
    "--family",
    "both",
    "--control-share",
    "0.4",
];

#[test]
fn every_scenario_ends_right() {
    let cases: [(&str, &[&str]); 6] = [
        ("converge", &["--second-decoder"]),
        ("converge", &["--unknown-share", "0.2", "--seed", "7"]),
        ("join", &[]),
        ("flap", &["--affected", "3"]),
        ("churn", &["--rate", "200", "--duration", "2"]),
        ("slow", &["--affected", "2", "--duration", "1"]),
    ];
    for (scenario, words) in cases {
        let words = [&["--scenario", scenario], words].concat();
        let (ok, report) = run(&SMALL, &words, |config| config);
        assert!(ok, "{words:?}: {report:#}");
    }
}

#[test]
fn clients_with_add_path_get_every_path() {
    let plan = [&SMALL[..], &["--add-path-clients", "3"]].concat();
    let (ok, report) = run(&plan, &[], |config| config);
    assert!(ok, "{report:#}");
}

#[test]
fn a_real_table_is_replayed() {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/rrc03-amsix-updates.20100227.1600.first796.mrt.gz"
    );
    let plan = ["--clients", "12", "--mrt", sample];
    let (ok, report) = run(&plan, &["--second-decoder"], |config| config);
    assert!(ok, "{report:#}");
}

/// The tables beside the repository, or in `RIALTO_DATA`: a full table of 2015 among them.
#[test]
fn the_large_real_tables_are_replayed_where_they_are() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("RIALTO_DATA").map_or_else(beside, Into::into);
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!(
            "SKIPPED: no large tables: {} is not there",
            folder.display()
        );
        return;
    };
    let mut tables: Vec<_> = entries
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|path| path.contains(".mrt.") && !path.contains("tdv2"))
        .collect();
    tables.sort();
    assert!(!tables.is_empty(), "{} holds tables", folder.display());
    for table in tables {
        let plan = ["--clients", "8", "--mrt", &table];
        let (ok, report) = run(&plan, &["--timeout", "500", "--patience", "60"], |config| {
            config
        });
        assert!(ok, "{table}: {report:#}");
        eprintln!("{table}: {} routes, right", report["routes"]);
    }
}

#[test]
fn a_server_that_does_otherwise_is_found_wrong() {
    type Change = fn(String) -> String;
    let cases: [(&str, Change); 3] = [
        ("it does not know a client", |config| {
            config.replace(
                "asn = 10003\naddress = \"127.77.1.4\"",
                "asn = 10003\naddress = \"127.77.9.9\"",
            )
        }),
        ("it reads control communities of another ASN", |config| {
            config.replace(
                "[server]",
                "[communities]\ndo_not_announce_to_peer = [\"65001:0:peer_as\"]\n\n[server]",
            )
        }),
        ("it refuses long prefixes", |config| {
            config.replace(
                "preset = \"exchange\"",
                "preset = \"exchange\"\nas_path_max = 2",
            )
        }),
    ];
    for (name, edit) in cases {
        let (ok, report) = run(&SMALL, &["--timeout", "10"], edit);
        assert!(!ok, "{name}");
        assert!(report["wrong_prefixes"].as_u64().unwrap() > 0, "{name}");
        let first = &report["mismatches"][0];
        assert!(
            first["expected"][0].is_string() && first["got"][0].is_string(),
            "{name}: {first}"
        );
    }
}

#[test]
fn wrong_words_end_with_2() {
    let cases: [&[&str]; 12] = [
        &["--even", "--full-tables"],
        &["--even", "--family", "both"],
        &["--even", "--clients", "50", "--prefixes", "49"],
        &["--full-tables", "--paths-per-prefix", "2"],
        &["--full-tables", "--prefixes-per-attributes", "2.5"],
        &["--full-tables", "--clients", "200", "--prefixes", "1000000"],
        &["--tagging-clients", "1.5"],
        &["--ipv6-share", "-1"],
        &["--target", "[::1]:179"],
        &["--control-share", "2"],
        &["--scenario", "nonsense"],
        &["--hold-time", "1"],
    ];
    for words in cases {
        assert_eq!(load(words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn the_demo_runs_and_is_right() {
    let output = Command::new(RIALTO)
        .args([
            "demo",
            "--clients",
            "6",
            "--prefixes",
            "2000",
            "--timeout",
            "60",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("6 of 6 BGP sessions up") && text.contains("each is the best one"),
        "{text}"
    );
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}:\n{text}");
}

/// The first child process of `pid`.
fn child_of(pid: u32) -> Option<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let text = fs::read_to_string(task.path().join("children")).ok()?;
        text.split_whitespace().next().map(str::to_owned)
    })
}

fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{what}: not within ten seconds");
}

#[test]
fn a_signal_to_the_demo_ends_its_server_too() {
    for (signal, status, tidies) in [
        ("-TERM", Some(143), true),
        ("-HUP", Some(129), true),
        ("-KILL", None, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = Command::new(RIALTO)
            .args(["demo", "--clients", "4", "--prefixes", "50000"])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = String::new();
        wait_until("the server starts", || {
            server = child_of(demo.id()).unwrap_or_default();
            !server.is_empty()
        });
        let kill = Command::new("kill")
            .args([signal, &demo.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(demo.wait().unwrap().code(), status, "{signal}");
        let server = format!("/proc/{server}/stat");
        wait_until("the server ends", || {
            // A zombie that nobody reaps has ended too.
            fs::read_to_string(&server).map_or(true, |stat| stat.contains(") Z "))
        });
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert!(!tidies || left == 0, "{signal}: the folder is left");
    }
}
