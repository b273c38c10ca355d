//! Reloads: rehearsed first where bounds are set. And draining, before the server stops (RFC 8326).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::config::{self, Bound, Config, Difference, ReloadLimits};
use crate::outside::irr::Copying;
use crate::runtime::wall_clock;

use super::End;
use super::plane::{ChangeError, Changes, Current, Draft, Plane};
use super::rehearsal::{RehearsalView, rehearse};
use super::vrp_files::{VrpFiles, read_vrps};

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
    pub max_restarts: Option<Bound>,
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

/// A configuration with its data, read and not in force.
struct Read {
    config: Arc<Config>,
    changes: Changes,
    files: VrpFiles,
    copying: Copying,
    warnings: Vec<String>,
}

impl Plane {
    /// Of [`Plane::reload`]: one that is no dry run.
    pub(super) async fn reload_now(
        self: &Arc<Plane>,
        options: &ReloadOptions,
    ) -> Result<Reloaded, ChangeError> {
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
        let is_emptied = is_emptied(&self.current().config, &draft);
        let rehearsal = match options.force {
            true => None,
            false if is_emptied || !limits.is_empty() => {
                Some(self.check_limits(&limits, &draft, &read.warnings).await?)
            }
            false => None,
        };
        let difference = self.put_into_force(draft).await?;
        self.note_rolled_back(false);
        if options.force {
            self.feeds().accept_shrink();
        }
        self.feeds().keep_files(read.files);
        self.feeds().keep_copies(read.copying);
        self.feeds().note_refused(None);
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
    pub(super) async fn reload_dry(
        &self,
        options: &ReloadOptions,
    ) -> Result<Reloaded, ChangeError> {
        let changes = self.changes.lock().await.clone();
        let current = self.current();
        let mut read = self.read(&changes).await?;
        let caches = &read.config.rpki.caches;
        if !caches.is_empty() && *caches != current.config.rpki.caches {
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
            false => over(
                &self.limits(&read.config, options),
                &rehearsal,
                &current,
                &draft,
            ),
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
        let file = self.file().to_owned();
        // Long lists take seconds.
        let load = tokio::task::spawn_blocking(move || config::load(&file));
        let broken = |error| ChangeError::Refused(format!("the configuration: {error}"));
        let config = load.await.map_err(broken)?;
        let config = Arc::new(config.map_err(ChangeError::Configuration)?);
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

    /// Looks what would become of the routes; an error where a bound is passed.
    async fn check_limits(
        &self,
        limits: &[Limit],
        draft: &Draft,
        warnings: &[String],
    ) -> Result<RehearsalView, ChangeError> {
        self.settle().await?;
        let current = self.current();
        let found = rehearse(&self.data, &current.exchange, &draft.exchange).await?;
        let over = over(limits, &found, &current, draft);
        match over.is_empty() {
            true => Ok(found),
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
    /// `[reload]`. Lets up who waited for them. After a rollback the operator is waited for.
    pub async fn take_files(self: &Arc<Plane>) {
        let mut changes = self.changes.lock().await;
        if self.is_rolled_back() {
            return;
        }
        let config = self.current().config.clone();
        let mut kept = changes.clone();
        let (_, copying) = self.read_irr(&config, &mut kept).await;
        let (files, _) = self.read_files(&config).await;
        kept.inputs.outside = self
            .outside_with(&config, &files, &kept.inputs.outside)
            .await;
        let draft = self.draft(config.clone(), &mut kept).await;
        let limits = self.limits(&config, &ReloadOptions::default());
        let checked = match draft.is_change() && !limits.is_empty() {
            true => self.check_limits(&limits, &draft, &[]).await.map(drop),
            false => Ok(()),
        };
        let changed = match checked {
            Ok(()) => self.put_into_force(draft).await,
            Err(error) => Err(error),
        };
        match changed {
            Ok(_) => {
                self.feeds().keep_files(files);
                self.feeds().keep_copies(copying);
                self.feeds().note_refused(None);
                *changes = kept;
            }
            Err(error) => self.feeds().note_refused(Some(refused(&error))),
        }
    }

    /// Each bound with who set it. Where the command sets none, those of the configuration in force and of
    /// the new one hold both: a broken file must not lift them, and a new one is meant.
    fn limits(&self, new: &Config, options: &ReloadOptions) -> Vec<Limit> {
        let current = self.current();
        let sections: [&ReloadLimits; 2] = [&current.config.reload, &new.reload];
        let mut limits = Vec::new();
        let mut add = |what, asked: Option<Bound>, of: fn(&ReloadLimits) -> Option<Bound>| {
            let by_section = sections.iter().filter_map(|section| of(section));
            match asked {
                Some(bound) => limits.push(Limit {
                    bound,
                    what,
                    is_asked: true,
                }),
                None => limits.extend(by_section.map(|bound| Limit {
                    bound,
                    what,
                    is_asked: false,
                })),
            }
        };
        add(What::Rejected, options.max_rejected, |limits| {
            limits.max_rejected
        });
        add(What::Lost, options.max_lost, |limits| limits.max_lost);
        add(What::Restarts, options.max_restarts, |limits| {
            limits.max_restarts
        });
        limits.dedup();
        limits
    }

    /// What is doubtful about what is in force, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        let current = self.current();
        let mut warnings = self.feeds().warnings(&current.exchange.outside);
        if self.is_rolled_back() && (current.config.irr.watch.is_some() || self.is_waiting()) {
            let told = "the last reload was rolled back: new files from outside are not taken until the next \
                        rialto reload, as they may be what was taken back";
            warnings.push(told.to_owned());
        }
        warnings
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

    /// Whoever runs the server ends it, as on SIGTERM or SIGUSR2.
    pub fn ask_to_end(&self, end: End) {
        self.end.send_replace(Some(end));
    }

    /// Until somebody asked for the end.
    pub async fn asked_to_end(&self) -> End {
        let mut asked = self.end.subscribe();
        let asked = asked.wait_for(Option::is_some).await;
        asked.ok().and_then(|end| *end).unwrap_or(End::Final)
    }
}

impl Changes {
    pub(super) fn forget_who_is_gone(&mut self, config: &Config) {
        let is_there = |address| {
            config
                .clients
                .iter()
                .any(|client| client.address == address)
        };
        self.overrides.retain(is_there);
    }
}

/// What a bound is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Rejected,
    Lost,
    Restarts,
}

/// One bound of a reload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Limit {
    bound: Bound,
    what: What,
    /// By the command, not by the configuration.
    is_asked: bool,
}

/// That new data from files was not taken into use.
fn refused(error: &ChangeError) -> String {
    let why = match error {
        ChangeError::TooMuch(much) => much.over.join("; "),
        other => other.to_string(),
    };
    format!(
        "new data from files was refused, what was there before is in use: {why}; rialto reload --dry-run shows \
         what it would do, rialto reload --force takes it"
    )
}

/// Whether no client would be left. That is meant by hardly anybody, so it needs no bound.
fn is_emptied(old: &Config, draft: &Draft) -> bool {
    !old.clients.is_empty() && draft.config.clients.is_empty()
}

/// Why it is not done without force, in sentences.
fn over(
    limits: &[Limit],
    rehearsal: &RehearsalView,
    current: &Current,
    draft: &Draft,
) -> Vec<String> {
    let emptied = is_emptied(&current.config, draft).then(|| {
        let count = current.config.clients.len();
        format!("all clients ({count}) would be removed, and none would be left")
    });
    emptied
        .into_iter()
        .chain(passed(limits, rehearsal))
        .collect()
}

/// The bounds that it passes, in sentences.
fn passed(limits: &[Limit], rehearsal: &RehearsalView) -> Vec<String> {
    let sentence = |limit: &Limit| {
        let (count, all, what, key) = match limit.what {
            What::Rejected => (
                rehearsal.newly_rejected,
                rehearsal.accepted,
                "accepted paths would be rejected or withdrawn",
                "max_rejected",
            ),
            What::Lost => (
                rehearsal.lost,
                rehearsal.served,
                "prefixes, counted for each client that has them, would be lost",
                "max_lost",
            ),
            What::Restarts => (
                rehearsal.restarts.len() as u64,
                rehearsal.up,
                "sessions that are up would begin anew",
                "max_restarts",
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
