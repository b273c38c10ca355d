//! Octets as they arrive, cut into messages. Lends bodies, copies nothing out.

use crate::wire::{HEADER_LEN, MessageType, Notification, decode_header};

/// Octets received and not consumed yet: part of one message, or what the caller has not asked for.
#[derive(Debug, Default)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    /// Where the first message begins.
    start: usize,
}

/// A whole message: where its body lies, until the next [`Framer::push`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub kind: MessageType,
    body: (usize, usize),
}

impl Framer {
    pub fn push(&mut self, octets: &[u8]) {
        let left = self.len();
        if left == 0 && self.buffer.capacity() / 8 > octets.len() {
            // A quiet session does not keep the room that its full table took.
            *self = Framer::default();
        } else if self.start > self.buffer.len() / 2 {
            // Less is moved than was consumed, so segments of any size cost linear time.
            self.buffer.copy_within(self.start.., 0);
            self.buffer.truncate(left);
            self.start = 0;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// The next whole message; the error is the NOTIFICATION that the octets call for.
    pub fn next(&mut self, message_max: u16) -> Result<Option<Frame>, Notification> {
        let Some(header) = self
            .buffer
            .get(self.start..)
            .and_then(|rest| rest.first_chunk::<HEADER_LEN>())
        else {
            return Ok(None);
        };
        let header = decode_header(header, message_max)?;
        if self.len() < usize::from(header.len) {
            return Ok(None);
        }
        let body = (
            self.start + HEADER_LEN,
            self.start + usize::from(header.len),
        );
        self.start += usize::from(header.len);
        Ok(Some(Frame {
            kind: header.kind,
            body,
        }))
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
