//! What a generation would do to the routes, asked of the shards before anybody runs it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::base::{ClientSlot, PrefixSlot, ShardId};
use crate::server::exchange::Exchange;
use crate::server::query::{Loss, Rehearsal, Rehearsed, ShardQuery, ShardReply};
use crate::server::reach::Reach;

use super::census::{Census, within};
use super::data_path::{DataPath, Unavailable, wrong_answer};

/// Table entries that a shard looks at for one question.
const ENTRIES_PER_QUESTION: u32 = 8_192;
/// How long all questions together may take.
const REHEARSAL_MAX: Duration = Duration::from_secs(30);
/// Pause before a shard that is not ready is asked again.
const PAUSE: Duration = Duration::from_millis(10);

/// What would change for the routes that are there: which are accepted, and who has a path of what. What
/// is merely sent anew (another best path, other informational communities or prepends) is not counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RehearsalView {
    /// Paths that are accepted now.
    pub accepted: u64,
    /// Prefixes that clients have a path of now, summed over the clients.
    pub served: u64,
    pub newly_rejected: u64,
    pub newly_accepted: u64,
    /// Prefixes of which clients would lose their last path, summed over the clients.
    pub lost: u64,
    pub gained: u64,
    /// Of whose paths, worst first.
    pub announcers: Vec<AnnouncerChange>,
    /// For whom, worst first.
    pub receivers: Vec<ReceiverChange>,
    /// Sessions that are up.
    #[serde(default)]
    pub up: u64,
    /// Clients that are up and whose session would begin anew.
    pub restarts: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AnnouncerChange {
    pub client: String,
    pub newly_rejected: u64,
    pub newly_accepted: u64,
    /// Why they would be rejected, the most frequent reason first.
    pub why: Vec<WhyView>,
    /// Why those are rejected now that would be accepted.
    pub why_now: Vec<WhyView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WhyView {
    pub reason: String,
    pub text: String,
    pub count: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReceiverChange {
    pub client: String,
    pub lost: u64,
    pub gained: u64,
}

/// Asks all shards what would become of their tables if `new` followed on `old`, which is in force.
pub async fn rehearse(
    data: &Arc<dyn DataPath>,
    old: &Arc<Exchange>,
    new: &Arc<Exchange>,
) -> Result<RehearsalView, Unavailable> {
    let (before, then) = (old.clone(), new.clone());
    let reach = tokio::task::spawn_blocking(move || Reach::of(&before, &then));
    let reach = reach
        .await
        .map_err(|error| Unavailable(error.to_string()))?;
    let rehearsal = Arc::new(Rehearsal {
        since: old.generation,
        exchange: new.clone(),
        reach,
    });
    let mut shards = JoinSet::new();
    for shard in (0..data.shard_count()).map(ShardId) {
        shards.spawn(rehearse_shard(data.clone(), shard, rehearsal.clone()));
    }
    let mut found = Rehearsed::default();
    let all = async {
        while let Some(joined) = shards.join_next().await {
            let of_shard = joined.map_err(|error| Unavailable(error.to_string()))?;
            found.add(&of_shard?);
        }
        Ok(())
    };
    let late = |_| {
        Unavailable(format!(
            "what the reload would do was not known within {} s: the shards are too busy (rialto show \
             cores). Nothing was changed; try again, or reload without asking",
            REHEARSAL_MAX.as_secs()
        ))
    };
    tokio::time::timeout(REHEARSAL_MAX, all)
        .await
        .map_err(late)??;
    let mut view = RehearsalView::of(&found, old);
    let census = Census::take(data.as_ref()).await;
    let up = census.cores.iter().flat_map(|core| &core.clients);
    for client in up.filter(|client| client.state == "Established") {
        view.up += 1;
        view.restarts.extend(restart(old, new, client.slot));
    }
    Ok(view)
}

async fn rehearse_shard(
    data: Arc<dyn DataPath>,
    shard: ShardId,
    rehearsal: Arc<Rehearsal>,
) -> Result<Rehearsed, Unavailable> {
    let mut found = Rehearsed::default();
    let mut cursor = PrefixSlot(0);
    loop {
        let question = ShardQuery::Rehearse {
            rehearsal: rehearsal.clone(),
            cursor,
            limit: ENTRIES_PER_QUESTION,
        };
        let unknown = |why: Unavailable| {
            Unavailable(format!(
                "what the reload would do is not known, and nothing was changed: shard {shard}: {why}"
            ))
        };
        let answer = within(data.shard_query(shard, question)).await;
        match answer.map_err(unknown)? {
            ShardReply::Rehearsed(piece) => {
                found.add(&piece);
                match piece.next {
                    None => return Ok(found),
                    Some(same) if same == cursor => tokio::time::sleep(PAUSE).await,
                    Some(next) => cursor = next,
                }
            }
            other => return Err(wrong_answer(&other)),
        }
    }
}

/// The client's name, if its session would begin anew.
fn restart(old: &Exchange, new: &Exchange, slot: ClientSlot) -> Option<String> {
    let (before, client) = (old.client(slot)?, new.client(slot)?);
    client.begins_anew(before).then(|| client.name.clone())
}

impl RehearsalView {
    fn of(found: &Rehearsed, old: &Exchange) -> RehearsalView {
        let name = |slot: ClientSlot| {
            let known = old.client(slot);
            known.map_or_else(|| format!("slot {slot}"), |client| client.name.clone())
        };
        let mut announcers: BTreeMap<ClientSlot, AnnouncerChange> = BTreeMap::new();
        for ((slot, loss), count) in &found.newly_rejected {
            let change = announcers.entry(*slot).or_default();
            change.newly_rejected += count;
            change
                .why
                .push(WhyView::of(loss.name(), loss.text(), *count));
        }
        for ((slot, reason), count) in &found.newly_accepted {
            let change = announcers.entry(*slot).or_default();
            change.newly_accepted += count;
            let why = WhyView::of(reason.name(), reason.text(), *count);
            change.why_now.push(why);
        }
        let mut receivers: BTreeMap<ClientSlot, ReceiverChange> = BTreeMap::new();
        for (slot, count) in &found.lost {
            receivers.entry(*slot).or_default().lost = *count;
        }
        for (slot, count) in &found.gained {
            receivers.entry(*slot).or_default().gained = *count;
        }
        let mut view = RehearsalView {
            accepted: found.accepted,
            served: found.served,
            newly_rejected: found.newly_rejected.values().sum(),
            newly_accepted: found.newly_accepted.values().sum(),
            lost: found.lost.values().sum(),
            gained: found.gained.values().sum(),
            announcers: announcers
                .into_iter()
                .map(|(slot, change)| AnnouncerChange {
                    client: name(slot),
                    ..change
                })
                .collect(),
            receivers: receivers
                .into_iter()
                .map(|(slot, change)| ReceiverChange {
                    client: name(slot),
                    ..change
                })
                .collect(),
            up: 0,
            restarts: Vec::new(),
        };
        view.sort();
        view
    }

    fn sort(&mut self) {
        let most = |counts: (u64, u64)| std::cmp::Reverse(counts);
        self.announcers
            .sort_by_key(|change| most((change.newly_rejected, change.newly_accepted)));
        for change in &mut self.announcers {
            change.why.sort_by_key(|why| most((why.count, 0)));
            change.why_now.sort_by_key(|why| most((why.count, 0)));
        }
        self.receivers
            .sort_by_key(|change| most((change.lost, change.gained)));
    }

    /// No path is lost or gained, and no session is touched.
    pub fn is_empty(&self) -> bool {
        self.announcers.is_empty() && self.receivers.is_empty() && self.restarts.is_empty()
    }
}

impl WhyView {
    fn of(reason: &str, text: &str, count: u64) -> WhyView {
        WhyView {
            reason: reason.to_owned(),
            text: text.trim_end_matches('.').to_owned(),
            count,
        }
    }
}

impl Loss {
    /// For the API.
    pub const fn name(self) -> &'static str {
        match self {
            Loss::Rejected(reason) => reason.name(),
            Loss::Withdrawn => "treat_as_withdraw",
            Loss::KeptDown => "kept_down",
            Loss::Removed => "removed",
        }
    }

    /// For operators.
    pub const fn text(self) -> &'static str {
        match self {
            Loss::Rejected(reason) => reason.text(),
            Loss::Withdrawn => "The route has an attribute of treat_as_withdraw.",
            Loss::KeptDown => "The client would be disabled, or wait for the data of its checks.",
            Loss::Removed => "The client would be removed.",
        }
    }
}
