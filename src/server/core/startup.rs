//! The start-up wait: nothing is advertised until the clients have said what they have, so that a
//! restart does not give every client every prefix two or three times. After it, the wait for those who
//! are not back yet: clients that kept our routes get no End-of-RIB before, or they would drop those of
//! the missing (RFC 4724 §4.2).

use std::time::Duration;

use crate::base::{CoreId, Time};
use crate::server::exchange::{Exchange, Startup};
use crate::server::message::{CoreNotice, StartupReport};
use crate::session::State;

use super::SessionCore;
use super::clients::Up;
use super::timers::earliest;

/// When everyone who is configured is up, the last may have come this long ago before all is said.
const ALL_UP: Duration = Duration::from_millis(10);
const TICK: Duration = Duration::from_millis(10);
const RETURN_TICK: Duration = Duration::from_millis(100);

/// Waits once in the life of a server. Core 0 decides for all.
pub(super) struct StartupWait {
    core: CoreId,
    settings: Startup,
    began: Time,
    over_at: Option<Time>,
    /// End-of-RIB goes to everybody: at the latest when no client keeps our routes any longer.
    are_all_back: bool,
    return_max: Duration,
    next_tick: Time,
    /// The others have heard of this core's clients.
    has_ticked: bool,
    report: StartupReport,
    /// What changed since the report was made.
    is_stale: bool,
    /// On core 0: the reports of the others, by core.
    others: Vec<Option<StartupReport>>,
}

impl StartupWait {
    pub fn new(core: CoreId, exchange: &Exchange, now: Time) -> StartupWait {
        let others = if core.0 == 0 {
            exchange.core_count.saturating_sub(1)
        } else {
            0
        };
        let settings = &exchange.startup;
        let clients = exchange.clients();
        let return_max_s = clients
            .map(|client| client.session.graceful_restart_s)
            .max();
        let return_max_s = return_max_s.unwrap_or_default();
        StartupWait {
            core,
            settings: *settings,
            began: now,
            over_at: (!settings.wait).then_some(now),
            are_all_back: return_max_s == 0,
            return_max: Duration::from_secs(return_max_s.into()),
            next_tick: now + TICK,
            has_ticked: false,
            report: StartupReport::default(),
            is_stale: true,
            others: vec![None; usize::from(others)],
        }
    }

    pub fn is_over(&self) -> bool {
        self.over_at.is_some()
    }

    /// Whether End-of-RIB may go to clients that keep our routes over a restart.
    pub fn are_all_back(&self) -> bool {
        self.are_all_back
    }

    /// How long it took, once it is over.
    pub fn waited(&self) -> Option<Duration> {
        Some(self.over_at?.since(self.began))
    }

    /// None while there is nobody to wait for: what changes that is a session that comes up.
    pub fn next_tick(&self) -> Option<Time> {
        let others = self.others.iter().flatten();
        let mut reports = others.chain([&self.report]);
        let is_worth_it = !self.has_ticked || reports.any(|report| report.first_up.is_some());
        (!self.has_nothing_to_do() && is_worth_it).then_some(self.next_tick)
    }

    pub fn handle_up(&mut self, now: Time) {
        self.report.first_up.get_or_insert(now);
        (self.report.last_up, self.report.last_heard) = (now, now);
        self.is_stale = true;
    }

    /// An UPDATE came.
    pub fn handle_routes(&mut self, now: Time, is_end_of_rib: bool) {
        self.report.last_heard = now;
        self.is_stale |= is_end_of_rib;
    }

    pub fn handle_session_change(&mut self) {
        self.is_stale = true;
    }

    pub fn handle_report(&mut self, from: CoreId, report: StartupReport) {
        if let Some(place) = from
            .index()
            .checked_sub(1)
            .and_then(|index| self.others.get_mut(index))
        {
            *place = Some(report);
        }
    }

    fn has_nothing_to_do(&self) -> bool {
        self.is_over() && self.are_all_back
    }

    /// On core 0: the reports of all cores, once they are there.
    fn all_reports(&self) -> Option<StartupReport> {
        let others = self.others.iter().copied().collect::<Option<Vec<_>>>()?;
        let sum = others
            .iter()
            .fold(self.report, |sum, report| StartupReport {
                up: sum.up + report.up,
                absent: sum.absent + report.absent,
                waiting: sum.waiting + report.waiting,
                unsettled: sum.unsettled + report.unsettled,
                first_up: earliest(sum.first_up, report.first_up),
                last_up: sum.last_up.max(report.last_up),
                last_heard: sum.last_heard.max(report.last_heard),
            });
        Some(sum)
    }

    /// Whether all cores together have waited enough.
    fn is_enough(&self, now: Time, all: &StartupReport) -> bool {
        let Some(first_up) = all.first_up else {
            return false;
        };
        let quiet = self.settings.quiet;
        let apart = if all.absent == 0 {
            ALL_UP.min(quiet)
        } else {
            quiet
        };
        let have_all_said = all.waiting == 0 && now >= all.last_up + apart;
        have_all_said || now >= all.last_heard + quiet || now >= first_up + self.settings.wait_max
    }

    /// Whether everybody is back, or has been waited for long enough.
    fn is_return_over(&self, now: Time, all: &StartupReport) -> bool {
        let are_back = all.absent == 0 && all.unsettled == 0;
        are_back || now >= self.began + self.return_max
    }
}

/// Who sends no End-of-RIB has said all that it has by then.
const UNMARKED: Duration = Duration::from_secs(5);

impl Up {
    /// What it has may still be on its way to the others. Also of a client that says it restarted: by our
    /// R bit it does not wait for our End-of-RIB (RFC 4724 §3), and FRR says so for two minutes after its start.
    fn is_bringing_routes(&self, now: Time) -> bool {
        let owes = match self.session.negotiated.sends_end_of_rib() {
            true => self.end_of_rib != self.session.negotiated.families,
            false => now < self.session.since + UNMARKED,
        };
        owes || self.counts.are_awaited()
    }
}

impl SessionCore {
    pub(super) fn pump_startup(&mut self, now: Time) {
        if self.startup.has_nothing_to_do() || now < self.startup.next_tick {
            return;
        }
        let tick = match self.startup.is_over() {
            false => TICK,
            true => RETURN_TICK,
        };
        self.startup.next_tick = now + tick;
        self.startup.has_ticked = true;
        if std::mem::take(&mut self.startup.is_stale) || self.startup.is_over() {
            self.count_waiting(now);
        }
        if self.startup.core.0 != 0 {
            // The time of the last UPDATE changes always: what the others see of it may lag.
            self.notices
                .push_back((CoreId(0), CoreNotice::Startup(self.startup.report)));
        } else if let Some(all) = self.startup.all_reports() {
            if !self.startup.is_over() && self.startup.is_enough(now, &all) {
                self.tell_cores(CoreNotice::StartupOver);
                self.finish_startup(now);
            }
            if self.startup.is_over() && self.startup.is_return_over(now, &all) {
                self.tell_cores(CoreNotice::AllBack);
                self.finish_return();
            }
        }
    }

    fn tell_cores(&mut self, notice: CoreNotice) {
        let others = 1..self.exchange.core_count;
        self.notices
            .extend(others.map(|core| (CoreId(core), notice)));
    }

    fn count_waiting(&mut self, now: Time) {
        let (mut up, mut absent, mut waiting, mut unsettled) = (0, 0, 0, 0);
        for state in self.clients.iter() {
            match &state.up {
                Some(own) => {
                    up += 1;
                    // Who restarted itself may be waiting for us (RFC 4724 §4.1).
                    let owes = own.end_of_rib != own.session.negotiated.families
                        && !own.session.negotiated.has_peer_restarted();
                    waiting += u32::from(owes);
                    unsettled += u32::from(own.is_bringing_routes(now));
                }
                None => {
                    absent += u32::from(state.client.disabled.is_none());
                    waiting += u32::from(state.state > State::Active);
                    unsettled += u32::from(state.state > State::Active);
                }
            }
        }
        let report = &mut self.startup.report;
        (report.up, report.absent, report.waiting) = (up, absent, waiting);
        report.unsettled = unsettled;
    }

    pub(super) fn finish_startup(&mut self, now: Time) {
        if self.startup.is_over() {
            return;
        }
        self.startup.over_at = Some(now);
        tracing::info!(
            wait_ms = now.since(self.startup.began).as_millis() as u64,
            up = self.startup.report.up,
            "start-up wait is over; advertising"
        );
        self.start_joint_walk();
    }

    /// Clients that kept our routes may drop what they have not got again, once they have got what the
    /// last ones brought.
    pub(super) fn finish_return(&mut self) {
        self.startup.are_all_back = true;
        for slot in self.clients.slots() {
            if self
                .clients
                .up_mut(slot)
                .is_some_and(|up| !up.owed.is_empty())
            {
                self.ask_whether_all_is_said(slot);
            }
        }
    }
}
