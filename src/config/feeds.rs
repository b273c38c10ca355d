//! `[rpki]`, `[rtt]` and `[peeringdb]`: where data from outside comes from. The latter two are read
//! here, as they are small.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::base::Asn;
use crate::outside::regular_file;

use super::reader::{Entry, Limit, Reader};

/// `[rpki]`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RpkiFeed {
    /// RTR caches, the preferred one first.
    pub caches: Vec<SocketAddr>,
    pub vrp_files: Vec<PathBuf>,
    /// How long what a cache said holds after it was lost, where no other answers.
    pub expire: Duration,
    /// A VRP file that was made longer ago is stale; `None`: however old it is.
    pub max_age: Option<Duration>,
}

const EXPIRE_S: u32 = 7_200;
/// Validators make a file every hour or less, and what is in it is good for a day or so.
const MAX_AGE_S: u32 = 86_400;

impl RpkiFeed {
    pub fn read(reader: Option<Reader<'_>>) -> RpkiFeed {
        let Some(reader) = reader else {
            return RpkiFeed::default();
        };
        let cache =
            |entry: &Entry<'_>| entry.parsed("an address and port such as \"192.0.2.10:3323\"");
        let file = |entry: &Entry<'_>| match entry.value().as_str() {
            Some(name) => Some(reader.source().folder().join(name)),
            None => entry.expected("the name of a file"),
        };
        let feed = RpkiFeed {
            caches: reader.list("caches", cache).unwrap_or_default(),
            vrp_files: reader.list("vrp_files", file).unwrap_or_default(),
            expire: Duration::from_secs(
                reader
                    .integer("expire_s", 60..=604_800u32)
                    .unwrap_or(EXPIRE_S)
                    .into(),
            ),
            max_age: reader
                .limit("max_age_s", 60..=604_800)
                .unwrap_or(Limit::Of(MAX_AGE_S))
                .max()
                .map(|seconds| Duration::from_secs(seconds.into())),
        };
        if feed.is_empty() {
            let remedy = "name caches or vrp_files, or leave the section out";
            reader.error("names no source".to_owned(), remedy);
        }
        reader.finish();
        feed
    }

    /// Nothing is validated.
    pub fn is_empty(&self) -> bool {
        self.caches.is_empty() && self.vrp_files.is_empty()
    }
}

/// Microseconds by client address, from `[rtt] file`.
pub fn rtts(reader: Option<Reader<'_>>) -> HashMap<IpAddr, u32> {
    let Some(reader) = reader else {
        return HashMap::new();
    };
    let read = json::<BTreeMap<String, f64>>(&reader, "file");
    let mut rtts = HashMap::new();
    for (address, ms) in read.into_iter().flatten() {
        match (address.parse::<IpAddr>(), rtt_us(ms)) {
            (Ok(address), Some(rtt_us)) => {
                rtts.insert(address.to_canonical(), rtt_us);
            }
            _ => {
                let what = format!("'{address}': {ms} is no address with its milliseconds");
                reader.error_at("file", what, "write {\"192.0.2.1\": 5.3}");
            }
        }
    }
    reader.finish();
    rtts
}

/// From milliseconds; a minute at most.
pub fn rtt_us(ms: f64) -> Option<u32> {
    (0.0..=60_000.0)
        .contains(&ms)
        .then_some((ms * 1_000.0).round() as u32)
}

/// Prefix limits by ASN, from `[peeringdb] file`: IPv4, IPv6.
pub fn peeringdb_limits(reader: Option<Reader<'_>>) -> HashMap<Asn, [Option<u32>; 2]> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(alias = "net")]
        data: Vec<Net>,
    }
    #[derive(Deserialize)]
    struct Net {
        asn: u32,
        info_prefixes4: Option<u32>,
        info_prefixes6: Option<u32>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape {
        Answer(Answer),
        Nets(Vec<Net>),
    }
    let Some(reader) = reader else {
        return HashMap::new();
    };
    let increment = reader.integer("increment", 0..=1_000_000u32).unwrap_or(100);
    let factor = reader.entry("factor").and_then(|entry| {
        let number = entry
            .value()
            .as_float()
            .map(|float| float.as_str().to_owned());
        let number = number.or(entry.value().as_integer().map(|i| i.as_str().to_owned()));
        let value = number.and_then(|text| text.parse::<f64>().ok());
        value
            .filter(|value| (1.0..=100.0).contains(value))
            .or_else(|| entry.expected("a number from 1.0 to 100.0"))
    });
    let factor = factor.unwrap_or(1.15);
    let nets = match json::<Shape>(&reader, "file") {
        Some(Shape::Answer(answer)) => answer.data,
        Some(Shape::Nets(nets)) => nets,
        None => Vec::new(),
    };
    let max = |count: Option<u32>| {
        let count = count.filter(|count| *count > 0)?;
        Some((f64::from(count.saturating_add(increment)) * factor).round() as u32)
    };
    reader.finish();
    nets.into_iter()
        .map(|net| {
            (
                Asn(net.asn),
                [max(net.info_prefixes4), max(net.info_prefixes6)],
            )
        })
        .collect()
}

fn json<T: serde::de::DeserializeOwned>(reader: &Reader<'_>, key: &'static str) -> Option<T> {
    let Some((name, entry)) = reader.string(key) else {
        reader.error_at(key, "is missing".to_owned(), "name the file");
        return None;
    };
    let file = reader.source().folder().join(name);
    let octets = match regular_file::read(&file, regular_file::OCTETS_MAX) {
        Ok(octets) => octets,
        Err(error) => {
            let what = format!("cannot read {}: {error}", file.display());
            entry.error(what, "paths start from this file's folder");
            return None;
        }
    };
    let read = serde_json::from_slice(&octets);
    let wrong = |error: serde_json::Error| {
        let what = format!("{} is not what was expected: {error}", file.display());
        entry.error(what, "");
    };
    read.map_err(wrong).ok()
}
