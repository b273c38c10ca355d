//! What every client holds, and for which prefixes that is not what it should be. Each received
//! prefix is judged when it arrives: against what most clients are owed, and against the model
//! where the client is owed something else or the check allows several answers.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::expected::Expected;
use super::forms::{FormId, NOTHING};
use super::memory::Change;
use super::model::{Check, Model};
use super::paths::{Paths, Places};
use super::plan::Plan;
use crate::base::Prefix;

/// One client's table.
enum Held {
    /// By prefix.
    One(Vec<FormId>),
    /// With ADD-PATH.
    Many(Paths),
}

/// The effect of received prefixes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Effect {
    pub changed: bool,
    /// Announcements that said what was known.
    pub unchanged_count: usize,
}

/// One client.
struct Table {
    is_up: bool,
    has_add_path: bool,
    held: Held,
    /// Prefixes that are not as they should be.
    wrong: Bits,
    wrong_count: usize,
    /// Prefixes of which it is owed something else than most are.
    except: Bits,
}

pub struct Tables {
    clients: Vec<Table>,
    expected: Expected,
    wrong_total: usize,
    /// What no client of ours announces.
    foreign: HashMap<(u16, Prefix), FormId>,
    places: Places,
    prefix_count: usize,
}

impl Tables {
    /// Nobody is up and nobody has anything.
    pub fn new(plan: &Plan) -> Tables {
        let prefix_count = plan.prefixes.len();
        let table = |has_add_path: bool| Table {
            is_up: false,
            has_add_path,
            held: Held::One(Vec::new()),
            wrong: Bits::new(prefix_count),
            wrong_count: 0,
            except: Bits::new(prefix_count),
        };
        let any_add_path = plan.clients.iter().any(|client| client.add_path);
        Tables {
            clients: plan
                .clients
                .iter()
                .map(|client| table(client.add_path))
                .collect(),
            expected: Expected::new(prefix_count),
            wrong_total: 0,
            foreign: HashMap::new(),
            places: match any_add_path {
                true => places(plan),
                false => [].into(),
            },
            prefix_count,
        }
    }

    /// Prefixes of `client` that are not as they should be.
    pub fn wrong_count(&self, client: usize) -> usize {
        self.clients[client].wrong_count
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
        let table = &mut self.clients[client];
        self.wrong_total -= table.wrong_count;
        table.is_up = true;
        if table.has_add_path {
            table.held = Held::Many(Paths::new(self.places.clone()));
            let is_wrong = |prefix: &u32| !model.is_right(client as u16, *prefix, &[]);
            table.wrong = Bits::of(self.prefix_count, |prefix| is_wrong(&prefix));
        } else {
            let mut held = Vec::new();
            // Not zeroed by the kernel later, in the middle of a measurement.
            held.resize(self.prefix_count, NOTHING);
            table.held = Held::One(held);
            let (expected, except) = (&self.expected, &table.except);
            let common = expected.common();
            table.wrong = Bits::of(self.prefix_count, |prefix| {
                let owed = match except.has(prefix) {
                    true => expected.of(prefix, client as u16),
                    false => common[prefix as usize],
                };
                is_wrong(model, client as u16, prefix, owed, NOTHING)
            });
        }
        table.wrong_count = table.wrong.count();
        self.wrong_total += table.wrong_count;
    }

    /// The client has gone, and its table with it; nothing is owed to it.
    pub fn take_down(&mut self, client: usize) {
        let table = &mut self.clients[client];
        table.held = Held::One(Vec::new());
        table.is_up = false;
        table.wrong = Bits::new(self.prefix_count);
        self.wrong_total -= std::mem::take(&mut table.wrong_count);
        self.foreign.retain(|key, _| usize::from(key.0) != client);
    }

    /// The model has changed for these prefixes, ascending: all clients that are up are judged.
    /// `turned_wrong` gets those for whom one was right and is wrong now.
    pub fn judge(
        &mut self,
        model: &Model,
        prefixes: &[u32],
        mut turned_wrong: impl FnMut(usize, u32),
    ) {
        let clients = &mut self.clients;
        let ascending = prefixes.iter().copied();
        self.expected
            .renew(model, ascending, |prefix, before, now| {
                for (client, _) in before.iter() {
                    clients[usize::from(*client)].except.set(prefix, false);
                }
                for (client, _) in now.iter() {
                    clients[usize::from(*client)].except.set(prefix, true);
                }
            });
        for (client, table) in self.clients.iter_mut().enumerate() {
            if !table.is_up {
                continue;
            }
            for &prefix in prefixes {
                let wrong = table.is_wrong(model, &self.expected, client as u16, prefix);
                let was_wrong = table.wrong.replace(prefix, wrong);
                table.wrong_count += usize::from(wrong);
                table.wrong_count -= usize::from(was_wrong);
                self.wrong_total += usize::from(wrong);
                self.wrong_total -= usize::from(was_wrong);
                if wrong && !was_wrong {
                    turned_wrong(client, prefix);
                }
            }
        }
    }

    /// Received prefixes, in the order of arrival. `came_right` gets those that now are what they
    /// should be, and were not.
    pub fn receive(
        &mut self,
        model: &Model,
        client: usize,
        changes: &[Change],
        came_right: impl FnMut(u32),
    ) -> Effect {
        let table = &mut self.clients[client];
        let before = table.wrong_count;
        let effect = table.receive(model, &self.expected, client as u16, changes, came_right);
        self.wrong_total = self.wrong_total - before + table.wrong_count;
        effect
    }

    pub fn receive_foreign(&mut self, client: usize, prefix: Prefix, form: FormId) {
        if form == NOTHING {
            self.foreign.remove(&(client as u16, prefix));
        } else {
            self.foreign.insert((client as u16, prefix), form);
        }
    }

    /// Sorted.
    pub fn held(&self, client: usize, prefix: u32) -> SmallVec<[FormId; 8]> {
        let mut forms = self.clients[client].held(prefix);
        forms.sort_unstable();
        forms
    }

    /// How many paths the client holds.
    pub fn held_count(&self, client: usize) -> usize {
        match &self.clients[client].held {
            Held::One(forms) => forms.iter().filter(|&&form| form != NOTHING).count(),
            Held::Many(paths) => paths.count(),
        }
    }

    /// The first prefixes of the client that are wrong.
    pub fn wrong_prefixes(&self, client: usize, max: usize) -> Vec<u32> {
        let Table {
            wrong, wrong_count, ..
        } = &self.clients[client];
        (0..self.prefix_count as u32)
            .filter(|&prefix| wrong.has(prefix))
            .take(max.min(*wrong_count))
            .collect()
    }
}

impl Table {
    fn receive(
        &mut self,
        model: &Model,
        expected: &Expected,
        client: u16,
        changes: &[Change],
        mut came_right: impl FnMut(u32),
    ) -> Effect {
        let mut effect = Effect::default();
        if !self.is_up {
            return effect;
        }
        let common = expected.common();
        for change in changes {
            let Change {
                prefix,
                path_id,
                form,
            } = *change;
            let is_new = match &mut self.held {
                Held::One(held) => std::mem::replace(&mut held[prefix as usize], form) != form,
                Held::Many(paths) => paths.replace(prefix, path_id, form),
            };
            if !is_new {
                effect.unchanged_count += usize::from(form != NOTHING);
                continue;
            }
            effect.changed = true;
            let wrong = match &self.held {
                Held::One(_) if !self.except.has(prefix) => {
                    let owed = common[prefix as usize];
                    is_wrong(model, client, prefix, owed, form)
                }
                _ => self.is_wrong(model, expected, client, prefix),
            };
            if self.wrong.replace(prefix, wrong) != wrong {
                if wrong {
                    self.wrong_count += 1;
                } else {
                    self.wrong_count -= 1;
                    came_right(prefix);
                }
            }
        }
        effect
    }

    fn is_wrong(&self, model: &Model, expected: &Expected, client: u16, prefix: u32) -> bool {
        match &self.held {
            Held::One(held) => {
                let owed = match self.except.has(prefix) {
                    true => expected.of(prefix, client),
                    false => expected.common()[prefix as usize],
                };
                is_wrong(model, client, prefix, owed, held[prefix as usize])
            }
            Held::Many(paths) => !model.is_right(client, prefix, &paths.held(prefix)),
        }
    }

    fn held(&self, prefix: u32) -> SmallVec<[FormId; 8]> {
        match &self.held {
            Held::One(held) => held
                .get(prefix as usize)
                .copied()
                .filter(|&form| form != NOTHING)
                .into_iter()
                .collect(),
            Held::Many(paths) => paths.held(prefix),
        }
    }
}

/// Whether `held` is wrong where the best is `owed`, which is right whatever is checked.
#[inline]
fn is_wrong(model: &Model, client: u16, prefix: u32, owed: FormId, held: FormId) -> bool {
    held != owed && (model.check == Check::Exact || !model.is_right(client, prefix, &[held]))
}

/// As many as announce it, for each prefix.
fn places(plan: &Plan) -> Places {
    let mut ends = vec![0u32; plan.prefixes.len()];
    let clients = plan.clients.iter();
    clients
        .flat_map(|client| &client.routes)
        .for_each(|route| ends[route.prefix as usize] += 1);
    let mut end = 0;
    for places in &mut ends {
        end += *places;
        *places = end;
    }
    ends.into()
}

/// A bit for each prefix.
struct Bits {
    words: Vec<u64>,
}

impl Bits {
    fn new(count: usize) -> Bits {
        Bits {
            words: vec![0; count.div_ceil(64)],
        }
    }

    fn of(count: usize, mut is_set: impl FnMut(u32) -> bool) -> Bits {
        let mut bits = Bits::new(count);
        for prefix in 0..count as u32 {
            bits.words[prefix as usize / 64] |= u64::from(is_set(prefix)) << (prefix % 64);
        }
        bits
    }

    #[inline]
    fn has(&self, prefix: u32) -> bool {
        self.words[prefix as usize / 64] & (1 << (prefix % 64)) != 0
    }

    /// Returns what it was.
    #[inline]
    fn replace(&mut self, prefix: u32, set: bool) -> bool {
        let word = &mut self.words[prefix as usize / 64];
        let was = *word >> (prefix % 64) & 1;
        *word ^= (was ^ u64::from(set)) << (prefix % 64);
        was != 0
    }

    fn set(&mut self, prefix: u32, set: bool) {
        self.replace(prefix, set);
    }

    fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }
}

#[cfg(test)]
mod tests;
