//! What those who look on may take at once, and the rates that are kept for them: from the censuses
//! that are taken anyway, so that nothing is asked when nobody looks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Json;
use tokio::sync::Semaphore;

use crate::base::{ClientSlot, Time};
use crate::server::exchange::Exchange;

use super::census::Census;
use super::http::Shared;
use super::view::{ClientRateView, RateView, RatesView};

/// Each asks one shard at a time, a piece after the other.
const SEARCHES_MAX: usize = 4;
const STREAMS_MAX: usize = 32;
/// Samples are that far apart at least,
const APART: Duration = Duration::from_secs(1);
/// and are compared over so long, where there are any as old.
const OVER: Duration = Duration::from_secs(8);
/// Older ones say nothing of now.
const AGE_MAX: Duration = Duration::from_secs(60);

pub struct Onlookers {
    pub searches: Semaphore,
    pub streams: Arc<Semaphore>,
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Clone, Default)]
struct Sample {
    at: Time,
    total: Counters,
    clients: HashMap<ClientSlot, Counters>,
}

/// UPDATEs and octets, in and out.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Counters {
    updates_in: u64,
    updates_out: u64,
    octets_in: u64,
    octets_out: u64,
}

impl Counters {
    /// For each second between the two; nothing where a counter began anew.
    fn rate_since(self, before: Counters, over: Duration) -> RateView {
        let rate = |now: u64, before: u64| {
            let per_s = now.saturating_sub(before) as f64 / over.as_secs_f64();
            (per_s * 10.0).round() / 10.0
        };
        RateView {
            updates_in: rate(self.updates_in, before.updates_in),
            updates_out: rate(self.updates_out, before.updates_out),
            octets_in: rate(self.octets_in, before.octets_in),
            octets_out: rate(self.octets_out, before.octets_out),
        }
    }
}

impl Default for Onlookers {
    fn default() -> Onlookers {
        Onlookers {
            searches: Semaphore::new(SEARCHES_MAX),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            samples: Mutex::default(),
        }
    }
}

impl Onlookers {
    fn wants_sample(&self, now: Time) -> bool {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = samples.back().map(|sample| now.since(sample.at));
        newest.is_none_or(|age| age >= APART)
    }

    pub fn note(&self, census: &Census, now: Time) {
        if !census.silent.is_empty() || !self.wants_sample(now) {
            return;
        }
        let cores = census.cores.iter();
        let total = cores.fold(Counters::default(), |sum, core| Counters {
            updates_in: sum.updates_in + core.updates_in,
            updates_out: sum.updates_out + core.updates_out,
            octets_in: sum.octets_in + core.octets_in,
            octets_out: sum.octets_out + core.octets_out,
        });
        let clients = census.cores.iter().flat_map(|core| &core.clients);
        let counters = clients.map(|client| {
            let counters = Counters {
                updates_in: client.updates_in,
                updates_out: client.updates_out,
                octets_in: client.octets_in,
                octets_out: client.octets_out,
            };
            (client.slot, counters)
        });
        let sample = Sample {
            at: now,
            total,
            clients: counters.collect(),
        };
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push_back(sample);
        // One that is old enough to compare with stays.
        while samples.len() > 2
            && samples
                .get(1)
                .is_some_and(|next| now.since(next.at) >= OVER)
        {
            samples.pop_front();
        }
    }

    fn rates(&self, exchange: &Exchange, now: Time) -> RatesView {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |sample: &&Sample| now.since(sample.at) <= AGE_MAX;
        let (first, last) = (samples.iter().find(recent), samples.back());
        let (Some(first), Some(last)) = (first, last.filter(recent)) else {
            return RatesView::default();
        };
        let over = last.at.since(first.at);
        if over < APART {
            return RatesView::default();
        }
        let view = |client: &Arc<crate::server::exchange::Client>| {
            let (now, before) = (
                last.clients.get(&client.slot)?,
                first.clients.get(&client.slot)?,
            );
            let rate = now.rate_since(*before, over);
            (rate != RateView::default()).then(|| ClientRateView {
                name: client.name.clone(),
                rate,
            })
        };
        RatesView {
            over_s: over.as_secs_f64(),
            total: Some(last.total.rate_since(first.total, over)),
            clients: exchange.clients().filter_map(view).collect(),
        }
    }
}

pub async fn rates(State(plane): Shared) -> Json<RatesView> {
    let now = plane.data().now();
    if plane.onlookers().wants_sample(now) {
        plane.census().await;
    }
    let exchange = plane.current().exchange.clone();
    Json(plane.onlookers().rates(&exchange, now))
}
