//! Which live clients get the same octets.

use crate::base::{ClientSet, ClientSlot};
use crate::wire::EncodingClass;

/// The encoding classes that have members, each with its clients.
#[derive(Default, Debug)]
pub struct Classes {
    entries: Vec<(EncodingClass, ClientSet)>,
}

impl Classes {
    pub fn insert(&mut self, slot: ClientSlot, class: EncodingClass) {
        self.remove(slot);
        if let Some((_, members)) = self.entries.iter_mut().find(|(known, _)| *known == class) {
            return members.insert(slot);
        }
        match self
            .entries
            .iter_mut()
            .find(|(_, members)| members.is_empty())
        {
            Some(free) => *free = (class, ClientSet::only(slot)),
            None => self.entries.push((class, ClientSet::only(slot))),
        }
    }

    pub fn remove(&mut self, slot: ClientSlot) {
        self.entries
            .iter_mut()
            .for_each(|(_, members)| members.remove(slot));
    }

    /// Those that have members.
    pub fn count(&self) -> usize {
        let entries = self.entries.iter();
        entries.filter(|(_, members)| !members.is_empty()).count()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&EncodingClass, &ClientSet)> {
        self.entries.iter().map(|(class, members)| (class, members))
    }
}
