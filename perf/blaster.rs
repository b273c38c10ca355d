//! The blaster: accepts the clients of `rialto load`, given the same words, discards what they
//! announce, and once all have announced writes each of them its own final table, optimally packed,
//! as references into shared pieces. One thread, and nothing else: its CPU time is what the kernel
//! charges for the octets alone. All is prepared before it listens.

#[path = "blaster/client.rs"]
mod client;
#[path = "blaster/octets.rs"]
#[allow(dead_code)] // it is shared with `steps`
mod octets;

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rialto::load::args::LoadArgs;
use rialto::load::owed::Owed;
use rialto::runtime::sys;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use client::{Client, Stage};

const LISTENER: Token = Token(usize::MAX);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
/// Octets read at a time.
const SCRATCH: usize = 256 << 10;
/// What Linux takes at a time (UIO_MAXIOV).
const SLICES_MAX: usize = 1024;
/// Octets that are enough for one call.
const BATCH: usize = 256 << 10;

/// Writes clients of `rialto load` their final tables, and does nothing else
#[derive(Parser)]
struct Words {
    /// Congestion control of the session sockets (default: the host's)
    #[arg(long, value_name = "NAME")]
    congestion: Option<String>,
    /// As for `rialto load`; --target is where it listens
    #[command(flatten)]
    load: LoadArgs,
}

struct Blaster {
    owed: Owed,
    poll: Poll,
    clients: Vec<Client>,
    sockets: Vec<Option<TcpStream>>,
    by_address: HashMap<IpAddr, usize>,
    /// Clients that have announced their table.
    announced_count: usize,
    congestion: Option<String>,
    scratch: Vec<u8>,
}

fn main() -> ExitCode {
    match run(Words::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("blaster: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: Words) -> Result<(), Box<dyn std::error::Error>> {
    let owed = Owed::prepare(&words.load)?;
    let total: usize = (0..owed.receivers.len())
        .map(|client| owed.table_len(client))
        .sum();
    eprintln!(
        "blaster: {total} octets for {} clients, {} of them distinct",
        owed.receivers.len(),
        owed.distinct_len()
    );
    sys::raise_limit(sys::Resource::OpenFiles, owed.receivers.len() as u64 + 64)?;
    let mut listener = listen(&words)?;
    let mut blaster = Blaster::new(owed, words.congestion)?;
    let registry = blaster.poll.registry();
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    Ok(blaster.serve(&listener)?)
}

fn listen(words: &Words) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&words.load.target.into())?;
    socket.listen(4096)?;
    Ok(TcpListener::from_std(socket.into()))
}

impl Blaster {
    fn new(owed: Owed, congestion: Option<String>) -> io::Result<Blaster> {
        let count = owed.receivers.len();
        let receivers = owed.receivers.iter().zip(0..);
        Ok(Blaster {
            by_address: receivers
                .map(|(receiver, client)| (IpAddr::V4(receiver.address), client))
                .collect(),
            poll: Poll::new()?,
            clients: (0..count).map(|_| Client::default()).collect(),
            sockets: (0..count).map(|_| None).collect(),
            announced_count: 0,
            congestion,
            scratch: vec![0; SCRATCH],
            owed,
        })
    }

    /// Until a signal ends the process.
    fn serve(&mut self, listener: &TcpListener) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut keepalive_at = now() + KEEPALIVE_EVERY;
        loop {
            let left = keepalive_at.saturating_duration_since(now());
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept(listener)?;
                    continue;
                }
                let client = event.token().0;
                let result = match event.is_readable() {
                    true => self.read(client),
                    false => Ok(()),
                };
                let result = result.and_then(|()| match event.is_writable() {
                    true => self.write(client),
                    false => Ok(()),
                });
                self.lose_if(client, result);
            }
            if now() >= keepalive_at {
                keepalive_at = now() + KEEPALIVE_EVERY;
                self.keep_alive();
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let (mut stream, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let Some(&client) = self.by_address.get(&peer.ip()) else {
                continue;
            };
            stream.set_nodelay(true)?;
            if let Some(name) = &self.congestion {
                SockRef::from(&stream).set_tcp_congestion(name.as_bytes())?;
            }
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut stream, Token(client), interest)?;
            self.clients[client] = Client::default();
            self.sockets[client] = Some(stream);
        }
    }

    /// All that there is, of which only the kind of each message counts.
    fn read(&mut self, client: usize) -> io::Result<()> {
        loop {
            let Some(socket) = &mut self.sockets[client] else {
                return Ok(());
            };
            let count = match socket.read(&mut self.scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let had_announced = self.clients[client].stage == Stage::Announced;
            self.clients[client].handle_octets(&self.owed, client, &self.scratch[..count])?;
            self.write(client)?;
            if self.clients[client].stage == Stage::Announced && !had_announced {
                self.announced_count += 1;
                if self.announced_count == self.clients.len() {
                    self.begin();
                }
            }
            // Fewer octets than asked for: an event will tell of more.
            if count < SCRATCH {
                return Ok(());
            }
        }
    }

    /// Everybody has announced, so everybody is due its table.
    fn begin(&mut self) {
        for client in 0..self.clients.len() {
            self.clients[client].stage = Stage::Due;
            let result = self.write(client);
            self.lose_if(client, result);
        }
    }

    /// As much as the socket takes.
    fn write(&mut self, client: usize) -> io::Result<()> {
        let Some(socket) = &self.sockets[client] else {
            return Ok(());
        };
        let state = &mut self.clients[client];
        loop {
            let mut slices: Vec<IoSlice<'_>> = Vec::new();
            let mut octets = 0;
            for piece in state.unsent(&self.owed, client) {
                octets += piece.len();
                slices.push(IoSlice::new(piece));
                if octets >= BATCH || slices.len() == SLICES_MAX {
                    break;
                }
            }
            if slices.is_empty() {
                return Ok(());
            }
            match sys::send(socket, &slices) {
                Ok(count) => state.handle_sent(&self.owed, client, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn keep_alive(&mut self) {
        for client in 0..self.clients.len() {
            self.clients[client].keep_alive();
            let result = self.write(client);
            self.lose_if(client, result);
        }
    }

    fn lose_if(&mut self, client: usize, result: io::Result<()>) {
        if result.is_ok() {
            return;
        }
        if self.clients[client].stage >= Stage::Announced {
            self.announced_count -= 1;
        }
        self.sockets[client] = None;
        self.clients[client] = Client::default();
    }
}

/// An example is no part of what the simulation steps.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}
