//! The configuration as it holds for each client: defaults inherited, files read, nothing compiled.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::base::{Asn, Family, FamilySet, Prefix};
use crate::policy::ControlScheme;
use crate::rib::MedMode;
use crate::server::exchange::{FanoutLimits, PrefixLimits, Secret, Startup};
use crate::wire::TypeCodes;

use super::export::{Blackhole, Matrix};
use super::feeds::RpkiFeed;
use super::import::ImportConfig;
use super::irr::{IrrConfig, IrrFeed};
use super::lists::Lists;
use super::looking_glass::LookingGlass;
use super::monitoring::{CollectorConfig, MrtConfig};
use super::problem::{Place, Problems};
use super::reload::ReloadLimits;

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
    pub lists: Lists,
    pub blackhole: Blackhole,
    pub irr: IrrFeed,
    pub rpki: RpkiFeed,
    pub startup: Startup,
    pub fanout: FanoutLimits,
    pub reload: ReloadLimits,
    pub looking_glass: LookingGlass,
    pub mrt: Option<MrtConfig>,
    /// In the order of the files.
    pub bmp: Vec<CollectorConfig>,
    pub fixed: FixedPlaces,
    /// In the order of the files.
    pub clients: Vec<ClientConfig>,
    pub warnings: Problems,
}

/// Where the keys stand that a running server cannot take over; their section, or the file, where they
/// do not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FixedPlaces {
    pub asn: Place,
    pub router_id: Place,
    pub listen: Place,
    pub cores: Place,
}

/// `[server]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    pub listen: Vec<SocketAddr>,
    pub med: MedMode,
    /// The exchange's own prefixes.
    pub lan: Vec<Prefix>,
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
    /// What other looking glasses call its session.
    pub session_name: String,
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
    /// RFC 9234.
    pub role: Role,
    pub prepend_rs_as: bool,
    /// RFC 8950.
    pub ipv6_next_hops: bool,
    /// Its routes with RFC 1997 NO_EXPORT and the like go to nobody.
    pub obeys_well_known: bool,
    /// It is sent blackhole routes.
    pub takes_blackholes: bool,
    pub rtt_us: Option<u32>,
    pub matrix: Matrix,
    pub irr: IrrConfig,
    pub connect_retry_s: u16,
    pub idle_hold_s: u16,
    pub idle_hold_max_s: u16,
    pub send_hold_time_s: Option<u16>,
    /// RFC 4724: the Restart Time; 0 is none.
    pub graceful_restart_s: u16,
    /// How long at most its routes stay when its session ends without a goodbye; 0 is off.
    pub graceful_restart_helper_s: u16,
    /// RFC 9494: and how long after that, by [`Family::index`]; 0 is off.
    pub llgr_max_s: [u32; 2],
    pub ttl_security_hops: Option<u8>,
    pub congestion_control: Option<String>,
    pub import: ImportConfig,
    /// By [`Family::index`].
    pub limits: [PrefixLimits; 2],
    pub attribute_octets_max: Option<u32>,
    pub limit_restart: Option<Duration>,
    pub updates_per_s: Option<u32>,
    pub min_advertisement: Option<Duration>,
    pub attributes: Attributes,
}

/// `role`: whether the server says that it is a route server (RFC 9234).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    #[default]
    Off,
    On,
    /// Clients must say that they are clients of one.
    Strict,
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
