//! What waits to be written to one connection: portions of shared buffers, and the session's own
//! messages, which overtake them but never tear a message.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use arrayvec::ArrayVec;
use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::base::ShardId;

use super::buffer::{Buffer, message_at};
use super::gauge::{Gauge, Share};
use super::{DirtyPrefix, Marker};

/// Slices shown in one write. The kernel takes no more (UIO_MAXIOV).
const SLICES_MAX: usize = 1024;
/// What a queue takes itself is counted in steps of so many octets.
const COUNT_STEP: usize = 4096;
/// A queue that is empty keeps room for so many portions.
const PORTIONS_KEPT: usize = 64;

/// A first-in-first-out queue of octets with a fast lane for the session's messages.
#[derive(Default, Debug)]
pub struct SendQueue {
    /// OPEN, KEEPALIVE, NOTIFICATION: written at the next message boundary. The first may be
    /// partly written, and no other message is then.
    control: VecDeque<Bytes>,
    portions: VecDeque<Portion>,
    /// Octets of the first stretch of the first portion that are written.
    head_written: usize,
    /// Octets of portions that are not written.
    portion_octets: usize,
    control_octets: usize,
    stretch_count: usize,
    /// Counts what the queue itself takes, about.
    share: Option<Share>,
}

/// What one client is yet to get of a buffer.
#[derive(Debug)]
pub struct Portion {
    buffer: Arc<Buffer>,
    /// Runs, those side by side in one range. Never empty.
    stretches: SmallVec<[Range<u32>; 2]>,
}

/// What became of a [`SendQueue::write`], in octets.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Written {
    /// 0: nothing waits.
    pub offered: usize,
    pub taken: usize,
}

/// What [`SendQueue::drop_portions`] took out of the books.
#[derive(Debug)]
pub struct Dropped {
    /// What is, in part or whole, lost.
    pub lost: VecDeque<Portion>,
    /// Markers whose octets are dropped.
    pub unsent: SmallVec<[Marker; 4]>,
}

impl Portion {
    /// What its messages name.
    pub fn names(&self) -> impl Iterator<Item = (ShardId, DirtyPrefix)> + '_ {
        let stretches = self.stretches.iter();
        stretches.flat_map(|runs| self.buffer.names(runs))
    }

    /// Where the octets of its first stretch are.
    fn head(&self) -> Range<usize> {
        self.buffer.range(&self.stretches[0])
    }
}

impl SendQueue {
    /// One whose own memory the gauge counts.
    pub fn counted(gauge: &Gauge) -> SendQueue {
        SendQueue {
            share: Some(gauge.share(0)),
            ..SendQueue::default()
        }
    }

    pub fn push(&mut self, buffer: &Arc<Buffer>, runs: Range<u32>) {
        self.push_all(buffer, std::slice::from_ref(&runs));
    }

    /// Adds stretches of a buffer, in order. What a client gets of one buffer is not torn by others.
    pub fn push_all(&mut self, buffer: &Arc<Buffer>, stretches: &[Range<u32>]) {
        let octets = stretches.iter().map(|runs| buffer.range(runs).len());
        self.portion_octets += octets.sum::<usize>();
        let Some(last) = (self.portions.back_mut()).filter(|it| Arc::ptr_eq(&it.buffer, buffer))
        else {
            self.stretch_count += stretches.len();
            self.portions.push_back(Portion {
                buffer: buffer.clone(),
                stretches: stretches.iter().cloned().collect(),
            });
            return self.recount();
        };
        for runs in stretches {
            match last.stretches.last_mut() {
                Some(stretch) if stretch.end == runs.start => stretch.end = runs.end,
                _ => {
                    last.stretches.push(runs.clone());
                    self.stretch_count += 1;
                }
            }
        }
        self.recount();
    }

    pub fn push_control(&mut self, octets: Bytes) {
        self.control_octets += octets.len();
        self.control.push_back(octets);
    }

    pub fn is_empty(&self) -> bool {
        self.portion_octets == 0 && self.control.is_empty()
    }

    /// Octets not yet written.
    pub fn octets(&self) -> usize {
        self.portion_octets + self.control_octets
    }

    /// Octets of portions not yet written.
    pub fn portion_octets(&self) -> usize {
        self.portion_octets
    }

    /// Octets that are kept for this queue: a buffer that many wait for counts a part for each.
    pub fn own_octets(&self) -> usize {
        let portions = self.portions.iter();
        portions
            .map(|portion| portion.buffer.retained() / Arc::strong_count(&portion.buffer))
            .sum()
    }

    /// Shows the head of the queue to `sink`, about `octets_max` octets (at least one) in the order
    /// they must be written, and takes off as many as it says it took. It is not asked if nothing
    /// waits.
    pub fn write<E>(
        &mut self,
        octets_max: usize,
        sink: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<Written, E> {
        // Nothing overtakes the rest of a message that is begun.
        let rest = match self.control.is_empty() {
            true => 0..0,
            false => self.begun().map_or(0..0, |begun| begun.rest()),
        };
        let first = rest.len();
        let mut shown = Shown::new(octets_max.max(1));
        if let Some(portion) = self.portions.front() {
            shown.add(&portion.buffer.octets()[rest]);
        }
        for message in &self.control {
            shown.add(message);
        }
        let mut skip = self.head_written + first;
        'portions: for portion in &self.portions {
            for stretch in &portion.stretches {
                let range = portion.buffer.range(stretch);
                if !shown.add(&portion.buffer.octets()[range.start + skip..range.end]) {
                    break 'portions;
                }
                skip = 0;
            }
        }
        if shown.slices.is_empty() {
            return Ok(Written::default());
        }
        let offered = shown.octets;
        let taken = sink(&shown.slices)?.min(offered);
        drop(shown);
        self.take_off(taken, first);
        Ok(Written { offered, taken })
    }

    /// The message at the head that is partly written.
    fn begun(&self) -> Option<Begun> {
        let first = self.portions.front().filter(|_| self.head_written > 0)?;
        let written = first.head().start + self.head_written;
        let run = first.buffer.run_at(written - 1);
        let start = first.buffer.range(&(run..run + 1)).start;
        let message = message_at(first.buffer.octets(), start, written - 1);
        (message.end > written).then_some(Begun { message, written })
    }

    /// What was written: `first` octets of the message that was begun, then control messages, then
    /// the rest.
    fn take_off(&mut self, octets: usize, first: usize) {
        let first = octets.min(first);
        self.advance_portions(first);
        let mut left = octets - first;
        while let Some(message) = self.control.front_mut().filter(|_| left > 0) {
            let taken = left.min(message.len());
            message.advance(taken);
            left -= taken;
            self.control_octets -= taken;
            if message.is_empty() {
                self.control.pop_front();
            }
        }
        self.advance_portions(left);
    }

    fn advance_portions(&mut self, mut octets: usize) {
        self.portion_octets -= octets;
        while octets > 0 {
            let Some(portion) = self.portions.front_mut() else {
                return;
            };
            let mut done = 0;
            for stretch in &portion.stretches {
                let rest = portion.buffer.range(stretch).len() - self.head_written;
                if octets < rest {
                    self.head_written += octets;
                    octets = 0;
                    break;
                }
                octets -= rest;
                self.head_written = 0;
                done += 1;
            }
            self.stretch_count -= done;
            if done == portion.stretches.len() {
                self.portions.pop_front();
            } else {
                portion.stretches.drain(..done);
            }
        }
        if self.portions.is_empty() {
            self.portions.shrink_to(PORTIONS_KEPT);
        }
        self.recount();
    }

    /// Drops all portions but a message that is partly written. That stays as mere octets, which
    /// nothing need wait for.
    pub fn drop_portions(&mut self) -> Dropped {
        let begun = self.begun();
        let written = std::mem::take(&mut self.head_written);
        let mut lost = std::mem::take(&mut self.portions);
        (self.portion_octets, self.stretch_count) = (0, 0);
        if let Some(first) = lost.front_mut().filter(|_| written > 0) {
            let out = match &begun {
                Some(begun) => begun.message.end,
                None => first.head().start + written,
            };
            first.stretches[0].start = first.buffer.run_at(out);
            if let Some(Begun { message, written }) = begun {
                let octets = first.buffer.octets()[message.clone()].to_vec();
                self.push(&Arc::new(Buffer::nameless(octets)), 0..1);
                self.head_written = written - message.start;
                self.portion_octets -= self.head_written;
            }
            if first.stretches[0].is_empty() {
                first.stretches.remove(0);
            }
            if first.stretches.is_empty() {
                lost.pop_front();
            }
        }
        self.recount();
        let unsent = lost.iter().filter_map(|it| it.buffer.says()).collect();
        Dropped { lost, unsent }
    }

    fn recount(&mut self) {
        let Some(share) = &mut self.share else { return };
        let room = self.portions.capacity() * size_of::<Portion>();
        let own = match self.stretch_count {
            0 => 0,
            count => room + count * size_of::<Range<u32>>(),
        };
        let is_news = own.abs_diff(share.octets()) >= COUNT_STEP;
        if is_news || (own == 0 && share.octets() > 0) {
            share.resize(own);
        }
    }
}

/// A message that is partly written: where it is in its buffer, and where what is written ends.
struct Begun {
    message: Range<usize>,
    written: usize,
}

impl Begun {
    fn rest(&self) -> Range<usize> {
        self.written..self.message.end
    }
}

/// Slices on their way to the writer.
struct Shown<'a> {
    slices: ArrayVec<IoSlice<'a>, SLICES_MAX>,
    octets: usize,
    octets_max: usize,
}

impl<'a> Shown<'a> {
    fn new(octets_max: usize) -> Shown<'a> {
        Shown {
            slices: ArrayVec::new(),
            octets: 0,
            octets_max,
        }
    }

    /// False: there is no room.
    fn add(&mut self, octets: &'a [u8]) -> bool {
        if self.octets >= self.octets_max || self.slices.is_full() {
            return false;
        }
        if !octets.is_empty() {
            self.octets += octets.len();
            self.slices.push(IoSlice::new(octets));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::base::{ClientSet, ClientSlot, PrefixSlot};
    use crate::fanout::buffer::OpenBuffer;

    fn message(len: u16, fill: u8) -> Vec<u8> {
        let mut octets = vec![0xff; 16];
        octets.extend(len.to_be_bytes());
        octets.resize(usize::from(len), fill);
        octets
    }

    /// A buffer of runs, each of messages by length and fill; each run names a slot, its number.
    fn buffer(runs: &[&[(u16, u8)]]) -> Arc<Buffer> {
        let mut open = OpenBuffer::default();
        for (slot, messages) in (0..).zip(runs) {
            for &(len, fill) in *messages {
                open.octets.extend(message(len, fill));
            }
            open.add(messages.len(), 1);
            open.name(ShardId(0), None, &[PrefixSlot(slot)]);
            open.close_run(&ClientSet::only(ClientSlot(0)));
        }
        let packed = open.seal(&Gauge::default(), &Arc::default(), 100);
        packed.expect("it has runs").buffer
    }

    fn queue(stretches: &[&[(u16, u8)]]) -> SendQueue {
        let mut queue = SendQueue::default();
        for messages in stretches {
            queue.push(&buffer(&[messages]), 0..1);
        }
        queue
    }

    /// Writes `octets` the way a socket would, and says what went out.
    fn write(queue: &mut SendQueue, octets: usize) -> Vec<u8> {
        let mut wire = Vec::new();
        let written = queue.write(usize::MAX, |slices| {
            wire = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            wire.truncate(octets);
            Ok::<_, ()>(wire.len())
        });
        assert_eq!(written.unwrap().taken, wire.len());
        wire
    }

    /// The last octet of each message tells messages apart.
    fn fills(wire: &[u8]) -> Vec<u8> {
        let (mut at, mut fills) = (0, Vec::new());
        while at < wire.len() {
            assert_eq!(wire[at..at + 16], [0xff; 16], "torn at {at}");
            let len = usize::from(u16::from_be_bytes([wire[at + 16], wire[at + 17]]));
            fills.push(wire[at + len - 1]);
            at += len;
        }
        assert_eq!(at, wire.len(), "cut short");
        fills
    }

    fn names(dropped: &Dropped) -> Vec<u32> {
        let names = dropped.lost.iter().flat_map(Portion::names);
        names.map(|(_, dirty)| dirty.prefix.0).collect()
    }

    #[test]
    fn a_keepalive_overtakes_bulk_at_every_point_of_it() {
        for written in 0..=120 {
            let mut queue = queue(&[&[(40, 1), (50, 2)], &[(30, 3)]]);
            let mut wire = write(&mut queue, written);
            queue.push_control(message(20, 9).into());
            while !queue.is_empty() {
                wire.extend(write(&mut queue, 7));
            }
            let expected: &[u8] = match written {
                0 => &[9, 1, 2, 3],
                1..=40 => &[1, 9, 2, 3],
                41..=90 => &[1, 2, 9, 3],
                _ => &[1, 2, 3, 9],
            };
            assert_eq!(fills(&wire), expected, "after {written} octets");
            assert_eq!(queue.octets(), 0);
        }
    }

    #[test]
    fn a_dropped_queue_never_tears_a_message() {
        for written in 0..=120 {
            for then in [0, 5] {
                let mut queue = queue(&[&[(40, 1), (50, 2)], &[(30, 3)]]);
                let mut wire = write(&mut queue, written);
                let dropped = queue.drop_portions();
                wire.extend(write(&mut queue, then));
                queue.push_control(message(20, 9).into());
                queue.push(&buffer(&[&[(30, 4)]]), 0..1);
                while !queue.is_empty() {
                    wire.extend(write(&mut queue, 11));
                }
                let mut got = fills(&wire);
                got.retain(|fill| *fill != 9);
                let (expected, lost_count): (&[u8], usize) = match written {
                    0 => (&[4], 2),
                    1..=40 => (&[1, 4], 2),
                    41..=90 => (&[1, 2, 4], 1),
                    _ => (&[1, 2, 3, 4], 0),
                };
                assert_eq!(got, expected, "after {written} octets");
                assert_eq!(dropped.lost.len(), lost_count, "after {written} octets");
                assert_eq!(queue.octets(), 0);
            }
        }
    }

    #[test]
    fn of_a_dropped_stretch_what_is_written_whole_is_not_lost() {
        let runs: [&[(u16, u8)]; 4] = [&[(40, 1)], &[(50, 2), (20, 3)], &[(30, 4)], &[(30, 5)]];
        for written in 0..170 {
            let mut queue = SendQueue::default();
            let buffer = buffer(&runs);
            queue.push(&buffer, 0..1);
            queue.push(&buffer, 1..4);
            assert_eq!(queue.stretch_count, 1, "side by side they are one");
            let mut wire = write(&mut queue, written);
            let dropped = queue.drop_portions();
            wire.extend(write(&mut queue, usize::MAX));
            let (sent, lost): (&[u8], &[u32]) = match written {
                0 => (&[], &[0, 1, 2, 3]),
                1..=40 => (&[1], &[1, 2, 3]),
                41..=90 => (&[1, 2], &[1, 2, 3]),
                91..=110 => (&[1, 2, 3], &[2, 3]),
                111..=140 => (&[1, 2, 3, 4], &[3]),
                _ => (&[1, 2, 3, 4, 5], &[]),
            };
            assert_eq!(fills(&wire), sent, "after {written} octets");
            assert_eq!(names(&dropped), lost, "after {written} octets");
        }
    }

    #[test]
    fn with_a_gap_between_them_runs_of_a_buffer_are_two_stretches() {
        let buffer = buffer(&[&[(40, 1)], &[(50, 2)], &[(30, 3)]]);
        let mut queue = SendQueue::default();
        queue.push(&buffer, 0..1);
        queue.push(&buffer, 2..3);
        assert_eq!(queue.octets(), 70);
        assert_eq!(fills(&write(&mut queue, usize::MAX)), [1, 3]);
        assert!(queue.is_empty());
    }

    #[test]
    fn each_who_waits_for_a_buffer_has_its_part_of_it() {
        let buffer = buffer(&[&[(40, 1)], &[(50, 2)], &[(30, 3)]]);
        let retained = buffer.retained();
        let (mut one, mut other) = (SendQueue::default(), SendQueue::default());
        one.push(&buffer, 0..1);
        one.push(&buffer, 2..3);
        other.push(&buffer, 0..3);
        drop(buffer);
        let half = retained / 2;
        assert_eq!((one.own_octets(), other.own_octets()), (half, half));
        write(&mut other, usize::MAX);
        assert_eq!((one.own_octets(), other.own_octets()), (retained, 0));
    }

    #[test]
    fn the_memory_of_a_long_queue_is_counted_and_given_back() {
        let gauge = Gauge::default();
        let mut queue = SendQueue::counted(&gauge);
        let buffer = buffer(&[&[(20, 1)], &[(20, 2)]]);
        let other = self::buffer(&[&[(20, 3)]]);
        for _ in 0..10_000 {
            queue.push(&buffer, 0..1);
            queue.push(&other, 0..1);
        }
        let least = 20_000 * (size_of::<Portion>() + 8) - COUNT_STEP;
        assert!(gauge.retained() >= least, "{}", gauge.retained());
        while !queue.is_empty() {
            write(&mut queue, usize::MAX);
        }
        assert_eq!(gauge.retained(), 0);
        assert!(queue.portions.capacity() <= 2 * PORTIONS_KEPT);
    }

    #[test]
    fn a_write_is_about_as_long_as_asked_for_and_one_that_fails_takes_nothing() {
        let mut queue = queue(&[&[(40, 1)], &[(50, 2)], &[(30, 3)]]);
        assert_eq!(queue.write(60, |_| Err("full")), Err("full"));
        let Ok(written) = queue.write(60, |slices| Ok::<_, Infallible>(slices[0].len()));
        let expected = Written {
            offered: 90,
            taken: 40,
        };
        assert_eq!((written, queue.octets()), (expected, 80));
        let mut empty = SendQueue::default();
        let nothing = empty.write(60, |_| -> Result<usize, ()> { panic!("there is nothing") });
        assert_eq!(nothing, Ok(Written::default()));
    }
}
