//! arouteserver's `general.yml`, `clients.yml` and `bogons.yml`.
//!
//! What the files say is written out; what they leave open is written where Rialto's default is
//! another. Owns what arouteserver's options come to; does not read what arouteserver fetches.

mod clients;
mod communities;
mod general;
mod limits;
mod options;
mod prefixes;

use std::path::Path;

use super::document::{Document, Value};
use super::notes::{NoteKind, Notes, Place, told};
use super::section::Section;
use super::yaml::{self, Content, Environment, Yaml};
use super::{AdoptError, Adopted};

use general::General;

/// What to read.
pub struct Files<'a> {
    pub general: &'a Path,
    pub clients: &'a Path,
    pub bogons: Option<&'a Path>,
    /// The folder that TCP MD5 keys are to be in, as the configuration names it.
    pub keys: Option<&'a str>,
    pub environment: Environment<'a>,
}

pub fn adopt(files: &Files<'_>) -> Result<Adopted, AdoptError> {
    let (notes, mut document) = (Notes::default(), Document::default());
    let general = read(files.general, "cfg", files.environment, &notes)?;
    let clients = read(files.clients, "clients", files.environment, &notes)?;
    let bogons = match files.bogons {
        Some(file) => Some(read(file, "bogons", files.environment, &notes)?),
        None => None,
    };
    let root = Section::of(&general.root, "", &notes);
    let general = General::read(root.child("cfg"));
    root.finish();
    general.write(&mut document);
    write_bogons(bogons.as_ref(), &mut document, &notes);
    let root = Section::of(&clients.root, "", &notes);
    let keys = clients::adopt(&root, &general, files.keys, &mut document);
    root.finish();

    let notes = notes.finish();
    Ok(Adopted {
        text: heading(files) + &heading_notes(&told(&notes, "# ")) + "\n" + &document.text(),
        notes,
        client_count: document.client_count(),
        keys,
    })
}

fn heading(files: &Files<'_>) -> String {
    let names = [Some(files.general), Some(files.clients), files.bogons];
    let names = names.into_iter().flatten().map(yaml::shown);
    let names = names.collect::<Vec<_>>().join(", ");
    format!("# Made by `rialto import arouteserver` of {names}.\n")
}

fn heading_notes(notes: &str) -> String {
    match notes {
        "" => "# All of it could be expressed.\n".to_owned(),
        notes => format!("#\n{notes}"),
    }
}

/// A file without its one key is another file.
fn read(
    file: &Path,
    key: &'static str,
    environment: Environment<'_>,
    notes: &Notes,
) -> Result<Yaml, AdoptError> {
    let yaml = yaml::read(file, environment)?;
    let has_key = match &yaml.root.content {
        Content::Map(entries) => entries.iter().any(|entry| entry.key == key),
        _ => false,
    };
    if !has_key {
        return Err(AdoptError::Useless {
            place: Place {
                file: yaml::shown(file),
                line: None,
            },
            what: format!("there is no \"{key}\" in it"),
            remedy:
                "the words are: rialto import arouteserver general.yml clients.yml [bogons.yml]"
                    .to_owned(),
        });
    }
    for (name, place) in &yaml.variables {
        let why = "its value of now stands in the configuration; one that is not set is empty";
        notes.add(NoteKind::Differs, &format!("${{{name}}}"), place, why);
    }
    Ok(yaml)
}

/// Always rejected by arouteserver, whatever `bogons.yml` says.
const NOT_GLOBAL_UNICAST: [&str; 3] = ["::/3+", "4000::/2+", "8000::/1+"];

fn write_bogons(bogons: Option<&Yaml>, document: &mut Document, notes: &Notes) {
    let lists = document.section("lists");
    let Some(bogons) = bogons else {
        lists.comment("bogon_prefixes: Rialto's own; name bogons.yml as well to have yours.");
        return;
    };
    let root = Section::of(&bogons.root, "", notes);
    let field = root.field("bogons");
    root.finish();
    let mut rules = field
        .map(|field| prefixes::rules(&field))
        .unwrap_or_default();
    let outside = "arouteserver rejects what is not in 2000::/3 by itself";
    let outside = NOT_GLOBAL_UNICAST.map(|rule| (Value::from(rule), Some(outside.to_owned())));
    rules.extend(outside);
    lists.set("bogon_prefixes", Value::Lines(rules));
}
