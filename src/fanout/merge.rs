//! The sorted streams of a walk, one from each shard, merged: packing does not depend on how many
//! shards there are.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{DeltaBatch, DeltaGroup};

/// One walk's streams by shard.
#[derive(Debug)]
pub struct WalkMerge {
    streams: Vec<Stream>,
}

#[derive(Default, Debug)]
struct Stream {
    batches: VecDeque<Arc<DeltaBatch>>,
    /// Into the first batch.
    next_group: usize,
    ended: bool,
}

/// What one step of the merge did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Groups that are alike were handed out.
    Groups,
    /// A stream that has not ended has nothing yet.
    Waiting,
    Done,
}

impl WalkMerge {
    pub fn new(shard_count: u16) -> WalkMerge {
        WalkMerge {
            streams: (0..shard_count).map(|_| Stream::default()).collect(),
        }
    }

    pub fn handle_batch(&mut self, batch: Arc<DeltaBatch>) {
        if let Some(stream) = self.streams.get_mut(batch.shard.index())
            && !batch.groups.is_empty()
        {
            stream.batches.push_back(batch);
        }
    }

    pub fn handle_end(&mut self, shard: crate::base::ShardId) {
        if let Some(stream) = self.streams.get_mut(shard.index()) {
            stream.ended = true;
        }
    }

    /// Whether the first step can be made: every shard's stream has begun or ended.
    pub fn is_ready(&self) -> bool {
        self.streams
            .iter()
            .all(|stream| stream.ended || stream.head().is_some())
    }

    /// Hands the next groups that are alike to `each`.
    pub fn step(&mut self, each: impl FnOnce(&[(&DeltaBatch, &DeltaGroup)])) -> Step {
        if self
            .streams
            .iter()
            .any(|stream| stream.head().is_none() && !stream.ended)
        {
            return Step::Waiting;
        }
        let heads = self.streams.iter().filter_map(Stream::head);
        let Some((_, least)) = heads.min_by_key(|(_, group)| group.key) else {
            return Step::Done;
        };
        let mut counts: smallvec::SmallVec<[usize; 8]> = smallvec::SmallVec::new();
        let mut alike: smallvec::SmallVec<[(&DeltaBatch, &DeltaGroup); 8]> =
            smallvec::SmallVec::new();
        for stream in &self.streams {
            let found = stream.heads_like(least);
            counts.push(found.clone().count());
            alike.extend(found);
        }
        each(&alike);
        drop(alike);
        for (stream, count) in self.streams.iter_mut().zip(counts) {
            stream.advance(count);
        }
        Step::Groups
    }
}

impl Stream {
    fn head(&self) -> Option<(&DeltaBatch, &DeltaGroup)> {
        let batch = self.batches.front()?;
        Some((batch, batch.groups.get(self.next_group)?))
    }

    fn heads_like(
        &self,
        least: &DeltaGroup,
    ) -> impl Iterator<Item = (&DeltaBatch, &DeltaGroup)> + Clone {
        let batch = self.batches.front();
        let groups = batch
            .and_then(|batch| batch.groups.get(self.next_group..))
            .unwrap_or_default();
        groups
            .iter()
            .take_while(|group| group.is_like(least))
            .filter_map(move |group| Some((&**batch?, group)))
    }

    fn advance(&mut self, count: usize) {
        self.next_group += count;
        if self
            .batches
            .front()
            .is_some_and(|batch| batch.groups.len() <= self.next_group)
        {
            self.batches.pop_front();
            self.next_group = 0;
        }
    }
}
