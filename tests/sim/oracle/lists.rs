//! Prefixes and how they are listed.

use std::fmt;
use std::net::IpAddr;

/// Address and length; host bits zero.
pub type Net = (IpAddr, u8);

pub fn family(net: &Net) -> usize {
    if net.0.is_ipv4() { 0 } else { 1 }
}

fn bits(address: &IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whether `inner` is `outer`, or lies in it.
pub fn covers(outer: &Net, inner: &Net) -> bool {
    let differs = bits(&outer.0) ^ bits(&inner.0);
    family(outer) == family(inner)
        && outer.1 <= inner.1
        && (outer.1 == 0 || differs >> (128 - outer.1) == 0)
}

/// The prefix that has so many bits fewer.
pub fn shortened((address, len): &Net, by: u8) -> Net {
    let len = len.saturating_sub(by);
    let mask = match len {
        0 => 0,
        len => u128::MAX << (128 - len),
    };
    let kept = bits(address) & mask;
    let address = match address {
        IpAddr::V4(_) => IpAddr::from(((kept >> 96) as u32).to_be_bytes()),
        IpAddr::V6(_) => IpAddr::from(kept.to_be_bytes()),
    };
    (address, len)
}

/// What lies in a prefix and is of some lengths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    pub net: Net,
    pub shortest: u8,
    pub longest: u8,
}

impl Range {
    pub fn exact(net: Net) -> Range {
        Range {
            net,
            shortest: net.1,
            longest: net.1,
        }
    }

    /// With all that is longer.
    pub fn or_longer(net: Net) -> Range {
        Range {
            longest: if net.0.is_ipv4() { 32 } else { 128 },
            ..Range::exact(net)
        }
    }

    pub fn contains(&self, net: &Net) -> bool {
        covers(&self.net, net) && (self.shortest..=self.longest).contains(&net.1)
    }
}

/// As the configuration has it.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range {
            net,
            shortest,
            longest,
        } = self;
        write!(f, "{}/{}", net.0, net.1)?;
        match *self {
            range if range == Range::exact(*net) => Ok(()),
            range if range == Range::or_longer(*net) => f.write_str("+"),
            _ => write!(f, "{{{shortest},{longest}}}"),
        }
    }
}

/// What the import checks of all clients look up.
#[derive(Clone, Debug)]
pub struct Lists {
    pub bogon_prefixes: Vec<Range>,
    /// First and last.
    pub bogon_asns: Vec<(u32, u32)>,
    pub black_list: Vec<Range>,
    pub transit_free_asns: Vec<u32>,
    pub never_via_route_servers_asns: Vec<u32>,
    /// The exchange's own prefixes.
    pub lan: Vec<Net>,
}

impl Default for Lists {
    fn default() -> Lists {
        let parse = |block: &str| {
            let (address, len) = block.split_once('/').unwrap();
            let net: Net = (address.parse().unwrap(), len.parse().unwrap());
            match net.1 {
                0 => Range::exact(net),
                _ => Range::or_longer(net),
            }
        };
        Lists {
            bogon_prefixes: BOGONS.split_whitespace().map(parse).collect(),
            bogon_asns: vec![
                (0, 0),
                (23_456, 23_456),
                (64_496, 131_071),
                (4_200_000_000, u32::MAX),
            ],
            black_list: Vec::new(),
            transit_free_asns: vec![
                174, 701, 1299, 2914, 3257, 3320, 3356, 5511, 6453, 6461, 6762, 6830, 7018, 12_956,
            ],
            never_via_route_servers_asns: Vec::new(),
            lan: Vec::new(),
        }
    }
}

const BOGONS: &str = "
    0.0.0.0/0 ::/0
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
    ::/3 2001::/32 2001:2::/48 2001:3::/32 2001:10::/28 2001:20::/28 2001:db8::/32 2002::/16 3ffe::/16
    3fff::/20 4000::/2 8000::/1";
