//! The server comes to reject some routes, and to accept them again: its configuration changes, what
//! clients registered does, or VRPs do.

use std::io;
use std::path::Path;

use super::turn::{Turning, milliseconds};
use super::{NOBODY, Run};
use crate::load::lever::{BlackList, Cache, IrrFiles, Lever, black_list, control_socket};
use crate::load::outside::{Vrps, is_rejected};
use crate::load::turns::{Turn, TurnFigures};

impl Run<'_> {
    pub(super) fn reload(&mut self) -> io::Result<bool> {
        if !self.converge("all clients announce")? {
            return Ok(false);
        }
        let share = self.args.rejected_share;
        let flipping = self.flipping(|number| is_rejected(number as usize, share));
        let config = self.args.server_config.as_deref();
        let control = control_socket(self.args.control.as_deref(), config);
        let plan = &self.swarm.plan;
        let mut lever = match &self.args.outside.irr_files {
            Some(folder) => {
                let count = self.args.outside.irr_entries;
                let rejects = |number: u32| is_rejected(number as usize, share);
                Lever::irr(IrrFiles::new(folder, plan, count, rejects)?, control)
            }
            None => {
                let numbered = plan.prefixes.iter().enumerate();
                let rejected = numbered.filter(|(number, _)| is_rejected(*number, share));
                let list = black_list(rejected.map(|(_, prefix)| *prefix), share == 1.0);
                let file = config.unwrap_or(Path::new(""));
                Lever::black_list(BlackList::new(file, &list)?, control)
            }
        };
        self.spare(&flipping);
        self.turn_about(&mut lever, None, |rejects| Turning {
            routes: &flipping,
            rejects,
            state: rejects,
        })
    }

    pub(super) fn vrps(&mut self) -> io::Result<bool> {
        let Some(address) = self.args.outside.rtr_cache else {
            return Ok(false);
        };
        // From the start on: the server lets nobody up without data.
        let mut cache = Cache::start(address, self.swarm.clock(), Vrps::nobodys())?;
        let share = self.args.rejected_share;
        let at_first = |number: u32| is_rejected(number as usize, share);
        // One goes and one comes for each.
        let changing = self.args.outside.changed_vrps as f64 / 2.0;
        let others = changing / (self.swarm.plan.prefixes.len() as f64 * (1.0 - share));
        let mut accepted = 0;
        let is_changing: Vec<bool> = (0..self.swarm.plan.prefixes.len() as u32)
            .map(|number| {
                let may_change = !at_first(number);
                accepted += usize::from(may_change);
                may_change && is_rejected(accepted, others.min(1.0))
            })
            .collect();
        let later = |number: u32| is_changing[number as usize];
        let vrps = Vrps::of(&self.swarm.plan, self.args.outside.vrps);
        let rejecting = vrps.list(|number| at_first(number) || later(number));
        cache.set_states(vrps.list(at_first), rejecting);
        let mut lever = Lever::cache(cache);
        if !self.converge("all clients announce")? {
            return Ok(false);
        }
        let (arriving, changing) = (self.flipping(at_first), self.flipping(later));
        self.spare(&[&arriving[..], &changing[..]].concat());
        let arrival = Turning {
            routes: &arriving,
            rejects: true,
            state: false,
        };
        self.turn_about(&mut lever, Some(arrival), |rejects| Turning {
            routes: &changing,
            rejects,
            state: rejects,
        })
    }

    /// One turn before the others, if there is one, and those there and back while changes run.
    fn turn_about<'a>(
        &mut self,
        lever: &mut Lever,
        arrival: Option<Turning<'_>>,
        turning: impl Fn(bool) -> Turning<'a>,
    ) -> io::Result<bool> {
        let mut pace = self.pace();
        let quiet_gap = self.run_on(&mut pace)?;
        let arrival = arrival.map(|first| self.turn(lever, first, &mut pace));
        let arrival = arrival.transpose()?;
        let mut turns: Vec<Turn> = Vec::new();
        for rejects in (0..self.args.rounds).flat_map(|_| [true, false]) {
            if arrival.iter().chain(&turns).all(|turn| turn.right) {
                turns.push(self.turn(lever, turning(rejects), &mut pace)?);
            }
        }
        let is_right = arrival.iter().chain(&turns).all(|turn| turn.right);
        let figures = TurnFigures::of(milliseconds(quiet_gap), arrival, turns);
        self.outcome.turns = Some(figures);
        let meter = self.begin();
        let since = self.swarm.now();
        Ok(is_right && self.settle("no more changes", meter, since, NOBODY)?)
    }
}
