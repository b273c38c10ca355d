//! `/api/v1/search` and `/api/v1/routes`: paths in pages, each with bounded work.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Json;
use serde::Deserialize;
use tokio::sync::SemaphorePermit;

use crate::base::{Asn, Prefix, PrefixSlot, ShardId};
use crate::policy::RejectReason;
use crate::server::query::{Found, PathRow, ShardQuery, ShardReply, Which};
use crate::server::search::{CommunityMatch, PrefixMatch, RouteFilter, VerdictMatch};

use super::census::within;
use super::data_path::{Unavailable, wrong_answer};
use super::describe::{self, Side};
use super::http::{ApiError, Asked, Reply, Shared, which_of};
use super::named::named;
use super::pages::{self, Rows};
use super::plane::Plane;
use super::view::{RoutesView, SearchView};

/// What a shard looks at for one question.
const LOOKED_AT_PER_QUESTION: u32 = 2_000;
/// And all of them for one answer.
const LOOKED_AT_MAX: u64 = 200_000;
/// Working out what a client has of a prefix costs more than looking at it.
const ADVERTISED_MAX: u64 = 50_000;
const ROUTES_PER_PAGE: usize = 1_000;
const ROUTES_PER_PAGE_MAX: usize = 10_000;
const FOUND_PER_PAGE: usize = 100;
const FOUND_PER_PAGE_MAX: usize = 1_000;
/// How long a search waits for those before it.
const TURN_MAX: Duration = Duration::from_secs(5);

/// A filter that is misspelt must not find everything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    prefix: Option<String>,
    #[serde(rename = "match")]
    matching: Option<String>,
    asn: Option<String>,
    origin: Option<String>,
    community: Option<String>,
    client: Option<String>,
    verdict: Option<String>,
    reason: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// How far a prefix that is searched for is from those found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matching {
    Exact,
    Longest,
    Less,
    More,
}

pub async fn search(State(plane): Shared, Asked(query): Asked<SearchQuery>) -> Reply<SearchView> {
    let exchange = plane.current().exchange.clone();
    let announcer = match &query.client {
        Some(name) => Some(named(&exchange, name)?.slot),
        None => None,
    };
    let (prefix, matching) = prefix_match(&query)?;
    let filter = RouteFilter {
        prefix,
        announcer,
        verdict: verdict_match(&query)?,
        asn: asn(query.asn.as_deref())?,
        origin: asn(query.origin.as_deref())?,
        community: community(query.community.as_deref())?,
    };
    let limit = query.limit.unwrap_or(FOUND_PER_PAGE);
    let limit = limit.clamp(1, FOUND_PER_PAGE_MAX);
    let cursor = query.cursor.as_deref();
    let _turn = turn(&plane).await?;
    let page = match prefix {
        Some(PrefixMatch::Exact(_) | PrefixMatch::LessSpecific(_)) => {
            let is_longest = matching == Matching::Longest;
            known(&plane, filter, is_longest, cursor, limit).await?
        }
        _ => table(&plane, filter, cursor, limit).await?,
    };
    let view = |row: &PathRow| describe::path(&exchange, row, Side::Heard);
    Ok(Json(SearchView {
        routes: page.rows.iter().map(view).collect(),
        looked_at: page.looked_at,
        next: page.next,
    }))
}

#[derive(Default)]
struct Page {
    rows: Vec<PathRow>,
    looked_at: u64,
    next: Option<String>,
}

/// Few searches go on at once: each asks one shard at a time.
async fn turn(plane: &Plane) -> Result<SemaphorePermit<'_>, ApiError> {
    let turn = tokio::time::timeout(TURN_MAX, plane.onlookers().searches.acquire()).await;
    turn.ok().and_then(Result::ok).ok_or_else(|| {
        ApiError::Unavailable(Unavailable(
            "too many searches at once; try again in a while".to_owned(),
        ))
    })
}

fn words(text: String) -> ApiError {
    ApiError::Words(text)
}

fn prefix_match(query: &SearchQuery) -> Result<(Option<PrefixMatch>, Matching), ApiError> {
    let Some(text) = query.prefix.as_deref().map(str::trim) else {
        return match query.matching {
            None => Ok((None, Matching::Exact)),
            Some(_) => Err(words("match is for a prefix, and there is none".to_owned())),
        };
    };
    let prefix = text.parse::<Prefix>();
    let prefix = prefix.map_err(|error| words(error.to_string()))?;
    let is_address = text.parse::<IpAddr>().is_ok();
    let matching = match query.matching.as_deref() {
        Some("exact") => Matching::Exact,
        Some("longest") => Matching::Longest,
        Some("less") => Matching::Less,
        Some("more") => Matching::More,
        None if is_address => Matching::Longest,
        None => Matching::Exact,
        Some(other) => {
            let told = format!("match: '{other}' is none of exact, longest, less, more");
            return Err(words(told));
        }
    };
    let prefix = match matching {
        Matching::Exact => PrefixMatch::Exact(prefix),
        Matching::Longest | Matching::Less => PrefixMatch::LessSpecific(prefix),
        Matching::More => PrefixMatch::MoreSpecific(prefix),
    };
    Ok((Some(prefix), matching))
}

fn verdict_match(query: &SearchQuery) -> Result<Option<VerdictMatch>, ApiError> {
    let verdict = match query.verdict.as_deref() {
        None => None,
        Some("accepted") => Some(VerdictMatch::Accepted),
        Some("rejected") => Some(VerdictMatch::Rejected),
        Some(other) => {
            let told = format!("verdict: '{other}' is neither accepted nor rejected");
            return Err(words(told));
        }
    };
    let Some(name) = query.reason.as_deref() else {
        return Ok(verdict);
    };
    if verdict == Some(VerdictMatch::Accepted) {
        return Err(words("what is accepted has no reason".to_owned()));
    }
    let reason = RejectReason::from_name(name);
    let reason = reason.ok_or_else(|| words(format!("'{name}' is no reason")))?;
    Ok(Some(VerdictMatch::RejectedFor(reason)))
}

fn asn(text: Option<&str>) -> Result<Option<Asn>, ApiError> {
    let wrong = |text| words(format!("'{text}' is no ASN, such as 64500 or AS64500"));
    text.map(|text| text.trim().parse().map_err(|_| wrong(text)))
        .transpose()
}

fn community(text: Option<&str>) -> Result<Option<CommunityMatch>, ApiError> {
    text.map(|text| text.trim().parse())
        .transpose()
        .map_err(|error: crate::server::search::NoCommunity| words(error.to_string()))
}

async fn ask(
    plane: &Plane,
    shard: u16,
    filter: RouteFilter,
    cursor: u32,
    rows_max: usize,
) -> Result<Found, ApiError> {
    let question = ShardQuery::Search {
        filter,
        cursor: PrefixSlot(cursor),
        limit: LOOKED_AT_PER_QUESTION,
        rows_max: rows_max as u32,
    };
    match within(plane.data().shard_query(ShardId(shard), question)).await? {
        ShardReply::Found(found) => Ok(found),
        other => Err(wrong_answer(&other)),
    }
}

/// A prefix and what it lies in: every shard finds its own at once. The cursor counts what was told.
async fn known(
    plane: &Plane,
    filter: RouteFilter,
    is_longest: bool,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page, ApiError> {
    let told = match cursor {
        None => 0,
        Some(text) => {
            (text.parse::<usize>()).map_err(|_| words(format!("'{text}' is no cursor")))?
        }
    };
    let mut page = Page::default();
    for shard in 0..plane.data().shard_count() {
        let found = ask(plane, shard, filter, 0, usize::MAX).await?;
        page.rows.extend(found.rows);
        page.looked_at += u64::from(found.looked_at);
    }
    // Stable: the paths of a prefix stay in the order of preference.
    page.rows
        .sort_by_key(|row| std::cmp::Reverse(row.prefix.len()));
    if let Some(longest) = page
        .rows
        .first()
        .map(|row| row.prefix)
        .filter(|_| is_longest)
    {
        page.rows.retain(|row| row.prefix == longest);
    }
    let rest = page.rows.split_off(told.min(page.rows.len()));
    page.next = (rest.len() > limit).then(|| (told + limit).to_string());
    page.rows = rest.into_iter().take(limit).collect();
    Ok(page)
}

/// All that passes, shard by shard, until the page is full or enough was looked at.
async fn table(
    plane: &Plane,
    filter: RouteFilter,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page, ApiError> {
    let (mut shard, mut slot) = cursor.map_or(Ok((0, 0)), parse_cursor)?;
    let mut page = Page::default();
    while shard < plane.data().shard_count()
        && page.rows.len() < limit
        && page.looked_at < LOOKED_AT_MAX
    {
        let found = ask(plane, shard, filter, slot, limit - page.rows.len()).await?;
        page.rows.extend(found.rows);
        page.looked_at += u64::from(found.looked_at);
        (shard, slot) = found.next.map_or((shard + 1, 0), |next| (shard, next.0));
    }
    page.next = next_cursor(plane, shard, slot);
    Ok(page)
}

#[derive(Deserialize)]
pub struct RoutesQuery {
    client: String,
    which: String,
    cursor: Option<String>,
    limit: Option<usize>,
}

pub async fn routes(State(plane): Shared, Asked(query): Asked<RoutesQuery>) -> Reply<RoutesView> {
    let exchange = plane.current().exchange.clone();
    let client = named(&exchange, &query.client)?;
    let which = which_of(&query.which)?;
    let limit = query.limit.unwrap_or(ROUTES_PER_PAGE);
    let limit = limit.clamp(1, ROUTES_PER_PAGE_MAX);
    let cursor = query.cursor.as_deref();
    let _turn = turn(&plane).await?;
    let verdict = match which {
        Which::Accepted => Some(VerdictMatch::Accepted),
        Which::Rejected => Some(VerdictMatch::Rejected),
        Which::Received | Which::Advertised => None,
    };
    let (page, side) = match which {
        Which::Advertised => {
            let page = advertised(&plane, client.slot, cursor, limit).await?;
            (page, Side::Sent)
        }
        _ => {
            let filter = RouteFilter {
                announcer: Some(client.slot),
                verdict,
                ..RouteFilter::default()
            };
            (table(&plane, filter, cursor, limit).await?, Side::Heard)
        }
    };
    let view = |row: &PathRow| describe::path(&exchange, row, side);
    Ok(Json(RoutesView {
        client: client.name.clone(),
        which: query.which,
        routes: page.rows.iter().map(view).collect(),
        next: page.next,
    }))
}

/// What a client has: its Adj-RIB-Out, worked out.
async fn advertised(
    plane: &Arc<Plane>,
    client: crate::base::ClientSlot,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page, ApiError> {
    let (mut shard, mut slot) = cursor.map_or(Ok((0, 0)), parse_cursor)?;
    let mut page = Page::default();
    while shard < plane.data().shard_count()
        && page.rows.len() < limit
        && page.looked_at < ADVERTISED_MAX
    {
        let left = limit - page.rows.len();
        let entries = left.min(LOOKED_AT_PER_QUESTION as usize) as u32;
        let (rows, at) = (Rows::OfClient(client, Which::Advertised), PrefixSlot(slot));
        let found = pages::page(plane.data(), rows, (ShardId(shard), at), entries).await?;
        page.rows.extend(found.rows);
        page.looked_at += u64::from(entries);
        (shard, slot) = found.next.map_or((shard + 1, 0), |next| (shard, next.0));
        // No answer now; whoever asks for the next page has waited.
        if found.next == Some(at) {
            break;
        }
    }
    page.next = next_cursor(plane, shard, slot);
    Ok(page)
}

fn next_cursor(plane: &Plane, shard: u16, slot: u32) -> Option<String> {
    (shard < plane.data().shard_count()).then(|| format!("{shard}-{slot}"))
}

fn parse_cursor(text: &str) -> Result<(u16, u32), ApiError> {
    let wrong = || words(format!("'{text}' is no cursor"));
    let (shard, slot) = text.split_once('-').ok_or_else(wrong)?;
    Ok((
        shard.parse().map_err(|_| wrong())?,
        slot.parse().map_err(|_| wrong())?,
    ))
}
