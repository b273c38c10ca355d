//! Octets on their way into a socket.

#[derive(Default)]
pub struct Outbox {
    octets: Vec<u8>,
    /// So many have been written already.
    written: usize,
}

impl Outbox {
    pub fn len(&self) -> usize {
        self.octets.len() - self.written
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is still to be written.
    pub fn head(&self) -> &[u8] {
        &self.octets[self.written..]
    }

    /// Where more is appended.
    pub fn end(&mut self) -> &mut Vec<u8> {
        if self.written > self.octets.len() / 2 {
            self.octets.drain(..self.written);
            self.written = 0;
        }
        &mut self.octets
    }

    /// The first `count` octets have been written.
    pub fn advance(&mut self, count: usize) {
        self.written += count;
        if self.is_empty() {
            self.octets.clear();
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn octets_leave_in_the_order_they_came() {
        let mut outbox = super::Outbox::default();
        let (mut said, mut heard) = (0u8, Vec::new());
        for round in 0..200usize {
            let more = (0..round % 7).map(|_| {
                said = said.wrapping_add(1);
                said
            });
            outbox.end().extend(more);
            let count = outbox.len().min(round % 5);
            heard.extend_from_slice(&outbox.head()[..count]);
            outbox.advance(count);
        }
        heard.extend_from_slice(outbox.head());
        let expected: Vec<u8> = (1..=heard.len()).map(|number| number as u8).collect();
        assert_eq!(heard, expected);
    }
}
