//! `rialto reload` and `rialto client …`, over the control socket.

use std::path::PathBuf;

use crate::config;
use crate::manage::Request;
use crate::manage::view::SummaryView;

use super::args::{ClientArgs, Control, ReloadArgs, Switch, Verb};
use super::fetch::{FetchError, ask, get};
use super::{Outcome, print};

pub fn reload(args: &ReloadArgs) -> Result<Outcome, FetchError> {
    perform(&args.control, &Request::Reload)
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

fn perform(control: &Control, request: &Request) -> Result<Outcome, FetchError> {
    let response = ask(&socket(control)?, request)?;
    if control.output.json {
        print(&format!(
            "{:#}\n",
            serde_json::to_value(&response).unwrap_or_default()
        ));
    } else if response.ok {
        print(&format!("{}\n", response.text));
    } else {
        eprintln!("{}", response.text);
    }
    Ok(if response.ok {
        Outcome::Well
    } else {
        Outcome::Wrong
    })
}

fn socket(control: &Control) -> Result<PathBuf, FetchError> {
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
