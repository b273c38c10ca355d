//! Real routers as clients of one exchange, in network namespaces: what each announces must reach
//! the others attribute by attribute.
//!
//! Runs when `RIALTO_INTEROP=1` or `CI=true`, as root, with the routers installed (`scripts/test`
//! sees to all that). What is missing is a failure where `CI=true`, a loud remark elsewhere.
#![allow(clippy::disallowed_methods, reason = "real routers keep real time")]

mod lan;
mod member;
mod mrt;
mod program;
mod routers;
mod server;
mod table;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lan::Lan;
use member::{Make, Member, all_of_others};
use program::wait_for;
use routers::Router;
use server::Server;
use table::Table;

/// Prefixes of each family that each router announces.
const FULL: u32 = 10_000;
const PATIENCE: Duration = Duration::from_secs(240);

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

    fn expect(&mut self, due: &Table) {
        let what = format!(
            "{} to have its {} paths",
            self.member.make.name(),
            due.path_count()
        );
        wait_for(&what, PATIENCE, || due.compare(&self.router.table()?));
    }
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
    let _server = Server::start(&mut lan, &members.iter().collect::<Vec<_>>());
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

    // A router that goes takes its routes along; when it is back, so are they.
    for position in [0, 1] {
        let gone = clients.remove(position).member;
        expect_all_of_others(&mut clients);
        clients.insert(position, Client::start(gone));
        expect_all_of_others(&mut clients);
    }
}

/// Serialises the tests and says whether they can run; `None` when something is missing.
fn turn(makes: &[Make]) -> Option<MutexGuard<'static, ()>> {
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
    for make in makes {
        let (program, package) = make.program();
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
