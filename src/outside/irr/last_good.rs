//! Copies of what files last held that was good, so that a restart has them too. A copy bears the
//! date of its file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file::IrrEntries;
use super::names::Listing;
use super::problem::IrrFault;
use super::read::{Stamp, read_all};

/// So that copies may lie beside their files.
const ENDING: &str = ".last-good";

pub(super) struct LastGood {
    directory: PathBuf,
}

impl LastGood {
    pub(super) fn new(directory: PathBuf) -> LastGood {
        LastGood { directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the copy of a file is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}{ENDING}"))
    }

    /// The files that have a copy. Without the directory there is none.
    pub(super) fn listing(&self) -> io::Result<Listing> {
        match Listing::of(&self.directory, ENDING) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Listing::default()),
            listing => listing,
        }
    }

    /// Whether there is a copy of a file in this state.
    pub(super) fn has(&self, name: &str, stamp: Stamp) -> bool {
        let metadata = self.path(name).metadata();
        metadata.is_ok_and(|metadata| Stamp::of(&metadata).is_copy_of(stamp))
    }

    /// What was good, and its date; never without entries.
    pub(super) fn read(&self, name: &str) -> Result<(IrrEntries, SystemTime), IrrFault> {
        let file = File::open(self.path(name)).map_err(IrrFault::Read)?;
        let metadata = file.metadata().map_err(IrrFault::Read)?;
        let date = metadata.modified().map_err(IrrFault::Read)?;
        let entries = IrrEntries::read(&read_all(&file, metadata.len())?)?;
        match entries.is_empty() {
            true => Err(IrrFault::NoEntries),
            false => Ok((entries, date)),
        }
    }

    /// Keeps what a file of this date holds. There is a whole copy at any time, the old or the new one.
    pub(super) fn keep(&self, name: &str, octets: &[u8], date: SystemTime) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let unfinished = self.directory.join(format!("{name}{ENDING}.new"));
        let mut file = File::create(&unfinished)?;
        file.write_all(octets)?;
        file.set_modified(date)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.path(name))
    }
}
