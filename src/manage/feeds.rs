//! Data from outside on its way into generations: IRR sets from files, VRPs and ASPAs from RTR caches and
//! files. Owns what was last good; knows nothing of clients' sessions.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;
use tracing::error;

use crate::config::{Config, IrrFeed, IrrSources, RpkiFeed as RpkiSources};
use crate::outside::irr::{IrrIngredients, IrrProblem, IrrReport, IrrStore};
use crate::outside::rtr::{CacheStatus, RpkiFeed, RtrCaches, RtrConfig};
use crate::outside::vrp_file::{self, VrpFile};
use crate::policy::{Aspa, AspaSet, IrrSet, Outside, Vrp, VrpSet};

/// What VRP files say, by name.
pub type VrpFiles = HashMap<PathBuf, Arc<VrpFile>>;

/// What comes from outside, and where it is kept.
#[derive(Default)]
pub struct Feeds {
    irr: Arc<Mutex<Option<Store>>>,
    /// What each VRP file last said.
    files: Mutex<VrpFiles>,
    rtr: Mutex<Option<Rtr>>,
    /// What was said of the IRR data last.
    irr_problems: Mutex<Vec<String>>,
}

struct Store {
    feed: IrrFeed,
    store: IrrStore,
}

struct Rtr {
    sources: RpkiSources,
    caches: RtrCaches,
}

/// What a look at the IRR data came to.
#[derive(Default)]
pub struct IrrData {
    pub sets: HashMap<IrrSources, Arc<IrrSet>>,
    pub problems: Vec<String>,
}

impl Feeds {
    /// Reads the IRR data that the configuration names. Takes a while: not for the thread of the
    /// management plane.
    pub fn read_irr(&self, config: &Config) -> IrrData {
        let data = read_irr(&self.irr, config);
        self.note_irr(&data);
        data
    }

    /// The same, on a thread of its own.
    pub async fn load_irr(&self, config: &Arc<Config>) -> IrrData {
        let (store, config) = (self.irr.clone(), config.clone());
        let read = tokio::task::spawn_blocking(move || read_irr(&store, &config));
        let data = read.await.unwrap_or_default();
        self.note_irr(&data);
        data
    }

    fn note_irr(&self, data: &IrrData) {
        for problem in &data.problems {
            error!("{problem}");
        }
        *lock(&self.irr_problems) = data.problems.clone();
    }

    /// What is wrong with the IRR data at present.
    pub fn irr_problems(&self) -> Vec<String> {
        lock(&self.irr_problems).clone()
    }

    /// Reads the VRP files again; one that cannot be read leaves what it said before.
    pub fn read_files(&self, sources: &RpkiSources) -> Vec<String> {
        let (files, problems) = read_vrps(sources, &self.files());
        self.keep_files(files);
        problems
    }

    /// What the VRP files in use say.
    pub fn files(&self) -> VrpFiles {
        lock(&self.files).clone()
    }

    pub fn keep_files(&self, files: VrpFiles) {
        *lock(&self.files) = files;
    }

    /// Asks the RTR caches that are configured now, from within tokio; the feed of new ones.
    pub fn follow_rtr(
        &self,
        sources: &RpkiSources,
    ) -> Option<watch::Receiver<Option<Arc<RpkiFeed>>>> {
        let mut rtr = lock(&self.rtr);
        let is_known = rtr.as_ref().is_some_and(|rtr| {
            rtr.sources.caches == sources.caches && rtr.sources.expire == sources.expire
        });
        if is_known {
            return None;
        }
        *rtr = None;
        if sources.caches.is_empty() {
            return None;
        }
        let config = RtrConfig::new(sources.caches.clone(), sources.expire);
        let caches = RtrCaches::start(config);
        let feed = caches.feed();
        let sources = sources.clone();
        *rtr = Some(Rtr { sources, caches });
        Some(feed)
    }

    pub fn rtr_statuses(&self) -> Vec<CacheStatus> {
        let rtr = lock(&self.rtr);
        rtr.as_ref()
            .map_or_else(Vec::new, |rtr| rtr.caches.statuses())
    }

    /// What the RTR cache in use says now.
    pub fn rtr_feed(&self) -> Option<Arc<RpkiFeed>> {
        let rtr = lock(&self.rtr);
        rtr.as_ref()
            .and_then(|rtr| rtr.caches.feed().borrow().clone())
    }

    /// VRPs and ASPAs of all sources together. Sorting half a million takes a moment.
    pub fn outside(&self, before: &Outside) -> Outside {
        merged(self.rtr_feed(), &self.files(), before)
    }
}

/// Reads the VRP files, and takes nothing into use. One that cannot be read says what it said before.
pub fn read_vrps(sources: &RpkiSources, before: &VrpFiles) -> (VrpFiles, Vec<String>) {
    let mut files = VrpFiles::new();
    let mut problems = Vec::new();
    for file in &sources.vrp_files {
        let octets = std::fs::read(file).map_err(|error| error.to_string());
        let read =
            octets.and_then(|octets| vrp_file::read(&octets).map_err(|error| error.to_string()));
        let known = before.get(file).cloned();
        if let Err(error) = &read {
            let kept = match known {
                Some(_) => "what it said before stays in use",
                None => "there is nothing to use in its place",
            };
            problems.push(format!("VRP file {}: {error}; {kept}", file.display()));
        }
        let said = read.map(Arc::new).ok().or(known);
        files.extend(said.map(|said| (file.clone(), said)));
    }
    problems
        .iter()
        .for_each(|problem| tracing::error!("{problem}"));
    (files, problems)
}

/// VRPs and ASPAs of a cache and of files together. Sorting half a million takes a moment.
pub fn merged(feed: Option<Arc<RpkiFeed>>, files: &VrpFiles, before: &Outside) -> Outside {
    if feed.is_none() && files.is_empty() {
        // What there was has expired: nothing is covered any more (RFC 6811 §2), which is not as
        // if nothing had ever come.
        let expired = before.vrps.as_ref().map(|_| Arc::new(VrpSet::default()));
        return Outside {
            vrps: expired,
            aspas: None,
        };
    }
    let mut vrps: Vec<Vrp> = feed
        .iter()
        .flat_map(|feed| feed.vrps.iter().copied())
        .collect();
    vrps.extend(files.values().flat_map(|file| file.vrps.iter().copied()));
    let vrps = VrpSet::new(vrps);
    let aspas = aspas(feed.as_deref(), files);
    Outside {
        vrps: Some(keep_same(before.vrps.as_ref(), vrps)),
        aspas: (!aspas.is_empty()).then(|| keep_same(before.aspas.as_ref(), aspas)),
    }
}

fn aspas(feed: Option<&RpkiFeed>, files: &VrpFiles) -> AspaSet {
    let of_feed = feed.iter().flat_map(|feed| feed.aspas.iter());
    let of_feed = of_feed.map(|(customer, providers)| Aspa {
        customer,
        providers: providers.to_vec(),
    });
    let of_files = files.values().flat_map(|file| file.aspas.iter().cloned());
    of_feed.chain(of_files).collect()
}

/// An equal value stays the one it was: what hangs on it sees that nothing changed.
fn keep_same<T: PartialEq>(before: Option<&Arc<T>>, now: T) -> Arc<T> {
    match before {
        Some(before) if **before == now => before.clone(),
        _ => Arc::new(now),
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
    let report = match names.is_empty() {
        true => IrrReport::default(),
        false => store.refresh(&names, SystemTime::now()),
    };
    let sources: BTreeSet<&IrrSources> = config
        .clients
        .iter()
        .map(|client| &client.irr.sources)
        .filter(|sources| !sources.is_empty())
        .collect();
    let ingredients: Vec<IrrIngredients> = sources.iter().map(|it| ingredients(it)).collect();
    let made = store.client_sets(&ingredients);
    let sets = sources.into_iter().zip(made);
    IrrData {
        sets: sets
            .filter_map(|(sources, made)| Some((sources.clone(), made.set?)))
            .collect(),
        problems: report.problems.iter().map(IrrProblem::to_string).collect(),
    }
}

fn ingredients(sources: &IrrSources) -> IrrIngredients {
    IrrIngredients {
        as_sets: sources.as_sets.clone(),
        prefixes: sources.prefixes.clone(),
        origins: sources.origins.clone(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
