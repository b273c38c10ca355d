//! What happens to sessions, and messages of some of them, told to the management plane when it asks
//! (traces, MRT, BMP). While nobody asks, nothing is kept.

use std::collections::HashMap;
use std::io::IoSlice;

use bytes::Bytes;

use crate::base::{ClientSet, ClientSlot, Time};
use crate::fanout::{SendQueue, Written};
use crate::server::query::{TapAnswer, TapQuestion, Tapped, TappedWhat};
use crate::server::ring::{Ring, Weighed};
use crate::wire::{HEADER_LEN, MARKER, MessageType, encode_message};

use super::connections::ConnId;

#[derive(Default)]
pub(super) struct Taps {
    kept: Option<Kept>,
}

struct Kept {
    received: ClientSet,
    sent: ClientSet,
    entries: Ring<Tapped>,
    /// What was written to clients that are asked for, as far as it is no whole message yet.
    streams: HashMap<ClientSlot, Stream>,
}

/// Octets as they are written.
struct Stream {
    conn: ConnId,
    octets: Vec<u8>,
    /// They begin with a message.
    is_framed: bool,
}

impl Taps {
    /// Forgets everything when nobody has asked for a while.
    pub fn let_go(&mut self, now: Time) {
        drop(self.kept.take_if(|kept| kept.entries.is_left(now)));
    }

    pub fn answer(&mut self, now: Time, question: &TapQuestion) -> TapAnswer {
        let is_new = self.kept.is_none();
        let kept = self.kept.get_or_insert_with(|| Kept {
            received: ClientSet::default(),
            sent: ClientSet::default(),
            entries: Ring::new(now, question.after),
            streams: HashMap::new(),
        });
        kept.received = (*question.received).clone();
        kept.sent = (*question.sent).clone();
        kept.streams.retain(|slot, _| kept.sent.contains(*slot));
        let piece = kept.entries.take(now, question.after, question.limit);
        TapAnswer {
            entries: piece.entries,
            last: piece.last,
            has_missed: piece.has_missed || is_new,
            has_more: piece.has_more,
        }
    }

    pub fn note(&mut self, at: Time, slot: ClientSlot, what: impl FnOnce() -> TappedWhat) {
        if let Some(kept) = &mut self.kept {
            let what = what();
            kept.entries.push(Tapped { at, slot, what });
        }
    }

    /// A message came, here without its header.
    pub fn received(&mut self, now: Time, slot: ClientSlot, kind: MessageType, body: &[u8]) {
        let Some(kept) = &self.kept else { return };
        if kept.received.contains(slot) {
            let mut octets = Vec::with_capacity(HEADER_LEN + body.len());
            encode_message(&mut octets, kind, body);
            self.note(now, slot, || match kind {
                MessageType::Update => TappedWhat::Received(octets.into()),
                _ => TappedWhat::ReceivedOther(octets.into()),
            });
        }
    }

    pub fn wants_sent(&self, slot: ClientSlot) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.sent.contains(slot))
    }

    /// Writes, and keeps what was written.
    pub fn write<E>(
        &mut self,
        now: Time,
        (slot, conn): (ClientSlot, ConnId),
        out: &mut SendQueue,
        octets_max: usize,
        sink: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<Written, E> {
        let mut copy = Vec::new();
        let written = out.write(octets_max, |slices| {
            let taken = sink(slices)?;
            let mut left = taken;
            for slice in slices {
                let count = slice.len().min(left);
                copy.extend_from_slice(&slice[..count]);
                left -= count;
            }
            Ok(taken)
        })?;
        self.sent(now, (slot, conn), &copy);
        Ok(written)
    }

    fn sent(&mut self, now: Time, (slot, conn): (ClientSlot, ConnId), octets: &[u8]) {
        let Some(kept) = &mut self.kept else { return };
        let new = || Stream::new(conn);
        let stream = kept.streams.entry(slot).or_insert_with(new);
        if stream.conn != conn {
            *stream = Stream::new(conn);
        }
        stream.octets.extend_from_slice(octets);
        for message in stream.take_messages() {
            kept.entries.push(Tapped {
                at: now,
                slot,
                what: TappedWhat::Sent(message),
            });
        }
    }
}

impl Stream {
    fn new(conn: ConnId) -> Stream {
        Stream {
            conn,
            octets: Vec::new(),
            is_framed: false,
        }
    }

    /// All whole messages, taken off. The stream may have begun in the middle of one: that is left out.
    fn take_messages(&mut self) -> Vec<Bytes> {
        let mut messages = Vec::new();
        let mut start = 0;
        loop {
            let rest = &self.octets[start..];
            if !self.is_framed {
                // Octets before a marker may look like part of it, a length hardly ever.
                let begins = |part: &[u8]| part.starts_with(&MARKER) && part[MARKER.len()] != 0xff;
                let place = rest.windows(MARKER.len() + 1).position(begins);
                start += place.unwrap_or(rest.len().saturating_sub(MARKER.len()));
                self.is_framed = place.is_some();
                if place.is_none() {
                    break;
                }
                continue;
            }
            let Some(head) = rest.first_chunk::<HEADER_LEN>() else {
                break;
            };
            let len = usize::from(u16::from_be_bytes([head[16], head[17]]));
            if !head.starts_with(&MARKER) || len < HEADER_LEN {
                // What looked like a marker was none.
                self.is_framed = false;
                start += 1;
                continue;
            }
            let Some(message) = rest.get(..len) else {
                break;
            };
            messages.push(Bytes::copy_from_slice(message));
            start += len;
        }
        self.octets.drain(..start);
        messages
    }
}

impl Weighed for Tapped {
    fn octets(&self) -> usize {
        Tapped::octets(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: MessageType, body: &[u8]) -> Vec<u8> {
        let mut octets = Vec::new();
        encode_message(&mut octets, kind, body);
        octets
    }

    #[test]
    fn a_stream_is_cut_into_messages_however_it_is_written() {
        let first = message(MessageType::Update, &[0; 40]);
        let second = message(MessageType::Keepalive, &[]);
        let third = message(MessageType::Notification, &[6, 2, 0xff, 0xff]);
        let whole = [&first[..], &second, &third].concat();
        let all = [&first, &second, &third, &first].map(Clone::clone);
        let cases: [(&str, usize, Vec<Vec<u8>>); 4] = [
            ("from the beginning", 0, all.to_vec()),
            ("from the middle of a message", 30, all[1..].to_vec()),
            ("from the middle of a marker", 5, all[1..].to_vec()),
            (
                "from octets like those of a marker",
                whole.len() - 2,
                vec![first.clone()],
            ),
        ];
        for (case, from, expected) in cases {
            for step in [1, 7, 1000] {
                let mut stream = Stream::new(ConnId::default());
                let mut found: Vec<Vec<u8>> = Vec::new();
                for part in [&whole[from..], &first].concat().chunks(step) {
                    stream.octets.extend_from_slice(part);
                    found.extend(stream.take_messages().iter().map(|it| it.to_vec()));
                }
                assert_eq!(found, expected, "{case}, {step} octets at a time");
            }
        }
    }
}
