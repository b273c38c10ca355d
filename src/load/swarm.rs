//! All clients on one thread: sockets, readiness, timers. Moves octets between sockets and
//! sessions and received prefixes into the tables; what is to happen when is the scenario's.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use hashbrown::HashMap;
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::attributes::{Attributes, Fault};
use super::clock::Clock;
use super::model::{Check, Model, NOTHING};
use super::plan::Plan;
use super::reader::Reader;
use super::session::{Appetite, Heard, Session, State, read_header};
use super::table::{Effect, Tables};
use super::update::{self, HEADER_LEN, NOTIFICATION};
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
    last_connect_error: Option<String>,
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
            last_connect_error: None,
        })
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    pub fn client_count(&self) -> usize {
        self.sessions.len()
    }

    pub fn last_connect_error(&self) -> Option<&str> {
        self.last_connect_error.as_deref()
    }

    /// These clients connect, announce their table and are owed theirs.
    pub fn start(&mut self, clients: impl Iterator<Item = usize> + Clone) {
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
                    Err(error) => self.connect_failed(client, &error.to_string()),
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

    fn connect_failed(&mut self, client: usize, why: &str) {
        self.last_connect_error = Some(format!("{}: {why}", self.plan.clients[client].name()));
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
            self.connect_failed(client, &why);
            return;
        }
        self.disconnect(client);
        self.links[client].retry_at = at + RETRY;
        self.tables.take_down(client);
        self.tables.bring_up(&self.model, client);
        self.last_change = at;
        self.drops.push(Loss { client, at, why });
    }

    fn write(&mut self, client: usize) {
        let now = self.now();
        let Some(socket) = &mut self.links[client].socket else {
            return;
        };
        let session = &mut self.sessions[client];
        if session.state == State::Connecting {
            match socket
                .take_error()
                .and_then(|error| error.map_or(Ok(()), Err))
                .and_then(|()| socket.peer_addr())
            {
                Ok(_) => {
                    let plan = &self.plan;
                    session.handle_connected(
                        now,
                        &plan.clients[client],
                        plan.families,
                        self.settings.hold_time_s,
                    );
                }
                Err(error) if error.kind() == ErrorKind::NotConnected => return,
                Err(error) => return self.connect_failed(client, &error.to_string()),
            }
        }
        let mut written = 0;
        let result = loop {
            if !session.has_announced() && session.state == State::Established {
                session.announce(
                    now,
                    &self.plan,
                    &self.plan.clients[client].routes,
                    OUTBOX_MAX,
                );
                self.last_change = now;
            }
            let (head, _) = session.outbox.as_slices();
            if head.is_empty() || written > TURN_OCTETS {
                break Ok(!head.is_empty());
            }
            match socket.write(head) {
                Ok(count) => {
                    session.outbox.drain(..count);
                    written += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.links[client].writable = false;
                    break Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        match result {
            Ok(true) => self.queue_write(client),
            Ok(false) => {}
            // What the server said last may still lie unread.
            Err(_) if self.links[client].readable => self.queue_read(client),
            Err(error) => self.lose(client, error.to_string()),
        }
    }

    fn read(&mut self, client: usize) {
        let limit = match self.sessions[client].appetite {
            Appetite::Full => TURN_OCTETS,
            Appetite::Nothing if self.sessions[client].state == State::Established => return,
            Appetite::Nothing => TURN_OCTETS,
            Appetite::Slow(_) => std::mem::take(&mut self.links[client].allowance).min(TURN_OCTETS),
        };
        let Some(socket) = self.links[client].socket.as_mut().filter(|_| limit > 0) else {
            return;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let inbox = &mut self.sessions[client].inbox;
        let left = inbox.len();
        scratch[..left].copy_from_slice(inbox);
        inbox.clear();
        match socket.read(&mut scratch[left..left + limit]) {
            Ok(0) => self.lose(client, "the server closed the connection".into()),
            Ok(count) => {
                self.sessions[client].counters.octets_in += count as u64;
                match self.take_octets(client, &scratch[..left + count]) {
                    Ok(used) => {
                        self.sessions[client]
                            .inbox
                            .extend(&scratch[used..left + count]);
                        // Fewer octets than asked for: more will be told by an event (edge-triggered).
                        let link = &mut self.links[client];
                        link.readable = link.readable && (count == limit || link.closed);
                        self.queue_read(client);
                    }
                    Err(Fault(why)) => self.lose(client, why),
                }
            }
            Err(error) => {
                self.sessions[client].inbox.extend(&scratch[..left]);
                match error.kind() {
                    ErrorKind::WouldBlock => self.links[client].readable = false,
                    ErrorKind::Interrupted => self.queue_read(client),
                    _ => self.lose(client, error.to_string()),
                }
            }
        }
        self.scratch = scratch;
    }

    /// Takes the whole messages out of `octets`; returns how many octets those were.
    fn take_octets(&mut self, client: usize, octets: &[u8]) -> Result<usize, Fault> {
        let now = self.now();
        let mut at = 0;
        while let Some((len, kind)) = read_header(&octets[at..])? {
            let Some(body) = octets.get(at + HEADER_LEN..at + len) else {
                break;
            };
            at += len;
            let heard = self.sessions[client].handle_message(now, kind, body)?;
            match heard {
                Heard::Update(body) => self.take_update(now, client, body)?,
                Heard::Established => self.last_change = now,
                Heard::Nothing => {}
            }
            self.queue_write(client);
            if matches!(self.sessions[client].appetite, Appetite::Nothing)
                && self.sessions[client].state == State::Established
            {
                break;
            }
        }
        Ok(at)
    }

    fn take_update(&mut self, now: Time, client: usize, body: &[u8]) -> Result<(), Fault> {
        let session = &mut self.sessions[client];
        let add_path = !session.add_path_in.is_empty();
        let decoded = self.reader.read(body, add_path, &mut self.model.forms)?;
        let counters = &mut session.counters;
        counters.updates_in += 1;
        counters.ends_of_rib_in += u64::from(decoded.end_of_rib.is_some());
        counters.withdrawn_in += decoded.withdrawn_count as u64;
        counters.announced_in +=
            (decoded.changes.len() + decoded.foreign.len() - decoded.withdrawn_count) as u64;
        let mut changed = !decoded.foreign.is_empty();
        for change in &decoded.changes {
            match self.tables.receive(
                &self.model,
                client,
                change.prefix,
                change.path_id,
                change.form,
            ) {
                Effect::None => counters.unchanged_in += u64::from(change.form != NOTHING),
                Effect::Changed => changed = true,
                Effect::CameRight => {
                    changed = true;
                    if !self.awaited.is_empty()
                        && let Some((since, awaited)) = self.awaited.get_mut(&change.prefix)
                    {
                        self.latency.saturating_record(now.0 - since.0);
                        *awaited -= 1;
                        if *awaited == 0 {
                            self.awaited.remove(&change.prefix);
                        }
                    }
                }
            }
        }
        for &(prefix, form) in &decoded.foreign {
            self.tables.receive_foreign(client, prefix, form);
        }
        if changed {
            self.last_change = now;
            self.first_change.get_or_insert(now);
            if self.tables.wrong_count(client) == 0 {
                session.complete_at = Some(now);
            }
        }
        Ok(())
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
