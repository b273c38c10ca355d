//! Roles and ONLY_TO_CUSTOMER (RFC 9234) with the routers that know them: BIRD, FRR and OpenBGPD.
//! GoBGP and ExaBGP of Debian 12 have no roles.

use std::time::Duration;

use super::lan::Lan;
use super::member::{Make, Member, SERVER_ASN, SERVER_V4};
use super::program::wait_for;
use super::server::{Server, Settings};
use super::table::{Attributes, Group};
use super::{Client, is_off, table_of, turn};

const PATIENCE: Duration = Duration::from_secs(60);
const RS_CLIENT: Option<&str> = Some("rs-client");

fn with_otc(member: &Member, otc: u32) -> Attributes {
    Attributes {
        otc: Some(otc),
        ..member.plain()
    }
}

/// Members 1 to 4 have the role, the first three say so themselves; member 5 has none.
#[test]
fn routes_get_only_to_customer_and_those_that_have_it_are_leaks() {
    let makes = [
        Make::Bird,
        Make::Frr,
        Make::Openbgpd,
        Make::Bird,
        Make::Exabgp,
    ];
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
    for member in &mut members[..3] {
        member.role = RS_CLIENT;
    }
    // A leak where the role is known, an ordinary attribute of the route where it is not.
    let leak = Group::new(with_otc(&members[3], 10_004), &["24.0.1.0/24"]);
    members[3].announced.push(leak);
    let passed = Group::new(with_otc(&members[4], 4_711), &["25.0.1.0/24"]);
    members[4].announced.push(passed);
    let settings = members[..4]
        .iter()
        .fold(Settings::default(), |settings, member| {
            settings.with(member, "role = true")
        });
    let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();

    server.expect_rejected("bird4-4", &[("24.0.1.0/24", "route_leak")]);
    server.expect_rejected("exabgp5-4", &[]);
    for client in &mut clients {
        let others = members
            .iter()
            .filter(|member| member.number != client.member.number);
        let routes: Vec<(&Member, Group)> = others
            .flat_map(|from| {
                from.announced
                    .iter()
                    .map(move |group| (from, group.clone()))
            })
            .filter(|(from, group)| from.number != 4 || group.attributes.otc.is_none())
            .map(|(from, mut group)| {
                if client.member.number != 5 && group.attributes.otc.is_none() {
                    group.attributes.otc = Some(SERVER_ASN);
                }
                (from, group)
            })
            .collect();
        client.expect_soon(&table_of(&client.member, &routes));
    }
    let said = clients[0].router.ask("show protocols all rs4");
    let said = said.expect("BIRD shows its session");
    assert!(said.contains("Role: rs_server"), "{said}");
    let words = format!("show bgp neighbors {SERVER_V4} json");
    let said = clients[1]
        .router
        .ask(&words)
        .expect("FRR shows its session");
    assert!(said.contains(r#""remoteRole":"rs-server""#), "{said}");
}

/// BIRD says no role, FRR a wrong one, OpenBGPD the right one, and GoBGP has none to say.
#[test]
fn a_strict_role_refuses_those_that_do_not_say_it() {
    let makes = [Make::Bird, Make::Frr, Make::Openbgpd, Make::Gobgp];
    let Some(_turn) = turn(&makes) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let mut members: Vec<Member> = (1u16..)
        .zip(makes)
        .map(|(number, make)| Member::new(&mut lan, make, number).announcing_own(4))
        .collect();
    members[1].role = Some("peer");
    members[2].role = RS_CLIENT;
    let with_role = |role: &str| {
        members
            .iter()
            .fold(Settings::default(), |settings, member| {
                settings.with(member, &format!("role = {role}"))
            })
    };
    let server = Server::start_with(
        &mut lan,
        &members.iter().collect::<Vec<_>>(),
        &with_role("\"strict\""),
    );
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();

    expect_up(&server, &["openbgpd3-4", "openbgpd3-6"]);
    for name in ["bird1-4", "frr2-4", "gobgp4-6"] {
        wait_for(&format!("{name} to be refused"), PATIENCE, || {
            let error = server.client(name).last_error.unwrap_or_default();
            match error.contains("Role Mismatch") {
                true => Ok(()),
                false => Err(error),
            }
        });
    }
    let words = format!("show bgp neighbors {SERVER_V4} json");
    for (who, question, due) in [
        (0, "show protocols all rs4", "Role mismatch"),
        (1, &words[..], "Role Mismatch"),
    ] {
        wait_for(&format!("the router to say '{due}'"), PATIENCE, || {
            let text = clients[who].router.ask(question)?;
            match text.contains(due) {
                true => Ok(()),
                false => Err(text),
            }
        });
    }

    // Not strict: who says nothing is let in, who says something wrong is not.
    server.reload(&with_role("true"));
    let up = ["bird1-4", "bird1-6", "gobgp4-4", "gobgp4-6", "openbgpd3-4"];
    expect_up(&server, &up);
    for name in ["frr2-4", "frr2-6"] {
        assert!(!server.client(name).is_established(), "{name}");
    }
}

fn expect_up(server: &Server, names: &[&str]) {
    wait_for(&format!("{names:?} to be up"), PATIENCE, || {
        let shown = server.all_clients()?;
        let down: Vec<_> = names
            .iter()
            .filter(|name| !shown[**name].is_established())
            .map(|name| (name, &shown[*name].last_error))
            .collect();
        match down.is_empty() {
            true => Ok(()),
            false => Err(format!("{down:?} are not")),
        }
    });
}
