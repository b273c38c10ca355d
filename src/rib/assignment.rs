//! The per-client Loc-RIBs of one prefix: one walk over the ranked candidates that serves every
//! client, so that nobody's path is hidden by somebody else's (RFC 7947 §2.3).

use std::borrow::Cow;
use std::cmp::Ordering;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::base::{Asn, ClientSet, ClientSlot, Family, FamilySet};
use crate::wire::{CommunityScrub, EncodingClass, Variant, VariantFlags};

use super::{Decision, EligibilityTable, MedMode, Path, Rank, SetTable};

/// Clients of one family that get one best path, and those that get all (RFC 7911).
#[derive(Clone, Default, Debug)]
pub struct Scope {
    pub best: ClientSet,
    pub all: ClientSet,
}

impl Scope {
    pub fn is_empty(&self) -> bool {
        self.best.is_empty() && self.all.is_empty()
    }

    pub fn subtract(&mut self, clients: &ClientSet) {
        self.best.subtract(clients);
        self.all.subtract(clients);
    }

    pub fn union_with(&mut self, other: &Scope) {
        self.best.union_with(&other.best);
        self.all.union_with(&other.all);
    }

    pub fn contains(&self, slot: ClientSlot) -> bool {
        self.best.contains(slot) || self.all.contains(slot)
    }
}

/// Sessions by what they can be sent; asked only for sets that do not fit everybody.
#[derive(Default, Debug)]
pub struct Capacities {
    /// For each family; ADD-PATH is that of the family.
    members: [Vec<(EncodingClass, ClientSet)>; 2],
    /// Sessions that take no long-lived stale routes (RFC 9494 §4.3).
    no_stale: ClientSet,
}

impl Capacities {
    pub fn insert(&mut self, slot: ClientSlot, class: EncodingClass, takes_stale: bool) {
        if !takes_stale {
            self.no_stale.insert(slot);
        }
        for family in Family::ALL {
            let class = Capacities::narrowed(class, family);
            let members = &mut self.members[family.index()];
            match members.iter_mut().find(|(known, _)| *known == class) {
                Some((_, set)) => set.insert(slot),
                None => members.push((class, ClientSet::only(slot))),
            }
        }
    }

    pub fn remove(&mut self, slot: ClientSlot) {
        self.no_stale.remove(slot);
        for (_, set) in self.members.iter_mut().flatten() {
            set.remove(slot);
        }
    }

    /// Sessions to which the set cannot be sent in this variant.
    fn excluded(
        &self,
        sets: &mut SetTable,
        path: &Path,
        variant: Variant,
        family: Family,
        scrub: (u32, &dyn CommunityScrub),
    ) -> ClientSet {
        let mut excluded = match variant.flags.contains(VariantFlags::LLGR_STALE) {
            true => self.no_stale.clone(),
            false => ClientSet::new(),
        };
        for (class, members) in &self.members[family.index()] {
            if !sets.fits(path.set, variant, class, family, scrub) {
                excluded.union_with(members);
            }
        }
        excluded
    }

    fn narrowed(class: EncodingClass, family: Family) -> EncodingClass {
        let add_path = if class.add_path.contains(family) {
            FamilySet::ALL
        } else {
            FamilySet::EMPTY
        };
        EncodingClass {
            add_path,
            v6_next_hops: class.v6_next_hops && family == Family::Ipv4,
            ..class
        }
    }
}

/// One path in one variant, with the clients that may have it.
struct Candidate<'a> {
    rank: Rank,
    path: u16,
    variant: Variant,
    audience: Cow<'a, ClientSet>,
}

/// What some clients have: a path in a variant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assigned {
    /// Into the path list.
    pub path: u16,
    pub variant: Variant,
    pub clients: ClientSet,
}

pub type Assignment = SmallVec<[Assigned; 2]>;

/// What a prefix's clients have.
#[derive(Default, Debug)]
pub struct Assignments {
    /// Each client at most once.
    pub best: Assignment,
    /// Each (client, path) at most once.
    pub all: Assignment,
}

/// The tables an assignment is computed from.
pub struct Tables<'a> {
    pub sets: &'a mut SetTable,
    pub eligibilities: &'a EligibilityTable,
    pub announcers: &'a [super::AnnouncerOrder],
    pub capacities: &'a Capacities,
    /// What goes on export, by the last bit of the scheme's version: paths that a reload has not
    /// reached are still of the one before.
    pub scrubs: [&'a dyn CommunityScrub; 2],
}

impl<'a> Tables<'a> {
    /// Who in `scope` has which of `paths`, under `med`.
    pub fn assign(
        &mut self,
        paths: &[Path],
        family: Family,
        med: MedMode,
        scope: &Scope,
    ) -> Assignments {
        if scope.is_empty() {
            return Assignments::default();
        }
        let candidates = self.candidates(paths, family, med);
        let decision = Decision {
            med,
            sets: self.sets,
            announcers: self.announcers,
        };
        Assignments {
            best: best_paths(&decision, paths, &candidates, &scope.best),
            all: all_paths(&candidates, &scope.all),
        }
    }

    /// Who can be sent one path: all of `audiences` but those whose messages it is too long for, in
    /// the variant meant for them. Communities are stripped as the scheme of `version` does.
    pub fn reach<'b>(
        &mut self,
        path: &Path,
        audiences: impl IntoIterator<Item = &'b (Variant, ClientSet)>,
        family: Family,
        version: u32,
    ) -> ClientSet {
        let scrub = (version, self.scrubs[version as usize % 2]);
        let mut reached = ClientSet::new();
        for (variant, audience) in audiences {
            let capacities = self.capacities;
            let excluded = capacities.excluded(self.sets, path, *variant, family, scrub);
            match excluded.is_empty() {
                true => reached.union_with(audience),
                false => reached.union_with(&audience.difference(&excluded)),
            }
        }
        reached
    }

    /// The accepted paths, each in each of its variants, in the order of preference.
    fn candidates(
        &mut self,
        paths: &[Path],
        family: Family,
        med: MedMode,
    ) -> SmallVec<[Candidate<'a>; 4]> {
        let eligibilities = self.eligibilities;
        let mut candidates = SmallVec::new();
        let mut prepended = false;
        for (index, path) in paths
            .iter()
            .enumerate()
            .take_while(|(_, path)| path.verdict.is_accepted())
        {
            let eligibility = eligibilities.eligibility(path.eligibility);
            let version = eligibility.scheme_version;
            let scrub = (version, self.scrubs[version as usize % 2]);
            for (variant, audience) in &eligibility.audiences {
                prepended |= variant.prepend > 0;
                let mut audience = Cow::Borrowed(audience);
                let is_stale = variant.flags.contains(VariantFlags::LLGR_STALE);
                if is_stale || !self.sets.fits_everybody(path.set, family) {
                    let excluded = self
                        .capacities
                        .excluded(self.sets, path, *variant, family, scrub);
                    if !excluded.is_empty() {
                        audience.to_mut().subtract(&excluded);
                    }
                }
                let rank = path.rank.prepended(variant.prepend);
                candidates.push(Candidate {
                    rank,
                    path: index as u16,
                    variant: *variant,
                    audience,
                });
            }
        }
        if prepended {
            let decision = Decision {
                med,
                sets: self.sets,
                announcers: self.announcers,
            };
            candidates.sort_by(|a: &Candidate<'_>, b: &Candidate<'_>| {
                let (x, y) = (&paths[usize::from(a.path)], &paths[usize::from(b.path)]);
                let med = || match med {
                    MedMode::Always => decision.med_of(x).cmp(&decision.med_of(y)),
                    MedMode::SameAs | MedMode::Ignore => Ordering::Equal,
                };
                a.rank
                    .cmp(&b.rank)
                    .then_with(med)
                    .then_with(|| decision.compare_announcers(x.announcer, y.announcer))
            });
        }
        candidates
    }
}

fn all_paths(candidates: &[Candidate<'_>], scope: &ClientSet) -> Assignment {
    if scope.is_empty() {
        return Assignment::new();
    }
    candidates
        .iter()
        .map(|candidate| Assigned {
            path: candidate.path,
            variant: candidate.variant,
            clients: candidate.audience.intersection(scope),
        })
        .filter(|assigned| !assigned.clients.is_empty())
        .collect()
}

fn best_paths(
    decision: &Decision<'_>,
    paths: &[Path],
    candidates: &[Candidate<'_>],
    scope: &ClientSet,
) -> Assignment {
    let mut assignment = Assignment::new();
    let mut unserved = scope.clone();
    let mut rest = candidates;
    while let Some(first) = rest.first() {
        if unserved.is_empty() {
            break;
        }
        let tied_count = rest
            .iter()
            .take_while(|candidate| candidate.rank == first.rank)
            .count();
        let (tied, after) = rest.split_at(tied_count);
        rest = after;
        if decision.med == MedMode::SameAs && tied.len() > 1 {
            let meds = meds_of(decision, paths, tied);
            if has_med_conflict(&meds) {
                eliminate(&meds, tied, &mut unserved, &mut assignment);
                continue;
            }
        }
        for candidate in tied {
            serve(candidate, &mut unserved, &mut assignment);
        }
    }
    assignment
}

fn serve(candidate: &Candidate<'_>, unserved: &mut ClientSet, assignment: &mut Assignment) {
    let clients = candidate.audience.intersection(unserved);
    if !clients.is_empty() {
        unserved.subtract(&clients);
        assignment.push(Assigned {
            path: candidate.path,
            variant: candidate.variant,
            clients,
        });
    }
}

/// Leftmost AS and MED of each of the tied.
type Meds = SmallVec<[(Option<Asn>, u32); 8]>;

fn meds_of(decision: &Decision<'_>, paths: &[Path], tied: &[Candidate<'_>]) -> Meds {
    tied.iter()
        .map(|candidate| {
            let path = &paths[usize::from(candidate.path)];
            (decision.neighbour_of(path), decision.med_of(path))
        })
        .collect()
}

/// Whether two of the tied share their leftmost AS and differ in MED.
fn has_med_conflict(meds: &Meds) -> bool {
    let mut sorted = meds.clone();
    sorted.sort_unstable();
    sorted
        .windows(2)
        .any(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1)
}

/// RFC 4271 §9.1.2.2 (c) for each distinct subset of the tied candidates that clients may have.
fn eliminate(
    meds: &Meds,
    tied: &[Candidate<'_>],
    unserved: &mut ClientSet,
    assignment: &mut Assignment,
) {
    for (clients, eligible) in eligible_subsets(tied, unserved) {
        let mut lowest: FxHashMap<Option<Asn>, u32> = FxHashMap::default();
        for &index in &eligible {
            let (neighbour, med) = meds[index];
            let low = lowest.entry(neighbour).or_insert(med);
            *low = med.min(*low);
        }
        // In the order of preference, so the first that no MED takes out is the best.
        let best = eligible
            .iter()
            .find(|&&index| lowest[&meds[index].0] == meds[index].1)
            .map(|&index| &tied[index]);
        let Some(best) = best else { continue };
        unserved.subtract(&clients);
        match assignment
            .iter_mut()
            .find(|known| known.path == best.path && known.variant == best.variant)
        {
            Some(known) => known.clients.union_with(&clients),
            None => assignment.push(Assigned {
                path: best.path,
                variant: best.variant,
                clients,
            }),
        }
    }
}

/// Splits the unserved clients by which of the tied candidates they may have; those that may have
/// none are left out.
fn eligible_subsets(
    tied: &[Candidate<'_>],
    unserved: &ClientSet,
) -> Vec<(ClientSet, SmallVec<[usize; 8]>)> {
    let mut parts: Vec<(ClientSet, SmallVec<[usize; 8]>)> =
        vec![(unserved.clone(), SmallVec::new())];
    for (index, candidate) in tied.iter().enumerate() {
        let mut split = Vec::new();
        for (clients, eligible) in &mut parts {
            let with = clients.intersection(&candidate.audience);
            if with.is_empty() {
                continue;
            }
            clients.subtract(&with);
            let mut more = eligible.clone();
            more.push(index);
            split.push((with, more));
        }
        parts.retain(|(clients, _)| !clients.is_empty());
        parts.append(&mut split);
    }
    parts.retain(|(_, eligible)| !eligible.is_empty());
    parts
}
