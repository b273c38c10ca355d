//! What the management plane holds, and the changes it can make: one at a time, each a new generation
//! that every core and shard gets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::config::{self, Config, Difference, Overrides, Problems};
use crate::server::exchange::{Client, Exchange};
use crate::server::query::{CoreCommand, CoreReply};

use super::census::{Census, within};
use super::data_path::{DataPath, Unavailable};
use super::named::{NoClient, named};

/// How long a change waits for the one before it to be everywhere.
const SETTLE_MAX: Duration = Duration::from_secs(10);
const SETTLE_LOOK: Duration = Duration::from_millis(10);

pub struct Plane {
    file: PathBuf,
    data: Arc<dyn DataPath>,
    current: RwLock<Arc<Current>>,
    /// Held during a change.
    overrides: Mutex<Overrides>,
}

/// A generation and what it was compiled from.
#[derive(Debug)]
pub struct Current {
    pub config: Config,
    pub exchange: Arc<Exchange>,
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
        "{} changed, which needs a restart; nothing was changed. Undo that, or restart the server",
        .0.join(", ")
    )]
    NeedsRestart(Vec<&'static str>),
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
            config,
            exchange,
            problems: Vec::new(),
        }));
        Plane {
            file,
            data,
            current,
            overrides: Mutex::default(),
        }
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
        Census::take(self.data()).await
    }

    /// Reads the files again. What changed, and the warnings about what is in force now.
    pub async fn reload(&self) -> Result<(Difference, Vec<String>), ChangeError> {
        let mut overrides = self.overrides.lock().await;
        let config = config::load(&self.file).map_err(ChangeError::Configuration)?;
        let warnings = config.warnings.iter().map(ToString::to_string);
        let warnings = warnings.collect::<Vec<_>>();
        for warning in &warnings {
            warn!("{warning}");
        }
        let needs_restart = config::needs_restart(&self.current().config, &config);
        if !needs_restart.is_empty() {
            return Err(ChangeError::NeedsRestart(needs_restart));
        }
        let mut kept = overrides.clone();
        kept.retain(|address| {
            config
                .clients
                .iter()
                .any(|client| client.address == address)
        });
        let difference = self.change_to(config, &kept).await?;
        *overrides = kept;
        Ok((difference, warnings))
    }

    /// Does one of the verbs; the answer is a sentence for the operator.
    pub async fn change_client(&self, name: &str, verb: Verb) -> Result<String, ChangeError> {
        let mut overrides = self.overrides.lock().await;
        let current = self.current();
        let client = named(&current.exchange, name)?;
        let mut changed = overrides.clone();
        let change = changed.entry(client.address);
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
        self.change_to(current.config.clone(), &changed).await?;
        *overrides = changed;
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
            CoreReply::Done | CoreReply::Stats(_) | CoreReply::Generation(_) => Ok(()),
        }
    }

    /// The caller holds `overrides`.
    async fn change_to(
        &self,
        config: Config,
        overrides: &Overrides,
    ) -> Result<Difference, ChangeError> {
        let old = self.current();
        let inputs = config::Inputs::default();
        let exchange = Arc::new(config::compile(
            &config,
            overrides,
            &inputs,
            Some(&old.exchange),
        ));
        let mut difference = config::difference((&old.config, &old.exchange), (&config, &exchange));
        // With problems, the remedy may lie outside the files.
        let exchange = if difference.concerns_data_path() || !old.problems.is_empty() {
            self.settle().await?;
            difference.problems = self.data.reload(exchange.clone()).await?;
            for problem in &difference.problems {
                warn!("{problem}");
            }
            info!(
                generation = exchange.generation.0,
                "a new generation is in force"
            );
            exchange
        } else {
            old.exchange.clone()
        };
        let current = Arc::new(Current {
            config,
            exchange,
            problems: difference.problems.clone(),
        });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(difference)
    }

    /// Waits until all threads run the present generation: slots that it freed may change hands in
    /// the next one.
    async fn settle(&self) -> Result<(), ChangeError> {
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
