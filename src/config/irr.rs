//! `[irr]` and what a client registered: AS-SETs by name, prefixes and origins in place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::Asn;
use crate::policy::PrefixRange;

use super::lists::{has_host_bits, prefix_range, prefix_ranges};
use super::model::ClientConfig;
use super::problem::Problems;
use super::reader::{Entry, Reader};

/// `[irr]`: where the data of AS-SETs is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IrrFeed {
    pub directory: PathBuf,
    /// Where the last good data is kept; `None`: nowhere.
    pub state: Option<PathBuf>,
    /// How often the directory is looked at; `None`: on reload only.
    pub watch: Option<Duration>,
    /// How long sessions wait after a start for data that checks need.
    pub wait_max: Duration,
}

const WAIT_MAX_S: u32 = 60;

impl IrrFeed {
    pub fn read(reader: Option<Reader<'_>>, main: &Reader<'_>) -> IrrFeed {
        let usual = |main: &Reader<'_>| IrrFeed {
            directory: main.source().folder().join("irr"),
            state: Some(main.source().folder().join("irr-state")),
            watch: None,
            wait_max: Duration::from_secs(WAIT_MAX_S.into()),
        };
        let Some(reader) = reader else {
            return usual(main);
        };
        let usual = usual(main);
        let folder = |key| {
            let named = reader.string(key);
            named.map(|(name, _)| (name, reader.source().folder().join(name)))
        };
        let feed = IrrFeed {
            directory: folder("directory").map_or(usual.directory, |(_, path)| path),
            state: match folder("state") {
                Some(("", _)) => None,
                Some((_, path)) => Some(path),
                None => usual.state,
            },
            watch: reader
                .integer("watch_s", 0..=86_400u32)
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
            wait_max: reader
                .integer("wait_max_s", 0..=3_600u32)
                .map_or(usual.wait_max, |seconds| {
                    Duration::from_secs(seconds.into())
                }),
        };
        reader.finish();
        feed
    }
}

/// What one client's set is made of: equal ones are one set.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct IrrSources {
    pub as_sets: Vec<String>,
    pub prefixes: Vec<PrefixRange>,
    pub origins: Vec<Asn>,
}

impl IrrSources {
    /// Nothing is said of what the client registered: it is not checked.
    pub fn is_empty(&self) -> bool {
        self.as_sets.is_empty() && self.prefixes.is_empty() && self.origins.is_empty()
    }

    /// Whether the prefixes it registered are said; AS-SETs have both.
    pub fn names_prefixes(&self) -> bool {
        !self.as_sets.is_empty() || !self.prefixes.is_empty()
    }

    pub fn names_origins(&self) -> bool {
        !self.as_sets.is_empty() || !self.origins.is_empty()
    }
}

/// Two AS-SETs whose names become the name of one file would be given the same data.
pub fn check_names(clients: &[ClientConfig], problems: &mut Problems) {
    let mut by_bgpq4: BTreeMap<String, &String> = BTreeMap::new();
    let mut by_arouteserver: BTreeMap<String, &String> = BTreeMap::new();
    for client in clients {
        for as_set in &client.irr.sources.as_sets {
            let name = as_set.to_ascii_lowercase();
            let other = |known: &mut BTreeMap<String, _>, file: String| {
                let first = *known.entry(file).or_insert(as_set);
                (!first.eq_ignore_ascii_case(as_set)).then_some(first)
            };
            let first = other(&mut by_bgpq4, name.replace(':', "_"));
            let in_cache = other(&mut by_arouteserver, name.replace([':', '-'], "_"));
            if let Some(first) = first {
                let what = format!(
                    "{first} and {as_set} have the same file, as ':' is written '_' in its name"
                );
                let remedy = "name the source too, such as \"RIPE::AS-EXAMPLE\", and give it a file of its own";
                problems.error(&client.place, "client.irr.as_sets", what, remedy);
            } else if let Some(first) = in_cache {
                let what = format!(
                    "{first} and {as_set} have the same file in a cache of arouteserver: with that, one of them \
                     has the data of the other"
                );
                let remedy = "have bgpq4 write a file of each of them";
                problems.warning(&client.place, "client.irr.as_sets", what, remedy);
            }
        }
    }
}

/// `[client.irr]` with what it inherits.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IrrConfig {
    pub sources: IrrSources,
    pub allow_longer_prefixes: bool,
    pub rpki_roas_as_route_objects: bool,
    pub white_list_prefixes: Vec<PrefixRange>,
    pub white_list_origins: Vec<Asn>,
    pub white_list_routes: Vec<(PrefixRange, Option<Asn>)>,
}

#[derive(Debug, Default)]
pub struct IrrOptions {
    as_sets: Option<Vec<String>>,
    prefixes: Option<Vec<PrefixRange>>,
    origins: Option<Vec<Asn>>,
    allow_longer_prefixes: Option<bool>,
    rpki_roas_as_route_objects: Option<bool>,
    white_list_prefixes: Option<Vec<PrefixRange>>,
    white_list_origins: Option<Vec<Asn>>,
    white_list_routes: Option<Vec<(PrefixRange, Option<Asn>)>>,
}

impl IrrOptions {
    pub fn read(reader: Reader<'_>) -> IrrOptions {
        let asn = |entry: &Entry<'_>| entry.integer(1..=u32::MAX).map(Asn);
        let options = IrrOptions {
            as_sets: reader.list("as_sets", as_set),
            prefixes: prefix_ranges(&reader, "prefixes"),
            origins: reader.list("origins", asn),
            allow_longer_prefixes: reader.bool("allow_longer_prefixes"),
            rpki_roas_as_route_objects: reader.bool("rpki_roas_as_route_objects"),
            white_list_prefixes: prefix_ranges(&reader, "white_list_prefixes"),
            white_list_origins: reader.list("white_list_origins", asn),
            white_list_routes: reader.list("white_list_routes", route),
        };
        reader.finish();
        options
    }

    pub fn resolve(&self, defaults: &IrrOptions) -> IrrConfig {
        fn sorted<T: Ord + Clone>(own: &Option<Vec<T>>, inherited: &Option<Vec<T>>) -> Vec<T> {
            let mut list = own.as_ref().or(inherited.as_ref()).cloned();
            let list = list.get_or_insert_default();
            list.sort_unstable();
            list.dedup();
            std::mem::take(list)
        }
        let switch = |own: Option<bool>, inherited: Option<bool>| own.or(inherited);
        IrrConfig {
            sources: IrrSources {
                as_sets: sorted(&self.as_sets, &defaults.as_sets),
                prefixes: sorted(&self.prefixes, &defaults.prefixes),
                origins: sorted(&self.origins, &defaults.origins),
            },
            allow_longer_prefixes: switch(
                self.allow_longer_prefixes,
                defaults.allow_longer_prefixes,
            )
            .unwrap_or(false),
            rpki_roas_as_route_objects: switch(
                self.rpki_roas_as_route_objects,
                defaults.rpki_roas_as_route_objects,
            )
            .unwrap_or(false),
            white_list_prefixes: sorted(&self.white_list_prefixes, &defaults.white_list_prefixes),
            white_list_origins: sorted(&self.white_list_origins, &defaults.white_list_origins),
            white_list_routes: sorted(&self.white_list_routes, &defaults.white_list_routes),
        }
    }
}

const AS_SET_LEN_MAX: usize = 128;

/// RFC 2622 §5.1 with a source before it; it becomes a part of a file's name.
fn as_set(entry: &Entry<'_>) -> Option<String> {
    let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || b"-_:.".contains(&octet);
    let text = entry.value().as_str();
    let named = text.filter(|name| {
        !name.is_empty()
            && name.len() <= AS_SET_LEN_MAX
            && name.bytes().all(is_fine)
            && !name.starts_with('.')
    });
    match named {
        Some(name) => Some(name.to_owned()),
        None => {
            entry.expected("the name of an AS-SET such as \"AS-EXAMPLE\" or \"RIPE::AS-EXAMPLE\"")
        }
    }
}

/// `"192.0.2.0/24 64496"`, or without an origin for any.
fn route(entry: &Entry<'_>) -> Option<(PrefixRange, Option<Asn>)> {
    let Some(text) = entry.value().as_str() else {
        return prefix_range(entry).map(|range| (range, None));
    };
    if has_host_bits(entry, text) {
        return None;
    }
    let mut words = text.split_whitespace();
    let range = words.next().and_then(|word| word.parse().ok());
    let origin = words.next().map(|word| {
        let digits = word.strip_prefix("AS").unwrap_or(word);
        digits.parse().ok().map(Asn)
    });
    match (range, origin, words.next()) {
        (Some(range), None, None) => Some((range, None)),
        (Some(range), Some(Some(asn)), None) => Some((range, Some(asn))),
        _ => entry
            .expected("a prefix, and an origin if only that one is meant: \"192.0.2.0/24 64496\""),
    }
}
