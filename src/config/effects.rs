//! What is well-formed, agrees with the rest, and does not do what it was written for.

use crate::base::Asn;

use super::model::{ClientConfig, Config};
use super::problem::{Place, Problems};

/// One of `communities.peer_as_aliases`.
pub struct Alias {
    pub number: u16,
    pub asn: Asn,
    pub place: Place,
}

pub fn check(config: &Config, problems: &mut Problems) {
    check_effects(config, problems);
}

/// A number that is a client's own ASN would mean that client no more.
pub fn check_aliases(aliases: &[Alias], clients: &[ClientConfig], problems: &mut Problems) {
    let client_of = |asn: Asn| clients.iter().find(|client| client.asn == asn);
    for Alias { number, asn, place } in aliases {
        let key = format!("communities.peer_as_aliases.{number}");
        let own = client_of(Asn((*number).into())).filter(|client| client.asn != *asn);
        if let Some(client) = own {
            let what = format!(
                "{number} would stand for AS{asn}, and is the ASN of {}: no community could mean {0} any more",
                client.name
            );
            let remedy = format!("give AS{asn} another number");
            problems.error(place, &key, what, &remedy);
        } else if client_of(*asn).is_none() {
            // Members come and go.
            problems.warning(place, &key, format!("AS{asn} is no client"), "");
        }
    }
}

/// Checks that are asked for and cannot be made; the first client stands for all.
fn check_effects(config: &Config, problems: &mut Problems) {
    let has_blackholes = config.blackhole.families != [false; 2];
    let mut warn = |asks: fn(&ClientConfig) -> bool, key: &str, remedy: &str| {
        if let Some(client) = config.clients.iter().find(|client| asks(client)) {
            problems.warning(&client.place, key, "has no effect".to_owned(), remedy);
        }
    };
    if !has_blackholes {
        let remedy = "say in [blackhole] what becomes of such routes";
        let asks = |client: &ClientConfig| client.import.blackhole;
        warn(asks, "client.import.blackhole", remedy);
    }
    if config.rpki.is_empty() {
        let remedy = "name caches or vrp_files in [rpki]";
        let asks = |client: &ClientConfig| client.import.rpki_unknown;
        warn(asks, "client.import.rpki_unknown", remedy);
    }
}
