//! The control communities of an exchange: which communities mean what, and which disappear.

use crate::base::Asn;
use crate::wire::{AttributeSet, CommunityScrub};

use super::{Actions, Directory};

/// What a control community may ask for. The names are the keys of `[communities]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ControlAction {
    DoNotAnnounceToAny,
    DoNotAnnounceToPeer,
    AnnounceToPeer,
    AnnounceToAny,
    PrependOnceToAny,
    PrependTwiceToAny,
    PrependThriceToAny,
    PrependOnceToPeer,
    PrependTwiceToPeer,
    PrependThriceToPeer,
}

/// What wins where forms of both kinds speak about one peer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Precedence {
    /// All forms together: "not to a peer", "to a peer", "to no one", "to all".
    #[default]
    Merged,
    /// IXP Manager's: those four among the large forms, then the same among the standard ones.
    LargeFirst,
}

/// What `[communities]` says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SchemeOptions {
    /// Forms instead of the default ones, such as `0:peer_as` or `rs_as:0:peer_as`; an empty list
    /// switches an action off.
    pub forms: Vec<(ControlAction, Vec<String>)>,
    pub precedence: Precedence,
    /// RFC 1997 NO_EXPORT, NO_ADVERTISE and NO_EXPORT_SUBCONFED mean "to no one", whatever else is
    /// asked for. Else they pass through.
    pub interpret_well_known: bool,
}

/// What is wrong with one form; `action` is its key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchemeError {
    #[error("{}: '{form}' is no community: two or three numbers, rs_as or peer_as, with colons", action.name())]
    Form { action: ControlAction, form: String },
    #[error("{}: '{form}' must end in peer_as, and have it nowhere else", action.name())]
    PeerMissing { action: ControlAction, form: String },
    #[error("{}: '{form}' cannot have peer_as: the action concerns everybody", action.name())]
    PeerUnexpected { action: ControlAction, form: String },
    #[error("{}: '{form}' is also a form of {}", action.name(), other.name())]
    Ambiguous {
        action: ControlAction,
        form: String,
        other: ControlAction,
    },
}

/// Which communities mean what. The default has no forms: nothing is asked for, nothing scrubbed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ControlScheme {}

impl ControlAction {
    pub const ALL: [ControlAction; 10] = [
        ControlAction::DoNotAnnounceToAny,
        ControlAction::DoNotAnnounceToPeer,
        ControlAction::AnnounceToPeer,
        ControlAction::AnnounceToAny,
        ControlAction::PrependOnceToAny,
        ControlAction::PrependTwiceToAny,
        ControlAction::PrependThriceToAny,
        ControlAction::PrependOnceToPeer,
        ControlAction::PrependTwiceToPeer,
        ControlAction::PrependThriceToPeer,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            ControlAction::DoNotAnnounceToAny => "do_not_announce_to_any",
            ControlAction::DoNotAnnounceToPeer => "do_not_announce_to_peer",
            ControlAction::AnnounceToPeer => "announce_to_peer",
            ControlAction::AnnounceToAny => "announce_to_any",
            ControlAction::PrependOnceToAny => "prepend_once_to_any",
            ControlAction::PrependTwiceToAny => "prepend_twice_to_any",
            ControlAction::PrependThriceToAny => "prepend_thrice_to_any",
            ControlAction::PrependOnceToPeer => "prepend_once_to_peer",
            ControlAction::PrependTwiceToPeer => "prepend_twice_to_peer",
            ControlAction::PrependThriceToPeer => "prepend_thrice_to_peer",
        }
    }

    pub fn from_name(name: &str) -> Option<ControlAction> {
        ControlAction::ALL
            .into_iter()
            .find(|action| action.name() == name)
    }
}

impl ControlScheme {
    /// The default scheme with what `options` changes. All errors at once.
    pub fn new(_rs_asn: Asn, _options: &SchemeOptions) -> Result<ControlScheme, Vec<SchemeError>> {
        Ok(ControlScheme {})
    }

    /// The default scheme.
    pub fn standard(_rs_asn: Asn) -> ControlScheme {
        ControlScheme {}
    }

    /// Every form there is, as `check` shows it.
    pub fn forms(&self) -> impl Iterator<Item = (ControlAction, String)> + '_ {
        std::iter::empty()
    }

    /// What the set's communities ask for.
    pub fn actions(&self, _set: &AttributeSet, _directory: &Directory) -> Actions {
        Actions::default()
    }

    /// What goes on import: communities under the server's ASN that are no control communities.
    pub fn import_scrub(&self) -> &dyn CommunityScrub {
        self
    }

    /// What goes on export: control communities.
    pub fn export_scrub(&self) -> &dyn CommunityScrub {
        self
    }
}

impl CommunityScrub for ControlScheme {
    fn removes_standard(&self, _community: (u16, u16)) -> bool {
        false
    }
    fn removes_large(&self, _community: (u32, u32, u32)) -> bool {
        false
    }
    fn removes_extended(&self, _community: [u8; 8]) -> bool {
        false
    }
}
