//! What came of it: a table for people, JSON for scripts.

use std::io;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::args::{LoadArgs, Scenario};
use super::forms::NOTHING;
use super::measure::{ChurnFigures, JoinFigures, SeriesFigures, Step};
use super::model::Check;
use super::proc::Usage;
use super::scenario::Outcome;
use super::session::Counters;
use super::swarm::{Swarm, histogram};
use super::turns::TurnFigures;
use crate::base::{Time, text};

/// Wrong prefixes that are listed.
const LISTED_MAX: usize = 10;

#[derive(Serialize, Debug)]
pub struct Mismatch {
    pub client: String,
    pub prefix: String,
    pub expected: Vec<String>,
    pub got: Vec<String>,
}

/// Milliseconds.
#[derive(Serialize, Clone, Debug)]
pub struct Spread {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

#[derive(Serialize, Debug)]
pub struct Report {
    pub ok: bool,
    pub scenario: Scenario,
    pub check: Check,
    pub seed: u64,
    pub clients: usize,
    pub prefixes: usize,
    pub routes: usize,
    pub attribute_sets: usize,
    pub steps: Vec<Step>,
    pub established: usize,
    pub wrong_clients: usize,
    pub wrong_prefixes: usize,
    pub mismatches: Vec<Mismatch>,
    pub drops: Vec<String>,
    pub routes_held: usize,
    pub updates_out: u64,
    pub routes_out: u64,
    pub updates_in: u64,
    pub announced_in: u64,
    pub withdrawn_in: u64,
    pub unchanged_in: u64,
    pub octets_in: u64,
    pub messages_decoded: u64,
    pub messages_confirmed: u64,
    /// From the first connection to a client's table being right.
    pub client_complete: Option<Spread>,
    /// From sending a change to its arrival at each client.
    pub latency: Option<Spread>,
    /// The same while one more client came; the other is before and after.
    pub latency_joining: Option<Spread>,
    pub join: Option<JoinFigures>,
    pub churn: Option<ChurnFigures>,
    pub turns: Option<TurnFigures>,
    pub series: Vec<SeriesFigures>,
    /// While the scenario ran, but memory is the peak since the server began.
    pub server_usage: Option<Usage>,
    /// Why a session is not up, or none is.
    pub connect_error: Option<String>,
    /// No session came up, and so it ended before its time.
    pub given_up: bool,
    /// What is doubtful about the measurement itself.
    pub remarks: Vec<String>,
}

impl Report {
    pub fn new(swarm: &Swarm, args: &LoadArgs, outcome: Outcome, server: Option<Usage>) -> Report {
        let Outcome {
            steps,
            join,
            churn,
            turns,
            series,
        } = outcome;
        let sum = |field: fn(&Counters) -> u64| {
            swarm
                .sessions
                .iter()
                .map(|session| field(&session.counters))
                .sum()
        };
        let clients = swarm.client_count();
        let wrong_clients = (0..clients)
            .filter(|&client| swarm.tables.wrong_count(client) > 0)
            .count();
        let wrong_prefixes = swarm.tables.wrong_total();
        let mut complete = histogram();
        let times = swarm
            .sessions
            .iter()
            .filter_map(|session| session.complete_at);
        let since = swarm.trying_since().unwrap_or(Time::ZERO);
        times.for_each(|at| complete.saturating_record(at.since(since).as_micros() as u64));
        let drops: Vec<String> = swarm
            .drops
            .iter()
            .map(|drop| {
                format!(
                    "{} at {:.3} s: {}",
                    swarm.plan.clients[drop.client].name(),
                    drop.at.0 as f64 / 1e6,
                    drop.why
                )
            })
            .collect();
        let ok = !steps.is_empty()
            && steps.iter().all(|step| step.right)
            && wrong_prefixes == 0
            && drops.is_empty();
        Report {
            ok,
            scenario: args.scenario,
            check: args.check,
            seed: args.seed,
            clients,
            prefixes: swarm.plan.prefixes.len(),
            routes: swarm.plan.route_count(),
            attribute_sets: swarm.plan.sets.len(),
            steps,
            established: swarm.established_count(),
            wrong_clients,
            wrong_prefixes,
            mismatches: mismatches(swarm),
            drops,
            routes_held: (0..clients)
                .map(|client| swarm.tables.held_count(client))
                .sum(),
            updates_out: sum(|c| c.updates_out),
            routes_out: sum(|c| c.routes_out),
            updates_in: sum(|c| c.updates_in),
            announced_in: sum(|c| c.announced_in),
            withdrawn_in: sum(|c| c.withdrawn_in),
            unchanged_in: sum(|c| c.unchanged_in),
            octets_in: sum(|c| c.octets_in),
            messages_decoded: swarm.reader.decoded_count,
            messages_confirmed: swarm.reader.confirmed_count,
            client_complete: spread(&complete).filter(|_| args.scenario == Scenario::Converge),
            latency: spread(&swarm.latency),
            latency_joining: spread(&swarm.latency_joining),
            join,
            churn,
            turns,
            series,
            server_usage: server,
            connect_error: swarm
                .given_up
                .clone()
                .or_else(|| swarm.refused())
                .filter(|_| !ok),
            given_up: swarm.given_up.is_some(),
            remarks: remarks(swarm, args),
        }
    }

    /// For scripts.
    pub fn json(&self) -> io::Result<String> {
        Ok(serde_json::to_string_pretty(self).map_err(io::Error::other)? + "\n")
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, value: String| out += &text::row(name, &value, 14);
        row(
            "exchange",
            format!(
                "{} clients, {} prefixes, {} routes in {} attribute sets",
                grouped(self.clients),
                grouped(self.prefixes),
                grouped(self.routes),
                grouped(self.attribute_sets)
            ),
        );
        for step in &self.steps {
            row("step", step.line());
            if let Some(cost) = step.cost() {
                row("", cost);
            }
        }
        row(
            "announced",
            format!(
                "{} routes in {} UPDATEs",
                grouped(self.routes_out),
                grouped(self.updates_out)
            ),
        );
        row(
            "received",
            format!(
                "{} routes and {} withdrawals in {} UPDATEs ({:.1} prefixes each), {:.1} MB",
                grouped(self.announced_in),
                grouped(self.withdrawn_in),
                grouped(self.updates_in),
                (self.announced_in + self.withdrawn_in) as f64 / self.updates_in.max(1) as f64,
                self.octets_in as f64 / 1e6
            ),
        );
        row(
            "",
            format!(
                "{} of the routes said nothing new; {} are held at the end",
                grouped(self.unchanged_in),
                grouped(self.routes_held)
            ),
        );
        if let Some(spread) = &self.client_complete {
            row("complete", spread.line());
        }
        if let Some(spread) = &self.latency {
            row(
                "arrival",
                format!("{}, {} arrivals", spread.line(), grouped(spread.count)),
            );
        }
        if let Some(spread) = &self.latency_joining {
            let arrivals = grouped(spread.count);
            row(
                "in the join",
                format!("{}, {arrivals} arrivals", spread.line()),
            );
        }
        if let Some(join) = &self.join {
            row("join", join.line());
        }
        if let Some(churn) = &self.churn {
            row("changes", churn.line());
        }
        if let Some(turns) = &self.turns {
            row("turns", turns.line());
        }
        for (number, arrival) in self.series.iter().enumerate() {
            let line = (arrival.arrival.as_ref()).map_or("nothing arrived".into(), Spread::line);
            row(&format!("series {number}"), line);
        }
        if self.messages_confirmed > 0 {
            row(
                "decoded twice",
                format!(
                    "the second decoder agrees on all {} distinct messages",
                    grouped(self.messages_confirmed)
                ),
            );
        }
        if let Some(server) = &self.server_usage {
            row(
                "server",
                format!(
                    "{:.2} CPU s, {:.1} MB at the peak",
                    server.cpu_s,
                    server.memory_peak as f64 / 1e6
                ),
            );
        }
        let verdict = match self.ok {
            true => format!(
                "every one of the {} clients has what it is owed ({})",
                self.established,
                self.check.name()
            ),
            false => format!(
                "{} prefixes of {} clients are not what they should be; {} of {} sessions are up, {} dropped",
                grouped(self.wrong_prefixes),
                self.wrong_clients,
                self.established,
                self.clients,
                self.drops.len()
            ),
        };
        row(
            "verdict",
            format!("{}: {verdict}", if self.ok { "right" } else { "WRONG" }),
        );
        for remark in &self.remarks {
            row("remark", remark.clone());
        }
        for drop in self.drops.iter().take(LISTED_MAX) {
            row("dropped", drop.clone());
        }
        if let Some(error) = &self.connect_error {
            row("not up", error.clone());
        }
        for mismatch in &self.mismatches {
            row(
                "wrong",
                format!("{} has of {}", mismatch.client, mismatch.prefix),
            );
            row("  expected", mismatch.expected.join(" OR "));
            row("  got", mismatch.got.join(" AND "));
        }
        out
    }
}

fn remarks(swarm: &Swarm, args: &LoadArgs) -> Vec<String> {
    let heard = swarm.server_asn_heard.filter(|asn| *asn != args.server_asn);
    let wrong_asn = heard.map(|asn| {
        format!(
            "the server's OPEN says AS{asn}, --server-asn is {}: control communities are those of \
             another server",
            args.server_asn
        )
    });
    let out_of_time = swarm.is_out_of_time.then(|| {
        format!(
            "the time ran out before the last step was over: --timeout {}",
            args.timeout
        )
    });
    let alone = swarm
        .sessions
        .iter()
        .filter(|session| session.is_refused_add_path());
    let no_add_path = Some(alone.count()).filter(|count| *count > 0).map(|count| {
        format!(
            "{count} clients asked for ADD-PATH and the server did not agree: is add_path on for \
             them? (--print-config with the same other words)"
        )
    });
    [wrong_asn, out_of_time, no_add_path]
        .into_iter()
        .flatten()
        .collect()
}

impl Spread {
    fn line(&self) -> String {
        format!(
            "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.p50, self.p90, self.p99, self.max
        )
    }
}

pub fn spread(histogram: &Histogram<u64>) -> Option<Spread> {
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    (!histogram.is_empty()).then(|| Spread {
        count: histogram.len(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: histogram.max() as f64 / 1000.0,
    })
}

/// The first wrong prefixes, one or two of each client.
fn mismatches(swarm: &Swarm) -> Vec<Mismatch> {
    let describe = |forms: &[u32]| -> Vec<String> {
        let forms = if forms.is_empty() { &[NOTHING] } else { forms };
        forms
            .iter()
            .map(|&form| swarm.model.forms.describe(form))
            .collect()
    };
    let mut found = Vec::new();
    for (client, prefix, form) in swarm.tables.foreign() {
        found.push(Mismatch {
            client: swarm.plan.clients[client].name(),
            prefix: prefix.to_string(),
            expected: vec!["nothing: nobody announces it".into()],
            got: describe(&[form]),
        });
    }
    for client in 0..swarm.client_count() {
        for prefix in swarm.tables.wrong_prefixes(client, 2) {
            if found.len() >= LISTED_MAX {
                return found;
            }
            found.push(Mismatch {
                client: swarm.plan.clients[client].name(),
                prefix: swarm.plan.prefixes[prefix as usize].to_string(),
                expected: describe(&swarm.model.owed(client as u16, prefix)),
                got: describe(&swarm.tables.held(client, prefix)),
            });
        }
    }
    found.truncate(LISTED_MAX);
    found
}

/// 1234567 as 1,234,567.
pub fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(0).to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0u64, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
