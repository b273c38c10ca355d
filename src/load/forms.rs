//! Attribute sets as they are received or owed, each with a number of its own: equal content is
//! equal number, however the octets that said so were written.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::attributes::{Attributes, Fault};
use super::pieces::Pieces;

/// A number for an attribute set as it leaves the server; [`NOTHING`] is none.
pub type FormId = u32;
pub const NOTHING: FormId = 0;

#[derive(Default)]
pub struct Forms {
    /// Keys as [`Attributes::key`] writes them, and others that mean the same.
    keys: Pieces,
    /// By key: the form it means.
    meanings: Vec<FormId>,
    index: HashTable<u32>,
    hasher: FixedState,
}

impl Forms {
    pub fn intern(&mut self, attributes: &Attributes) -> FormId {
        let mut key = Vec::new();
        attributes.key(&mut key);
        self.intern_key(&key)
    }

    /// `key` is one that [`Attributes::key`] has written.
    pub fn intern_key(&mut self, key: &[u8]) -> FormId {
        self.find(key)
            .unwrap_or_else(|| self.add(key, self.keys.len() as FormId + 1))
    }

    /// `key` is as received: whatever order or flags the server chose.
    pub fn read_key(&mut self, key: &[u8]) -> Result<FormId, Fault> {
        if let Some(form) = self.find(key) {
            return Ok(form);
        }
        let mut canonical = Vec::new();
        Attributes::from_key(key)?.key(&mut canonical);
        let form = self.intern_key(&canonical);
        if canonical != key {
            self.add(key, form);
        }
        Ok(form)
    }

    /// The octets of a form, as [`Attributes::key`] writes them.
    pub fn key(&self, form: FormId) -> &[u8] {
        self.keys.piece(form - 1)
    }

    pub fn describe(&self, form: FormId) -> String {
        let attributes = form
            .checked_sub(1)
            .filter(|number| (*number as usize) < self.keys.len())
            .map(|number| Attributes::from_key(self.keys.piece(number)));
        match attributes {
            Some(Ok(attributes)) => attributes.to_string(),
            Some(Err(Fault(why))) => why,
            None => "nothing".into(),
        }
    }

    fn find(&self, key: &[u8]) -> Option<FormId> {
        let hash = self.hasher.hash_one(key);
        let found = self
            .index
            .find(hash, |&number| self.keys.piece(number) == key);
        found.map(|&number| self.meanings[number as usize])
    }

    fn add(&mut self, key: &[u8], form: FormId) -> FormId {
        let number = self.keys.push(key);
        self.meanings.push(form);
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.index
            .insert_unique(hasher.hash_one(key), number, |&number| {
                hasher.hash_one(keys.piece(number))
            });
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(attributes: &Attributes) -> Vec<u8> {
        let mut key = Vec::new();
        attributes.key(&mut key);
        key
    }

    #[test]
    fn what_means_the_same_is_one_form_and_what_does_not_is_another() {
        let mut set = Attributes::new(&[10000, 5], "10.77.1.1".parse().unwrap());
        set.communities = vec![1, 2];
        let canonical = key(&set);
        let mut forms = Forms::default();
        let form = forms.intern(&set);
        assert_eq!(forms.intern_key(&canonical), form);
        assert_eq!(forms.read_key(&canonical), Ok(form));

        let mut swapped = canonical.clone();
        let at = swapped.len() - 8;
        swapped[at..].rotate_left(4);
        assert_ne!(swapped, canonical);
        assert_eq!(forms.read_key(&swapped), Ok(form), "read first");
        assert_eq!(forms.read_key(&swapped), Ok(form), "and known");

        let mut other = canonical.clone();
        *other.last_mut().unwrap() = 3;
        let other = forms.read_key(&other).unwrap();
        assert_ne!(other, form);
        assert!(forms.describe(other).ends_with("0:1 0:3"));
        assert_eq!(forms.describe(NOTHING), "nothing");
    }

    #[test]
    fn what_was_read_in_another_order_first_is_the_form_that_is_owed() {
        let mut set = Attributes::new(&[10000, 5], "fd77::1".parse().unwrap());
        set.large = vec![[1, 2, 3], [4, 5, 6]];
        let mut swapped = key(&set);
        let at = swapped.len() - 24;
        swapped[at..].rotate_left(12);
        let mut forms = Forms::default();
        let form = forms.read_key(&swapped).unwrap();
        assert_eq!(forms.intern(&set), form);
    }
}
