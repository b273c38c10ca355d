//! The read-only HTTP API.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::{Prefix, shard_of};
use crate::config::{ClientSummary, Summary};
use crate::policy::RejectReason;
use crate::server::exchange::Client;
use crate::server::query::{Explanation, PathRow, ShardQuery, ShardReply, Which};

use super::birdseye;
use super::birdwatcher;
use super::census::{Census, within};
use super::data_path::Unavailable;
pub(super) use super::data_path::wrong_answer;
use super::describe::{self, Side};
use super::events;
use super::fates;
use super::feeds_view;
use super::lg;
use super::metrics;
use super::named::{NoClient, named};
use super::onlookers;
use super::openapi;
use super::outgoing;
use super::plane::Plane;
use super::search;
use super::view::{
    ClientsView, CoreView, CoresView, ErrorView, FeedsView, HealthView, ReadyView, ReasonsView,
    RouteView, ShardView, SummaryView, ThreadView,
};

pub(super) type Shared = State<Arc<Plane>>;

pub fn router(plane: Arc<Plane>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/summary", get(summary))
        .route("/api/v1/clients", get(clients))
        .route("/api/v1/clients/{name}", get(client))
        .route("/api/v1/route", get(route))
        .route("/api/v1/routes", get(search::routes))
        .route("/api/v1/search", get(search::search))
        .route("/api/v1/reasons", get(reasons))
        .route("/api/v1/rates", get(onlookers::rates))
        .route("/api/v1/explain", get(explain))
        .route("/api/v1/cores", get(cores))
        .route("/api/v1/feeds", get(feeds))
        .route("/api/v1/config", get(config))
        .merge(super::trace::routes())
        .merge(super::report::routes())
        .merge(super::hijacks::routes())
        .merge(super::digest::routes())
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/openapi.json", get(openapi::document))
        .merge(lg::pages())
        .merge(birdwatcher::router())
        .nest("/api", birdseye::router())
        .fallback(|| async { ApiError::NotFound("there is nothing at this address".to_owned()) })
        .layer(middleware::from_fn(outgoing::finish))
        .with_state(plane)
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Words(String),
    /// As many as may be of what was asked for are under way.
    #[error("{0}")]
    Busy(String),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("{0}")]
    NoClient(#[from] NoClient),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            ApiError::NotFound(_) | ApiError::NoClient(_) => StatusCode::NOT_FOUND,
            ApiError::Words(_) => StatusCode::BAD_REQUEST,
            ApiError::Busy(_) | ApiError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (
            status,
            Json(ErrorView {
                error: self.to_string(),
            }),
        )
            .into_response()
    }
}

pub(super) type Reply<T> = Result<Json<T>, ApiError>;

/// Query parameters; what is wrong with them is told like everything else.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|error| ApiError::Words(error.body_text()))?;
        Ok(Asked(query.0))
    }
}

/// Which routes of a client.
pub(super) fn which_of(text: &str) -> Result<Which, ApiError> {
    match text {
        "received" => Ok(Which::Received),
        "accepted" => Ok(Which::Accepted),
        "rejected" => Ok(Which::Rejected),
        "advertised" => Ok(Which::Advertised),
        other => Err(ApiError::Words(format!(
            "'{other}' is none of received, accepted, rejected, advertised"
        ))),
    }
}

async fn healthz(State(plane): Shared) -> Response {
    let silent = plane.census().await.silent;
    let status = if silent.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(HealthView {
            healthy: silent.is_empty(),
            silent,
        }),
    )
        .into_response()
}

async fn readyz(State(plane): Shared) -> Response {
    let view = ready(&plane, &plane.census().await);
    let status = if view.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(view)).into_response()
}

pub fn ready(plane: &Plane, census: &Census) -> ReadyView {
    let not_yet = why_not_ready(plane, census);
    ReadyView {
        ready: not_yet.is_none(),
        why: not_yet.unwrap_or_else(|| "the start-up wait is over".to_owned()),
        startup_wait_ms: census.startup_wait_ms(),
        warnings: plane.warnings(),
    }
}

fn why_not_ready(plane: &Plane, census: &Census) -> Option<String> {
    if !census.silent.is_empty() {
        return Some(census.silent.join("; "));
    }
    if plane.is_draining() {
        return Some(
            "draining: everything that is sent has GRACEFUL_SHUTDOWN; rialto drain --undo ends it"
                .to_owned(),
        );
    }
    let lacking = plane.lacking();
    if !lacking.is_empty() {
        return Some(lacking.join("; "));
    }
    if census.is_startup_over() {
        return None;
    }
    let all = census.cores.iter().flat_map(|core| &core.clients);
    let up = all
        .filter(|client| client.state == "Established")
        .collect::<Vec<_>>();
    let done = up
        .iter()
        .filter(|client| client.end_of_rib == client.families)
        .count();
    let configured = plane.current().exchange.clients().count();
    Some(format!(
        "start-up wait: {} of {configured} clients are up, {done} of them have sent End-of-RIB; nothing is advertised yet",
        up.len()
    ))
}

async fn metrics(State(plane): Shared, headers: HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let dialect = metrics::Dialect::wanted(accept.unwrap_or_default());
    let text = metrics::scrape(&plane, dialect).await;
    ([(header::CONTENT_TYPE, dialect.content_type())], text).into_response()
}

async fn summary(State(plane): Shared) -> Json<SummaryView> {
    let census = plane.census().await;
    let current = plane.current();
    let exchange = &current.exchange;
    let statuses = || census.cores.iter().flat_map(|core| &core.clients);
    let cores =
        |field: fn(&crate::server::query::CoreStats) -> u64| census.cores.iter().map(field).sum();
    let shards =
        |field: fn(&crate::server::query::ShardStats) -> u64| census.shards.iter().map(field).sum();
    let clients =
        |is: fn(&Client) -> bool| exchange.clients().filter(|client| is(client)).count() as u64;
    Json(SummaryView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        asn: exchange.asn,
        router_id: exchange.router_id,
        uptime_s: plane.data().now().as_secs(),
        generation: exchange.generation.0,
        ready: census.silent.is_empty() && census.is_startup_over() && !plane.is_draining(),
        startup_wait_ms: census.startup_wait_ms(),
        draining: plane.is_draining(),
        unconfirmed_s: plane.confirmation_left().map(|left| left.as_secs()),
        clients: clients(|_| true),
        established: statuses()
            .filter(|status| status.state == "Established")
            .count() as u64,
        disabled: clients(|client| client.disabled.is_some()),
        quarantined: clients(|client| client.quarantined),
        prefixes: shards(|shard| shard.prefixes),
        paths: shards(|shard| shard.paths),
        attribute_sets: shards(|shard| shard.attribute_sets),
        updates_in: cores(|core| core.updates_in),
        updates_out: cores(|core| core.updates_out),
        nlri_out: cores(|core| core.nlri_out),
        octets_in: cores(|core| core.octets_in),
        octets_out: cores(|core| core.octets_out),
        refused_connections: cores(|core| core.refused_connections),
        control_socket: absolute(&current.config.control),
        silent: census.silent.clone(),
    })
}

async fn feeds(State(plane): Shared) -> Json<FeedsView> {
    let current = plane.current();
    let told = (plane.lacking(), plane.warnings());
    Json(feeds_view::feeds(&current, told, plane.feeds()))
}

fn absolute(file: &std::path::Path) -> String {
    std::path::absolute(file)
        .unwrap_or_else(|_| file.to_owned())
        .display()
        .to_string()
}

#[derive(Deserialize)]
struct ClientsQuery {
    /// How many were told before.
    cursor: Option<usize>,
    limit: Option<usize>,
}

async fn clients(
    State(plane): Shared,
    Asked(query): Asked<ClientsQuery>,
) -> Result<Json<ClientsView>, ApiError> {
    let (census, exchange) = (
        plane.census_with_advertised().await,
        plane.current().exchange.clone(),
    );
    let now_us = plane.data().now().as_micros();
    let statuses = census.cores.iter().flat_map(|core| &core.clients);
    let by_slot = statuses
        .map(|status| (status.slot, status))
        .collect::<std::collections::HashMap<_, _>>();
    let view = |client: &Arc<Client>| {
        let status = by_slot.get(&client.slot).copied();
        describe::client(client, status, &census, now_us)
    };
    // All, unless it is asked otherwise: the configuration bounds them.
    let (told, limit) = (query.cursor.unwrap_or(0), query.limit.unwrap_or(usize::MAX));
    let rest = exchange.clients().skip(told);
    let clients = rest.take(limit.max(1)).map(view).collect::<Vec<_>>();
    let told = told.saturating_add(clients.len());
    let next = exchange.clients().nth(told).map(|_| told.to_string());
    Ok(Json(ClientsView { clients, next }))
}

/// A client with what it is configured with.
#[derive(Serialize)]
struct OneClient {
    client: super::view::ClientView,
    configured: Option<ClientSummary>,
}

async fn client(State(plane): Shared, Path(name): Path<String>) -> Reply<OneClient> {
    let current = plane.current();
    let client = named(&current.exchange, &name)?;
    let census = plane.census_with_advertised().await;
    let configured = current
        .config
        .clients
        .iter()
        .find(|config| config.address == client.address);
    Ok(Json(OneClient {
        client: describe::client(
            client,
            census.client(client.slot),
            &census,
            plane.data().now().as_micros(),
        ),
        configured: configured.map(|client| ClientSummary::of(client, &current.config)),
    }))
}

#[derive(Deserialize)]
struct RouteQuery {
    prefix: String,
}

async fn route(State(plane): Shared, Asked(query): Asked<RouteQuery>) -> Reply<RouteView> {
    let found = find(&plane, &query.prefix).await?;
    let exchange = plane.current().exchange.clone();
    let Some((prefix, rows)) = found else {
        return Ok(Json(RouteView {
            prefix: None,
            paths: Vec::new(),
        }));
    };
    let paths = rows
        .iter()
        .map(|row| describe::path(&exchange, row, Side::Heard))
        .collect();
    Ok(Json(RouteView {
        prefix: Some(prefix.to_string()),
        paths,
    }))
}

/// The paths of a prefix, or of the longest one that covers an address.
async fn find(plane: &Plane, text: &str) -> Result<Option<(Prefix, Vec<PathRow>)>, ApiError> {
    let wanted = text.parse::<Prefix>();
    let wanted = wanted.map_err(|error| ApiError::Words(error.to_string()))?;
    let is_address = text.parse::<IpAddr>().is_ok();
    let count = if is_address { usize::MAX } else { 1 };
    for prefix in wanted.covering().take(count) {
        let shard = shard_of(&prefix, plane.data().shard_count());
        match within(
            plane
                .data()
                .shard_query(shard, ShardQuery::Route { prefix }),
        )
        .await?
        {
            ShardReply::Route(rows) if rows.is_empty() => {}
            ShardReply::Route(rows) => return Ok(Some((prefix, rows))),
            other => return Err(wrong_answer(&other)),
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
struct ExplainQuery {
    prefix: String,
    to: String,
}

async fn explain(
    State(plane): Shared,
    Asked(query): Asked<ExplainQuery>,
) -> Reply<super::view::ExplainView> {
    let exchange = plane.current().exchange.clone();
    let to = named(&exchange, &query.to)?;
    let Some((prefix, _)) = find(&plane, &query.prefix).await? else {
        let nothing = Explanation {
            paths: Vec::new(),
            live: false,
        };
        return Ok(Json(fates::explanation(&exchange, to, None, &nothing)));
    };
    let shard = shard_of(&prefix, plane.data().shard_count());
    let question = ShardQuery::Explain {
        prefix,
        to: to.slot,
    };
    match within(plane.data().shard_query(shard, question)).await? {
        ShardReply::Explain(explanation) => Ok(Json(fates::explanation(
            &exchange,
            to,
            Some(prefix.to_string()),
            &explanation,
        ))),
        other => Err(wrong_answer(&other)),
    }
}

async fn reasons(State(plane): Shared) -> Json<ReasonsView> {
    let exchange = plane.current().exchange.clone();
    let reasons = RejectReason::ALL.into_iter();
    Json(ReasonsView {
        reasons: reasons
            .map(|reason| describe::reject(&exchange, reason))
            .collect(),
    })
}

async fn cores(State(plane): Shared) -> Json<CoresView> {
    let census = plane.census().await;
    let threads = plane.data().threads();
    let thread = |index: usize| {
        let row = threads.get(index);
        row.map_or_else(ThreadView::default, |row| ThreadView {
            name: row.name.clone(),
            cpu: row.cpu,
            cpu_time_s: row.cpu_time.as_secs_f64(),
            queued: row.queued,
        })
    };
    let core_count = usize::from(plane.data().core_count());
    let cores = census
        .cores
        .iter()
        .map(|stats| CoreView::of(stats, thread(stats.core.index())));
    let shards = census
        .shards
        .iter()
        .map(|stats| ShardView::of(stats, thread(core_count + stats.shard.index())));
    Json(CoresView {
        sessions: cores.collect(),
        shards: shards.collect(),
    })
}

async fn config(State(plane): Shared) -> Json<Summary> {
    Json(Summary::of(&plane.current().config))
}
