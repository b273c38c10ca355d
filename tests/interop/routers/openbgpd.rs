//! OpenBGPD as a client: `network` statements, read back with `bgpctl -j show rib detail`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use ipnet::IpNet;
use serde_json::Value;

use super::Router;
use crate::lan::run_in;
use crate::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use crate::program::Program;
use crate::table::{Attributes, Origin, Path, Table, as_path, community, large_community};

/// Home of its user, where its processes change root to; Debian's service makes it at its start.
const HOME: &str = "/run/openbgpd";

pub struct Openbgpd {
    member: Member,
    config: PathBuf,
    socket: String,
    _program: Program,
}

impl Openbgpd {
    pub fn start(member: &Member) -> Openbgpd {
        std::fs::create_dir_all(HOME).expect("OpenBGPD's home");
        let config = member.place.directory.join("bgpd.conf");
        let socket = member
            .place
            .directory
            .join("bgpd.sock")
            .display()
            .to_string();
        write_config(&config, &config_of(member, &socket));
        let words = ["/usr/sbin/bgpd", "-d", "-f", &config.display().to_string()];
        let program = Program::start(&member.place, "openbgpd", &words, &[]);
        Openbgpd {
            member: member.clone(),
            config,
            socket,
            _program: program,
        }
    }

    fn ask(&self, words: &[&str]) -> Result<String, String> {
        run_in(
            &self.member.place.namespace,
            &[&["bgpctl", "-s", &self.socket], words].concat(),
        )
    }
}

impl Router for Openbgpd {
    fn table(&mut self) -> Result<Table, String> {
        let text = self.ask(&["-j", "show", "rib", "detail"])?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| format!("{error}: {text:.200}"))?;
        let mut table = Table::default();
        for route in value["rib"].as_array().into_iter().flatten() {
            if route["source"] == "external" {
                let prefix = route["prefix"].as_str().unwrap_or_default();
                table.insert(
                    prefix.parse().map_err(|_| format!("prefix {prefix}"))?,
                    path_of(route)?,
                );
            }
        }
        Ok(table)
    }

    fn withdraw(&mut self, prefixes: &[IpNet]) -> Result<(), String> {
        self.member
            .forget(&prefixes.iter().copied().collect::<BTreeSet<_>>());
        write_config(&self.config, &config_of(&self.member, &self.socket));
        self.ask(&["reload"]).map(|_| ())
    }
}

/// It reads no file that others may read.
fn write_config(file: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(file, text).expect("OpenBGPD's configuration");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
        .expect("its permissions");
}

fn config_of(member: &Member, socket: &str) -> String {
    let mut text = format!(
        "AS {}\nrouter-id {v4}\nlisten on {v4}\nlisten on {}\nsocket \"{socket}\"\nfib-update no\n",
        member.asn,
        member.place.v6,
        v4 = member.place.v4
    );
    for group in &member.announced {
        let settings = settings_of(&group.attributes);
        for prefix in &group.prefixes {
            writeln!(text, "network {prefix} set {{ {settings} }}").unwrap();
        }
    }
    let neighbors = [
        (SERVER_V4.to_string(), member.place.v4.to_string()),
        (SERVER_V6.to_string(), member.place.v6.to_string()),
    ];
    for (server, own) in neighbors {
        let password = member
            .password
            .as_ref()
            .map(|key| format!("tcp md5sig password \"{key}\"\n"))
            .unwrap_or_default();
        let add_path = if member.add_path {
            "announce add-path recv yes\n"
        } else {
            ""
        };
        writeln!(
            text,
            "neighbor {server} {{\nremote-as {SERVER_ASN}\nlocal-address {own}\nenforce neighbor-as no\n{password}{add_path}}}"
        )
        .unwrap();
    }
    text + "allow from any\nallow to any\n"
}

fn settings_of(attributes: &Attributes) -> String {
    let mut text = format!("localpref 200 origin {} ", attributes.origin.name());
    if let Some(med) = attributes.med {
        write!(text, "metric {med} ").unwrap();
    }
    for (high, low) in &attributes.communities {
        write!(text, "community {high}:{low} ").unwrap();
    }
    for (a, b, c) in &attributes.large {
        write!(text, "large-community {a}:{b}:{c} ").unwrap();
    }
    if attributes.as_path.len() > 1 {
        write!(text, "prepend-self {} ", attributes.as_path.len() - 1).unwrap();
    }
    text
}

fn path_of(route: &Value) -> Result<Path, String> {
    let text = |name: &str| {
        route[name]
            .as_str()
            .ok_or_else(|| format!("OpenBGPD says {route}"))
    };
    let list = |name: &str| {
        route[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    };
    let mut attributes = Attributes::plain(0);
    attributes.as_path = as_path(text("aspath")?)?;
    attributes.origin = Origin::from_text(text("origin")?)?;
    attributes.med = route["metric"].as_u64().map(|med| med as u32);
    for word in list("communities") {
        attributes.communities.insert(community(word)?);
    }
    for word in list("large_communities") {
        attributes.large.insert(large_community(word)?);
    }
    let next_hop = text("exit_nexthop")?;
    Ok(Path {
        next_hop: next_hop
            .parse()
            .map_err(|_| format!("next hop {next_hop}"))?,
        attributes,
    })
}
