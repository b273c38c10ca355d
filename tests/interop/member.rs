//! A member of the exchange in a test: its address, what it announces, what it can do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::lan::{Lan, Place};
use super::table::{Attributes, BLACKHOLE, Group, NO_EXPORT, Origin, Path, Table};

pub const SERVER_ASN: u32 = 64500;
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 255, 254);
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x7f8, 0x77, 0, 0, 0, 0, 0xffff);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Make {
    Bird,
    Frr,
    Gobgp,
    Openbgpd,
    Exabgp,
}

impl Make {
    pub const ALL: [Make; 5] = [
        Make::Bird,
        Make::Frr,
        Make::Gobgp,
        Make::Openbgpd,
        Make::Exabgp,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Make::Bird => "bird",
            Make::Frr => "frr",
            Make::Gobgp => "gobgp",
            Make::Openbgpd => "openbgpd",
            Make::Exabgp => "exabgp",
        }
    }

    /// What shows that it is installed, and the Debian package.
    pub fn program(self) -> (&'static str, &'static str) {
        match self {
            Make::Bird => ("/usr/sbin/bird", "bird2"),
            Make::Frr => ("/usr/lib/frr/bgpd", "frr"),
            Make::Gobgp => ("/usr/bin/gobgpd", "gobgpd"),
            Make::Openbgpd => ("/usr/sbin/bgpctl", "openbgpd"),
            Make::Exabgp => ("/usr/sbin/exabgp", "exabgp"),
        }
    }

    /// FRR announces MED 0 where none is set.
    pub fn default_med(self) -> Option<u32> {
        (self == Make::Frr).then_some(0)
    }

    /// How it shows a path: OpenBGPD shows no MED as MED 0. FRR's dumps have no extended communities,
    /// and it adds NO_EXPORT itself to what has BLACKHOLE.
    pub fn sees(self, mut path: Path) -> Path {
        if self == Make::Frr && !path.attributes.targets.is_empty() {
            Arc::make_mut(&mut path.attributes).targets.clear();
        }
        if self == Make::Frr && path.attributes.communities.contains(&BLACKHOLE) {
            let attributes = Arc::make_mut(&mut path.attributes);
            attributes.communities.insert(NO_EXPORT);
        }
        if self == Make::Openbgpd && path.attributes.med.is_none() {
            Arc::make_mut(&mut path.attributes).med = Some(0);
        }
        path
    }

    /// OpenBGPD can repeat its own ASN only.
    fn tail(self, asn: u32) -> [u32; 2] {
        if self == Make::Openbgpd {
            [asn, asn]
        } else {
            [3303, 8218]
        }
    }
}

/// Prefixes of each family after which a member goes on with other communities.
const VARIANT_LEN: u32 = 200;

/// Announced by several members.
const SHARED_V6: [Ipv6Net; 2] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x2a20, 0, 0, 0, 0, 0, 0, 0), 16),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2a40, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Blocks, apart from each other, in which members announce IPv6 prefixes.
pub fn v6_blocks() -> impl Iterator<Item = Ipv6Net> {
    let own = (1..=Make::ALL.len() as u16)
        .map(|number| Ipv6Net::new_assert(Ipv6Addr::new(0x2a10, number, 0, 0, 0, 0, 0, 0), 32));
    own.chain(SHARED_V6)
}

#[derive(Clone)]
pub struct Member {
    pub make: Make,
    pub place: Place,
    pub number: u16,
    pub asn: u32,
    pub announced: Vec<Group>,
    pub add_path: bool,
    pub password: Option<String>,
    /// Families of its sessions: 4, 6 or both.
    pub sessions: Vec<u8>,
    /// Its role towards the server as FRR writes it (RFC 9234).
    pub role: Option<&'static str>,
    /// The IPv6 session carries IPv4 as well, with IPv6 next hops (RFC 8950).
    pub ipv6_next_hops: bool,
    /// It asks others to keep its routes for so long while it restarts (RFC 4724).
    pub restart_time_s: Option<u16>,
    /// It has restarted, and is to know it.
    pub is_back: bool,
}

impl Member {
    /// Member `number` of the exchange; it announces nothing yet.
    pub fn new(lan: &mut Lan, make: Make, number: u16) -> Member {
        let v4 = Ipv4Addr::new(10, 77, 1, number as u8);
        let v6 = Ipv6Addr::new(0x2001, 0x7f8, 0x77, 0, 0, 0, 1, number);
        let place = lan.join(&format!("{}{number}", make.name()), v4, v6);
        let asn = 10_000 + u32::from(number);
        Member {
            make,
            place,
            number,
            asn,
            announced: Vec::new(),
            add_path: false,
            password: None,
            sessions: vec![4, 6],
            role: None,
            ipv6_next_hops: false,
            restart_time_s: None,
            is_back: false,
        }
    }

    /// `count` prefixes of each family that nobody else announces. One in four has plain attributes,
    /// those of the others change every now and then: there are UPDATEs of all lengths.
    pub fn announcing_own(mut self, count: u32) -> Member {
        let mut items_of: BTreeMap<(u32, u16), Vec<u32>> = BTreeMap::new();
        for item in 0..count {
            let (kind, variant) = (item % 4, (item / VARIANT_LEN) as u16);
            let variant = if kind == 0 { 0 } else { variant };
            items_of.entry((kind, variant)).or_default().push(item);
        }
        for ((kind, variant), items) in items_of {
            let v4 = items.iter().map(|item| self.own_v4(*item));
            let v6 = items.iter().map(|item| self.own_v6(*item));
            let prefixes = v4.chain(v6).collect();
            let attributes = self.attributes(kind, variant);
            self.announced.push(Group {
                attributes,
                prefixes,
            });
        }
        self
    }

    pub fn announcing(mut self, group: Group) -> Member {
        self.announced.push(group);
        self
    }

    /// Its session of a family, as the server's configuration names it.
    pub fn session(&self, family: u8) -> String {
        format!("{}{}-{family}", self.make.name(), self.number)
    }

    pub fn own_v4(&self, item: u32) -> IpNet {
        let first = 20 + u32::from(self.number);
        IpNet::V4(Ipv4Net::new_assert(
            Ipv4Addr::from((first << 24) + (item << 8)),
            24,
        ))
    }

    pub fn own_v6(&self, item: u32) -> IpNet {
        IpNet::V6(Ipv6Net::new_assert(
            Ipv6Addr::new(0x2a10, self.number, item as u16, 0, 0, 0, 0, 0),
            48,
        ))
    }

    pub fn plain(&self) -> Attributes {
        Attributes {
            med: self.make.default_med(),
            ..Attributes::plain(self.asn)
        }
    }

    fn attributes(&self, kind: u32, variant: u16) -> Attributes {
        let plain = self.plain();
        let communities = BTreeSet::from([(3303, 100), (174, 990), (self.number, variant)]);
        let large = BTreeSet::from([(4_200_000_001, 2, 3), (self.asn, variant.into(), u32::MAX)]);
        match kind {
            0 => plain,
            1 => Attributes {
                med: Some(50),
                communities,
                ..plain
            },
            2 => Attributes {
                origin: Origin::Incomplete,
                large,
                ..plain
            },
            _ => Attributes {
                as_path: [&[self.asn][..], &self.make.tail(self.asn)].concat(),
                med: Some(4_294_967_294),
                communities,
                large,
                ..plain
            },
        }
    }

    pub fn next_hop(&self, prefix: &IpNet) -> IpAddr {
        match prefix {
            IpNet::V4(_) => self.place.v4.into(),
            IpNet::V6(_) => self.place.v6.into(),
        }
    }

    /// One of its routes as others see it.
    pub fn path(&self, prefix: &IpNet, attributes: Attributes) -> Path {
        Path {
            next_hop: self.next_hop(prefix),
            attributes: attributes.into(),
        }
    }

    /// Its routes as others see them.
    pub fn paths(&self) -> impl Iterator<Item = (IpNet, Path)> + '_ {
        self.announced.iter().flat_map(move |group| {
            let attributes = Arc::new(group.attributes.clone());
            group.prefixes.iter().map(move |prefix| {
                let path = Path {
                    next_hop: self.next_hop(prefix),
                    attributes: attributes.clone(),
                };
                (*prefix, path)
            })
        })
    }

    pub fn forget(&mut self, prefixes: &BTreeSet<IpNet>) {
        for group in &mut self.announced {
            group.prefixes.retain(|prefix| !prefixes.contains(prefix));
        }
    }
}

/// Everything that the others announce: what is due where no prefix is announced twice, or with
/// ADD-PATH.
pub fn all_of_others<'a>(me: &Member, members: impl IntoIterator<Item = &'a Member>) -> Table {
    let mut table = Table::default();
    for other in members
        .into_iter()
        .filter(|other| other.number != me.number)
    {
        for (prefix, path) in other.paths() {
            table.insert(prefix, me.make.sees(path));
        }
    }
    table
}

/// One path for each prefix: that with the shortest AS path of those that the others announce.
pub fn shortest_of_others<'a>(me: &Member, members: impl IntoIterator<Item = &'a Member>) -> Table {
    let mut table = all_of_others(me, members);
    table.keep_shortest();
    table
}
