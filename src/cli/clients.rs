//! `rialto show clients`: who is up, and what is wrong with whom; sorted and chosen as asked.

use crate::manage::view::{ClientView, ClientsView};

use super::args::{ClientsArgs, ClientsOrder};
use super::count;
use super::paint::Tone;
use super::table::{Screen, Shrink, Table, duration, grouped};

pub fn text(view: &ClientsView, args: &ClientsArgs, screen: Screen) -> String {
    let mut chosen: Vec<&ClientView> = view
        .clients
        .iter()
        .filter(|it| is_chosen(it, args))
        .collect();
    sort(&mut chosen, args);
    let mut table = Table::new(&[
        "CLIENT",
        "ASN",
        "ADDRESS",
        "STATE",
        "SINCE",
        ">RECEIVED",
        ">ACCEPTED",
        "REMARKS",
    ])
    .shrinking(&[
        Shrink::Cut("REMARKS", 24),
        Shrink::Drop("ASN"),
        Shrink::Drop("ADDRESS"),
        Shrink::Cut("REMARKS", 12),
        Shrink::Cut("CLIENT", 16),
        Shrink::Drop("SINCE"),
        Shrink::Cut("STATE", 5),
    ]);
    for client in &chosen {
        let row = table.row(vec![
            client.name.clone(),
            format!("AS{}", client.asn),
            client.address.to_string(),
            client.state.clone(),
            duration(client.since_s),
            grouped(client.received.sum()),
            grouped(client.accepted.sum()),
            remarks(client),
        ]);
        row.tone(STATE, tone(client)).tone(REMARKS, Tone::Doubtful);
    }
    let up = view.clients.iter().filter(|client| client.is_established());
    let up = up.count();
    let shown = match chosen.len() == view.clients.len() {
        true => String::new(),
        false => format!("{} of ", chosen.len()),
    };
    let all = count(view.clients.len(), "client");
    format!("{}{shown}{all}, {up} established\n", table.text(screen))
}

/// Columns that have colours.
const STATE: usize = 3;
const REMARKS: usize = 7;

fn tone(client: &ClientView) -> Tone {
    match (client.is_established(), &client.disabled) {
        (true, _) if client.quarantined => Tone::Doubtful,
        (true, _) => Tone::Good,
        (false, Some(_)) => Tone::Faint,
        (false, None) => Tone::Bad,
    }
}

fn is_chosen(client: &ClientView, args: &ClientsArgs) -> bool {
    let has = |text: &String| {
        let text = text.to_lowercase();
        let asn = format!("as{}", client.asn);
        client.name.to_lowercase().contains(&text)
            || client.address.to_string().contains(&text)
            || asn == text
            || client.asn.to_string() == text
    };
    (!args.down || !client.is_established()) && args.matching.as_ref().is_none_or(has)
}

/// Most first, but for names and times.
fn sort(clients: &mut [&ClientView], args: &ClientsArgs) {
    let rejected =
        |client: &ClientView| -> u64 { client.rejected.iter().map(|of| of.ipv4 + of.ipv6).sum() };
    let most = |number: u64| std::cmp::Reverse(number);
    match args.sort {
        None => {}
        Some(ClientsOrder::Name) => clients.sort_by(|a, b| a.name.cmp(&b.name)),
        Some(ClientsOrder::Asn) => clients.sort_by_key(|it| it.asn),
        Some(ClientsOrder::Since) => clients.sort_by_key(|it| it.since_s),
        Some(ClientsOrder::Received) => clients.sort_by_key(|it| most(it.received.sum())),
        Some(ClientsOrder::Accepted) => clients.sort_by_key(|it| most(it.accepted.sum())),
        Some(ClientsOrder::Rejected) => clients.sort_by_key(|it| most(rejected(it))),
        Some(ClientsOrder::Behind) => clients.sort_by_key(|it| most(it.dirty_prefixes)),
        Some(ClientsOrder::Flaps) => clients.sort_by_key(|it| most(it.flaps.into())),
        Some(ClientsOrder::Updates) => clients.sort_by_key(|it| most(it.updates_in)),
    }
}

/// What an operator should know about a client, most pressing first.
pub fn remarks(client: &ClientView) -> String {
    let mut remarks = Vec::new();
    match &client.disabled {
        Some(message) if message.is_empty() => remarks.push("DISABLED".to_owned()),
        Some(message) => remarks.push(format!("DISABLED \"{message}\"")),
        None => {}
    }
    let stale: u64 = client.stale.iter().map(|stale| stale.prefixes).sum();
    if stale > 0 {
        remarks.push(format!("KEPT: {} of the session before", grouped(stale)));
    }
    if client.waits_for_data && client.disabled.is_none() {
        remarks.push("WAITS for data of its checks: rialto show feeds".to_owned());
    }
    if client.quarantined {
        remarks.push(match client.would_be_accepted.sum() {
            0 => "QUARANTINED".to_owned(),
            held => format!("QUARANTINED: {held} would be accepted"),
        });
    }
    for (family, accepted, back) in [
        ("ipv4", client.accepted.ipv4, client.blocked.ipv4),
        ("ipv6", client.accepted.ipv6, client.blocked.ipv6),
    ] {
        if back > 0 {
            remarks.push(format!(
                "blocked at {family} accepted_max {accepted}: {back} kept back"
            ));
        }
    }
    remarks.extend(behind(client));
    let updates_per_s = client.updates_per_s;
    remarks.extend(updates_per_s.map(|max| format!("paced by updates_per_s {max}")));
    if let Some(error) = client
        .last_error
        .as_ref()
        .filter(|_| !client.is_established() && client.disabled.is_none())
    {
        remarks.push(error.clone());
    }
    remarks.join(", ")
}

/// What is not sent to a paced client yet is no sign that it is slow.
fn behind(client: &ClientView) -> Option<String> {
    let behind = client.dirty_prefixes;
    match client.min_advertisement_ms {
        Some(ms) if behind > 0 => Some(format!(
            "paced by min_advertisement_ms {ms}: {behind} prefixes wait"
        )),
        Some(ms) => Some(format!("paced by min_advertisement_ms {ms}")),
        None => (behind > 0).then(|| format!("slow: {behind} prefixes behind")),
    }
}
