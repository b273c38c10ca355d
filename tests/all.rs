//! One test binary for all that goes through public doors.

mod cli;
mod config;
