//! The management plane: HTTP, the control socket, signals, reload. One ordinary tokio thread; it asks
//! the data path by message and owns nothing of it.

mod advertised;
mod birdseye;
mod birdwatcher;
mod bmp;
mod calendar;
mod census;
mod confirmation;
mod control;
mod data_path;
mod describe;
pub mod digest;
mod events;
mod fates;
mod feeds;
mod feeds_view;
pub mod follow;
mod glass;
pub mod hijacks;
mod http;
mod lacking;
mod lg;
pub mod logs;
mod metrics;
mod mrt;
mod named;
mod onlookers;
mod openapi;
mod outgoing;
mod pages;
mod plane;
mod rehearsal;
mod reload;
mod reload_log;
pub mod report;
mod rpki;
mod search;
mod shrink;
pub mod trace;
pub mod view;
mod vrp_files;
mod watchdog;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::runtime::wall_clock;

use vrp_files::file_time;

pub use census::Census;
pub use control::{ControlError, ControlSocket, Request, Response};
pub use data_path::{Answer, DataPath, Unavailable};
pub use feeds::{Feeds, IrrData};
pub use http::router;
pub use lacking::at_start;
pub use mrt::{DumpError, Dumped};
pub use named::{NoClient, named};
pub use plane::{ChangeError, Current, Plane, Verb};
pub use rehearsal::{AnnouncerChange, ReceiverChange, RehearsalView, WhyView};
pub use reload::{ReloadOptions, Reloaded, TooMuch};
pub use watchdog::{Late, start_watchdog, watch};

#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    #[error(
        "cannot listen for the API on {address}: {error}; give it another place in [api] listen"
    )]
    Api {
        address: SocketAddr,
        error: std::io::Error,
    },
    #[error("{0}")]
    Control(#[from] ControlError),
    #[error("cannot handle signals: {0}")]
    Signals(std::io::Error),
}

/// The sockets of the management plane, bound before anything starts.
pub struct Doors {
    api: Vec<TcpListener>,
    control: ControlSocket,
}

impl Doors {
    pub async fn open(config: &crate::config::Config) -> Result<Doors, ManageError> {
        let mut api = Vec::new();
        for address in &config.api {
            let listener = TcpListener::bind(address).await;
            api.push(listener.map_err(|error| ManageError::Api {
                address: *address,
                error,
            })?);
        }
        Ok(Doors {
            api,
            control: ControlSocket::bind(&config.control)?,
        })
    }

    /// The control socket goes to the user that the server becomes.
    pub fn give_to(&self, uid: u32, gid: u32) -> Result<(), ManageError> {
        Ok(self.control.give_to(uid, gid)?)
    }

    /// Where the API listens; ports that were configured as 0 are known here.
    pub fn api_addresses(&self) -> Vec<SocketAddr> {
        self.api
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

/// How the server is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Clients drop our routes.
    Final,
    /// It will be back: clients that can keep our routes (RFC 4724, RFC 8538).
    Restart,
}

/// Serves until SIGTERM, SIGINT or SIGUSR2; SIGHUP reloads. The data path goes on running: ending it
/// is the caller's.
pub async fn serve(plane: Arc<Plane>, doors: Doors) -> Result<End, ManageError> {
    let catch = |kind| signal(kind).map_err(ManageError::Signals);
    let mut hang_up = catch(SignalKind::hangup())?;
    let mut terminate = catch(SignalKind::terminate())?;
    let mut interrupt = catch(SignalKind::interrupt())?;
    let mut restart = catch(SignalKind::user_defined2())?;
    let _servers = start_servers(&plane, doors);
    notify_ready();
    let (end, why) = loop {
        tokio::select! {
            _ = hang_up.recv() => drop(tokio::spawn(reload_by_signal(plane.clone()))),
            _ = terminate.recv() => break (End::Final, "SIGTERM"),
            _ = interrupt.recv() => break (End::Final, "SIGINT"),
            _ = restart.recv() => break (End::Restart, "SIGUSR2"),
            end = plane.asked_to_end() => break (end, "asked over the control socket"),
        }
    };
    match end {
        End::Final => info!("{why}: ending"),
        End::Restart => info!("{why}: ending for a restart; clients that can keep our routes"),
    }
    notify(&[NotifyState::Stopping]);
    Ok(end)
}

/// The servers without signals, for those who have their own end (`rialto demo`, tests). They end
/// when the set is dropped.
pub fn start_servers(plane: &Arc<Plane>, doors: Doors) -> JoinSet<()> {
    let mut servers = JoinSet::new();
    for listener in doors.api {
        let router = router(plane.clone());
        servers.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                error!("the API ended: {error}");
            }
        });
    }
    plane.follow_rtr();
    servers.spawn(wait_for_data(plane.clone()));
    servers.spawn(watch_files(plane.clone()));
    servers.spawn(watch_expiry(plane.clone()));
    servers.spawn(count_advertised(plane.clone()));
    servers.spawn(mrt::write_dumps(plane.clone()));
    servers.spawn(mrt::write_updates(plane.clone()));
    servers.spawn(bmp::tell_collectors(plane.clone()));
    let (control, plane) = (doors.control, plane.clone());
    servers.spawn(async move { control.serve(plane).await });
    servers
}

/// How often files that sessions wait for are looked for.
const WAIT_LOOK: Duration = Duration::from_secs(1);

/// After a start: sessions are let up as their data comes, or when the wait has been long enough. What
/// has begun is never broken off.
async fn wait_for_data(plane: Arc<Plane>) {
    let wait_max = plane.current().config.irr.wait_max;
    let deadline = plane.data().now() + wait_max;
    if let Some(told) = plane.waiting() {
        warn!("{told}");
    }
    while plane.is_waiting() && plane.data().now() < deadline {
        tokio::time::sleep(WAIT_LOOK.min(deadline.since(plane.data().now()))).await;
        plane.take_files().await;
    }
    if plane.is_waiting() {
        for what in plane.lacking() {
            error!("{what}");
        }
    }
    plane.end_wait().await;
}

/// Counts what clients have while somebody wants to know.
async fn count_advertised(plane: Arc<Plane>) {
    /// How often it is looked whether it is wanted.
    const LOOK: Duration = Duration::from_secs(1);
    loop {
        let data = plane.data();
        if plane.advertised().is_wanted(data.now()) {
            if let Err(error) = plane.advertised().count(data).await {
                tracing::debug!("what clients have was not counted: {error}");
            }
            tokio::time::sleep(advertised::APART).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Looks at the files from outside now and then, where that is wanted.
async fn watch_files(plane: Arc<Plane>) {
    /// How often it is looked whether it is wanted.
    const IDLE: Duration = Duration::from_secs(10);
    loop {
        let watch = plane.current().config.irr.watch;
        tokio::time::sleep(watch.unwrap_or(IDLE)).await;
        if watch.is_some() && plane.confirmation_left().is_none() {
            plane.take_files().await;
        }
    }
}

/// Takes out of use what expires in VRP files, though nobody writes new ones: the first entry when it
/// does, the others with those that expire within [`EXPIRY_APART`] of it.
async fn watch_expiry(plane: Arc<Plane>) {
    /// Each time is a new generation, and a file may have entries that expire at every second.
    const EXPIRY_APART: Duration = Duration::from_secs(10);
    /// New files may come, and the clock may be set.
    const LOOK: Duration = Duration::from_secs(1);
    let at = |plane: &Plane| file_time(&plane.current().config.rpki, wall_clock());
    let mut looked_at = at(&plane);
    loop {
        let now = at(&plane);
        looked_at.max_age_s = now.max_age_s;
        match plane.feeds().files_expire_next_s(looked_at) {
            Some(next_s) if next_s <= now.now_s => {
                looked_at = now;
                let spent = plane.feeds().spent_files(&plane.current().config.rpki);
                plane.feeds().note_files(&spent);
                plane.take_outside().await;
                tokio::time::sleep(EXPIRY_APART).await;
            }
            next_s => {
                let left = next_s.map(|next_s| Duration::from_secs(next_s - now.now_s));
                tokio::time::sleep(left.unwrap_or(LOOK).min(LOOK)).await;
            }
        }
    }
}

async fn reload_by_signal(plane: Arc<Plane>) {
    notify_reloading();
    match plane.reload(&ReloadOptions::default()).await {
        Ok(Reloaded { difference, .. }) if difference.problems.is_empty() => {
            info!("SIGHUP: {difference}")
        }
        Ok(Reloaded { difference, .. }) => error!("SIGHUP: {difference}"),
        Err(error) => error!("SIGHUP: {error}"),
    }
    notify_ready();
}

fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// systemd wants the time with it (sd_notify(3)).
fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// Without systemd there is nobody to tell.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("systemd was not told: {error}");
    }
}
