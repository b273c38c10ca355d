//! A shard's attribute sets, interned by content and counted.

use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::base::{Asn, ClientSlot, Family, FamilySet};
use crate::policy::Actions;
use crate::wire::{
    AttributeSet, CommunityScrub, EncodingClass, NextHop, Variant, encode_attributes, fits,
};

use super::charges::Charges;
use super::chunks::Chunks;

/// A set's place in its shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SetId(pub u32);

/// Whoever holds a [`SetId`] holds a reference, and gives it back with [`SetTable::release`].
#[derive(Default)]
pub struct SetTable {
    entries: Chunks<Entry>,
    /// Of those sets that ask for something.
    actions: Slab<Actions>,
    index: HashTable<u32>,
    free: Vec<u32>,
    octets: usize,
    /// For which receivers the outgoing form of a large set fits, a bit for each [`fit_bit`]; by set
    /// and last bit of the scheme's version (which stands beside it), made when first asked.
    fits: FxHashMap<(u32, u32), (u32, u32)>,
    charges: Charges,
}

struct Entry {
    set: Option<Arc<AttributeSet>>,
    refs: u32,
    /// Under which version of the control scheme `actions` was made.
    actions_version: u32,
    /// Into [`SetTable::actions`], counted from 1; 0 where it asks for nothing.
    actions: u32,
    /// Who pays for its octets.
    charged: ClientSlot,
    /// It fits every message, whatever the receiver.
    always_fits: bool,
}

const _: () = assert!(size_of::<Entry>() == 24);

/// Sets up to this many octets fit every message, whatever the receiver makes longer: AS4_PATH at
/// most doubles them, and prepends, headers, next hop and one NLRI stay under 200 octets.
const ALWAYS_FITS_OCTETS: usize = 1_900;

impl SetTable {
    /// Takes a reference on the set with this content, at the announcer's charge if it is new.
    pub fn intern(&mut self, set: &Arc<AttributeSet>, announcer: ClientSlot) -> SetId {
        let hash = set.hash();
        let entries = &mut self.entries;
        let found = self.index.find(hash, |&id| {
            entries[id as usize]
                .set
                .as_ref()
                .is_some_and(|known| Arc::ptr_eq(known, set) || **known == **set)
        });
        if let Some(&id) = found {
            entries[id as usize].refs += 1;
            return SetId(id);
        }
        let entry = Entry {
            set: Some(set.clone()),
            refs: 1,
            charged: announcer,
            actions_version: 0,
            actions: 0,
            always_fits: set.octets().len() <= ALWAYS_FITS_OCTETS,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.octets += set.octets().len();
        self.charges.add(announcer, set.octets().len());
        let entries = &self.entries;
        self.index.insert_unique(hash, id, |&id| {
            entries[id as usize]
                .set
                .as_ref()
                .map_or(0, |set| set.hash())
        });
        SetId(id)
    }

    pub fn retain(&mut self, id: SetId) {
        self.entries[id.0 as usize].refs += 1;
    }

    pub fn release(&mut self, id: SetId) {
        let entry = &mut self.entries[id.0 as usize];
        entry.refs -= 1;
        if entry.refs == 0 {
            self.free(id.0);
        }
    }

    fn free(&mut self, id: u32) {
        let Some(set) = self.entries[id as usize].set.take() else {
            return;
        };
        let entry = &mut self.entries[id as usize];
        drop_actions(&mut self.actions, &mut entry.actions);
        if !entry.always_fits {
            self.fits.remove(&(id, 0));
            self.fits.remove(&(id, 1));
        }
        self.octets -= set.octets().len();
        (self.charges).give_back(self.entries[id as usize].charged, set.octets().len());
        if let Ok(found) = self.index.find_entry(set.hash(), |&other| other == id) {
            found.remove();
        }
        self.free.push(id);
    }

    pub fn set(&self, id: SetId) -> &Arc<AttributeSet> {
        self.entries[id.0 as usize]
            .set
            .as_ref()
            .expect("whoever names a set holds a reference")
    }

    /// The set's control actions; `make` is asked once for each `version`.
    pub fn actions(
        &mut self,
        id: SetId,
        version: u32,
        make: impl FnOnce(&AttributeSet) -> Actions,
    ) -> Option<&Actions> {
        let entry = &mut self.entries[id.0 as usize];
        if entry.actions_version != version {
            let set = entry
                .set
                .as_ref()
                .expect("whoever names a set holds a reference");
            let actions = make(set);
            drop_actions(&mut self.actions, &mut entry.actions);
            if actions != Actions::default() {
                entry.actions = self.actions.insert(actions) as u32 + 1;
            }
            entry.actions_version = version;
        }
        self.actions.get(entry.actions.checked_sub(1)? as usize)
    }

    /// Whether every receiver can be sent this set.
    pub fn fits_everybody(&self, id: SetId) -> bool {
        self.entries[id.0 as usize].always_fits
    }

    /// Whether a set can be encoded for a receiver of this class, without what the scheme of that
    /// version strips.
    pub fn fits(
        &mut self,
        id: SetId,
        variant: Variant,
        class: &EncodingClass,
        (scheme_version, scrub): (u32, &dyn CommunityScrub),
    ) -> bool {
        let entry = &self.entries[id.0 as usize];
        if entry.always_fits {
            return true;
        }
        let set = entry
            .set
            .as_ref()
            .expect("whoever names a set holds a reference");
        let measure = || (scheme_version, measure_fits(set, scrub));
        let known = self.fits.entry((id.0, scheme_version % 2));
        let known = known.or_insert_with(measure);
        if known.0 != scheme_version {
            *known = measure();
        }
        known.1 & (1 << fit_bit(variant, class)) != 0
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Octets of all sets.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Octets of the sets that an announcer pays for. What else a set costs is bounded by them and
    /// by the number of paths: its actions take no more than its communities.
    pub fn charge_of(&self, announcer: ClientSlot) -> usize {
        self.charges.of(announcer)
    }
}

fn fit_bit(variant: Variant, class: &EncodingClass) -> u32 {
    let extended = class.message_max > 4_096;
    u32::from(variant.prepend & 3)
        | u32::from(class.four_octet) << 2
        | u32::from(!class.add_path.is_empty()) << 3
        | u32::from(extended) << 4
}

/// Encodes the set for each kind of receiver.
fn measure_fits(set: &AttributeSet, scrub: &dyn CommunityScrub) -> u32 {
    let family = match set.next_hop() {
        NextHop::V4(_) => Family::Ipv4,
        NextHop::V6(_) | NextHop::V6LinkLocal(..) => Family::Ipv6,
    };
    let announcer = set.facts().leftmost_as.unwrap_or(Asn(0));
    let mut bits = 0;
    let mut out = Vec::new();
    for four_octet in [false, true] {
        for prepend in 0..=3 {
            let variant = Variant {
                prepend,
                prepend_as: announcer,
                ..Variant::default()
            };
            for add_path in [FamilySet::EMPTY, FamilySet::ALL] {
                for message_max in [4_096, u16::MAX] {
                    let class = EncodingClass {
                        four_octet,
                        add_path,
                        message_max,
                        ..EncodingClass::PLAIN
                    };
                    out.clear();
                    encode_attributes(&mut out, set, variant, announcer, &class, scrub);
                    let fits = fits(&class, out.len(), set.next_hop(), family);
                    bits |= u32::from(fits) << fit_bit(variant, &class);
                }
            }
        }
    }
    bits
}

fn drop_actions(all: &mut Slab<Actions>, place: &mut u32) {
    if let Some(index) = std::mem::take(place).checked_sub(1) {
        all.remove(index as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::SetBuilder;

    #[test]
    fn a_set_is_charged_to_who_brought_it_first_until_nobody_holds_it() {
        let set = |med| SetBuilder::new().as_path(&[1, 2]).med(med).build();
        let len = set(1).octets().len();
        let [first, second] = [0, 7].map(ClientSlot);
        let mut sets = SetTable::default();
        let charges = |sets: &SetTable| [first, second].map(|slot| sets.charge_of(slot) / len);
        let shared = sets.intern(&set(1), first);
        assert_eq!(sets.intern(&set(1), second), shared);
        let own = sets.intern(&set(2), second);
        assert_eq!(charges(&sets), [1, 1]);
        sets.release(shared);
        assert_eq!(charges(&sets), [1, 1], "the second still holds it");
        sets.release(shared);
        assert_eq!(charges(&sets), [0, 1]);
        sets.intern(&set(1), second);
        sets.release(own);
        assert_eq!(charges(&sets), [0, 1]);
    }
}
