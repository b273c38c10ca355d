//! TCP connections as a session core knows them: a name, an owner and what waits to be written.

use std::cell::Cell;
use std::net::SocketAddr;

use crate::base::{ClientSlot, Time};
use crate::fanout::{Gauge, SendQueue};
use crate::session::Way;

/// A connection of one session core: index and generation. Never names two connections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct ConnId(u32, u32);

impl ConnId {
    /// A small number that no other open connection of this core has.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

pub(super) struct Connection {
    /// `None` once the session is done with it: what is queued goes out, then it is closed.
    pub owner: Option<(ClientSlot, Way)>,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub out: SendQueue,
    /// When the oldest UPDATE had come of which something waits to be written.
    pub heard: Time,
    /// The writer knows that there is something to write.
    pub write_told: bool,
    /// The session knows that something waits to be written (RFC 9687).
    pub queued_told: bool,
    /// The reader was told to stop and waits for [`super::CoreAction::Read`].
    pub held: Cell<bool>,
}

#[derive(Default)]
pub(super) struct Connections {
    entries: Vec<(u32, Option<Connection>)>,
    free: Vec<u32>,
    count: usize,
}

impl Connections {
    pub fn insert(
        &mut self,
        slot: ClientSlot,
        way: Way,
        (local, remote): (SocketAddr, SocketAddr),
        gauge: &Gauge,
    ) -> ConnId {
        let connection = Connection {
            owner: Some((slot, way)),
            local,
            remote,
            out: SendQueue::counted(gauge),
            heard: Time::NEVER,
            write_told: false,
            queued_told: false,
            held: Cell::new(false),
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push((0, None));
            self.entries.len() as u32 - 1
        });
        let (generation, entry) = &mut self.entries[index as usize];
        *entry = Some(connection);
        self.count += 1;
        ConnId(index, *generation)
    }

    pub fn get(&self, conn: ConnId) -> Option<&Connection> {
        match self.entries.get(conn.index())? {
            (generation, Some(connection)) if *generation == conn.1 => Some(connection),
            _ => None,
        }
    }

    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        match self.entries.get_mut(conn.index())? {
            (generation, Some(connection)) if *generation == conn.1 => Some(connection),
            _ => None,
        }
    }

    pub fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        self.get(conn)?;
        let (generation, entry) = &mut self.entries[conn.index()];
        *generation = generation.wrapping_add(1);
        self.free.push(conn.0);
        self.count -= 1;
        entry.take()
    }

    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(index, (generation, entry))| {
                Some((ConnId(index as u32, *generation), entry.as_ref()?))
            })
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Connection)> {
        self.entries
            .iter_mut()
            .enumerate()
            .filter_map(|(index, (generation, entry))| {
                Some((ConnId(index as u32, *generation), entry.as_mut()?))
            })
    }
}
