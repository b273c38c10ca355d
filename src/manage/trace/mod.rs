//! `/api/v1/clients/{name}/trace`: all that a client says and is told, as lines of JSON, as it happens.
//! Bounded: it ends by itself, there are few at a time, and what is not read fast enough is lost.

mod message;
pub mod view;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use chrono::{DateTime, SecondsFormat};
use futures_lite::stream::unfold;
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};

use crate::base::{ClientSet, Time};
use crate::server::exchange::Client;
use crate::server::query::{CoreCommand, CoreReply, SessionUp, Tapped, TappedWhat};

use super::calendar::Calendar;
use super::census::within;
use super::follow::{News, Subscription, Wants};
use super::http::{ApiError, Asked};
use super::named::named;
use super::plane::Plane;
use view::{TraceLine, Traced};

/// Traces at a time, for all who ask.
const TRACES_MAX: usize = 8;
const FOR_DEFAULT_S: u64 = 60;
const FOR_MAX_S: u64 = 3_600;
/// Lines that may wait to be read.
const LINES_MAX: usize = 64;
/// Octets of messages that may wait to be made into lines.
const OCTETS_MAX: usize = 8 << 20;
/// An end that nobody reads is not waited for longer.
const END_WAIT: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Router<Arc<Plane>> {
    Router::new()
        .route("/api/v1/clients/{name}/trace", get(trace))
        .layer(Extension(Arc::new(Semaphore::new(TRACES_MAX))))
}

#[derive(Deserialize)]
struct TraceQuery {
    for_s: Option<u64>,
}

async fn trace(
    State(plane): State<Arc<Plane>>,
    Path(name): Path<String>,
    Asked(query): Asked<TraceQuery>,
    Extension(free): Extension<Arc<Semaphore>>,
) -> Result<Response, ApiError> {
    let client = named(&plane.current().exchange, &name)?.clone();
    let for_s = query.for_s.unwrap_or(FOR_DEFAULT_S).clamp(1, FOR_MAX_S);
    let place = free
        .try_acquire_owned()
        .map_err(|_| ApiError::Busy(format!("{TRACES_MAX} traces run already; end one of them")))?;
    let (lines, written) = mpsc::channel(LINES_MAX);
    let tracer = Tracer::new(plane, client, lines);
    tokio::spawn(async move {
        let _place = place;
        tracer.run(for_s).await;
    });
    let written = unfold(written, |mut written| async {
        let line: String = written.recv().await?;
        Some((Ok::<_, Infallible>(line), written))
    });
    let kind = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((kind, Body::from_stream(written)).into_response())
}

/// Why a trace ends before its time.
enum End {
    /// Nobody reads it.
    Unread,
    /// The client is none any more.
    Removed,
}

struct Tracer {
    plane: Arc<Plane>,
    client: Arc<Client>,
    /// The present or last session: what messages are read by.
    session: Option<Arc<SessionUp>>,
    has_begun: bool,
    calendar: Calendar,
    lines: mpsc::Sender<String>,
}

impl Tracer {
    fn new(plane: Arc<Plane>, client: Arc<Client>, lines: mpsc::Sender<String>) -> Tracer {
        Tracer {
            calendar: Calendar::now(plane.data()),
            plane,
            client,
            session: None,
            has_begun: false,
            lines,
        }
    }

    async fn run(mut self, for_s: u64) {
        let only = ClientSet::only(self.client.slot);
        let wants = Wants {
            sessions: true,
            received: only.clone(),
            sent: only,
            ..Wants::default()
        };
        let mut told = self.plane.follow().subscribe(wants, OCTETS_MAX);
        let lines = self.lines.clone();
        let ended = tokio::select! {
            ended = self.follow(&mut told, for_s) => Some(ended),
            () = lines.closed() => Some(End::Unread),
            () = tokio::time::sleep(Duration::from_secs(for_s)) => None,
        };
        let why = match ended {
            Some(End::Unread) => return,
            Some(End::Removed) => format!("{} is no client any more", self.client.name),
            None => format!("{for_s} s are over"),
        };
        let last = self.say(self.plane.data().now(), Traced::Ended { why });
        let _ = tokio::time::timeout(END_WAIT, last).await;
    }

    async fn follow(&mut self, told: &mut Subscription, for_s: u64) -> End {
        loop {
            let end = match told.next().await {
                News::SessionsBegin { core, .. } if core == self.client.core => {
                    self.begin(for_s).await
                }
                News::Tapped { entry, .. } if entry.slot == self.client.slot => {
                    self.tell(&entry).await
                }
                // What is lost is told when it begins anew.
                _ => Ok(()),
            };
            if let Err(end) = end {
                return end;
            }
        }
    }

    /// What happens from here on is told; what there is already has to be asked for.
    async fn begin(&mut self, for_s: u64) -> Result<(), End> {
        let asked = self
            .plane
            .data()
            .core_command(self.client.core, CoreCommand::Sessions);
        if let Ok(CoreReply::Sessions(sessions)) = within(asked).await {
            let slot = self.client.slot;
            let own = sessions.into_iter().find(|(of, _)| *of == slot);
            self.session = own.map(|(_, up)| up);
        }
        let now = self.plane.data().now();
        if std::mem::replace(&mut self.has_begun, true) {
            return self.say(now, Traced::Missed).await;
        }
        let session = self.session.as_ref();
        let began = Traced::Began {
            client: self.client.name.clone(),
            asn: self.client.asn,
            address: self.client.address,
            for_s,
            session: session.map(|up| Box::new(message::session(up))),
        };
        self.say(now, began).await
    }

    async fn tell(&mut self, entry: &Tapped) -> Result<(), End> {
        let exchange = self.plane.current().exchange.clone();
        let now = exchange.client(self.client.slot);
        let client = now.filter(|now| now.is_same_peer(&self.client));
        let client = client.ok_or(End::Removed)?;
        let what = match &entry.what {
            TappedWhat::Up(up) => {
                self.session = Some(up.clone());
                Traced::Up {
                    session: Box::new(message::session(up)),
                }
            }
            TappedWhat::Down(reason) => Traced::Down {
                reason: reason.to_string(),
            },
            TappedWhat::Failed(reason) => Traced::NotEstablished {
                reason: reason.to_string(),
            },
            TappedWhat::Received(octets) => match &self.session {
                Some(up) => Traced::Received(message::received(octets, up, client, &exchange)),
                None => return Ok(()),
            },
            TappedWhat::ReceivedOther(octets) => {
                Traced::Received(message::other(octets, self.session.as_deref()))
            }
            TappedWhat::Sent(octets) => {
                Traced::Sent(message::sent(octets, self.session.as_deref()))
            }
        };
        self.say(entry.at, what).await
    }

    /// Waits while too many lines are not read yet.
    async fn say(&self, at: Time, what: Traced) -> Result<(), End> {
        let micros = self.calendar.since_epoch(at).as_micros();
        let micros = i64::try_from(micros).unwrap_or_default();
        let at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
        let line = TraceLine {
            at: at.to_rfc3339_opts(SecondsFormat::Micros, true),
            what,
        };
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        self.lines.send(text).await.map_err(|_| End::Unread)
    }
}
