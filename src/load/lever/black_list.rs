//! A black list in the server's configuration file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::Prefix;

/// A black list is never empty, so that the checks of all clients change with it: what this covers
/// nobody announces.
const NOBODYS: &str = "192.0.2.0/24+";

/// The configuration file that the server was started with: a black list is put at its end, and taken
/// out again. It is as it was when this goes.
pub struct BlackList {
    file: PathBuf,
    without: String,
    with: String,
}

impl BlackList {
    pub fn new(file: &Path, list: &str) -> io::Result<BlackList> {
        let without = fs::read_to_string(file).map_err(|error| wrong(file, "read", &error))?;
        let with = format!("{}\n[lists]\nblack_list = [\n{list}]\n", without.trim_end());
        Ok(BlackList {
            file: file.to_owned(),
            without,
            with,
        })
    }

    /// The file says so, which the server does not know yet.
    pub fn write(&self, rejects: bool) -> io::Result<()> {
        let text = if rejects { &self.with } else { &self.without };
        let beside = self.file.with_extension("next");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, &self.file))
            .map_err(|error| wrong(&self.file, "change", &error))
    }
}

impl Drop for BlackList {
    fn drop(&mut self) {
        let _ = self.write(false);
    }
}

fn wrong(file: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::other(format!(
        "cannot {what} the server's configuration {}: {error}; see --server-config",
        file.display()
    ))
}

/// The lines of a black list.
pub fn black_list(prefixes: impl Iterator<Item = Prefix>, is_all: bool) -> String {
    if is_all {
        return format!("  \"{NOBODYS}\", \"0.0.0.0/0+\", \"::/0+\",\n");
    }
    let mut list = format!("  \"{NOBODYS}\",\n");
    for prefix in prefixes {
        list += &format!("  \"{prefix}\",\n");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_it_was_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rialto.toml");
        fs::write(&file, "[server]\nasn = 1\n").unwrap();
        let list = black_list(["20.1.0.0/24".parse().unwrap()].into_iter(), false);
        let black_list = BlackList::new(&file, &list).unwrap();
        black_list.write(true).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let end = "asn = 1\n[lists]\nblack_list = [\n  \"192.0.2.0/24+\",\n  \"20.1.0.0/24\",\n]\n";
        assert!(text.ends_with(end), "{text}");
        drop(black_list);
        assert_eq!(fs::read_to_string(&file).unwrap(), "[server]\nasn = 1\n");
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "nothing is left beside it");
    }
}
