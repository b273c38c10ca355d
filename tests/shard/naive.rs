//! A route server for one prefix and one client at a time, by elimination.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rialto::base::{Asn, ClientSlot, PathId, Prefix};
use rialto::policy::{Verdict, audiences};
use rialto::rib::MedMode;
use rialto::wire::{AttributeSet, Variant};

use crate::core::{Exchange, Held, directory, scheme};

struct Candidate<'a> {
    announcer: ClientSlot,
    set: &'a Arc<AttributeSet>,
    variant: Variant,
}

/// Everything `client` is owed.
pub fn due(
    announced: &HashMap<(ClientSlot, Prefix), (Arc<AttributeSet>, Verdict)>,
    client: ClientSlot,
    add_path: bool,
    exchange: &Exchange,
    order: &dyn Fn(ClientSlot) -> (Ipv4Addr, IpAddr),
) -> BTreeMap<(Prefix, Option<PathId>), Held> {
    let directory = directory(exchange);
    let mut eligible: BTreeMap<Prefix, Vec<Candidate<'_>>> = BTreeMap::new();
    for ((announcer, prefix), (set, verdict)) in announced {
        let actions = scheme().actions(set, &directory);
        let audience = audiences(*announcer, &actions, &directory)
            .into_iter()
            .find(|(_, clients)| verdict.is_accepted() && clients.contains(client));
        if let Some((variant, _)) = audience {
            eligible.entry(*prefix).or_default().push(Candidate {
                announcer: *announcer,
                set,
                variant,
            });
        }
    }
    let mut due = BTreeMap::new();
    for (prefix, candidates) in eligible {
        if add_path {
            for c in &candidates {
                due.insert(
                    (prefix, Some(PathId::of(c.announcer))),
                    (c.set.clone(), c.variant),
                );
            }
        } else {
            let best = best(candidates, exchange.med, order);
            due.insert((prefix, None), (best.set.clone(), best.variant));
        }
    }
    due
}

fn best<'a>(
    mut left: Vec<Candidate<'a>>,
    med_mode: MedMode,
    order: &dyn Fn(ClientSlot) -> (Ipv4Addr, IpAddr),
) -> Candidate<'a> {
    keep_lowest(&mut left, |c| u32::from(c.set.facts().graceful_shutdown));
    keep_lowest(&mut left, |c| {
        u32::from(c.set.facts().as_path_len) + u32::from(c.variant.prepend)
    });
    keep_lowest(&mut left, |c| c.set.facts().origin as u32);
    let med = |c: &Candidate<'_>| c.set.facts().med.unwrap_or(0);
    match med_mode {
        MedMode::Ignore => {}
        MedMode::Always => keep_lowest(&mut left, med),
        MedMode::SameAs => {
            let mut lowest: HashMap<Option<Asn>, u32> = HashMap::new();
            for c in &left {
                let known = lowest.entry(c.set.facts().leftmost_as).or_insert(u32::MAX);
                *known = med(c).min(*known);
            }
            left.retain(|c| med(c) == lowest[&c.set.facts().leftmost_as]);
        }
    }
    left.into_iter()
        .min_by_key(|c| order(c.announcer))
        .expect("somebody is left")
}

fn keep_lowest(left: &mut Vec<Candidate<'_>>, of: impl Fn(&Candidate<'_>) -> u32) {
    let lowest = left.iter().map(&of).min();
    left.retain(|c| Some(of(c)) == lowest);
}
