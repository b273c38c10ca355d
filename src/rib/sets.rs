//! A shard's attribute sets, interned by content and counted.

use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHashMap;
use slab::Slab;
use smallvec::SmallVec;

use crate::base::{Asn, ClientSlot, Family};
use crate::policy::Actions;
use crate::wire::{
    self, Additions, AttributeSet, CommunityScrub, EncodingClass, NextHop, Variant, VariantFlags,
    encode_attributes,
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
    /// Of large sets; by set and last bit of the scheme's version.
    lens: FxHashMap<(u32, u32), OutgoingLens>,
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
    /// IPv4 prefixes with it are not for every receiver.
    has_v6_next_hop: bool,
}

const _: () = assert!(size_of::<Entry>() == 24);

/// Sets up to this many octets fit every message, whatever the receiver makes longer: AS4_PATH at
/// most doubles them; prepends, headers, next hop and one NLRI stay under 200 octets, the server's
/// AS, ONLY_TO_CUSTOMER and well-known communities under 50, other additions within their bound.
const ALWAYS_FITS_OCTETS: usize = 1_700;

const _: () = assert!(2 * ALWAYS_FITS_OCTETS + 200 + 50 + Additions::LEN_MAX <= 4_096);

/// Octets of an ONLY_TO_CUSTOMER attribute.
const OTC_LEN: usize = 7;
/// Octets that well-known communities take at most, with what becomes of headers that grow.
const FLAGS_LEN_MAX: usize = 4 * VariantFlags::BITS as usize + 8;

/// How long a set is on its way out, for each form that was asked about.
#[derive(Default)]
struct OutgoingLens {
    /// Of the scheme that says what is stripped.
    version: u32,
    lens: SmallVec<[(OutgoingForm, u32); 4]>,
}

/// What the length hangs on, additions and ONLY_TO_CUSTOMER apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct OutgoingForm {
    four_octet: bool,
    rs_as: Asn,
    prepend: u8,
    prepend_as: Asn,
}

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
            has_v6_next_hop: !matches!(set.next_hop(), NextHop::V4(_)),
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
            self.lens.remove(&(id, 0));
            self.lens.remove(&(id, 1));
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

    /// Whether every receiver can be sent prefixes of this family with this set.
    pub fn fits_everybody(&self, id: SetId, family: Family) -> bool {
        let entry = &self.entries[id.0 as usize];
        entry.always_fits && !(entry.has_v6_next_hop && family == Family::Ipv4)
    }

    /// Whether prefixes of this family with this set can be encoded for a receiver of this class,
    /// without what the scheme of that version strips. Where communities are added, it may say no
    /// although a few octets are left.
    pub fn fits(
        &mut self,
        id: SetId,
        variant: Variant,
        class: &EncodingClass,
        family: Family,
        scheme: (u32, &dyn CommunityScrub),
    ) -> bool {
        let entry = &self.entries[id.0 as usize];
        if entry.has_v6_next_hop && family == Family::Ipv4 && !class.v6_next_hops {
            return false;
        }
        if entry.always_fits {
            return true;
        }
        let mut len = self.outgoing_len(id, variant, class, scheme);
        let set = self.set(id);
        if variant.adds_communities() {
            len += scheme.1.additions_len_max() + FLAGS_LEN_MAX;
        }
        if class.otc != Asn(0) && !set.has_otc() {
            len += OTC_LEN;
        }
        wire::fits(class, len, set.next_hop(), family)
    }

    /// Octets of the path attributes on their way out, measured once for each form.
    fn outgoing_len(
        &mut self,
        id: SetId,
        variant: Variant,
        class: &EncodingClass,
        (version, scrub): (u32, &dyn CommunityScrub),
    ) -> usize {
        let form = OutgoingForm::new(variant, class);
        let known = self.lens.entry((id.0, version % 2)).or_default();
        if known.version != version {
            *known = OutgoingLens {
                version,
                lens: SmallVec::new(),
            };
        }
        if let Some((_, len)) = known.lens.iter().find(|(other, _)| *other == form) {
            return *len as usize;
        }
        let set = self.entries[id.0 as usize].set.as_ref();
        let set = set.expect("whoever names a set holds a reference");
        let len = form.measure(set, scrub);
        known.lens.push((form, len as u32));
        len
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

impl OutgoingForm {
    fn new(variant: Variant, class: &EncodingClass) -> OutgoingForm {
        let prepends = variant.prepend > 0;
        OutgoingForm {
            four_octet: class.four_octet,
            rs_as: class.rs_as,
            prepend: variant.prepend,
            prepend_as: if prepends { variant.prepend_as } else { Asn(0) },
        }
    }

    fn measure(&self, set: &AttributeSet, scrub: &dyn CommunityScrub) -> usize {
        let variant = Variant {
            prepend: self.prepend,
            prepend_as: self.prepend_as,
            ..Variant::default()
        };
        let class = EncodingClass {
            four_octet: self.four_octet,
            rs_as: self.rs_as,
            ..EncodingClass::PLAIN
        };
        let mut out = Vec::new();
        encode_attributes(&mut out, set, variant, self.prepend_as, &class, scrub);
        out.len()
    }
}

fn drop_actions(all: &mut Slab<Actions>, place: &mut u32) {
    if let Some(index) = std::mem::take(place).checked_sub(1) {
        all.remove(index as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FamilySet;
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

    /// Adds as much as any scrub may.
    struct Fills;

    impl CommunityScrub for Fills {
        fn removes_standard(&self, _: (u16, u16)) -> bool {
            false
        }
        fn removes_large(&self, _: (u32, u32, u32)) -> bool {
            false
        }
        fn removes_extended(&self, _: [u8; 8]) -> bool {
            false
        }
        fn additions(&self, _: Variant) -> Additions {
            let large = (0..33).map(|number| (64_500, 1, number));
            Additions {
                large: large.collect(),
                ..Additions::default()
            }
        }
        fn additions_len_max(&self) -> usize {
            Additions::LEN_MAX
        }
    }

    /// Four-octet ASNs, so that AS4_PATH is made; the rest of `len` octets in one attribute.
    fn set_of_len(len: usize, next_hop: NextHop, asn_count: u32) -> Arc<AttributeSet> {
        let path: Vec<u32> = (0..asn_count).map(|asn| 70_000 + asn).collect();
        let set = SetBuilder::new().next_hop(next_hop).as_path(&path);
        let rest = len - set.clone().build().octets().len() - 4;
        let set = set.attribute(0xd0, 250, vec![7; rest]).build();
        assert_eq!(set.octets().len(), len);
        set
    }

    fn variants() -> Vec<Variant> {
        let flags = [0, u8::MAX].map(VariantFlags::from_bits);
        let each = |prepend: u8, flags, tags| Variant {
            prepend,
            flags,
            tags,
            prepend_as: Asn(if prepend == 0 { 0 } else { 4_200_000_000 }),
        };
        (0..=3)
            .flat_map(|prepend| flags.map(|flags| (prepend, flags)))
            .flat_map(|(prepend, flags)| [0, 1].map(|tags| each(prepend, flags, tags)))
            .collect()
    }

    fn classes() -> Vec<EncodingClass> {
        let mut classes = Vec::new();
        for bits in 0..32u8 {
            let is = |bit: u8| bits & 1 << bit != 0;
            let server = |wanted| Asn(if wanted { 4_200_000_001 } else { 0 });
            classes.push(EncodingClass {
                four_octet: is(0),
                add_path: if is(1) {
                    FamilySet::ALL
                } else {
                    FamilySet::EMPTY
                },
                message_max: 4_096,
                v6_next_hops: is(2),
                otc: server(is(3)),
                rs_as: server(is(4)),
            });
        }
        classes
    }

    #[test]
    fn what_is_said_to_fit_does_and_where_nothing_is_added_the_rest_does_not() {
        let v6: NextHop = std::net::Ipv6Addr::LOCALHOST.into();
        let v4: NextHop = std::net::Ipv4Addr::LOCALHOST.into();
        let lens = [1_700, 1_701].into_iter().chain((3_001..4_000).step_by(37));
        let lens = lens.chain((4_000..4_060).step_by(3));
        let forms = [(v4, Family::Ipv4), (v6, Family::Ipv6), (v6, Family::Ipv4)];
        let mut seen = [0; 3];
        for (len, (next_hop, family)) in lens.flat_map(|len| forms.map(|form| (len, form))) {
            let set = set_of_len(len, next_hop, 250);
            let mut sets = SetTable::default();
            let id = sets.intern(&set, ClientSlot(0));
            for (variant, class) in variants()
                .iter()
                .flat_map(|variant| classes().into_iter().map(move |class| (*variant, class)))
            {
                let mut out = Vec::new();
                let prepend_as = variant.prepend_as;
                encode_attributes(&mut out, &set, variant, prepend_as, &class, &Fills);
                let fits = wire::fits(&class, out.len(), next_hop, family);
                let said = sets.fits(id, variant, &class, family, (1, &Fills));
                let what = format!("{len} octets, {family}, {next_hop:?}, {variant:?}, {class:?}");
                assert!(fits || !said, "{what}");
                assert!(said || !sets.fits_everybody(id, family), "{what}");
                let is_exact = !variant.adds_communities();
                assert!(!is_exact || fits == said, "{what}");
                seen[usize::from(fits) + usize::from(said)] += 1;
            }
        }
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
    }

    #[test]
    fn a_length_is_measured_again_under_another_scheme() {
        struct Strips;
        impl CommunityScrub for Strips {
            fn removes_standard(&self, _: (u16, u16)) -> bool {
                true
            }
            fn removes_large(&self, _: (u32, u32, u32)) -> bool {
                true
            }
            fn removes_extended(&self, _: [u8; 8]) -> bool {
                true
            }
        }
        let large: Vec<_> = (0..400).map(|number| (1, 2, number)).collect();
        let mut sets = SetTable::default();
        let id = sets.intern(&SetBuilder::new().large(&large).build(), ClientSlot(0));
        let plain = (Variant::default(), EncodingClass::PLAIN, Family::Ipv4);
        let mut fits = |version, scrub: &dyn CommunityScrub| {
            sets.fits(id, plain.0, &plain.1, plain.2, (version, scrub))
        };
        assert!(!fits(1, &wire::KeepAll));
        assert!(fits(2, &Strips), "the two versions in use are kept apart");
        assert!(!fits(1, &wire::KeepAll));
        assert!(fits(3, &Strips), "what a version before said is forgotten");
        assert!(!fits(4, &wire::KeepAll));
    }
}
