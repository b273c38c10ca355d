//! Who may have a path, and in which variant: the interned outcome for (announcer, actions).

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use crate::base::{ClientSet, ClientSlot};
use crate::policy::{Actions, Directory, PrefixClass, audiences};
use crate::wire::Variant;

use super::charges::Charges;

/// An eligibility's place in its shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EligibilityId(pub u32);

impl EligibilityId {
    /// Of no path: nobody.
    pub const NOBODY: EligibilityId = EligibilityId(0);
}

/// Immutable once made. A new version of the directory or the scheme makes new ones, so that the
/// old state of a prefix is computed with what was old.
pub struct Eligibility {
    /// Disjoint sets of configured clients, whether they are up or not.
    pub audiences: SmallVec<[(Variant, ClientSet); 1]>,
    /// Of the scheme under which control communities are stripped.
    pub scheme_version: u32,
    /// What import made of the paths that have it.
    pub class: PrefixClass,
    key: Option<Key>,
    refs: u32,
    /// What its announcer pays for it.
    octets: usize,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Accepted {
        announcer: ClientSlot,
        version: u32,
        class: PrefixClass,
        actions: Option<Box<Actions>>,
    },
    /// Nobody has it, whoever announced it.
    Nobody(PrefixClass),
}

/// What the clients of a path hang on.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub announcer: ClientSlot,
    pub actions: Option<&'a Actions>,
    pub class: PrefixClass,
    /// [`crate::wire::Variant::tags`] of its class.
    pub tags: u16,
}

/// Whoever holds an [`EligibilityId`] holds a reference.
pub struct EligibilityTable {
    entries: Vec<Eligibility>,
    index: HashMap<Key, u32, foldhash::fast::RandomState>,
    free: Vec<u32>,
    audience_count: usize,
    charges: Charges,
}

/// What an eligibility is made under.
#[derive(Clone, Copy)]
pub struct Versions {
    /// Of directory and scheme together.
    pub eligibility: u32,
    /// Of the scheme alone.
    pub scheme: u32,
}

impl Default for EligibilityTable {
    fn default() -> EligibilityTable {
        let nobody = Eligibility {
            audiences: SmallVec::new(),
            scheme_version: 0,
            class: PrefixClass::ACCEPTED,
            key: None,
            refs: 1,
            octets: 0,
        };
        EligibilityTable {
            entries: vec![nobody],
            index: HashMap::default(),
            free: Vec::new(),
            audience_count: 0,
            charges: Charges::default(),
        }
    }
}

impl EligibilityTable {
    /// Takes a reference on the eligibility of an accepted path.
    pub fn intern(
        &mut self,
        request: Request<'_>,
        versions: Versions,
        directory: &Directory,
    ) -> EligibilityId {
        let Request {
            announcer,
            actions,
            class,
            tags,
        } = request;
        let key = Key::Accepted {
            announcer,
            version: versions.eligibility,
            class,
            actions: actions.map(|actions| Box::new(actions.clone())),
        };
        if let Some(&id) = self.index.get(&key) {
            self.entries[id as usize].refs += 1;
            return EligibilityId(id);
        }
        let none = Actions::default();
        let audiences = audiences(announcer, actions.unwrap_or(&none), class, tags, directory);
        let octets = audiences
            .iter()
            .map(|(_, clients)| clients.octets())
            .sum::<usize>()
            + 2 * actions.map_or(0, Actions::octets)
            + size_of::<Eligibility>();
        self.audience_count += audiences.len();
        self.charges.add(announcer, octets);
        self.insert(Eligibility {
            audiences,
            scheme_version: versions.scheme,
            class,
            key: Some(key),
            refs: 1,
            octets,
        })
    }

    /// Takes a reference on the eligibility of a path that nobody may have, whatever it asks for.
    pub fn intern_nobody(&mut self, class: PrefixClass) -> EligibilityId {
        let key = Key::Nobody(class);
        if let Some(&id) = self.index.get(&key) {
            self.entries[id as usize].refs += 1;
            return EligibilityId(id);
        }
        self.insert(Eligibility {
            audiences: SmallVec::new(),
            scheme_version: 0,
            class,
            key: Some(key),
            refs: 1,
            octets: 0,
        })
    }

    fn insert(&mut self, eligibility: Eligibility) -> EligibilityId {
        let key = eligibility.key.clone();
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = eligibility;
                id
            }
            None => {
                self.entries.push(eligibility);
                (self.entries.len() - 1) as u32
            }
        };
        self.index.extend(key.map(|key| (key, id)));
        EligibilityId(id)
    }

    pub fn retain(&mut self, id: EligibilityId) {
        if id != EligibilityId::NOBODY {
            self.entries[id.0 as usize].refs += 1;
        }
    }

    pub fn release(&mut self, id: EligibilityId) {
        if id == EligibilityId::NOBODY {
            return;
        }
        let entry = &mut self.entries[id.0 as usize];
        entry.refs -= 1;
        if entry.refs == 0 {
            if let Some(key) = entry.key.take() {
                if let Key::Accepted { announcer, .. } = key {
                    self.charges.give_back(announcer, entry.octets);
                }
                self.index.remove(&key);
            }
            self.audience_count -= entry.audiences.len();
            entry.audiences.clear();
            self.free.push(id.0);
        }
    }

    pub fn eligibility(&self, id: EligibilityId) -> &Eligibility {
        &self.entries[id.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many distinct audiences and how many variants with prepends there are.
    pub fn audience_count(&self) -> usize {
        self.audience_count
    }

    /// How many distinct prefix classes and variants there are. Looks at all that is held.
    pub fn kinds(&self) -> (usize, usize) {
        let held = || self.entries.iter().filter(|entry| entry.refs > 0);
        let classes: HashSet<PrefixClass> = held().map(|entry| entry.class).collect();
        let variants = held().flat_map(|entry| &entry.audiences);
        let variants: HashSet<Variant> = variants.map(|(variant, _)| *variant).collect();
        (classes.len(), variants.len())
    }

    /// Octets of the eligibilities of an announcer's paths: many distinct requests cost more than
    /// the communities that make them.
    pub fn charge_of(&self, announcer: ClientSlot) -> usize {
        self.charges.of(announcer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Asn;
    use crate::policy::DirectoryEntry;

    #[test]
    fn an_announcer_pays_for_each_distinct_request_as_long_as_it_is_held() {
        let entry = |slot| DirectoryEntry::new(ClientSlot(slot), Asn(100 + u32::from(slot)));
        let directory: Directory = (0..2_000).map(entry).collect();
        let not_to = |asn: u32| Actions {
            not_to: [Asn(asn)].into_iter().collect(),
            ..Actions::default()
        };
        let versions = Versions {
            eligibility: 1,
            scheme: 1,
        };
        let mut table = EligibilityTable::default();
        let mut intern = |slot: u16, asn: u32| {
            let actions = not_to(asn);
            let request = Request {
                announcer: ClientSlot(slot),
                actions: Some(&actions),
                class: PrefixClass::ACCEPTED,
                tags: 0,
            };
            let id = table.intern(request, versions, &directory);
            (
                id,
                table.charge_of(ClientSlot(slot)),
                table.audience_count(),
            )
        };
        let (first, one, _) = intern(3, 100);
        assert!(one >= 2_000 / 8, "its bitmap counts: {one}");
        let (again, same, _) = intern(3, 100);
        assert_eq!((again, same), (first, one), "equal requests are one");
        let (second, two, audiences) = intern(3, 101);
        assert!((2 * one - 32..=2 * one + 32).contains(&two));
        assert_eq!(audiences, 2);
        for id in [first, first, second] {
            table.release(id);
        }
        assert_eq!(table.charge_of(ClientSlot(3)), 0);
        assert_eq!(table.audience_count(), 0);
    }
}
