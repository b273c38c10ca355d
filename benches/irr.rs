//! What the IRR data of a large exchange cost: 320 AS-SETs of 10,000 prefixes each, from files that
//! bgpq4 wrote. Cold, with nothing changed, with all changed, and after restarts; and what copies cost apart
//! from that.
//!
//! `cargo bench --bench irr [AS_SETS PREFIXES]`

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rialto::outside::irr::{IrrReport, IrrStore};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    rialto::runtime::keep_memory_small();
    let numbers: Vec<u32> = (std::env::args().skip(1))
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let (as_sets, prefixes) = match numbers[..] {
        [as_sets, prefixes, ..] => (as_sets, prefixes),
        _ => (320, 10_000),
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (irr, state) = (folder.path().join("irr"), folder.path().join("state"));
    fs::create_dir(&irr).expect("a new folder");
    let names: BTreeSet<String> = (0..as_sets)
        .map(|number| write_as_set(&irr, number, prefixes))
        .collect();
    let before = resident_octets();

    let (store, report) = refresh("cold, without copies", &names, || new(&irr, None));
    let octets: usize = report.sets.values().map(|set| set.octets()).sum();
    let count: usize = report.sets.values().map(|set| set.prefixes.len()).sum();
    println!(
        "{} sets, {count} prefixes: {:.1} MiB, {:.1} octets each; resident {:.1} MiB",
        report.sets.len(),
        octets as f64 / f64::from(1 << 20),
        octets as f64 / count as f64,
        resident_octets().saturating_sub(before) as f64 / f64::from(1 << 20),
    );
    drop(report);
    refresh("nothing changed", &names, || store);
    let first = || new(&irr, Some(state.clone()));
    let (mut store, _) = refresh("the first start, without copies", &names, first);
    keep_copies("the first copies", &mut store);
    for number in 0..as_sets {
        write_as_set(&irr, number, prefixes - 1);
    }
    let (mut store, _) = refresh("all files changed", &names, || store);
    keep_copies("new copies", &mut store);
    let (mut store, _) = refresh("a later start, with copies there", &names, first);
    keep_copies("nothing to copy", &mut store);
    fs::remove_dir_all(&irr).expect("the folder is ours");
    fs::create_dir(&irr).expect("a new folder");
    refresh("a start from copies alone", &names, first);
}

fn new(irr: &Path, state: Option<PathBuf>) -> IrrStore {
    IrrStore::new(irr.to_owned(), state)
}

fn refresh(
    what: &str,
    names: &BTreeSet<String>,
    store: impl FnOnce() -> IrrStore,
) -> (IrrStore, IrrReport) {
    let mut store = store();
    let start = Instant::now();
    // Later, so that the files are not taken for being just about to change.
    let report = store.refresh(names, SystemTime::now() + Duration::from_secs(60));
    println!(
        "{what}: {:.3} s, {} sets, {} problems",
        start.elapsed().as_secs_f64(),
        report.sets.len(),
        report.problems.len()
    );
    (store, report)
}

fn keep_copies(what: &str, store: &mut IrrStore) {
    let start = Instant::now();
    let mut copying = store.to_copy();
    let mut count = 0;
    while copying.step() {
        count += 1;
    }
    store.handle_copied(&copying);
    println!(
        "{what}: {:.3} s, {count} files, problem: {:?}",
        start.elapsed().as_secs_f64(),
        copying.problem()
    );
}

/// As bgpq4 -4j writes it.
fn write_as_set(folder: &Path, number: u32, prefixes: u32) -> String {
    let mut text = "{ \"NN\": [".to_owned();
    let mut bits = 0x0100_0000 + number * 1000;
    for index in 0..prefixes {
        bits += 256 * (1 + (index.wrapping_mul(2_654_435_761) >> 21));
        let [a, b, c, _] = bits.to_be_bytes();
        let comma = if index == 0 { "" } else { "," };
        write!(
            text,
            "{comma}\n    {{ \"prefix\": \"{a}.{b}.{c}.0\\/24\", \"exact\": true }}"
        )
        .expect("a string takes all");
    }
    text.push_str("\n] }\n");
    let name = format!("AS-BENCH{number}");
    fs::write(folder.join(format!("{name}.v4.json")), text).expect("a file in our folder");
    name
}

fn resident_octets() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map_or(0, |pages: u64| pages * 4096)
}
