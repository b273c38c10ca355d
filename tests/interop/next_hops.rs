//! IPv4 prefixes with IPv6 next hops (RFC 8950), by BIRD and FRR over their IPv6 sessions. GoBGP and
//! ExaBGP would need next hops in their dumps and commands that the harness does not write; OpenBGPD 7.7
//! has no such thing.

use std::net::IpAddr;

use super::lan::Lan;
use super::member::{Make, Member};
use super::program::wait_for;
use super::server::{Server, Settings};
use super::table::{Attributes, Group, Path};
use super::{Client, SOON, is_off, table_of, turn};

const SHARED: &str = "30.0.0.0/24";

/// An AS path of so many ASNs.
fn of_len(member: &Member, len: usize) -> Attributes {
    let mut as_path = vec![member.asn; len];
    if member.make != Make::Openbgpd {
        as_path[1..].fill(3303);
    }
    Attributes {
        as_path,
        ..member.plain()
    }
}

/// BIRD (1) has the shortest path of a prefix, with an IPv6 next hop, which FRR (2) takes as well.
/// ExaBGP (3) and OpenBGPD (4) have ordinary sessions.
#[test]
fn ipv6_next_hops_of_ipv4_reach_those_that_negotiated_them() {
    let makes = [Make::Bird, Make::Frr, Make::Exabgp, Make::Openbgpd];
    let Some(_turn) = turn(&makes) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let mut members: Vec<Member> = (1u16..)
        .zip(makes)
        .map(|(number, make)| {
            let member = Member::new(&mut lan, make, number);
            let own = [member.own_v4(0), member.own_v6(0)].map(|prefix| prefix.to_string());
            let group = Group::new(member.plain(), &[&own[0], &own[1]]);
            member.announcing(group)
        })
        .collect();
    for (who, len) in [(0, 1), (3, 3)] {
        let group = Group::new(of_len(&members[who], len), &[SHARED]);
        members[who].announced.push(group);
    }
    for member in &mut members[..2] {
        member.sessions = vec![6];
        member.ipv6_next_hops = true;
    }
    let settings = members[..2]
        .iter()
        .fold(Settings::default(), |settings, member| {
            let lines = r#"families = ["ipv4", "ipv6"]
                ipv6_next_hops = true"#;
            settings.with(member, lines)
        });
    let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();
    let [bird, _, exabgp, openbgpd] = &members[..] else {
        panic!("four members");
    };

    // Ordinary clients: nothing of IPv4 from those two, and the next best path of what they share.
    let (bird_v6, frr_v6) = (
        Group::new(bird.plain(), &["2a10:1::/48"]),
        Group::new(members[1].plain(), &["2a10:2::/48"]),
    );
    let ordinary = |from: &Member| {
        let own = from.announced[0].clone();
        let v4 = own.prefixes[0].to_string();
        let v6 = own.prefixes[1].to_string();
        Group::new(from.plain(), &[&v4, &v6])
    };
    let next_best = Group::new(of_len(openbgpd, 3), &[SHARED]);
    let routes = [
        (bird, bird_v6.clone()),
        (&members[1], frr_v6.clone()),
        (openbgpd, ordinary(openbgpd)),
        (openbgpd, next_best.clone()),
    ];
    clients[2].expect_soon(&table_of(exabgp, &routes));
    let routes = [
        (bird, bird_v6),
        (&members[1], frr_v6.clone()),
        (exabgp, ordinary(exabgp)),
    ];
    clients[3].expect_soon(&table_of(openbgpd, &routes));

    // BIRD has FRR's with its IPv6 next hop, and those of others with their IPv4 ones.
    let routes = [
        (&members[1], frr_v6),
        (exabgp, ordinary(exabgp)),
        (openbgpd, ordinary(openbgpd)),
        (openbgpd, next_best),
    ];
    let mut due = table_of(bird, &routes);
    due.insert(
        members[1].own_v4(0),
        Path {
            next_hop: members[1].place.v6.into(),
            attributes: members[1].plain().into(),
        },
    );
    clients[0].expect_soon(&due);

    // FRR's dump has no room for such next hops.
    let next_hop_of_bird = IpAddr::from(bird.place.v6);
    for (prefix, due) in [
        (SHARED, next_hop_of_bird),
        ("21.0.0.0/24", next_hop_of_bird),
        ("23.0.0.0/24", exabgp.place.v4.into()),
    ] {
        wait_for(&format!("FRR to have {prefix} by {due}"), SOON, || {
            let text = clients[1]
                .router
                .ask(&format!("show bgp ipv4 unicast {prefix} json"))?;
            let has_it = text.contains(&format!("\"ip\":\"{due}\""));
            match has_it && text.contains("\"valid\":true") {
                true => Ok(()),
                false => Err(text),
            }
        });
    }

    // Without it negotiated, BIRD's are out of reach for all: FRR has the next best as well.
    let without = settings_without(&settings, &members[0]);
    server.reload(&without);
    wait_for("FRR to have the next best path", SOON, || {
        let text = clients[1]
            .router
            .ask(&format!("show bgp ipv4 unicast {SHARED} json"))?;
        match text.contains(&format!("\"ip\":\"{}\"", openbgpd.place.v4)) {
            true => Ok(()),
            false => Err(text),
        }
    });
}

fn settings_without(settings: &Settings, member: &Member) -> Settings {
    let mut settings = settings.clone();
    settings.clients.remove(&member.session(6));
    settings
}
