//! What other programs are configured with, made into a configuration of Rialto: text to text. What
//! cannot be expressed becomes a [`Note`]; nothing is dropped without one.
//!
//! Owns the other programs' options and what they come to here. Does not know whether Rialto likes
//! the outcome (that is `rialto check`), nor where it is written to.

pub mod arouteserver;
mod document;
pub mod ixf;
mod notes;
mod section;
mod yaml;

pub use notes::{Note, NoteKind, Place, told};

use std::path::PathBuf;

/// What a configuration comes to.
#[derive(Debug)]
pub struct Adopted {
    /// TOML, headed by the notes.
    pub text: String,
    pub notes: Vec<Note>,
    pub client_count: usize,
    /// TCP MD5 keys, which are never part of the text.
    pub keys: Vec<SessionKey>,
}

/// The TCP MD5 key of a client, and the file that the configuration has it in.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    pub file: String,
    pub key: String,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKey({})", self.file)
    }
}

/// `AS64496`, `AS-FOO`, `AS64496:AS-FOO`, `RIPE::AS-FOO`: names are in capitals, sources as written
/// (RFC 2622 §2 and §5).
fn as_set(text: &str) -> Option<String> {
    let text = text.trim();
    let (source, name) = match text.split_once("::") {
        Some((source, name)) => (Some(source), name),
        None => (None, text),
    };
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let name = name.to_ascii_uppercase();
    let is_asn = |part: &str| {
        let digits = part.strip_prefix("AS").unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())
    };
    let is_set = |part: &str| {
        let rest = part.strip_prefix("AS-").unwrap_or_default();
        let is_end = |octet: &u8| octet.is_ascii_alphanumeric();
        rest.bytes().all(is_plain) && rest.as_bytes().last().is_some_and(is_end)
    };
    let is_good = is_asn(&name)
        || name.split(':').all(|part| is_asn(part) || is_set(part)) && name.split(':').any(is_set);
    let is_source = source.is_none_or(|source| !source.is_empty() && source.bytes().all(is_plain));
    (is_good && is_source).then(|| match source {
        Some(source) => format!("{source}::{name}"),
        None => name,
    })
}

/// Nothing useful could be read.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error("cannot read {}: {error}", file.display())]
    Read {
        file: PathBuf,
        error: std::io::Error,
    },
    #[error("{place}: cannot read {}: {error}", file.display())]
    Include {
        place: Place,
        file: PathBuf,
        error: std::io::Error,
    },
    #[error("{place}: is not YAML: {what}")]
    Yaml { place: Place, what: String },
    #[error("{file}: is not JSON: {error}")]
    Json {
        file: String,
        error: serde_json::Error,
    },
    #[error("{place}: {what}; {remedy}")]
    Useless {
        place: Place,
        what: String,
        remedy: String,
    },
}
