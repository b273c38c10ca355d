//! What ADD-PATH clients hold: several paths a prefix, each with its identifier (RFC 7911).

use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::forms::{FormId, NOTHING};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Path {
    id: u32,
    form: FormId,
}

const EMPTY: Path = Path {
    id: 0,
    form: NOTHING,
};

/// Room for the paths of each prefix: where its places end. The same for all clients.
pub type Places = Rc<[u32]>;

/// One client's paths.
pub struct Paths {
    places: Places,
    paths: Vec<Path>,
    /// By prefix: what there is no place for.
    more: HashMap<u32, SmallVec<[Path; 2]>, FixedState>,
}

impl Paths {
    pub fn new(places: Places) -> Paths {
        let mut paths = Vec::new();
        // Not zeroed by the kernel later, in the middle of a measurement.
        paths.resize(places.last().map_or(0, |end| *end as usize), EMPTY);
        Paths {
            places,
            paths,
            more: HashMap::default(),
        }
    }

    /// Whether that changed anything. [`NOTHING`] is a withdrawal.
    pub fn replace(&mut self, prefix: u32, id: u32, form: FormId) -> bool {
        let range = self.range(prefix);
        let places = &mut self.paths[range];
        if let Some(path) = places
            .iter_mut()
            .find(|path| path.id == id && path.form != NOTHING)
        {
            return std::mem::replace(&mut path.form, form) != form;
        }
        if !self.more.is_empty()
            && let Some(more) = self.more.get_mut(&prefix)
            && let Some(at) = more.iter().position(|path| path.id == id)
        {
            if form != NOTHING {
                return std::mem::replace(&mut more[at].form, form) != form;
            }
            more.swap_remove(at);
            if more.is_empty() {
                self.more.remove(&prefix);
            }
            return true;
        }
        if form == NOTHING {
            return false;
        }
        match places.iter_mut().find(|path| path.form == NOTHING) {
            Some(free) => *free = Path { id, form },
            None => self.more.entry(prefix).or_default().push(Path { id, form }),
        }
        true
    }

    /// In no order.
    pub fn held(&self, prefix: u32) -> SmallVec<[FormId; 8]> {
        let mut held = SmallVec::new();
        for path in &self.paths[self.range(prefix)] {
            if path.form != NOTHING {
                held.push(path.form);
            }
        }
        if !self.more.is_empty()
            && let Some(more) = self.more.get(&prefix)
        {
            held.extend(more.iter().map(|path| path.form));
        }
        held
    }

    pub fn count(&self) -> usize {
        let places = self.paths.iter().filter(|path| path.form != NOTHING);
        places.count() + self.more.values().map(SmallVec::len).sum::<usize>()
    }

    fn range(&self, prefix: u32) -> std::ops::Range<usize> {
        let prefix = prefix as usize;
        let start = prefix
            .checked_sub(1)
            .map_or(0, |before| self.places[before]);
        start as usize..self.places[prefix] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(paths: &Paths, prefix: u32) -> Vec<FormId> {
        let mut held = paths.held(prefix).to_vec();
        held.sort_unstable();
        held
    }

    #[test]
    fn paths_are_told_apart_by_identifier_with_and_without_a_place() {
        let mut paths = Paths::new([2, 2, 3].into());
        for prefix in 0..3 {
            assert!(!paths.replace(prefix, 1, NOTHING), "none to withdraw");
            for (id, form) in [(7, 1), (8, 2), (9, 3)] {
                assert!(paths.replace(prefix, id, form));
                assert!(!paths.replace(prefix, id, form), "the same again");
            }
            assert_eq!(sorted(&paths, prefix), [1, 2, 3]);
            assert!(paths.replace(prefix, 9, 4));
            assert!(paths.replace(prefix, 7, 5));
            assert_eq!(sorted(&paths, prefix), [2, 4, 5]);
            assert!(paths.replace(prefix, 7, NOTHING));
            assert_eq!(sorted(&paths, prefix), [2, 4]);
            assert!(
                paths.replace(prefix, 10, 4),
                "the same form by another identifier"
            );
            assert_eq!(sorted(&paths, prefix), [2, 4, 4]);
        }
        assert_eq!(paths.count(), 9);
        for prefix in 0..3 {
            for id in [8, 9, 10] {
                assert!(paths.replace(prefix, id, NOTHING), "{id} of {prefix}");
            }
        }
        assert_eq!((paths.count(), paths.more.len()), (0, 0));
    }
}
