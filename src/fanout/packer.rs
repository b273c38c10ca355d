//! Turns groups of prefixes into octets: once for each encoding class that is there, one run for
//! what an audience gets.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{ClientSet, PathId, Prefix, PrefixSlot, ShardId};
use crate::wire::{
    CommunityScrub, EncodingClass, NextHop, encode_announcements, encode_attributes,
    encode_withdrawals,
};

use super::buffer::{OpenBuffer, Packed};
use super::{Classes, DeltaBatch, DeltaContent, DeltaGroup, Gauge};

/// Octets after which a buffer is closed and handed out, and the room it has.
const BUFFER_LEN: usize = 64 << 10;
const BUFFER_ROOM: usize = BUFFER_LEN + 4096;
/// Prefixes given to the encoder at a time, at most and where attributes are short: one huge group
/// does not make one huge buffer.
const PREFIXES_AT_ONCE: usize = 8192;

/// Counts of what was encoded, each message once however many clients got it.
#[derive(Clone, Copy, Default, Debug)]
pub struct PackerStats {
    pub updates: u64,
    pub nlri: u64,
    /// NLRI whose attributes left no room for even one prefix; they were withdrawn.
    pub unencodable: u64,
}

/// Encodes groups in the order given. What it hands out is complete after [`Packer::finish`].
pub struct Packer {
    gauge: Gauge,
    period: Arc<()>,
    audience: ClientSet,
    lanes: Vec<Lane>,
    out: Vec<Packed>,
    stats: PackerStats,
    attributes: Vec<u8>,
    /// What is being encoded, from several batches.
    prefixes: Vec<Prefix>,
    slots: Vec<PrefixSlot>,
    /// Where the slots of each shard end.
    shards: Vec<(ShardId, usize)>,
}

/// One encoding class's buffer.
struct Lane {
    class: EncodingClass,
    /// Those of the open audience that are of this class.
    members: ClientSet,
    open: OpenBuffer,
}

impl Packer {
    pub fn new(gauge: Gauge, period: Arc<()>) -> Packer {
        Packer {
            gauge,
            period,
            audience: ClientSet::new(),
            lanes: Vec::new(),
            out: Vec::new(),
            stats: PackerStats::default(),
            attributes: Vec::new(),
            prefixes: Vec::new(),
            slots: Vec::new(),
            shards: Vec::new(),
        }
    }

    pub fn stats(&self) -> PackerStats {
        self.stats
    }

    /// What is made from now on belongs to this period. Call it when nothing is open.
    pub fn enter(&mut self, period: &Arc<()>) {
        self.period = period.clone();
    }

    /// Adds groups that are alike ([`DeltaGroup::is_like`]), from one batch or several, for those
    /// of their audience that are in `to`.
    pub fn push(
        &mut self,
        alike: &[(&DeltaBatch, &DeltaGroup)],
        to: &ClientSet,
        classes: &Classes,
        scrub: &dyn CommunityScrub,
    ) {
        let Some(&(_, first)) = alike.first() else {
            return;
        };
        self.open_audience(to, classes);
        self.flatten(alike);
        for index in 0..self.lanes.len() {
            if !self.lanes[index].members.is_empty() {
                self.encode(index, first, scrub);
            }
        }
    }

    /// Closes what is open and takes all buffers that were made, in order.
    pub fn finish(&mut self) -> Vec<Packed> {
        for index in 0..self.lanes.len() {
            self.close_run(index);
            self.seal(index);
        }
        self.audience.clear();
        self.lanes.iter_mut().for_each(|lane| lane.members.clear());
        std::mem::take(&mut self.out)
    }

    fn open_audience(&mut self, to: &ClientSet, classes: &Classes) {
        if self.audience == *to {
            return;
        }
        self.audience.clone_from(to);
        for index in 0..self.lanes.len() {
            self.close_run(index);
            if self.lanes[index].open.octets.len() >= BUFFER_LEN {
                self.seal(index);
            }
            self.lanes[index].members.clear();
        }
        for (class, members) in classes.iter() {
            let members = members.intersection(to);
            if members.is_empty() {
                continue;
            }
            match self.lanes.iter_mut().find(|lane| lane.class == *class) {
                Some(lane) => lane.members = members,
                None => self.lanes.push(Lane::new(*class, members)),
            }
        }
    }

    fn flatten(&mut self, alike: &[(&DeltaBatch, &DeltaGroup)]) {
        self.prefixes.clear();
        self.slots.clear();
        self.shards.clear();
        for (batch, group) in alike {
            let (prefixes, slots) = batch.named_by(group);
            self.prefixes.extend_from_slice(prefixes);
            self.slots.extend_from_slice(slots);
            self.shards.push((batch.shard, self.slots.len()));
        }
    }

    fn encode(&mut self, index: usize, group: &DeltaGroup, scrub: &dyn CommunityScrub) {
        let class = self.lanes[index].class;
        let mut next_hop = None;
        if let DeltaContent::Announce { set, variant } = &group.content {
            self.attributes.clear();
            encode_attributes(
                &mut self.attributes,
                set,
                *variant,
                variant.prepend_as,
                &class,
                scrub,
            );
            next_hop = Some(match variant.flags.is_empty() {
                true => set.next_hop(),
                false => scrub.next_hop(*variant, set.next_hop()),
            });
        }
        let at_once = PREFIXES_AT_ONCE.min(group.size().prefix_count(BUFFER_LEN));
        let mut start = 0;
        while start < self.prefixes.len() {
            let end = self.prefixes.len().min(start + at_once);
            let updates = self.encode_piece(index, &class, group, next_hop, start..end);
            self.name(index, group.path_id, start..end);
            self.lanes[index].open.add(updates, end - start);
            self.stats.updates += updates as u64;
            self.stats.nlri += (end - start) as u64;
            if self.lanes[index].open.octets.len() >= BUFFER_LEN {
                self.close_run(index);
                self.seal(index);
            }
            start = end;
        }
    }

    /// Notes what a piece of the group names.
    fn name(&mut self, index: usize, path_id: Option<PathId>, piece: Range<usize>) {
        let mut start = 0;
        for &(shard, end) in &self.shards {
            let here = start.max(piece.start)..end.min(piece.end);
            if !here.is_empty() {
                let slots = &self.slots[here];
                self.lanes[index].open.name(shard, path_id, slots);
            }
            start = end;
        }
    }

    /// Announces with this next hop, or withdraws without one; says in how many messages.
    fn encode_piece(
        &mut self,
        index: usize,
        class: &EncodingClass,
        group: &DeltaGroup,
        next_hop: Option<NextHop>,
        range: Range<usize>,
    ) -> usize {
        let octets = &mut self.lanes[index].open.octets;
        let nlri = || {
            self.prefixes[range.clone()]
                .iter()
                .map(|prefix| (*prefix, group.path_id))
        };
        let updates = match next_hop {
            None => 0,
            Some(next_hop) => encode_announcements(
                octets,
                class,
                &self.attributes,
                next_hop,
                group.family,
                &mut nlri(),
            ),
        };
        if updates > 0 {
            return updates;
        }
        if next_hop.is_some() {
            self.stats.unencodable += range.len() as u64;
        }
        encode_withdrawals(octets, class, group.family, &mut nlri())
    }

    fn close_run(&mut self, index: usize) {
        let Lane { open, members, .. } = &mut self.lanes[index];
        open.close_run(members);
    }

    fn seal(&mut self, index: usize) {
        let open = &mut self.lanes[index].open;
        self.out
            .extend(open.seal(&self.gauge, &self.period, BUFFER_ROOM));
    }
}

impl Lane {
    fn new(class: EncodingClass, members: ClientSet) -> Lane {
        Lane {
            class,
            members,
            open: OpenBuffer::default(),
        }
    }
}
