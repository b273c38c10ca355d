//! Octets by the million pieces, one after another in one block.

#[derive(Default)]
pub struct Pieces {
    octets: Vec<u8>,
    /// Where each piece ends.
    ends: Vec<u64>,
}

impl Pieces {
    /// Pieces are numbered in the order of being added.
    pub fn push(&mut self, piece: &[u8]) -> u32 {
        self.octets.extend_from_slice(piece);
        self.ends.push(self.octets.len() as u64);
        u32::try_from(self.ends.len() - 1).expect("fewer pieces than 2^32")
    }

    pub fn piece(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.octets[start as usize..self.ends[number] as usize]
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pieces_are_found_again_even_empty_ones() {
        let mut pieces = super::Pieces::default();
        let texts = ["one", "", "three"];
        for (text, number) in texts.iter().zip(0..) {
            assert_eq!(pieces.push(text.as_bytes()), number);
        }
        for (text, number) in texts.iter().zip(0..) {
            assert_eq!(pieces.piece(number), text.as_bytes());
        }
        assert_eq!(pieces.len(), 3);
    }
}
