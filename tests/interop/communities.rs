//! Control communities beyond the default ones, the peering matrix and informational communities:
//! what real routers announce with them, and what the others receive.

use super::lan::Lan;
use super::member::{Make, Member, SERVER_ASN};
use super::server::{Server, Settings};
use super::table::{Attributes, Group, NO_ADVERTISE, NO_EXPORT};
use super::{Client, is_off, table_of, turn};

const RS: u32 = SERVER_ASN;
const RS_16: u16 = SERVER_ASN as u16;

/// Member 5 has a four-octet ASN, which 65005 stands for.
const LONG_ASN: u32 = 397_143;

const SECTIONS: &str = r#"
[communities]
announce_to_peer = ["rs_as:peer_as", "rs_as:1:peer_as", "rt:rs_as:peer_as"]
do_not_announce_to_peer = ["0:peer_as", "rs_as:0:peer_as", "rt:65100:peer_as"]
add_noexport_to_peer = ["65281:peer_as", "rs_as:65281:peer_as"]
add_noadvertise_to_any = ["rs_as:65282:0"]
do_not_announce_to_peers_with_rtt_lower_than = ["rs_as:14:rtt"]
do_not_announce_to_peers_with_rtt_higher_than = ["rs_as:15:rtt", "15:rtt"]
announce_to_peers_with_rtt_lower_than = ["rs_as:16:rtt"]
prepend_once_to_peers_with_rtt_lower_than = ["rs_as:17:rtt"]
prepend_twice_to_peers_with_rtt_higher_than = ["rs_as:18:rtt"]
peer_as_aliases = { 65005 = 397143 }
"#;

/// What a route is announced with, and with what the members 1 to 5 receive it, if at all.
struct Case {
    what: &'static str,
    announced: Attributes,
    arrives: [Option<Attributes>; 5],
}

/// Announced by each member in the same way. The AS paths are of one member: its own is put in, as
/// often as `0` is there.
fn cases() -> Vec<Case> {
    let plain = || Attributes::plain(0);
    let large = |list: &[(u32, u32, u32)]| Attributes {
        large: list.iter().copied().collect(),
        ..plain()
    };
    let standard = |list: &[(u16, u16)]| Attributes {
        communities: list.iter().copied().collect(),
        ..plain()
    };
    let targets = |list: &[(u16, u32)]| Attributes {
        targets: list.iter().copied().collect(),
        ..plain()
    };
    let to = |numbers: &[usize]| {
        [1, 2, 3, 4, 5].map(|number| numbers.contains(&number).then(|| Attributes::plain(0)))
    };
    let with = |numbers: &[usize], attributes: Attributes| {
        let mut arrives = to(&[1, 2, 3, 4, 5]);
        numbers
            .iter()
            .for_each(|number| arrives[number - 1] = Some(attributes.clone()));
        arrives
    };
    let case = |what, announced, arrives| Case {
        what,
        announced,
        arrives,
    };
    let prepended = |count: usize| Attributes {
        as_path: vec![0; count + 1],
        ..plain()
    };
    vec![
        case(
            "a large form adds NO_EXPORT for one member alone",
            large(&[(RS, 65_281, 10_002)]),
            with(&[2], standard(&[NO_EXPORT])),
        ),
        case(
            "a standard form adds NO_EXPORT for two members",
            standard(&[(65_281, 10_003), (65_281, 10_004)]),
            with(&[3, 4], standard(&[NO_EXPORT])),
        ),
        case(
            "NO_ADVERTISE is added for all",
            large(&[(RS, 65_282, 0)]),
            with(&[1, 2, 3, 4, 5], standard(&[NO_ADVERTISE])),
        ),
        case(
            "an extended form lets one member have what is for no one else",
            Attributes {
                large: [(RS, 0, 0)].into(),
                ..targets(&[(RS_16, 10_003)])
            },
            to(&[3]),
        ),
        case(
            "an extended form keeps a route from a member",
            targets(&[(65_100, 10_004)]),
            to(&[1, 2, 3, 5]),
        ),
        case(
            "a standard form with an alias keeps a route from a four-octet ASN",
            standard(&[(0, 65_005)]),
            to(&[1, 2, 3, 4]),
        ),
        case(
            "an extended form with an alias keeps a route from a four-octet ASN",
            targets(&[(65_100, 65_005)]),
            to(&[1, 2, 3, 4]),
        ),
        case(
            "beyond 10 ms nobody has it; who has no known time is not beyond",
            large(&[(RS, 15, 10)]),
            to(&[1, 2, 5]),
        ),
        case(
            "beyond 50 ms nobody has it, by a standard form",
            standard(&[(15, 50)]),
            to(&[1, 2, 3, 5]),
        ),
        case(
            "within 5 ms nobody has it; who has no known time is not within",
            large(&[(RS, 14, 5)]),
            to(&[3, 4, 5]),
        ),
        case(
            "to no one but those within 15 ms",
            large(&[(RS, 0, 0), (RS, 16, 15)]),
            to(&[1, 2, 3]),
        ),
        case(
            "prepended once within 5 ms and twice beyond 50 ms",
            large(&[(RS, 17, 5), (RS, 18, 50)]),
            {
                let mut arrives = with(&[1, 2], prepended(1));
                arrives[3] = Some(prepended(2));
                arrives
            },
        ),
        case(
            "a time that is no threshold is no control community, and is removed as forged",
            large(&[(RS, 15, 11)]),
            to(&[1, 2, 3, 4, 5]),
        ),
        case(
            "what is forged under the server's ASN goes, what others understand stays",
            Attributes {
                large: [(RS, 1000, 1), (RS, 999, 7), (3303, 1, 1)].into(),
                communities: [(3303, 1)].into(),
                ..targets(&[(3303, 7)])
            },
            with(
                &[1, 2, 3, 4, 5],
                Attributes {
                    large: [(3303, 1, 1)].into(),
                    communities: [(3303, 1)].into(),
                    ..targets(&[(3303, 7)])
                },
            ),
        ),
    ]
}

#[test]
fn communities_that_an_exchange_configures_steer_real_routers() {
    let Some(_turn) = turn(&Make::ALL) else {
        return;
    };
    if is_off() {
        return;
    }
    let cases = cases();
    for (number, case) in cases.iter().enumerate() {
        eprintln!("2x.0.{number}.0/24: {}", case.what);
    }
    let mut lan = Lan::new();
    let members: Vec<Member> = (1u16..)
        .zip(Make::ALL)
        .map(|(number, make)| {
            let mut member = Member::new(&mut lan, make, number);
            if number == 5 {
                member.asn = LONG_ASN;
            }
            cases.iter().zip(0..).fold(member, |member, (case, item)| {
                let group = of_case(&member, item, &case.announced);
                member.announcing(group)
            })
        })
        .collect();
    let times = ["1", "4.0", "12.5", "60", ""];
    let settings = members
        .iter()
        .zip(times)
        .filter(|(_, ms)| !ms.is_empty())
        .fold(Settings::new(SECTIONS), |settings, (member, ms)| {
            settings.with(member, &format!("rtt_ms = {ms}"))
        });
    let _server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        let others = members
            .iter()
            .filter(|member| member.number != client.member.number);
        let routes: Vec<(&Member, Group)> = others
            .flat_map(|from| {
                let arriving = cases.iter().zip(0..);
                arriving.filter_map(move |(case, item)| {
                    let attributes = case.arrives[index].as_ref()?;
                    Some((from, of_case(from, item, attributes)))
                })
            })
            .collect();
        client.expect_soon(&table_of(&client.member, &routes));
    }
    // FRR's dump does not say.
    let shown = clients[1].router.ask("show bgp ipv4 unicast 23.0.13.0/24");
    let shown = shown.expect("FRR shows a route");
    assert!(shown.contains("RT:3303:7"), "{shown}");
}

/// A case's routes, as that member announces them.
fn of_case(member: &Member, item: u32, attributes: &Attributes) -> Group {
    Group {
        attributes: Attributes {
            as_path: vec![member.asn; attributes.as_path.len()],
            med: member.make.default_med(),
            ..attributes.clone()
        },
        prefixes: vec![member.own_v4(item), member.own_v6(item)],
    }
}

/// One prefix that all announce, with AS paths of different lengths: who is barred from the best path
/// has the next one.
#[test]
fn the_peering_matrix_bars_paths_and_hides_none() {
    let Some(_turn) = turn(&[Make::Bird, Make::Frr, Make::Exabgp, Make::Gobgp]) else {
        return;
    };
    if is_off() {
        return;
    }
    let mut lan = Lan::new();
    let makes = [Make::Bird, Make::Frr, Make::Exabgp, Make::Gobgp];
    let shared = ["30.0.0.0/24", "2a20::/48"];
    let members: Vec<Member> = (1u16..)
        .zip(makes)
        .map(|(number, make)| {
            let member = Member::new(&mut lan, make, number);
            let attributes = with_tail(&member, number);
            member.announcing(Group::new(attributes, &shared))
        })
        .collect();
    let [bird, frr, exabgp, gobgp] = &members[..] else {
        panic!("four members");
    };
    let settings = Settings::default()
        .with(bird, "announce_only_to = [10003]")
        .with(frr, "do_not_announce_to = [10001]")
        .with(gobgp, "do_not_receive_from = [10002]")
        .with_session("exabgp3-6", r#"receive_only_from = ["frr2-6"]"#);
    let server = Server::start_with(&mut lan, &members.iter().collect::<Vec<_>>(), &settings);
    let mut clients: Vec<Client> = members.iter().cloned().map(Client::start).collect();
    let [v4, v6] = shared;
    let due: [[&Member; 2]; 4] = [[exabgp; 2], [exabgp; 2], [bird, frr], [exabgp; 2]];
    for (client, [from_v4, from_v6]) in clients.iter_mut().zip(due) {
        let routes = [(from_v4, v4), (from_v6, v6)].map(|(from, prefix)| {
            let attributes = with_tail(from, from.number);
            (from, Group::new(attributes, &[prefix]))
        });
        client.expect_soon(&table_of(&client.member, &routes));
    }

    // The matrix goes, and everybody has the shortest path of the others, over the same sessions.
    server.reload(&Settings::default());
    for (client, from) in clients.iter_mut().zip([frr, bird, bird, bird]) {
        let routes = [(from, Group::new(with_tail(from, from.number), &shared))];
        client.expect_soon(&table_of(&client.member, &routes));
    }
    for (name, shown) in server.all_clients().expect("rialto shows its clients") {
        assert_eq!(shown.flaps, 0, "{name}");
    }
}

/// An AS path of so many ASNs.
fn with_tail(member: &Member, len: u16) -> Attributes {
    let mut as_path = vec![3303; usize::from(len)];
    as_path[0] = member.asn;
    Attributes {
        as_path,
        ..member.plain()
    }
}
