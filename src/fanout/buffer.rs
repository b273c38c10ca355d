//! A buffer of whole messages, shared by all clients that get some of them, with the prefixes they
//! name.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{ClientSet, ClientSlot, Family, PathId, PrefixSlot, ShardId};

use super::DirtyPrefix;
use super::gauge::{Gauge, Share};

/// Whole messages in runs: what one audience gets stands in a run of its own.
#[derive(Debug)]
pub struct Buffer {
    octets: Vec<u8>,
    runs: Box<[Run]>,
    names: Names,
    marker: Option<Marker>,
    /// Keeps the period it was made in alive (see [`super::Periods`]).
    _period: Option<Arc<()>>,
    _share: Option<Share>,
}

/// Where a run ends, in what the buffer has of each.
#[derive(Clone, Copy, Default, Debug)]
struct Run {
    octets: u32,
    names: u32,
    updates: u32,
    nlri: u32,
}

/// A message that says where a client's table stands. One that is dropped is still owed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marker {
    /// RFC 4724 §2.
    EndOfRib(Family),
    /// Beginning and end of a route refresh (RFC 7313 §4.1).
    RefreshBegin(Family),
    RefreshEnd(Family),
}

/// Prefix slots in groups of one shard and, with ADD-PATH, one path identifier.
#[derive(Default, Debug)]
struct Names {
    slots: Vec<PrefixSlot>,
    groups: Vec<NameGroup>,
}

#[derive(Clone, Copy, Debug)]
struct NameGroup {
    shard: ShardId,
    path_id: Option<PathId>,
    /// Where its slots end.
    slots: u32,
}

impl Buffer {
    /// Mere octets, in one run: they name nothing, so nothing need wait until they are written.
    pub fn nameless(octets: Vec<u8>) -> Buffer {
        let run = Run {
            octets: octets.len() as u32,
            ..Run::default()
        };
        Buffer {
            octets,
            runs: Box::new([run]),
            names: Names::default(),
            marker: None,
            _period: None,
            _share: None,
        }
    }

    /// The message of a marker, which is so many UPDATEs.
    pub fn marker(marker: Marker, octets: Vec<u8>, updates: u32) -> Buffer {
        let mut buffer = Buffer::nameless(octets);
        buffer.runs[0].updates = updates;
        buffer.marker = Some(marker);
        buffer
    }

    pub fn run_count(&self) -> u32 {
        self.runs.len() as u32
    }

    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Octets that it takes.
    pub fn retained(&self) -> usize {
        self.octets.capacity() + size_of_val(&*self.runs) + self.names.octets()
    }

    /// Where the octets of some runs are.
    pub fn range(&self, runs: &Range<u32>) -> Range<usize> {
        let (start, end) = self.ends(runs);
        start.octets as usize..end.octets as usize
    }

    /// UPDATEs and NLRI in some runs.
    pub fn counts(&self, runs: &Range<u32>) -> (u32, u32) {
        let (start, end) = self.ends(runs);
        (end.updates - start.updates, end.nlri - start.nlri)
    }

    /// The run that holds an octet.
    pub fn run_at(&self, octet: usize) -> u32 {
        self.runs
            .partition_point(|run| run.octets as usize <= octet) as u32
    }

    /// What it says of where a client's table stands.
    pub fn says(&self) -> Option<Marker> {
        self.marker
    }

    /// What some runs name.
    pub fn names(&self, runs: &Range<u32>) -> impl Iterator<Item = (ShardId, DirtyPrefix)> + '_ {
        let (start, end) = self.ends(runs);
        let groups = start.names as usize..end.names as usize;
        let mut from = match groups.start {
            0 => 0,
            first => self.names.groups[first - 1].slots as usize,
        };
        self.names.groups[groups].iter().flat_map(move |group| {
            let slots = from..group.slots as usize;
            from = slots.end;
            self.names.slots[slots].iter().map(|&prefix| {
                let path_id = group.path_id;
                (group.shard, DirtyPrefix { prefix, path_id })
            })
        })
    }

    fn ends(&self, runs: &Range<u32>) -> (Run, Run) {
        let end_of = |count: u32| match count {
            0 => Run::default(),
            count => self.runs[count as usize - 1],
        };
        (end_of(runs.start), end_of(runs.end))
    }
}

/// A buffer that is being filled.
#[derive(Default)]
pub(super) struct OpenBuffer {
    pub octets: Vec<u8>,
    runs: Vec<Run>,
    names: Names,
    updates: u32,
    nlri: u32,
    /// Who gets each run.
    members: Vec<ClientSet>,
}

impl OpenBuffer {
    /// The octets appended since the last call are so many UPDATEs with these prefixes.
    pub fn add(&mut self, updates: usize, nlri: usize) {
        self.updates += updates as u32;
        self.nlri += nlri as u32;
    }

    /// What was appended names these.
    pub fn name(&mut self, shard: ShardId, path_id: Option<PathId>, slots: &[PrefixSlot]) {
        self.names.slots.extend_from_slice(slots);
        let end = self.names.slots.len() as u32;
        let named = self.runs.last().map_or(0, |run| run.names as usize);
        match self.names.groups[named..].last_mut() {
            Some(last) if last.shard == shard && last.path_id == path_id => last.slots = end,
            _ => self.names.groups.push(NameGroup {
                shard,
                path_id,
                slots: end,
            }),
        }
    }

    /// What was appended since the last run is for `members`.
    pub fn close_run(&mut self, members: &ClientSet) {
        let octets = self.octets.len() as u32;
        if self.runs.last().map_or(0, |run| run.octets) == octets {
            return;
        }
        self.members.push(members.clone());
        self.runs.push(Run {
            octets,
            names: self.names.groups.len() as u32,
            updates: self.updates,
            nlri: self.nlri,
        });
    }

    /// Takes what was filled; `None` if nothing was. Whose octets fill little of their room are
    /// copied, and the room is kept for the next time.
    pub fn seal(&mut self, gauge: &Gauge, period: &Arc<()>, room: usize) -> Option<Packed> {
        if self.runs.is_empty() {
            return None;
        }
        let octets = match self.octets.len() < self.octets.capacity() / 2 {
            true => self.octets.as_slice().to_vec(),
            false => std::mem::replace(&mut self.octets, Vec::with_capacity(room)),
        };
        self.octets.clear();
        let mut names = std::mem::take(&mut self.names);
        names.slots.shrink_to_fit();
        names.groups.shrink_to_fit();
        let runs = std::mem::take(&mut self.runs).into_boxed_slice();
        (self.updates, self.nlri) = (0, 0);
        let mut buffer = Buffer {
            octets,
            runs,
            names,
            marker: None,
            _period: Some(period.clone()),
            _share: None,
        };
        buffer._share = Some(gauge.share(buffer.retained()));
        Some(Packed {
            buffer: Arc::new(buffer),
            members: std::mem::take(&mut self.members),
        })
    }
}

impl Names {
    fn octets(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.groups)
    }
}

/// A finished buffer and who gets each of its runs.
pub struct Packed {
    pub buffer: Arc<Buffer>,
    members: Vec<ClientSet>,
}

/// Where runs have so many times fewer members than the buffer has clients, each run is given to
/// its own.
const SPARSE: usize = 8;

impl Packed {
    /// Gives each client its runs, in order; those that lie side by side at once where that is less
    /// work.
    pub fn hand_out(&self, mut each: impl FnMut(ClientSlot, &[Range<u32>])) {
        let mut anybody = ClientSet::new();
        self.members
            .iter()
            .for_each(|them| anybody.union_with(them));
        let parts: usize = self.members.iter().map(ClientSet::count).sum();
        if parts * SPARSE < anybody.count() * self.members.len() {
            for (run, members) in (0u32..).zip(&self.members) {
                let stretch = run..run + 1;
                let stretch = std::slice::from_ref(&stretch);
                members.iter().for_each(|slot| each(slot, stretch));
            }
            return;
        }
        let mut stretches = Vec::new();
        for slot in anybody.iter() {
            stretches.clear();
            let mut start = 0;
            for (run, members) in (0u32..).zip(&self.members) {
                if !members.contains(slot) {
                    if start < run {
                        stretches.push(start..run);
                    }
                    start = run + 1;
                }
            }
            if start < self.buffer.run_count() {
                stretches.push(start..self.buffer.run_count());
            }
            each(slot, &stretches);
        }
    }
}

/// The message that contains `octet`, given a message start at or before it.
pub(super) fn message_at(octets: &[u8], start: usize, octet: usize) -> Range<usize> {
    let mut from = start;
    loop {
        let len = match octets.get(from + 16..from + 18) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return from..octets.len(),
        };
        debug_assert!(len >= 19, "no BGP message at {from}");
        if from + len > octet {
            return from..(from + len).min(octets.len());
        }
        from += len.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(numbers: Range<u32>) -> Vec<PrefixSlot> {
        numbers.map(PrefixSlot).collect()
    }

    fn clients(slots: &[u16]) -> ClientSet {
        slots.iter().copied().map(ClientSlot).collect()
    }

    /// Three runs of 30, 20 and 10 octets.
    fn packed(gauge: &Gauge) -> Packed {
        let mut open = OpenBuffer::default();
        let runs = [
            (30, 0, None, 3..5),
            (20, 0, None, 7..8),
            (10, 1, Some(PathId(9)), 3..4),
        ];
        for (len, shard, path_id, named) in runs {
            open.octets.resize(open.octets.len() + len, 7);
            open.add(2, named.len());
            open.name(ShardId(shard), path_id, &slots(named));
            open.close_run(&clients(&[1]));
            open.close_run(&clients(&[5]));
        }
        open.seal(gauge, &Arc::default(), 100).expect("it has runs")
    }

    fn packed_for(members: &[Vec<u16>]) -> Packed {
        let mut open = OpenBuffer::default();
        for members in members {
            open.octets.push(7);
            open.close_run(&clients(members));
        }
        let packed = open.seal(&Gauge::default(), &Arc::default(), 100);
        packed.expect("it has runs")
    }

    #[test]
    fn runs_know_their_octets_counts_and_names() {
        let Packed { buffer, .. } = packed(&Gauge::default());
        assert_eq!(buffer.run_count(), 3);
        let ranges = [0..1, 1..3, 0..3].map(|runs| buffer.range(&runs));
        assert_eq!(ranges, [0..30, 30..60, 0..60]);
        assert_eq!(buffer.counts(&(0..2)), (4, 3));
        assert_eq!(
            [0, 29, 30, 59].map(|octet| buffer.run_at(octet)),
            [0, 0, 1, 2]
        );
        let dirty = |slot, path_id: Option<u32>| DirtyPrefix {
            prefix: PrefixSlot(slot),
            path_id: path_id.map(PathId),
        };
        let expected = [
            (ShardId(0), dirty(7, None)),
            (ShardId(1), dirty(3, Some(9))),
        ];
        assert_eq!(buffer.names(&(1..3)).collect::<Vec<_>>(), expected);
        let first: Vec<u32> = buffer.names(&(0..1)).map(|(_, it)| it.prefix.0).collect();
        assert_eq!(first, [3, 4]);
    }

    #[test]
    fn names_of_one_path_are_not_those_of_another() {
        let mut open = OpenBuffer::default();
        open.octets.push(7);
        let paths = [
            None,
            Some(PathId(1)),
            Some(PathId(2)),
            Some(PathId(2)),
            None,
        ];
        for path_id in paths {
            open.name(ShardId(0), path_id, &slots(3..4));
        }
        open.close_run(&clients(&[1]));
        let packed = open.seal(&Gauge::default(), &Arc::default(), 100).unwrap();
        let names = packed.buffer.names(&(0..1));
        assert!(names.map(|(_, it)| it.path_id).eq(paths));
    }

    #[test]
    fn each_client_gets_its_runs_in_order_however_they_are_handed_out() {
        let many: Vec<u16> = (0..40).collect();
        // The last two have few members for each run.
        for members in [
            vec![vec![1, 2], vec![1], vec![1, 2]],
            vec![vec![1], many.clone(), vec![2], many],
            (0..20).map(|run| vec![run, run + 1]).collect(),
            (0..20).map(|run| vec![39 - run]).collect(),
        ] {
            let packed = packed_for(&members);
            let mut got = std::collections::BTreeMap::<u16, Vec<u32>>::new();
            packed.hand_out(|slot, stretches| {
                let runs = stretches.iter().cloned().flatten();
                got.entry(slot.0).or_default().extend(runs);
            });
            for slot in 0..40 {
                let of_it = |run: &u32| members[*run as usize].contains(&slot);
                let expected: Vec<u32> = (0..members.len() as u32).filter(of_it).collect();
                assert_eq!(got.remove(&slot).unwrap_or_default(), expected, "{slot}");
            }
        }
    }

    #[test]
    fn a_buffer_counts_until_the_last_who_has_it_is_gone() {
        let gauge = Gauge::default();
        let Packed { buffer, .. } = packed(&gauge);
        assert!(gauge.retained() >= 60, "{}", gauge.retained());
        let other = buffer.clone();
        drop(buffer);
        assert!(gauge.retained() >= 60);
        drop(other);
        assert_eq!(gauge.retained(), 0);
    }

    #[test]
    fn messages_are_found_from_the_length_fields() {
        let mut octets = Vec::new();
        for len in [19u16, 23, 4096] {
            octets.extend([0xff; 16]);
            octets.extend(len.to_be_bytes());
            octets.resize(octets.len() + usize::from(len) - 18, 0);
        }
        for (octet, message) in [
            (0, 0..19),
            (18, 0..19),
            (19, 19..42),
            (41, 19..42),
            (42, 42..4138),
            (4137, 42..4138),
        ] {
            assert_eq!(message_at(&octets, 0, octet), message, "octet {octet}");
        }
        assert_eq!(message_at(&octets, 19, 50), 42..4138);
    }
}
