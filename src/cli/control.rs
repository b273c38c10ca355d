//! `rialto reload`, `dump`, `stop` and `client …`, over the control socket.

use std::path::PathBuf;

use crate::config;
use crate::manage::view::SummaryView;
use crate::manage::{ReloadOptions, Request, Response};

use super::args::{ClientArgs, Control, ReloadArgs, StopArgs, Switch, Verb};
use super::fetch::{FetchError, ask, get};
use super::trace::trace;
use super::{Outcome, print, rehearsal};

pub fn reload(args: &ReloadArgs) -> Result<Outcome, FetchError> {
    let options = ReloadOptions {
        dry_run: args.dry_run,
        max_rejected: args.max_rejected,
        max_lost: args.max_lost,
        max_restarts: args.max_restarts,
        force: args.force,
        confirm_s: args.confirm,
    };
    let request = match options == ReloadOptions::default() {
        _ if args.confirmed => Request::ConfirmReload,
        true => Request::Reload,
        false => Request::ReloadWith(options),
    };
    let response = ask(&socket(&args.control)?, &request)?;
    if let Some(view) = response
        .rehearsal
        .as_ref()
        .filter(|_| !args.control.output.json)
    {
        let is_in_force = response.ok && !args.dry_run;
        print(&match is_in_force {
            true => rehearsal::totals(view),
            false => rehearsal::tables(view) + "\n",
        });
    }
    Ok(tell(&args.control, &response))
}

pub fn dump(control: &Control) -> Result<Outcome, FetchError> {
    perform(control, &Request::Dump)
}

pub fn client(args: &ClientArgs) -> Result<Outcome, FetchError> {
    let client = args.name.clone();
    let (control, request) = match &args.verb {
        Verb::Disable { message, control } => (
            control,
            Request::Disable {
                client,
                message: message.clone(),
            },
        ),
        Verb::Enable { control } => (control, Request::Enable { client }),
        Verb::Reset { message, control } => (
            control,
            Request::Reset {
                client,
                message: message.clone(),
            },
        ),
        Verb::Refresh { control } => (control, Request::Refresh { client }),
        Verb::Trace { for_s, common } => return trace(&args.name, *for_s, common),
        Verb::Quarantine { switch, control } => (
            control,
            Request::Quarantine {
                client,
                on: *switch == Switch::On,
            },
        ),
    };
    perform(control, &request)
}

pub fn stop(args: &StopArgs) -> Result<Outcome, FetchError> {
    let request = match args.restart {
        true => Request::StopForRestart,
        false => Request::Stop,
    };
    perform(&args.control, &request)
}

fn perform(control: &Control, request: &Request) -> Result<Outcome, FetchError> {
    Ok(tell(control, &ask(&socket(control)?, request)?))
}

pub fn tell(control: &Control, response: &Response) -> Outcome {
    if control.output.json {
        print(&format!(
            "{:#}\n",
            serde_json::to_value(response).unwrap_or_default()
        ));
    } else if response.ok {
        print(&format!("{}\n", response.text));
    } else {
        eprintln!("{}", response.text);
    }
    match response.ok {
        true => Outcome::Well,
        false => Outcome::Wrong,
    }
}

pub fn socket(control: &Control) -> Result<PathBuf, FetchError> {
    match (&control.control, &control.config) {
        (Some(socket), _) => Ok(socket.clone()),
        (None, Some(file)) => match config::load(file) {
            Ok(config) => Ok(config.control),
            Err(problems) => Err(FetchError::Refused(format!(
                "the configuration does not say where the control socket is (--control SOCKET does):\n{problems}"
            ))),
        },
        (None, None) => match get(&control.api.api, "/api/v1/summary") {
            Ok(SummaryView { control_socket, .. }) => Ok(control_socket.into()),
            Err(FetchError::Unreachable { api, why }) => {
                Err(FetchError::SocketUnknown { api, why })
            }
            Err(error) => Err(error),
        },
    }
}
