//! `/metrics`: what the threads say, in OpenMetrics text. Nothing is kept between two scrapes.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::base::{Family, Time};
use crate::server::exchange::Exchange;
use crate::server::query::{ClientStatus, CoreStats, ShardStats};

use super::census::Census;
use super::describe;
use super::view::{ByFamily, ClientView};

type Labels = Vec<(&'static str, String)>;

/// One metric with all its values.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    values: Vec<(Labels, u64)>,
}

/// The text of one scrape.
/// `is_refused`: new data from files was not taken into use.
pub fn encode(exchange: &Exchange, census: &Census, is_refused: bool, now: Time) -> String {
    let mut registry = Registry::with_prefix("rialto");
    let mut metrics = collect(exchange, census, now);
    metrics.push(gauge(
        "feeds_refused",
        "1 while new data from files was refused, and what was there before is in use",
        vec![(Labels::new(), is_refused.into())],
    ));
    registry.register_collector(Box::new(Snapshot(metrics)));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Snapshot(Vec<Metric>);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for metric in &self.0 {
            let mut family =
                encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
            for (labels, value) in &metric.values {
                let value_encoder = family.encode_family(labels)?;
                match metric.kind {
                    MetricType::Counter => ConstCounter::new(*value).encode(value_encoder)?,
                    _ => ConstGauge::new(*value as i64).encode(value_encoder)?,
                }
            }
        }
        Ok(())
    }
}

fn collect(exchange: &Exchange, census: &Census, now: Time) -> Vec<Metric> {
    let mut metrics = server(exchange, census, now);
    metrics.extend(cores(&census.cores));
    metrics.extend(shards(&census.shards));
    metrics.extend(clients(exchange, census, now));
    metrics
}

fn gauge(name: &'static str, help: &'static str, values: Vec<(Labels, u64)>) -> Metric {
    Metric {
        name,
        help,
        kind: MetricType::Gauge,
        values,
    }
}

/// The exposition appends `_total` to its name.
fn counter(name: &'static str, help: &'static str, values: Vec<(Labels, u64)>) -> Metric {
    Metric {
        name,
        help,
        kind: MetricType::Counter,
        values,
    }
}

fn server(exchange: &Exchange, census: &Census, now: Time) -> Vec<Metric> {
    let one = |value: u64| vec![(Labels::new(), value)];
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let draining = exchange.directory.is_draining();
    let ready = census.silent.is_empty() && census.is_startup_over() && !draining;
    vec![
        gauge("build_info", "The version that runs", vec![(version, 1)]),
        gauge(
            "uptime_seconds",
            "Seconds since the start",
            one(now.as_secs()),
        ),
        gauge(
            "generation",
            "Generations of the configuration since the start",
            one(exchange.generation.0.into()),
        ),
        gauge(
            "ready",
            "1 once the start-up wait is over, and while it does not drain",
            one(ready.into()),
        ),
        gauge(
            "draining",
            "1 while everything that is sent has GRACEFUL_SHUTDOWN",
            one(draining.into()),
        ),
        gauge(
            "startup_wait_milliseconds",
            "How long the start-up wait took",
            one(census.startup_wait_ms()),
        ),
        gauge(
            "silent_threads",
            "Threads that do not answer",
            one(census.silent.len() as u64),
        ),
        gauge(
            "clients_configured",
            "Clients in the configuration",
            one(exchange.clients().count() as u64),
        ),
    ]
}

fn cores(cores: &[CoreStats]) -> Vec<Metric> {
    let each = |field: fn(&CoreStats) -> u64| {
        cores
            .iter()
            .map(|core| (vec![("core", core.core.to_string())], field(core)))
            .collect::<Vec<_>>()
    };
    vec![
        counter(
            "core_octets_in",
            "Octets read from clients",
            each(|core| core.octets_in),
        ),
        counter(
            "core_octets_out",
            "Octets written to clients",
            each(|core| core.octets_out),
        ),
        counter(
            "core_updates_in",
            "UPDATEs received",
            each(|core| core.updates_in),
        ),
        counter(
            "core_updates_encoded",
            "UPDATEs encoded, each once",
            each(|core| core.updates_encoded),
        ),
        counter(
            "core_nlri_encoded",
            "Prefixes encoded, each once",
            each(|core| core.nlri_encoded),
        ),
        counter(
            "core_updates_out",
            "UPDATEs queued, once for each client",
            each(|core| core.updates_out),
        ),
        counter(
            "core_nlri_out",
            "Prefixes queued, once for each client",
            each(|core| core.nlri_out),
        ),
        gauge(
            "core_octets_retained",
            "Octets held for output",
            each(|core| core.octets_retained),
        ),
        gauge(
            "core_octets_retained_max",
            "Most octets ever held for output",
            each(|core| core.octets_retained_max),
        ),
        counter(
            "core_refused_connections",
            "Connections refused: from unknown addresses, or where a key is missing",
            each(|core| core.refused_connections),
        ),
        counter(
            "core_whole_resyncs",
            "Times that a client far behind got everything anew",
            each(|core| core.whole_resyncs),
        ),
    ]
}

fn shards(shards: &[ShardStats]) -> Vec<Metric> {
    let each = |field: fn(&ShardStats) -> u64| {
        shards
            .iter()
            .map(|shard| (vec![("shard", shard.shard.to_string())], field(shard)))
            .collect::<Vec<_>>()
    };
    vec![
        gauge(
            "shard_prefixes",
            "Prefixes in the table",
            each(|shard| shard.prefixes),
        ),
        gauge(
            "shard_paths",
            "Paths, rejected ones among them",
            each(|shard| shard.paths),
        ),
        gauge(
            "shard_attribute_sets",
            "Distinct attribute sets",
            each(|shard| shard.attribute_sets),
        ),
        gauge(
            "shard_attribute_octets",
            "Octets of attribute sets",
            each(|shard| shard.attribute_octets),
        ),
        gauge(
            "shard_audiences",
            "Distinct audiences",
            each(|shard| shard.audiences),
        ),
        gauge(
            "shard_classes",
            "Distinct outcomes of the checks of a prefix",
            each(|shard| shard.classes),
        ),
        gauge(
            "shard_variants",
            "Distinct forms in which attribute sets go out",
            each(|shard| shard.variants),
        ),
        gauge(
            "shard_pending",
            "Changed prefixes that wait to be sent",
            each(|shard| shard.pending),
        ),
        counter(
            "shard_messages",
            "Messages handled",
            each(|shard| shard.messages),
        ),
        counter(
            "shard_routes_in",
            "Announcements and withdrawals handled",
            each(|shard| shard.routes_in),
        ),
        counter(
            "shard_deltas_out",
            "Changes given to session cores",
            each(|shard| shard.deltas_out),
        ),
        counter(
            "shard_flushes",
            "Times that changes were gathered and given out",
            each(|shard| shard.flushes),
        ),
    ]
}

fn clients(exchange: &Exchange, census: &Census, now: Time) -> Vec<Metric> {
    let all = census.cores.iter().flat_map(|core| &core.clients);
    let known = all
        .filter_map(|status| Some((exchange.client(status.slot)?, status)))
        .collect::<Vec<_>>();
    // As the API shows them, so that the two never disagree.
    let views = known
        .iter()
        .map(|(client, status)| describe::client(client, Some(status), census, now.as_micros()))
        .collect::<Vec<_>>();
    let labels = |client: &crate::server::exchange::Client| {
        vec![
            ("client", client.name.clone()),
            ("asn", client.asn.to_string()),
        ]
    };
    let each = |field: fn(&ClientStatus) -> u64| {
        known
            .iter()
            .map(|(client, status)| (labels(client), field(status)))
            .collect::<Vec<_>>()
    };
    let by_family = |field: fn(&ClientView) -> ByFamily| {
        let mut values = Vec::new();
        for ((client, _), view) in known.iter().zip(&views) {
            for &family in &view.families {
                let mut labels = labels(client);
                labels.push(("family", Family::name(family).to_owned()));
                values.push((labels, field(view).of(family)));
            }
        }
        values
    };
    vec![
        gauge(
            "client_up",
            "1 if the session is established",
            each(|status| (status.state == "Established").into()),
        ),
        gauge(
            "client_received_prefixes",
            "Prefixes received, before policy",
            by_family(|view| view.received),
        ),
        gauge(
            "client_accepted_prefixes",
            "Prefixes accepted and relayed: after policy, and after accepted_max where that blocks or rejects",
            by_family(|view| view.accepted),
        ),
        gauge(
            "client_blocked_prefixes",
            "Prefixes that policy accepts and accepted_max keeps back (block, reject); not among the accepted",
            by_family(|view| view.blocked),
        ),
        gauge(
            "client_quarantined_prefixes",
            "Prefixes of a quarantined client that policy would accept; relayed to none, not among the accepted",
            by_family(|view| view.would_be_accepted),
        ),
        gauge(
            "client_rejected_prefixes",
            "Prefixes that are not accepted, by reason",
            rejected(&known, &views, labels),
        ),
        counter(
            "client_updates_in",
            "UPDATEs received",
            each(|status| status.updates_in),
        ),
        counter(
            "client_updates_out",
            "UPDATEs queued",
            each(|status| status.updates_out),
        ),
        counter(
            "client_octets_in",
            "Octets read",
            each(|status| status.octets_in),
        ),
        counter(
            "client_octets_out",
            "Octets written",
            each(|status| status.octets_out),
        ),
        gauge(
            "client_queue_octets",
            "Octets that wait to be read by the client",
            each(|status| status.queue_octets),
        ),
        gauge(
            "client_dirty_prefixes",
            "Prefixes owed to a slow client",
            each(|status| status.dirty_prefixes),
        ),
        counter(
            "client_flaps",
            "Sessions that ended",
            each(|status| status.flaps.into()),
        ),
        counter(
            "client_treat_as_withdraw",
            "UPDATEs treated as withdrawals (RFC 7606)",
            each(|status| status.treat_as_withdraw_count),
        ),
        counter(
            "client_attribute_discard",
            "Attributes discarded (RFC 7606)",
            each(|status| status.attribute_discard_count),
        ),
    ]
}

/// By client and reason, both families together.
fn rejected(
    known: &[(&Arc<crate::server::exchange::Client>, &ClientStatus)],
    views: &[ClientView],
    labels: impl Fn(&crate::server::exchange::Client) -> Vec<(&'static str, String)>,
) -> Vec<(Vec<(&'static str, String)>, u64)> {
    let mut values = Vec::new();
    for ((client, _), view) in known.iter().zip(views) {
        for rejected in &view.rejected {
            let mut labels = labels(client);
            labels.push(("reason", rejected.reason.clone()));
            values.push((labels, rejected.ipv4 + rejected.ipv6));
        }
    }
    values
}
