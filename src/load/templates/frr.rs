//! FRR: one table, a route map a client on the way out. What the best path may not reach, gets
//! nothing (path hiding). No prepends.
//!
//! The order matters to FRR: whatever ends a batch of route-map lines makes it validate all of its
//! configuration anew, for minutes with 200 clients (its issue 15706). So the route maps stand
//! together, between marks that ask for a batch, and no `exit` is among them. Peers come last, as
//! FRR listens from the first line about them.

use super::Exchange;
use crate::base::Family;

pub fn configuration(exchange: &Exchange<'_>) -> String {
    let Exchange {
        plan,
        asn: rs,
        router_id,
        ..
    } = exchange;
    let control = format!(
        "bgp community-list standard to-no-one permit 0:{rs}\n\
         bgp large-community-list standard to-no-one permit {rs}:0:0\n\
         bgp community-list expanded control permit ^0:|^{rs}:\n\
         bgp large-community-list expanded control permit ^{rs}:\n"
    );
    let asns = || plan.clients.iter().map(|client| client.asn);
    let lists: String = asns().map(|asn| client_lists(*rs, asn)).collect();
    let maps: String = asns().map(route_map).collect();
    let mut out = format!(
        "log file frr.log warnings\nXFRR_start_configuration\n{control}{lists}{maps}XFRR_end_configuration\n\
         router bgp {rs}\n bgp router-id {router_id}\n no bgp ebgp-requires-policy\n \
         no bgp default ipv4-unicast\n bgp bestpath compare-routerid\n no bgp network import-check\n"
    );
    for client in &plan.clients {
        out += &format!(
            " neighbor {} remote-as {}\n neighbor {} passive\n",
            client.address, client.asn, client.address
        );
    }
    for family in exchange.families() {
        out += &format!(" address-family {family} unicast\n");
        for client in &plan.clients {
            let (addr, asn) = (client.address, client.asn);
            out += &format!(
                "  neighbor {addr} activate\n  neighbor {addr} route-server-client\n  neighbor {addr} route-map to-{asn} out\n"
            );
            if client.add_path {
                out += &format!("  neighbor {addr} addpath-tx-all-paths\n");
            }
            if family == Family::Ipv6 {
                out += &format!("  neighbor {addr} nexthop-local unchanged\n");
            }
        }
        out += " exit-address-family\n";
    }
    out + "exit\n"
}

/// What the client's route map matches.
fn client_lists(rs: u32, asn: u32) -> String {
    format!(
        "bgp as-path access-list own-{asn} permit ^{asn}_\n\
         bgp community-list standard not-{asn} permit 0:{asn}\n\
         bgp large-community-list standard not-{asn} permit {rs}:0:{asn}\n\
         bgp community-list standard yes-{asn} permit {rs}:{asn}\n\
         bgp large-community-list standard yes-{asn} permit {rs}:1:{asn}\n"
    )
}

/// First match decides, as in the contract's scheme.
fn route_map(asn: u32) -> String {
    // FRR would send a client its own path back.
    let mut out = format!("route-map to-{asn} deny 5\n match as-path own-{asn}\n");
    let strip = " set comm-list control delete\n set large-comm-list control delete\n";
    let entries = [
        ("deny", "community", format!("not-{asn}")),
        ("deny", "large-community", format!("not-{asn}")),
        ("permit", "community", format!("yes-{asn}")),
        ("permit", "large-community", format!("yes-{asn}")),
        ("deny", "community", "to-no-one".into()),
        ("deny", "large-community", "to-no-one".into()),
    ];
    for ((verdict, kind, list), number) in entries.into_iter().zip(1..) {
        let strip = if verdict == "permit" { strip } else { "" };
        out += &format!("route-map to-{asn} {verdict} {number}0\n match {kind} {list}\n{strip}");
    }
    out + &format!("route-map to-{asn} permit 100\n{strip}")
}
