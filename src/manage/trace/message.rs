//! Messages of a session in words: what a client said, judged as its import judges now, and what it was
//! told. Pure.

use std::sync::Arc;

use crate::base::{Family, FamilySet, Prefix};
use crate::policy::{PrefixClass, RovClass};
use crate::server::exchange::{Client, Exchange};
use crate::server::query::SessionUp;
use crate::wire::{
    AttributeSet, Capabilities, DecodeContext, HEADER_LEN, KeepAll, MessageType, Notification,
    Open, RefreshSubtype, Scratch, TypeCodes, Update, decode_header, decode_route_refresh,
    decode_update, role, without_path_ids,
};

use super::super::describe;
use super::super::view::families;
use super::view::{AnnouncedView, MessageView, NlriView, OpenView, SessionView, UpdateView};

/// Octets shown of what cannot be read.
const SHOWN_MAX: usize = 4096;

pub fn session(up: &SessionUp) -> SessionView {
    let negotiated = &up.negotiated;
    SessionView {
        local: up.local,
        remote: up.remote,
        router_id: negotiated.peer_router_id,
        hold_time_s: negotiated.hold_time_s,
        families: families(negotiated.families),
        add_path: families(negotiated.add_path_send),
        four_octet: negotiated.four_octet,
        extended_messages: negotiated.extended_messages,
        received_open: open(&up.received_open),
        sent_open: open(&up.sent_open),
    }
}

/// A whole OPEN.
fn open(message: &[u8]) -> Option<OpenView> {
    Some(open_view(&Open::decode(message.get(HEADER_LEN..)?).ok()?))
}

fn open_view(open: &Open) -> OpenView {
    OpenView {
        asn: open.asn,
        router_id: open.router_id,
        hold_time_s: open.hold_time_s,
        capabilities: capabilities(&open.capabilities),
    }
}

fn capabilities(of: &Capabilities) -> Vec<String> {
    let names = |set: FamilySet| {
        let names: Vec<&str> = set.iter().map(Family::name).collect();
        names.join(" and ")
    };
    let of_families =
        |what: &str, set: FamilySet| (!set.is_empty()).then(|| format!("{what} {}", names(set)));
    let flag = |is: bool, what: &str| is.then(|| what.to_owned());
    let restart = of.graceful_restart.map(|restart| {
        let of = match restart.families.is_empty() {
            true => "End-of-RIB only".to_owned(),
            false => names(restart.families),
        };
        let now = if restart.restarting {
            ", restarting"
        } else {
            ""
        };
        format!("graceful restart {} s ({of}{now})", restart.restart_time_s)
    });
    let long_lived = of.long_lived_restart.map(|restart| {
        let times = Family::ALL.into_iter().zip(restart.stale_time_s);
        let times = times.filter(|(_, time_s)| *time_s > 0);
        let times: Vec<String> = times
            .map(|(family, time_s)| format!("{} {time_s} s", family.name()))
            .collect();
        match times.is_empty() {
            true => "long-lived graceful restart (takes stale routes)".to_owned(),
            false => format!("long-lived graceful restart ({})", times.join(", ")),
        }
    });
    let known = [
        of_families("multiprotocol", of.families),
        flag(of.other_families, "families that Rialto does not know"),
        flag(of.route_refresh, "route refresh"),
        flag(of.enhanced_refresh, "enhanced route refresh"),
        of.four_octet_asn.map(|asn| format!("four-octet ASN {asn}")),
        of_families("ADD-PATH receive", of.add_path_receive),
        of_families("ADD-PATH send", of.add_path_send),
        flag(of.extended_messages, "extended messages"),
        flag(of.ipv6_next_hops, "IPv6 next hops for IPv4"),
        restart,
        long_lived,
    ];
    let roles = of
        .roles
        .iter()
        .map(|it| format!("role {}", role::name(*it)));
    let unknown = of.unknown.iter();
    let unknown =
        unknown.map(|(code, value)| format!("capability {code} ({} octets)", value.len()));
    known
        .into_iter()
        .flatten()
        .chain(roles)
        .chain(unknown)
        .collect()
}

/// A whole message to the client.
pub fn sent(message: &[u8], up: Option<&SessionUp>) -> MessageView {
    match (split(message), up) {
        (Ok((MessageType::Update, body)), Some(up)) => told_update(message, body, up),
        (Ok((MessageType::Update, _)), None) => {
            unread(message, "it is not known what was negotiated")
        }
        _ => other(message, up),
    }
}

/// A whole UPDATE of the client.
pub fn received(
    message: &[u8],
    up: &SessionUp,
    client: &Client,
    exchange: &Exchange,
) -> MessageView {
    let body = match split(message) {
        Ok((_, body)) => body,
        Err(why) => return unread(message, &why),
    };
    let raw_codes = TypeCodes::default();
    let (mut scratch, mut raw_scratch) = (Scratch::default(), Scratch::default());
    let judged = client.decode_context(&up.negotiated, &exchange.scheme, 0);
    // Shown as it was said, with what import takes out of it.
    let raw = DecodeContext {
        discard: &raw_codes,
        scrub: &KeepAll,
        link_locals: None,
        ..judged
    };
    let update = match decode_update(body, &judged, &mut scratch) {
        Ok(update) => update,
        Err(error) => return unread(message, &format!("{error}; the session is reset")),
    };
    let raw = decode_update(body, &raw, &mut raw_scratch).unwrap_or_default();
    let announced = update
        .announced
        .iter()
        .enumerate()
        .map(|(at, (set, nlri))| {
            let shown = raw.announced.get(at).map_or(set, |(set, _)| set);
            let of_set = client.import.check_attributes(set, &exchange.outside);
            let judge = |prefix: Prefix| {
                let class = client.import.judge(&of_set, &prefix, &exchange.outside);
                judged_view(prefix, class)
            };
            announced_view(shown, nlri.iter().map(judge).collect())
        });
    let view = UpdateView {
        withdrawn: plain(withdrawn(&update)),
        announced: announced.collect(),
        end_of_rib: update.end_of_rib,
        treat_as_withdraw: update.treat_as_withdraw.map(|fault| fault.to_string()),
        discarded: update.discarded.iter().map(|it| it.to_string()).collect(),
    };
    update_view(message, view)
}

fn told_update(message: &[u8], body: &[u8], up: &SessionUp) -> MessageView {
    let Some(bare) = without_path_ids(body, up.negotiated.add_path_send) else {
        return unread(message, "its lengths do not add up");
    };
    let (none, mut scratch) = (TypeCodes::default(), Scratch::default());
    let context = DecodeContext {
        four_octet: up.negotiated.four_octet,
        families: FamilySet::ALL,
        v6_next_hops: true,
        discard: &none,
        treat_as_withdraw: &none,
        scrub: &KeepAll,
        link_locals: None,
        hash_seed: 0,
    };
    let update = match decode_update(&bare.body, &context, &mut scratch) {
        Ok(update) => update,
        Err(error) => return unread(message, &error.to_string()),
    };
    let mut ids = bare.announced.iter().copied();
    let announced = update.announced.iter().map(|(set, nlri)| {
        let prefixes = nlri.iter().map(|prefix| NlriView {
            prefix: prefix.to_string(),
            path_id: ids.next().flatten(),
            ..NlriView::default()
        });
        announced_view(set, prefixes.collect())
    });
    let announced = announced.collect();
    let mut withdrawn = plain(withdrawn(&update));
    for (view, id) in withdrawn.iter_mut().zip(bare.withdrawn) {
        view.path_id = id;
    }
    let view = UpdateView {
        withdrawn,
        announced,
        end_of_rib: update.end_of_rib,
        treat_as_withdraw: update.treat_as_withdraw.map(|fault| fault.to_string()),
        discarded: update.discarded.iter().map(|it| it.to_string()).collect(),
    };
    update_view(message, view)
}

fn withdrawn<'a>(update: &'a Update<'_>) -> impl Iterator<Item = Prefix> + 'a {
    update.withdrawn.iter().flat_map(|nlri| nlri.iter())
}

fn plain(prefixes: impl Iterator<Item = Prefix>) -> Vec<NlriView> {
    let view = |prefix: Prefix| NlriView {
        prefix: prefix.to_string(),
        ..NlriView::default()
    };
    prefixes.map(view).collect()
}

fn judged_view(prefix: Prefix, class: PrefixClass) -> NlriView {
    let rov = class.rov();
    NlriView {
        prefix: prefix.to_string(),
        path_id: None,
        accepted: Some(class.is_accepted()),
        reason: class.reason().map(|reason| reason.name().to_owned()),
        rpki: (rov != RovClass::NotChecked).then(|| rov.name().to_owned()),
    }
}

fn announced_view(set: &Arc<AttributeSet>, prefixes: Vec<NlriView>) -> AnnouncedView {
    AnnouncedView {
        attributes: describe::attributes(set, None),
        prefixes,
    }
}

/// A whole message that is no UPDATE, of either side.
pub fn other(message: &[u8], up: Option<&SessionUp>) -> MessageView {
    let (kind, body) = match split(message) {
        Ok(parts) => parts,
        Err(why) => return unread(message, &why),
    };
    let view = view(kind, message);
    match kind {
        MessageType::Open => match Open::decode(body) {
            Ok(open) => MessageView {
                open: Some(open_view(&open)),
                ..view
            },
            Err(error) => unread(message, &error.to_string()),
        },
        MessageType::Notification => MessageView {
            text: Some(Notification::decode(body).to_string()),
            ..view
        },
        MessageType::RouteRefresh => MessageView {
            text: Some(refresh(body, up)),
            ..view
        },
        _ => view,
    }
}

fn refresh(body: &[u8], up: Option<&SessionUp>) -> String {
    let enhanced = up.is_none_or(|up| up.negotiated.enhanced_refresh);
    let is_known = |family| up.is_none_or(|up| up.negotiated.families.contains(family));
    let said = decode_route_refresh(body, enhanced).ok().flatten();
    match (said.filter(|(family, _)| is_known(*family)), body) {
        (Some((family, RefreshSubtype::Request)), _) => {
            format!("asks for all {family} routes again")
        }
        (Some((family, RefreshSubtype::Begin)), _) => {
            format!("beginning of all {family} routes (BoRR)")
        }
        (Some((family, RefreshSubtype::End)), _) => format!("end of all {family} routes (EoRR)"),
        (None, [high, low, subtype, safi, ..]) => format!(
            "subtype {subtype}, AFI {}, SAFI {safi}: not known or not negotiated, and ignored",
            u16::from_be_bytes([*high, *low])
        ),
        (None, _) => "too short".to_owned(),
    }
}

fn split(message: &[u8]) -> Result<(MessageType, &[u8]), String> {
    let (head, body) = message
        .split_first_chunk::<HEADER_LEN>()
        .ok_or("it is cut short")?;
    let header = decode_header(head, u16::MAX).map_err(|error| error.to_string())?;
    Ok((header.kind, body))
}

fn view(kind: MessageType, message: &[u8]) -> MessageView {
    MessageView {
        kind: kind.name().to_owned(),
        octets: message.len(),
        update: None,
        text: None,
        open: None,
        error: None,
        hexadecimal: None,
    }
}

fn update_view(message: &[u8], update: UpdateView) -> MessageView {
    MessageView {
        update: Some(update),
        ..view(MessageType::Update, message)
    }
}

fn unread(message: &[u8], why: &str) -> MessageView {
    let kind = split(message).map_or(MessageType::Update, |(kind, _)| kind);
    let shown = message.get(..SHOWN_MAX).unwrap_or(message);
    MessageView {
        error: Some(why.to_owned()),
        hexadecimal: Some(describe::hexadecimal(shown)),
        ..view(kind, message)
    }
}
