//! The loop of a session core's executor: mail, deltas, timers, actions and writes, a bounded
//! piece of each, then the connections' tasks; and sleep when there is nothing.

use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_lite::future::poll_fn;
use futures_lite::io::AsyncRead;
use glommio::net::UnixStream;
use glommio::timer::Timer;

use crate::base::Time;
use crate::server::query::CoreCommand;

use super::accept;
use super::core_thread::{Core, CoreMail, Flushed};
use super::step::{Action, CoreStep};
use super::sys;

/// Messages from shards, and connections written, before others have their turn.
const DELTAS_PER_TURN: usize = 32;
const WRITES_PER_TURN: usize = 64;
const MAIL_PER_TURN: usize = 64;
const WRITE_OCTETS_PER_TURN: u64 = 4 << 20;

/// Until the thread is stopped, or shut down and everything is flushed.
pub async fn run<C: CoreStep>(
    core: Rc<Core<C>>,
    bell: std::os::unix::net::UnixStream,
    listeners: Vec<TcpListener>,
) {
    let mut bell = sys::into_local_stream(bell);
    let listening: Vec<_> = (listeners.into_iter())
        .map(|listener| glommio::spawn_local(accept::accept_all(Rc::clone(&core), listener)))
        .collect();
    let state = core.links.borrow().state.clone();
    let mut listening = Some(listening);
    while !state.is_stopped() {
        if turn(&core) {
            glommio::executor().yield_task_queue_now().await;
            continue;
        }
        if core.step.borrow().is_over() && core.connections.borrow().is_empty() {
            break;
        }
        sleep(&core, &mut bell).await;
    }
    // Tasks are cancelled where they are dropped.
    drop(listening.take());
}

/// Whether there is more to do right away.
fn turn<C: CoreStep>(core: &Rc<Core<C>>) -> bool {
    let mut more = take_mail(core);
    more |= take_notices(core);
    tell_of_room(core);
    more |= take_deltas(core);
    let now = core.now();
    if core
        .step
        .borrow()
        .poll_timeout()
        .is_some_and(|due| due <= now)
    {
        core.step.borrow_mut().handle_timeout(now);
    }
    if core.rest_until().is_some_and(|until| until <= now) {
        core.end_rest();
    }
    let written = core.written.get();
    speak(core);
    more |= write(core);
    if core.written.get() != written {
        // What was written may have led to more to say, and to room for deltas.
        speak(core);
        more |= !core.writable.borrow().is_empty();
    }
    more || core.take_rung()
}

/// Takes all that the session core has to say to others.
fn speak<C: CoreStep>(core: &Rc<Core<C>>) {
    core.send_to_shards();
    send_notices(core);
    act(core);
}

fn take_mail<C: CoreStep>(core: &Rc<Core<C>>) -> bool {
    for _ in 0..MAIL_PER_TURN {
        let Some(mail) = core.links.borrow_mut().mail.take() else {
            return false;
        };
        match mail {
            CoreMail::Accepted(socket) => accept::take(core, sys::into_stream(socket.into())),
            CoreMail::Unkeyed(unkeyed) => *core.unkeyed.borrow_mut() = unkeyed,
            CoreMail::Command(command, answer) => {
                if let CoreCommand::Reload(exchange) = &command {
                    *core.exchange.borrow_mut() = exchange.clone();
                }
                let reply = core.step.borrow_mut().handle_command(core.now(), command);
                // Whoever asked may have given up.
                let _ = answer.send(reply);
            }
        }
    }
    true
}

fn take_notices<C: CoreStep>(core: &Core<C>) -> bool {
    let mut links = core.links.borrow_mut();
    for _ in 0..MAIL_PER_TURN {
        let Some((from, notice)) = links.notices.take() else {
            links.notices.tell_room();
            return false;
        };
        core.step.borrow_mut().handle_core(core.now(), from, notice);
    }
    links.notices.tell_room();
    true
}

fn tell_of_room<C: CoreStep>(core: &Core<C>) {
    let links = core.links.borrow();
    core.full_shards.borrow_mut().retain(|&shard| {
        let waiting = links.to_shards[shard.index()].is_waiting();
        if !waiting {
            core.step.borrow_mut().handle_shard_room(shard);
        }
        waiting
    });
}

fn take_deltas<C: CoreStep>(core: &Core<C>) -> bool {
    let mut links = core.links.borrow_mut();
    let mut step = core.step.borrow_mut();
    let now = core.now();
    let mut more = false;
    for taken in 1..=DELTAS_PER_TURN {
        if !step.wants_deltas() {
            break;
        }
        let Some((shard, message)) = links.deltas.take() else {
            break;
        };
        step.handle_shard(now, shard, message);
        more = taken == DELTAS_PER_TURN;
    }
    links.deltas.tell_room();
    more
}

fn send_notices<C: CoreStep>(core: &Core<C>) {
    let links = core.links.borrow();
    let mut held = core.held_notices.borrow_mut();
    // They are few (start-up): when one core's mailbox is full, all wait.
    loop {
        let next = held
            .pop_front()
            .or_else(|| core.step.borrow_mut().poll_to_core());
        let Some((to, notice)) = next else { return };
        if let Err((_, notice)) = links.to_cores[to.index()].offer((core.id, notice)) {
            return held.push_front((to, notice));
        }
    }
}

fn act<C: CoreStep>(core: &Rc<Core<C>>) {
    loop {
        let Some(action) = core.step.borrow_mut().poll_action() else {
            return;
        };
        if let Action::Connect { slot, remote } = action {
            accept::start_to_connect(core, slot, remote);
            continue;
        }
        let (Action::Close { conn } | Action::Write { conn } | Action::Read { conn }) = action
        else {
            unreachable!()
        };
        // It may have ended meanwhile.
        let Some(connection) = core.connections.borrow().get(&conn).cloned() else {
            continue;
        };
        match action {
            Action::Write { .. } => core.queue_write(conn, &connection),
            Action::Read { .. } => connection.wake(),
            _ => connection.close(),
        }
    }
}

/// Whether connections are left that can be written to.
fn write<C: CoreStep>(core: &Core<C>) -> bool {
    let enough = core.written.get() + WRITE_OCTETS_PER_TURN;
    for _ in 0..WRITES_PER_TURN {
        if core.written.get() >= enough {
            break;
        }
        let Some(conn) = core.writable.borrow_mut().pop_front() else {
            return false;
        };
        let Some(connection) = core.connections.borrow().get(&conn).cloned() else {
            continue;
        };
        connection.queued.set(false);
        if connection.is_writable() && core.flush(conn, &connection) == Flushed::More {
            core.queue_write(conn, &connection);
        }
    }
    !core.writable.borrow().is_empty()
}

/// Until a task or another thread rings, or the session core's next deadline.
async fn sleep<C: CoreStep>(core: &Core<C>, bell: &mut UnixStream) {
    core.links.borrow().bell.will_sleep();
    if !has_work(core) {
        let due = core.step.borrow().poll_timeout();
        let due = due.into_iter().chain(core.rest_until()).min();
        let mut timer = due
            .filter(|due| *due != Time::NEVER)
            .map(|due| Timer::new(due.since(core.now())));
        poll_fn(|cx| poll_wake(core, bell, timer.as_mut(), cx)).await;
    }
    core.links.borrow().bell.is_awake();
}

/// What another thread may have put in place before it could see that this one sleeps.
fn has_work<C: CoreStep>(core: &Core<C>) -> bool {
    let links = core.links.borrow();
    let has_room = |full: &[_]| {
        full.iter()
            .any(|shard: &crate::base::ShardId| !links.to_shards[shard.index()].is_waiting())
    };
    let notices_stuck = |to: &crate::base::CoreId| links.to_cores[to.index()].is_waiting();
    !links.mail.is_empty()
        || !links.notices.is_empty()
        || (!links.deltas.is_empty() && core.step.borrow().wants_deltas())
        || has_room(&core.full_shards.borrow())
        || core
            .held_notices
            .borrow()
            .front()
            .is_some_and(|(to, _)| !notices_stuck(to))
        || links.state.is_stopped()
}

fn poll_wake<C: CoreStep>(
    core: &Core<C>,
    bell: &mut UnixStream,
    timer: Option<&mut Timer>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if core.take_rung() {
        return Poll::Ready(());
    }
    let mut waker = core.loop_waker.borrow_mut();
    if !waker
        .as_ref()
        .is_some_and(|waker| waker.will_wake(cx.waker()))
    {
        *waker = Some(cx.waker().clone());
    }
    drop(waker);
    // What comes over the bell means nothing.
    let mut octets = [0; 64];
    if Pin::new(bell).poll_read(cx, &mut octets).is_ready() {
        return Poll::Ready(());
    }
    timer.map_or(Poll::Pending, |timer| Pin::new(timer).poll(cx).map(drop))
}
