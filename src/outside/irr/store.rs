//! The sets of all AS-SETs in use: reads what changed, knows which files lack a copy, and says what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use super::blend::{Blends, ClientIrr, IrrIngredients};
use super::copying::{Copying, Uncopied};
use super::last_good::LastGood;
use super::load::{Finding, Loaded, Loader, Seen, SetFile};
use super::names::{AbsentFile, Holds, Listing, absent_of, files_of};
use super::problem::{InUse, IrrFault, IrrProblem};
use super::read::{Room, Stamp};
use crate::policy::IrrSet;

/// What the IRR has about AS-SETs, from the files of one directory.
pub struct IrrStore {
    directory: PathBuf,
    last_good: Option<Arc<LastGood>>,
    known: BTreeMap<String, Known>,
    blends: Blends,
}

/// What a refresh found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct IrrReport {
    /// By AS-SET. One that is not there is missing. Content that stays the same keeps its `Arc`.
    pub sets: BTreeMap<String, Arc<IrrSet>>,
    pub problems: Vec<IrrProblem>,
    /// Files that are not there, of AS-SETs that have others.
    pub absent: Vec<AbsentFile>,
    /// How many of them were read, for something about their files was new.
    pub read: usize,
    /// How many sets have become others, have come or have gone.
    pub changed: usize,
}

/// An AS-SET in use.
#[derive(Default)]
struct Known {
    files: Vec<SetFile>,
    set: Option<Arc<IrrSet>>,
    /// Whether the set is of these files, not one that stayed for too much of them is not there.
    is_of_files: bool,
    /// Of the oldest part of the set.
    date: Option<SystemTime>,
    findings: Vec<Finding>,
}

impl IrrStore {
    /// The directory of the files, and that of the copies which a restart is to have.
    pub fn new(directory: PathBuf, state: Option<PathBuf>) -> IrrStore {
        IrrStore {
            directory,
            last_good: state.map(|state| Arc::new(LastGood::new(state))),
            known: BTreeMap::new(),
            blends: Blends::default(),
        }
    }

    /// Looks at the files of these AS-SETs, and forgets all others. Takes as long as reading what changed;
    /// writes nothing.
    pub fn refresh(&mut self, as_sets: &BTreeSet<String>, now: SystemTime) -> IrrReport {
        let count = self.known.len();
        self.known.retain(|as_set, _| as_sets.contains(as_set));
        let mut changed = count - self.known.len();
        let look = self.look();
        let stale: Vec<(String, Vec<SetFile>)> = (as_sets.iter())
            .map(|as_set| (as_set.clone(), self.files_now(as_set, &look)))
            .filter(|(as_set, files)| !self.is_fresh(as_set, files, &look))
            .collect();
        let loader = Loader {
            directory: &self.directory,
            room: look.room.as_ref(),
            last_good: self.last_good.as_deref(),
            now,
        };
        for (as_set, loaded) in load_all(&loader, &stale) {
            changed += usize::from(self.known.entry(as_set).or_default().take(loaded));
        }
        let sets = self.known.iter().filter_map(|(as_set, known)| {
            let set = known.set.clone()?;
            Some((as_set.clone(), set))
        });
        IrrReport {
            sets: sets.collect(),
            absent: self.absent(&look),
            problems: self.problems(look, now),
            read: stale.len(),
            changed,
        }
    }

    /// The copies that the files of the last refresh lack.
    pub fn to_copy(&self) -> Copying {
        let Some(last_good) = &self.last_good else {
            return Copying::default();
        };
        let in_use = self.known.iter().filter(|(_, known)| known.is_of_files);
        let files =
            in_use.flat_map(|(as_set, known)| known.files.iter().map(move |it| (as_set, it)));
        let uncopied = files.filter_map(|(as_set, file)| {
            Some(Uncopied {
                as_set: as_set.clone(),
                name: file.name.name.clone(),
                stamp: file.only_in_use?,
            })
        });
        Copying::new(
            self.directory.clone(),
            last_good.clone(),
            uncopied.collect(),
        )
    }

    /// These copies are written. Files that were read anew in between lack theirs still.
    pub fn handle_copied(&mut self, copying: &Copying) {
        if !(self.last_good.as_ref()).is_some_and(|last_good| copying.is_into(last_good)) {
            return;
        }
        for Uncopied {
            as_set,
            name,
            stamp,
        } in &copying.copied
        {
            let files = self.known.get_mut(as_set).map(|known| &mut known.files);
            for file in files.into_iter().flatten() {
                if file.name.name == *name && file.only_in_use == Some(*stamp) {
                    file.only_in_use = None;
                }
            }
        }
    }

    /// What each client may announce by its AS-SETs and its own entries, as of the last refresh. Equal
    /// content, here or the last time, is one `Arc`.
    pub fn client_sets<'a>(
        &mut self,
        clients: impl IntoIterator<Item = &'a IrrIngredients>,
    ) -> Vec<ClientIrr> {
        let known = &self.known;
        self.blends.of_clients(clients, |as_set| {
            known.get(as_set).and_then(|known| known.set.clone())
        })
    }

    /// How old the oldest part of an AS-SET's data is. `None` where it is missing.
    pub fn age_s(&self, as_set: &str, now: SystemTime) -> Option<u64> {
        self.known.get(as_set)?.date.map(|date| age_s(date, now))
    }

    /// The date of the oldest part of all AS-SETs.
    pub fn oldest(&self) -> Option<SystemTime> {
        self.known.values().filter_map(|known| known.date).min()
    }

    /// The directories as they are now.
    fn look(&self) -> Look {
        let mut problems = Vec::new();
        let room = Room::open(&self.directory)
            .and_then(|room| Ok((room, Listing::of(&self.directory, "")?)))
            .map_err(|error| problems.push(directory_problem(&self.directory, error, "directory")));
        let (room, files) = room.ok().unzip();
        let copies = match &self.last_good {
            None => Some(Listing::default()),
            Some(last_good) => last_good
                .listing()
                .map_err(|error| {
                    problems.push(directory_problem(last_good.directory(), error, "state"));
                })
                .ok(),
        };
        Look {
            room,
            files: files.unwrap_or_default(),
            copies,
            problems,
        }
    }

    /// The files of an AS-SET: those that are there, and those that are missed.
    fn files_now(&self, as_set: &str, look: &Look) -> Vec<SetFile> {
        let known = self.known.get(as_set);
        let known = known.map_or(&[][..], |known| &known.files);
        let listings: Vec<&Listing> = std::iter::once(&look.files).chain(&look.copies).collect();
        let mut files: Vec<SetFile> = (files_of(as_set, &listings).into_iter())
            .map(|name| SetFile {
                seen: self.look_at(&name.name),
                only_in_use: (known.iter().find(|file| file.name.name == name.name))
                    .and_then(|file| file.only_in_use),
                name,
            })
            .collect();
        for file in known {
            let seen = self.look_at(&file.name.name);
            // One that is there and is not listed has given way to another.
            let is_away = look.room.is_none() || !matches!(seen, Seen::As(_));
            let is_missed = is_away && (file.only_in_use.is_some() || look.copies.is_none());
            if is_missed && !files.iter().any(|other| other.name == file.name) {
                files.push(SetFile {
                    seen,
                    ..file.clone()
                });
            }
        }
        files
    }

    /// Whether an AS-SET need not be read again. Where something is wrong, a copy that was taken away
    /// may make the difference.
    fn is_fresh(&self, as_set: &str, files: &[SetFile], look: &Look) -> bool {
        self.known.get(as_set).is_some_and(|known| {
            known.files == files
                && !files.iter().any(|file| file.seen == Seen::Unsure)
                && (known.findings.is_empty() || look.room.is_none())
        })
    }

    fn look_at(&self, name: &str) -> Seen {
        match self.directory.join(name).metadata() {
            Ok(metadata) => Seen::As(Stamp::of(&metadata)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Seen::Gone,
            Err(_) => Seen::Unsure,
        }
    }

    fn absent(&self, look: &Look) -> Vec<AbsentFile> {
        if look.room.is_none() {
            return Vec::new();
        }
        let some = self
            .known
            .iter()
            .filter(|(_, known)| !known.files.is_empty());
        let absent = some.flat_map(|(as_set, known)| {
            let holds: Vec<Holds> = known.files.iter().map(|file| file.name.holds).collect();
            absent_of(as_set, &holds, &self.directory)
        });
        absent.collect()
    }

    fn problems(&self, look: Look, now: SystemTime) -> Vec<IrrProblem> {
        let mut problems = look.problems;
        for (as_set, known) in &self.known {
            for finding in &known.findings {
                let is_consequence = matches!(finding.fault, IrrFault::Gone | IrrFault::NoFile);
                if look.room.is_some() || !is_consequence {
                    problems.push(finding.problem(as_set, now));
                }
            }
        }
        problems
    }
}

/// The directories as a refresh found them.
struct Look {
    /// `None` where the directory cannot be read.
    room: Option<Room>,
    files: Listing,
    /// `None` where they cannot be read.
    copies: Option<Listing>,
    problems: Vec<IrrProblem>,
}

fn directory_problem(directory: &Path, error: std::io::Error, key: &str) -> IrrProblem {
    IrrProblem {
        as_set: None,
        file: directory.to_owned(),
        what: IrrFault::Directory(error).to_string(),
        remedy: format!(
            "let the server read it, or correct [irr] {key}; until then, what was last good is used"
        ),
        in_use: InUse::File,
    }
}

impl Known {
    /// Whether the set has become another. What there was stays in use until there is something good.
    fn take(&mut self, loaded: Loaded) -> bool {
        self.files = loaded.files;
        self.findings = loaded.findings;
        self.is_of_files = loaded.set.is_some();
        match loaded.set {
            Some(set) => {
                self.date = loaded.date;
                let is_other = self.set.as_deref() != Some(&set);
                if is_other {
                    self.set = Some(Arc::new(set));
                }
                is_other
            }
            None => {
                for finding in &mut self.findings {
                    finding.date = self.date;
                }
                false
            }
        }
    }
}

impl Finding {
    fn problem(&self, as_set: &str, now: SystemTime) -> IrrProblem {
        IrrProblem {
            as_set: Some(as_set.to_owned()),
            file: self.file.clone(),
            what: self.fault.to_string(),
            remedy: self.remedy.clone(),
            in_use: match self.date {
                Some(date) => InUse::LastGood {
                    age_s: age_s(date, now),
                },
                None => InUse::Nothing,
            },
        }
    }
}

fn age_s(date: SystemTime, now: SystemTime) -> u64 {
    now.duration_since(date).map_or(0, |age| age.as_secs())
}

/// On as many threads as there are processors.
fn load_all(loader: &Loader<'_>, stale: &[(String, Vec<SetFile>)]) -> Vec<(String, Loaded)> {
    let next = AtomicUsize::new(0);
    let load_some = || {
        let mut loaded = Vec::new();
        while let Some((as_set, files)) = stale.get(next.fetch_add(1, Ordering::Relaxed)) {
            loaded.push((as_set.clone(), loader.load(as_set, files.clone())));
        }
        loaded
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let mut loaded = Vec::with_capacity(stale.len());
    thread::scope(|scope| {
        let others = processors.min(stale.len()).saturating_sub(1);
        let others: Vec<_> = (0..others).map(|_| scope.spawn(load_some)).collect();
        loaded.extend(load_some());
        for other in others {
            loaded.extend(other.join().expect("files are read without panics"));
        }
    });
    loaded
}
