//! Import checks, case by case.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use rialto::base::{Asn, Family};
use rialto::policy::{ImportChecks, ImportPolicy, Outside, RejectReason, Verdict};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{self, AttributeSet};

const SERVER: Asn = Asn(8714);
const CLIENT: Asn = Asn(10_000);

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn exchange() -> ImportChecks {
    let addresses = ["10.77.1.1", "10.77.1.2", "2001:7f8::1", "fe80::1"];
    ImportChecks::exchange(
        SERVER,
        CLIENT,
        addresses
            .map(|text| text.parse::<IpAddr>().unwrap())
            .to_vec(),
    )
}

fn good() -> SetBuilder {
    SetBuilder::new().next_hop(wire::NextHop::V4([10, 77, 1, 1].into()))
}

/// What the policy says of a set whatever prefix comes with it.
pub fn of_set(policy: &ImportPolicy, set: &AttributeSet) -> Verdict {
    of(policy, set, "193.0.0.0/21")
}

/// What it says of a prefix whose attributes are fine.
fn of_prefix(policy: &ImportPolicy, prefix: &str) -> Verdict {
    of(policy, &good().as_path(&[CLIENT.0]).build(), prefix)
}

fn of(policy: &ImportPolicy, set: &AttributeSet, prefix: &str) -> Verdict {
    let outside = Outside::default();
    let of_set = policy.check_attributes(set, &outside);
    policy
        .judge(&of_set, &prefix.parse().unwrap(), &outside)
        .verdict()
}

fn reject(reason: RejectReason) -> Verdict {
    Verdict::Rejected(reason)
}

#[test]
fn attribute_sets_at_an_exchange() {
    use RejectReason::*;
    let global = v6("2001:7f8::1");
    let with_path = |asns: &[u32]| good().as_path(asns).build();
    let path_of = |count: usize| with_path(&vec![CLIENT.0; count]);
    let to = |next_hop: wire::NextHop| good().as_path(&[CLIENT.0]).next_hop(next_hop).build();
    let cases: Vec<(&str, Arc<AttributeSet>, Verdict)> = vec![
        (
            "the client's own route passes",
            with_path(&[10_000]),
            Verdict::Accepted,
        ),
        (
            "a customer's route passes",
            with_path(&[10_000, 3333]),
            Verdict::Accepted,
        ),
        (
            "an AS_SET further right is rejected",
            good().as_path(&[10_000]).as_set(&[5, 6]).build(),
            reject(AsSet),
        ),
        (
            "the last ASN before the bogons passes",
            with_path(&[10_000, 64_495]),
            Verdict::Accepted,
        ),
        (
            "the first ASN after the bogons passes",
            with_path(&[10_000, 131_072]),
            Verdict::Accepted,
        ),
        (
            "the last ASN before private use passes",
            with_path(&[10_000, 4_199_999_999]),
            Verdict::Accepted,
        ),
        (
            "an empty path is rejected",
            good().build(),
            reject(EmptyAsPath),
        ),
        (
            "another AS in front is rejected",
            with_path(&[3333, 10_000]),
            reject(LeftmostAs),
        ),
        (
            "an AS_SET in front is rejected",
            good().as_set(&[10_000]).build(),
            reject(LeftmostAs),
        ),
        ("32 ASNs pass", path_of(32), Verdict::Accepted),
        ("33 ASNs are rejected", path_of(33), reject(AsPathTooLong)),
        (
            "an AS_SET counts one towards the length",
            good().as_path(&[10_000; 31]).as_set(&[1, 2, 3]).build(),
            reject(AsSet),
        ),
        (
            "and one more is too long",
            good().as_path(&[10_000; 32]).as_set(&[1, 2, 3]).build(),
            reject(AsPathTooLong),
        ),
        (
            "AS 0 is rejected",
            with_path(&[10_000, 0]),
            reject(BogonAsn),
        ),
        (
            "AS_TRANS is rejected",
            with_path(&[10_000, 23_456]),
            reject(BogonAsn),
        ),
        (
            "a documentation ASN is rejected",
            with_path(&[10_000, 64_496]),
            reject(BogonAsn),
        ),
        (
            "a private ASN is rejected",
            with_path(&[10_000, 64_512, 3333]),
            reject(BogonAsn),
        ),
        (
            "65535 is rejected",
            with_path(&[10_000, 65_535]),
            reject(BogonAsn),
        ),
        (
            "a four-octet documentation ASN is rejected",
            with_path(&[10_000, 65_551]),
            reject(BogonAsn),
        ),
        (
            "a reserved four-octet ASN is rejected",
            with_path(&[10_000, 131_071]),
            reject(BogonAsn),
        ),
        (
            "a private four-octet ASN is rejected",
            with_path(&[10_000, 4_200_000_000]),
            reject(BogonAsn),
        ),
        (
            "the last ASN is rejected",
            with_path(&[10_000, u32::MAX]),
            reject(BogonAsn),
        ),
        (
            "a bogon in an AS_SET is rejected",
            good().as_path(&[10_000]).as_set(&[3333, 64_600]).build(),
            reject(BogonAsn),
        ),
        (
            "the server's ASN is rejected",
            with_path(&[10_000, 8714]),
            reject(OwnAs),
        ),
        (
            "another session's address is a next hop if it is listed",
            to(wire::NextHop::V4([10, 77, 1, 2].into())),
            Verdict::Accepted,
        ),
        (
            "a stranger's address is no next hop",
            to(wire::NextHop::V4([10, 77, 1, 3].into())),
            reject(NextHop),
        ),
        (
            "the IPv6 address is a next hop",
            to(wire::NextHop::V6(global)),
            Verdict::Accepted,
        ),
        (
            "a link-local address that is not listed is no next hop, beside the global one either",
            to(wire::NextHop::V6LinkLocal(global, v6("fe80::bad"))),
            reject(NextHop),
        ),
        (
            "a link-local address that is listed may stand beside the global one",
            to(wire::NextHop::V6LinkLocal(global, v6("fe80::1"))),
            Verdict::Accepted,
        ),
        (
            "a global address in the place of a link-local one is none, though it is listed",
            to(wire::NextHop::V6LinkLocal(global, global)),
            reject(NextHop),
        ),
        (
            "a good link-local address does not make up for the global one",
            to(wire::NextHop::V6LinkLocal(v6("2001:7f8::2"), global)),
            reject(NextHop),
        ),
    ];
    let policy = ImportPolicy::new(exchange());
    for (case, set, expected) in cases {
        assert_eq!(of_set(&policy, &set), expected, "{case}");
    }
}

#[test]
fn a_bogon_server_is_its_own_as_first() {
    let policy = ImportPolicy::new(ImportChecks {
        server_asn: Asn(64_500),
        ..exchange()
    });
    let set = good().as_path(&[10_000, 64_500]).build();
    assert_eq!(of_set(&policy, &set), reject(RejectReason::OwnAs));
}

#[test]
fn prefixes_at_an_exchange() {
    use RejectReason::*;
    let cases = [
        (
            "an ordinary IPv4 prefix passes",
            "193.0.0.0/21",
            Verdict::Accepted,
        ),
        ("a /8 passes", "12.0.0.0/8", Verdict::Accepted),
        ("a /24 passes", "193.0.0.0/24", Verdict::Accepted),
        ("a /7 is too short", "12.0.0.0/7", reject(PrefixTooShort)),
        ("a /25 is too long", "193.0.0.0/25", reject(PrefixTooLong)),
        (
            "an ordinary IPv6 prefix passes",
            "2a00:1450::/32",
            Verdict::Accepted,
        ),
        ("an IPv6 /12 passes", "2a00::/12", Verdict::Accepted),
        ("an IPv6 /48 passes", "2a00:1450::/48", Verdict::Accepted),
        (
            "an IPv6 /11 is too short",
            "2a00::/11",
            reject(PrefixTooShort),
        ),
        (
            "an IPv6 /49 is too long",
            "2a00:1450::/49",
            reject(PrefixTooLong),
        ),
        (
            "the default route is a bogon",
            "0.0.0.0/0",
            reject(BogonPrefix),
        ),
        (
            "the IPv6 default route is a bogon",
            "::/0",
            reject(BogonPrefix),
        ),
        (
            "of a bogon the length does not matter",
            "10.1.2.3/32",
            reject(BogonPrefix),
        ),
    ];
    let policy = ImportPolicy::new(exchange());
    for (case, text, expected) in cases {
        assert_eq!(of_prefix(&policy, text), expected, "{case}");
    }
}

#[test]
fn each_check_has_a_switch_that_touches_no_other() {
    let bad_set = |reason| match reason {
        RejectReason::EmptyAsPath => good().build(),
        RejectReason::LeftmostAs => good().as_path(&[3333]).build(),
        RejectReason::AsPathTooLong => good().as_path(&[10_000; 40]).build(),
        RejectReason::OwnAs => good().as_path(&[10_000, 8714]).build(),
        RejectReason::BogonAsn => good().as_path(&[10_000, 64_512]).build(),
        _ => good()
            .as_path(&[10_000])
            .next_hop(wire::NextHop::V6(v6("2001:db8::1")))
            .build(),
    };
    let reasons = [
        RejectReason::EmptyAsPath,
        RejectReason::LeftmostAs,
        RejectReason::AsPathTooLong,
        RejectReason::OwnAs,
        RejectReason::BogonAsn,
        RejectReason::NextHop,
    ];
    let off = |reason| {
        let mut checks = exchange();
        match reason {
            RejectReason::EmptyAsPath | RejectReason::LeftmostAs => checks.leftmost_as = false,
            RejectReason::AsPathTooLong => checks.as_path_len_max = None,
            RejectReason::OwnAs => checks.own_as = false,
            RejectReason::BogonAsn => checks.bogon_asns.clear(),
            _ => checks.next_hops = None,
        }
        ImportPolicy::new(checks)
    };
    for reason in reasons {
        let off = off(reason);
        assert_eq!(
            of_set(&off, &bad_set(reason)),
            Verdict::Accepted,
            "{reason} is off"
        );
        let same_switch = |other| {
            let both = [RejectReason::EmptyAsPath, RejectReason::LeftmostAs];
            other == reason || both.contains(&other) && both.contains(&reason)
        };
        for other in reasons.into_iter().filter(|other| !same_switch(*other)) {
            assert_eq!(
                of_set(&off, &bad_set(other)),
                reject(other),
                "{reason} is off"
            );
        }
    }

    let (long, bogon) = ("193.0.0.0/25", "10.0.0.0/8");
    let mut checks = exchange();
    checks.prefix_lengths[Family::Ipv4.index()] = None;
    let any_length = ImportPolicy::new(checks);
    assert_eq!(of_prefix(&any_length, long), Verdict::Accepted);
    assert_eq!(
        of_prefix(&any_length, bogon),
        reject(RejectReason::BogonPrefix)
    );
    let no_bogons = ImportPolicy::new(ImportChecks {
        bogon_prefixes: None,
        ..exchange()
    });
    assert_eq!(of_prefix(&no_bogons, bogon), Verdict::Accepted);
    assert_eq!(
        of_prefix(&no_bogons, long),
        reject(RejectReason::PrefixTooLong)
    );
}

#[test]
fn a_lab_accepts_everything() {
    let bad = SetBuilder::new()
        .as_set(&[0, 8714, 64_512])
        .as_path(&[1; 200])
        .build();
    for policy in [
        ImportPolicy::default(),
        ImportPolicy::new(ImportChecks::lab(SERVER, CLIENT)),
    ] {
        assert_eq!(of_set(&policy, &bad), Verdict::Accepted);
        let empty = SetBuilder::new().build();
        assert_eq!(of_set(&policy, &empty), Verdict::Accepted);
        for text in ["0.0.0.0/0", "10.0.0.0/32", "::/0", "2001:db8::1/128"] {
            assert_eq!(of(&policy, &empty, text), Verdict::Accepted, "{text}");
        }
    }
}

#[test]
fn quarantine_rejects_what_nothing_else_does() {
    let policy = ImportPolicy::new(ImportChecks {
        quarantined: true,
        ..exchange()
    });
    let judge = |set: &AttributeSet, prefix: &str| of(&policy, set, prefix);
    let fine = good().as_path(&[10_000]).build();
    let empty = good().build();
    assert_eq!(
        judge(&fine, "193.0.0.0/21"),
        reject(RejectReason::Quarantined)
    );
    assert_eq!(
        judge(&fine, "10.0.0.0/8"),
        reject(RejectReason::BogonPrefix)
    );
    assert_eq!(
        judge(&empty, "193.0.0.0/21"),
        reject(RejectReason::EmptyAsPath)
    );
}
