//! The configuration as it holds for each client: defaults inherited, files read, nothing compiled.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::base::{Asn, Family, FamilySet};
use crate::policy::ControlScheme;
use crate::rib::MedMode;
use crate::server::exchange::{FanoutLimits, PrefixLimits, Secret, Startup};
use crate::wire::TypeCodes;

use super::problem::{Place, Problems};

/// A whole configuration that passed its checks.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that was named, then those that it includes.
    pub files: Vec<PathBuf>,
    pub server: Server,
    pub cores: Cores,
    /// Empty: no HTTP.
    pub api: Vec<SocketAddr>,
    pub control: PathBuf,
    pub log: Log,
    pub scheme: ControlScheme,
    pub startup: Startup,
    pub fanout: FanoutLimits,
    /// In the order of the files.
    pub clients: Vec<ClientConfig>,
    pub warnings: Problems,
}

/// `[server]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    pub listen: Vec<SocketAddr>,
    pub med: MedMode,
    /// `attributes.discard` and `attributes.treat_as_withdraw` that hold for every client.
    pub attributes: Attributes,
}

/// Type codes that the operator wants discarded, or whose presence withdraws the routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    pub discard: TypeCodes,
    pub treat_as_withdraw: TypeCodes,
}

/// `[cores]`: pinned threads of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cores {
    pub sessions: u16,
    pub shards: u16,
}

/// `[log]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// As in RUST_LOG, which is stronger.
    pub level: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    #[default]
    Human,
    Json,
}

/// One `[[client]]` with what it inherits.
#[derive(Clone, PartialEq, Debug)]
pub struct ClientConfig {
    pub place: Place,
    pub asn: Asn,
    pub address: IpAddr,
    pub name: String,
    /// Its addresses beside `address`.
    pub next_hops: Vec<IpAddr>,
    pub port: u16,
    /// RFC 9003 text, where the client is disabled.
    pub disabled: Option<String>,
    pub quarantine: bool,
    pub password: Option<Secret>,
    pub families: FamilySet,
    pub hold_time_s: u16,
    pub passive: bool,
    pub add_path: bool,
    pub hide_own_as: bool,
    pub extended_messages: bool,
    pub connect_retry_s: u16,
    pub idle_hold_s: u16,
    pub idle_hold_max_s: u16,
    pub send_hold_time_s: Option<u16>,
    pub ttl_security_hops: Option<u8>,
    pub congestion_control: Option<String>,
    pub import: ImportConfig,
    /// By [`Family::index`].
    pub limits: [PrefixLimits; 2],
    pub attribute_octets_max: Option<u32>,
    pub limit_restart: Option<Duration>,
    pub attributes: Attributes,
}

/// `[client.import]` with what it inherits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportConfig {
    pub next_hop: NextHopMode,
    pub leftmost_as: bool,
    pub as_path_max: Option<u16>,
    /// Accepted prefix lengths by [`Family::index`]; `None`: all.
    pub prefix_length: [Option<(u8, u8)>; 2],
    pub bogon_prefixes: bool,
    pub bogon_asns: bool,
    pub own_as: bool,
}

/// Whose address a next hop may be (RFC 7948 §4.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextHopMode {
    Off,
    /// The client's own.
    Strict,
    /// That of any session of the same ASN.
    SameAs,
}

impl NextHopMode {
    pub const fn name(self) -> &'static str {
        match self {
            NextHopMode::Off => "off",
            NextHopMode::Strict => "strict",
            NextHopMode::SameAs => "same_as",
        }
    }
}

impl ImportConfig {
    /// Every check that needs no outside data.
    pub const EXCHANGE: ImportConfig = ImportConfig {
        next_hop: NextHopMode::Strict,
        leftmost_as: true,
        as_path_max: Some(32),
        prefix_length: [Some((8, 24)), Some((12, 48))],
        bogon_prefixes: true,
        bogon_asns: true,
        own_as: true,
    };

    pub const LAB: ImportConfig = ImportConfig {
        next_hop: NextHopMode::Off,
        leftmost_as: false,
        as_path_max: None,
        prefix_length: [None, None],
        bogon_prefixes: false,
        bogon_asns: false,
        own_as: false,
    };
}

impl ClientConfig {
    /// All its addresses, its own first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        std::iter::once(self.address).chain(self.next_hops.iter().copied())
    }

    pub fn family(&self) -> Family {
        if self.address.is_ipv4() {
            Family::Ipv4
        } else {
            Family::Ipv6
        }
    }
}
