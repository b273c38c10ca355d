//! Random exchanges and random days in their lives. What happens depends on the seed alone; when it
//! happens, between which octets, is the world's dice.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rialto::server::exchange::FanoutLimits;
use rialto::server::query::CoreCommand;

use super::codec::{Agreed, Hello, family_of};
use super::exchange::{
    Member, Plan, SERVER_ASN, addresses, canonical_dump, link_local_of, tight_fanout,
};
use super::oracle::{Attributes, Med, Net};
use super::rng::Rng;
use super::speaker::Speaker;
use super::world::World;

pub struct Scenario {
    seed: u64,
    rng: Rng,
    plan: Plan,
    nets: [Vec<Net>; 2],
    world: World,
}

/// Size of one scenario.
#[derive(Clone, Copy)]
pub struct Size {
    pub clients: usize,
    pub nets: usize,
    /// Times that the world is brought to rest and compared.
    pub phases: usize,
    pub events: usize,
}

impl Scenario {
    pub fn new(seed: u64, cores: u16, shards: u16, size: Size) -> Scenario {
        let mut rng = Rng::new(seed);
        let plan = random_plan(&mut rng, cores, shards, size);
        let nets = [0, 1].map(|family| random_nets(&mut rng, family, size.nets));
        let luck = Rng::new(seed ^ u64::from(cores) << 32 ^ u64::from(shards) << 40);
        let mut world = World::new(plan.compile(None), luck);
        for (number, member) in plan.members.iter().enumerate() {
            let mut speaker =
                Speaker::new(member.hello.clone(), Rng::new(seed ^ (number as u64) << 48));
            speaker.sends_end_of_rib = number % 7 != 3;
            world.add_client(member.address, speaker);
        }
        Scenario {
            seed,
            rng,
            plan,
            nets,
            world,
        }
    }

    /// Runs it; the dumps of all phases. A fault names the seed.
    pub fn run(mut self, size: Size) -> String {
        let mut dumps = String::new();
        for phase in 0..size.phases {
            let outcome = self.phase(phase, size);
            if let Err(fault) = outcome.and_then(|()| self.plan.check(&self.world)) {
                panic!(
                    "RIALTO_SEED={} with {} session cores and {} shards, phase {phase}: {fault}\n{}",
                    self.seed,
                    self.plan.cores,
                    self.plan.shards,
                    self.world.describe()
                );
            }
            dumps += &canonical_dump(&self.world);
        }
        dumps
    }

    /// Drowns one client after another; how often one was brought up to date as a whole for it.
    pub fn drown_all(mut self) -> u64 {
        for client in 0..self.plan.members.len() {
            let outcome = self.drown(client);
            let outcome = outcome.and_then(|()| self.world.run_until_quiet());
            if let Err(fault) = outcome.and_then(|()| self.plan.check(&self.world)) {
                panic!(
                    "RIALTO_SEED={}, client {client} drowned: {fault}",
                    self.seed
                );
            }
        }
        self.world.whole_resyncs()
    }

    fn phase(&mut self, phase: usize, size: Size) -> Result<(), String> {
        if phase == 0 {
            for client in 0..self.plan.members.len() {
                for _ in 0..self.rng.between(0, 6) {
                    self.announce(client);
                }
            }
        }
        for _ in 0..size.events {
            self.event()?;
            let rounds = *self.rng.pick(&[0, 0, 1, 3, 10, 60]);
            self.world.run_for_rounds(rounds)?;
        }
        self.world.run_until_quiet()
    }

    fn event(&mut self) -> Result<(), String> {
        let client = self.rng.below(self.plan.members.len());
        match self.rng.below(100) {
            0..45 => self.announce(client),
            45..60 => self.withdraw(client),
            60..64 => self.announce_amiss(client),
            64..70 => {
                self.world.cut(client);
                self.stir();
            }
            70..72 => self.world.clients[client].speaker.cease(),
            72..76 => self.switch(client),
            76..80 => {
                let family = self.rng.below(2);
                self.world.clients[client].speaker.ask_refresh(family);
                self.stir();
            }
            80..86 => {
                let pause = Duration::from_millis(*self.rng.pick(&[5, 300, 4_000]));
                let now = self.world.now;
                self.world.clients[client].deaf_until = now + pause;
            }
            86..88 => self.command(client),
            88..91 => self.refresh_without(client),
            91..93 => return self.drown(client),
            _ => self.reload(client),
        }
        Ok(())
    }

    /// Changes while the last event is still being worked on.
    fn stir(&mut self) {
        for _ in 0..self.rng.below(4) {
            let client = self.rng.below(self.plan.members.len());
            match self.rng.percent(70) {
                true => self.withdraw(client),
                false => self.announce(client),
            }
        }
    }

    fn announce(&mut self, client: usize) {
        let (nets, attributes) = self.random_route(client);
        let speaker = &mut self.world.clients[client].speaker;
        let family = self.rng.below(2);
        let others = speaker.announced.keys().copied();
        let others: Vec<Net> = others
            .filter(|net| family_of(net) == family && !nets.contains(net))
            .collect();
        if self.rng.percent(20) && !others.is_empty() {
            let gone = self.rng.some(&others, 4);
            speaker.replace(&gone, &nets, &attributes);
        } else {
            speaker.announce(&nets, &attributes);
        }
    }

    fn announce_amiss(&mut self, client: usize) {
        let (nets, attributes) = self.random_route(client);
        self.world.clients[client]
            .speaker
            .announce_amiss(&nets, &attributes);
    }

    fn withdraw(&mut self, client: usize) {
        let family = self.rng.below(2);
        let count = *self.rng.pick(&[1, 4, 4_000]);
        let nets = match self.rng.percent(80) {
            true => {
                let own = self.world.clients[client].speaker.announced.keys().copied();
                let own: Vec<Net> = own.filter(|net| family_of(net) == family).collect();
                self.rng.some(&own, count)
            }
            // What it may never have announced.
            false => self.rng.some(&self.nets[family], count.min(5)),
        };
        if !nets.is_empty() {
            self.world.clients[client].speaker.withdraw(&nets);
        }
    }

    /// A client reads nothing while everything that it has heard of ends.
    fn drown(&mut self, client: usize) -> Result<(), String> {
        let others: Vec<usize> = (0..self.plan.members.len())
            .filter(|other| *other != client)
            .collect();
        for other in &others {
            let member = &self.plan.members[*other];
            let family = usize::from(member.address.is_ipv6());
            let attributes = Attributes {
                as_path: vec![(2, vec![member.asn])],
                next_hop: member.address,
                link_local: None,
                communities: Vec::new(),
                large: Vec::new(),
                ..random_attributes(&mut self.rng, &self.plan, *other, family)
            };
            let nets = self.nets[family].clone();
            self.world.clients[*other]
                .speaker
                .announce(&nets, &attributes);
        }
        self.world.run_until_quiet()?;
        self.world.deafen(client, Duration::from_secs(4));
        for (other, family) in others.iter().flat_map(|other| [(*other, 0), (*other, 1)]) {
            let own = self.world.clients[other].speaker.announced.keys().copied();
            let own: Vec<Net> = own.filter(|net| family_of(net) == family).collect();
            if !own.is_empty() {
                self.world.clients[other].speaker.withdraw(&own);
            }
        }
        self.stir();
        Ok(())
    }

    /// A client forgets some of its routes and says everything else again.
    fn refresh_without(&mut self, client: usize) {
        let family = self.rng.below(2);
        let own = self.world.clients[client].speaker.announced.keys().copied();
        let own: Vec<Net> = own.filter(|net| family_of(net) == family).collect();
        let count = *self.rng.pick(&[1, 4, 4_000]);
        let nets = self.rng.some(&own, count);
        if !nets.is_empty() {
            self.world.clients[client].speaker.refresh_without(&nets);
            self.stir();
        }
    }

    /// A client goes, or is back.
    fn switch(&mut self, client: usize) {
        let is_on = !self.world.clients[client].is_on;
        self.world.clients[client].is_on = is_on;
        if !is_on {
            self.world.cut(client);
        }
    }

    fn command(&mut self, client: usize) {
        let Some(configured) = self
            .world
            .exchange
            .client_at(self.plan.members[client].address)
        else {
            return;
        };
        let (core, slot) = (configured.core, configured.slot);
        let command = match self.rng.percent(50) {
            true => CoreCommand::Reset {
                slot,
                message: "for a test".to_owned(),
            },
            false => CoreCommand::Refresh { slot },
        };
        self.world.command(core, command);
    }

    /// Changes something in the configuration, sometimes several things.
    fn reload(&mut self, client: usize) {
        for _ in 0..*self.rng.pick(&[1, 1, 1, 3]) {
            let member = &mut self.plan.members[client];
            let rng = &mut self.rng;
            match rng.below(13) {
                0 => {
                    member.hide_own_as = !member.hide_own_as;
                    member.lists_link_local = !member.lists_link_local;
                }
                1 => member.quarantined = !member.quarantined,
                2 => member.is_lab = !member.is_lab,
                3 => member.disabled = !member.disabled,
                4 => member.is_absent = !member.is_absent,
                5 => member.add_path = !member.add_path,
                6 => {
                    member.block = if member.block.is_some() {
                        None
                    } else {
                        Some(rng.between(1, 20))
                    }
                }
                7 => self.plan.med = *rng.pick(&[Med::SameAs, Med::Always, Med::Ignore]),
                8 => toggle(&mut member.discard, *rng.pick(&[4, 6, 200, 201])),
                9 => toggle(&mut member.treat_as_withdraw, *rng.pick(&[6, 201, 250])),
                10 | 11 => self.plan.other_forms = !self.plan.other_forms,
                _ => self.plan.large_first = !self.plan.large_first,
            }
        }
        let exchange = self.plan.compile(Some(&self.world.exchange));
        self.world.reload(exchange);
    }

    /// Prefixes of one family with attributes that suit the client, more or less.
    fn random_route(&mut self, client: usize) -> (Vec<Net>, Attributes) {
        let rng = &mut self.rng;
        let member = &self.plan.members[client];
        let family = match (member.hello.agreed.families, rng.percent(50)) {
            ([true, false], _) => 0,
            ([false, true], _) => 1,
            (_, first) => usize::from(first),
        };
        let count = *rng.pick(&[1, 2, 8, 60, 60 * self.nets[family].len() / 80]);
        let nets = rng.some(&self.nets[family], count);
        (nets, random_attributes(rng, &self.plan, client, family))
    }
}

/// Puts it in, or takes it out.
fn toggle(codes: &mut Vec<u8>, code: u8) {
    let before = codes.len();
    codes.retain(|known| *known != code);
    if codes.len() == before {
        codes.push(code);
    }
}

fn random_plan(rng: &mut Rng, cores: u16, shards: u16, size: Size) -> Plan {
    let mut plan = Plan {
        cores,
        shards,
        med: *rng.pick(&[Med::SameAs, Med::SameAs, Med::Always, Med::Ignore]),
        large_first: rng.percent(20),
        other_forms: rng.percent(20),
        interpret_well_known: rng.percent(20),
        startup_wait: rng.percent(60),
        is_close: rng.percent(30),
        fanout: match rng.below(3) {
            0 => FanoutLimits::default(),
            1 => tight_fanout(20_000, 1_500),
            _ => tight_fanout(1 << 20, 400),
        },
        members: Vec::new(),
    };
    for number in 0..rng.between(2, size.clients) {
        plan.members.push(random_member(rng, number));
    }
    plan
}

/// ASNs of members: few, so that several have the same; one of them needs four octets.
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
        },
        silent_about_ipv4: false,
        graceful: number % 7 != 3 && rng.percent(60),
    };
    Member {
        asn,
        address,
        other_address,
        families,
        add_path: rng.percent(35),
        hide_own_as: rng.percent(20),
        is_lab: rng.percent(40),
        lists_link_local: number.is_multiple_of(2),
        quarantined: rng.percent(4),
        disabled: rng.percent(4),
        block: rng.percent(10).then(|| rng.between(1, 20)),
        discard: Vec::new(),
        treat_as_withdraw: Vec::new(),
        hold_time_s,
        extended: rng.percent(70),
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

fn random_attributes(rng: &mut Rng, plan: &Plan, client: usize, family: usize) -> Attributes {
    let member = &plan.members[client];
    let own = [member.address, member.other_address];
    let is_of_family = |address: &IpAddr| usize::from(address.is_ipv6()) == family;
    let next_hop = match rng.percent(92) {
        true => *own
            .iter()
            .find(|address| is_of_family(address))
            .expect("one of each family"),
        false => {
            let (v4, v6) = addresses(rng.below(plan.members.len()));
            if family == 0 { v4 } else { v6 }
        }
    };
    let has_link_local = family == 1 && rng.percent(25);
    let as_path = random_as_path(rng, member.asn, plan.is_close);
    let mut attributes = Attributes {
        origin: if plan.is_close {
            0
        } else {
            *rng.pick(&[0, 0, 0, 1, 2])
        },
        as_path,
        next_hop,
        link_local: None,
        med: rng
            .percent(60)
            .then(|| *rng.pick(&[0, 1, 5, 5, 90, u32::MAX])),
        communities: Vec::new(),
        large: Vec::new(),
        extended: Vec::new(),
        other: Default::default(),
    };
    // Some are a neighbour's: those with a MED of 1.
    let (v4, v6) = addresses(client + usize::from(attributes.med == Some(1)));
    attributes.link_local = has_link_local.then(|| link_local_of([v4, v6]));
    if rng.percent(55) {
        random_communities(rng, plan, &mut attributes);
    }
    if rng.percent(10) {
        attributes.other.insert(6, (0x40, Vec::new()));
    }
    if rng.percent(10) {
        attributes.other.insert(
            *rng.pick(&[200, 201, 250]),
            (*rng.pick(&[0xc0, 0x80, 0xe0]), vec![7; rng.between(0, 300)]),
        );
    }
    if member.extended && rng.percent(6) {
        // Over 4,096 octets: not for everybody.
        attributes.large = (0..400).map(|number| (3_356, number, 1)).collect();
    }
    attributes
}

/// `close`: all of one length, so that MED and identifiers decide.
fn random_as_path(rng: &mut Rng, asn: u32, close: bool) -> Vec<(u8, Vec<u32>)> {
    if close {
        let first = if rng.percent(50) {
            asn
        } else {
            ASNS[rng.below(3)]
        };
        return vec![(2, vec![first, *rng.pick(&ASNS)])];
    }
    let first = if rng.percent(93) {
        asn
    } else {
        *rng.pick(&ASNS)
    };
    let mut sequence = vec![first];
    for _ in 0..*rng.pick(&[0, 0, 1, 1, 2, 3]) {
        sequence.push(*rng.pick(&ASNS));
    }
    match rng.below(60) {
        0 => sequence.push(64_512),
        1 => sequence.push(SERVER_ASN),
        2 => sequence.resize(40, first),
        _ => {}
    }
    let mut path = vec![(2, sequence)];
    if rng.percent(8) {
        path.push((1, rng.some(&ASNS, 3)));
    }
    path
}

fn random_communities(rng: &mut Rng, plan: &Plan, attributes: &mut Attributes) {
    let rs = SERVER_ASN;
    for _ in 0..rng.between(1, 4) {
        let asns: Vec<u32> = plan
            .members
            .iter()
            .map(|member| member.asn)
            .chain([rs, 65_000])
            .collect();
        let peer = *rng.pick(&asns);
        let peer_16 = u16::try_from(peer).unwrap_or(7);
        let rs_16 = rs as u16;
        match rng.below(16) {
            0 => attributes.communities.push((0, rs_16)),
            1 | 2 => attributes.communities.push((0, peer_16)),
            3 | 4 => attributes.communities.push((rs_16, peer_16)),
            5 => attributes.large.push((rs, 0, 0)),
            6 | 7 => attributes.large.push((rs, 0, peer)),
            8 => attributes.large.push((rs, 1, peer)),
            9 => attributes
                .large
                .push((rs, rng.between(101, 103) as u32, peer)),
            10 => attributes.large.push((rs, rng.between(101, 103) as u32, 0)),
            11 => attributes.large.push((rs, 77, peer)),
            12 => attributes
                .communities
                .push((65_535, *rng.pick(&[0, 65_281, 65_282]))),
            13 => attributes
                .communities
                .push((3_356, rng.between(1, 3) as u16)),
            14 => attributes.large.push((3_356, 1, rng.between(1, 3) as u32)),
            _ => attributes
                .extended
                .push([0, 2, 0x0d, 0x1c, 0, 0, 0, rng.between(1, 3) as u8]),
        }
    }
    attributes.communities.sort();
    attributes.communities.dedup();
    attributes.large.sort();
    attributes.large.dedup();
    attributes.extended.sort();
    attributes.extended.dedup();
}
