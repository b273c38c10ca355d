//! Why a path was not accepted.

use std::fmt;

/// Defines the reasons, each with its code, name, numbers of IXP Manager and arouteserver, and text.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $ixp_manager:literal, $arouteserver:literal, $text:literal;)*) => {
        /// Reject reasons; the codes are Rialto's own, and never change.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum RejectReason {
            $($(#[$doc])* $variant = $code,)*
        }

        impl RejectReason {
            /// In the order of their codes.
            pub const ALL: [RejectReason; [$($code),*].len()] = [$(RejectReason::$variant),*];

            /// For metrics, the API, the configuration and scripts.
            pub const fn name(self) -> &'static str {
                match self {
                    $(RejectReason::$variant => $name,)*
                }
            }

            /// For operators and members.
            pub const fn text(self) -> &'static str {
                match self {
                    $(RejectReason::$variant => $text,)*
                }
            }

            const fn ixp_manager(self) -> u16 {
                match self {
                    $(RejectReason::$variant => $ixp_manager,)*
                }
            }

            const fn arouteserver(self) -> u16 {
                match self {
                    $(RejectReason::$variant => $arouteserver,)*
                }
            }
        }
    };
}

// What IXP Manager has no number for begins at 101; what arouteserver has no id for is its 65535.
reasons! {
    PrefixTooLong = 1, "prefix_too_long", 1, 13,
        "The prefix is longer than this exchange accepts.";
    BogonPrefix = 2, "bogon_prefix", 3, 2,
        "The prefix lies in address space that must not be routed (a bogon).";
    AsPathTooLong = 3, "as_path_too_long", 5, 1,
        "The AS_PATH is longer than this exchange accepts.";
    BogonAsn = 4, "bogon_asn", 4, 7,
        "The AS_PATH contains a reserved or private ASN (a bogon).";
    LeftmostAs = 5, "leftmost_as", 7, 6,
        "The first AS in the AS_PATH is not the client's (RFC 4271 §6.3).";
    NextHop = 6, "next_hop", 8, 5,
        "The NEXT_HOP is none of the client's addresses (RFC 7948 §4.8).";
    OwnAs = 7, "own_as", 107, 7,
        "The AS_PATH contains the route server's own ASN.";
    /// The client's `accepted_max` is reached and its action is "block" or "reject".
    AcceptedLimit = 8, "accepted_limit", 108, 65535,
        "The client's limit of accepted prefixes is reached, and this one is over it.";
    /// Nothing else is wrong with it; the client is quarantined, and none of its routes is relayed.
    Quarantined = 9, "quarantined", 109, 65535,
        "The client is quarantined: the route would be accepted, and is relayed to none.";
    EmptyAsPath = 10, "empty_as_path", 6, 1,
        "The AS_PATH is empty.";
    PrefixTooShort = 11, "prefix_too_short", 2, 13,
        "The prefix is shorter than this exchange accepts.";
    BlackList = 12, "black_list", 112, 3,
        "The prefix is on the exchange's black list.";
    ClientBlackList = 13, "client_black_list", 113, 11,
        "The prefix is on the black list for this client.";
    OwnPrefix = 14, "own_prefix", 114, 3,
        "The prefix is, or lies in, one of the exchange's own.";
    IrrPrefix = 15, "irr_prefix", 9, 12,
        "The prefix has no route object in the client's AS-SET (IRR).";
    IrrOrigin = 16, "irr_origin", 10, 9,
        "The origin AS is not in the client's AS-SET (IRR).";
    /// The check is on, and there is no set to check by.
    IrrMissing = 17, "irr_data_missing", 117, 65535,
        "The route server has no IRR data for this client yet.";
    RpkiInvalid = 18, "rpki_invalid", 13, 14,
        "The route is RPKI Invalid (RFC 6811).";
    RpkiUnknown = 19, "rpki_unknown", 12, 65535,
        "No ROA covers the prefix (RPKI NotFound), and this exchange insists on one.";
    /// The check is on, and there are no VRPs to check by.
    RpkiMissing = 20, "rpki_data_missing", 120, 65535,
        "The route server has no RPKI data yet.";
    AspaInvalid = 21, "aspa_invalid", 121, 65535,
        "The AS_PATH is ASPA Invalid: a route leak, by what an AS on it says of its providers.";
    TransitFree = 22, "transit_free_asn", 14, 8,
        "The AS_PATH contains a transit-free network behind the client: a route leak.";
    NeverViaRouteServers = 23, "never_via_route_servers", 123, 15,
        "The AS_PATH contains a network that wants its routes never to be seen via route servers.";
    TooManyCommunities = 24, "too_many_communities", 15, 65535,
        "The route has more communities than this exchange accepts.";
    AsSet = 25, "as_set", 125, 7,
        "The AS_PATH contains an AS_SET (RFC 9774).";
    RouteLeak = 26, "route_leak", 126, 65535,
        "The route has ONLY_TO_CUSTOMER and came from a client: a route leak (RFC 9234).";
}

/// Whose numbers stand for the reasons in communities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RejectNumbers {
    #[default]
    IxpManager,
    Arouteserver,
}

impl RejectReason {
    /// Rialto's own number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub const fn of_code(code: u8) -> Option<RejectReason> {
        match code {
            0 => None,
            code if code as usize <= RejectReason::ALL.len() => {
                Some(RejectReason::ALL[code as usize - 1])
            }
            _ => None,
        }
    }

    pub fn from_name(name: &str) -> Option<RejectReason> {
        RejectReason::ALL
            .into_iter()
            .find(|reason| reason.name() == name)
    }

    /// The number that communities show.
    pub const fn number(self, numbers: RejectNumbers) -> u16 {
        match numbers {
            RejectNumbers::IxpManager => self.ixp_manager(),
            RejectNumbers::Arouteserver => self.arouteserver(),
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

    /// Accepted, or held back by quarantine alone: import would accept it.
    pub const fn passes_import(self) -> bool {
        matches!(
            self,
            Verdict::Accepted | Verdict::Rejected(RejectReason::Quarantined)
        )
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
