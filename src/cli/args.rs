//! The words of the command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::looks::{CLIENTS_HELP, DIFF_HELP, REPORT_HELP};
use crate::base::Prefix;
use crate::config::Bound;

pub use super::looks::{
    ClientsArgs, ClientsOrder, DiffArgs, DiffWhich, ReportArgs, ReportSection, Watched,
};

/// A BGP route server for the largest Internet exchanges.
#[derive(Debug, Parser)]
#[command(
    name = "rialto",
    version,
    about,
    arg_required_else_help = true,
    propagate_version = true,
    after_help = AFTER_HELP
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
First steps:
  rialto demo                        see it work; needs nothing
  rialto check --reference           every key of a configuration
  rialto check --config FILE         what is wrong with one
  rialto run --config FILE           run it
  rialto show clients                who is up (rialto explain: who has what, and why)

Exit status: 0 done and well, 1 it ran and something is wrong, 2 the words on
the command line are.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the route server in the foreground
    Run(RunArgs),
    /// Say everything that is wrong with a configuration, or what it comes to
    Check(CheckArgs),
    /// Make a configuration of what other programs are configured with
    #[command(subcommand)]
    Import(Import),
    /// Put a route server under load: synthetic clients, each of whose tables is checked
    Load(Box<crate::load::args::LoadArgs>),
    /// See it work: a route server on loopback, synthetic clients, a full table, all checked
    Demo(crate::load::args::DemoArgs),
    /// Show the state of a running server
    Show(ShowArgs),
    /// Say what a client registered and does not announce, and the other way round
    #[command(after_help = REPORT_HELP)]
    Report(ReportArgs),
    /// Compare two route servers: for each client what only one of them has
    #[command(after_help = DIFF_HELP)]
    Diff(DiffArgs),
    /// Say why a client has, or does not have, a prefix
    Explain(ExplainArgs),
    /// Read the configuration again, and say what changed
    Reload(ReloadArgs),
    /// Ask everybody to move their traffic elsewhere (RFC 8326), before the server stops
    Drain(DrainArgs),
    /// Have all routes written to a file (MRT), where [mrt] says
    Dump(Control),
    /// End the server: for good, or so that clients keep its routes until it is back
    Stop(StopArgs),
    /// Shut one client, let it back, restart it, ask it for its routes, quarantine it, or trace it
    Client(ClientArgs),
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Started as root: become this user for good once the sockets are open
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// How log lines look, instead of what [log] says
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArg>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormatArg {
    Human,
    Json,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", required_unless_present = "reference")]
    pub config: Option<PathBuf>,
    /// Print a configuration with every key and its default
    #[arg(long, conflicts_with = "config")]
    pub reference: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum Import {
    /// Of arouteserver's general.yml, clients.yml and bogons.yml
    #[command(after_help = IMPORT_HELP)]
    Arouteserver(ArouteserverArgs),
    /// Of an IX-F member export (Euro-IX JSON schema 0.6, 0.7 or 1.0), as IXP Manager has one
    #[command(after_help = IMPORT_HELP)]
    Ixf(IxfArgs),
}

const IMPORT_HELP: &str = "\
What cannot be expressed, and what is left to do, is listed on top of the
configuration and on standard error, each option with its place and why.

Exit status: 0 also with such a list, 1 if nothing useful could be read.";

#[derive(Debug, Args)]
pub struct ArouteserverArgs {
    /// What is general
    #[arg(value_name = "GENERAL.YML")]
    pub general: PathBuf,
    /// The clients
    #[arg(value_name = "CLIENTS.YML")]
    pub clients: PathBuf,
    /// The bogon prefixes; Rialto has its own
    #[arg(value_name = "BOGONS.YML")]
    pub bogons: Option<PathBuf>,
    /// Write a file of each TCP MD5 key into this folder, which starts from the configuration's
    #[arg(long, value_name = "FOLDER")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    pub output: ImportOutput,
}

#[derive(Debug, Args)]
pub struct IxfArgs {
    /// The export
    #[arg(value_name = "EXPORT.JSON")]
    pub export: PathBuf,
    /// The exchange, where the export has several: its ixp_id
    #[arg(long, value_name = "ID")]
    pub ixp: Option<u64>,
    /// The peering LAN, where there are several: its vlan_id
    #[arg(long, value_name = "ID")]
    pub vlan: Option<u64>,
    /// The route server's ASN; default: that of the route servers in the export
    #[arg(long, value_name = "ASN")]
    pub server_asn: Option<u32>,
    /// The route server's router ID; default: the address of the one in the export
    #[arg(long, value_name = "ADDR")]
    pub router_id: Option<std::net::Ipv4Addr>,
    /// Take addresses that do not say routeserver = true as well
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub output: ImportOutput,
}

#[derive(Debug, Args)]
pub struct ImportOutput {
    /// Write the configuration here instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// How a running server is found for reading.
#[derive(Clone, Debug, Args)]
pub struct Api {
    /// The server's read-only HTTP API
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8179", value_parser = authority)]
    pub api: String,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(subcommand)]
    pub what: Show,
}

#[derive(Debug, Subcommand)]
pub enum Show {
    /// The server at a glance
    Summary(Watched),
    /// All clients
    #[command(after_help = CLIENTS_HELP)]
    Clients(ClientsArgs),
    /// One client
    Client {
        /// Its name or address
        name: String,
        #[command(flatten)]
        watched: Watched,
    },
    /// All paths of a prefix, or of the longest prefix that covers an address
    Route {
        /// Such as 192.0.2.0/24, or an address: 192.0.2.1
        prefix: Target,
        #[command(flatten)]
        common: ShowCommon,
    },
    /// One client's routes
    Routes(RoutesArgs),
    /// What each session core and each shard does
    Cores(Watched),
    /// Data from outside: RTR caches, VRPs, IRR sets, and what is missing.
    Feeds(Watched),
    /// Routes whose next hop is the address of another client, the most recent first
    Hijacks(Watched),
}

#[derive(Clone, Debug, Args)]
pub struct ShowCommon {
    #[command(flatten)]
    pub api: Api,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct RoutesArgs {
    /// Its name or address
    #[arg(long, value_name = "NAME")]
    pub client: String,
    #[command(flatten)]
    pub which: WhichArgs,
    #[command(flatten)]
    pub common: ShowCommon,
}

/// Exactly one of them.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhichArgs {
    /// All that it announced
    #[arg(long)]
    pub received: bool,
    /// What import accepted
    #[arg(long)]
    pub accepted: bool,
    /// What import rejected, with the reason
    #[arg(long)]
    pub rejected: bool,
    /// What it is sent
    #[arg(long)]
    pub advertised: bool,
}

impl WhichArgs {
    pub const fn name(self) -> &'static str {
        match (self.received, self.accepted, self.rejected) {
            (true, _, _) => "received",
            (_, true, _) => "accepted",
            (_, _, true) => "rejected",
            _ => "advertised",
        }
    }
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Such as 192.0.2.0/24, or an address: the longest prefix that covers it
    pub prefix: Target,
    /// The client's name or address
    #[arg(long, value_name = "CLIENT")]
    pub to: String,
    #[command(flatten)]
    pub common: ShowCommon,
}

/// How a running server is found for changing something.
#[derive(Clone, Debug, Args)]
pub struct Control {
    /// Its control socket; default: that of --config, or what its API says
    #[arg(long, value_name = "SOCKET")]
    pub control: Option<PathBuf>,
    /// The configuration whose server is meant
    #[arg(long, value_name = "FILE", conflicts_with = "control")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub api: Api,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
#[command(after_help = RELOAD_HELP)]
pub struct ReloadArgs {
    /// Say what would change, for the routes that are there now, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Refuse it where more accepted paths than that would be rejected; instead of [reload] max_rejected
    #[arg(long, value_name = "N[%]")]
    pub max_rejected: Option<Bound>,
    /// Refuse it where clients would lose more prefixes than that, added up; instead of [reload] max_lost
    #[arg(long, value_name = "N[%]")]
    pub max_lost: Option<Bound>,
    /// Refuse it where more sessions than that would begin anew; instead of [reload] max_restarts
    #[arg(long, value_name = "N[%]")]
    pub max_restarts: Option<Bound>,
    /// Whatever the bounds say, and though the VRPs are far fewer than they were
    #[arg(long, conflicts_with_all = ["max_rejected", "max_lost", "max_restarts"])]
    pub force: bool,
    /// Take it back after that time, unless --confirmed comes before
    #[arg(long, value_name = "TIME", value_parser = confirm_s, conflicts_with = "dry_run")]
    pub confirm: Option<u32>,
    /// Keep what the last reload with --confirm brought
    #[arg(long, conflicts_with_all = ["dry_run", "max_rejected", "max_lost", "max_restarts", "force", "confirm"])]
    pub confirmed: bool,
    #[command(flatten)]
    pub control: Control,
}

const RELOAD_HELP: &str = "\
Examples:
  rialto reload --dry-run                  look first
  rialto reload --max-lost 1%              or let the server look
  rialto reload --confirm 5min             taken back in five minutes, unless
  rialto reload --confirmed                says that all is well";

#[derive(Debug, Args)]
pub struct DrainArgs {
    /// How long everybody gets to move their traffic; Ctrl-C leaves the server draining
    #[arg(long, value_name = "TIME", value_parser = time_s, default_value = "300s")]
    pub wait: u32,
    /// End the server then, as SIGTERM does
    #[arg(long)]
    pub stop: bool,
    /// Drain no longer
    #[arg(long, conflicts_with_all = ["stop", "wait"])]
    pub undo: bool,
    #[command(flatten)]
    pub control: Control,
}

#[derive(Debug, Args)]
pub struct StopArgs {
    /// It will be back soon: clients that speak graceful restart keep its routes (RFC 4724, RFC 8538)
    #[arg(long)]
    pub restart: bool,
    #[command(flatten)]
    pub control: Control,
}

#[derive(Debug, Args)]
pub struct ClientArgs {
    /// Its name or address
    pub name: String,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// End its session, and keep it down
    Disable {
        /// Text for the other side (RFC 9003), at most 255 octets
        #[arg(long, value_name = "TEXT", value_parser = shutdown_message, default_value = "")]
        message: String,
        #[command(flatten)]
        control: Control,
    },
    /// Let it back
    Enable {
        #[command(flatten)]
        control: Control,
    },
    /// Restart its session
    Reset {
        /// Text for the other side (RFC 9003), at most 255 octets
        #[arg(long, value_name = "TEXT", value_parser = shutdown_message, default_value = "")]
        message: String,
        #[command(flatten)]
        control: Control,
    },
    /// Ask it for its routes again (ROUTE-REFRESH)
    Refresh {
        #[command(flatten)]
        control: Control,
    },
    /// Say all that it says and is told, as it happens
    Trace {
        /// How long, an hour at most
        #[arg(long = "for", value_name = "TIME", value_parser = trace_s, default_value = "60s")]
        for_s: u32,
        #[command(flatten)]
        common: ShowCommon,
    },
    /// Evaluate and show its routes, but relay none
    Quarantine {
        /// "off" lifts it
        #[arg(value_enum, default_value = "on")]
        switch: Switch,
        #[command(flatten)]
        control: Control,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// A prefix, or an address that a prefix is to cover.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Prefix(Prefix),
    Address(IpAddr),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if let Ok(address) = text.parse() {
            return Ok(Target::Address(address));
        }
        text.parse()
            .map(Target::Prefix)
            .map_err(|error: crate::base::PrefixError| error.to_string())
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Prefix(prefix) => prefix.fmt(f),
            Target::Address(address) => address.fmt(f),
        }
    }
}

pub fn authority(text: &str) -> Result<String, String> {
    let text = text
        .strip_prefix("http://")
        .unwrap_or(text)
        .trim_end_matches('/');
    let (host, port) = text
        .rsplit_once(':')
        .ok_or("an address and port, such as 127.0.0.1:8179")?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err("an address and port, such as 127.0.0.1:8179".to_owned());
    }
    Ok(text.to_owned())
}

/// In seconds: `90`, `90s`, `5min`, `2h`.
fn time_s(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3_600),
        _ => None,
    };
    let number = digits.parse::<u32>().ok().zip(factor);
    let seconds = number.and_then(|(number, factor)| number.checked_mul(factor));
    seconds
        .filter(|seconds| *seconds <= 86_400)
        .ok_or_else(|| "a time of up to a day, such as 90s, 5min or 1h".to_owned())
}

fn confirm_s(text: &str) -> Result<u32, String> {
    match time_s(text)? {
        0 => Err("a time in which a confirmation can come, such as 60s".to_owned()),
        seconds => Ok(seconds),
    }
}

fn trace_s(text: &str) -> Result<u32, String> {
    match time_s(text)? {
        seconds @ 1..=3_600 => Ok(seconds),
        _ => Err("a time of up to an hour, such as 60s or 5min".to_owned()),
    }
}

fn shutdown_message(text: &str) -> Result<String, String> {
    match text.len() {
        0..=255 => Ok(text.to_owned()),
        len => Err(format!("{len} octets, RFC 9003 allows 255")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units_and_bounds() {
        for (text, seconds) in [
            ("0", 0),
            ("90", 90),
            ("90s", 90),
            ("5min", 300),
            ("5m", 300),
            ("1h", 3_600),
        ] {
            assert_eq!(super::time_s(text), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "s",
            "5 min",
            "-1",
            "1d",
            "25h",
            "99999999999",
            "1min2s",
            "5\u{e9}",
        ] {
            assert!(super::time_s(text).is_err(), "{text}");
        }
        assert!(super::confirm_s("0s").is_err());
    }
}
