//! `rialto run` as a process: signals, sockets, what it says when it cannot start.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::rialto;

/// What does not come within that will not.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A running server; killed if a test ends before it does.
pub struct Running {
    pub child: Child,
    pub api: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has mostly ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a running server says, line by line.
struct Log(mpsc::Receiver<String>);

impl Log {
    fn of(running: &mut Running) -> Log {
        let lines = BufReader::new(running.child.stderr.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        // Reads to the end, whoever listens.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Log(told)
    }

    /// The next line with these words.
    fn wait_for(&self, words: &str) -> String {
        let begin = now();
        let mut told = Vec::new();
        loop {
            let left = WAIT_MAX.saturating_sub(begin.elapsed());
            match self.0.recv_timeout(left) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => told.push(line),
                Err(why) => panic!("no '{words}' ({why}):\n{}", told.join("\n")),
            }
        }
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub fn write(folder: &Path, api: u16, bgp: u16, clients: &str) {
    let text = format!(
        "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\nlisten = [\"127.0.0.1:{bgp}\"]\n\
         [cores]\nsessions = 1\nshards = 1\n[api]\nlisten = \"127.0.0.1:{api}\"\n[log]\nformat = \"json\"\n{clients}"
    );
    std::fs::write(folder.join("rialto.toml"), text).unwrap();
}

fn start(folder: &Path, api: u16) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    command
        .args(["run", "--config"])
        .arg(folder.join("rialto.toml"));
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let running = Running {
        child,
        api: format!("127.0.0.1:{api}"),
    };
    wait_until("the API answers", || {
        rialto(&["show", "summary", "--api", &running.api])
            .status
            .success()
    });
    running
}

pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = now();
    while !is_so() {
        assert!(
            begin.elapsed() < WAIT_MAX,
            "{what}: not within {WAIT_MAX:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process under test has a real clock"
)]
fn now() -> Instant {
    Instant::now()
}

pub fn signal(child: &Child, name: &str) {
    assert!(
        Command::new("kill")
            .args([name, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

const ONE: &str = "[[client]]\nasn = 10001\naddress = \"127.0.0.9\"\n";

#[test]
fn hang_up_reloads_and_terminate_ends_it_well_within_five_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    write(folder.path(), api, bgp, ONE);
    let mut running = start(folder.path(), api);
    write(
        folder.path(),
        api,
        bgp,
        &format!("{ONE}[[client]]\nasn = 10002\naddress = \"127.0.0.10\"\n"),
    );
    signal(&running.child, "-HUP");
    let names_new = || {
        let output = rialto(&["show", "clients", "--api", &running.api]);
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("AS10002-1")
    };
    wait_until("the new client is there", names_new);

    write(folder.path(), api, bgp, "nonsense");
    let output = rialto(&["reload", "--api", &running.api]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(names_new(), "a bad configuration changes nothing");

    let begin = now();
    signal(&running.child, "-TERM");
    let status = running.child.wait().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(status.code(), Some(0));
    assert!(!folder.path().join("rialto.sock").exists());
    let mut log = String::new();
    running
        .child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    for line in log.lines() {
        let _: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(
        log.contains("SIGHUP: added: AS10002-1") && log.contains("uid "),
        "{log}"
    );
}

#[test]
fn what_hinders_a_start_is_told_and_ends_it_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    write(folder.path(), api, bgp, ONE);
    let _running = start(folder.path(), api);
    let fails = |folder: &Path, words: &str| {
        let output = rialto(&[
            "run",
            "--config",
            folder.join("rialto.toml").to_str().unwrap(),
        ]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words), "{text}");
    };
    let second = tempfile::tempdir().unwrap();
    write(second.path(), api, bgp, ONE);
    fails(
        second.path(),
        &format!("cannot listen for the API on 127.0.0.1:{api}"),
    );
    write(second.path(), free_port(), bgp, ONE);
    fails(
        second.path(),
        &format!("cannot listen on 127.0.0.1:{bgp}: another process listens there"),
    );
    write(folder.path(), free_port(), free_port(), ONE);
    fails(
        folder.path(),
        "another server answers at the control socket",
    );
    write(second.path(), free_port(), free_port(), "[[client]]\n");
    fails(
        second.path(),
        "rialto.toml:12: error: client.asn: is missing",
    );
}

#[test]
fn a_log_that_nobody_reads_any_more_does_not_end_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    write(folder.path(), api, bgp, ONE);
    let mut running = start(folder.path(), api);
    drop(running.child.stderr.take());
    for _ in 0..2 {
        let output = rialto(&["reload", "--api", &running.api]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    signal(&running.child, "-TERM");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_was_killed_can_be_started_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    write(folder.path(), api, bgp, ONE);
    for _ in 0..6 {
        let mut running = start(folder.path(), api);
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }
}

#[test]
fn a_drained_server_is_ended_as_by_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    write(folder.path(), api, bgp, ONE);
    let mut running = start(folder.path(), api);
    let output = rialto(&["drain", "--wait", "1", "--stop", "--api", &running.api]);
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = "draining: everything that is sent has GRACEFUL_SHUTDOWN (RFC 8326)\nending\n";
    assert_eq!((output.status.code(), text.as_str()), (Some(0), expected));
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    assert!(!folder.path().join("rialto.sock").exists());
}

#[test]
fn a_server_is_stopped_for_good_or_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    let none = format!("{ONE}graceful_restart_s = 0\n");
    let keeps = "ending; clients that speak graceful restart keep our routes if the server is back, and their \
                 sessions are, within 120 s\n";
    let keeps_none = "ending; no client keeps our routes: graceful_restart_s is 0\n";
    let cases: [(&str, &[&str], &str); 3] = [
        (ONE, &["stop"], "ending\n"),
        (ONE, &["stop", "--restart"], keeps),
        (&none, &["stop", "--restart"], keeps_none),
    ];
    for (config, words, expected) in cases {
        write(folder.path(), api, bgp, config);
        let mut running = start(folder.path(), api);
        let output = rialto(&[words, &["--api", &running.api]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), text.as_str()), (Some(0), expected));
        assert_eq!(running.child.wait().unwrap().code(), Some(0), "{words:?}");
    }
    write(folder.path(), api, bgp, ONE);
    let mut running = start(folder.path(), api);
    signal(&running.child, "-USR2");
    assert_eq!(running.child.wait().unwrap().code(), Some(0), "SIGUSR2");
}

#[test]
fn a_hang_up_while_a_confirmation_is_awaited_is_refused_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    write(folder.path(), api, bgp, ONE);
    let mut running = start(folder.path(), api);
    let log = Log::of(&mut running);
    let two = format!("{ONE}[[client]]\nasn = 10002\naddress = \"127.0.0.10\"\n");
    write(folder.path(), api, bgp, &two);
    let output = rialto(&["reload", "--confirm", "1h", "--api", &running.api]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    signal(&running.child, "-HUP");
    log.wait_for("SIGHUP: a reload awaits its confirmation");
    signal(&running.child, "-TERM");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_session_that_waits_for_data_says_so_and_the_log_too() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    let two = "[[client]]\nasn = 10002\naddress = \"127.0.0.10\"\nirr.as_sets = [\"AS-A\"]\n";
    write(folder.path(), api, bgp, &format!("{ONE}{two}"));
    let mut running = start(folder.path(), api);
    let log = Log::of(&mut running);
    let held = "sessions are held back for up to 60 s until data for their checks is there: 1 client (AS10002-1)";
    log.wait_for(held);

    let output = rialto(&["show", "clients", "--api", &running.api]);
    let text = String::from_utf8(output.stdout).unwrap();
    let waits = |line: &&str| line.ends_with("WAITS for data of its checks: rialto show feeds");
    let waiting: Vec<&str> = text.lines().filter(waits).collect();
    assert!(
        waiting.len() == 1 && waiting[0].starts_with("AS10002-1"),
        "{text}"
    );
    signal(&running.child, "-TERM");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reload_that_is_taken_back_leaves_its_files_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (api, bgp) = (free_port(), free_port());
    write(folder.path(), api, bgp, ONE);
    let mut running = start(folder.path(), api);
    let log = Log::of(&mut running);
    let two = format!("{ONE}[[client]]\nasn = 10002\naddress = \"127.0.0.10\"\n");
    write(folder.path(), api, bgp, &two);
    let output = rialto(&["reload", "--confirm", "1s", "--api", &running.api]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = log.wait_for("is rolled back: ");
    assert!(
        told.contains("removed: AS10002-1; the files still hold what was taken back, and the next reload or start"),
        "{told}"
    );
    signal(&running.child, "-TERM");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}
