//! `[looking_glass]`: how sessions are called in the protocols of other looking glasses, and how much
//! these may ask for.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::base::Family;

use super::model::ClientConfig;
use super::problem::Problems;
use super::reader::{Entry, Reader};

const NAME_LEN_MAX: usize = 64;

/// What a template may have in braces.
const FIELDS: [&str; 4] = ["name", "asn", "address", "ip_version"];

const EXPECTED: &str = "letters, digits and _ (at most 64), as IXP Manager takes no others";

/// `[looking_glass]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookingGlass {
    /// The name of a session whose client has no `session_name`.
    pub session_name: String,
    /// Longer lists are refused by Bird's Eye's protocol (403).
    pub max_routes: u32,
    /// Longer answers are refused by birdwatcher's protocol.
    pub answer_routes_max: u32,
    /// How long an answer is given again.
    pub cache: Duration,
    /// Octets of the answers that are kept, compressed.
    pub cache_octets_max: usize,
}

impl Default for LookingGlass {
    fn default() -> LookingGlass {
        LookingGlass {
            session_name: "{name}".to_owned(),
            max_routes: 1_000,
            answer_routes_max: 2_000_000,
            cache: Duration::from_secs(60),
            cache_octets_max: 128 << 20,
        }
    }
}

impl LookingGlass {
    pub fn read(reader: Option<Reader<'_>>) -> LookingGlass {
        let usual = LookingGlass::default();
        let Some(reader) = reader else { return usual };
        let session_name = reader.entry("session_name").and_then(|e| template(&e));
        let seconds = |s: u32| Duration::from_secs(s.into());
        let glass = LookingGlass {
            session_name: session_name.unwrap_or(usual.session_name),
            max_routes: reader
                .integer("max_routes", 1..=1_000_000)
                .unwrap_or(usual.max_routes),
            answer_routes_max: reader
                .integer("answer_routes_max", 1..=100_000_000)
                .unwrap_or(usual.answer_routes_max),
            cache: reader
                .integer("cache_s", 1..=3_600)
                .map_or(usual.cache, seconds),
            cache_octets_max: reader
                .integer("cache_octets_max", 1 << 20..=u32::MAX)
                .map_or(usual.cache_octets_max, |octets| octets as usize),
        };
        reader.finish();
        glass
    }

    /// Gives a session name to each client without. What the default makes is always sound.
    pub fn name_sessions(&self, clients: &mut [ClientConfig]) {
        let is_default = self.session_name == LookingGlass::default().session_name;
        let mut taken: HashSet<String> = (clients.iter())
            .map(|client| client.session_name.clone())
            .collect();
        for client in clients.iter_mut().filter(|c| c.session_name.is_empty()) {
            let plain = self.name_of(client);
            let mut name = plain.clone();
            let mut number = 2;
            while is_default && taken.contains(&name) {
                name = format!("{plain}_{number}");
                number += 1;
            }
            taken.insert(name.clone());
            client.session_name = name;
        }
    }

    fn name_of(&self, client: &ClientConfig) -> String {
        let ip_version = if client.address.is_ipv4() { "4" } else { "6" };
        let values = [
            client.name.clone(),
            client.asn.to_string(),
            client.address.to_string(),
            ip_version.to_owned(),
        ];
        let mut name = self.session_name.clone();
        for (field, value) in FIELDS.iter().zip(values) {
            name = name.replace(&format!("{{{field}}}"), &value);
        }
        let symbol = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        name.chars().map(symbol).collect()
    }
}

/// How the sessions are called, in the order of the clients, where those of one family are looked at,
/// or all. IXP Manager gives the sessions of an interface one name for both families: where all are
/// looked at, the IPv6 one is told by an ending.
pub fn session_names(clients: &[ClientConfig], only: Option<Family>) -> Vec<Option<String>> {
    let is_in = |client: &&ClientConfig| only.is_none_or(|family| client.families.contains(family));
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for client in clients.iter().filter(is_in) {
        *counts.entry(&client.session_name).or_default() += 1;
    }
    let name = |client: &ClientConfig| {
        let plain = &client.session_name;
        let is_shared = counts.get(plain.as_str()).is_some_and(|count| *count > 1);
        match is_shared && !client.families.contains(Family::Ipv4) {
            true => format!("{plain}_ipv6"),
            false => plain.clone(),
        }
    };
    let of = |client| Some(client).filter(is_in).map(name);
    clients.iter().map(of).collect()
}

/// `session_name` of a client.
pub fn session_name(entry: &Entry<'_>) -> Option<String> {
    let text = entry.value().as_str();
    let is_symbol = |text: &&str| {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
        !text.is_empty() && text.len() <= NAME_LEN_MAX && text.bytes().all(plain)
    };
    let name = text.filter(is_symbol).map(str::to_owned);
    name.or_else(|| entry.expected(EXPECTED))
}

fn template(entry: &Entry<'_>) -> Option<String> {
    let known = FIELDS.map(|field| format!("{{{field}}}"));
    let Some(text) = entry.value().as_str() else {
        return entry.expected("a text such as \"pb_as{asn}_ipv{ip_version}\"");
    };
    let rest = known
        .iter()
        .fold(text.to_owned(), |rest, field| rest.replace(field, ""));
    let is_plain = rest.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    if is_plain && !text.is_empty() && text.len() <= NAME_LEN_MAX {
        return Some(text.to_owned());
    }
    entry.expected(&format!("{EXPECTED}, and of {}", known.join(", ")))
}

/// Sessions that are looked at together have names of their own.
pub fn check_names(clients: &[ClientConfig], problems: &mut Problems) {
    for scope in [Some(Family::Ipv4), Some(Family::Ipv6), None] {
        let names = session_names(clients, scope);
        let mut first: HashMap<&str, &ClientConfig> = HashMap::new();
        for (client, name) in clients.iter().zip(&names) {
            let Some(name) = name else { continue };
            let Some(other) = first.insert(name, client) else {
                continue;
            };
            let what = format!("{name} is the session of {} already", other.name);
            let remedy = "give one of the two another session_name; only an IPv4 and an IPv6 session may share one";
            return problems.error(&client.place, "client.session_name", what, remedy);
        }
    }
}
