//! Data from outside: IRR sets, RTR caches, VRP files, and how old they are.

use crate::manage::feeds_view;
use crate::manage::plane::{Current, Plane};
use crate::manage::view::{RtrCacheView, VrpFileView};
use crate::runtime::wall_clock;

use super::flag;
use super::page::{Labels, Page};

pub fn feeds(page: &mut Page, plane: &Plane, current: &Current) {
    let told = (plane.lacking(), plane.warnings());
    let view = feeds_view::feeds(current, told, plane.feeds());
    page.one(
        "rialto_feeds_lacking",
        "Kinds of data that checks need and that are not there; /api/v1/feeds says which",
        view.lacking.len() as f64,
    );
    page.one(
        "rialto_feeds_warnings",
        "Doubts about data that are in force; /api/v1/feeds says which",
        view.warnings.len() as f64,
    );
    page.one(
        "rialto_feeds_refused",
        "1 while new data from files was refused, and what was there before is in use",
        flag(plane.feeds().refused().is_some()),
    );
    page.one(
        "rialto_vrps",
        "VRPs in force, of all sources",
        view.vrps as f64,
    );
    page.one(
        "rialto_aspas",
        "ASPAs in force, of all sources",
        view.aspas as f64,
    );
    caches(page, &view.rtr_caches);
    files(page, &view.vrp_files);
    page.one(
        "rialto_irr_clients",
        "Clients whose routes are checked by IRR data",
        view.irr_clients as f64,
    );
    page.one(
        "rialto_irr_sets",
        "Distinct sets of IRR data in force",
        view.irr_sets as f64,
    );
    page.one(
        "rialto_irr_prefixes",
        "Prefixes in them",
        view.irr_prefixes as f64,
    );
    page.one(
        "rialto_irr_origins",
        "Origin ASNs in them",
        view.irr_origins as f64,
    );
    page.one(
        "rialto_irr_missing_as_sets",
        "AS-SETs of the configuration of which there is nothing",
        plane.feeds().irr_missing().len() as f64,
    );
    page.one(
        "rialto_irr_problems",
        "What was wrong with IRR files when they were last read; /api/v1/feeds says what",
        view.irr_problems.len() as f64,
    );
    let mut age = page.gauge(
        "rialto_irr_oldest_age_seconds",
        "Age of the oldest file of IRR data in use",
    );
    if let Some(at) = plane.feeds().irr_oldest() {
        let old = wall_clock().duration_since(at).unwrap_or_default();
        age.value(&Labels::default(), old.as_secs() as f64);
    }
}

fn caches(page: &mut Page, caches: &[RtrCacheView]) {
    let mut each = |name, help, of: fn(&RtrCacheView) -> Option<f64>| {
        let mut gauge = page.gauge(name, help);
        for cache in caches {
            if let Some(value) = of(cache) {
                gauge.value(&Labels::of("cache", &cache.address.to_string()), value);
            }
        }
    };
    each(
        "rialto_rtr_cache_up",
        "1 if the RTR cache is connected and has said all that it has",
        |cache| Some(flag(cache.state == "Synchronised")),
    );
    each(
        "rialto_rtr_cache_in_use",
        "1 if what the RTR cache says is in use",
        |cache| Some(flag(cache.in_use)),
    );
    each(
        "rialto_rtr_cache_age_seconds",
        "How long ago the RTR cache last answered; not there before it did",
        |cache| cache.age_s.map(|age| age as f64),
    );
    each("rialto_rtr_cache_vrps", "VRPs of the RTR cache", |cache| {
        Some(cache.vrps as f64)
    });
    each(
        "rialto_rtr_cache_aspas",
        "ASPAs of the RTR cache",
        |cache| Some(cache.aspas as f64),
    );
}

fn files(page: &mut Page, files: &[VrpFileView]) {
    let mut each = |name, help, of: fn(&VrpFileView) -> Option<f64>| {
        let mut gauge = page.gauge(name, help);
        for file in files {
            if let Some(value) = of(file) {
                gauge.value(&Labels::of("file", &file.file), value);
            }
        }
    };
    each(
        "rialto_vrp_file_age_seconds",
        "How long ago the VRP file was made, where it says so",
        |file| file.age_s.map(|age| age as f64),
    );
    each(
        "rialto_vrp_file_stale",
        "1 if the VRP file is too old to count",
        |file| Some(flag(file.stale)),
    );
    each(
        "rialto_vrp_file_vrps",
        "VRPs of the file that count",
        |file| Some(file.vrps as f64),
    );
    each(
        "rialto_vrp_file_expired",
        "Entries of the VRP file that have expired",
        |file| Some(file.expired as f64),
    );
}
