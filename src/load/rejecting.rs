//! Where the server learns that a share of the routes is to be rejected, and then no more. Knows the
//! server's files; who announces what is the plan's, and what follows from it the model's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::control::Asked;
use crate::base::Prefix;

/// A black list is never empty, so that the checks of all clients change with it: what this covers
/// nobody announces.
const NOBODYS: &str = "192.0.2.0/24+";

/// The configuration file that the server was started with: a black list is put at its end, and taken
/// out again. It is as it was when this goes.
pub struct BlackList {
    file: PathBuf,
    control: PathBuf,
    without: String,
    with: String,
}

impl BlackList {
    pub fn new(file: &Path, control: Option<&Path>, list: &str) -> io::Result<BlackList> {
        let without = fs::read_to_string(file).map_err(|error| wrong(file, "read", &error))?;
        let with = format!("{}\n[lists]\nblack_list = [\n{list}]\n", without.trim_end());
        let beside = || file.with_file_name("rialto.sock");
        Ok(BlackList {
            file: file.to_owned(),
            control: control.map_or_else(beside, Path::to_owned),
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

    pub fn tell(&self) -> io::Result<Asked> {
        Asked::reload(&self.control)
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

/// Every `1 / share`th number from 0 on, as far as there are `count`.
pub fn is_rejected(number: usize, share: f64) -> bool {
    let below = |number: usize| (number as f64 * share) as usize;
    below(number + 1) > below(number)
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
    fn a_share_is_spread_evenly() {
        let cases = [(0.0, 0), (0.01, 10), (0.1, 100), (0.5, 500), (1.0, 1000)];
        for (share, expected) in cases {
            let rejected: Vec<usize> = (0..1000).filter(|&i| is_rejected(i, share)).collect();
            assert_eq!(rejected.len(), expected, "{share}");
            let far = rejected.windows(2).map(|pair| pair[1] - pair[0]).max();
            let far = far.unwrap_or(1) as f64;
            assert!(share == 0.0 || far <= 1.0 / share + 1.0, "{share}: {far}");
        }
    }

    #[test]
    fn the_file_is_as_it_was_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rialto.toml");
        fs::write(&file, "[server]\nasn = 1\n").unwrap();
        let list = black_list(["20.1.0.0/24".parse().unwrap()].into_iter(), false);
        let black_list = BlackList::new(&file, None, &list).unwrap();
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
