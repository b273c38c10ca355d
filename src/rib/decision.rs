//! The decision process (RFC 4271 §9.1.2.2) as it applies to a route server: no LOCAL_PREF, no
//! IGP metric, no preference for what came first, so that the answer never depends on order.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::base::{Asn, ClientSlot};

use super::{Path, SetTable};

/// How MULTI_EXIT_DISC counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MedMode {
    /// Between paths of one neighbouring AS, by elimination (RFC 4271 §9.1.2.2 (c)).
    #[default]
    SameAs,
    Always,
    Ignore,
}

/// The step that preferred one path to another, in the order in which they are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    Preference,
    AsPathLength,
    Origin,
    Med,
    RouterId,
    PeerAddress,
}

impl DecidedBy {
    pub const fn text(self) -> &'static str {
        match self {
            DecidedBy::Preference => "preference",
            DecidedBy::AsPathLength => "AS_PATH length",
            DecidedBy::Origin => "ORIGIN",
            DecidedBy::Med => "MED",
            DecidedBy::RouterId => "router id",
            DecidedBy::PeerAddress => "peer address",
        }
    }
}

/// What the last two steps compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AnnouncerOrder {
    pub router_id: Ipv4Addr,
    pub address: IpAddr,
}

/// What the decision looks at beside the paths.
#[derive(Clone, Copy)]
pub struct Decision<'a> {
    pub med: MedMode,
    pub sets: &'a SetTable,
    /// By slot.
    pub announcers: &'a [AnnouncerOrder],
}

impl Decision<'_> {
    /// Orders accepted paths, best first. Under [`MedMode::SameAs`] this leaves MED out: it gives no
    /// total order.
    pub fn compare(&self, a: &Path, b: &Path) -> Ordering {
        a.rank
            .cmp(&b.rank)
            .then_with(|| {
                if self.med == MedMode::Always {
                    self.med_of(a).cmp(&self.med_of(b))
                } else {
                    Ordering::Equal
                }
            })
            .then_with(|| self.compare_announcers(a.announcer, b.announcer))
    }

    pub fn compare_announcers(&self, a: ClientSlot, b: ClientSlot) -> Ordering {
        self.announcers[a.index()]
            .cmp(&self.announcers[b.index()])
            .then(a.cmp(&b))
    }

    /// A missing MED is the lowest (RFC 4271 §9.1.2.2 (c)).
    pub fn med_of(&self, path: &Path) -> u32 {
        self.sets.set(path.set).med().unwrap_or(0)
    }

    pub fn neighbour_of(&self, path: &Path) -> Option<Asn> {
        self.sets.set(path.set).leftmost_as()
    }

    /// Whether MED takes `a` out because of `b`, where they are tied before.
    pub fn med_eliminates(&self, a: &Path, b: &Path) -> bool {
        match self.med {
            MedMode::Ignore => false,
            MedMode::Always => self.med_of(b) < self.med_of(a),
            MedMode::SameAs => {
                self.neighbour_of(a) == self.neighbour_of(b) && self.med_of(b) < self.med_of(a)
            }
        }
    }

    /// The first step at which `other` (with so many prepends) is behind, where `best` is the best
    /// of the `eligible`: by MED it may be taken out by a third one, which then loses to `best`.
    pub fn decided_by(
        &self,
        best: (&Path, u8),
        other: (&Path, u8),
        eligible: &[(&Path, u8)],
    ) -> DecidedBy {
        let (a, b) = (
            best.0.rank.prepended(best.1),
            other.0.rank.prepended(other.1),
        );
        if a.preference() != b.preference() {
            DecidedBy::Preference
        } else if a.as_path_len() != b.as_path_len() {
            DecidedBy::AsPathLength
        } else if a != b {
            DecidedBy::Origin
        } else if eligible.iter().any(|third| {
            third.0.rank.prepended(third.1) == b && self.med_eliminates(other.0, third.0)
        }) {
            DecidedBy::Med
        } else if self.announcers[best.0.announcer.index()].router_id
            != self.announcers[other.0.announcer.index()].router_id
        {
            DecidedBy::RouterId
        } else {
            DecidedBy::PeerAddress
        }
    }
}
