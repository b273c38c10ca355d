//! What waits to be written to one connection: references to runs, and the session's own messages,
//! which overtake them but never tear a message.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use smallvec::SmallVec;

use super::run::message_end;
use super::{Marker, Run};

/// A first-in-first-out queue of octets with a fast lane for the session's messages.
#[derive(Default, Debug)]
pub struct SendQueue {
    /// OPEN, KEEPALIVE, NOTIFICATION: written at the next message boundary. The first may be
    /// partly written.
    control: VecDeque<Bytes>,
    runs: VecDeque<Arc<Run>>,
    /// Octets of the first run that are written.
    head_written: usize,
    /// A message start in the first run, at or before `head_written`.
    head_message: usize,
    /// Octets of runs that are not written.
    run_octets: usize,
    control_octets: usize,
    /// What was last shown to the writer, until it says what it wrote. It may be writing the first
    /// piece of it while other things happen, so that stays first.
    plan: Option<Plan>,
}

/// The order in which octets are shown: some of runs, then control messages, then other runs.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Whole messages, to their end. `None`: no control message was there.
    run_octets_first: Option<usize>,
    control_count: usize,
    /// Octets of the first piece shown.
    shown: usize,
}

/// What [`SendQueue::drop_runs`] took out of the books.
#[derive(Debug)]
pub struct Dropped {
    /// Those that are, in part or whole, lost.
    pub runs: VecDeque<Arc<Run>>,
    /// Markers whose octets are dropped.
    pub unsent: SmallVec<[Marker; 4]>,
}

impl SendQueue {
    pub fn push(&mut self, run: Arc<Run>) {
        self.run_octets += run.len();
        self.runs.push_back(run);
    }

    pub fn push_control(&mut self, octets: Bytes) {
        self.control_octets += octets.len();
        self.control.push_back(octets);
    }

    pub fn is_empty(&self) -> bool {
        self.run_octets == 0 && self.control.is_empty()
    }

    /// Octets not yet written.
    pub fn octets(&self) -> usize {
        self.run_octets + self.control_octets
    }

    /// Octets of runs not yet written.
    pub fn run_octets(&self) -> usize {
        self.run_octets
    }

    /// Octets of runs that are kept for this queue: what many wait for counts a part each.
    pub fn own_octets(&self) -> usize {
        self.runs
            .iter()
            .map(|run| run.len() / Arc::strong_count(run))
            .sum()
    }

    /// Shows the head of the queue, `pieces_max` pieces at most, in the order it must be written.
    /// What is written is reported before anything else happens to the queue; only a write of the
    /// first piece alone may still be under way meanwhile.
    pub fn transmit(&mut self, pieces: &mut Vec<Bytes>, pieces_max: usize) {
        let before = pieces.len();
        let run_octets_first = match self.plan {
            _ if self.control.is_empty() => None,
            Some(Plan {
                run_octets_first: Some(first),
                ..
            }) => Some(first),
            Some(Plan { shown, .. }) => Some(self.octets_to_boundary(shown)),
            None => Some(self.octets_to_boundary(0)),
        };
        let mut shown = Shown::new(pieces, pieces_max);
        let (mut index, mut offset) = (0, self.head_written);
        let mut first = run_octets_first.unwrap_or(0);
        while first > 0
            && let Some(run) = self.runs.get(index)
        {
            let end = run.len().min(offset + first);
            if !shown.add(run, offset..end) {
                break;
            }
            first -= end - offset;
            (index, offset) = match end == run.len() {
                true => (index + 1, 0),
                false => (index, end),
            };
        }
        let mut control_count = 0;
        for octets in &self.control {
            if !shown.add_control(octets) {
                break;
            }
            control_count += 1;
        }
        for run in self.runs.range(index.min(self.runs.len())..) {
            if !shown.add(run, std::mem::take(&mut offset)..run.len()) {
                break;
            }
        }
        shown.close();
        let shown = pieces.get(before).map_or(0, Bytes::len);
        self.plan = (shown > 0).then_some(Plan {
            run_octets_first,
            control_count,
            shown,
        });
    }

    /// Takes off what was written, in the order that [`SendQueue::transmit`] showed.
    pub fn handle_written(&mut self, octets: usize) {
        let mut left = octets;
        if let Some(plan) = self.plan.take()
            && let Some(run_octets_first) = plan.run_octets_first
        {
            let first = left.min(run_octets_first);
            self.advance_runs(first);
            left -= first;
            let mut control_count = plan.control_count;
            while left > 0 && control_count > 0 {
                let (taken, is_out) = self.advance_control(left);
                left -= taken;
                control_count -= usize::from(is_out);
            }
            // A message that is begun, or waits for a message that is, keeps its place.
            if first < run_octets_first || control_count > 0 {
                self.plan = Some(Plan {
                    run_octets_first: Some(run_octets_first - first),
                    control_count,
                    shown: 0,
                });
            }
        }
        self.advance_runs(left);
    }

    /// Drops all runs but what is written or may be just now, to the end of its message. That stays as
    /// mere octets, which nothing need wait for; before they are written nothing is dropped again.
    pub fn drop_runs(&mut self) -> Dropped {
        let mut out = self.head_written + self.plan.map_or(0, |plan| plan.shown);
        let mut whole_count = 0;
        while let Some(run) = self.runs.get(whole_count).filter(|run| run.len() <= out) {
            out -= run.len();
            whole_count += 1;
        }
        let mut lost = self.runs.split_off(whole_count);
        if let Some(torn) = lost.front().filter(|_| out > 0) {
            let end = message_end(torn.octets(), &mut 0, out - 1);
            if end == torn.len() {
                self.runs.extend(lost.pop_front());
            } else if whole_count > 0 {
                self.runs.push_back(Arc::new(torn.remnant(0, end)));
            } else if end > self.head_written {
                let mut start = 0;
                message_end(torn.octets(), &mut start, self.head_written.max(1) - 1);
                self.runs.push_back(Arc::new(torn.remnant(start, end)));
                self.head_written -= start;
            }
        }
        self.head_message = 0;
        if self.runs.is_empty() {
            self.head_written = 0;
        }
        self.run_octets = self.runs.iter().map(|run| run.len()).sum::<usize>() - self.head_written;
        if let Some(Plan {
            run_octets_first: Some(first),
            ..
        }) = &mut self.plan
        {
            *first = self.run_octets.min(*first);
        }
        let unsent = lost.iter().filter_map(|run| run.marker).collect();
        for kept in &mut self.runs {
            *kept = Arc::new(kept.bare());
        }
        Dropped { runs: lost, unsent }
    }

    /// Octets of runs up to the end of the message that holds the last of the next `octets`, or of
    /// the one that is begun.
    fn octets_to_boundary(&mut self, octets: usize) -> usize {
        let out = self.head_written + octets;
        if out == 0 {
            return 0;
        }
        let mut start = 0;
        for (index, run) in self.runs.iter().enumerate() {
            if out <= start + run.len() {
                let mut from = 0;
                let from = if index == 0 {
                    &mut self.head_message
                } else {
                    &mut from
                };
                if out - 1 < start + *from {
                    *from = 0;
                }
                return start + message_end(run.octets(), from, out - 1 - start)
                    - self.head_written;
            }
            start += run.len();
        }
        self.run_octets
    }

    fn advance_runs(&mut self, mut octets: usize) {
        self.run_octets = self.run_octets.saturating_sub(octets);
        while octets > 0 {
            let Some(run) = self.runs.front() else { return };
            let rest = run.len() - self.head_written;
            if octets < rest {
                self.head_written += octets;
                return;
            }
            octets -= rest;
            self.runs.pop_front();
            (self.head_written, self.head_message) = (0, 0);
        }
    }

    /// How many octets it took off the first message, and whether that is out.
    fn advance_control(&mut self, octets: usize) -> (usize, bool) {
        let Some(message) = self.control.front_mut() else {
            return (octets, true);
        };
        let taken = octets.min(message.len());
        message.advance(taken);
        self.control_octets -= taken;
        let out = message.is_empty();
        if out {
            self.control.pop_front();
        }
        (taken, out)
    }
}

/// Pieces on their way to the writer. Runs that lie one after another in a buffer are one piece.
struct Shown<'a> {
    pieces: &'a mut Vec<Bytes>,
    /// How many more there may be, the open one not counted.
    room: usize,
    open: Option<(&'a Bytes, Range<usize>)>,
}

impl<'a> Shown<'a> {
    fn new(pieces: &'a mut Vec<Bytes>, pieces_max: usize) -> Shown<'a> {
        Shown {
            pieces,
            room: pieces_max,
            open: None,
        }
    }

    /// Octets of a run; false: there is no room.
    fn add(&mut self, run: &'a Run, part: Range<usize>) -> bool {
        let range = run.range.start + part.start..run.range.start + part.end;
        if let Some((buffer, open)) = &mut self.open
            && open.end == range.start
            && buffer.as_ptr() == run.buffer.as_ptr()
        {
            open.end = range.end;
            return true;
        }
        self.close();
        if self.room == 0 {
            return false;
        }
        self.room -= 1;
        self.open = Some((&run.buffer, range));
        true
    }

    fn add_control(&mut self, octets: &Bytes) -> bool {
        self.close();
        if self.room == 0 {
            return false;
        }
        self.room -= 1;
        self.pieces.push(octets.clone());
        true
    }

    fn close(&mut self) {
        if let Some((buffer, range)) = self.open.take() {
            self.pieces.push(buffer.slice(range));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: u16, fill: u8) -> Vec<u8> {
        let mut octets = vec![0xff; 16];
        octets.extend(len.to_be_bytes());
        octets.resize(usize::from(len), fill);
        octets
    }

    fn run(messages: &[(u16, u8)]) -> Arc<Run> {
        let octets: Vec<u8> = messages
            .iter()
            .flat_map(|&(len, fill)| message(len, fill))
            .collect();
        Arc::new(Run::nameless(octets.into()))
    }

    /// Writes `octets` the way a socket would, and says what went out.
    fn write(queue: &mut SendQueue, octets: usize) -> Vec<u8> {
        let mut pieces = Vec::new();
        queue.transmit(&mut pieces, 64);
        let mut wire: Vec<u8> = pieces.concat();
        wire.truncate(octets);
        queue.handle_written(wire.len());
        wire
    }

    /// The third octet of each message's body tells messages apart.
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

    #[test]
    fn a_keepalive_overtakes_bulk_at_every_point_of_it() {
        for written in 0..=120 {
            let mut queue = SendQueue::default();
            queue.push(run(&[(40, 1), (50, 2)]));
            queue.push(run(&[(30, 3)]));
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
                let mut queue = SendQueue::default();
                queue.push(run(&[(40, 1), (50, 2)]));
                queue.push(run(&[(30, 3)]));
                let mut wire = write(&mut queue, written);
                let lost = queue.drop_runs();
                wire.extend(write(&mut queue, then));
                queue.push_control(message(20, 9).into());
                queue.push(run(&[(30, 4)]));
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
                assert_eq!(lost.runs.len(), lost_count, "after {written} octets");
                assert_eq!(queue.octets(), 0);
            }
        }
    }

    #[test]
    fn a_message_of_the_session_does_not_get_before_what_is_being_written() {
        for written in 0..=150 {
            for pieces_max in [1, 2, 9] {
                let mut queue = SendQueue::default();
                queue.push(run(&[(40, 1), (50, 2)]));
                queue.push(run(&[(30, 3), (30, 4)]));
                let mut pieces = Vec::new();
                queue.transmit(&mut pieces, pieces_max);
                queue.push_control(message(20, 9).into());
                queue.transmit(&mut Vec::new(), 1);
                let first = &pieces[0];
                let mut wire = first[..written.min(first.len())].to_vec();
                queue.handle_written(wire.len());
                while !queue.is_empty() {
                    wire.extend(write(&mut queue, 13));
                }
                let mut got = fills(&wire);
                got.retain(|fill| *fill != 9);
                assert_eq!(got, [1, 2, 3, 4], "{written} octets of {pieces_max} pieces");
                assert_eq!(queue.octets(), 0);
            }
        }
    }

    #[test]
    fn what_the_writer_was_shown_is_not_dropped_under_its_feet() {
        let mut queue = SendQueue::default();
        queue.push(run(&[(40, 1), (50, 2)]));
        queue.push(run(&[(30, 3), (30, 4)]));
        let mut pieces = Vec::new();
        queue.transmit(&mut pieces, 1);
        let lost = queue.drop_runs();
        assert_eq!(lost.runs.len(), 1);
        queue.handle_written(pieces[0].len());
        assert!(queue.is_empty());
    }
}
