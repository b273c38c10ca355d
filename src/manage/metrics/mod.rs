//! `/metrics`: what the threads say, and what the management plane knows of reloads and of data from
//! outside. Nothing is kept between two scrapes.

mod clients;
mod feeds;
mod page;
mod process;
mod threads;

use crate::server::exchange::Exchange;

use super::census::Census;
use super::plane::Plane;
use super::reload_log::{LastReload, ReloadLog};
use page::{Labels, Page};

pub use page::Dialect;

/// The states of a session (RFC 4271 §8.2.2).
const STATES: [&str; 6] = [
    "Idle",
    "Connect",
    "Active",
    "OpenSent",
    "OpenConfirm",
    "Established",
];

/// The text of one scrape.
pub async fn scrape(plane: &Plane, dialect: Dialect) -> String {
    let generation = plane.current().exchange.generation;
    let (census, is_everywhere) = tokio::join!(
        plane.census_with_advertised(),
        Census::is_everywhere(plane.data(), generation)
    );
    encode(plane, &census, is_everywhere, dialect)
}

fn encode(plane: &Plane, census: &Census, is_everywhere: bool, dialect: Dialect) -> String {
    let current = plane.current();
    let mut page = Page::new(dialect);
    server(&mut page, plane, &current.exchange, census);
    page.one(
        "rialto_generation_in_force",
        "1 if every thread runs the present generation, and has judged every path by it",
        flag(is_everywhere),
    );
    reloads(&mut page, plane, plane.reloads());
    threads::threads(&mut page, &plane.data().threads());
    threads::cores(&mut page, &census.cores, &current.exchange);
    threads::shards(&mut page, &census.shards);
    feeds::feeds(&mut page, plane, &current);
    clients::clients(&mut page, &current.exchange, census, plane.data().now());
    process::process(&mut page);
    page.finish()
}

fn server(page: &mut Page, plane: &Plane, exchange: &Exchange, census: &Census) {
    let draining = exchange.directory.is_draining();
    let ready = census.silent.is_empty() && census.is_startup_over() && !draining;
    let count = |is: fn(&crate::server::exchange::Client) -> bool| {
        exchange.clients().filter(|client| is(client)).count() as f64
    };
    page.gauge("rialto_build_info", "The version that runs")
        .value(&Labels::of("version", env!("CARGO_PKG_VERSION")), 1.0);
    page.one(
        "rialto_uptime_seconds",
        "Seconds since the start",
        plane.data().now().as_secs() as f64,
    );
    page.one(
        "rialto_generation",
        "Generations of the configuration since the start",
        exchange.generation.0.into(),
    );
    page.one(
        "rialto_ready",
        "1 once the start-up wait is over, and while it does not drain",
        flag(ready),
    );
    page.one(
        "rialto_draining",
        "1 while everything that is sent has GRACEFUL_SHUTDOWN",
        flag(draining),
    );
    page.one(
        "rialto_startup_wait_milliseconds",
        "How long the start-up wait took; older name of rialto_startup_wait_seconds",
        census.startup_wait_ms() as f64,
    );
    page.one(
        "rialto_startup_wait_seconds",
        "How long the start-up wait took",
        census.startup_wait_ms() as f64 / 1_000.0,
    );
    page.one(
        "rialto_silent_threads",
        "Threads that do not answer",
        census.silent.len() as f64,
    );
    page.one(
        "rialto_clients_configured",
        "Clients in the configuration",
        count(|_| true),
    );
    page.one(
        "rialto_clients_disabled",
        "Clients that are kept down",
        count(|client| client.disabled.is_some()),
    );
    page.one(
        "rialto_clients_quarantined",
        "Clients whose routes are evaluated, and relayed to none",
        count(|client| client.quarantined),
    );
    let mut sessions = page.gauge(
        "rialto_sessions",
        "Sessions by their state (RFC 4271 section 8.2.2)",
    );
    for state in STATES {
        let statuses = census.cores.iter().flat_map(|core| &core.clients);
        let count = statuses.filter(|status| status.state == state).count();
        sessions.value(&Labels::of("state", state), count as f64);
    }
}

fn reloads(page: &mut Page, plane: &Plane, log: &ReloadLog) {
    let mut reloads = page.counter(
        "rialto_reloads",
        "Reloads asked for by SIGHUP or command: done, or refused with nothing changed",
    );
    reloads.value(&Labels::of("result", "done"), log.done() as f64);
    reloads.value(&Labels::of("result", "refused"), log.refused() as f64);
    page.one(
        "rialto_reload_last_successful",
        "0 if the last reload was refused, else 1",
        flag(!log.is_last_refused()),
    );
    page.one(
        "rialto_reload_unconfirmed",
        "1 while the last reload awaits its confirmation, and is rolled back if none comes",
        flag(plane.confirmation_left().is_some()),
    );
    page.one(
        "rialto_reload_rolled_back",
        "1 while the files still hold what was rolled back",
        flag(plane.is_rolled_back()),
    );
    let last = log.last();
    let mut each = |name, help, of: fn(&LastReload) -> Option<f64>| {
        let mut gauge = page.gauge(name, help);
        if let Some(value) = last.as_ref().and_then(of) {
            gauge.value(&Labels::default(), value);
        }
    };
    each(
        "rialto_reload_last_success_timestamp_seconds",
        "When the last reload was done, in seconds since 1970",
        |last| Some(last.at_s as f64),
    );
    each(
        "rialto_reload_last_duration_seconds",
        "The last reload that was done: from reading the files to when every thread had been given them",
        |last| Some(last.took.as_secs_f64()),
    );
    each(
        "rialto_reload_last_in_force_seconds",
        "The same, to when every thread had judged every path by them; not there while that goes on",
        |last| Some(last.in_force_after?.as_secs_f64()),
    );
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}
