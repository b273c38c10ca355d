//! What could not be taken over as it was: collected while reading, listed on top of the output.
//!
//! Owns the words and the order of the list; does not know the options.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Where in the source something stands. The file's name only: outputs do not hang on folders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: Rc<str>,
    /// From 1; `None` where the format has no lines to speak of.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// In the order in which they are listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NoteKind {
    /// Rialto does not do this.
    Missing,
    /// It does, in another way.
    Differs,
    /// It needs something that the source does not say.
    ToDo,
    /// A key or value that the other program would refuse.
    NotUnderstood,
}

impl NoteKind {
    const ALL: [NoteKind; 4] = [
        NoteKind::Missing,
        NoteKind::Differs,
        NoteKind::ToDo,
        NoteKind::NotUnderstood,
    ];

    const fn heading(self) -> &'static str {
        match self {
            NoteKind::Missing => "Cannot be expressed:",
            NoteKind::Differs => "Done in another way:",
            NoteKind::ToDo => "Left to do by hand:",
            NoteKind::NotUnderstood => "Not understood, and left out:",
        }
    }
}

/// An option that was not simply taken over, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    pub kind: NoteKind,
    /// Its path in the source, such as `cfg.path_hiding`.
    pub option: String,
    /// All the places where the same is to be said.
    pub places: Vec<Place>,
    pub why: String,
}

/// More places than these are counted.
const PLACES_SHOWN: usize = 12;

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.option)?;
        let mut before: Option<&Place> = None;
        for place in self.places.iter().take(PLACES_SHOWN) {
            match (before, place.line) {
                (None, _) => write!(f, "{place}")?,
                (Some(before), Some(line)) if before.file == place.file => write!(f, ", {line}")?,
                (Some(_), _) => write!(f, ", {place}")?,
            }
            before = Some(place);
        }
        if let Some(more @ 1..) = self.places.len().checked_sub(PLACES_SHOWN) {
            write!(f, " and {more} more")?;
        }
        write!(f, "): {}", self.why)
    }
}

/// What is noted while a source is read.
#[derive(Default)]
pub(super) struct Notes {
    all: RefCell<Vec<Note>>,
}

impl Notes {
    /// The same said of the same option at several places is one note.
    pub fn add(&self, kind: NoteKind, option: &str, place: &Place, why: impl Into<String>) {
        let (mut all, why) = (self.all.borrow_mut(), why.into());
        let same = |note: &&mut Note| note.kind == kind && note.option == option && note.why == why;
        if let Some(note) = all.iter_mut().find(same) {
            if !note.places.contains(place) {
                note.places.push(place.clone());
            }
            return;
        }
        all.push(Note {
            kind,
            option: option.to_owned(),
            places: vec![place.clone()],
            why,
        });
    }

    /// By kind, else as they were read.
    pub fn finish(self) -> Vec<Note> {
        let mut all = self.all.into_inner();
        all.sort_by_key(|note| note.kind);
        all
    }
}

const WIDTH: usize = 100;

/// The list, each line begun with `margin`; empty without notes.
pub fn told(notes: &[Note], margin: &str) -> String {
    let mut text = String::new();
    for kind in NoteKind::ALL {
        let mut of_kind = notes.iter().filter(|note| note.kind == kind).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        text += &format!("{margin}{}\n", kind.heading());
        for note in of_kind {
            text += &broken(&note.to_string(), margin);
        }
    }
    text
}

/// Broken at spaces, continued under itself.
fn broken(note: &str, margin: &str) -> String {
    let (mut text, mut column) = (format!("{margin}  -"), margin.len() + 3);
    for word in note.split_whitespace() {
        let len = word.chars().count();
        if column + 1 + len > WIDTH && column > margin.len() + 3 {
            text += &format!("\n{margin}   ");
            column = margin.len() + 3;
        }
        text.push(' ');
        text += word;
        column += 1 + len;
    }
    text.push('\n');
    text
}
