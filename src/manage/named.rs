//! A client by its name or address, or those that may have been meant.

use std::sync::Arc;

use crate::server::exchange::{Client, Exchange};

/// Names that are suggested, at most.
const SUGGESTED_MAX: usize = 3;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no client '{name}'; {}", hint(.near))]
pub struct NoClient {
    pub name: String,
    /// Nearest first.
    pub near: Vec<String>,
}

fn hint(near: &[String]) -> String {
    match near {
        [] => "rialto show clients lists them".to_owned(),
        [one] => format!("did you mean {one}?"),
        [most @ .., last] => format!("did you mean {} or {last}?", most.join(", ")),
    }
}

pub fn named<'e>(exchange: &'e Exchange, name: &str) -> Result<&'e Arc<Client>, NoClient> {
    exchange.client_named(name).ok_or_else(|| NoClient {
        name: name.to_owned(),
        near: near(exchange, name),
    })
}

/// The sessions of the ASN that was written; else what differs in case or by a few letters.
fn near(exchange: &Exchange, name: &str) -> Vec<String> {
    let asked = name.to_ascii_lowercase();
    let asn = asked.strip_prefix("as").unwrap_or(&asked).parse::<u32>();
    let of_asn = |client: &&Arc<Client>| asn == Ok(client.asn.0);
    let names = |clients: Vec<&Arc<Client>>| -> Vec<String> {
        let names = clients.iter().map(|client| client.name.clone());
        names.take(SUGGESTED_MAX).collect()
    };
    let found = names(exchange.clients().filter(of_asn).collect());
    if !found.is_empty() {
        return found;
    }
    let allowed = 1 + asked.chars().count() / 4;
    let distance = |client: &Client| {
        let name = client.name.to_ascii_lowercase();
        let by_name = strsim::damerau_levenshtein(&asked, &name);
        by_name.min(strsim::damerau_levenshtein(
            &asked,
            &client.address.to_string(),
        ))
    };
    let scored = exchange.clients().map(|client| (distance(client), client));
    let mut close = scored
        .filter(|(distance, _)| *distance <= allowed)
        .collect::<Vec<_>>();
    close.sort_by_key(|(distance, client)| (*distance, client.slot));
    names(close.into_iter().map(|(_, client)| client).collect())
}
