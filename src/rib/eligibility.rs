//! Who may have a path, and in which variant: the interned outcome for (announcer, actions).

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::base::{ClientSet, ClientSlot};
use crate::policy::{Actions, Directory, audiences};
use crate::wire::Variant;

/// An eligibility's place in its shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EligibilityId(pub u32);

impl EligibilityId {
    /// Of rejected paths: nobody.
    pub const NOBODY: EligibilityId = EligibilityId(0);
}

/// Immutable once made. A new version of the directory or the scheme makes new ones, so that the
/// old state of a prefix is computed with what was old.
pub struct Eligibility {
    /// Disjoint sets of configured clients, whether they are up or not.
    pub audiences: SmallVec<[(Variant, ClientSet); 1]>,
    /// Of the scheme under which control communities are stripped.
    pub scheme_version: u32,
    key: Option<Key>,
    refs: u32,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    announcer: ClientSlot,
    version: u32,
    actions: Option<Box<Actions>>,
}

/// Whoever holds an [`EligibilityId`] holds a reference.
pub struct EligibilityTable {
    entries: Vec<Eligibility>,
    index: HashMap<Key, u32, foldhash::fast::RandomState>,
    free: Vec<u32>,
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
            key: None,
            refs: 1,
        };
        EligibilityTable {
            entries: vec![nobody],
            index: HashMap::default(),
            free: Vec::new(),
        }
    }
}

impl EligibilityTable {
    /// Takes a reference on the eligibility of a path.
    pub fn intern(
        &mut self,
        announcer: ClientSlot,
        actions: Option<&Actions>,
        versions: Versions,
        directory: &Directory,
    ) -> EligibilityId {
        let key = Key {
            announcer,
            version: versions.eligibility,
            actions: actions.map(|actions| Box::new(actions.clone())),
        };
        if let Some(&id) = self.index.get(&key) {
            self.entries[id as usize].refs += 1;
            return EligibilityId(id);
        }
        let none = Actions::default();
        let eligibility = Eligibility {
            audiences: audiences(announcer, actions.unwrap_or(&none), directory),
            scheme_version: versions.scheme,
            key: Some(key.clone()),
            refs: 1,
        };
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
        self.index.insert(key, id);
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
                self.index.remove(&key);
            }
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
        self.entries.iter().map(|entry| entry.audiences.len()).sum()
    }
}
