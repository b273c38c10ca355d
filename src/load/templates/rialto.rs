//! Rialto itself: the preset for exchanges, limits wide enough for the table.

use super::Exchange;
use crate::base::Family;
use crate::load::args::OutsideArgs;
use crate::load::outside::as_set;

pub fn configuration(exchange: &Exchange<'_>, outside: &OutsideArgs) -> String {
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
    out += &sources(outside);
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
        if outside.irr_files.is_some() {
            out += &format!("irr.as_sets = [\"{}\"]\n", as_set(client));
        }
        out += "\n";
    }
    out
}

/// Where data from outside is.
fn sources(outside: &OutsideArgs) -> String {
    let mut out = String::new();
    if let Some(folder) = &outside.irr_files {
        out += &format!("[irr]\ndirectory = \"{}\"\n\n", folder.display());
    }
    let caches = outside
        .rtr_cache
        .map(|cache| format!("caches = [\"{cache}\"]\n"));
    let files = outside.vrp_file.as_ref();
    let files = files.map(|file| format!("vrp_files = [\"{}\"]\n", file.display()));
    if caches.is_some() || files.is_some() {
        let lines: String = caches.into_iter().chain(files).collect();
        out += &format!("[rpki]\n{lines}\n");
    }
    out
}
