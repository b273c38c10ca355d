//! Which files belong to an AS-SET, by their names. Knows nothing of what is in them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::Family;

/// What the name of a file says about its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holds {
    Any,
    Prefixes(Family),
    Origins,
}

/// A file of an AS-SET.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FileName {
    pub name: String,
    pub holds: Holds,
}

/// A file of an AS-SET that is not there, of whose content no other file of it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbsentFile {
    pub as_set: String,
    pub file: PathBuf,
    /// That of its prefixes; `None`: it would hold origins.
    pub family: Option<Family>,
}

/// The file names of a directory, to be found whatever their case.
#[derive(Default)]
pub(super) struct Listing(HashMap<String, Vec<String>>);

impl Listing {
    /// Only those that end in `ending`, and without it.
    pub(super) fn of(directory: &Path, ending: &str) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in directory.read_dir()? {
            let name = entry?.file_name();
            // No AS-SET has a name that is not ASCII.
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(ending)) else {
                continue;
            };
            let names = listing.0.entry(name.to_ascii_lowercase()).or_default();
            names.push(name.to_owned());
            names.sort_unstable();
        }
        Ok(listing)
    }

    fn find(&self, lower: &str) -> &[String] {
        self.0.get(lower).map_or(&[], Vec::as_slice)
    }
}

/// Whether an AS-SET can have this name, with or without its source in front (RFC 2622 §2).
pub(super) fn is_name(as_set: &str) -> bool {
    let is_known = |letter: u8| letter.is_ascii_alphanumeric() || b"-_:".contains(&letter);
    !as_set.is_empty() && as_set.bytes().all(is_known)
}

/// The names of an AS-SET's files in any of the listings, each once.
pub(super) fn files_of(as_set: &str, listings: &[&Listing]) -> Vec<FileName> {
    let mut files: Vec<FileName> = Vec::new();
    if !is_name(as_set) {
        return files;
    }
    let lower = as_set.to_ascii_lowercase();
    let mut add = |lower: &str, holds| {
        let count = files.len();
        for name in listings.iter().flat_map(|listing| listing.find(lower)) {
            if !files.iter().any(|file| file.name == *name) {
                let name = name.clone();
                files.push(FileName { name, holds });
            }
        }
        files.len() > count
    };
    let plain = lower.replace(':', "_");
    let spellings = [Some(&plain), (lower != plain).then_some(&lower)];
    for spelling in spellings.into_iter().flatten() {
        add(&format!("{spelling}.json"), Holds::Any);
        add(&format!("{spelling}.origins.json"), Holds::Origins);
        for (family, ending) in Family::ALL.into_iter().zip(["v4", "v6"]) {
            let name = format!("{spelling}.{ending}.json");
            add(&name, Holds::Prefixes(family));
        }
    }
    let cached = lower.replace(['-', ':'], "_");
    add(&format!("{cached}-as_set.json"), Holds::Origins);
    for (family, ending) in Family::ALL.into_iter().zip(["ipv4", "ipv6"]) {
        let name = format!("{cached}-r_set-{ending}");
        let holds = Holds::Prefixes(family);
        if !add(&format!("{name}.json"), holds) {
            add(&format!("{name}_and_more_specific.json"), holds);
        }
    }
    files
}

/// What the files of an AS-SET do not say anything about, by the names that bgpq4's output has.
pub(super) fn absent_of(as_set: &str, files: &[Holds], directory: &Path) -> Vec<AbsentFile> {
    let contents = [
        (Holds::Origins, "origins"),
        (Holds::Prefixes(Family::Ipv4), "v4"),
        (Holds::Prefixes(Family::Ipv6), "v6"),
    ];
    let is_absent = |(content, _): &(Holds, &str)| {
        let mut holds = files.iter();
        !holds.any(|holds| *holds == Holds::Any || holds == content)
    };
    let absent = contents.into_iter().filter(is_absent);
    absent
        .map(|(content, ending)| AbsentFile {
            as_set: as_set.to_owned(),
            file: directory.join(format!("{}.{ending}.json", as_set.replace(':', "_"))),
            family: match content {
                Holds::Prefixes(family) => Some(family),
                Holds::Any | Holds::Origins => None,
            },
        })
        .collect()
}
