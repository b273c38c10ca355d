//! birdwatcher's protocol, which Alice-LG speaks: what BIRD would print, as JSON. At the root for all
//! sessions, under `/ipv4` and `/ipv6` for those of one family.

mod forms;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::{Prefix, Time};

use super::data_path::Unavailable;
use super::glass::{
    Answers, CENSUS_FOR, Failure, Feed, Kind, Lens, Lookup, Moment, Order, Scope, Session,
    accepts_gzip, iso, key, lookup, plain, routes_follow, scoped,
};
use super::plane::Plane;

/// What birdwatcher calls itself is asked for as a string.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn router() -> Router<Arc<Plane>> {
    scoped(|| {
        Router::new()
            .route("/status", get(status))
            .route("/protocols", get(protocols))
            .route("/protocols/bgp", get(protocols))
            .route("/protocols/short", get(protocols_short))
            .route("/routes/protocol/{id}", get(accepted))
            .route("/routes/filtered/{id}", get(rejected))
            .route("/routes/noexport/{id}", get(kept_back))
            .route("/routes/table/{table}", get(table))
            .route("/routes/table/{table}/filtered", get(table_rejected))
            .route("/routes/prefix", get(prefix))
    })
}

/// Why there is no answer. Alice-LG looks for routes in whatever JSON it gets, and takes none for an
/// empty list: what it cannot read, it tells.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is no session '{0}'; /protocols/short lists them")]
    NoSession(String),
    #[error("there is no table '{0}'; there are master4 and master6")]
    NoTable(String),
    #[error("'{0}' is neither a prefix nor an address")]
    NoPrefix(String),
    #[error("{0}")]
    Failure(#[from] Failure),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Refusal::NoSession(_) | Refusal::NoTable(_) => StatusCode::NOT_FOUND,
            Refusal::NoPrefix(_) => StatusCode::BAD_REQUEST,
            Refusal::Failure(failure) => failure.status(),
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}

type Shared = State<Arc<Plane>>;
type Scoped = Extension<Scope>;

/// The envelope, made of when the answer was made, until when it is given again, and whether it was.
fn envelope(moment: &Moment, (made_at, until): (Time, Time), from_cache: bool) -> Value {
    let date = |date| iso(date, "Z");
    let cached_at = date(moment.calendar.date(made_at));
    json!({
        "api": {
            "Version": VERSION,
            "result_from_cache": from_cache,
            "cache_status": {
                "cached_at": {
                    "date": cached_at,
                    "timezone_type": "UTC",
                    "timezone": "UTC",
                },
            },
        },
        "cached_at": cached_at,
        "ttl": date(moment.calendar.date(until)),
    })
}

fn enveloped(moment: &Moment, name: &str, content: Value) -> Json<Value> {
    let times = (moment.at, moment.at + CENSUS_FOR);
    let mut answer = envelope(moment, times, moment.from_cache);
    answer[name] = content;
    Json(answer)
}

async fn status(State(plane): Shared, Extension(scope): Scoped) -> Json<Value> {
    let moment = Moment::take(&plane, scope).await;
    let date = |time| plain(moment.calendar.date(time));
    let status = json!({
        "version": format!("Rialto {VERSION}"),
        "router_id": moment.current.exchange.router_id,
        "current_server": date(moment.calendar.now),
        "last_reboot": date(Time::ZERO),
        "last_reconfig": date(moment.current.since),
        "message": moment.message(&plane),
    });
    enveloped(&moment, "status", status)
}

fn of_all(moment: &Moment, form: impl Fn(&Session, &Moment) -> Value) -> Value {
    let sessions = moment.sessions.iter();
    let named = sessions.map(|session| (session.name.clone(), form(session, moment)));
    Value::Object(named.collect())
}

async fn protocols(State(plane): Shared, Extension(scope): Scoped) -> Json<Value> {
    let moment = Moment::take(&plane, scope).await;
    let protocols = of_all(&moment, forms::protocol);
    enveloped(&moment, "protocols", protocols)
}

async fn protocols_short(State(plane): Shared, Extension(scope): Scoped) -> Json<Value> {
    let moment = Moment::take(&plane, scope).await;
    let protocols = of_all(&moment, forms::protocol_short);
    enveloped(&moment, "protocols", protocols)
}

/// Routes that pass by, with the envelope in front.
async fn stream(
    plane: &Arc<Plane>,
    moment: &Moment,
    headers: &HeaderMap,
    kind: Kind,
) -> Result<Response, Refusal> {
    let routes_max = moment.current.config.looking_glass.answer_routes_max;
    let order = || Order {
        feed: Feed::new(plane, moment, kind),
        lens: Lens::new(moment, matches!(kind, Kind::Sent(_)), plain),
        write: Some(forms::write_route),
        is_wanted: Box::new(|_| true),
        routes_max,
        routes_max_key: "answer_routes_max",
        is_whole: false,
    };
    let what = format!("birdwatcher {kind:?}");
    let key = key(&moment.current.exchange, moment.scope, &what);
    let (answer, from_cache) = Answers::order(plane, key, order)?;
    let keep = moment.current.config.looking_glass.cache;
    let until = answer.kept_from(moment.calendar.now) + keep;
    let envelope = envelope(moment, (answer.made_at(), until), from_cache).to_string();
    let head = routes_follow(&envelope);
    Ok(answer.respond(head, accepts_gzip(headers)).await?)
}

async fn of_session(
    (plane, scope, id): (Arc<Plane>, Scope, String),
    headers: HeaderMap,
    kind: impl Fn(&Session) -> Kind,
) -> Result<Response, Refusal> {
    let moment = Moment::take(&plane, scope).await;
    let kind = moment.session(&id).map(kind);
    let kind = kind.ok_or(Refusal::NoSession(id))?;
    stream(&plane, &moment, &headers, kind).await
}

async fn accepted(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let kind = |session: &Session| Kind::Accepted(session.client.slot);
    of_session((plane, scope, id), headers, kind).await
}

async fn rejected(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let kind = |session: &Session| Kind::Rejected(session.client.slot);
    of_session((plane, scope, id), headers, kind).await
}

/// What BIRD's export filter to a session rejects: routes of others that it does not get.
async fn kept_back(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let kind = |session: &Session| Kind::KeptFrom(session.client.slot);
    of_session((plane, scope, id), headers, kind).await
}

async fn of_table(
    (plane, scope, table): (Arc<Plane>, Scope, String),
    headers: HeaderMap,
    kind: Kind,
) -> Result<Response, Refusal> {
    let scope = scope.table(&table).ok_or(Refusal::NoTable(table))?;
    let moment = Moment::take(&plane, scope).await;
    stream(&plane, &moment, &headers, kind).await
}

async fn table(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path(table): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    of_table((plane, scope, table), headers, Kind::AllAccepted).await
}

async fn table_rejected(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path(table): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    of_table((plane, scope, table), headers, Kind::AllRejected).await
}

#[derive(Deserialize)]
struct PrefixQuery {
    prefix: String,
}

async fn prefix(
    State(plane): Shared,
    Extension(scope): Scoped,
    Query(PrefixQuery { prefix }): Query<PrefixQuery>,
) -> Result<Json<Value>, Refusal> {
    let read = prefix.parse::<Prefix>().ok();
    let read = read.filter(|read| scope.0.is_none_or(|only| only == read.family()));
    let asked = read.ok_or(Refusal::NoPrefix(prefix))?;
    let moment = Moment::take(&plane, scope).await;
    let shown = lookup(&plane, &moment, (asked, true), Lookup::Table, plain).await?;
    let routes: Vec<Value> = shown.iter().map(forms::route_value).collect();
    let mut answer = envelope(&moment, (moment.calendar.now, moment.calendar.now), false);
    answer["routes"] = routes.into();
    Ok(Json(answer))
}
