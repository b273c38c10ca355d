//! What every client holds, and for which prefixes that is not what it should be.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::model::{FormId, Model, NOTHING};
use crate::base::Prefix;

/// Paths of one prefix at an ADD-PATH client: path identifier and form.
type Paths = SmallVec<[(u32, FormId); 2]>;

/// One client's table.
enum Held {
    /// By prefix.
    One(Vec<FormId>),
    /// With ADD-PATH.
    Many(HashMap<u32, Paths, foldhash::fast::FixedState>),
}

/// The effect of one received prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It said what was known.
    None,
    Changed,
    /// The client now has what it should have for this prefix, and had not.
    CameRight,
}

pub struct Tables {
    held: Vec<Held>,
    up: Vec<bool>,
    /// A bit for each prefix, for each client.
    wrong: Vec<Vec<u64>>,
    wrong_counts: Vec<usize>,
    wrong_total: usize,
    /// What no client of ours announces.
    foreign: HashMap<(u16, Prefix), FormId>,
    prefix_count: usize,
}

impl Tables {
    /// Nobody is up and nobody has anything.
    pub fn new(prefix_count: usize, add_path: impl Iterator<Item = bool>) -> Tables {
        let held: Vec<Held> = add_path.map(|add_path| Held::empty(add_path, 0)).collect();
        Tables {
            up: vec![false; held.len()],
            wrong: vec![vec![0; prefix_count.div_ceil(64)]; held.len()],
            wrong_counts: vec![0; held.len()],
            wrong_total: 0,
            foreign: HashMap::new(),
            held,
            prefix_count,
        }
    }

    /// Prefixes of `client` that are not as they should be.
    pub fn wrong_count(&self, client: usize) -> usize {
        self.wrong_counts[client]
    }

    pub fn wrong_total(&self) -> usize {
        self.wrong_total + self.foreign.len()
    }

    pub fn foreign(&self) -> impl Iterator<Item = (usize, Prefix, FormId)> + '_ {
        self.foreign
            .iter()
            .map(|(&(client, prefix), &form)| (usize::from(client), prefix, form))
    }

    /// The client is to have its table; it has nothing yet.
    pub fn bring_up(&mut self, model: &Model, client: usize) {
        self.held[client] = Held::empty(
            matches!(self.held[client], Held::Many(_)),
            self.prefix_count,
        );
        self.up[client] = true;
        self.judge_client(model, client);
    }

    /// The client has gone, and its table with it; nothing is owed to it.
    pub fn take_down(&mut self, client: usize) {
        self.held[client] = Held::empty(matches!(self.held[client], Held::Many(_)), 0);
        self.up[client] = false;
        self.foreign.retain(|key, _| usize::from(key.0) != client);
        self.wrong[client].fill(0);
        self.wrong_total -= std::mem::take(&mut self.wrong_counts[client]);
    }

    pub fn is_up(&self, client: usize) -> bool {
        self.up[client]
    }

    /// Judges everything that the client holds, or holds not.
    pub fn judge_client(&mut self, model: &Model, client: usize) {
        for prefix in 0..self.prefix_count as u32 {
            self.judge(model, client, prefix);
        }
    }

    /// Judges one prefix for all clients that are up; `turned_wrong` gets those for whom it was
    /// right and is wrong now.
    pub fn judge_prefix(
        &mut self,
        model: &Model,
        prefix: u32,
        mut turned_wrong: impl FnMut(usize),
    ) {
        for client in 0..self.held.len() {
            if self.up[client] {
                let before = self.is_wrong(client, prefix);
                if self.judge(model, client, prefix) && !before {
                    turned_wrong(client);
                }
            }
        }
    }

    /// A received prefix; `form` [`NOTHING`] is a withdrawal.
    pub fn receive(
        &mut self,
        model: &Model,
        client: usize,
        prefix: u32,
        path_id: u32,
        form: FormId,
    ) -> Effect {
        if !self.held[client].replace(prefix, path_id, form) {
            return Effect::None;
        }
        let before = self.is_wrong(client, prefix);
        match self.judge(model, client, prefix) {
            false if before => Effect::CameRight,
            _ => Effect::Changed,
        }
    }

    pub fn receive_foreign(&mut self, client: usize, prefix: Prefix, form: FormId) {
        if form == NOTHING {
            self.foreign.remove(&(client as u16, prefix));
        } else {
            self.foreign.insert((client as u16, prefix), form);
        }
    }

    /// Sorted.
    pub fn held(&self, client: usize, prefix: u32) -> SmallVec<[FormId; 4]> {
        let mut forms: SmallVec<[FormId; 4]> = match &self.held[client] {
            Held::One(forms) => forms
                .get(prefix as usize)
                .copied()
                .filter(|&form| form != NOTHING)
                .into_iter()
                .collect(),
            Held::Many(paths) => paths
                .get(&prefix)
                .into_iter()
                .flatten()
                .map(|path| path.1)
                .collect(),
        };
        forms.sort_unstable();
        forms
    }

    /// How many paths the client holds.
    pub fn held_count(&self, client: usize) -> usize {
        match &self.held[client] {
            Held::One(forms) => forms.iter().filter(|&&form| form != NOTHING).count(),
            Held::Many(paths) => paths.values().map(|paths| paths.len()).sum(),
        }
    }

    /// The first prefixes of the client that are wrong.
    pub fn wrong_prefixes(&self, client: usize, max: usize) -> Vec<u32> {
        (0..self.prefix_count as u32)
            .filter(|&prefix| self.is_wrong(client, prefix))
            .take(max)
            .collect()
    }

    pub fn is_wrong(&self, client: usize, prefix: u32) -> bool {
        self.wrong[client][prefix as usize / 64] & (1 << (prefix % 64)) != 0
    }

    /// Notes whether it is wrong, and says so.
    fn judge(&mut self, model: &Model, client: usize, prefix: u32) -> bool {
        let right = match &self.held[client] {
            Held::One(forms) => {
                model.is_right(client as u16, prefix, &forms[prefix as usize..][..1])
            }
            Held::Many(_) => model.is_right(client as u16, prefix, &self.held(client, prefix)),
        };
        let word = &mut self.wrong[client][prefix as usize / 64];
        let bit = 1u64 << (prefix % 64);
        match (*word & bit != 0, right) {
            (true, true) => {
                self.wrong_counts[client] -= 1;
                self.wrong_total -= 1;
            }
            (false, false) => {
                self.wrong_counts[client] += 1;
                self.wrong_total += 1;
            }
            _ => return !right,
        }
        *word ^= bit;
        !right
    }
}

impl Held {
    fn empty(add_path: bool, prefix_count: usize) -> Held {
        if add_path {
            Held::Many(HashMap::default())
        } else {
            Held::One(vec![NOTHING; prefix_count])
        }
    }

    /// Whether that changed anything.
    fn replace(&mut self, prefix: u32, path_id: u32, form: FormId) -> bool {
        match self {
            Held::One(forms) => std::mem::replace(&mut forms[prefix as usize], form) != form,
            Held::Many(all) => {
                let paths = all.entry(prefix).or_default();
                match (paths.iter().position(|path| path.0 == path_id), form) {
                    (None, NOTHING) => false,
                    (None, _) => {
                        paths.push((path_id, form));
                        true
                    }
                    (Some(at), NOTHING) => {
                        paths.swap_remove(at);
                        true
                    }
                    (Some(at), _) => std::mem::replace(&mut paths[at].1, form) != form,
                }
            }
        }
    }
}
