//! What one step of a scenario cost and how long it took: times, octets, and what the server's
//! processes used until the last change of the step.

use std::time::Duration;

use serde::Serialize;

use super::proc::{self, Usage};
use super::report::Spread;
use super::session::State;
use super::swarm::{Lag, Swarm};
use crate::base::Time;

/// Least time between two looks at the server's processes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Serialize, Default, Debug)]
pub struct Step {
    pub name: String,
    pub right: bool,
    pub first_route_s: Option<f64>,
    pub announced_s: Option<f64>,
    pub took_s: Option<f64>,
    /// Until the last session was up; `None` if all were, or some never came.
    pub sessions_up_s: Option<f64>,
    /// Until all were right but the clients that the step is about.
    pub others_right_s: Option<f64>,
    pub octets_in: u64,
    pub server: Option<ServerStep>,
    pub generator_lag_ms: LagMs,
    /// CPU time of the load generator in the step, with the quiet after it but without what it
    /// works out before.
    pub generator_cpu_s: f64,
    /// Of that, what the kernel spent: on reading, and on whatever of TCP it charged to the reader.
    pub generator_kernel_s: f64,
}

/// What the server's processes used in one step.
#[derive(Serialize, Clone, Copy, Debug)]
pub struct ServerStep {
    /// Until the last change of the step.
    pub cpu_s: f64,
    /// And with the quiet after it.
    pub cpu_settled_s: f64,
    /// Resident octets when the step began, and when it was quiet again.
    pub memory_start: u64,
    pub memory_settled: u64,
    /// Since the server began.
    pub memory_peak: u64,
}

/// One of several series of changes.
#[derive(Serialize, Debug)]
pub struct SeriesFigures {
    /// Milliseconds, from sending a change to its arrival at each client.
    pub arrival: Option<Spread>,
    pub changes: u64,
    pub awaited_at_end: usize,
    pub server_cpu_s: f64,
    pub generator_cpu_s: f64,
    pub generator_lag_ms: LagMs,
}

/// How long the load generator itself did not look whether there was anything to read.
#[derive(Serialize, Default, Clone, Copy, Debug)]
pub struct LagMs {
    pub mean: f64,
    pub max: f64,
}

impl From<Lag> for LagMs {
    fn from(lag: Lag) -> LagMs {
        let milliseconds = |span: Duration| span.as_secs_f64() * 1000.0;
        LagMs {
            mean: milliseconds(lag.sum) / f64::from(lag.count.max(1)),
            max: milliseconds(lag.max),
        }
    }
}

/// Watches one step.
pub struct Meter {
    pids: Vec<u32>,
    since: Time,
    octets_before: u64,
    before: Usage,
    /// At the last change that was looked at, and when that was.
    after: Usage,
    looked_at: Time,
    /// The last change of which the usage is known.
    known_change: Time,
    others_right_at: Option<Time>,
    own_before: Usage,
}

impl Meter {
    /// Before the step begins.
    pub fn new(swarm: &mut Swarm, pids: &[u32]) -> Meter {
        let before = proc::usage(pids);
        swarm.first_change = None;
        swarm.lag = Lag::default();
        Meter {
            pids: pids.to_vec(),
            since: Time::ZERO,
            octets_before: octets_in(swarm),
            before,
            after: before,
            looked_at: Time::ZERO,
            known_change: Time::ZERO,
            others_right_at: None,
            own_before: Usage::default(),
        }
    }

    /// The step begins.
    pub fn begin(&mut self, since: Time) {
        self.since = since;
        self.own_before = own_usage();
    }

    /// Now and then; `others_wrong` are the wrong prefixes of those that the step is not about, and
    /// `wrong` those that it waits for.
    pub fn watch(&mut self, swarm: &Swarm, now: Time, others_wrong: usize, wrong: usize) {
        match (others_wrong, self.others_right_at) {
            (0, None) => self.others_right_at = Some(swarm.last_change),
            (1.., Some(_)) => self.others_right_at = None,
            _ => {}
        }
        let is_known = self.known_change == swarm.last_change;
        if wrong == 0 && !is_known && now.since(self.looked_at) >= LOOK_EVERY {
            self.look(swarm, now);
        }
    }

    fn look(&mut self, swarm: &Swarm, now: Time) {
        self.after = proc::usage(&self.pids);
        self.looked_at = now;
        self.known_change = swarm.last_change;
    }

    /// When all were right but those that the step is about.
    pub fn others_right_at(&self) -> Option<Time> {
        self.others_right_at
    }

    /// The step is over; `ended_at` is when it was done, not the quiet after it.
    pub fn finish(
        mut self,
        swarm: &Swarm,
        name: &str,
        right: bool,
        announced_at: Option<Time>,
        ended_at: Time,
    ) -> Step {
        if self.known_change != swarm.last_change {
            self.look(swarm, swarm.now());
        }
        let (settled, own) = (proc::usage(&self.pids), own_usage());
        let span = |at: Time| at.since(self.since).as_secs_f64();
        let all_up = swarm.wanted_count() == swarm.established_count();
        Step {
            name: name.to_owned(),
            right,
            first_route_s: swarm.first_change.map(span),
            announced_s: announced_at.map(span),
            took_s: Some(span(ended_at)),
            sessions_up_s: (all_up && swarm.last_established > self.since)
                .then(|| span(swarm.last_established)),
            others_right_s: self.others_right_at.map(span),
            octets_in: octets_in(swarm) - self.octets_before,
            server: (!self.pids.is_empty()).then_some(ServerStep {
                cpu_s: self.after.cpu_s - self.before.cpu_s,
                cpu_settled_s: settled.cpu_s - self.before.cpu_s,
                memory_start: self.before.memory,
                memory_settled: settled.memory,
                memory_peak: settled.memory_peak,
            }),
            generator_lag_ms: swarm.lag.into(),
            generator_cpu_s: own.cpu_s - self.own_before.cpu_s,
            generator_kernel_s: own.kernel_s - self.own_before.kernel_s,
        }
    }
}

fn own_usage() -> Usage {
    proc::usage(&[std::process::id()])
}

fn octets_in(swarm: &Swarm) -> u64 {
    let sessions = swarm.sessions.iter();
    sessions.map(|session| session.counters.octets_in).sum()
}

/// What one client met that came to a server with the full table.
#[derive(Serialize, Clone, Copy, Debug)]
pub struct JoinFigures {
    /// From its SYN to its last prefix.
    pub from_connect_s: f64,
    /// From its session being up to its last prefix.
    pub from_established_s: f64,
    pub routes: u64,
    pub octets: u64,
}

impl JoinFigures {
    pub fn of(swarm: &Swarm, client: usize) -> Option<JoinFigures> {
        let session = &swarm.sessions[client];
        let last = session.complete_at?;
        (session.state == State::Established).then_some(())?;
        Some(JoinFigures {
            from_connect_s: last.since(session.connecting_since?).as_secs_f64(),
            from_established_s: last.since(session.established_at?).as_secs_f64(),
            routes: session.counters.announced_in,
            octets: session.counters.octets_in,
        })
    }
}

/// How changes went that were to be made at a pace.
#[derive(Serialize, Clone, Copy, Default, Debug)]
pub struct ChurnFigures {
    pub changes: u64,
    pub made_in_s: f64,
    /// How late the load generator was with a change, at most.
    pub late_ms: f64,
    /// Changes that had not arrived everywhere when half were made, and when all were.
    pub awaited_at_half: usize,
    pub awaited_at_end: usize,
    /// From its SYN until a client that came in the middle had its table.
    pub joined_s: Option<f64>,
    /// From the last change being made to the last arrival.
    pub drain_s: Option<f64>,
}

impl Step {
    /// For people.
    pub fn line(&self) -> String {
        let after = |name: &str, span: Option<f64>| {
            span.map_or(String::new(), |s| format!(", {name} after {s:.3} s"))
        };
        format!(
            "{}: {}{}{}{}{}{}",
            self.name,
            self.took_s.map_or("-".into(), |s| format!("{s:.3} s")),
            after("all up", self.sessions_up_s),
            after("all said", self.announced_s),
            after("first route", self.first_route_s),
            after(
                "the others right",
                self.others_right_s.filter(|at| Some(*at) != self.took_s)
            ),
            if self.right { "" } else { "  WRONG" }
        )
    }

    /// What it cost the server, for people.
    pub fn cost(&self) -> Option<String> {
        let server = self.server?;
        let megabytes = |octets: u64| octets as f64 / 1e6;
        Some(format!(
            "server {:.2} CPU s ({:.2} with the quiet after), {:.1} MB before, {:.1} MB after, \
             {:.1} MB at the peak; {:.1} MB received",
            server.cpu_s,
            server.cpu_settled_s,
            megabytes(server.memory_start),
            megabytes(server.memory_settled),
            megabytes(server.memory_peak),
            megabytes(self.octets_in),
        ))
    }
}

impl JoinFigures {
    pub fn line(&self) -> String {
        format!(
            "{:.3} s from its SYN to its last prefix, {:.3} s from its session being up",
            self.from_connect_s, self.from_established_s
        )
    }
}

impl ChurnFigures {
    pub fn line(&self) -> String {
        format!(
            "{} in {:.1} s, {} still on their way at the end{}; at most {:.1} ms late",
            self.changes,
            self.made_in_s,
            self.awaited_at_end,
            self.drain_s
                .map_or(String::new(), |s| format!(" and for {s:.3} s more")),
            self.late_ms
        )
    }
}
