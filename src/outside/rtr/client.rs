//! One RTR cache as a task: connects, asks, waits, and begins again. Owns the socket and what the
//! cache has said; which cache's data are in use is not its business.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, info, warn};

use super::RtrTiming;
use super::encode::encode_error;
use super::payload::{ApplyError, Payload, Update};
use super::pdu::{Intervals, PduError, Received, VERSION_MAX, decode, error_code};
use super::session::{Known, Next, Session, SessionError};

/// Read from a socket in one go.
const READ_LEN: usize = 64 * 1024;
/// TCP asks a silent peer after this long whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// An Error Report that does not go out within this is not sent.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a cache's task tells.
pub struct Report {
    /// Position in the order of preference.
    pub cache: usize,
    pub news: News,
}

pub enum News {
    Connecting,
    /// Connected, and asked.
    Loading,
    Loaded(Loaded),
    /// The cache is there, but has nothing to say.
    NoData,
    /// It says that there is not a single VRP.
    Empty,
    Lost(String),
}

pub struct Loaded {
    pub payload: Payload,
    pub known: Known,
    /// How long it holds without another answer.
    pub valid: Duration,
    pub at: SystemTime,
}

#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("no connection within {} s", .0.as_secs())]
    ConnectTime(Duration),
    #[error("{0}")]
    Socket(#[from] io::Error),
    #[error("it closed the connection")]
    Closed,
    #[error("it sent nothing for {} s when an answer was due", .0.as_secs())]
    Silent(Duration),
    #[error("its answer is not over after {} s", .0.as_secs())]
    Endless(Duration),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("its data could not be worked in")]
    Interrupted,
    #[error(
        "asking it in version {VERSION_MAX} again: it has never said that it does not speak that"
    )]
    Climb,
}

impl ClientError {
    /// The code of the Error Report due.
    fn code(&self) -> Option<u16> {
        match self {
            ClientError::Session(error) => error.code(),
            ClientError::Apply(error) => Some(error.code()),
            _ => None,
        }
    }

    fn pdu_error(&self) -> Option<&PduError> {
        match self {
            ClientError::Session(SessionError::Pdu(error)) => Some(error),
            _ => None,
        }
    }

    fn is_refusal(&self) -> bool {
        matches!(
            self,
            ClientError::Session(SessionError::Reported {
                code: error_code::UNSUPPORTED_VERSION,
                ..
            })
        )
    }

    fn is_cut(&self) -> bool {
        matches!(self, ClientError::Closed | ClientError::Socket(_))
    }

    /// Whether the two sides do not agree any more on what was said.
    fn is_about_content(&self) -> bool {
        matches!(self, ClientError::Session(_) | ClientError::Apply(_))
    }
}

/// A cache's task.
pub struct Client {
    cache: usize,
    address: SocketAddr,
    timing: RtrTiming,
    entries_max: usize,
    reports: mpsc::Sender<Report>,
    payload: Payload,
    known: Option<Known>,
    intervals: Intervals,
    /// The version to begin with next time, where it is not the highest.
    next_version: Option<u8>,
    /// That version is lower because connections were cut, not because the cache said so.
    is_guess: bool,
    /// The version of what it has said that holds.
    spoken: Option<u8>,
    /// Connections that were cut before any answer.
    cuts: u32,
    loaded_at: Option<Instant>,
    /// Connections in a row that did not last.
    failures: u32,
    last_words: String,
}

impl Client {
    pub fn new(
        cache: usize,
        address: SocketAddr,
        timing: RtrTiming,
        entries_max: usize,
        reports: mpsc::Sender<Report>,
    ) -> Client {
        Client {
            cache,
            address,
            timing,
            entries_max,
            reports,
            payload: Payload::default(),
            known: None,
            intervals: Intervals::default(),
            next_version: None,
            is_guess: false,
            spoken: None,
            cuts: 0,
            loaded_at: None,
            failures: 0,
            last_words: String::new(),
        }
    }

    /// For as long as somebody listens to its reports.
    pub async fn run(mut self) {
        while !self.reports.is_closed() {
            self.report(News::Connecting).await;
            let begun = Instant::now();
            let Err(error) = self.connect_and_converse().await else {
                return;
            };
            if begun.elapsed() >= self.timing.pause_max {
                self.failures = 0;
            }
            let pause = self.pause();
            self.failures = self.failures.saturating_add(1);
            self.note(&error, pause);
            self.report(News::Lost(error.to_string())).await;
            sleep(pause).await;
        }
    }

    async fn connect_and_converse(&mut self) -> Result<(), ClientError> {
        let patience = self.timing.connect;
        let stream = timeout(patience, TcpStream::connect(self.address))
            .await
            .map_err(|_| ClientError::ConnectTime(patience))?
            .map_err(ClientError::Connect)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
        let socket = socket2::SockRef::from(&stream);
        if let Err(error) = socket.set_tcp_keepalive(&keepalive) {
            debug!("RTR cache {}: no keepalive: {error}", self.address);
        }
        self.forget_what_expired();
        let version = self.next_version.take().unwrap_or(VERSION_MAX);
        self.is_guess &= version < VERSION_MAX;
        let mut session = Session::new(version, self.known, self.entries_max);
        let mut wire = Wire::new(stream);
        let ended = self.converse(&mut session, &mut wire).await;
        if let Err(error) = &ended {
            self.learn(&session, version, error);
            if let Some(code) = error.code() {
                let is_first = error.pdu_error().is_some();
                wire.report_error(session.version(), code, is_first, error)
                    .await;
            }
        }
        ended
    }

    /// What is past the cache's Expire Interval is of no use to it either (RFC 8210 §6).
    fn forget_what_expired(&mut self) {
        let expire = Duration::from_secs(u64::from(self.intervals.expire_s));
        if self.loaded_at.is_some_and(|at| at.elapsed() >= expire) {
            self.known = None;
            self.payload = Payload::default();
            self.loaded_at = None;
            self.spoken = None;
        }
    }

    /// Ends with an error, or when nobody listens any more.
    async fn converse(
        &mut self,
        session: &mut Session,
        wire: &mut Wire,
    ) -> Result<(), ClientError> {
        self.report(News::Loading).await;
        let mut asked_at = self.ask(session, wire).await?;
        let mut heard_at = asked_at;
        let mut ask_at = asked_at;
        let climb_at = self.is_guess.then(|| asked_at + self.timing.climb);
        while !self.reports.is_closed() {
            let deadline = match session.is_idle() {
                true => climb_at.map_or(ask_at, |climb_at| ask_at.min(climb_at)),
                false => (heard_at + self.timing.answer).min(asked_at + self.timing.exchange),
            };
            let received = match timeout_at(deadline, wire.receive()).await {
                Ok(received) => received?,
                Err(_) if session.is_idle() => {
                    if climb_at.is_some_and(|climb_at| climb_at <= Instant::now()) {
                        return Err(ClientError::Climb);
                    }
                    asked_at = self.ask(session, wire).await?;
                    heard_at = asked_at;
                    continue;
                }
                Err(_) => return Err(self.too_late(heard_at)),
            };
            heard_at = Instant::now();
            if !session.is_idle() && heard_at > asked_at + self.timing.exchange {
                return Err(ClientError::Endless(self.timing.exchange));
            }
            match session.handle_pdu(received)? {
                Next::Wait => {}
                Next::Ask => asked_at = self.ask(session, wire).await?,
                Next::AskSoon => ask_at = ask_at.min(asked_at + self.timing.gap),
                Next::NoData => {
                    self.report(News::NoData).await;
                    ask_at = Instant::now() + self.timing.no_data_retry;
                }
                Next::Loaded(update) => {
                    self.load(update, session).await?;
                    let refresh = Duration::from_secs(u64::from(self.intervals.refresh_s));
                    ask_at = match session.is_behind() {
                        true => asked_at + self.timing.gap,
                        false if self.payload.vrps.is_empty() => {
                            Instant::now() + self.timing.no_data_retry
                        }
                        false => Instant::now() + refresh,
                    };
                }
            }
        }
        Ok(())
    }

    async fn ask(&self, session: &mut Session, wire: &mut Wire) -> Result<Instant, ClientError> {
        let patience = self.timing.answer;
        timeout(patience, wire.stream.write_all(&session.ask()))
            .await
            .map_err(|_| ClientError::Silent(patience))??;
        Ok(Instant::now())
    }

    fn too_late(&self, heard_at: Instant) -> ClientError {
        match Instant::now() >= heard_at + self.timing.answer {
            true => ClientError::Silent(self.timing.answer),
            false => ClientError::Endless(self.timing.exchange),
        }
    }

    /// Works an update in, elsewhere: half a million VRPs take their time.
    async fn load(&mut self, update: Update, session: &Session) -> Result<(), ClientError> {
        let Some(known) = session.known() else {
            return Ok(());
        };
        let (held, entries_max) = (self.payload.clone(), self.entries_max);
        let intervals = update.end.intervals.unwrap_or_default().bounded();
        let (is_reset, change_count) = (update.is_reset, update.vrps.len() + update.aspas.len());
        let applied = tokio::task::spawn_blocking(move || held.apply(update, entries_max)).await;
        self.payload = applied.map_err(|_| ClientError::Interrupted)??;
        self.known = Some(known);
        self.intervals = intervals;
        self.loaded_at = Some(Instant::now());
        self.spoken = Some(known.version);
        self.cuts = 0;
        self.last_words.clear();
        let (vrps, aspas) = (self.payload.vrps.len(), self.payload.aspas.len());
        let Known {
            version,
            session,
            serial,
        } = known;
        match is_reset {
            true => info!(
                "RTR cache {}: {vrps} VRPs, {aspas} ASPAs (version {version}, session {session}, serial {serial})",
                self.address
            ),
            false => debug!(
                "RTR cache {}: {change_count} changes, serial {serial}",
                self.address
            ),
        }
        self.report(match vrps {
            0 => News::Empty,
            _ => News::Loaded(Loaded {
                payload: self.payload.clone(),
                known,
                valid: Duration::from_secs(u64::from(intervals.expire_s)),
                at: wall_clock(),
            }),
        })
        .await;
        Ok(())
    }

    /// What the end of a connection that was begun in version `begun` says about the next one.
    fn learn(&mut self, session: &Session, begun: u8, error: &ClientError) {
        if error.is_about_content() && self.known.take().is_some() {
            // A cache that began anew: it can be asked for everything at once.
            self.failures = 0;
        }
        if error.pdu_error() == Some(&PduError::Aspa) {
            warn!(
                "RTR cache {}: asking it in version 1 now, which has no ASPAs; a newer release of it may help",
                self.address
            );
            (self.next_version, self.is_guess) = (Some(1), false);
            return;
        }
        let lower = |version: u8| version.checked_sub(1).unwrap_or(VERSION_MAX);
        if !session.is_settled() && error.is_refusal() {
            // It names no version that was not refused yet.
            (self.next_version, self.is_guess) = (Some(lower(session.version())), false);
            return;
        }
        if session.is_settled() || !error.is_cut() {
            return;
        }
        if session.version() != begun {
            // It has named a version and hung up.
            (self.next_version, self.is_guess) = (Some(session.version()), false);
            return;
        }
        // One may hang up on a version that it does not know (RFC 8210 §7): two tries at each. What it has
        // spoken it knows, and it is rather a proxy before it that hangs up.
        self.cuts += 1;
        let is_known = self.spoken.is_some_and(|spoken| begun <= spoken);
        self.next_version = Some(begun);
        if !is_known && self.cuts.is_multiple_of(2) {
            (self.next_version, self.is_guess) = (Some(lower(begun)), true);
        }
    }

    /// Longer after each failure, but not longer than the cache asks for.
    fn pause(&self) -> Duration {
        let longest = Duration::from_secs(u64::from(self.intervals.retry_s));
        let longest = self.timing.pause_max.min(longest);
        let doubled = self.timing.pause.saturating_mul(1 << self.failures.min(16));
        doubled.min(longest.max(self.timing.pause))
    }

    /// The same again and again is said once.
    fn note(&mut self, error: &ClientError, pause: Duration) {
        let words = error.to_string();
        if words == self.last_words {
            debug!("RTR cache {}: {words}", self.address);
            return;
        }
        if matches!(error, ClientError::Climb) {
            return info!("RTR cache {}: {words}", self.address);
        }
        warn!(
            "RTR cache {}: {words}; trying again in {} s",
            self.address,
            pause.as_secs_f32()
        );
        self.last_words = words;
    }

    async fn report(&self, news: News) {
        let cache = self.cache;
        let _ = self.reports.send(Report { cache, news }).await;
    }
}

/// A socket with what has been read of it.
struct Wire {
    stream: TcpStream,
    inbox: BytesMut,
}

impl Wire {
    fn new(stream: TcpStream) -> Wire {
        Wire {
            stream,
            inbox: BytesMut::new(),
        }
    }

    /// The next PDU; may be dropped and called again, nothing is lost.
    async fn receive(&mut self) -> Result<Received, ClientError> {
        loop {
            let decoded = decode(&self.inbox).map_err(SessionError::Pdu)?;
            if let Some(received) = decoded {
                self.inbox.advance(received.len);
                return Ok(received);
            }
            self.inbox.reserve(READ_LEN);
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(ClientError::Closed);
            }
            // A cache that sends as fast as it can must not keep the thread from all else.
            tokio::task::yield_now().await;
        }
    }

    /// Best effort. `is_first`: it is about what lies first in the inbox.
    async fn report_error(&mut self, version: u8, code: u16, is_first: bool, error: &ClientError) {
        let pdu = if is_first { &self.inbox[..] } else { &[] };
        let report = encode_error(version, code, pdu, &error.to_string());
        let _ = timeout(LAST_WORDS, self.stream.write_all(&report)).await;
        let _ = timeout(LAST_WORDS, self.stream.shutdown()).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is shown to people; nothing is decided by it"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
