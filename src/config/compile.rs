//! From a [`Config`] to the [`Exchange`] of one generation.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::{Asn, ClientSlot, CoreId, Family, FamilySet, Generation};
use crate::policy::{
    BOGON_ASNS, Directory, DirectoryEntry, ImportChecks, ImportPolicy, PrefixList,
};
use crate::server::exchange::{Client, Exchange};
use crate::session::SessionSettings;

use super::model::{ClientConfig, Config, NextHopMode};

/// What the operator changed by hand since the start, by the client's address. Stronger than the
/// files, and gone with the process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides(HashMap<IpAddr, Override>);

/// `None` leaves it to the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Override {
    /// `Some(None)` is enabled; `Some(Some(text))` disabled with that RFC 9003 text.
    pub disabled: Option<Option<String>>,
    pub quarantine: Option<bool>,
}

impl Overrides {
    pub fn of(&self, address: IpAddr) -> Option<&Override> {
        self.0.get(&address)
    }

    pub fn entry(&mut self, address: IpAddr) -> &mut Override {
        self.0.entry(address).or_default()
    }

    /// Forgets clients that are not there any more.
    pub fn retain(&mut self, mut is_there: impl FnMut(IpAddr) -> bool) {
        self.0.retain(|address, _| is_there(*address));
    }

    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &Override)> {
        self.0.iter().map(|(address, change)| (*address, change))
    }
}

/// Compiles the generation after `previous`. A client that was there keeps its slot; one that is new
/// takes a slot that `previous` left free, so that no slot changes hands within one generation.
pub fn compile(config: &Config, overrides: &Overrides, previous: Option<&Exchange>) -> Exchange {
    let slots = assign_slots(&config.clients, previous);
    let len = slots.iter().map(|slot| slot.index() + 1).max().unwrap_or(0);
    let len = len.max(previous.map_or(0, |exchange| exchange.clients.len()));
    let mut clients = vec![None; len];
    let shared = Shared::new(config);
    for (client, slot) in config.clients.iter().zip(&slots) {
        clients[slot.index()] = Some(Arc::new(shared.client(
            client,
            *slot,
            overrides.of(client.address),
        )));
    }
    let entry = |(client, slot): (&ClientConfig, &ClientSlot)| DirectoryEntry {
        slot: *slot,
        asn: client.asn,
        hide_own_as: client.hide_own_as,
    };
    Exchange {
        generation: Generation(previous.map_or(1, |exchange| exchange.generation.0 + 1)),
        asn: config.server.asn,
        router_id: config.server.router_id,
        listen: config.server.listen.clone(),
        core_count: config.cores.sessions,
        shard_count: config.cores.shards,
        med: config.server.med,
        scheme: match previous.filter(|previous| *previous.scheme == config.scheme) {
            Some(previous) => previous.scheme.clone(),
            None => Arc::new(config.scheme.clone()),
        },
        directory: config
            .clients
            .iter()
            .zip(&slots)
            .map(entry)
            .collect::<Directory>(),
        by_address: clients
            .iter()
            .flatten()
            .map(|client| (client.address, client.slot))
            .collect(),
        clients,
        startup: config.startup,
        limits: config.fanout,
    }
}

/// In the order of `clients`.
fn assign_slots(clients: &[ClientConfig], previous: Option<&Exchange>) -> Vec<ClientSlot> {
    let kept = |client: &ClientConfig| previous?.by_address.get(&client.address).copied();
    let was_free =
        |slot: &u16| previous.is_none_or(|exchange| exchange.client(ClientSlot(*slot)).is_none());
    let mut free = (0..=u16::MAX).filter(was_free).map(ClientSlot);
    let mut fresh = || free.next().expect("there are fewer clients than slots");
    clients
        .iter()
        .map(|client| kept(client).unwrap_or_else(&mut fresh))
        .collect()
}

/// What all clients have in common.
struct Shared<'a> {
    config: &'a Config,
    bogon_prefixes: Arc<PrefixList>,
    /// The addresses of all sessions of an ASN.
    addresses: HashMap<Asn, Vec<IpAddr>>,
}

impl<'a> Shared<'a> {
    fn new(config: &'a Config) -> Shared<'a> {
        let mut addresses: HashMap<Asn, Vec<IpAddr>> = HashMap::new();
        for client in &config.clients {
            addresses
                .entry(client.asn)
                .or_default()
                .extend(client.addresses());
        }
        for list in addresses.values_mut() {
            list.sort();
            list.dedup();
        }
        Shared {
            config,
            bogon_prefixes: PrefixList::bogons(),
            addresses,
        }
    }

    fn client(&self, client: &ClientConfig, slot: ClientSlot, change: Option<&Override>) -> Client {
        let disabled = change
            .and_then(|change| change.disabled.clone())
            .unwrap_or_else(|| client.disabled.clone());
        let quarantined = change
            .and_then(|change| change.quarantine)
            .unwrap_or(client.quarantine);
        Client {
            slot,
            name: client.name.clone(),
            asn: client.asn,
            address: client.address,
            port: client.port,
            core: CoreId(slot.0 % self.config.cores.sessions),
            session: self.session(client),
            import: Arc::new(ImportPolicy::new(self.checks(client, quarantined))),
            limits: client.limits,
            attribute_octets_max: client.attribute_octets_max,
            limit_restart: client.limit_restart,
            discard: client.attributes.discard,
            treat_as_withdraw: client.attributes.treat_as_withdraw,
            password: client.password.clone(),
            ttl_security_hops: client.ttl_security_hops,
            congestion_control: client.congestion_control.clone(),
            disabled,
            quarantined,
        }
    }

    fn session(&self, client: &ClientConfig) -> SessionSettings {
        SessionSettings {
            local_asn: self.config.server.asn,
            local_router_id: self.config.server.router_id,
            peer_asn: client.asn,
            families: client.families,
            hold_time_s: client.hold_time_s,
            passive: client.passive,
            add_path_send: if client.add_path {
                client.families
            } else {
                FamilySet::EMPTY
            },
            extended_messages: client.extended_messages,
            connect_retry_s: client.connect_retry_s,
            idle_hold_s: client.idle_hold_s,
            idle_hold_max_s: client.idle_hold_max_s,
            send_hold_time_s: client.send_hold_time_s,
            role: None,
            prepend_rs_as: false,
            ipv6_next_hops: false,
        }
    }

    fn checks(&self, client: &ClientConfig, quarantined: bool) -> ImportChecks {
        let import = &client.import;
        let next_hops = match import.next_hop {
            NextHopMode::Off => None,
            NextHopMode::Strict => Some(client.addresses().collect()),
            NextHopMode::SameAs => {
                Some(self.addresses.get(&client.asn).cloned().unwrap_or_default())
            }
        };
        ImportChecks {
            server_asn: self.config.server.asn,
            client_asn: client.asn,
            next_hops,
            leftmost_as: import.leftmost_as,
            as_path_len_max: import.as_path_max,
            prefix_lengths: Family::ALL
                .map(|family| import.prefix_length[family.index()].map(|(min, max)| min..=max)),
            bogon_prefixes: import.bogon_prefixes.then(|| self.bogon_prefixes.clone()),
            bogon_asns: if import.bogon_asns {
                BOGON_ASNS.to_vec()
            } else {
                Vec::new()
            },
            own_as: import.own_as,
            quarantined,
        }
    }
}
