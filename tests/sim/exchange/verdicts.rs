//! What shards say of clients' routes, compared with what the oracle makes of them.

use std::collections::{BTreeMap, BTreeSet};

use rialto::base::ClientSlot;
use rialto::policy::PrefixClass;
use rialto::server::query::{PrefixCounts, ShardQuery, ShardReply, Which};

use super::prefix_of;
use crate::oracle::{ClientId, Judgement, Net, family};
use crate::tally::Tally;
use crate::world::World;

type Judgements = BTreeMap<(Net, ClientId), Judgement>;

/// How many routes are stale.
pub fn compare(
    world: &mut World,
    judgements: &Judgements,
    stale: &BTreeSet<ClientId>,
) -> Result<u64, String> {
    for slot in (0..world.exchange.clients.len() as u16).map(ClientSlot) {
        let owed: BTreeMap<_, _> = (judgements.iter())
            .filter(|((_, id), _)| *id == slot.0)
            .map(|((net, _), judgement)| (prefix_of(net), judgement))
            .collect();
        let held = world.routes(slot, Which::Received).into_iter();
        let held: BTreeMap<_, _> = held.map(|row| (row.prefix, row.class)).collect();
        if !owed.keys().eq(held.keys()) {
            let wrong = owed.keys().chain(held.keys());
            let wrong =
                wrong.filter(|prefix| owed.contains_key(prefix) != held.contains_key(prefix));
            let wrong: Vec<_> = wrong.take(5).collect();
            let (owed, held) = (owed.len(), held.len());
            return Err(format!(
                "{slot:?}: {held} routes are held, and {owed} announced, among the others {wrong:?}"
            ));
        }
        for (prefix, judgement) in owed {
            let class = held[&prefix];
            if !is_same(judgement, class) {
                return Err(format!(
                    "{slot:?}: {prefix} is {class:?}, and should be {judgement:?}"
                ));
            }
        }
    }
    compare_counts(world, judgements, stale)
}

fn is_same(judgement: &Judgement, class: PrefixClass) -> bool {
    let name = class.reason().map(|reason| reason.name());
    match judgement.rejected {
        Some(reason) => !class.is_accepted() && name == Some(reason),
        None => {
            class.is_accepted()
                && name == judgement.remark
                && class.rov().name() == judgement.rov
                && class.irr_prefix().name() == judgement.irr_prefix
                && class.irr_origin().name() == judgement.irr_origin
                && class.is_blackhole() == judgement.is_blackhole
        }
    }
}

/// What shards count, by client, family and reason.
fn compare_counts(
    world: &mut World,
    judgements: &Judgements,
    stale: &BTreeSet<ClientId>,
) -> Result<u64, String> {
    let mut counted: BTreeMap<(u16, usize), PrefixCounts> = BTreeMap::new();
    let mut held: BTreeMap<u16, u64> = BTreeMap::new();
    for reply in world.ask_shards(&ShardQuery::Stats) {
        let ShardReply::Stats(stats) = reply else {
            continue;
        };
        for (slot, counts) in (0..).zip(&stats.counts) {
            for (of, count) in counts.iter().enumerate() {
                counted.entry((slot, of)).or_default().add(count);
            }
        }
        for (slot, counts) in (0..).zip(&stats.stale) {
            let count: u32 = counts.iter().sum();
            *held.entry(slot).or_default() += u64::from(count);
        }
    }
    type Counts = (i32, i32, BTreeMap<&'static str, i32>);
    let mut due: BTreeMap<(u16, usize), Counts> = BTreeMap::new();
    let mut left: BTreeMap<u16, u64> = BTreeMap::new();
    for ((net, id), judgement) in judgements {
        // Of a session that is over nothing is counted but how much there is.
        if stale.contains(id) {
            *left.entry(*id).or_default() += 1;
            continue;
        }
        let (received, accepted, rejected) = due.entry((*id, family(net))).or_default();
        *received += 1;
        match judgement.rejected {
            // What a limit keeps back counts as accepted.
            None | Some("accepted_limit") => *accepted += 1,
            Some(reason) => *rejected.entry(reason).or_default() += 1,
        }
    }
    for (key, counts) in counted {
        let rejected = counts.rejected.iter();
        let rejected = rejected.map(|(reason, count)| (reason.name(), *count));
        let counts: Counts = (counts.received, counts.accepted, rejected.collect());
        let due = due.remove(&key).unwrap_or_default();
        if counts != due {
            return Err(format!(
                "slot and family {key:?}: counted {counts:?}, not {due:?}"
            ));
        }
    }
    held.retain(|_, count| *count > 0);
    match held == left {
        true => Ok(left.values().sum()),
        false => Err(format!("stale routes: {held:?}, not {left:?}")),
    }
}

/// Notes what import checks came to.
pub fn tally(judgements: &Judgements, tally: &mut Tally) {
    let mut note = |what: String| *tally.entry(what).or_default() += 1;
    for judgement in judgements.values() {
        if let Some(reason) = judgement.rejected {
            note(format!("rejected: {reason}"));
            continue;
        }
        if let Some(reason) = judgement.remark {
            note(format!("remark: {reason}"));
        }
        note(format!("ROV: {}", judgement.rov));
        note(format!("IRR, prefix: {}", judgement.irr_prefix));
        note(format!("IRR, origin: {}", judgement.irr_origin));
        if judgement.is_blackhole {
            note("blackhole route accepted".to_owned());
            note(format!("ROV of a blackhole route: {}", judgement.rov));
        }
    }
}
