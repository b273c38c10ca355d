//! `/api/v1/hijacks`: routes whose next hop is the address of another client (RFC 7948 §4.8), as session
//! cores have seen them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use serde::{Deserialize, Serialize};

use crate::base::Asn;
use crate::server::exchange::Exchange;
use crate::server::query::Hijack;

use super::describe;
use super::plane::Plane;
use super::view::AttributesView;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HijacksView {
    /// Most recent first: for each client and next hop the last route. The least recent ones are forgotten,
    /// and all of them by a restart.
    pub hijacks: Vec<HijackView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HijackView {
    pub client: String,
    pub asn: Asn,
    /// Whose address the next hop is.
    pub of: String,
    pub of_asn: Asn,
    pub next_hop: IpAddr,
    pub first_s: u64,
    pub last_s: u64,
    /// Prefixes with this next hop, each time that they came.
    pub prefixes: u64,
    /// The last of them, and what came with it.
    pub prefix: String,
    pub attributes: AttributesView,
    /// Whether import rejects such routes of this client.
    pub rejected: bool,
}

pub(super) fn routes() -> Router<Arc<Plane>> {
    Router::new().route("/api/v1/hijacks", get(hijacks))
}

async fn hijacks(State(plane): State<Arc<Plane>>) -> Json<HijacksView> {
    let census = plane.census().await;
    let exchange = plane.current().exchange.clone();
    let now = plane.data().now();
    let mut all: Vec<&Hijack> = census.cores.iter().flat_map(|core| &core.hijacks).collect();
    all.sort_by_key(|hijack| std::cmp::Reverse(hijack.last));
    let view = |hijack: &Hijack| {
        let view = view(&exchange, hijack)?;
        Some(HijackView {
            first_s: now.since(hijack.first).as_secs(),
            last_s: now.since(hijack.last).as_secs(),
            ..view
        })
    };
    Json(HijacksView {
        hijacks: all.into_iter().filter_map(view).collect(),
    })
}

fn view(exchange: &Exchange, hijack: &Hijack) -> Option<HijackView> {
    let client = exchange.client(hijack.slot)?;
    let of = exchange.client(hijack.of)?;
    let judged = client
        .import
        .check_attributes(&hijack.set, &exchange.outside);
    Some(HijackView {
        client: client.name.clone(),
        asn: client.asn,
        of: of.name.clone(),
        of_asn: of.asn,
        next_hop: hijack.next_hop,
        first_s: 0,
        last_s: 0,
        prefixes: hijack.prefixes,
        prefix: hijack.prefix.to_string(),
        attributes: describe::attributes(&hijack.set, None),
        rejected: judged.is_rejected(),
    })
}
