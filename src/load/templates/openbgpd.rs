//! OpenBGPD: `rde evaluate all` looks past the best path for each peer. No prepends: its rules
//! cannot tell the announcer's ASN.

use super::Exchange;
use crate::base::Family;

pub fn configuration(exchange: &Exchange<'_>) -> String {
    let Exchange {
        plan,
        listen,
        asn: rs,
        router_id,
    } = exchange;
    let mut out = format!(
        "AS {rs}\nrouter-id {router_id}\nlisten on {} port {}\nsocket \"openbgpd.sock\"\nfib-update no\n\
         transparent-as yes\nrde evaluate all\n\n",
        listen.ip(),
        listen.port(),
    );
    for client in &plan.clients {
        out += &format!(
            "neighbor {} {{\n  remote-as {}\n  passive\n",
            client.address, client.asn
        );
        // Without, it keeps next hops only of the subnet of the session's own addresses, which are IPv4.
        if plan.families.contains(Family::Ipv6) {
            out += "  multihop 2\n";
        }
        for family in exchange.families() {
            let name = if family.afi() == 1 { "IPv4" } else { "IPv6" };
            out += &format!("  announce {name} unicast\n");
        }
        if client.add_path {
            out += "  announce add-path send all\n";
        }
        out += "}\n";
    }
    out += &format!(
        "\nallow from any\nallow to any\n\
         deny to any community 0:{rs}\n\
         deny to any large-community {rs}:0:0\n\
         allow to any community {rs}:neighbor-as\n\
         allow to any large-community {rs}:1:neighbor-as\n\
         deny to any community 0:neighbor-as\n\
         deny to any large-community {rs}:0:neighbor-as\n\
         match to any set nexthop no-modify\n\
         match to any set community delete 0:*\n\
         match to any set community delete {rs}:*\n\
         match to any set large-community delete {rs}:*:*\n"
    );
    out
}
