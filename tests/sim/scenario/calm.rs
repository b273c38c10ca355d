//! One thing at a time: restarts of the server, and of clients, while nothing else happens.

use std::collections::{BTreeMap, BTreeSet};

use super::{Scenario, Size};
use crate::oracle::Net;
use crate::speaker::State;
use crate::stale::Helped;

/// How long a client asks for.
const TIME_S: u16 = 3_000;

impl Scenario {
    /// The server restarts, in one way or the other; what it is configured with stays.
    pub(super) fn restart(&mut self) -> Result<(), String> {
        let is_graceful = self.rng.percent(60);
        self.world.restart(self.plan.compile(None), is_graceful)
    }

    /// Nothing happens but a graceful restart: whoever keeps routes must not miss one for a moment. Left out
    /// is what several announce: while a client is walked to, what changes is sent as it is, and that may
    /// be a withdrawal until the other is back. How many were kept.
    pub fn restart_calmly(mut self, size: Size) -> u64 {
        let outcome = self.phase(0, Size { events: 0, ..size });
        let outcome = outcome.and_then(|()| {
            self.plan.graceful_restart_s = 40;
            let exchange = self.plan.compile(Some(&self.world.exchange));
            self.world.reload(exchange);
            self.world.run_until_quiet()?;
            // The new time is told with the next OPEN.
            self.world.restart(self.plan.compile(None), true)?;
            self.world.run_until_quiet()?;
            let clients = self.world.clients.iter();
            let mut announcers: BTreeMap<Net, u32> = BTreeMap::new();
            for net in clients.flat_map(|host| host.speaker.announced.keys()) {
                *announcers.entry(*net).or_default() += 1;
            }
            for host in &mut self.world.clients {
                let speaker = &mut host.speaker;
                if speaker.hello.graceful {
                    let nets = speaker.table.keys().map(|(net, _)| *net);
                    let nets = nets.filter(|net| announcers.get(net) == Some(&1));
                    speaker.restarts.must_have = nets.collect();
                }
            }
            self.world.restart(self.plan.compile(None), true)?;
            self.world.run_until_quiet()?;
            let mut clients = self.world.clients.iter().enumerate();
            clients.try_for_each(|(index, host)| {
                let checked = host.speaker.restarts.check(&host.speaker.table);
                checked.map_err(|fault| format!("client {index}: {fault}"))
            })
        });
        if let Err(fault) = outcome.and_then(|()| self.check()) {
            panic!("RIALTO_SEED={}, a calm restart: {fault}", self.seed);
        }
        let clients = self.world.clients.iter();
        clients.map(|host| host.speaker.restarts.kept_count).sum()
    }

    /// One client after the other goes without a word, and nobody else loses anything of it until it is back.
    /// While it is away something changes. How many routes were stale.
    pub fn help_calmly(seed: u64, (cores, shards): (u16, u16), size: Size) -> u64 {
        let mut scenario = Scenario::with(seed, cores, shards, size, |plan| {
            plan.helper.time_s = 4_000;
            plan.is_waiting = false;
            for (number, member) in plan.members.iter_mut().enumerate() {
                member.limit = None;
                member.hello.graceful = number % 7 != 3;
                member.hello.helped = Some(Helped {
                    time_s: TIME_S,
                    families: [true; 2],
                    forwarding: [true; 2],
                    long_lived: None,
                });
            }
        });
        let outcome = scenario.phase(0, Size { events: 0, ..size });
        let outcome = outcome.and_then(|()| scenario.check());
        let mut all = outcome.map(|()| 0);
        for client in 0..scenario.plan.members.len() {
            all = all.and_then(|sum| Ok(sum + scenario.help(client)?));
        }
        all.unwrap_or_else(|fault| panic!("RIALTO_SEED={seed}, clients restart: {fault}"))
    }

    fn help(&mut self, client: usize) -> Result<u64, String> {
        let host = &self.world.clients[client];
        if host.speaker.state != State::Established || !host.speaker.hello.graceful {
            return Ok(0);
        }
        let own: BTreeSet<Net> = host.speaker.announced.keys().copied().collect();
        for (other, host) in self.world.clients.iter_mut().enumerate() {
            let restarts = &mut host.speaker.restarts;
            restarts.lost.clear();
            let nets = host.speaker.table.keys().map(|(net, _)| *net);
            let nets = nets.filter(|net| other != client && own.contains(net));
            restarts.must_have = nets.collect();
        }
        if self.rng.percent(40) {
            self.world.come_anew(client, self.plan.helper);
        } else {
            self.world.clients[client].is_on = false;
            self.world.cut(client, self.plan.helper);
            self.world.run_until_quiet()?;
            let left = self.world.clients[client].speaker.left.as_ref();
            let left = left.ok_or("it left nothing")?.families;
            let kept = self.plan.stale(&mut self.world)?;
            if kept.get(&client).map(|kept| kept.map(|own| own.is_some())) != Some(left) {
                return Err(format!("client {client}: {left:?} left, {kept:?} kept"));
            }
            let other = self.rng.below(self.plan.members.len());
            if other != client {
                self.announce(other);
            }
            self.world.run_until_quiet()?;
            self.check()?;
            self.world.clients[client].is_on = true;
        }
        self.world.run_until_quiet()?;
        self.check()?;
        for (index, host) in self.world.clients.iter().enumerate() {
            let checked = host.speaker.restarts.check(&host.speaker.table);
            checked.map_err(|fault| format!("client {index}, as {client} restarts: {fault}"))?;
        }
        Ok(own.len() as u64)
    }
}
