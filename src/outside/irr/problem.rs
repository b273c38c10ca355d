//! What is wrong with the data of an AS-SET: where, what is used in the meantime, and the remedy.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::file::IrrFileError;

/// Why a file does not count.
#[derive(Debug, thiserror::Error)]
pub enum IrrFault {
    #[error("the directory cannot be read: {0}")]
    Directory(std::io::Error),
    #[error("an AS-SET's name has letters, digits, '-', '_' and ':' only")]
    Name,
    #[error("there is no file of it")]
    NoFile,
    #[error("the file is gone")]
    Gone,
    #[error("it cannot be read: {0}")]
    Read(std::io::Error),
    #[error("it changes while it is read")]
    Changing,
    #[error("it is not an ordinary file within the directory")]
    NotWithin,
    #[error("it has more than {} MiB", .octets_max >> 20)]
    TooLong { octets_max: u64 },
    #[error(transparent)]
    Content(#[from] IrrFileError),
    #[error("it holds {found}, and its name says {expected}")]
    OtherContent {
        found: &'static str,
        expected: &'static str,
    },
    #[error("it has no entries")]
    NoEntries,
    #[error("no copies of {count} good files can be kept: {error}")]
    Copies { count: usize, error: String },
}

/// What the checks go by where a file has a problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "in_use")]
pub enum InUse {
    /// The file, all the same.
    File,
    /// What it last held that was good.
    LastGood { age_s: u64 },
    /// Nothing: the AS-SET is missing.
    Nothing,
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct IrrProblem {
    /// `None` where it is about all of them.
    pub as_set: Option<String>,
    pub file: PathBuf,
    pub what: String,
    pub remedy: String,
    #[serde(flatten)]
    pub in_use: InUse,
}

impl fmt::Display for IrrProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(as_set) = &self.as_set {
            write!(f, "{as_set}: ")?;
        }
        write!(f, "{}: {}", self.file.display(), self.what)?;
        match self.in_use {
            InUse::File => {}
            InUse::LastGood { age_s } => {
                let (hours, minutes) = (age_s / 3600, age_s / 60 % 60);
                write!(
                    f,
                    "; the last good one is used, {hours} h {minutes} min old"
                )?;
            }
            InUse::Nothing => f.write_str("; there is nothing else to use")?,
        }
        write!(f, "; {}", self.remedy)
    }
}
