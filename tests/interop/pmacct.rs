//! BMP, as pmacct's pmbmpd understands it: what its log comes to is compared with the tables.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rialto::manage::view::PathView;
use serde_json::Value;

use super::lan::Lan;
use super::member::{Make, Member};
use super::program::{Program, wait_for};
use super::server::{Server, Settings};
use super::{Client, expect_all_of_others};

const PMBMPD: &str = "/usr/sbin/pmbmpd";
const PATIENCE: Duration = Duration::from_secs(60);
/// Prefixes of each family that each member announces.
const OWN: u32 = 30;

const SECTION: &str = "[[bmp]]\ncollector = \"127.0.0.1:15000\"\nmonitor = [\"pre_policy\", \"post_policy\", \"loc_rib\"]\n\
                       adj_rib_out = [\"gobgp2-4\", \"gobgp2-6\"]\nstatistics_s = 1\n";

/// By view ("pre", "post", "out", "loc") and address of the peer: what there is of each prefix.
type Tables = BTreeMap<(String, String), BTreeMap<String, String>>;

#[derive(Default, Debug, PartialEq)]
struct Told {
    tables: Tables,
    /// Peers that are up.
    up: Vec<String>,
    statistics: usize,
    initiations: usize,
}

fn view(line: &Value) -> String {
    let is = |key: &str| line[key] == 1;
    let view = match (is("is_loc"), is("is_out"), is("is_post")) {
        (true, ..) => "loc",
        (_, true, true) => "out",
        (_, false, true) => "post",
        (_, false, false) => "pre",
        (_, true, false) => panic!("{line}"),
    };
    view.to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// pmbmpd's log from its beginning.
fn read(log: &Path) -> Told {
    let mut told = Told::default();
    let text_of_log = std::fs::read_to_string(log).unwrap_or_default();
    let whole = text_of_log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let peer = text(&line["peer_ip"]).to_owned();
        match (text(&line["bmp_msg_type"]), text(&line["log_type"])) {
            ("peer_up", _) => told.up.push(peer),
            ("peer_down", _) => {
                told.up.retain(|up| *up != peer);
                told.tables.retain(|(_, table), _| *table != peer);
            }
            ("stats", _) => told.statistics += 1,
            ("init", _) => told.initiations += 1,
            ("route_monitor", "update") => {
                let table = told.tables.entry((view(&line), peer)).or_default();
                let prefix = text(&line["ip_prefix"]).to_owned();
                table.insert(prefix, path_of(&line));
            }
            ("route_monitor", "withdraw") => {
                let table = told.tables.entry((view(&line), peer)).or_default();
                table.remove(text(&line["ip_prefix"]));
            }
            _ => {}
        }
    }
    told.tables.retain(|_, table| !table.is_empty());
    told.up.sort();
    told
}

fn path_of(line: &Value) -> String {
    let list = |key: &str| text(&line[key]).replace(',', " ");
    format!(
        "{} via {} [{}] [{}]",
        text(&line["as_path"]),
        text(&line["bgp_nexthop"]),
        list("comms"),
        list("lcomms")
    )
}

fn shown(path: &PathView) -> (String, String) {
    let attributes = &path.attributes;
    let (standard, large) = (&attributes.communities, &attributes.large_communities);
    let line = format!(
        "{} via {} [{}] [{}]",
        attributes.as_path,
        attributes.next_hop,
        standard.join(" "),
        large.join(" ")
    );
    (path.prefix.clone(), line)
}

/// What pmbmpd should have, by what the server shows.
fn due(server: &Server) -> Result<Tables, String> {
    let mut tables = Tables::new();
    for (name, client) in server.all_clients()? {
        let mut add = |view: &str, peer: &str, which: &str| -> Result<(), String> {
            let paths = server.routes(&name, which)?;
            let table = tables
                .entry((view.to_owned(), peer.to_owned()))
                .or_default();
            table.extend(paths.iter().map(shown));
            Ok(())
        };
        let peer = client.address.to_string();
        add("pre", &peer, "received")?;
        add("post", &peer, "accepted")?;
        // No prefix is announced twice: each path is the best.
        add("loc", LOC_RIB, "accepted")?;
        if name.starts_with("gobgp2") {
            add("out", &peer, "advertised")?;
        }
    }
    tables.retain(|_, table| !table.is_empty());
    Ok(tables)
}

const LOC_RIB: &str = "0.0.0.0";

fn compare(server: &Server, log: &Path) -> Result<(), String> {
    let (due, told) = (due(server)?, read(log));
    for key in due.keys().chain(told.tables.keys()) {
        let empty = BTreeMap::new();
        let (due, told) = (
            due.get(key).unwrap_or(&empty),
            told.tables.get(key).unwrap_or(&empty),
        );
        if due != told {
            let wrong = due
                .iter()
                .find(|(prefix, path)| told.get(*prefix) != Some(*path));
            let odd = told.iter().find(|(prefix, _)| !due.contains_key(*prefix));
            let (due, told) = (due.len(), told.len());
            return Err(format!(
                "{key:?}: {told} of {due}; due is {wrong:?}, not due is {odd:?}"
            ));
        }
    }
    match due.is_empty() {
        true => Err("there is nothing to compare".to_owned()),
        false => Ok(()),
    }
}

#[test]
fn pmbmpd_has_the_tables_as_they_are() {
    if super::is_off() {
        return;
    }
    let mut programs: Vec<_> = [Make::Bird, Make::Gobgp]
        .map(|make| make.program())
        .to_vec();
    programs.push((PMBMPD, "pmacct"));
    let Some(_turn) = super::turn_with(&programs) else {
        return;
    };
    let mut lan = Lan::new();
    let members = [(1, Make::Bird), (2, Make::Gobgp)];
    let members: Vec<Member> = members
        .into_iter()
        .map(|(number, make)| Member::new(&mut lan, make, number).announcing_own(OWN))
        .collect();
    let of_all: Vec<&Member> = members.iter().collect();
    let mut server = Server::start_with(&mut lan, &of_all, &Settings::new(SECTION));
    let log = server.place.directory.join("bmp.json");
    let config = server.place.directory.join("pmbmpd.conf");
    let text = format!(
        "daemonize: false\nbmp_daemon_ip: 127.0.0.1\nbmp_daemon_port: 15000\n\
         bmp_daemon_msglog_file: {}\nbmp_daemon_msglog_output: json\n",
        log.display()
    );
    std::fs::write(&config, text).expect("pmbmpd's configuration");
    let config = config.display().to_string();
    let _pmbmpd = Program::start(&server.place, "pmbmpd", &[PMBMPD, "-f", &config], &[]);
    let mut clients: Vec<Client> = members.into_iter().map(Client::start).collect();
    expect_all_of_others(&mut clients);
    wait_for("pmbmpd to have it all", PATIENCE, || compare(&server, &log));

    // Some are withdrawn, and a session is reset.
    for client in &mut clients {
        let gone: Vec<_> = (0..5).map(|item| client.member.own_v4(item)).collect();
        client.member.forget(&gone.iter().copied().collect());
        client.router.withdraw(&gone).expect("the router withdraws");
    }
    expect_all_of_others(&mut clients);
    wait_for("pmbmpd to have what changed", PATIENCE, || {
        compare(&server, &log)
    });
    let before = read(&log);
    assert_eq!(
        before.up.len(),
        5,
        "four sessions, and Loc-RIB: {:?}",
        before.up
    );
    assert_eq!(before.initiations, 1);
    server
        .rialto(&["client", "bird1-4", "disable"])
        .expect("it is disabled");
    wait_for("pmbmpd to know of its end", PATIENCE, || {
        compare(&server, &log)?;
        match read(&log).up.len() {
            4 => Ok(()),
            _ => Err("it does not know".to_owned()),
        }
    });
    server
        .rialto(&["client", "bird1-4", "enable"])
        .expect("it is enabled");
    expect_all_of_others(&mut clients);
    wait_for("pmbmpd to have it again", PATIENCE, || {
        compare(&server, &log)
    });
    assert_eq!(read(&log).up.len(), 5);
    assert!(read(&log).statistics > 0);
    assert!(server.program.terminate(Duration::from_secs(5)));
}
