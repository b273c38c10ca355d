//! All clients on one thread: sockets, readiness, timers. Moves octets between sockets and
//! sessions and received prefixes into the tables; what is to happen when is the scenario's.

mod awaited;
mod connect;
pub mod flips;
pub mod gaps;
mod refusal;
mod traffic;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Poll};
use rlimit::Resource;

use self::awaited::Awaited;
use self::flips::Flips;
use self::gaps::Gaps;
use self::refusal::Refusal;
use super::attributes::{Attributes, Fault};
use super::clock::Clock;
use super::model::{Check, Model};
use super::plan::Plan;
use super::reader::Reader;
use super::session::{Appetite, Session};
use super::table::Tables;
use super::update::{self, NOTIFICATION};
use crate::base::Time;

/// Octets read or written for one client before it is another's turn.
const TURN_OCTETS: usize = 256 << 10;
/// Octets ready to be written, at most, while a table is announced.
const OUTBOX_MAX: usize = 64 << 10;
/// How long is read before new readiness is asked for.
const READING_MAX: Duration = Duration::from_millis(2);
/// Descriptors beside those of sessions.
const OTHER_FILES: u64 = 64;
const RETRY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(50);

/// What of the command line concerns sessions.
pub struct Settings {
    pub target: SocketAddr,
    pub hold_time_s: u16,
    pub check: Check,
    pub second_decoder: bool,
}

struct Link {
    socket: Option<TcpStream>,
    /// Whether the scenario wants it up.
    wanted: bool,
    readable: bool,
    /// The server has said that it writes no more: read until the end.
    closed: bool,
    writable: bool,
    queued_read: bool,
    queued_write: bool,
    /// Octets that a slow reader may read by now.
    allowance: usize,
}

/// A session that ended and should not have.
pub struct Loss {
    pub client: usize,
    pub at: Time,
    pub why: String,
}

pub struct Swarm {
    pub plan: Plan,
    pub model: Model,
    pub tables: Tables,
    pub sessions: Vec<Session>,
    pub reader: Reader,
    pub drops: Vec<Loss>,
    /// The last time that any table changed or anything was said.
    pub last_change: Time,
    pub first_change: Option<Time>,
    /// From a change being sent to its arrival at each client, microseconds.
    pub latency: Histogram<u64>,
    /// The same while a client joins.
    pub latency_joining: Histogram<u64>,
    /// The client that joins while routes change: what arrives there is not timed.
    pub joiner: Option<usize>,
    pub is_joining: bool,
    pub awaited: Awaited,
    pub gaps: Gaps,
    pub flips: Flips,
    /// When the scenario had made its last change.
    pub changed_at: Option<Time>,
    /// When the last session came up.
    pub last_established: Time,
    /// Since it was last taken.
    pub lag: Lag,
    polled_at: Option<Time>,
    established: usize,
    queue: connect::Queue,
    settings: Settings,
    links: Vec<Link>,
    clock: Clock,
    poll: Poll,
    events: Events,
    reading: VecDeque<usize>,
    writing: VecDeque<usize>,
    scratch: Vec<u8>,
    next_tick: Time,
    /// By client: how its attempts ended while it has never been up.
    refusals: Vec<Option<Refusal>>,
    trying_since: Option<Time>,
    was_ever_up: bool,
    /// The ASN that the server's OPEN states.
    pub server_asn_heard: Option<u32>,
    /// Why the scenario was given up: no session came up at all.
    pub given_up: Option<String>,
    /// The last step was not over when the time of all was.
    pub is_out_of_time: bool,
}

impl Swarm {
    pub fn new(plan: Plan, settings: Settings) -> io::Result<Swarm> {
        allow_files(plan.clients.len() as u64 + OTHER_FILES)?;
        let model = Model::new(&plan, settings.check);
        let tables = Tables::new(&plan);
        let link = || Link {
            socket: None,
            wanted: false,
            readable: false,
            closed: false,
            writable: false,
            queued_read: false,
            queued_write: false,
            allowance: 0,
        };
        Ok(Swarm {
            reader: Reader::new(&plan.prefixes, plan.clients.len(), settings.second_decoder),
            sessions: plan
                .clients
                .iter()
                .map(|client| Session::new(client.add_path))
                .collect(),
            links: plan.clients.iter().map(|_| link()).collect(),
            refusals: vec![None; plan.clients.len()],
            latency: histogram(),
            latency_joining: histogram(),
            joiner: None,
            is_joining: false,
            awaited: Awaited::default(),
            gaps: Gaps::default(),
            flips: Flips::default(),
            changed_at: None,
            last_established: Time::ZERO,
            lag: Lag::default(),
            polled_at: None,
            established: 0,
            queue: connect::Queue::new(),
            model,
            tables,
            plan,
            settings,
            drops: Vec::new(),
            last_change: Time::ZERO,
            first_change: None,
            clock: Clock::start(),
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            reading: VecDeque::new(),
            writing: VecDeque::new(),
            scratch: vec![0; TURN_OCTETS + (64 << 10)],
            next_tick: Time::ZERO,
            trying_since: None,
            was_ever_up: false,
            server_asn_heard: None,
            given_up: None,
            is_out_of_time: false,
        })
    }

    pub fn clock(&self) -> Clock {
        self.clock
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    pub fn client_count(&self) -> usize {
        self.sessions.len()
    }

    /// These clients connect, announce their table and are owed theirs. Returns when: what is owed
    /// to whom is known before.
    pub fn start(&mut self, clients: impl Iterator<Item = usize> + Clone) -> Time {
        for client in clients.clone() {
            for route in &self.plan.clients[client].routes {
                self.model.announce(client as u16, route.prefix, route.set);
            }
        }
        self.judge(clients.clone());
        for client in clients.clone() {
            self.tables.bring_up(&self.model, client);
        }
        let now = self.now();
        if clients.clone().next().is_some() {
            self.trying_since.get_or_insert(now);
        }
        for client in clients {
            self.links[client].wanted = true;
            self.queue.push(now, client);
        }
        self.last_change = now;
        now
    }

    /// These clients go without a word; the others are to lose their routes. Returns when.
    pub fn stop(&mut self, clients: impl Iterator<Item = usize> + Clone) -> Time {
        for client in clients.clone() {
            self.links[client].wanted = false;
            self.tables.take_down(client);
            for route in &self.plan.clients[client].routes {
                self.model.withdraw(client as u16, route.prefix);
            }
        }
        self.judge(clients.clone());
        let now = self.now();
        clients.for_each(|client| self.disconnect(client));
        self.last_change = now;
        now
    }

    /// What these clients announce has changed.
    fn judge(&mut self, clients: impl Iterator<Item = usize>) {
        let mut prefixes: Vec<u32> = clients
            .flat_map(|client| &self.plan.clients[client].routes)
            .map(|route| route.prefix)
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        self.tables.judge(&self.model, &prefixes, |_, _| {});
    }

    /// Ends every session with Cease / Administrative Shutdown, best effort.
    pub fn stop_all(&mut self) {
        for client in 0..self.client_count() {
            self.links[client].wanted = false;
            let mut octets = Vec::new();
            let start = update::begin(&mut octets, NOTIFICATION);
            octets.extend([6, 2]);
            update::finish(&mut octets, start);
            if let Some(socket) = &mut self.links[client].socket
                && self.sessions[client].outbox.is_empty()
            {
                let _ = socket.write(&octets);
            }
            self.disconnect(client);
        }
    }

    /// An established client says something new about one prefix: another set, or that it goes.
    pub fn change(&mut self, client: usize, prefix: u32, attributes: Option<&Attributes>) {
        let now = self.now();
        let network = self.plan.prefixes[prefix as usize];
        match attributes {
            Some(attributes) => {
                let mut key = Vec::new();
                attributes.key(&mut key);
                let set = self.model.add_set(client as u16, &key);
                self.model.announce(client as u16, prefix, set);
                self.sessions[client].send(now, |out| {
                    update::encode_announcement(out, &key, [network].iter());
                });
            }
            None => {
                self.model.withdraw(client as u16, prefix);
                self.sessions[client].send(now, |out| {
                    update::encode_withdrawal(out, network.family(), &[network])
                });
            }
        }
        let mut awaited = 0;
        let (sessions, joiner) = (&self.sessions, self.joiner);
        self.tables.judge(&self.model, &[prefix], |client, _| {
            let is_timed = sessions[client].appetite == Appetite::Full && joiner != Some(client);
            awaited += usize::from(is_timed);
        });
        self.awaited.insert(prefix, now, awaited);
        self.last_change = now;
        self.queue_write(client);
    }

    pub fn set_appetite(&mut self, client: usize, appetite: Appetite) {
        self.sessions[client].appetite = appetite;
        self.links[client].allowance = 0;
        self.queue_read(client);
    }

    /// Clients that should be up and are.
    pub fn established_count(&self) -> usize {
        self.established
    }

    /// Clients that should be up.
    pub fn wanted_count(&self) -> usize {
        self.links.iter().filter(|link| link.wanted).count()
    }

    /// Everyone who should be up is, and has said all it has to say.
    pub fn is_announced(&self) -> bool {
        self.links
            .iter()
            .zip(&self.sessions)
            .all(|(link, session)| {
                !link.wanted || session.has_announced() && session.outbox.is_empty()
            })
    }

    /// Runs for a while: until something has happened, or `wait` is over.
    pub fn turn(&mut self, wait: Duration) -> io::Result<()> {
        let busy = !self.reading.is_empty() || !self.writing.is_empty();
        let wait = if busy { Duration::ZERO } else { wait.min(TICK) };
        if let Some(polled_at) = self.polled_at {
            self.lag.note(self.now().since(polled_at));
        }
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let polled_at = self.now();
        self.polled_at = Some(polled_at);
        for event in &events {
            let client = event.token().0;
            let closed = event.is_read_closed() || event.is_error();
            self.links[client].closed |= closed;
            if event.is_readable() || closed {
                self.links[client].readable = true;
                self.queue_read(client);
            }
            if event.is_writable() {
                self.links[client].writable = true;
                self.queue_write(client);
            }
        }
        self.events = events;
        for _ in 0..self.writing.len() {
            if let Some(client) = self.writing.pop_front() {
                self.links[client].queued_write = false;
                self.write(client);
            }
        }
        for _ in 0..self.reading.len() {
            if let Some(client) = self.reading.pop_front() {
                self.links[client].queued_read = false;
                self.read(client);
            }
            if self.now().since(polled_at) >= READING_MAX {
                break;
            }
        }
        self.connect_waiting();
        if self.now() >= self.next_tick {
            self.tick();
        }
        Ok(())
    }

    fn queue_read(&mut self, client: usize) {
        let link = &mut self.links[client];
        if link.readable && !link.queued_read {
            link.queued_read = true;
            self.reading.push_back(client);
        }
    }

    fn queue_write(&mut self, client: usize) {
        let link = &mut self.links[client];
        if link.writable && !link.queued_write {
            link.queued_write = true;
            self.writing.push_back(client);
        }
    }

    fn tick(&mut self) {
        let now = self.now();
        self.next_tick = now + TICK;
        for client in 0..self.client_count() {
            if let Err(Fault(why)) = self.sessions[client].handle_tick(now) {
                self.lose(client, why);
            }
            if let Appetite::Slow(octets_a_second) = self.sessions[client].appetite {
                let share = octets_a_second as u64 * TICK.as_micros() as u64 / 1_000_000;
                self.links[client].allowance = share.max(1) as usize;
                self.queue_read(client);
            }
            if !self.sessions[client].outbox.is_empty() {
                self.queue_write(client);
            }
        }
    }

    /// The session has ended although it was wanted.
    fn lose(&mut self, client: usize, why: String) {
        let at = self.now();
        if self.sessions[client].established_at.is_none() {
            self.connect_failed(client, self.stage(client), &why);
            return;
        }
        self.disconnect(client);
        self.queue.push(at + RETRY, client);
        self.tables.take_down(client);
        self.tables.bring_up(&self.model, client);
        self.last_change = at;
        self.drops.push(Loss { client, at, why });
    }
}

/// Microseconds, up to an hour.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are right")
}

/// Raises the limit of open files where it is too low.
fn allow_files(needed: u64) -> io::Result<()> {
    let (soft, hard) = Resource::NOFILE.get()?;
    if soft >= needed {
        return Ok(());
    }
    Resource::NOFILE
        .set(needed, hard.max(needed))
        .map_err(|error| {
            let why = format!(
                "so many clients need {needed} open files, {hard} are allowed: {error}; see ulimit -n"
            );
            io::Error::other(why)
        })
}

/// How long it takes from asking for readiness to asking again: for so long, at most, octets lie
/// unread, beside those of clients whose turn is not yet.
#[derive(Clone, Copy, Default)]
pub struct Lag {
    pub max: Duration,
    pub sum: Duration,
    pub count: u32,
}

impl Lag {
    fn note(&mut self, span: Duration) {
        self.max = self.max.max(span);
        self.sum += span;
        self.count += 1;
    }
}
