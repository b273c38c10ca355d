//! Our OPEN, and what it makes together with the peer's.

use crate::base::{Family, FamilySet};
use crate::wire::{
    Capabilities, GracefulRestart, LongLivedRestart, Notification, Open, encode_multiprotocol,
    open_error, role,
};

use super::{Negotiated, SessionSettings, Way};

/// The OPEN we send; `restarting`: we restarted since the last session with this peer, for all it knows.
pub(super) fn local_open(settings: &SessionSettings, restarting: bool) -> Open {
    Open {
        asn: settings.local_asn,
        hold_time_s: settings.hold_time_s,
        router_id: settings.local_router_id,
        capabilities: Capabilities {
            families: settings.families,
            route_refresh: true,
            ipv6_next_hops: settings.ipv6_next_hops && settings.families.contains(Family::Ipv4),
            extended_messages: settings.extended_messages,
            roles: settings.role.iter().map(|_| role::RS).collect(),
            graceful_restart: Some(graceful_restart(settings, restarting)),
            four_octet_asn: Some(settings.local_asn),
            add_path_send: settings.add_path_send.intersection(settings.families),
            enhanced_refresh: true,
            // Nobody is asked to keep ours for so long.
            long_lived_restart: settings
                .is_long_lived_helper()
                .then(LongLivedRestart::default),
            ..Capabilities::default()
        },
    }
}

/// Without families it says that End-of-RIB will be sent, and makes peers send theirs, on which the cold
/// start waits (RFC 4724 §2). With them the F bit is always set: what members forward by our routes goes
/// from one to the other, and no restart of ours ends it.
fn graceful_restart(settings: &SessionSettings, restarting: bool) -> GracefulRestart {
    match settings.graceful_restart_s {
        0 => GracefulRestart::default(),
        restart_time_s => GracefulRestart {
            restarting,
            notifications: true,
            restart_time_s,
            families: settings.families,
            forwarding: settings.families,
        },
    }
}

/// Judges the peer's OPEN by the configuration; the error is what to send and what to log.
pub(super) fn negotiate(
    settings: &SessionSettings,
    peer: &Open,
) -> Result<Negotiated, (Notification, String)> {
    let refuse = |subcode, data: Vec<u8>, what| {
        Err((Notification::new(open_error::CODE, subcode, data), what))
    };
    if peer.asn != settings.peer_asn {
        let what = format!(
            "OPEN has AS {}, configured is AS {}",
            peer.asn, settings.peer_asn
        );
        return refuse(open_error::BAD_PEER_AS, vec![], what);
    }
    if peer.asn == settings.local_asn && peer.router_id == settings.local_router_id {
        let what = format!("OPEN has our own BGP identifier {}", peer.router_id);
        return refuse(open_error::BAD_BGP_IDENTIFIER, vec![], what);
    }
    if let Some(what) = role_mismatch(settings, &peer.capabilities.roles) {
        return refuse(open_error::ROLE_MISMATCH, vec![], what);
    }
    let families = settings
        .families
        .intersection(peer.capabilities.usable_families());
    if families.is_empty() {
        let mut wanted = Vec::new();
        encode_multiprotocol(&mut wanted, settings.families);
        let what = format!("OPEN has none of the families {}", names(settings.families));
        return refuse(open_error::UNSUPPORTED_CAPABILITY, wanted, what);
    }
    Ok(Negotiated {
        families,
        add_path_send: settings
            .add_path_send
            .intersection(peer.capabilities.add_path_receive)
            .intersection(families),
        ipv6_next_hops: settings.ipv6_next_hops
            && peer.capabilities.ipv6_next_hops
            && families.contains(Family::Ipv4),
        four_octet: peer.capabilities.four_octet_asn.is_some(),
        extended_messages: peer.capabilities.extended_messages,
        enhanced_refresh: peer.capabilities.enhanced_refresh,
        route_refresh: peer.capabilities.route_refresh,
        peer_restart: peer.capabilities.graceful_restart,
        // RFC 9494 §4.5: without the other it is ignored.
        peer_long_lived: (peer.capabilities.graceful_restart)
            .and(peer.capabilities.long_lived_restart),
        keeps_routes: settings.graceful_restart_s != 0
            && peer.capabilities.graceful_restart.is_some(),
        hard_resets: settings.graceful_restart_s != 0
            && (peer.capabilities.graceful_restart).is_some_and(|restart| restart.notifications),
        hold_time_s: settings.hold_time_s.min(peer.hold_time_s),
        peer_router_id: peer.router_id,
        peer_asn: peer.asn,
        peer_role: match *peer.capabilities.roles {
            [role] => Some(role),
            _ => None,
        },
    })
}

/// What is wrong with a peer's roles (RFC 9234 §4.2): to an RS goes an RS-Client. A few of them are
/// named.
fn role_mismatch(settings: &SessionSettings, roles: &[u8]) -> Option<String> {
    let strict = settings.role?.strict;
    match roles {
        [role::RS_CLIENT] => None,
        [] if strict => {
            Some("OPEN has no role, a client of this route server must announce RS-Client".into())
        }
        [] => None,
        roles => {
            let names: Vec<String> = roles.iter().take(5).map(|role| role::name(*role)).collect();
            let names = names.join(" and ");
            Some(format!(
                "OPEN has role {names}, a client of a route server must announce RS-Client"
            ))
        }
    }
}

/// Which of two connections stays: the one that the side with the larger BGP identifier initiated
/// (RFC 4271 §6.8); of equal ones, the side with the larger AS number (RFC 6286 §2.3).
pub(super) fn surviving_way(settings: &SessionSettings, peer: &Negotiated) -> Way {
    let local = (settings.local_router_id, settings.local_asn);
    if local > (peer.peer_router_id, peer.peer_asn) {
        Way::Connected
    } else {
        Way::Accepted
    }
}

fn names(families: FamilySet) -> String {
    families
        .iter()
        .map(|family| family.name())
        .collect::<Vec<_>>()
        .join(", ")
}
