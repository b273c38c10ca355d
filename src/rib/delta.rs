//! What a change of a prefix's paths means for the clients, gathered and put in order.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::base::{Asn, ClientSet, Family, PathId, PrefixSlot};
use crate::wire::{AttributeSet, Variant, VariantFlags};

use super::{Assigned, Assignments, EligibilityTable, Path, SetId, SetTable};

/// Announce or withdraw, and in which form: packs into a number that orders records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    pub family: Family,
    pub withdraw: bool,
    pub variant: Variant,
    pub path_id: Option<PathId>,
}

impl Form {
    /// Withdrawals before announcements. From the top: family, announcement, prepends (2 bits), path
    /// identifier (17 bits), prepended ASN (32 bits), flags (8 bits), tags (16 bits).
    pub fn packed(&self) -> u128 {
        let path_id = self.path_id.map_or(0, |id| id.0);
        debug_assert!(path_id < 1 << 17);
        let variant = &self.variant;
        let head = u64::from(self.family as u8) << 52
            | u64::from(!self.withdraw) << 51
            | u64::from(variant.prepend & 3) << 49
            | u64::from(path_id) << 32
            | u64::from(variant.prepend_as.0);
        u128::from(head) << 24 | u128::from(variant.flags.bits()) << 16 | u128::from(variant.tags)
    }

    pub fn unpacked(packed: u128) -> Form {
        let head = (packed >> 24) as u64;
        let path_id = (head >> 32 & 0x1_ffff) as u32;
        Form {
            family: if head >> 52 & 1 == 0 {
                Family::Ipv4
            } else {
                Family::Ipv6
            },
            withdraw: head >> 51 & 1 == 0,
            variant: Variant {
                prepend: (head >> 49 & 3) as u8,
                flags: VariantFlags::from_bits((packed >> 16) as u8),
                tags: packed as u16,
                prepend_as: Asn(head as u32),
            },
            path_id: (path_id != 0).then_some(PathId(path_id)),
        }
    }
}

/// What one audience gets or loses, in one form: the same for many prefixes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChangeGroup {
    /// Content hashes first: they order groups alike on every shard.
    pub audience_hash: u64,
    pub set_hash: u64,
    /// [`Form::packed`].
    pub form: u128,
    /// Into [`Changes::audience`].
    pub audience: u32,
    /// `None` for a withdrawal.
    pub set: Option<SetId>,
}

/// One prefix of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Into [`Changes::group`].
    pub group: u32,
    pub slot: PrefixSlot,
}

/// Records of many prefixes, with their groups and audiences interned.
pub struct Changes {
    hasher: FixedState,
    audiences: Vec<(Arc<ClientSet>, u64)>,
    audience_index: HashMap<Arc<ClientSet>, u32, FixedState>,
    groups: Vec<ChangeGroup>,
    group_index: HashTable<u32>,
    records: Vec<Record>,
}

impl Changes {
    /// `seed` is the same on every shard, so that equal audiences hash alike.
    pub fn new(seed: u64) -> Changes {
        let hasher = FixedState::with_seed(seed);
        Changes {
            hasher,
            audiences: Vec::new(),
            audience_index: HashMap::with_hasher(FixedState::with_seed(seed)),
            groups: Vec::new(),
            group_index: HashTable::new(),
            records: Vec::new(),
        }
    }

    pub fn push(
        &mut self,
        sets: &SetTable,
        set: Option<SetId>,
        form: Form,
        clients: ClientSet,
        slot: PrefixSlot,
    ) {
        debug_assert!(!clients.is_empty());
        let audience = match self.audience_index.get(&clients) {
            Some(&known) => known,
            None => {
                let id = self.audiences.len() as u32;
                let hash = self.hasher.hash_one(&clients);
                let clients = Arc::new(clients);
                self.audiences.push((clients.clone(), hash));
                self.audience_index.insert(clients, id);
                id
            }
        };
        let group = self.intern(ChangeGroup {
            audience_hash: self.audiences[audience as usize].1,
            set_hash: set.map_or(0, |set| sets.set(set).hash()),
            form: form.packed(),
            audience,
            set,
        });
        self.records.push(Record { group, slot });
    }

    fn intern(&mut self, group: ChangeGroup) -> u32 {
        let (groups, hasher) = (&self.groups, &self.hasher);
        let found = self.group_index.entry(
            hasher.hash_one(group),
            |&id| groups[id as usize] == group,
            |&id| hasher.hash_one(groups[id as usize]),
        );
        match found {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let id = self.groups.len() as u32;
                vacant.insert(id);
                self.groups.push(group);
                id
            }
        }
    }

    /// The same as these records say, of another prefix.
    pub fn repeat(&mut self, records: Range<usize>, slot: PrefixSlot) {
        for index in records {
            let group = self.records[index].group;
            self.records.push(Record { group, slot });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn audience(&self, id: u32) -> &Arc<ClientSet> {
        &self.audiences[id as usize].0
    }

    pub fn group(&self, id: u32) -> &ChangeGroup {
        &self.groups[id as usize]
    }

    pub fn groups(&self) -> &[ChangeGroup] {
        &self.groups
    }

    /// Puts the records of a group next to each other, what one audience gets in a row, and within a
    /// group those that came first first. The groups of an audience are in the order of
    /// [`ChangeGroup`], which is the same on every shard.
    pub fn sort(&mut self) {
        self.sort_groups(|id, group| (*group, id));
    }

    /// The same, but that of one audience's groups too those come first that came first: where there
    /// is no other shard, neighbours stay neighbours, and who reads finds them together.
    pub fn sort_as_they_came(&mut self) {
        self.sort_groups(|id, group| (group.audience_hash, group.audience, id));
    }

    fn sort_groups<K: Ord>(&mut self, key: impl Fn(u32, &ChangeGroup) -> K) {
        let mut order: Vec<u32> = (0..self.groups.len() as u32).collect();
        order.sort_unstable_by_key(|&id| key(id, &self.groups[id as usize]));
        let mut places = vec![0u32; self.groups.len()];
        for record in &self.records {
            places[record.group as usize] += 1;
        }
        // From counts to where each group begins; that moves on as its records are placed.
        let mut start = 0;
        for &id in &order {
            let count = std::mem::replace(&mut places[id as usize], start);
            start += count;
        }
        let mut sorted = self.records.clone();
        for record in &self.records {
            let place = &mut places[record.group as usize];
            sorted[*place as usize] = *record;
            *place += 1;
        }
        self.records = sorted;
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// A prefix and its family, for records.
#[derive(Clone, Copy)]
pub struct At {
    pub slot: PrefixSlot,
    pub family: Family,
}

/// Appends what `new` assigns: every announcement, and for clients of `scope_best` that are served
/// nothing a withdrawal if `withdraw` says so.
pub fn present(
    changes: &mut Changes,
    sets: &SetTable,
    at: At,
    paths: &[Path],
    new: &Assignments,
    withdraw: Option<&super::Scope>,
    path_ids: &[PathId],
) {
    for assigned in &new.best {
        announce(
            changes,
            sets,
            at,
            paths,
            assigned,
            None,
            assigned.clients.clone(),
        );
    }
    for assigned in &new.all {
        let id = PathId::of(paths[usize::from(assigned.path)].announcer);
        announce(
            changes,
            sets,
            at,
            paths,
            assigned,
            Some(id),
            assigned.clients.clone(),
        );
    }
    let Some(scope) = withdraw else { return };
    let mut unserved = scope.best.clone();
    new.best
        .iter()
        .for_each(|assigned| unserved.subtract(&assigned.clients));
    if !unserved.is_empty() {
        changes.push(sets, None, withdrawal(at, None), unserved, at.slot);
    }
    for &path_id in path_ids {
        let mut unserved = scope.all.clone();
        for assigned in &new.all {
            if PathId::of(paths[usize::from(assigned.path)].announcer) == path_id {
                unserved.subtract(&assigned.clients);
            }
        }
        if !unserved.is_empty() {
            changes.push(sets, None, withdrawal(at, Some(path_id)), unserved, at.slot);
        }
    }
}

/// Appends the difference between what clients had of a prefix and what they have now.
pub fn difference(
    changes: &mut Changes,
    sets: &SetTable,
    eligibilities: &EligibilityTable,
    at: At,
    (old_paths, old): (&[Path], &Assignments),
    (new_paths, new): (&[Path], &Assignments),
) {
    let same = |o: &Assigned, n: &Assigned| {
        let (old_path, new_path) = (
            &old_paths[usize::from(o.path)],
            &new_paths[usize::from(n.path)],
        );
        old_path.set == new_path.set
            && o.variant == n.variant
            && (eligibilities
                .eligibility(old_path.eligibility)
                .scheme_version
                == eligibilities
                    .eligibility(new_path.eligibility)
                    .scheme_version
                || !hangs_on_scheme(sets.set(new_path.set), n.variant))
    };
    for n in &new.best {
        let mut clients = n.clients.clone();
        old.best
            .iter()
            .filter(|o| same(o, n))
            .for_each(|o| clients.subtract(&o.clients));
        announce(changes, sets, at, new_paths, n, None, clients);
    }
    let mut lost = ClientSet::new();
    old.best.iter().for_each(|o| lost.union_with(&o.clients));
    new.best.iter().for_each(|n| lost.subtract(&n.clients));
    if !lost.is_empty() {
        changes.push(sets, None, withdrawal(at, None), lost, at.slot);
    }
    if old.all.is_empty() && new.all.is_empty() {
        return;
    }
    let announcer =
        |paths: &[Path], assigned: &Assigned| paths[usize::from(assigned.path)].announcer;
    for n in &new.all {
        let slot = announcer(new_paths, n);
        let mut clients = n.clients.clone();
        old.all
            .iter()
            .filter(|o| announcer(old_paths, o) == slot && same(o, n))
            .for_each(|o| clients.subtract(&o.clients));
        announce(
            changes,
            sets,
            at,
            new_paths,
            n,
            Some(PathId::of(slot)),
            clients,
        );
    }
    for o in &old.all {
        let slot = announcer(old_paths, o);
        let mut clients = o.clients.clone();
        new.all
            .iter()
            .filter(|n| announcer(new_paths, n) == slot)
            .for_each(|n| clients.subtract(&n.clients));
        if !clients.is_empty() {
            changes.push(
                sets,
                None,
                withdrawal(at, Some(PathId::of(slot))),
                clients,
                at.slot,
            );
        }
    }
}

/// Whether another scheme may take communities away from such a path, or add others.
fn hangs_on_scheme(set: &AttributeSet, variant: Variant) -> bool {
    set.facts().has_communities || variant.adds_communities()
}

fn announce(
    changes: &mut Changes,
    sets: &SetTable,
    at: At,
    paths: &[Path],
    assigned: &Assigned,
    path_id: Option<PathId>,
    clients: ClientSet,
) {
    if clients.is_empty() {
        return;
    }
    let form = Form {
        family: at.family,
        withdraw: false,
        variant: assigned.variant,
        path_id,
    };
    changes.push(
        sets,
        Some(paths[usize::from(assigned.path)].set),
        form,
        clients,
        at.slot,
    );
}

fn withdrawal(at: At, path_id: Option<PathId>) -> Form {
    Form {
        family: at.family,
        withdraw: true,
        variant: Variant::default(),
        path_id,
    }
}
