//! Hostile input over loopback sockets against the whole server: the right answer for the session
//! that sends it, a clear line in the log, and nothing at all for everybody else.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests are the world outside, which has a clock"
)]

mod crowds;
mod hijacks;
mod inputs;
mod log;
mod messages;
mod octets;
mod room;
mod speaker;
mod tables;
mod updates;

use std::time::Duration;

/// Nothing on loopback takes this long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);
