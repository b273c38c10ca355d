//! ExaBGP as a client: announces what is written into a pipe, tells what it hears as JSON lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use super::Router;
use crate::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use crate::program::Program;
use crate::table::{Attributes, Group, Origin, Path, Table, target};

pub struct Exabgp {
    commands: PathBuf,
    /// What it has said, read as far as `line`, which may not be complete.
    said: BufReader<File>,
    line: String,
    heard: Heard,
    program: Program,
}

impl Exabgp {
    pub fn start(member: &Member) -> Exabgp {
        let directory = &member.place.directory;
        let (said, commands) = (directory.join("said.json"), directory.join("commands"));
        File::create(&said).expect("a file for what ExaBGP says");
        let made = Command::new("mkfifo")
            .arg(&commands)
            .status()
            .expect("mkfifo runs");
        assert!(made.success(), "a pipe for ExaBGP");
        // ExaBGP changes its directory. The second `cat` holds the pipe open for writing, so that it never ends.
        let script = format!(
            "exec 3<&0\ncat <&3 > {} &\nexec cat <>{}\n",
            said.display(),
            commands.display()
        );
        std::fs::write(directory.join("peer.sh"), script).expect("ExaBGP's script");
        std::fs::write(directory.join("exabgp.conf"), config_of(member))
            .expect("ExaBGP's configuration");
        let environment = [
            ("exabgp.daemon.user", "root"),
            ("exabgp.daemon.drop", "false"),
            ("exabgp.log.destination", "stdout"),
            ("exabgp.log.level", "WARNING"),
            ("exabgp.log.api", "false"),
            ("exabgp.log.reactor", "false"),
            ("exabgp.api.ack", "false"),
            ("exabgp.api.cli", "false"),
        ];
        let program = Program::start(
            &member.place,
            "exabgp",
            &["exabgp", "exabgp.conf"],
            &environment,
        );
        let said = File::open(&said).expect("what ExaBGP says");
        let exabgp = Exabgp {
            commands,
            said: BufReader::new(said),
            line: String::new(),
            heard: Heard::new(),
            program,
        };
        for group in &member.announced {
            exabgp
                .announce_group(group)
                .expect("ExaBGP takes its routes");
        }
        exabgp
    }

    fn announce_group(&self, group: &Group) -> Result<(), String> {
        let settings = settings_of(&group.attributes);
        let (v4, v6) = by_family(&group.prefixes);
        self.tell("announce", &settings, &v4)?;
        self.tell("announce", &settings, &v6)
    }

    fn tell(&self, verb: &str, settings: &str, prefixes: &[IpNet]) -> Result<(), String> {
        let mut pipe = File::options()
            .write(true)
            .open(&self.commands)
            .map_err(|error| error.to_string())?;
        for chunk in prefixes.chunks(50) {
            let server: IpAddr = if matches!(chunk[0], IpNet::V4(_)) {
                SERVER_V4.into()
            } else {
                SERVER_V6.into()
            };
            let nlri: Vec<String> = chunk.iter().map(IpNet::to_string).collect();
            let line = format!(
                "neighbor {server} {verb} attributes next-hop self {settings} nlri {}\n",
                nlri.join(" ")
            );
            pipe.write_all(line.as_bytes())
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Takes in what it has said since the last time.
    fn listen(&mut self) -> Result<(), String> {
        loop {
            let read = self.said.read_line(&mut self.line);
            read.map_err(|error| error.to_string())?;
            if !self.line.ends_with('\n') {
                return Ok(());
            }
            let line = std::mem::take(&mut self.line);
            serde_json::from_str(&line)
                .ok()
                .and_then(|value| hear(&value, &mut self.heard))
                .unwrap_or_else(|| panic!("ExaBGP says {line}"));
        }
    }
}

impl Router for Exabgp {
    fn path_count(&mut self) -> Result<usize, String> {
        self.listen()?;
        Ok(self.heard.len())
    }

    fn table(&mut self) -> Result<Table, String> {
        self.listen()?;
        let mut table = Table::default();
        for ((prefix, _), path) in &self.heard {
            table.insert(*prefix, path.clone());
        }
        Ok(table)
    }

    fn announce(&mut self, group: Group) -> Result<(), String> {
        self.announce_group(&group)
    }

    fn withdraw(&mut self, prefixes: &[IpNet]) -> Result<(), String> {
        let (v4, v6) = by_family(prefixes);
        self.tell("withdraw", "", &v4)?;
        self.tell("withdraw", "", &v6)
    }

    /// It has no commands that tell anything; what it was told is all that there is.
    fn programs(&mut self) -> Vec<&mut Program> {
        vec![&mut self.program]
    }

    fn ask(&mut self, command: &str) -> Result<String, String> {
        Err(format!("ExaBGP is not asked '{command}'"))
    }
}

fn by_family(prefixes: &[IpNet]) -> (Vec<IpNet>, Vec<IpNet>) {
    let is_v4 = |prefix: &&IpNet| matches!(prefix, IpNet::V4(_));
    let (v4, v6): (Vec<_>, Vec<_>) = prefixes.iter().partition(is_v4);
    (v4, v6)
}

fn config_of(member: &Member) -> String {
    let mut text = "process peer { run /bin/sh peer.sh; encoder json; }\n".replace(
        "peer.sh",
        &member.place.directory.join("peer.sh").display().to_string(),
    );
    let neighbors = [
        (4, SERVER_V4.to_string(), member.place.v4.to_string()),
        (6, SERVER_V6.to_string(), member.place.v6.to_string()),
    ];
    let has_session = |(family, _, _): &(u8, String, String)| member.sessions.contains(family);
    for (family, server, own) in neighbors.into_iter().filter(has_session) {
        let password = member
            .password
            .as_ref()
            .map(|key| format!("md5-password '{key}'; "))
            .unwrap_or_default();
        let add_path = if member.add_path {
            "capability { add-path receive; } "
        } else {
            ""
        };
        writeln!(
            text,
            "neighbor {server} {{ router-id {id}; local-address {own}; local-as {asn}; peer-as {SERVER_ASN}; \
             {password}{add_path}family {{ ipv{family} unicast; }} \
             api {{ processes [ peer ]; neighbor-changes; receive {{ parsed; update; }} }} }}",
            id = member.place.v4,
            asn = member.asn,
        )
        .unwrap();
    }
    text
}

fn settings_of(attributes: &Attributes) -> String {
    let list = |words: Vec<String>| words.join(" ");
    let mut text = format!("origin {} ", attributes.origin.name());
    write!(
        text,
        "as-path [ {} ] ",
        list(attributes.as_path.iter().map(u32::to_string).collect())
    )
    .unwrap();
    if let Some(med) = attributes.med {
        write!(text, "med {med} ").unwrap();
    }
    if !attributes.communities.is_empty() {
        let words = attributes
            .communities
            .iter()
            .map(|(a, b)| format!("{a}:{b}"))
            .collect();
        write!(text, "community [ {} ] ", list(words)).unwrap();
    }
    if !attributes.large.is_empty() {
        let words = attributes
            .large
            .iter()
            .map(|(a, b, c)| format!("{a}:{b}:{c}"))
            .collect();
        write!(text, "large-community [ {} ] ", list(words)).unwrap();
    }
    if !attributes.targets.is_empty() {
        let words = attributes
            .targets
            .iter()
            .map(|(asn, number)| format!("target:{asn}:{number}"))
            .collect();
        write!(text, "extended-community [ {} ] ", list(words)).unwrap();
    }
    if let Some(asn) = attributes.otc {
        write!(text, "attribute [ 0x23 0xc0 0x{asn:08x} ] ").unwrap();
    }
    text
}

/// By prefix and, with ADD-PATH, path identifier.
type Heard = BTreeMap<(IpNet, String), Path>;

/// Takes one line of ExaBGP into account; `None` if it is not understood.
fn hear(line: &Value, heard: &mut Heard) -> Option<()> {
    let neighbor = &line["neighbor"];
    if line["type"] == "state" {
        let is_v4 = neighbor["address"]["peer"].as_str()?.contains('.');
        if neighbor["state"] == "down" {
            heard.retain(|(prefix, _), _| matches!(prefix, IpNet::V4(_)) != is_v4);
        }
        return Some(());
    }
    let update = &neighbor["message"]["update"];
    for entries in update["withdraw"]
        .as_object()
        .into_iter()
        .flat_map(|families| families.values())
    {
        for entry in entries.as_array()? {
            heard.remove(&key_of(entry)?);
        }
    }
    for next_hops in update["announce"]
        .as_object()
        .into_iter()
        .flat_map(|families| families.values())
    {
        let attributes = Arc::new(attributes_of(&update["attribute"])?);
        for (next_hop, entries) in next_hops.as_object()? {
            let next_hop: IpAddr = next_hop.parse().ok()?;
            // A link-local next hop is listed beside the global one (RFC 2545 §3).
            if matches!(next_hop, IpAddr::V6(address) if address.is_unicast_link_local()) {
                continue;
            }
            for entry in entries.as_array()? {
                heard.insert(
                    key_of(entry)?,
                    Path {
                        next_hop,
                        attributes: attributes.clone(),
                    },
                );
            }
        }
    }
    Some(())
}

fn key_of(entry: &Value) -> Option<(IpNet, String)> {
    let path_id = entry["path-information"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Some((entry["nlri"].as_str()?.parse().ok()?, path_id))
}

fn attributes_of(value: &Value) -> Option<Attributes> {
    let number = |value: &Value| value.as_u64().map(|number| number as u32);
    let mut attributes = Attributes::plain(0);
    attributes.origin = Origin::from_text(value["origin"].as_str()?).ok()?;
    attributes.as_path = value["as-path"]
        .as_array()?
        .iter()
        .map(number)
        .collect::<Option<_>>()?;
    attributes.med = number(&value["med"]);
    for community in value["community"].as_array().into_iter().flatten() {
        attributes
            .communities
            .insert((number(&community[0])? as u16, number(&community[1])? as u16));
    }
    for community in value["large-community"].as_array().into_iter().flatten() {
        attributes.large.insert((
            number(&community[0])?,
            number(&community[1])?,
            number(&community[2])?,
        ));
    }
    for community in value["extended-community"].as_array().into_iter().flatten() {
        let text = community["string"].as_str()?.strip_prefix("target:")?;
        attributes.targets.insert(target(text).ok()?);
    }
    if let Some(value) = value["attribute-0x23-0xC0"].as_str() {
        attributes.otc = u32::from_str_radix(value.strip_prefix("0x")?, 16).ok();
    }
    Some(attributes)
}
