//! From data from outside to the view of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::outside::rtr::CacheStatus;
use crate::outside::vrp_file::{FileTime, VrpFile};
use crate::policy::IrrSet;
use crate::runtime::wall_clock;

use super::feeds::Feeds;
use super::plane::Current;
use super::view::{FeedsView, RtrCacheView, VrpFileView};
use super::vrp_files::{VrpFiles, file_time};

/// Data from outside, as it is in force.
pub fn feeds(
    current: &Current,
    (lacking, warnings): (Vec<String>, Vec<String>),
    feeds: &Feeds,
) -> FeedsView {
    let exchange = &current.exchange;
    let sets: BTreeMap<*const IrrSet, &IrrSet> = exchange
        .clients()
        .filter_map(|client| client.import.irr_set())
        .map(|set| (Arc::as_ptr(set), &**set))
        .collect();
    let sum = |count: fn(&IrrSet) -> usize| sets.values().map(|set| count(set) as u64).sum();
    let outside = &exchange.outside;
    let now = wall_clock();
    let cache = |status: &CacheStatus| RtrCacheView {
        address: status.address,
        state: status.state.name().to_owned(),
        in_use: status.is_in_use,
        version: status.version,
        session: status.session,
        serial: status.serial,
        vrps: status.vrp_count as u64,
        aspas: status.aspa_count as u64,
        age_s: status.update_age(now).map(|age| age.as_secs()),
        last_error: status.last_error.clone(),
    };
    FeedsView {
        lacking,
        warnings,
        irr_problems: feeds.irr_problems(),
        irr_clients: exchange
            .clients()
            .filter(|client| client.import.irr_set().is_some())
            .count() as u64,
        irr_sets: sets.len() as u64,
        irr_prefixes: sum(|set| set.prefixes.len()),
        irr_origins: sum(|set| set.origins().len()),
        irr_octets: sum(IrrSet::octets),
        vrps: outside.vrps.as_ref().map_or(0, |vrps| vrps.len() as u64),
        aspas: outside.aspas.as_ref().map_or(0, |aspas| aspas.len() as u64),
        rtr_caches: feeds.rtr_statuses().iter().map(cache).collect(),
        vrp_files: vrp_files(&feeds.files(), file_time(&current.config.rpki, now)),
    }
}

fn vrp_files(files: &VrpFiles, at: FileTime) -> Vec<VrpFileView> {
    let view = |(name, file): (&PathBuf, &Arc<VrpFile>)| VrpFileView {
        file: name.display().to_string(),
        vrps: file.vrps(at).count() as u64,
        aspas: file.aspas(at).count() as u64,
        expired: file.expired_count(at.now_s) as u64,
        age_s: file.made_s.map(|made_s| at.now_s.saturating_sub(made_s)),
        stale: file.is_stale(at),
    };
    let mut views: Vec<VrpFileView> = files.iter().map(view).collect();
    views.sort_by(|a, b| a.file.cmp(&b.file));
    views
}
