//! `/api/v1/clients/{name}/report`: what a client registered and does not announce, announces and did not
//! register, and what ROAs say otherwise (RFC 7948 §4.3). Made when it is asked for, one at a time, and kept for
//! a while, so that its pages are of one moment.

mod ages;
mod compare;
pub mod view;
mod words;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::base::{Generation, Time};
use crate::server::exchange::{Client, Exchange};
use crate::server::query::Which;

use super::data_path::Unavailable;
use super::http::{ApiError, Asked};
use super::named::named;
use super::pages::{Pages, Rows};
use super::plane::Plane;
use ages::Ages;
use compare::{Counts, Heard, Item, Section};
use view::{ReportCountsView, ReportView};

/// A report is made anew when it is older.
const FRESH: Duration = Duration::from_secs(30);
/// Reports that are kept, for their pages.
const KEPT_MAX: usize = 8;
/// Paths of one client that are looked at, and items of a section that can be listed.
const HEARD_MAX: usize = 2_000_000;
const ITEMS_MAX: usize = 50_000;
/// Table entries that a shard looks at for one question.
const ENTRIES_PER_QUESTION: u32 = 2_000;
const PAGE: usize = 500;
const PAGE_MAX: usize = 5_000;

pub(super) fn routes() -> Router<Arc<Plane>> {
    Router::new()
        .route("/api/v1/clients/{name}/report", get(report))
        .layer(Extension(Arc::new(Mutex::new(Reports::default()))))
}

/// What a client was found to be at one moment.
struct Report {
    id: u64,
    address: IpAddr,
    generation: Generation,
    made: Time,
    session_s: Option<u64>,
    is_incomplete: bool,
    counts: Counts,
    /// Each with the moment at which it was first in a report.
    items: Vec<(Item, Time)>,
}

#[derive(Default)]
struct Reports {
    last_id: u64,
    kept: VecDeque<Arc<Report>>,
    ages: Ages,
}

#[derive(Deserialize)]
struct ReportQuery {
    section: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

async fn report(
    State(plane): State<Arc<Plane>>,
    Path(name): Path<String>,
    Asked(query): Asked<ReportQuery>,
    Extension(reports): Extension<Arc<Mutex<Reports>>>,
) -> Result<Json<ReportView>, ApiError> {
    let exchange = plane.current().exchange.clone();
    let client = named(&exchange, &name)?;
    let name = query.section.as_deref().unwrap_or("all");
    let is_wanted = wanted(name)?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let (report, offset) = match &query.cursor {
        Some(cursor) => reports.lock().await.at(cursor, client)?,
        None => (of_now(&plane, &exchange, client, &reports).await?, 0),
    };
    let now = plane.data().now();
    let all = report.items.iter().enumerate().skip(offset);
    let mut wanted = all.filter(|(_, (item, _))| is_wanted(item));
    let page = wanted.by_ref().take(limit);
    let items = page.map(|(_, (item, since))| words::item(item, client, now.since(*since)));
    let items = items.collect();
    let next = wanted.next().map(|(at, _)| format!("{}-{at}", report.id));
    let irr = match (client.import.irr_set(), client.import.lacks_irr()) {
        (_, true) => "missing",
        (Some(_), _) => "known",
        (None, _) => "not_checked",
    };
    Ok(Json(ReportView {
        client: client.name.clone(),
        asn: client.asn,
        address: client.address,
        age_s: now.since(report.made).as_secs(),
        session_s: report.session_s,
        irr: irr.to_owned(),
        rpki: exchange.outside.vrps.is_some(),
        counts: counts(&report.counts),
        incomplete: report.is_incomplete,
        section: name.to_owned(),
        items,
        next,
    }))
}

fn counts(of: &Counts) -> ReportCountsView {
    ReportCountsView {
        announced: of.announced,
        registered: of.registered,
        not_announced: of.not_announced,
        not_registered: of.not_registered,
        roa_mismatch: of.roa_mismatch,
        near_miss: of.near_miss,
    }
}

/// Whether an item is asked for.
type Wanted = Box<dyn Fn(&Item) -> bool + Send>;

fn wanted(section: &str) -> Result<Wanted, ApiError> {
    let sections = [
        Section::NotRegistered,
        Section::RoaMismatch,
        Section::NotAnnounced,
    ];
    match (
        section,
        sections.into_iter().find(|it| it.name() == section),
    ) {
        ("all", _) => Ok(Box::new(|_| true)),
        ("near_miss", _) => Ok(Box::new(|item| !item.near.is_empty())),
        (_, Some(section)) => Ok(Box::new(move |item| item.section == section)),
        (other, None) => Err(ApiError::Words(format!(
            "'{other}' is none of all, not_registered, roa_mismatch, not_announced, near_miss"
        ))),
    }
}

impl Reports {
    /// The report that a cursor belongs to, and where to go on.
    fn at(&self, cursor: &str, client: &Client) -> Result<(Arc<Report>, usize), ApiError> {
        let wrong = || ApiError::Words(format!("'{cursor}' is no cursor of this client's report"));
        let (id, offset) = cursor.split_once('-').ok_or_else(wrong)?;
        let id: u64 = id.parse().map_err(|_| wrong())?;
        let offset = offset.parse().map_err(|_| wrong())?;
        let mut kept = self.kept.iter();
        let report = kept.find(|it| it.id == id && it.address == client.address);
        let gone = "the report that the cursor belongs to is not kept any more: begin anew";
        let report = report.ok_or_else(|| ApiError::Words(gone.to_owned()))?;
        Ok((report.clone(), offset))
    }

    fn fresh(&self, now: Time, client: &Client, generation: Generation) -> Option<Arc<Report>> {
        let is_fresh = |report: &&Arc<Report>| {
            (report.address, report.generation) == (client.address, generation)
                && now.since(report.made) < FRESH
        };
        self.kept.iter().find(is_fresh).cloned()
    }
}

/// One that is fresh, or a new one; others wait meanwhile.
async fn of_now(
    plane: &Plane,
    exchange: &Arc<Exchange>,
    client: &Arc<Client>,
    reports: &Mutex<Reports>,
) -> Result<Arc<Report>, ApiError> {
    let mut reports = reports.lock().await;
    if let Some(report) = reports.fresh(plane.data().now(), client, exchange.generation) {
        return Ok(report);
    }
    let (mut heard, is_incomplete) = heard(plane, client).await?;
    let (irr, vrps) = (
        client.import.irr_set().cloned(),
        exchange.outside.vrps.clone(),
    );
    let compared = spawn_blocking(move || {
        compare::compare(&mut heard, irr.as_deref(), vrps.as_deref(), ITEMS_MAX)
    });
    let lost = |error: tokio::task::JoinError| Unavailable(error.to_string());
    let (items, counts) = compared.await.map_err(lost)?;
    let census = plane.census().await;
    let now = plane.data().now();
    let status = census.client(client.slot);
    let up = status.filter(|status| status.state == "Established");
    reports.last_id += 1;
    let report = Arc::new(Report {
        id: reports.last_id,
        address: client.address,
        generation: exchange.generation,
        made: now,
        session_s: up.map(|up| now.as_micros().saturating_sub(up.since_us) / 1_000_000),
        is_incomplete,
        counts,
        items: reports.ages.handle_report(now, client.address, items),
    });
    reports.kept.retain(|kept| kept.address != client.address);
    reports.kept.push_back(report.clone());
    if reports.kept.len() > KEPT_MAX {
        reports.kept.pop_front();
    }
    Ok(report)
}

/// All paths of a client, and whether there are too many.
async fn heard(plane: &Plane, client: &Client) -> Result<(Vec<Heard>, bool), Unavailable> {
    let mut all = Vec::new();
    let mut pages = Pages::new(Rows::OfClient(client.slot, Which::Received));
    while let Some(page) = pages.next(plane.data(), ENTRIES_PER_QUESTION).await? {
        all.extend(page.rows.iter().map(|row| Heard {
            prefix: row.prefix,
            origin: row.set.origin_as(),
            class: row.class,
        }));
        if all.len() > HEARD_MAX {
            all.truncate(HEARD_MAX);
            return Ok((all, true));
        }
    }
    Ok((all, false))
}
