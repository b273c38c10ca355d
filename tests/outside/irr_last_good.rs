//! Nothing that is done to a file empties a set or opens a check: what it last held that was good stays
//! in use, over restarts where copies are kept, and the problem says so.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use rialto::outside::irr::InUse;

use super::{Irr, origins, prefixes, shown};

/// Ways to spoil a file of prefixes, with what is said of it.
fn spoil(irr: &Irr, how: usize) -> Option<(&'static str, &'static str)> {
    let name = "AS-A.v4.json";
    let whole = prefixes(&["192.0.2.0/24"]);
    irr.remove(name);
    match how {
        0 => return Some(("the file is gone", "write it again")),
        1 => irr.write(name, ""),
        2 => irr.write(name, &whole[..whole.len() / 2]),
        3 => irr.write(name, &whole.replace("192.0.2.0", "192.0.2.x")),
        4 => irr.write(name, &prefixes(&[])),
        5 => irr.write(name, &origins(&[64496])),
        6 => irr.write(name, &prefixes(&["2001:db8::/32"])),
        7 => symlink("/etc/hostname", irr.file(name)).unwrap(),
        8 => symlink("nowhere", irr.file(name)).unwrap(),
        9 => fs::create_dir(irr.file(name)).unwrap(),
        _ => return None,
    }
    let said = [
        ("", ""),
        ("it is empty", "write it again"),
        ("it is cut off", "rename it when it is whole"),
        ("'192.0.2.x", "rename it when it is whole"),
        ("it has no entries", "write it again"),
        (
            "it holds origins, and its name says prefixes",
            "give it the name",
        ),
        (
            "it holds IPv6 prefixes, and its name says IPv4",
            "give it the name",
        ),
        ("not an ordinary file", "put the file itself there"),
        ("gone", "write it again"),
        ("not an ordinary file", "put the file itself there"),
    ];
    Some(said[how])
}

#[test]
fn a_spoilt_file_does_not_count_and_what_was_good_stays() {
    for how in 0.. {
        let mut irr = Irr::new(&["AS-A"], false);
        irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
        let good = irr.good().sets["AS-A"].clone();
        let Some((what, remedy)) = spoil(&irr, how) else {
            assert!(how > 5);
            break;
        };
        for _ in 0..2 {
            let report = irr.refresh();
            assert_eq!(report.changed, 0, "{what}");
            assert!(Arc::ptr_eq(&good, &report.sets["AS-A"]), "{what}");
            let [problem] = &report.problems[..] else {
                panic!("{what}: {:?}", report.problems);
            };
            assert_eq!(problem.as_set.as_deref(), Some("AS-A"));
            assert_eq!(problem.file, irr.file("AS-A.v4.json"));
            assert!(
                matches!(problem.in_use, InUse::LastGood { .. }),
                "{problem}"
            );
            assert!(problem.what.contains(what), "{problem}");
            assert!(problem.remedy.contains(remedy), "{problem}");
        }
    }
}

#[test]
fn a_restart_has_what_was_last_good() {
    for how in 0.. {
        let mut irr = Irr::new(&["AS-A"], true);
        irr.write("AS-A.v4.json", &prefixes(&["198.51.100.0/24"]));
        irr.good();
        irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
        irr.good();
        let Some((what, remedy)) = spoil(&irr, how) else {
            break;
        };
        for _ in 0..2 {
            irr.restart();
            let report = irr.refresh();
            assert_eq!(shown(&report.sets["AS-A"]), "192.0.2.0/24 []", "{what}");
            assert_eq!(report.problems.len(), 1, "{what}");
            let problem = &report.problems[0];
            assert!(
                matches!(problem.in_use, InUse::LastGood { .. }),
                "{problem}"
            );
            assert!(problem.what.contains(what), "{problem}");
            assert!(problem.remedy.contains(remedy), "{problem}");
        }
        if irr.file("AS-A.v4.json").is_dir() {
            fs::remove_dir(irr.file("AS-A.v4.json")).unwrap();
        } else {
            let _ = fs::remove_file(irr.file("AS-A.v4.json"));
        }
        irr.write("AS-A.v4.json", &prefixes(&["203.0.113.0/24"]));
        assert_eq!(
            shown(&irr.good().sets["AS-A"]),
            "203.0.113.0/24 []",
            "{what}"
        );
    }
}

#[test]
fn without_anything_good_ever_the_set_is_missing() {
    for how in 0.. {
        for has_state in [false, true] {
            let mut irr = Irr::new(&["AS-A"], has_state);
            irr.write("AS-A.v4.json", "");
            let Some((what, _)) = spoil(&irr, how) else {
                return;
            };
            let report = irr.refresh();
            assert!(report.sets.is_empty(), "{what}");
            assert_eq!(report.changed, 0);
            assert_eq!(report.problems.len(), 1, "{what}");
            assert_eq!(report.problems[0].in_use, InUse::Nothing, "{what}");
        }
    }
}

#[test]
fn one_bad_file_at_first_makes_the_whole_set_missing() {
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-A.origins.json", "{");
    let (set, problems) = irr.bad();
    assert_eq!(set, None, "without its origins, any would do");
    assert!(
        problems[0].contains("there is nothing else to use"),
        "{problems:?}"
    );
    irr.write("AS-A.origins.json", &origins(&[64496]));
    assert_eq!(shown(&irr.good().sets["AS-A"]), "192.0.2.0/24 [AS64496]");
}

#[test]
fn of_several_files_the_good_ones_are_taken_and_the_bad_ones_replaced_by_their_copies() {
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-A.v6.json", &prefixes(&["2001:db8::/32"]));
    irr.good();
    irr.write("AS-A.v4.json", &prefixes(&["198.51.100.0/24"]));
    irr.write("AS-A.v6.json", "[");
    let (set, problems) = irr.bad();
    assert_eq!(shown(&set.unwrap()), "198.51.100.0/24 2001:db8::/32 []");
    assert!(problems[0].contains("AS-A.v6.json"), "{problems:?}");
}

#[test]
fn without_copies_nothing_is_taken_until_all_is_good() {
    let mut irr = Irr::new(&["AS-A"], false);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-A.v6.json", &prefixes(&["2001:db8::/32"]));
    irr.good();
    for spoilt in ["[", &prefixes(&[])] {
        irr.write("AS-A.v4.json", &prefixes(&["198.51.100.0/24"]));
        irr.write("AS-A.v6.json", spoilt);
        let (set, _) = irr.bad();
        assert_eq!(shown(&set.unwrap()), "192.0.2.0/24 2001:db8::/32 []");
    }
    irr.remove("AS-A.v6.json");
    let (set, problems) = irr.bad();
    assert_eq!(shown(&set.unwrap()), "192.0.2.0/24 2001:db8::/32 []");
    assert!(problems[0].contains("or restart"), "{problems:?}");
    irr.restart();
    assert_eq!(shown(&irr.good().sets["AS-A"]), "198.51.100.0/24 []");
}

#[test]
fn a_family_without_entries_is_nothing_unusual_but_no_entries_at_all_are() {
    let none = prefixes(&[]);
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-A.v6.json", &none);
    assert_eq!(shown(&irr.good().sets["AS-A"]), "192.0.2.0/24 []");

    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "no prefixes of either family",
            &[("AS-A.v4.json", &none), ("AS-A.v6.json", &none)],
        ),
        (
            "origins, but no prefixes",
            &[
                ("AS-A.v4.json", &none),
                ("AS-A.origins.json", &origins(&[64496])),
            ],
        ),
        (
            "prefixes, but no origins",
            &[
                ("AS-A.v4.json", &prefixes(&["192.0.2.0/24"])),
                ("AS-A.origins.json", &none),
            ],
        ),
        (
            "prefixes, and nothing of who knows what",
            &[
                ("AS-A.v4.json", &prefixes(&["192.0.2.0/24"])),
                ("AS-A.json", &none),
            ],
        ),
    ];
    for (case, files) in cases {
        let mut irr = Irr::new(&["AS-A"], true);
        for (name, text) in *files {
            irr.write(name, text);
        }
        let (set, problems) = irr.bad();
        assert_eq!(set, None, "{case}");
        assert!(problems[0].contains("it has no entries"), "{problems:?}");
        assert!(
            problems[0].contains("see what the registries have of AS-A"),
            "{problems:?}"
        );
    }
}

#[test]
fn who_removes_the_copy_means_it() {
    for spoilt in [None, Some(prefixes(&[]))] {
        let mut irr = Irr::new(&["AS-A"], true);
        irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
        irr.write("AS-A.v6.json", &prefixes(&["2001:db8::/32"]));
        irr.good();
        match &spoilt {
            None => irr.remove("AS-A.v6.json"),
            Some(text) => irr.write("AS-A.v6.json", text),
        }
        let (set, problems) = irr.bad();
        assert_eq!(shown(&set.unwrap()), "192.0.2.0/24 2001:db8::/32 []");
        let copy = irr.copy("AS-A.v6.json");
        assert!(problems[0].contains(copy.to_str().unwrap()), "{problems:?}");
        fs::remove_file(copy).unwrap();
        let report = irr.good();
        assert_eq!(shown(&report.sets["AS-A"]), "192.0.2.0/24 []");
        assert_eq!(report.changed, 1);
    }
}

#[test]
fn a_directory_that_is_gone_is_one_problem_and_all_sets_stay() {
    for has_state in [false, true] {
        let mut irr = Irr::new(&["AS-A", "AS-B"], has_state);
        irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
        irr.write("AS-B.v4.json", &prefixes(&["198.51.100.0/24"]));
        let good = irr.good().sets;
        fs::rename(irr.path("irr"), irr.path("elsewhere")).unwrap();
        if has_state {
            irr.restart();
        }
        for _ in 0..2 {
            let report = irr.refresh();
            assert_eq!(report.sets, good);
            assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
            assert!(
                report.problems[0]
                    .what
                    .contains("the directory cannot be read")
            );
            assert!(report.problems[0].remedy.contains("[irr] directory"));
        }
        fs::rename(irr.path("elsewhere"), irr.path("irr")).unwrap();
        assert_eq!(irr.good().sets, good);
    }
}

#[test]
fn a_directory_that_is_emptied_together_with_its_copies_empties_nothing() {
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    let good = irr.good().sets;
    irr.remove("AS-A.v4.json");
    fs::remove_dir_all(irr.path("state")).unwrap();
    let report = irr.refresh();
    assert_eq!(report.sets, good);
    assert!(matches!(report.problems[0].in_use, InUse::LastGood { .. }));
}

#[test]
fn copies_that_cannot_be_kept_are_one_problem_and_the_files_count_all_the_same() {
    let mut irr = Irr::new(&["AS-A", "AS-B"], true);
    fs::write(irr.path("state"), "in the way").unwrap();
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-B.v4.json", &prefixes(&["198.51.100.0/24"]));
    let report = irr.refresh();
    assert_eq!(report.sets.len(), 2);
    let problems = &report.problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains("the directory cannot be read"));
    for _ in 0..2 {
        let problem = irr.keep_copies().unwrap();
        let expected = "no copies of 2 good files can be kept";
        assert!(problem.what.contains(expected), "{problem}");
        assert!(problem.remedy.contains("[irr] state"), "{problem}");
    }
    // Nor is anything lost.
    irr.remove("AS-A.v4.json");
    assert_eq!(irr.refresh().sets, report.sets);
    fs::remove_file(irr.path("state")).unwrap();
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.good();
    assert!(irr.copy("AS-A.v4.json").is_file() && irr.copy("AS-B.v4.json").is_file());
}

#[test]
fn a_spoilt_copy_is_no_copy() {
    for spoilt in ["", "{\"NN\": [", &prefixes(&[])] {
        let mut irr = Irr::new(&["AS-A"], true);
        irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
        irr.good();
        irr.remove("AS-A.v4.json");
        fs::write(irr.copy("AS-A.v4.json"), spoilt).unwrap();
        irr.restart();
        let report = irr.refresh();
        assert!(report.sets.is_empty());
        assert_eq!(report.problems[0].in_use, InUse::Nothing);
    }
}

#[test]
fn a_spoilt_copy_of_one_file_does_not_leave_a_set_with_the_others_alone() {
    for spoilt in ["{\"NN\": [", &prefixes(&[])] {
        let mut irr = Irr::new(&["AS-A"], true);
        irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
        irr.write("AS-A.v6.json", &prefixes(&["2001:db8::/32"]));
        let good = irr.good().sets;
        irr.remove("AS-A.v6.json");
        fs::write(irr.copy("AS-A.v6.json"), spoilt).unwrap();
        assert_eq!(irr.refresh().sets, good, "while it runs, all stays");
        irr.restart();
        let report = irr.refresh();
        assert!(report.sets.is_empty());
        assert_eq!(report.problems[0].in_use, InUse::Nothing);
    }
}

#[test]
fn copies_that_can_not_be_read_any_more_do_not_make_a_set_smaller() {
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-A.v6.json", &prefixes(&["2001:db8::/32"]));
    let good = irr.good().sets;
    fs::remove_dir_all(irr.path("state")).unwrap();
    fs::write(irr.path("state"), "in the way").unwrap();
    irr.remove("AS-A.v6.json");
    for _ in 0..2 {
        let report = irr.refresh();
        assert_eq!(report.sets, good);
        let said = report.problems.iter().map(|problem| problem.to_string());
        let said: Vec<String> = said.collect();
        assert!(said[0].contains("[irr] state"), "{said:?}");
        assert!(
            said[1].contains("the file is gone; the last good one"),
            "{said:?}"
        );
    }
}

#[test]
fn a_problem_says_where_what_since_when_and_what_to_do() {
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write("AS-A.v4.json", &prefixes(&["192.0.2.0/24"]));
    irr.good();
    irr.write("AS-A.v4.json", "{ \"NN\": [");
    irr.now += std::time::Duration::from_secs(3 * 3600 + 600);
    let (_, problems) = irr.bad();
    let file = irr.file("AS-A.v4.json").display().to_string();
    assert_eq!(
        problems[0],
        format!(
            "AS-A: {file}: it is cut off: EOF while parsing a list at line 1 column 9; the last good one is \
             used, 3 h 11 min old; write it again, under another name, and rename it when it is whole"
        )
    );
}
