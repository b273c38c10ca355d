//! What clients registered, one AS-SET each, in files as bgpq4 writes them: their prefixes and origins,
//! and entries that nobody announces.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::named;
use crate::base::{Family, Prefix};
use crate::load::plan::{Client, Plan};
use crate::load::random::Random;
use crate::load::synthetic::prefixes::v4_prefix;

/// What tells the streams of random numbers apart.
const KEPT: u64 = 0x1447;
const BEFORE: u64 = 0x2b91;
const AFTER: u64 = 0x37c3;

/// How many entries there are, and what they must not be.
pub struct Entries {
    count: usize,
    announced: HashSet<Prefix, FixedState>,
}

/// The name of a client's AS-SET.
pub fn as_set(client: &Client) -> String {
    format!("AS-LOAD-{}", client.asn)
}

impl Entries {
    /// `count` for each client, or as many as it announces.
    pub fn of(plan: &Plan, count: usize) -> Entries {
        Entries {
            count,
            announced: plan.prefixes.iter().copied().collect(),
        }
    }

    /// The files of all clients, without the prefixes, by number, that are rejected. If `is_changed`,
    /// half of the entries are others; nobody announces those.
    pub fn write(
        &self,
        folder: &Path,
        plan: &Plan,
        is_rejected: impl Fn(u32) -> bool,
        is_changed: bool,
    ) -> io::Result<()> {
        fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
        for client in &plan.clients {
            let entries = self.entries(client, plan, &is_rejected, is_changed);
            let (v4, v6) =
                entries.split_at(entries.partition_point(|prefix| prefix.family() == Family::Ipv4));
            let name = as_set(client);
            let parts = [
                ("v4", prefixes_text(v4)),
                ("v6", prefixes_text(v6)),
                ("origins", origins_text(&origins(client, plan))),
            ];
            for (part, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
                let file = folder.join(format!("{name}.{part}.json"));
                fs::write(&file, text).map_err(|error| named(&file, &error))?;
            }
        }
        Ok(())
    }

    /// Sorted, IPv4 first.
    fn entries(
        &self,
        client: &Client,
        plan: &Plan,
        is_rejected: &impl Fn(u32) -> bool,
        is_changed: bool,
    ) -> Vec<Prefix> {
        let announced = client.routes.iter().map(|route| route.prefix);
        let mut entries: Vec<Prefix> = announced
            .filter(|prefix| !is_rejected(*prefix))
            .map(|prefix| plan.prefixes[prefix as usize])
            .collect();
        let missing = self.count.saturating_sub(client.routes.len());
        let changing = missing.min(self.count / 2);
        let fillers = |stream: u64, count: usize| {
            let mut random = Random::new(stream << 32 | u64::from(client.asn));
            let prefixes = std::iter::repeat_with(move || v4_prefix(&mut random));
            let unknown = prefixes.filter(|prefix| !self.announced.contains(prefix));
            unknown.take(count).collect::<Vec<Prefix>>()
        };
        // Streams of their own, so that the other half stays what it is.
        entries.extend(fillers(KEPT, missing - changing));
        let other = if is_changed { AFTER } else { BEFORE };
        entries.extend(fillers(other, changing));
        entries.sort_unstable_by_key(|prefix| (prefix.family(), prefix.bits(), prefix.len()));
        entries.dedup();
        entries
    }
}

/// Who announces first, in its paths, ascending.
fn origins(client: &Client, plan: &Plan) -> Vec<u32> {
    let mut sets: Vec<u32> = client.routes.iter().map(|route| route.set).collect();
    sets.dedup();
    let mut origins: Vec<u32> = sets
        .into_iter()
        .filter_map(|set| plan.sets.attributes(set).origin_asn())
        .collect();
    origins.sort_unstable();
    origins.dedup();
    origins
}

/// As `bgpq4 -j` writes it; nothing of nothing.
fn prefixes_text(prefixes: &[Prefix]) -> String {
    let entry = |out: &mut String, prefix: &Prefix| {
        let (address, len) = (prefix.address(), prefix.len());
        write!(
            out,
            "{{ \"prefix\": \"{address}\\/{len}\", \"exact\": true }}"
        )
    };
    text(prefixes, entry)
}

/// As `bgpq4 -tj` writes it.
fn origins_text(asns: &[u32]) -> String {
    text(asns, |out, asn| write!(out, "{asn}"))
}

fn text<T>(list: &[T], entry: impl Fn(&mut String, &T) -> std::fmt::Result) -> String {
    if list.is_empty() {
        return String::new();
    }
    let mut out = "{ \"NN\": [".to_owned();
    for (number, one) in list.iter().enumerate() {
        out.push_str(if number == 0 { "\n    " } else { ",\n    " });
        entry(&mut out, one).expect("a string takes all");
    }
    out.push_str("\n] }\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::outside::tests::small;

    fn read(folder: &Path, name: &str) -> Vec<String> {
        // Whoever has no prefix of a family has no file of it.
        let nothing = || "{ \"NN\": [] }".to_owned();
        let text = fs::read_to_string(folder.join(name)).unwrap_or_else(|_| nothing());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let list = json["NN"].as_array().unwrap().iter();
        list.map(|entry| match entry.as_u64() {
            Some(asn) => asn.to_string(),
            None => entry["prefix"].as_str().unwrap().to_owned(),
        })
        .collect()
    }

    #[test]
    fn files_hold_what_is_announced_and_as_many_entries_as_asked_for() {
        let plan = small();
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (folder.path().join("a"), folder.path().join("b"));
        let entries = Entries::of(&plan, 400);
        entries.write(&before, &plan, |_| false, false).unwrap();
        let is_rejected = |prefix: u32| prefix.is_multiple_of(2);
        entries.write(&after, &plan, is_rejected, true).unwrap();
        for client in &plan.clients {
            let file = |part: &str| format!("{}.{part}.json", as_set(client));
            let all =
                |folder: &Path| [read(folder, &file("v4")), read(folder, &file("v6"))].concat();
            let (was, is) = (all(&before), all(&after));
            assert!((390..=400).contains(&was.len()), "{}", was.len());
            for route in &client.routes {
                let text = plan.prefixes[route.prefix as usize].to_string();
                assert!(was.contains(&text), "{text}");
                assert_ne!(is.contains(&text), is_rejected(route.prefix), "{text}");
                let origin = plan.sets.attributes(route.set).origin_asn().unwrap();
                assert!(read(&before, &file("origins")).contains(&origin.to_string()));
            }
            let kept = was.iter().filter(|entry| is.contains(entry)).count();
            let announced = client.routes.iter();
            let announced = announced.filter(|route| !is_rejected(route.prefix)).count();
            let fillers = 400 - client.routes.len();
            let stay = kept - announced;
            let expected = fillers - fillers.min(200);
            assert!(stay.abs_diff(expected) < 10, "{stay} of {fillers} stay");
        }
    }
}
