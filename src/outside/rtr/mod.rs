//! VRPs and ASPAs from RTR caches, in an order of preference (RFC 6810, RFC 8210, 8210bis). Owns a
//! task for each cache and one that chooses; what is made of the data is the receiver's business.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod choice;
mod chooser;
mod client;
mod encode;
mod payload;
#[doc(hidden)]
pub mod pdu;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::policy::{AspaSet, VrpSet};

use chooser::Chooser;
use client::Client;

/// VRPs, router keys, ASPAs and their providers that one cache may send.
const ENTRIES_MAX: usize = 8_000_000;
/// Reports that wait for the choosing task.
const REPORTS_MAX: usize = 16;

/// Which caches to ask, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtrConfig {
    /// The preferred one first.
    pub caches: Vec<SocketAddr>,
    /// How long the data of a cache hold after it was lost, where no other answers; its own Expire
    /// Interval may be shorter.
    pub expire: Duration,
    pub entries_max: usize,
    pub timing: RtrTiming,
}

impl RtrConfig {
    pub fn new(caches: Vec<SocketAddr>, expire: Duration) -> RtrConfig {
        RtrConfig {
            caches,
            expire,
            entries_max: ENTRIES_MAX,
            timing: RtrTiming::default(),
        }
    }
}

/// How long things may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtrTiming {
    pub connect: Duration,
    /// From a query, or from one PDU of an answer, to the next PDU.
    pub answer: Duration,
    /// From a query to the end of its answer.
    pub exchange: Duration,
    /// Between the end of a connection and the next; it doubles up to `pause_max`.
    pub pause: Duration,
    pub pause_max: Duration,
    /// Until a cache without data is asked again.
    pub no_data_retry: Duration,
    /// Until a cache that is asked in a lower version, though it never said so, is asked in the highest again.
    pub climb: Duration,
    /// Between two queries, and between two changes of the feed, at least.
    pub gap: Duration,
    /// How long a preferred cache must be well before it takes over from another.
    pub settle: Duration,
    /// How long a lost cache may take to come back before another takes over (RFC 8210 §10): at least
    /// one try lies in it, `pause_max` being the longest time between two.
    pub patience: Duration,
}

impl Default for RtrTiming {
    fn default() -> RtrTiming {
        RtrTiming {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            exchange: Duration::from_secs(600),
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
            no_data_retry: Duration::from_secs(15),
            climb: Duration::from_secs(3600),
            gap: Duration::from_millis(100),
            settle: Duration::from_secs(10),
            patience: Duration::from_secs(60),
        }
    }
}

/// What the cache in use says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RpkiFeed {
    /// Sorted, each once.
    pub vrps: Arc<VrpSet>,
    pub aspas: Arc<AspaSet>,
    /// Whether it has any ASPA.
    pub has_aspa: bool,
    /// Address of the cache.
    pub source: String,
    pub serial: u32,
    pub at: SystemTime,
}

/// How far a cache has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheState {
    /// No connection; one is tried, or will be.
    Down,
    Connecting,
    /// Connected, its first answer is on the way.
    Loading,
    /// It has answered with what it has.
    Synchronised,
    /// Connected, but it has no data, or not a single VRP.
    NoData,
}

impl CacheState {
    pub fn name(self) -> &'static str {
        match self {
            CacheState::Down => "Down",
            CacheState::Connecting => "Connecting",
            CacheState::Loading => "Loading",
            CacheState::Synchronised => "Synchronised",
            CacheState::NoData => "NoData",
        }
    }
}

/// One cache, as the API shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheStatus {
    pub address: SocketAddr,
    pub state: CacheState,
    /// Whether its data are those in use.
    pub is_in_use: bool,
    /// Of the last answer, like all that follows.
    pub version: Option<u8>,
    pub session: Option<u16>,
    pub serial: Option<u32>,
    pub vrp_count: usize,
    pub aspa_count: usize,
    pub updated_at: Option<SystemTime>,
    pub last_error: Option<String>,
}

impl CacheStatus {
    fn new(address: SocketAddr) -> CacheStatus {
        CacheStatus {
            address,
            state: CacheState::Down,
            is_in_use: false,
            version: None,
            session: None,
            serial: None,
            vrp_count: 0,
            aspa_count: 0,
            updated_at: None,
            last_error: None,
        }
    }

    /// How long ago the cache last answered.
    pub fn update_age(&self, now: SystemTime) -> Option<Duration> {
        let at = self.updated_at?;
        Some(now.duration_since(at).unwrap_or_default())
    }
}

/// The tasks that ask the caches; they end when this is dropped.
pub struct RtrCaches {
    feed: watch::Receiver<Option<Arc<RpkiFeed>>>,
    statuses: watch::Receiver<Vec<CacheStatus>>,
    _tasks: JoinSet<()>,
}

impl RtrCaches {
    /// Within a tokio runtime, which may have a single thread: nothing here keeps it for long.
    pub fn start(config: RtrConfig) -> RtrCaches {
        let statuses = config.caches.iter().copied().map(CacheStatus::new);
        let (status_sender, statuses) = watch::channel(statuses.collect());
        let (feed_sender, feed) = watch::channel(None);
        let (reports, from_caches) = mpsc::channel(REPORTS_MAX);
        let mut tasks = JoinSet::new();
        for (cache, address) in config.caches.iter().copied().enumerate() {
            let timing = config.timing.clone();
            let client = Client::new(cache, address, timing, config.entries_max, reports.clone());
            tasks.spawn(client.run());
        }
        tasks.spawn(Chooser::new(&config, feed_sender, status_sender).run(from_caches));
        RtrCaches {
            feed,
            statuses,
            _tasks: tasks,
        }
    }

    /// Changes when the content does, at most once in each `gap`; `None` while no cache has data that
    /// hold. Never without a VRP.
    pub fn feed(&self) -> watch::Receiver<Option<Arc<RpkiFeed>>> {
        self.feed.clone()
    }

    /// In the order of preference.
    pub fn statuses(&self) -> Vec<CacheStatus> {
        self.statuses.borrow().clone()
    }
}
