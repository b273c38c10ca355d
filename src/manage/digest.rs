//! `/api/v1/digest` and `/api/v1/digests`: what stands for all routes of a client in a few octets, the same in
//! every server that has the same routes (RFC 7948 §4.4). Those of all clients come of one walk over the table.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::base::{Asn, ClientSet, Family, PrefixSlot, ShardId};
use crate::server::alike::AlikePiece;
use crate::server::exchange::{Client, Exchange};
use crate::server::query::{ShardQuery, ShardReply, Which};
use crate::wire::{AttributeSet, Variant};

use super::census::within;
use super::describe;
use super::http::{ApiError, Asked, Reply, Shared, which_of, wrong_answer};
use super::named::named;
use super::plane::Plane;
use super::view::AttributesView;

/// Table entries that a shard looks at for one question.
const ENTRIES_PER_QUESTION: u32 = 2_000;
/// What a set of clients has is added up for all of them together, as long as there are so few sets.
const AUDIENCES_MAX: usize = 512;

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

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DigestsView {
    /// Of all that are configured.
    pub digests: Vec<DigestView>,
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
        .route("/api/v1/digests", get(digests))
        .layer(Extension(Arc::<Walks>::default()))
}

#[derive(Deserialize)]
struct DigestQuery {
    client: String,
    which: String,
}

#[derive(Deserialize)]
struct DigestsQuery {
    which: String,
}

async fn digest(
    State(plane): Shared,
    Asked(query): Asked<DigestQuery>,
    Extension(walks): Extension<Arc<Walks>>,
) -> Reply<DigestView> {
    let exchange = plane.current().exchange.clone();
    let client = named(&exchange, &query.client)?;
    let by_slot = walks.digests(&plane, which_of(&query.which)?).await?;
    Ok(Json(view(client, &query.which, &by_slot)))
}

async fn digests(
    State(plane): Shared,
    Asked(query): Asked<DigestsQuery>,
    Extension(walks): Extension<Arc<Walks>>,
) -> Reply<DigestsView> {
    let exchange = plane.current().exchange.clone();
    let by_slot = walks.digests(&plane, which_of(&query.which)?).await?;
    let clients = exchange.clients();
    let digests = clients.map(|client| view(client, &query.which, &by_slot));
    Ok(Json(DigestsView {
        digests: digests.collect(),
    }))
}

fn view(client: &Client, which: &str, by_slot: &BySlot) -> DigestView {
    let of_client = by_slot.get(client.slot.index()).copied();
    let [ipv4, ipv6] = of_client.unwrap_or_default().map(Digest::view);
    DigestView {
        client: client.name.clone(),
        asn: client.asn,
        address: client.address,
        which: which.to_owned(),
        ipv4,
        ipv6,
    }
}

/// By client slot and family.
type BySlot = Vec<[Digest; 2]>;

/// One walk goes on at a time, and all who asked before it began have its digests.
#[derive(Default)]
struct Walks {
    begun_count: AtomicU64,
    last: Mutex<HashMap<Which, Walked>>,
}

struct Walked {
    number: u64,
    by_slot: Arc<BySlot>,
}

impl Walks {
    async fn digests(&self, plane: &Plane, which: Which) -> Result<Arc<BySlot>, ApiError> {
        let begun = self.begun_count.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some(walked) = last.get(&which).filter(|walked| walked.number > begun) {
            return Ok(walked.by_slot.clone());
        }
        let number = self.begun_count.fetch_add(1, Ordering::SeqCst) + 1;
        let by_slot = Arc::new(walk(plane, which).await?);
        let walked = Walked {
            number,
            by_slot: by_slot.clone(),
        };
        last.insert(which, walked);
        Ok(by_slot)
    }
}

async fn walk(plane: &Plane, which: Which) -> Result<BySlot, ApiError> {
    let exchange = plane.current().exchange.clone();
    let mut tally = Tally::new(&exchange, which);
    for shard in (0..plane.data().shard_count()).map(ShardId) {
        let mut cursor = Some(PrefixSlot(0));
        while let Some(from) = cursor {
            let question = ShardQuery::Alike {
                which,
                cursor: from,
                limit: ENTRIES_PER_QUESTION,
            };
            let began = plane.data().now();
            match within(plane.data().shard_query(shard, question)).await? {
                ShardReply::Alike(piece) => {
                    tally.add(&piece);
                    cursor = piece.next;
                }
                other => return Err(wrong_answer(&other)),
            }
            // As long a rest as it took.
            tokio::time::sleep(plane.data().now().since(began)).await;
        }
    }
    Ok(tally.by_slot())
}

struct Tally<'a> {
    exchange: &'a Exchange,
    which: Which,
    by_audience: HashMap<ClientSet, [Digest; 2]>,
    by_slot: BySlot,
}

impl Tally<'_> {
    fn new(exchange: &Exchange, which: Which) -> Tally<'_> {
        Tally {
            exchange,
            which,
            by_audience: HashMap::new(),
            by_slot: Vec::new(),
        }
    }

    fn add(&mut self, piece: &AlikePiece) {
        // Sets are shared: each is looked at once.
        let mut known: HashMap<(*const AttributeSet, Variant), u128> = HashMap::new();
        for group in &piece.groups {
            let prefixes = piece.prefixes.get(group.prefixes.clone());
            let prefixes: Vec<String> = (prefixes.unwrap_or_default().iter())
                .map(|prefix| prefix.to_string())
                .collect();
            for path in piece.paths.get(group.paths.clone()).unwrap_or_default() {
                let key = (Arc::as_ptr(&path.set), path.variant);
                let of_set = *known
                    .entry(key)
                    .or_insert_with(|| self.hash(&path.set, path.variant));
                let mut digest = Digest::default();
                (prefixes.iter()).for_each(|prefix| digest.add(prefix, of_set));
                let sums = self.by_audience.entry(path.clients.clone()).or_default();
                sums[group.family.index()].merge(digest);
            }
            if self.by_audience.len() >= AUDIENCES_MAX {
                self.deal_out();
            }
        }
    }

    fn hash(&self, set: &AttributeSet, variant: Variant) -> u128 {
        let outgoing = (self.which == Which::Advertised).then(|| (&*self.exchange.scheme, variant));
        attributes_hash(&describe::attributes(set, outgoing))
    }

    /// To each client what all its sets of clients have.
    fn deal_out(&mut self) {
        for (clients, sums) in self.by_audience.drain() {
            for slot in clients.iter() {
                if self.by_slot.len() <= slot.index() {
                    self.by_slot.resize(slot.index() + 1, Default::default());
                }
                let own = &mut self.by_slot[slot.index()];
                for (own, sum) in own.iter_mut().zip(sums) {
                    own.merge(sum);
                }
            }
        }
    }

    fn by_slot(mut self) -> BySlot {
        self.deal_out();
        self.by_slot
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

    fn merge(&mut self, other: Digest) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.routes += other.routes;
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
