//! What a client registered: the route objects and origins of its AS-SETs.

use crate::base::Asn;

use super::PrefixSet;

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct IrrSet {
    pub prefixes: PrefixSet,
    /// Sorted, without repetition.
    origins: Box<[Asn]>,
}

impl IrrSet {
    pub fn new(prefixes: PrefixSet, mut origins: Vec<Asn>) -> IrrSet {
        origins.sort_unstable();
        origins.dedup();
        IrrSet {
            prefixes,
            origins: origins.into(),
        }
    }

    pub fn has_origin(&self, asn: Asn) -> bool {
        self.origins.binary_search(&asn).is_ok()
    }

    /// Ascending.
    pub fn origins(&self) -> &[Asn] {
        &self.origins
    }

    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.origins.is_empty()
    }

    pub fn octets(&self) -> usize {
        self.prefixes.octets() + size_of_val(&*self.origins)
    }
}
