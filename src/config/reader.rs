//! Reads typed values out of one TOML table. Every key that was asked for is known; what is left
//! over is an error with the nearest known key. Nothing stops at the first problem.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problems};
use super::source::Source;

/// One table with the way to it.
pub struct Reader<'a> {
    table: &'a DeTable<'a>,
    source: &'a Source,
    /// Dotted, empty at the top.
    path: String,
    place: Place,
    problems: &'a RefCell<Problems>,
    known: RefCell<Vec<&'static str>>,
}

/// One value with its place.
pub struct Entry<'a> {
    value: &'a Spanned<DeValue<'a>>,
    source: &'a Source,
    key: String,
    problems: &'a RefCell<Problems>,
}

/// A limit that can be switched off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    Of(u32),
    None,
}

impl Limit {
    pub fn max(self) -> Option<u32> {
        match self {
            Limit::Of(max) => Some(max),
            Limit::None => None,
        }
    }
}

impl<'a> Reader<'a> {
    pub fn top(
        table: &'a DeTable<'a>,
        source: &'a Source,
        problems: &'a RefCell<Problems>,
    ) -> Reader<'a> {
        let place = source.place(0);
        Reader {
            table,
            source,
            path: String::new(),
            place,
            problems,
            known: RefCell::default(),
        }
    }

    /// The table's header, or the value that is the table.
    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn source(&self) -> &'a Source {
        self.source
    }

    pub fn error(&self, what: String, remedy: &str) {
        self.problems
            .borrow_mut()
            .error(&self.place, &self.path, what, remedy);
    }

    /// About one key, or the table where the key is not there.
    pub fn error_at(&self, key: &str, what: String, remedy: &str) {
        let found = self.table.get_key_value(key);
        let place = found.map_or_else(
            || self.place.clone(),
            |(key, _)| self.source.place(key.span().start),
        );
        self.problems
            .borrow_mut()
            .error(&place, &self.key(key), what, remedy);
    }

    /// Where the last part of the way to a key stands that is there.
    pub fn place_of(&self, way: &[&str]) -> Option<Place> {
        let mut table = self.table;
        let mut place = None;
        for key in way {
            let Some((key, value)) = table.get_key_value(*key) else {
                break;
            };
            place = Some(self.source.place(key.span().start));
            match value.get_ref().as_table() {
                Some(inner) => table = inner,
                None => break,
            }
        }
        place
    }

    /// What stands at the end of a way, and where.
    pub fn written(&self, way: &[&str]) -> Option<Written<'a>> {
        written(self.source, self.table, way)
    }

    /// The same in each table of a list, with where that one stands.
    pub fn written_in_each(
        &self,
        list: &str,
        way: &[&str],
    ) -> impl Iterator<Item = (Place, Written<'a>)> {
        let items = self
            .table
            .get(list)
            .and_then(|list| list.get_ref().as_array());
        let found = move |item: &'a Spanned<DeValue<'a>>| {
            let written = written(self.source, item.get_ref().as_table()?, way)?;
            Some((self.source.place(item.span().start), written))
        };
        items.into_iter().flatten().filter_map(found)
    }

    pub fn is_empty_list(&self, key: &str) -> bool {
        self.table
            .get(key)
            .and_then(|value| value.get_ref().as_array())
            .is_some_and(|items| items.is_empty())
    }

    /// A value that must be there; `example` is how it may be written.
    pub fn required<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl Fn(&Entry<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.entry(key) {
            Some(entry) => read(&entry),
            None => {
                let remedy = format!("write {key} = {example}, with your own value");
                self.error_at(key, "is missing".to_owned(), &remedy);
                None
            }
        }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub fn entry(&self, key: &'static str) -> Option<Entry<'a>> {
        self.known.borrow_mut().push(key);
        let value = self.table.get(key)?;
        Some(Entry {
            value,
            source: self.source,
            key: self.key(key),
            problems: self.problems,
        })
    }

    /// All entries of a table whose keys are the operator's own.
    pub fn entries(&self) -> Vec<(&'a str, Entry<'a>)> {
        let entry = |(key, value): (
            &'a Spanned<std::borrow::Cow<'a, str>>,
            &'a Spanned<DeValue<'a>>,
        )| {
            let key: &'a str = key.get_ref();
            let entry = Entry {
                value,
                source: self.source,
                key: self.key(key),
                problems: self.problems,
            };
            (key, entry)
        };
        self.table.iter().map(entry).collect()
    }

    pub fn bool(&self, key: &'static str) -> Option<bool> {
        let entry = self.entry(key)?;
        let value = entry.value.get_ref().as_bool();
        value.or_else(|| entry.expected("true or false"))
    }

    pub fn string(&self, key: &'static str) -> Option<(&'a str, Entry<'a>)> {
        let entry = self.entry(key)?;
        match entry.value.get_ref().as_str() {
            Some(text) => Some((text, entry)),
            None => entry.expected("a string"),
        }
    }

    pub fn integer<T: TryFrom<i128> + Display + Copy>(
        &self,
        key: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        i128: From<T>,
    {
        self.entry(key)?.integer(range)
    }

    /// An integer, or "none".
    pub fn limit(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<Limit> {
        let entry = self.entry(key)?;
        match entry.value.get_ref().as_str() {
            Some("none") => Some(Limit::None),
            Some(_) => entry.expected("a number or \"none\""),
            None => entry.integer(range).map(Limit::Of),
        }
    }

    pub fn one_of<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        self.entry(key)?.one_of(choices)
    }

    /// A list, or a single value in its place. Items that cannot be read are left out and told.
    pub fn list<T>(
        &self,
        key: &'static str,
        read: impl Fn(&Entry<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let entry = self.entry(key)?;
        let Some(items) = entry.value.get_ref().as_array() else {
            return Some(read(&entry).into_iter().collect());
        };
        Some(
            items
                .iter()
                .filter_map(|value| read(&entry.item(value)))
                .collect(),
        )
    }

    pub fn table(&self, key: &'static str) -> Option<Reader<'a>> {
        let entry = self.entry(key)?;
        match entry.value.get_ref().as_table() {
            Some(table) => Some(self.inner(key, table, entry.place())),
            None => entry.expected(&format!("a table, as in [{}]", entry.key)),
        }
    }

    /// The tables of `[[key]]`.
    pub fn tables(&self, key: &'static str) -> Vec<Reader<'a>> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let form = format!("a list of tables, as in [[{}]]", entry.key);
        let Some(items) = entry.value.get_ref().as_array() else {
            return entry.expected(&form).unwrap_or_default();
        };
        let table = |value: &'a Spanned<DeValue<'a>>| {
            let item = entry.item(value);
            match value.get_ref().as_table() {
                Some(table) => Some(self.inner(key, table, item.place())),
                None => item.expected(&form),
            }
        };
        items.iter().filter_map(table).collect()
    }

    fn inner(&self, key: &str, table: &'a DeTable<'a>, place: Place) -> Reader<'a> {
        let known = RefCell::default();
        Reader {
            table,
            source: self.source,
            path: self.key(key),
            place,
            problems: self.problems,
            known,
        }
    }

    /// Tells what was never asked for.
    pub fn finish(self) {
        self.tell_unknown();
    }

    pub fn tell_unknown(&self) {
        let known = self.known.borrow();
        for (key, _) in self.table.iter() {
            if known.iter().any(|name| *name == key.get_ref().as_ref()) {
                continue;
            }
            let remedy = match nearest(key.get_ref(), &known) {
                Some(name) => format!("did you mean '{name}'?"),
                None => format!("known keys here: {}", known.join(", ")),
            };
            let place = self.source.place(key.span().start);
            self.problems.borrow_mut().error(
                &place,
                &self.key(key.get_ref()),
                "unknown key".to_owned(),
                &remedy,
            );
        }
    }
}

/// A value as it is written, with where its key stands.
pub type Written<'a> = (Place, &'a DeValue<'a>);

fn written<'a>(source: &Source, table: &'a DeTable<'a>, way: &[&str]) -> Option<Written<'a>> {
    let (key, rest) = way.split_first()?;
    let (key, value) = table.get_key_value(*key)?;
    match rest {
        [] => Some((source.place(key.span().start), value.get_ref())),
        rest => written(source, value.get_ref().as_table()?, rest),
    }
}

impl<'a> Entry<'a> {
    pub fn place(&self) -> Place {
        self.source.place(self.value.span().start)
    }

    pub fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    pub fn error(&self, what: String, remedy: &str) {
        self.problems
            .borrow_mut()
            .error(&self.place(), &self.key, what, remedy);
    }

    pub fn warning(&self, what: String, remedy: &str) {
        self.problems
            .borrow_mut()
            .warning(&self.place(), &self.key, what, remedy);
    }

    fn item(&self, value: &'a Spanned<DeValue<'a>>) -> Entry<'a> {
        Entry {
            value,
            source: self.source,
            key: self.key.clone(),
            problems: self.problems,
        }
    }

    /// Tells that something else was expected.
    pub fn expected<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(text) => format!("\"{text}\""),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            other => format!("a value of type {}", other.type_str()),
        };
        let remedy = match self.value.get_ref() {
            DeValue::String(text) if is_unquoted(text, expected) => "write it without quotes",
            DeValue::Integer(_) | DeValue::Float(_) if expected.contains('"') => {
                "write it in quotes"
            }
            _ => "",
        };
        self.error(format!("must be {expected}, and is {found}"), remedy);
        None
    }

    pub fn integer<T: TryFrom<i128> + Display + Copy>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        i128: From<T>,
    {
        let (min, max) = (*range.start(), *range.end());
        let number = self.value.get_ref().as_integer();
        let number =
            number.and_then(|number| i128::from_str_radix(number.as_str(), number.radix()).ok());
        let within = number.filter(|number| (i128::from(min)..=i128::from(max)).contains(number));
        let value = within.and_then(|number| T::try_from(number).ok());
        value.or_else(|| self.expected(&format!("a number from {min} to {max}")))
    }

    pub fn parsed<T: FromStr>(&self, expected: &str) -> Option<T> {
        let value = self
            .value
            .get_ref()
            .as_str()
            .and_then(|text| text.parse().ok());
        value.or_else(|| self.expected(expected))
    }

    pub fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.value.get_ref().as_str();
        let found = choices.iter().find(|(name, _)| Some(*name) == text);
        found.map(|(_, value)| *value).or_else(|| {
            let names = choices
                .iter()
                .map(|(name, _)| format!("\"{name}\""))
                .collect::<Vec<_>>();
            self.expected(&names.join(" or "))
        })
    }
}

/// Whether what stands in quotes is of the kind that is expected.
fn is_unquoted(text: &str, expected: &str) -> bool {
    expected.starts_with("a number") && text.parse::<i64>().is_ok()
        || expected.starts_with("true or false") && text.parse::<bool>().is_ok()
}

/// The known key that is likely meant.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let scored = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), *name));
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.len() / 4).then_some(name)
}
