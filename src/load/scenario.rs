//! The scenarios: what clients do, and until when. Each is a few steps on the swarm; every step
//! ends when the tables are right and it is quiet, or when they will not be.

mod reload;
mod series;
mod turn;

use std::io;
use std::time::Duration;

use super::args::{LoadArgs, Scenario};
use super::attributes::Attributes;
use super::measure::{ChurnFigures, JoinFigures, Meter, SeriesFigures, Step};
use super::model::Check;
use super::progress::Progress;
use super::random::Random;
use super::session::{Appetite, State};
use super::swarm::Swarm;
use super::turns::TurnFigures;
use crate::base::Time;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(50);

/// What came of a scenario.
#[derive(Default)]
pub struct Outcome {
    pub steps: Vec<Step>,
    pub join: Option<JoinFigures>,
    pub churn: Option<ChurnFigures>,
    pub turns: Option<TurnFigures>,
    pub series: Vec<SeriesFigures>,
}

/// Runs the scenario to its end; a step that failed is the last.
pub fn run(swarm: &mut Swarm, args: &LoadArgs, progress: &Progress) -> io::Result<Outcome> {
    let mut run = Run {
        swarm,
        args,
        progress,
        deadline: Time::from_secs(args.timeout.into()),
        shown_at: Time::ZERO,
        outcome: Outcome::default(),
        spared: Vec::new(),
    };
    match args.scenario {
        Scenario::Converge => run.converge("all clients announce")?,
        Scenario::Join => run.join()?,
        Scenario::JoinBusy => run.join_busy()?,
        Scenario::Flap => run.flap()?,
        Scenario::Churn => run.converge("all clients announce")? && run.churn()?,
        Scenario::Series => run.series()?,
        Scenario::Slow => run.slow()?,
        Scenario::Idle => run.converge("all clients announce")? && run.idle()?,
        Scenario::Reload => run.reload()?,
        Scenario::Vrps => run.vrps()?,
        Scenario::Tour => run.tour()?,
    };
    Ok(run.outcome)
}

struct Run<'a> {
    swarm: &'a mut Swarm,
    args: &'a LoadArgs,
    progress: &'a Progress,
    deadline: Time,
    shown_at: Time,
    outcome: Outcome,
    /// By prefix: whether changes leave it alone. Empty: none is spared.
    spared: Vec<bool>,
}

/// The clients that a step is about.
#[derive(Clone, Copy)]
struct Aside<'a> {
    clients: &'a [usize],
    /// Whether the step is over only when their tables are right too.
    is_awaited: bool,
}

const NOBODY: Aside<'_> = Aside {
    clients: &[],
    is_awaited: true,
};

impl Run<'_> {
    fn converge(&mut self, name: &str) -> io::Result<bool> {
        let meter = self.begin();
        let since = self.swarm.start(0..self.swarm.client_count());
        self.settle(name, meter, since, NOBODY)
    }

    /// Who is left.
    fn all_but_one(&mut self) -> io::Result<Option<usize>> {
        let last = self.swarm.client_count() - 1;
        let meter = self.begin();
        let since = self.swarm.start(0..last);
        let right = self.settle("all but one announce", meter, since, NOBODY)?;
        Ok(right.then_some(last))
    }

    fn join(&mut self) -> io::Result<bool> {
        let Some(last) = self.all_but_one()? else {
            return Ok(false);
        };
        let meter = self.begin();
        let since = self.swarm.start(last..last + 1);
        let joining = Aside {
            clients: &[last],
            is_awaited: true,
        };
        let right = self.settle("one more joins", meter, since, joining)?;
        self.outcome.join = JoinFigures::of(self.swarm, last);
        Ok(right)
    }

    fn join_busy(&mut self) -> io::Result<bool> {
        let Some(last) = self.all_but_one()? else {
            return Ok(false);
        };
        self.swarm.joiner = Some(last);
        let meter = self.begin();
        let since = self.swarm.now();
        self.changes()?;
        self.settle("routes change, one more joins", meter, since, NOBODY)
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
            let flapping = Aside {
                clients: &clients,
                is_awaited: true,
            };
            let meter = self.begin();
            let since = self.swarm.stop(clients.iter().copied());
            let name = format!("round {round}: {count} clients drop");
            if !self.settle(&name, meter, since, flapping)? {
                return Ok(false);
            }
            let meter = self.begin();
            let since = self.swarm.start(clients.iter().copied());
            let name = format!("round {round}: they return");
            if !self.settle(&name, meter, since, flapping)? {
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
        let meter = self.begin();
        let since = self.swarm.stop(std::iter::once(largest));
        if !self.settle("the largest network drops out", meter, since, NOBODY)? {
            return Ok(false);
        }
        let meter = self.begin();
        let since = self.swarm.start(largest..largest + 1);
        if !self.settle("it comes back", meter, since, NOBODY)? {
            return Ok(false);
        }
        self.churn()
    }

    fn churn(&mut self) -> io::Result<bool> {
        let meter = self.begin();
        let since = self.swarm.now();
        self.changes()?;
        self.settle("routes change", meter, since, NOBODY)
    }

    /// Nothing happens for a while, and nothing should.
    fn idle(&mut self) -> io::Result<bool> {
        let mut meter = self.begin();
        let since = self.swarm.now();
        meter.begin(since);
        let end = since + Duration::from_secs(self.args.duration.into());
        self.progress.begin("nothing happens", 0);
        while self.swarm.now() < end.min(self.deadline) {
            self.swarm.turn(Duration::from_millis(20))?;
        }
        self.progress.end();
        let right = self.swarm.tables.wrong_total() == 0;
        let now = self.swarm.now();
        let step = meter.finish(self.swarm, "nothing happens", right, None, now);
        self.outcome.steps.push(step);
        Ok(right)
    }

    fn slow(&mut self) -> io::Result<bool> {
        let count = usize::from(self.args.affected).min(self.swarm.client_count());
        let slow: Vec<usize> = (0..count).collect();
        let appetite = match self.args.slow_rate {
            0 => Appetite::Nothing,
            octets => Appetite::Slow(octets),
        };
        let aside = |is_awaited: bool| Aside {
            clients: &slow,
            is_awaited,
        };
        slow.iter()
            .for_each(|&client| self.swarm.set_appetite(client, appetite));
        let meter = self.begin();
        let since = self.swarm.start(0..self.swarm.client_count());
        let name = format!("all announce, {count} do not read");
        if !self.settle(&name, meter, since, aside(false))? {
            return Ok(false);
        }
        let meter = self.begin();
        let since = self.swarm.now();
        self.changes()?;
        let name = "routes change, the slow still do not read";
        if !self.settle(name, meter, since, aside(false))? {
            return Ok(false);
        }
        let meter = self.begin();
        let since = self.swarm.now();
        slow.iter()
            .for_each(|&client| self.swarm.set_appetite(client, Appetite::Full));
        self.settle("the slow read again", meter, since, aside(true))
    }

    fn begin(&mut self) -> Meter {
        Meter::new(self.swarm, &self.args.server_pid)
    }

    /// Until the tables are right and it is quiet.
    fn settle(
        &mut self,
        name: &str,
        mut meter: Meter,
        since: Time,
        aside: Aside<'_>,
    ) -> io::Result<bool> {
        let settle = match self.args.check {
            // Nothing may be right there for a while that is not final.
            Check::HidingAllowed => {
                Duration::from_millis(self.args.settle.into()).max(Duration::from_secs(3))
            }
            _ => Duration::from_millis(self.args.settle.into()),
        };
        let patience = Duration::from_secs(self.args.patience.into());
        let mut announced_at = None;
        meter.begin(since);
        let (_, wrong) = self.wrong(aside);
        self.progress.begin(name, wrong);
        let right = loop {
            self.swarm.turn(Duration::from_millis(20))?;
            let now = self.swarm.now();
            let (others_wrong, wrong) = self.wrong(aside);
            if announced_at.is_none() && self.swarm.is_announced() {
                announced_at = Some(now);
            }
            meter.watch(self.swarm, now, others_wrong, wrong);
            self.note_drained();
            self.show(now, wrong);
            let quiet = now.since(self.swarm.last_change);
            if announced_at.is_some() && wrong == 0 && (quiet >= settle || !aside.is_awaited) {
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
        // The end is the last thing that changed, not the quiet after it.
        let ended_at = match (right, aside.is_awaited) {
            (true, true) => self.swarm.last_change,
            (true, false) => announced_at.max(meter.others_right_at()).unwrap_or(since),
            (false, _) => self.swarm.now(),
        };
        let step = meter.finish(self.swarm, name, right, announced_at, ended_at);
        self.outcome.steps.push(step);
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

    /// Wrong prefixes of those that the step is not about, and of those that it waits for.
    fn wrong(&self, aside: Aside<'_>) -> (usize, usize) {
        let tables = &self.swarm.tables;
        let theirs = aside.clients.iter();
        let theirs: usize = theirs.map(|&client| tables.wrong_count(client)).sum();
        let others = tables.wrong_total() - theirs;
        match aside.is_awaited {
            true => (others, tables.wrong_total()),
            false => (others, others),
        }
    }

    fn show(&mut self, now: Time, missing: usize) {
        if now.since(self.shown_at) >= SHOW_EVERY {
            self.shown_at = now;
            let sessions = self.swarm.established_count();
            self.progress.show(missing, sessions);
        }
    }

    /// Changes at an even pace: now another path, now gone, now back. In the middle the joiner comes,
    /// if there is one.
    fn changes(&mut self) -> io::Result<()> {
        let mut random = Random::new(self.args.seed ^ 0xc4a2);
        let start = self.swarm.now();
        let rate = u64::from(self.args.rate);
        let total = rate * u64::from(self.args.duration);
        let mut figures = ChurnFigures::default();
        let mut joins_since = None;
        self.progress.begin("changes", total as usize);
        let mut done = 0;
        while done < total && self.swarm.now() < self.deadline {
            let passed = self.swarm.now().since(start).as_micros() as u64;
            let due = (passed * rate / 1_000_000).min(total);
            if done < due {
                let late = passed.saturating_sub(done * 1_000_000 / rate);
                figures.late_ms = figures.late_ms.max(late as f64 / 1000.0);
            }
            while done < due {
                self.change_one(&mut random, done);
                done += 1;
                if done == total / 2 {
                    figures.awaited_at_half = self.swarm.awaited.len();
                }
            }
            if done >= total / 2 {
                self.let_join(&mut joins_since);
            }
            self.show(self.swarm.now(), (total - done) as usize);
            self.swarm.turn(Duration::from_millis(1))?;
            if figures.joined_s.is_none() {
                figures.joined_s = self.has_joined(joins_since);
            }
        }
        self.progress.end();
        self.let_join(&mut joins_since);
        figures.changes = done;
        figures.made_in_s = self.swarm.now().since(start).as_secs_f64();
        figures.awaited_at_end = self.swarm.awaited.len();
        self.outcome.churn = Some(figures);
        self.swarm.changed_at = Some(self.swarm.now());
        self.note_drained();
        Ok(())
    }

    fn let_join(&mut self, since: &mut Option<Time>) {
        if let Some(joiner) = self.swarm.joiner.filter(|_| since.is_none()) {
            self.swarm.is_joining = true;
            *since = Some(self.swarm.start(joiner..joiner + 1));
        }
    }

    /// How long the joiner took, when it has its whole table for the first time.
    fn has_joined(&mut self, since: Option<Time>) -> Option<f64> {
        let (joiner, since) = (self.swarm.joiner?, since?);
        let is_up = self.swarm.sessions[joiner].state == State::Established;
        let is_complete = is_up && self.swarm.tables.wrong_count(joiner) == 0;
        is_complete.then(|| {
            self.swarm.is_joining = false;
            self.swarm.now().since(since).as_secs_f64()
        })
    }

    /// Whether all changes have arrived everywhere, since the last one was made.
    fn note_drained(&mut self) {
        let (Some(churn), Some(since)) = (&mut self.outcome.churn, self.swarm.changed_at) else {
            return;
        };
        if churn.drain_s.is_none() && self.swarm.awaited.is_empty() {
            churn.drain_s = Some(self.swarm.last_change.since(since).as_secs_f64());
        }
    }

    fn change_one(&mut self, random: &mut Random, serial: u64) {
        for _ in 0..100 {
            let client = random.below(self.swarm.client_count() as u64) as usize;
            let routes = &self.swarm.plan.clients[client].routes;
            let is_reading = self.swarm.sessions[client].appetite == Appetite::Full;
            if routes.is_empty() || !is_reading || self.swarm.joiner == Some(client) {
                continue;
            }
            let route = *random.pick(routes);
            let is_spared = self.spared.get(route.prefix as usize) == Some(&true);
            if is_spared || self.swarm.awaited.contains(route.prefix) {
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
