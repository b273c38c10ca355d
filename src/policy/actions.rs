//! What a path's control communities ask for, and who may have it in consequence.

use smallvec::{SmallVec, smallvec};

use crate::base::{Asn, ClientSet, ClientSlot};
use crate::wire::Variant;

use super::Directory;

/// The control communities of an attribute set, resolved: equal requests compare equal.
///
/// Lists are sorted and without repetition.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Actions {
    pub to_none: bool,
    pub not_to: SmallVec<[Asn; 4]>,
    pub only_to: SmallVec<[Asn; 4]>,
    /// To all: 0 to 3.
    pub prepend: u8,
    pub prepend_to: SmallVec<[(Asn, u8); 2]>,
    /// ASNs in the AS_PATH of clients with `hide_own_as`.
    pub hidden_from: SmallVec<[Asn; 2]>,
}

/// Who may have a path and in which variant: disjoint, non-empty sets that leave out the announcer.
pub fn audiences(
    announcer: ClientSlot,
    _actions: &Actions,
    directory: &Directory,
) -> SmallVec<[(Variant, ClientSet); 1]> {
    let mut everyone = directory.everyone().clone();
    everyone.remove(announcer);
    smallvec![(Variant::default(), everyone)]
}
