//! What other programs are configured with, made into Rialto's configuration. With
//! `RIALTO_REWRITE=1` in the environment the expected outputs are written anew: look at the difference.

mod arouteserver;
mod checked;
mod command;
mod ixf;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};

use rialto::adopt::Adopted;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/adopt/example")
        .join(name)
}

/// The text as it is kept in `example`, and TOML.
fn assert_golden(adopted: &Adopted, name: &str) {
    let file = example(name);
    if std::env::var_os("RIALTO_REWRITE").is_some() {
        fs::write(&file, &adopted.text).expect("the file can be written");
    }
    let expected = fs::read_to_string(&file).expect("the file is there");
    assert_eq!(
        adopted.text, expected,
        "{name}; RIALTO_REWRITE=1 writes it anew"
    );
    parsed(adopted);
}

fn parsed(adopted: &Adopted) -> toml::Table {
    toml::from_str(&adopted.text).expect("the text is TOML")
}

/// Options with what was noted of them, without the places.
fn noted(adopted: &Adopted) -> Vec<String> {
    let notes = adopted.notes.iter();
    notes
        .map(|note| format!("{:?} {}", note.kind, note.option))
        .collect()
}
