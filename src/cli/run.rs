//! `rialto run`.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::Arc;

use tracing::{error, info, warn};

use crate::config::{self, Config, Inputs, LogFormat, Overrides};
use crate::manage::{self, Doors, End, Feeds, ManageError, Plane};
use crate::runtime::{
    Account, PrivilegeError, Runtime, RuntimeError, RuntimeOptions, give_up_privileges,
    keep_memory_small,
};

use super::Outcome;
use super::args::{LogFormatArg, RunArgs};

/// What clients are told when the server ends (RFC 9003).
const GOODBYE: &str = "route server is shutting down";
/// And when it will be back, where a NOTIFICATION does not end that their routes are kept.
const BACK_SOON: &str = "route server restarts";

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("{0}")]
    Manage(#[from] ManageError),
    #[error("{0}")]
    Runtime(#[from] RuntimeError),
    #[error("{0}")]
    Privileges(#[from] PrivilegeError),
    #[error(
        "{user} cannot read the configuration, so no reload could either; give it what it needs:\n{problems}"
    )]
    Unreadable { user: String, problems: String },
    #[error("cannot start the management plane: {0}")]
    Start(std::io::Error),
}

pub fn run(args: &RunArgs) -> Outcome {
    // Before much is allocated.
    keep_memory_small();
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return Outcome::Wrong;
        }
    };
    let format = match args.log_format {
        Some(LogFormatArg::Human) => LogFormat::Human,
        Some(LogFormatArg::Json) => LogFormat::Json,
        None => config.log.format,
    };
    manage::logs::start(format, &config.log.level);
    for warning in config.warnings.iter() {
        warn!("{warning}");
    }
    match in_tokio(serve(config, args)) {
        Ok(true) => Outcome::Well,
        Ok(false) => {
            warn!("some sessions did not take their goodbye in time and were cut off");
            Outcome::Well
        }
        Err(error) => {
            error!("{error}");
            Outcome::Wrong
        }
    }
}

fn in_tokio<T>(work: impl Future<Output = Result<T, RunError>>) -> Result<T, RunError> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    tokio.map_err(RunError::Start)?.block_on(work)
}

/// Everything, until a signal ends it. Whether all sessions took their goodbye.
async fn serve(config: Config, args: &RunArgs) -> Result<bool, RunError> {
    let account = args.user.as_deref().map(Account::find).transpose()?;
    let doors = Doors::open(&config).await?;
    let feeds = Feeds::default();
    let irr = feeds.read_irr(&config);
    feeds.read_files(&config.rpki);
    let inputs = Inputs {
        irr: irr.sets,
        irr_missing: irr.missing,
        outside: feeds.at_start(&config.rpki),
        is_waiting: !config.irr.wait_max.is_zero(),
        ..Inputs::default()
    };
    let exchange = Arc::new(config::compile(
        &config,
        &Overrides::default(),
        &inputs,
        None,
    ));
    // The network must not be able to choose what collides.
    let seed = RandomState::new().hash_one(std::process::id());
    let bound = Runtime::bind(&exchange)?;
    if let Some(account) = &account {
        doors.give_to(account.uid(), account.gid())?;
    }
    give_up_privileges(account.as_ref())?;
    if let Some(user) = &args.user {
        check_readable(user, args)?;
    }
    let runtime = Runtime::start_bound(bound, exchange.clone(), RuntimeOptions::new(seed))?;
    info!(
        asn = exchange.asn.0,
        router_id = %exchange.router_id,
        clients = exchange.clients().count(),
        session_cores = exchange.core_count,
        shards = exchange.shard_count,
        listen = ?runtime.handle().listen_addresses(),
        api = ?doors.api_addresses(),
        control = %config.control.display(),
        "running"
    );
    manage::start_watchdog(Arc::new(runtime.handle().clone()));
    // From here on this thread is the management plane.
    runtime.make_way();
    let plane = Plane::new(config, exchange, Arc::new(runtime.handle().clone()));
    let plane = Arc::new(plane.with_feeds(feeds, inputs));
    plane.feeds().keep_copies(irr.copying);
    Ok(match manage::serve(plane, doors).await? {
        End::Final => runtime.shutdown(GOODBYE, false).await,
        End::Restart => runtime.shutdown(BACK_SOON, true).await,
    })
}

/// What root could read, the user that it became may not.
fn check_readable(user: &str, args: &RunArgs) -> Result<(), RunError> {
    let unreadable = |problems: config::Problems| RunError::Unreadable {
        user: user.to_owned(),
        problems: problems.to_string(),
    };
    config::load(&args.config).map(drop).map_err(unreadable)
}
