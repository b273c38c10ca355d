//! An exchange LAN made of network namespaces: one for the bridge, one for each router on it.
//! Owns the namespaces and whatever runs in them; both are gone when it is dropped.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names of namespaces begin with this and the process id of the test.
const MARK: &str = "rialto-t";

pub struct Lan {
    id: String,
    namespaces: Vec<String>,
    ports: u32,
    directory: tempfile::TempDir,
}

/// A router's place on the LAN.
#[derive(Clone)]
pub struct Place {
    pub namespace: String,
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
    /// The other end of its cable, and whose port that is.
    port: String,
    bridge: String,
    /// Files of whatever runs there.
    pub directory: PathBuf,
}

impl Lan {
    pub fn new() -> Lan {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_abandoned();
        let id = format!(
            "{MARK}{}x{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = tempfile::Builder::new()
            .prefix("rialto-interop")
            .tempdir()
            .expect("a temporary directory");
        open_to_all(directory.path());
        let mut lan = Lan {
            id,
            namespaces: Vec::new(),
            ports: 0,
            directory,
        };
        let bridge = lan.add_namespace("lan");
        ip(&["-n", &bridge, "link", "add", "lan0", "type", "bridge"]);
        ip(&["-n", &bridge, "link", "set", "lan0", "up"]);
        lan
    }

    /// A new namespace with these addresses on the LAN.
    pub fn join(&mut self, name: &str, v4: Ipv4Addr, v6: Ipv6Addr) -> Place {
        let namespace = self.add_namespace(name);
        let bridge = self.namespaces[0].clone();
        self.ports += 1;
        let port = format!("port{}", self.ports);
        ip(&[
            "-n", &namespace, "link", "add", "eth0", "type", "veth", "peer", "name", &port,
            "netns", &bridge,
        ]);
        ip(&["-n", &bridge, "link", "set", &port, "master", "lan0", "up"]);
        ip(&[
            "-n",
            &namespace,
            "addr",
            "add",
            &format!("{v4}/16"),
            "dev",
            "eth0",
        ]);
        ip(&[
            "-n",
            &namespace,
            "addr",
            "add",
            &format!("{v6}/64"),
            "dev",
            "eth0",
            "nodad",
        ]);
        ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        let directory = self.directory.path().join(name);
        std::fs::create_dir_all(&directory).expect("a directory for the router");
        open_to_all(&directory);
        Place {
            namespace,
            v4,
            v6,
            port,
            bridge,
            directory,
        }
    }

    fn add_namespace(&mut self, name: &str) -> String {
        let namespace = format!("{}-{name}", self.id);
        ip(&["netns", "add", &namespace]);
        self.namespaces.push(namespace.clone());
        namespace
    }
}

impl Place {
    /// Nothing reaches it or leaves it any more, and neither side notices.
    pub fn cut_off(&self) {
        ip(&["-n", &self.bridge, "link", "set", &self.port, "nomaster"]);
    }

    pub fn connect(&self) {
        ip(&[
            "-n",
            &self.bridge,
            "link",
            "set",
            &self.port,
            "master",
            "lan0",
        ]);
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            remove_namespace(namespace);
        }
    }
}

/// Runs a short command in a namespace and returns what it wrote.
pub fn run_in(namespace: &str, words: &[&str]) -> Result<String, String> {
    let output = Command::new("ip")
        .args(["netns", "exec", namespace])
        .args(words)
        .output()
        .map_err(|error| format!("{words:?}: {error}"))?;
    let text = String::from_utf8(output.stdout).map_err(|error| format!("{words:?}: {error}"))?;
    if output.status.success() {
        return Ok(text);
    }
    Err(format!(
        "{words:?}: {}: {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn ip(words: &[&str]) {
    let output = Command::new("ip")
        .args(words)
        .output()
        .expect("ip of iproute2 runs");
    assert!(
        output.status.success(),
        "ip {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Ends what still runs in a namespace, by process id, and removes it.
fn remove_namespace(namespace: &str) {
    if let Ok(output) = Command::new("ip")
        .args(["netns", "pids", namespace])
        .output()
    {
        for process in String::from_utf8_lossy(&output.stdout).split_whitespace() {
            let _ = Command::new("kill").args(["-9", process]).status();
        }
    }
    let _ = Command::new("ip")
        .args(["netns", "del", namespace])
        .status();
}

/// Removes what test processes left behind that were killed.
fn remove_abandoned() {
    let Ok(output) = Command::new("ip").args(["netns", "list"]).output() else {
        return;
    };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some(namespace) = line.split_whitespace().next() else {
            continue;
        };
        let Some(rest) = namespace.strip_prefix(MARK) else {
            continue;
        };
        let process: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if !process.is_empty() && !Path::new("/proc").join(&process).exists() {
            remove_namespace(namespace);
        }
    }
}

/// Routers that drop their privileges must be able to pass through.
fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777))
        .expect("permissions of a directory");
}
