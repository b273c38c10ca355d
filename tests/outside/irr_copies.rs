//! When the copies of files are written, and of which state: that which is in use, and no other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::Duration;

use rialto::outside::irr::IrrStore;

use super::{Irr, origins, prefixes, shown};

const NAME: &str = "AS-A.v4.json";

/// The names and the content of all copies.
fn copies(irr: &Irr) -> BTreeMap<String, String> {
    let Ok(folder) = irr.path("state").read_dir() else {
        return BTreeMap::new();
    };
    folder
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// A file of long ago: what is written later surely has another date.
fn write_old(irr: &Irr, name: &str, text: &str) {
    irr.write(name, text);
    let file = File::options().write(true).open(irr.file(name)).unwrap();
    file.set_modified(irr.now - Duration::from_secs(7200))
        .unwrap();
}

/// An AS-SET with a file in use and in force.
fn with_a_copy(text: &str) -> Irr {
    let mut irr = Irr::new(&["AS-A"], true);
    write_old(&irr, NAME, text);
    irr.good();
    irr
}

#[test]
fn a_refresh_writes_nothing() {
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write(NAME, &prefixes(&["192.0.2.0/24"]));
    irr.refresh();
    assert!(!irr.path("state").exists(), "not even the directory");

    let old = prefixes(&["192.0.2.0/24"]);
    let mut irr = with_a_copy(&old);
    irr.write(NAME, &prefixes(&["198.51.100.0/24", "203.0.113.0/24"]));
    let report = irr.refresh();
    assert_eq!(
        shown(&report.sets["AS-A"]),
        "198.51.100.0/24 203.0.113.0/24 []"
    );
    assert_eq!(
        copies(&irr),
        [(format!("{NAME}.last-good"), old)].into(),
        "it is not in force"
    );
}

#[test]
fn a_copy_is_written_once_and_has_the_date_of_its_file() {
    let text = prefixes(&["192.0.2.0/24"]);
    let mut irr = with_a_copy(&text);
    let written = |irr: &Irr| irr.copy(NAME).metadata().unwrap().modified().unwrap();
    assert_eq!(copies(&irr), [(format!("{NAME}.last-good"), text)].into());
    assert_eq!(
        written(&irr),
        irr.file(NAME).metadata().unwrap().modified().unwrap()
    );
    assert!(irr.store.to_copy().is_done());
    irr.refresh();
    assert!(irr.store.to_copy().is_done(), "nothing is new");
    irr.restart();
    irr.refresh();
    assert!(irr.store.to_copy().is_done(), "the copy is there already");
    irr.write(NAME, &prefixes(&["198.51.100.0/24", "203.0.113.0/24"]));
    irr.refresh();
    assert!(!irr.store.to_copy().is_done());
}

#[test]
fn a_file_that_changed_since_it_was_read_is_not_copied() {
    let (old, new) = (prefixes(&["192.0.2.0/24"]), prefixes(&["198.51.100.0/24"]));
    type Change = fn(&Irr);
    let cases: [(&str, Change); 6] = [
        ("other content of the same length", |irr| {
            irr.write(NAME, &prefixes(&["198.51.101.0/24"]));
        }),
        ("another file in its place", |irr| {
            irr.write("new", &prefixes(&["203.0.113.0/24"]));
            fs::rename(irr.file("new"), irr.file(NAME)).unwrap();
        }),
        ("cut off", |irr| irr.write(NAME, "{ \"NN\": [")),
        ("gone", |irr| irr.remove(NAME)),
        ("a link out of the directory", |irr| {
            fs::rename(irr.file(NAME), irr.path("outside")).unwrap();
            symlink("../outside", irr.file(NAME)).unwrap();
        }),
        ("the directory is gone", |irr| {
            fs::rename(irr.path("irr"), irr.path("elsewhere")).unwrap();
        }),
    ];
    for (case, change) in cases {
        let mut irr = with_a_copy(&old);
        write_old(&irr, NAME, &new);
        irr.refresh();
        change(&irr);
        assert_eq!(irr.keep_copies(), None, "{case}: the next refresh says");
        let expected = [(format!("{NAME}.last-good"), old.clone())].into();
        assert_eq!(copies(&irr), expected, "{case}");
        assert!(!irr.store.to_copy().is_done(), "{case}");
    }
}

#[test]
fn what_a_file_has_become_is_copied_after_the_next_refresh() {
    let mut irr = with_a_copy(&prefixes(&["192.0.2.0/24"]));
    irr.write(NAME, &prefixes(&["198.51.100.0/24", "203.0.113.0/24"]));
    irr.refresh();
    let mut copying = irr.store.to_copy();
    let newest = prefixes(&["203.0.113.0/24"]);
    irr.write(NAME, &newest);
    irr.refresh();
    assert!(copying.step() && !copying.step());
    irr.store.handle_copied(&copying);
    assert_eq!(
        copies(&irr)[&format!("{NAME}.last-good")],
        prefixes(&["192.0.2.0/24"]),
        "what it called for is not there, and nobody called for what is"
    );
    assert_eq!(irr.keep_copies(), None);
    assert_eq!(copies(&irr)[&format!("{NAME}.last-good")], newest);
    assert!(irr.store.to_copy().is_done());
}

#[test]
fn copies_of_what_was_read_before_do_not_stand_for_what_is_read_since() {
    let mut irr = Irr::new(&["AS-A"], true);
    write_old(&irr, NAME, &prefixes(&["192.0.2.0/24"]));
    irr.refresh();
    let mut copying = irr.store.to_copy();
    assert!(copying.step());
    irr.write(NAME, &prefixes(&["198.51.100.0/24", "203.0.113.0/24"]));
    irr.refresh();
    irr.store.handle_copied(&copying);
    assert!(!irr.store.to_copy().is_done(), "a newer state");

    let mut other = IrrStore::new(irr.path("irr"), Some(irr.path("other-state")));
    other.refresh(&["AS-A".to_owned()].into(), irr.now);
    let mut copying = irr.store.to_copy();
    assert!(copying.step());
    other.handle_copied(&copying);
    assert!(!other.to_copy().is_done(), "another directory");
    irr.store.handle_copied(&copying);
    assert!(irr.store.to_copy().is_done());
}

#[test]
fn a_good_file_that_is_not_in_use_for_lack_of_others_is_not_copied() {
    let mut irr = Irr::new(&["AS-A"], true);
    irr.write(NAME, &prefixes(&["192.0.2.0/24"]));
    irr.write("AS-A.origins.json", "{");
    irr.bad();
    assert_eq!(irr.keep_copies(), None);
    assert_eq!(copies(&irr), BTreeMap::new());
    irr.write("AS-A.origins.json", &origins(&[64496]));
    irr.good();
    assert_eq!(copies(&irr).len(), 2);
}

#[test]
fn without_a_directory_for_them_there_are_no_copies_to_write() {
    let mut irr = Irr::new(&["AS-A"], false);
    irr.write(NAME, &prefixes(&["192.0.2.0/24"]));
    irr.refresh();
    assert!(irr.store.to_copy().is_done());
}
