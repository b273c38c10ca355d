//! One of the two servers: a Rialto over its API, or any server behind birdwatcher's protocol.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::super::fetch::{FetchError, escape, get, get_within};
use super::compare::Routes;
use crate::base::{Family, Prefix};
use crate::manage::digest::DigestsView;
use crate::manage::view::{AttributesView, ClientsView, RoutesView, SummaryView};

pub enum Side {
    /// ADDR:PORT.
    Rialto(String),
    Birdwatcher(String),
}

/// A client as a server knows it.
pub struct Peer {
    pub name: String,
    pub is_up: bool,
    /// Names under which its routes are asked for.
    ids: Vec<String>,
}

/// What of a path is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fields {
    All,
    /// What every server has as it was heard: communities may be others for what each adds.
    Common,
}

/// For each family, how many routes and what stands for them.
pub type Digests = [(u64, String); 2];

/// The largest table takes a minute, and others may have asked before.
const DIGESTS_MAX: Duration = Duration::from_secs(600);

impl Side {
    pub fn name(&self) -> String {
        match self {
            Side::Rialto(api) => match get::<SummaryView>(api, "/api/v1/summary") {
                Ok(view) => format!("{api}: Rialto AS{}, router id {}", view.asn, view.router_id),
                Err(_) => api.clone(),
            },
            Side::Birdwatcher(api) => format!("{api}, by birdwatcher's protocol"),
        }
    }

    pub fn clients(&self) -> Result<BTreeMap<IpAddr, Peer>, FetchError> {
        match self {
            Side::Rialto(api) => {
                let view: ClientsView = get(api, "/api/v1/clients")?;
                let peer = |client: crate::manage::view::ClientView| {
                    let peer = Peer {
                        is_up: client.is_established(),
                        ids: vec![client.address.to_string()],
                        name: client.name,
                    };
                    (client.address, peer)
                };
                Ok(view.clients.into_iter().map(peer).collect())
            }
            Side::Birdwatcher(api) => {
                let answer: Value = get(api, "/protocols/bgp")?;
                let protocols = answer.get("protocols").and_then(Value::as_object);
                let protocols = protocols.ok_or_else(|| foreign(api, "there are no protocols"))?;
                Ok(peers(protocols))
            }
        }
    }

    /// Of all its clients; none where it makes none.
    pub fn digests(&self, which: &str) -> Result<BTreeMap<IpAddr, Digests>, FetchError> {
        let Side::Rialto(api) = self else {
            return Ok(BTreeMap::new());
        };
        let path = format!("/api/v1/digests?which={which}");
        let view: DigestsView = get_within(api, &path, DIGESTS_MAX)?;
        let digests = view.digests.iter().map(|view| {
            let families = Family::ALL.map(|family| view.of(family));
            let digests = families.map(|of| (of.routes, of.digest.clone()));
            (view.address, digests)
        });
        Ok(digests.collect())
    }

    /// By family.
    pub fn routes(
        &self,
        peer: &Peer,
        which: &str,
        fields: Fields,
    ) -> Result<[Routes; 2], FetchError> {
        let mut all = [Routes::new(), Routes::new()];
        for id in &peer.ids {
            match self {
                Side::Rialto(api) => read_rialto(api, (id, which), fields, &mut all)?,
                Side::Birdwatcher(api) => read_birdwatcher(api, id, &mut all)?,
            }
        }
        all.iter_mut()
            .flat_map(|routes| routes.values_mut())
            .for_each(|paths| paths.sort());
        Ok(all)
    }
}

fn foreign(api: &str, why: &str) -> FetchError {
    FetchError::Foreign {
        api: api.to_owned(),
        why: why.to_owned(),
    }
}

fn put(all: &mut [Routes; 2], api: &str, prefix: &str, path: String) -> Result<(), FetchError> {
    let prefix: Prefix = prefix
        .parse()
        .map_err(|_| foreign(api, &format!("'{prefix}' is no prefix")))?;
    all[prefix.family().index()]
        .entry(prefix)
        .or_default()
        .push(path);
    Ok(())
}

fn read_rialto(
    api: &str,
    (client, which): (&str, &str),
    fields: Fields,
    all: &mut [Routes; 2],
) -> Result<(), FetchError> {
    let mut cursor = String::new();
    loop {
        let path = format!(
            "/api/v1/routes?client={}&which={which}&limit=5000{cursor}",
            escape(client)
        );
        let page: RoutesView = get(api, &path)?;
        for route in &page.routes {
            put(all, api, &route.prefix, words(&route.attributes, fields))?;
        }
        match page.next {
            Some(next) => cursor = format!("&cursor={}", escape(&next)),
            None => return Ok(()),
        }
    }
}

/// Without what is each server's own, such as path identifiers.
fn words(of: &AttributesView, fields: Fields) -> String {
    let med = of.med.map(|med| med.to_string());
    let mut text = common(
        &of.as_path,
        &of.next_hop.to_string(),
        &of.origin,
        med.as_deref(),
    );
    if fields == Fields::Common {
        return text;
    }
    text += &of
        .link_local_next_hop
        .map_or_else(String::new, |it| format!(", link-local {it}"));
    for (name, values) in [
        ("communities", &of.communities),
        ("large", &of.large_communities),
        ("extended", &of.extended_communities),
    ] {
        if !values.is_empty() {
            text += &format!(", {name} {}", values.join(" "));
        }
    }
    for other in &of.others {
        text += &format!(
            ", attribute {} {:#04x} {}",
            other.code, other.flags, other.value
        );
    }
    text
}

fn common(as_path: &str, next_hop: &str, origin: &str, med: Option<&str>) -> String {
    let med = med.map_or_else(String::new, |med| format!(", MED {med}"));
    format!("AS_PATH {as_path}, next hop {next_hop}, origin {origin}{med}")
}

/// By address; one that has several protocols is up if one of them is.
fn peers(protocols: &serde_json::Map<String, Value>) -> BTreeMap<IpAddr, Peer> {
    let mut peers: BTreeMap<IpAddr, Peer> = BTreeMap::new();
    for (id, protocol) in protocols {
        let text = |key: &str| protocol.get(key).and_then(Value::as_str);
        let address = text("neighbor_address").and_then(|address| address.parse().ok());
        let Some(address) = address.filter(|_| text("bird_protocol") == Some("BGP")) else {
            continue;
        };
        let peer = peers.entry(address).or_insert_with(|| Peer {
            name: id.clone(),
            is_up: false,
            ids: Vec::new(),
        });
        // With BIRD 2, `state` is that of the last channel, in capitals.
        let (session, channel) = (text("bgp_state"), text("state"));
        peer.is_up |= session.map_or_else(
            || channel.is_some_and(|state| state.eq_ignore_ascii_case("up")),
            |session| session == "Established",
        );
        peer.ids.push(id.clone());
    }
    peers
}

/// What it accepted: BIRD's own table has nothing else of a protocol but what is filtered, which is not asked for.
fn read_birdwatcher(api: &str, id: &str, all: &mut [Routes; 2]) -> Result<(), FetchError> {
    let answer: Value = get(api, &format!("/routes/protocol/{}", escape(id)))?;
    let routes = answer.get("routes").and_then(Value::as_array);
    for route in routes.ok_or_else(|| foreign(api, "there are no routes"))? {
        let network = route
            .get("network")
            .and_then(Value::as_str)
            .unwrap_or_default();
        put(all, api, network, birdwatcher_words(route))?;
    }
    Ok(())
}

fn birdwatcher_words(route: &Value) -> String {
    let bgp = |key: &str| route.get("bgp").and_then(|bgp| bgp.get(key));
    let text = |key: &str| {
        bgp(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let path = bgp("as_path")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let path: Vec<&str> = path.filter_map(Value::as_str).collect();
    // A link-local address stands behind the global one.
    let next_hop = text("next_hop").and_then(|it| it.split_whitespace().next());
    let gateway = route.get("gateway").and_then(Value::as_str);
    let next_hop = next_hop.or(gateway).unwrap_or_default();
    let origin = text("origin").unwrap_or_default().to_lowercase();
    common(
        &sets_as_here(&path.join(" ")),
        next_hop,
        &origin,
        text("med"),
    )
}

/// BIRD writes the ASNs of an AS_SET with spaces between them.
fn sets_as_here(path: &str) -> String {
    let mut text = String::new();
    let mut is_in_set = false;
    for letter in path.replace("{ ", "{").replace(" }", "}").chars() {
        match letter {
            '{' => is_in_set = true,
            '}' => is_in_set = false,
            _ => {}
        }
        text.push(if letter == ' ' && is_in_set {
            ','
        } else {
            letter
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The form of birdwatcher 2's answers, as its own tests have it.
    #[test]
    fn routes_of_a_bird_are_read_as_birdwatcher_tells_them() {
        let route = json!({
            "network": "16.0.0.0/24", "gateway": "1.2.3.16", "interface": "eno7", "metric": 100,
            "from_protocol": "ID8503_AS1340", "primary": true, "type": ["BGP", "univ"],
            "bgp": {
                "origin": "IGP", "as_path": ["1340", "{8", "9}"], "next_hop": "1.2.3.16",
                "local_pref": "100", "med": "7", "communities": [[0, 5464]],
                "large_communities": [[9033, 65666, 12]],
                "ext_communities": [["rt", "42", "1234"]]
            }
        });
        assert_eq!(
            birdwatcher_words(&route),
            "AS_PATH 1340 {8,9}, next hop 1.2.3.16, origin igp, MED 7"
        );
        let v6 = json!({
            "network": "2001:4860::/32", "gateway": "fe80:ffff:ffff::1",
            "bgp": {"origin": "Incomplete", "as_path": ["15169"], "next_hop": "2001:db8::1 fe80::1"}
        });
        assert_eq!(
            birdwatcher_words(&v6),
            "AS_PATH 15169, next hop 2001:db8::1, origin incomplete"
        );
    }

    #[test]
    fn protocols_that_are_no_bgp_are_left_alone() {
        let protocols = json!({
            "R1_v4": {"bird_protocol": "BGP", "neighbor_address": "192.0.2.1", "state": "up"},
            "R1_second": {"bird_protocol": "BGP", "neighbor_address": "192.0.2.1", "state": "down"},
            "P1": {"bird_protocol": "Pipe", "state": "up"},
            "R2": {"bird_protocol": "BGP", "neighbor_address": "2001:db8::2", "state": "start"},
            "R3": {"bird_protocol": "BGP", "neighbor_address": "192.0.2.3", "state": "UP"},
            "R4": {"bird_protocol": "BGP", "neighbor_address": "192.0.2.4", "state": "DOWN", "bgp_state": "Established"},
            "R5": {"bird_protocol": "BGP", "neighbor_address": "192.0.2.5", "state": "UP", "bgp_state": "Active"}
        });
        let peers = peers(protocols.as_object().unwrap());
        let told: Vec<_> = peers
            .iter()
            .map(|(at, it)| (at.to_string(), it.is_up, it.ids.len()))
            .collect();
        assert_eq!(
            told,
            [
                ("192.0.2.1".to_owned(), true, 2),
                ("192.0.2.3".to_owned(), true, 1),
                ("192.0.2.4".to_owned(), true, 1),
                ("192.0.2.5".to_owned(), false, 1),
                ("2001:db8::2".to_owned(), false, 1)
            ]
        );
    }
}
