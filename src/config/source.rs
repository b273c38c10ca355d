//! The files of a configuration: the one that was named and those that it includes.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::outside::regular_file;

use super::problem::{Place, Problems};

/// One file, read.
#[derive(Debug)]
pub struct Source {
    pub file: PathBuf,
    pub text: String,
}

impl Source {
    /// Reads a file; what hinders is told about `asked_at`, or the file itself.
    pub fn read(file: &Path, asked_at: Option<&Place>, problems: &mut Problems) -> Option<Source> {
        let octets = regular_file::read(file, regular_file::OCTETS_MAX);
        let text = octets.and_then(|octets| {
            String::from_utf8(octets).map_err(|_| ErrorKind::InvalidData.into())
        });
        match text {
            Ok(text) => Some(Source {
                file: file.to_owned(),
                text,
            }),
            Err(error) => {
                let own = Place {
                    file: file.to_owned(),
                    line: 1,
                };
                let what = match error.kind() {
                    ErrorKind::InvalidData => format!("{} is no UTF-8 text", file.display()),
                    _ => format!("cannot read {}: {error}", file.display()),
                };
                let remedy = match error.kind() {
                    ErrorKind::NotFound => {
                        "name another with --config, or begin with what rialto check --reference prints"
                    }
                    ErrorKind::PermissionDenied => "run as a user who may read it",
                    ErrorKind::IsADirectory => "name a file in it",
                    ErrorKind::InvalidData => "is it the right file?",
                    _ => "",
                };
                let key = asked_at.map_or("", |_| "include");
                problems.error(asked_at.unwrap_or(&own), key, what, remedy);
                None
            }
        }
    }

    /// The place of an octet offset.
    pub fn place(&self, offset: usize) -> Place {
        let head = self
            .text
            .as_bytes()
            .get(..offset)
            .unwrap_or(self.text.as_bytes());
        let line = 1 + head.iter().filter(|octet| **octet == b'\n').count();
        Place {
            file: self.file.clone(),
            line: line as u32,
        }
    }

    /// The file's table, as far as it can be understood.
    pub fn parse(&self, problems: &mut Problems) -> DeTable<'_> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        for error in errors {
            let Range { start, end } = error.span().unwrap_or(0..0);
            let place = self.place(start);
            if error.message() == "duplicate key" {
                let what = "stands here a second time".to_owned();
                problems.error(
                    &place,
                    &self.key_at(start..end),
                    what,
                    "keep one of the two",
                );
                continue;
            }
            problems.error(&place, "", format!("not TOML: {}", error.message()), "");
        }
        table.into_inner()
    }

    /// The key in this range, with the section that it is in.
    fn key_at(&self, range: Range<usize>) -> String {
        let head = self.text.get(..range.end).unwrap_or_default();
        let key = self.text.get(range).unwrap_or_default();
        let mut lines = head.lines().rev();
        let header = |line: &str| {
            let inner = line.trim().strip_prefix('[')?.trim_start_matches('[');
            Some(inner.split(']').next().unwrap_or(inner).trim().to_owned())
        };
        // On the line itself, a header is not closed yet.
        match lines.next().and_then(header) {
            Some(own) => own,
            None => match lines.find_map(header) {
                Some(section) => format!("{section}.{key}"),
                None => key.to_owned(),
            },
        }
    }

    /// The folder that relative paths in this file start from.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// The files that `include` names, sorted within each pattern, each once.
    pub fn includes(&self, table: &DeTable<'_>, problems: &mut Problems) -> Vec<(PathBuf, Place)> {
        let Some((key, value)) = table.get_key_value("include") else {
            return Vec::new();
        };
        let place = self.place(key.span().start);
        let Some(patterns) = strings(value.get_ref()) else {
            let remedy = "write include = [\"clients.d/*.toml\"]";
            problems.error(
                &place,
                "include",
                "must be a list of file names".to_owned(),
                remedy,
            );
            return Vec::new();
        };
        let mut files = Vec::new();
        for (offset, pattern) in patterns {
            let place = self.place(offset);
            for file in self.expand(pattern, &place, problems) {
                if !files.iter().any(|(other, _)| *other == file) {
                    files.push((file, place.clone()));
                }
            }
        }
        files
    }

    fn expand(&self, pattern: &str, place: &Place, problems: &mut Problems) -> Vec<PathBuf> {
        let folder = glob::Pattern::escape(&self.folder().to_string_lossy());
        let whole = Path::new(&folder).join(pattern);
        let paths = match glob::glob(&whole.to_string_lossy()) {
            Ok(paths) => paths,
            Err(error) => {
                let what = format!("'{pattern}' is no file pattern: {error}");
                problems.error(place, "include", what, "");
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        let mut is_hindered = false;
        for path in paths {
            match path {
                // A link to nothing is told when it is read.
                Ok(path) if path.is_file() || path.metadata().is_err() => found.push(path),
                Ok(_) => {}
                Err(error) => {
                    is_hindered = true;
                    let what = format!("'{pattern}': {error}");
                    problems.error(place, "include", what, "let this user read it");
                }
            }
        }
        if found.is_empty() && !is_hindered {
            self.tell_no_match(pattern, place, problems);
        }
        found
    }

    /// A mistyped pattern, or a folder that is not mounted, takes all clients away that its files have.
    fn tell_no_match(&self, pattern: &str, place: &Place, problems: &mut Problems) {
        let remedy = "correct it, create such a file (it may be empty), or remove it; paths start from this file's folder";
        if !pattern.contains(WILDCARDS) {
            let what = format!("there is no file '{pattern}'");
            problems.error(place, "include", what, remedy);
            return;
        }
        let is_plain =
            |part: &&Component<'_>| !part.as_os_str().to_string_lossy().contains(WILDCARDS);
        let parts: Vec<_> = Path::new(pattern).components().collect();
        let named: PathBuf = parts[..parts.len() - 1]
            .iter()
            .take_while(is_plain)
            .collect();
        let what = match files_in(&self.folder().join(&named)) {
            None => format!(
                "'{pattern}' matches no file: there is no folder '{}'",
                named.display()
            ),
            Some(0) => format!("'{pattern}' matches no file: the folder is empty"),
            Some(_) => format!("'{pattern}' matches no file, and there are others in the folder"),
        };
        problems.error(place, "include", what, remedy);
    }
}

const WILDCARDS: [char; 3] = ['*', '?', '['];

/// How much there is in a folder beside hidden files; `None`: it is no folder.
fn files_in(folder: &Path) -> Option<usize> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let names = folder
        .read_dir()
        .ok()?
        .flatten()
        .map(|entry| entry.file_name());
    Some(
        names
            .filter(|name| !name.as_encoded_bytes().starts_with(b"."))
            .count(),
    )
}

fn strings<'a>(value: &'a DeValue<'_>) -> Option<Vec<(usize, &'a str)>> {
    value
        .as_array()?
        .iter()
        .map(|item| Some((item.span().start, item.get_ref().as_str()?)))
        .collect()
}
