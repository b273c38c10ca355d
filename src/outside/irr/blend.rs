//! What one client may announce, put together from AS-SETs and entries of its own; the same
//! ingredients make one set for all clients that have them. Knows nothing of files.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Asn;
use crate::policy::{IrrSet, PrefixRange, PrefixSet};

/// What a client is configured with.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct IrrIngredients {
    pub as_sets: Vec<String>,
    pub prefixes: Vec<PrefixRange>,
    pub origins: Vec<Asn>,
}

/// What a client may announce.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ClientIrr {
    /// Without what is missing. `None` where there is nothing, or no prefixes, for something is missing.
    pub set: Option<Arc<IrrSet>>,
    /// AS-SETs that there are no data of.
    pub missing: Vec<String>,
}

/// Sets that are put together, by what of.
#[derive(Default)]
pub(super) struct Blends(HashMap<IrrIngredients, Blend>);

struct Blend {
    of: Vec<Arc<IrrSet>>,
    set: Arc<IrrSet>,
}

impl Blends {
    /// Forgets the blends of other clients.
    pub(super) fn of_clients<'a>(
        &mut self,
        clients: impl IntoIterator<Item = &'a IrrIngredients>,
        set_of: impl Fn(&str) -> Option<Arc<IrrSet>>,
    ) -> Vec<ClientIrr> {
        let mut before = std::mem::take(&mut self.0);
        (clients.into_iter())
            .map(|client| self.of_client(client.in_order(), &mut before, &set_of))
            .collect()
    }

    fn of_client(
        &mut self,
        client: IrrIngredients,
        before: &mut HashMap<IrrIngredients, Blend>,
        set_of: impl Fn(&str) -> Option<Arc<IrrSet>>,
    ) -> ClientIrr {
        let (mut of, mut missing) = (Vec::new(), Vec::new());
        for as_set in &client.as_sets {
            match set_of(as_set) {
                Some(set) => of.push(set),
                None => missing.push(as_set.clone()),
            }
        }
        let has_own = !client.prefixes.is_empty() || !client.origins.is_empty();
        let set = match &*of {
            [] if !has_own => None,
            [set] if !has_own => Some(set.clone()),
            _ => Some(self.blend(client, of, before)),
        };
        // Without prefixes there would be no check of them; the missing AS-SET may have some.
        let set = set.filter(|set| missing.is_empty() || !set.prefixes.is_empty());
        ClientIrr { set, missing }
    }

    fn blend(
        &mut self,
        client: IrrIngredients,
        of: Vec<Arc<IrrSet>>,
        before: &mut HashMap<IrrIngredients, Blend>,
    ) -> Arc<IrrSet> {
        let is_same = |blend: &Blend| {
            blend.of.len() == of.len()
                && (blend.of.iter().zip(&of)).all(|(before, now)| Arc::ptr_eq(before, now))
        };
        if let Some(blend) = self.0.get(&client) {
            return blend.set.clone();
        }
        let last = before.remove(&client);
        let set = match last {
            Some(blend) if is_same(&blend) => blend.set,
            last => {
                let set = mixed(&client, &of);
                match last {
                    Some(last) if *last.set == set => last.set,
                    _ => Arc::new(set),
                }
            }
        };
        let kept = set.clone();
        self.0.insert(client, Blend { of, set });
        kept
    }
}

impl IrrIngredients {
    /// So that those with the same content are equal.
    fn in_order(&self) -> IrrIngredients {
        let mut ingredients = self.clone();
        ingredients.as_sets.sort_unstable();
        ingredients.as_sets.dedup();
        ingredients.prefixes.sort_unstable();
        ingredients.prefixes.dedup();
        ingredients.origins.sort_unstable();
        ingredients.origins.dedup();
        ingredients
    }
}

fn mixed(client: &IrrIngredients, of: &[Arc<IrrSet>]) -> IrrSet {
    let sets = || of.iter().map(|set| &**set);
    let prefixes = sets().flat_map(|set| set.prefixes.iter());
    let origins = sets().flat_map(|set| set.origins().iter().copied());
    IrrSet::new(
        prefixes
            .chain(client.prefixes.iter().copied())
            .collect::<PrefixSet>(),
        origins.chain(client.origins.iter().copied()).collect(),
    )
}
