//! The IRR files that the server reads, in two states that are made beforehand: a turn takes no time to
//! write them, and no writing goes on behind it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::load::outside::Entries;
use crate::load::plan::Plan;

pub struct IrrFiles {
    folder: PathBuf,
    /// By whether what is to be rejected is missing.
    states: [PathBuf; 2],
    current: bool,
}

impl IrrFiles {
    /// `folder` holds the files of this plan that let all pass, with so many entries for each client.
    pub fn new(
        folder: &Path,
        plan: &Plan,
        count: usize,
        is_rejected: impl Fn(u32) -> bool,
    ) -> io::Result<IrrFiles> {
        let beside = |state: &str| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            folder.with_file_name(format!("{name}-{state}"))
        };
        let states = [beside("accepts"), beside("rejects")];
        let entries = Entries::of(plan, count);
        entries.write(&states[0], plan, |_| false, false)?;
        entries.write(&states[1], plan, is_rejected, true)?;
        Ok(IrrFiles {
            folder: folder.to_owned(),
            states,
            current: false,
        })
    }

    /// Each file by a rename, as those do who write them.
    pub fn put(&mut self, rejects: bool) -> io::Result<()> {
        if rejects == self.current {
            return Ok(());
        }
        let beside = self.folder.join("next");
        for entry in fs::read_dir(&self.states[usize::from(rejects)])? {
            let file = entry?;
            fs::hard_link(file.path(), &beside)?;
            fs::rename(&beside, self.folder.join(file.file_name()))?;
        }
        self.current = rejects;
        Ok(())
    }
}

impl Drop for IrrFiles {
    fn drop(&mut self) {
        let _ = self.put(false);
        for state in &self.states {
            let _ = fs::remove_dir_all(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::outside::tests::small;
    use crate::load::outside::write_irr;

    #[test]
    fn the_files_are_one_state_or_the_other_and_in_the_end_what_they_were() {
        let plan = small();
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("irr");
        write_irr(&folder, &plan, 100).unwrap();
        let all = || -> Vec<(String, String)> {
            let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap());
            let mut all: Vec<_> = files
                .map(|file| {
                    let name = file.file_name().into_string().unwrap();
                    (name, fs::read_to_string(file.path()).unwrap())
                })
                .collect();
            all.sort();
            all
        };
        let before = all();
        let mut files = IrrFiles::new(&folder, &plan, 100, |prefix| prefix % 2 == 1).unwrap();
        for rejects in [true, true, false, true] {
            files.put(rejects).unwrap();
            assert_eq!(all() == before, !rejects);
            assert_eq!(all().len(), before.len());
        }
        drop(files);
        assert_eq!(all(), before);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
