//! FRR as a client: bgpd with zebra; `network` statements, read back from its MRT dump.

use std::fmt::Write;

use ipnet::IpNet;
use serde_json::Value;

use super::Router;
use crate::lan::run_in;
use crate::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use crate::mrt;
use crate::program::Program;
use crate::table::{Attributes, Group, Table};

pub struct Frr {
    member: Member,
    socket_directory: String,
    dump_count: u32,
    bgpd: Program,
    zebra: Program,
}

impl Frr {
    pub fn start(member: &Member) -> Frr {
        let directory = &member.place.directory;
        let file = |name: &str| directory.join(name).display().to_string();
        let write = |name: &str, text: String| {
            std::fs::write(directory.join(name), text).expect("FRR's configuration")
        };
        write("zebra.conf", "hostname zebra\n".to_owned());
        write("bgpd.conf", config_of(member));
        let start = |name: &str, own: &[&str]| {
            let program = format!("/usr/lib/frr/{name}");
            let (config, pid) = (file(&format!("{name}.conf")), file(&format!("{name}.pid")));
            let (socket, vty) = (file("zserv"), directory.display().to_string());
            let words = [
                &program,
                "-P",
                "0",
                "-f",
                &config,
                "-i",
                &pid,
                "-z",
                &socket,
                "--vty_socket",
                &vty,
            ];
            Program::start(&member.place, name, &[&words[..], own].concat(), &[])
        };
        let zebra = start("zebra", &[]);
        crate::program::wait_for("zebra's socket", std::time::Duration::from_secs(10), || {
            if directory.join("zserv").exists() {
                Ok(())
            } else {
                Err("none".to_owned())
            }
        });
        let bgpd = start("bgpd", &["-n"]);
        let socket_directory = directory.display().to_string();
        Frr {
            member: member.clone(),
            socket_directory,
            dump_count: 0,
            bgpd,
            zebra,
        }
    }

    fn tell(&self, lines: &[String]) -> Result<String, String> {
        let mut words = vec![
            "vtysh",
            "--vty_socket",
            &self.socket_directory,
            "-d",
            "bgpd",
        ];
        words.extend(lines.iter().flat_map(|line| ["-c", line.as_str()]));
        run_in(&self.member.place.namespace, &words)
    }
}

impl Router for Frr {
    fn path_count(&mut self) -> Result<usize, String> {
        let text = self.tell(&["show bgp summary json".to_owned()])?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let families = value.as_object().into_iter().flat_map(|all| all.values());
        let peers = families.filter_map(|family| family["peers"].as_object());
        let counts = peers
            .flat_map(|peers| peers.values())
            .filter_map(|peer| peer["pfxRcd"].as_u64());
        Ok(counts.sum::<u64>() as usize)
    }

    /// A dump is written every two seconds to the file last named: one that is complete is read.
    fn table(&mut self) -> Result<Table, String> {
        self.dump_count += 1;
        let file = self
            .member
            .place
            .directory
            .join(format!("dump{}.mrt", self.dump_count));
        let line = format!("dump bgp routes-mrt {} 2", file.display());
        self.tell(&["configure terminal".to_owned(), line])?;
        let mut size = 0;
        for _ in 0..40 {
            std::thread::sleep(std::time::Duration::from_millis(500));
            let now = std::fs::metadata(&file).map_or(0, |about| about.len());
            if now > 0 && now == size {
                break;
            }
            size = now;
        }
        self.tell(&[
            "configure terminal".to_owned(),
            "no dump bgp routes-mrt".to_owned(),
        ])?;
        let octets = std::fs::read(&file).map_err(|error| error.to_string())?;
        let _ = std::fs::remove_file(&file);
        mrt::decode_dump(&octets)
    }

    fn announce(&mut self, group: Group) -> Result<(), String> {
        let number = self.member.announced.len();
        let mut text = format!("configure terminal\n{}", rules_of(number, &group));
        writeln!(text, "exit\nrouter bgp {}", self.member.asn).unwrap();
        for family in ["ipv4", "ipv6"] {
            writeln!(text, "address-family {family} unicast").unwrap();
            text += &networks_of(number, &group, family);
            text += "exit-address-family\n";
        }
        self.member.announced.push(group);
        let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        self.tell(&lines).map(|_| ())
    }

    fn withdraw(&mut self, prefixes: &[IpNet]) -> Result<(), String> {
        let asn = self.member.asn;
        for chunk in prefixes.chunks(200) {
            let mut lines = vec!["configure terminal".to_owned(), format!("router bgp {asn}")];
            for prefix in chunk {
                let family = if matches!(prefix, IpNet::V4(_)) {
                    "ipv4"
                } else {
                    "ipv6"
                };
                lines.push(format!("address-family {family} unicast"));
                lines.push(format!("no network {prefix}"));
                lines.push("exit-address-family".to_owned());
            }
            self.tell(&lines)?;
        }
        Ok(())
    }

    fn programs(&mut self) -> Vec<&mut Program> {
        vec![&mut self.bgpd, &mut self.zebra]
    }

    fn ask(&mut self, command: &str) -> Result<String, String> {
        self.tell(&[command.to_owned()])
    }
}

fn config_of(member: &Member) -> String {
    let mut text = "hostname frr\nlog stdout warnings\n".to_owned();
    // A route map that comes later is heeded five seconds later: End-of-RIB would be first.
    for (number, group) in member.announced.iter().enumerate() {
        text += &rules_of(number, group);
    }
    write!(
        text,
        "router bgp {}\n bgp router-id {}\n no bgp ebgp-requires-policy\n \
         no bgp default ipv4-unicast\n no bgp network import-check\n",
        member.asn, member.place.v4
    )
    .unwrap();
    if let Some(restart_time_s) = member.restart_time_s {
        writeln!(
            text,
            " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n \
             bgp graceful-restart restart-time {restart_time_s}"
        )
        .unwrap();
    }
    let neighbors = [
        (
            4,
            "ipv4",
            SERVER_V4.to_string(),
            member.place.v4.to_string(),
        ),
        (
            6,
            "ipv6",
            SERVER_V6.to_string(),
            member.place.v6.to_string(),
        ),
    ];
    let sessions: Vec<_> = neighbors
        .iter()
        .filter(|(number, ..)| member.sessions.contains(number))
        .collect();
    for (number, _, server, own) in &sessions {
        writeln!(
            text,
            " neighbor {server} remote-as {SERVER_ASN}\n neighbor {server} update-source {own}"
        )
        .unwrap();
        writeln!(
            text,
            " neighbor {server} timers connect 2\n neighbor {server} advertisement-interval 0"
        )
        .unwrap();
        if let Some(key) = &member.password {
            writeln!(text, " neighbor {server} password {key}").unwrap();
        }
        if let Some(role) = member.role {
            writeln!(text, " neighbor {server} local-role {role}").unwrap();
        }
        if *number == 6 && member.ipv6_next_hops {
            writeln!(text, " neighbor {server} capability extended-nexthop").unwrap();
        }
    }
    for (number, family, ..) in &neighbors {
        let carries = |session: u8| session == *number || session == 6 && member.ipv6_next_hops;
        writeln!(text, " address-family {family} unicast").unwrap();
        for (_, _, server, _) in sessions.iter().filter(|(session, ..)| carries(*session)) {
            writeln!(text, "  neighbor {server} activate").unwrap();
            // It would send back what it heard, whose AS path begins with another member.
            writeln!(text, "  neighbor {server} filter-list own out").unwrap();
            writeln!(text, "  neighbor {server} soft-reconfiguration inbound").unwrap();
            if !member.add_path {
                writeln!(text, "  neighbor {server} disable-addpath-rx").unwrap();
            }
        }
        for (number, group) in member.announced.iter().enumerate() {
            text += &networks_of(number, group, family);
        }
        text += " exit-address-family\n";
    }
    text
}

fn networks_of(number: usize, group: &Group, family: &str) -> String {
    let of_family = |prefix: &&IpNet| matches!(prefix, IpNet::V4(_)) == (family == "ipv4");
    let mut text = String::new();
    for prefix in group.prefixes.iter().filter(of_family) {
        writeln!(text, "  network {prefix} route-map group{number}").unwrap();
    }
    text
}

/// The attributes of a group, and that it may be announced.
fn rules_of(number: usize, group: &Group) -> String {
    let tail = group.attributes.as_path[1..].iter();
    let tail: Vec<String> = tail.map(u32::to_string).collect();
    format!(
        "bgp as-path access-list own permit ^{}$\nroute-map group{number} permit 10\n{}",
        tail.join("_"),
        settings_of(&group.attributes)
    )
}

fn settings_of(attributes: &Attributes) -> String {
    let mut text = format!(" set origin {}\n", attributes.origin.name());
    if let Some(med) = attributes.med {
        writeln!(text, " set metric {med}").unwrap();
    }
    let words = |list: Vec<String>| list.join(" ");
    if !attributes.communities.is_empty() {
        let list = attributes
            .communities
            .iter()
            .map(|(a, b)| format!("{a}:{b}"))
            .collect();
        writeln!(text, " set community {}", words(list)).unwrap();
    }
    if !attributes.large.is_empty() {
        let list = attributes
            .large
            .iter()
            .map(|(a, b, c)| format!("{a}:{b}:{c}"))
            .collect();
        writeln!(text, " set large-community {}", words(list)).unwrap();
    }
    if !attributes.targets.is_empty() {
        let list = attributes.targets.iter();
        let list = list
            .map(|(asn, number)| format!("{asn}:{number}"))
            .collect();
        writeln!(text, " set extcommunity rt {}", words(list)).unwrap();
    }
    if attributes.as_path.len() > 1 {
        let list = attributes.as_path[1..].iter().map(u32::to_string).collect();
        writeln!(text, " set as-path prepend {}", words(list)).unwrap();
    }
    text
}
