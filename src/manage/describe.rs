//! From what the data path answers to the views of the API.

use std::fmt::Write;
use std::net::IpAddr;

use crate::base::{Asn, Family};
use crate::policy::{ControlScheme, RejectReason};
use crate::server::exchange::{Client, Exchange, LimitAction};
use crate::server::query::{ClientStatus, CoreStats, PathRow, ShardStats};
use crate::session::State;
use crate::wire::{Additions, AttributeSet, NextHop, Origin, Variant, code};

use super::census::Census;
use super::view::{
    AttributesView, ByFamily, ClientView, CoreView, OtherAttributeView, PathView, RejectView,
    RejectedView, RestartsView, ShardView, StaleView, ThreadView, families,
};

/// Whether a path is shown as it was heard or as it goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Heard,
    Sent,
}

pub fn path(exchange: &Exchange, row: &PathRow, side: Side) -> PathView {
    let from = exchange.client(row.announcer);
    let class = row.class;
    let reason = class.reason().map(|reason| reject(exchange, reason));
    let (remark, reject) = match class.is_accepted() {
        true => (reason, None),
        false => (None, reason),
    };
    PathView {
        prefix: row.prefix.to_string(),
        from: from.map_or_else(
            || format!("slot {}", row.announcer),
            |client| client.name.clone(),
        ),
        from_asn: from.map_or(Asn::default(), |client| client.asn),
        from_address: from.map_or(IpAddr::from([0; 4]), |client| client.address),
        accepted: class.is_accepted(),
        reject,
        remark,
        rpki: class.rov().name().to_owned(),
        irr_prefix: class.irr_prefix().name().to_owned(),
        irr_origin: class.irr_origin().name().to_owned(),
        blackhole: class.is_blackhole(),
        stale: row.is_stale,
        long_lived: class.is_long_lived(),
        path_id: row.path_id.map(|id| id.0),
        prepend: row.variant.prepend,
        advertised_to: row.advertised_to,
        attributes: match side {
            Side::Heard => attributes(&row.set, None),
            Side::Sent => attributes(&row.set, Some((&exchange.scheme, row.variant))),
        },
    }
}

pub fn reject(exchange: &Exchange, reason: RejectReason) -> RejectView {
    RejectView {
        code: reason.code(),
        name: reason.name().to_owned(),
        text: reason.text().to_owned(),
        communities: exchange.scheme.reject_causes(reason),
    }
}

/// `outgoing`: as it goes out in this variant. What depends on the receiver alone (OTC, the server's
/// ASN in the AS_PATH) is not shown.
pub fn attributes(
    set: &AttributeSet,
    outgoing: Option<(&ControlScheme, Variant)>,
) -> AttributesView {
    let scrub = outgoing.map(|(scheme, _)| scheme.export_scrub());
    let next_hop = match outgoing {
        Some((scheme, variant)) => scheme.export_scrub().next_hop(variant, set.next_hop()),
        None => set.next_hop(),
    };
    let (next_hop, link_local_next_hop) = match next_hop {
        NextHop::V4(address) => (address.into(), None),
        NextHop::V6(address) => (address.into(), None),
        NextHop::V6LinkLocal(address, link_local) => (address.into(), Some(link_local.into())),
    };
    let added = outgoing.map_or(Additions::default(), |(scheme, variant)| {
        additions(scheme, variant)
    });
    let stays = |removed: Option<bool>| !removed.unwrap_or(false);
    let standard = set
        .communities()
        .filter(|c| stays(scrub.map(|s| s.removes_standard(*c))));
    let large = set
        .large_communities()
        .filter(|c| stays(scrub.map(|s| s.removes_large(*c))));
    let extended = set
        .extended_communities()
        .filter(|c| stays(scrub.map(|s| s.removes_extended(*c))));
    let mut path = String::new();
    if let Some((_, variant)) = outgoing {
        (0..variant.prepend).for_each(|_| path += &format!("{} ", variant.prepend_as));
    }
    AttributesView {
        origin: match set.facts().origin {
            Origin::Igp => "igp",
            Origin::Egp => "egp",
            Origin::Incomplete => "incomplete",
        }
        .to_owned(),
        as_path: (path + &as_path(set)).trim_end().to_owned(),
        next_hop,
        link_local_next_hop,
        med: set.facts().med,
        communities: with_new(standard, &added.standard)
            .map(|(a, b)| format!("{a}:{b}"))
            .collect(),
        large_communities: with_new(large, &added.large)
            .map(|(a, b, c)| format!("{a}:{b}:{c}"))
            .collect(),
        extended_communities: with_new(extended, &added.extended)
            .map(|octets| hexadecimal(&octets))
            .collect(),
        others: others(set),
    }
}

/// All that a path in this variant gets.
fn additions(scheme: &ControlScheme, variant: Variant) -> Additions {
    let mut additions = scheme.export_scrub().additions(variant);
    additions.standard.extend(variant.flags.communities());
    additions
}

/// What stays, and behind it what is added and not there yet.
fn with_new<T: Copy + PartialEq>(
    stays: impl Iterator<Item = T>,
    added: &[T],
) -> std::vec::IntoIter<T> {
    let mut all: Vec<T> = stays.collect();
    for community in added {
        if !all.contains(community) {
            all.push(*community);
        }
    }
    all.into_iter()
}

/// AS_SEQUENCE plain, AS_SET `{…}`, AS_CONFED_SEQUENCE `(…)`, AS_CONFED_SET `[…]`.
fn as_path(set: &AttributeSet) -> String {
    let segment = |kind: u8, asns: Vec<String>| match kind {
        1 => format!("{{{}}}", asns.join(",")),
        3 => format!("({})", asns.join(" ")),
        4 => format!("[{}]", asns.join(",")),
        _ => asns.join(" "),
    };
    let segments = set.as_path_segments();
    let words =
        segments.map(|(kind, asns)| segment(kind, asns.map(|asn| asn.to_string()).collect()));
    words.collect::<Vec<_>>().join(" ")
}

fn others(set: &AttributeSet) -> Vec<OtherAttributeView> {
    let shown = [
        code::ORIGIN,
        code::AS_PATH,
        code::MULTI_EXIT_DISC,
        code::COMMUNITIES,
        code::LARGE_COMMUNITIES,
        code::EXTENDED_COMMUNITIES,
    ];
    let rest = set
        .attributes()
        .filter(|attribute| !shown.contains(&attribute.code));
    let view = rest.map(|attribute| OtherAttributeView {
        code: attribute.code,
        flags: attribute.flags,
        value: hexadecimal(attribute.value),
    });
    view.collect()
}

pub fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A client as its session core, the shards (`census`) and the configuration know it.
pub fn client(
    client: &Client,
    status: Option<&ClientStatus>,
    census: &Census,
    now_us: u64,
) -> ClientView {
    let unknown = ClientStatus {
        slot: client.slot,
        state: "Unknown",
        ..ClientStatus::default()
    };
    let status = status.unwrap_or(&unknown);
    let blocked = blocked(client, status);
    let rejected = census.rejected(client.slot);
    let quarantined = rejected.get(&RejectReason::Quarantined);
    ClientView {
        name: client.name.clone(),
        asn: client.asn,
        address: client.address,
        core: client.core.0,
        state: status.state.to_owned(),
        since_s: now_us.saturating_sub(status.since_us) / 1_000_000,
        disabled: client.disabled.clone(),
        quarantined: client.quarantined,
        waits_for_data: client.is_waiting,
        min_advertisement_ms: client
            .min_advertisement
            .map(|interval| interval.as_millis() as u64),
        updates_per_s: client.updates_per_s,
        remote: status.remote,
        router_id: status.router_id,
        hold_time_s: status.hold_time_s,
        families: families(status.families),
        add_path: families(status.add_path),
        four_octet: status.four_octet,
        extended_messages: status.extended_messages,
        restarts: restarts(status),
        received: status.received.into(),
        accepted: [0, 1]
            .map(|family| status.accepted[family] - blocked[family])
            .into(),
        advertised: (census.advertised(client.slot)).map(|[ipv4, ipv6]| ByFamily { ipv4, ipv6 }),
        blocked: blocked.into(),
        would_be_accepted: quarantined.copied().unwrap_or_default().into(),
        rejected: rejected
            .iter()
            .map(|(reason, [ipv4, ipv6])| RejectedView {
                reason: reason.name().to_owned(),
                ipv4: u64::from(*ipv4),
                ipv6: u64::from(*ipv6),
            })
            .collect(),
        updates_in: status.updates_in,
        updates_out: status.updates_out,
        octets_in: status.octets_in,
        octets_out: status.octets_out,
        queue_octets: status.queue_octets,
        dirty_prefixes: status.dirty_prefixes,
        end_of_rib: families(status.end_of_rib),
        stale: stale(status, census, now_us),
        flaps: status.flaps,
        treat_as_withdraw_count: status.treat_as_withdraw_count,
        attribute_discard_count: status.attribute_discard_count,
        last_error: status.last_error.clone(),
    }
}

fn stale(status: &ClientStatus, census: &Census, now_us: u64) -> Vec<StaleView> {
    let prefixes = census.stale(status.slot);
    let view = |family: Family| {
        let kept = status.stale[family.index()]?;
        Some(StaleView {
            family,
            prefixes: prefixes[family.index()],
            long_lived: kept.is_long_lived,
            for_s: kept.until_us.saturating_sub(now_us) / 1_000_000,
        })
    };
    Family::ALL.into_iter().filter_map(view).collect()
}

fn restarts(status: &ClientStatus) -> Option<RestartsView> {
    let peer = status.peer_restart;
    (status.state == State::Established.name()).then(|| RestartsView {
        keeps_routes: status.keeps_routes,
        after_notifications: status.hard_resets,
        restart_time_s: peer.map(|peer| peer.restart_time_s),
        has_restarted: peer.is_some_and(|peer| peer.restarting),
    })
}

/// How many acceptable prefixes "block" or "reject" keeps back, by family.
fn blocked(client: &Client, status: &ClientStatus) -> [u32; 2] {
    [0, 1].map(|family| {
        let limits = &client.limits[family];
        match limits.accepted_max {
            Some(max) if limits.accepted_action == LimitAction::Block => {
                status.accepted[family].saturating_sub(max)
            }
            _ if status.rejecting.iter().any(|it| it.index() == family) => status.accepted[family],
            _ => 0,
        }
    })
}

impl CoreView {
    pub fn of(stats: &CoreStats, thread: ThreadView) -> CoreView {
        let established = stats
            .clients
            .iter()
            .filter(|client| client.state == "Established");
        CoreView {
            core: stats.core.0,
            thread,
            clients: stats.clients.len() as u64,
            established: established.count() as u64,
            octets_in: stats.octets_in,
            octets_out: stats.octets_out,
            updates_in: stats.updates_in,
            updates_encoded: stats.updates_encoded,
            nlri_encoded: stats.nlri_encoded,
            updates_out: stats.updates_out,
            nlri_out: stats.nlri_out,
            octets_retained: stats.octets_retained,
            octets_retained_max: stats.octets_retained_max,
            refused_connections: stats.refused_connections,
            whole_resyncs: stats.whole_resyncs,
            startup_over: stats.startup_over,
            startup_wait_ms: stats.startup_wait_ms,
            generation: stats.generation.0,
        }
    }
}

impl ShardView {
    pub fn of(stats: &ShardStats, thread: ThreadView) -> ShardView {
        ShardView {
            shard: stats.shard.0,
            thread,
            prefixes: stats.prefixes,
            paths: stats.paths,
            attribute_sets: stats.attribute_sets,
            attribute_octets: stats.attribute_octets,
            audiences: stats.audiences,
            eligibilities: stats.eligibilities,
            classes: stats.classes,
            variants: stats.variants,
            messages: stats.messages,
            routes_in: stats.routes_in,
            deltas_out: stats.deltas_out,
            flushes: stats.flushes,
            pending: stats.pending,
            free_slots: stats.free_slots,
            dead_prefixes: stats.dead_prefixes,
            generation: stats.generation.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Family, FamilySet};
    use crate::config;

    #[test]
    fn what_a_limit_keeps_back_is_not_shown_as_accepted() {
        let (none, ipv4) = (FamilySet::EMPTY, FamilySet::only(Family::Ipv4));
        let cases = [
            ("under the limit", "block", none, [2, 3], [2, 3], [0, 0]),
            (
                "over it in one family",
                "block",
                none,
                [5, 9],
                [2, 9],
                [3, 0],
            ),
            (
                "no more than a warning",
                "warn",
                none,
                [5, 9],
                [5, 9],
                [0, 0],
            ),
            (
                "over it, and all rejected",
                "reject",
                ipv4,
                [5, 9],
                [0, 9],
                [5, 0],
            ),
            (
                "under it again, and still all rejected",
                "reject",
                ipv4,
                [1, 9],
                [0, 9],
                [1, 0],
            ),
            (
                "under it, with \"reject\"",
                "reject",
                none,
                [1, 9],
                [1, 9],
                [0, 0],
            ),
        ];
        for (name, action, rejecting, counted, accepted, blocked) in cases {
            let text = format!(
                "[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[[client]]\nasn = 1\n\
                 address = \"192.0.2.7\"\n[client.limits.ipv4]\naccepted_max = 2\n\
                 accepted_action = \"{action}\"\n"
            );
            let config = config::from_text("x.toml".as_ref(), &text).expect("it is good");
            let exchange = config::compile(
                &config,
                &config::Overrides::default(),
                &config::Inputs::default(),
                None,
            );
            let status = ClientStatus {
                accepted: counted,
                rejecting,
                ..ClientStatus::default()
            };
            let one = exchange.clients().next().expect("one");
            let view = client(one, Some(&status), &Census::default(), 0);
            assert_eq!(view.accepted, accepted.into(), "{name}");
            assert_eq!(view.blocked, blocked.into(), "{name}");
        }
    }
}
