//! RFC 7606 beyond single attributes: what is missing or repeated, lengths, NLRI, families, and
//! what the operator configures.

use std::net::Ipv6Addr;

use rialto::base::{Family, FamilySet};
use rialto::wire::{DecodeContext, NextHop, Scratch, TypeCodes, decode_update};

use super::outcome::{Outcome::*, check_all, instead, outcome, outcome_in, with};
use super::support::*;

#[test]
fn missing_and_repeated_attributes() {
    let path = as_path(&[64500]);
    let twice = |second: Vec<u8>| body(&[], &[mandatory(), second].concat(), NLRI);
    check_all([
        (
            "no ORIGIN withdraws",
            body(&[], &[path.clone(), next_hop()].concat(), NLRI),
            Withdrawn(1),
        ),
        (
            "no AS_PATH withdraws",
            body(&[], &[origin(), next_hop()].concat(), NLRI),
            Withdrawn(2),
        ),
        (
            "no NEXT_HOP withdraws",
            body(&[], &[origin(), path.clone()].concat(), NLRI),
            Withdrawn(3),
        ),
        (
            "no attributes at all withdraw",
            body(&[], &[], NLRI),
            Withdrawn(3),
        ),
        (
            "MP_REACH_NLRI needs no NEXT_HOP",
            body(&[], &[reach(NLRI_6), origin(), path.clone()].concat(), &[]),
            Announced(vec![1, 2]),
        ),
        (
            "MP_REACH_NLRI needs ORIGIN",
            body(&[], &[reach(NLRI_6), path.clone()].concat(), &[]),
            Withdrawn(1),
        ),
        (
            "a second ORIGIN is discarded",
            twice(attribute(0x40, 1, &[2])),
            Discarded(vec![1]),
        ),
        (
            "a second and malformed AS_PATH is discarded",
            twice(attribute(0x40, 2, &[9])),
            Discarded(vec![2]),
        ),
        (
            "a second unknown attribute is discarded",
            twice([attribute(0xc0, 99, &[1]), attribute(0xc0, 99, &[2])].concat()),
            Discarded(vec![99]),
        ),
        (
            "a second MP_REACH_NLRI resets",
            twice([reach(NLRI_6), reach(NLRI_6)].concat()),
            Reset(1, vec![]),
        ),
        (
            "a second MP_UNREACH_NLRI resets",
            twice([unreach(NLRI_6), unreach(&[])].concat()),
            Reset(1, vec![]),
        ),
        (
            "a useless and wrong NEXT_HOP beside MP_REACH_NLRI is ignored",
            body(
                &[],
                &[reach(NLRI_6), origin(), path, attribute(0x40, 3, &[0])].concat(),
                &[],
            ),
            Announced(vec![1, 2]),
        ),
    ]);
}

#[test]
fn lengths_that_do_not_add_up() {
    let cut = |tail: &[u8]| body(&[], &[&mandatory()[..], tail].concat(), NLRI);
    check_all([
        (
            "an attribute that overruns withdraws",
            cut(&[0xc0, 8, 40, 1, 1]),
            Withdrawn(8),
        ),
        (
            "an extended length that overruns withdraws",
            cut(&[0xd0, 8, 1, 0, 1]),
            Withdrawn(8),
        ),
        (
            "two octets left over withdraw",
            cut(&[0xc0, 8]),
            Withdrawn(8),
        ),
        ("one octet left over withdraws", cut(&[0xc0]), Withdrawn(0)),
        (
            "three octets left over with Extended Length withdraw",
            cut(&[0xd0, 8, 0]),
            Withdrawn(8),
        ),
        (
            "an MP_REACH_NLRI that overruns resets",
            cut(&[0x80, 14, 40, 0, 2, 1]),
            Reset(5, vec![0x80, 14, 40, 0, 2, 1]),
        ),
        (
            "an MP_UNREACH_NLRI cut in its header resets",
            cut(&[0x80, 15]),
            Reset(1, vec![]),
        ),
        ("an empty body resets", vec![], Reset(1, vec![])),
        (
            "a body of three octets resets",
            vec![0, 0, 0],
            Reset(1, vec![]),
        ),
        (
            "a Withdrawn Routes Length that overruns resets",
            vec![0, 9, 0, 0],
            Reset(1, vec![]),
        ),
        (
            "a Total Path Attribute Length that overruns resets",
            vec![0, 0, 0, 9, 1],
            Reset(1, vec![]),
        ),
    ]);
}

#[test]
fn nlri_that_cannot_be_read_reset() {
    let v6 = |octets: &[u8]| body(&[], &[reach(octets), mandatory()].concat(), NLRI);
    let whole = |octets: Vec<u8>| Reset(9, octets);
    check_all([
        (
            "an IPv4 prefix length over 32",
            body(&[], &mandatory(), &[33, 1, 2, 3, 4, 5]),
            Reset(10, vec![]),
        ),
        (
            "an IPv4 prefix cut short",
            body(&[], &mandatory(), &[24, 198, 51]),
            Reset(10, vec![]),
        ),
        (
            "a withdrawn IPv4 prefix length over 32",
            body(&[255, 1, 2, 3, 4], &[], &[]),
            Reset(10, vec![]),
        ),
        (
            "a withdrawn IPv4 prefix cut short",
            body(&[32, 1], &[], &[]),
            Reset(10, vec![]),
        ),
        (
            "an IPv6 prefix length over 128",
            v6(&[129; 18]),
            whole(reach(&[129; 18])),
        ),
        (
            "an IPv6 prefix cut short",
            v6(&[48, 0x20]),
            whole(reach(&[48, 0x20])),
        ),
        (
            "a withdrawn IPv6 prefix cut short",
            body(&[], &unreach(&[48, 0x20]), &[]),
            whole(unreach(&[48, 0x20])),
        ),
        (
            "an MP_REACH_NLRI of four octets",
            body(&[], &attribute(0x80, 14, &[0, 2, 1, 0]), &[]),
            whole(attribute(0x80, 14, &[0, 2, 1, 0])),
        ),
        (
            "an MP_UNREACH_NLRI of two octets",
            body(&[], &attribute(0x80, 15, &[0, 2]), &[]),
            whole(attribute(0x80, 15, &[0, 2])),
        ),
        (
            "a next hop of a wrong length",
            body(&[], &attribute(0x80, 14, &[0, 2, 1, 4, 1, 1, 1, 1, 0]), &[]),
            whole(attribute(0x80, 14, &[0, 2, 1, 4, 1, 1, 1, 1, 0])),
        ),
        (
            "an IPv4 next hop of 16 octets (RFC 8950 is not negotiated)",
            body(
                &[],
                &attribute(
                    0x80,
                    14,
                    &[&[0, 1, 1, 16][..], &[1; 16], &[0], NLRI].concat(),
                ),
                &[],
            ),
            whole(attribute(
                0x80,
                14,
                &[&[0, 1, 1, 16][..], &[1; 16], &[0], NLRI].concat(),
            )),
        ),
        (
            "a next hop that overruns",
            body(&[], &attribute(0x80, 14, &[0, 2, 1, 16, 1]), &[]),
            whole(attribute(0x80, 14, &[0, 2, 1, 16, 1])),
        ),
        (
            "a transitive MP_REACH_NLRI",
            body(
                &[],
                &attribute(0xc0, 14, &[&reach_head()[..], NLRI_6].concat()),
                &[],
            ),
            whole(attribute(0xc0, 14, &[&reach_head()[..], NLRI_6].concat())),
        ),
        (
            "a well-known MP_UNREACH_NLRI",
            body(&[], &attribute(0x00, 15, &[0, 2, 1]), &[]),
            whole(attribute(0x00, 15, &[0, 2, 1])),
        ),
    ]);
}

#[test]
fn without_nlri_a_wrong_attribute_resets() {
    let only = |attributes: Vec<u8>| body(&[], &attributes, &[]);
    check_all([
        (
            "a wrong ORIGIN length",
            only(attribute(0x40, 1, &[])),
            Reset(5, vec![0x40, 1, 0]),
        ),
        (
            "an undefined ORIGIN",
            only(attribute(0x40, 1, &[9])),
            Reset(6, vec![0x40, 1, 1, 9]),
        ),
        (
            "wrong flags",
            only(attribute(0xc0, 1, &[0])),
            Reset(4, vec![0xc0, 1, 1, 0]),
        ),
        (
            "a malformed AS_PATH",
            only(attribute(0x40, 2, &[9])),
            Reset(11, vec![]),
        ),
        (
            "a NEXT_HOP that is no host",
            only(attribute(0x40, 3, &[0; 4])),
            Reset(8, vec![0x40, 3, 4, 0, 0, 0, 0]),
        ),
        (
            "wrong COMMUNITIES",
            only(attribute(0xc0, 8, &[1])),
            Reset(5, vec![0xc0, 8, 1, 1]),
        ),
        (
            "an attribute that overruns",
            only(vec![0x40, 1, 9, 0]),
            Reset(5, vec![0x40, 1, 9, 0]),
        ),
        (
            "beside a withdrawal too",
            body(NLRI, &attribute(0x40, 1, &[9]), &[]),
            Reset(6, vec![0x40, 1, 1, 9]),
        ),
        (
            "beside an MP_REACH_NLRI that has none",
            only([reach(&[]), attribute(0x40, 1, &[9])].concat()),
            Reset(6, vec![0x40, 1, 1, 9]),
        ),
        (
            "attribute discard does not reset",
            only(attribute(0x40, 5, &[])),
            Nothing,
        ),
        ("sound attributes do not reset", only(mandatory()), Nothing),
    ]);
}

#[test]
fn treat_as_withdraw_takes_every_nlri_and_keeps_the_withdrawals() {
    let attributes = [
        reach(NLRI_6),
        unreach(&[0]),
        mandatory(),
        attribute(0x80, 4, &[]),
    ]
    .concat();
    let body = body(OTHER_NLRI, &attributes, NLRI);
    let update = decode(&body).unwrap();
    let mut withdrawn: Vec<String> = update
        .withdrawn
        .iter()
        .flat_map(|nlri| nlri.iter())
        .map(|prefix| prefix.to_string())
        .collect();
    withdrawn.sort();
    assert_eq!(
        withdrawn,
        [
            "198.51.100.0/24",
            "2001:db8:1::/48",
            "203.0.113.0/24",
            "::/0"
        ]
    );
    assert!(update.announced.is_empty());
    assert_eq!(
        update.treat_as_withdraw.unwrap().to_string(),
        "MULTI_EXIT_DISC: length is not 4"
    );
}

#[test]
fn next_hops_of_ipv6() {
    let with_next_hop = |len: u8, octets: &[u8]| {
        let value = [&[0, 2, 1, len][..], octets, &[0], NLRI_6].concat();
        body(
            &[],
            &[attribute(0x80, 14, &value), origin(), as_path(&[1])].concat(),
            &[],
        )
    };
    let global = hex("20010db8000000000000000000000001");
    let link_local = hex("fe800000000000000000000000000001");
    let multicast = hex("ff020000000000000000000000000001");
    check_all([
        (
            "a global address",
            with_next_hop(16, &global),
            Announced(vec![1, 2]),
        ),
        (
            "with a link-local one",
            with_next_hop(32, &[&global[..], &link_local].concat()),
            Announced(vec![1, 2]),
        ),
        (
            "the unspecified address withdraws",
            with_next_hop(16, &[0; 16]),
            Withdrawn(14),
        ),
        (
            "a multicast address withdraws",
            with_next_hop(16, &multicast),
            Withdrawn(14),
        ),
    ]);
}

#[test]
fn next_hops_of_ipv4_in_mp_reach_nlri() {
    let global = hex("20010db8000000000000000000000001");
    let both = [&global[..], &hex("fe800000000000000000000000000001")].concat();
    let multicast = hex("ff020000000000000000000000000001");
    let announced = || Some(Announced(vec![1, 2]));
    let withdrawn = || Some(Withdrawn(14));
    // With RFC 8950, and without; what is not there resets.
    let cases = [
        (
            "an IPv4 address",
            &[192, 0, 2, 1][..],
            announced(),
            announced(),
        ),
        ("an IPv6 address", &global, announced(), None),
        ("two IPv6 addresses", &both, announced(), None),
        ("a multicast address", &multicast, withdrawn(), None),
        ("no host", &[0; 16], withdrawn(), None),
        ("nothing", &[], None, None),
        ("17 octets", &both[..17], None, None),
        ("as many as VPN families have", &both[..24], None, None),
    ];
    for (name, next_hop, with, without) in cases {
        let reach = reach_4(next_hop, NLRI);
        let attributes = [&reach[..], &origin(), &as_path(&[1])].concat();
        let body = body(&[], &attributes, &[]);
        for (v6_next_hops, expected) in [(true, with), (false, without)] {
            let context = DecodeContext {
                v6_next_hops,
                ..context()
            };
            let expected = expected.unwrap_or(Reset(9, reach.clone()));
            let found = outcome_in(&context, &body);
            assert_eq!(found, expected, "{name}, RFC 8950: {v6_next_hops}");
        }
    }
}

#[test]
fn next_hop_itself_is_four_octets_whatever_was_negotiated() {
    let context = DecodeContext {
        v6_next_hops: true,
        ..context()
    };
    let attribute = hex("20010db8000000000000000000000001");
    let found = outcome_in(&context, &instead(0x40, 3, &attribute));
    assert_eq!(found, Withdrawn(3));
}

#[test]
fn a_link_local_next_hop_that_may_not_be_is_dropped_and_the_route_kept() {
    let (global, own) = ("2001:db8::1", "fe80::1");
    let v6 = |text: &str| text.parse::<Ipv6Addr>().unwrap();
    let heard = |link_local: &str, allowed: Option<&[Ipv6Addr]>| {
        let next_hop = [v6(global).octets(), v6(link_local).octets()].concat();
        let value = [&[0, 2, 1, 32][..], &next_hop, &[0], NLRI_6].concat();
        let attributes = [attribute(0x80, 14, &value), origin(), as_path(&[1])].concat();
        let body = body(&[], &attributes, &[]);
        let context = DecodeContext {
            link_locals: allowed,
            ..context()
        };
        let update = decode_update(&body, &context, &mut Scratch::default()).unwrap();
        assert_eq!(update.announced.len(), 1, "{update:?}");
        assert!(update.discarded.is_empty(), "{update:?}");
        update.announced[0].0.clone()
    };
    let alone = NextHop::V6(v6(global));
    let beside = |link_local| NextHop::V6LinkLocal(v6(global), v6(link_local));
    for (case, link_local, allowed, expected) in [
        ("nothing is checked", "fe80::bad", None, beside("fe80::bad")),
        ("its own", own, Some(&[v6(own)][..]), beside(own)),
        ("a stranger's", "fe80::bad", Some(&[v6(own)][..]), alone),
        ("none may be", own, Some(&[][..]), alone),
        (
            "a second global address",
            "2001:db8::2",
            Some(&[v6(own)][..]),
            alone,
        ),
        ("the unspecified address", "::", Some(&[v6(own)][..]), alone),
    ] {
        let set = heard(link_local, allowed);
        assert_eq!(set.next_hop(), expected, "{case}");
        if expected == alone {
            assert_eq!(set, heard("fe80::2", Some(&[])), "{case}: the same set");
        }
    }
}

#[test]
fn families_that_were_not_negotiated_are_left_alone() {
    let only = |family| DecodeContext {
        families: FamilySet::only(family),
        ..context()
    };
    let both = body(
        OTHER_NLRI,
        &[reach(NLRI_6), unreach(NLRI_6), mandatory()].concat(),
        NLRI,
    );
    for family in Family::ALL {
        let context = only(family);
        let update = decode_update(&both, &context, &mut Scratch::default()).unwrap();
        assert_eq!(update.announced.len(), 1);
        assert!(
            update
                .announced
                .iter()
                .all(|(_, nlri)| nlri.family == family)
        );
        assert!(update.withdrawn.iter().all(|nlri| nlri.family == family));
        assert_eq!(update.discarded.len(), 2);
    }
    let flow_spec = attribute(0x80, 14, &[0, 1, 133, 0, 0, 9, 9, 9]);
    let attributes = [flow_spec, origin(), as_path(&[1])].concat();
    assert_eq!(outcome(&body(&[], &attributes, &[])), Nothing);
}

#[test]
fn what_the_operator_configures() {
    let discard: TypeCodes = [8, 99, 1, 14].into_iter().collect();
    let withdraw: TypeCodes = [32, 14].into_iter().collect();
    let context = DecodeContext {
        discard: &discard,
        treat_as_withdraw: &withdraw,
        ..context()
    };
    let cases = [
        (
            "a listed attribute is discarded",
            with(0xc0, 8, &[1, 1, 1, 1]),
            Discarded(vec![8]),
        ),
        (
            "a listed malformed attribute is discarded",
            with(0xc0, 8, &[1]),
            Discarded(vec![8]),
        ),
        (
            "a listed unknown well-known attribute is discarded",
            with(0x40, 99, &[1]),
            Discarded(vec![99]),
        ),
        (
            "a listed attribute withdraws",
            with(0xc0, 32, &[1; 12]),
            Withdrawn(32),
        ),
        (
            "mandatory attributes and MP_REACH_NLRI are out of reach",
            body(&[], &[reach(NLRI_6), origin(), as_path(&[1])].concat(), &[]),
            Announced(vec![1, 2]),
        ),
        (
            "without NLRI, nothing happens",
            body(&[], &attribute(0xc0, 32, &[1; 12]), &[]),
            Nothing,
        ),
    ];
    for (name, body, expected) in cases {
        assert_eq!(outcome_in(&context, &body), expected, "{name}");
    }
}

#[test]
fn a_thousand_repeated_attributes_leave_a_bounded_trace() {
    let repeated = attribute(0xc0, 99, &[]).repeat(5000);
    let body = body(&[], &[mandatory(), repeated].concat(), NLRI);
    let update = decode(&body).unwrap();
    assert!(update.discarded.len() <= 32);
    assert_eq!(update.announced.len(), 1);
}

#[test]
fn a_two_octet_path_that_cannot_be_widened_withdraws() {
    let segments = |count: usize| [&[2, 255][..], &[1; 510]].concat().repeat(count);
    let context = DecodeContext {
        four_octet: false,
        ..context()
    };
    for (count, expected) in [
        (63, Announced(vec![1, 2])),
        (64, Withdrawn(2)),
        (120, Withdrawn(2)),
    ] {
        let attributes = [origin(), attribute(0x40, 2, &segments(count)), next_hop()].concat();
        assert_eq!(
            outcome_in(&context, &body(&[], &attributes, NLRI)),
            expected,
            "{count}"
        );
    }
}
