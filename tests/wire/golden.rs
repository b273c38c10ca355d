//! Whole UPDATEs as octets: decoded to what they say, and encoded back to the same octets.

use rialto::base::{Asn, Family, FamilySet, PathId, Prefix};
use rialto::wire::{
    AttributeSet, DecodeContext, EncodingClass, KeepAll, NextHop, Origin, Scratch, Variant,
    decode_update, encode_announcements, encode_attributes, encode_end_of_rib, encode_withdrawals,
    testing::SetBuilder,
};

use super::support::{context, hex};

const MARKER: &str = "ffffffff ffffffff ffffffff ffffffff";

fn class(four_octet: bool) -> EncodingClass {
    EncodingClass {
        four_octet,
        add_path: FamilySet::EMPTY,
        message_max: 4096,
        v6_next_hops: true,
        ..EncodingClass::PLAIN
    }
}

fn encode(
    class: &EncodingClass,
    set: &AttributeSet,
    nlri: &mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
    family: Family,
) -> Vec<u8> {
    let mut attributes = Vec::new();
    encode_attributes(
        &mut attributes,
        set,
        Variant::default(),
        Asn(0),
        class,
        &KeepAll,
    );
    let mut out = Vec::new();
    encode_announcements(&mut out, class, &attributes, set.next_hop(), family, nlri);
    out
}

struct Announcement {
    name: &'static str,
    four_octet: bool,
    octets: &'static str,
    set: SetBuilder,
    prefixes: &'static [&'static str],
}

fn announcements() -> Vec<Announcement> {
    let v4 = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap();
    let v6 = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap();
    vec![
        Announcement {
            name: "two IPv4 prefixes with every common attribute",
            four_octet: true,
            octets: "007c 02 0000 005d
                40 01 01 00
                40 02 0e 02 03 0000fbf4 fa56ea00 00000d1c
                40 03 04 c6336401
                80 04 04 00000064
                40 06 00
                c0 07 08 0000fbf4 c0000201
                c0 08 08 fbf40064 ffffff01
                c0 10 08 0002fbf4 00000007
                c0 20 0c 0000fbf4 00000001 00000002
                c0 23 04 0000fbf4
                18 cb0071 14 0a1230",
            set: SetBuilder::new()
                .next_hop(v4("198.51.100.1"))
                .as_path(&[64500, 4_200_000_000, 3356])
                .med(100)
                .attribute(0x40, 6, [])
                .attribute(0xc0, 7, hex("0000fbf4 c0000201"))
                .communities(&[(64500, 100), (65535, 65281)])
                .extended(&[[0, 2, 0xfb, 0xf4, 0, 0, 0, 7]])
                .large(&[(64500, 1, 2)])
                .attribute(0xc0, 35, hex("0000fbf4")),
            prefixes: &["203.0.113.0/24", "10.18.48.0/20"],
        },
        Announcement {
            name: "an AS_SET, ORIGIN incomplete, the default route",
            four_octet: true,
            octets: "003a 02 0000 0022
                40 01 01 02
                40 02 14 02 01 0000fbf4 01 03 00000001 00000002 00000003
                40 03 04 c0000201
                00",
            set: SetBuilder::new().origin(Origin::Incomplete).as_path(&[64500]).as_set(&[1, 2, 3]),
            prefixes: &["0.0.0.0/0"],
        },
        Announcement {
            name: "IPv6 with a global next hop, unknown attributes with their flags",
            four_octet: true,
            octets: "004c 02 0000 0035
                80 0e 1c 0002 01 10 20010db8000000000000000000000001 00 30 20010db80001
                40 01 01 01
                40 02 06 02 01 0000fbf4
                e0 63 03 010203
                80 64 00",
            set: SetBuilder::new()
                .next_hop(v6("2001:db8::1"))
                .origin(Origin::Egp)
                .as_path(&[64500])
                .attribute(0xe0, 99, [1, 2, 3])
                .attribute(0x80, 100, []),
            prefixes: &["2001:db8:1::/48"],
        },
        Announcement {
            name: "IPv6 with a global and a link-local next hop",
            four_octet: true,
            octets: "005a 02 0000 0043
                80 0e 33 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
                    2f 20010db80000 30 20010db80002
                40 01 01 00
                40 02 06 02 01 0000fbf4",
            set: SetBuilder::new()
                .next_hop(NextHop::V6LinkLocal(v6("2001:db8::1"), v6("fe80::1")))
                .as_path(&[64500]),
            prefixes: &["2001:db8::/47", "2001:db8:2::/48"],
        },
        Announcement {
            name: "IPv4 with an IPv6 next hop (RFC 8950)",
            four_octet: true,
            octets: "0044 02 0000 002d
                80 0e 1d 0001 01 10 20010db8000000000000000000000001 00 18 cb0071 14 0a1230
                40 01 01 00
                40 02 06 02 01 0000fbf4",
            set: SetBuilder::new().next_hop(v6("2001:db8::1")).as_path(&[64500]),
            prefixes: &["203.0.113.0/24", "10.18.48.0/20"],
        },
        Announcement {
            name: "IPv4 with a global and a link-local next hop (RFC 8950), on a two-octet session",
            four_octet: false,
            octets: "004f 02 0000 0038
                80 0e 2a 0001 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
                    20 cb007107
                40 01 01 00
                40 02 04 02 01 fbf4",
            set: SetBuilder::new()
                .next_hop(NextHop::V6LinkLocal(v6("2001:db8::1"), v6("fe80::1")))
                .as_path(&[64500]),
            prefixes: &["203.0.113.7/32"],
        },
        Announcement {
            name: "a two-octet session whose path fits",
            four_octet: false,
            octets: "002f 02 0000 0014
                40 01 01 00
                40 02 06 02 02 fbf4 0d1c
                40 03 04 c0000201
                18 cb0071",
            set: SetBuilder::new().as_path(&[64500, 3356]),
            prefixes: &["203.0.113.0/24"],
        },
        Announcement {
            name: "a two-octet session with AS4_PATH and AS4_AGGREGATOR",
            four_octet: false,
            octets: "0070 02 0000 0054
                40 01 01 00
                40 02 08 02 03 fbf4 5ba0 0d1c
                40 03 04 c0000201
                c0 07 06 5ba0 c0000209
                c0 08 04 fbf40001
                c0 10 08 0002fbf4 00000007
                c0 11 0e 02 03 0000fbf4 fa56ea00 00000d1c
                c0 12 08 fa56ea00 c0000209
                c0 23 04 0000fbf4
                20 cb007107",
            set: SetBuilder::new()
                .as_path(&[64500, 4_200_000_000, 3356])
                .attribute(0xc0, 7, hex("fa56ea00 c0000209"))
                .communities(&[(64500, 1)])
                .extended(&[[0, 2, 0xfb, 0xf4, 0, 0, 0, 7]])
                .attribute(0xc0, 35, hex("0000fbf4")),
            prefixes: &["203.0.113.7/32"],
        },
    ]
}

fn whole(octets: &str) -> Vec<u8> {
    hex(&format!("{MARKER} {octets}"))
}

#[test]
fn announcements_decode_and_encode_to_the_same_octets() {
    for Announcement {
        name,
        four_octet,
        octets,
        set,
        prefixes,
    } in announcements()
    {
        let octets = whole(octets);
        assert_eq!(
            u16::from_be_bytes([octets[16], octets[17]]) as usize,
            octets.len(),
            "{name}"
        );
        let context = DecodeContext {
            four_octet,
            v6_next_hops: true,
            ..context()
        };
        let update = decode_update(&octets[19..], &context, &mut Scratch::default()).unwrap();
        assert_eq!(update.announced.len(), 1, "{name}: {update:?}");
        assert!(update.discarded.is_empty(), "{name}: {update:?}");
        let (decoded, nlri) = &update.announced[0];
        assert_eq!(**decoded, *set.build(), "{name}");
        let expected: Vec<Prefix> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(nlri.iter().collect::<Vec<_>>(), expected, "{name}");
        let encoded = encode(
            &class(four_octet),
            decoded,
            &mut nlri.iter().map(|prefix| (prefix, None)),
            nlri.family,
        );
        assert_eq!(encoded, octets, "{name}");
    }
}

#[test]
fn withdrawals_decode_and_encode_to_the_same_octets() {
    let cases = [
        (
            "IPv4",
            "001f 02 0008 18 cb0071 18 c63364 0000",
            Family::Ipv4,
            &["203.0.113.0/24", "198.51.100.0/24"][..],
        ),
        (
            "IPv6",
            "0025 02 0000 000e 80 0f 0b 0002 01 30 20010db80001 00",
            Family::Ipv6,
            &["2001:db8:1::/48", "::/0"],
        ),
    ];
    for (name, octets, family, prefixes) in cases {
        let octets = whole(octets);
        assert_eq!(
            u16::from_be_bytes([octets[16], octets[17]]) as usize,
            octets.len(),
            "{name}"
        );
        let update = super::support::decode(&octets[19..]).unwrap();
        let [nlri] = update.withdrawn.as_slice() else {
            panic!("{name}: {update:?}")
        };
        let expected: Vec<Prefix> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(
            (nlri.family, nlri.iter().collect::<Vec<_>>()),
            (family, expected),
            "{name}"
        );
        assert_eq!(update.end_of_rib, None, "{name}");
        let mut out = Vec::new();
        let count = encode_withdrawals(
            &mut out,
            &class(true),
            family,
            &mut nlri.iter().map(|prefix| (prefix, None)),
        );
        assert_eq!((count, out), (1, octets.clone()), "{name}");
    }
}

#[test]
fn end_of_rib_decodes_and_encodes_to_the_same_octets() {
    let cases = [
        (Family::Ipv4, "0017 02 0000 0000"),
        (Family::Ipv6, "001d 02 0000 0006 80 0f 03 0002 01"),
    ];
    for (family, octets) in cases {
        let octets = whole(octets);
        let update = super::support::decode(&octets[19..]).unwrap();
        assert_eq!(update.end_of_rib, Some(family));
        assert!(update.withdrawn.is_empty() && update.announced.is_empty());
        let mut out = Vec::new();
        encode_end_of_rib(&mut out, family);
        assert_eq!(out, octets);
        let other = DecodeContext {
            families: FamilySet::ALL.without(family),
            ..context()
        };
        assert_eq!(
            decode_update(&octets[19..], &other, &mut Scratch::default())
                .unwrap()
                .end_of_rib,
            None
        );
    }
}

#[test]
fn end_of_rib_in_other_clothes() {
    use super::support::{attribute, body, decode, mandatory};
    let ipv4_by_mp = attribute(0x90, 15, &[0, 1, 1]);
    let cases = [
        (
            "IPv4 by MP_UNREACH_NLRI is one",
            body(&[], &ipv4_by_mp, &[]),
            Some(Family::Ipv4),
        ),
        (
            "an unknown family is none",
            body(&[], &attribute(0x80, 15, &[0, 25, 70]), &[]),
            None,
        ),
        (
            "with other attributes it is none",
            body(&[], &[ipv4_by_mp.clone(), mandatory()].concat(), &[]),
            None,
        ),
        (
            "with other attributes and no MP_UNREACH_NLRI it is none",
            body(&[], &mandatory(), &[]),
            None,
        ),
        (
            "with withdrawn routes it is none",
            body(&[0], &ipv4_by_mp, &[]),
            None,
        ),
        (
            "with an empty MP_REACH_NLRI it is none",
            body(&[], &super::support::reach(&[]), &[]),
            None,
        ),
    ];
    for (name, body, expected) in cases {
        assert_eq!(decode(&body).unwrap().end_of_rib, expected, "{name}");
    }
}

#[test]
fn add_path_puts_the_identifier_before_each_prefix() {
    let class = EncodingClass {
        add_path: FamilySet::ALL,
        ..class(true)
    };
    let set = SetBuilder::new().as_path(&[64500]).build();
    let nlri = [("203.0.113.0/24", 1), ("203.0.113.0/24", 700)]
        .map(|(text, id)| (text.parse().unwrap(), Some(PathId(id))));
    let octets = encode(&class, &set, &mut nlri.into_iter(), Family::Ipv4);
    assert_eq!(
        &octets[octets.len() - 16..],
        hex("00000001 18 cb0071 000002bc 18 cb0071")
    );
    let mut out = Vec::new();
    encode_withdrawals(
        &mut out,
        &class,
        Family::Ipv6,
        &mut [("::/0".parse().unwrap(), Some(PathId(9)))].into_iter(),
    );
    assert_eq!(out, whole("0022 02 0000 000b 80 0f 08 0002 01 00000009 00"));
}
