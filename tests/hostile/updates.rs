//! UPDATEs that are wrong: one of each remedy of RFC 7606, and some that only look so. What each
//! fault costs is `tests/wire/remedies.rs`' business.

use super::inputs::At::Established;
use super::inputs::Outcome::{Announced, Notified, NotifiedWith, Withdrawn};
use super::inputs::{Case, again, case, fixed};
use super::octets::*;
use super::tables::{asn_of, prefix_of};

/// Route 1 again, with nothing but these attributes.
fn bare(attributes: Vec<u8>) -> impl Fn(u16) -> Vec<u8> {
    move |index| announce(&attributes, &[prefix_of(index, 1)])
}

pub fn resets() -> Vec<Case> {
    let reset = |subcode| NotifiedWith(3, subcode);
    let log = "malformed UPDATE, session reset";
    vec![
        case(
            "withdrawn routes longer than the message",
            Established,
            fixed(message(UPDATE, &[0, 200, 0, 0])),
            reset(1),
            log,
        ),
        case(
            "attributes longer than the message",
            Established,
            fixed(message(UPDATE, &[0, 0, 0xff, 0xff])),
            reset(1),
            log,
        ),
        case(
            "a prefix length of 33",
            Established,
            |index| update(&[], &mandatory(asn_of(index)), &[33, 1, 2, 3, 4, 5]),
            reset(10),
            log,
        ),
        case(
            "NLRI that is cut",
            Established,
            |index| update(&[], &mandatory(asn_of(index)), &[24, 1]),
            reset(10),
            log,
        ),
        case(
            "withdrawn NLRI that is cut",
            Established,
            fixed(update(&[24], &[], &[])),
            reset(10),
            log,
        ),
        case(
            "an unknown well-known attribute",
            Established,
            again(attribute(0x40, 99, &[7])),
            Notified(3, 2, vec![0x40, 99, 1, 7]),
            log,
        ),
        case(
            "MP_REACH_NLRI twice",
            Established,
            again(
                [
                    attribute(0x80, 14, &[0, 1, 1, 4, 1, 2, 3, 4, 0]),
                    attribute(0x80, 14, &[0, 1, 1, 4, 1, 2, 3, 4, 0]),
                ]
                .concat(),
            ),
            reset(1),
            log,
        ),
        case(
            "MP_REACH_NLRI that is cut",
            Established,
            again(attribute(0x80, 14, &[0, 1])),
            reset(9),
            log,
        ),
        case(
            "MP_UNREACH_NLRI that is cut",
            Established,
            again(attribute(0x80, 15, &[0, 1])),
            reset(9),
            log,
        ),
        case(
            "a bad attribute and no NLRI to withdraw",
            Established,
            fixed(update(&[], &attribute(0x40, 1, &[9]), &[])),
            reset(6),
            log,
        ),
    ]
}

pub fn remedies() -> Vec<Case> {
    let log = "malformed UPDATE, treat-as-withdraw";
    let mut cut = mandatory(10_000);
    cut.extend([0xc0, 8, 200, 1]);
    vec![
        case(
            "an undefined ORIGIN",
            Established,
            bare([attribute(0x40, 1, &[3]), mandatory(1).split_off(4)].concat()),
            Withdrawn,
            log,
        ),
        case(
            "an AS_PATH segment that overruns",
            Established,
            bare(
                [
                    attribute(0x40, 1, &[0]),
                    attribute(0x40, 2, &[2, 9, 0, 0]),
                    attribute(0x40, 3, &[192, 0, 2, 1]),
                ]
                .concat(),
            ),
            Withdrawn,
            log,
        ),
        case(
            "no AS_PATH",
            Established,
            bare(
                [
                    attribute(0x40, 1, &[0]),
                    attribute(0x40, 3, &[192, 0, 2, 1]),
                ]
                .concat(),
            ),
            Withdrawn,
            log,
        ),
        case(
            "no attributes at all",
            Established,
            bare(vec![]),
            Withdrawn,
            log,
        ),
        case(
            "the last attribute is cut",
            Established,
            bare(cut),
            Withdrawn,
            log,
        ),
        case(
            "a MED of three octets",
            Established,
            again(attribute(0x80, 4, &[0, 0, 1])),
            Withdrawn,
            log,
        ),
        case(
            "COMMUNITIES of five octets",
            Established,
            again(attribute(0xc0, 8, &[1; 5])),
            Withdrawn,
            log,
        ),
        case(
            "LARGE_COMMUNITIES of 13 octets",
            Established,
            again(attribute(0xc0, 32, &[1; 13])),
            Withdrawn,
            log,
        ),
        case(
            "flags that are wrong",
            Established,
            again(attribute(0x40, 4, &[0; 4])),
            Withdrawn,
            log,
        ),
        case(
            "a hundred UPDATEs with a bad MED",
            Established,
            |index| again(attribute(0x80, 4, &[1]))(index).repeat(100),
            Withdrawn,
            log,
        ),
        case(
            "LOCAL_PREF from outside",
            Established,
            again([med(7), attribute(0x40, 5, &[0; 4])].concat()),
            Announced(med(7)),
            "malformed UPDATE, attribute discard: LOCAL_PREF",
        ),
        case(
            "an ATOMIC_AGGREGATE with a value",
            Established,
            again([med(7), attribute(0x40, 6, &[1])].concat()),
            Announced(med(7)),
            "attribute discard: ATOMIC_AGGREGATE",
        ),
        case(
            "an AGGREGATOR of six octets",
            Established,
            again(attribute(0xc0, 7, &[1; 6])),
            Announced(vec![]),
            "attribute discard: AGGREGATOR",
        ),
        case(
            "the same attribute a hundred times",
            Established,
            again(med(8).repeat(100)),
            Announced(med(8)),
            "comes more than once",
        ),
        case(
            "one withdrawal of what was never announced",
            Established,
            |index| withdraw(&[prefix_of(index, 200)]),
            Announced(vec![]),
            "",
        ),
        case(
            "withdrawal of somebody else's routes",
            Established,
            |_| {
                withdraw(
                    &(0..40)
                        .map(|number| prefix_of(0, number))
                        .collect::<Vec<_>>(),
                )
            },
            Announced(vec![]),
            "",
        ),
        case(
            "a route announced and withdrawn in one UPDATE",
            Established,
            |index| {
                update(
                    &nlri(&[prefix_of(index, 1)]),
                    &mandatory(asn_of(index)),
                    &nlri(&[prefix_of(index, 1)]),
                )
            },
            Announced(vec![]),
            "",
        ),
        case(
            "an unknown attribute of 3,000 octets",
            Established,
            again(attribute(0xd0, 250, &[7; 3000])),
            Announced(attribute(0xd0, 250, &[7; 3000])),
            "",
        ),
        case(
            "an AS_PATH of 900 ASNs",
            Established,
            |index| {
                let path: Vec<u8> = [2u8, 225]
                    .into_iter()
                    .chain([0u8, 0, 0x27, 0x10].repeat(225))
                    .collect();
                let attributes = [
                    attribute(0x40, 1, &[0]),
                    attribute(0x40, 2, &path.repeat(4)),
                    attribute(0x40, 3, &[192, 0, 2, 1]),
                ]
                .concat();
                [
                    announce(&attributes, &[prefix_of(index, 1)]),
                    again(vec![])(index),
                ]
                .concat()
            },
            Announced(vec![]),
            "",
        ),
    ]
}
