//! Origin validation with a real cache (StayRTR) and real routers: what it says comes into force over
//! the sessions that are up, and stays in use when it is gone. What expires after its hour or two is
//! not waited for here.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use rialto::base::Asn;
use rialto::policy::Vrp;
use serde_json::json;

use super::lan::{Lan, Place};
use super::member::{Make, Member, SERVER_ASN};
use super::program::{Program, wait_for};
use super::rtr::{STAYRTR, write};
use super::server::{Server, Settings};
use super::table::{Attributes, Group};
use super::{Client, is_off, table_of, turn_with};

const RS: u32 = SERVER_ASN;
const CACHE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 255, 253);
const CACHE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x7f8, 0x77, 0, 0, 0, 0, 0xfffe);
const PATIENCE: Duration = Duration::from_secs(60);

/// Without IXP Manager's number for what is not checked, so that a mistake shows as none.
const SECTIONS: &str = r#"
[rpki]
caches = ["10.77.255.253:8282"]
[communities]
rpki_valid = ["rs_as:1000:1"]
rpki_unknown = ["rs_as:1000:2"]
rpki_not_checked = ["rs_as:1000:3"]
rpki_invalid = ["rs_as:1000:4"]
"#;

/// A place with StayRTR, or where it will run.
struct Cache {
    place: Place,
    file: PathBuf,
}

impl Cache {
    fn new(lan: &mut Lan) -> Cache {
        let place = lan.join("cache", CACHE_V4, CACHE_V6);
        let file = place.directory.join("vrps.json");
        Cache { place, file }
    }

    /// `"21.0.0.0/24 24 10001"`: prefix, longest length, origin.
    fn says(&self, vrps: &[&str]) {
        let vrp = |text: &&str| {
            let [prefix, max_len, asn] = text.split(' ').collect::<Vec<_>>()[..] else {
                panic!("'{text}' is a VRP");
            };
            Vrp {
                prefix: prefix.parse().expect("a prefix"),
                max_len: max_len.parse().expect("a length"),
                asn: Asn(asn.parse().expect("an ASN")),
            }
        };
        write(
            &self.file,
            &vrps.iter().map(vrp).collect::<BTreeSet<_>>(),
            json!({}),
        );
    }

    /// Looks at its file each second.
    fn start(&self) -> Program {
        let (bind, file) = (format!("{CACHE_V4}:8282"), self.file.display().to_string());
        let words = [
            STAYRTR,
            "-bind",
            &bind,
            "-cache",
            &file,
            "-refresh",
            "1",
            "-checktime=false",
        ];
        Program::start(&self.place, "stayrtr", &words, &[])
    }
}

fn turn() -> Option<std::sync::MutexGuard<'static, ()>> {
    let makes = [Make::Bird, Make::Frr, Make::Openbgpd].map(Make::program);
    turn_with(&[&makes[..], &[(STAYRTR, "stayrtr")]].concat())
}

/// As it arrives with an informational community.
fn tagged(member: &Member, number: u32, prefixes: &[&str]) -> Group {
    let attributes = Attributes {
        large: [(RS, 1000, number)].into(),
        ..member.plain()
    };
    Group::new(attributes, prefixes)
}

/// Which session has had how many UPDATEs and losses.
fn counts(server: &Server) -> Vec<(String, u32, u64)> {
    let shown = server.all_clients().expect("rialto shows its clients");
    shown
        .into_values()
        .map(|client| (client.name, client.flaps, client.updates_in))
        .collect()
}

/// The same once every session has said all that it has to say at first.
fn settled_counts(server: &Server) -> Vec<(String, u32, u64)> {
    let has_said_all = |server: &Server| {
        let shown = server.all_clients()?;
        let late = shown
            .into_values()
            .find(|client| !client.is_established() || client.end_of_rib != client.families);
        late.map_or(Ok(()), |client| {
            Err(format!("{} owes End-of-RIB", client.name))
        })
    };
    wait_for("End-of-RIB of all", PATIENCE, || has_said_all(server));
    let mut last = counts(server);
    wait_for("silence", PATIENCE, || {
        std::thread::sleep(Duration::from_secs(2));
        let before = std::mem::replace(&mut last, counts(server));
        match before == last {
            true => Ok(()),
            false => Err(format!("{last:?} after {before:?}")),
        }
    });
    last
}

const VALID: u32 = 1;
const UNKNOWN: u32 = 2;
const NOT_CHECKED: u32 = 3;
const INVALID: u32 = 4;

/// BIRD and FRR announce, OpenBGPD and each other listen. FRR's routes are judged and not rejected;
/// OpenBGPD's are not checked.
fn members(lan: &mut Lan) -> [Member; 3] {
    let bird = Member::new(lan, Make::Bird, 1);
    let frr = Member::new(lan, Make::Frr, 2);
    let openbgpd = Member::new(lan, Make::Openbgpd, 3);
    // What is forged goes.
    let forging = Attributes {
        large: [(RS, 1000, VALID)].into(),
        ..bird.plain()
    };
    [
        bird.clone()
            .announcing(Group::new(
                forging,
                &["21.0.0.0/24", "21.0.1.0/24", "21.0.2.0/24"],
            ))
            .announcing(Group::new(
                bird.plain(),
                &["2a10:1:0::/48", "2a10:1:1::/48", "2a10:1:2::/48"],
            )),
        frr.clone().announcing(Group::new(
            frr.plain(),
            &["22.0.0.0/24", "22.0.1.0/24", "2a10:2::/48"],
        )),
        openbgpd
            .clone()
            .announcing(Group::new(openbgpd.plain(), &["23.0.0.0/24"])),
    ]
}

fn settings(members: &[Member; 3], sections: &str) -> Settings {
    let [_, frr, openbgpd] = members;
    Settings::new(&format!("{SECTIONS}{sections}"))
        .with(frr, r#"import.tag = ["rpki_invalid"]"#)
        .with(openbgpd, "import.rpki_invalid = false")
}

/// Each has what the others announce: groups of the members 1, 2 and 3.
fn expect(clients: &mut [Client], groups: [&[Group]; 3]) {
    let members: Vec<Member> = clients.iter().map(|client| client.member.clone()).collect();
    for client in clients {
        let others = members.iter().zip(groups);
        let others = others.filter(|(from, _)| from.number != client.member.number);
        let routes: Vec<_> = others
            .flat_map(|(from, groups)| groups.iter().map(move |group| (from, group.clone())))
            .collect();
        client.expect_soon(&table_of(&client.member, &routes));
    }
}

const FIRST: [&str; 6] = [
    "21.0.0.0/24 24 10001",
    "21.0.1.0/24 24 10002",
    "2a10:1::/48 48 10001",
    "2a10:1:1::/48 48 0",
    // A length that 22.0.0.0/24 passes; 22.0.1.0/24 has one of its own.
    "22.0.0.0/16 20 10002",
    "22.0.1.0/24 24 10002",
];

#[test]
fn what_a_cache_says_comes_into_force_over_sessions_that_are_up() {
    let Some(_turn) = turn() else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let cache = Cache::new(&mut lan);
    cache.says(&FIRST);
    let members = members(&mut lan);
    let settings = settings(&members, "");
    let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();
    let [bird, frr, openbgpd] = &members;

    // Without its data, no session whose routes are validated comes up; the others do.
    wait_for("OpenBGPD's session", PATIENCE, || {
        match server.client("openbgpd3-4").is_established() {
            true => Ok(()),
            false => Err("it is down".to_owned()),
        }
    });
    std::thread::sleep(Duration::from_secs(3));
    for name in ["bird1-4", "bird1-6", "frr2-4", "frr2-6"] {
        assert!(!server.client(name).is_established(), "{name} waits");
    }
    let stayrtr = cache.start();

    let of_bird = [
        tagged(bird, VALID, &["21.0.0.0/24", "2a10:1::/48"]),
        tagged(bird, UNKNOWN, &["21.0.2.0/24", "2a10:1:2::/48"]),
    ];
    let of_frr = |invalid: Attributes| {
        [
            Group::new(invalid, &["22.0.0.0/24"]),
            tagged(frr, VALID, &["22.0.1.0/24"]),
            tagged(frr, UNKNOWN, &["2a10:2::/48"]),
        ]
    };
    // With its reject cause, in IXP Manager's numbers.
    let invalid = Attributes {
        large: [(RS, 1000, INVALID), (RS, 1101, 13)].into(),
        ..frr.plain()
    };
    let of_openbgpd = [tagged(openbgpd, NOT_CHECKED, &["23.0.0.0/24"])];
    expect(
        &mut clients,
        [&of_bird, &of_frr(invalid.clone()), &of_openbgpd],
    );
    server.expect_rejected("bird1-4", &[("21.0.1.0/24", "rpki_invalid")]);
    server.expect_rejected("bird1-6", &[("2a10:1:1::/48", "rpki_invalid")]);
    server.expect_rejected("frr2-4", &[]);
    let before = settled_counts(&server);

    // What was Invalid becomes Valid, what was Valid Invalid, what was not covered Valid, and back.
    let changed = [
        "21.0.0.0/24 24 10002",
        "21.0.1.0/24 24 10001",
        "21.0.2.0/23 24 10001",
        "2a10:1::/48 48 10001",
        "2a10:1:1::/48 48 10001",
        "22.0.0.0/16 24 10002",
    ];
    cache.says(&changed);
    let of_bird_now = [
        tagged(bird, VALID, &["21.0.1.0/24", "21.0.2.0/24"]),
        tagged(bird, VALID, &["2a10:1::/48", "2a10:1:1::/48"]),
        tagged(bird, UNKNOWN, &["2a10:1:2::/48"]),
    ];
    let valid = tagged(frr, VALID, &[]).attributes;
    expect(
        &mut clients,
        [&of_bird_now, &of_frr(valid.clone()), &of_openbgpd],
    );
    server.expect_rejected("bird1-4", &[("21.0.0.0/24", "rpki_invalid")]);
    server.expect_rejected("bird1-6", &[]);

    // The cache is gone: what it said goes on to hold.
    drop(stayrtr);
    std::thread::sleep(Duration::from_secs(5));
    expect(&mut clients, [&of_bird_now, &of_frr(valid), &of_openbgpd]);
    server.expect_rejected("bird1-4", &[("21.0.0.0/24", "rpki_invalid")]);
    assert_eq!(
        counts(&server),
        before,
        "no session was lost, and nobody was asked for its routes"
    );
    // And for what comes.
    let late = Group::new(bird.plain(), &["22.0.7.0/24"]);
    clients[0]
        .router
        .announce(late.clone())
        .expect("BIRD announces");
    let due = [
        ("21.0.0.0/24", "rpki_invalid"),
        ("22.0.7.0/24", "rpki_invalid"),
    ];
    server.expect_rejected("bird1-4", &due);
    clients[0]
        .router
        .withdraw(&late.prefixes)
        .expect("BIRD withdraws");
    server.expect_rejected("bird1-4", &due[..1]);
    let before = settled_counts(&server);

    // Another one takes its place, with other data.
    cache.says(&FIRST);
    let _stayrtr = cache.start();
    // It refuses the session of the one before, and is left in peace for a while then.
    wait_for("the other cache's data", 2 * PATIENCE, || {
        let rejected = server.routes("bird1-4", "rejected")?;
        match rejected.iter().any(|path| path.prefix == "21.0.1.0/24") {
            true => Ok(()),
            false => Err("21.0.1.0/24 is accepted".to_owned()),
        }
    });
    expect(&mut clients, [&of_bird, &of_frr(invalid), &of_openbgpd]);
    server.expect_rejected("bird1-4", &[("21.0.1.0/24", "rpki_invalid")]);
    assert_eq!(counts(&server), before);
}

/// The cache does not answer for longer than sessions wait: they come up, what is validated is
/// rejected for want of data, and accepted when that is there.
#[test]
fn sessions_wait_for_a_cache_no_longer_than_they_may() {
    let Some(_turn) = turn() else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let cache = Cache::new(&mut lan);
    cache.says(&FIRST);
    let members = members(&mut lan);
    let settings = settings(&members, "[irr]\nwait_max_s = 3\n");
    let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();
    let [bird, frr, openbgpd] = &members;
    let missing = [
        ("21.0.0.0/24", "rpki_data_missing"),
        ("21.0.1.0/24", "rpki_data_missing"),
        ("21.0.2.0/24", "rpki_data_missing"),
    ];
    server.expect_rejected("bird1-4", &missing);
    let of_openbgpd = [tagged(openbgpd, NOT_CHECKED, &["23.0.0.0/24"])];
    expect(&mut clients, [&[], &[], &of_openbgpd]);
    let before = settled_counts(&server);

    let _stayrtr = cache.start();
    let of_bird = [
        tagged(bird, VALID, &["21.0.0.0/24", "2a10:1::/48"]),
        tagged(bird, UNKNOWN, &["21.0.2.0/24", "2a10:1:2::/48"]),
    ];
    let invalid = Attributes {
        large: [(RS, 1000, INVALID), (RS, 1101, 13)].into(),
        ..frr.plain()
    };
    let of_frr = [
        Group::new(invalid, &["22.0.0.0/24"]),
        tagged(frr, VALID, &["22.0.1.0/24"]),
        tagged(frr, UNKNOWN, &["2a10:2::/48"]),
    ];
    expect(&mut clients, [&of_bird, &of_frr, &of_openbgpd]);
    server.expect_rejected("bird1-4", &[("21.0.1.0/24", "rpki_invalid")]);
    assert_eq!(counts(&server), before);
}
