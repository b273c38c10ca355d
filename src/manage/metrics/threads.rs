//! What pinned threads say of themselves: CPU time, mailboxes, session cores and shards.

use crate::runtime::ThreadRow;
use crate::server::Latencies;
use crate::server::exchange::Exchange;
use crate::server::query::{CoreStats, ShardStats};

use super::page::{Labels, Page};

/// How a number behaves.
#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}
use Kind::{Counter, Gauge};

pub fn threads(page: &mut Page, threads: &[ThreadRow]) {
    let labels: Vec<Labels> = threads
        .iter()
        .map(|row| Labels::of("thread", &row.name))
        .collect();
    let mut cpu = page.counter(
        "rialto_thread_cpu_seconds",
        "CPU time of the thread: its rate is the share of the time that it is busy",
    );
    for (row, labels) in threads.iter().zip(&labels) {
        cpu.value(labels, row.cpu_time.as_secs_f64());
    }
    let mut mailbox = page.gauge(
        "rialto_thread_mailbox_messages",
        "Messages that wait in the mailbox of the thread",
    );
    for (row, labels) in threads.iter().zip(&labels) {
        mailbox.value(labels, row.queued as f64);
    }
}

pub fn cores(page: &mut Page, cores: &[CoreStats], exchange: &Exchange) {
    let labels: Vec<Labels> = cores
        .iter()
        .map(|core| Labels::of("core", &core.core.to_string()))
        .collect();
    let mut each = |kind, name, help, of: fn(&CoreStats) -> u64| {
        let mut series = match kind {
            Gauge => page.gauge(name, help),
            Counter => page.counter(name, help),
        };
        for (core, labels) in cores.iter().zip(&labels) {
            series.value(labels, of(core) as f64);
        }
    };
    each(
        Counter,
        "rialto_core_octets_in",
        "Octets read from clients",
        |it| it.octets_in,
    );
    each(
        Counter,
        "rialto_core_octets_out",
        "Octets written to clients",
        |it| it.octets_out,
    );
    each(
        Counter,
        "rialto_core_updates_in",
        "UPDATEs received",
        |it| it.updates_in,
    );
    each(
        Counter,
        "rialto_core_updates_encoded",
        "UPDATEs encoded, each once",
        |it| it.updates_encoded,
    );
    each(
        Counter,
        "rialto_core_nlri_encoded",
        "Prefixes encoded, each once",
        |it| it.nlri_encoded,
    );
    each(
        Counter,
        "rialto_core_updates_out",
        "UPDATEs queued, once for each client",
        |it| it.updates_out,
    );
    each(
        Counter,
        "rialto_core_nlri_out",
        "Prefixes queued, once for each client",
        |it| it.nlri_out,
    );
    each(
        Gauge,
        "rialto_core_octets_retained",
        "Octets held for output",
        |it| it.octets_retained,
    );
    each(
        Gauge,
        "rialto_core_octets_retained_max",
        "Most octets ever held for output",
        |it| it.octets_retained_max,
    );
    each(
        Counter,
        "rialto_core_refused_connections",
        "Connections refused: from unknown addresses, or where a key is missing",
        |it| it.refused_connections,
    );
    each(
        Counter,
        "rialto_core_whole_resyncs",
        "Times that a client far behind got everything anew",
        |it| it.whole_resyncs,
    );
    each(
        Gauge,
        "rialto_core_window_prefixes",
        "Prefixes that are gathered at this moment",
        |it| it.window_prefixes,
    );
    let mut window = page.gauge(
        "rialto_core_window_seconds",
        "How long changes are gathered before they are packed; longer under load",
    );
    for (core, labels) in cores.iter().zip(&labels) {
        window.value(labels, core.window_us as f64 / 1_000_000.0);
    }
    page.one(
        "rialto_core_octets_retained_limit",
        "Octets held for output at which a core takes no more changes until some are written",
        exchange.limits.core_octets_max as f64,
    );
    let mut latencies = |name, help, of: fn(&CoreStats) -> &Latencies| {
        let mut histogram = page.histogram(name, help);
        for (core, labels) in cores.iter().zip(&labels) {
            histogram.latencies(labels, of(core));
        }
    };
    latencies(
        "rialto_propagation_queued_seconds",
        "From the arrival of an UPDATE to the packing of what follows from it, once for each window, by its oldest UPDATE",
        |core| &core.until_queued,
    );
    latencies(
        "rialto_propagation_written_seconds",
        "From the arrival of an UPDATE to the write after which nothing waits for a client, once for each such write, by the oldest UPDATE in it",
        |core| &core.until_written,
    );
}

pub fn shards(page: &mut Page, shards: &[ShardStats]) {
    let labels: Vec<Labels> = shards
        .iter()
        .map(|shard| Labels::of("shard", &shard.shard.to_string()))
        .collect();
    let mut each = |kind, name, help, of: fn(&ShardStats) -> u64| {
        let mut series = match kind {
            Gauge => page.gauge(name, help),
            Counter => page.counter(name, help),
        };
        for (shard, labels) in shards.iter().zip(&labels) {
            series.value(labels, of(shard) as f64);
        }
    };
    each(
        Gauge,
        "rialto_shard_prefixes",
        "Prefixes in the table",
        |it| it.prefixes,
    );
    each(
        Gauge,
        "rialto_shard_paths",
        "Paths, rejected ones among them",
        |it| it.paths,
    );
    each(
        Gauge,
        "rialto_shard_attribute_sets",
        "Distinct attribute sets",
        |it| it.attribute_sets,
    );
    each(
        Gauge,
        "rialto_shard_attribute_octets",
        "Octets of attribute sets",
        |it| it.attribute_octets,
    );
    each(
        Gauge,
        "rialto_shard_audiences",
        "Distinct audiences",
        |it| it.audiences,
    );
    each(
        Gauge,
        "rialto_shard_classes",
        "Distinct outcomes of the checks of a prefix",
        |it| it.classes,
    );
    each(
        Gauge,
        "rialto_shard_variants",
        "Distinct forms in which attribute sets go out",
        |it| it.variants,
    );
    each(
        Gauge,
        "rialto_shard_pending",
        "Changed prefixes that wait to be sent",
        |it| it.pending,
    );
    each(Counter, "rialto_shard_messages", "Messages handled", |it| {
        it.messages
    });
    each(
        Counter,
        "rialto_shard_routes_in",
        "Announcements and withdrawals handled",
        |it| it.routes_in,
    );
    each(
        Counter,
        "rialto_shard_deltas_out",
        "Changes given to session cores",
        |it| it.deltas_out,
    );
    each(
        Counter,
        "rialto_shard_flushes",
        "Times that changes were gathered and given out",
        |it| it.flushes,
    );
    each(
        Gauge,
        "rialto_shard_eligibilities",
        "Distinct answers to who may have a path, and in which form",
        |it| it.eligibilities,
    );
    each(
        Gauge,
        "rialto_shard_free_slots",
        "Places for prefixes that are free",
        |it| it.free_slots,
    );
    each(
        Gauge,
        "rialto_shard_dead_prefixes",
        "Prefixes without a path whose places await reuse",
        |it| it.dead_prefixes,
    );
    let mut window = page.gauge(
        "rialto_shard_window_seconds",
        "How long changes are gathered before they are given to session cores; longer under load",
    );
    for (shard, labels) in shards.iter().zip(&labels) {
        window.value(labels, shard.window.as_secs_f64());
    }
}
