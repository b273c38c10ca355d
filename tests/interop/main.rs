//! Real routers as clients of one exchange, in network namespaces: what each announces must reach
//! the others attribute by attribute.
//!
//! Runs when `RIALTO_INTEROP=1` or `CI=true`, as root, with the routers installed (`scripts/test`
//! sees to all that). What is missing is a failure where `CI=true`, a loud remark elsewhere.
#![allow(clippy::disallowed_methods, reason = "real routers keep real time")]

mod blackhole;
mod communities;
mod helper;
mod lan;
mod limits;
mod member;
mod mrt;
mod next_hops;
mod pmacct;
mod program;
mod reload;
mod restart;
mod roles;
mod routers;
mod rpki;
mod rtr;
mod server;
mod table;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use lan::Lan;
use member::{Make, Member, SERVER_ASN, all_of_others, shortest_of_others};
use program::{wait_for, within};
use routers::Router;
use server::Server;
use table::{Attributes, Group, Path, Table};

/// Prefixes of each family that each router announces.
const FULL: u32 = 10_000;
const PATIENCE: Duration = Duration::from_secs(150);
const SOON: Duration = Duration::from_secs(40);
/// For a router's table, when it has counted enough paths or has had its time.
const SETTLING: Duration = Duration::from_secs(90);

/// A running router with what it is.
struct Client {
    member: Member,
    router: Box<dyn Router>,
}

impl Client {
    fn start(member: Member) -> Client {
        let router = routers::start(&member);
        Client { member, router }
    }

    /// Nothing of it says a word more.
    fn crash(&mut self) {
        let programs = self.router.programs();
        programs.into_iter().for_each(program::Program::kill);
    }

    fn expect(&mut self, due: &Table) {
        self.expect_within(PATIENCE, due);
    }

    /// Where there are few routes.
    fn expect_soon(&mut self, due: &Table) {
        self.expect_within(SOON, due);
    }

    fn expect_within(&mut self, patience: Duration, due: &Table) {
        let (name, due_count) = (self.member.make.name(), due.path_count());
        let what = format!("{name} to have its {due_count} paths");
        // A count is cheap, a table is not; but what the last table lacks says more than a count.
        let counted = within(patience, || match self.router.path_count()? {
            count if count == due_count => Ok(()),
            count => Err(format!("it counts {count}")),
        });
        wait_for(&what, patience.min(SETTLING), || {
            let compared = due.compare(&self.router.table()?);
            compared.and(counted.clone())
        });
    }
}

/// What a member is to have: from whom, and the routes as they arrive.
fn table_of(receiver: &Member, routes: &[(&Member, Group)]) -> Table {
    let mut table = Table::default();
    for (from, group) in routes {
        for prefix in &group.prefixes {
            let path = from.path(prefix, group.attributes.clone());
            table.insert(*prefix, receiver.make.sees(path));
        }
    }
    table
}

/// What is due when no prefix is announced twice.
fn expect_all_of_others(clients: &mut [Client]) {
    let members: Vec<Member> = clients.iter().map(|client| client.member.clone()).collect();
    for client in clients {
        client.expect(&all_of_others(&client.member, &members));
    }
}

#[test]
fn five_makes_of_routers_exchange_full_tables() {
    let Some(_turn) = turn(&Make::ALL) else {
        return;
    };
    let mut lan = Lan::new();
    let members: Vec<Member> = (1u16..)
        .zip(Make::ALL)
        .map(|(number, make)| Member::new(&mut lan, make, number).announcing_own(FULL))
        .collect();
    let mut server = Server::start(&mut lan, &members.iter().collect::<Vec<_>>());
    let mut clients: Vec<Client> = members.into_iter().map(Client::start).collect();
    expect_all_of_others(&mut clients);

    // Each withdraws some of both families and of every kind of attributes.
    for client in &mut clients {
        let gone: BTreeSet<_> = (0..40)
            .flat_map(|item| [client.member.own_v4(item), client.member.own_v6(item * 7)])
            .collect();
        client.member.forget(&gone);
        client
            .router
            .withdraw(&gone.into_iter().collect::<Vec<_>>())
            .expect("the router withdraws");
    }
    expect_all_of_others(&mut clients);

    // Each session is reset: all of its routes are withdrawn from the others, and come back.
    if server::is_rialto() {
        server.reset_all();
        expect_all_of_others(&mut clients);
    }

    // A router that goes takes its routes along; when it is back, so are they.
    for position in [0, 1] {
        let gone = clients.remove(position).member;
        expect_all_of_others(&mut clients);
        clients.insert(position, Client::start(gone));
        expect_all_of_others(&mut clients);
    }

    if server::is_rialto() {
        let shown = server.rialto(&["show", "clients"]).expect("rialto answers");
        assert_eq!(shown.matches("Established").count(), 10, "{shown}");
        assert!(
            server.program.terminate(Duration::from_secs(5)),
            "SIGTERM ends it with 0 within 5 s"
        );
    }
}

/// Two prefixes that all announce, with AS paths of different lengths, and communities that steer
/// them: who may not have the best path gets the next one.
#[test]
fn control_communities_steer_and_hide_no_path() {
    let Some(_turn) = turn(&[Make::Bird, Make::Gobgp, Make::Exabgp, Make::Frr]) else {
        return;
    };
    if !server::is_rialto() {
        return;
    }
    let mut lan = Lan::new();
    let [near, middle, far] = [Make::Bird, Make::Gobgp, Make::Exabgp];
    let receiver = Member::new(&mut lan, Make::Frr, 4);
    let own = |number: u16| 10_000 + u32::from(number);
    let nets = |third: u8| {
        let v4 = format!("30.0.{third}.0/24");
        let v6 = format!("2a20:{third}::/48");
        vec![v4.parse().expect("a prefix"), v6.parse().expect("a prefix")]
    };
    let rs = SERVER_ASN;
    // The shortest path is not for member 4 (a standard community), or for nobody but member 4 (large).
    let near = Member::new(&mut lan, near, 1);
    let near = near.clone().announcing(Group {
        attributes: Attributes {
            communities: [(0, 10_004), (3303, 1)].into(),
            ..near.plain()
        },
        prefixes: nets(1),
    });
    let near = near.clone().announcing(Group {
        attributes: Attributes {
            large: [(rs, 0, 0), (rs, 1, own(4)), (3303, 1, 1)].into(),
            ..near.plain()
        },
        prefixes: nets(2),
    });
    let middle = Member::new(&mut lan, middle, 2);
    let longer = |member: &Member, tail: &[u32]| Attributes {
        as_path: [&[member.asn], tail].concat(),
        ..member.plain()
    };
    let middle = middle.clone().announcing(Group {
        attributes: Attributes {
            // Prepended three times towards member 3 alone.
            large: [(rs, 103, own(3))].into(),
            ..longer(&middle, &[3303])
        },
        prefixes: [nets(1), nets(2)].concat(),
    });
    let far = Member::new(&mut lan, far, 3);
    let far = far.clone().announcing(Group {
        attributes: longer(&far, &[3303, 8218, 6939]),
        prefixes: [nets(1), nets(2)].concat(),
    });
    let members = [near, middle, far, receiver];
    let _server = Server::start(&mut lan, &members.iter().collect::<Vec<_>>());
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();

    let [near, middle, far, _] = &members;
    let path = |from: &Member, prefix: &IpNet, attributes: Attributes| Path {
        next_hop: from.next_hop(prefix),
        attributes: attributes.into(),
    };
    // (receiver, which prefixes, from whom, attributes as they arrive)
    let stripped_near = [
        Attributes {
            communities: [(3303, 1)].into(),
            ..near.plain()
        },
        Attributes {
            large: [(3303, 1, 1)].into(),
            ..near.plain()
        },
    ];
    let plain_middle = longer(middle, &[3303]);
    let plain_far = longer(far, &[3303, 8218, 6939]);
    let prepended = Attributes {
        as_path: vec![middle.asn, middle.asn, middle.asn, middle.asn, 3303],
        ..plain_middle.clone()
    };
    let due: [[(&Member, &Attributes); 2]; 4] = [
        [(middle, &plain_middle), (middle, &plain_middle)],
        [(near, &stripped_near[0]), (far, &plain_far)],
        [(near, &stripped_near[0]), (middle, &prepended)],
        [(middle, &plain_middle), (near, &stripped_near[1])],
    ];
    for (client, due) in clients.iter_mut().zip(due) {
        let mut table = Table::default();
        for (group, (from, attributes)) in [nets(1), nets(2)].iter().zip(due) {
            for prefix in group {
                let path = path(from, prefix, attributes.clone());
                table.insert(*prefix, client.member.make.sees(path));
            }
        }
        client.expect(&table);
    }
}

/// Members that take all paths (RFC 7911) get all of them, the others the shortest; those with a
/// TCP MD5 key (RFC 2385) come up at all.
#[test]
fn add_path_and_md5_with_those_that_have_them() {
    let Some(_turn) = turn(&Make::ALL) else {
        return;
    };
    let mut lan = Lan::new();
    let mut members: Vec<Member> = (1u16..)
        .zip(Make::ALL)
        .map(|(number, make)| Member::new(&mut lan, make, number).announcing_own(60))
        .collect();
    for member in &mut members {
        member.add_path = matches!(member.make, Make::Bird | Make::Frr | Make::Gobgp);
        let has_md5 = matches!(
            member.make,
            Make::Bird | Make::Frr | Make::Gobgp | Make::Exabgp
        );
        member.password = has_md5.then(|| format!("key-of-{}", member.number));
        // Announced by all, each with an AS path of its own length.
        let repeated = vec![member.asn; usize::from(member.number)];
        let tail = if member.make == Make::Openbgpd {
            member.asn
        } else {
            3303
        };
        let mut as_path = vec![tail; repeated.len()];
        as_path[0] = member.asn;
        let group = Group {
            attributes: Attributes {
                as_path,
                ..member.plain()
            },
            prefixes: ["40.0.0.0/16", "40.1.0.0/16", "2a40::/32"]
                .map(|net| net.parse().expect("a prefix"))
                .into(),
        };
        *member = member.clone().announcing(group);
    }
    let _server = Server::start(&mut lan, &members.iter().collect::<Vec<_>>());
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();
    for client in &mut clients {
        let due = match client.member.add_path {
            true => all_of_others(&client.member, &members),
            false => shortest_of_others(&client.member, &members),
        };
        client.expect(&due);
    }
}

/// Serialises the tests and says whether they can run; `None` when something is missing.
fn turn(makes: &[Make]) -> Option<MutexGuard<'static, ()>> {
    turn_with(&makes.iter().map(|make| make.program()).collect::<Vec<_>>())
}

/// Whether another route server stands in Rialto's place, which this test is not for.
fn is_off() -> bool {
    !server::is_rialto()
}

/// As [`turn`], with what must be installed: programs and their Debian packages.
fn turn_with(programs: &[(&str, &str)]) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    let set = |name: &str| std::env::var(name).is_ok_and(|value| value == "1" || value == "true");
    let in_ci = set("CI");
    let mut missing = Vec::new();
    if !in_ci && !set("RIALTO_INTEROP") {
        missing.push("RIALTO_INTEROP=1 is not set".to_owned());
    }
    if !std::fs::read_to_string("/proc/self/status").is_ok_and(|text| text.contains("\nUid:\t0\t0"))
    {
        missing.push("not root".to_owned());
    }
    for (program, package) in programs {
        if !std::path::Path::new(program).exists() {
            missing.push(format!("no {program} (Debian: {package})"));
        }
    }
    if missing.is_empty() {
        return Some(TURN.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let missing = missing.join(", ");
    assert!(
        !in_ci,
        "CI=true, and the interop tests cannot run: {missing}"
    );
    // Past libtest, which would swallow it.
    let _ = writeln!(
        std::io::stderr(),
        "\n*** SKIPPED an interop test: {missing}"
    );
    None
}
