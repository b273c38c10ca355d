//! The connections between clients and session cores: octets carried in pieces of any size, and ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;

use super::{Conn, World};
use crate::speaker::State;
use crate::stale::Helper;

impl World {
    pub(super) fn step_client(&mut self, index: usize) -> Result<bool, String> {
        let now = self.now;
        let host = &mut self.clients[index];
        if host.speaker.poll_timeout() <= now {
            host.speaker.handle_timeout(now);
        }
        if host.conn.is_none() {
            return Ok(self.connect(index));
        }
        let mut progressed = false;
        let conn = host.conn.as_mut().expect("checked above");
        if !conn.client_done {
            let sent: Vec<u8> = host.speaker.outbox.drain(..).collect();
            self.moves += u64::from(sent.len() > 19);
            progressed |= !sent.is_empty();
            conn.to_server.extend(sent);
        }
        progressed |= self.carry_to_server(index);
        progressed |= self.carry_to_client(index)?;
        progressed |= self.close(index);
        Ok(progressed)
    }

    fn connect(&mut self, index: usize) -> bool {
        let now = self.now;
        let host = &self.clients[index];
        if !host.is_on || host.retry_at > now {
            return false;
        }
        // The core that owns a client is known to whoever accepts the connection.
        let Some(client) = self.exchange.client_at(host.address) else {
            self.pause(index);
            return false;
        };
        let core = client.core.index();
        let remote = SocketAddr::new(host.address, 40_000);
        let local = SocketAddr::from(([10, 77, 255, 254], 179));
        let accepted = self.cores[core].core.handle_accepted(now, remote, local);
        let Some(id) = accepted else {
            self.drain_core(core);
            self.pause(index);
            return false;
        };
        self.cores[core].conns.insert(id, index);
        let host = &mut self.clients[index];
        host.conn = Some(Conn {
            core,
            id,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            may_write: false,
            server_closes: false,
            server_done: false,
            client_done: false,
        });
        host.speaker.handle_connected(now);
        self.drain_core(core);
        true
    }

    /// The client drops its connection without a word. False: not now.
    pub fn cut(&mut self, client: usize, helper: Helper) -> bool {
        let host = &mut self.clients[client];
        if host.speaker.is_in_between() {
            return false;
        }
        if let Some(conn) = host.conn.as_mut().filter(|conn| !conn.client_done) {
            host.speaker.leave(self.now, helper);
            conn.client_done = true;
            if host.speaker.left.is_some() {
                // What a helper has to keep is known only where nothing is lost.
                conn.to_server.extend(host.speaker.outbox.drain(..));
            } else if self.rng.percent(50) {
                conn.to_server.clear();
            }
            conn.to_client.clear();
        }
        self.clients[client].speaker.handle_closed();
        self.pause(client);
        true
    }

    /// The client's machine restarts so fast that it connects before the server has heard of it.
    pub fn come_anew(&mut self, index: usize, helper: Helper) {
        let now = self.now;
        let host = &mut self.clients[index];
        let is_up = host.speaker.state == State::Established && host.speaker.hello.helped.is_some();
        let Some(old) = host
            .conn
            .take_if(|conn| is_up && !conn.client_done && !conn.server_closes)
        else {
            return;
        };
        let mut octets: Vec<u8> = old.to_server.into();
        octets.extend(host.speaker.outbox.drain(..));
        host.speaker.leave(now, helper);
        host.speaker.handle_closed();
        host.retry_at = now;
        self.cores[old.core]
            .core
            .handle_octets(now, old.id, &octets);
        self.drain_core(old.core);
        let is_back = self.connect(index);
        self.news += u64::from(is_back);
        // By now the server has given it up, or it is noticed otherwise.
        self.cores[old.core].conns.remove(&old.id);
        let why = "closed by the simulation";
        self.cores[old.core].core.handle_closed(now, old.id, why);
        self.drain_core(old.core);
        self.moves += 1;
    }

    fn carry_to_server(&mut self, index: usize) -> bool {
        let conn = self.clients[index]
            .conn
            .as_mut()
            .expect("there is a connection");
        let (core, id) = (conn.core, conn.id);
        if conn.server_done || conn.to_server.is_empty() || !self.cores[core].core.wants_octets(id)
        {
            return false;
        }
        let most = conn
            .to_server
            .len()
            .min(*self.rng.pick(&[1, 20, 600, 5_000, 70_000]));
        let octets: Vec<u8> = conn.to_server.drain(..most).collect();
        self.moves += u64::from(octets.len() != 19 || octets[18] != 4);
        self.cores[core].core.handle_octets(self.now, id, &octets);
        self.drain_core(core);
        true
    }

    fn carry_to_client(&mut self, index: usize) -> Result<bool, String> {
        let now = self.now;
        let host = &mut self.clients[index];
        let conn = host.conn.as_mut().expect("there is a connection");
        let (core, id) = (conn.core, conn.id);
        let mut progressed = false;
        let room = host.window.saturating_sub(conn.to_client.len());
        if (conn.may_write || conn.server_closes)
            && !conn.server_done
            && (room > 0 || conn.client_done)
        {
            let most = if self.rng.percent(30) {
                room.min(self.rng.between(1, 3_000))
            } else {
                room
            };
            let shown_max = *self.rng.pick(&[1, 50, 5_000, 300_000]);
            let to_client = &mut conn.to_client;
            let written = self.cores[core].core.write(now, id, shown_max, |slices| {
                let octets = slices.iter().flat_map(|slice| slice.iter());
                let before = to_client.len();
                to_client.extend(octets.take(most));
                Ok::<_, Infallible>(to_client.len() - before)
            });
            let Ok(written) = written;
            conn.may_write &= written.offered > 0;
            self.moves += u64::from(written.taken > 0 && written.taken != 19);
            if written.taken > 0 {
                progressed = true;
                self.drain_core(core);
            }
        }
        let host = &mut self.clients[index];
        let conn = host.conn.as_mut().expect("there is a connection");
        if conn.client_done {
            conn.to_client.clear();
        } else if host.deaf_until <= now && !conn.to_client.is_empty() {
            let most = conn
                .to_client
                .len()
                .min(*self.rng.pick(&[1, 50, 4_000, 70_000]));
            let octets: Vec<u8> = conn.to_client.drain(..most).collect();
            self.moves += u64::from(octets.len() != 19);
            host.speaker.handle_octets(&octets)?;
            progressed = true;
        }
        Ok(progressed)
    }

    /// Carries the end of the connection from either side to the other.
    fn close(&mut self, index: usize) -> bool {
        let now = self.now;
        let host = &mut self.clients[index];
        let conn = host.conn.as_mut().expect("there is a connection");
        let (core, id) = (conn.core, conn.id);
        let mut progressed = false;
        if host.speaker.is_closing && !conn.client_done && host.speaker.outbox.is_empty() {
            conn.client_done = true;
            progressed = true;
        }
        let server_gives_up = conn.server_closes && (!conn.may_write || self.rng.percent(10));
        let client_is_gone = conn.client_done && (conn.to_server.is_empty() || conn.server_closes);
        if !conn.server_done && (server_gives_up || client_is_gone) {
            conn.server_done = true;
            progressed = true;
            self.cores[core].conns.remove(&id);
            self.cores[core]
                .core
                .handle_closed(now, id, "closed by the simulation");
            self.drain_core(core);
        }
        let host = &mut self.clients[index];
        let conn = host.conn.as_mut().expect("there is a connection");
        // The rest of what the server sent is read before the end of the stream is seen.
        if conn.server_done && (conn.client_done || conn.to_client.is_empty()) {
            host.speaker.handle_ended(now);
            host.conn = None;
            self.moves += 1;
            self.pause(index);
            progressed = true;
        }
        progressed
    }
}
