//! All clients on one thread: sockets, readiness, timers. Moves octets between sockets and
//! sessions and received prefixes into the tables; what is to happen when is the scenario's.

mod refusal;
mod traffic;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use hashbrown::HashMap;
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use self::refusal::{Refusal, Stage};
use super::attributes::{Attributes, Fault};
use super::clock::Clock;
use super::model::{Check, Model};
use super::plan::Plan;
use super::reader::Reader;
use super::session::{Appetite, Session, State};
use super::table::Tables;
use super::update::{self, NOTIFICATION};
use crate::base::Time;

/// Octets read or written for one client before it is another's turn.
const TURN_OCTETS: usize = 256 << 10;
/// Octets ready to be written, at most, while a table is announced.
const OUTBOX_MAX: usize = 64 << 10;
/// Connections being made at one time: servers have short backlogs.
const CONNECTING_MAX: usize = 16;
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
    retry_at: Time,
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
    /// Prefixes changed by the scenario: when, and by how many clients awaited.
    awaited: HashMap<u32, (Time, usize)>,
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
        let model = Model::new(&plan, settings.check);
        let tables = Tables::new(
            plan.prefixes.len(),
            plan.clients.iter().map(|client| client.add_path),
        );
        let link = || Link {
            socket: None,
            wanted: false,
            retry_at: Time::ZERO,
            readable: false,
            closed: false,
            writable: false,
            queued_read: false,
            queued_write: false,
            allowance: 0,
        };
        Ok(Swarm {
            reader: Reader::new(&plan.prefixes, settings.second_decoder),
            sessions: plan
                .clients
                .iter()
                .map(|client| Session::new(client.add_path))
                .collect(),
            links: plan.clients.iter().map(|_| link()).collect(),
            refusals: vec![None; plan.clients.len()],
            latency: histogram(),
            awaited: HashMap::new(),
            model,
            tables,
            plan,
            settings,
            drops: Vec::new(),
            last_change: Time::ZERO,
            first_change: None,
            clock: Clock::start(),
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
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

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    pub fn client_count(&self) -> usize {
        self.sessions.len()
    }

    /// These clients connect, announce their table and are owed theirs.
    pub fn start(&mut self, clients: impl Iterator<Item = usize> + Clone) {
        let now = self.now();
        if clients.clone().next().is_some() {
            self.trying_since.get_or_insert(now);
        }
        for client in clients.clone() {
            for route in &self.plan.clients[client].routes {
                self.model.announce(client as u16, route.prefix, route.set);
            }
            self.links[client].wanted = true;
            self.links[client].retry_at = self.now();
        }
        for client in clients.clone() {
            self.tables.bring_up(&self.model, client);
        }
        let started: Vec<usize> = clients.collect();
        for client in 0..self.client_count() {
            if self.tables.is_up(client) && !started.contains(&client) {
                self.tables.judge_client(&self.model, client);
            }
        }
        self.last_change = self.now();
    }

    /// These clients go without a word; the others are to lose their routes.
    pub fn stop(&mut self, clients: impl Iterator<Item = usize>) {
        for client in clients {
            self.links[client].wanted = false;
            self.disconnect(client);
            self.tables.take_down(client);
            for route in &self.plan.clients[client].routes {
                self.model.withdraw(client as u16, route.prefix);
            }
        }
        for client in 0..self.client_count() {
            if self.tables.is_up(client) {
                self.tables.judge_client(&self.model, client);
            }
        }
        self.last_change = self.now();
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
                let set = self.model.add_set(client as u16, attributes);
                self.model.announce(client as u16, prefix, set);
                self.sessions[client].send(now, |out| {
                    update::encode_announcement(out, attributes, [network].iter());
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
        self.tables
            .judge_prefix(&self.model, prefix, |_| awaited += 1);
        if awaited > 0 {
            self.awaited.insert(prefix, (now, awaited));
        }
        self.last_change = now;
        self.queue_write(client);
    }

    /// Whether a change of this prefix has not yet arrived everywhere.
    pub fn is_awaited(&self, prefix: u32) -> bool {
        self.awaited.contains_key(&prefix)
    }

    pub fn set_appetite(&mut self, client: usize, appetite: Appetite) {
        self.sessions[client].appetite = appetite;
        self.links[client].allowance = 0;
        self.queue_read(client);
    }

    /// Clients that should be up and are.
    pub fn established_count(&self) -> usize {
        self.sessions
            .iter()
            .filter(|session| session.state == State::Established)
            .count()
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
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let ready: Vec<(usize, bool, bool, bool)> = self
            .events
            .iter()
            .map(|event| {
                let closed = event.is_read_closed() || event.is_error();
                (
                    event.token().0,
                    event.is_readable() || closed,
                    closed,
                    event.is_writable(),
                )
            })
            .collect();
        for (client, readable, closed, writable) in ready {
            self.links[client].closed |= closed;
            if readable {
                self.links[client].readable = true;
                self.queue_read(client);
            }
            if writable {
                self.links[client].writable = true;
                self.queue_write(client);
            }
        }
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
        }
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
        let mut connecting = self
            .sessions
            .iter()
            .filter(|session| is_connecting(session.state))
            .count();
        for client in 0..self.client_count() {
            let link = &mut self.links[client];
            if link.socket.is_none()
                && link.wanted
                && now >= link.retry_at
                && connecting < CONNECTING_MAX
            {
                connecting += 1;
                match self.connect(client) {
                    Ok(()) => self.sessions[client].state = State::Connecting,
                    Err(error) => {
                        self.connect_failed(client, refusal::stage_of(&error), &error.to_string())
                    }
                }
            }
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

    fn connect(&mut self, client: usize) -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let source = SocketAddr::V4(SocketAddrV4::new(self.plan.clients[client].address, 0));
        socket.bind(&source.into())?;
        match socket.connect(&self.settings.target.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        self.poll.registry().register(
            &mut socket,
            Token(client),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        self.links[client].socket = Some(socket);
        Ok(())
    }

    fn connect_failed(&mut self, client: usize, stage: Stage, why: &str) {
        self.note_refusal(client, stage, why);
        self.disconnect(client);
        self.links[client].retry_at = self.now() + RETRY;
    }

    fn disconnect(&mut self, client: usize) {
        let link = &mut self.links[client];
        if let Some(mut socket) = link.socket.take() {
            let _ = self.poll.registry().deregister(&mut socket);
        }
        link.readable = false;
        link.closed = false;
        link.writable = false;
        self.sessions[client].reset();
    }

    /// The session has ended although it was wanted.
    fn lose(&mut self, client: usize, why: String) {
        let at = self.now();
        if self.sessions[client].established_at.is_none() {
            self.connect_failed(client, self.stage(client), &why);
            return;
        }
        self.disconnect(client);
        self.links[client].retry_at = at + RETRY;
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

fn is_connecting(state: State) -> bool {
    matches!(
        state,
        State::Connecting | State::OpenSent | State::OpenConfirm
    )
}
