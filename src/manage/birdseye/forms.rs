//! The JSON of Bird's Eye, as IXP Manager reads it (its looking glass, its list of filtered prefixes, its
//! diagnostics, and the Nagios plugins).

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::glass::{Moment, Session, Shown};
use super::date;

/// BIRD's preference of BGP routes.
const PREFERENCE: u32 = 100;
/// Its LOCAL_PREF where none is said.
const LOCAL_PREF: &str = "100";

#[derive(Serialize)]
struct Route<'a> {
    network: &'a str,
    /// IXP Manager heads it "Next Hop".
    gateway: IpAddr,
    interface: &'a str,
    from_protocol: &'a str,
    age: &'a str,
    /// Where it is not the gateway.
    learnt_from: String,
    primary: bool,
    metric: u32,
    #[serde(rename = "type")]
    kind: [&'a str; 3],
    bgp: Bgp<'a>,
}

/// LOCAL_PREF is a string and MED a number; what is not there is left out.
#[derive(Serialize)]
struct Bgp<'a> {
    origin: &'a str,
    as_path: &'a [String],
    next_hop: IpAddr,
    local_pref: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    med: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    atomic_aggr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregator: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty")]
    communities: &'a [[u16; 2]],
    #[serde(skip_serializing_if = "is_empty")]
    large_communities: &'a [[u32; 3]],
}

fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}

fn route(shown: &Shown) -> Route<'_> {
    let learnt_from = match shown.next_hop == shown.address {
        true => String::new(),
        false => shown.address.to_string(),
    };
    Route {
        network: &shown.network,
        gateway: shown.next_hop,
        interface: "none",
        from_protocol: &shown.from,
        age: &shown.since,
        learnt_from,
        primary: shown.is_primary,
        metric: PREFERENCE,
        kind: ["BGP", "unicast", "univ"],
        bgp: Bgp {
            origin: shown.origin,
            as_path: &shown.as_path,
            next_hop: shown.next_hop,
            local_pref: LOCAL_PREF,
            med: shown.med,
            atomic_aggr: shown.is_atomic.then_some(""),
            aggregator: shown.aggregator.as_deref(),
            communities: &shown.communities,
            large_communities: &shown.large_communities,
        },
    }
}

pub fn write_route(shown: &Shown, out: &mut Vec<u8>) {
    // Neither writing to memory nor strings as keys can fail.
    let _ = serde_json::to_writer(out, &route(shown));
}

pub fn route_value(shown: &Shown) -> Value {
    serde_json::to_value(route(shown)).unwrap_or_default()
}

/// Without route_changes, which are not counted: IXP Manager shows zeros then.
pub fn protocol(session: &Session, moment: &Moment) -> Value {
    let (view, scope) = (&session.view, moment.scope);
    let mut kinds = vec!["external", "route-server"];
    kinds.extend(view.four_octet.then_some("AS4"));
    let mut protocol = json!({
        "protocol": session.name,
        "bird_protocol": "BGP",
        "table": session.table(scope),
        "state": session.state(),
        "state_changed": date(moment.calendar.date(session.since)),
        "connection": view.state,
        "bgp_state": view.state,
        "description": view.name,
        "preference": PREFERENCE,
        "input_filter": "import",
        "output_filter": "export",
        "neighbor_address": view.address,
        "neighbor_as": view.asn,
        "bgp_session": kinds,
        "routes": {
            "imported": session.received(scope),
            "exported": moment.exported(session, scope),
            "preferred": session.accepted(scope),
        },
        "route_limit_at": session.received(scope),
    });
    if let Some(router_id) = view.router_id {
        protocol["neighbor_id"] = json!(router_id);
    }
    if view.is_established() {
        protocol["hold_timer"] = json!(view.hold_time_s);
        protocol["keepalive"] = json!(view.hold_time_s / 3);
    }
    if let Some(limit) = session.import_limit(scope) {
        protocol["import_limit"] = json!(limit);
        protocol["limit_action"] = json!("restart");
    }
    protocol
}
