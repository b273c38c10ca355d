//! GoBGP: route-server clients have tables of their own; their import policies decide what of the
//! others comes in, the export policy strips. No prepends.

use super::Exchange;

pub fn configuration(exchange: &Exchange<'_>) -> String {
    let Exchange {
        plan,
        listen,
        asn: rs,
        router_id,
    } = exchange;
    let mut out = format!(
        "[global.config]\n  as = {rs}\n  router-id = \"{router_id}\"\n  port = {}\n  local-address-list = [\"{}\"]\n\n",
        listen.port(),
        listen.ip(),
    );
    out += &sets("to-no-one", &format!("^0:{rs}$"), &format!("^{rs}:0:0$"));
    out += &strip(*rs);
    for client in &plan.clients {
        out += &policy(exchange, client.asn);
    }
    for client in &plan.clients {
        let asn = client.asn;
        out += &format!(
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{}\"\n    peer-as = {asn}\n  \
             [neighbors.transport.config]\n    passive-mode = true\n    local-address = \"{}\"\n  \
             [neighbors.route-server.config]\n    route-server-client = true\n  \
             [neighbors.apply-policy.config]\n    import-policy-list = [\"to-{asn}\"]\n    \
             export-policy-list = [\"strip\"]\n    \
             default-import-policy = \"accept-route\"\n    default-export-policy = \"accept-route\"\n",
            client.address,
            listen.ip(),
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

fn sets(name: &str, standard: &str, large: &str) -> String {
    format!(
        "[[defined-sets.bgp-defined-sets.community-sets]]\n  community-set-name = \"{name}\"\n  \
         community-list = [\"{standard}\"]\n\
         [[defined-sets.bgp-defined-sets.large-community-sets]]\n  large-community-set-name = \"{name}\"\n  \
         large-community-list = [\"{large}\"]\n"
    )
}

fn statement_head(policy: &str) -> String {
    format!("[[policy-definitions]]\n  name = \"{policy}\"\n")
}

/// First match decides: not to this peer, to this peer all the same, to no one; the rest comes in.
fn policy(exchange: &Exchange<'_>, asn: u32) -> String {
    let rs = exchange.asn;
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
    out += &statement_head(&format!("to-{asn}"));
    let verdicts = [
        (format!("not-{asn}"), "reject"),
        (format!("yes-{asn}"), "accept"),
        ("to-no-one".into(), "reject"),
    ];
    for (set, verdict) in verdicts {
        for kind in ["community", "large-community"] {
            out += &format!(
                "  [[policy-definitions.statements]]\n    \
                 [policy-definitions.statements.conditions.bgp-conditions.match-{kind}-set]\n      \
                 {kind}-set = \"{set}\"\n      match-set-options = \"any\"\n"
            );
            out += &actions(verdict);
        }
    }
    out
}

fn actions(verdict: &str) -> String {
    format!(
        "    [policy-definitions.statements.actions]\n      route-disposition = \"{verdict}-route\"\n"
    )
}

/// On the way out: what concerns only the server goes.
fn strip(rs: u32) -> String {
    let remove = |kind: &str, pattern: String| {
        format!(
            "      [policy-definitions.statements.actions.bgp-actions.set-{kind}]\n        options = \"remove\"\n        \
             [policy-definitions.statements.actions.bgp-actions.set-{kind}.set-{kind}-method]\n          \
             communities-list = [\"{pattern}\"]\n"
        )
    };
    statement_head("strip")
        + "  [[policy-definitions.statements]]\n"
        + &actions("accept")
        + &remove("community", format!("^(0|{rs}):.*$"))
        + &remove("large-community", format!("^{rs}:.*$"))
}
