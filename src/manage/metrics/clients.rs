//! What is said of each client. What is zero for nearly everybody (rejections by reason, limits) has a
//! line only where there is something, so that a scrape of 1,000 clients stays of bounded size.

use std::sync::Arc;

use crate::base::{Family, Time};
use crate::server::exchange::{Client, Exchange, PrefixLimits};
use crate::server::query::ClientStatus;

use super::flag;
use super::page::{Labels, Page};
use crate::manage::census::Census;
use crate::manage::describe;
use crate::manage::view::{ByFamily, ClientView};

/// A client with all that is known of it.
struct Known<'a> {
    client: &'a Arc<Client>,
    status: &'a ClientStatus,
    /// As the API shows it, so that the two never disagree.
    view: ClientView,
    labels: Labels,
    /// Of the families that its session has.
    by_family: Vec<(Family, Labels)>,
}

pub fn clients(page: &mut Page, exchange: &Exchange, census: &Census, now: Time) {
    let statuses = census.cores.iter().flat_map(|core| &core.clients);
    let known = statuses.filter_map(|status| {
        let client = exchange.client(status.slot)?;
        let view = describe::client(client, Some(status), census, now.as_micros());
        let labels = Labels::of("client", &client.name).with("asn", &client.asn.to_string());
        let family = |&family: &Family| (family, labels.with("family", family.name()));
        Some(Known {
            client,
            status,
            by_family: view.families.iter().map(family).collect(),
            view,
            labels,
        })
    });
    let known: Vec<Known<'_>> = known.collect();
    states(page, &known);
    prefixes(page, &known);
    stale(page, &known);
    advertised(page, &known);
    limits(page, &known);
    traffic(page, &known);
}

fn gauges(
    page: &mut Page,
    known: &[Known<'_>],
    name: &'static str,
    help: &str,
    of: impl Fn(&Known<'_>) -> f64,
) {
    let mut gauge = page.gauge(name, help);
    for client in known {
        gauge.value(&client.labels, of(client));
    }
}

fn states(page: &mut Page, known: &[Known<'_>]) {
    let mut each = |name, help, of: fn(&Known<'_>) -> f64| gauges(page, known, name, help, of);
    each(
        "rialto_client_up",
        "1 if the session is established",
        |it| flag(it.view.is_established()),
    );
    each(
        "rialto_client_state_seconds",
        "How long the session is in the state that it is in",
        |it| it.view.since_s as f64,
    );
    each(
        "rialto_client_disabled",
        "1 if the client is kept down",
        |it| flag(it.client.disabled.is_some()),
    );
    each(
        "rialto_client_quarantined",
        "1 if its routes are evaluated, and relayed to none",
        |it| flag(it.client.quarantined),
    );
    each(
        "rialto_client_stalled",
        "1 while the client does not read; what changes is only noted for it",
        |it| flag(it.status.stalled),
    );
}

fn prefixes(page: &mut Page, known: &[Known<'_>]) {
    let mut each = |name, help, of: fn(&ClientView) -> ByFamily| {
        let mut gauge = page.gauge(name, help);
        for client in known {
            for (family, labels) in &client.by_family {
                gauge.value(labels, of(&client.view).of(*family) as f64);
            }
        }
    };
    each(
        "rialto_client_received_prefixes",
        "Prefixes received, before policy",
        |view| view.received,
    );
    each(
        "rialto_client_accepted_prefixes",
        "Prefixes accepted and relayed: after policy, and after accepted_max where its action is block",
        |view| view.accepted,
    );
    each(
        "rialto_client_blocked_prefixes",
        "Prefixes that policy accepts and accepted_max keeps back (action block); not among the accepted",
        |view| view.blocked,
    );
    each(
        "rialto_client_quarantined_prefixes",
        "Prefixes of a quarantined client that policy would accept; relayed to none, not among the accepted",
        |view| view.would_be_accepted,
    );
    let mut rejected = page.gauge(
        "rialto_client_rejected_prefixes",
        "Prefixes that are not accepted, by reason; reasons of none are left out",
    );
    for client in known {
        for reason in &client.view.rejected {
            let counts = ByFamily {
                ipv4: reason.ipv4,
                ipv6: reason.ipv6,
            };
            for family in Family::ALL {
                let count = counts.of(family);
                if count > 0 {
                    let labels = client.labels.with("family", family.name());
                    let labels = labels.with("reason", &reason.reason);
                    rejected.value(&labels, count as f64);
                }
            }
        }
    }
}

/// Of the families that are configured: those of a session are none while it is down.
fn stale(page: &mut Page, known: &[Known<'_>]) {
    let mut gauge = page.gauge(
        "rialto_client_stale_prefixes",
        "Prefixes that are kept although their session is over (graceful_restart_helper_s); among none of the others",
    );
    for client in known {
        for family in client.client.session.families.iter() {
            let of_family = client.view.stale.iter().filter(|own| own.family == family);
            let count: u64 = of_family.map(|own| own.prefixes).sum();
            gauge.value(&client.labels.with("family", family.name()), count as f64);
        }
    }
}

/// Absent until it has been counted, and of sessions that are down.
fn advertised(page: &mut Page, known: &[Known<'_>]) {
    let mut gauge = page.gauge(
        "rialto_client_advertised_prefixes",
        "Paths that the client is sent, counted over the table about once a minute while somebody scrapes",
    );
    for client in known.iter().filter(|client| client.view.is_established()) {
        for (family, labels) in &client.by_family {
            if let Some(advertised) = &client.view.advertised {
                gauge.value(labels, advertised.of(*family) as f64);
            }
        }
    }
}

/// Where there are any.
fn limits(page: &mut Page, known: &[Known<'_>]) {
    let mut each = |name, help, of: fn(&PrefixLimits) -> Option<u32>| {
        let mut gauge = page.gauge(name, help);
        for client in known {
            for (family, labels) in &client.by_family {
                if let Some(max) = of(&client.client.limits[family.index()]) {
                    gauge.value(labels, max.into());
                }
            }
        }
    };
    each(
        "rialto_client_received_prefixes_limit",
        "Prefixes that the client may announce (received_max), where that is bounded",
        |limits| limits.received_max,
    );
    each(
        "rialto_client_accepted_prefixes_limit",
        "Prefixes that may be accepted of the client (accepted_max), where that is bounded",
        |limits| limits.accepted_max,
    );
}

fn traffic(page: &mut Page, known: &[Known<'_>]) {
    let mut each = |name, help, of: fn(&ClientStatus) -> u64| {
        let mut counter = page.counter(name, help);
        for client in known {
            counter.value(&client.labels, of(client.status) as f64);
        }
    };
    each("rialto_client_updates_in", "UPDATEs received", |it| {
        it.updates_in
    });
    each("rialto_client_updates_out", "UPDATEs queued", |it| {
        it.updates_out
    });
    each(
        "rialto_client_nlri_out",
        "Prefixes queued, in announcements and withdrawals; not how many the client has",
        |it| it.nlri_out,
    );
    each("rialto_client_octets_in", "Octets read", |it| it.octets_in);
    each("rialto_client_octets_out", "Octets written", |it| {
        it.octets_out
    });
    each("rialto_client_flaps", "Sessions that ended", |it| {
        it.flaps.into()
    });
    each(
        "rialto_client_treat_as_withdraw",
        "UPDATEs treated as withdrawals (RFC 7606)",
        |it| it.treat_as_withdraw_count,
    );
    each(
        "rialto_client_attribute_discard",
        "Attributes discarded (RFC 7606)",
        |it| it.attribute_discard_count,
    );
    each(
        "rialto_client_next_hop_hijacks",
        "Prefixes that came with the next hop of another client (RFC 7948 section 4.8)",
        |it| it.hijack_count,
    );
    gauges(
        page,
        known,
        "rialto_client_queue_octets",
        "Octets that wait to be read by the client",
        |it| it.status.queue_octets as f64,
    );
    gauges(
        page,
        known,
        "rialto_client_dirty_prefixes",
        "Prefixes owed to a slow client",
        |it| it.status.dirty_prefixes as f64,
    );
}
