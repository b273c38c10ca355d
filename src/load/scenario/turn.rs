//! One turn: a lever is pulled, and routes that clients announce all along are rejected, or accepted
//! again, while others change at an even pace.

use std::io;
use std::time::Duration;

use super::Run;
use crate::base::Time;
use crate::load::lever::{Lever, Told};
use crate::load::measure::{Meter, Step};
use crate::load::proc;
use crate::load::random::Random;
use crate::load::report::spread;
use crate::load::swarm::flips::{Flipping, Flips};
use crate::load::swarm::gaps::Gaps;
use crate::load::swarm::histogram;
use crate::load::turns::Turn;

/// How long changes run before the first turn, and after each is right.
const RUN_ON: Duration = Duration::from_secs(1);
/// Routes that are judged anew at one time, so that changes run on.
const FLIPPED_AT_ONCE: usize = 256;

/// What a turn is about.
#[derive(Clone, Copy)]
pub(super) struct Turning<'a> {
    /// Ascending.
    pub routes: &'a [Flipping],
    pub rejects: bool,
    /// Of the lever.
    pub state: bool,
}

/// Changes at an even pace.
pub(super) struct Pace {
    since: Time,
    rate: u64,
    pub done: u64,
    random: Random,
}

impl Run<'_> {
    /// What clients announce of these prefixes, ascending.
    pub(super) fn flipping(&self, is_flipping: impl Fn(u32) -> bool) -> Vec<Flipping> {
        let clients = self.swarm.plan.clients.iter().zip(0u16..);
        let routes = clients.flat_map(|(from, client)| {
            from.routes.iter().map(move |route| Flipping {
                prefix: route.prefix,
                client,
                set: route.set,
            })
        });
        let mut flipping: Vec<Flipping> =
            routes.filter(|route| is_flipping(route.prefix)).collect();
        flipping.sort_unstable();
        flipping
    }

    /// No change is made of these.
    pub(super) fn spare(&mut self, flipping: &[Flipping]) {
        self.spared = vec![false; self.swarm.plan.prefixes.len()];
        for route in flipping {
            self.spared[route.prefix as usize] = true;
        }
    }

    pub(super) fn pace(&mut self) -> Pace {
        let now = self.swarm.now();
        self.swarm.gaps = Gaps::new(now, self.swarm.client_count());
        self.watch_flips();
        let is_none_left = !self.spared.is_empty() && self.spared.iter().all(|spared| *spared);
        Pace {
            since: now,
            rate: if is_none_left {
                0
            } else {
                self.args.rate.into()
            },
            done: 0,
            random: Random::new(self.args.seed ^ 0x4e10),
        }
    }

    fn watch_flips(&mut self) {
        self.swarm.flips = Flips {
            are_watched: true,
            ..Flips::default()
        };
    }

    /// The changes that are due by now, and whatever else happens.
    fn keep_pace(&mut self, pace: &mut Pace) -> io::Result<Time> {
        let passed = self.swarm.now().since(pace.since).as_micros() as u64;
        while pace.done < passed * pace.rate / 1_000_000 {
            self.change_one(&mut pace.random, pace.done);
            pace.done += 1;
        }
        self.swarm.turn(Duration::from_millis(1))?;
        Ok(self.swarm.now())
    }

    /// Only changes, for a while. The longest that a client heard of none.
    pub(super) fn run_on(&mut self, pace: &mut Pace) -> io::Result<Duration> {
        self.progress.begin("changes run", 0);
        self.run_for(pace, RUN_ON)?;
        self.progress.end();
        let now = self.swarm.now();
        Ok(match pace.rate {
            0 => Duration::ZERO,
            _ => self.swarm.gaps.take(now),
        })
    }

    pub(super) fn run_for(&mut self, pace: &mut Pace, span: Duration) -> io::Result<()> {
        let end = self.swarm.now() + span;
        while self.keep_pace(pace)? < end {}
        Ok(())
    }

    pub(super) fn turn(
        &mut self,
        lever: &mut Lever,
        turning: Turning<'_>,
        pace: &mut Pace,
    ) -> io::Result<Turn> {
        let mut turn = Turn {
            rejects: turning.rejects,
            routes: turning.routes.len(),
            ..Turn::default()
        };
        for routes in pieces(turning.routes) {
            turn.flips += self.swarm.flip(routes, turning.rejects);
            self.keep_pace(pace)?;
        }
        // What this takes is no time in which changes were due.
        let before = self.swarm.now();
        turn.vrps = lever.prepare(turning.state)?;
        pace.since = pace.since + self.swarm.now().since(before);
        self.run_on(pace)?;

        let quiet = std::mem::replace(&mut self.swarm.latency, histogram());
        let (received, running) = (self.received(), pace.done);
        self.watch_flips();
        let step = self.until_right(lever, &mut turn, pace)?;
        turn.running = pace.done - running;
        let gap = self.swarm.gaps.take(self.swarm.now());
        turn.gap_ms = (turn.running > 0).then(|| milliseconds(gap));
        let of_turn = std::mem::replace(&mut self.swarm.latency, quiet);
        turn.arrival = spread(&of_turn);
        let needed = self.swarm.flips.count + of_turn.len();
        turn.needless = (self.received() - received).saturating_sub(needed);
        self.outcome.steps.push(step);
        Ok(turn)
    }

    /// From the lever on, until all is right and has been for a while.
    fn until_right(
        &mut self,
        lever: &mut Lever,
        turn: &mut Turn,
        pace: &mut Pace,
    ) -> io::Result<Step> {
        let name = self.name(turn);
        let patience = Duration::from_secs(self.args.patience.into());
        let before = proc::usage(&self.args.server_pid);
        self.progress.begin(&name, turn.flips);
        let mut meter = Meter::new(self.swarm, &self.args.server_pid);
        let begun = self.swarm.now();
        lever.pull()?;
        let (mut since, mut right_since) = (begun, None);
        meter.begin(since);
        loop {
            let now = self.keep_pace(pace)?;
            if turn.answered_s.is_none() {
                let told = match lever.told()? {
                    Told::NotYet => None,
                    Told::Answered => Some(now),
                    Told::Said(at) => {
                        since = at;
                        meter.begin(since);
                        Some(at)
                    }
                };
                turn.answered_s = told.map(|at| at.since(begun).as_secs_f64());
            }
            let wrong = self.wrong_flips();
            self.show(now, wrong);
            let is_done = wrong == 0 && turn.answered_s.is_some();
            if is_done && right_since.is_none() && !self.args.server_pid.is_empty() {
                let after = proc::usage(&self.args.server_pid);
                turn.server_cpu_s = Some(after.cpu_s - before.cpu_s);
            }
            right_since = right_since.or(Some(now)).filter(|_| is_done);
            turn.right = right_since.is_some_and(|at: Time| now.since(at) >= RUN_ON);
            let quiet = now.since(self.swarm.flips.last.unwrap_or(begun));
            if turn.right || quiet >= patience || now >= self.deadline {
                break;
            }
        }
        self.progress.end();
        self.swarm.is_out_of_time |= !turn.right && self.swarm.now() >= self.deadline;
        let Flips { first, last, .. } = self.swarm.flips;
        let span = |at: Time| at.since(since).as_secs_f64();
        (turn.first_s, turn.took_s) = (first.map(span), last.map(span));
        let ended_at = last.unwrap_or(since);
        Ok(meter.finish(self.swarm, &name, turn.right, None, ended_at))
    }

    fn name(&self, turn: &Turn) -> String {
        let what = match turn.vrps {
            Some(count) => format!("{count} VRPs change, "),
            None => String::new(),
        };
        let how = match turn.rejects {
            true => "are rejected",
            false => "are accepted again",
        };
        let all = self.swarm.plan.route_count();
        format!("{what}{} of {all} routes {how}", turn.routes)
    }

    /// Prefixes of clients that are wrong, beside those of changes on their way.
    fn wrong_flips(&self) -> usize {
        let on_their_way = self.swarm.awaited.outstanding();
        self.swarm.tables.wrong_total().saturating_sub(on_their_way)
    }

    /// Prefixes that clients were told of.
    fn received(&self) -> u64 {
        let counters = self.swarm.sessions.iter().map(|session| session.counters);
        counters
            .map(|counters| counters.announced_in + counters.withdrawn_in)
            .sum()
    }
}

/// Some routes each, those of one prefix together.
fn pieces(flipping: &[Flipping]) -> impl Iterator<Item = &[Flipping]> {
    let mut rest = flipping;
    std::iter::from_fn(move || {
        let last = rest.get(FLIPPED_AT_ONCE.min(rest.len()).checked_sub(1)?)?;
        let end = rest.partition_point(|route| route.prefix <= last.prefix);
        let (piece, others) = rest.split_at(end);
        rest = others;
        Some(piece)
    })
}

pub(super) fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_of_it_and_tear_no_prefix_apart() {
        let flipping: Vec<Flipping> = (0..2000)
            .map(|number| Flipping {
                prefix: number / 3,
                client: (number % 3) as u16,
                set: 0,
            })
            .collect();
        let pieces: Vec<&[Flipping]> = pieces(&flipping).collect();
        assert_eq!(pieces.concat(), flipping);
        assert!(pieces.len() > 6);
        for pair in pieces.windows(2) {
            assert_ne!(pair[0].last().unwrap().prefix, pair[1][0].prefix);
        }
    }
}
