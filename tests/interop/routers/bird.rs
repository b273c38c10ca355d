//! BIRD 2 as a client: static blackhole routes, read back with `birdc show route all`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use super::Router;
use crate::lan::run_in;
use crate::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use crate::program::Program;
use crate::table::{Attributes, Group, Origin, Path, Table, as_path};

pub struct Bird {
    member: Member,
    config: PathBuf,
    control: String,
    program: Program,
}

impl Bird {
    pub fn start(member: &Member) -> Bird {
        let config = member.place.directory.join("bird.conf");
        let control = member
            .place
            .directory
            .join("bird.ctl")
            .display()
            .to_string();
        std::fs::write(&config, config_of(member)).expect("BIRD's configuration is written");
        let config_name = config.display().to_string();
        let mut words = vec!["bird", "-f", "-c", &config_name, "-s", &control];
        // Graceful restart recovery.
        words.extend(member.is_back.then_some("-R"));
        let program = Program::start(&member.place, "bird", &words, &[]);
        Bird {
            member: member.clone(),
            config,
            control,
            program,
        }
    }

    /// Its sessions with the route server.
    fn protocols(&self) -> impl Iterator<Item = String> + use<> {
        let families = self.member.sessions.clone().into_iter();
        families.map(|family| format!("rs{family}"))
    }

    fn configure(&self) -> Result<(), String> {
        std::fs::write(&self.config, config_of(&self.member)).map_err(|error| error.to_string())?;
        self.birdc(&["configure"]).map(|_| ())
    }

    fn birdc(&self, words: &[&str]) -> Result<String, String> {
        run_in(
            &self.member.place.namespace,
            &[&["birdc", "-s", &self.control], words].concat(),
        )
    }
}

impl Router for Bird {
    /// `3880 of 4840 routes for 4840 networks in table master4`
    fn path_count(&mut self) -> Result<usize, String> {
        let mut count = 0;
        for protocol in self.protocols() {
            let text = self.birdc(&["show", "route", "count", "protocol", &protocol])?;
            for line in text.lines().filter(|line| line.contains(" in table ")) {
                let word = line.split_whitespace().next().unwrap_or_default();
                count += word
                    .parse::<usize>()
                    .map_err(|_| format!("BIRD counts '{line}'"))?;
            }
        }
        Ok(count)
    }

    fn table(&mut self) -> Result<Table, String> {
        let mut table = Table::default();
        for protocol in self.protocols() {
            decode_routes(
                &self.birdc(&["show", "route", "all", "protocol", &protocol])?,
                &mut table,
            )?;
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
        self.birdc(&command.split(' ').collect::<Vec<_>>())
    }
}

fn config_of(member: &Member) -> String {
    let mut text = format!("router id {};\nprotocol device {{}}\n", member.place.v4);
    for family in [4, 6] {
        writeln!(text, "protocol static own{family} {{\n  ipv{family};").unwrap();
        for group in &member.announced {
            let attributes = attributes_of(&group.attributes);
            let of_family = |prefix: &&IpNet| matches!(prefix, IpNet::V4(_)) == (family == 4);
            for prefix in group.prefixes.iter().filter(of_family) {
                writeln!(text, "  route {prefix} blackhole {{ {attributes} }};").unwrap();
            }
        }
        text += "}\n";
    }
    let add_paths = if member.add_path {
        "add paths rx; "
    } else {
        ""
    };
    let password = member
        .password
        .as_ref()
        .map(|key| format!("password \"{key}\"; "))
        .unwrap_or_default();
    let addresses = [
        (4, member.place.v4.to_string(), SERVER_V4.to_string()),
        (6, member.place.v6.to_string(), SERVER_V6.to_string()),
    ];
    let role = member
        .role
        .map(|role| format!("local role {}; ", role.replace('-', "_")))
        .unwrap_or_default();
    let restart = member
        .restart_time_s
        .map(|own| format!("graceful restart on; graceful restart time {own}; "))
        .unwrap_or_default();
    // BIRD drops a MED that its export filter did not set.
    let filter = "export filter { if source != RTS_STATIC then reject; \
                  if defined(bgp_med) then bgp_med = bgp_med; accept; };";
    let has_session = |(family, _, _): &(u8, String, String)| member.sessions.contains(family);
    for (family, local, remote) in addresses.into_iter().filter(has_session) {
        let more = match family == 6 && member.ipv6_next_hops {
            true => format!("ipv4 {{ import all; extended next hop on; {filter} }}; "),
            false => String::new(),
        };
        writeln!(
            text,
            "protocol bgp rs{family} {{ local {local} as {asn}; neighbor {remote} as {SERVER_ASN}; {password}\
             {role}{restart}connect delay time 1; error wait time 1, 2; \
             ipv{family} {{ import all; {add_paths}{filter} }}; {more}}}",
            asn = member.asn,
        )
        .unwrap();
    }
    text
}

fn attributes_of(attributes: &Attributes) -> String {
    let mut text = format!(
        "bgp_origin = ORIGIN_{}; ",
        attributes.origin.name().to_uppercase()
    );
    for asn in attributes.as_path[1..].iter().rev() {
        write!(text, "bgp_path.prepend({asn}); ").unwrap();
    }
    if let Some(med) = attributes.med {
        write!(text, "bgp_med = {med}; ").unwrap();
    }
    for (high, low) in &attributes.communities {
        write!(text, "bgp_community.add(({high}, {low})); ").unwrap();
    }
    for (a, b, c) in &attributes.large {
        write!(text, "bgp_large_community.add(({a}, {b}, {c})); ").unwrap();
    }
    for (asn, number) in &attributes.targets {
        write!(text, "bgp_ext_community.add((rt, {asn}, {number})); ").unwrap();
    }
    if let Some(asn) = attributes.otc {
        write!(text, "bgp_otc = {asn}; ").unwrap();
    }
    text
}

/// Reads `show route all`. A line that begins with a prefix or with blanks and `unicast` is a route.
fn decode_routes(text: &str, table: &mut Table) -> Result<(), String> {
    let mut prefix: Option<IpNet> = None;
    let mut path: Option<Path> = None;
    let mut finish = |prefix: Option<IpNet>, path: &mut Option<Path>| {
        if let (Some(prefix), Some(path)) = (prefix, path.take()) {
            table.insert(prefix, path);
        }
    };
    for line in text.lines() {
        if let Some((name, value)) = line
            .strip_prefix("\tBGP.")
            .and_then(|rest| rest.split_once(": "))
        {
            let path = path.as_mut().ok_or("an attribute before any route")?;
            read_attribute(path, name, value)?;
        } else if line.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':' || c == ' ')
            && line.contains(" [")
        {
            finish(prefix, &mut path);
            if !line.starts_with(' ') {
                let word = line.split_whitespace().next().unwrap_or_default();
                prefix = Some(
                    word.parse()
                        .map_err(|_| format!("'{line}' begins with no prefix"))?,
                );
            }
            if line.contains(" unreachable ") {
                return Err(format!("BIRD cannot reach the next hop: {line}"));
            }
            path = Some(Path {
                next_hop: [0, 0, 0, 0].into(),
                attributes: Arc::new(Attributes::plain(0)),
            });
        }
    }
    finish(prefix, &mut path);
    Ok(())
}

fn read_attribute(path: &mut Path, name: &str, value: &str) -> Result<(), String> {
    let wrong = || format!("BGP.{name}: {value}");
    let attributes = Arc::make_mut(&mut path.attributes);
    match name {
        "origin" => attributes.origin = Origin::from_text(value)?,
        "as_path" => attributes.as_path = as_path(value)?,
        "next_hop" => {
            let word = value.split_whitespace().next().ok_or_else(wrong)?;
            path.next_hop = word.parse().map_err(|_| wrong())?;
        }
        "med" => attributes.med = Some(value.parse().map_err(|_| wrong())?),
        "community" => {
            for numbers in tuples(value) {
                let [high, low] = numbers[..] else {
                    return Err(wrong());
                };
                attributes.communities.insert((high as u16, low as u16));
            }
        }
        "large_community" => {
            for numbers in tuples(value) {
                let [a, b, c] = numbers[..] else {
                    return Err(wrong());
                };
                attributes.large.insert((a, b, c));
            }
        }
        "ext_community" => {
            for part in value.split(')').filter(|part| part.contains('(')) {
                let parts = part.trim_matches([' ', '(']).split(',');
                let parts: Vec<&str> = parts.map(str::trim).collect();
                let ["rt", asn, number] = parts[..] else {
                    return Err(wrong());
                };
                let parsed = asn.parse().ok().zip(number.parse().ok());
                attributes.targets.insert(parsed.ok_or_else(wrong)?);
            }
        }
        "otc" => attributes.otc = Some(value.parse().map_err(|_| wrong())?),
        "local_pref" => {}
        _ => return Err(format!("unexpected attribute {}", wrong())),
    }
    Ok(())
}

/// `(1,2) (3, 4)` as lists of numbers.
fn tuples(text: &str) -> impl Iterator<Item = Vec<u32>> + '_ {
    text.split(')')
        .filter(|part| part.contains('('))
        .map(|part| {
            part.trim_matches([' ', '('])
                .split(',')
                .filter_map(|number| number.trim().parse().ok())
                .collect()
        })
}
