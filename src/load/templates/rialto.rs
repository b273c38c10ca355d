//! Rialto itself: the preset for exchanges, limits wide enough for the table.

use super::Exchange;
use crate::base::Family;

pub fn configuration(exchange: &Exchange<'_>) -> String {
    let Exchange {
        plan,
        listen,
        asn,
        router_id,
    } = exchange;
    let families: Vec<String> = exchange
        .families()
        .map(|family| format!("\"{family}\""))
        .collect();
    let mut out = format!(
        "[server]\nasn = {asn}\nrouter_id = \"{router_id}\"\nlisten = [\"{listen}\"]\n\n\
         [defaults]\nfamilies = [{}]\n\n\
         # A real table is a transit provider's: these checks are for members.\n\
         [defaults.import]\npreset = \"exchange\"\ntransit_free = false\nas_set = false\n\
         communities_max = \"none\"\n\n",
        families.join(", "),
    );
    for family in exchange.families() {
        let max = plan.prefixes.len() + 1000;
        out += &format!("[defaults.limits.{family}]\nreceived_max = {max}\n\n");
    }
    for client in &plan.clients {
        out += &format!(
            "[[client]]\nasn = {}\naddress = \"{}\"\n",
            client.asn, client.address
        );
        if plan.families.contains(Family::Ipv6) {
            out += &format!("next_hops = [\"{}\"]\n", client.v6_next_hop);
        }
        if client.add_path {
            out += "add_path = true\n";
        }
        out += "\n";
    }
    out
}
