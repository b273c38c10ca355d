//! The UPDATE codec through its public door.

mod additions;
mod differential;
mod encoding;
mod facts;
mod generate;
mod golden;
mod outcome;
mod properties;
mod remedies;
mod remedies_update;
mod support;
