//! What a route server owes each client: for each prefix the candidates, and the best of those
//! that the client may have, found by looking at all of them each time it is asked. `expected`
//! remembers the answers.

use clap::ValueEnum;
use hashbrown::HashMap;
use serde::Serialize;
use smallvec::SmallVec;

use super::attributes::{Attributes, path_len, read_attribute, split_key};
use super::forms::{FormId, Forms, NOTHING};
use super::plan::Plan;
use super::rules;

/// How much is asked of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The best of the paths that the client may have, by Rialto's order.
    Exact,
    /// Any of the paths that the client may have; nothing only if there is none.
    Eligible,
    /// As `eligible`, and nothing where a path exists that the client may not have.
    HidingAllowed,
}

impl Check {
    /// As it is written after --check.
    pub const fn name(self) -> &'static str {
        match self {
            Check::Exact => "exact",
            Check::Eligible => "eligible",
            Check::HidingAllowed => "hiding-allowed",
        }
    }
}

/// An announced set with all that decides about it.
struct Candidate {
    client: u16,
    path_len: u16,
    origin: u8,
    /// Number of its [`Verdicts`], or [`EVERYBODY`].
    verdicts: u32,
    /// What goes out, unprepended.
    form: FormId,
}

/// Who announces a prefix, and with which set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announced {
    client: u16,
    /// As the set's candidate has it, or [`MANY`].
    verdicts: u16,
    set: u32,
}

const _: () = assert!(size_of::<Announced>() == 8);

/// By client: how many prepends it gets, or [`DENIED`].
type Verdicts = Box<[u8]>;
const DENIED: u8 = 0xff;
/// In place of a number: everybody may have it, unprepended.
const EVERYBODY: u32 = u32::MAX;
/// In place of a number that is too large for [`Announced`].
const MANY: u16 = u16::MAX - 1;

/// Control communities that mean the same to everybody.
#[derive(PartialEq, Eq, Hash)]
struct Controls {
    standard: Vec<u32>,
    large: Vec<[u32; 3]>,
}

pub struct Model {
    pub check: Check,
    pub forms: Forms,
    server_asn: u32,
    asns: Vec<u32>,
    add_path: Vec<bool>,
    candidates: Vec<Candidate>,
    verdicts: Vec<Verdicts>,
    verdicts_of: HashMap<Controls, u32>,
    /// What goes out with so many prepends, where that occurs.
    prepended: HashMap<(u32, u8), FormId>,
    /// For each prefix who announces it, with which set; ascending by client.
    routes: Vec<SmallVec<[Announced; 2]>>,
}

impl Model {
    /// Knows all sets of the plan; nobody announces anything yet.
    pub fn new(plan: &Plan, check: Check) -> Model {
        let mut model = Model {
            check,
            forms: Forms::default(),
            server_asn: plan.server_asn,
            asns: plan.clients.iter().map(|client| client.asn).collect(),
            add_path: plan.clients.iter().map(|client| client.add_path).collect(),
            candidates: Vec::with_capacity(plan.sets.len()),
            verdicts: Vec::new(),
            verdicts_of: HashMap::new(),
            prepended: HashMap::new(),
            routes: vec![SmallVec::new(); plan.prefixes.len()],
        };
        for set in 0..plan.sets.len() as u32 {
            model.add_set(plan.sets.client(set), plan.sets.key(set));
        }
        model
    }

    /// Sets are numbered in the order of being added; `key` is as [`Attributes::key`] writes it.
    pub fn add_set(&mut self, client: u16, key: &[u8]) -> u32 {
        let glance = Glance::at(key, self.server_asn);
        let (verdicts, form) = match glance.has_controls {
            true => self.add_controlled(client, key),
            false => (EVERYBODY, self.forms.intern_key(key)),
        };
        self.candidates.push(Candidate {
            client,
            path_len: glance.path_len,
            origin: glance.origin,
            verdicts,
            form,
        });
        (self.candidates.len() - 1) as u32
    }

    /// The set that is added next, which says to whom it may go.
    fn add_controlled(&mut self, client: u16, key: &[u8]) -> (u32, FormId) {
        let attributes = Attributes::from_key(key).expect("these octets are our own");
        let mut stripped = attributes.clone();
        rules::strip(&mut stripped, self.server_asn);
        let verdicts = self.verdicts_of(&attributes);
        let set = self.candidates.len() as u32;
        for prepends in 1..=3 {
            if self.verdicts[verdicts as usize].contains(&prepends) {
                let mut out = stripped.clone();
                out.prepend(self.asns[usize::from(client)], prepends.into());
                out.normalise();
                let form = self.forms.intern(&out);
                self.prepended.insert((set, prepends), form);
            }
        }
        stripped.normalise();
        (verdicts, self.forms.intern(&stripped))
    }

    fn verdicts_of(&mut self, attributes: &Attributes) -> u32 {
        let (standard, large) = rules::controls(attributes, self.server_asn);
        let next = self.verdicts.len() as u32;
        let controls = Controls { standard, large };
        let number = *self.verdicts_of.entry(controls).or_insert(next);
        if number == next {
            let verdict =
                |&asn: &u32| rules::verdict(attributes, asn, self.server_asn).unwrap_or(DENIED);
            self.verdicts.push(self.asns.iter().map(verdict).collect());
        }
        number
    }

    pub fn announce(&mut self, client: u16, prefix: u32, set: u32) {
        let verdicts = match self.candidates[set as usize].verdicts {
            EVERYBODY => u16::MAX,
            number => u16::try_from(number).map_or(MANY, |number| number.min(MANY)),
        };
        let route = Announced {
            client,
            verdicts,
            set,
        };
        let routes = &mut self.routes[prefix as usize];
        match routes.binary_search_by_key(&client, |route| route.client) {
            Ok(at) => routes[at] = route,
            Err(at) => routes.insert(at, route),
        }
    }

    pub fn withdraw(&mut self, client: u16, prefix: u32) {
        self.routes[prefix as usize].retain(|route| route.client != client);
    }

    /// Which set the client announces for the prefix now.
    pub fn announced(&self, client: u16, prefix: u32) -> Option<u32> {
        self.routes(prefix)
            .iter()
            .find(|route| route.client == client)
            .map(|route| route.set)
    }

    /// Ascending by client.
    pub fn routes(&self, prefix: u32) -> &[Announced] {
        &self.routes[prefix as usize]
    }

    fn verdict(&self, route: &Announced, receiver: u16) -> Option<u8> {
        if receiver == route.client {
            return None;
        }
        let number = match route.verdicts {
            MANY => self.candidates[route.set as usize].verdicts as usize,
            number => usize::from(number),
        };
        match self.verdicts.get(number) {
            Some(verdicts) if route.verdicts != u16::MAX => {
                Some(verdicts[usize::from(receiver)]).filter(|verdict| *verdict != DENIED)
            }
            _ => Some(0),
        }
    }

    fn form(&self, set: u32, prepends: u8) -> FormId {
        match prepends {
            0 => self.candidates[set as usize].form,
            _ => self.prepended[&(set, prepends)],
        }
    }

    /// Sets that the receiver may have, with so many prepends.
    fn eligible(&self, receiver: u16, prefix: u32) -> impl Iterator<Item = (u32, u8)> {
        self.routes(prefix)
            .iter()
            .filter_map(move |route| Some((route.set, self.verdict(route, receiver)?)))
    }

    /// RFC 4271 §9.1.2.2 where every neighbouring AS has one session: MED never compares, and
    /// router identifiers are addresses, ascending like the clients. Less is preferred.
    fn preference(&self, set: u32, prepends: u8) -> (u16, u8, u16) {
        let path = &self.candidates[set as usize];
        (
            path.path_len + u16::from(prepends),
            path.origin,
            path.client,
        )
    }

    fn best(&self, receiver: u16, prefix: u32) -> FormId {
        self.eligible(receiver, prefix)
            .min_by_key(|&(set, prepends)| self.preference(set, prepends))
            .map_or(NOTHING, |(set, prepends)| self.form(set, prepends))
    }

    /// What a client with one path is owed for the prefix: most clients, and those who are owed
    /// something else, ascending.
    pub fn owed_by_all(&self, prefix: u32) -> (FormId, Vec<(u16, FormId)>) {
        let routes = self.routes(prefix);
        let has_verdicts = |route: &Announced| route.verdicts != u16::MAX;
        let owed = |receiver: u16| (receiver, self.best(receiver, prefix));
        let (common, owed): (FormId, Vec<(u16, FormId)>) = if routes.iter().any(has_verdicts) {
            let all: Vec<(u16, FormId)> = (0..self.asns.len() as u16).map(owed).collect();
            (most_frequent(&all), all)
        } else {
            // All but the announcer of the best path have that.
            let best = routes.iter().map(|route| route.set);
            match best.min_by_key(|&set| self.preference(set, 0)) {
                Some(best) => {
                    let announcer = self.candidates[best as usize].client;
                    (self.form(best, 0), vec![owed(announcer)])
                }
                None => (NOTHING, Vec::new()),
            }
        };
        let others = owed.into_iter().filter(|(_, form)| *form != common);
        (common, others.collect())
    }

    /// Whether a client that has `held` for the prefix has what it should.
    pub fn is_right(&self, receiver: u16, prefix: u32, held: &[FormId]) -> bool {
        if self.add_path[usize::from(receiver)] {
            return self.is_all(receiver, prefix, held);
        }
        let held = held.first().copied().unwrap_or(NOTHING);
        match self.check {
            Check::Exact => self.best(receiver, prefix) == held,
            Check::Eligible if held == NOTHING => self.eligible(receiver, prefix).next().is_none(),
            Check::HidingAllowed if held == NOTHING => {
                let routes = self.routes(prefix);
                routes.is_empty() || self.eligible(receiver, prefix).count() < routes.len()
            }
            _ => self
                .eligible(receiver, prefix)
                .any(|(set, prepends)| self.form(set, prepends) == held),
        }
    }

    /// Whether that is every path that the client may have, in any order.
    fn is_all(&self, receiver: u16, prefix: u32, held: &[FormId]) -> bool {
        // Most often it is not, as paths come one after another.
        if self.eligible(receiver, prefix).count() != held.len() {
            return false;
        }
        if held.len() > u64::BITS as usize {
            let mut held = held.to_vec();
            held.sort_unstable();
            return self.owed(receiver, prefix)[..] == held;
        }
        let mut unclaimed = match held.len() {
            0 => 0,
            count => u64::MAX >> (u64::BITS as usize - count),
        };
        for (set, prepends) in self.eligible(receiver, prefix) {
            let form = self.form(set, prepends);
            let place = (0..held.len()).find(|&at| held[at] == form && unclaimed & (1 << at) != 0);
            match place {
                Some(at) => unclaimed &= !(1 << at),
                None => return false,
            }
        }
        unclaimed == 0
    }

    /// All that the client may have, or with `exact` and one path that one; sorted.
    pub fn owed(&self, receiver: u16, prefix: u32) -> SmallVec<[FormId; 4]> {
        let mut owed: SmallVec<[FormId; 4]> = SmallVec::new();
        if self.check == Check::Exact && !self.add_path[usize::from(receiver)] {
            owed.extend(Some(self.best(receiver, prefix)).filter(|&form| form != NOTHING));
        } else {
            let eligible = self.eligible(receiver, prefix);
            owed.extend(eligible.map(|(set, prepends)| self.form(set, prepends)));
        }
        owed.sort_unstable();
        owed
    }
}

/// What decides about a set, read off its octets.
struct Glance {
    path_len: u16,
    origin: u8,
    has_controls: bool,
}

impl Glance {
    fn at(key: &[u8], server_asn: u32) -> Glance {
        let mut glance = Glance {
            path_len: 0,
            origin: 0,
            has_controls: false,
        };
        let (_, _, mut octets) = split_key(key);
        while !octets.is_empty() {
            let (attribute, rest) = read_attribute(octets).expect("these octets are our own");
            octets = rest;
            match attribute.kind {
                1 => glance.origin = attribute.value[0],
                2 => glance.path_len = path_len(attribute.value),
                8 | 32 => {
                    glance.has_controls |=
                        rules::are_controls(attribute.kind, attribute.value, server_asn);
                }
                _ => {}
            }
        }
        glance
    }
}

fn most_frequent(owed: &[(u16, FormId)]) -> FormId {
    let mut counts: SmallVec<[(FormId, usize); 8]> = SmallVec::new();
    for (_, form) in owed {
        match counts.iter_mut().find(|count| count.0 == *form) {
            Some(count) => count.1 += 1,
            None => counts.push((*form, 1)),
        }
    }
    let most = counts.iter().max_by_key(|count| count.1);
    most.map_or(NOTHING, |count| count.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FamilySet;
    use crate::load::plan::{Client, Sets};

    /// Client, path, communities of each path for one prefix.
    fn model(paths: &[(u16, &[u32], &[u32])], check: Check) -> Model {
        let net = "10.77.0.0/16".parse().unwrap();
        let clients: Vec<Client> = (0..4)
            .map(|i| Client::new(i, net, "fd77::".parse().unwrap()))
            .collect();
        let mut sets = Sets::default();
        for (client, path, communities) in paths {
            let mut attributes =
                Attributes::new(path, clients[usize::from(*client)].address.into());
            attributes.communities = communities.to_vec();
            sets.push(*client, &attributes);
        }
        let prefixes = vec!["192.0.2.0/24".parse().unwrap()];
        let plan = Plan {
            server_asn: 64500,
            families: FamilySet::ALL,
            clients,
            prefixes,
            sets,
        };
        let mut model = Model::new(&plan, check);
        paths
            .iter()
            .enumerate()
            .for_each(|(set, path)| model.announce(path.0, 0, set as u32));
        model
    }

    fn held_path(model: &Model, receiver: u16) -> String {
        model
            .owed(receiver, 0)
            .iter()
            .map(|&form| model.forms.describe(form))
            .collect()
    }

    #[test]
    fn each_client_is_owed_the_best_it_may_have() {
        let model = model(
            &[(0, &[10000, 5], &[10003]), (1, &[10001, 6, 5], &[])],
            Check::Exact,
        );
        assert!(
            held_path(&model, 0).starts_with("path 10001 6 5"),
            "never its own"
        );
        assert!(held_path(&model, 1).starts_with("path 10000 5"));
        assert!(held_path(&model, 2).starts_with("path 10000 5"));
        assert!(
            held_path(&model, 3).starts_with("path 10001 6 5"),
            "the first is denied to it"
        );
        assert!(!held_path(&model, 2).contains("10003"));
    }

    #[test]
    fn what_passes_depends_on_what_is_asked() {
        // Client 3 may have only the longer path.
        let paths: [(u16, &[u32], &[u32]); 2] =
            [(0, &[10000, 5], &[10003]), (1, &[10001, 6, 5], &[])];
        let cases = [
            (Check::Exact, 3, 1, true),
            (Check::Exact, 3, 9, false),
            (Check::Exact, 2, 1, false),
            (Check::Eligible, 2, 1, true),
            (Check::Eligible, 3, 0, false),
            (Check::Eligible, 3, 9, false),
            (Check::HidingAllowed, 3, 9, true),
            (Check::HidingAllowed, 2, 9, false),
            (Check::HidingAllowed, 3, 0, false),
        ];
        for (check, receiver, path, expected) in cases {
            let model = model(&paths, check);
            let held = model
                .candidates
                .get(path)
                .map_or(vec![], |candidate| vec![candidate.form]);
            assert_eq!(
                model.is_right(receiver, 0, &held),
                expected,
                "{check:?} client {receiver} path {path}"
            );
        }
    }

    #[test]
    fn a_prepended_path_is_longer_for_those_it_is_prepended_to() {
        let mut model = model(
            &[(0, &[10000, 5], &[]), (1, &[10001, 5], &[])],
            Check::Exact,
        );
        let mut prepended = Attributes::new(&[10000, 5], "10.77.1.1".parse().unwrap());
        prepended.large = vec![[64500, 102, 10002]];
        let mut key = Vec::new();
        prepended.key(&mut key);
        let set = model.add_set(0, &key);
        model.announce(0, 0, set);
        assert!(held_path(&model, 2).starts_with("path 10001 5"));
        assert!(held_path(&model, 3).starts_with("path 10000 5"));
        model.withdraw(1, 0);
        assert!(held_path(&model, 2).starts_with("path 10000 10000 10000 5"));
    }
}
