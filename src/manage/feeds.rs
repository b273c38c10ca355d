//! Data from outside on its way into generations: IRR sets from files, and what `rpki` has. Owns what was
//! last good; knows nothing of clients' sessions.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::task::{JoinError, spawn_blocking};
use tracing::{error, info};

use crate::base::Time;
use crate::config::{Config, IrrFeed, IrrSources, RpkiFeed as RpkiSources};
use crate::outside::irr::{Copying, IrrIngredients, IrrStore};
use crate::outside::rtr::CacheStatus;
use crate::outside::vrp_file::FileTime;
use crate::policy::{IrrSet, Outside};
use crate::runtime::wall_clock;

use super::lacking::irr_problems;
use super::rpki::{Merger, NewFeed, Rtr, RtrSay};
use super::shrink::Shrinks;
use super::vrp_files::{VrpFiles, expires_next_s, file_time, read_vrps, spent};

/// What comes from outside, and where it is kept.
#[derive(Default)]
pub struct Feeds {
    irr: Arc<Mutex<Option<Store>>>,
    /// What each VRP file last said.
    files: Mutex<VrpFiles>,
    /// What was said of them last.
    file_problems: Mutex<Vec<String>>,
    rtr: Mutex<Rtr>,
    merger: Mutex<Merger>,
    shrinks: Mutex<Shrinks>,
    /// What was said of the IRR data last.
    irr_problems: Mutex<Vec<String>>,
    /// What the copies last came to.
    copies_problem: Mutex<Option<String>>,
    /// Held while copies are written: two would write the same file.
    copying: tokio::sync::Mutex<()>,
    irr_missing: Mutex<BTreeSet<String>>,
    irr_oldest: Mutex<Option<SystemTime>>,
    /// Why new data from files was not taken into use, while that is so.
    refused: Mutex<Option<String>>,
}

struct Store {
    feed: IrrFeed,
    store: IrrStore,
}

/// What a look at the IRR data came to.
#[derive(Default)]
pub struct IrrData {
    pub sets: HashMap<IrrSources, Arc<IrrSet>>,
    /// AS-SETs of which there is nothing.
    pub missing: BTreeSet<String>,
    /// The date of the oldest file in use.
    pub oldest: Option<SystemTime>,
    pub problems: Vec<String>,
    /// The copies to write when this is in force.
    pub copying: Copying,
}

impl Feeds {
    /// Reads the IRR data that the configuration names. Takes a while: not for the thread of the
    /// management plane.
    pub fn read_irr(&self, config: &Config) -> IrrData {
        let data = read_irr(&self.irr, config);
        self.note_irr(&data);
        data
    }

    /// The same, on a thread of its own. `None`: it came to grief, what is in use stays.
    pub async fn load_irr(&self, config: &Arc<Config>) -> Option<IrrData> {
        let (store, config) = (self.irr.clone(), config.clone());
        let read = spawn_blocking(move || read_irr(&store, &config));
        let mut data = read
            .await
            .map_err(|error| error!("IRR data: {error}"))
            .ok()?;
        self.note_irr(&data);
        data.problems.extend(lock(&self.copies_problem).clone());
        Some(data)
    }

    /// Copies of what is in force by now, so that a restart has it. Returns at once, from within tokio;
    /// what goes wrong is among the problems then.
    pub fn keep_copies(self: &Arc<Feeds>, copying: Copying) {
        let feeds = self.clone();
        tokio::spawn(async move {
            let _alone = feeds.copying.lock().await;
            if let Err(error) = feeds.write_copies(copying).await {
                error!("copies of IRR files: {error}");
            }
        });
    }

    /// One at a time, so that the end of the server has to wait for one only.
    async fn write_copies(&self, mut copying: Copying) -> Result<(), JoinError> {
        while !copying.is_done() {
            let step = spawn_blocking(move || {
                copying.step();
                copying
            });
            copying = step.await?;
        }
        let problem = copying.problem().map(|problem| problem.to_string());
        let store = self.irr.clone();
        spawn_blocking(move || {
            if let Some(Store { store, .. }) = lock(&store).as_mut() {
                store.handle_copied(&copying);
            }
        })
        .await?;
        let mut told = lock(&self.copies_problem);
        if let Some(problem) = problem.as_ref().filter(|_| *told != problem) {
            error!("{problem}");
        }
        *told = problem;
        Ok(())
    }

    fn note_irr(&self, data: &IrrData) {
        tell_new(&mut lock(&self.irr_problems), &data.problems);
        lock(&self.irr_missing).clone_from(&data.missing);
        *lock(&self.irr_oldest) = data.oldest;
    }

    /// AS-SETs of which there is nothing.
    pub fn irr_missing(&self) -> BTreeSet<String> {
        lock(&self.irr_missing).clone()
    }

    /// The date of the oldest file of IRR data in use.
    pub fn irr_oldest(&self) -> Option<SystemTime> {
        *lock(&self.irr_oldest)
    }

    /// What is wrong with the IRR data at present.
    pub fn irr_problems(&self) -> Vec<String> {
        let mut problems = lock(&self.irr_problems).clone();
        problems.extend(lock(&self.copies_problem).clone());
        problems
    }

    /// Reads the VRP files again; one that cannot be read leaves what it said before.
    pub fn read_files(&self, sources: &RpkiSources) -> Vec<String> {
        let (files, problems) = read_vrps(sources, &self.files(), wall_clock());
        self.note_files(&problems);
        self.keep_files(files);
        problems
    }

    /// Says in the log what was not wrong with the VRP files before.
    pub fn note_files(&self, problems: &[String]) {
        tell_new(&mut lock(&self.file_problems), problems);
    }

    /// VRP files of which nothing counts any more, in sentences.
    pub fn spent_files(&self, sources: &RpkiSources) -> Vec<String> {
        spent(&self.files(), file_time(sources, wall_clock()))
    }

    /// The first moment after `at` from which on less of the VRP files counts, in seconds since 1970 (UTC).
    pub fn files_expire_next_s(&self, at: FileTime) -> Option<u64> {
        expires_next_s(&self.files(), at)
    }

    /// VRPs and ASPAs before any cache was asked.
    pub fn at_start(&self, sources: &RpkiSources) -> Outside {
        let say = match sources.caches.is_empty() {
            true => RtrSay::NotConfigured,
            false => RtrSay::NotYet,
        };
        self.merged(&say, (sources, &self.files()), &Outside::default())
    }

    /// What all sources say together now. Takes a while: not for the thread of the management plane.
    pub fn merged(
        &self,
        say: &RtrSay,
        (sources, files): (&RpkiSources, &VrpFiles),
        before: &Outside,
    ) -> Outside {
        let at = file_time(sources, wall_clock());
        lock(&self.merger).merged(say, (files, at), before)
    }

    /// Other data from outside are in force.
    pub fn note_outside(&self, before: &Outside, now: &Outside) {
        lock(&self.shrinks).handle_change(before, now);
    }

    /// That there are so few VRPs and ASPAs is as it should be.
    pub fn accept_shrink(&self) {
        lock(&self.shrinks).accept();
    }

    /// What is doubtful about the data that are in force, in sentences.
    pub fn warnings(&self, in_force: &Outside) -> Vec<String> {
        let mut warnings = lock(&self.shrinks).warnings(in_force);
        warnings.extend(self.refused());
        warnings
    }

    /// What came of new data from files; in the log when it is another thing than the last time.
    pub fn note_refused(&self, why: Option<String>) {
        let mut refused = lock(&self.refused);
        match &why {
            Some(why) if refused.as_ref() != Some(why) => error!("{why}"),
            None if refused.is_some() => info!("new data from files is in force again"),
            _ => {}
        }
        *refused = why;
    }

    pub fn refused(&self) -> Option<String> {
        lock(&self.refused).clone()
    }

    /// What the VRP files in use say.
    pub fn files(&self) -> VrpFiles {
        lock(&self.files).clone()
    }

    pub fn keep_files(&self, files: VrpFiles) {
        *lock(&self.files) = files;
    }

    /// Asks the RTR caches that are configured now, from within tokio; the feed of new ones.
    pub fn follow_rtr(&self, sources: &RpkiSources, now: Time) -> Option<NewFeed> {
        lock(&self.rtr).follow(sources, now)
    }

    /// When what caches said that are asked no more holds no longer.
    pub fn carried_until(&self) -> Option<Time> {
        lock(&self.rtr).carried_until()
    }

    pub fn rtr_statuses(&self) -> Vec<CacheStatus> {
        lock(&self.rtr).statuses()
    }

    /// What the RTR caches that are asked say now.
    pub fn rtr_say(&self, now: Time) -> RtrSay {
        lock(&self.rtr).say(None, now)
    }

    /// What those of this configuration say, or would if it came into force now.
    pub fn rtr_say_of(&self, sources: &RpkiSources, now: Time) -> RtrSay {
        lock(&self.rtr).say(Some(sources), now)
    }
}

fn read_irr(store: &Mutex<Option<Store>>, config: &Config) -> IrrData {
    let names: BTreeSet<String> = config
        .clients
        .iter()
        .flat_map(|client| client.irr.sources.as_sets.iter().cloned())
        .collect();
    let mut store = lock(store);
    if !store.as_ref().is_some_and(|store| store.feed == config.irr) {
        *store = Some(Store {
            feed: config.irr.clone(),
            store: IrrStore::new(config.irr.directory.clone(), config.irr.state.clone()),
        });
    }
    let Some(Store { store, .. }) = store.as_mut() else {
        return IrrData::default();
    };
    let (report, copying) = match names.is_empty() {
        true => Default::default(),
        false => (store.refresh(&names, wall_clock()), store.to_copy()),
    };
    let sources: BTreeSet<&IrrSources> = config
        .clients
        .iter()
        .map(|client| &client.irr.sources)
        .filter(|sources| !sources.is_empty())
        .collect();
    let ingredients: Vec<IrrIngredients> = sources.iter().map(|it| ingredients(it)).collect();
    let made = store.client_sets(&ingredients);
    let missing = made.iter().flat_map(|made| made.missing.iter().cloned());
    let missing = missing.collect();
    let sets = sources.into_iter().zip(made);
    let oldest = match names.is_empty() {
        true => None,
        false => store.oldest(),
    };
    IrrData {
        oldest,
        sets: sets
            .filter_map(|(sources, made)| Some((sources.clone(), made.set?)))
            .collect(),
        missing,
        problems: irr_problems(config, &report),
        copying,
    }
}

fn ingredients(sources: &IrrSources) -> IrrIngredients {
    IrrIngredients {
        as_sets: sources.as_sets.clone(),
        prefixes: sources.prefixes.clone(),
        origins: sources.origins.clone(),
    }
}

/// Says in the log what was not said last.
fn tell_new(told: &mut Vec<String>, problems: &[String]) {
    for problem in problems.iter().filter(|it| !told.contains(it)) {
        error!("{problem}");
    }
    *told = problems.to_vec();
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
