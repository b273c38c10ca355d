//! GoBGP: all route-server clients share one table. A client's import policy judges what *it*
//! announces, so who may have what is decided by the export policy of each receiver, and
//! `secondary-route` makes GoBGP go on to the next path where that rejects the best one
//! (with ADD-PATH there is no best one to go past). No prepends.

use super::Exchange;

pub fn configuration(exchange: &Exchange<'_>) -> String {
    let Exchange {
        plan,
        listen,
        asn: rs,
        router_id,
    } = exchange;
    let mut out = format!(
        "[global.config]\n  as = {rs}\n  router-id = \"{router_id}\"\n  port = {}\n  local-address-list = [\"{}\"]\n\
         [global.route-selection-options.config]\n  external-compare-router-id = true\n\n",
        listen.port(),
        listen.ip(),
    );
    out += &sets("to-no-one", &format!("^0:{rs}$"), &format!("^{rs}:0:0$"));
    out += &sets("control", &standard_control(*rs), &large_control(*rs));
    for client in &plan.clients {
        out += &policy(*rs, client.asn);
    }
    for client in &plan.clients {
        let asn = client.asn;
        out += &format!(
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{}\"\n    peer-as = {asn}\n  \
             [neighbors.transport.config]\n    passive-mode = true\n    local-address = \"{}\"\n  \
             [neighbors.route-server.config]\n    route-server-client = true\n    secondary-route = {}\n  \
             [neighbors.apply-policy.config]\n    export-policy-list = [\"to-{asn}\"]\n    \
             default-import-policy = \"accept-route\"\n    default-export-policy = \"accept-route\"\n",
            client.address,
            listen.ip(),
            !client.add_path,
        );
        for family in exchange.families() {
            out += &format!(
                "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"{family}-unicast\"\n"
            );
            if client.add_path {
                out += "    [neighbors.afi-safis.add-paths.config]\n      send-max = 64\n";
            }
        }
        out += "\n";
    }
    out
}

const KINDS: [&str; 2] = ["community", "large-community"];

fn standard_control(rs: u32) -> String {
    format!("^(0|{rs}):.*$")
}

fn large_control(rs: u32) -> String {
    format!("^{rs}:.*$")
}

/// A set of each kind of community, both of that name.
fn sets(name: &str, standard: &str, large: &str) -> String {
    format!(
        "[[defined-sets.bgp-defined-sets.community-sets]]\n  community-set-name = \"{name}\"\n  \
         community-list = [\"{standard}\"]\n\
         [[defined-sets.bgp-defined-sets.large-community-sets]]\n  large-community-set-name = \"{name}\"\n  \
         large-community-list = [\"{large}\"]\n"
    )
}

/// First verdict decides: not to this peer, to this peer all the same, to no one; the rest goes
/// out, without what concerns only the server.
fn policy(rs: u32, asn: u32) -> String {
    let mut out = sets(
        &format!("not-{asn}"),
        &format!("^0:{asn}$"),
        &format!("^{rs}:0:{asn}$"),
    );
    out += &sets(
        &format!("yes-{asn}"),
        &format!("^{rs}:{asn}$"),
        &format!("^{rs}:1:{asn}$"),
    );
    out += &format!("[[policy-definitions]]\n  name = \"to-{asn}\"\n");
    let strip_all = KINDS.map(|kind| strip(kind, rs)).concat();
    let verdicts = [
        (format!("not-{asn}"), "reject", ""),
        (format!("yes-{asn}"), "accept", &strip_all),
        ("to-no-one".into(), "reject", ""),
    ];
    for (set, verdict, actions) in verdicts {
        for kind in KINDS {
            out += &statement(kind, &set);
            out += &format!(
                "    [policy-definitions.statements.actions]\n      route-disposition = \"{verdict}-route\"\n{actions}"
            );
        }
    }
    // Without a disposition the next statement is tried, and in the end it is accepted.
    for kind in KINDS {
        out += &statement(kind, "control");
        out += &strip(kind, rs);
    }
    out
}

/// The head of a statement about paths with such a community.
fn statement(kind: &str, set: &str) -> String {
    format!(
        "  [[policy-definitions.statements]]\n    \
         [policy-definitions.statements.conditions.bgp-conditions.match-{kind}-set]\n      \
         {kind}-set = \"{set}\"\n      match-set-options = \"any\"\n"
    )
}

fn strip(kind: &str, rs: u32) -> String {
    let pattern = match kind {
        "community" => standard_control(rs),
        _ => large_control(rs),
    };
    format!(
        "      [policy-definitions.statements.actions.bgp-actions.set-{kind}]\n        options = \"remove\"\n        \
         [policy-definitions.statements.actions.bgp-actions.set-{kind}.set-{kind}-method]\n          \
         communities-list = [\"{pattern}\"]\n"
    )
}
