//! `rialto drain`: ask everybody to move their traffic elsewhere, give them the time, end the server.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::manage::Request;

use super::args::DrainArgs;
use super::control::{socket, tell};
use super::fetch::{FetchError, ask};
use super::table::duration;
use super::{Outcome, print};

pub fn drain(args: &DrainArgs) -> Result<Outcome, FetchError> {
    let socket = socket(&args.control)?;
    let mut response = ask(&socket, &Request::Drain { undo: args.undo })?;
    if args.undo || !response.ok {
        return Ok(tell(&args.control, &response));
    }
    if !args.control.output.json {
        print(&format!("{}\n", response.text));
    }
    wait(args.wait);
    match args.stop {
        true => response = ask(&socket, &Request::Stop)?,
        false => {
            response.text = format!(
                "everybody had {} to move their traffic; the server goes on draining. To end it: rialto drain \
                 --wait 0 --stop; to drain no longer: rialto drain --undo",
                duration(args.wait.into())
            );
        }
    }
    Ok(tell(&args.control, &response))
}

/// With a countdown on a terminal.
fn wait(seconds: u32) {
    let mut terminal = std::io::stderr();
    let is_shown = terminal.is_terminal();
    for left in (1..=seconds).rev() {
        if is_shown {
            // A terminal that has gone away is no reason to wait less.
            let _ = write!(
                terminal,
                "\r{left:>5} s left; Ctrl-C leaves the server draining "
            );
            let _ = terminal.flush();
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    if is_shown && seconds > 0 {
        let _ = write!(terminal, "\r{:60}\r", "");
    }
}
