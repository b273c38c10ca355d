//! OpenBGPD as a client: `network` statements, read back with `bgpctl -j show rib detail`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::Router;
use crate::lan::run_in;
use crate::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use crate::program::Program;
use crate::table::{
    Attributes, Group, Origin, Path, Table, as_path, community, large_community, target,
};

/// Home of its user, where its processes change root to; Debian's service makes it at its start.
const HOME: &str = "/run/openbgpd";

pub struct Openbgpd {
    member: Member,
    config: PathBuf,
    socket: String,
    program: Program,
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
            program,
        }
    }

    fn configure(&self) -> Result<(), String> {
        write_config(&self.config, &config_of(&self.member, &self.socket));
        self.bgpctl(&["reload"]).map(|_| ())
    }

    fn bgpctl(&self, words: &[&str]) -> Result<String, String> {
        run_in(
            &self.member.place.namespace,
            &[&["bgpctl", "-s", &self.socket], words].concat(),
        )
    }
}

impl Router for Openbgpd {
    fn path_count(&mut self) -> Result<usize, String> {
        let text = self.bgpctl(&["-j", "show", "neighbor"])?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let neighbors = value["neighbors"].as_array().into_iter().flatten();
        let counts =
            neighbors.filter_map(|neighbor| neighbor["stats"]["prefixes"]["received"].as_u64());
        Ok(counts.sum::<u64>() as usize)
    }

    fn table(&mut self) -> Result<Table, String> {
        let mut table = Table::default();
        for server in [SERVER_V4.to_string(), SERVER_V6.to_string()] {
            let text = self.bgpctl(&["-j", "show", "rib", "detail", "neighbor", &server])?;
            let shown: Rib =
                serde_json::from_str(&text).map_err(|error| format!("{error}: {text:.200}"))?;
            for route in shown.rib {
                table.insert(route.prefix, route.path()?);
            }
        }
        Ok(table)
    }

    fn announce(&mut self, group: Group) -> Result<(), String> {
        self.member.announced.push(group);
        self.configure()
    }

    fn withdraw(&mut self, prefixes: &[IpNet]) -> Result<(), String> {
        self.member
            .forget(&prefixes.iter().copied().collect::<BTreeSet<_>>());
        self.configure()
    }

    fn programs(&mut self) -> Vec<&mut Program> {
        vec![&mut self.program]
    }

    fn ask(&mut self, command: &str) -> Result<String, String> {
        self.bgpctl(&command.split(' ').collect::<Vec<_>>())
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
        (4, SERVER_V4.to_string(), member.place.v4.to_string()),
        (6, SERVER_V6.to_string(), member.place.v6.to_string()),
    ];
    let has_session = |(family, _, _): &(u8, String, String)| member.sessions.contains(family);
    for (_, server, own) in neighbors.into_iter().filter(has_session) {
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
        let role = member
            .role
            .map(|role| format!("announce policy {role}\n"))
            .unwrap_or_default();
        writeln!(
            text,
            "neighbor {server} {{\nremote-as {SERVER_ASN}\nlocal-address {own}\nenforce neighbor-as no\n{password}{add_path}{role}}}"
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
    for (asn, number) in &attributes.targets {
        write!(text, "ext-community rt {asn}:{number} ").unwrap();
    }
    if attributes.as_path.len() > 1 {
        write!(text, "prepend-self {} ", attributes.as_path.len() - 1).unwrap();
    }
    text
}

/// What `bgpctl -j show rib detail` says, as far as it is compared.
#[derive(Deserialize)]
struct Rib {
    #[serde(default)]
    rib: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    prefix: IpNet,
    aspath: String,
    exit_nexthop: IpAddr,
    origin: String,
    metric: Option<u32>,
    #[serde(default)]
    communities: Vec<String>,
    #[serde(default)]
    extended_communities: Vec<String>,
    #[serde(default)]
    large_communities: Vec<String>,
    #[serde(default)]
    attributes: Vec<Other>,
}

/// An attribute that has no field of its own.
#[derive(Deserialize)]
struct Other {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "as")]
    asn: Option<u32>,
}

impl Route {
    fn path(&self) -> Result<Path, String> {
        let communities = self.communities.iter().map(|word| community(word));
        let large = self
            .large_communities
            .iter()
            .map(|word| large_community(word));
        let targets = self.extended_communities.iter();
        let targets = targets.map(|text| target(text.strip_prefix("rt ").unwrap_or(text)));
        let otc = self.attributes.iter().find(|other| other.kind == "OTC");
        let attributes = Attributes {
            as_path: as_path(&self.aspath)?,
            origin: Origin::from_text(&self.origin)?,
            med: self.metric,
            communities: communities.collect::<Result<_, _>>()?,
            large: large.collect::<Result<_, _>>()?,
            targets: targets.collect::<Result<_, _>>()?,
            otc: otc.and_then(|other| other.asn),
        };
        Ok(Path {
            next_hop: self.exit_nexthop,
            attributes: attributes.into(),
        })
    }
}
