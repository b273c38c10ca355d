//! Who pays for what a shard keeps: octets by announcer.

use crate::base::ClientSlot;

/// What is shared is charged to whoever brought it first, until nobody needs it any more.
#[derive(Default)]
pub struct Charges {
    by_slot: Vec<usize>,
}

impl Charges {
    pub fn add(&mut self, slot: ClientSlot, octets: usize) {
        if self.by_slot.len() <= slot.index() {
            self.by_slot.resize(slot.index() + 1, 0);
        }
        self.by_slot[slot.index()] += octets;
    }

    pub fn give_back(&mut self, slot: ClientSlot, octets: usize) {
        self.by_slot[slot.index()] -= octets;
    }

    pub fn of(&self, slot: ClientSlot) -> usize {
        self.by_slot.get(slot.index()).copied().unwrap_or(0)
    }
}
