//! What a route server owes each client: for each prefix the candidates, and the best of those
//! that the client may have, found by looking at all of them each time it is asked.

use clap::ValueEnum;
use hashbrown::HashMap;
use serde::Serialize;
use smallvec::SmallVec;

use super::attributes::Attributes;
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

/// A number for an attribute set as it leaves the server; [`NOTHING`] is none.
pub type FormId = u32;
pub const NOTHING: FormId = 0;

/// Every attribute set as received or owed, once. Equal content is equal number.
pub struct Forms {
    ids: HashMap<Attributes, FormId, foldhash::fast::FixedState>,
    values: Vec<Attributes>,
}

impl Forms {
    fn new() -> Forms {
        Forms {
            ids: HashMap::default(),
            values: Vec::new(),
        }
    }

    pub fn intern(&mut self, attributes: Attributes) -> FormId {
        if let Some(&id) = self.ids.get(&attributes) {
            return id;
        }
        self.values.push(attributes.clone());
        let id = self.values.len() as FormId;
        self.ids.insert(attributes, id);
        id
    }

    pub fn attributes(&self, form: FormId) -> Option<&Attributes> {
        self.values.get(form.checked_sub(1)? as usize)
    }

    pub fn describe(&self, form: FormId) -> String {
        match self.attributes(form) {
            Some(attributes) => attributes.to_string(),
            None => "nothing".into(),
        }
    }
}

/// An announced set with all that decides about it.
struct Candidate {
    client: u16,
    origin: u8,
    path_len: u32,
    /// Verdict for each client: its prepends, or [`DENIED`]. Empty: everybody, unprepended.
    verdicts: Box<[u8]>,
    /// What goes out, by prepends; only those that occur.
    forms: [FormId; 4],
}

const DENIED: u8 = 0xff;

impl Candidate {
    fn verdict(&self, receiver: u16) -> Option<u8> {
        if receiver == self.client {
            return None;
        }
        match self.verdicts.get(usize::from(receiver)) {
            None => Some(0),
            Some(&DENIED) => None,
            Some(&prepends) => Some(prepends),
        }
    }
}

pub struct Model {
    pub check: Check,
    pub forms: Forms,
    server_asn: u32,
    asns: Vec<u32>,
    add_path: Vec<bool>,
    candidates: Vec<Candidate>,
    /// For each prefix who announces it, with which set; ascending by client.
    routes: Vec<SmallVec<[(u16, u32); 2]>>,
}

impl Model {
    /// Knows all sets of the plan; nobody announces anything yet.
    pub fn new(plan: &Plan, check: Check) -> Model {
        let mut model = Model {
            check,
            forms: Forms::new(),
            server_asn: plan.server_asn,
            asns: plan.clients.iter().map(|client| client.asn).collect(),
            add_path: plan.clients.iter().map(|client| client.add_path).collect(),
            candidates: Vec::with_capacity(plan.sets.len()),
            routes: vec![SmallVec::new(); plan.prefixes.len()],
        };
        for set in &plan.sets {
            model.add_set(set.client, &set.attributes);
        }
        model
    }

    /// Sets are numbered in the order of being added.
    pub fn add_set(&mut self, client: u16, attributes: &Attributes) -> u32 {
        let verdicts: Box<[u8]> = if rules::has_controls(attributes, self.server_asn) {
            let verdict =
                |&asn: &u32| rules::verdict(attributes, asn, self.server_asn).unwrap_or(DENIED);
            self.asns.iter().map(verdict).collect()
        } else {
            Box::default()
        };
        let mut forms = [NOTHING; 4];
        for (prepends, form) in forms.iter_mut().enumerate() {
            let occurs = if verdicts.is_empty() {
                prepends == 0
            } else {
                verdicts.contains(&(prepends as u8))
            };
            if occurs {
                let mut out = attributes.clone();
                rules::strip(&mut out, self.server_asn);
                out.prepend(self.asns[usize::from(client)], prepends);
                out.normalise();
                *form = self.forms.intern(out);
            }
        }
        let (path_len, origin) = (attributes.path_len(), attributes.origin);
        self.candidates.push(Candidate {
            client,
            origin,
            path_len,
            verdicts,
            forms,
        });
        (self.candidates.len() - 1) as u32
    }

    pub fn announce(&mut self, client: u16, prefix: u32, set: u32) {
        let routes = &mut self.routes[prefix as usize];
        match routes.binary_search_by_key(&client, |route| route.0) {
            Ok(at) => routes[at].1 = set,
            Err(at) => routes.insert(at, (client, set)),
        }
    }

    pub fn withdraw(&mut self, client: u16, prefix: u32) {
        self.routes[prefix as usize].retain(|route| route.0 != client);
    }

    /// Which set the client announces for the prefix now.
    pub fn announced(&self, client: u16, prefix: u32) -> Option<u32> {
        self.routes[prefix as usize]
            .iter()
            .find(|route| route.0 == client)
            .map(|route| route.1)
    }

    fn eligible(&self, receiver: u16, prefix: u32) -> impl Iterator<Item = (&Candidate, u8)> {
        self.routes[prefix as usize]
            .iter()
            .filter_map(move |&(_, set)| {
                let candidate = &self.candidates[set as usize];
                candidate
                    .verdict(receiver)
                    .map(|prepends| (candidate, prepends))
            })
    }

    /// RFC 4271 §9.1.2.2 where every neighbouring AS has one session: MED never compares, and
    /// router identifiers are addresses, ascending like the clients.
    fn best(&self, receiver: u16, prefix: u32) -> FormId {
        self.eligible(receiver, prefix)
            .min_by_key(|(path, prepends)| {
                (
                    path.path_len + u32::from(*prepends),
                    path.origin,
                    path.client,
                )
            })
            .map_or(NOTHING, |(path, prepends)| {
                path.forms[usize::from(prepends)]
            })
    }

    /// Whether a client that has `held` (sorted) for the prefix has what it should.
    pub fn is_right(&self, receiver: u16, prefix: u32, held: &[FormId]) -> bool {
        if self.add_path[usize::from(receiver)] {
            return self.owed(receiver, prefix)[..] == *held;
        }
        let held = held.first().copied().unwrap_or(NOTHING);
        match self.check {
            Check::Exact => self.best(receiver, prefix) == held,
            Check::Eligible if held == NOTHING => self.eligible(receiver, prefix).next().is_none(),
            Check::HidingAllowed if held == NOTHING => {
                self.eligible(receiver, prefix).count() < self.routes[prefix as usize].len()
                    || self.routes[prefix as usize].is_empty()
            }
            _ => self
                .eligible(receiver, prefix)
                .any(|(path, prepends)| path.forms[usize::from(prepends)] == held),
        }
    }

    /// All that the client may have, or with `exact` and one path that one; sorted.
    pub fn owed(&self, receiver: u16, prefix: u32) -> SmallVec<[FormId; 4]> {
        let mut owed: SmallVec<[FormId; 4]> = SmallVec::new();
        if self.check == Check::Exact && !self.add_path[usize::from(receiver)] {
            owed.extend(Some(self.best(receiver, prefix)).filter(|&form| form != NOTHING));
        } else {
            owed.extend(
                self.eligible(receiver, prefix)
                    .map(|(path, prepends)| path.forms[usize::from(prepends)]),
            );
        }
        owed.sort_unstable();
        owed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FamilySet;
    use crate::load::plan::{AnnouncedSet, Client};

    /// Client, path, communities of each path for one prefix.
    fn model(paths: &[(u16, &[u32], &[u32])], check: Check) -> Model {
        let net = "10.77.0.0/16".parse().unwrap();
        let clients: Vec<Client> = (0..4)
            .map(|i| Client::new(i, net, "fd77::".parse().unwrap()))
            .collect();
        let sets = paths.iter().map(|(client, path, communities)| {
            let mut attributes =
                Attributes::new(path, clients[usize::from(*client)].address.into());
            attributes.communities = communities.to_vec();
            AnnouncedSet {
                client: *client,
                attributes,
            }
        });
        let sets = sets.collect();
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
                .map_or(vec![], |candidate| vec![candidate.forms[0]]);
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
        let set = model.add_set(0, &prepended);
        model.announce(0, 0, set);
        assert!(held_path(&model, 2).starts_with("path 10001 5"));
        assert!(held_path(&model, 3).starts_with("path 10000 5"));
        model.withdraw(1, 0);
        assert!(held_path(&model, 2).starts_with("path 10000 10000 10000 5"));
    }
}
