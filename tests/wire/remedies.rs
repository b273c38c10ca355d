//! RFC 7606, attribute by attribute: what each fault costs.

use rialto::wire::DecodeContext;

use super::outcome::{Outcome::*, check_all, instead, outcome_in, with};
use super::support::*;

#[test]
fn each_attribute_has_its_remedy() {
    let as_path_value = sequence(&[64500]);
    check_all([
        (
            "a sound announcement is announced",
            body(&[], &mandatory(), NLRI),
            Announced(vec![1, 2]),
        ),
        (
            "an ORIGIN of two octets withdraws",
            instead(0x40, 1, &[0, 0]),
            Withdrawn(1),
        ),
        (
            "an empty ORIGIN withdraws",
            instead(0x40, 1, &[]),
            Withdrawn(1),
        ),
        (
            "an undefined ORIGIN withdraws",
            instead(0x40, 1, &[3]),
            Withdrawn(1),
        ),
        (
            "an optional ORIGIN withdraws",
            instead(0xc0, 1, &[0]),
            Withdrawn(1),
        ),
        (
            "a non-transitive ORIGIN withdraws",
            instead(0x00, 1, &[0]),
            Withdrawn(1),
        ),
        (
            "the Partial bit of a well-known attribute is no matter",
            instead(0x60, 1, &[0]),
            Announced(vec![1, 2]),
        ),
        (
            "unused flag bits are no matter",
            instead(0x4f, 1, &[0]),
            Announced(vec![1, 2]),
        ),
        (
            "an empty AS_PATH is well-formed",
            instead(0x40, 2, &[]),
            Announced(vec![1, 2]),
        ),
        (
            "an AS_SET is well-formed",
            instead(0x40, 2, &[1, 1, 0, 0, 1, 1]),
            Announced(vec![1, 2]),
        ),
        (
            "an undefined segment type withdraws",
            instead(0x40, 2, &[5, 1, 0, 0, 1, 1]),
            Withdrawn(2),
        ),
        (
            "a confederation segment from outside withdraws",
            instead(0x40, 2, &[3, 1, 0, 0, 1, 1]),
            Withdrawn(2),
        ),
        (
            "a segment overrun withdraws",
            instead(0x40, 2, &[2, 2, 0, 0, 1, 1]),
            Withdrawn(2),
        ),
        (
            "a lone octet after the segments withdraws",
            instead(0x40, 2, &[2, 1, 0, 0, 1, 1, 2]),
            Withdrawn(2),
        ),
        (
            "an empty segment withdraws",
            instead(0x40, 2, &[2, 0, 2, 1, 0, 0, 1, 1]),
            Withdrawn(2),
        ),
        (
            "AS 0 in AS_PATH withdraws",
            instead(0x40, 2, &[2, 1, 0, 0, 0, 0]),
            Withdrawn(2),
        ),
        (
            "an optional AS_PATH withdraws",
            instead(0xc0, 2, &as_path_value),
            Withdrawn(2),
        ),
        (
            "a NEXT_HOP of five octets withdraws",
            instead(0x40, 3, &[192, 0, 2, 1, 0]),
            Withdrawn(3),
        ),
        (
            "an unspecified NEXT_HOP withdraws",
            instead(0x40, 3, &[0, 0, 0, 0]),
            Withdrawn(3),
        ),
        (
            "a multicast NEXT_HOP withdraws",
            instead(0x40, 3, &[224, 0, 0, 5]),
            Withdrawn(3),
        ),
        (
            "a broadcast NEXT_HOP withdraws",
            instead(0x40, 3, &[255, 255, 255, 255]),
            Withdrawn(3),
        ),
        (
            "an optional NEXT_HOP withdraws",
            instead(0xc0, 3, &[192, 0, 2, 1]),
            Withdrawn(3),
        ),
        (
            "a MED is kept",
            with(0x80, 4, &[0, 0, 0, 1]),
            Announced(vec![1, 2, 4]),
        ),
        (
            "a MED of three octets withdraws",
            with(0x80, 4, &[0, 0, 1]),
            Withdrawn(4),
        ),
        (
            "a transitive MED withdraws",
            with(0xc0, 4, &[0, 0, 0, 1]),
            Withdrawn(4),
        ),
        (
            "an optional LOCAL_PREF is discarded, as any from an external peer (RFC 7606 §7.5)",
            with(0xc0, 5, &[0, 0, 0, 100]),
            Discarded(vec![5]),
        ),
        (
            "LOCAL_PREF is discarded",
            with(0x40, 5, &[0, 0, 0, 100]),
            Discarded(vec![5]),
        ),
        (
            "a LOCAL_PREF of wrong length is discarded",
            with(0x40, 5, &[0]),
            Discarded(vec![5]),
        ),
        (
            "ATOMIC_AGGREGATE is kept",
            with(0x40, 6, &[]),
            Announced(vec![1, 2, 6]),
        ),
        (
            "an ATOMIC_AGGREGATE with a value is discarded",
            with(0x40, 6, &[1]),
            Discarded(vec![6]),
        ),
        (
            "an optional ATOMIC_AGGREGATE withdraws",
            with(0xc0, 6, &[]),
            Withdrawn(6),
        ),
        (
            "a non-transitive ATOMIC_AGGREGATE with a value withdraws: the stronger remedy",
            with(0x00, 6, &[1]),
            Withdrawn(6),
        ),
        (
            "AGGREGATOR is kept",
            with(0xc0, 7, &[0, 0, 1, 0, 1, 1, 1, 1]),
            Announced(vec![1, 2, 7]),
        ),
        (
            "an AGGREGATOR of six octets is discarded",
            with(0xc0, 7, &[1, 0, 1, 1, 1, 1]),
            Discarded(vec![7]),
        ),
        (
            "AS 0 in AGGREGATOR discards it",
            with(0xc0, 7, &[0, 0, 0, 0, 1, 1, 1, 1]),
            Discarded(vec![7]),
        ),
        (
            "a non-transitive AGGREGATOR withdraws",
            with(0x80, 7, &[0, 0, 1, 0, 1, 1, 1, 1]),
            Withdrawn(7),
        ),
        (
            "a well-known AGGREGATOR of wrong length withdraws",
            with(0x40, 7, &[1, 0, 1, 1, 1, 1]),
            Withdrawn(7),
        ),
        (
            "COMMUNITIES are kept",
            with(0xc0, 8, &[1, 1, 1, 1]),
            Announced(vec![1, 2, 8]),
        ),
        (
            "COMMUNITIES of five octets withdraw",
            with(0xc0, 8, &[1, 1, 1, 1, 1]),
            Withdrawn(8),
        ),
        (
            "empty COMMUNITIES withdraw",
            with(0xc0, 8, &[]),
            Withdrawn(8),
        ),
        (
            "non-transitive COMMUNITIES withdraw",
            with(0x80, 8, &[1, 1, 1, 1]),
            Withdrawn(8),
        ),
        (
            "ORIGINATOR_ID is discarded",
            with(0x80, 9, &[1, 1, 1, 1]),
            Discarded(vec![9]),
        ),
        (
            "CLUSTER_LIST is discarded",
            with(0x80, 10, &[1, 1, 1]),
            Discarded(vec![10]),
        ),
        (
            "EXTENDED_COMMUNITIES are kept",
            with(0xc0, 16, &[1; 16]),
            Announced(vec![1, 2, 16]),
        ),
        (
            "EXTENDED_COMMUNITIES of nine octets withdraw",
            with(0xc0, 16, &[1; 9]),
            Withdrawn(16),
        ),
        (
            "empty EXTENDED_COMMUNITIES withdraw",
            with(0xc0, 16, &[]),
            Withdrawn(16),
        ),
        (
            "AS4_PATH from a four-octet speaker is discarded",
            with(0xc0, 17, &as_path_value),
            Discarded(vec![17]),
        ),
        (
            "a non-transitive AS4_PATH from a four-octet speaker is discarded (RFC 6793 §4.1)",
            with(0x80, 17, &as_path_value),
            Discarded(vec![17]),
        ),
        (
            "AS4_AGGREGATOR from a four-octet speaker is discarded",
            with(0xc0, 18, &[1; 8]),
            Discarded(vec![18]),
        ),
        (
            "IPv6 extended communities of 21 octets withdraw",
            with(0xc0, 25, &[1; 21]),
            Withdrawn(25),
        ),
        (
            "AIGP is discarded",
            with(0x80, 26, &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1]),
            Discarded(vec![26]),
        ),
        (
            "LARGE_COMMUNITIES are kept",
            with(0xc0, 32, &[1; 12]),
            Announced(vec![1, 2, 32]),
        ),
        (
            "LARGE_COMMUNITIES of 13 octets withdraw",
            with(0xc0, 32, &[1; 13]),
            Withdrawn(32),
        ),
        (
            "empty LARGE_COMMUNITIES withdraw",
            with(0xc0, 32, &[]),
            Withdrawn(32),
        ),
        (
            "OTC is kept",
            with(0xc0, 35, &[0, 0, 1, 0]),
            Announced(vec![1, 2, 35]),
        ),
        (
            "an OTC of two octets withdraws",
            with(0xc0, 35, &[1, 0]),
            Withdrawn(35),
        ),
        (
            "an OTC of five octets withdraws",
            with(0xc0, 35, &[0, 0, 1, 0, 0]),
            Withdrawn(35),
        ),
        (
            "a short ATTR_SET withdraws",
            with(0xc0, 128, &[0, 0, 1]),
            Withdrawn(128),
        ),
        (
            "an ATTR_SET with a cut attribute inside withdraws",
            with(0xc0, 128, &[0, 0, 1, 0, 64, 1, 9]),
            Withdrawn(128),
        ),
        (
            "unknown transitive attributes pass",
            with(0xc0, 99, &[1, 2]),
            Announced(vec![1, 2, 99]),
        ),
        (
            "unknown non-transitive attributes pass",
            with(0x80, 99, &[]),
            Announced(vec![1, 2, 99]),
        ),
        (
            "an unknown well-known attribute resets",
            with(0x40, 99, &[7]),
            Reset(2, vec![0x40, 99, 1, 7]),
        ),
        (
            "the first of two reasons is told",
            body(
                &[],
                &[
                    origin(),
                    attribute(0x40, 2, &[2]),
                    attribute(0x40, 3, &[]),
                    attribute(0x80, 4, &[]),
                ]
                .concat(),
                NLRI,
            ),
            Withdrawn(2),
        ),
        (
            "withdrawing is stronger than discarding",
            body(
                &[],
                &[
                    mandatory(),
                    attribute(0x40, 5, &[]),
                    attribute(0x80, 4, &[]),
                ]
                .concat(),
                NLRI,
            ),
            Withdrawn(4),
        ),
    ]);
}

#[test]
fn of_a_two_octet_speaker_wrong_values_are_discarded_and_wrong_flags_withdraw() {
    let context = DecodeContext {
        four_octet: false,
        ..context()
    };
    let mandatory = [origin(), attribute(0x40, 2, &[2, 1, 0, 1]), next_hop()].concat();
    let path = sequence(&[64500]);
    let cases: [(&str, u8, u8, &[u8], _); 8] = [
        ("AS4_PATH is merged", 0xc0, 17, &path, Announced(vec![1, 2])),
        ("its value", 0xc0, 17, &path[1..], Discarded(vec![17])),
        ("AS4_PATH is well-known", 0x40, 17, &path, Withdrawn(17)),
        ("both", 0x80, 17, &path[1..], Withdrawn(17)),
        ("AS4_AGGREGATOR", 0xc0, 18, &[1; 8], Announced(vec![1, 2])),
        ("its length", 0xc0, 18, &[1; 6], Discarded(vec![18])),
        ("it is not transitive", 0x80, 18, &[1; 8], Withdrawn(18)),
        ("AGGREGATOR, well-known", 0x40, 7, &[1; 6], Withdrawn(7)),
    ];
    for (name, flags, code, value, expected) in cases {
        let attributes = [mandatory.clone(), attribute(flags, code, value)].concat();
        let found = outcome_in(&context, &body(&[], &attributes, NLRI));
        assert_eq!(found, expected, "{name}");
    }
}
