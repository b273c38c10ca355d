//! From a [`Config`] to the [`Exchange`] of one generation.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::{Asn, ClientSlot, CoreId, Family, FamilySet, Generation};
use crate::policy::{
    BlackholeRequests, ControlScheme, Directory, DirectoryEntry, ImportChecks, ImportPolicy,
    IrrChecks, IrrSet, Outside, PrefixList,
};
use crate::server::exchange::{Client, Exchange, VrpChanges};
use crate::session::{RoleSettings, SessionSettings};

use super::export;
use super::import::NextHopMode;
use super::irr::IrrSources;
use super::lists::{list_of, own_prefixes};
use super::model::{ClientConfig, Config, Role};

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

/// What the management plane knows that no file of the configuration says.
#[derive(Clone, Default, Debug)]
pub struct Inputs {
    /// What clients registered, by where it comes from; what is missing has not come yet.
    pub irr: HashMap<IrrSources, Arc<IrrSet>>,
    pub outside: Outside,
    pub vrp_changes: Option<VrpChanges>,
    /// The server is about to stop (RFC 8326).
    pub is_draining: bool,
    /// After a start: sessions are held back until the data for their checks has come.
    pub is_waiting: bool,
    /// AS-SETs of which there is no data: after a start those clients wait too.
    pub irr_missing: BTreeSet<String>,
    /// A reload has asked for RPKI, and nothing has come yet: the checks begin when it has.
    pub is_rpki_new: bool,
}

/// Compiles the generation after `previous`. A client that was there keeps its slot; one that is new
/// takes a slot that `previous` left free, so that no slot changes hands within one generation.
pub fn compile(
    config: &Config,
    overrides: &Overrides,
    inputs: &Inputs,
    previous: Option<&Exchange>,
) -> Exchange {
    let slots = assign_slots(&config.clients, previous);
    let len = slots.iter().map(|slot| slot.index() + 1).max().unwrap_or(0);
    let len = len.max(previous.map_or(0, |exchange| exchange.clients.len()));
    let mut clients = vec![None; len];
    let scheme = match previous.filter(|previous| *previous.scheme == config.scheme) {
        Some(previous) => previous.scheme.clone(),
        None => Arc::new(config.scheme.clone()),
    };
    let shared = Shared::new(config, inputs, scheme.clone(), previous);
    for (client, slot) in config.clients.iter().zip(&slots) {
        clients[slot.index()] = Some(Arc::new(shared.client(
            client,
            *slot,
            overrides.of(client.address),
        )));
    }
    let receivers = export::receivers(&config.clients, &slots);
    let directory = config.clients.iter().zip(&slots).zip(receivers);
    let directory = directory.map(|((client, slot), receivers)| DirectoryEntry {
        slot: *slot,
        asn: client.asn,
        hide_own_as: client.hide_own_as,
        rtt_us: client.rtt_us,
        receivers,
        takes_blackholes: client.takes_blackholes,
        obeys_well_known: client.obeys_well_known,
    });
    let directory = directory.collect::<Directory>();
    Exchange {
        generation: Generation(previous.map_or(1, |exchange| exchange.generation.0 + 1)),
        asn: config.server.asn,
        router_id: config.server.router_id,
        listen: config.server.listen.clone(),
        core_count: config.cores.sessions,
        shard_count: config.cores.shards,
        med: config.server.med,
        scheme,
        lists: shared.lists.clone(),
        directory: directory.with_server(config.blackhole.add_no_export, inputs.is_draining),
        outside: inputs.outside.clone(),
        vrp_changes: inputs.vrp_changes.clone(),
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

/// A list that is as before stays the value that it was: thousands of clients have it, and it is compared once.
fn kept_lists(config: &Config, previous: Option<&Exchange>) -> [Arc<PrefixList>; 3] {
    let lists = &config.lists;
    let mut lists = [
        lists.bogon_prefixes.clone(),
        own_prefixes(&config.server.lan),
        lists.black_list.clone(),
    ];
    let known = previous.map(|previous| &previous.lists);
    for (list, known) in lists.iter_mut().zip(known.into_iter().flatten()) {
        if list == known {
            *list = known.clone();
        }
    }
    lists
}

/// What all clients have in common.
struct Shared<'a> {
    config: &'a Config,
    inputs: &'a Inputs,
    scheme: Arc<ControlScheme>,
    previous: Option<&'a Exchange>,
    /// Those of [`Exchange::lists`].
    lists: [Arc<PrefixList>; 3],
    /// The addresses of all sessions of an ASN.
    addresses: HashMap<Asn, Vec<IpAddr>>,
}

impl<'a> Shared<'a> {
    fn new(
        config: &'a Config,
        inputs: &'a Inputs,
        scheme: Arc<ControlScheme>,
        previous: Option<&'a Exchange>,
    ) -> Shared<'a> {
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
            inputs,
            scheme,
            previous,
            lists: kept_lists(config, previous),
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
        let import = self.import(slot, self.checks(client, quarantined));
        let is_missing = |as_set: &String| self.inputs.irr_missing.contains(as_set);
        let lacks_data = import.lacks_irr()
            || client.irr.sources.as_sets.iter().any(is_missing)
            || import.uses_vrps() && self.inputs.outside.vrps.is_none();
        Client {
            is_waiting: self.inputs.is_waiting && lacks_data,
            slot,
            name: client.name.clone(),
            asn: client.asn,
            address: client.address,
            port: client.port,
            core: CoreId(slot.0 % self.config.cores.sessions),
            session: self.session(client),
            import,
            limits: client.limits,
            attribute_octets_max: client.attribute_octets_max,
            limit_restart: client.limit_restart,
            updates_per_s: client.updates_per_s,
            min_advertisement: client.min_advertisement,
            discard: client.attributes.discard,
            treat_as_withdraw: client.attributes.treat_as_withdraw,
            password: client.password.clone(),
            ttl_security_hops: client.ttl_security_hops,
            congestion_control: client.congestion_control.clone(),
            disabled,
            quarantined,
        }
    }

    fn import(&self, slot: ClientSlot, checks: ImportChecks) -> Arc<ImportPolicy> {
        let import = ImportPolicy::new(checks);
        let before = self.previous.and_then(|previous| previous.client(slot));
        match before.filter(|before| *before.import == import) {
            Some(before) => before.import.clone(),
            None => Arc::new(import),
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
            graceful_restart_s: client.graceful_restart_s,
            graceful_restart_helper_s: client.graceful_restart_helper_s,
            llgr_max_s: client.llgr_max_s,
            role: match client.role {
                Role::Off => None,
                Role::On => Some(RoleSettings { strict: false }),
                Role::Strict => Some(RoleSettings { strict: true }),
            },
            prepend_rs_as: client.prepend_rs_as,
            ipv6_next_hops: client.ipv6_next_hops,
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
        let lists = &self.config.lists;
        let [bogons, own, black] = &self.lists;
        let has_rpki = !self.config.rpki.is_empty() && !self.inputs.is_rpki_new;
        let unless_empty =
            |on: bool, list: &Arc<PrefixList>| (on && !list.is_empty()).then(|| list.clone());
        let asns = |on: bool, list: &Arc<[Asn]>| if on { list.clone() } else { [].into() };
        ImportChecks {
            server_asn: self.config.server.asn,
            client_asn: client.asn,
            next_hops,
            leftmost_as: import.leftmost_as,
            as_path_len_max: import.as_path_max,
            prefix_lengths: Family::ALL
                .map(|family| import.prefix_length[family.index()].map(|(min, max)| min..=max)),
            bogon_prefixes: unless_empty(import.bogon_prefixes, bogons),
            bogon_asns: if import.bogon_asns {
                lists.bogon_asns.clone()
            } else {
                Vec::new()
            },
            own_as: import.own_as,
            own_prefixes: unless_empty(import.own_prefixes, own),
            black_list: unless_empty(import.black_list, black),
            client_black_list: unless_empty(true, &list_of(&import.black_list_prefixes)),
            as_set: import.as_set,
            transit_free_asns: asns(import.transit_free, &lists.transit_free_asns),
            never_via_route_servers_asns: asns(
                import.never_via_route_servers,
                &lists.never_via_route_servers_asns,
            ),
            communities_max: import.communities_max,
            route_leak: client.role != Role::Off,
            irr: self.irr(client),
            rpki_invalid: import.rpki_invalid && has_rpki,
            rpki_unknown: import.rpki_unknown && has_rpki,
            aspa_invalid: import.aspa_invalid && has_rpki,
            blackhole: self.blackhole(client),
            long_lived: client.llgr_max_s != [0; 2],
            remarks: import.tag.clone(),
            quarantined,
        }
    }

    /// Nothing is checked of a client about which nothing is said.
    fn irr(&self, client: &ClientConfig) -> Option<IrrChecks> {
        let (import, irr) = (&client.import, &client.irr);
        let sources = &irr.sources;
        let has_prefixes = sources.names_prefixes() || irr.rpki_roas_as_route_objects;
        let prefix = import.irr_prefix && has_prefixes;
        let origin = import.irr_origin && sources.names_origins();
        let is_on = !sources.is_empty() && (prefix || origin);
        is_on.then(|| IrrChecks {
            set: self.inputs.irr.get(sources).cloned(),
            prefix,
            origin,
            allow_longer_prefixes: irr.allow_longer_prefixes,
            roas_as_route_objects: irr.rpki_roas_as_route_objects,
            white_list_prefixes: Arc::new(irr.white_list_prefixes.iter().copied().collect()),
            white_list_origins: irr.white_list_origins.clone(),
            white_list_routes: irr.white_list_routes.clone(),
        })
    }

    fn blackhole(&self, client: &ClientConfig) -> Option<BlackholeRequests> {
        let families = self.config.blackhole.families;
        let is_on = client.import.blackhole && families != [false; 2];
        is_on.then(|| BlackholeRequests {
            scheme: self.scheme.clone(),
            families,
        })
    }
}
