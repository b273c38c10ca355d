//! RFC 7999 blackholing between real routers: who may ask for it, what the others receive, and who
//! wants none of it.

use super::lan::Lan;
use super::member::{Make, Member, SERVER_ASN};
use super::server::{Server, Settings};
use super::table::{Attributes, BLACKHOLE, Group, NO_EXPORT, Path};
use super::{Client, is_off, table_of, turn};

const RS: u32 = SERVER_ASN;
const NEXT_HOP: &str = "10.77.255.66";

const SECTIONS: &str = r#"
[blackhole]
ipv4 = "rewrite_next_hop"
next_hop_ipv4 = "10.77.255.66"
ipv6 = "off"
[communities]
blackholing = ["65535:666", "rs_as:666:0"]
"#;

fn asking(member: &Member) -> Attributes {
    Attributes {
        communities: [BLACKHOLE].into(),
        ..member.plain()
    }
}

/// BIRD may ask for it, FRR may not, ExaBGP wants no such routes.
#[test]
fn blackhole_routes_reach_those_that_take_them() {
    let Some(_turn) = turn(&[Make::Bird, Make::Frr, Make::Exabgp, Make::Openbgpd]) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let asker = Member::new(&mut lan, Make::Bird, 1);
    let large = Attributes {
        large: [(RS, 666, 0)].into(),
        ..asker.plain()
    };
    let asker = asker
        .clone()
        .announcing(Group::new(
            asking(&asker),
            &[
                "21.0.0.1/32",
                "21.0.1.0/24",
                "2a10:1::1/128",
                "2a10:1:1::/48",
            ],
        ))
        .announcing(Group::new(large, &["21.0.0.2/32"]))
        .announcing(Group::new(
            asker.plain(),
            &["21.0.0.3/32", "21.0.2.0/24", "2a10:1:2::/48"],
        ));
    let other = Member::new(&mut lan, Make::Frr, 2);
    let other = other
        .clone()
        .announcing(Group::new(asking(&other), &["22.0.0.1/32", "22.0.1.0/24"]));
    let without = Member::new(&mut lan, Make::Exabgp, 3);
    let with = Member::new(&mut lan, Make::Openbgpd, 4);
    let members = [asker, other, without, with];
    let [asker, other, without, _] = &members;
    let settings = Settings::new(SECTIONS)
        .with(without, "blackhole = false")
        .with(
            asker,
            "import.blackhole = true\n\
             irr.prefixes = [\"21.0.0.0/16{16,24}\", \"2a10:1::/32{32,48}\"]",
        );
    let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();

    server.expect_rejected("bird1-4", &[("21.0.0.3/32", "prefix_too_long")]);
    server.expect_rejected("bird1-6", &[("2a10:1::1/128", "prefix_too_long")]);
    server.expect_rejected("frr2-4", &[("22.0.0.1/32", "prefix_too_long")]);

    // Off for IPv6, and not FRR's to ask for: ordinary routes, which keep nothing of the request.
    let ordinary = [
        (
            asker,
            Group::new(
                asker.plain(),
                &["21.0.2.0/24", "2a10:1:2::/48", "2a10:1:1::/48"],
            ),
        ),
        (other, Group::new(other.plain(), &["22.0.1.0/24"])),
    ];
    let blackholes = Group::new(
        Attributes {
            communities: [BLACKHOLE, NO_EXPORT].into(),
            ..asker.plain()
        },
        &["21.0.0.1/32", "21.0.0.2/32", "21.0.1.0/24"],
    );
    for client in &mut clients {
        let routes: Vec<_> = ordinary
            .iter()
            .filter(|(from, _)| from.number != client.member.number)
            .cloned()
            .collect();
        let mut due = table_of(&client.member, &routes);
        if [2, 4].contains(&client.member.number) {
            for prefix in &blackholes.prefixes {
                let path = Path {
                    next_hop: NEXT_HOP.parse().expect("an address"),
                    attributes: blackholes.attributes.clone().into(),
                };
                due.insert(*prefix, client.member.make.sees(path));
            }
        }
        client.expect_soon(&due);
    }

    // The attack is over.
    let gone = blackholes.prefixes.clone();
    clients[0].router.withdraw(&gone).expect("BIRD withdraws");
    for client in &mut clients {
        let routes: Vec<_> = ordinary
            .iter()
            .filter(|(from, _)| from.number != client.member.number)
            .cloned()
            .collect();
        client.expect_soon(&table_of(&client.member, &routes));
    }
}
