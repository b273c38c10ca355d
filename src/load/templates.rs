//! Configurations that make other route servers serve the clients of a plan, each with as little
//! path hiding as it can do.

use std::fmt::Write;

use clap::ValueEnum;

use super::plan::Plan;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Daemon {
    Rialto,
    Bird,
}

/// The configuration as text; the server is to listen on `listen`.
pub fn configuration(plan: &Plan, daemon: Daemon, listen: std::net::SocketAddr) -> String {
    match daemon {
        Daemon::Rialto => rialto(plan, listen),
        Daemon::Bird => bird(plan, listen),
    }
}

fn rialto(plan: &Plan, listen: std::net::SocketAddr) -> String {
    use crate::base::Family;
    let families: Vec<String> = Family::ALL
        .into_iter()
        .filter(|&family| plan.families.contains(family))
        .map(|family| format!("\"{family}\""))
        .collect();
    let max = plan.prefixes.len() + 1000;
    let mut out = format!(
        "[server]\nasn = {}\nrouter_id = \"{}\"\nlisten = [\"{listen}\"]\n\n\
         [defaults]\nfamilies = [{}]\n\n\
         [defaults.import]\npreset = \"exchange\"\n\n",
        plan.server_asn,
        server_router_id(plan),
        families.join(", "),
    );
    for family in Family::ALL.into_iter().filter(|&family| plan.families.contains(family)) {
        writeln!(out, "[defaults.limits.{family}]\nreceived_max = {max}\n").expect("a string takes it");
    }
    for client in &plan.clients {
        writeln!(out, "[[client]]\nasn = {}\naddress = \"{}\"", client.asn, client.address).expect("a string takes it");
        if plan.families.contains(Family::Ipv6) {
            writeln!(out, "next_hops = [\"{}\"]", client.v6_next_hop).expect("a string takes it");
        }
        if client.add_path {
            out.push_str("add_path = true\n");
        }
        out.push('\n');
    }
    out
}

/// Highest address of the clients' network: no client has it.
fn server_router_id(plan: &Plan) -> String {
    let [a, b, _, _] = plan.clients[0].address.octets();
    format!("{a}.{b}.255.254")
}

fn bird(plan: &Plan, listen: std::net::SocketAddr) -> String {
    use crate::base::Family;
    let rs = plan.server_asn;
    let mut out = format!(
        "log \"bird.log\" {{ warning, error, fatal, bug }};\nrouter id {id};\n\
         protocol device {{ }}\n",
        id = server_router_id(plan)
    );
    if plan.families.contains(Family::Ipv4) {
        out.push_str("ipv4 table master4 sorted;\n");
    }
    if plan.families.contains(Family::Ipv6) {
        out.push_str("ipv6 table master6 sorted;\n");
    }
    write!(
        out,
        "function strip() {{\n\
           bgp_community.delete([(0,*), ({rs},*)]);\n\
           bgp_large_community.delete([({rs},*,*)]);\n\
         }}\n\
         function lengthen(int peer) {{\n\
           if ({rs},103,peer) ~ bgp_large_community then {{ bgp_path.prepend(bgp_path.first); bgp_path.prepend(bgp_path.first); bgp_path.prepend(bgp_path.first); return true; }}\n\
           if ({rs},102,peer) ~ bgp_large_community then {{ bgp_path.prepend(bgp_path.first); bgp_path.prepend(bgp_path.first); return true; }}\n\
           if ({rs},101,peer) ~ bgp_large_community then {{ bgp_path.prepend(bgp_path.first); return true; }}\n\
           return false;\n\
         }}\n\
         function to_peer(int peer) {{\n\
           if (0,peer) ~ bgp_community || ({rs},0,peer) ~ bgp_large_community then return false;\n\
           if ({rs},peer) ~ bgp_community || ({rs},1,peer) ~ bgp_large_community then return true;\n\
           if (0,{rs}) ~ bgp_community || ({rs},0,0) ~ bgp_large_community then return false;\n\
           return true;\n\
         }}\n\
         template bgp participant {{\n\
           local {addr} port {port} as {rs};\n  multihop 1;\n  passive on;\n  rs client;\n  strict bind on;\n\
         }}\n",
        addr = listen.ip(),
        port = listen.port(),
    )
    .expect("a string takes it");
    out = out.replace("  multihop 1;\n", "");
    for client in &plan.clients {
        let asn = client.asn;
        write!(out, "filter to_{asn} {{ if !to_peer({asn}) then reject; if !lengthen({asn}) then lengthen(0); strip(); accept; }}\n\
            protocol bgp c{asn} from participant {{\n  neighbor {} as {asn};\n", client.address).expect("a string takes it");
        for (family, name) in [(Family::Ipv4, "ipv4"), (Family::Ipv6, "ipv6")] {
            if plan.families.contains(family) {
                let table = if family == Family::Ipv4 { "master4" } else { "master6" };
                writeln!(out, "  {name} {{ table {table}; secondary; import all; export filter to_{asn}; }};").expect("a string takes it");
            }
        }
        out.push_str("}\n");
    }
    out
}
