//! The paths of one prefix: one of them in place, more of them in one allocation without waste.

use std::ops::{Deref, DerefMut};
use std::slice;

use thin_vec::ThinVec;

use super::Path;

/// All paths of a prefix: accepted ones first, by preference; then the rejected ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathList(Paths);

/// `Many` may hold any number of paths.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Paths {
    One(Path),
    Many(ThinVec<Path>),
}

const _: () = assert!(size_of::<PathList>() == 16);

/// The allocation of a list begins with its length and its capacity, as large as one path.
const HEADER: usize = 1;

impl PathList {
    pub fn new() -> PathList {
        PathList(Paths::Many(ThinVec::new()))
    }

    pub fn insert(&mut self, place: usize, path: Path) {
        match &mut self.0 {
            Paths::Many(paths) if paths.capacity() == 0 => {
                assert_eq!(place, 0, "the place is in the list or at its end");
                self.0 = Paths::One(path);
            }
            Paths::Many(paths) => {
                if paths.len() == paths.capacity() {
                    let room = capacity_for(paths.len() + 1) - paths.len();
                    paths.reserve_exact(room);
                }
                paths.insert(place, path);
            }
            Paths::One(first) => {
                let mut paths = ThinVec::with_capacity(capacity_for(2));
                paths.push(*first);
                paths.insert(place, path);
                self.0 = Paths::Many(paths);
            }
        }
    }

    pub fn remove(&mut self, place: usize) -> Path {
        match &mut self.0 {
            Paths::Many(paths) => paths.remove(place),
            Paths::One(path) => {
                assert_eq!(place, 0, "the place is in the list");
                let path = *path;
                self.0 = Paths::Many(ThinVec::new());
                path
            }
        }
    }

    /// One path or none needs no allocation.
    pub fn shrink_to_fit(&mut self) {
        if let Paths::Many(paths) = &mut self.0 {
            match paths.as_slice() {
                &[path] => self.0 = Paths::One(path),
                _ => paths.shrink_to_fit(),
            }
        }
    }
}

/// At least `count`: what an allocation has room for that is one of the allocator's sizes. Of its
/// smaller sizes every other one is left out: whoever grows by one path each time copies too often.
fn capacity_for(count: usize) -> usize {
    let units = count + HEADER;
    let step = match units {
        ..=8 => 4,
        _ => (units.next_power_of_two() / 8).max(4),
    };
    units.next_multiple_of(step) - HEADER
}

impl Default for PathList {
    fn default() -> PathList {
        PathList::new()
    }
}

impl Deref for PathList {
    type Target = [Path];

    fn deref(&self) -> &[Path] {
        match &self.0 {
            Paths::One(path) => slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }
}

impl DerefMut for PathList {
    fn deref_mut(&mut self) -> &mut [Path] {
        match &mut self.0 {
            Paths::One(path) => slice::from_mut(path),
            Paths::Many(paths) => paths,
        }
    }
}

impl FromIterator<Path> for PathList {
    fn from_iter<I: IntoIterator<Item = Path>>(paths: I) -> PathList {
        let mut list = PathList::new();
        for path in paths {
            list.insert(list.len(), path);
        }
        list
    }
}

impl<'a> IntoIterator for &'a PathList {
    type Item = &'a Path;
    type IntoIter = slice::Iter<'a, Path>;

    fn into_iter(self) -> slice::Iter<'a, Path> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ClientSlot;
    use crate::policy::Verdict;
    use crate::rib::{EligibilityId, Rank, SetId, Stamp};
    use crate::wire::testing::SetBuilder;

    fn path(number: u16) -> Path {
        Path {
            set: SetId(u32::from(number)),
            eligibility: EligibilityId::NOBODY,
            rank: Rank::of(SetBuilder::new().build().facts(), false),
            announcer: ClientSlot(number),
            verdict: Verdict::Accepted,
            stamp: Stamp::new(0, 0),
        }
    }

    #[test]
    fn it_does_what_a_vector_does() {
        let (mut list, mut vector) = (PathList::new(), Vec::new());
        let mut random = 7_usize;
        for number in 0..2_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let place = (random >> 33) % (vector.len() + 1);
            if place < vector.len() && (random >> 20) % 9 < 4 + number % 100 / 50 {
                assert_eq!(list.remove(place), vector.remove(place));
                if random.is_multiple_of(3) {
                    list.shrink_to_fit();
                }
            } else {
                list.insert(place, path(number as u16));
                vector.insert(place, path(number as u16));
            }
            assert_eq!(*list, *vector);
            assert_eq!(list, vector.iter().copied().collect::<PathList>());
        }
    }

    #[test]
    fn an_allocation_is_used_whole() {
        let capacities = [2, 7, 8, 16, 50].map(capacity_for);
        assert_eq!(capacities, [3, 7, 11, 19, 55]);
    }
}
