//! A vector in pieces: it grows without moving what it holds and without room for twice as much.

use std::ops::{Index, IndexMut};

/// Elements of a piece. The first one grows like any vector.
const CHUNK: usize = 4_096;

/// Grows at its end, never shrinks.
pub(super) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Chunks<T> {
        Chunks { chunks: Vec::new() }
    }
}

impl<T> Chunks<T> {
    pub fn len(&self) -> usize {
        match self.chunks.as_slice() {
            [] => 0,
            [whole @ .., last] => whole.len() * CHUNK + last.len(),
        }
    }

    pub fn push(&mut self, value: T) {
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => last.push(value),
            None => {
                let room = if self.chunks.is_empty() { 4 } else { CHUNK };
                let mut chunk = Vec::with_capacity(room);
                chunk.push(value);
                self.chunks.push(chunk);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK][index % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_stays_where_it_is() {
        let mut chunks = Chunks::default();
        for number in 0..3 * CHUNK + 1 {
            assert_eq!(chunks.len(), number);
            chunks.push(number);
        }
        let first = &raw const chunks[CHUNK];
        (0..CHUNK).for_each(|number| chunks.push(number));
        assert_eq!(first, &raw const chunks[CHUNK]);
        chunks[2 * CHUNK] = 7;
        assert_eq!((chunks[2 * CHUNK], chunks[3 * CHUNK]), (7, 3 * CHUNK));
        assert_eq!(chunks.iter().count(), chunks.len());
    }
}
