//! Somebody who is told what changes in the table of a shard, now and then, and keeps a copy of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rialto::base::{ClientSet, ClientSlot, PathId, Prefix, PrefixSlot, Time};
use rialto::policy::PrefixClass;
use rialto::server::Shard;
use rialto::server::message::ToShard;
use rialto::server::query::{
    PathRow, ShardQuery, ShardReply, TableChange, WatchAnswer, WatchQuestion, Which,
};
use rialto::wire::{AttributeSet, Variant};

/// More than any exchange here has.
const SLOTS: u16 = 64;
/// Whose Adj-RIB-Out is watched.
const NAMED: [ClientSlot; 3] = [ClientSlot(0), ClientSlot(2), ClientSlot(5)];

#[derive(Default)]
pub struct Mirror {
    after: u64,
    /// What there was has yet to be read from the table.
    lacks_all: bool,
    /// Clients that were brought up to date by other means.
    lacks: Vec<ClientSlot>,
    copy: Copy,
    told: u64,
}

type SentKey = (ClientSlot, Prefix, Option<PathId>);

#[derive(Default, Clone, PartialEq, Eq, Debug)]
struct Copy {
    heard: BTreeMap<(Prefix, ClientSlot), (PrefixClass, Arc<AttributeSet>)>,
    best: BTreeMap<Prefix, (ClientSlot, Arc<AttributeSet>)>,
    sent: BTreeMap<SentKey, (Arc<AttributeSet>, Variant)>,
}

fn ask(now: Time, shard: &mut Shard, query: ShardQuery) -> ShardReply {
    shard.handle(now, ToShard::Query { id: 0, query });
    let (_, reply) = shard.poll_reply().expect("it answers at once");
    reply
}

/// `None`: not now.
pub fn rows(now: Time, shard: &mut Shard, slot: ClientSlot, which: Which) -> Option<Vec<PathRow>> {
    let (mut all, mut next) = (Vec::new(), Some(PrefixSlot(0)));
    while let Some(cursor) = next {
        let query = ShardQuery::Routes {
            slot,
            which,
            cursor,
            limit: u32::MAX,
        };
        match ask(now, shard, query) {
            ShardReply::Routes { next: after, .. } if after == next => return None,
            ShardReply::Routes { rows, next: after } => {
                all.extend(rows);
                next = after;
            }
            other => panic!("Routes was answered with {other:?}"),
        }
    }
    Some(all)
}

impl Mirror {
    /// It knows nothing, as after a restart.
    pub fn forget(&mut self) {
        self.after = 0;
    }

    pub fn step(&mut self, now: Time, shard: &mut Shard) {
        self.take(now, shard, 50);
    }

    fn take(&mut self, now: Time, shard: &mut Shard, limit: u32) -> bool {
        let question = WatchQuestion {
            after: self.after,
            limit,
            named: Arc::new(NAMED.into_iter().collect::<ClientSet>()),
        };
        let ShardReply::Watched(answer) = ask(now, shard, ShardQuery::Watch(question)) else {
            panic!("Watch was answered with something else");
        };
        let WatchAnswer {
            changes,
            last,
            has_missed,
            has_more,
        } = answer;
        self.after = last;
        self.lacks_all |= has_missed;
        if has_missed {
            self.copy = Copy::default();
        }
        self.told += changes.len() as u64;
        changes.into_iter().for_each(|change| self.apply(change));
        if self.lacks_all {
            self.lacks_all = !self.read_all(now, shard);
        }
        let lacks = std::mem::take(&mut self.lacks);
        let is_lacking = |slot: &ClientSlot| !self.copy.read_sent(now, shard, *slot);
        self.lacks = lacks.into_iter().filter(is_lacking).collect();
        has_more
    }

    fn read_all(&mut self, now: Time, shard: &mut Shard) -> bool {
        for slot in (0..SLOTS).map(ClientSlot) {
            let Some(rows) = rows(now, shard, slot, Which::Received) else {
                return false;
            };
            for row in rows {
                (self.copy.heard).insert((row.prefix, row.announcer), (row.class, row.set));
            }
        }
        (NAMED.iter()).all(|slot| self.copy.read_sent(now, shard, *slot))
    }

    fn apply(&mut self, change: TableChange) {
        let copy = &mut self.copy;
        match change {
            TableChange::Heard {
                prefix,
                announcer,
                class,
                set,
            } => drop(copy.heard.insert((prefix, announcer), (class, set))),
            TableChange::Gone { prefix, announcer } => {
                drop(copy.heard.remove(&(prefix, announcer)));
            }
            TableChange::Best {
                prefix,
                announcer,
                set,
            } => drop(copy.best.insert(prefix, (announcer, set))),
            TableChange::NoBest { prefix } => drop(copy.best.remove(&prefix)),
            TableChange::Sent {
                to,
                prefix,
                path_id,
                set,
                variant,
            } => drop(copy.sent.insert((to, prefix, path_id), (set, variant))),
            TableChange::Unsent {
                to,
                prefix,
                path_id,
            } => drop(copy.sent.remove(&(to, prefix, path_id))),
            TableChange::Live { client } => self.lacks.push(client),
        }
    }

    /// When all is quiet: is the copy what the table is?
    pub fn check(&mut self, now: Time, shard: &mut Shard) -> Result<u64, String> {
        while self.take(now, shard, 7) {}
        let mut truth = Mirror::default();
        assert!(truth.read_all(now, shard), "nothing is under way");
        if self.copy.heard != truth.copy.heard {
            let differ = |(key, value): &(&(Prefix, ClientSlot), &_)| {
                truth.copy.heard.get(*key) != Some(*value)
            };
            let wrong = self.copy.heard.iter().find(differ);
            let lacking = truth.copy.heard.iter();
            let lacking = lacking.map(|(key, _)| key);
            let lacking: Vec<_> = lacking
                .filter(|key| !self.copy.heard.contains_key(key))
                .collect();
            return Err(format!("heard: wrong {wrong:?}, lacking {lacking:?}"));
        }
        // Who is down has nothing, whatever it had.
        for slot in NAMED {
            if rows(now, shard, slot, Which::Advertised).is_none_or(|rows| rows.is_empty()) {
                self.copy.sent.retain(|(to, _, _), _| *to != slot);
            }
        }
        if self.copy.sent != truth.copy.sent {
            return Err(format!(
                "sent: {:#?} instead of {:#?}",
                self.copy.sent.keys(),
                truth.copy.sent.keys()
            ));
        }
        self.check_best(now, shard)?;
        check_served(now, shard)?;
        Ok(std::mem::take(&mut self.told))
    }

    /// Of prefixes that changed since the copy began.
    fn check_best(&self, now: Time, shard: &mut Shard) -> Result<(), String> {
        for (prefix, best) in &self.copy.best {
            let prefix = *prefix;
            let ShardReply::Route(rows) = ask(now, shard, ShardQuery::Route { prefix }) else {
                panic!("Route was answered with something else");
            };
            let first = rows.into_iter().find(|row| row.class.is_accepted());
            if first.map(|row| (row.announcer, row.set)).as_ref() != Some(best) {
                return Err(format!("{prefix}: not the best: {best:?}"));
            }
        }
        Ok(())
    }
}

/// What clients have, counted and listed, is as much.
fn check_served(now: Time, shard: &mut Shard) -> Result<(), String> {
    let mut counts = [[0; 2]; SLOTS as usize];
    let mut next = Some(PrefixSlot(0));
    while let Some(cursor) = next {
        let limit = 17;
        let ShardReply::Served(served) = ask(now, shard, ShardQuery::Served { cursor, limit })
        else {
            panic!("Served was answered with something else");
        };
        for (sum, found) in counts.iter_mut().zip(&served.counts) {
            *sum = [sum[0] + found[0], sum[1] + found[1]];
        }
        next = served.next;
    }
    for slot in (0..SLOTS).map(ClientSlot) {
        let rows = rows(now, shard, slot, Which::Advertised).ok_or("nothing is under way")?;
        let mut listed = [0; 2];
        (rows.iter()).for_each(|row| listed[row.prefix.family().index()] += 1);
        if listed != counts[slot.index()] {
            return Err(format!(
                "{slot} has {listed:?}, counted {:?}",
                counts[slot.index()]
            ));
        }
    }
    Ok(())
}

impl Copy {
    fn read_sent(&mut self, now: Time, shard: &mut Shard, slot: ClientSlot) -> bool {
        let Some(rows) = rows(now, shard, slot, Which::Advertised) else {
            return false;
        };
        self.sent.retain(|(to, _, _), _| *to != slot);
        for row in rows {
            let key = (slot, row.prefix, row.path_id);
            self.sent.insert(key, (row.set, row.variant));
        }
        true
    }
}
