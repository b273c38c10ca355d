//! Real routers, each started for a member of the exchange and asked for its table in its own way.

mod bird;
mod exabgp;
mod frr;
mod gobgp;
mod openbgpd;

use ipnet::IpNet;

use super::member::{Make, Member};
use super::program::Program;
use super::table::{Group, Table};

pub trait Router {
    /// Paths that it has from the route server, both families: cheap, and no more than a hint.
    fn path_count(&mut self) -> Result<usize, String>;

    /// What it has from the route server, both families. `Err` when it cannot say yet.
    fn table(&mut self) -> Result<Table, String>;

    /// Announces these as well.
    fn announce(&mut self, group: Group) -> Result<(), String>;

    /// Announces these no longer; they are all of its own.
    fn withdraw(&mut self, prefixes: &[IpNet]) -> Result<(), String>;

    /// What runs of it.
    fn programs(&mut self) -> Vec<&mut Program>;

    /// What it answers to a command in its own words.
    fn ask(&mut self, command: &str) -> Result<String, String>;
}

/// Starts the member's router; it stops when the value is dropped.
pub fn start(member: &Member) -> Box<dyn Router> {
    match member.make {
        Make::Bird => Box::new(bird::Bird::start(member)),
        Make::Frr => Box::new(frr::Frr::start(member)),
        Make::Gobgp => Box::new(gobgp::Gobgp::start(member)),
        Make::Openbgpd => Box::new(openbgpd::Openbgpd::start(member)),
        Make::Exabgp => Box::new(exabgp::Exabgp::start(member)),
    }
}
