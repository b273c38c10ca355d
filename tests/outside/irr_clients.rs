//! What clients may announce: one set for all that have the same ingredients.

use std::sync::Arc;

use rialto::base::Asn;
use rialto::outside::irr::{ClientIrr, IrrIngredients};

use super::{Irr, origins, prefixes, shown};

fn client(as_sets: &[&str], prefixes: &[&str], origins: &[u32]) -> IrrIngredients {
    IrrIngredients {
        as_sets: as_sets.iter().map(|name| (*name).to_owned()).collect(),
        prefixes: prefixes.iter().map(|text| text.parse().unwrap()).collect(),
        origins: origins.iter().copied().map(Asn).collect(),
    }
}

/// Two AS-SETs that are there, and one that is not.
fn irr() -> Irr {
    let mut irr = Irr::new(&["AS-A", "AS-B", "AS-GONE"], false);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-A.origins.json", &origins(&[64496]));
    irr.write("AS-B.v6.json", &prefixes(&["2001:db8::/32"]));
    irr.refresh();
    irr
}

fn sets(irr: &mut Irr, clients: &[IrrIngredients]) -> Vec<Arc<rialto::policy::IrrSet>> {
    let sets = irr.store.client_sets(clients);
    sets.into_iter().map(|client| client.set.unwrap()).collect()
}

#[test]
fn ingredients_are_put_together() {
    let cases = [
        (
            "one AS-SET",
            client(&["AS-A"], &[], &[]),
            "192.0.2.0/24 [AS64496]",
        ),
        (
            "two AS-SETs",
            client(&["AS-A", "AS-B"], &[], &[]),
            "192.0.2.0/24 2001:db8::/32 [AS64496]",
        ),
        (
            "an AS-SET and entries of its own",
            client(&["AS-A"], &["192.0.2.0/24+", "198.51.100.0/24"], &[7]),
            "192.0.2.0/24+ 198.51.100.0/24 [AS7, AS64496]",
        ),
        (
            "entries of its own",
            client(&[], &["198.51.100.0/24"], &[7]),
            "198.51.100.0/24 [AS7]",
        ),
    ];
    let mut irr = irr();
    for (case, client, expected) in cases {
        let sets = irr.store.client_sets([&client]);
        assert_eq!(shown(sets[0].set.as_ref().unwrap()), expected, "{case}");
        assert_eq!(sets[0].missing, [""; 0], "{case}");
    }
    let nothing = irr.store.client_sets([&client(&[], &[], &[])]);
    assert_eq!(nothing, [ClientIrr::default()]);
}

#[test]
fn a_missing_as_set_is_named_and_its_lack_opens_no_check_of_prefixes() {
    let mut irr = irr();
    let cases = [
        ("nothing else", client(&["AS-GONE"], &[], &[]), None),
        ("origins alone", client(&["AS-GONE"], &[], &[7]), None),
        (
            "another AS-SET",
            client(&["AS-GONE", "AS-A"], &[], &[]),
            Some("192.0.2.0/24 [AS64496]"),
        ),
        (
            "prefixes of its own",
            client(&["AS-GONE"], &["198.51.100.0/24"], &[]),
            Some("198.51.100.0/24 []"),
        ),
    ];
    for (case, client, expected) in cases {
        let sets = irr.store.client_sets([&client]);
        assert_eq!(
            sets[0].set.as_ref().map(|set| shown(set)).as_deref(),
            expected,
            "{case}"
        );
        assert_eq!(sets[0].missing, ["AS-GONE"], "{case}");
    }
}

#[test]
fn equal_ingredients_are_one_set_and_an_as_set_alone_is_its_own() {
    let mut irr = irr();
    let clients = [
        client(&["AS-A"], &[], &[]),
        client(&["AS-A", "AS-A"], &[], &[]),
        client(
            &["AS-A", "AS-B"],
            &["198.51.100.0/24", "203.0.113.0/24"],
            &[2, 1],
        ),
        client(
            &["AS-B", "AS-A"],
            &["203.0.113.0/24", "198.51.100.0/24"],
            &[1, 2, 1],
        ),
        client(&["AS-A", "AS-B"], &["198.51.100.0/24"], &[]),
    ];
    let alone = irr.refresh().sets["AS-A"].clone();
    let sets = sets(&mut irr, &clients);
    assert!(Arc::ptr_eq(&sets[0], &alone));
    assert!(Arc::ptr_eq(&sets[1], &alone));
    assert!(Arc::ptr_eq(&sets[2], &sets[3]));
    assert!(!Arc::ptr_eq(&sets[3], &sets[4]));
}

#[test]
fn a_blend_stays_the_same_until_its_content_changes() {
    let mut irr = irr();
    let clients = [
        client(&["AS-A", "AS-B"], &["192.0.2.0/24"], &[]),
        client(&["AS-B"], &["198.51.100.0/24"], &[]),
    ];
    let first = sets(&mut irr, &clients);
    irr.refresh();
    let again = sets(&mut irr, &clients);
    assert!(
        first
            .iter()
            .zip(&again)
            .all(|(first, again)| Arc::ptr_eq(first, again))
    );
    // Of AS-A, something goes that one of the clients has of its own.
    irr.write("AS-A.v4.json", &prefixes(&["203.0.113.0/24"]));
    irr.refresh();
    let changed = sets(&mut irr, &clients);
    assert_eq!(
        shown(&changed[0]),
        "192.0.2.0/24 203.0.113.0/24 2001:db8::/32 [AS64496]"
    );
    assert!(Arc::ptr_eq(&first[1], &changed[1]));
    irr.write(
        "AS-A.v4.json",
        &prefixes(&["203.0.113.0/24", "192.0.2.0/24"]),
    );
    irr.refresh();
    let same = sets(&mut irr, &clients);
    assert!(
        Arc::ptr_eq(&changed[0], &same[0]),
        "the content is what it was"
    );
}
