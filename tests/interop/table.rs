//! What a router announces and what it sees, in one form for all makes of routers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    Igp,
    Egp,
    Incomplete,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Attributes {
    /// AS_SEQUENCE, as others see it: the announcer first.
    pub as_path: Vec<u32>,
    pub origin: Origin,
    pub med: Option<u32>,
    pub communities: BTreeSet<(u16, u16)>,
    pub large: BTreeSet<(u32, u32, u32)>,
    /// Route targets of two-octet ASNs (RFC 4360).
    pub targets: BTreeSet<(u16, u32)>,
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub otc: Option<u32>,
}

/// A path as a receiver sees it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Path {
    pub next_hop: IpAddr,
    pub attributes: Arc<Attributes>,
}

/// Prefixes announced alike.
#[derive(Clone, Debug)]
pub struct Group {
    pub attributes: Attributes,
    pub prefixes: Vec<IpNet>,
}

/// Differences that a comparison puts in words.
const SHOWN_MAX: usize = 4;

/// Paths of a table that have the same attributes share them.
#[derive(Default)]
pub struct Table {
    paths: BTreeMap<IpNet, BTreeSet<Path>>,
    attributes: BTreeSet<Arc<Attributes>>,
}

impl Attributes {
    pub fn plain(asn: u32) -> Attributes {
        Attributes {
            as_path: vec![asn],
            origin: Origin::Igp,
            med: None,
            communities: BTreeSet::new(),
            large: BTreeSet::new(),
            targets: BTreeSet::new(),
            otc: None,
        }
    }
}

impl Group {
    pub fn new(attributes: Attributes, prefixes: &[&str]) -> Group {
        Group {
            attributes,
            prefixes: prefixes
                .iter()
                .map(|text| text.parse().expect("a prefix"))
                .collect(),
        }
    }
}

impl Origin {
    pub fn from_text(text: &str) -> Result<Origin, String> {
        match text.to_ascii_lowercase().as_str() {
            "igp" => Ok(Origin::Igp),
            "egp" => Ok(Origin::Egp),
            "incomplete" => Ok(Origin::Incomplete),
            other => Err(format!("origin '{other}'")),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Origin::Igp => "igp",
            Origin::Egp => "egp",
            Origin::Incomplete => "incomplete",
        }
    }
}

impl Table {
    pub fn insert(&mut self, prefix: IpNet, mut path: Path) {
        if let Some(known) = self.attributes.get(&path.attributes) {
            path.attributes = known.clone();
        } else {
            self.attributes.insert(path.attributes.clone());
        }
        self.paths.entry(prefix).or_default().insert(path);
    }

    /// Keeps of each prefix the path with the shortest AS path.
    pub fn keep_shortest(&mut self) {
        for paths in self.paths.values_mut() {
            let best = paths
                .iter()
                .min_by_key(|path| path.attributes.as_path.len())
                .cloned();
            paths.clear();
            paths.extend(best);
        }
    }

    pub fn path_count(&self) -> usize {
        self.paths.values().map(BTreeSet::len).sum()
    }

    /// `Ok` when both are the same; otherwise a few differences in words. `self` is what is due.
    pub fn compare(&self, seen: &Table) -> Result<(), String> {
        if self.paths == seen.paths {
            return Ok(());
        }
        let of_both = |prefix| (self.paths.get(prefix), seen.paths.get(prefix));
        let mut differing: BTreeSet<&IpNet> = self.paths.keys().chain(seen.paths.keys()).collect();
        differing.retain(|prefix| {
            let (due, has) = of_both(prefix);
            due != has
        });
        let shown: Vec<String> = differing
            .iter()
            .take(SHOWN_MAX)
            .map(|prefix| {
                let (due, has) = of_both(prefix);
                format!("{prefix}\n    due  {due:?}\n    seen {has:?}")
            })
            .collect();
        Err(format!(
            "{} prefixes differ ({} paths due, {} seen):\n  {}",
            differing.len(),
            self.path_count(),
            seen.path_count(),
            shown.join("\n  ")
        ))
    }
}

/// RFC 1997, RFC 7999.
pub const NO_EXPORT: (u16, u16) = (65_535, 65_281);
pub const NO_ADVERTISE: (u16, u16) = (65_535, 65_282);
pub const BLACKHOLE: (u16, u16) = (65_535, 666);

/// `64500:1` or the name of a well-known community as a pair.
pub fn community(text: &str) -> Result<(u16, u16), String> {
    match text.to_ascii_lowercase().replace('_', "-").as_str() {
        "no-export" => return Ok(NO_EXPORT),
        "no-advertise" => return Ok(NO_ADVERTISE),
        "blackhole" => return Ok(BLACKHOLE),
        _ => {}
    }
    let wrong = || format!("community '{text}'");
    let (high, low) = text.split_once(':').ok_or_else(wrong)?;
    Ok((
        high.parse().map_err(|_| wrong())?,
        low.parse().map_err(|_| wrong())?,
    ))
}

/// `64500:1:2` as a triple.
pub fn large_community(text: &str) -> Result<(u32, u32, u32), String> {
    let parts: Vec<u32> = text
        .split(':')
        .filter_map(|part| part.parse().ok())
        .collect();
    match parts[..] {
        [a, b, c] => Ok((a, b, c)),
        _ => Err(format!("large community '{text}'")),
    }
}

/// `64500:1` of a route target as a pair.
pub fn target(text: &str) -> Result<(u16, u32), String> {
    let wrong = || format!("route target '{text}'");
    let (asn, number) = text.split_once(':').ok_or_else(wrong)?;
    Ok((
        asn.parse().map_err(|_| wrong())?,
        number.parse().map_err(|_| wrong())?,
    ))
}

/// `10001 3303` as numbers.
pub fn as_path(text: &str) -> Result<Vec<u32>, String> {
    text.split_whitespace()
        .map(|word| word.parse().map_err(|_| format!("AS path '{text}'")))
        .collect()
}
