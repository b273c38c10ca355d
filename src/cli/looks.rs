//! The words of commands that look: what is chosen, in which order, how often.

use clap::{Args, ValueEnum};

use super::args::{Output, ShowCommon, authority};

pub const CLIENTS_HELP: &str = "\
Examples:
  rialto show clients --down               who is not up, and why
  rialto show clients --sort received      who announces most
  rialto show clients --match 64501        all sessions of an ASN
  rialto show clients --watch --down       until q";

#[derive(Debug, Args)]
pub struct ClientsArgs {
    /// Those that are not up
    #[arg(long)]
    pub down: bool,
    /// Those whose name or address has this in it, or whose ASN it is
    #[arg(long = "match", value_name = "TEXT")]
    pub matching: Option<String>,
    /// In this order, most first; times and names the other way round
    #[arg(long, value_enum, value_name = "COLUMN")]
    pub sort: Option<ClientsOrder>,
    #[command(flatten)]
    pub watched: Watched,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ClientsOrder {
    Name,
    Asn,
    /// The last change of state first
    Since,
    Received,
    Accepted,
    Rejected,
    /// Prefixes that a client which reads slowly has yet to hear of
    Behind,
    Flaps,
    /// UPDATEs received
    Updates,
}

/// What can be looked at again and again.
#[derive(Clone, Debug, Args)]
pub struct Watched {
    /// Again and again, so many seconds apart, with what changes; q ends it
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
          value_parser = clap::value_parser!(u32).range(1..=3_600), conflicts_with = "json")]
    pub watch: Option<u32>,
    #[command(flatten)]
    pub common: ShowCommon,
}

pub const DIFF_HELP: &str = "\
Examples:
  rialto diff --api 192.0.2.1:8179 --api 192.0.2.2:8179
  rialto diff --api 192.0.2.1:8179 --api 192.0.2.2:8179 --client 192.0.2.77 --which advertised
  rialto diff --api 127.0.0.1:8179 --birdwatcher 127.0.0.1:29184

Clients are matched by their addresses. Exit status: 0 all is the same, 1 it is
not, or a server did not answer.";

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The API of a server; twice
    #[arg(long, value_name = "ADDR:PORT", value_parser = authority, required = true)]
    pub api: Vec<String>,
    /// Instead of the second one: a BIRD behind a birdwatcher; AS_PATH, next hop, ORIGIN and MED of what was accepted are compared
    #[arg(long, value_name = "ADDR:PORT", value_parser = authority)]
    pub birdwatcher: Option<String>,
    /// This one alone: its address, or its name at either
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Instead of what is received and what is advertised
    #[arg(long, value_enum, value_name = "WHICH")]
    pub which: Option<DiffWhich>,
    /// Show all prefixes, not the first forty of each client
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum DiffWhich {
    Received,
    Accepted,
    Advertised,
}

pub const REPORT_HELP: &str = "\
Sections: what is announced and not registered (IRR), what no ROA allows, and
what is registered and not announced. A near miss is one that may have been
meant: a more or less specific prefix, or another origin.";

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Its name or address
    pub name: String,
    /// Nothing else
    #[arg(long, value_enum, value_name = "SECTION")]
    pub section: Option<ReportSection>,
    /// All of it, not the first forty of each section
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub common: ShowCommon,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ReportSection {
    NotRegistered,
    RoaMismatch,
    NotAnnounced,
    NearMiss,
}
