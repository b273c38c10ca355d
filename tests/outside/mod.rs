//! Data from elsewhere: what files say, and what is used when they say nothing good.

mod irr_clients;
mod irr_copies;
mod irr_files;
mod irr_last_good;
mod irr_store;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rialto::outside::irr::{IrrProblem, IrrReport, IrrStore};
use rialto::policy::IrrSet;
use tempfile::TempDir;

/// A directory of IRR files, one for copies, and a store over them.
pub struct Irr {
    folder: TempDir,
    pub store: IrrStore,
    names: BTreeSet<String>,
    has_state: bool,
    /// Virtual, and ahead of the files' dates: whatever is written seems settled.
    pub now: SystemTime,
}

impl Irr {
    pub fn new(names: &[&str], has_state: bool) -> Irr {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("irr")).unwrap();
        #[allow(clippy::disallowed_methods, reason = "files have dates by the clock")]
        let now = SystemTime::now() + Duration::from_secs(60);
        let store = IrrStore::new(PathBuf::new(), None);
        let mut irr = Irr {
            folder,
            store,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            has_state,
            now,
        };
        irr.restart();
        irr
    }

    /// As if the server was started again.
    pub fn restart(&mut self) {
        let state = self.has_state.then(|| self.path("state"));
        self.store = IrrStore::new(self.path("irr"), state);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path("irr").join(name)
    }

    pub fn copy(&self, name: &str) -> PathBuf {
        self.path("state").join(format!("{name}.last-good"))
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).unwrap();
    }

    pub fn refresh(&mut self) -> IrrReport {
        self.store.refresh(&self.names, self.now)
    }

    /// Writes the copies that the last refresh calls for. What went wrong.
    pub fn keep_copies(&mut self) -> Option<IrrProblem> {
        let mut copying = self.store.to_copy();
        while copying.step() {}
        self.store.handle_copied(&copying);
        copying.problem()
    }

    /// A refresh after which all is well, and what it found in force.
    pub fn good(&mut self) -> IrrReport {
        let report = self.refresh();
        assert_eq!(report.problems, []);
        assert_eq!(self.keep_copies(), None);
        report
    }

    /// The only set there is, after a refresh with problems.
    pub fn bad(&mut self) -> (Option<Arc<IrrSet>>, Vec<String>) {
        let report = self.refresh();
        assert!(!report.problems.is_empty());
        let problems = report.problems.iter().map(|problem| problem.to_string());
        (report.sets.into_values().next(), problems.collect())
    }
}

/// What bgpq4 writes of prefixes.
pub fn prefixes(prefixes: &[&str]) -> String {
    let entry = |prefix: &&str| {
        let prefix = prefix.replace('/', "\\/");
        format!("\n    {{ \"prefix\": \"{prefix}\", \"exact\": true }}")
    };
    let entries: Vec<String> = prefixes.iter().map(entry).collect();
    format!("{{ \"NN\": [{}\n] }}\n", entries.join(","))
}

/// What bgpq4 writes of ASNs.
pub fn origins(asns: &[u32]) -> String {
    let asns: Vec<String> = asns.iter().map(u32::to_string).collect();
    format!("{{\"NN\": [\n  {}\n]}}\n", asns.join(","))
}

/// Prefixes and origins of a set, in one line.
pub fn shown(set: &IrrSet) -> String {
    let prefixes: Vec<String> = set.prefixes.iter().map(|range| range.to_string()).collect();
    format!("{} {:?}", prefixes.join(" "), set.origins())
}
