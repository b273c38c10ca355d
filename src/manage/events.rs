//! `/api/v1/events`: what happens to sessions and routes, as server-sent events. Each listener has a
//! bounded queue; one who is too slow is told that it missed some.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_lite::stream::unfold;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::base::{ClientSet, ClientSlot};
use crate::runtime::wall_clock;
use crate::server::exchange::{Client, Exchange};
use crate::server::query::{TableChange, Tapped, TappedWhat};

use super::calendar::{Calendar, since_epoch};
use super::data_path::Unavailable;
use super::describe;
use super::follow::{News, Subscription, Wants};
use super::http::{ApiError, Asked, Shared};
use super::named::named;
use super::plane::Plane;
use super::view::{AttributesView, EventView};

/// What may wait for one listener.
const QUEUE_OCTETS_MAX: usize = 1 << 20;
/// So many events, then a pause: each is written out for each listener.
const BURST: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// A comment line goes out when nothing else did.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    client: Option<String>,
    kinds: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Kinds {
    sessions: bool,
    routes: bool,
    best: bool,
    advertised: bool,
}

pub async fn events(
    State(plane): Shared,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, ApiError> {
    let exchange = plane.current().exchange.clone();
    let client = match query.client.as_deref() {
        Some(name) => Some(named(&exchange, name)?.clone()),
        None => None,
    };
    let kinds = kinds(query.kinds.as_deref().unwrap_or("sessions,routes"))?;
    let adj_rib_out = match (&client, kinds.advertised) {
        (Some(client), true) => ClientSet::only(client.slot),
        (None, true) => {
            let told = "kinds=advertised is for one client: add client=NAME";
            return Err(ApiError::Words(told.to_owned()));
        }
        _ => ClientSet::default(),
    };
    let turn = plane.onlookers().streams.clone().try_acquire_owned();
    let turn = turn.map_err(|_| {
        ApiError::Unavailable(Unavailable(
            "too many listen to events already; try again in a while".to_owned(),
        ))
    })?;
    let wants = Wants {
        tables: kinds.routes || kinds.best,
        adj_rib_out,
        sessions: kinds.sessions,
        ..Wants::default()
    };
    let mut pace = interval(PAUSE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener {
        subscription: plane.follow().subscribe(wants, QUEUE_OCTETS_MAX),
        plane,
        client,
        kinds,
        burst: 0,
        pace,
        waiting: VecDeque::from([Event::default().comment("events begin")]),
        _turn: turn,
    };
    let stream = unfold(listener, |mut listener| async move {
        let event = listener.next().await;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(stream).keep_alive(keep_alive).into_response())
}

fn kinds(text: &str) -> Result<Kinds, ApiError> {
    let mut kinds = Kinds::default();
    for kind in text.split(',') {
        match kind.trim() {
            "sessions" => kinds.sessions = true,
            "routes" => kinds.routes = true,
            "best" => kinds.best = true,
            "advertised" => kinds.advertised = true,
            other => {
                let told =
                    format!("kinds: '{other}' is none of sessions, routes, best, advertised");
                return Err(ApiError::Words(told));
            }
        }
    }
    Ok(kinds)
}

struct Listener {
    subscription: Subscription,
    plane: Arc<Plane>,
    client: Option<Arc<Client>>,
    kinds: Kinds,
    burst: u32,
    pace: Interval,
    waiting: VecDeque<Event>,
    _turn: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            let news = self.subscription.next().await;
            self.burst += 1;
            if self.burst >= BURST {
                self.burst = 0;
                self.pace.tick().await;
            }
            if let Some(view) = self.view(news) {
                let event = Event::default().event(&view.event).json_data(&view);
                self.waiting.extend(event);
            }
        }
    }

    /// `None` where it is not asked for.
    fn view(&self, news: News) -> Option<EventView> {
        let exchange = self.plane.current().exchange.clone();
        match news {
            News::Lagged => Some(missed("you were too slow, and what came meanwhile is lost")),
            News::TableBegins { has_missed, .. } | News::SessionsBegin { has_missed, .. } => {
                has_missed.then(|| missed("too much happened at once, and some of it is lost"))
            }
            News::Changed { change, .. } => self.changed(&exchange, &change),
            News::Tapped { entry, .. } => self.tapped(&exchange, &entry),
        }
    }

    /// The client of a slot, if it is asked for. After a reload, a slot may be another's.
    fn client<'e>(&self, exchange: &'e Exchange, slot: ClientSlot) -> Option<&'e Arc<Client>> {
        let client = exchange.client(slot)?;
        let wanted = self.client.as_ref();
        let is_wanted = wanted.is_none_or(|wanted| wanted.address == client.address);
        is_wanted.then_some(client)
    }

    fn tapped(&self, exchange: &Exchange, entry: &Tapped) -> Option<EventView> {
        let client = self.client(exchange, entry.slot)?;
        let (event, text) = match &entry.what {
            TappedWhat::Up(up) => ("up", format!("from {}", up.remote)),
            TappedWhat::Down(reason) => ("down", reason.to_string()),
            TappedWhat::Failed(reason) => ("failed", reason.to_string()),
            TappedWhat::Received(_) | TappedWhat::ReceivedOther(_) | TappedWhat::Sent(_) => {
                return None;
            }
        };
        let at = Calendar::now(self.plane.data()).since_epoch(entry.at);
        Some(EventView {
            time_ms: at.as_millis() as u64,
            client: Some(client.name.clone()),
            text: Some(text),
            ..event_now(event)
        })
    }

    fn changed(&self, exchange: &Exchange, change: &TableChange) -> Option<EventView> {
        let (event, kind, slot, prefix) = match change {
            TableChange::Heard {
                announcer, prefix, ..
            } => ("announced", self.kinds.routes, Some(announcer), prefix),
            TableChange::Gone { announcer, prefix } => {
                ("withdrawn", self.kinds.routes, Some(announcer), prefix)
            }
            TableChange::Best {
                announcer, prefix, ..
            } => ("best", self.kinds.best, Some(announcer), prefix),
            TableChange::NoBest { prefix } => ("no_best", self.kinds.best, None, prefix),
            TableChange::Sent { to, prefix, .. } => {
                ("sent", self.kinds.advertised, Some(to), prefix)
            }
            TableChange::Unsent { to, prefix, .. } => {
                ("unsent", self.kinds.advertised, Some(to), prefix)
            }
            TableChange::Live { .. } => return None,
        };
        // Of a prefix without any path, nobody can be named.
        let client = match slot {
            Some(slot) => Some(self.client(exchange, *slot)?),
            None if self.client.is_some() => return None,
            None => None,
        };
        let class = match change {
            TableChange::Heard { class, .. } => Some(class),
            _ => None,
        };
        let reason = class.and_then(|class| class.reason());
        kind.then(|| EventView {
            client: client.map(|client| client.name.clone()),
            prefix: Some(prefix.to_string()),
            accepted: class.map(|class| class.is_accepted()),
            reason: reason.map(|reason| reason.name().to_owned()),
            text: reason.map(|reason| reason.text().to_owned()),
            attributes: attributes(exchange, change),
            ..event_now(event)
        })
    }
}

/// As heard, or as it is sent.
fn attributes(exchange: &Exchange, change: &TableChange) -> Option<AttributesView> {
    let outgoing = match change {
        TableChange::Sent { variant, .. } => Some((&*exchange.scheme, *variant)),
        _ => None,
    };
    Some(describe::attributes(change.set()?, outgoing))
}

fn event_now(event: &str) -> EventView {
    EventView {
        event: event.to_owned(),
        time_ms: since_epoch(wall_clock()).as_millis() as u64,
        client: None,
        prefix: None,
        accepted: None,
        reason: None,
        text: None,
        attributes: None,
    }
}

fn missed(text: &str) -> EventView {
    EventView {
        text: Some(text.to_owned()),
        ..event_now("missed")
    }
}
