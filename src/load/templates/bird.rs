//! BIRD 2: one sorted table a family, `secondary` channels (the best path that the filter lets
//! through), an export filter a client. It cannot choose by the length that its prepends make.

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
        "log \"bird.log\" {{ warning, error, fatal, bug }};\nrouter id {router_id};\nprotocol device {{ }}\n"
    );
    for family in exchange.families() {
        out += &format!("{family} table {} sorted;\n", table(family));
    }
    out += &format!(
        "function strip() {{\n  bgp_community.delete([(0,*), ({rs},*)]);\n  bgp_large_community.delete([({rs},*,*)]);\n}}\n\
         function once() {{ bgp_path.prepend(bgp_path.first); }}\n\
         function lengthen(int peer) {{\n\
         \x20 if ({rs},103,peer) ~ bgp_large_community then {{ once(); once(); once(); return true; }}\n\
         \x20 if ({rs},102,peer) ~ bgp_large_community then {{ once(); once(); return true; }}\n\
         \x20 if ({rs},101,peer) ~ bgp_large_community then {{ once(); return true; }}\n\
         \x20 return false;\n}}\n\
         function to_peer(int peer) {{\n\
         \x20 if (0,peer) ~ bgp_community || ({rs},0,peer) ~ bgp_large_community then return false;\n\
         \x20 if ({rs},peer) ~ bgp_community || ({rs},1,peer) ~ bgp_large_community then return true;\n\
         \x20 if (0,{rs}) ~ bgp_community || ({rs},0,0) ~ bgp_large_community then return false;\n\
         \x20 return true;\n}}\n\
         template bgp participant {{\n  local {} port {} as {rs};\n  passive on;\n  rs client;\n  strict bind on;\n}}\n",
        listen.ip(),
        listen.port(),
    );
    for client in &plan.clients {
        let asn = client.asn;
        out += &format!(
            "filter to_{asn} {{\n  if !to_peer({asn}) then reject;\n  if !lengthen({asn}) then lengthen(0);\n  \
             strip();\n  accept;\n}}\n\
             protocol bgp c{asn} from participant {{\n  neighbor {} as {asn};\n",
            client.address
        );
        for family in exchange.families() {
            let add_path = if client.add_path {
                " add paths tx;"
            } else {
                " secondary;"
            };
            out += &format!(
                "  {family} {{ table {};{add_path} import all; export filter to_{asn}; }};\n",
                table(family)
            );
        }
        out += "}\n";
    }
    out
}

fn table(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "master4",
        Family::Ipv6 => "master6",
    }
}
