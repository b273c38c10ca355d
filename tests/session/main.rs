//! The session floor through its public doors.

mod back_to_back;
mod collision;
mod conversations;
mod errors;
mod extended;
mod helper;
mod next_hops;
mod properties;
mod restarts;
mod roles;
mod script;
mod timers;
mod wire;
