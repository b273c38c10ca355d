//! Real routers that restart while the server keeps their routes (RFC 4724 §4.2): what a neighbour of theirs
//! is sent meanwhile.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::lan::{Lan, run_in};
use super::member::{Make, Member, all_of_others};
use super::program::wait_for;
use super::server::{Server, Settings};
use super::{Client, SOON, is_off, mrt, turn};

const HELPER: &str = "graceful_restart_helper_s = 300";

/// Another member of the exchange: FRR, which writes down every UPDATE that it is sent.
struct Witness {
    client: Client,
    file: PathBuf,
}

impl Witness {
    fn start(member: Member) -> Witness {
        let file = member.place.directory.join("updates.mrt");
        let client = Client::start(member);
        Witness { client, file }
    }

    /// It begins to write, and has not been told of anything yet.
    fn watch(&mut self) {
        let _ = std::fs::remove_file(&self.file);
        let line = format!("dump bgp updates {}", self.file.display());
        for line in ["no dump bgp updates".to_owned(), line] {
            let command = format!("configure terminal\n{line}");
            let said = self.client.router.ask(&command).expect("FRR is configured");
            assert!(!said.contains('%'), "{said}");
        }
    }

    fn withdrawn(&self) -> BTreeSet<IpNet> {
        let octets = std::fs::read(&self.file).unwrap_or_default();
        let withdrawn = mrt::decode_withdrawals(&octets).expect("FRR's dump can be read");
        withdrawn.into_iter().collect()
    }

    fn expect_withdrawn(&self, what: &str, due: &BTreeSet<IpNet>) {
        wait_for(what, SOON, || {
            let withdrawn = self.withdrawn();
            match withdrawn == *due {
                true => Ok(()),
                false => Err(format!("due {due:?}\n  withdrawn {withdrawn:?}")),
            }
        });
    }
}

fn prefixes_of(member: &Member) -> BTreeSet<IpNet> {
    let groups = member.announced.iter();
    groups
        .flat_map(|group| group.prefixes.iter().copied())
        .collect()
}

/// Of both families.
fn own(member: &Member, item: u32) -> BTreeSet<IpNet> {
    [member.own_v4(item), member.own_v6(item)].into()
}

struct Exchange {
    server: Server,
    clients: Vec<Client>,
    witness: Witness,
    /// Dropped last.
    _lan: Lan,
}

/// Routers of these makes with graceful restart, and a witness that has their routes.
fn exchange(makes: &[Make], restart_time_s: u16, client: &str) -> Exchange {
    let mut lan = Lan::new();
    let members: Vec<Member> = (1u16..)
        .zip(makes)
        .map(|(number, make)| {
            let mut member = Member::new(&mut lan, *make, number).announcing_own(12);
            member.restart_time_s = Some(restart_time_s);
            member
        })
        .collect();
    let witness = Member::new(&mut lan, Make::Frr, 9);
    let of_all: Vec<&Member> = members.iter().chain([&witness]).collect();
    let server = Server::start_with(&mut lan, &of_all, &settings(&members, client));
    let due = all_of_others(&witness, &members);
    let mut witness = Witness::start(witness);
    let clients = members.into_iter().map(Client::start).collect();
    witness.client.expect_soon(&due);
    Exchange {
        server,
        clients,
        witness,
        _lan: lan,
    }
}

fn settings(members: &[Member], client: &str) -> Settings {
    let members = members.iter();
    members.fold(Settings::default(), |settings, member| {
        settings.with(member, client)
    })
}

/// How the server hears of the end of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The kernel of the client closes its connections.
    Closed,
    /// Not at all: the client is there again before, and connects anew.
    Superseded,
}

impl Exchange {
    /// A router crashes, is started again without two of its prefixes, and the witness hears of those alone.
    fn restart(&mut self, index: usize, end: End, gone: &BTreeSet<IpNet>) {
        let client = &mut self.clients[index];
        let what = format!("{}, {end:?}", client.member.make.name());
        let sessions = [4, 6].map(|family| client.member.session(family));
        let flaps = sessions
            .each_ref()
            .map(|name| self.server.client(name).flaps);
        self.witness.watch();
        match end {
            End::Closed => {
                client.crash();
                for name in &sessions {
                    let down = format!("{name} to be down");
                    wait_for(&down, SOON, || {
                        match self.server.client(name).is_established() {
                            true => Err("it is up".to_owned()),
                            false => Ok(()),
                        }
                    });
                }
            }
            End::Superseded => {
                let place = &client.member.place;
                let inside = |words: &[&str]| run_in(&place.namespace, words);
                // Connections without an owner are given up at once, and not a word of it gets through.
                let lone = ["sysctl", "-qw", "net.ipv4.tcp_orphan_retries=1"];
                inside(&lone).expect("the kernel is told");
                place.cut_off();
                client.crash();
                let place = &client.member.place;
                wait_for("the client's connections to be gone", SOON, || {
                    let words = ["ss", "-Htn", "exclude", "time-wait", "dport", "=", ":179"];
                    match run_in(&place.namespace, &words)? {
                        none if none.trim().is_empty() => Ok(()),
                        some => Err(some),
                    }
                });
                for name in &sessions {
                    let view = self.server.client(name);
                    assert!(view.is_established(), "{name} is {}", view.state);
                }
                place.connect();
            }
        }
        assert_eq!(self.witness.withdrawn(), BTreeSet::new(), "{what}");
        let mut member = client.member.clone();
        member.forget(gone);
        member.is_back = true;
        *client = Client::start(member);
        for (name, flaps) in sessions.iter().zip(flaps) {
            wait_for(&format!("{name} to be back"), SOON, || {
                let view = self.server.client(name);
                match view.is_established() && view.flaps == flaps + 1 {
                    true => Ok(()),
                    false => Err(format!("{view:?}")),
                }
            });
            let why = self.server.client(name).last_error.unwrap_or_default();
            let is_anew = why.contains("connected anew");
            assert_eq!(is_anew, end == End::Superseded, "{name}: {why}");
        }
        self.witness.expect_withdrawn(&what, gone);
        let members = self.clients.iter().map(|client| &client.member);
        let due = all_of_others(&self.witness.client.member, members);
        self.witness.client.expect_soon(&due);
        assert_eq!(self.witness.withdrawn(), *gone, "{what}: once");
    }
}

fn nobody_hears_of_its_restart(make: Make) {
    let Some(_turn) = turn(&[make, Make::Frr]) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut exchange = exchange(&[make], 120, HELPER);
    for (item, end) in [(3, End::Closed), (7, End::Superseded)] {
        let gone = own(&exchange.clients[0].member, item);
        exchange.restart(0, end, &gone);
    }
}

#[test]
fn nobody_hears_that_bird_restarts() {
    nobody_hears_of_its_restart(Make::Bird);
}

#[test]
fn nobody_hears_that_frr_restarts() {
    nobody_hears_of_its_restart(Make::Frr);
}

#[test]
fn nobody_hears_that_gobgp_restarts() {
    nobody_hears_of_its_restart(Make::Gobgp);
}

#[test]
fn routes_go_at_once_or_after_the_restart_time_of_who_does_not_come_back() {
    const RESTART_TIME: Duration = Duration::from_secs(8);
    let makes = [Make::Bird, Make::Frr];
    let Some(_turn) = turn(&makes) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut exchange = exchange(&makes, RESTART_TIME.as_secs() as u16, "");
    let members: Vec<Member> = exchange
        .clients
        .iter()
        .map(|client| client.member.clone())
        .collect();
    let all: BTreeSet<IpNet> = members.iter().flat_map(prefixes_of).collect();

    // As it is by default.
    exchange.witness.watch();
    let begin = Instant::now();
    exchange.clients.iter_mut().for_each(Client::crash);
    exchange.witness.expect_withdrawn("routes to go", &all);
    assert!(begin.elapsed() < RESTART_TIME, "{:?}", begin.elapsed());

    let told = exchange.server.reload(&settings(&members, HELPER));
    assert!(told.contains("graceful_restart_helper_s"), "{told}");
    exchange.clients = members.iter().cloned().map(Client::start).collect();
    let due = all_of_others(&exchange.witness.client.member, &members);
    exchange.witness.client.expect_soon(&due);
    exchange.witness.watch();
    let begin = Instant::now();
    exchange.clients.iter_mut().for_each(Client::crash);
    while begin.elapsed() < RESTART_TIME - Duration::from_millis(500) {
        assert_eq!(exchange.witness.withdrawn(), BTreeSet::new());
        std::thread::sleep(Duration::from_millis(100));
    }
    exchange
        .witness
        .expect_withdrawn("nobody to come back", &all);
    assert!(begin.elapsed() < 3 * RESTART_TIME, "{:?}", begin.elapsed());
}
