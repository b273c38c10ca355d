//! What checks need and is not there, in sentences: which data, whose routes, and what becomes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::Family;
use crate::config::{self, ClientConfig, Config, Inputs, Overrides};
use crate::outside::irr::{AbsentFile, InUse, IrrProblem, IrrReport};
use crate::server::exchange::Exchange;

use super::feeds::{Feeds, IrrData};
use super::plane::Plane;
use super::rpki::RtrSay;

impl Plane {
    /// What is missing that checks need, in sentences.
    pub fn lacking(&self) -> Vec<String> {
        let current = self.current();
        let (config, exchange) = (&current.config, &current.exchange);
        let mut lacking = lacking_irr(config, exchange, &self.feeds().irr_missing());
        let say = self.feeds().rtr_say(self.data().now());
        lacking.extend(lacking_rpki(config, exchange, &say));
        lacking.extend(self.feeds().spent_files(&config.rpki));
        lacking
    }

    /// Whose sessions are held back until the data for their checks has come, in a sentence.
    pub fn waiting(&self) -> Option<String> {
        let current = self.current();
        let clients = waiting(&current.exchange)?;
        Some(held_back(&clients, current.config.irr.wait_max))
    }
}

/// What a start with this data would come to, in sentences. What RTR caches will say is not known.
pub fn at_start(config: &Config, irr: IrrData, feeds: &Feeds) -> Vec<String> {
    let mut outside = feeds.at_start(&config.rpki);
    if !config.rpki.caches.is_empty() {
        outside.vrps.get_or_insert_default();
    }
    let missing = irr.missing;
    let inputs = Inputs {
        irr: irr.sets,
        irr_missing: missing.clone(),
        outside,
        is_waiting: true,
        ..Inputs::default()
    };
    let exchange = config::compile(config, &Overrides::default(), &inputs, None);
    let mut lacking = lacking_irr(config, &exchange, &missing);
    if config.rpki.caches.is_empty() {
        lacking.extend(lacking_rpki(config, &exchange, &RtrSay::NotConfigured));
    }
    let lacking = lacking.iter().map(|what| format!("after a start: {what}"));
    let wait = config.irr.wait_max;
    let held = waiting(&exchange).filter(|_| !wait.is_zero());
    held.map(|clients| format!("after a start, {}", held_back(&clients, wait)))
        .into_iter()
        .chain(lacking)
        .collect()
}

fn held_back(clients: &str, wait: Duration) -> String {
    let seconds = wait.as_secs();
    format!(
        "sessions are held back for up to {seconds} s until data for their checks is there: {clients}"
    )
}

fn waiting(exchange: &Exchange) -> Option<String> {
    let names = exchange.clients().filter(|client| client.is_waiting);
    listed(names.map(|client| client.name.as_str()))
}

fn lacking_irr(config: &Config, exchange: &Exchange, missing: &BTreeSet<String>) -> Vec<String> {
    let without = exchange.clients().filter(|it| it.import.lacks_irr());
    let without = listed(without.map(|client| client.name.as_str()));
    let without = without.map(|names| {
        format!("no IRR data, or not enough of it, for {names}: their routes are rejected")
    });
    let of_set = |as_set: &String| {
        let names = listed(of(config, as_set)).unwrap_or_default();
        format!("no IRR data for {as_set} of {names}: what only it registers is rejected")
    };
    without
        .into_iter()
        .chain(missing.iter().map(of_set))
        .collect()
}

fn lacking_rpki(config: &Config, exchange: &Exchange, say: &RtrSay) -> Option<String> {
    if config.rpki.is_empty() {
        return None;
    }
    let uses_vrps = exchange.clients().any(|client| client.import.uses_vrps());
    let what = match (&exchange.outside.vrps, say) {
        (None, _) if uses_vrps => "no RPKI data yet: routes that are validated are rejected",
        (None, _) => "no RPKI data yet: validation begins when it has come",
        (Some(_), RtrSay::Expired) => {
            "no RTR cache has RPKI data that has not expired: routes are NotFound but for what files say"
        }
        (Some(_), RtrSay::NotYet) => "no RTR cache has answered yet: only VRP files are used",
        (Some(_), _) => return None,
    };
    Some(what.to_owned())
}

/// What is wrong with IRR files, and with whose.
pub fn irr_problems(config: &Config, report: &IrrReport) -> Vec<String> {
    let sentence = |problem: &IrrProblem| match (&problem.as_set, problem.in_use) {
        (Some(as_set), InUse::Nothing) => {
            let names = listed(of(config, as_set)).unwrap_or_default();
            format!("{problem}; it is of {names}")
        }
        _ => problem.to_string(),
    };
    let absent = report.absent.iter().filter_map(|it| absent(config, it));
    (report.problems.iter().map(sentence))
        .chain(absent)
        .collect()
}

/// A file that nobody may ever have meant to write, but whose content is asked for.
fn absent(config: &Config, absent: &AbsentFile) -> Option<String> {
    let AbsentFile {
        as_set,
        file,
        family,
    } = absent;
    let wants = |client: &&ClientConfig| {
        let (import, irr) = (&client.import, &client.irr);
        let by_roas = import.irr_prefix && irr.rpki_roas_as_route_objects;
        irr.sources.as_sets.contains(as_set)
            && match family {
                None => irr.sources.origins.is_empty() && (import.irr_origin || by_roas),
                Some(family) => {
                    let has_own = !irr.sources.prefixes.is_empty();
                    import.irr_prefix && !by_roas && !has_own && client.families.contains(*family)
                }
            }
    };
    let names = config.clients.iter().filter(wants);
    let names = listed(names.map(|client| client.name.as_str()))?;
    let (what, option) = match family {
        None => ("routes of origins", "-tj"),
        Some(Family::Ipv4) => ("IPv4 prefixes", "-4j"),
        Some(Family::Ipv6) => ("IPv6 prefixes", "-6j"),
    };
    Some(format!(
        "{as_set}: there is no {}, and there are other files of it: {what} that only it registers are rejected, \
         for {names}; write there what bgpq4 {option} {as_set} says",
        file.display()
    ))
}

fn of<'a>(config: &'a Config, as_set: &'a str) -> impl Iterator<Item = &'a str> {
    let has = move |client: &&ClientConfig| {
        let mut as_sets = client.irr.sources.as_sets.iter();
        as_sets.any(|name| name == as_set)
    };
    config
        .clients
        .iter()
        .filter(has)
        .map(|client| client.name.as_str())
}

/// All of them: whoever looks for one client is to find it.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    let s = if names.len() == 1 { "" } else { "s" };
    (!names.is_empty()).then(|| format!("{} client{s} ({})", names.len(), names.join(", ")))
}
