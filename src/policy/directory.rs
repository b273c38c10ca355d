//! Who is configured, as audiences see it.

use rustc_hash::FxHashMap;

use crate::base::{Asn, ClientSet, ClientSlot};

/// The clients by slot and by ASN.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Directory {
    everyone: ClientSet,
    asns: FxHashMap<ClientSlot, Asn>,
    by_asn: FxHashMap<Asn, ClientSet>,
    hiding_own_as: FxHashMap<Asn, ClientSet>,
}

/// One client, as given to [`Directory::from_iter`].
#[derive(Clone, Copy, Debug)]
pub struct DirectoryEntry {
    pub slot: ClientSlot,
    pub asn: Asn,
    pub hide_own_as: bool,
}

impl Directory {
    pub fn everyone(&self) -> &ClientSet {
        &self.everyone
    }

    /// The client's ASN; 0 for a free slot.
    pub fn asn_of(&self, slot: ClientSlot) -> Asn {
        self.asns.get(&slot).copied().unwrap_or_default()
    }

    pub fn of_asn(&self, asn: Asn) -> Option<&ClientSet> {
        self.by_asn.get(&asn)
    }

    /// Clients of this ASN that want no path with their own ASN in it.
    pub fn hiding_own_as(&self, asn: Asn) -> Option<&ClientSet> {
        self.hiding_own_as.get(&asn)
    }

    pub fn hides_any(&self) -> bool {
        !self.hiding_own_as.is_empty()
    }
}

impl FromIterator<DirectoryEntry> for Directory {
    fn from_iter<I: IntoIterator<Item = DirectoryEntry>>(entries: I) -> Directory {
        let mut directory = Directory::default();
        for entry in entries {
            directory.everyone.insert(entry.slot);
            directory.asns.insert(entry.slot, entry.asn);
            directory
                .by_asn
                .entry(entry.asn)
                .or_default()
                .insert(entry.slot);
            if entry.hide_own_as {
                directory
                    .hiding_own_as
                    .entry(entry.asn)
                    .or_default()
                    .insert(entry.slot);
            }
        }
        directory
    }
}
