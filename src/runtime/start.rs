//! Starting all threads of a route server, and ending them.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::base::{CoreId, ShardId};
use crate::server::exchange::Exchange;
use crate::server::query::CoreCommand;
use crate::server::{SessionCore, Shard};

use super::RuntimeError;
use super::clock::Clock;
use super::core_loop;
use super::core_thread::Core;
use super::handle::{Doors, RuntimeHandle};
use super::shard_thread::ShardThread;
use super::sockets::Listeners;
use super::step::{CoreStep, ShardStep};
use super::thread_state::EndOfThread;
use super::wiring::{CoreEnds, ShardEnds, core_name, shard_name, wire};
use super::{limits, placement};

const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug)]
pub struct RuntimeOptions {
    /// Seeds everything that is random, hashes of what the network chooses included.
    pub seed: u64,
    /// Bind threads to CPUs.
    pub pin: bool,
    /// Messages in the mailbox of a shard, and of a session core from shards.
    pub to_shard_max: usize,
    pub to_core_max: usize,
    /// How long, at the end, sessions have for their goodbye, and then threads to end.
    pub goodbye_max: Duration,
    pub end_max: Duration,
}

impl RuntimeOptions {
    pub fn new(seed: u64) -> RuntimeOptions {
        RuntimeOptions {
            seed,
            pin: true,
            to_shard_max: 256,
            to_core_max: 128,
            goodbye_max: Duration::from_secs(4),
            end_max: Duration::from_millis(500),
        }
    }
}

/// What may need privileges, done: the listeners are bound and have their keys, the limits are raised.
pub struct Bound {
    listeners: Listeners,
    accepting: Vec<TcpListener>,
}

/// The running threads. Dropping it stops them without a goodbye to the clients.
pub struct Runtime {
    handle: RuntimeHandle,
    threads: Vec<JoinHandle<()>>,
    options: RuntimeOptions,
}

impl Runtime {
    /// The route server. Binds the listeners, starts the threads and returns when all of them run.
    /// What can go wrong with addresses, keys and limits goes wrong before any thread is there.
    pub fn start(
        exchange: Arc<Exchange>,
        options: RuntimeOptions,
    ) -> Result<Runtime, RuntimeError> {
        Runtime::start_steps::<SessionCore, Shard>(exchange, options)
    }

    /// The first half of a start; nothing in the second needs a privilege.
    pub fn bind(exchange: &Exchange) -> Result<Bound, RuntimeError> {
        if exchange.core_count == 0 || exchange.shard_count == 0 {
            return Err(RuntimeError::NoThreads);
        }
        limits::raise(exchange.clients().count(), exchange.core_count)?;
        let listeners = Listeners::bind(exchange)?;
        let accepting = listeners
            .duplicate()
            .map_err(|error| cannot("the listeners", error))?;
        Ok(Bound {
            listeners,
            accepting,
        })
    }

    /// The second half, for the exchange that was bound.
    pub fn start_bound(
        bound: Bound,
        exchange: Arc<Exchange>,
        options: RuntimeOptions,
    ) -> Result<Runtime, RuntimeError> {
        Runtime::start_steps_bound::<SessionCore, Shard>(bound, exchange, options)
    }

    /// The same around any session core and shard.
    pub fn start_steps<C: CoreStep, S: ShardStep>(
        exchange: Arc<Exchange>,
        options: RuntimeOptions,
    ) -> Result<Runtime, RuntimeError> {
        let bound = Runtime::bind(&exchange)?;
        Runtime::start_steps_bound::<C, S>(bound, exchange, options)
    }

    fn start_steps_bound<C: CoreStep, S: ShardStep>(
        bound: Bound,
        exchange: Arc<Exchange>,
        options: RuntimeOptions,
    ) -> Result<Runtime, RuntimeError> {
        let Bound {
            listeners,
            accepting,
        } = bound;
        let (cores, shards) = (exchange.core_count, exchange.shard_count);
        let thread_count = usize::from(cores) + usize::from(shards);
        let cpus = if options.pin {
            placement::cpus_for(thread_count)
        } else {
            vec![None; thread_count]
        };
        let wiring =
            wire(cores, shards, &cpus, &options).map_err(|error| cannot("the mailboxes", error))?;
        let common = Common {
            exchange,
            options,
            clock: Clock::start(),
        };
        let doors = Doors {
            clock: common.clock,
            cores: wiring.core_doors,
            shards: wiring.shard_doors,
            listeners: Mutex::new(listeners),
        };
        // Dropped, which stops all threads, if one of them does not start.
        let mut runtime = Runtime {
            handle: RuntimeHandle(Arc::new(doors)),
            threads: Vec::new(),
            options,
        };
        start_threads::<C, S>(
            (wiring.cores, wiring.shards),
            accepting,
            &common,
            &mut runtime.threads,
        )?;
        Ok(runtime)
    }

    pub fn handle(&self) -> &RuntimeHandle {
        &self.handle
    }

    /// Keeps the calling thread, and those that it starts from here on, out of the way of the pinned ones.
    pub fn make_way(&self) {
        if self.options.pin {
            placement::make_way(self.handle.core_count().into(), self.threads.len());
        }
    }

    /// Ends every session, for good or (`restart`) so that clients keep our routes, then the threads: within
    /// the time that the options give.
    /// `false`: some sessions had to be cut off.
    pub async fn shutdown(mut self, message: &str, restart: bool) -> bool {
        let (handle, message) = (self.handle.clone(), message.to_owned());
        let goodbye = async {
            let mut commands = JoinSet::new();
            for core in 0..handle.core_count() {
                let (handle, message) = (handle.clone(), message.clone());
                // One that has stopped needs no goodbye.
                commands.spawn(async move {
                    handle
                        .core_command(CoreId(core), CoreCommand::Shutdown { message, restart })
                        .await
                });
            }
            commands.join_all().await;
            while !handle
                .0
                .cores
                .iter()
                .all(|door| door.thread.state.has_ended())
            {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let in_time = tokio::time::timeout(self.options.goodbye_max, goodbye)
            .await
            .is_ok();
        self.handle.stop();
        let end = async {
            while !self.threads.iter().all(JoinHandle::is_finished) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let ended = tokio::time::timeout(self.options.end_max, end)
            .await
            .is_ok();
        if ended {
            self.threads
                .drain(..)
                .for_each(|thread| drop(thread.join()));
        }
        in_time && ended
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// The threads of shards first: nothing reaches them before a session core runs.
fn start_threads<C: CoreStep, S: ShardStep>(
    wiring: (Vec<CoreEnds<C::Notice>>, Vec<ShardEnds>),
    mut listeners: Vec<TcpListener>,
    common: &Common,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<(), RuntimeError> {
    for (index, ends) in wiring.1.into_iter().enumerate() {
        let (shard, common) = (ShardId(index as u16), common.clone());
        threads.push(spawn(shard_name(shard), move || {
            run_shard::<S>(shard, ends, &common)
        })?);
    }
    let (report, reports) = mpsc::channel();
    let mut gates = Vec::new();
    for (index, ends) in wiring.0.into_iter().enumerate() {
        let (core, common, report) = (CoreId(index as u16), common.clone(), report.clone());
        let (gate, go) = mpsc::channel();
        gates.push(gate);
        // The first one accepts.
        let listeners = std::mem::take(&mut listeners);
        threads.push(spawn(core_name(core), move || {
            run_core::<C>(core, ends, listeners, &common, &report, &go)
        })?);
    }
    drop(report);
    for index in 0..gates.len() {
        let silent = |_| RuntimeError::Executor {
            core: CoreId(index as u16),
            why: "its thread ended".to_owned(),
        };
        reports.recv().map_err(silent)??;
    }
    // Where one failed, the others see their gates fall and end.
    for gate in gates {
        // A thread that ended meanwhile needs none.
        let _ = gate.send(());
    }
    Ok(())
}

#[derive(Clone)]
struct Common {
    exchange: Arc<Exchange>,
    options: RuntimeOptions,
    clock: Clock,
}

fn cannot(name: &str, error: io::Error) -> RuntimeError {
    RuntimeError::Thread {
        name: name.to_owned(),
        error,
    }
}

fn spawn(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, RuntimeError> {
    let thread = std::thread::Builder::new().name(name.clone()).spawn(body);
    thread.map_err(|error| RuntimeError::Thread { name, error })
}

fn run_shard<S: ShardStep>(id: ShardId, ends: ShardEnds, common: &Common) {
    let _end = EndOfThread::of(&ends.state);
    placement::pin(&shard_name(id), ends.cpu);
    let shard = S::new(id, Arc::clone(&common.exchange), common.options.seed);
    let ShardEnds {
        bell,
        mailbox,
        to_cores,
        state,
        ..
    } = ends;
    ShardThread {
        shard,
        id,
        clock: common.clock,
        bell,
        mailbox,
        to_cores,
        state,
        asked: HashMap::default(),
        next_question: 0,
        refused: Vec::new(),
    }
    .run();
}

fn run_core<C: CoreStep>(
    id: CoreId,
    ends: CoreEnds<C::Notice>,
    listeners: Vec<TcpListener>,
    common: &Common,
    report: &mpsc::Sender<Result<(), RuntimeError>>,
    go: &mpsc::Receiver<()>,
) {
    let _end = EndOfThread::of(&ends.links.state);
    let executor = match placement::executor(&core_name(id), ends.cpu) {
        Ok(executor) => executor,
        Err(why) => return drop(report.send(Err(RuntimeError::Executor { core: id, why }))),
    };
    if report.send(Ok(())).is_err() || go.recv().is_err() {
        return;
    }
    executor.run(async {
        let Common {
            exchange,
            options,
            clock,
        } = common.clone();
        let core = Rc::new(Core::<C>::new(
            id,
            exchange,
            options.seed,
            clock,
            ends.links,
        ));
        core_loop::run(core, ends.bell, listeners).await;
    });
}
