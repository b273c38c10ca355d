//! GoBGP as a client: routes injected from an MRT dump, read back with `gobgp global rib -j`.

use std::fmt::Write;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;

use super::Router;
use crate::lan::run_in;
use crate::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6, v6_blocks};
use crate::mrt;
use crate::program::{Program, wait_for};
use crate::table::{Attributes, Group, Origin, Path, Table, community, large_community, target};

const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];
/// Routes at the end of a dump that are there twice.
const REPEATED_COUNT: usize = 4_000;

pub struct Gobgp {
    member: Member,
    program: Program,
}

impl Gobgp {
    pub fn start(member: &Member) -> Gobgp {
        let config = member.place.directory.join("gobgpd.toml");
        std::fs::write(&config, config_of(member)).expect("GoBGP's configuration");
        let config = config.display().to_string();
        let mut words = vec![
            "gobgpd",
            "-f",
            &config,
            "--api-hosts",
            "127.0.0.1:50051",
            "--pprof-disable",
        ];
        words.extend(member.is_back.then_some("--graceful-restart"));
        let program = Program::start(&member.place, "gobgpd", &words, &[]);
        let gobgp = Gobgp {
            member: member.clone(),
            program,
        };
        wait_for("GoBGP's API", Duration::from_secs(20), || {
            gobgp.gobgp(&["global"]).map(|_| ())
        });
        let due: usize = member.announced.iter().map(|g| g.prefixes.len()).sum();
        wait_for("GoBGP to have its routes", Duration::from_secs(60), || {
            gobgp.inject(&member.announced)?;
            std::thread::sleep(Duration::from_millis(500));
            match gobgp.table_count()? {
                has if has == due => Ok(()),
                has => Err(format!("{has} of {due}")),
            }
        });
        // Its sessions come up when its table holds its own routes alone, and all of them.
        for (_, server, _) in neighbors_of(member) {
            gobgp
                .gobgp(&["neighbor", &server, "enable"])
                .expect("GoBGP's session is enabled");
        }
        gobgp
    }

    /// Adds routes to its table.
    fn inject(&self, groups: &[Group]) -> Result<(), String> {
        let routes: Vec<_> = groups
            .iter()
            .flat_map(|group| {
                group.prefixes.iter().map(|prefix| {
                    let attributes = &group.attributes;
                    (
                        *prefix,
                        &attributes.as_path[1..],
                        attributes,
                        self.member.next_hop(prefix),
                    )
                })
            })
            .collect();
        // `gobgp` ends before the last few hundred are over: those are told already.
        let repeated = routes.iter().cycle().take(REPEATED_COUNT);
        let octets = mrt::encode_dump(routes.iter().chain(repeated).copied());
        let dump = self.member.place.directory.join("routes.mrt");
        std::fs::write(&dump, octets).map_err(|error| error.to_string())?;
        let dump = dump.display().to_string();
        self.gobgp(&["mrt", "inject", "global", &dump]).map(|_| ())
    }

    /// Paths in its table, its own and others.
    fn table_count(&self) -> Result<usize, String> {
        let mut count = 0;
        for family in FAMILIES {
            let text = self.gobgp(&["global", "rib", "summary", "-a", family])?;
            let word = text.rsplit("Path: ").next().unwrap_or_default().trim();
            count += word
                .parse::<usize>()
                .map_err(|_| format!("GoBGP counts '{text}'"))?;
        }
        Ok(count)
    }

    fn gobgp(&self, words: &[&str]) -> Result<String, String> {
        run_in(&self.member.place.namespace, &[&["gobgp"], words].concat())
    }
}

impl Router for Gobgp {
    fn path_count(&mut self) -> Result<usize, String> {
        let text = self.gobgp(&["-j", "neighbor"])?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let neighbors = value.as_array().into_iter().flatten();
        let families =
            neighbors.flat_map(|neighbor| neighbor["afi_safis"].as_array().into_iter().flatten());
        let counts = families.filter_map(|family| family["state"]["accepted"].as_u64());
        Ok(counts.sum::<u64>() as usize)
    }

    /// GoBGP keeps with each IPv6 path all prefixes of the UPDATE that it came in, and tells them with
    /// it: as JSON a table of 50,000 is more than a gigabyte, and in one piece it costs GoBGP several.
    /// So it is asked in words, for one block after the other.
    fn table(&mut self) -> Result<Table, String> {
        let own = [self.member.place.v4.into(), self.member.place.v6.into()];
        let mut table = Table::default();
        let mut count = 0;
        let v6 = v6_blocks().map(|block| format!("{block} longer-prefixes -a ipv6"));
        for question in std::iter::once("-a ipv4".to_owned()).chain(v6) {
            let words: Vec<&str> = question.split(' ').collect();
            let text = self.gobgp(&[&["global", "rib"], &words[..]].concat())?;
            for line in text.lines().skip(1) {
                let (prefix, path) =
                    decode_route(line).ok_or_else(|| format!("GoBGP says '{line}'"))?;
                count += 1;
                if !own.contains(&path.next_hop) {
                    table.insert(prefix, path);
                }
            }
        }
        match self.table_count()? {
            all if all == count => Ok(table),
            all => Err(format!(
                "{all} paths in GoBGP's table, {count} of them read"
            )),
        }
    }

    fn announce(&mut self, group: Group) -> Result<(), String> {
        self.inject(&[group])
    }

    fn withdraw(&mut self, prefixes: &[IpNet]) -> Result<(), String> {
        for prefix in prefixes {
            let family = if matches!(prefix, IpNet::V4(_)) {
                "ipv4"
            } else {
                "ipv6"
            };
            self.gobgp(&["global", "rib", "del", &prefix.to_string(), "-a", family])?;
        }
        Ok(())
    }

    fn programs(&mut self) -> Vec<&mut Program> {
        vec![&mut self.program]
    }

    fn ask(&mut self, command: &str) -> Result<String, String> {
        self.gobgp(&command.split(' ').collect::<Vec<_>>())
    }
}

/// Address family, server and own address of each of its sessions.
fn neighbors_of(member: &Member) -> Vec<(&'static str, String, String)> {
    let neighbors = [
        (
            4,
            "ipv4-unicast",
            SERVER_V4.to_string(),
            member.place.v4.to_string(),
        ),
        (
            6,
            "ipv6-unicast",
            SERVER_V6.to_string(),
            member.place.v6.to_string(),
        ),
    ];
    let has_session = |number: &u8| member.sessions.contains(number);
    neighbors
        .into_iter()
        .filter(|(number, ..)| has_session(number))
        .map(|(_, family, server, own)| (family, server, own))
        .collect()
}

fn config_of(member: &Member) -> String {
    let mut text = format!(
        "[global.config]\nas = {}\nrouter-id = \"{}\"\nport = -1\n",
        member.asn, member.place.v4
    );
    for (family, server, own) in neighbors_of(member) {
        let password = member
            .password
            .as_ref()
            .map(|key| format!("auth-password = \"{key}\"\n"))
            .unwrap_or_default();
        let restart = member.restart_time_s.map(|own| {
            format!("[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = {own}\n")
        });
        let restart_of_family = member.restart_time_s.map(|_| {
            "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n".to_owned()
        });
        let [restart, restart_of_family] =
            [restart, restart_of_family].map(Option::unwrap_or_default);
        write!(
            text,
            "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{server}\"\npeer-as = {SERVER_ASN}\nadmin-down = true\n{password}\
             [neighbors.timers.config]\nconnect-retry = 5\nidle-hold-time-after-reset = 2\n{restart}\
             [neighbors.transport.config]\nlocal-address = \"{own}\"\n\
             [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{family}\"\n\
             {restart_of_family}[neighbors.afi-safis.add-paths.config]\nreceive = {}\n",
            member.add_path
        )
        .unwrap();
    }
    text
}

/// `*> 21.0.1.0/24 10.77.1.1 10001 3303 00:00:16 [{Origin: i} {Med: 50}]`
fn decode_route(line: &str) -> Option<(IpNet, Path)> {
    let (head, settings) = line.split_once(" [{")?;
    let mut words = head.split_whitespace().skip(1);
    let prefix = words.next()?.parse().ok()?;
    let next_hop = words.next()?.parse().ok()?;
    let mut attributes = Attributes::plain(0);
    let as_path_and_age: Vec<&str> = words.collect();
    let (_age, asns) = as_path_and_age.split_last()?;
    attributes.as_path = asns
        .iter()
        .map(|asn| asn.parse().ok())
        .collect::<Option<_>>()?;
    for setting in settings.strip_suffix("}]")?.split("} {") {
        read_setting(&mut attributes, setting)?;
    }
    let path = Path {
        next_hop,
        attributes: attributes.into(),
    };
    Some((prefix, path))
}

/// `Communities: 1:77, 174:990` or another attribute in words.
fn read_setting(attributes: &mut Attributes, text: &str) -> Option<()> {
    let (name, value) = text.split_once(": ")?;
    match name {
        "Origin" => {
            attributes.origin = match value {
                "i" => Origin::Igp,
                "e" => Origin::Egp,
                "?" => Origin::Incomplete,
                _ => return None,
            }
        }
        "Med" => attributes.med = Some(value.parse().ok()?),
        "Communities" => {
            let communities = value.split(", ").map(community);
            attributes.communities = communities.collect::<Result<_, _>>().ok()?;
        }
        "Extcomms" => {
            let list = value.strip_prefix('[')?.strip_suffix(']')?;
            let targets = list.split(", ").map(target);
            attributes.targets = targets.collect::<Result<_, _>>().ok()?;
        }
        "LargeCommunity" => {
            let list = value.strip_prefix("[ ")?.strip_suffix(']')?;
            let communities = list.split(", ").map(large_community);
            attributes.large = communities.collect::<Result<_, _>>().ok()?;
        }
        _ => return None,
    }
    Some(())
}
