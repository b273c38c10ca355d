//! Who the clients are and what each announces at first. Made by `synthetic` or `mrt`; changed by
//! nobody (a scenario's changes are the model's).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;

use super::attributes::Attributes;
use super::pieces::Pieces;
use crate::base::{Family, FamilySet, Prefix};

/// ASN of the first client.
pub const FIRST_ASN: u32 = 10_000;
/// Clients that share the third octet of the address.
const PER_NET: usize = 200;

pub struct Plan {
    pub server_asn: u32,
    pub families: FamilySet,
    pub clients: Vec<Client>,
    /// Distinct; those of one origin lie together.
    pub prefixes: Vec<Prefix>,
    pub sets: Sets,
}

pub struct Client {
    pub asn: u32,
    pub address: Ipv4Addr,
    pub v6_next_hop: Ipv6Addr,
    /// Asks for all paths (RFC 7911).
    pub add_path: bool,
    /// Grouped by attribute set.
    pub routes: Vec<Route>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    pub set: u32,
    pub prefix: u32,
}

/// The attribute sets that are announced, as octets: there may be millions.
#[derive(Default)]
pub struct Sets {
    keys: Pieces,
    clients: Vec<u16>,
    scratch: Vec<u8>,
}

impl Sets {
    /// Sets are numbered in the order of being added.
    pub fn push(&mut self, client: u16, attributes: &Attributes) -> u32 {
        self.scratch.clear();
        attributes.key(&mut self.scratch);
        self.clients.push(client);
        self.keys.push(&self.scratch)
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Who announces it.
    pub fn client(&self, set: u32) -> u16 {
        self.clients[set as usize]
    }

    /// As [`Attributes::key`] writes it.
    pub fn key(&self, set: u32) -> &[u8] {
        self.keys.piece(set)
    }

    pub fn attributes(&self, set: u32) -> Attributes {
        Attributes::from_key(self.key(set)).expect("these octets are our own")
    }
}

impl Client {
    /// Client `index` of a peering LAN. Its IPv6 next hop is its IPv4 address within `v6_net`.
    pub fn new(index: usize, net: Ipv4Net, v6_net: Ipv6Addr) -> Client {
        let [a, b, _, _] = net.network().octets();
        let address = Ipv4Addr::new(
            a,
            b,
            (1 + index / PER_NET) as u8,
            (1 + index % PER_NET) as u8,
        );
        let v6_next_hop = Ipv6Addr::from(u128::from(v6_net) | u128::from(u32::from(address)));
        Client {
            asn: FIRST_ASN + index as u32,
            address,
            v6_next_hop,
            add_path: false,
            routes: Vec::new(),
        }
    }

    pub fn next_hop(&self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => IpAddr::V4(self.address),
            Family::Ipv6 => IpAddr::V6(self.v6_next_hop),
        }
    }

    pub fn name(&self) -> String {
        format!("AS{}-1", self.asn)
    }
}

impl Plan {
    pub fn route_count(&self) -> usize {
        self.clients.iter().map(|client| client.routes.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_contract() {
        let cases = [
            (0, "127.77.1.1"),
            (199, "127.77.1.200"),
            (200, "127.77.2.1"),
            (699, "127.77.4.100"),
        ];
        for (index, address) in cases {
            let client = Client::new(
                index,
                "127.77.0.0/16".parse().unwrap(),
                "fd77::".parse().unwrap(),
            );
            assert_eq!(client.address.to_string(), address);
            assert_eq!(client.asn, 10_000 + index as u32);
        }
    }
}
