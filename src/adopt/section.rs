//! Reading YAML with nothing lost: a [`Section`] knows which of its keys were asked for, and notes the
//! others; a [`Field`] that is not what it should be is noted and left out.

use std::cell::RefCell;
use std::net::IpAddr;
use std::str::FromStr;

use super::notes::{NoteKind, Notes, Place};
use super::yaml::{Content, Entry, Node};

/// A map; an empty one where there is none.
pub(super) struct Section<'a> {
    entries: &'a [Entry],
    pub path: String,
    pub place: Place,
    pub notes: &'a Notes,
    asked: RefCell<Vec<&'static str>>,
}

/// A value that is there, not null nor blank.
#[derive(Clone)]
pub(super) struct Field<'a> {
    node: &'a Node,
    pub path: String,
    pub place: Place,
    pub notes: &'a Notes,
}

impl<'a> Section<'a> {
    /// Noted, where the node is something else than a map.
    pub fn of(node: &'a Node, path: &str, notes: &'a Notes) -> Section<'a> {
        Section::at(node, path, node.place.clone(), notes)
    }

    fn at(node: &'a Node, path: &str, place: Place, notes: &'a Notes) -> Section<'a> {
        let entries = match &node.content {
            Content::Map(entries) => entries.as_slice(),
            Content::Null => &[],
            Content::Scalar(_) | Content::List(_) => {
                notes.add(
                    NoteKind::NotUnderstood,
                    path,
                    &place,
                    "must have keys of its own",
                );
                &[]
            }
        };
        Section {
            entries,
            path: path.to_owned(),
            place,
            notes,
            asked: RefCell::default(),
        }
    }

    pub fn child(&self, key: &'static str) -> Section<'a> {
        let path = self.path_of(key);
        match self.entry(key) {
            Some(entry) => Section::at(&entry.value, &path, entry.place.clone(), self.notes),
            None => Section {
                entries: &[],
                path,
                place: self.place.clone(),
                notes: self.notes,
                asked: RefCell::default(),
            },
        }
    }

    pub fn field(&self, key: &'static str) -> Option<Field<'a>> {
        let entry = self.entry(key)?;
        let is_blank = match &entry.value.content {
            Content::Null => true,
            Content::Scalar(text) => text.trim().is_empty(),
            Content::List(_) | Content::Map(_) => false,
        };
        (!is_blank).then(|| self.field_of(entry))
    }

    pub fn bool(&self, key: &'static str) -> Option<bool> {
        self.field(key)?.bool()
    }

    pub fn number(&self, key: &'static str) -> Option<u64> {
        self.field(key)?.number()
    }

    /// All keys, for those that are names chosen by whoever wrote the file.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + '_ {
        self.entries
            .iter()
            .map(|entry| (entry.key.as_str(), self.field_of(entry)))
    }

    /// Takes an option that needs no word.
    pub fn pass(&self, key: &'static str) {
        self.asked.borrow_mut().push(key);
    }

    /// Notes the keys that nobody asked for.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        for entry in self.entries {
            if !asked.contains(&entry.key.as_str()) {
                let path = self.path_of(&entry.key);
                let why = "arouteserver has no such option: misspelt?";
                self.notes
                    .add(NoteKind::NotUnderstood, &path, &entry.place, why);
            }
        }
    }

    /// Of a key given twice the last counts.
    fn entry(&self, key: &'static str) -> Option<&'a Entry> {
        self.pass(key);
        let mut given = self.entries.iter().filter(|entry| entry.key == key).rev();
        let last = given.next()?;
        if let Some(first) = given.next() {
            let why = format!("given again ({}): the last one counts", last.place);
            let path = self.path_of(key);
            self.notes
                .add(NoteKind::NotUnderstood, &path, &first.place, why);
        }
        Some(last)
    }

    fn field_of(&self, entry: &'a Entry) -> Field<'a> {
        Field {
            node: &entry.value,
            path: self.path_of(&entry.key),
            place: entry.place.clone(),
            notes: self.notes,
        }
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

impl<'a> Field<'a> {
    pub fn note(&self, kind: NoteKind, why: impl Into<String>) {
        self.notes.add(kind, &self.path, &self.place, why);
    }

    /// `None`, noted.
    pub fn refuse<T>(&self, expected: &str) -> Option<T> {
        let given = match &self.node.content {
            Content::Scalar(text) => format!("\"{text}\" is not"),
            Content::Null => "it is empty, not".to_owned(),
            Content::List(_) => "it is a list, not".to_owned(),
            Content::Map(_) => "it has keys of its own, it is not".to_owned(),
        };
        self.note(NoteKind::NotUnderstood, format!("{given} {expected}"));
        None
    }

    pub fn is_map(&self) -> bool {
        matches!(self.node.content, Content::Map(_))
    }

    pub fn section(&self) -> Section<'a> {
        self.section_at(&self.path)
    }

    /// Under another path.
    pub fn section_at(&self, path: &str) -> Section<'a> {
        Section::at(self.node, path, self.place.clone(), self.notes)
    }

    pub fn scalar(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar(text) => Some(text.trim()),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        self.scalar().or_else(|| self.refuse("a text"))
    }

    /// As YAML 1.1 and arouteserver have it.
    pub fn bool(&self) -> Option<bool> {
        let word = self.scalar().unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "f" | "0" => Some(false),
            _ => self.refuse("True or False"),
        }
    }

    pub fn number(&self) -> Option<u64> {
        self.parsed("a number")
    }

    pub fn address(&self) -> Option<IpAddr> {
        self.parsed("an address")
    }

    pub fn parsed<T: FromStr>(&self, expected: &str) -> Option<T> {
        let parsed = self.scalar().and_then(|text| text.parse().ok());
        parsed.or_else(|| self.refuse(expected))
    }

    pub fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let word = self.scalar().unwrap_or_default();
        let chosen = choices.iter().find(|(name, _)| *name == word);
        chosen.map(|(_, choice)| *choice).or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.refuse(&format!("one of {}", names.join(", ")))
        })
    }

    /// The items of a list; a single value is a list of one.
    pub fn list(&self) -> Vec<Field<'a>> {
        let nodes = match &self.node.content {
            Content::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(self.node),
        };
        let item = |node: &'a Node| Field {
            node,
            path: self.path.clone(),
            place: node.place.clone(),
            notes: self.notes,
        };
        nodes.iter().map(item).collect()
    }

    pub fn asns(&self) -> Vec<u32> {
        self.numbers("an ASN")
    }

    /// A list of numbers, or a text of them with commas between.
    pub fn numbers(&self, what: &str) -> Vec<u32> {
        let mut numbers = Vec::new();
        for item in self.list() {
            let words = item.scalar().unwrap_or_default().split(',').map(str::trim);
            for word in words.filter(|word| !word.is_empty()) {
                match word.parse() {
                    Ok(number @ 1..) => numbers.push(number),
                    _ => item.note(NoteKind::NotUnderstood, format!("\"{word}\" is not {what}")),
                }
            }
        }
        numbers
    }
}
