//! Bird's Eye's protocol, which IXP Manager speaks. Under `/api` for all sessions, under `/api/ipv4` and
//! `/api/ipv6` for those of one family, as each is a router of its own to IXP Manager.

mod forms;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::base::{Prefix, Time};

use super::data_path::Unavailable;
use super::glass::{
    Answer, Answers, Failure, Feed, Kind, Lens, Lookup, Moment, Order, Scope, Session, Shown,
    accepts_gzip, iso, key, lookup, routes_follow, scoped,
};
use super::plane::Plane;
use super::view::ErrorView;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn router() -> Router<Arc<Plane>> {
    scoped(|| {
        Router::new()
            .route("/status", get(status))
            .route("/protocols/bgp", get(protocols))
            .route("/protocol/{name}", get(protocol))
            .route("/symbols", get(symbols))
            .route("/symbols/tables", get(symbols_tables))
            .route("/symbols/protocols", get(symbols_protocols))
            .route("/routes/{source}/{name}", get(routes))
            .route("/routes/count/{source}/{name}", get(count))
            .route(
                "/routes/lc-zwild/protocol/{name}/{x}/{y}",
                get(large_community),
            )
            .route("/route/{net}", get(route))
            .route("/route/{net}/{source}/{name}", get(route_of))
    })
}

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("Protocol not found: '{0}'; symbols/protocols lists them")]
    NoSession(String),
    #[error("Invalid table: '{0}'; symbols/tables lists them")]
    NoTable(String),
    #[error("there is nothing at this address")]
    Nothing,
    #[error("Bad IP address: '{0}'")]
    NoPrefix(String),
    #[error("{0}")]
    Failure(#[from] Failure),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Refusal::NoSession(_) | Refusal::NoTable(_) | Refusal::Nothing => StatusCode::NOT_FOUND,
            Refusal::NoPrefix(_) => StatusCode::BAD_REQUEST,
            Refusal::Failure(failure) => failure.status(),
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let error = self.to_string();
        (status, Json(ErrorView { error })).into_response()
    }
}

type Shared = State<Arc<Plane>>;
type Scoped = Extension<Scope>;

/// Where routes are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Table,
    Protocol,
    Export,
}

impl Source {
    fn read(word: &str) -> Result<Source, Refusal> {
        match word {
            "table" => Ok(Source::Table),
            "protocol" => Ok(Source::Protocol),
            "export" => Ok(Source::Export),
            _ => Err(Refusal::Nothing),
        }
    }
}

fn envelope(moment: &Moment, from_cache: bool) -> Value {
    let glass = &moment.current.config.looking_glass;
    json!({
        "api": {
            "version": VERSION,
            "max_routes": glass.max_routes,
            "from_cache": from_cache,
            "ttl_mins": glass.cache.as_secs().div_ceil(60),
        },
    })
}

fn enveloped(moment: &Moment, name: &str, content: Value) -> Json<Value> {
    let mut answer = envelope(moment, moment.from_cache);
    answer[name] = content;
    Json(answer)
}

fn date(date: std::time::SystemTime) -> String {
    iso(date, "+00:00")
}

/// Bird's Eye's Nagios plugin takes 503 for a daemon that does not answer.
async fn status(State(plane): Shared, Extension(scope): Scoped) -> Result<Json<Value>, Refusal> {
    let moment = Moment::take(&plane, scope).await;
    if !moment.census.silent.is_empty() {
        return Err(Unavailable(moment.census.silent.join("; ")).into());
    }
    let on = |time| date(moment.calendar.date(time));
    let status = json!({
        "version": format!("Rialto {VERSION}"),
        "router_id": moment.current.exchange.router_id,
        "server_time": on(moment.calendar.now),
        "last_reboot": on(Time::ZERO),
        "last_reconfig": on(moment.current.since),
        "message": moment.message(&plane),
    });
    Ok(enveloped(&moment, "status", status))
}

async fn protocols(State(plane): Shared, Extension(scope): Scoped) -> Json<Value> {
    let moment = Moment::take(&plane, scope).await;
    let sessions = moment.sessions.iter();
    let named = sessions.map(|session| (session.name.clone(), forms::protocol(session, &moment)));
    let protocols = Value::Object(named.collect());
    enveloped(&moment, "protocols", protocols)
}

fn session<'m>(moment: &'m Moment, name: &str) -> Result<&'m Session, Refusal> {
    let found = moment.session(name);
    found.ok_or_else(|| Refusal::NoSession(name.to_owned()))
}

async fn protocol(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let moment = Moment::take(&plane, scope).await;
    let protocol = forms::protocol(session(&moment, &name)?, &moment);
    Ok(enveloped(&moment, "protocol", protocol))
}

fn table_names(scope: Scope) -> Value {
    scope.tables().collect::<Vec<_>>().into()
}

fn session_names(moment: &Moment) -> Value {
    let names = moment.sessions.iter().map(|session| session.name.as_str());
    names.collect::<Vec<_>>().into()
}

async fn symbols(State(plane): Shared, Extension(scope): Scoped) -> Json<Value> {
    let moment = Moment::take(&plane, scope).await;
    let symbols = json!({"routing table": table_names(scope), "protocol": session_names(&moment)});
    enveloped(&moment, "symbols", symbols)
}

async fn symbols_tables(State(plane): Shared, Extension(scope): Scoped) -> Json<Value> {
    let moment = Moment::take(&plane, scope).await;
    enveloped(&moment, "symbols", table_names(scope))
}

async fn symbols_protocols(State(plane): Shared, Extension(scope): Scoped) -> Json<Value> {
    let moment = Moment::take(&plane, scope).await;
    enveloped(&moment, "symbols", session_names(&moment))
}

/// What a source and a name come to.
struct Asked {
    moment: Moment,
    kind: Kind,
    /// How many routes there are, where that is known without looking.
    count: Option<u64>,
}

async fn asked(
    plane: &Plane,
    scope: Scope,
    source: Source,
    name: String,
) -> Result<Asked, Refusal> {
    let scope = match source {
        Source::Table => scope.table(&name).ok_or(Refusal::NoTable(name.clone()))?,
        Source::Protocol | Source::Export => scope,
    };
    let moment = Moment::take(plane, scope).await;
    let (kind, count) = match source {
        Source::Table => (Kind::AllAccepted, Some(moment.accepted())),
        Source::Protocol => {
            let session = session(&moment, &name)?;
            // IXP Manager shows rejected ones too, and knows them by their reason.
            (
                Kind::Received(session.client.slot),
                Some(session.received(scope)),
            )
        }
        Source::Export => (Kind::Sent(session(&moment, &name)?.client.slot), None),
    };
    Ok(Asked {
        moment,
        kind,
        count,
    })
}

type Wanted = Box<dyn Fn(&Shown) -> bool + Send>;
type Write = Option<fn(&Shown, &mut Vec<u8>)>;

fn all() -> Wanted {
    Box::new(|_| true)
}

fn order(
    plane: &Arc<Plane>,
    moment: &Moment,
    (kind, what): (Kind, &str),
    (routes_max, routes_max_key): (u32, &'static str),
    (is_wanted, write): (Wanted, Write),
) -> Result<(Arc<Answer>, bool), Failure> {
    let order = || Order {
        feed: Feed::new(plane, moment, kind),
        lens: Lens::new(moment, matches!(kind, Kind::Sent(_)), date),
        write,
        is_wanted,
        routes_max,
        routes_max_key,
        is_whole: true,
    };
    let what = format!("birdseye {kind:?} {what}");
    let key = key(&moment.current.exchange, moment.scope, &what);
    Answers::order(plane, key, order)
}

async fn routes(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path((source, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asked = asked(&plane, scope, Source::read(&source)?, name).await?;
    let moment = &asked.moment;
    let max = (moment.current.config.looking_glass.max_routes, "max_routes");
    if let Some(count) = asked.count.filter(|count| *count > max.0.into()) {
        let count = format!("{count}/{}", max.0);
        return Err(Failure::TooMany(count, max.1).into());
    }
    let (answer, from_cache) = order(
        &plane,
        moment,
        (asked.kind, ""),
        max,
        (all(), Some(forms::write_route)),
    )?;
    let head = routes_follow(&envelope(moment, from_cache).to_string());
    Ok(answer.respond(head, accepts_gzip(&headers)).await?)
}

async fn count(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path((source, name)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let asked = asked(&plane, scope, Source::read(&source)?, name).await?;
    let moment = &asked.moment;
    if let Some(count) = asked.count {
        return Ok(enveloped(moment, "count", json!({ "routes": count })));
    }
    let max = moment.current.config.looking_glass.answer_routes_max;
    let max = (max, "answer_routes_max");
    let (answer, from_cache) = order(&plane, moment, (asked.kind, "count"), max, (all(), None))?;
    let count = answer.count().await?;
    let mut counted = envelope(moment, from_cache);
    counted["count"] = json!({ "routes": count });
    Ok(Json(counted))
}

/// Routes of a session with any large community that begins so: with `rs_as:1101`, the rejected ones.
async fn large_community(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path((name, x, y)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let moment = Moment::take(&plane, scope).await;
    let kind = Kind::Received(session(&moment, &name)?.client.slot);
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
    let (x, y) = number(&x).zip(number(&y)).ok_or(Refusal::Nothing)?;
    let glass = &moment.current.config.looking_glass;
    let max = (glass.answer_routes_max, "answer_routes_max");
    let begins = move |shown: &Shown| {
        let mut communities = shown.large_communities.iter();
        communities.any(|[a, b, _]| (*a, *b) == (x, y))
    };
    let what = format!("{x}:{y}");
    let (answer, from_cache) = order(
        &plane,
        &moment,
        (kind, &what),
        max,
        (Box::new(begins), Some(forms::write_route)),
    )?;
    let head = routes_follow(&envelope(&moment, from_cache).to_string());
    Ok(answer.respond(head, accepts_gzip(&headers)).await?)
}

async fn route(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path(net): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let wanted = wanted(&net)?;
    let moment = Moment::take(&plane, scope).await;
    answer_lookup(&plane, &moment, wanted, Lookup::Table).await
}

async fn route_of(
    State(plane): Shared,
    Extension(scope): Scoped,
    Path((net, source, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, Refusal> {
    let wanted = wanted(&net)?;
    let asked = asked(&plane, scope, Source::read(&source)?, name).await?;
    let whose = match asked.kind {
        Kind::Received(slot) => Lookup::From(slot),
        Kind::Sent(slot) => Lookup::To(slot),
        _ => Lookup::Table,
    };
    answer_lookup(&plane, &asked.moment, wanted, whose).await
}

fn wanted(net: &str) -> Result<Prefix, Refusal> {
    (net.parse()).map_err(|_| Refusal::NoPrefix(net.to_owned()))
}

async fn answer_lookup(
    plane: &Plane,
    moment: &Moment,
    wanted: Prefix,
    whose: Lookup,
) -> Result<Json<Value>, Refusal> {
    let is_in = moment.scope.0.is_none_or(|only| only == wanted.family());
    let shown = match is_in {
        true => lookup(plane, moment, (wanted, false), whose, date).await?,
        false => Vec::new(),
    };
    let routes: Vec<Value> = shown.iter().map(forms::route_value).collect();
    let mut answer = envelope(moment, false);
    answer["routes"] = routes.into();
    Ok(Json(answer))
}
