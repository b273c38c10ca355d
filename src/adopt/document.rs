//! A configuration as text that people like to read: sections in the order of the reference, comments
//! beside what they are about.
//!
//! Owns the layout; does not know the keys but for the order of sections.

use std::fmt::Write;

use serde_json::Value as Json;

/// As `rialto check --reference` has them.
const SECTIONS: [&str; 18] = [
    "server",
    "cores",
    "api",
    "lists",
    "irr",
    "rpki",
    "rtt",
    "peeringdb",
    "blackhole",
    "communities",
    "defaults",
    "defaults.import",
    "defaults.irr",
    "defaults.limits",
    "defaults.limits.ipv4",
    "defaults.limits.ipv6",
    "defaults.attributes",
    "client",
];

/// Wider lists are broken: numbers to fill lines, other items to one each.
const WIDTH: usize = 100;

#[derive(Default)]
pub(super) struct Document {
    sections: Vec<(&'static str, Table)>,
    clients: Vec<Table>,
}

/// The keys of a section, in the order in which they were set.
#[derive(Default)]
pub(super) struct Table {
    lines: Vec<Line>,
    /// Why all of it is commented out, and until when.
    aside: Option<String>,
}

enum Line {
    Key {
        key: String,
        value: Value,
        comment: Option<String>,
    },
    Comment(String),
}

/// A value of TOML.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    /// As many decimals as it was given.
    Decimal(String),
    Bool(bool),
    List(Vec<Value>),
    /// A line for each item, with what is to be said about it.
    Lines(Vec<(Value, Option<String>)>),
    Inline(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Value {
        Value::Bool(is)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Number(number.into())
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl Document {
    /// Begun where it is not there yet.
    pub fn section(&mut self, name: &'static str) -> &mut Table {
        debug_assert!(SECTIONS.contains(&name), "{name}");
        let index = match self.sections.iter().position(|(other, _)| *other == name) {
            Some(index) => index,
            None => {
                self.sections.push((name, Table::default()));
                self.sections.len() - 1
            }
        };
        &mut self.sections[index].1
    }

    pub fn add_client(&mut self, client: Table) {
        self.clients.push(client);
    }

    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for name in SECTIONS {
            let tables = self.sections.iter().filter(|(other, _)| *other == name);
            for (_, table) in tables {
                let mut section = format!("[{name}]\n");
                table.write(&mut section);
                text += &match &table.aside {
                    None => section,
                    Some(why) => commented_out(why, &section),
                };
                text.push('\n');
            }
        }
        for client in &self.clients {
            text += "[[client]]\n";
            client.write(&mut text);
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    }
}

impl Table {
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.push(key, value.into(), None);
    }

    pub fn set_said(&mut self, key: &str, value: impl Into<Value>, comment: &str) {
        self.push(key, value.into(), Some(comment.to_owned()));
    }

    /// Where it is known.
    pub fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// It cannot be in force as it is: the section is commented out, under this remark.
    pub fn set_aside(&mut self, why: &str) {
        self.aside = Some(why.to_owned());
    }

    pub fn comment(&mut self, comment: impl Into<String>) {
        self.lines.push(Line::Comment(comment.into()));
    }

    fn push(&mut self, key: &str, value: Value, comment: Option<String>) {
        self.lines.push(Line::Key {
            key: key.to_owned(),
            value,
            comment,
        });
    }

    fn write(&self, text: &mut String) {
        for line in &self.lines {
            match line {
                Line::Comment(comment) => {
                    let _ = writeln!(text, "# {}", on_one_line(comment));
                }
                Line::Key {
                    key,
                    value,
                    comment,
                } => {
                    let comment = match comment {
                        Some(comment) => format!("  # {}", on_one_line(comment)),
                        None => String::new(),
                    };
                    let _ = writeln!(text, "{key} = {}{comment}", shown(value, key.len() + 3));
                }
            }
        }
    }
}

fn commented_out(why: &str, section: &str) -> String {
    let lines = section.lines().map(|line| format!("# {line}\n"));
    format!("# {}\n", on_one_line(why)) + &lines.collect::<String>()
}

/// What others wrote must not end a comment, nor be what TOML has no place for in one.
fn on_one_line(comment: &str) -> String {
    let words = comment.split(|letter: char| letter.is_control() || letter == ' ');
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn shown(value: &Value, column: usize) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Decimal(text) => text.clone(),
        Value::Bool(is) => is.to_string(),
        Value::Inline(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key} = {}", shown(value, 0)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Lines(items) => lines(items),
        Value::List(items) => {
            let flat = items.iter().map(|item| shown(item, 0)).collect::<Vec<_>>();
            let flat = format!("[{}]", flat.join(", "));
            if column + flat.chars().count() <= WIDTH {
                return flat;
            }
            if items.iter().all(|item| matches!(item, Value::Number(_))) {
                return filled(items);
            }
            let items = items.iter().map(|item| (item.clone(), None));
            lines(&items.collect::<Vec<_>>())
        }
    }
}

fn filled(items: &[Value]) -> String {
    let (mut text, mut column) = (String::from("["), WIDTH);
    for item in items {
        let item = shown(item, 0) + ",";
        let is_first = column + 1 + item.len() > WIDTH;
        let before = if is_first { "\n    " } else { " " };
        column = if is_first { 4 } else { column + 1 } + item.len();
        text = text + before + &item;
    }
    text + "\n]"
}

fn lines(items: &[(Value, Option<String>)]) -> String {
    if items.is_empty() {
        return "[]".to_owned();
    }
    let mut text = String::from("[\n");
    for (value, comment) in items {
        let _ = match comment {
            Some(comment) => {
                writeln!(text, "    {}, # {}", shown(value, 4), on_one_line(comment))
            }
            None => writeln!(text, "    {},", shown(value, 4)),
        };
    }
    text + "]"
}

/// A basic string of TOML; JSON's escapes are among TOML's, but that DEL must be escaped too.
fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007F")
}
