//! How the files of an AS-SET are found, when they are read again, and when a set is a new one.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use super::{Irr, origins, prefixes, shown};

#[test]
fn the_files_of_an_as_set_are_found_by_their_names() {
    let v4 = || prefixes(&["192.0.2.0/24"]);
    let v6 = || prefixes(&["2001:db8::/32"]);
    let cases = [
        ("any content", "AS-EXAMPLE", "AS-EXAMPLE.json", v4()),
        (
            "any content, origins",
            "AS-EXAMPLE",
            "AS-EXAMPLE.json",
            origins(&[1]),
        ),
        ("IPv4", "AS-EXAMPLE", "AS-EXAMPLE.v4.json", v4()),
        ("IPv6", "AS-EXAMPLE", "AS-EXAMPLE.v6.json", v6()),
        (
            "origins",
            "AS-EXAMPLE",
            "AS-EXAMPLE.origins.json",
            origins(&[1]),
        ),
        ("other capitals", "AS-EXAMPLE", "as-Example.v4.json", v4()),
        (
            "other capitals in the configuration",
            "as-example",
            "AS-EXAMPLE.v4.json",
            v4(),
        ),
        (
            "a source as it is",
            "RIPE::AS-EXAMPLE",
            "RIPE::AS-EXAMPLE.v4.json",
            v4(),
        ),
        (
            "a source with underscores",
            "RIPE::AS-EXAMPLE",
            "RIPE__AS-EXAMPLE.v4.json",
            v4(),
        ),
        (
            "a hierarchical name",
            "AS1:AS-EXAMPLE",
            "AS1:AS-EXAMPLE.v4.json",
            v4(),
        ),
        ("an AS", "AS64496", "AS64496.v4.json", v4()),
        (
            "arouteserver's IPv4",
            "AS-EXAMPLE",
            "AS_EXAMPLE-r_set-ipv4.json",
            v4(),
        ),
        (
            "arouteserver's IPv6",
            "RIPE::AS-EXAMPLE",
            "RIPE__AS_EXAMPLE-r_set-ipv6.json",
            v6(),
        ),
        (
            "arouteserver's origins",
            "AS-EXAMPLE",
            "AS_EXAMPLE-as_set.json",
            origins(&[1]),
        ),
        (
            "arouteserver's longer ones",
            "AS-EXAMPLE",
            "AS_EXAMPLE-r_set-ipv4_and_more_specific.json",
            v4(),
        ),
    ];
    for (case, as_set, file, text) in cases {
        for has_state in [false, true] {
            let mut irr = Irr::new(&[as_set], has_state);
            irr.write(file, &text);
            let report = irr.refresh();
            assert_eq!(report.problems, [], "{case}");
            assert!(report.sets.contains_key(as_set), "{case}");
        }
    }
}

#[test]
fn other_files_are_of_no_concern() {
    let others = [
        "AS-EXAMPLE.v4.json.tmp",
        "AS-EXAMPLE",
        "AS-EXAMPLE-2.v4.json",
        "RIPE::AS-EXAMPLE.v4.json",
        "AS-EXAMPLE.v4.json.last-good",
    ];
    for other in others {
        let mut irr = Irr::new(&["AS-EXAMPLE"], true);
        irr.write(other, &prefixes(&["192.0.2.0/24"]));
        let (set, problems) = irr.bad();
        assert_eq!(set, None, "{other}");
        assert!(
            problems[0].contains("there is no file of it"),
            "{problems:?}"
        );
        assert!(problems[0].contains("AS-EXAMPLE.v4.json"), "{problems:?}");
    }
}

#[test]
fn the_files_of_an_as_set_count_together() {
    let mut irr = Irr::new(&["AS-EXAMPLE"], false);
    irr.write("AS-EXAMPLE.json", &prefixes(&["198.51.100.0/24"]));
    irr.write(
        "AS-EXAMPLE.v4.json",
        &prefixes(&["192.0.2.0/24", "198.51.100.0/24"]),
    );
    irr.write("AS-EXAMPLE.v6.json", &prefixes(&["2001:db8::/32"]));
    irr.write("AS-EXAMPLE.origins.json", &origins(&[64497, 64496]));
    irr.write("AS_EXAMPLE-as_set.json", "{\"ts\": 1, \"data\": [64498]}");
    let report = irr.good();
    assert_eq!(
        shown(&report.sets["AS-EXAMPLE"]),
        "192.0.2.0/24 198.51.100.0/24 2001:db8::/32 [AS64496, AS64497, AS64498]"
    );
}

#[test]
fn longer_prefixes_of_arouteserver_are_taken_only_where_there_is_nothing_else() {
    let mut irr = Irr::new(&["AS-EXAMPLE"], false);
    irr.write(
        "AS_EXAMPLE-r_set-ipv4_and_more_specific.json",
        r#"{"ts": 1, "data": [{"prefix": "192.0.2.0", "length": 24, "exact": false}]}"#,
    );
    assert_eq!(shown(&irr.good().sets["AS-EXAMPLE"]), "192.0.2.0/24+ []");
    irr.write("AS_EXAMPLE-r_set-ipv4.json", &prefixes(&["192.0.2.0/24"]));
    assert_eq!(shown(&irr.good().sets["AS-EXAMPLE"]), "192.0.2.0/24 []");
}

#[test]
fn a_name_or_a_link_does_not_lead_out_of_the_directory() {
    let outside = prefixes(&["192.0.2.0/24"]);
    for name in [
        "../OUT",
        "sub/OUT",
        "/tmp/OUT",
        "OUT.",
        "",
        "AS-\u{dc}",
        "..",
    ] {
        let mut irr = Irr::new(&[name], false);
        fs::write(irr.path("OUT.v4.json"), &outside).unwrap();
        fs::create_dir(irr.file("sub")).unwrap();
        irr.write("sub/OUT.v4.json", &outside);
        let (set, problems) = irr.bad();
        assert_eq!(set, None, "{name}");
        assert!(
            problems[0].contains("an AS-SET's name has letters"),
            "{problems:?}"
        );
    }
    let mut irr = Irr::new(&["AS-EXAMPLE"], false);
    fs::write(irr.path("outside.json"), &outside).unwrap();
    symlink("../outside.json", irr.file("AS-EXAMPLE.v4.json")).unwrap();
    let (set, problems) = irr.bad();
    assert_eq!(set, None);
    assert!(
        problems[0].contains("not an ordinary file within"),
        "{problems:?}"
    );
    irr.remove("AS-EXAMPLE.v4.json");
    fs::create_dir(irr.file("AS-EXAMPLE.v4.json")).unwrap();
    assert!(irr.bad().1[0].contains("not an ordinary file within"));
}

#[test]
fn a_link_within_the_directory_and_a_directory_that_is_a_link_are_followed() {
    let mut irr = Irr::new(&["AS-EXAMPLE"], false);
    fs::rename(irr.path("irr"), irr.path("irr-today")).unwrap();
    symlink("irr-today", irr.path("irr")).unwrap();
    irr.write("one.json", &prefixes(&["192.0.2.0/24"]));
    symlink("one.json", irr.file("AS-EXAMPLE.v4.json")).unwrap();
    assert_eq!(shown(&irr.good().sets["AS-EXAMPLE"]), "192.0.2.0/24 []");
    // The directory is another one from now on.
    fs::create_dir(irr.path("irr-tomorrow")).unwrap();
    fs::remove_file(irr.path("irr")).unwrap();
    symlink("irr-tomorrow", irr.path("irr")).unwrap();
    irr.write("AS-EXAMPLE.v4.json", &prefixes(&["198.51.100.0/24"]));
    assert_eq!(shown(&irr.good().sets["AS-EXAMPLE"]), "198.51.100.0/24 []");
}

#[test]
fn only_what_changed_is_read_and_only_new_content_is_a_new_set() {
    for has_state in [false, true] {
        let mut irr = Irr::new(&["AS-A", "AS-B"], has_state);
        irr.write(
            "AS-A.v4.json",
            &prefixes(&["192.0.2.0/24", "198.51.100.0/24"]),
        );
        irr.write("AS-B.v4.json", &prefixes(&["203.0.113.0/24"]));
        let first = irr.good();
        assert_eq!((first.read, first.changed), (2, 2));
        let again = irr.good();
        assert_eq!((again.read, again.changed), (0, 0));
        irr.write(
            "AS-A.v4.json",
            &prefixes(&["198.51.100.0/24", "192.0.2.0/24"]),
        );
        let reordered = irr.good();
        assert_eq!((reordered.read, reordered.changed), (1, 0));
        for name in ["AS-A", "AS-B"] {
            assert!(Arc::ptr_eq(&first.sets[name], &again.sets[name]));
            assert!(Arc::ptr_eq(&first.sets[name], &reordered.sets[name]));
        }
        irr.write("AS-A.v4.json", &prefixes(&["198.51.100.0/24"]));
        let changed = irr.good();
        assert_eq!((changed.read, changed.changed), (1, 1));
        assert_eq!(shown(&changed.sets["AS-A"]), "198.51.100.0/24 []");
        assert!(Arc::ptr_eq(&first.sets["AS-B"], &changed.sets["AS-B"]));
        irr.write("AS-A.v6.json", &prefixes(&["2001:db8::/32"]));
        let more = irr.good();
        assert_eq!((more.read, more.changed), (1, 1));
        assert_eq!(
            shown(&more.sets["AS-A"]),
            "198.51.100.0/24 2001:db8::/32 []"
        );
    }
}

#[test]
fn a_file_that_was_written_this_very_moment_is_read_again() {
    let mut irr = Irr::new(&["AS-A"], false);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.now -= Duration::from_secs(60);
    assert_eq!(irr.good().read, 1);
    assert_eq!(irr.good().read, 1);
    irr.now += Duration::from_secs(60);
    assert_eq!((irr.good().read, irr.good().read), (1, 0));
}

#[test]
fn an_as_set_that_is_not_asked_for_any_more_is_forgotten() {
    let mut irr = Irr::new(&["AS-A"], false);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.good();
    irr.names.clear();
    let report = irr.good();
    assert_eq!((report.sets.len(), report.changed), (0, 1));
    assert_eq!(irr.store.age_s("AS-A", irr.now), None);
}

#[test]
fn the_age_of_a_set_is_that_of_its_oldest_file() {
    let mut irr = Irr::new(&["AS-A"], true);
    for (name, text, age_s) in [
        ("AS-A.v4.json", prefixes(&["192.0.2.0/24"]), 7200),
        ("AS-A.v6.json", prefixes(&["2001:db8::/32"]), 3600),
    ] {
        irr.write(name, &text);
        let file = File::options().write(true).open(irr.file(name)).unwrap();
        file.set_modified(irr.now - Duration::from_secs(age_s))
            .unwrap();
    }
    irr.good();
    assert_eq!(irr.store.age_s("AS-A", irr.now), Some(7200));
    assert_eq!(irr.store.age_s("AS-B", irr.now), None);
    // A copy is as old as what it is a copy of.
    irr.remove("AS-A.v4.json");
    irr.restart();
    irr.now += Duration::from_secs(60);
    let (_, problems) = irr.bad();
    assert_eq!(irr.store.age_s("AS-A", irr.now), Some(7260));
    assert!(problems[0].contains("2 h 1 min old"), "{problems:?}");
}
