//! The words of `rialto load` and `rialto demo` on the command line.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::Ipv4Net;

use super::model::Check;
use super::synthetic::{Layout, Shape};
use super::templates::Daemon;
use crate::base::{Family, FamilySet};

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// All clients announce; over when each has what it is owed and it is quiet.
    Converge,
    /// One more client comes to a server that holds the full table.
    Join,
    /// Routes change as with churn, and in the middle of it one more client comes.
    JoinBusy,
    /// Some clients drop and come back.
    Flap,
    /// Routes change, so many a second; each arrival is timed.
    Churn,
    /// As churn, --rounds times for --duration, with the arrivals of each on their own; a line on standard
    /// error says when the changes of each begin, two seconds before its arrivals count.
    Series,
    /// Some clients do not read while the others get their tables.
    Slow,
    /// All clients announce, and then nothing happens for --duration.
    Idle,
    /// Routes change while the server's configuration does, so that all routes are judged again and
    /// --rejected-share of them rejected; then it changes back. With --irr-files, those change.
    Reload,
    /// Routes change while VRPs come to an RTR cache of the load's own, so that --rejected-share of the
    /// prefixes are rejected; then some of them change, and change back.
    Vrps,
    /// What `rialto demo` shows: converge, one client drops and returns, routes change.
    #[value(skip)]
    Tour,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Families {
    Ipv4,
    Ipv6,
    Both,
}

impl Families {
    pub fn set(self) -> FamilySet {
        match self {
            Families::Ipv4 => FamilySet::only(Family::Ipv4),
            Families::Ipv6 => FamilySet::only(Family::Ipv6),
            Families::Both => FamilySet::ALL,
        }
    }
}

/// Synthetic full-table clients against any route server.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// The route server's BGP address and port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:179", value_parser = target)]
    pub target: SocketAddr,
    /// The route server's ASN
    #[arg(long, value_name = "ASN", default_value_t = 64500)]
    pub server_asn: u32,
    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub clients: u16,
    /// Distinct prefixes over all clients; 10000, or all of an MRT file
    #[arg(long, value_name = "P")]
    pub prefixes: Option<usize>,
    /// Mean number of clients that announce a prefix
    #[arg(long, value_name = "MEAN", default_value_t = 1.8)]
    pub paths_per_prefix: f64,
    /// Every client announces P / N IPv4 /24s of its own
    #[arg(long, conflicts_with_all = ["full_tables", "paths_per_prefix", "mrt"])]
    pub even: bool,
    /// Every client announces all P prefixes, each with paths of its own
    #[arg(long, conflicts_with_all = ["paths_per_prefix", "mrt"])]
    pub full_tables: bool,
    /// Mean number of prefixes that share an attribute set, 4; the exact number with --full-tables
    /// (4) and --even (all of the client's)
    #[arg(long, value_name = "COUNT")]
    pub prefixes_per_attributes: Option<f64>,
    /// Share of attribute sets with control communities of their own, 0 to 1; 0.15, or 0 with
    /// --even, --full-tables or --tagging-clients
    #[arg(long, value_name = "SHARE")]
    pub control_share: Option<f64>,
    /// Share of clients that put control communities on all their sets, each its own list of 1 to
    /// 30 peers, a third of whom are absent; the rest of the table is the same with any share
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.0,
        conflicts_with = "mrt"
    )]
    pub tagging_clients: f64,
    /// Leave prepends out of the control communities (not every server can choose by them)
    #[arg(long)]
    pub no_prepends: bool,
    /// Share of attribute sets with an unknown transitive attribute, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub unknown_share: f64,
    /// What is announced; IPv6 goes over the same sessions. ipv4, or all of an MRT file
    #[arg(long, value_enum)]
    pub family: Option<Families>,
    /// Share of prefixes that are IPv6 with --family both
    #[arg(long, value_name = "SHARE", default_value_t = 0.25)]
    pub ipv6_share: f64,
    /// A real table instead of a synthetic one (MRT; .gz and .bz2 are unpacked)
    #[arg(long, value_name = "FILE")]
    pub mrt: Option<PathBuf>,
    /// Client i is address net.(1 + i / 200).(1 + i mod 200), ASN 10000 + i
    #[arg(long, value_name = "NET", default_value = "127.77.0.0/16")]
    pub source_net: Ipv4Net,
    /// A client's IPv6 next hop is its IPv4 address within this
    #[arg(long, value_name = "ADDR", default_value = "fd77::")]
    pub ipv6_net: Ipv6Addr,
    /// This many clients, the last ones, ask for all paths (RFC 7911)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub add_path_clients: u16,
    /// Hold time that clients propose, in seconds
    #[arg(long, value_name = "S", default_value_t = 90)]
    pub hold_time: u16,
    /// What the clients do
    #[arg(long, value_enum, default_value_t = Scenario::Converge)]
    pub scenario: Scenario,
    /// How much is asked of the server
    #[arg(long, value_enum, default_value_t = Check::Exact)]
    pub check: Check,
    /// Decode every distinct message a second time, with bgpkit-parser
    #[arg(long)]
    pub second_decoder: bool,
    /// Flap: how many clients drop and return. Slow: how many do not read
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub affected: u16,
    /// Flap, series, reload and vrps: how many times
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub rounds: u16,
    /// Churn, series, join-busy, slow, reload and vrps: changes a second
    #[arg(long, value_name = "PER_S", default_value_t = 100)]
    pub rate: u32,
    /// Churn, series, join-busy, slow and idle: for how many seconds
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub duration: u32,
    /// Reload and vrps: the share of the prefixes that is rejected
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub rejected_share: f64,
    /// Reload: the configuration file that the server was started with; it is changed and put back
    #[arg(long, value_name = "FILE")]
    pub server_config: Option<PathBuf>,
    /// Reload: the server's control socket; rialto.sock beside that file
    #[arg(long, value_name = "SOCKET")]
    pub control: Option<PathBuf>,
    #[command(flatten)]
    pub outside: OutsideArgs,
    /// Slow: octets a second that slow clients read; 0 is nothing at all
    #[arg(long, value_name = "OCTETS", default_value_t = 0)]
    pub slow_rate: usize,
    /// Seconds without any change after which a wrong table stays wrong
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = seconds())]
    pub patience: u32,
    /// Milliseconds of quiet that make a right table final
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub settle: u32,
    /// Processes of the server on this machine, to measure their CPU time and memory
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub server_pid: Vec<u32>,
    /// The same seed gives the same table and the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Seconds until all of it must be over
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = seconds())]
    pub timeout: u32,
    /// Seconds for a first session to come up; with none by then, it ends and says why
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = seconds())]
    pub connect_timeout: u32,
    /// The result as JSON
    #[arg(long)]
    pub json: bool,
    /// Do not connect; print a configuration for these clients
    #[arg(long, value_enum, value_name = "SERVER", num_args = 0..=1, default_missing_value = "rialto")]
    pub print_config: Option<Daemon>,
    /// Do not connect; write a Rialto configuration for these clients
    #[arg(long, value_name = "FILE")]
    pub write_config: Option<PathBuf>,
}

/// What the server is told of the routes from elsewhere. `--print-config` and `--write-config` write the
/// files, for `rialto` alone.
#[derive(Args, Clone, Debug)]
pub struct OutsideArgs {
    /// IRR data that all routes pass goes into this folder, an AS-SET for each client
    #[arg(long, value_name = "FOLDER", conflicts_with = "mrt")]
    pub irr_files: Option<PathBuf>,
    /// Entries of each of these AS-SETs; what the client does not announce is made up
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub irr_entries: usize,
    /// VRPs and ASPAs that all routes pass go into this file
    #[arg(long, value_name = "FILE", conflicts_with = "mrt")]
    pub vrp_file: Option<PathBuf>,
    /// Vrps: where the load is an RTR cache; the server asks there
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "mrt")]
    pub rtr_cache: Option<SocketAddr>,
    /// So many VRPs, those that cover no route among them
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    pub vrps: usize,
    /// Vrps: so many go and come in each turn
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub changed_vrps: usize,
}

impl OutsideArgs {
    /// Whether files are written that only Rialto reads.
    pub fn writes_files(&self) -> bool {
        self.irr_files.is_some() || self.vrp_file.is_some()
    }

    fn is_asked_for(&self) -> bool {
        self.writes_files() || self.rtr_cache.is_some()
    }
}

fn seconds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

fn target(text: &str) -> Result<SocketAddr, String> {
    let wrong = |_| "an IPv4 address and port, such as 127.0.0.1:1179".to_owned();
    text.parse().map_err(wrong)
}

impl LoadArgs {
    /// Whether there are to be clients, and not only their configuration.
    pub fn connects(&self) -> bool {
        self.print_config.is_none() && self.write_config.is_none()
    }

    /// What an MRT file is narrowed to.
    pub fn family_or_all(&self) -> FamilySet {
        self.family.map_or(FamilySet::ALL, Families::set)
    }

    /// The synthetic table that is asked for.
    pub fn shape(&self) -> Shape {
        let layout = match (self.even, self.full_tables) {
            (true, _) => Layout::Even,
            (_, true) => Layout::Full,
            _ => Layout::Overlapping {
                paths_per_prefix: self.paths_per_prefix,
            },
        };
        let per_set = (!self.even).then_some(PREFIXES_PER_ATTRIBUTES);
        let is_plain = self.even || self.full_tables || self.tagging_clients > 0.0;
        Shape {
            prefixes: self.prefixes.unwrap_or(PREFIXES),
            layout,
            prefixes_per_attributes: self.prefixes_per_attributes.or(per_set),
            control_share: self
                .control_share
                .unwrap_or(if is_plain { 0.0 } else { CONTROL_SHARE }),
            tagging_clients: self.tagging_clients,
            prepends: !self.no_prepends,
            unknown_share: self.unknown_share,
            families: self.family.unwrap_or(Families::Ipv4).set(),
            ipv6_share: self.ipv6_share,
            seed: self.seed,
        }
    }

    /// What clap cannot tell: words that do not go together.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        if !matches!(self.target, SocketAddr::V4(_)) {
            return wrong(
                "--target must be an IPv4 address: clients bind addresses of --source-net",
            );
        }
        if self.source_net.prefix_len() > 16 {
            return wrong("--source-net must be a /16 or larger, such as 127.77.0.0/16");
        }
        let shares = [self.control_share.unwrap_or(0.0), self.unknown_share];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return wrong("--control-share and --unknown-share go from 0 to 1");
        }
        let shares = [self.tagging_clients, self.ipv6_share];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return wrong("--tagging-clients and --ipv6-share go from 0 to 1");
        }
        if !(0.0..=1.0).contains(&self.rejected_share) {
            return wrong("--rejected-share goes from 0 to 1");
        }
        if self.scenario == Scenario::Reload && self.connects() && self.server_config.is_none() {
            return wrong(
                "--scenario reload needs --server-config: the file that the server was started with",
            );
        }
        if self.scenario == Scenario::Vrps && self.outside.rtr_cache.is_none() {
            return wrong("--scenario vrps needs --rtr-cache: where the server asks for VRPs");
        }
        let is_others = self
            .print_config
            .is_some_and(|daemon| daemon != Daemon::Rialto);
        if is_others && self.outside.is_asked_for() {
            return wrong(
                "--irr-files, --vrp-file and --rtr-cache are for a configuration of rialto",
            );
        }
        let per_set = self.prefixes_per_attributes.unwrap_or(1.0);
        if !(per_set >= 1.0 && self.paths_per_prefix >= 1.0) || self.prefixes == Some(0) {
            return wrong(
                "--prefixes, --paths-per-prefix and --prefixes-per-attributes are 1 or more",
            );
        }
        if per_set.fract() != 0.0 && (self.even || self.full_tables) {
            return wrong("--prefixes-per-attributes is a whole number with --even, --full-tables");
        }
        let (prefixes, clients) = (self.prefixes.unwrap_or(PREFIXES), usize::from(self.clients));
        if prefixes > PREFIXES_MAX {
            return wrong("--prefixes goes to 2500000");
        }
        if self.even && (prefixes < clients || !matches!(self.family, None | Some(Families::Ipv4)))
        {
            return wrong("--even is IPv4, and at least one prefix a client");
        }
        if self.full_tables && prefixes * clients > ROUTES_MAX {
            return wrong("--full-tables goes to 100000000 routes: clients times prefixes");
        }
        if (1..3).contains(&self.hold_time) {
            return wrong("--hold-time is 0 or at least 3 (RFC 4271)");
        }
        Ok(())
    }
}

/// What is announced unless said otherwise.
const PREFIXES: usize = 10_000;
const PREFIXES_PER_ATTRIBUTES: f64 = 4.0;
const CONTROL_SHARE: f64 = 0.15;
const PREFIXES_MAX: usize = 2_500_000;
const ROUTES_MAX: usize = 100_000_000;

/// A route server on loopback with synthetic clients and a full table; needs nothing.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..=2_000))]
    pub clients: u16,
    /// Distinct prefixes, a quarter of them IPv6
    #[arg(long, value_name = "P", default_value_t = 200_000)]
    pub prefixes: usize,
    /// The same seed gives the same table and the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Seconds until all of it must be over
    #[arg(long, value_name = "S", default_value_t = 180, value_parser = seconds())]
    pub timeout: u32,
    /// Keep it running afterwards, until interrupted
    #[arg(long)]
    pub serve: bool,
    /// The result as JSON
    #[arg(long)]
    pub json: bool,
}

/// `rialto load` without any words: what the demo starts from.
#[derive(clap::Parser)]
struct Defaults {
    #[command(flatten)]
    load: LoadArgs,
}

impl LoadArgs {
    /// As if nothing were said.
    pub fn defaults() -> LoadArgs {
        <Defaults as clap::Parser>::parse_from(["load"]).load
    }
}
