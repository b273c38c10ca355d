//! The task that hears all caches, keeps what they said last, and passes on what is in use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::choice::Choice;
use super::client::{Loaded, News, Report};
use super::payload::Payload;
use super::{CacheState, CacheStatus, RpkiFeed, RtrConfig};

/// A cache that says so has lost what it had, or has not got it yet: whoever believed it would let pass all
/// that is Invalid.
const EMPTY: &str =
    "it has not a single VRP, which counts as no data: what it said before holds until it expires";

pub struct Chooser {
    choice: Choice,
    /// What each cache said last, in the order of preference.
    loaded: Vec<Option<Loaded>>,
    feed: watch::Sender<Option<Arc<RpkiFeed>>>,
    statuses: watch::Sender<Vec<CacheStatus>>,
    gap: Duration,
    /// What was looked at last for the feed; the same again needs no second look.
    considered: Option<Payload>,
    /// Before then the feed does not change.
    feed_after: Instant,
}

impl Chooser {
    pub fn new(
        config: &RtrConfig,
        feed: watch::Sender<Option<Arc<RpkiFeed>>>,
        statuses: watch::Sender<Vec<CacheStatus>>,
    ) -> Chooser {
        let count = config.caches.len();
        Chooser {
            choice: Choice::new(
                count,
                config.expire,
                config.timing.settle,
                config.timing.patience,
            ),
            loaded: (0..count).map(|_| None).collect(),
            feed,
            statuses,
            gap: config.timing.gap,
            considered: None,
            feed_after: Instant::now(),
        }
    }

    pub async fn run(mut self, mut reports: mpsc::Receiver<Report>) {
        let mut look_at = None;
        loop {
            let look = async {
                match look_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                report = reports.recv() => match report {
                    Some(report) => self.handle_report(report),
                    None => return,
                },
                () = look => self.choice.handle_timeout(Instant::now()),
            }
            while let Ok(report) = reports.try_recv() {
                self.handle_report(report);
            }
            self.drop_what_expired();
            self.show_choice();
            let now = Instant::now();
            let changes_at = self.choice.poll_timeout(now);
            look_at = match self.is_feed_due() {
                true if now < self.feed_after => {
                    Some(changes_at.map_or(self.feed_after, |at| at.min(self.feed_after)))
                }
                true => {
                    self.send_feed().await;
                    changes_at
                }
                false => changes_at,
            };
        }
    }

    fn handle_report(&mut self, Report { cache, news }: Report) {
        let now = Instant::now();
        self.show_news(cache, &news);
        match news {
            News::Connecting | News::Loading => {}
            News::NoData | News::Empty | News::Lost(_) => self.choice.handle_lost(cache, now),
            News::Loaded(loaded) => {
                self.choice.handle_loaded(cache, loaded.valid, now);
                if let Some(place) = self.loaded.get_mut(cache) {
                    *place = Some(loaded);
                }
            }
        }
    }

    fn drop_what_expired(&mut self) {
        for (cache, loaded) in self.loaded.iter_mut().enumerate() {
            if !self.choice.has_data(cache) {
                *loaded = None;
            }
        }
    }

    fn show_news(&self, cache: usize, news: &News) {
        self.statuses.send_modify(|statuses| {
            let Some(status) = statuses.get_mut(cache) else {
                return;
            };
            match news {
                News::Connecting => status.state = CacheState::Connecting,
                News::Loading => status.state = CacheState::Loading,
                News::NoData => status.state = CacheState::NoData,
                News::Empty => {
                    status.state = CacheState::NoData;
                    status.last_error = Some(EMPTY.to_owned());
                }
                News::Lost(error) => {
                    status.state = CacheState::Down;
                    status.last_error = Some(error.clone());
                }
                News::Loaded(loaded) => {
                    status.state = CacheState::Synchronised;
                    status.version = Some(loaded.known.version);
                    status.session = Some(loaded.known.session);
                    status.serial = Some(loaded.known.serial);
                    status.vrp_count = loaded.payload.vrps.len();
                    status.aspa_count = loaded.payload.aspas.len();
                    status.updated_at = Some(loaded.at);
                }
            }
        });
    }

    /// Says in the statuses and in the log whose data are in use.
    fn show_choice(&self) {
        let in_use = self.choice.in_use();
        self.statuses.send_if_modified(|statuses| {
            let before = statuses.iter().position(|status| status.is_in_use);
            if before == in_use {
                return false;
            }
            for (cache, status) in statuses.iter_mut().enumerate() {
                status.is_in_use = in_use == Some(cache);
            }
            match in_use.and_then(|cache| statuses.get(cache)) {
                Some(status) => info!("RPKI data are those of RTR cache {} now", status.address),
                None => warn!("RPKI data have expired and no RTR cache has others"),
            }
            true
        });
    }

    fn in_use(&self) -> Option<&Loaded> {
        self.loaded.get(self.choice.in_use()?)?.as_ref()
    }

    fn is_feed_due(&self) -> bool {
        match (&self.considered, self.in_use()) {
            (None, None) => false,
            (Some(before), Some(now)) => !is_same(before, &now.payload),
            _ => true,
        }
    }

    /// Passes on what is in use, if its content is other than before.
    async fn send_feed(&mut self) {
        let chosen = self.choice.in_use();
        let Some((cache, loaded)) = chosen.zip(self.in_use()) else {
            self.considered = None;
            self.feed.send_replace(None);
            return;
        };
        let payload = loaded.payload.clone();
        let (serial, at) = (loaded.known.serial, loaded.at);
        let before = self.feed.borrow().clone();
        let is_news = match before {
            None => true,
            Some(before) => {
                let now = payload.clone();
                let compare = move || before.vrps != now.vrps || before.aspas != now.aspas;
                tokio::task::spawn_blocking(compare).await.unwrap_or(true)
            }
        };
        self.considered = Some(payload.clone());
        if !is_news {
            return;
        }
        let address = self
            .statuses
            .borrow()
            .get(cache)
            .map(|status| status.address);
        let feed = RpkiFeed {
            has_aspa: !payload.aspas.is_empty(),
            vrps: payload.vrps,
            aspas: payload.aspas,
            source: address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            serial,
            at,
        };
        self.feed.send_replace(Some(Arc::new(feed)));
        self.feed_after = Instant::now() + self.gap;
    }
}

/// Whether it is not only equal, but the very same.
fn is_same(a: &Payload, b: &Payload) -> bool {
    Arc::ptr_eq(&a.vrps, &b.vrps) && Arc::ptr_eq(&a.aspas, &b.aspas)
}
