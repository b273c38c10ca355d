//! A set of clients as a bitmap over their slots: audiences, live clients, members of a class.

use std::fmt;

use smallvec::SmallVec;

use super::ClientSlot;

/// A growable bitmap. Two sets with the same members are equal, whatever their capacity: there
/// are never trailing zero words.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ClientSet {
    words: SmallVec<[u64; 12]>,
}

impl ClientSet {
    pub const fn new() -> ClientSet {
        ClientSet {
            words: SmallVec::new_const(),
        }
    }

    pub fn only(slot: ClientSlot) -> ClientSet {
        let mut set = ClientSet::new();
        set.insert(slot);
        set
    }

    pub fn insert(&mut self, slot: ClientSlot) {
        let word = slot.index() / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (slot.0 % 64);
    }

    pub fn remove(&mut self, slot: ClientSlot) {
        if let Some(word) = self.words.get_mut(slot.index() / 64) {
            *word &= !(1 << (slot.0 % 64));
            self.trim();
        }
    }

    pub fn contains(&self, slot: ClientSlot) -> bool {
        self.words
            .get(slot.index() / 64)
            .is_some_and(|word| word & (1 << (slot.0 % 64)) != 0)
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many it takes.
    pub fn octets(&self) -> usize {
        size_of::<ClientSet>() + size_of_val(&self.words[..])
    }

    /// How many clients are in it.
    pub fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    pub fn intersects(&self, other: &ClientSet) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    pub fn is_subset(&self, other: &ClientSet) -> bool {
        self.words.len() <= other.words.len()
            && self
                .words
                .iter()
                .zip(&other.words)
                .all(|(a, b)| a & !b == 0)
    }

    pub fn union_with(&mut self, other: &ClientSet) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a |= b;
        }
    }

    pub fn intersect_with(&mut self, other: &ClientSet) {
        self.words.truncate(other.words.len());
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= b;
        }
        self.trim();
    }

    pub fn subtract(&mut self, other: &ClientSet) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= !b;
        }
        self.trim();
    }

    pub fn intersection(&self, other: &ClientSet) -> ClientSet {
        let mut set = self.clone();
        set.intersect_with(other);
        set
    }

    pub fn difference(&self, other: &ClientSet) -> ClientSet {
        let mut set = self.clone();
        set.subtract(other);
        set
    }

    pub fn union(&self, other: &ClientSet) -> ClientSet {
        let mut set = self.clone();
        set.union_with(other);
        set
    }

    pub fn clear(&mut self) {
        self.words.clear();
    }

    /// Ascending by slot.
    pub fn iter(&self) -> impl Iterator<Item = ClientSlot> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            std::iter::successors((word != 0).then_some(word), |rest| {
                let rest = rest & (rest - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |rest| ClientSlot((index * 64) as u16 + rest.trailing_zeros() as u16))
        })
    }

    /// The words, lowest slots first, without trailing zeros.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}

impl FromIterator<ClientSlot> for ClientSet {
    fn from_iter<I: IntoIterator<Item = ClientSlot>>(slots: I) -> ClientSet {
        let mut set = ClientSet::new();
        for slot in slots {
            set.insert(slot);
        }
        set
    }
}

impl fmt::Debug for ClientSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|slot| slot.0))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(slots: &[u16]) -> ClientSet {
        slots.iter().copied().map(ClientSlot).collect()
    }

    #[test]
    fn equality_ignores_history() {
        let mut grown = set(&[1, 700]);
        grown.remove(ClientSlot(700));
        assert_eq!(grown, set(&[1]));
        assert_eq!(set(&[5, 900]).intersection(&set(&[5])), set(&[5]));
        assert_eq!(set(&[5, 900]).difference(&set(&[900])), set(&[5]));
    }

    #[test]
    fn iteration_is_ascending_and_complete() {
        let slots = [0, 1, 63, 64, 65, 127, 128, 4999];
        assert_eq!(
            set(&slots).iter().map(|slot| slot.0).collect::<Vec<_>>(),
            slots
        );
        assert_eq!(set(&slots).count(), slots.len());
    }
}
