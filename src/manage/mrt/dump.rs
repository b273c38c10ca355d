//! Table dumps: all paths, prefix by prefix, asked of the shards in pieces with pauses between.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{error, info};

use crate::base::ClientSlot;
use crate::manage::census::Census;
use crate::manage::data_path::Unavailable;
use crate::manage::pages::{Pages, Rows};
use crate::manage::plane::Plane;
use crate::server::exchange::Exchange;
use crate::server::query::PathRow;
use crate::wire::{MrtPath, MrtPeer, encode_peer_index_table, encode_rib};

use super::file::MrtFile;
use super::now_s;

/// Table entries that are asked for at a time.
const ENTRIES: u32 = 500;
/// Between two pieces; so little is a shard kept from its work.
const PAUSE: Duration = Duration::from_millis(1);
/// How often it is looked whether a dump is due.
const LOOK: Duration = Duration::from_millis(500);

/// A table dump that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dumped {
    pub file: PathBuf,
    pub prefixes: u64,
    pub paths: u64,
    pub octets: u64,
}

impl fmt::Display for Dumped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dumped {
            file,
            prefixes,
            paths,
            octets,
        } = self;
        write!(
            f,
            "{}: {prefixes} prefixes, {paths} paths, {octets} octets",
            file.display()
        )
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error("where dumps go is not configured: write [mrt] directory, and rialto reload")]
    NoDirectory,
    #[error("a table dump is being written already; wait for it")]
    Busy,
    #[error("the table dump in {directory} failed: {error}")]
    Disk {
        directory: PathBuf,
        error: std::io::Error,
    },
    #[error("the table dump failed: {0}")]
    Unavailable(#[from] Unavailable),
}

/// Clients by their place in the peer index table.
struct Peers {
    exchange: Arc<Exchange>,
    places: HashMap<ClientSlot, u16>,
}

/// What has been written of a dump so far.
#[derive(Default)]
struct Progress {
    at_s: u32,
    rejected: bool,
    prefixes: u64,
    paths: u64,
}

impl Plane {
    pub async fn dump_now(&self) -> Result<Dumped, DumpError> {
        self.dump(now_s()).await
    }

    /// Writes a table dump now, named for that second (since 1970).
    pub async fn dump(&self, at_s: u64) -> Result<Dumped, DumpError> {
        let current = self.current();
        let mrt = current.config.mrt.as_ref().ok_or(DumpError::NoDirectory)?;
        let _one = self.dumping.try_lock().map_err(|_| DumpError::Busy)?;
        let disk = |error| DumpError::Disk {
            directory: mrt.directory.clone(),
            error,
        };
        let mut file = MrtFile::create(&mrt.directory, "rib", at_s, false)
            .await
            .map_err(disk)?;
        let mut progress = Progress {
            at_s: at_s as u32,
            rejected: mrt.rejected,
            ..Progress::default()
        };
        let peers = Peers::index(
            &current.exchange,
            &self.census().await,
            &mut file.buffer,
            at_s,
        );
        let mut pages = Pages::new(Rows::All);
        while let Some(page) = pages.next(self.data(), ENTRIES).await? {
            // Slots may have changed hands.
            let now = self.current();
            for paths in page.rows.chunk_by(|a, b| a.prefix == b.prefix) {
                progress.push(&mut file.buffer, paths, &peers, &now.exchange);
            }
            file.write_if_full().await.map_err(disk)?;
            sleep(PAUSE).await;
        }
        let (file, octets) = file.finish().await.map_err(disk)?;
        Ok(Dumped {
            file,
            prefixes: progress.prefixes,
            paths: progress.paths,
            octets,
        })
    }
}

impl Peers {
    fn index(exchange: &Arc<Exchange>, census: &Census, out: &mut Vec<u8>, at_s: u64) -> Peers {
        let router_id = |slot| census.client(slot).and_then(|client| client.router_id);
        let mut places = HashMap::new();
        let mut peers = Vec::new();
        for (client, place) in exchange.clients().zip(0..u16::MAX) {
            places.insert(client.slot, place);
            peers.push(MrtPeer {
                router_id: router_id(client.slot).unwrap_or([0; 4].into()),
                address: client.address,
                asn: client.asn,
            });
        }
        encode_peer_index_table(out, at_s as u32, exchange.router_id, &peers);
        Peers {
            exchange: exchange.clone(),
            places,
        }
    }

    fn place(&self, slot: ClientSlot, now: &Exchange) -> Option<u16> {
        let (then, now) = (self.exchange.client(slot)?, now.client(slot)?);
        let place = self.places.get(&slot).copied();
        place.filter(|_| then.is_same_peer(now))
    }
}

impl Progress {
    fn push(&mut self, out: &mut Vec<u8>, paths: &[PathRow], peers: &Peers, now: &Exchange) {
        let path = |row: &PathRow| {
            let is_wanted = self.rejected || row.class.is_accepted();
            Some((
                peers.place(row.announcer, now).filter(|_| is_wanted)?,
                row.set.clone(),
            ))
        };
        let wanted: Vec<_> = paths.iter().filter_map(path).collect();
        let (Some(first), false) = (paths.first(), wanted.is_empty()) else {
            return;
        };
        let entries = wanted.iter().map(|(peer, set)| MrtPath {
            peer: *peer,
            originated_s: self.at_s,
            set,
        });
        encode_rib(out, self.at_s, self.prefixes as u32, &first.prefix, entries);
        self.prefixes += 1;
        self.paths += wanted.len() as u64;
    }
}

/// When dumps are due: at multiples of the interval, counted from midnight UTC.
#[derive(Default)]
struct Schedule {
    /// The interval, and the last multiple of it.
    last: Option<(u64, u64)>,
}

impl Schedule {
    /// The time that a dump is named for, if one is due. Another interval begins with its next multiple.
    fn due(&mut self, interval_s: Option<u64>, now_s: u64) -> Option<u64> {
        let multiple = interval_s.map(|interval_s| (interval_s, now_s / interval_s * interval_s));
        let (interval_s, at_s) = std::mem::replace(&mut self.last, multiple)?;
        let (present_s, due_s) = multiple?;
        (interval_s == present_s && at_s != due_s).then_some(due_s)
    }
}

/// Dumps on schedule, for ever.
pub(in crate::manage) async fn write_dumps(plane: Arc<Plane>) {
    let mut schedule = Schedule::default();
    loop {
        let mrt = plane.current().config.mrt.clone();
        let interval_s = mrt.and_then(|mrt| mrt.interval).map(|it| it.as_secs());
        if let Some(due_s) = schedule.due(interval_s, now_s()) {
            match plane.dump(due_s).await {
                Ok(dumped) => info!("table dump {dumped}"),
                Err(error) => error!("{error}"),
            }
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_are_due_once_at_each_multiple_of_the_interval() {
        let cases = [
            ("the server starts", Some(60), 119, None),
            ("still before it", Some(60), 119, None),
            ("the minute is over", Some(60), 120, Some(120)),
            ("written already", Some(60), 121, None),
            ("looked at too late", Some(60), 243, Some(240)),
            ("another interval", Some(100), 301, None),
            ("its next multiple", Some(100), 400, Some(400)),
            ("switched off", None, 500, None),
            ("and on again", Some(100), 600, None),
        ];
        let mut schedule = Schedule::default();
        for (case, interval_s, now_s, due) in cases {
            assert_eq!(schedule.due(interval_s, now_s), due, "{case}");
        }
    }
}
