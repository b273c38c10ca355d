//! Copies still to be written: owns of which files, and in which state of theirs. Knows nothing of what is
//! in them, and of when their time has come.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::last_good::LastGood;
use super::problem::{InUse, IrrFault, IrrProblem};
use super::read::{Room, Stamp};

/// The copies that the files in use lack after a refresh. To be stepped without the store, which is told
/// in the end.
#[derive(Default)]
pub struct Copying {
    places: Option<Places>,
    left: Vec<Uncopied>,
    pub(super) copied: Vec<Uncopied>,
    errors: Vec<io::Error>,
}

/// Where files and copies are.
struct Places {
    directory: PathBuf,
    last_good: Arc<LastGood>,
}

/// A file in use that has no copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Uncopied {
    pub as_set: String,
    pub name: String,
    /// What is in use.
    pub stamp: Stamp,
}

impl Copying {
    pub(super) fn new(
        directory: PathBuf,
        last_good: Arc<LastGood>,
        left: Vec<Uncopied>,
    ) -> Copying {
        Copying {
            places: Some(Places {
                directory,
                last_good,
            }),
            left,
            ..Copying::default()
        }
    }

    /// Writes one copy, which takes as long as the disk takes. False: there was none to write.
    pub fn step(&mut self) -> bool {
        let (Some(places), Some(file)) = (&self.places, self.left.pop()) else {
            return false;
        };
        match places.copy(&file) {
            Ok(true) => self.copied.push(file),
            Ok(false) => {}
            Err(error) => self.errors.push(error),
        }
        true
    }

    /// Whether there is none to write.
    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// What went wrong so far. Those files are in what the next refresh lacks, too.
    pub fn problem(&self) -> Option<IrrProblem> {
        let (places, error) = (self.places.as_ref()?, self.errors.first()?);
        let fault = IrrFault::Copies {
            count: self.errors.len(),
            error: error.to_string(),
        };
        Some(IrrProblem {
            as_set: None,
            file: places.last_good.directory().to_owned(),
            what: fault.to_string(),
            remedy: "let the server write there, or correct [irr] state".to_owned(),
            in_use: InUse::File,
        })
    }

    /// Whether the copies go there.
    pub(super) fn is_into(&self, last_good: &Arc<LastGood>) -> bool {
        (self.places.as_ref()).is_some_and(|places| Arc::ptr_eq(&places.last_good, last_good))
    }
}

impl Places {
    /// False: the file is not any more what is in use; the next refresh sees to it.
    fn copy(&self, file: &Uncopied) -> io::Result<bool> {
        // Another refresh may have called for it, too.
        if self.last_good.has(&file.name, file.stamp) {
            return Ok(true);
        }
        let room = Room::open(&self.directory).map_err(IrrFault::Read);
        match room.and_then(|room| room.read(&file.name)) {
            Ok((octets, stamp, date)) if stamp == file.stamp => {
                self.last_good.keep(&file.name, &octets, date)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
