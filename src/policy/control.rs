//! What control communities may ask for, and how a configuration writes their forms.

use std::collections::BTreeMap;

use crate::base::Asn;

use super::RejectNumbers;
use super::info::InfoTag;

/// Defines the actions, each with its name, what its last number is, and its default forms.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $last:ident, [$($form:literal),*];)*) => {
        /// What a control community may ask for. The names are the keys of `[communities]`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum ControlAction {
            $($(#[$doc])* $variant,)*
        }

        impl ControlAction {
            pub const ALL: [ControlAction; [$(ControlAction::$variant),*].len()] =
                [$(ControlAction::$variant),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(ControlAction::$variant => $name,)*
                }
            }

            /// The forms of the default scheme.
            pub const fn default_forms(self) -> &'static [&'static str] {
                match self {
                    $(ControlAction::$variant => &[$($form),*],)*
                }
            }

            /// What the last number of its forms stands for.
            pub const fn last(self) -> Last {
                match self {
                    $(ControlAction::$variant => Last::$last,)*
                }
            }
        }
    };
}

/// What the last number of a form stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// Itself.
    Fixed,
    /// `peer_as`: the ASN of those concerned.
    Peer,
    /// `rtt`: a round-trip time in milliseconds.
    Rtt,
}

actions! {
    DoNotAnnounceToAny, "do_not_announce_to_any", Fixed, ["0:rs_as", "rs_as:0:0"];
    DoNotAnnounceToPeer, "do_not_announce_to_peer", Peer, ["0:peer_as", "rs_as:0:peer_as"];
    AnnounceToPeer, "announce_to_peer", Peer, ["rs_as:peer_as", "rs_as:1:peer_as"];
    AnnounceToAny, "announce_to_any", Fixed, ["rs_as:rs_as", "rs_as:1:0"];
    PrependOnceToAny, "prepend_once_to_any", Fixed, ["rs_as:101:0"];
    PrependTwiceToAny, "prepend_twice_to_any", Fixed, ["rs_as:102:0"];
    PrependThriceToAny, "prepend_thrice_to_any", Fixed, ["rs_as:103:0"];
    PrependOnceToPeer, "prepend_once_to_peer", Peer, ["rs_as:101:peer_as"];
    PrependTwiceToPeer, "prepend_twice_to_peer", Peer, ["rs_as:102:peer_as"];
    PrependThriceToPeer, "prepend_thrice_to_peer", Peer, ["rs_as:103:peer_as"];
    AddNoExportToAny, "add_noexport_to_any", Fixed, [];
    AddNoExportToPeer, "add_noexport_to_peer", Peer, [];
    AddNoAdvertiseToAny, "add_noadvertise_to_any", Fixed, [];
    AddNoAdvertiseToPeer, "add_noadvertise_to_peer", Peer, [];
    DoNotAnnounceBelowRtt, "do_not_announce_to_peers_with_rtt_lower_than", Rtt, [];
    DoNotAnnounceAboveRtt, "do_not_announce_to_peers_with_rtt_higher_than", Rtt, [];
    AnnounceBelowRtt, "announce_to_peers_with_rtt_lower_than", Rtt, [];
    AnnounceAboveRtt, "announce_to_peers_with_rtt_higher_than", Rtt, [];
    PrependOnceBelowRtt, "prepend_once_to_peers_with_rtt_lower_than", Rtt, [];
    PrependTwiceBelowRtt, "prepend_twice_to_peers_with_rtt_lower_than", Rtt, [];
    PrependThriceBelowRtt, "prepend_thrice_to_peers_with_rtt_lower_than", Rtt, [];
    PrependOnceAboveRtt, "prepend_once_to_peers_with_rtt_higher_than", Rtt, [];
    PrependTwiceAboveRtt, "prepend_twice_to_peers_with_rtt_higher_than", Rtt, [];
    PrependThriceAboveRtt, "prepend_thrice_to_peers_with_rtt_higher_than", Rtt, [];
    /// RFC 7999.
    Blackholing, "blackholing", Fixed, ["65535:666"];
}

/// What wins where forms of both kinds speak about one peer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Precedence {
    /// All forms together: "not to a peer", "to a peer", "to no one", "to all".
    #[default]
    Merged,
    /// IXP Manager's: those four among the large forms, then the same among the others.
    /// Prepends are merged all the same.
    LargeFirst,
}

/// What `[communities]` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemeOptions {
    /// Forms instead of the default ones, such as `0:peer_as` or `rs_as:0:peer_as`; an empty list
    /// switches an action off.
    pub forms: Vec<(ControlAction, Vec<String>)>,
    /// Informational communities; those that are not named are not added.
    pub tags: Vec<(InfoTag, Vec<String>)>,
    /// With `reason` for a number.
    pub reject_cause: Vec<String>,
    pub reject_numbers: RejectNumbers,
    pub rtt_thresholds_ms: Vec<u16>,
    /// 16-bit numbers that stand for an ASN, in forms of 16 bits.
    pub peer_as_aliases: BTreeMap<u16, Asn>,
    pub precedence: Precedence,
}

impl Default for SchemeOptions {
    fn default() -> SchemeOptions {
        SchemeOptions {
            forms: Vec::new(),
            tags: Vec::new(),
            reject_cause: vec!["rs_as:1101:reason".to_owned()],
            reject_numbers: RejectNumbers::default(),
            rtt_thresholds_ms: vec![5, 10, 15, 20, 30, 50, 100, 200, 500],
            peer_as_aliases: BTreeMap::new(),
            precedence: Precedence::default(),
        }
    }
}

/// What is wrong with one form; `key` is that of `[communities]`.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchemeError {
    #[error(
        "{key}: '{form}' is no standard, extended (rt:, ro:) or large community made of numbers, rs_as and {last}"
    )]
    Form {
        key: &'static str,
        form: String,
        last: &'static str,
    },
    #[error("{key}: '{form}' must end in {last}, and have it nowhere else")]
    LastMissing {
        key: &'static str,
        form: String,
        last: &'static str,
    },
    #[error("{key}: '{form}' cannot have {word}: it concerns everybody")]
    Unexpected {
        key: &'static str,
        form: String,
        word: &'static str,
    },
    #[error("{key}: '{form}' is also a form of {other}")]
    Ambiguous {
        key: &'static str,
        form: String,
        other: &'static str,
    },
    #[error(
        "{key}: what is added to routes takes up to {octets} octets; at most {max}, so that routes still fit messages"
    )]
    TooLong {
        key: &'static str,
        octets: usize,
        max: usize,
    },
}

impl SchemeError {
    pub const fn key(&self) -> &'static str {
        match self {
            SchemeError::Form { key, .. }
            | SchemeError::LastMissing { key, .. }
            | SchemeError::Unexpected { key, .. }
            | SchemeError::Ambiguous { key, .. }
            | SchemeError::TooLong { key, .. } => key,
        }
    }
}

impl ControlAction {
    pub fn from_name(name: &str) -> Option<ControlAction> {
        ControlAction::ALL
            .into_iter()
            .find(|action| action.name() == name)
    }
}
