//! Reads files of one directory: what lies elsewhere, or is no ordinary file, is not read. Owns how a
//! file is known to be unchanged.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::problem::IrrFault;

/// About four million prefixes.
const FILE_OCTETS_MAX: u64 = 256 << 20;

/// Two changes may fall into one tick of the file system's clock: a file this young is read again.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What tells one state of a file from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    octets: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            octets: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether this is the stamp of a copy of that file.
    pub(super) fn is_copy_of(&self, file: Stamp) -> bool {
        (self.octets, self.modified_ns) == (file.octets, file.modified_ns)
    }

    /// Whether an equal stamp later means that nothing happened in between.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.is_ok_and(|now| {
            let age_ns = i128::try_from(now.as_nanos()).unwrap_or(0) - self.changed_ns;
            age_ns >= SETTLED_AFTER.as_nanos() as i128
        })
    }
}

/// A directory of files.
pub(super) struct Room {
    /// As configured; errors name it so.
    path: PathBuf,
    /// Without symbolic links.
    real: PathBuf,
}

impl Room {
    pub(super) fn open(path: &Path) -> std::io::Result<Room> {
        Ok(Room {
            path: path.to_owned(),
            real: path.canonicalize()?,
        })
    }

    /// The octets of a file, what tells this state of it, and its date.
    pub(super) fn read(&self, name: &str) -> Result<(Vec<u8>, Stamp, SystemTime), IrrFault> {
        let file = self.open_file(name)?;
        let metadata = file.metadata().map_err(IrrFault::Read)?;
        if !metadata.is_file() {
            return Err(IrrFault::NotWithin);
        }
        let octets = read_all(&file, metadata.len())?;
        let stamp = Stamp::of(&metadata);
        let after = file.metadata().map_err(IrrFault::Read)?;
        if Stamp::of(&after) != stamp {
            return Err(IrrFault::Changing);
        }
        let date = metadata.modified().map_err(IrrFault::Read)?;
        Ok((octets, stamp, date))
    }

    /// Symbolic links within the directory are followed.
    fn open_file(&self, name: &str) -> Result<File, IrrFault> {
        let real = self.path.join(name).canonicalize();
        let real = real.map_err(IrrFault::Read)?;
        let within = real.starts_with(&self.real);
        let metadata = real.symlink_metadata().map_err(IrrFault::Read)?;
        if !within || !metadata.is_file() {
            return Err(IrrFault::NotWithin);
        }
        // It may have become something else since.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags);
        options.open(&real).map_err(IrrFault::Read)
    }
}

pub(super) fn read_all(file: &File, len: u64) -> Result<Vec<u8>, IrrFault> {
    let octets_max = FILE_OCTETS_MAX;
    let too_long = IrrFault::TooLong { octets_max };
    if len > octets_max {
        return Err(too_long);
    }
    let mut octets = Vec::with_capacity(len as usize);
    let count = file.take(octets_max + 1).read_to_end(&mut octets);
    match count.map_err(IrrFault::Read)? as u64 > octets_max {
        true => Err(too_long),
        false => Ok(octets),
    }
}
