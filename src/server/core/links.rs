//! Messages to shards that wait for room in their mailboxes, and the routes gathered for them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::{ClientSlot, Generation, Prefix, SessionEpoch, ShardId, Time, shard_of};
use crate::policy::PrefixClass;
use crate::server::message::{RouteBatch, RouteUpdate, ToShard};
use crate::wire::AttributeSet;

/// Prefixes in one batch, about.
const BATCH_PREFIXES: usize = 4096;
/// Over so many waiting messages for one shard, or prefixes in them, sessions are not read on.
const BACKLOG_MAX: usize = 64;
const BACKLOG_PREFIXES_MAX: usize = 16 * BATCH_PREFIXES;

/// Whose routes they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub slot: ClientSlot,
    pub epoch: SessionEpoch,
    pub generation: Generation,
    /// When they had come.
    pub heard: Time,
}

pub(super) struct Links {
    links: Vec<Link>,
    source: Option<Source>,
    next: usize,
}

#[derive(Default)]
struct Link {
    messages: VecDeque<ToShard>,
    /// In all of `messages`.
    waiting_prefixes: usize,
    /// Its mailbox refused one.
    blocked: bool,
    updates: Vec<RouteUpdate>,
    prefixes: Vec<(Prefix, PrefixClass)>,
    /// Prefixes that belong to `updates`.
    closed: u32,
}

impl Links {
    pub fn new(shard_count: u16) -> Links {
        let links = (0..shard_count.max(1)).map(|_| Link::default()).collect();
        Links {
            links,
            source: None,
            next: 0,
        }
    }

    pub fn shard_count(&self) -> u16 {
        self.links.len() as u16
    }

    /// A bit for each shard.
    pub fn all_shards(&self) -> u128 {
        u128::MAX >> (128 - self.links.len().min(128))
    }

    /// Whether sessions should not be read on.
    pub fn is_pressed(&self) -> bool {
        self.links.iter().any(|link| {
            link.messages.len() > BACKLOG_MAX
                || link.waiting_prefixes > BACKLOG_PREFIXES_MAX
                || (link.blocked && !link.messages.is_empty())
        })
    }

    pub fn push(&mut self, shard: ShardId, message: ToShard) {
        if let Some(link) = self.links.get_mut(shard.index()) {
            link.messages.push_back(message);
        }
    }

    pub fn push_all(&mut self, make: impl Fn() -> ToShard) {
        self.links
            .iter_mut()
            .for_each(|link| link.messages.push_back(make()));
    }

    /// Takes turns among the shards, so that none waits for another.
    pub fn poll(&mut self) -> Option<(ShardId, ToShard)> {
        for _ in 0..self.links.len() {
            let index = self.next;
            self.next = (self.next + 1) % self.links.len();
            let link = &mut self.links[index];
            if !link.blocked
                && let Some(message) = link.messages.pop_front()
            {
                link.waiting_prefixes -= prefix_count(&message);
                return Some((ShardId(index as u16), message));
            }
        }
        None
    }

    pub fn put_back(&mut self, shard: ShardId, message: ToShard) {
        if let Some(link) = self.links.get_mut(shard.index()) {
            link.waiting_prefixes += prefix_count(&message);
            link.messages.push_front(message);
            link.blocked = true;
        }
    }

    pub fn handle_room(&mut self, shard: ShardId) {
        if let Some(link) = self.links.get_mut(shard.index()) {
            link.blocked = false;
        }
    }

    /// Adds prefixes of one UPDATE, split over the shards; says which shards got a share. A prefix
    /// that follows itself means nothing more, and would make much of few octets.
    pub fn add(
        &mut self,
        source: Source,
        seq: u64,
        set: Option<&Arc<AttributeSet>>,
        prefixes: impl Iterator<Item = (Prefix, PrefixClass)>,
    ) -> u128 {
        if self.source != Some(source) {
            self.flush();
            self.source = Some(source);
        }
        for link in &mut self.links {
            // An UPDATE is never split over batches: its shard answers for it once.
            if link.prefixes.len() >= BATCH_PREFIXES
                && link.updates.last().is_some_and(|last| last.seq != seq)
            {
                link.flush(source);
            }
        }
        let mut last = None;
        let prefixes = prefixes.filter(|(prefix, _)| last.replace(*prefix) != Some(*prefix));
        let shard_count = self.shard_count();
        for (prefix, verdict) in prefixes {
            self.links[shard_of(&prefix, shard_count).index()]
                .prefixes
                .push((prefix, verdict));
        }
        let mut shares = 0;
        for index in 0..self.links.len() {
            let link = &mut self.links[index];
            let end = link.prefixes.len() as u32;
            if end == link.closed {
                continue;
            }
            shares |= 1 << index;
            link.updates.push(RouteUpdate {
                seq,
                set: set.cloned(),
                prefixes: link.closed..end,
            });
            link.closed = end;
        }
        shares
    }

    /// Hands over what was gathered.
    pub fn flush(&mut self) {
        if let Some(source) = self.source.take() {
            self.links.iter_mut().for_each(|link| link.flush(source));
        }
    }
}

impl Link {
    fn flush(&mut self, source: Source) {
        if self.updates.is_empty() {
            return;
        }
        self.closed = 0;
        self.waiting_prefixes += self.prefixes.len();
        self.messages.push_back(ToShard::Routes(RouteBatch {
            slot: source.slot,
            epoch: source.epoch,
            generation: source.generation,
            heard: source.heard,
            updates: std::mem::take(&mut self.updates),
            prefixes: std::mem::take(&mut self.prefixes),
        }));
    }
}

fn prefix_count(message: &ToShard) -> usize {
    match message {
        ToShard::Routes(batch) => batch.prefixes.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SOURCE: Source = Source {
        slot: ClientSlot(0),
        epoch: SessionEpoch(1),
        generation: Generation(1),
        heard: Time::ZERO,
    };

    fn prefixes(from: u32, count: usize) -> impl Iterator<Item = (Prefix, PrefixClass)> {
        (from..).take(count).map(|index| {
            let address = Ipv4Addr::from(0x0a00_0000 + (index << 8));
            (Prefix::v4(address, 24), PrefixClass::ACCEPTED)
        })
    }

    #[test]
    fn a_prefix_that_follows_itself_is_sent_once() {
        let mut links = Links::new(2);
        let again = |from| (0..60_000).flat_map(move |_| prefixes(from, 1));
        links.add(SOURCE, 1, None, again(0).chain(again(1)).chain(again(0)));
        let shares = links.add(SOURCE, 2, None, again(0));
        assert_eq!(shares.count_ones(), 1, "the next UPDATE is another one");
        links.flush();
        let mut counts = [0; 2];
        while let Some((_, ToShard::Routes(batch))) = links.poll() {
            for update in &batch.updates {
                counts[update.seq as usize - 1] += update.prefixes.len();
            }
        }
        assert_eq!(counts, [3, 1]);
    }

    #[test]
    fn many_prefixes_press_as_many_messages_do() {
        let mut links = Links::new(1);
        let mut seq = 0;
        while !links.is_pressed() {
            seq += 1;
            links.add(SOURCE, seq, None, prefixes(0, 20_000));
            links.flush();
        }
        let messages = 1 + BACKLOG_PREFIXES_MAX / 20_000;
        assert_eq!(seq as usize, messages, "long before {BACKLOG_MAX} messages");
        let (shard, message) = links.poll().unwrap();
        assert!(!links.is_pressed());
        links.put_back(shard, message);
        links.handle_room(shard);
        assert!(links.is_pressed(), "what came back counts again");
        while links.poll().is_some() {}
        assert_eq!(links.links[0].waiting_prefixes, 0);
    }

    #[test]
    fn all_parts_of_an_update_come_in_one_batch() {
        let source = SOURCE;
        let mut links = Links::new(1);
        links.add(source, 1, None, prefixes(0, BATCH_PREFIXES - 1));
        links.add(source, 2, None, prefixes(0, 10));
        links.add(source, 2, None, prefixes(20, 10));
        links.add(source, 3, None, prefixes(40, 1));
        links.flush();
        let mut batches = Vec::new();
        while let Some((_, ToShard::Routes(batch))) = links.poll() {
            let seqs: Vec<_> = batch.updates.iter().map(|update| update.seq).collect();
            batches.push(seqs);
        }
        assert_eq!(batches, [vec![1, 2, 2], vec![3]]);
    }
}
