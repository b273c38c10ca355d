//! The exchange that a shard is tested with.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use rialto::base::*;
use rialto::policy::{ControlScheme, Directory, DirectoryEntry, ImportPolicy};
use rialto::rib::MedMode;
use rialto::server::exchange::{self, Client, FanoutLimits, PrefixLimits, Startup};
use rialto::session::SessionSettings;
use rialto::wire::TypeCodes;

use crate::RS;

/// What of the configuration these tests vary.
#[derive(Clone)]
pub struct Exchange {
    pub clients: u16,
    pub med: MedMode,
    /// A bit for each client.
    pub hide_own_as: u64,
}

/// One value for all generations: it does not change.
static NO_CHECKS: LazyLock<Arc<ImportPolicy>> = LazyLock::new(Arc::default);

/// Two clients share each ASN.
pub fn asn_of(slot: ClientSlot) -> Asn {
    Asn(1000 + u32::from(slot.0 / 2))
}

/// Every other session of a client has another one than the last.
pub fn router_id_of(slot: ClientSlot, epoch: u32) -> Ipv4Addr {
    let number = (u32::from(slot.0) * 7 + epoch / 2 * 5) % 11 + 1;
    Ipv4Addr::from(number << 28 | number)
}

/// The higher the slot, the lower the address.
pub fn address_of(slot: ClientSlot) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a4d_01fa - u32::from(slot.0)))
}

pub fn scheme() -> ControlScheme {
    ControlScheme::standard(Asn(RS))
}

pub fn directory(exchange: &Exchange) -> Directory {
    (0..exchange.clients)
        .map(|slot| DirectoryEntry {
            hide_own_as: slot < 64 && exchange.hide_own_as >> slot & 1 == 1,
            ..DirectoryEntry::new(ClientSlot(slot), asn_of(ClientSlot(slot)))
        })
        .collect()
}

pub fn compile(exchange: &Exchange, generation: u32, shards: u16) -> Arc<exchange::Exchange> {
    let clients: Vec<_> = (0..exchange.clients)
        .map(|slot| Some(Arc::new(client(ClientSlot(slot)))))
        .collect();
    let by_address = clients
        .iter()
        .flatten()
        .map(|client| (client.address, client.slot))
        .collect();
    Arc::new(exchange::Exchange {
        generation: Generation(generation),
        asn: Asn(RS),
        router_id: Ipv4Addr::new(10, 77, 255, 254),
        listen: Vec::new(),
        core_count: 1,
        shard_count: shards,
        med: exchange.med,
        scheme: Arc::new(scheme()),
        directory: directory(exchange),
        lists: Default::default(),
        outside: Default::default(),
        vrp_changes: None,
        clients,
        by_address,
        startup: Startup::default(),
        limits: FanoutLimits::default(),
    })
}

fn client(slot: ClientSlot) -> Client {
    Client {
        slot,
        name: format!("client-{slot}"),
        asn: asn_of(slot),
        address: address_of(slot),
        port: 179,
        core: CoreId(0),
        session: SessionSettings {
            local_asn: Asn(RS),
            local_router_id: Ipv4Addr::new(10, 77, 255, 254),
            peer_asn: asn_of(slot),
            families: FamilySet::only(Family::Ipv4),
            hold_time_s: 90,
            passive: true,
            add_path_send: FamilySet::EMPTY,
            extended_messages: false,
            connect_retry_s: 30,
            idle_hold_s: 5,
            idle_hold_max_s: 60,
            send_hold_time_s: None,
            graceful_restart_s: 120,
            graceful_restart_helper_s: 0,
            llgr_max_s: [0; 2],
            role: None,
            prepend_rs_as: false,
            ipv6_next_hops: false,
        },
        import: NO_CHECKS.clone(),
        limits: [PrefixLimits::default(); 2],
        attribute_octets_max: None,
        updates_per_s: None,
        min_advertisement: None,
        limit_restart: None,
        discard: TypeCodes::default(),
        treat_as_withdraw: TypeCodes::default(),
        password: None,
        ttl_security_hops: None,
        congestion_control: None,
        disabled: None,
        quarantined: false,
        is_waiting: false,
    }
}
