//! YAML files as trees whose every value knows its place, with the two things that arouteserver does
//! before: lines `!include FILE`, and `${NAME}` from the environment.
//!
//! Owns files, lines, anchors and merge keys; does not know what the keys mean.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::AdoptError;
use super::notes::Place;

const DEPTH_MAX: usize = 64;
const INCLUDES_MAX: usize = 16;

/// Aliases can make a small file large without end.
const NODES_MAX: usize = 1_000_000;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub struct Node {
    pub place: Place,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    /// Nothing, `~` or `null`.
    Null,
    /// As written: what it is, is up to whoever reads it.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    /// Of the key: a value may begin a line later.
    pub place: Place,
    pub value: Node,
}

/// Where `${NAME}` comes from.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What was read: the tree, and the names that were taken from the environment.
pub struct Yaml {
    pub root: Node,
    pub variables: Vec<(String, Place)>,
}

pub fn read(file: &Path, environment: Environment<'_>) -> Result<Yaml, AdoptError> {
    let mut lines = Lines {
        environment,
        text: String::new(),
        places: Vec::new(),
        variables: Vec::new(),
    };
    let text = std::fs::read_to_string(file).map_err(|error| AdoptError::Read {
        file: file.to_owned(),
        error,
    })?;
    lines.take(file, &text, 0)?;
    let root = Tree::new(&lines, file).read()?;
    Ok(Yaml {
        root,
        variables: lines.variables,
    })
}

/// A file's name as it is shown.
pub fn shown(file: &Path) -> Rc<str> {
    match file.file_name() {
        Some(name) => name.to_string_lossy().into(),
        None => file.to_string_lossy().into(),
    }
}

/// All lines of a file and of those it includes, each with its place.
struct Lines<'a> {
    environment: Environment<'a>,
    text: String,
    places: Vec<Place>,
    variables: Vec<(String, Place)>,
}

impl Lines<'_> {
    fn take(&mut self, file: &Path, text: &str, depth: usize) -> Result<(), AdoptError> {
        let name = shown(file);
        for (index, line) in text.lines().enumerate() {
            let place = Place {
                file: name.clone(),
                line: Some(index + 1),
            };
            match line.trim().strip_prefix("!include") {
                Some(included) if depth < INCLUDES_MAX => {
                    self.include(file, included.trim(), place, depth)?;
                }
                Some(_) => {
                    let what = "files include each other without end".to_owned();
                    return Err(AdoptError::Yaml { place, what });
                }
                None => {
                    let line = self.expand(line, &place);
                    self.text += &line;
                    self.text.push('\n');
                    self.places.push(place);
                }
            }
        }
        Ok(())
    }

    /// Paths start from the folder of the file that includes.
    fn include(
        &mut self,
        file: &Path,
        included: &str,
        place: Place,
        depth: usize,
    ) -> Result<(), AdoptError> {
        let included: PathBuf = file.with_file_name("").join(included);
        match std::fs::read_to_string(&included) {
            Ok(text) => self.take(&included, &text, depth + 1),
            Err(error) => Err(AdoptError::Include {
                place,
                file: included,
                error,
            }),
        }
    }

    /// `$NAME` and `${NAME}`; of unknown ones, the second form is nothing and the first itself.
    fn expand(&mut self, line: &str, place: &Place) -> String {
        let (mut expanded, mut rest) = (String::new(), line);
        while let Some((before, after)) = rest.split_once('$') {
            expanded += before;
            let braced = after
                .strip_prefix('{')
                .and_then(|text| text.split_once('}'));
            let (name, tail) = match braced {
                Some((name, tail)) if is_name(name) => (name, tail),
                _ => after.split_at(after.find(is_no_part_of_name).unwrap_or(after.len())),
            };
            match (self.environment)(name).filter(|_| is_name(name)) {
                Some(value) => expanded += &value,
                None if after.starts_with('{') && is_name(name) => {}
                None => {
                    expanded.push('$');
                    expanded += name;
                    rest = tail;
                    continue;
                }
            }
            // In a comment nobody minds.
            if !expanded.trim_start().starts_with('#') {
                self.variables.push((name.to_owned(), place.clone()));
            }
            rest = tail;
        }
        expanded + rest
    }
}

fn is_no_part_of_name(letter: char) -> bool {
    !letter.is_ascii_alphanumeric() && letter != '_'
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(is_no_part_of_name)
}

/// A list or map that is not at its end.
struct Open {
    place: Place,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(String, Place)>),
}

struct Tree<'a> {
    lines: &'a Lines<'a>,
    file: Rc<str>,
    anchors: HashMap<usize, Node>,
    open: Vec<Open>,
    count: usize,
    root: Option<Node>,
}

impl<'a> Tree<'a> {
    fn new(lines: &'a Lines<'a>, file: &Path) -> Tree<'a> {
        Tree {
            lines,
            file: shown(file),
            anchors: HashMap::new(),
            open: Vec::new(),
            count: 0,
            root: None,
        }
    }

    /// The first document of the file.
    fn read(mut self) -> Result<Node, AdoptError> {
        let lines = self.lines;
        let mut parser = Parser::new_from_str(&lines.text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| AdoptError::Yaml {
                place: self.at(error.marker().line()),
                what: error.info().to_owned(),
            })?;
            if matches!(event, Event::DocumentEnd | Event::StreamEnd) {
                break;
            }
            self.take(event, &span)?;
        }
        Ok(self.root.unwrap_or(Node {
            place: Place {
                file: self.file,
                line: Some(1),
            },
            content: Content::Null,
        }))
    }

    fn at(&self, line: usize) -> Place {
        let index = line
            .saturating_sub(1)
            .min(self.lines.places.len().saturating_sub(1));
        self.lines.places.get(index).cloned().unwrap_or(Place {
            file: self.file.clone(),
            line: Some(line),
        })
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), AdoptError> {
        let place = self.at(span.start.line());
        self.count += 1;
        match event {
            Event::SequenceStart(anchor, _) => self.begin(place, anchor, Items::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.begin(place, anchor, Items::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let content = match open.items {
                        Items::List(items) => Content::List(items),
                        Items::Map(entries, _) => Content::Map(merged(entries)),
                    };
                    let node = Node {
                        place: open.place,
                        content,
                    };
                    self.add(node, open.anchor)?;
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let content = match (&*text, style) {
                    ("" | "~" | "null" | "Null" | "NULL", ScalarStyle::Plain) => Content::Null,
                    _ => Content::Scalar(text.into_owned()),
                };
                self.add(Node { place, content }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    let what = "an alias of what it is itself part of".to_owned();
                    return Err(AdoptError::Yaml { place, what });
                };
                self.count += count(node);
                if self.count > NODES_MAX {
                    return Err(too_many(place));
                }
                let node = node.clone();
                self.add(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, place: Place, anchor: usize, items: Items) -> Result<(), AdoptError> {
        if self.open.len() == DEPTH_MAX {
            let what = format!("nested more than {DEPTH_MAX} deep");
            return Err(AdoptError::Yaml { place, what });
        }
        self.open.push(Open {
            place,
            anchor,
            items,
        });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), AdoptError> {
        if self.count > NODES_MAX {
            return Err(too_many(node.place));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map(entries, key)) => match key.take() {
                Some((key, place)) => entries.push(Entry {
                    key,
                    place,
                    value: node,
                }),
                None => *key = Some((key_text(&node), node.place)),
            },
        }
        Ok(())
    }
}

fn too_many(place: Place) -> AdoptError {
    let what = format!("more than {NODES_MAX} values");
    AdoptError::Yaml { place, what }
}

fn key_text(node: &Node) -> String {
    match &node.content {
        Content::Scalar(text) => text.clone(),
        Content::Null => "null".to_owned(),
        Content::List(_) | Content::Map(_) => "(not a name)".to_owned(),
    }
}

fn count(node: &Node) -> usize {
    match &node.content {
        Content::Null | Content::Scalar(_) => 1,
        Content::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Content::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| count(&entry.value))
                .sum::<usize>()
        }
    }
}

/// Merge keys (`<<`) dissolved: a map's own entries go before those merged into it.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let maps = match merge.value.content {
            Content::List(maps) => maps,
            _ => vec![merge.value],
        };
        for map in maps {
            let Content::Map(more) = map.content else {
                continue;
            };
            for entry in more {
                if own.iter().all(|other| other.key != entry.key) {
                    own.push(entry);
                }
            }
        }
    }
    own
}
