//! One session core on its executor: the stepped value, its connections and its mailboxes, shared
//! by the loop and the tasks of one thread.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use glommio::net::TcpStream;
use rustc_hash::FxBuildHasher;
use tokio::sync::oneshot;

use crate::base::{ClientSlot, CoreId, ShardId, Time};
use crate::fanout::Written;
use crate::server::exchange::Exchange;
use crate::server::message::ToCore;
use crate::server::query::{CoreCommand, CoreReply};

use super::clock::Clock;
use super::connection::{Connection, serve};
use super::mailbox::{Bell, Mailbox, Outlet};
use super::rest::Resting;
use super::shard_thread::ShardMail;
use super::sockets::Unkeyed;
use super::step::CoreStep;
use super::sys;
use super::thread_state::ThreadState;

/// Octets of one `sendmsg`, about.
const SEND_OCTETS: usize = 256 << 10;
/// What one connection may write before others have their turn.
const FLUSH_OCTETS: usize = 1 << 20;
const READ_OCTETS: usize = 64 << 10;
/// Octets read before shards get what came of them; the loop sends the rest, in one go.
const UNSENT_MAX: usize = 64 << 10;

/// Into a session core's thread, from the management plane and from the core that accepts.
pub enum CoreMail {
    Command(CoreCommand, oneshot::Sender<CoreReply>),
    Accepted(OwnedFd),
    /// To the core that accepts.
    Unkeyed(Arc<Unkeyed>),
}

/// How a session core's thread reaches everybody else.
pub struct CoreLinks<N> {
    pub bell: Bell,
    pub mail: Mailbox<CoreMail>,
    pub notices: Mailbox<(CoreId, N)>,
    pub deltas: Mailbox<(ShardId, ToCore)>,
    /// By shard.
    pub to_shards: Vec<Outlet<ShardMail>>,
    /// By core; the way to itself is unused.
    pub to_cores: Vec<Outlet<(CoreId, N)>>,
    /// By core, in the one that accepts.
    pub hand_over: Vec<Outlet<CoreMail>>,
    pub state: Arc<ThreadState>,
}

/// What became of an attempt to write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing is left.
    Done,
    /// Others come first; there is more.
    More,
    /// The socket is full and rests, or is broken and the connection's task takes over.
    Stuck,
}

impl Flushed {
    pub fn is_done(self) -> bool {
        self == Flushed::Done
    }
}

pub struct Core<C: CoreStep> {
    pub id: CoreId,
    pub clock: Clock,
    pub step: RefCell<C>,
    pub exchange: RefCell<Arc<Exchange>>,
    /// In the core that accepts: whom it must not let in.
    pub unkeyed: RefCell<Arc<Unkeyed>>,
    pub connections: RefCell<HashMap<C::ConnId, Rc<Connection>, FxBuildHasher>>,
    /// Outgoing connections under way; a newer attempt makes an older one void.
    pub attempts: RefCell<HashMap<ClientSlot, u64, FxBuildHasher>>,
    pub next_attempt: Cell<u64>,
    /// Connections with something to write, each once.
    pub writable: RefCell<VecDeque<C::ConnId>>,
    pub links: RefCell<CoreLinks<C::Notice>>,
    /// Shards that refused a message and have not said that there is room.
    pub full_shards: RefCell<Vec<ShardId>>,
    /// Notices that a core refused.
    pub held_notices: RefCell<VecDeque<(CoreId, C::Notice)>>,
    pub read_buffer: RefCell<Box<[u8]>>,
    resting: RefCell<Resting<C::ConnId>>,
    /// Octets read since shards last got something.
    unsent: Cell<usize>,
    /// Octets written so far.
    pub written: Cell<u64>,
    /// A task did something that the loop has to look at.
    rung: Cell<bool>,
    pub loop_waker: RefCell<Option<Waker>>,
}

impl<C: CoreStep> Core<C> {
    pub fn new(
        id: CoreId,
        exchange: Arc<Exchange>,
        seed: u64,
        clock: Clock,
        links: CoreLinks<C::Notice>,
    ) -> Core<C> {
        Core {
            id,
            clock,
            step: RefCell::new(C::new(id, Arc::clone(&exchange), seed, clock.now())),
            exchange: RefCell::new(exchange),
            unkeyed: RefCell::default(),
            connections: RefCell::default(),
            attempts: RefCell::default(),
            next_attempt: Cell::new(0),
            writable: RefCell::default(),
            links: RefCell::new(links),
            full_shards: RefCell::default(),
            held_notices: RefCell::default(),
            read_buffer: RefCell::new(vec![0; READ_OCTETS].into_boxed_slice()),
            resting: RefCell::default(),
            unsent: Cell::new(0),
            written: Cell::new(0),
            rung: Cell::new(false),
            loop_waker: RefCell::default(),
        }
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// From a task: the loop has something to look at.
    pub fn ring(&self) {
        if !self.rung.replace(true)
            && let Some(waker) = &*self.loop_waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    pub fn take_rung(&self) -> bool {
        self.rung.take()
    }

    /// Starts the task of a connection that the session core has taken.
    pub fn adopt(self: &Rc<Self>, conn: C::ConnId, stream: TcpStream) {
        let connection = Rc::new(Connection::new(stream));
        let before = self
            .connections
            .borrow_mut()
            .insert(conn, Rc::clone(&connection));
        assert!(
            before.is_none(),
            "a connection's number is never used twice"
        );
        glommio::spawn_local(serve(Rc::clone(self), conn, connection)).detach();
        self.ring();
    }

    /// The last word on a connection; its socket closes with its task.
    pub fn forget(&self, conn: C::ConnId, why: &str) {
        self.connections.borrow_mut().remove(&conn);
        self.step.borrow_mut().handle_closed(self.now(), conn, why);
        self.ring();
    }

    pub fn wants_octets(&self, conn: C::ConnId) -> bool {
        self.step.borrow().wants_octets(conn)
    }

    /// Octets from a client. Shards are not woken for each few of them, but soon enough for a
    /// refusal to stop the reading.
    pub fn has_read(&self, conn: C::ConnId, octets: &[u8]) {
        self.step
            .borrow_mut()
            .handle_octets(self.now(), conn, octets);
        self.unsent.set(self.unsent.get() + octets.len());
        if self.unsent.get() >= UNSENT_MAX {
            self.send_to_shards();
        }
        self.ring();
    }

    pub fn queue_write(&self, conn: C::ConnId, connection: &Connection) {
        if connection.is_writable() && !connection.queued.replace(true) {
            self.writable.borrow_mut().push_back(conn);
        }
    }

    /// Writes what a connection has queued, as far as its socket and [`FLUSH_OCTETS`] go.
    pub fn flush(&self, conn: C::ConnId, connection: &Rc<Connection>) -> Flushed {
        let mut written = 0;
        while written < FLUSH_OCTETS {
            let sent = self
                .step
                .borrow_mut()
                .write(self.now(), conn, SEND_OCTETS, |slices| {
                    sys::send(&*connection.stream.borrow(), slices)
                });
            match sent {
                Ok(Written { offered: 0, .. }) => return Flushed::Done,
                Ok(Written { offered, taken }) => {
                    written += taken;
                    self.written.set(self.written.get() + taken as u64);
                    if taken < offered {
                        return self.stuck(conn, connection);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.stuck(conn, connection);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    connection.fail(&error);
                    return Flushed::Stuck;
                }
            }
        }
        Flushed::More
    }

    fn stuck(&self, conn: C::ConnId, connection: &Rc<Connection>) -> Flushed {
        connection.blocked.set(true);
        self.resting.borrow_mut().add(self.now(), conn, connection);
        Flushed::Stuck
    }

    /// When sockets that were found full are looked at again.
    pub fn rest_until(&self) -> Option<Time> {
        self.resting.borrow().until()
    }

    /// Writes on where there is room again.
    pub fn end_rest(&self) {
        let rested = self.resting.borrow_mut().take_rested(self.now());
        for (conn, connection) in rested {
            connection.blocked.set(false);
            self.queue_write(conn, &connection);
            connection.wake_to_close();
        }
    }

    /// Until the session core has nothing for shards that take it.
    pub fn send_to_shards(&self) {
        self.unsent.set(0);
        let (mut step, links) = (self.step.borrow_mut(), self.links.borrow());
        while let Some((shard, message)) = step.poll_to_shard() {
            if let Err(ShardMail::Message(message)) =
                links.to_shards[shard.index()].offer(ShardMail::Message(message))
            {
                step.put_back(shard, message);
                let mut full = self.full_shards.borrow_mut();
                if !full.contains(&shard) {
                    full.push(shard);
                }
            }
        }
    }
}
