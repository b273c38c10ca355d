//! Routes that the server comes to reject, and to accept again, while others change at an even pace.

use std::io;
use std::time::Duration;

use super::Run;
use crate::base::Time;
use crate::load::measure::Step;
use crate::load::proc;
use crate::load::random::Random;
use crate::load::rejecting::{BlackList, black_list, is_rejected};
use crate::load::report::spread;
use crate::load::swarm::flips::{Flipping, Flips};
use crate::load::swarm::gaps::Gaps;
use crate::load::swarm::histogram;
use crate::load::turns::{Turn, TurnFigures};

/// How long changes run before the first turn, and after each is right.
const RUN_ON: Duration = Duration::from_secs(1);
/// Routes that are judged anew at one time, so that changes run on.
const FLIPPED_AT_ONCE: usize = 256;

/// Changes at an even pace.
pub(super) struct Pace {
    since: Time,
    rate: u64,
    done: u64,
    random: Random,
}

impl Run<'_> {
    pub(super) fn reload(&mut self) -> io::Result<bool> {
        let share = self.args.rejected_share;
        let prefixes = self.swarm.plan.prefixes.iter().enumerate();
        let rejected = prefixes.filter(|(number, _)| is_rejected(*number, share));
        let list = black_list(rejected.map(|(_, prefix)| *prefix), share == 1.0);
        let file = self.args.server_config.as_deref().unwrap_or("".as_ref());
        let lever = BlackList::new(file, self.args.control.as_deref(), &list)?;
        let flipping = self.flipping(|number| is_rejected(number, share));
        self.spare(&flipping);

        let mut pace = self.pace();
        let quiet_gap = self.run_on(&mut pace)?;
        let mut turns = Vec::new();
        for rejects in (0..self.args.rounds).flat_map(|_| [true, false]) {
            let turn = self.turn(&lever, &flipping, rejects, &mut pace)?;
            let right = turn.right;
            turns.push(turn);
            if !right {
                break;
            }
        }
        let is_right = turns.iter().all(|turn| turn.right);
        self.outcome.turns = Some(TurnFigures::of(milliseconds(quiet_gap), turns));
        let meter = self.begin();
        let since = self.swarm.now();
        Ok(is_right && self.settle("no more changes", meter, since, super::NOBODY)?)
    }

    /// What clients announce of these prefixes, ascending.
    fn flipping(&self, is_flipping: impl Fn(usize) -> bool) -> Vec<Flipping> {
        let clients = self.swarm.plan.clients.iter().zip(0u16..);
        let routes = clients.flat_map(|(from, client)| {
            from.routes.iter().map(move |route| Flipping {
                prefix: route.prefix,
                client,
                set: route.set,
            })
        });
        let mut flipping: Vec<Flipping> = routes
            .filter(|route| is_flipping(route.prefix as usize))
            .collect();
        flipping.sort_unstable();
        flipping
    }

    /// No change is made of what flips.
    fn spare(&mut self, flipping: &[Flipping]) {
        self.spared = vec![false; self.swarm.plan.prefixes.len()];
        for route in flipping {
            self.spared[route.prefix as usize] = true;
        }
    }

    fn pace(&mut self) -> Pace {
        let now = self.swarm.now();
        self.swarm.gaps = Gaps::new(now, self.swarm.client_count());
        self.swarm.flips = Flips {
            are_watched: true,
            ..Flips::default()
        };
        let is_none_left = self.spared.iter().all(|spared| *spared);
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
    fn run_on(&mut self, pace: &mut Pace) -> io::Result<Duration> {
        self.progress.begin("changes run", 0);
        let end = self.swarm.now() + RUN_ON;
        while self.keep_pace(pace)? < end {}
        self.progress.end();
        let now = self.swarm.now();
        Ok(self.swarm.gaps.take(now))
    }

    fn turn(
        &mut self,
        lever: &BlackList,
        flipping: &[Flipping],
        rejects: bool,
        pace: &mut Pace,
    ) -> io::Result<Turn> {
        let mut turn = Turn {
            rejects,
            routes: flipping.len(),
            ..Turn::default()
        };
        for routes in pieces(flipping) {
            turn.flips += self.swarm.flip(routes, rejects);
            self.keep_pace(pace)?;
        }
        lever.write(rejects)?;
        let quiet = std::mem::replace(&mut self.swarm.latency, histogram());
        let (received, running) = (self.received(), pace.done);
        let before = proc::usage(&self.args.server_pid);
        let now = self.swarm.now();
        self.swarm.gaps.take(now);
        self.swarm.flips = Flips {
            are_watched: true,
            ..Flips::default()
        };
        let step = self.until_right(lever, &mut turn, pace, before.cpu_s)?;
        turn.running = pace.done - running;
        turn.gap_ms = milliseconds(self.swarm.gaps.take(self.swarm.now()));
        let of_turn = std::mem::replace(&mut self.swarm.latency, quiet);
        turn.arrival = spread(&of_turn);
        let needed = self.swarm.flips.count + of_turn.len();
        turn.needless = (self.received() - received).saturating_sub(needed);
        self.outcome.steps.push(step);
        Ok(turn)
    }

    /// From the command on, until all is right and has been for a while.
    fn until_right(
        &mut self,
        lever: &BlackList,
        turn: &mut Turn,
        pace: &mut Pace,
        cpu_before_s: f64,
    ) -> io::Result<Step> {
        let name = format!(
            "{} of {} routes are {}",
            turn.routes,
            self.swarm.plan.route_count(),
            if turn.rejects {
                "rejected"
            } else {
                "accepted again"
            }
        );
        let patience = Duration::from_secs(self.args.patience.into());
        self.progress.begin(&name, turn.flips);
        let mut meter = self.begin();
        let since = self.swarm.now();
        meter.begin(since);
        let mut asked = lever.tell()?;
        let mut right_since = None;
        loop {
            let now = self.keep_pace(pace)?;
            if turn.answered_s.is_none() && asked.is_answered()? {
                turn.answered_s = Some(now.since(since).as_secs_f64());
            }
            let wrong = self.wrong_flips();
            self.show(now, wrong);
            right_since = match (wrong, turn.answered_s, right_since) {
                (0, Some(_), None) => {
                    let cpu_s = proc::usage(&self.args.server_pid).cpu_s - cpu_before_s;
                    turn.server_cpu_s = (!self.args.server_pid.is_empty()).then_some(cpu_s);
                    Some(now)
                }
                (0, Some(_), known) => known,
                _ => None,
            };
            turn.right = right_since.is_some_and(|at: Time| now.since(at) >= RUN_ON);
            let quiet = now.since(self.swarm.flips.last.unwrap_or(since));
            if turn.right || quiet >= patience || now >= self.deadline {
                break;
            }
        }
        self.progress.end();
        self.swarm.is_out_of_time |= !turn.right && self.swarm.now() >= self.deadline;
        let Flips { first, last, .. } = self.swarm.flips;
        let span = |at: Time| at.since(since).as_secs_f64();
        turn.first_s = first.map(span);
        turn.took_s = last.map(span);
        let ended_at = last.unwrap_or(since);
        Ok(meter.finish(self.swarm, &name, turn.right, None, ended_at))
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

fn milliseconds(span: Duration) -> f64 {
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
