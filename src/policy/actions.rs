//! What a path's control communities ask for, and who may have it in consequence.

use smallvec::SmallVec;

use crate::base::{Asn, ClientSet, ClientSlot};
use crate::wire::Variant;

use super::Directory;

/// The control communities of an attribute set, resolved: equal requests compare equal.
///
/// Lists are sorted and without repetition. Named ASNs are there whether or not a client has them.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Actions {
    /// Only to `only_to`; else to all but `not_to`.
    pub to_none: bool,
    /// Empty with `to_none`.
    pub not_to: SmallVec<[Asn; 4]>,
    /// Empty without `to_none`.
    pub only_to: SmallVec<[Asn; 4]>,
    /// To all: 0 to 3.
    pub prepend: u8,
    /// Where it is not `prepend`.
    pub prepend_to: SmallVec<[(Asn, u8); 2]>,
    /// ASNs in the AS_PATH of clients with `hide_own_as`.
    pub hidden_from: SmallVec<[Asn; 2]>,
}

impl Actions {
    /// Whether nobody may have the path, whoever is configured.
    pub fn reaches_nobody(&self) -> bool {
        self.to_none && self.only_to.is_empty()
    }

    /// What it takes beside itself, about.
    pub fn octets(&self) -> usize {
        let asns = self.not_to.len() + self.only_to.len() + self.hidden_from.len();
        size_of::<Actions>()
            + asns * size_of::<Asn>()
            + self.prepend_to.len() * size_of::<(Asn, u8)>()
    }

    /// Whether the path goes unchanged to everybody but its announcer.
    pub fn is_default(&self) -> bool {
        *self == Actions::default()
    }
}

/// Who may have a path and in which variant: disjoint, non-empty sets that leave out the announcer,
/// in the order of the variants.
pub fn audiences(
    announcer: ClientSlot,
    actions: &Actions,
    directory: &Directory,
) -> SmallVec<[(Variant, ClientSet); 1]> {
    let mut rest = allowed(actions, directory);
    rest.remove(announcer);
    let mut by_prepend: [ClientSet; 4] = Default::default();
    for (asn, count) in &actions.prepend_to {
        if let Some(clients) = directory.of_asn(*asn) {
            by_prepend[usize::from((*count).min(3))].union_with(&rest.intersection(clients));
            rest.subtract(clients);
        }
    }
    by_prepend[usize::from(actions.prepend.min(3))].union_with(&rest);
    let own_as = directory.asn_of(announcer);
    let variant = |prepend: u8| match prepend {
        0 => Variant::default(),
        _ => Variant {
            prepend,
            prepend_as: own_as,
            ..Variant::default()
        },
    };
    (0u8..)
        .map(variant)
        .zip(by_prepend)
        .filter(|(_, clients)| !clients.is_empty())
        .collect()
}

/// All that may have the path, the announcer left in.
fn allowed(actions: &Actions, directory: &Directory) -> ClientSet {
    let clients_of = |asn: &Asn| directory.of_asn(*asn);
    let mut clients = match actions.to_none {
        false => directory.everyone().clone(),
        true => {
            let mut chosen = ClientSet::new();
            actions
                .only_to
                .iter()
                .filter_map(clients_of)
                .for_each(|named| chosen.union_with(named));
            chosen
        }
    };
    actions
        .not_to
        .iter()
        .filter_map(clients_of)
        .for_each(|named| clients.subtract(named));
    let hiding = actions
        .hidden_from
        .iter()
        .filter_map(|asn| directory.hiding_own_as(*asn));
    hiding.for_each(|named| clients.subtract(named));
    clients
}
