//! The server restarts, in both ways: real routers keep what they learnt from it over a graceful restart,
//! lose what is not announced again, and lose everything when it ends for good.

use std::time::{Duration, Instant};

use super::lan::Lan;
use super::member::{Make, Member};
use super::program::wait_for;
use super::server::{Server, Settings};
use super::table::{Group, Table};
use super::{Client, is_off, table_of, turn};

const DOWN: Duration = Duration::from_secs(4);
const BACK: Duration = Duration::from_secs(60);

/// Whether a router still has each of these from the server, as it shows its table to an operator.
fn has_all(client: &mut Client, prefixes: &[&str]) -> Result<(), String> {
    let command = match client.member.make {
        Make::Bird => "show route",
        _ => "show bgp ipv4 unicast",
    };
    let shown = client.router.ask(command)?;
    match prefixes.iter().find(|prefix| !shown.contains(**prefix)) {
        None => Ok(()),
        Some(lost) => Err(format!(
            "{} lacks {lost}: {shown}",
            client.member.make.name()
        )),
    }
}

/// Looks again and again, for as long as `going_on` says.
fn keep_all(clients: &mut [(Client, &[&str])], mut going_on: impl FnMut() -> bool) {
    while going_on() {
        for (client, prefixes) in clients.iter_mut() {
            has_all(client, prefixes).expect("everything is kept");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn routes_outlast_a_graceful_restart_and_nothing_else() {
    let makes = [Make::Bird, Make::Frr];
    let Some(_turn) = turn(&makes) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let of_bird: &[&str] = &["21.0.0.0/24", "21.0.1.0/24"];
    let of_frr: &[&str] = &["22.0.0.0/24", "22.0.1.0/24"];
    let bird = Member::new(&mut lan, Make::Bird, 1);
    let bird = bird.clone().announcing(Group::new(bird.plain(), of_bird));
    let frr = Member::new(&mut lan, Make::Frr, 2);
    let frr = frr.clone().announcing(Group::new(frr.plain(), of_frr));
    let settings = Settings::default();
    let mut server = Server::start_with(&mut lan, &[&bird, &frr], &settings);
    let mut clients = [
        (Client::start(bird.clone()), of_frr),
        (Client::start(frr.clone()), of_bird),
    ];
    let expect = |clients: &mut [(Client, &[&str])], of_bird: &[&str]| {
        let of_bird = Group::new(bird.plain(), of_bird);
        let of_frr = Group::new(frr.plain(), of_frr);
        clients[0]
            .0
            .expect_soon(&table_of(&bird, &[(&frr, of_frr)]));
        clients[1]
            .0
            .expect_soon(&table_of(&frr, &[(&bird, of_bird)]));
    };
    expect(&mut clients, of_bird);

    // As an operator does it, and as the unit's restart does it.
    for way in ["rialto stop --restart", "SIGUSR2"] {
        match way {
            "SIGUSR2" => server.program.signal("-USR2"),
            _ => {
                let told = server.rialto(&["stop", "--restart"]).expect("rialto stops");
                assert!(told.contains("within 120 s"), "{told}");
            }
        }
        assert!(
            server.program.ends(Duration::from_secs(5)),
            "{}",
            server.program.log()
        );
        let until = Instant::now() + DOWN;
        keep_all(&mut clients, || Instant::now() < until);
        server.start_again(&settings);
        wait_for("all to be back", BACK, || {
            for (client, prefixes) in &mut clients {
                has_all(client, prefixes).expect("everything is kept");
            }
            let shown = server.all_clients()?.into_values();
            let up = shown.filter(|client| client.is_established()).count();
            match up {
                4 => Ok(()),
                _ => Err(format!(
                    "{up} are: {}",
                    clients[1].0.router.ask("show bgp neighbors")?
                )),
            }
        });
        let until = Instant::now() + DOWN;
        keep_all(&mut clients, || Instant::now() < until);
        expect(&mut clients, of_bird);
    }

    // What was withdrawn while the server was away is gone when it is back.
    server.program.signal("-USR2");
    assert!(
        server.program.ends(Duration::from_secs(5)),
        "{}",
        server.program.log()
    );
    let gone = of_bird[1].parse().expect("a prefix");
    clients[0]
        .0
        .router
        .withdraw(&[gone])
        .expect("the router withdraws");
    has_all(&mut clients[1].0, of_bird).expect("nobody told it");
    server.start_again(&settings);
    expect(&mut clients, &of_bird[..1]);

    // SIGTERM is final.
    assert!(
        server.program.terminate(Duration::from_secs(5)),
        "{}",
        server.program.log()
    );
    for (client, _) in &mut clients {
        let what = format!("{} to have lost everything", client.member.make.name());
        wait_for(&what, DOWN, || {
            Table::default().compare(&client.router.table()?)
        });
    }
}
