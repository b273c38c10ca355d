//! Octets as they arrive, cut into messages. Lends bodies, copies nothing out.

use crate::wire::{HEADER_LEN, Header, MessageType, Notification, decode_header};

/// Octets received and not consumed yet: part of one message, or what the caller has not asked for.
#[derive(Debug)]
pub(super) struct Framer {
    /// Longest message that may come, in octets.
    message_max: u16,
    buffer: Vec<u8>,
    /// Where the first message begins.
    start: usize,
    /// Where the first message begins that is not whole, or wrong.
    whole: usize,
}

/// A whole message: where its body lies, until the next [`Framer::push`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub kind: MessageType,
    body: (usize, usize),
}

impl Framer {
    pub fn new(message_max: u16) -> Framer {
        Framer {
            message_max,
            buffer: Vec::new(),
            start: 0,
            whole: 0,
        }
    }

    /// Says whether a message has become whole by these octets.
    pub fn push(&mut self, octets: &[u8]) -> bool {
        let left = self.len();
        if left == 0 && self.buffer.capacity() / 8 > octets.len() {
            // A quiet session does not keep the room that its full table took.
            *self = Framer::new(self.message_max);
        } else if self.start > self.buffer.len() / 2 {
            // Less is moved than was consumed, so segments of any size cost linear time.
            self.buffer.copy_within(self.start.., 0);
            self.buffer.truncate(left);
            self.whole -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(octets);
        let whole = self.whole;
        while let Ok(Some(header)) = self.message_at(self.whole) {
            self.whole += usize::from(header.len);
        }
        self.whole != whole
    }

    /// The next whole message; the error is the NOTIFICATION that the octets call for.
    pub fn next(&mut self) -> Result<Option<Frame>, Notification> {
        let Some(header) = self.message_at(self.start)? else {
            return Ok(None);
        };
        let end = self.start + usize::from(header.len);
        let body = (self.start + HEADER_LEN, end);
        self.start = end;
        Ok(Some(Frame {
            kind: header.kind,
            body,
        }))
    }

    /// The header of the message that begins there, if that is whole.
    fn message_at(&self, start: usize) -> Result<Option<Header>, Notification> {
        let rest = self.buffer.get(start..).unwrap_or_default();
        let Some(header) = rest.first_chunk() else {
            return Ok(None);
        };
        let header = decode_header(header, self.message_max)?;
        Ok((usize::from(header.len) <= rest.len()).then_some(header))
    }

    pub fn body(&self, frame: Frame) -> &[u8] {
        let (start, end) = frame.body;
        self.buffer.get(start..end).unwrap_or_default()
    }

    /// Octets not consumed.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::EXTENDED_MESSAGE_MAX;

    fn message(body_len: usize) -> Vec<u8> {
        let mut octets = vec![0xff; 16];
        octets.extend_from_slice(&((HEADER_LEN + body_len) as u16).to_be_bytes());
        octets.push(MessageType::Update as u8);
        octets.extend((0..body_len).map(|at| at as u8));
        octets
    }

    /// Bodies of what comes out when `octets` come in pieces of `len`; and the most octets held.
    fn bodies(octets: &[u8], len: usize) -> (Vec<Vec<u8>>, usize) {
        let mut framer = Framer::new(EXTENDED_MESSAGE_MAX);
        let (mut bodies, mut held_max) = (vec![], 0);
        for segment in octets.chunks(len) {
            let is_whole = framer.push(segment);
            held_max = held_max.max(framer.buffer.len());
            let known = bodies.len();
            while let Some(frame) = framer.next().unwrap() {
                bodies.push(framer.body(frame).to_vec());
            }
            assert_eq!(is_whole, bodies.len() > known);
        }
        assert_eq!(framer.len(), 0);
        (bodies, held_max)
    }

    #[test]
    fn bodies_are_the_same_in_any_segments_and_the_buffer_is_bounded() {
        let lens = [4, 60_000, 4, 4, 4077, 65_516, 23, 4, 9000];
        let octets: Vec<u8> = lens.iter().flat_map(|len| message(*len)).collect();
        let expected: Vec<_> = lens
            .iter()
            .map(|len| message(*len).split_off(HEADER_LEN))
            .collect();
        for len in [1, 2, 19, 20, 1000, 4096, 65_535, octets.len()] {
            let (bodies, held_max) = bodies(&octets, len);
            assert!(bodies == expected, "segments of {len}");
            let bound = 2 * usize::from(EXTENDED_MESSAGE_MAX) + len;
            assert!(
                held_max <= bound,
                "{held_max} octets held with segments of {len}"
            );
        }
    }

    #[test]
    fn a_quiet_session_keeps_no_room() {
        let mut framer = Framer::new(EXTENDED_MESSAGE_MAX);
        framer.push(&message(60_000));
        assert!(framer.next().unwrap().is_some());
        framer.push(&message(4));
        assert!(framer.buffer.capacity() < 1000);
        assert!(framer.next().unwrap().is_some());
    }

    #[test]
    fn a_message_becomes_whole_once_however_late_it_is_taken() {
        let mut framer = Framer::new(EXTENDED_MESSAGE_MAX);
        let octets = message(30);
        let (head, tail) = octets.split_at(25);
        assert!(!framer.push(head));
        assert!(framer.push(tail), "its last octet");
        assert!(!framer.push(head), "only part of the next");
        assert!(framer.next().unwrap().is_some());
        assert!(!framer.push(&[]));
        assert!(
            framer.push(&[tail, octets.as_slice(), head].concat()),
            "two at once"
        );
        assert!(!framer.push(&[0; 9]), "part of the fourth");
        assert!(framer.next().unwrap().is_some() && framer.next().unwrap().is_some());
        assert!(!framer.push(&[0; 10]) && !framer.push(&[]));
        assert!(framer.push(&[0; 5]));
        assert!(framer.next().unwrap().is_some());
    }

    #[test]
    fn what_is_wrong_never_becomes_whole() {
        let mut framer = Framer::new(4096);
        assert!(framer.push(&message(4)));
        for octet in message(4078) {
            assert!(!framer.push(&[octet]));
        }
        assert!(framer.next().unwrap().is_some());
        assert!(framer.next().is_err());
    }
}
