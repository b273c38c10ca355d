//! An exchange to look at: 900 clients, of which some have routes, some are down and some are hostile.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rialto::policy::RejectReason;
use rialto::wire::AttributeSet;
use rialto::wire::testing::SetBuilder;

use crate::manage::Server;

pub const MANY: u16 = 900;
/// What the others say of themselves; it must stay text.
pub const HOSTILE: &str = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=2</script>";

const NAMES: [&str; 12] = [
    "aurora-fibre",
    "baltic-cloud",
    "canal-hosting",
    "delta-mobile",
    "elbe-transit",
    "fjord-net",
    "gamma-cdn",
    "harbour-isp",
    "isar-research",
    "jura-video",
    "kestrel-games",
    "lagoon-dns",
];

/// Name of the client with this slot.
pub fn name(slot: u16) -> String {
    let name = NAMES[usize::from(slot) % NAMES.len()];
    format!("{name}-{}", slot / NAMES.len() as u16 + 1)
}

fn address(slot: u16) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2 + (slot / 250) as u8, (slot % 250) as u8 + 1)
}

fn set(slot: u16, path: &[u32]) -> Arc<AttributeSet> {
    let asn = 10_000 + u32::from(slot);
    SetBuilder::new()
        .next_hop(address(slot))
        .as_path(&[&[asn], path].concat())
        .communities(&[(64500, 64500), (3356, slot)])
        .large(&[(asn, 1, 7)])
        .build()
}

pub fn exchange() -> Server {
    let clients = (0..MANY).map(|slot| {
        let (asn, address, name) = (10_000 + u32::from(slot), address(slot), name(slot));
        format!("[[client]]\nasn = {asn}\naddress = \"{address}\"\nname = \"{name}\"\n")
    });
    let server = Server::start(&clients.collect::<String>());
    let up = (0..MANY).filter(|slot| slot % 17 != 3);
    up.clone().for_each(|slot| server.data.up(slot));
    server.data.with(|state| {
        state.core.startup_over = true;
        for (status, slot) in state.core.clients.iter_mut().zip(0_u64..) {
            if status.state == "Established" {
                let size = (slot * 7_919 % 1_000) as u32;
                let received = size * size / 9 + 3;
                status.received = [received, received / 5];
                status.accepted = [received - received / 29, received / 5];
                status.since_us = slot * 1_000_000;
            } else {
                status.last_error = Some("we closed it: the hold timer (90 s) expired".to_owned());
            }
        }
        state.core.clients[0].received = [67, 0];
        state.core.clients[0].accepted = [60, 0];
        state.core.clients[3].last_error = Some(HOSTILE.to_owned());
    });
    for index in 0..60_u16 {
        let prefix = format!("20.1.{index}.0/24");
        server
            .data
            .announce(0, &prefix, &set(0, &[64_496 + u32::from(index) % 3]), None);
    }
    let plain = set(0, &[]);
    let rejected = [
        ("10.66.0.0/16", RejectReason::BogonPrefix),
        ("20.9.9.0/25", RejectReason::PrefixTooLong),
        ("20.9.9.128/25", RejectReason::PrefixTooLong),
        ("20.77.0.0/16", RejectReason::IrrPrefix),
        ("20.78.0.0/16", RejectReason::IrrPrefix),
        ("20.79.0.0/16", RejectReason::IrrPrefix),
        ("20.80.0.0/16", RejectReason::RpkiInvalid),
    ];
    for (prefix, reason) in rejected {
        server.data.announce(0, prefix, &plain, Some(reason));
    }
    server
        .data
        .announce(1, "20.1.7.0/24", &set(1, &[64_500, 64_501, 64_497]), None);
    server
        .data
        .announce(2, "20.1.7.0/24", &set(2, &[64_497]), None);
    server
        .data
        .announce(1, "2001:db8:7::/48", &set(1, &[64_498]), None);
    server.data.make_live(3);
    server
}
