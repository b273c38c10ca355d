//! Turns groups of prefixes into octets: once for each encoding class that is there, one run for
//! what an audience gets.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{ClientSet, PathId, Prefix};
use crate::wire::{
    CommunityScrub, EncodingClass, encode_announcements, encode_attributes, encode_withdrawals,
};

use super::buffer::Gauge;
use super::run::{Name, Named, Run};
use super::{Classes, DeltaBatch, DeltaContent, DeltaGroup};

/// Octets after which a buffer is closed and handed out.
const BUFFER_LEN: usize = 64 << 10;
/// Prefixes given to the encoder at a time, so that one huge group does not make one huge buffer.
const PREFIXES_AT_ONCE: usize = 8192;

/// A finished run and who gets it.
pub struct Packed {
    pub run: Arc<Run>,
    pub members: ClientSet,
}

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
    prefixes: Vec<Prefix>,
    names: Vec<Name>,
}

/// One encoding class's buffer.
struct Lane {
    class: EncodingClass,
    /// Those of the open audience that are of this class.
    members: ClientSet,
    octets: Vec<u8>,
    closed: Vec<(Range<usize>, OpenRun)>,
    open_start: usize,
    open: OpenRun,
}

#[derive(Default)]
struct OpenRun {
    members: ClientSet,
    names: Vec<Name>,
    updates: u32,
    nlri: u32,
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
            names: Vec::new(),
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

    /// Closes what is open and takes all runs that were made, in order.
    pub fn finish(&mut self) -> Vec<Packed> {
        for index in 0..self.lanes.len() {
            self.lanes[index].close_run();
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
            self.lanes[index].close_run();
            if self.lanes[index].octets.len() >= BUFFER_LEN {
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
        self.names.clear();
        for (batch, group) in alike {
            let (prefixes, slots) = batch.named_by(group);
            let path_id = group.path_id.unwrap_or(PathId(0));
            self.prefixes.extend_from_slice(prefixes);
            self.names.extend(slots.iter().map(|&slot| Name {
                shard: batch.shard,
                slot,
                path_id,
            }));
        }
    }

    fn encode(&mut self, index: usize, group: &DeltaGroup, scrub: &dyn CommunityScrub) {
        let class = self.lanes[index].class;
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
        }
        let mut start = 0;
        while start < self.prefixes.len() {
            let end = self.prefixes.len().min(start + PREFIXES_AT_ONCE);
            let updates = self.encode_piece(index, &class, group, start..end);
            let lane = &mut self.lanes[index];
            lane.open.names.extend_from_slice(&self.names[start..end]);
            lane.open.updates += updates as u32;
            lane.open.nlri += (end - start) as u32;
            self.stats.updates += updates as u64;
            self.stats.nlri += (end - start) as u64;
            if lane.octets.len() >= BUFFER_LEN {
                lane.close_run();
                self.seal(index);
            }
            start = end;
        }
    }

    /// How many messages.
    fn encode_piece(
        &mut self,
        index: usize,
        class: &EncodingClass,
        group: &DeltaGroup,
        range: Range<usize>,
    ) -> usize {
        let octets = &mut self.lanes[index].octets;
        let nlri = || {
            self.prefixes[range.clone()]
                .iter()
                .map(|prefix| (*prefix, group.path_id))
        };
        let updates = match &group.content {
            DeltaContent::Withdraw => 0,
            DeltaContent::Announce { set, .. } => encode_announcements(
                octets,
                class,
                &self.attributes,
                set.next_hop(),
                group.family,
                &mut nlri(),
            ),
        };
        if updates > 0 {
            return updates;
        }
        if matches!(group.content, DeltaContent::Announce { .. }) {
            self.stats.unencodable += range.len() as u64;
        }
        encode_withdrawals(octets, class, group.family, &mut nlri())
    }

    fn seal(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        if lane.octets.is_empty() {
            return;
        }
        let bytes = lane.take_bytes(&self.gauge);
        for (range, mut open) in lane.closed.drain(..) {
            let named = Named::collect(&mut open.names);
            let share = Some(self.gauge.share(named.octets()));
            let run = Run {
                buffer: bytes.clone(),
                range,
                named,
                updates: open.updates,
                nlri: open.nlri,
                marker: None,
                period: self.period.clone(),
                share,
            };
            self.out.push(Packed {
                run: Arc::new(run),
                members: open.members,
            });
        }
    }
}

impl Lane {
    fn new(class: EncodingClass, members: ClientSet) -> Lane {
        Lane {
            class,
            members,
            octets: Vec::new(),
            closed: Vec::new(),
            open_start: 0,
            open: OpenRun::default(),
        }
    }

    fn close_run(&mut self) {
        let range = self.open_start..self.octets.len();
        if range.is_empty() {
            return;
        }
        self.open_start = range.end;
        let mut run = std::mem::take(&mut self.open);
        run.members.clone_from(&self.members);
        self.closed.push((range, run));
    }

    /// A buffer filled little is copied, and kept for the next time.
    fn take_bytes(&mut self, gauge: &Gauge) -> Bytes {
        self.open_start = 0;
        if self.octets.len() < self.octets.capacity() / 2 {
            let exact = self.octets.as_slice().to_vec();
            self.octets.clear();
            return gauge.seal(exact);
        }
        gauge.seal(std::mem::replace(
            &mut self.octets,
            Vec::with_capacity(BUFFER_LEN + 4096),
        ))
    }
}
