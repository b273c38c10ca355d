//! What a path's control communities ask for, and who may have it in consequence.

use smallvec::SmallVec;

use crate::base::{Asn, ClientSet, ClientSlot};
use crate::wire::{Variant, VariantFlags};

use super::{Directory, PrefixClass};

/// The control communities of an attribute set, resolved: equal requests compare equal.
///
/// Lists are sorted and without repetition. Named ASNs are there whether or not a client has them.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Actions {
    /// To nobody but those in `to`, and those that `rtt` lets in.
    pub to_none: bool,
    pub not_to: SmallVec<[Asn; 4]>,
    /// Stronger than what keeps it from others; empty where nothing does.
    pub to: SmallVec<[Asn; 4]>,
    /// To all: 0 to 3.
    pub prepend: u8,
    /// Where it is not `prepend`.
    pub prepend_to: SmallVec<[(Asn, u8); 2]>,
    /// By round-trip time.
    pub rtt: SmallVec<[RttRequest; 1]>,
    pub no_export: Marked,
    pub no_advertise: Marked,
    /// It has NO_EXPORT, NO_ADVERTISE or NO_EXPORT_SUBCONFED, and some clients' are to be obeyed.
    pub well_known: bool,
    /// ASNs in the AS_PATH of clients with `hide_own_as`.
    pub hidden_from: SmallVec<[Asn; 2]>,
}

/// Whose copy gets a community added.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Marked {
    pub any: bool,
    /// Empty where `any` is set.
    pub peers: SmallVec<[Asn; 1]>,
}

/// A request for the clients nearer than, or as near as, so many milliseconds; or for those beyond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RttRequest {
    pub what: RttAction,
    pub is_above: bool,
    pub ms: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RttAction {
    DoNotAnnounce,
    Announce,
    Prepend(u8),
}

impl Actions {
    /// Whether nobody may have the path, whoever is configured.
    pub fn reaches_nobody(&self) -> bool {
        let lets_in = |request: &RttRequest| request.what == RttAction::Announce;
        self.to_none && self.to.is_empty() && !self.rtt.iter().any(lets_in)
    }

    /// What it takes beside itself, about.
    pub fn octets(&self) -> usize {
        let marked = self.no_export.peers.len() + self.no_advertise.peers.len();
        let asns = self.not_to.len() + self.to.len() + self.hidden_from.len() + marked;
        size_of::<Actions>()
            + asns * size_of::<Asn>()
            + self.prepend_to.len() * size_of::<(Asn, u8)>()
            + self.rtt.len() * size_of::<RttRequest>()
    }

    /// Whether the path goes unchanged to everybody but its announcer.
    pub fn is_default(&self) -> bool {
        *self == Actions::default()
    }
}

/// Who may have a path and in which variant: disjoint, non-empty sets that leave out the announcer,
/// in the order of the variants. `tags` goes into each of them.
pub fn audiences(
    announcer: ClientSlot,
    actions: &Actions,
    class: PrefixClass,
    tags: u16,
    directory: &Directory,
) -> SmallVec<[(Variant, ClientSet); 1]> {
    let everyone = receivers(announcer, actions, class, directory);
    let mut flags = VariantFlags::default();
    if class.is_blackhole() {
        flags = flags.with(VariantFlags::BLACKHOLE);
        if directory.blackholes_stay() {
            flags = flags.with(VariantFlags::NO_EXPORT);
        }
    }
    if directory.is_draining() {
        flags = flags.with(VariantFlags::GRACEFUL_SHUTDOWN);
    }
    if class.is_long_lived() {
        flags = flags.with(VariantFlags::LLGR_STALE);
    }
    let mut parts: SmallVec<[(u8, VariantFlags, ClientSet); 4]> = SmallVec::new();
    for (prepend, clients) in by_prepend(actions, everyone, directory) {
        parts.push((prepend, flags, clients));
    }
    mark(
        &mut parts,
        &actions.no_export,
        VariantFlags::NO_EXPORT,
        directory,
    );
    mark(
        &mut parts,
        &actions.no_advertise,
        VariantFlags::NO_ADVERTISE,
        directory,
    );
    let own_as = directory.asn_of(announcer);
    let variant = |prepend: u8, flags| Variant {
        prepend,
        flags,
        tags,
        prepend_as: if prepend == 0 { Asn(0) } else { own_as },
    };
    let mut audiences: SmallVec<[(Variant, ClientSet); 1]> = SmallVec::new();
    for (prepend, flags, clients) in parts {
        let variant = variant(prepend, flags);
        match audiences.iter_mut().find(|(known, _)| *known == variant) {
            Some((_, known)) => known.union_with(&clients),
            None => audiences.push((variant, clients)),
        }
    }
    audiences.retain(|(_, clients)| !clients.is_empty());
    audiences.sort_unstable_by_key(|(variant, _)| *variant);
    audiences
}

/// All that may have the path, the announcer left out.
fn receivers(
    announcer: ClientSlot,
    actions: &Actions,
    class: PrefixClass,
    directory: &Directory,
) -> ClientSet {
    if actions.well_known && directory.obeys_well_known(announcer) {
        return ClientSet::new();
    }
    let mut clients = allowed(actions, directory);
    clients.remove(announcer);
    if let Some(receivers) = directory.receivers_of(announcer) {
        clients.intersect_with(receivers);
    }
    if class.is_blackhole() {
        clients.intersect_with(directory.blackhole_receivers());
    }
    clients
}

/// By control communities and `hide_own_as` alone, weakest word first.
fn allowed(actions: &Actions, directory: &Directory) -> ClientSet {
    let clients_of = |asn: &Asn| directory.of_asn(*asn);
    let by_rtt = |what: RttAction| {
        let requests = actions.rtt.iter().filter(move |rtt| rtt.what == what);
        requests.map(|request| directory.of_rtt(request.is_above, request.ms))
    };
    let mut clients = match actions.to_none {
        false => directory.everyone().clone(),
        true => ClientSet::new(),
    };
    by_rtt(RttAction::Announce).for_each(|named| clients.union_with(&named));
    by_rtt(RttAction::DoNotAnnounce).for_each(|named| clients.subtract(&named));
    let to = actions.to.iter().filter_map(clients_of);
    to.for_each(|named| clients.union_with(named));
    let not_to = actions.not_to.iter().filter_map(clients_of);
    not_to.for_each(|named| clients.subtract(named));
    let hiding = actions.hidden_from.iter();
    let hiding = hiding.filter_map(|asn| directory.hiding_own_as(*asn));
    hiding.for_each(|named| clients.subtract(named));
    clients
}

/// What names a peer goes first, then the farthest it is beyond, then the nearest it is within, then
/// what is for all.
fn by_prepend(
    actions: &Actions,
    mut rest: ClientSet,
    directory: &Directory,
) -> SmallVec<[(u8, ClientSet); 4]> {
    let mut parts: [ClientSet; 4] = Default::default();
    let mut take = |rest: &mut ClientSet, count: u8, clients: &ClientSet| {
        parts[usize::from(count.min(3))].union_with(&rest.intersection(clients));
        rest.subtract(clients);
    };
    for (asn, count) in &actions.prepend_to {
        if let Some(clients) = directory.of_asn(*asn) {
            take(&mut rest, *count, clients);
        }
    }
    let mut by_rtt: SmallVec<[(RttRequest, u8); 2]> = actions
        .rtt
        .iter()
        .filter_map(|request| match request.what {
            RttAction::Prepend(count) => Some((*request, count)),
            RttAction::Announce | RttAction::DoNotAnnounce => None,
        })
        .collect();
    by_rtt.sort_unstable_by_key(|(request, count)| {
        let (near, far) = match request.is_above {
            true => (false, u16::MAX - request.ms),
            false => (true, request.ms),
        };
        (near, far, std::cmp::Reverse(*count))
    });
    for (request, count) in by_rtt {
        take(
            &mut rest,
            count,
            &directory.of_rtt(request.is_above, request.ms),
        );
    }
    parts[usize::from(actions.prepend.min(3))].union_with(&rest);
    (0u8..)
        .zip(parts)
        .filter(|(_, clients)| !clients.is_empty())
        .collect()
}

/// Splits the parts by who is to get the flag.
fn mark(
    parts: &mut SmallVec<[(u8, VariantFlags, ClientSet); 4]>,
    marked: &Marked,
    flag: VariantFlags,
    directory: &Directory,
) {
    if marked.any {
        return parts
            .iter_mut()
            .for_each(|(_, flags, _)| *flags = flags.with(flag));
    }
    let mut concerned = ClientSet::new();
    let named = marked.peers.iter().filter_map(|asn| directory.of_asn(*asn));
    named.for_each(|clients| concerned.union_with(clients));
    if concerned.is_empty() {
        return;
    }
    for index in 0..parts.len() {
        let (prepend, flags, clients) = &mut parts[index];
        let with = clients.intersection(&concerned);
        clients.subtract(&with);
        let part = (*prepend, flags.with(flag), with);
        parts.push(part);
    }
}
