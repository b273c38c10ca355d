//! One TCP connection of a session core: its task, and what the core's loop shares with it.
//!
//! The loop writes; the task reads, and sees to the end. Both step the same session core, on the same
//! thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_lite::future::poll_fn;
use futures_lite::io::AsyncRead;
use glommio::net::TcpStream;
use glommio::timer::Timer;
use socket2::SockRef;

use super::core_thread::Core;
use super::step::CoreStep;
use super::sys;

/// How long a closing connection may take to get rid of what it has to say, and how long it then
/// waits for the peer to have read it.
const FLUSH_MAX: Duration = Duration::from_secs(1);
const LINGER_MAX: Duration = Duration::from_millis(500);
/// Reads of octets that nobody wants, before others get their turn.
const DISCARDS_PER_TURN: usize = 4;

pub struct Connection {
    pub stream: RefCell<TcpStream>,
    task: RefCell<Option<Waker>>,
    /// The socket takes no more for now: it rests (see [`super::rest`]).
    pub blocked: Cell<bool>,
    /// It is in the loop's queue of those to be written.
    pub queued: Cell<bool>,
    closing: Cell<bool>,
    /// A write failed.
    failed: RefCell<Option<String>>,
}

/// Why the task is through.
enum End {
    /// The peer or the network ended it.
    Theirs(String),
    /// The session core said `Close`, and everything is written.
    Ours,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Connection {
        Connection {
            stream: RefCell::new(stream),
            task: RefCell::new(None),
            blocked: Cell::new(false),
            queued: Cell::new(false),
            closing: Cell::new(false),
            failed: RefCell::new(None),
        }
    }

    pub fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Its task flushes what is left.
    pub fn wake_to_close(&self) {
        if self.closing.get() {
            self.wake();
        }
    }

    pub fn close(&self) {
        self.closing.set(true);
        self.wake();
    }

    pub fn fail(&self, error: &io::Error) {
        self.failed
            .borrow_mut()
            .get_or_insert_with(|| error.to_string());
        self.wake();
    }

    pub fn is_writable(&self) -> bool {
        !self.blocked.get() && self.failed.borrow().is_none()
    }

    fn keep_waker(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if !task
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *task = Some(cx.waker().clone());
        }
    }
}

/// The task of a connection, from its start to `handle_closed`.
pub async fn serve<C: CoreStep>(core: Rc<Core<C>>, conn: C::ConnId, connection: Rc<Connection>) {
    let mut flush_limit = None;
    let end = poll_fn(|cx| {
        connection.keep_waker(cx);
        poll_serve(&core, conn, &connection, &mut flush_limit, cx)
    })
    .await;
    let why = match end {
        End::Theirs(why) => why,
        End::Ours => {
            linger(&core, &connection).await;
            "closed here".to_owned()
        }
    };
    core.forget(conn, &why);
}

fn poll_serve<C: CoreStep>(
    core: &Core<C>,
    conn: C::ConnId,
    connection: &Rc<Connection>,
    flush_limit: &mut Option<Timer>,
    cx: &mut Context<'_>,
) -> Poll<End> {
    if let Some(why) = connection.failed.borrow_mut().take() {
        return Poll::Ready(if connection.closing.get() {
            End::Ours
        } else {
            End::Theirs(why)
        });
    }
    if !connection.closing.get() {
        return poll_octets(core, conn, connection, cx).map(End::Theirs);
    }
    if !connection.blocked.get() && core.flush(conn, connection).is_done() {
        return Poll::Ready(End::Ours);
    }
    let limit = flush_limit.get_or_insert_with(|| Timer::new(FLUSH_MAX));
    Pin::new(limit).poll(cx).map(|_| End::Ours)
}

/// Reads while the session core wants octets; after a full buffer, others have their turn. Ready
/// when the connection is over.
fn poll_octets<C: CoreStep>(
    core: &Core<C>,
    conn: C::ConnId,
    connection: &Connection,
    cx: &mut Context<'_>,
) -> Poll<String> {
    // `Action::Read` wakes the task when octets are wanted again.
    while core.wants_octets(conn) {
        let mut buffer = core.read_buffer.borrow_mut();
        match Pin::new(&mut *connection.stream.borrow_mut()).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => return Poll::Ready("the peer closed the connection".to_owned()),
            Poll::Ready(Ok(count)) => {
                core.has_read(conn, &buffer[..count]);
                if count == buffer.len() {
                    cx.waker().wake_by_ref();
                    break;
                }
            }
            Poll::Ready(Err(error)) => return Poll::Ready(error.to_string()),
        }
    }
    Poll::Pending
}

/// Lets the peer read the last octets: closing a socket that holds unread ones resets the
/// connection, and the NOTIFICATION may be lost.
async fn linger<C: CoreStep>(core: &Core<C>, connection: &Connection) {
    let mut limit = Timer::new(LINGER_MAX);
    if SockRef::from(&sys::borrow(&*connection.stream.borrow()))
        .shutdown(Shutdown::Write)
        .is_err()
    {
        return;
    }
    poll_fn(|cx| {
        let mut buffer = core.read_buffer.borrow_mut();
        let mut stream = connection.stream.borrow_mut();
        for _ in 0..DISCARDS_PER_TURN {
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Pin::new(&mut limit).poll(cx).map(drop),
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Pin::new(&mut limit).poll(cx).map(drop)
    })
    .await;
}
