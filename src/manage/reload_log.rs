//! What became of the reloads that were asked for, and how long the last one took.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Generation, Time};
use crate::runtime::wall_clock;

use super::calendar::since_epoch;
use super::census::Census;
use super::data_path::DataPath;
use super::plane::{ChangeError, Plane};
use super::reload::{ReloadOptions, Reloaded};

/// How often it is looked whether a generation is in force everywhere, and for how long.
const LOOK: Duration = Duration::from_millis(50);
const LOOK_MAX: Duration = Duration::from_secs(600);

#[derive(Default)]
pub struct ReloadLog(Mutex<Log>);

#[derive(Default)]
struct Log {
    done: u64,
    refused: u64,
    is_last_refused: bool,
    last: Option<LastReload>,
}

/// The last reload that was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastReload {
    /// Seconds since 1970.
    pub at_s: u64,
    pub generation: Generation,
    /// From its beginning to when every thread had been given it.
    pub took: Duration,
    /// The same, to when every thread had judged every path by it.
    pub in_force_after: Option<Duration>,
}

impl ReloadLog {
    pub fn done(&self) -> u64 {
        self.lock().done
    }

    pub fn refused(&self) -> u64 {
        self.lock().refused
    }

    pub fn is_last_refused(&self) -> bool {
        self.lock().is_last_refused
    }

    pub fn last(&self) -> Option<LastReload> {
        self.lock().last
    }

    fn note_refused(&self) {
        let mut log = self.lock();
        log.refused += 1;
        log.is_last_refused = true;
    }

    fn note_done(&self, last: LastReload) {
        let mut log = self.lock();
        log.done += 1;
        log.is_last_refused = false;
        log.last = Some(last);
    }

    fn note_in_force(&self, generation: Generation, after: Duration) {
        if let Some(last) = &mut self.lock().last
            && last.generation == generation
        {
            last.in_force_after = Some(after);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plane {
    /// Reads the files again, those from outside too, and brings them into force. Dry runs are not noted.
    pub async fn reload(
        self: &Arc<Plane>,
        options: &ReloadOptions,
    ) -> Result<Reloaded, ChangeError> {
        if options.dry_run {
            return self.reload_dry(options).await;
        }
        let since = self.data().now();
        let reloaded = self.reload_now(options).await;
        match &reloaded {
            Ok(_) => self.note_reload(since),
            Err(_) => self.reloads().note_refused(),
        }
        reloaded
    }

    fn note_reload(&self, since: Time) {
        let generation = self.current().exchange.generation;
        self.reloads().note_done(LastReload {
            at_s: since_epoch(wall_clock()).as_secs(),
            generation,
            took: self.data().now().since(since),
            in_force_after: None,
        });
        let (data, log) = (self.data.clone(), self.reloads().clone());
        tokio::spawn(tokio::time::timeout(LOOK_MAX, async move {
            await_in_force(data.as_ref(), generation).await;
            log.note_in_force(generation, data.now().since(since));
        }));
    }
}

async fn await_in_force(data: &dyn DataPath, generation: Generation) {
    while !Census::is_everywhere(data, generation).await {
        tokio::time::sleep(LOOK).await;
    }
}
