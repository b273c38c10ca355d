//! Connections come into being: accepted by the first session core and handed to the client's own,
//! or made by the core that owns the client.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::poll_fn;
use futures_lite::io::AsyncWrite;
use glommio::net::TcpStream;
use glommio::timer::Timer;
use socket2::SockRef;

use crate::base::{ClientSlot, CoreId, Time};

use super::core_thread::{Core, CoreMail};
use super::sockets;
use super::step::CoreStep;
use super::sys;

/// Connections accepted in a row before the loop has its turn.
const ACCEPTS_PER_TURN: u32 = 16;
/// Pause when accepting fails: out of descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// At most one log line in this time about connections that were refused.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// For as long as the server runs.
pub async fn accept_all<C: CoreStep>(core: Rc<Core<C>>, listener: TcpListener) {
    let listener = sys::into_listener(listener);
    let log = RefusalLog::default();
    for accepted in 1u32.. {
        match listener.accept().await {
            Ok(stream) => route(&core, stream, &log),
            Err(error) => {
                log.note(
                    core.now(),
                    format_args!("accepting connections fails: {error}"),
                );
                Timer::new(ACCEPT_PAUSE).await;
            }
        }
        if accepted.is_multiple_of(ACCEPTS_PER_TURN) {
            glommio::executor().yield_task_queue_now().await;
        }
    }
}

/// To the session core of the client that has the address; to nobody if no client has.
fn route<C: CoreStep>(core: &Rc<Core<C>>, stream: TcpStream, log: &RefusalLog) {
    // A peer that is gone already has no address any more.
    let Ok((remote, _)) = ends(&stream) else {
        return log.note(
            core.now(),
            format_args!("a connection ended before it was accepted"),
        );
    };
    if let Some(why) = core.unkeyed.borrow().get(&remote.ip()) {
        core.step.borrow_mut().handle_refused();
        return log.note(core.now(), format_args!("{why}; then `rialto reload`"));
    }
    let owner = core
        .exchange
        .borrow()
        .client_at(remote.ip())
        .map(|client| client.core);
    match owner {
        Some(owner) if owner != core.id => hand_over(core, owner, &stream, log),
        Some(_) => take(core, stream),
        None => {
            // The session core refuses it too, and counts it.
            take(core, stream);
            log.note(
                core.now(),
                format_args!("no client has the address {}", remote.ip()),
            );
        }
    }
}

/// The other core gets a descriptor of its own: a stream is bound to the executor that accepted it.
fn hand_over<C: CoreStep>(core: &Core<C>, owner: CoreId, stream: &TcpStream, log: &RefusalLog) {
    match sys::borrow(stream).try_clone_to_owned() {
        Ok(socket) => {
            let refused = core.links.borrow().hand_over[owner.index()]
                .offer(CoreMail::Accepted(socket))
                .is_err();
            if refused {
                log.note(
                    core.now(),
                    format_args!("session core {owner} is too busy for new connections"),
                );
            }
        }
        Err(error) => log.note(
            core.now(),
            format_args!("it cannot be handed to session core {owner}: {error}"),
        ),
    }
}

/// In the core of the client: asks the session core, and starts the connection's task.
pub fn take<C: CoreStep>(core: &Rc<Core<C>>, stream: TcpStream) {
    let Ok((remote, local)) = ends(&stream) else {
        return;
    };
    if let Some(client) = core.exchange.borrow().client_at(remote.ip())
        && !sockets::set_session_options(&stream, client)
    {
        return;
    }
    let conn = core
        .step
        .borrow_mut()
        .handle_accepted(core.now(), remote, local);
    match conn {
        Some(conn) => core.adopt(conn, stream),
        None => core.ring(),
    }
}

fn ends(stream: &impl AsRawFd) -> io::Result<(SocketAddr, SocketAddr)> {
    let fd = sys::borrow(stream);
    let socket = SockRef::from(&fd);
    let inet = |address: socket2::SockAddr| {
        address
            .as_socket()
            .map(canonical)
            .ok_or(io::ErrorKind::AddrNotAvailable)
    };
    Ok((inet(socket.peer_addr()?)?, inet(socket.local_addr()?)?))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `Action::Connect`: a newer attempt of a client makes an older one void.
pub fn start_to_connect<C: CoreStep>(core: &Rc<Core<C>>, slot: ClientSlot, remote: SocketAddr) {
    let attempt = core.next_attempt.get();
    core.next_attempt.set(attempt + 1);
    core.attempts.borrow_mut().insert(slot, attempt);
    let core = Rc::clone(core);
    let task = async move {
        let result = connect(&core, slot, remote).await;
        let is_void = core.attempts.borrow().get(&slot) != Some(&attempt);
        if is_void {
            return;
        }
        core.attempts.borrow_mut().remove(&slot);
        let result = result.and_then(|stream| Ok((ends(&stream)?.1, stream)));
        match result {
            Ok((local, stream)) => {
                let conn = core
                    .step
                    .borrow_mut()
                    .handle_connected(core.now(), slot, local);
                if let Some(conn) = conn {
                    core.adopt(conn, stream);
                }
            }
            Err(error) => {
                core.step
                    .borrow_mut()
                    .handle_connect_failed(core.now(), slot, &error.to_string())
            }
        }
        core.ring();
    };
    glommio::spawn_local(task).detach();
}

async fn connect<C: CoreStep>(
    core: &Core<C>,
    slot: ClientSlot,
    remote: SocketAddr,
) -> io::Result<TcpStream> {
    let exchange = core.exchange.borrow().clone();
    let client = exchange
        .client(slot)
        .ok_or_else(|| io::Error::other("the client is not configured any more"))?;
    let mut stream = sys::into_stream(sockets::connect(&exchange, client, remote)?);
    let mut limit = Timer::new(CONNECT_MAX);
    // Writing no octets to a socket that connects waits for it to be connected.
    poll_fn(|cx| match Pin::new(&mut stream).poll_write(cx, &[]) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => Pin::new(&mut limit)
            .poll(cx)
            .map(|_| Err(io::ErrorKind::TimedOut.into())),
    })
    .await?;
    match SockRef::from(&sys::borrow(&stream)).take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

/// One line for many refusals.
#[derive(Default)]
struct RefusalLog {
    next: Cell<Time>,
    unsaid: Cell<u64>,
}

impl RefusalLog {
    fn note(&self, now: Time, what: std::fmt::Arguments<'_>) {
        if now < self.next.get() {
            return self.unsaid.set(self.unsaid.get() + 1);
        }
        self.next.set(now + LOG_EVERY);
        tracing::warn!(
            unsaid_before = self.unsaid.take(),
            "refused a connection: {what}"
        );
    }
}
