//! GoBGP as a client: routes injected from an MRT dump, read back with `gobgp global rib -j`.

use std::fmt::Write;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;

use super::Router;
use crate::lan::run_in;
use crate::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use crate::mrt;
use crate::program::{Program, wait_for};
use crate::table::{Attributes, Origin, Path, Table};

pub struct Gobgp {
    member: Member,
    _program: Program,
}

impl Gobgp {
    pub fn start(member: &Member) -> Gobgp {
        let config = member.place.directory.join("gobgpd.toml");
        std::fs::write(&config, config_of(member)).expect("GoBGP's configuration");
        let routes: Vec<_> = member
            .announced
            .iter()
            .flat_map(|group| {
                group.prefixes.iter().map(|prefix| {
                    let attributes = &group.attributes;
                    (
                        *prefix,
                        &attributes.as_path[1..],
                        attributes,
                        member.next_hop(prefix),
                    )
                })
            })
            .collect();
        let dump = |name: &str, octets: Vec<u8>| {
            let file = member.place.directory.join(name);
            std::fs::write(&file, octets).expect("GoBGP's routes");
            file.display().to_string()
        };
        let forwards = dump("forwards.mrt", mrt::encode_dump(routes.iter().copied()));
        let backwards = dump(
            "backwards.mrt",
            mrt::encode_dump(routes.iter().rev().copied()),
        );
        let config = config.display().to_string();
        let words = [
            "gobgpd",
            "-f",
            &config,
            "--api-hosts",
            "127.0.0.1:50051",
            "--pprof-disable",
        ];
        let program = Program::start(&member.place, "gobgpd", &words, &[]);
        let gobgp = Gobgp {
            member: member.clone(),
            _program: program,
        };
        wait_for("GoBGP's API", Duration::from_secs(20), || {
            gobgp.ask(&["global"]).map(|_| ())
        });
        // `gobgp` ends before the last few hundred routes are over: those come first the other way.
        wait_for("GoBGP to have its routes", Duration::from_secs(60), || {
            gobgp.ask(&["mrt", "inject", "global", &forwards])?;
            gobgp.ask(&["mrt", "inject", "global", &backwards])?;
            std::thread::sleep(Duration::from_millis(500));
            let due = member
                .announced
                .iter()
                .map(|group| group.prefixes.len())
                .sum::<usize>();
            let has = gobgp.own_count()?;
            if has == due {
                Ok(())
            } else {
                Err(format!("{has} of {due}"))
            }
        });
        gobgp
    }

    /// Each path with its prefix.
    fn paths(&self) -> Result<Vec<(IpNet, Value)>, String> {
        let mut all = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let text = self.ask(&["-j", "global", "rib", "-a", family])?;
            let value: Value =
                serde_json::from_str(&text).map_err(|error| format!("{error}: {text:.200}"))?;
            for (prefix, paths) in value.as_object().into_iter().flatten() {
                let prefix: IpNet = prefix.parse().map_err(|_| format!("prefix {prefix}"))?;
                all.extend(
                    paths
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|path| (prefix, path.clone())),
                );
            }
        }
        Ok(all)
    }

    fn own_count(&self) -> Result<usize, String> {
        Ok(self
            .paths()?
            .iter()
            .filter(|(_, path)| !is_heard(path))
            .count())
    }

    fn ask(&self, words: &[&str]) -> Result<String, String> {
        run_in(&self.member.place.namespace, &[&["gobgp"], words].concat())
    }
}

impl Router for Gobgp {
    fn table(&mut self) -> Result<Table, String> {
        let mut table = Table::default();
        for (prefix, path) in self.paths()?.iter().filter(|(_, path)| is_heard(path)) {
            table.insert(
                *prefix,
                path_of(path).ok_or_else(|| format!("GoBGP says {path}"))?,
            );
        }
        Ok(table)
    }

    fn withdraw(&mut self, prefixes: &[IpNet]) -> Result<(), String> {
        for prefix in prefixes {
            let family = if matches!(prefix, IpNet::V4(_)) {
                "ipv4"
            } else {
                "ipv6"
            };
            self.ask(&["global", "rib", "del", &prefix.to_string(), "-a", family])?;
        }
        Ok(())
    }
}

fn config_of(member: &Member) -> String {
    let mut text = format!(
        "[global.config]\nas = {}\nrouter-id = \"{}\"\nport = -1\n",
        member.asn, member.place.v4
    );
    let neighbors = [
        (
            "ipv4-unicast",
            SERVER_V4.to_string(),
            member.place.v4.to_string(),
        ),
        (
            "ipv6-unicast",
            SERVER_V6.to_string(),
            member.place.v6.to_string(),
        ),
    ];
    for (family, server, own) in neighbors {
        let password = member
            .password
            .as_ref()
            .map(|key| format!("auth-password = \"{key}\"\n"))
            .unwrap_or_default();
        write!(
            text,
            "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{server}\"\npeer-as = {SERVER_ASN}\n{password}\
             [neighbors.timers.config]\nconnect-retry = 5\nidle-hold-time-after-reset = 2\n\
             [neighbors.transport.config]\nlocal-address = \"{own}\"\n\
             [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{family}\"\n\
             [neighbors.afi-safis.add-paths.config]\nreceive = {}\n",
            member.add_path
        )
        .unwrap();
    }
    text
}

/// From the route server, by its address.
fn is_heard(path: &Value) -> bool {
    path["neighbor-ip"]
        .as_str()
        .is_some_and(|address| address.contains("77"))
}

fn path_of(value: &Value) -> Option<Path> {
    let mut next_hop = None;
    let mut attributes = Attributes::plain(0);
    attributes.as_path.clear();
    for attribute in value["attrs"].as_array()? {
        match attribute["type"].as_u64()? {
            1 => {
                attributes.origin = match attribute["value"].as_u64()? {
                    0 => Origin::Igp,
                    1 => Origin::Egp,
                    _ => Origin::Incomplete,
                }
            }
            2 => {
                for segment in attribute["as_paths"].as_array()? {
                    let asns = segment["asns"].as_array()?.iter().filter_map(Value::as_u64);
                    attributes.as_path.extend(asns.map(|asn| asn as u32));
                }
            }
            3 | 14 => next_hop = attribute["nexthop"].as_str()?.parse().ok(),
            4 => attributes.med = Some(attribute["metric"].as_u64()? as u32),
            8 => {
                for community in attribute["communities"]
                    .as_array()?
                    .iter()
                    .filter_map(Value::as_u64)
                {
                    attributes
                        .communities
                        .insert(((community >> 16) as u16, community as u16));
                }
            }
            32 => {
                for community in attribute["value"].as_array()? {
                    let part = |name: &str| community[name].as_u64().map(|number| number as u32);
                    attributes.large.insert((
                        part("ASN")?,
                        part("LocalData1")?,
                        part("LocalData2")?,
                    ));
                }
            }
            _ => return None,
        }
    }
    Some(Path {
        next_hop: next_hop?,
        attributes,
    })
}
