//! Who is configured, as audiences see it.

use rustc_hash::FxHashMap;

use crate::base::{Asn, ClientSet, ClientSlot};

/// The clients by slot and by ASN, and who may have what of whom.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Directory {
    everyone: ClientSet,
    asns: FxHashMap<ClientSlot, Asn>,
    by_asn: FxHashMap<Asn, ClientSet>,
    hiding_own_as: FxHashMap<Asn, ClientSet>,
    /// Ascending.
    rtts: Vec<(u32, ClientSlot)>,
    /// Of those whose routes do not go to everybody.
    receivers: FxHashMap<ClientSlot, ClientSet>,
    blackhole_receivers: ClientSet,
    obeying_well_known: ClientSet,
    blackholes_stay: bool,
    is_draining: bool,
}

/// One client, as given to [`Directory::from_iter`].
#[derive(Clone, Debug)]
pub struct DirectoryEntry {
    pub slot: ClientSlot,
    pub asn: Asn,
    pub hide_own_as: bool,
    /// Microseconds.
    pub rtt_us: Option<u32>,
    /// Clients that may have its routes (the "peering matrix"); `None`: all.
    pub receivers: Option<ClientSet>,
    /// It is sent blackhole routes.
    pub takes_blackholes: bool,
    /// Its routes with RFC 1997 NO_EXPORT and the like go to nobody.
    pub obeys_well_known: bool,
}

impl DirectoryEntry {
    /// A client about which nothing special is said.
    pub const fn new(slot: ClientSlot, asn: Asn) -> DirectoryEntry {
        DirectoryEntry {
            slot,
            asn,
            hide_own_as: false,
            rtt_us: None,
            receivers: None,
            takes_blackholes: true,
            obeys_well_known: false,
        }
    }
}

impl Directory {
    /// What holds for all: blackhole routes get NO_EXPORT; the server is about to stop.
    pub fn with_server(self, blackholes_stay: bool, is_draining: bool) -> Directory {
        Directory {
            blackholes_stay,
            is_draining,
            ..self
        }
    }

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

    /// Clients whose round-trip time is known, and is up to `ms`; or above it.
    pub fn of_rtt(&self, is_above: bool, ms: u16) -> ClientSet {
        let bound = u32::from(ms) * 1_000;
        let within = self.rtts.partition_point(|(rtt_us, _)| *rtt_us <= bound);
        let (within, above) = self.rtts.split_at(within);
        let meant = if is_above { above } else { within };
        meant.iter().map(|(_, slot)| *slot).collect()
    }

    /// `None`: all.
    pub fn receivers_of(&self, announcer: ClientSlot) -> Option<&ClientSet> {
        self.receivers.get(&announcer)
    }

    pub fn blackhole_receivers(&self) -> &ClientSet {
        &self.blackhole_receivers
    }

    pub fn obeys_well_known(&self, announcer: ClientSlot) -> bool {
        self.obeying_well_known.contains(announcer)
    }

    pub fn obeys_any(&self) -> bool {
        !self.obeying_well_known.is_empty()
    }

    pub const fn blackholes_stay(&self) -> bool {
        self.blackholes_stay
    }

    pub const fn is_draining(&self) -> bool {
        self.is_draining
    }

    fn add(&mut self, entry: DirectoryEntry) {
        let DirectoryEntry { slot, asn, .. } = entry;
        self.everyone.insert(slot);
        self.asns.insert(slot, asn);
        self.by_asn.entry(asn).or_default().insert(slot);
        if entry.hide_own_as {
            self.hiding_own_as.entry(asn).or_default().insert(slot);
        }
        self.rtts.extend(entry.rtt_us.map(|rtt_us| (rtt_us, slot)));
        self.receivers
            .extend(entry.receivers.map(|receivers| (slot, receivers)));
        if entry.takes_blackholes {
            self.blackhole_receivers.insert(slot);
        }
        if entry.obeys_well_known {
            self.obeying_well_known.insert(slot);
        }
    }
}

impl FromIterator<DirectoryEntry> for Directory {
    fn from_iter<I: IntoIterator<Item = DirectoryEntry>>(entries: I) -> Directory {
        let mut directory = Directory::default();
        entries.into_iter().for_each(|entry| directory.add(entry));
        directory.rtts.sort_unstable();
        directory
    }
}
