//! What members registered changes while real routers are connected: their routes are rejected and
//! accepted again over the sessions that are up. The registered prefixes stand in the configuration;
//! those of AS-SETs come from files, which is another floor's.

use super::lan::Lan;
use super::member::{Make, Member, SERVER_ASN};
use super::server::{Server, Settings};
use super::table::{Attributes, Group};
use super::{Client, is_off, table_of, turn};

const RS: u32 = SERVER_ASN;

/// In IXP Manager's numbers.
const SECTIONS: &str = r#"
[communities]
irr_valid = ["rs_as:1001:1"]
irr_not_checked = ["rs_as:1001:2"]
irr_more_specific = ["rs_as:1001:3"]
"#;
const VALID: u32 = 1;
const NOT_CHECKED: u32 = 2;
const MORE_SPECIFIC: u32 = 3;

fn tagged(attributes: Attributes, number: u32, prefixes: &[&str]) -> Group {
    let attributes = Attributes {
        large: [(RS, 1001, number)].into(),
        ..attributes
    };
    Group::new(attributes, prefixes)
}

#[test]
fn what_is_registered_changes_and_no_session_is_lost() {
    let makes = [Make::Bird, Make::Frr, Make::Gobgp];
    let Some(_turn) = turn(&makes) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let bird = Member::new(&mut lan, Make::Bird, 1);
    let of_customer = Attributes {
        as_path: vec![bird.asn, 3303],
        ..bird.plain()
    };
    let bird = bird
        .clone()
        .announcing(Group::new(
            bird.plain(),
            &["21.0.0.0/24", "21.0.1.0/24", "2a10:1::/48"],
        ))
        .announcing(Group::new(of_customer.clone(), &["21.0.2.0/24"]));
    let frr = Member::new(&mut lan, Make::Frr, 2);
    let frr = frr
        .clone()
        .announcing(Group::new(frr.plain(), &["22.0.0.0/24"]));
    let gobgp = Member::new(&mut lan, Make::Gobgp, 3);
    let members = [bird, frr, gobgp];
    let [bird, frr, _] = &members;
    let registered = |irr: &str| Settings::new(SECTIONS).with(bird, &format!("irr = {{ {irr} }}"));
    let first = registered(
        r#"prefixes = ["21.0.0.0/24", "21.0.1.0/24", "21.0.2.0/24", "2a10:1::/48"], origins = [10001, 3303]"#,
    );
    let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &first);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();
    let of_frr = tagged(frr.plain(), NOT_CHECKED, &["22.0.0.0/24"]);
    let mut expect = |of_bird: &[Group]| {
        for (client, from) in clients.iter_mut().zip([false, true, true]) {
            let of_bird = of_bird.iter().filter(|_| from);
            let mut routes: Vec<_> = of_bird.map(|group| (bird, group.clone())).collect();
            if client.member.number != frr.number {
                routes.push((frr, of_frr.clone()));
            }
            client.expect_soon(&table_of(&client.member, &routes));
        }
    };
    let all = [
        tagged(
            bird.plain(),
            VALID,
            &["21.0.0.0/24", "21.0.1.0/24", "2a10:1::/48"],
        ),
        tagged(of_customer.clone(), VALID, &["21.0.2.0/24"]),
    ];
    expect(&all);
    server.expect_rejected("bird1-4", &[]);
    let counts = || {
        let shown = server.all_clients().expect("rialto shows its clients");
        let counts = shown.into_values();
        counts
            .map(|client| (client.name, client.flaps, client.updates_in))
            .collect::<Vec<_>>()
    };
    let before = counts();

    // A prefix is no longer registered, nor is an origin.
    let fewer = registered(
        r#"prefixes = ["21.0.0.0/24", "21.0.2.0/24", "2a10:1::/48"], origins = [10001]"#,
    );
    server.reload(&fewer);
    server.expect_rejected(
        "bird1-4",
        &[("21.0.1.0/24", "irr_prefix"), ("21.0.2.0/24", "irr_origin")],
    );
    let left = [tagged(bird.plain(), VALID, &["21.0.0.0/24", "2a10:1::/48"])];
    expect(&left);

    // The block around them is, and what lies in it may be announced.
    let around = registered(
        r#"prefixes = ["21.0.0.0/16", "2a10:1::/32"], origins = [10001, 3303], allow_longer_prefixes = true"#,
    );
    server.reload(&around);
    server.expect_rejected("bird1-4", &[]);
    let all_longer: Vec<Group> = all
        .iter()
        .map(|group| Group {
            attributes: tagged(group.attributes.clone(), MORE_SPECIFIC, &[]).attributes,
            prefixes: group.prefixes.clone(),
        })
        .collect();
    expect(&all_longer);

    server.reload(&first);
    expect(&all);
    assert_eq!(
        counts(),
        before,
        "no session was lost, and nobody was asked for its routes"
    );
}
