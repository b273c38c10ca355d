//! The UPDATE codec through its public door.

mod differential;
mod encoding;
mod generate;
mod golden;
mod properties;
mod remedies;
mod support;
