//! Random exchanges: what a seed has in it, and the exchange it begins with.

mod changes;
mod policy;
mod routes;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rialto::server::exchange::FanoutLimits;

use super::codec::{Agreed, Hello, Restart};
use super::exchange::{
    AT_REST, Import, Member, Plan, Registration, SERVER_ASN, VrpNews, addresses, tight_fanout,
};
use super::oracle::{Communities, Lists, Matrix, Med, Net, Outside};
use super::rng::Rng;
use super::stale::{Helped, Helper, LongLived};

/// What may be in a seed beside what is in all of them: so that routes still flow, no seed has
/// everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Theme {
    Checks,
    Lists,
    Irr,
    Rpki,
    Tags,
    /// Control communities of other forms and actions.
    Forms,
    Distances,
    /// Informational communities.
    Told,
    Matrix,
    Blackholes,
    Roles,
    NextHops,
    Pace,
    /// The server is about to stop now and then.
    Draining,
    /// Routes outlive their sessions.
    Helper,
}

const THEMES: [(Theme, usize); 15] = [
    (Theme::Checks, 40),
    (Theme::Lists, 40),
    (Theme::Irr, 60),
    (Theme::Rpki, 55),
    (Theme::Tags, 60),
    (Theme::Forms, 45),
    (Theme::Distances, 45),
    (Theme::Told, 60),
    (Theme::Matrix, 30),
    (Theme::Blackholes, 40),
    (Theme::Roles, 40),
    (Theme::NextHops, 30),
    (Theme::Pace, 25),
    (Theme::Draining, 25),
    (Theme::Helper, 45),
];

/// What everything of a seed is drawn from.
pub struct Draw {
    themes: Vec<Theme>,
    /// IPv4, IPv6.
    pub nets: [Vec<Net>; 2],
}

/// ASNs of members: few, so that several have the same; two of them need four octets.
const ASNS: [u32; 9] = [
    10_001,
    10_002,
    10_003,
    10_004,
    10_005,
    10_006,
    3_356,
    200_001,
    4_199_999_999,
];

impl Draw {
    pub fn new(rng: &mut Rng, net_count: usize) -> Draw {
        let themes = THEMES.iter().filter(|(_, share)| rng.percent(*share));
        let mut themes: Vec<Theme> = themes.map(|(theme, _)| *theme).collect();
        // Where nothing proves whose space it is, no route is one of a blackhole.
        if themes.contains(&Theme::Blackholes) && !themes.contains(&Theme::Irr) {
            themes.push(*rng.pick(&[Theme::Irr, Theme::Irr, Theme::Rpki]));
        }
        let nets = [0, 1].map(|family| random_nets(rng, family, net_count));
        Draw { themes, nets }
    }

    fn has(&self, theme: Theme) -> bool {
        self.themes.contains(&theme)
    }

    pub fn plan(&self, rng: &mut Rng, cores: u16, shards: u16, clients: usize) -> Plan {
        let mut plan = Plan {
            cores,
            shards,
            med: *rng.pick(&[Med::SameAs, Med::SameAs, Med::Always, Med::Ignore]),
            communities: Communities::new(SERVER_ASN),
            interpret_well_known: rng.percent(20),
            startup_wait: rng.percent(60),
            graceful_restart_s: *rng.pick(&[0, 1, 3, 3]),
            helper: Helper::default(),
            is_close: rng.percent(30),
            fanout: match rng.below(3) {
                0 => FanoutLimits {
                    rejection: AT_REST,
                    ..FanoutLimits::default()
                },
                1 => tight_fanout(20_000, 1_500),
                _ => tight_fanout(1 << 20, 400),
            },
            lists: Lists::default(),
            blackhole_modes: ["off"; 2],
            blackhole_add_no_export: true,
            has_rpki: self.has(Theme::Rpki),
            is_rpki_new: false,
            as_sets: BTreeMap::new(),
            outside: Outside::default(),
            known: Default::default(),
            vrp_news: VrpNews::Difference,
            is_draining: false,
            is_waiting: false,
            members: Vec::new(),
        };
        for number in 0..rng.between(2, clients) {
            plan.members.push(random_member(rng, number));
        }
        plan.communities.large_first = rng.percent(20);
        self.begin(rng, &mut plan);
        plan
    }

    /// Each theme has its first word.
    fn begin(&self, rng: &mut Rng, plan: &mut Plan) {
        plan.communities = self.communities(rng, plan.communities.large_first);
        if self.has(Theme::Lists) {
            plan.lists = self.lists(rng);
        }
        if self.has(Theme::Irr) {
            self.as_sets(rng, plan);
        }
        if self.has(Theme::Rpki) {
            if rng.percent(80) {
                plan.take_vrps(Some(self.vrps(rng)));
            }
            if rng.percent(60) {
                plan.take_aspas(Some(self.aspas(rng)));
            }
        }
        if self.has(Theme::Blackholes) {
            plan.blackhole_modes = self.blackhole_modes(rng);
            plan.blackhole_add_no_export = rng.percent(60);
        }
        if self.has(Theme::Helper) {
            plan.helper = self.helper(rng);
        }
        plan.is_waiting = rng.percent(25);
        for number in 0..plan.members.len() {
            self.member(rng, plan, number);
        }
    }

    fn member(&self, rng: &mut Rng, plan: &mut Plan, number: usize) {
        let is_lab = rng.percent(40);
        let import = self.import(rng, is_lab);
        let is_registered = if self.has(Theme::Blackholes) { 85 } else { 60 };
        let registration = match self.has(Theme::Irr) && rng.percent(is_registered) {
            true => self.registration(rng, plan.members[number].asn),
            false => Registration::default(),
        };
        let matrix = match self.has(Theme::Matrix) && rng.percent(40) {
            true => self.matrix(rng, plan),
            false => Matrix::default(),
        };
        let member = &mut plan.members[number];
        member.import = import;
        member.irr = registration;
        member.matrix = matrix;
        if self.has(Theme::Distances) && rng.percent(80) {
            member.rtt_us = Some(self.rtt_us(rng));
        }
        if self.has(Theme::Blackholes) {
            member.takes_blackholes = rng.percent(75);
        }
        if self.has(Theme::Roles) {
            member.hello.has_role = rng.percent(60);
            member.role = self.role(rng, member.hello.has_role);
            member.prepend_rs_as = rng.percent(15);
        }
        if self.has(Theme::NextHops) {
            member.hello.agreed.v6_next_hops = rng.percent(70);
            member.ipv6_next_hops = rng.percent(60);
        }
        if self.has(Theme::Helper) {
            self.helped(rng, member);
        }
        if self.has(Theme::Pace) {
            self.pace(rng, member);
        }
    }
}

impl Draw {
    fn helper(&self, rng: &mut Rng) -> Helper {
        Helper {
            time_s: *rng.pick(&[0, 2, 3_000, 4_095]),
            llgr_s: *rng.pick(&[
                [0; 2],
                [2, 60_000],
                [60_000; 2],
                [60_000; 2],
                [16_777_215, 0],
            ]),
        }
    }

    fn helped(&self, rng: &mut Rng, member: &mut Member) {
        if member.hello.graceful && rng.percent(80) {
            let families = *rng.pick(&[[true; 2], [true; 2], [true, false], [false, true]]);
            member.hello.helped = Some(Helped {
                time_s: *rng.pick(&[0, 1, 3, 3, 3_000]),
                families,
                forwarding: *rng.pick(&[families, families, [false, true], [false; 2]]),
                long_lived: rng.percent(85).then(|| LongLived {
                    times_s: [0, 1].map(|_| *rng.pick(&[0, 2, 70_000, 70_000, 16_000_000])),
                    forwarding: *rng.pick(&[[true; 2], [true; 2], [false, true], [false; 2]]),
                }),
            });
        }
    }
}

fn random_member(rng: &mut Rng, number: usize) -> Member {
    let (v4, v6) = addresses(number);
    let (address, other_address) = if rng.percent(75) { (v4, v6) } else { (v6, v4) };
    let asn = *rng.pick(&ASNS);
    let both = |rng: &mut Rng, share: usize| [rng.percent(share), rng.percent(share)];
    let families = match rng.below(4) {
        0 => [true, false],
        1 => [false, true],
        _ => [true, true],
    };
    let four_octet = asn > 0xffff || rng.percent(75);
    let hold_time_s = *rng.pick(&[0, 90, 90, 180]);
    let hello = Hello {
        asn,
        // Two members of different ASNs may share an identifier (RFC 6286): the address decides.
        router_id: Ipv4Addr::new(172, 16, 0, 1 + (number / 2) as u8 * 2 + rng.below(2) as u8),
        hold_time_s: *rng.pick(&[0, 90, 180]),
        agreed: Agreed {
            families: if rng.percent(85) {
                families
            } else {
                [true, true]
            },
            four_octet,
            add_path: both(rng, 50),
            extended_in: rng.percent(50),
            extended_out: false,
            enhanced_refresh: rng.percent(60),
            v6_next_hops: false,
            restart: Restart::default(),
        },
        silent_about_ipv4: false,
        graceful: number % 7 != 3 && rng.percent(60),
        helped: None,
        notifications: number.is_multiple_of(2),
        has_role: false,
    };
    Member {
        name: format!("member-{number}"),
        asn,
        address,
        other_address,
        families,
        add_path: rng.percent(35),
        hide_own_as: rng.percent(20),
        import: Import::default(),
        irr: Registration::default(),
        lists_link_local: number.is_multiple_of(2),
        quarantined: rng.percent(4),
        disabled: rng.percent(4),
        limit: rng
            .percent(14)
            .then(|| (rng.between(1, 20), rng.percent(30))),
        discard: Vec::new(),
        treat_as_withdraw: Vec::new(),
        hold_time_s,
        extended: rng.percent(70),
        obeys_rfc1997: *rng.pick(&[None, None, None, Some(true), Some(false)]),
        takes_blackholes: true,
        rtt_us: None,
        matrix: Matrix::default(),
        role: "false",
        prepend_rs_as: false,
        ipv6_next_hops: false,
        min_advertisement_ms: 0,
        updates_per_s: None,
        hello,
        is_absent: rng.percent(8),
    }
}

/// Mostly usable prefixes, some too long or bogons.
fn random_nets(rng: &mut Rng, family: usize, count: usize) -> Vec<Net> {
    let mut nets: Vec<Net> = (0..count)
        .map(|number| {
            let number = number as u16;
            let [high, low] = number.to_be_bytes();
            match family {
                0 => match rng.below(20) {
                    0 => (Ipv4Addr::new(10, high, low, 0).into(), 24),
                    1 => (Ipv4Addr::new(20, high, low, 128).into(), 25),
                    2 => (Ipv4Addr::new(30 + high, low, 0, 0).into(), 16),
                    _ => (Ipv4Addr::new(20, high, low, 0).into(), 24),
                },
                _ => match rng.below(20) {
                    0 => (
                        Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 0).into(),
                        48,
                    ),
                    1 => (Ipv6Addr::new(0x2a10, number, 0, 0, 0, 0, 0, 0).into(), 64),
                    _ => (
                        IpAddr::from(Ipv6Addr::new(0x2a10, number, 0, 0, 0, 0, 0, 0)),
                        32,
                    ),
                },
            }
        })
        .collect();
    if rng.percent(30) {
        nets.push((
            [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()][family],
            0,
        ));
    }
    nets
}
