//! Configurations that make other route servers serve the clients of a plan, each with as little
//! path hiding as it can do. Control communities are the contract's default scheme; prepends are
//! done where the server can.

mod bird;
mod frr;
mod gobgp;
mod openbgpd;
mod rialto;

use std::net::SocketAddr;

use clap::ValueEnum;

use super::args::OutsideArgs;
use super::plan::Plan;
use crate::base::Family;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Daemon {
    Rialto,
    Bird,
    Openbgpd,
    Gobgp,
    Frr,
}

/// The configuration as text; the server is to listen on `listen`. Only Rialto's is told of `outside`.
pub fn configuration(
    plan: &Plan,
    daemon: Daemon,
    listen: SocketAddr,
    outside: &OutsideArgs,
) -> String {
    let exchange = Exchange {
        plan,
        listen,
        asn: plan.server_asn,
        router_id: server_router_id(plan),
    };
    match daemon {
        Daemon::Rialto => rialto::configuration(&exchange, outside),
        Daemon::Bird => bird::configuration(&exchange),
        Daemon::Openbgpd => openbgpd::configuration(&exchange),
        Daemon::Gobgp => gobgp::configuration(&exchange),
        Daemon::Frr => frr::configuration(&exchange),
    }
}

/// What every template needs.
struct Exchange<'a> {
    plan: &'a Plan,
    listen: SocketAddr,
    asn: u32,
    router_id: String,
}

impl Exchange<'_> {
    fn families(&self) -> impl Iterator<Item = Family> + '_ {
        Family::ALL
            .into_iter()
            .filter(|&family| self.plan.families.contains(family))
    }
}

/// Highest address of the clients' network: no client has it.
fn server_router_id(plan: &Plan) -> String {
    let [a, b, _, _] = plan.clients[0].address.octets();
    format!("{a}.{b}.255.254")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FamilySet;
    use crate::load::args::LoadArgs;
    use crate::load::plan::{Client, Sets};

    fn plan() -> Plan {
        let net = "10.77.0.0/16".parse().unwrap();
        let clients = (0..3)
            .map(|i| Client::new(i, net, "fd77::".parse().unwrap()))
            .collect();
        Plan {
            server_asn: 64500,
            families: FamilySet::ALL,
            clients,
            prefixes: vec![],
            sets: Sets::default(),
        }
    }

    fn text(plan: &Plan, daemon: Daemon) -> String {
        let outside = LoadArgs::defaults().outside;
        configuration(plan, daemon, "10.77.255.254:179".parse().unwrap(), &outside)
    }

    #[test]
    fn every_configuration_names_every_client() {
        let plan = plan();
        for &daemon in Daemon::value_variants() {
            let text = text(&plan, daemon);
            for client in &plan.clients {
                assert!(text.contains(&client.address.to_string()), "{daemon:?}");
                assert!(text.contains(&client.asn.to_string()), "{daemon:?}");
            }
            assert!(
                text.contains("10.77.255.254") && text.contains("64500"),
                "{daemon:?}"
            );
        }
    }

    #[test]
    fn nothing_ends_frrs_batch_of_route_maps() {
        let text = text(&plan(), Daemon::Frr);
        let (_, after) = text.split_once("XFRR_start_configuration\n").unwrap();
        let (batch, peers) = after.split_once("XFRR_end_configuration\n").unwrap();
        assert!(!batch.contains("exit"));
        assert!(!peers.contains("\nroute-map"));
        let maps = batch.find("\nroute-map").unwrap();
        assert!(!batch[maps..].contains("\nbgp "));
    }
}
