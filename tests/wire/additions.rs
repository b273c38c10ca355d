//! What comes in addition on the way out: communities that a variant stands for.

use rialto::base::{Asn, FamilySet};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{
    Additions, AttributeSet, CommunityScrub, EncodingClass, Variant, VariantFlags,
    encode_attributes,
};

use super::support::hex;

/// Tag 1 adds one of each kind, 2 three standard ones, 3 what tag 2 adds and one large; removes what
/// has 64500 in front.
pub struct Tags;

impl CommunityScrub for Tags {
    fn removes_standard(&self, community: (u16, u16)) -> bool {
        community.0 == 64500
    }
    fn removes_large(&self, community: (u32, u32, u32)) -> bool {
        community.0 == 64500
    }
    fn removes_extended(&self, community: [u8; 8]) -> bool {
        community[2..4] == 64500u16.to_be_bytes()
    }
    fn additions(&self, variant: Variant) -> Additions {
        assert!(variant.adds_communities(), "asked about {variant:?}");
        let mut additions = Additions::default();
        if variant.tags & 1 != 0 {
            additions.large.push((64500, 1000, 1));
        }
        if variant.tags & 2 != 0 {
            (additions.standard).extend([(64500, 1), (65535, 666), (64500, 2)]);
        }
        if variant.tags == 1 {
            additions.standard.push((64500, 7));
            additions.extended.push([0, 2, 0xfb, 0xf4, 0, 0, 0, 9]);
        }
        additions
    }
}

pub fn variant(flags: VariantFlags, tags: u16) -> Variant {
    Variant {
        flags,
        tags,
        ..Variant::default()
    }
}

fn outgoing(set: &AttributeSet, variant: Variant, class: &EncodingClass) -> Vec<u8> {
    let mut out = Vec::new();
    encode_attributes(&mut out, set, variant, Asn(7), class, &Tags);
    out
}

const NONE: VariantFlags = VariantFlags::from_bits(0);
const ALL: VariantFlags = VariantFlags::from_bits(u8::MAX);

#[test]
fn what_a_variant_adds_is_where_it_belongs() {
    let set = || SetBuilder::new().as_path(&[1]);
    let head = "40010100 400206 0201 00000001";
    let cases = [
        (
            "nothing is added without flags and tags",
            set().communities(&[(1, 1)]),
            variant(NONE, 0),
            "c00804 00010001",
        ),
        (
            "attributes are made where there are none",
            set(),
            variant(NONE, 1),
            "c00804 fbf40007  c01008 0002fbf4 00000009  c0200c 0000fbf4 000003e8 00000001",
        ),
        (
            "each flag has its community",
            set(),
            variant(ALL, 0),
            "c00814 ffffff01 ffffff02 ffff029a ffff0000 ffff0006",
        ),
        (
            "what is there stays in front, with the flags of its attribute",
            set().attribute(0xe0, 8, hex("00010001 00020002")),
            variant(VariantFlags::NO_EXPORT, 0),
            "e0080c 00010001 00020002 ffffff01",
        ),
        (
            "what is there already does not come twice",
            set().communities(&[(65535, 65281), (1, 1)]),
            variant(VariantFlags::NO_EXPORT.with(VariantFlags::NO_ADVERTISE), 0),
            "c0080c ffffff01 00010001 ffffff02",
        ),
        (
            "where nothing is new, the attribute stays as it is",
            set().communities(&[(65535, 65281)]),
            variant(VariantFlags::NO_EXPORT, 0),
            "c00804 ffffff01",
        ),
        (
            "what goes and comes is there once, behind what stays",
            set().communities(&[(64500, 1), (1, 1), (64500, 3)]),
            variant(NONE, 2),
            "c00810 00010001 fbf40001 ffff029a fbf40002",
        ),
        (
            "where nothing stays, what is added is all",
            set().large(&[(64500, 9, 9)]),
            variant(NONE, 1),
            "c00804 fbf40007  c01008 0002fbf4 00000009  c0200c 0000fbf4 000003e8 00000001",
        ),
        (
            "flag and tag that mean the same add it once",
            set(),
            variant(VariantFlags::BLACKHOLE, 2),
            "c0080c ffff029a fbf40001 fbf40002",
        ),
        (
            "made attributes go between those that are there",
            set()
                .med(5)
                .attribute(0xc0, 25, [0; 20])
                .attribute(0xc0, 35, hex("00000001"))
                .attribute(0xc0, 99, []),
            variant(VariantFlags::GRACEFUL_SHUTDOWN, 1),
            "800404 00000005
                c00808 ffff0000 fbf40007
                c01008 0002fbf4 00000009
                c01914 0000000000000000000000000000000000000000
                c0200c 0000fbf4 000003e8 00000001
                c02304 00000001
                c06300",
        ),
    ];
    for (name, set, variant, expected) in cases {
        let out = outgoing(&set.build(), variant, &EncodingClass::PLAIN);
        let expected = hex(&format!("{head} {expected}"));
        assert_eq!(out, expected, "{name}");
    }
}

#[test]
fn made_attributes_go_on_both_sides_of_as4_path() {
    let set = SetBuilder::new()
        .as_path(&[1, 70_000])
        .attribute(0xc0, 7, hex("00011170 c0000209"))
        .attribute(0xc0, 35, hex("00000001"))
        .build();
    let two_octet = EncodingClass {
        four_octet: false,
        add_path: FamilySet::EMPTY,
        ..EncodingClass::PLAIN
    };
    let expected = "40010100 400206 0202 0001 5ba0
        c00706 5ba0 c0000209
        c00804 fbf40007
        c01008 0002fbf4 00000009
        c0110a 0202 00000001 00011170
        c01208 00011170 c0000209
        c0200c 0000fbf4 000003e8 00000001
        c02304 00000001";
    assert_eq!(outgoing(&set, variant(NONE, 1), &two_octet), hex(expected));
}

#[test]
fn an_attribute_that_grows_over_255_octets_gets_extended_length() {
    let communities: Vec<(u16, u16)> = (1..=63).map(|low| (1, low)).collect();
    let set = SetBuilder::new().communities(&communities).build();
    let out = outgoing(
        &set,
        variant(VariantFlags::NO_EXPORT, 0),
        &EncodingClass::PLAIN,
    );
    let [before, after] = [0xfc, 0x100].map(|len: u16| len.to_be_bytes());
    assert_eq!(set.octets()[7..10], [0xc0, 8, before[1]]);
    assert_eq!(out[7..11], [0xd0, 8, after[0], after[1]]);
    assert_eq!(out[out.len() - 4..], hex("ffffff01"));
    assert_eq!(out.len(), set.octets().len() + 1 + 4);
}

#[test]
fn only_to_customer_is_made_where_there_is_none() {
    let set = || SetBuilder::new().as_path(&[1]);
    let head = "40010100 400206 0201 00000001";
    let class = EncodingClass {
        otc: Asn(64500),
        ..EncodingClass::PLAIN
    };
    let cases = [
        ("where there is nothing else", set(), "c02304 0000fbf4"),
        (
            "between the others",
            set().large(&[(1, 2, 3)]).attribute(0xc0, 99, []),
            "c0200c 000000010000000200000003 c02304 0000fbf4 c06300",
        ),
        (
            "one that is there stays, and is the only one",
            set().attribute(0xe0, 35, hex("00000007")),
            "e02304 00000007",
        ),
    ];
    for (name, set, expected) in cases {
        let out = outgoing(&set.build(), Variant::default(), &class);
        assert_eq!(out, hex(&format!("{head} {expected}")), "{name}");
    }
}

#[test]
fn the_servers_as_is_before_all_others() {
    let prepended = |prepend| Variant {
        prepend,
        prepend_as: Asn(7),
        ..Variant::default()
    };
    let [wide, narrow] = [true, false].map(|four_octet| EncodingClass {
        four_octet,
        rs_as: Asn(64500),
        ..EncodingClass::PLAIN
    });
    let far = EncodingClass {
        rs_as: Asn(70_000),
        ..narrow
    };
    let path = |asns| SetBuilder::new().as_path(asns);
    let long: Vec<u32> = (1..=255).collect();
    let cases = [
        (
            "before the announcer",
            path(&[1]),
            0,
            wide,
            "40020a 0202 0000fbf4 00000001",
        ),
        (
            "before what the announcer prepends",
            path(&[7, 1]),
            2,
            wide,
            "400216 0205 0000fbf4 00000007 00000007 00000007 00000001",
        ),
        (
            "alone in an empty path",
            path(&[]),
            0,
            wide,
            "400206 0201 0000fbf4",
        ),
        (
            "in a sequence before a set",
            path(&[]).as_set(&[1, 2]),
            0,
            wide,
            "400210 0201 0000fbf4 0102 00000001 00000002",
        ),
        (
            "in two octets",
            path(&[1]),
            1,
            narrow,
            "400208 0203 fbf4 0007 0001",
        ),
        (
            "as AS_TRANS, and in AS4_PATH",
            path(&[1]),
            1,
            far,
            "400208 0203 5ba0 0007 0001 c0110e 0203 00011170 00000007 00000001",
        ),
    ];
    for (name, set, prepend, class, expected) in cases {
        let out = outgoing(&set.build(), prepended(prepend), &class);
        assert_eq!(out, hex(&format!("40010100 {expected}")), "{name}");
    }
    let out = outgoing(&path(&long).build(), prepended(0), &wide);
    assert_eq!(out[4..8], [0x50, 2, 4, 0x04]);
    assert_eq!(
        out[8..16],
        hex("0201 0000fbf4 02ff"),
        "in a sequence of its own"
    );
}
