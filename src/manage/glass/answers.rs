//! Long answers: made once, at a pace that the shards do not feel, kept compressed for a while, and read
//! by whoever asks meanwhile. Nobody who reads slowly holds up the making.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Crc;
use tokio::sync::{Semaphore, watch};

use crate::base::Time;

use super::super::data_path::Unavailable;
use super::super::plane::Plane;
use super::deflate::{Inflate, gzip_head, gzip_tail};
use super::writing::write;
use super::{Feed, Lens, Shown};

/// So many are made at the same time; others wait,
const AT_ONCE: usize = 2;
/// up to so many together.
const UNDER_WAY_MAX: usize = 64;
/// Longer than that, something is wrong.
const MAKING_MAX: Duration = Duration::from_secs(900);

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("Number of routes exceeds maximum allowed ({0}): [looking_glass] {1}")]
    TooMany(String, &'static str),
    #[error("the answer is larger than [looking_glass] cache_octets_max, all others left out")]
    TooLarge,
    #[error("too many answers are being made; try again later")]
    Busy,
    #[error("the answer was not made within {} s", MAKING_MAX.as_secs())]
    Late,
}

impl Failure {
    pub fn status(&self) -> StatusCode {
        match self {
            Failure::TooMany(..) => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What an answer is made of: routes, one after the other.
pub struct Order {
    pub feed: Feed,
    pub lens: Lens,
    /// Appends the JSON of a route; without it they are only counted.
    pub write: Option<fn(&Shown, &mut Vec<u8>)>,
    /// Those that are wanted of what the feed gives.
    pub is_wanted: Box<dyn Fn(&Shown) -> bool + Send>,
    pub routes_max: u32,
    /// The key that says so.
    pub routes_max_key: &'static str,
    /// Nothing is told before it is known that there are not too many.
    pub is_whole: bool,
}

/// The text behind the opening bracket of the routes.
pub struct Answer {
    text: watch::Sender<Text>,
    made_at: Time,
}

#[derive(Default)]
struct Text {
    pieces: Vec<Bytes>,
    octets: usize,
    count: u64,
    end: Option<Result<(), Failure>>,
    ended_at: Option<Time>,
    crc: Crc,
}

impl Answer {
    pub fn made_at(&self) -> Time {
        self.made_at
    }

    /// From when on it gets old: what is not done yet, from now on.
    pub fn kept_from(&self, now: Time) -> Time {
        self.text.borrow().ended_at.unwrap_or(now)
    }

    fn is_under_way(&self) -> bool {
        self.text.borrow().end.is_none()
    }

    fn octets(&self) -> usize {
        self.text.borrow().octets
    }

    /// Room that a piece takes from now on, told or not.
    pub(super) fn note(&self, piece: &Bytes) {
        self.text.send_if_modified(|text| {
            text.octets += piece.len();
            false
        });
    }

    pub(super) fn push(&self, piece: Bytes) {
        self.text.send_modify(|text| text.pieces.push(piece));
    }

    /// How many routes there are, once all are known.
    pub async fn count(&self) -> Result<u64, Failure> {
        let mut text = self.text.subscribe();
        let ended = text.wait_for(|text| text.end.is_some()).await;
        let ended = ended.map_err(|_| Failure::Late)?;
        ended.end.clone().unwrap_or(Err(Failure::Late))?;
        Ok(ended.count)
    }
}

pub struct Answers {
    kept: Mutex<HashMap<String, Arc<Answer>>>,
    turns: Semaphore,
}

impl Default for Answers {
    fn default() -> Answers {
        Answers {
            kept: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl Answers {
    /// The answer that is kept under this key, or one that is made from now on; and whether it was kept.
    pub fn order(
        plane: &Arc<Plane>,
        key: String,
        order: impl FnOnce() -> Order,
    ) -> Result<(Arc<Answer>, bool), Failure> {
        let now = plane.data().now();
        let keep = plane.current().config.looking_glass.cache;
        let mut kept = plane.glass().answers.lock();
        kept.retain(|_, answer| now.since(answer.kept_from(now)) < keep);
        if let Some(answer) = kept.get(&key) {
            return Ok((answer.clone(), true));
        }
        let under_way = kept.values().filter(|answer| answer.is_under_way());
        if under_way.count() >= UNDER_WAY_MAX {
            return Err(Failure::Busy);
        }
        let answer = Arc::new(Answer {
            text: watch::Sender::default(),
            made_at: now,
        });
        kept.insert(key.clone(), answer.clone());
        drop(kept);
        let making = make(plane.clone(), answer.clone(), key, order());
        tokio::spawn(making);
        Ok((answer, false))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Answer>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest go until the others fit.
    pub(super) fn make_room(&self, octets_max: usize) -> Result<(), Failure> {
        let mut kept = self.lock();
        let mut octets: usize = kept.values().map(|answer| answer.octets()).sum();
        while octets > octets_max {
            let done = kept.iter().filter(|(_, answer)| !answer.is_under_way());
            let oldest = done.min_by_key(|(_, answer)| answer.made_at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return Err(Failure::TooLarge);
            };
            let gone = kept.remove(&key);
            octets -= gone.map_or(0, |answer| answer.octets());
        }
        Ok(())
    }
}

async fn make(plane: Arc<Plane>, answer: Arc<Answer>, key: String, order: Order) {
    let answers = &plane.glass().answers;
    let Ok(_turn) = answers.turns.acquire().await else {
        return;
    };
    let made = tokio::time::timeout(MAKING_MAX, write(&plane, &answer, order)).await;
    let end = made.unwrap_or(Err(Failure::Late));
    if end.is_err() {
        answers.lock().remove(&key);
    }
    let (end, crc) = match end {
        Ok((count, crc)) => (Ok(count), crc),
        Err(failure) => (Err(failure), Crc::new()),
    };
    answer.text.send_modify(|text| {
        text.crc = crc;
        text.count = end.clone().unwrap_or(0);
        text.ended_at = Some(plane.data().now());
        text.end = Some(end.map(drop));
    });
}

/// A coding with a weight of zero is refused.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::ACCEPT_ENCODING);
    let mut codings = said
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        let is_gzip = words.next().is_some_and(|c| c.eq_ignore_ascii_case("gzip"));
        let refused = |word: &str| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        is_gzip && !words.any(refused)
    })
}

impl Answer {
    /// `head` is the text up to the opening bracket.
    pub async fn respond(
        self: Arc<Answer>,
        head: String,
        is_gzip: bool,
    ) -> Result<Response, Failure> {
        // What cannot be answered at all is told as such.
        let mut text = self.text.subscribe();
        let begun = text.wait_for(|text| !text.pieces.is_empty() || text.end.is_some());
        if let Some(Err(failure)) = &begun.await.map_err(|_| Failure::Late)?.end {
            return Err(failure.clone());
        }
        let json = (header::CONTENT_TYPE, "application/json");
        if is_gzip {
            let body = Body::from_stream(self.gzip(head, text));
            let coding = (header::CONTENT_ENCODING, "gzip");
            return Ok(([json, coding], body).into_response());
        }
        let mut inflate = Inflate::default();
        let first = futures_lite::stream::once(Ok(Bytes::from(head)));
        let rest = pieces(text);
        let rest = futures_lite::StreamExt::map(rest, move |piece| {
            piece.map(|piece| inflate.text(&piece))
        });
        let body = Body::from_stream(futures_lite::StreamExt::chain(first, rest));
        Ok(([json], body).into_response())
    }

    fn gzip(
        self: Arc<Answer>,
        head: String,
        text: watch::Receiver<Text>,
    ) -> impl futures_lite::Stream<Item = Result<Bytes, Failure>> {
        let (first, crc) = gzip_head(&head);
        let first = futures_lite::stream::once(Ok(first));
        let tail = futures_lite::stream::once_future(async move {
            Ok(gzip_tail(crc, &self.text.borrow().crc))
        });
        let body = futures_lite::StreamExt::chain(first, pieces(text));
        futures_lite::StreamExt::chain(body, tail)
    }
}

/// All pieces of an answer as they are made; an error breaks the body off, so that nobody takes a part
/// for the whole.
fn pieces(text: watch::Receiver<Text>) -> impl futures_lite::Stream<Item = Result<Bytes, Failure>> {
    futures_lite::stream::try_unfold((text, 0), |(mut text, index)| async move {
        let piece = piece_of(&mut text, index).await?;
        Ok(piece.map(|piece| (piece, (text, index + 1))))
    })
}

/// `None` behind the last.
async fn piece_of(
    text: &mut watch::Receiver<Text>,
    index: usize,
) -> Result<Option<Bytes>, Failure> {
    let is_ready = |text: &Text| text.pieces.len() > index || text.end.is_some();
    let ready = text.wait_for(is_ready).await.map_err(|_| Failure::Late)?;
    match (ready.pieces.get(index), &ready.end) {
        (Some(piece), _) => Ok(Some(piece.clone())),
        (None, Some(Err(failure))) => Err(failure.clone()),
        (None, _) => Ok(None),
    }
}
