//! One BGP session, sans-IO: octets, connections and ticks in; octets, messages and deadlines out.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod connection;
mod event;
mod framer;
mod jitter;
mod machine;
mod negotiate;
mod reason;
mod settings;

pub use event::{
    Message, Negotiated, Parting, SessionAction, SessionEvent, State, Stop, StopHold, Way,
};
pub use machine::Session;
pub use reason::DownReason;
pub use settings::{RoleSettings, SessionSettings};
