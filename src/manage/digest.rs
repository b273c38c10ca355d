//! `/api/v1/digest`: what stands for all routes of one client in a few octets, the same in every server that
//! has the same routes (RFC 7948 §4.4). Asked for by `rialto diff`, and made one at a time.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::base::{Asn, Family, PrefixSlot, ShardId};
use crate::server::exchange::Exchange;
use crate::server::query::{PathRow, ShardQuery, ShardReply, Which};
use crate::wire::{AttributeSet, Variant};

use super::census::within;
use super::describe;
use super::http::{ApiError, Asked, wrong_answer};
use super::named::named;
use super::plane::Plane;
use super::view::AttributesView;

/// Table entries that a shard looks at for one question. What a client is sent is worked out for each.
const ENTRIES_PER_QUESTION: u32 = 2_000;
const ENTRIES_SENT_PER_QUESTION: u32 = 250;
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DigestView {
    pub client: String,
    pub asn: Asn,
    pub address: std::net::IpAddr,
    /// received, accepted, rejected, advertised.
    pub which: String,
    pub ipv4: FamilyDigestView,
    pub ipv6: FamilyDigestView,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FamilyDigestView {
    pub routes: u64,
    /// In whatever order they are: 32 hexadecimal digits.
    pub digest: String,
}

pub(super) fn routes() -> Router<Arc<Plane>> {
    Router::new()
        .route("/api/v1/digest", get(digest))
        .layer(Extension(Arc::new(Mutex::new(()))))
}

#[derive(Deserialize)]
struct DigestQuery {
    client: String,
    which: String,
}

fn which_of(text: &str) -> Result<Which, ApiError> {
    match text {
        "received" => Ok(Which::Received),
        "accepted" => Ok(Which::Accepted),
        "rejected" => Ok(Which::Rejected),
        "advertised" => Ok(Which::Advertised),
        other => Err(ApiError::Words(format!(
            "'{other}' is none of received, accepted, rejected, advertised"
        ))),
    }
}

async fn digest(
    State(plane): State<Arc<Plane>>,
    Asked(query): Asked<DigestQuery>,
    Extension(turn): Extension<Arc<Mutex<()>>>,
) -> Result<Json<DigestView>, ApiError> {
    let exchange = plane.current().exchange.clone();
    let client = named(&exchange, &query.client)?;
    let which = which_of(&query.which)?;
    let _turn = turn.lock().await;
    let mut digests = [Digest::default(); 2];
    let limit = match which {
        Which::Advertised => ENTRIES_SENT_PER_QUESTION,
        _ => ENTRIES_PER_QUESTION,
    };
    for shard in (0..plane.data().shard_count()).map(ShardId) {
        let mut cursor = Some(PrefixSlot(0));
        while let Some(at) = cursor {
            let question = ShardQuery::Routes {
                slot: client.slot,
                which,
                cursor: at,
                limit,
            };
            match within(plane.data().shard_query(shard, question)).await? {
                ShardReply::Routes { rows, next } => {
                    add_rows(&mut digests, &exchange, which, &rows);
                    if next == cursor {
                        tokio::time::sleep(ASK_AGAIN).await;
                    }
                    cursor = next;
                }
                other => return Err(wrong_answer(&other)),
            }
        }
    }
    let [ipv4, ipv6] = digests.map(|digest| digest.view());
    Ok(Json(DigestView {
        client: client.name.clone(),
        asn: client.asn,
        address: client.address,
        which: query.which,
        ipv4,
        ipv6,
    }))
}

fn add_rows(digests: &mut [Digest; 2], exchange: &Exchange, which: Which, rows: &[PathRow]) {
    // Sets are shared: each is looked at once.
    let mut known: HashMap<(*const AttributeSet, Variant), u128> = HashMap::new();
    for row in rows {
        let key = (Arc::as_ptr(&row.set), row.variant);
        let of_set = *known.entry(key).or_insert_with(|| {
            let outgoing = (which == Which::Advertised).then_some((&exchange.scheme, row.variant));
            let outgoing = outgoing.map(|(scheme, variant)| (&**scheme, variant));
            attributes_hash(&describe::attributes(&row.set, outgoing))
        });
        digests[row.prefix.family().index()].add(&row.prefix.to_string(), of_set);
    }
}

/// A sum over all routes, so that their order does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Digest {
    routes: u64,
    sum: u128,
}

impl Digest {
    fn add(&mut self, prefix: &str, attributes: u128) {
        let octets = [prefix.as_bytes(), &attributes.to_be_bytes()].concat();
        self.sum = self.sum.wrapping_add(hash(&octets));
        self.routes += 1;
    }

    fn view(self) -> FamilyDigestView {
        FamilyDigestView {
            routes: self.routes,
            digest: format!("{:032x}", self.sum),
        }
    }
}

/// All that is shown of them, in a form that does not depend on the version of the server.
fn attributes_hash(of: &AttributesView) -> u128 {
    let med = of.med.map_or_else(String::new, |med| med.to_string());
    let link_local = of
        .link_local_next_hop
        .map_or_else(String::new, |it| it.to_string());
    let others = of.others.iter();
    let others: Vec<String> = others
        .map(|it| format!("{} {} {}", it.code, it.flags, it.value))
        .collect();
    let parts = [
        of.origin.clone(),
        of.as_path.clone(),
        of.next_hop.to_string(),
        link_local,
        med,
        of.communities.join(" "),
        of.large_communities.join(" "),
        of.extended_communities.join(" "),
        others.join(";"),
    ];
    hash(parts.join("|").as_bytes())
}

/// FNV-1a of 128 bits, stirred once more, as sums of it must not cancel each other out.
fn hash(octets: &[u8]) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const STIR: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let step = |hash: u128, octet: &u8| (hash ^ u128::from(*octet)).wrapping_mul(PRIME);
    let mut hash = octets.iter().fold(BASIS, step);
    for shift in [67, 59] {
        hash = (hash ^ hash >> shift).wrapping_mul(STIR);
    }
    hash ^ hash >> 64
}

/// For `rialto diff`: families by name.
impl DigestView {
    pub fn of(&self, family: Family) -> &FamilyDigestView {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::SetBuilder;

    fn of(routes: &[(&str, u32)]) -> Digest {
        let mut digest = Digest::default();
        for (prefix, med) in routes {
            let set = SetBuilder::new().as_path(&[1]).med(*med).build();
            digest.add(prefix, attributes_hash(&describe::attributes(&set, None)));
        }
        digest
    }

    #[test]
    fn order_does_not_count_and_everything_else_does() {
        let (a, b) = (("10.0.0.0/8", 1), ("11.0.0.0/8", 2));
        let both = of(&[a, b]);
        assert_eq!(both, of(&[b, a]));
        let others: [&[(&str, u32)]; 6] = [
            &[a],
            &[a, b, b],
            &[("10.0.0.0/8", 2), ("11.0.0.0/8", 1)],
            &[("10.0.0.0/9", 1), b],
            &[("10.0.0.0/8", 3), b],
            &[],
        ];
        for other in others {
            assert_ne!(both.sum, of(other).sum, "{other:?}");
        }
    }

    #[test]
    fn servers_of_other_versions_come_to_the_same() {
        let expected = "4fa5f510275688e188fa80a647ec5136";
        assert_eq!(of(&[("10.0.0.0/8", 1)]).view().digest, expected);
    }
}
