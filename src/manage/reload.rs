//! Reloads: rehearsed first where bounds are set, for the time being until they are confirmed where that
//! was asked for. And draining, before the server stops (RFC 8326).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::base::{Generation, Time};
use crate::config::{self, Bound, Config, Difference, Inputs, ReloadLimits};
use crate::outside::irr::Copying;
use crate::runtime::wall_clock;

use super::plane::{ChangeError, Changes, Draft, Plane};
use super::rehearsal::{RehearsalView, rehearse};
use super::vrp_files::{VrpFiles, read_vrps};

/// Pause before a rollback that could not be is tried again.
const ROLL_BACK_AGAIN: Duration = Duration::from_secs(1);
/// Nobody waits longer for a confirmation.
const CONFIRM_S_MAX: u32 = 86_400;

/// How a reload is asked for. The default is the plain one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadOptions {
    /// Say what would change, and change nothing.
    pub dry_run: bool,
    /// Instead of those of `[reload]`.
    pub max_rejected: Option<Bound>,
    pub max_lost: Option<Bound>,
    /// Whatever the bounds say, and though the VRPs are far fewer than they were.
    pub force: bool,
    /// Roll back unless a confirmation comes within so many seconds.
    pub confirm_s: Option<u32>,
}

/// What came of a reload.
#[derive(Debug)]
pub struct Reloaded {
    pub difference: Difference,
    /// What is doubtful about the configuration.
    pub warnings: Vec<String>,
    pub rehearsal: Option<RehearsalView>,
    /// Bounds that a dry run found passed.
    pub over: Vec<String>,
    /// It is rolled back after so many seconds.
    pub confirm_s: Option<u32>,
}

/// A reload that passes its bounds.
#[derive(Debug)]
pub struct TooMuch {
    pub over: Vec<String>,
    pub difference: Difference,
    pub warnings: Vec<String>,
    pub rehearsal: RehearsalView,
}

/// The reload that awaits its confirmation, if one does.
#[derive(Default)]
pub struct Unconfirmed(Mutex<Option<Before>>);

/// What was in force before it.
struct Before {
    /// The generation that it made.
    generation: Generation,
    config: Arc<Config>,
    inputs: Inputs,
    files: VrpFiles,
    deadline: Time,
}

/// A configuration with its data, read and not in force.
struct Read {
    config: Arc<Config>,
    changes: Changes,
    files: VrpFiles,
    copying: Copying,
    warnings: Vec<String>,
}

impl Unconfirmed {
    fn lock(&self) -> MutexGuard<'_, Option<Before>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plane {
    /// Reads the files again, those from outside too, and brings them into force.
    pub async fn reload(
        self: &Arc<Plane>,
        options: &ReloadOptions,
    ) -> Result<Reloaded, ChangeError> {
        if options.dry_run {
            return self.reload_dry(options).await;
        }
        let mut changes = self.changes.lock().await;
        if let Some(left) = self.confirmation_left() {
            return Err(ChangeError::Unconfirmed {
                left_s: left.as_secs(),
            });
        }
        let before = (self.current(), changes.inputs.clone(), self.feeds().files());
        let mut read = self.read(&changes).await?;
        let draft = self.draft(read.config.clone(), &mut read.changes).await;
        let limits = self.limits(&read.config, options);
        let rehearsal = match options.force {
            true => None,
            false => self.check_limits(&limits, &draft, &read.warnings).await?,
        };
        let difference = self.put_into_force(draft).await?;
        if options.force {
            self.feeds().accept_vrps();
        }
        self.feeds().keep_files(read.files);
        self.feeds().keep_copies(read.copying);
        let (current, inputs, files) = before;
        let is_changed = !difference.is_empty()
            || self.current().exchange.generation != current.exchange.generation;
        let confirm_s = options.confirm_s.filter(|_| is_changed);
        *changes = read.changes;
        match confirm_s {
            None => changes.forget_who_is_gone(&read.config),
            Some(seconds) => {
                let wait = Duration::from_secs(seconds.clamp(1, CONFIRM_S_MAX).into());
                self.await_confirmation(&current.config, inputs, files, wait);
            }
        }
        self.follow_rtr();
        Ok(Reloaded {
            difference,
            warnings: read.warnings,
            rehearsal,
            over: Vec::new(),
            confirm_s,
        })
    }

    /// What a reload would change. Other changes do not wait for it.
    async fn reload_dry(&self, options: &ReloadOptions) -> Result<Reloaded, ChangeError> {
        let changes = self.changes.lock().await.clone();
        let current = self.current();
        let mut read = self.read(&changes).await?;
        if read.config.rpki.caches != current.config.rpki.caches {
            let what =
                "rpki.caches changes: what the new caches say is not known yet, and not in this";
            read.warnings.push(what.to_owned());
        }
        let draft = self.draft(read.config.clone(), &mut read.changes).await;
        self.settle().await?;
        let found = rehearse(&self.data, &current.exchange, &draft.exchange);
        let changed = async {
            while self.current().exchange.generation == current.exchange.generation {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let rehearsal = tokio::select! {
            found = found => found?,
            () = changed => return Err(ChangeError::Refused(
                "something else was changed meanwhile: try again".to_owned(),
            )),
        };
        let over = match options.force {
            true => Vec::new(),
            false => passed(&self.limits(&read.config, options), &rehearsal),
        };
        Ok(Reloaded {
            difference: draft.difference,
            warnings: read.warnings,
            rehearsal: Some(rehearsal),
            over,
            confirm_s: None,
        })
    }

    /// Reads everything that a reload reads; what is in use stays as it is.
    async fn read(&self, changes: &Changes) -> Result<Read, ChangeError> {
        let config = Arc::new(config::load(self.file()).map_err(ChangeError::Configuration)?);
        let mut warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        for warning in &warnings {
            warn!("{warning}");
        }
        let needs_restart = config::needs_restart(&self.current().config, &config);
        if !needs_restart.is_empty() {
            return Err(ChangeError::NeedsRestart(needs_restart));
        }
        let mut changes = changes.clone();
        let (problems, copying) = self.read_irr(&config, &mut changes).await;
        warnings.extend(problems);
        let (files, problems) = self.read_files(&config).await;
        warnings.extend(problems);
        let before = &changes.inputs.outside;
        changes.inputs.outside = self.outside_with(&config, &files, before).await;
        Ok(Read {
            config,
            changes,
            files,
            copying,
            warnings,
        })
    }

    /// Looks first where there are bounds; an error where one is passed.
    async fn check_limits(
        &self,
        limits: &[Limit],
        draft: &Draft,
        warnings: &[String],
    ) -> Result<Option<RehearsalView>, ChangeError> {
        if limits.is_empty() {
            return Ok(None);
        }
        self.settle().await?;
        let current = self.current();
        let found = rehearse(&self.data, &current.exchange, &draft.exchange).await?;
        let over = passed(limits, &found);
        match over.is_empty() {
            true => Ok(Some(found)),
            false => Err(ChangeError::TooMuch(Box::new(TooMuch {
                over,
                difference: draft.difference.clone(),
                warnings: warnings.to_vec(),
                rehearsal: found,
            }))),
        }
    }

    /// IRR data as it is now; what is wrong with it, and the copies to write when it is in force.
    async fn read_irr(
        &self,
        config: &Arc<Config>,
        changes: &mut Changes,
    ) -> (Vec<String>, Copying) {
        match self.feeds().load_irr(config).await {
            Some(irr) => {
                changes.inputs.irr = irr.sets;
                changes.inputs.irr_missing = irr.missing;
                (irr.problems, irr.copying)
            }
            None => {
                let problem = "IRR data could not be read; what is in use stays".to_owned();
                (vec![problem], Copying::default())
            }
        }
    }

    /// What the VRP files say now; what is wrong with them.
    async fn read_files(&self, config: &Arc<Config>) -> (VrpFiles, Vec<String>) {
        let before = self.feeds().files();
        let (config, known) = (config.clone(), before.clone());
        let now = wall_clock();
        let read = tokio::task::spawn_blocking(move || read_vrps(&config.rpki, &known, now));
        let failed = |error| (before, vec![format!("VRP files: {error}")]);
        let (files, problems) = read.await.unwrap_or_else(failed);
        self.feeds().note_files(&problems);
        (files, problems)
    }

    /// Looks for new files from outside, without a word from the operator: within the bounds of
    /// `[reload]`. Lets up who waited for them.
    pub async fn take_files(self: &Arc<Plane>) {
        let mut changes = self.changes.lock().await;
        let config = self.current().config.clone();
        let mut kept = changes.clone();
        let (_, copying) = self.read_irr(&config, &mut kept).await;
        let (files, _) = self.read_files(&config).await;
        kept.inputs.outside = self
            .outside_with(&config, &files, &kept.inputs.outside)
            .await;
        let draft = self.draft(config.clone(), &mut kept).await;
        let limits = match draft.is_change() {
            true => self.limits(&config, &ReloadOptions::default()),
            false => Vec::new(),
        };
        let checked = self.check_limits(&limits, &draft, &[]).await;
        let changed = match checked {
            Ok(_) => self.put_into_force(draft).await,
            Err(error) => Err(error),
        };
        match changed {
            Ok(_) => {
                self.feeds().keep_files(files);
                self.feeds().keep_copies(copying);
                *changes = kept;
            }
            Err(error) => error!("new data from files is not in force: {error}"),
        }
    }

    /// Each bound with who set it. Where the command sets none, those of the configuration in force and of
    /// the new one hold both: a broken file must not lift them, and a new one is meant.
    fn limits(&self, new: &Config, options: &ReloadOptions) -> Vec<Limit> {
        let current = self.current();
        let sections: [&ReloadLimits; 2] = [&current.config.reload, &new.reload];
        let mut limits = Vec::new();
        let mut add = |is_lost, asked: Option<Bound>, of: fn(&ReloadLimits) -> Option<Bound>| {
            let by_section = sections.iter().filter_map(|section| of(section));
            match asked {
                Some(bound) => limits.push(Limit {
                    bound,
                    is_lost,
                    is_asked: true,
                }),
                None => limits.extend(by_section.map(|bound| Limit {
                    bound,
                    is_lost,
                    is_asked: false,
                })),
            }
        };
        add(false, options.max_rejected, |limits| limits.max_rejected);
        add(true, options.max_lost, |limits| limits.max_lost);
        limits.dedup();
        limits
    }

    fn await_confirmation(
        self: &Arc<Plane>,
        config: &Arc<Config>,
        inputs: Inputs,
        files: VrpFiles,
        wait: Duration,
    ) {
        let generation = self.current().exchange.generation;
        *self.unconfirmed.lock() = Some(Before {
            generation,
            config: config.clone(),
            inputs,
            files,
            deadline: self.data().now() + wait,
        });
        info!("rolled back in {} s unless it is confirmed", wait.as_secs());
        let plane = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            while let Some(plane) = plane.upgrade() {
                if plane.roll_back(generation).await {
                    return;
                }
                tokio::time::sleep(ROLL_BACK_AGAIN).await;
            }
        });
    }

    /// How long a reload still awaits its confirmation.
    pub fn confirmation_left(&self) -> Option<Duration> {
        let unconfirmed = self.unconfirmed.lock();
        let deadline = unconfirmed.as_ref()?.deadline;
        Some(deadline.since(self.data().now()))
    }

    /// The last reload stays.
    pub async fn confirm(&self) -> Result<String, ChangeError> {
        let mut changes = self.changes.lock().await;
        if self.unconfirmed.lock().take().is_none() {
            return Err(ChangeError::Refused(
                "no reload awaits a confirmation: it is confirmed, or rolled back, or was never asked to wait \
                 for one"
                    .to_owned(),
            ));
        }
        changes.forget_who_is_gone(&self.current().config);
        Ok("confirmed: the reload stays in force".to_owned())
    }

    /// Brings back what was before the reload that made this generation, unless it was confirmed. False:
    /// it could not be done now. What came since by hand and over RTR stays.
    async fn roll_back(self: &Arc<Plane>, generation: Generation) -> bool {
        let mut changes = self.changes.lock().await;
        let (config, irr, files) = match &*self.unconfirmed.lock() {
            Some(before) if before.generation == generation => (
                before.config.clone(),
                before.inputs.irr.clone(),
                before.files.clone(),
            ),
            _ => return true,
        };
        let (files, _) = read_vrps(&config.rpki, &files, wall_clock());
        let mut kept = changes.clone();
        kept.inputs.irr = irr;
        let before = &changes.inputs.outside;
        kept.inputs.outside = self.outside_with(&config, &files, before).await;
        match self.change_to(config, &mut kept).await {
            Ok(difference) => {
                *changes = kept;
                *self.unconfirmed.lock() = None;
                self.feeds().keep_files(files);
                self.follow_rtr();
                error!("the reload was not confirmed in time and is rolled back: {difference}");
                true
            }
            Err(error) => {
                error!(
                    "the reload was not confirmed in time; it cannot be rolled back yet: {error}"
                );
                false
            }
        }
    }

    pub fn is_draining(&self) -> bool {
        self.current().exchange.directory.is_draining()
    }

    /// From now on everything that is sent has GRACEFUL_SHUTDOWN (RFC 8326), or has it no more.
    pub async fn drain(&self, on: bool) -> Result<String, ChangeError> {
        let mut changes = self.changes.lock().await;
        let told = match on {
            true => "draining: everything that is sent has GRACEFUL_SHUTDOWN (RFC 8326)",
            false => "not draining: nothing that is sent has GRACEFUL_SHUTDOWN of the server's own",
        };
        if self.is_draining() != on {
            let mut kept = changes.clone();
            kept.inputs.is_draining = on;
            self.change_to(self.current().config.clone(), &mut kept)
                .await?;
            *changes = kept;
            warn!("{told}");
        }
        Ok(told.to_owned())
    }

    /// Whoever runs the server ends it as on SIGTERM.
    pub fn ask_to_end(&self) {
        self.end.notify_one();
    }

    /// Until somebody asked for the end.
    pub async fn asked_to_end(&self) {
        self.end.notified().await;
    }
}

impl Changes {
    fn forget_who_is_gone(&mut self, config: &Config) {
        let is_there = |address| {
            config
                .clients
                .iter()
                .any(|client| client.address == address)
        };
        self.overrides.retain(is_there);
    }
}

/// One bound of a reload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Limit {
    bound: Bound,
    /// Prefixes lost, not paths rejected.
    is_lost: bool,
    /// By the command, not by the configuration.
    is_asked: bool,
}

/// The bounds that it passes, in sentences.
fn passed(limits: &[Limit], rehearsal: &RehearsalView) -> Vec<String> {
    let sentence = |limit: &Limit| {
        let (count, all, what, key) = match limit.is_lost {
            false => (
                rehearsal.newly_rejected,
                rehearsal.accepted,
                "accepted paths would be rejected or withdrawn",
                "max_rejected",
            ),
            true => (
                rehearsal.lost,
                rehearsal.served,
                "prefixes, counted for each client that has them, would be lost",
                "max_lost",
            ),
        };
        let source = match limit.is_asked {
            true => format!("--{}", key.replace('_', "-")),
            false => format!("[reload] {key}"),
        };
        let share = 100.0 * count as f64 / all.max(1) as f64;
        let bound = limit.bound;
        bound
            .is_under(count, all)
            .then(|| format!("{count} of {all} {what} ({share:.1} %), and {source} allows {bound}"))
    };
    limits.iter().filter_map(sentence).collect()
}
