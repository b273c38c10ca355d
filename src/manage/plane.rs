//! What the management plane holds, and the changes it can make: one at a time, each a new generation
//! that every core and shard gets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use crate::base::Time;
use crate::config::{self, Config, Difference, Inputs, NeedsRestart, Overrides, Problems};
use crate::policy::Outside;
use crate::server::exchange::{Client, Exchange, VrpChanges};
use crate::server::query::{CoreCommand, CoreReply};

use super::End;
use super::advertised::Advertised;
use super::census::{Census, within};
use super::confirmation::Unconfirmed;
use super::data_path::{DataPath, Unavailable};
use super::feeds::Feeds;
use super::follow::Follow;
use super::glass::Glass;
use super::named::{NoClient, named};
use super::onlookers::Onlookers;
use super::reload::TooMuch;
use super::reload_log::ReloadLog;
use super::vrp_files::VrpFiles;

/// How long a change waits for the one before it to be everywhere.
const SETTLE_MAX: Duration = Duration::from_secs(10);
const SETTLE_LOOK: Duration = Duration::from_millis(10);
/// Pause before a change that has to be is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Caches that change all the time make no generation after the other.
const OUTSIDE_APART: Duration = Duration::from_secs(1);

pub struct Plane {
    file: PathBuf,
    pub(super) data: Arc<dyn DataPath>,
    current: RwLock<Arc<Current>>,
    /// Held during a change.
    pub(super) changes: Mutex<Changes>,
    pub(super) unconfirmed: Unconfirmed,
    reloads: Arc<ReloadLog>,
    /// How whoever runs the server is to end it, once somebody has asked for that.
    pub(super) end: watch::Sender<Option<End>>,
    feeds: Arc<Feeds>,
    onlookers: Onlookers,
    glass: Glass,
    advertised: Advertised,
    follow: Follow,
    /// Held while a table dump is written.
    pub(super) dumping: Mutex<()>,
}

/// What generations are made of beside the files of the configuration.
#[derive(Clone, Default)]
pub(super) struct Changes {
    pub overrides: Overrides,
    pub inputs: Inputs,
}

/// A generation that is not in force.
pub(super) struct Draft {
    pub config: Arc<Config>,
    pub exchange: Arc<Exchange>,
    pub difference: Difference,
    /// VRPs or ASPAs are others.
    pub is_data_new: bool,
}

impl Draft {
    /// Whether the data path has to know.
    pub fn is_change(&self) -> bool {
        self.is_data_new || self.difference.concerns_data_path()
    }
}

/// A generation and what it was compiled from.
#[derive(Debug)]
pub struct Current {
    pub config: Arc<Config>,
    pub exchange: Arc<Exchange>,
    /// When it came into force.
    pub since: Time,
    /// What of it is not in force; tried again by the next change or reload.
    pub problems: Vec<String>,
}

/// A change to one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verb {
    /// With the text for the other side (RFC 9003).
    Disable(String),
    Enable,
    Reset(String),
    Refresh,
    Quarantine(bool),
}

/// Why a change was not made. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("the configuration has errors, nothing was changed\n{0}")]
    Configuration(Problems),
    #[error(
        "{}\nwhich needs a restart; nothing was changed. Undo that, or restart the server",
        lines(.0)
    )]
    NeedsRestart(Vec<NeedsRestart>),
    #[error(
        "the reload was refused, nothing was changed\n{}\n\
         rialto reload --dry-run shows what it would do, --force does it all the same",
        lines(&.0.over)
    )]
    TooMuch(Box<TooMuch>),
    #[error(
        "a reload awaits its confirmation, or is rolled back in {left_s} s; nothing was changed. \
         Confirm it first (rialto reload --confirmed), or wait"
    )]
    Unconfirmed { left_s: u64 },
    #[error("{0}")]
    NoClient(#[from] NoClient),
    #[error("{0}")]
    Refused(String),
    #[error("the change before this one is not everywhere yet; try again in a while")]
    Unsettled,
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
}

impl Plane {
    /// `exchange` is the compiled form of `config` that `data` runs with.
    pub fn new(config: Config, exchange: Arc<Exchange>, data: Arc<dyn DataPath>) -> Plane {
        let file = config.files.first().cloned().unwrap_or_default();
        let current = RwLock::new(Arc::new(Current {
            config: Arc::new(config),
            exchange,
            since: data.now(),
            problems: Vec::new(),
        }));
        Plane {
            file,
            follow: Follow::new(data.clone()),
            dumping: Mutex::default(),
            data,
            current,
            changes: Mutex::default(),
            unconfirmed: Unconfirmed::default(),
            reloads: Arc::default(),
            end: watch::Sender::new(None),
            feeds: Arc::default(),
            onlookers: Onlookers::default(),
            glass: Glass::default(),
            advertised: Advertised::default(),
        }
    }

    /// `inputs` are those that the generation in force was compiled with.
    pub fn with_feeds(self, feeds: Feeds, inputs: Inputs) -> Plane {
        let changes = Changes {
            overrides: Overrides::default(),
            inputs,
        };
        Plane {
            changes: Mutex::new(changes),
            feeds: Arc::new(feeds),
            ..self
        }
    }

    pub fn glass(&self) -> &Glass {
        &self.glass
    }

    pub fn feeds(&self) -> &Arc<Feeds> {
        &self.feeds
    }

    pub fn reloads(&self) -> &Arc<ReloadLog> {
        &self.reloads
    }

    /// Where one is told what happens in the data path.
    pub fn follow(&self) -> &Follow {
        &self.follow
    }

    pub fn current(&self) -> Arc<Current> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn data(&self) -> &dyn DataPath {
        self.data.as_ref()
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub async fn census(&self) -> Census {
        let census = Census {
            advertised: self.advertised.counts(),
            ..Census::take(self.data()).await
        };
        self.onlookers.note(&census, self.data.now());
        census
    }

    pub(super) fn onlookers(&self) -> &Onlookers {
        &self.onlookers
    }

    /// For somebody who wants to see how much is advertised: that is counted now and then from now on.
    pub async fn census_with_advertised(&self) -> Census {
        self.advertised.want(self.data.now());
        self.census().await
    }

    pub fn advertised(&self) -> &Advertised {
        &self.advertised
    }

    /// Starts to follow the RTR caches of the present configuration.
    pub fn follow_rtr(self: &Arc<Plane>) {
        let now = self.data.now();
        let Some(mut feed) = self.feeds.follow_rtr(&self.current().config.rpki, now) else {
            return;
        };
        let plane = Arc::downgrade(self);
        tokio::spawn(async move {
            while feed.changed().await.is_ok() {
                let Some(plane) = plane.upgrade() else { return };
                plane.take_outside().await;
                drop(plane);
                tokio::time::sleep(OUTSIDE_APART).await;
            }
        });
        if let Some(until) = self.feeds.carried_until() {
            let plane = Arc::downgrade(self);
            let wait = until.since(now);
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                if let Some(plane) = plane.upgrade() {
                    plane.take_outside().await;
                }
            });
        }
    }

    /// VRPs or ASPAs have come, or have expired. Tried until it can be.
    pub(super) async fn take_outside(&self) {
        let mut said = String::new();
        loop {
            let mut changes = self.changes.lock().await;
            let mut kept = changes.clone();
            let (config, files) = (self.current().config.clone(), self.feeds.files());
            let before = &changes.inputs.outside;
            kept.inputs.outside = self.outside_with(&config, &files, before).await;
            if is_same_outside(&kept.inputs.outside, before) {
                return;
            }
            match self.change_to(config, &mut kept).await {
                Ok(_) => return *changes = kept,
                Err(error) => say_new(
                    &mut said,
                    format!("new RPKI data is not in force yet: {error}"),
                ),
            }
            drop(changes);
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// VRPs and ASPAs, as if those were the files in use, with the configuration's bound for their age.
    /// Half a million take a moment: not on this thread.
    pub(super) async fn outside_with(
        &self,
        config: &Arc<Config>,
        files: &VrpFiles,
        before: &Outside,
    ) -> Outside {
        let say = self.feeds.rtr_say_of(&config.rpki, self.data.now());
        let (config, files, feeds) = (config.clone(), files.clone(), self.feeds.clone());
        let kept = before.clone();
        let merge =
            tokio::task::spawn_blocking(move || feeds.merged(&say, (&config.rpki, &files), &kept));
        merge.await.unwrap_or_else(|_| before.clone())
    }

    /// Whether sessions are held back until the data for their checks has come.
    pub fn is_waiting(&self) -> bool {
        let is_held = |client: &Arc<Client>| client.is_waiting;
        self.current().exchange.clients().any(is_held)
    }

    /// Sessions wait no longer; checks whose data is not there reject. Tried until it can be.
    pub async fn end_wait(&self) {
        let mut said = String::new();
        loop {
            let mut changes = self.changes.lock().await;
            let mut kept = changes.clone();
            kept.inputs.is_waiting = false;
            let config = self.current().config.clone();
            match self.change_to(config, &mut kept).await {
                Ok(_) => return *changes = kept,
                Err(error) => say_new(&mut said, format!("sessions still wait for data: {error}")),
            }
            drop(changes);
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Does one of the verbs; the answer is a sentence for the operator.
    pub async fn change_client(&self, name: &str, verb: Verb) -> Result<String, ChangeError> {
        let mut changes = self.changes.lock().await;
        let current = self.current();
        let client = named(&current.exchange, name)?;
        let mut changed = changes.clone();
        let change = changed.overrides.entry(client.address);
        let told = match verb {
            Verb::Reset(message) => return self.reset(client, message).await,
            Verb::Refresh => return self.refresh(client).await,
            Verb::Enable if client.disabled.is_none() => return self.let_back(client).await,
            Verb::Enable => {
                change.disabled = Some(None);
                format!("{} is enabled", client.name)
            }
            Verb::Disable(message) => {
                change.disabled = Some(Some(message));
                format!(
                    "{} is disabled, until it is enabled or the server starts again",
                    client.name
                )
            }
            Verb::Quarantine(on) => {
                change.quarantine = Some(on);
                let what = if on {
                    "quarantined: its routes are evaluated and shown, and relayed to none"
                } else {
                    "not quarantined any more"
                };
                format!("{} is {what}", client.name)
            }
        };
        self.change_to(current.config.clone(), &mut changed).await?;
        *changes = changed;
        Ok(told)
    }

    async fn reset(&self, client: &Client, message: String) -> Result<String, ChangeError> {
        if client.disabled.is_some() {
            return Err(ChangeError::Refused(format!(
                "{name} is disabled; let it back first: rialto client {name} enable",
                name = client.name
            )));
        }
        let command = CoreCommand::Reset {
            slot: client.slot,
            message,
        };
        self.command(client, command).await?;
        Ok(format!("the session of {} was reset", client.name))
    }

    async fn refresh(&self, client: &Client) -> Result<String, ChangeError> {
        self.command(client, CoreCommand::Refresh { slot: client.slot })
            .await?;
        Ok(format!("{} was asked for its routes", client.name))
    }

    /// Enables a client that the configuration does not disable, but that a limit may hold down.
    async fn let_back(&self, client: &Client) -> Result<String, ChangeError> {
        let census = self.census().await;
        match census.client(client.slot) {
            Some(status) if status.state == "Idle" => {
                let command = CoreCommand::Reset {
                    slot: client.slot,
                    message: String::new(),
                };
                self.command(client, command).await?;
                Ok(format!("{} may come back", client.name))
            }
            _ if client.quarantined => Ok(format!(
                "{name} was enabled already; it is quarantined, to lift that: rialto client {name} quarantine off",
                name = client.name
            )),
            _ => Ok(format!("{} was enabled already", client.name)),
        }
    }

    async fn command(&self, client: &Client, command: CoreCommand) -> Result<(), ChangeError> {
        match within(self.data.core_command(client.core, command)).await? {
            CoreReply::Refused(why) => Err(ChangeError::Refused(format!("{}: {why}", client.name))),
            _ => Ok(()),
        }
    }

    /// The caller holds the lock on the changes before.
    pub(super) async fn change_to(
        &self,
        config: Arc<Config>,
        changes: &mut Changes,
    ) -> Result<Difference, ChangeError> {
        let draft = self.draft(config, changes).await;
        self.put_into_force(draft).await
    }

    /// The generation that the configuration would make now.
    pub(super) async fn draft(&self, config: Arc<Config>, changes: &mut Changes) -> Draft {
        let old = self.current();
        let Changes { overrides, inputs } = changes;
        // A check that was not there before begins when there is something to check by.
        let was_off = inputs.is_rpki_new || old.config.rpki.is_empty();
        inputs.is_rpki_new = inputs.outside.vrps.is_none() && was_off;
        inputs.vrp_changes = self.vrp_changes(&old.exchange, &inputs.outside).await;
        let exchange = config::compile(&config, overrides, inputs, Some(&old.exchange));
        let exchange = Arc::new(exchange);
        let difference = config::difference((&old.config, &old.exchange), (&config, &exchange));
        let is_data_new = !is_same_outside(&old.exchange.outside, &exchange.outside);
        Draft {
            config,
            exchange,
            difference,
            is_data_new,
        }
    }

    /// Where the VRPs differ from those in force; `None` where there is nothing to compare.
    async fn vrp_changes(&self, old: &Exchange, new: &Outside) -> Option<VrpChanges> {
        let (before, now) = (old.outside.vrps.clone()?, new.vrps.clone()?);
        if Arc::ptr_eq(&before, &now) {
            return None;
        }
        let compare = tokio::task::spawn_blocking(move || before.difference(&now));
        let blocks = Arc::new(compare.await.ok()?);
        info!(blocks = blocks.len(), "VRPs changed");
        Some(VrpChanges {
            since: old.generation,
            blocks,
        })
    }

    pub(super) async fn put_into_force(&self, draft: Draft) -> Result<Difference, ChangeError> {
        let Draft {
            config,
            exchange,
            mut difference,
            is_data_new,
        } = draft;
        let old = self.current();
        // With problems, the remedy may lie outside the files.
        let is_change = is_data_new || difference.concerns_data_path();
        let exchange = if is_change || !old.problems.is_empty() {
            self.settle().await?;
            difference.problems = self.data.reload(exchange.clone()).await?;
            for problem in &difference.problems {
                warn!("{problem}");
            }
            info!(
                generation = exchange.generation.0,
                "a new generation is in force"
            );
            self.feeds
                .note_outside(&old.exchange.outside, &exchange.outside);
            exchange
        } else {
            old.exchange.clone()
        };
        let current = Arc::new(Current {
            config,
            exchange,
            since: self.data.now(),
            problems: difference.problems.clone(),
        });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(difference)
    }

    /// Waits until all threads run the present generation: slots that it freed may change hands in
    /// the next one.
    pub(super) async fn settle(&self) -> Result<(), ChangeError> {
        let generation = self.current().exchange.generation;
        let settled = async {
            while !Census::is_everywhere(self.data(), generation).await {
                tokio::time::sleep(SETTLE_LOOK).await;
            }
        };
        tokio::time::timeout(SETTLE_MAX, settled)
            .await
            .map_err(|_| ChangeError::Unsettled)
    }
}

fn lines(what: &[impl ToString]) -> String {
    let lines: Vec<String> = what.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn is_same_outside(a: &Outside, b: &Outside) -> bool {
    fn is_same<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
        a.as_ref().map(Arc::as_ptr) == b.as_ref().map(Arc::as_ptr)
    }
    is_same(&a.vrps, &b.vrps) && is_same(&a.aspas, &b.aspas)
}

/// What is tried again and again is not told again and again.
fn say_new(said: &mut String, text: String) {
    if *said != text {
        warn!("{text}");
        *said = text;
    }
}
