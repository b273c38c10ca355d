//! Why a client may not have an accepted path: the strongest word that keeps it from it.

use crate::base::{Asn, ClientSet, ClientSlot};

use super::{Actions, ControlAction, Directory, PrefixClass, RttAction};

/// What keeps a path from a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeptBack {
    /// The announcer's RFC 1997 communities are obeyed.
    WellKnown,
    /// The peering matrix.
    Matrix,
    /// It takes no blackhole routes.
    Blackhole,
    /// Its own ASN is in the AS_PATH, and it wants no such paths.
    HideOwnAs,
    /// Control communities of this action; with a round-trip time in milliseconds where that matters.
    Action(ControlAction, Option<u16>),
}

impl KeptBack {
    /// As the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            KeptBack::WellKnown => "rfc1997",
            KeptBack::Matrix => "peering_matrix",
            KeptBack::Blackhole => "blackhole",
            KeptBack::HideOwnAs => "hide_own_as",
            KeptBack::Action(action, _) => action.name(),
        }
    }
}

/// `None`: the client is in an audience of the path, or is its announcer. The order is that of
/// [`super::audiences`], strongest word first.
pub fn kept_back(
    announcer: ClientSlot,
    actions: &Actions,
    class: PrefixClass,
    receiver: ClientSlot,
    directory: &Directory,
) -> Option<KeptBack> {
    let is_outside =
        |clients: Option<&ClientSet>| clients.is_some_and(|clients| !clients.contains(receiver));
    if receiver == announcer {
        None
    } else if actions.well_known && directory.obeys_well_known(announcer) {
        Some(KeptBack::WellKnown)
    } else if is_outside(directory.receivers_of(announcer)) {
        Some(KeptBack::Matrix)
    } else if class.is_blackhole() && is_outside(Some(directory.blackhole_receivers())) {
        Some(KeptBack::Blackhole)
    } else {
        by_actions(actions, receiver, directory)
    }
}

fn by_actions(actions: &Actions, receiver: ClientSlot, directory: &Directory) -> Option<KeptBack> {
    let names = |asn: &Asn| {
        let clients = directory.of_asn(*asn);
        clients.is_some_and(|clients| clients.contains(receiver))
    };
    let hides = |asn: &Asn| {
        let clients = directory.hiding_own_as(*asn);
        clients.is_some_and(|clients| clients.contains(receiver))
    };
    let by_rtt = |what: RttAction| {
        let mut requests = actions
            .rtt
            .iter()
            .filter(move |request| request.what == what);
        requests.find(|request| {
            let named = directory.of_rtt(request.is_above, request.ms);
            named.contains(receiver)
        })
    };
    let action = |action| Some(KeptBack::Action(action, None));
    if actions.hidden_from.iter().any(hides) {
        Some(KeptBack::HideOwnAs)
    } else if actions.not_to.iter().any(names) {
        action(ControlAction::DoNotAnnounceToPeer)
    } else if actions.to.iter().any(names) {
        None
    } else if let Some(request) = by_rtt(RttAction::DoNotAnnounce) {
        let action = match request.is_above {
            true => ControlAction::DoNotAnnounceAboveRtt,
            false => ControlAction::DoNotAnnounceBelowRtt,
        };
        Some(KeptBack::Action(action, Some(request.ms)))
    } else if actions.to_none && by_rtt(RttAction::Announce).is_none() {
        action(ControlAction::DoNotAnnounceToAny)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{DirectoryEntry, RttRequest};

    #[test]
    fn the_strongest_word_is_named() {
        let client = |slot, asn| DirectoryEntry {
            hide_own_as: true,
            rtt_us: Some(7_000),
            takes_blackholes: false,
            ..DirectoryEntry::new(ClientSlot(slot), Asn(asn))
        };
        let announcer = |receivers: Option<ClientSet>| DirectoryEntry {
            receivers,
            obeys_well_known: true,
            ..DirectoryEntry::new(ClientSlot(0), Asn(10))
        };
        let all: Directory = [announcer(None), client(1, 11)].into_iter().collect();
        let none: Directory = [announcer(Some(ClientSet::new())), client(1, 11)]
            .into_iter()
            .collect();
        let asns = || [Asn(11)].into_iter().collect();
        let near = |what| RttRequest {
            what,
            is_above: false,
            ms: 7,
        };
        let far = |what| RttRequest {
            what,
            is_above: true,
            ms: 6,
        };
        let actions = Actions::default;
        let action = |action, ms| Some(KeptBack::Action(action, ms));
        let everything = Actions {
            to_none: true,
            well_known: true,
            not_to: [Asn(11)].into_iter().collect(),
            hidden_from: [Asn(11)].into_iter().collect(),
            rtt: [near(RttAction::DoNotAnnounce)].into_iter().collect(),
            ..actions()
        };
        let cases: [(&str, Actions, bool, &Directory, Option<KeptBack>); 12] = [
            ("nothing is asked", actions(), false, &all, None),
            (
                "RFC 1997 before all else",
                everything.clone(),
                true,
                &none,
                Some(KeptBack::WellKnown),
            ),
            (
                "then the matrix",
                Actions {
                    well_known: false,
                    ..everything.clone()
                },
                true,
                &none,
                Some(KeptBack::Matrix),
            ),
            (
                "then blackholes",
                Actions {
                    well_known: false,
                    ..everything.clone()
                },
                true,
                &all,
                Some(KeptBack::Blackhole),
            ),
            (
                "then its own ASN",
                Actions {
                    well_known: false,
                    ..everything.clone()
                },
                false,
                &all,
                Some(KeptBack::HideOwnAs),
            ),
            (
                "not to the peer, though to it as well",
                Actions {
                    not_to: asns(),
                    to: asns(),
                    ..actions()
                },
                false,
                &all,
                action(ControlAction::DoNotAnnounceToPeer, None),
            ),
            (
                "to the peer, stronger than a distance and than to none",
                Actions {
                    to: asns(),
                    to_none: true,
                    rtt: [near(RttAction::DoNotAnnounce)].into_iter().collect(),
                    ..actions()
                },
                false,
                &all,
                None,
            ),
            (
                "not to those that are near",
                Actions {
                    rtt: [near(RttAction::DoNotAnnounce)].into_iter().collect(),
                    ..actions()
                },
                false,
                &all,
                action(ControlAction::DoNotAnnounceBelowRtt, Some(7)),
            ),
            (
                "not to those that are far",
                Actions {
                    rtt: [far(RttAction::DoNotAnnounce)].into_iter().collect(),
                    ..actions()
                },
                false,
                &all,
                action(ControlAction::DoNotAnnounceAboveRtt, Some(6)),
            ),
            (
                "to none",
                Actions {
                    to_none: true,
                    ..actions()
                },
                false,
                &all,
                action(ControlAction::DoNotAnnounceToAny, None),
            ),
            (
                "to none but those that are far",
                Actions {
                    to_none: true,
                    rtt: [far(RttAction::Announce)].into_iter().collect(),
                    ..actions()
                },
                false,
                &all,
                None,
            ),
            (
                "somebody else is meant",
                Actions {
                    not_to: [Asn(12)].into_iter().collect(),
                    ..actions()
                },
                false,
                &all,
                None,
            ),
        ];
        for (case, actions, is_blackhole, directory, expected) in cases {
            let class = PrefixClass::ACCEPTED.with_blackhole(is_blackhole);
            let found = kept_back(ClientSlot(0), &actions, class, ClientSlot(1), directory);
            assert_eq!(found, expected, "{case}");
        }
    }
}
