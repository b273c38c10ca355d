//! What is wrong with a configuration: each finding with its file, line, key and remedy.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Where something stands in the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Place {
    pub file: PathBuf,
    /// From 1.
    pub line: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but it is likely not what was meant.
    Warning,
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    pub severity: Severity,
    pub place: Place,
    /// Dotted, as in `client.import.next_hop`; empty where the finding is about the whole file.
    pub key: String,
    pub what: String,
    /// What to do about it; empty where the finding says it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}:{}: {severity}: ",
            self.place.file.display(),
            self.place.line
        )?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Everything that is wrong, in the order of files and lines.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn push(
        &mut self,
        severity: Severity,
        place: Place,
        key: &str,
        what: String,
        remedy: &str,
    ) {
        self.0.push(Problem {
            severity,
            place,
            key: key.to_owned(),
            what,
            remedy: remedy.to_owned(),
        });
    }

    pub fn error(&mut self, place: &Place, key: &str, what: String, remedy: &str) {
        self.push(Severity::Error, place.clone(), key, what, remedy);
    }

    pub fn warning(&mut self, place: &Place, key: &str, what: String, remedy: &str) {
        self.push(Severity::Warning, place.clone(), key, what, remedy);
    }

    pub fn has_errors(&self) -> bool {
        self.error_count() > 0
    }

    pub fn error_count(&self) -> usize {
        self.0
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By line within each file; files stay in the order in which `files` names them.
    pub(super) fn sort(&mut self, files: &[PathBuf]) {
        let rank = |problem: &Problem| files.iter().position(|file| *file == problem.place.file);
        self.0
            .sort_by_key(|problem| (rank(problem), problem.place.line));
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
