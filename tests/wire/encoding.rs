//! What differs between outgoing forms, and what canonical form does to unusual input.

use rialto::base::{Asn, Family, FamilySet, Prefix};
use rialto::wire::{
    AttributeSet, CommunityScrub, DecodeContext, EncodingClass, KeepAll, NextHop, RawAttribute,
    Scratch, Variant, decode_update, encode_announcements, encode_attributes, encode_withdrawals,
    fits, testing::SetBuilder,
};

use super::support::*;

const CLASS: EncodingClass = EncodingClass {
    four_octet: true,
    add_path: FamilySet::EMPTY,
    message_max: 4096,
    ..EncodingClass::PLAIN
};

/// Removes what has 64500 in front.
struct Ours;

impl CommunityScrub for Ours {
    fn removes_standard(&self, community: (u16, u16)) -> bool {
        community.0 == 64500
    }
    fn removes_large(&self, community: (u32, u32, u32)) -> bool {
        community.0 == 64500
    }
    fn removes_extended(&self, community: [u8; 8]) -> bool {
        community[2..4] == 64500u16.to_be_bytes()
    }
}

fn outgoing(
    set: &AttributeSet,
    prepend: u8,
    class: &EncodingClass,
    scrub: &dyn CommunityScrub,
) -> Vec<u8> {
    let mut out = Vec::new();
    encode_attributes(
        &mut out,
        set,
        Variant {
            prepend,
            ..Variant::default()
        },
        Asn(4_200_000_001),
        class,
        scrub,
    );
    out
}

/// The set that a client decodes from what it is sent.
fn sent(
    set: &AttributeSet,
    prepend: u8,
    class: &EncodingClass,
    scrub: &dyn CommunityScrub,
) -> std::sync::Arc<AttributeSet> {
    let attributes = [next_hop(), outgoing(set, prepend, class, scrub)].concat();
    let context = DecodeContext {
        four_octet: class.four_octet,
        ..context()
    };
    let body = body(&[], &attributes, NLRI);
    let update = decode_update(&body, &context, &mut Scratch::default()).unwrap();
    assert!(update.discarded.is_empty(), "{update:?}");
    update.announced[0].0.clone()
}

#[test]
fn the_announcers_asn_is_prepended_to_any_kind_of_path() {
    let long: Vec<u32> = (1..=254).collect();
    let cases = [
        ("to an empty path", SetBuilder::new(), 3),
        (
            "into the first sequence",
            SetBuilder::new().as_path(&[64500, 70000]),
            5,
        ),
        (
            "before an AS_SET",
            SetBuilder::new().as_set(&[64500, 70000]),
            4,
        ),
        (
            "before a sequence without room",
            SetBuilder::new().as_path(&long),
            257,
        ),
    ];
    for (name, set, expected_len) in cases {
        let set = set.build();
        for class in [
            CLASS,
            EncodingClass {
                four_octet: false,
                ..CLASS
            },
        ] {
            let sent = sent(&set, 3, &class, &KeepAll);
            assert_eq!(sent.facts().as_path_len, expected_len, "{name}");
            let expected = [Asn(4_200_000_001); 3]
                .into_iter()
                .chain(set.as_path_asns());
            assert!(sent.as_path_asns().eq(expected), "{name}: {sent:?}");
        }
    }
}

#[test]
fn communities_are_removed_and_the_others_stay_in_order() {
    let set = SetBuilder::new()
        .as_path(&[1])
        .communities(&[(1, 1), (64500, 1), (3, 3), (2, 2)])
        .large(&[(64500, 1, 1), (64500, 1, 2)])
        .extended(&[[0, 2, 0xfb, 0xf4, 0, 0, 0, 7], [1; 8]])
        .build();
    let sent = sent(&set, 0, &CLASS, &Ours);
    assert_eq!(
        sent.communities().collect::<Vec<_>>(),
        [(1, 1), (3, 3), (2, 2)]
    );
    assert_eq!(
        sent.attribute(32),
        None,
        "an attribute with no community left is gone"
    );
    assert_eq!(sent.extended_communities().collect::<Vec<_>>(), [[1; 8]]);
    let none_left = SetBuilder::new().communities(&[(64500, 0)]).build();
    assert!(
        !self::sent(&none_left, 0, &CLASS, &Ours)
            .facts()
            .has_communities
    );
}

#[test]
fn forged_communities_go_on_import() {
    let attributes = [
        mandatory(),
        attribute(0xc0, 8, &[0xfb, 0xf4, 0, 1, 0xff, 0xff, 0, 0]),
        attribute(0xc0, 32, &[&64500u32.to_be_bytes()[..], &[0; 8]].concat()),
    ];
    let body = body(&[], &attributes.concat(), NLRI);
    let context = DecodeContext {
        scrub: &Ours,
        ..context()
    };
    let update = decode_update(&body, &context, &mut Scratch::default()).unwrap();
    let (set, _) = &update.announced[0];
    assert_eq!(set.communities().collect::<Vec<_>>(), [(65535, 0)]);
    assert_eq!(set.attribute(32), None);
    assert!(set.facts().graceful_shutdown && set.facts().has_communities);
}

#[test]
fn large_communities_that_come_again_are_dropped() {
    let repeat = |count: u32| {
        (0..count)
            .flat_map(|i| [(i / 2, 1, 1), (7, 7, 7)])
            .collect::<Vec<_>>()
    };
    for count in [2, 100] {
        let set = SetBuilder::new().large(&repeat(count)).build();
        let received = sent(&set, 0, &CLASS, &KeepAll);
        let mut once = repeat(count);
        let mut seen = std::collections::HashSet::new();
        once.retain(|value| seen.insert(*value));
        assert_eq!(received.large_communities().collect::<Vec<_>>(), once);
    }
}

#[test]
fn canonical_form_is_the_same_whatever_the_dress() {
    let plain = body(
        &[],
        &[mandatory(), attribute(0xc0, 8, &[0, 1, 0, 1])].concat(),
        NLRI,
    );
    let dressed = [
        attribute(0xdf, 8, &[0, 1, 0, 1]),
        next_hop(),
        attribute(0x50, 2, &sequence(&[64500, 64501])),
        origin(),
    ];
    let dressed = body(&[], &dressed.concat(), NLRI);
    let (plain, dressed) = (decode(&plain).unwrap(), decode(&dressed).unwrap());
    assert_eq!(plain, dressed);
    assert_eq!(plain.announced[0].0.hash(), dressed.announced[0].0.hash());
}

#[test]
fn as4_path_is_merged_as_rfc_6793_says() {
    const OTHER: u16 = 23456;
    let path = |segments: &[(u8, &[u16])]| -> Vec<u8> {
        let segment = |(kind, asns): &(u8, &[u16])| [&[*kind][..], &sequence_2(asns)[1..]].concat();
        segments.iter().flat_map(segment).collect()
    };
    let path4 = |segments: &[(u8, &[u32])]| -> Vec<u8> {
        let segment = |(kind, asns): &(u8, &[u32])| [&[*kind][..], &sequence(asns)[1..]].concat();
        segments.iter().flat_map(segment).collect()
    };
    let cases = [
        (
            "no AS4_PATH: only widened",
            path(&[(2, &[1, OTHER])]),
            None,
            path4(&[(2, &[1, 23456])]),
        ),
        (
            "as long: AS4_PATH is the path",
            path(&[(2, &[1, OTHER])]),
            Some(path4(&[(2, &[1, 70000])])),
            path4(&[(2, &[1, 70000])]),
        ),
        (
            "shorter: the leading ASNs are put before it, in one sequence",
            path(&[(2, &[9, 8, OTHER])]),
            Some(path4(&[(2, &[70000])])),
            path4(&[(2, &[9, 8, 70000])]),
        ),
        (
            "longer: AS4_PATH is ignored",
            path(&[(2, &[1])]),
            Some(path4(&[(2, &[70000, 70001])])),
            path4(&[(2, &[1])]),
        ),
        (
            "a set counts one",
            path(&[(2, &[9, OTHER]), (1, &[OTHER, 5])]),
            Some(path4(&[(2, &[70000]), (1, &[70001, 5])])),
            path4(&[(2, &[9, 70000]), (1, &[70001, 5])]),
        ),
        (
            "a leading set is taken whole",
            path(&[(1, &[3, 4]), (2, &[OTHER])]),
            Some(path4(&[(2, &[70000])])),
            path4(&[(1, &[3, 4]), (2, &[70000])]),
        ),
        (
            "confederation segments of AS4_PATH are left out",
            path(&[(2, &[OTHER])]),
            Some(path4(&[(3, &[65001]), (2, &[70000])])),
            path4(&[(2, &[70000])]),
        ),
        (
            "a malformed AS4_PATH is discarded",
            path(&[(2, &[1, OTHER])]),
            Some(vec![2, 2, 0, 1, 0, 0]),
            path4(&[(2, &[1, 23456])]),
        ),
        (
            "AS 0 in AS4_PATH: discarded",
            path(&[(2, &[1, OTHER])]),
            Some(path4(&[(2, &[1, 0])])),
            path4(&[(2, &[1, 23456])]),
        ),
    ];
    for (name, as_path, as4_path, expected) in cases {
        let as4_path = as4_path.map_or(vec![], |value| attribute(0xc0, 17, &value));
        let body = body(
            &[],
            &[origin(), attribute(0x40, 2, &as_path), next_hop(), as4_path].concat(),
            NLRI,
        );
        let context = DecodeContext {
            four_octet: false,
            ..context()
        };
        let update = decode_update(&body, &context, &mut Scratch::default()).unwrap();
        let set = &update.announced[0].0;
        assert_eq!(
            set.attribute(2).map(|attribute| attribute.value),
            Some(&expected[..]),
            "{name}"
        );
        assert_eq!(set.attribute(17), None, "{name}");
    }
}

#[test]
fn as4_aggregator_is_believed_only_beside_as_trans() {
    let received = |aggregator: Option<u16>, as4_aggregator: bool| {
        let aggregator = aggregator.map_or(vec![], |asn| {
            attribute(0xc0, 7, &[&asn.to_be_bytes()[..], &[192, 0, 2, 9]].concat())
        });
        let as4 = if as4_aggregator {
            attribute(0xc0, 18, &[0, 1, 0x11, 0x70, 192, 0, 2, 8])
        } else {
            vec![]
        };
        let as4_path = attribute(0xc0, 17, &sequence(&[70001]));
        let path = attribute(0x40, 2, &sequence_2(&[1, 23456]));
        let body = body(
            &[],
            &[origin(), path, next_hop(), aggregator, as4_path, as4].concat(),
            NLRI,
        );
        let context = DecodeContext {
            four_octet: false,
            ..context()
        };
        let update = decode_update(&body, &context, &mut Scratch::default()).unwrap();
        let set = &update.announced[0].0;
        let last = set.as_path_asns().last().unwrap().0;
        (
            set.attribute(7)
                .map(|attribute: RawAttribute<'_>| attribute.value.to_vec()),
            last,
        )
    };
    let cases = [
        (
            "both, AS_TRANS",
            Some(23456),
            true,
            Some(vec![0, 1, 0x11, 0x70, 192, 0, 2, 8]),
            70001,
        ),
        (
            "both, another AS: the AS4 attributes are stale",
            Some(7),
            true,
            Some(vec![0, 0, 0, 7, 192, 0, 2, 9]),
            23456,
        ),
        (
            "AGGREGATOR alone is widened",
            Some(7),
            false,
            Some(vec![0, 0, 0, 7, 192, 0, 2, 9]),
            70001,
        ),
        ("AS4_AGGREGATOR alone is nothing", None, true, None, 70001),
    ];
    for (name, aggregator, as4, expected, last) in cases {
        assert_eq!(received(aggregator, as4), (expected, last), "{name}");
    }
}

fn many(family: Family, count: u32) -> impl Iterator<Item = Prefix> {
    (0..count).map(move |i| match family {
        Family::Ipv4 => Prefix::v4((0x0a00_0000 + (i << 8)).into(), 24),
        Family::Ipv6 => Prefix::v6(((0x2001_0db8u128 << 96) + (u128::from(i) << 80)).into(), 48),
    })
}

/// Cuts a run of messages at their lengths.
fn messages(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while !octets.is_empty() {
        let (message, rest) =
            octets.split_at(usize::from(u16::from_be_bytes([octets[16], octets[17]])));
        messages.push(message);
        octets = rest;
    }
    messages
}

#[test]
fn as_few_messages_as_their_length_allows() {
    let set = SetBuilder::new()
        .as_path(&[64500, 70000])
        .communities(&[(1, 1)])
        .build();
    let attributes = outgoing(&set, 0, &CLASS, &KeepAll);
    for (family, next_hop) in [
        (Family::Ipv4, set.next_hop()),
        (Family::Ipv6, NextHop::V6("2001:db8::1".parse().unwrap())),
        (Family::Ipv4, NextHop::V6("2001:db8::1".parse().unwrap())),
    ] {
        for message_max in [4096, 65535] {
            let class = EncodingClass {
                message_max,
                v6_next_hops: true,
                ..CLASS
            };
            let mut out = Vec::new();
            let mut nlri = many(family, 5000).map(|prefix| (prefix, None));
            let count =
                encode_announcements(&mut out, &class, &attributes, next_hop, family, &mut nlri);
            check_packing(&out, count, usize::from(message_max), family, |update| {
                assert_eq!(update.announced.len(), 1);
                assert_eq!(update.announced[0].0.octets(), set.octets());
                update.announced[0].1.iter().collect()
            });
            out.clear();
            let mut nlri = many(family, 5000).map(|prefix| (prefix, None));
            let count = encode_withdrawals(&mut out, &class, family, &mut nlri);
            check_packing(&out, count, usize::from(message_max), family, |update| {
                update.withdrawn[0].iter().collect()
            });
        }
    }
}

fn check_packing(
    out: &[u8],
    count: usize,
    message_max: usize,
    family: Family,
    prefixes: impl Fn(rialto::wire::Update<'_>) -> Vec<Prefix>,
) {
    let messages = messages(out);
    let context = DecodeContext {
        v6_next_hops: true,
        ..context()
    };
    assert_eq!(messages.len(), count);
    assert!(messages.iter().all(|message| message.len() <= message_max));
    let full = messages.iter().rev().skip(1);
    assert!(
        full.clone().all(|message| message.len() + 8 > message_max),
        "a message has room for one more"
    );
    let found: Vec<Prefix> = messages
        .iter()
        .flat_map(|message| {
            prefixes(decode_update(&message[19..], &context, &mut Scratch::default()).unwrap())
        })
        .collect();
    assert!(found.into_iter().eq(many(family, 5000)));
}

#[test]
fn attributes_too_long_for_one_prefix_give_nothing() {
    let v6 = NextHop::V6("2001:db8::1".parse().unwrap());
    let linked = NextHop::V6LinkLocal("2001:db8::1".parse().unwrap(), "fe80::1".parse().unwrap());
    for (family, next_hop) in [
        (Family::Ipv4, [192, 0, 2, 1].into()),
        (Family::Ipv6, v6),
        (Family::Ipv6, linked),
        (Family::Ipv4, v6),
        (Family::Ipv4, linked),
    ]
    .map(|(family, next_hop): (Family, NextHop)| (family, next_hop))
    {
        for add_path in [FamilySet::EMPTY, FamilySet::ALL] {
            let class = EncodingClass {
                add_path,
                v6_next_hops: true,
                ..CLASS
            };
            let longest = (0..4096)
                .rev()
                .find(|len| fits(&class, *len, next_hop, family))
                .unwrap();
            let prefix = match family {
                Family::Ipv4 => "192.0.2.1/32",
                Family::Ipv6 => "2001:db8::1/128",
            };
            let encode = |len: usize| {
                let attributes = attribute(0xd0, 99, &vec![0; len - 4]);
                let mut out = Vec::new();
                let mut nlri = [(prefix.parse().unwrap(), None)].into_iter();
                let count = encode_announcements(
                    &mut out,
                    &class,
                    &attributes,
                    next_hop,
                    family,
                    &mut nlri,
                );
                (count, out.len())
            };
            assert_eq!(encode(longest).0, 1);
            assert!(
                encode(longest).1 <= 4096 && encode(longest).1 + 2 > 4096,
                "{:?}",
                encode(longest)
            );
            assert_eq!(encode(longest + 1), (0, 0));
        }
    }
    assert!(
        !fits(&CLASS, 10, v6, Family::Ipv4)
            && !fits(&CLASS, 10, [192, 0, 2, 1].into(), Family::Ipv6)
    );
}

#[test]
fn no_prefixes_make_no_message() {
    let mut out = Vec::new();
    let announced = encode_announcements(
        &mut out,
        &CLASS,
        &[],
        [192, 0, 2, 1].into(),
        Family::Ipv4,
        &mut std::iter::empty(),
    );
    let withdrawn = encode_withdrawals(&mut out, &CLASS, Family::Ipv6, &mut std::iter::empty());
    assert_eq!((announced, withdrawn, out.len()), (0, 0, 0));
}
