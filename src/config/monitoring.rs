//! `[mrt]` and `[[bmp]]`: who is told what the server hears and sends.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::model::{ClientConfig, Config};
use super::problem::{Place, Problems};
use super::reader::{Entry, Reader};

/// Where a section stands, which makes no difference.
#[derive(Clone, Debug)]
pub struct Somewhere(Place);

impl PartialEq for Somewhere {
    fn eq(&self, _: &Somewhere) -> bool {
        true
    }
}

impl Eq for Somewhere {}

/// `[mrt]` (RFC 6396).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MrtConfig {
    pub place: Somewhere,
    pub directory: PathBuf,
    /// Between table dumps; `None`: only when asked for.
    pub interval: Option<Duration>,
    /// Rejected paths are in table dumps, too.
    pub rejected: bool,
    /// A file of UPDATEs covers so much time; `None`: there are none.
    pub updates_interval: Option<Duration>,
    /// Clients, by name or address, of which what is sent to them is in there, too.
    pub sent_to: Vec<String>,
}

/// One `[[bmp]]` (RFC 7854).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CollectorConfig {
    pub place: Somewhere,
    pub address: SocketAddr,
    /// Adj-RIB-In as heard, and what import accepted of it.
    pub pre_policy: bool,
    pub post_policy: bool,
    /// RFC 9069.
    pub loc_rib: bool,
    /// Clients, by name or address, whose Adj-RIB-Out is told (RFC 8671).
    pub adj_rib_out: Vec<String>,
    /// Between statistics reports; `None`: none are sent.
    pub statistics: Option<Duration>,
    /// Octets that may wait to be sent.
    pub queue_octets_max: usize,
}

const STATISTICS_S: u32 = 60;
const QUEUE_OCTETS_MAX: u32 = 16 << 20;
const DAY_S: u32 = 86_400;

#[derive(Clone, Copy)]
enum Monitored {
    PrePolicy,
    PostPolicy,
    LocRib,
}

impl MrtConfig {
    pub fn read(reader: Option<Reader<'_>>) -> Option<MrtConfig> {
        let reader = reader?;
        let directory = reader.required("directory", "\"mrt\"", |entry| {
            match entry.value().as_str() {
                Some(name) if !name.is_empty() => Some(reader.source().folder().join(name)),
                _ => entry.expected("the name of a directory"),
            }
        });
        let interval = |key, min| {
            let seconds = reader.integer(key, 0..=DAY_S)?;
            if (1..min).contains(&seconds) {
                let what = format!("{seconds} s is short");
                reader.error_at(key, what, &format!("{min} is the least, 0 switches it off"));
            }
            (seconds > 0).then(|| Duration::from_secs(seconds.into()))
        };
        let mrt = directory.map(|directory| MrtConfig {
            place: Somewhere(reader.place().clone()),
            directory,
            interval: interval("interval_s", 60),
            rejected: reader.bool("rejected").unwrap_or(false),
            updates_interval: interval("updates_interval_s", 10),
            sent_to: reader.list("sent_to", client).unwrap_or_default(),
        });
        reader.finish();
        mrt
    }
}

impl CollectorConfig {
    pub fn read(reader: Reader<'_>) -> Option<CollectorConfig> {
        const KINDS: [(&str, Monitored); 3] = [
            ("pre_policy", Monitored::PrePolicy),
            ("post_policy", Monitored::PostPolicy),
            ("loc_rib", Monitored::LocRib),
        ];
        let address = reader.required("collector", "\"192.0.2.20:5000\"", |entry| {
            entry.parsed("an address and port such as \"192.0.2.20:5000\"")
        });
        let monitor = reader.list("monitor", |entry| entry.one_of(&KINDS));
        let monitor = monitor.unwrap_or_else(|| vec![Monitored::PrePolicy]);
        let has = |is: fn(&Monitored) -> bool| monitor.iter().any(is);
        let collector = address.map(|address| CollectorConfig {
            place: Somewhere(reader.place().clone()),
            address,
            pre_policy: has(|it| matches!(it, Monitored::PrePolicy)),
            post_policy: has(|it| matches!(it, Monitored::PostPolicy)),
            loc_rib: has(|it| matches!(it, Monitored::LocRib)),
            adj_rib_out: reader.list("adj_rib_out", client).unwrap_or_default(),
            statistics: (reader.integer("statistics_s", 0..=DAY_S))
                .or(Some(STATISTICS_S))
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
            queue_octets_max: reader
                .integer("queue_octets_max", 65_536..=u32::MAX)
                .unwrap_or(QUEUE_OCTETS_MAX) as usize,
        });
        reader.finish();
        collector
    }
}

fn client(entry: &Entry<'_>) -> Option<String> {
    match entry.value().as_str() {
        Some(name) => Some(name.to_owned()),
        None => entry.expected("the name or the address of a client"),
    }
}

/// What is wrong between these sections and the clients.
pub fn check(config: &Config, problems: &mut Problems) {
    if let Some(mrt) = &config.mrt {
        let place = (&mrt.place.0, "mrt.sent_to");
        check_names(place, &mrt.sent_to, &config.clients, problems);
    }
    let mut seen = HashSet::new();
    for collector in &config.bmp {
        let (place, names) = (&collector.place.0, &collector.adj_rib_out);
        check_names((place, "bmp.adj_rib_out"), names, &config.clients, problems);
        if !seen.insert(collector.address) {
            let what = format!("{} is there already", collector.address);
            problems.error(
                place,
                "bmp.collector",
                what,
                "one [[bmp]] says all of a collector",
            );
        }
        let kinds = [
            collector.pre_policy,
            collector.post_policy,
            collector.loc_rib,
        ];
        if kinds == [false; 3] && names.is_empty() {
            let what = "the collector is told of sessions and no routes".to_owned();
            let remedy = "name what in monitor or adj_rib_out, if that is not what you mean";
            problems.warning(place, "bmp.monitor", what, remedy);
        }
    }
}

fn check_names(
    (place, key): (&Place, &str),
    names: &[String],
    clients: &[ClientConfig],
    problems: &mut Problems,
) {
    for name in names {
        let address = name.parse::<IpAddr>().ok();
        let is_it = |client: &ClientConfig| client.name == *name || Some(client.address) == address;
        if !clients.iter().any(is_it) {
            let what = format!("there is no client '{name}'");
            problems.error(place, key, what, "name clients by their name or address");
        }
    }
}
