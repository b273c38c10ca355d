//! Why a path was not accepted.

use std::fmt;

/// Reject reasons; the numbers are those that looking glasses show, and never change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RejectReason {
    PrefixLength = 1,
    BogonPrefix = 2,
    AsPathTooLong = 3,
    BogonAsn = 4,
    LeftmostAs = 5,
    NextHop = 6,
    OwnAs = 7,
    /// The client's `accepted_max` is reached and its action is "block".
    AcceptedLimit = 8,
    /// Nothing else is wrong with it; the client is quarantined, and none of its routes is relayed.
    Quarantined = 9,
    EmptyAsPath = 10,
}

impl RejectReason {
    /// In the order of their numbers.
    pub const ALL: [RejectReason; 10] = [
        RejectReason::PrefixLength,
        RejectReason::BogonPrefix,
        RejectReason::AsPathTooLong,
        RejectReason::BogonAsn,
        RejectReason::LeftmostAs,
        RejectReason::NextHop,
        RejectReason::OwnAs,
        RejectReason::AcceptedLimit,
        RejectReason::Quarantined,
        RejectReason::EmptyAsPath,
    ];

    /// The number that looking glasses show.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// For metrics, the API and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            RejectReason::PrefixLength => "prefix_length",
            RejectReason::BogonPrefix => "bogon_prefix",
            RejectReason::AsPathTooLong => "as_path_too_long",
            RejectReason::BogonAsn => "bogon_asn",
            RejectReason::LeftmostAs => "leftmost_as",
            RejectReason::NextHop => "next_hop",
            RejectReason::OwnAs => "own_as",
            RejectReason::AcceptedLimit => "accepted_limit",
            RejectReason::Quarantined => "quarantined",
            RejectReason::EmptyAsPath => "empty_as_path",
        }
    }

    /// For operators and members.
    pub const fn text(self) -> &'static str {
        match self {
            RejectReason::PrefixLength => {
                "The prefix is shorter or longer than this exchange accepts."
            }
            RejectReason::BogonPrefix => {
                "The prefix lies in address space that must not be routed (a bogon)."
            }
            RejectReason::AsPathTooLong => "The AS_PATH is longer than this exchange accepts.",
            RejectReason::BogonAsn => "The AS_PATH contains a reserved or private ASN (a bogon).",
            RejectReason::LeftmostAs => {
                "The first AS in the AS_PATH is not the client's (RFC 4271 §6.3)."
            }
            RejectReason::NextHop => {
                "The NEXT_HOP is none of the client's addresses (RFC 7948 §4.8)."
            }
            RejectReason::OwnAs => "The AS_PATH contains the route server's own ASN.",
            RejectReason::AcceptedLimit => {
                "The client's limit of accepted prefixes is reached, and this one is over it."
            }
            RejectReason::Quarantined => {
                "The client is quarantined: the route would be accepted, and is relayed to none."
            }
            RejectReason::EmptyAsPath => "The AS_PATH is empty.",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The outcome of import for one path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    Accepted,
    Rejected(RejectReason),
}

impl Verdict {
    pub const fn is_accepted(self) -> bool {
        matches!(self, Verdict::Accepted)
    }

    pub const fn reason(self) -> Option<RejectReason> {
        match self {
            Verdict::Accepted => None,
            Verdict::Rejected(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_name_a_sentence_and_a_number_of_its_own() {
        let names: BTreeSet<_> = RejectReason::ALL
            .iter()
            .map(|reason| reason.name())
            .collect();
        let texts: BTreeSet<_> = RejectReason::ALL
            .iter()
            .map(|reason| reason.text())
            .collect();
        assert_eq!(
            (names.len(), texts.len()),
            (RejectReason::ALL.len(), RejectReason::ALL.len())
        );
        for (index, reason) in RejectReason::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reason.code()), index + 1, "{reason}");
            assert!(reason.text().ends_with('.'), "{reason}");
        }
    }
}
