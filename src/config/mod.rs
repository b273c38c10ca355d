//! The configuration: files to checked values, and those to one compiled generation. It reads files,
//! and knows nothing of sockets or of a running server.

mod check;
mod client;
mod compile;
mod diff;
mod effects;
mod export;
mod feeds;
mod import;
mod irr;
mod lists;
mod looking_glass;
mod model;
mod monitoring;
mod options;
mod problem;
mod read;
mod reader;
mod reload;
mod source;
mod summary;

pub use compile::Inputs;
pub use compile::{Override, Overrides, compile};
pub use diff::{ClientChange, Difference, NeedsRestart, difference, needs_restart};
pub use export::{Blackhole, ClientName, Matrix};
pub use feeds::RpkiFeed;
pub use import::{ImportConfig, NextHopMode};
pub use irr::{IrrConfig, IrrFeed, IrrSources};
pub use lists::Lists;
pub use looking_glass::{LookingGlass, session_names};
pub use model::{
    Attributes, ClientConfig, Config, Cores, FixedPlaces, Log, LogFormat, Role, Server,
};
pub use monitoring::{CollectorConfig, MrtConfig, Somewhere};
pub use options::RECEIVED_MAX;
pub use problem::{Place, Problem, Problems, Severity};
pub use read::{from_text, load};
pub use reload::{Bound, BoundError, ReloadLimits};
pub use summary::{ClientSummary, Summary};

/// Every key with its default, as a configuration that is good.
pub const REFERENCE: &str = include_str!("reference.toml");
