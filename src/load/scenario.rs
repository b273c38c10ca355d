//! The scenarios: what clients do, and until when. Each is a few steps on the swarm; every step
//! ends when the tables are right and it is quiet, or when they will not be.

use std::io;
use std::time::Duration;

use super::args::{LoadArgs, Scenario};
use super::attributes::Attributes;
use super::model::Check;
use super::progress::Progress;
use super::random::Random;
use super::report::Step;
use super::session::Appetite;
use super::swarm::Swarm;
use crate::base::Time;

/// Runs the scenario to its end; a step that failed is the last.
pub fn run(swarm: &mut Swarm, args: &LoadArgs, progress: &Progress) -> io::Result<Vec<Step>> {
    let mut run = Run {
        swarm,
        args,
        progress,
        deadline: Time::from_secs(args.timeout.into()),
        steps: Vec::new(),
    };
    match args.scenario {
        Scenario::Converge => run.converge("all clients announce")?,
        Scenario::Join => run.join()?,
        Scenario::Flap => run.flap()?,
        Scenario::Churn => run.converge("all clients announce")? && run.churn()?,
        Scenario::Slow => run.slow()?,
        Scenario::Tour => run.tour()?,
    };
    Ok(run.steps)
}

struct Run<'a> {
    swarm: &'a mut Swarm,
    args: &'a LoadArgs,
    progress: &'a Progress,
    deadline: Time,
    steps: Vec<Step>,
}

impl Run<'_> {
    fn converge(&mut self, name: &str) -> io::Result<bool> {
        let since = self.swarm.start(0..self.swarm.client_count());
        self.settle(name, since)
    }

    fn join(&mut self) -> io::Result<bool> {
        let last = self.swarm.client_count() - 1;
        let since = self.swarm.start(0..last);
        if !self.settle("all but one announce", since)? {
            return Ok(false);
        }
        let since = self.swarm.start(last..last + 1);
        self.settle("one more joins", since)
    }

    fn flap(&mut self) -> io::Result<bool> {
        if !self.converge("all clients announce")? {
            return Ok(false);
        }
        let count = usize::from(self.args.affected).min(self.swarm.client_count());
        let mut random = Random::new(self.args.seed ^ 0xf1a9);
        for round in 1..=self.args.rounds {
            let mut clients: Vec<usize> = (0..self.swarm.client_count()).collect();
            random.shuffle(&mut clients);
            clients.truncate(count);
            let since = self.swarm.stop(clients.iter().copied());
            if !self.settle(&format!("round {round}: {count} clients drop"), since)? {
                return Ok(false);
            }
            let since = self.swarm.start(clients.iter().copied());
            if !self.settle(&format!("round {round}: they return"), since)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tour(&mut self) -> io::Result<bool> {
        if !self.converge("every network announces its routes")? {
            return Ok(false);
        }
        let largest = (0..self.swarm.client_count())
            .max_by_key(|&client| self.swarm.plan.clients[client].routes.len());
        let largest = largest.unwrap_or(0);
        let since = self.swarm.stop(std::iter::once(largest));
        if !self.settle("the largest network drops out", since)? {
            return Ok(false);
        }
        let since = self.swarm.start(largest..largest + 1);
        if !self.settle("it comes back", since)? {
            return Ok(false);
        }
        self.churn()
    }

    fn churn(&mut self) -> io::Result<bool> {
        let since = self.swarm.now();
        self.changes()?;
        self.settle("routes change", since)
    }

    fn slow(&mut self) -> io::Result<bool> {
        let count = usize::from(self.args.affected).min(self.swarm.client_count());
        let slow: Vec<usize> = (0..count).collect();
        let appetite = match self.args.slow_rate {
            0 => Appetite::Nothing,
            octets => Appetite::Slow(octets),
        };
        slow.iter()
            .for_each(|&client| self.swarm.set_appetite(client, appetite));
        let since = self.swarm.start(0..self.swarm.client_count());
        if !self.settle_but(&format!("all announce, {count} do not read"), since, count)? {
            return Ok(false);
        }
        let since = self.swarm.now();
        self.changes()?;
        if !self.settle_but("routes change, the slow still do not read", since, count)? {
            return Ok(false);
        }
        let since = self.swarm.now();
        slow.iter()
            .for_each(|&client| self.swarm.set_appetite(client, Appetite::Full));
        self.settle("the slow read again", since)
    }

    fn settle(&mut self, name: &str, since: Time) -> io::Result<bool> {
        self.settle_but(name, since, 0)
    }

    /// Until the tables of all clients but the first `but` are right and it is quiet.
    fn settle_but(&mut self, name: &str, since: Time, but: usize) -> io::Result<bool> {
        let settle = match self.args.check {
            // Nothing may be right there for a while that is not final.
            Check::HidingAllowed => {
                Duration::from_millis(self.args.settle.into()).max(Duration::from_secs(3))
            }
            _ => Duration::from_millis(self.args.settle.into()),
        };
        let patience = Duration::from_secs(self.args.patience.into());
        let mut announced_at = None;
        self.swarm.first_change = None;
        self.progress.begin(name, self.wrong(but));
        let right = loop {
            self.swarm.turn(Duration::from_millis(20))?;
            let (now, wrong) = (self.swarm.now(), self.wrong(but));
            if announced_at.is_none() && self.swarm.is_announced() {
                announced_at = Some(now);
            }
            self.progress.show(wrong, self.swarm.established_count());
            let quiet = now.since(self.swarm.last_change);
            if announced_at.is_some() && wrong == 0 && (quiet >= settle || but > 0) {
                break true;
            }
            if self.is_hopeless(now) {
                break false;
            }
            if now >= self.deadline
                || (quiet >= patience
                    && (announced_at.is_some()
                        || self.swarm.are_refused()
                        || now.since(since) >= patience * 3))
            {
                self.swarm.is_out_of_time = now >= self.deadline;
                break false;
            }
        };
        self.progress.end();
        let swarm = &self.swarm;
        let span = |at: Option<Time>| at.map(|at| at.since(since).as_secs_f64());
        self.steps.push(Step {
            name: name.to_owned(),
            right,
            first_route_s: span(swarm.first_change),
            announced_s: span(announced_at),
            // The end is the last thing that changed, not the quiet after it.
            took_s: if right && but == 0 {
                span(Some(swarm.last_change))
            } else {
                span(Some(swarm.now()))
            },
        });
        Ok(right)
    }

    /// Gives up where no session came up in the time that is allowed for it.
    fn is_hopeless(&mut self, now: Time) -> bool {
        let allowed = Duration::from_secs(self.args.connect_timeout.into());
        let Some(since) = self.swarm.trying_since() else {
            return false;
        };
        if now.since(since) >= allowed || now >= self.deadline || self.swarm.lacks_sources() {
            self.swarm.given_up = self.swarm.hopeless();
        }
        self.swarm.given_up.is_some()
    }

    fn wrong(&self, but: usize) -> usize {
        let excused: usize = (0..but)
            .map(|client| self.swarm.tables.wrong_count(client))
            .sum();
        self.swarm.tables.wrong_total() - excused
    }

    /// Changes at an even pace: now another path, now gone, now back.
    fn changes(&mut self) -> io::Result<()> {
        let mut random = Random::new(self.args.seed ^ 0xc4a2);
        let start = self.swarm.now();
        let total = u64::from(self.args.rate) * u64::from(self.args.duration);
        self.progress.begin("changes", total as usize);
        let mut done = 0;
        while done < total && self.swarm.now() < self.deadline {
            let due = self.swarm.now().since(start).as_micros() as u64 * u64::from(self.args.rate)
                / 1_000_000;
            while done < due.min(total) {
                self.change_one(&mut random, done);
                done += 1;
            }
            self.progress
                .show((total - done) as usize, self.swarm.established_count());
            self.swarm.turn(Duration::from_millis(1))?;
        }
        self.progress.end();
        Ok(())
    }

    fn change_one(&mut self, random: &mut Random, serial: u64) {
        for _ in 0..100 {
            let client = random.below(self.swarm.client_count() as u64) as usize;
            let routes = &self.swarm.plan.clients[client].routes;
            if routes.is_empty() || self.swarm.sessions[client].appetite != Appetite::Full {
                continue;
            }
            let route = *random.pick(routes);
            if self.swarm.awaited.contains(route.prefix) {
                continue;
            }
            let there = self
                .swarm
                .model
                .announced(client as u16, route.prefix)
                .is_some();
            let changed = if there && random.chance(0.3) {
                None
            } else {
                Some(self.variant(route.set, serial, random))
            };
            return self.swarm.change(client, route.prefix, changed.as_ref());
        }
    }

    /// The set as first announced, with a mark of its own and perhaps a longer path.
    fn variant(&self, set: u32, serial: u64, random: &mut Random) -> Attributes {
        let mut attributes = self.swarm.plan.sets.attributes(set);
        if let Some(first) = attributes
            .as_path
            .first_mut()
            .filter(|_| random.chance(0.5))
        {
            let origin = *first.asns.last().unwrap_or(&1);
            first.asns.push(origin);
        }
        attributes.large.push([4_200_000, 1, serial as u32]);
        attributes.normalise();
        attributes
    }
}
