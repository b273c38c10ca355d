//! Prefix limits: real routers leak more than they may, in each of the ways that a limit answers;
//! the others keep all that is due.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::lan::Lan;
use super::member::{Make, Member, all_of_others};
use super::program::wait_for;
use super::server::{Server, Settings};
use super::table::Group;
use super::{Client, is_off, turn};

/// A member's own prefixes of each family, those that leak, and what it may have of IPv4.
const OWN: u32 = 10;
const LEAKED: std::ops::Range<u32> = 100..150;
const MAX: usize = 30;
const PATIENCE: Duration = Duration::from_secs(30);

/// Which member each limit is for.
const RECEIVED: usize = 0;
const SHUTDOWN: usize = 1;
const BLOCKED: usize = 2;
const REJECTED: usize = 3;

struct Exchange {
    server: Server,
    clients: Vec<Client>,
    // Gone after all that runs on it.
    _lan: Lan,
}

impl Exchange {
    /// Members, of whom each passes its limit by what it leaks, and one that has none.
    fn start() -> Exchange {
        let mut lan = Lan::new();
        let makes = [
            Make::Bird,
            Make::Frr,
            Make::Openbgpd,
            Make::Exabgp,
            Make::Gobgp,
        ];
        let members: Vec<Member> = (1u16..)
            .zip(makes)
            .map(|(number, make)| Member::new(&mut lan, make, number).announcing_own(OWN))
            .collect();
        let accepted = |action: &str| {
            format!("limits.ipv4 = {{ accepted_max = {MAX}, accepted_action = \"{action}\" }}")
        };
        let settings = Settings::default()
            .with(
                &members[RECEIVED],
                &format!("limits = {{ restart = 6, ipv4 = {{ received_max = {MAX} }} }}"),
            )
            .with(&members[SHUTDOWN], &accepted("shutdown"))
            .with(&members[BLOCKED], &accepted("block"))
            .with(&members[REJECTED], &accepted("reject"));
        let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
        let clients = members.into_iter().map(Client::start).collect();
        let mut exchange = Exchange {
            server,
            clients,
            _lan: lan,
        };
        exchange.expect(&[]);
        exchange
    }

    /// Waits until all have what the others announce but these prefixes.
    fn expect(&mut self, but: &[IpNet]) {
        let but: BTreeSet<IpNet> = but.iter().copied().collect();
        let members: Vec<Member> = self
            .clients
            .iter()
            .map(|client| {
                let mut member = client.member.clone();
                member.forget(&but);
                member
            })
            .collect();
        for client in &mut self.clients {
            // Whose session is down is asked when it is back.
            let shown = self.server.client(&client.member.session(4));
            if shown.is_established() {
                client.expect_soon(&all_of_others(&client.member, &members));
            }
        }
    }

    fn leak(&mut self, who: usize) -> Vec<IpNet> {
        let client = &mut self.clients[who];
        let member = &client.member;
        let prefixes: Vec<IpNet> = LEAKED.map(|item| member.own_v4(item)).collect();
        let group = Group {
            attributes: member.plain(),
            prefixes: prefixes.clone(),
        };
        client.router.announce(group.clone()).expect("it announces");
        client.member.announced.push(group);
        prefixes
    }

    fn repair(&mut self, who: usize, leaked: &[IpNet]) {
        let client = &mut self.clients[who];
        client.router.withdraw(leaked).expect("it withdraws");
        client.member.forget(&leaked.iter().copied().collect());
    }

    fn ipv4_of(&self, who: usize) -> Vec<IpNet> {
        let paths = self.clients[who].member.paths();
        paths
            .map(|(prefix, _)| prefix)
            .filter(|prefix| matches!(prefix, IpNet::V4(_)))
            .collect()
    }

    fn expect_state(&self, who: usize, due: &str) {
        let name = self.clients[who].member.session(4);
        wait_for(&format!("{name} to be {due}"), PATIENCE, || {
            let shown = self.server.client(&name);
            match shown.state == due {
                true => Ok(()),
                false => Err(format!("{}: {:?}", shown.state, shown.last_error)),
            }
        });
    }

    /// What the router says of its IPv4 session.
    fn expect_said(&mut self, who: usize, question: &str, due: &str) {
        let router = &mut self.clients[who].router;
        wait_for(&format!("the router to say '{due}'"), PATIENCE, || {
            let text = router.ask(question)?;
            match text.contains(due) {
                true => Ok(()),
                false => Err(text),
            }
        });
    }

    /// IPv6 sessions of the same routers, and those of others, are not concerned.
    fn expect_flaps(&self, due: &[(usize, u8, u32)]) {
        let shown = self.server.all_clients().expect("rialto shows its clients");
        for (who, client) in self.clients.iter().enumerate() {
            for family in [4, 6] {
                let of = due.iter().find(|(w, f, _)| (*w, *f) == (who, family));
                let flaps = of.map_or(0, |(_, _, flaps)| *flaps);
                let name = client.member.session(family);
                assert_eq!(shown[&name].flaps, flaps, "{name}");
            }
        }
    }
}

#[test]
fn a_leak_over_a_prefix_limit_costs_the_leaker_alone() {
    let Some(_turn) = turn(&Make::ALL) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut exchange = Exchange::start();

    // Over received_max the session ends, and comes back after `restart`: as long as the leak lasts,
    // only to end again.
    let leaked = exchange.leak(RECEIVED);
    exchange.expect_state(RECEIVED, "Idle");
    let words = "show protocols all rs4";
    exchange.expect_said(RECEIVED, words, "Maximum number of prefixes reached");
    let all = exchange.ipv4_of(RECEIVED);
    exchange.expect(&all);
    exchange.repair(RECEIVED, &leaked);
    exchange.expect_state(RECEIVED, "Established");
    exchange.expect(&[]);
    let flaps = exchange.server.client("bird1-4").flaps;
    assert!(flaps > 0, "the session was down");

    // "shutdown" lasts until somebody lets it back.
    let leaked = exchange.leak(SHUTDOWN);
    exchange.expect_state(SHUTDOWN, "Idle");
    let words = "show bgp neighbors 10.77.255.254 json";
    exchange.expect_said(SHUTDOWN, words, "Maximum Number of Prefixes Reached");
    let all = exchange.ipv4_of(SHUTDOWN);
    exchange.repair(SHUTDOWN, &leaked);
    exchange.expect(&all);
    std::thread::sleep(Duration::from_secs(3));
    exchange.expect_state(SHUTDOWN, "Idle");
    let said = exchange.server.rialto(&["client", "frr2-4", "enable"]);
    said.expect("rialto lets it back");
    exchange.expect_state(SHUTDOWN, "Established");
    exchange.expect(&[]);
    exchange.expect_flaps(&[(RECEIVED, 4, flaps), (SHUTDOWN, 4, 1)]);

    // "block" keeps as many as may be, the same for everybody.
    let leaked = exchange.leak(BLOCKED);
    let name = exchange.clients[BLOCKED].member.session(4);
    wait_for("what is over the limit to be kept back", PATIENCE, || {
        let shown = exchange.server.client(&name);
        let due = (MAX as u64, 60 - MAX as u64);
        match (shown.accepted.ipv4, shown.blocked.ipv4) {
            counts if counts == due => Ok(()),
            counts => Err(format!("{counts:?} accepted and blocked")),
        }
    });
    let blocked = exchange.server.routes(&name, "rejected").expect("routes");
    let reasons: BTreeSet<_> = blocked
        .iter()
        .filter_map(|path| Some(path.reject.as_ref()?.name.as_str()))
        .collect();
    assert_eq!(reasons, ["accepted_limit"].into());
    let blocked: Vec<IpNet> = blocked
        .iter()
        .map(|path| path.prefix.parse().expect("a prefix"))
        .collect();
    exchange.expect(&blocked);
    exchange.repair(BLOCKED, &leaked);
    exchange.expect(&[]);

    // "reject" keeps nothing of the family, until it has been well below for a minute.
    let leaked = exchange.leak(REJECTED);
    let all = exchange.ipv4_of(REJECTED);
    let name = exchange.clients[REJECTED].member.session(4);
    let due: Vec<String> = all.iter().map(IpNet::to_string).collect();
    let due: Vec<(&str, &str)> = due
        .iter()
        .map(|prefix| (prefix.as_str(), "accepted_limit"))
        .collect();
    exchange.server.expect_rejected(&name, &due);
    exchange.expect(&all);
    exchange.repair(REJECTED, &leaked);
    let minute = Duration::from_secs(60);
    let repaired = Instant::now();
    wait_for("the rejection to end", minute + PATIENCE, || {
        let shown = exchange.server.client(&name);
        match (shown.accepted.ipv4, shown.blocked.ipv4) {
            (10, 0) => Ok(()),
            counts => Err(format!("{counts:?} accepted and blocked")),
        }
    });
    assert!(repaired.elapsed() > minute * 9 / 10, "it ends at once");
    exchange.expect(&[]);
    exchange.expect_flaps(&[(RECEIVED, 4, flaps), (SHUTDOWN, 4, 1)]);
}
