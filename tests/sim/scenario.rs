//! Random exchanges and random days in their lives. What happens depends on the seed alone; when it
//! happens, between which octets, is the world's dice.

mod calm;

use std::time::Duration;

use rialto::server::query::CoreCommand;

use super::codec::family_of;
use super::draw::Draw;
use super::exchange::{Plan, canonical_dump};
use super::oracle::{AS_SEQUENCE, Attributes, Net};
use super::restarts::Restarts;
use super::rng::Rng;
use super::speaker::Speaker;
use super::tally::Tally;
use super::world::World;

pub struct Scenario {
    seed: u64,
    rng: Rng,
    draw: Draw,
    plan: Plan,
    world: World,
    tally: Tally,
}

/// What became of one.
pub struct Outcome {
    /// The tables of all clients after each phase.
    pub dumps: String,
    pub tally: Tally,
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
        Scenario::with(seed, cores, shards, size, |_| {})
    }

    /// With something about it that was not drawn.
    pub fn with(
        seed: u64,
        cores: u16,
        shards: u16,
        size: Size,
        adjust: impl FnOnce(&mut Plan),
    ) -> Scenario {
        let mut rng = Rng::new(seed);
        let draw = Draw::new(&mut rng, size.nets);
        let mut plan = draw.plan(&mut rng, cores, shards, size.clients);
        adjust(&mut plan);
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
            draw,
            plan,
            world,
            tally: Tally::new(),
        }
    }

    /// Runs it. A fault names the seed.
    pub fn run(mut self, size: Size) -> Outcome {
        let mut dumps = String::new();
        for phase in 0..size.phases {
            let outcome = self.phase(phase, size);
            if let Err(fault) = outcome.and_then(|()| self.check()) {
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
        Outcome {
            dumps,
            tally: self.tally,
        }
    }

    fn check(&mut self) -> Result<(), String> {
        self.plan.check(&mut self.world, &mut self.tally)?;
        let sum = |count: fn(&Restarts) -> u64| {
            let clients = self.world.clients.iter();
            clients.map(|host| count(&host.speaker.restarts)).sum()
        };
        let told = [
            ("Hard Resets", sum(|restarts| restarts.hard_resets)),
            (
                "routes kept over a restart",
                sum(|restarts| restarts.kept_count),
            ),
            ("connected anew", self.world.news),
            ("changes told to a mirror", self.world.check_mirrors()?),
            ("UPDATEs told to a tap", self.world.check_taps()?),
        ];
        for (what, count) in told {
            *self.tally.entry(what.to_owned()).or_default() += count;
        }
        Ok(())
    }

    /// Drowns one client after another; how often one was brought up to date as a whole for it.
    pub fn drown_all(mut self) -> u64 {
        for client in 0..self.plan.members.len() {
            let outcome = self.drown(client);
            let outcome = outcome.and_then(|()| self.world.run_until_quiet());
            if let Err(fault) = outcome.and_then(|()| self.check()) {
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
            0..42 => self.announce(client),
            42..55 => self.withdraw(client),
            55..58 => self.announce_amiss(client),
            58..63 => {
                self.world.cut(client, self.plan.helper);
                self.stir();
            }
            63 => {
                self.world.come_anew(client, self.plan.helper);
                self.stir();
            }
            64..66 => {
                let now = self.world.now;
                let speaker = &mut self.world.clients[client].speaker;
                speaker.cease(now, self.plan.helper);
            }
            66..70 => self.switch(client),
            70..74 => {
                let family = self.rng.below(2);
                self.world.clients[client].speaker.ask_refresh(family);
                self.stir();
            }
            74..80 => {
                let pause = Duration::from_millis(*self.rng.pick(&[5, 300, 4_000]));
                let now = self.world.now;
                self.world.clients[client].deaf_until = now + pause;
            }
            80..82 => self.command(client),
            82..85 => self.refresh_without(client),
            85..87 => return self.drown(client),
            87 => return self.restart(),
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
            false => self.rng.some(&self.draw.nets[family], count.min(5)),
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
                as_path: vec![(AS_SEQUENCE, vec![member.asn])],
                next_hop: member.address,
                link_local: None,
                communities: Vec::new(),
                large: Vec::new(),
                ..self
                    .draw
                    .attributes(&mut self.rng, &self.plan, *other, family)
            };
            let nets = self.draw.nets[family].clone();
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
        if is_on || self.world.cut(client, self.plan.helper) {
            self.world.clients[client].is_on = is_on;
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
            self.draw.change(&mut self.rng, &mut self.plan, client);
        }
        let exchange = self.plan.compile(Some(&self.world.exchange));
        self.world.reload(exchange);
    }

    fn random_route(&mut self, client: usize) -> (Vec<Net>, Attributes) {
        self.draw.route(&mut self.rng, &self.plan, client)
    }
}
