//! The routes to one prefix: its own, or those of the longest one that covers it.

use std::time::SystemTime;

use crate::base::{ClientSlot, Prefix, shard_of};
use crate::server::query::{PathFate, PathRow, ShardQuery, ShardReply};

use super::super::census::within;
use super::super::data_path::{Unavailable, wrong_answer};
use super::super::plane::Plane;
use super::{Lens, Moment, Shown};

/// Whose routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// All accepted ones.
    Table,
    /// Those of one client, rejected ones among them.
    From(ClientSlot),
    /// What one client gets.
    To(ClientSlot),
}

/// Those of the longest covering prefix that has any; `date` gives dates their form.
pub async fn lookup(
    plane: &Plane,
    moment: &Moment,
    (wanted, is_exact): (Prefix, bool),
    whose: Lookup,
    date: fn(SystemTime) -> String,
) -> Result<Vec<Shown>, Unavailable> {
    let count = if is_exact { 1 } else { usize::MAX };
    for prefix in wanted.covering().take(count) {
        let rows = at(plane, prefix, whose).await?;
        if !rows.is_empty() {
            let mut lens = Lens::new(moment, matches!(whose, Lookup::To(_)), date);
            let shown = rows.iter();
            let shown = shown.filter_map(|(row, is_best)| lens.shown(row, *is_best));
            return Ok(shown.collect());
        }
    }
    Ok(Vec::new())
}

/// Each with whether it is the best of all.
async fn at(
    plane: &Plane,
    prefix: Prefix,
    whose: Lookup,
) -> Result<Vec<(PathRow, bool)>, Unavailable> {
    let question = match whose {
        Lookup::To(to) => ShardQuery::Explain { prefix, to },
        Lookup::Table | Lookup::From(_) => ShardQuery::Route { prefix },
    };
    let shard = shard_of(&prefix, plane.data().shard_count());
    let reply = within(plane.data().shard_query(shard, question)).await?;
    let rows = match reply {
        ShardReply::Route(rows) => heard(rows, whose),
        ShardReply::Explain(explanation) if explanation.live => {
            let is_sent = |fate| matches!(fate, PathFate::Best(_) | PathFate::Additional);
            let sent = explanation.paths.into_iter();
            let sent = sent.filter(|(_, fate)| is_sent(*fate));
            sent.map(|(row, fate)| (row, matches!(fate, PathFate::Best(_))))
                .collect()
        }
        ShardReply::Explain(_) => Vec::new(),
        other => return Err(wrong_answer(&other)),
    };
    Ok(rows)
}

/// The best one is first.
fn heard(rows: Vec<PathRow>, whose: Lookup) -> Vec<(PathRow, bool)> {
    let is_wanted = |row: &PathRow| match whose {
        Lookup::From(slot) => row.announcer == slot,
        _ => row.class.is_accepted(),
    };
    let ranked = rows.into_iter().enumerate();
    let wanted = ranked.filter(|(_, row)| is_wanted(row));
    wanted
        .map(|(rank, row)| {
            let is_best = rank == 0 && row.class.is_accepted();
            (row, is_best)
        })
        .collect()
}
