//! Rules of the repository, checked.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines; tests may hold long tables.
const LINES_MAX: [(&str, usize); 3] = [("src", 600), ("benches", 600), ("tests", 600)];

/// Floors from the ground up: each may use those before it. `load` stands apart.
const FLOORS: &[&str] = &[
    "base", "wire", "session", "policy", "rib", "fanout", "server", "outside", "config", "runtime",
    "manage",
];

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                files.push((path.strip_prefix(root).expect("within").to_owned(), text));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{folder} has sources");
    files
}

#[test]
fn no_file_swells() {
    let mut swollen = Vec::new();
    for (folder, lines_max) in LINES_MAX {
        for (path, text) in sources(folder) {
            let count = text.lines().count();
            if count > lines_max {
                swollen.push(format!("{}: {count} lines", path.display()));
            }
        }
    }
    assert_eq!(swollen, Vec::<String>::new());
}

#[test]
fn each_floor_uses_only_those_under_it() {
    let mut broken = Vec::new();
    for (height, floor) in FLOORS.iter().enumerate() {
        for (path, text) in sources(&format!("src/{floor}")) {
            for above in &FLOORS[height + 1..] {
                // `config` compiles to `server::exchange` and `runtime` steps `server`: both below.
                if text.contains(&format!("crate::{above}::")) {
                    broken.push(format!("{} uses {above}", path.display()));
                }
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn the_load_generator_shares_nothing_but_base_with_the_server() {
    let mut broken = Vec::new();
    for (path, text) in sources("src/load") {
        for floor in FLOORS.iter().filter(|floor| **floor != "base") {
            if text.contains(&format!("crate::{floor}::")) {
                broken.push(format!("{} uses {floor}", path.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn unsafe_lives_in_one_file_and_each_block_says_why() {
    for (path, text) in sources("src") {
        let blocks = text.matches("unsafe {").count() + text.matches("unsafe impl").count();
        if path == Path::new("src/runtime/sys.rs") {
            assert!(
                text.matches("SAFETY:").count() >= blocks,
                "each block has its SAFETY line"
            );
        } else {
            assert_eq!(blocks, 0, "{} has unsafe code", path.display());
        }
    }
}
