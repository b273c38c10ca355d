//! One AS-SET from its files: of each, what it holds or what it last held that was good. Knows nothing
//! of other AS-SETs, and of what was in use before only which files it cannot do without.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file::IrrEntries;
use super::last_good::LastGood;
use super::names::{FileName, Holds, is_name};
use super::problem::IrrFault;
use super::read::{Room, Stamp};
use crate::base::Family;
use crate::policy::{IrrSet, PrefixSet};

/// The state in which a file was last looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    Gone,
    As(Stamp),
    /// To be looked at again, whatever it looks like.
    Unsure,
}

/// A file of an AS-SET.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SetFile {
    pub name: FileName,
    pub seen: Seen,
    /// What it held that is in use and has no copy: without it, all stays as it is.
    pub only_in_use: Option<Stamp>,
}

/// What is wrong with a file.
#[derive(Debug)]
pub(super) struct Finding {
    pub file: PathBuf,
    pub fault: IrrFault,
    pub remedy: String,
    /// The date of what is used in its place, if there is something.
    pub date: Option<SystemTime>,
}

/// An AS-SET as its files have it.
pub(super) struct Loaded {
    pub files: Vec<SetFile>,
    /// `None`: too much is not there.
    pub set: Option<IrrSet>,
    /// Of the oldest part of it.
    pub date: Option<SystemTime>,
    pub findings: Vec<Finding>,
}

/// What a file contributes.
enum Part {
    Entries(IrrEntries, SystemTime),
    /// It never had entries.
    Nothing,
    /// It is not known what it should have had.
    Lost,
}

/// Where the files of AS-SETs are.
pub(super) struct Loader<'a> {
    pub directory: &'a Path,
    /// `None` where the directory cannot be read.
    pub room: Option<&'a Room>,
    pub last_good: Option<&'a LastGood>,
    pub now: SystemTime,
}

impl Loader<'_> {
    pub(super) fn load(&self, as_set: &str, mut files: Vec<SetFile>) -> Loaded {
        let mut findings = Vec::new();
        if files.is_empty() {
            findings.push(self.no_file(as_set));
        }
        let parts: Vec<Part> = (files.iter_mut())
            .map(|file| self.part(file, &mut findings))
            .collect();
        let mut whole = IrrEntries::default();
        let mut date = None;
        let mut is_lost = false;
        for part in &parts {
            match part {
                Part::Entries(entries, of) => {
                    whole.prefixes.extend_from_slice(&entries.prefixes);
                    whole.origins.extend_from_slice(&entries.origins);
                    date = Some(date.map_or(*of, |date: SystemTime| date.min(*of)));
                }
                Part::Nothing => {}
                Part::Lost => is_lost = true,
            }
        }
        for (file, part) in files.iter().zip(&parts) {
            if matches!(part, Part::Nothing) && !has_what_it_lacks(file.name.holds, &whole) {
                is_lost = true;
                findings.push(self.no_entries(as_set, &file.name));
            }
        }
        let has_set = !is_lost && !whole.is_empty();
        Loaded {
            files,
            set: has_set.then(|| IrrSet::new(PrefixSet::new(whole.prefixes), whole.origins)),
            date: date.filter(|_| has_set),
            findings,
        }
    }

    fn part(&self, file: &mut SetFile, findings: &mut Vec<Finding>) -> Part {
        let fault = match self.read(file) {
            Ok((entries, stamp, date)) => {
                let has_copy = |last_good: &LastGood| last_good.has(&file.name.name, stamp);
                file.only_in_use = (!self.last_good.is_some_and(has_copy)).then_some(stamp);
                return Part::Entries(entries, date);
            }
            Err(fault) => fault,
        };
        let name = &file.name.name;
        let copy = self.last_good.map(|last_good| last_good.read(name));
        let copy = copy.and_then(Result::ok);
        if copy.is_none() && file.only_in_use.is_none() && matches!(fault, IrrFault::NoEntries) {
            return Part::Nothing;
        }
        findings.push(Finding {
            file: self.directory.join(name),
            remedy: self.remedy(&fault, name, copy.is_some()),
            fault,
            date: copy.as_ref().map(|(_, date)| *date),
        });
        match copy {
            Some((entries, date)) => {
                file.only_in_use = None;
                Part::Entries(entries, date)
            }
            None => Part::Lost,
        }
    }

    /// What is good in a file, with the state it was read in.
    fn read(&self, file: &mut SetFile) -> Result<(IrrEntries, Stamp, SystemTime), IrrFault> {
        let room = (self.room.filter(|_| file.seen != Seen::Gone)).ok_or(IrrFault::Gone)?;
        file.seen = Seen::Unsure;
        let (octets, stamp, date) = room.read(&file.name.name)?;
        if stamp.is_settled(self.now) {
            file.seen = Seen::As(stamp);
        }
        let entries = IrrEntries::read(&octets)?;
        check_holds(file.name.holds, &entries)?;
        match entries.is_empty() {
            true => Err(IrrFault::NoEntries),
            false => Ok((entries, stamp, date)),
        }
    }

    fn remedy(&self, fault: &IrrFault, name: &str, has_copy: bool) -> String {
        let copy = (self.last_good.filter(|_| has_copy))
            .map(|last_good| last_good.path(name).display().to_string());
        match (fault, copy) {
            (IrrFault::Gone, Some(copy)) => {
                format!("write it again, or remove {copy} too if it is not wanted any more")
            }
            (IrrFault::Gone, None) => {
                "write it again, or restart if it is not wanted any more".to_owned()
            }
            (IrrFault::NoEntries, Some(copy)) => {
                format!("write it again; if the AS-SET has indeed become empty, remove {copy}")
            }
            (IrrFault::NoEntries, None) => {
                "write it again; if the AS-SET has indeed become empty, restart".to_owned()
            }
            (IrrFault::NotWithin, _) => {
                "put the file itself there, in place of a link out of the directory".to_owned()
            }
            (IrrFault::Read(_), _) => "let the server read it".to_owned(),
            (IrrFault::OtherContent { .. }, _) => "give it the name of what it holds".to_owned(),
            _ => "write it again, under another name, and rename it when it is whole".to_owned(),
        }
    }

    fn no_file(&self, as_set: &str) -> Finding {
        let (fault, remedy) = match is_name(as_set) {
            true => (
                IrrFault::NoFile,
                format!(
                    "write there what bgpq4 -4j {as_set} says, as {}.v4.json (-6j: .v6.json, -tj: .origins.json)",
                    as_set.replace(':', "_")
                ),
            ),
            false => (
                IrrFault::Name,
                "correct its name in the configuration".to_owned(),
            ),
        };
        Finding {
            file: self.directory.to_owned(),
            fault,
            remedy,
            date: None,
        }
    }

    fn no_entries(&self, as_set: &str, file: &FileName) -> Finding {
        let remedy = format!("see what the registries have of {as_set} (bgpq4 -4j, -6j, -tj)");
        Finding {
            file: self.directory.join(&file.name),
            fault: IrrFault::NoEntries,
            remedy,
            date: None,
        }
    }
}

/// Whether the other files make up for one without entries: an AS-SET may well have no IPv6, but without any
/// prefixes, or any origins where it should have some, a check would have nothing to go by.
fn has_what_it_lacks(holds: Holds, whole: &IrrEntries) -> bool {
    match holds {
        Holds::Any => !whole.prefixes.is_empty() && !whole.origins.is_empty(),
        Holds::Prefixes(_) => !whole.prefixes.is_empty(),
        Holds::Origins => !whole.origins.is_empty(),
    }
}

fn check_holds(holds: Holds, entries: &IrrEntries) -> Result<(), IrrFault> {
    let has_origins = !entries.origins.is_empty();
    let has = |family| (entries.prefixes.iter()).any(|range| range.prefix().family() == family);
    let (found, expected) = match holds {
        Holds::Prefixes(_) if has_origins => ("origins", "prefixes"),
        Holds::Prefixes(Family::Ipv4) if has(Family::Ipv6) => ("IPv6 prefixes", "IPv4"),
        Holds::Prefixes(Family::Ipv6) if has(Family::Ipv4) => ("IPv4 prefixes", "IPv6"),
        Holds::Origins if !entries.prefixes.is_empty() => ("prefixes", "origins"),
        _ => return Ok(()),
    };
    Err(IrrFault::OtherContent { found, expected })
}
