//! A route server for one prefix and one client at a time, by elimination.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rialto::base::{Asn, ClientSlot, PathId, Prefix};
use rialto::policy::{PrefixClass, audiences};
use rialto::rib::{DecidedBy, MedMode};
use rialto::wire::{AttributeSet, Variant};

use crate::core::Held;
use crate::exchange::{Exchange, directory, scheme};

pub struct Candidate<'a> {
    pub announcer: ClientSlot,
    set: &'a Arc<AttributeSet>,
    variant: Variant,
}

/// Less is preferred.
type Key<'k> = &'k dyn Fn(&Candidate<'_>) -> u32;

type Announced = HashMap<(ClientSlot, Prefix), (Arc<AttributeSet>, PrefixClass)>;

/// The paths that `client` may have.
pub fn eligible<'a>(
    announced: &'a Announced,
    client: ClientSlot,
    exchange: &Exchange,
) -> BTreeMap<Prefix, Vec<Candidate<'a>>> {
    let directory = directory(exchange);
    let mut eligible: BTreeMap<Prefix, Vec<Candidate<'_>>> = BTreeMap::new();
    for ((announcer, prefix), (set, class)) in announced {
        let actions = scheme().actions(set, &directory);
        let audience = audiences(*announcer, &actions, *class, 0, &directory)
            .into_iter()
            .find(|(_, clients)| class.is_accepted() && clients.contains(client));
        if let Some((variant, _)) = audience {
            eligible.entry(*prefix).or_default().push(Candidate {
                announcer: *announcer,
                set,
                variant,
            });
        }
    }
    eligible
}

/// Everything `client` is owed.
pub fn due(
    announced: &Announced,
    client: ClientSlot,
    add_path: bool,
    exchange: &Exchange,
    order: &dyn Fn(ClientSlot) -> (Ipv4Addr, IpAddr),
) -> BTreeMap<(Prefix, Option<PathId>), Held> {
    let mut due = BTreeMap::new();
    for (prefix, candidates) in eligible(announced, client, exchange) {
        if add_path {
            for c in &candidates {
                due.insert(
                    (prefix, Some(PathId::of(c.announcer))),
                    (c.set.clone(), c.variant),
                );
            }
        } else {
            let (best, _) = best(candidates, exchange.med, order);
            due.insert((prefix, None), (best.set.clone(), best.variant));
        }
    }
    due
}

/// The one that is left, and at which step each of the others was taken out.
pub fn best<'a>(
    mut left: Vec<Candidate<'a>>,
    med_mode: MedMode,
    order: &dyn Fn(ClientSlot) -> (Ipv4Addr, IpAddr),
) -> (Candidate<'a>, BTreeMap<ClientSlot, DecidedBy>) {
    let mut out = BTreeMap::new();
    let mut keep = |step, left: &mut Vec<Candidate<'a>>, stays: &dyn Fn(&Candidate<'_>) -> bool| {
        left.retain(|c| {
            let stays = stays(c);
            if !stays {
                out.insert(c.announcer, step);
            }
            stays
        });
    };
    let len =
        |c: &Candidate<'_>| u32::from(c.set.facts().as_path_len) + u32::from(c.variant.prepend);
    let med = |c: &Candidate<'_>| c.set.facts().med.unwrap_or(0);
    let steps: [(DecidedBy, Key<'_>); 3] = [
        (DecidedBy::Preference, &|c| {
            u32::from(c.set.facts().graceful_shutdown)
        }),
        (DecidedBy::AsPathLength, &len),
        (DecidedBy::Origin, &|c| c.set.facts().origin as u32),
    ];
    for (step, of) in steps {
        let lowest = left.iter().map(of).min();
        keep(step, &mut left, &|c| Some(of(c)) == lowest);
    }
    let mut lowest: HashMap<Option<Option<Asn>>, u32> = HashMap::new();
    let group =
        |c: &Candidate<'_>| (med_mode == MedMode::SameAs).then_some(c.set.facts().leftmost_as);
    for c in &left {
        let known = lowest.entry(group(c)).or_insert(u32::MAX);
        *known = med(c).min(*known);
    }
    keep(DecidedBy::Med, &mut left, &|c| {
        med_mode == MedMode::Ignore || med(c) == lowest[&group(c)]
    });
    let lowest = left.iter().map(|c| order(c.announcer).0).min();
    keep(DecidedBy::RouterId, &mut left, &|c| {
        Some(order(c.announcer).0) == lowest
    });
    let lowest = left.iter().map(|c| order(c.announcer).1).min();
    keep(DecidedBy::PeerAddress, &mut left, &|c| {
        Some(order(c.announcer).1) == lowest
    });
    (left.pop().expect("somebody is left"), out)
}
