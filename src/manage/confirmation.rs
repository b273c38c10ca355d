//! Reloads for the time being: what was before comes back unless somebody confirms in time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{error, info};

use crate::base::{Generation, Time};
use crate::config::{Config, Inputs};
use crate::runtime::wall_clock;

use super::plane::{ChangeError, Plane};
use super::vrp_files::{VrpFiles, read_vrps};

/// Pause before a rollback that could not be is tried again.
const ROLL_BACK_AGAIN: Duration = Duration::from_secs(1);

/// The reload that awaits its confirmation, if one does.
#[derive(Default)]
pub struct Unconfirmed {
    before: Mutex<Option<Before>>,
    /// The last reload was rolled back: the files still hold what was taken back.
    is_rolled_back: AtomicBool,
}

/// What was in force before it.
struct Before {
    /// The generation that it made.
    generation: Generation,
    config: Arc<Config>,
    inputs: Inputs,
    files: VrpFiles,
    deadline: Time,
}

impl Unconfirmed {
    fn lock(&self) -> MutexGuard<'_, Option<Before>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plane {
    pub(super) fn await_confirmation(
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
        let (mut newest, _) = read_vrps(&config.rpki, &files, wall_clock());
        take_back(&mut newest, &self.feeds().files(), &files);
        let files = newest;
        let mut kept = changes.clone();
        kept.inputs.irr = irr;
        let before = &changes.inputs.outside;
        kept.inputs.outside = self.outside_with(&config, &files, before).await;
        match self.change_to(config, &mut kept).await {
            Ok(difference) => {
                *changes = kept;
                *self.unconfirmed.lock() = None;
                self.note_rolled_back(true);
                self.feeds().keep_files(files);
                self.follow_rtr();
                error!(
                    "the reload was not confirmed in time and is rolled back: {difference}; the files still hold \
                     what was taken back, and the next reload or start brings it again: correct them first"
                );
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

    pub(super) fn note_rolled_back(&self, is_so: bool) {
        let noted = &self.unconfirmed.is_rolled_back;
        noted.store(is_so, Ordering::Relaxed);
    }

    /// Whether files are left alone until the next reload, as they hold what was taken back.
    pub(super) fn is_rolled_back(&self) -> bool {
        self.unconfirmed.is_rolled_back.load(Ordering::Relaxed)
    }
}

/// A file that says what it said when the reload read it says again what it said before.
fn take_back(newest: &mut VrpFiles, in_force: &VrpFiles, before: &VrpFiles) {
    for (name, said) in newest {
        let is_of_reload = in_force.get(name) == Some(&*said);
        if let Some(before) = before.get(name).filter(|_| is_of_reload) {
            *said = before.clone();
        }
    }
}
