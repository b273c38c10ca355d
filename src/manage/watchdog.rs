//! Tells systemd that all pinned threads answer, for as long as they do (`WatchdogSec=`). It has a thread of
//! its own: clients do not suffer from a management plane that is stuck, and would from a restart.
//!
//! A thread that is late is not stuck. Each has one question at a time, for as long as it takes, and
//! systemd gives up on the server only when there was no moment in the whole of its interval in which
//! every thread had answered within the last quarter of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::base::{CoreId, ShardId, Time};
use crate::server::query::{CoreCommand, ShardQuery};

use super::data_path::{Answer, DataPath};
use super::notify;

/// A thread that has not answered for too long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Late {
    /// As in `show cores`.
    pub name: String,
    pub silence: Duration,
}

/// When a thread last answered.
type Answered = Arc<Mutex<Time>>;

/// Where systemd asks for it, until the process ends.
pub fn start_watchdog(data: Arc<dyn DataPath>) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return;
    };
    let body = move || match tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
    {
        Ok(tokio) => tokio.block_on(watch(data, interval, teller(interval))),
        Err(error) => error!("the watchdog cannot start: {error}"),
    };
    let thread = std::thread::Builder::new().name("watchdog".to_owned());
    match thread.spawn(body) {
        Ok(_) => info!(interval_s = interval.as_secs(), "systemd watches over us"),
        Err(error) => error!("the watchdog cannot start: {error}"),
    }
}

/// Says again and again who is late, for ever. Times are those of the data path's clock.
pub async fn watch(data: Arc<dyn DataPath>, interval: Duration, mut tell: impl FnMut(&[Late])) {
    let patience = interval / 4;
    let begin = data.now();
    let mut threads = Vec::new();
    let mut askers = JoinSet::new();
    for asked in all(data.as_ref()) {
        let last = Arc::new(Mutex::new(begin));
        threads.push((asked.name(), Arc::clone(&last)));
        askers.spawn(ask_on_and_on(Arc::clone(&data), asked, last, patience / 4));
    }
    loop {
        tell(&late(&threads, data.now(), patience));
        tokio::time::sleep(patience / 2).await;
    }
}

#[derive(Clone, Copy)]
enum Asked {
    Core(CoreId),
    Shard(ShardId),
}

impl Asked {
    fn name(self) -> String {
        match self {
            Asked::Core(core) => format!("core-{}", core.index()),
            Asked::Shard(shard) => format!("shard-{}", shard.index()),
        }
    }

    /// The cheapest question there is.
    fn ask(self, data: &dyn DataPath) -> Answer<()> {
        match self {
            Asked::Core(core) => {
                let answer = data.core_command(core, CoreCommand::Generation);
                Box::pin(async move { answer.await.map(drop) })
            }
            Asked::Shard(shard) => {
                let answer = data.shard_query(shard, ShardQuery::Generation);
                Box::pin(async move { answer.await.map(drop) })
            }
        }
    }
}

fn all(data: &dyn DataPath) -> impl Iterator<Item = Asked> {
    let cores = (0..data.core_count()).map(|core| Asked::Core(CoreId(core)));
    cores.chain((0..data.shard_count()).map(|shard| Asked::Shard(ShardId(shard))))
}

/// A thread that has ended answers with an error, and never again.
async fn ask_on_and_on(data: Arc<dyn DataPath>, asked: Asked, last: Answered, pause: Duration) {
    loop {
        if asked.ask(data.as_ref()).await.is_ok() {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = data.now();
        }
        tokio::time::sleep(pause).await;
    }
}

fn late(threads: &[(String, Answered)], now: Time, patience: Duration) -> Vec<Late> {
    let row = |(name, last): &(String, Answered)| Late {
        name: name.clone(),
        silence: now.since(*last.lock().unwrap_or_else(PoisonError::into_inner)),
    };
    let rows = threads.iter().map(row);
    rows.filter(|row| row.silence > patience).collect()
}

/// Tells systemd while nobody is late, and the log when that changes.
fn teller(interval: Duration) -> impl FnMut(&[Late]) {
    let mut were_late = Vec::new();
    move |late| {
        let names: Vec<String> = late.iter().map(|late| late.name.clone()).collect();
        if late.is_empty() {
            notify(&[NotifyState::Watchdog]);
        }
        if names == were_late {
            return;
        }
        let text = match late.first() {
            None => "all threads answer".to_owned(),
            Some(first) => format!(
                "no answer from {} for {} s",
                names.join(", "),
                first.silence.as_secs()
            ),
        };
        notify(&[NotifyState::Status(&text)]);
        match late.is_empty() {
            true => info!("{text} again"),
            false => warn!(
                "{text}; after {} s of that systemd restarts the server",
                interval.as_secs()
            ),
        }
        were_late = names;
    }
}
