//! The oracle itself, by hand: what it says in the cases that are easy to get wrong.

use crate::oracle::{Attributes, Client, Med, Net, Options, Oracle, Session};
use crate::oracle_agrees::{address, attributes, client, net, options, session};

/// Clients 1 to `count`, of ASN ten times their number, all up.
fn exchange(count: u16) -> Oracle {
    let mut oracle = Oracle::new(options(64_500));
    for id in 1..=count {
        oracle.configure(id, client(id, u32::from(id) * 10));
        oracle.up(id, session(id));
    }
    oracle
}

fn a_net() -> Net {
    net("193.0.0.0/21")
}

/// Whose path each client has, as the next hop tells: 0 for none.
fn whose(oracle: &Oracle, count: u16) -> Vec<u16> {
    let best = |id| oracle.table_of(id).remove(&(a_net(), 0));
    let announcer = |sent: Attributes| {
        (1..=count)
            .find(|id| sent.next_hop == address(*id))
            .unwrap()
    };
    (1..=count)
        .map(|id| best(id).map_or(0, announcer))
        .collect()
}

#[test]
fn the_best_path_goes_to_all_but_its_announcer_who_gets_the_second() {
    let mut oracle = exchange(3);
    oracle.announce(2, a_net(), attributes(2, &[20]));
    oracle.announce(1, a_net(), attributes(1, &[10, 7]));
    assert_eq!(whose(&oracle, 3), [2, 1, 2]);
    oracle.withdraw(1, a_net());
    assert_eq!(whose(&oracle, 3), [2, 0, 2]);
    oracle.down(2);
    assert_eq!(whose(&oracle, 3), [0, 0, 0]);
}

#[test]
fn a_path_kept_from_a_client_does_not_hide_the_next_one() {
    let mut oracle = exchange(3);
    oracle.announce(
        1,
        a_net(),
        Attributes {
            communities: vec![(0, 30)],
            ..attributes(1, &[10])
        },
    );
    oracle.announce(2, a_net(), attributes(2, &[20, 7]));
    assert_eq!(whose(&oracle, 3), [2, 1, 2]);
    assert!(
        oracle.table_of(2)[&(a_net(), 0)].communities.is_empty(),
        "stripped"
    );
}

#[test]
fn each_step_decides_in_its_turn() {
    let worse = |change: fn(&mut Attributes)| {
        let mut set = attributes(1, &[10, 7]);
        change(&mut set);
        set
    };
    // Client 1 wins but for the change: it has the lower router id.
    let cases: [(&str, Attributes, Attributes, u16); 9] = [
        (
            "all equal: the lower router id",
            worse(|_| ()),
            attributes(2, &[20, 7]),
            1,
        ),
        (
            "graceful shutdown loses to a longer path",
            worse(|s| s.communities.push((65_535, 0))),
            attributes(2, &[20, 7, 7]),
            2,
        ),
        (
            "the longer path loses",
            worse(|s| s.as_path[0].1.push(7)),
            attributes(2, &[20, 7]),
            2,
        ),
        (
            "a prepended path loses",
            worse(|s| s.large.push((64_500, 101, 0))),
            attributes(2, &[20, 7]),
            2,
        ),
        (
            "an AS_SET counts one",
            worse(|s| s.as_path.push((1, vec![1, 2, 3]))),
            attributes(2, &[20, 7, 7]),
            1,
        ),
        (
            "the worse origin loses",
            worse(|s| s.origin = 2),
            Attributes {
                origin: 1,
                ..attributes(2, &[20, 7])
            },
            2,
        ),
        (
            "MED does not matter between neighbours",
            worse(|s| s.med = Some(9)),
            attributes(2, &[20, 7]),
            1,
        ),
        (
            "MED matters within a neighbour",
            worse(|s| {
                s.med = Some(9);
                s.as_path[0].1[0] = 20;
            }),
            attributes(2, &[20, 7]),
            2,
        ),
        (
            "no path at all is the shortest",
            worse(|s| s.as_path.clear()),
            attributes(2, &[20, 7]),
            1,
        ),
    ];
    for (case, first, second, best) in cases {
        let mut oracle = exchange(3);
        oracle.announce(1, a_net(), first);
        oracle.announce(2, a_net(), second);
        assert_eq!(whose(&oracle, 3)[2], best, "{case}");
    }
}

#[test]
fn med_gives_no_order_but_an_elimination() {
    // 1 beats 2 by router id, 2 beats 3 by router id, 3 beats 1 by MED.
    let set = |id: u16, asn: u32, med: u32| Attributes {
        med: Some(med),
        ..attributes(id, &[asn, 7])
    };
    let mut oracle = exchange(4);
    oracle.announce(1, a_net(), set(1, 70, 9));
    oracle.announce(2, a_net(), set(2, 80, 5));
    oracle.announce(3, a_net(), set(3, 70, 1));
    // 4 sees all: 1 is eliminated by 3, then 2 has the lower identifier. 3 does not see itself.
    assert_eq!(whose(&oracle, 4), [2, 3, 1, 2]);
    oracle.set_options(Options {
        med: Med::Ignore,
        ..options(64_500)
    });
    assert_eq!(whose(&oracle, 4), [2, 1, 1, 1]);
    oracle.set_options(Options {
        med: Med::Always,
        ..options(64_500)
    });
    assert_eq!(whose(&oracle, 4), [3, 3, 2, 3]);
}

#[test]
fn with_add_path_a_client_gets_all_it_may_have() {
    let mut oracle = exchange(3);
    oracle.up(
        3,
        Session {
            add_path: [true; 2],
            ..session(3)
        },
    );
    oracle.announce(
        1,
        a_net(),
        Attributes {
            communities: vec![(0, 20)],
            ..attributes(1, &[10])
        },
    );
    oracle.announce(2, a_net(), attributes(2, &[20, 7]));
    oracle.announce(3, a_net(), attributes(3, &[30]));
    let ids: Vec<u32> = oracle
        .table_of(3)
        .into_keys()
        .map(|(_, path_id)| path_id)
        .collect();
    assert_eq!(ids, [2, 3], "one more than the announcer, its own left out");
    assert_eq!(whose(&oracle, 3), [3, 3, 0], "the others get their best");
    assert_eq!(oracle.tables()[&3], oracle.table_of(3));
}

#[test]
fn a_path_too_long_for_a_client_gives_way_to_the_next() {
    let long = |octets: usize| {
        let mut set = attributes(1, &[10]);
        set.other.insert(99, (0xc0, vec![0; octets]));
        set
    };
    for (octets, expected) in [(3_900, [2, 1, 1]), (4_090, [2, 0, 1])] {
        let mut oracle = exchange(3);
        oracle.up(
            3,
            Session {
                extended: true,
                ..session(3)
            },
        );
        oracle.announce(1, a_net(), long(octets));
        oracle.announce(2, a_net(), attributes(2, &[20, 7]));
        assert_eq!(whose(&oracle, 3), expected, "{octets} octets");
    }
}

#[test]
fn a_family_that_was_not_negotiated_is_not_sent() {
    let mut oracle = exchange(2);
    oracle.up(
        2,
        Session {
            families: [false, true],
            ..session(2)
        },
    );
    oracle.announce(1, a_net(), attributes(1, &[10]));
    let six = net("2a00::/32");
    oracle.announce(1, six, attributes(1, &[10]));
    assert_eq!(
        oracle.table_of(2).into_keys().collect::<Vec<_>>(),
        [(six, 0)]
    );
}

#[test]
fn block_keeps_the_first_of_a_fixed_order_whatever_came_when() {
    let nets = ["193.3.0.0/24", "193.1.0.0/24", "193.2.0.0/24"].map(net);
    let mut oracle = exchange(2);
    oracle.configure(
        1,
        Client {
            block: [Some(2), None],
            ..client(1, 10)
        },
    );
    for net in nets {
        oracle.announce(1, net, attributes(1, &[10]));
    }
    assert_eq!(
        oracle
            .table_of(2)
            .into_keys()
            .map(|(net, _)| net)
            .collect::<Vec<_>>(),
        [nets[1], nets[2]]
    );
    assert_eq!(oracle.verdict(1, &nets[0]), Err("accepted_limit"));
    assert_eq!(
        oracle
            .verdicts()
            .filter(|(_, _, verdict)| verdict.is_ok())
            .count(),
        2
    );
    oracle.withdraw(1, nets[1]);
    assert_eq!(oracle.table_of(2).len(), 2, "another moves up");
}

#[test]
fn attributes_may_be_discarded_or_taken_for_a_withdrawal() {
    let with = |code: u8| {
        let mut set = attributes(1, &[10]);
        set.other.insert(code, (0xc0, vec![1]));
        set
    };
    let mut oracle = exchange(2);
    oracle.configure(
        1,
        Client {
            discard: vec![98],
            treat_as_withdraw: vec![99],
            ..client(1, 10)
        },
    );
    let codes = |oracle: &Oracle| -> Vec<u8> {
        oracle
            .table_of(2)
            .into_values()
            .flat_map(|sent| sent.other.into_keys())
            .collect()
    };
    oracle.announce(1, a_net(), with(97));
    assert_eq!(codes(&oracle), [97], "an unknown one passes");
    oracle.announce(1, a_net(), with(98));
    assert_eq!(
        (codes(&oracle), oracle.table_of(2).len()),
        (vec![], 1),
        "discarded"
    );
    oracle.announce(1, a_net(), with(5));
    assert_eq!(
        (codes(&oracle), oracle.table_of(2).len()),
        (vec![], 1),
        "LOCAL_PREF is discarded"
    );
    oracle.configure(
        1,
        Client {
            discard: vec![8],
            treat_as_withdraw: vec![99],
            ..client(1, 10)
        },
    );
    oracle.announce(
        1,
        a_net(),
        Attributes {
            communities: vec![(0, 20)],
            ..attributes(1, &[10])
        },
    );
    assert_eq!(
        oracle.table_of(2).len(),
        1,
        "without its communities it asks for nothing"
    );
    oracle.announce(1, a_net(), with(99));
    assert_eq!(oracle.table_of(2).len(), 0, "withdrawn");
    oracle.announce(1, a_net(), with(97));
    oracle.remove(1);
    assert_eq!(oracle.table_of(2).len(), 0, "a client that is gone");
}
