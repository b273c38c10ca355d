//! Who connects next. Many at a time, and another as soon as one is up, yet few where the server
//! cannot keep up: some have short backlogs.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::refusal::{Stage, stage_of};
use super::{RETRY, Swarm};
use crate::base::Time;
use crate::load::session::State;

/// Sessions in the making at one time: at first and where it goes badly, and at most.
pub(super) const AT_ONCE_MIN: usize = 16;
const AT_ONCE_MAX: usize = 256;
/// A SYN that is lost is sent again after a second.
const SYN_LOST: Duration = Duration::from_millis(900);

pub(super) struct Queue {
    /// Clients and when each may try.
    waiting: BTreeSet<(Time, usize)>,
    in_the_making: usize,
    at_once: usize,
}

impl Queue {
    pub fn new() -> Queue {
        Queue {
            waiting: BTreeSet::new(),
            in_the_making: 0,
            at_once: AT_ONCE_MIN,
        }
    }

    /// The client is to connect, not before `at`.
    pub fn push(&mut self, at: Time, client: usize) {
        self.waiting.insert((at, client));
    }

    /// Takes the next client whose turn it is.
    fn pop(&mut self, now: Time) -> Option<usize> {
        if self.in_the_making >= self.at_once {
            return None;
        }
        let next = self.waiting.first().filter(|(at, _)| *at <= now).copied()?;
        self.waiting.remove(&next);
        Some(next.1)
    }

    /// The TCP connection is there.
    pub fn note_connected(&mut self, since: Time, now: Time) {
        if now.since(since) >= SYN_LOST {
            self.went_badly();
        }
    }

    fn went_well(&mut self) {
        self.at_once = (self.at_once + 1).min(AT_ONCE_MAX);
    }

    fn went_badly(&mut self) {
        self.at_once = (self.at_once / 2).max(AT_ONCE_MIN);
    }
}

impl Swarm {
    /// Begins as many connections as may be in the making.
    pub(super) fn connect_waiting(&mut self) {
        let now = self.now();
        while let Some(client) = self.queue.pop(now) {
            if self.links[client].socket.is_some() || !self.links[client].wanted {
                continue;
            }
            match self.connect(client) {
                Ok(()) => {
                    self.sessions[client].state = State::Connecting;
                    self.sessions[client].connecting_since = Some(now);
                    self.queue.in_the_making += 1;
                }
                Err(error) => self.connect_failed(client, stage_of(&error), &error.to_string()),
            }
        }
    }

    /// The session is up.
    pub(super) fn note_established(&mut self, now: Time, client: usize) {
        self.queue.in_the_making -= 1;
        self.queue.went_well();
        self.established += 1;
        self.last_established = now;
        self.last_change = now;
        self.was_ever_up = true;
        self.refusals[client] = None;
        self.server_asn_heard = self.sessions[client].server_asn;
    }

    pub(super) fn connect_failed(&mut self, client: usize, stage: Stage, why: &str) {
        self.note_refusal(client, stage, why);
        self.queue.went_badly();
        self.disconnect(client);
        self.queue.push(self.now() + RETRY, client);
    }

    pub(super) fn disconnect(&mut self, client: usize) {
        let link = &mut self.links[client];
        if let Some(mut socket) = link.socket.take() {
            let _ = self.poll.registry().deregister(&mut socket);
            match self.sessions[client].state {
                State::Established => self.established -= 1,
                _ => self.queue.in_the_making -= 1,
            }
        }
        link.readable = false;
        link.closed = false;
        link.writable = false;
        self.sessions[client].reset();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_at_once_where_it_goes_well_and_few_where_it_does_not() {
        let mut queue = Queue::new();
        for client in 0..1000 {
            queue.push(Time(client as u64), client);
        }
        let begun = |queue: &mut Queue, now| {
            let begun = std::iter::from_fn(|| {
                let client = queue.pop(now)?;
                queue.in_the_making += 1;
                Some(client)
            });
            begun.count()
        };
        assert_eq!(begun(&mut queue, Time(3)), 4, "whose time has come");
        assert_eq!(begun(&mut queue, Time(1000)), 12);
        for _ in 0..500 {
            queue.went_well();
        }
        assert_eq!(begun(&mut queue, Time(1000)), AT_ONCE_MAX - AT_ONCE_MIN);
        queue.in_the_making = 0;
        for _ in 0..9 {
            queue.went_badly();
        }
        assert_eq!(begun(&mut queue, Time(1000)), AT_ONCE_MIN);
    }
}
