//! What the process has and is: privileges, and what it tells systemd.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::rialto;
use super::run::{Running, free_port, signal, wait_until};

/// `nobody` and `nogroup` of Debian.
const NOBODY: u32 = 65534;
/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client with a TCP MD5 key and GTSM.
const KEYED: &str = "[[client]]\nasn = 10002\naddress = \"127.0.0.10\"\npassword_file = \"key\"\nttl_security = true\n";
const PLAIN: &str = "[[client]]\nasn = 10001\naddress = \"127.0.0.9\"\n";

fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        eprintln!("LEFT OUT: what is given up can be seen by root only");
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "CI leaves nothing out"
        );
    }
    is_root
}

/// A folder of nobody's, with a configuration that listens on port 179.
fn folder_of_nobody(api: u16) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), api, PLAIN);
    fs::write(folder.path().join("key"), "secret\n").unwrap();
    for file in ["rialto.toml", "key", "."] {
        let file = folder.path().join(file);
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

fn write(folder: &Path, api: u16, clients: &str) {
    // An address of loopback that no other test has.
    let [.., high, low] = api.to_be_bytes();
    let text = format!(
        "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\nlisten = [\"127.179.{high}.{low}:179\"]\n\
         [cores]\nsessions = 2\nshards = 2\n[api]\nlisten = \"127.0.0.1:{api}\"\n{clients}"
    );
    fs::write(folder.join("rialto.toml"), text).unwrap();
}

/// Fields of `/proc/PID/task/TID/status`, of every thread.
fn of_all_threads(child: &Child, field: &str) -> Vec<String> {
    let mut values = Vec::new();
    for thread in fs::read_dir(format!("/proc/{}/task", child.id())).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        values.push(
            line.unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    assert!(
        values.len() > 4,
        "two cores, two shards and the main thread"
    );
    values.sort();
    values.dedup();
    values
}

fn assert_has_nothing(running: &Running, folder: &Path) {
    let nobody = [["65534"; 4].join(" ")];
    for field in ["Uid", "Gid"] {
        assert_eq!(of_all_threads(&running.child, field), nobody, "{field}");
    }
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(
            of_all_threads(&running.child, field),
            ["0000000000000000"],
            "{field}"
        );
    }
    assert_eq!(of_all_threads(&running.child, "NoNewPrivs"), ["1"]);

    // What a reload brings needs no privilege either: a key and GTSM on the listener on port 179.
    let port = running.api.rsplit_once(':').unwrap().1.parse().unwrap();
    write(folder, port, &format!("{PLAIN}{KEYED}"));
    let output = rialto(&["reload", "--api", &running.api]);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("added: AS10002-1"), "{text}");
}

/// `words` come after `rialto run --config FILE`.
fn start(mut command: Command, words: &[&str], folder: &Path, api: u16) -> Running {
    command
        .args(["run", "--config"])
        .arg(folder.join("rialto.toml"))
        .args(words)
        .stderr(Stdio::null());
    let running = Running {
        child: command.spawn().unwrap(),
        api: format!("127.0.0.1:{api}"),
    };
    wait_until("the API answers", || {
        rialto(&["show", "summary", "--api", &running.api])
            .status
            .success()
    });
    running
}

fn end(mut running: Running) {
    signal(&running.child, "-TERM");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[test]
fn no_thread_of_a_server_that_was_started_as_root_has_a_privilege() {
    if !is_root() {
        return;
    }
    let api = free_port();
    let folder = folder_of_nobody(api);
    let command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    let running = start(command, &["--user", "nobody"], folder.path(), api);
    let socket = fs::metadata(folder.path().join("rialto.sock")).unwrap();
    assert_eq!((socket.uid(), socket.gid()), (NOBODY, NOBODY));
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
    assert_has_nothing(&running, folder.path());
    end(running);
    assert!(!folder.path().join("rialto.sock").exists());
}

#[test]
fn no_thread_keeps_a_capability_that_was_given_for_the_ports() {
    if !is_root() {
        return;
    }
    let api = free_port();
    let folder = folder_of_nobody(api);
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all,+net_bind_service",
        "--ambient-caps=-all,+net_bind_service",
        "--bounding-set=-all,+net_bind_service",
        env!("CARGO_BIN_EXE_rialto"),
    ]);
    let running = start(command, &[], folder.path(), api);
    assert_has_nothing(&running, folder.path());
    end(running);
}

#[test]
fn a_user_that_cannot_be_become_or_cannot_read_ends_the_start() {
    if !is_root() {
        return;
    }
    let folder = folder_of_nobody(free_port());
    let file = folder.path().join("rialto.toml");
    let fails = |user: &str, words: &str| {
        let output = rialto(&["run", "--user", user, "--config", file.to_str().unwrap()]);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words), "{text}");
    };
    fails("no-such-user", "there is no user no-such-user");
    fails("root", "root is who --user is there to avoid");
    chown(&file, Some(0), Some(0)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fails(
        "nobody",
        "nobody cannot read the configuration, so no reload could either",
    );
}

#[test]
fn systemd_hears_of_the_start_of_reloads_of_the_end_and_meanwhile_that_all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let systemd = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = |wanted: &str| {
        let mut octets = [0; 4096];
        loop {
            let len = systemd.recv(&mut octets).expect(wanted);
            let text = String::from_utf8(octets[..len].to_vec()).unwrap();
            if text.lines().any(|line| line == wanted) {
                return text;
            }
        }
    };
    let api = free_port();
    super::run::write(folder.path(), api, free_port(), PLAIN);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    command
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .env("WATCHDOG_USEC", "2000000");
    let running = start(command, &[], folder.path(), api);
    hear("READY=1");
    hear("WATCHDOG=1");
    signal(&running.child, "-HUP");
    assert!(hear("RELOADING=1").contains("MONOTONIC_USEC="));
    hear("READY=1");
    hear("WATCHDOG=1");
    end(running);
    hear("STOPPING=1");
}

/// Of what `/proc/PID/stat` says.
fn niceness(stat: &str) -> i32 {
    // The second field is a name in parentheses, which may hold anything.
    let mut fields = stat.rsplit_once(')').unwrap().1.split(' ');
    fields.nth(17).unwrap().parse().unwrap()
}

/// Of each thread of a server: its name, its niceness, the CPUs it may have.
fn placements(child: &Child) -> Vec<(String, i32, Vec<usize>)> {
    let read = |thread: &Path, name: &str| fs::read_to_string(thread.join(name)).unwrap();
    let one = |thread: &Path| {
        let status = read(thread, "status");
        let list = (status.lines()).find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let ranges = list.unwrap().trim().split(',').map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            first.parse().unwrap()..=last.parse().unwrap()
        });
        let name = read(thread, "comm").trim().to_owned();
        (
            name,
            niceness(&read(thread, "stat")),
            ranges.flatten().collect(),
        )
    };
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    threads.map(|thread| one(&thread.unwrap().path())).collect()
}

#[test]
fn the_management_plane_stays_out_of_the_way_of_the_data_path() {
    const NICE_MAX: i32 = 19;
    for prefix in [&[][..], &["taskset", "-c", "0"]] {
        let (folder, api) = (tempfile::tempdir().unwrap(), free_port());
        super::run::write(folder.path(), api, free_port(), PLAIN);
        let words = [prefix, &[env!("CARGO_BIN_EXE_rialto")]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let running = start(command, &[], folder.path(), api);
        let threads = placements(&running.child);
        // That of these tests.
        let own = niceness(&fs::read_to_string("/proc/self/stat").unwrap());
        let of = |is: fn(&str) -> bool| threads.iter().filter(move |(name, ..)| is(name));
        let pinned: Vec<_> =
            of(|name| name.starts_with("core-") || name.starts_with("shard-")).collect();
        assert!(pinned.len() >= 2, "{threads:?}");
        assert!(
            pinned.iter().all(|(_, nice, _)| *nice == own),
            "{threads:?}"
        );
        let (_, nice, cpus) = of(|name| name == "rialto").next().unwrap();
        let shares = |(_, _, theirs): &&(String, i32, Vec<usize>)| {
            cpus.iter().any(|cpu| theirs.contains(cpu))
        };
        assert_eq!(
            *nice == NICE_MAX,
            pinned.iter().copied().any(|one| shares(&one)),
            "{threads:?}"
        );
        assert!(*nice == NICE_MAX || prefix.is_empty(), "{threads:?}");
        let is_core = |one: &&&(String, i32, Vec<usize>)| one.0.starts_with("core-");
        let all = thread::available_parallelism().unwrap().get();
        let beside_cores = pinned.iter().filter(is_core).any(shares);
        assert_eq!(beside_cores, all == 1 || !prefix.is_empty(), "{threads:?}");
        end(running);
    }
}
