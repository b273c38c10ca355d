//! What control communities may ask for, and how a configuration writes their forms.

use crate::base::Asn;

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
    /// Prepends are merged all the same.
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
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchemeError {
    #[error("{}: '{form}' is no standard or large community made of numbers, rs_as and peer_as", action.name())]
    Form { action: ControlAction, form: String },
    #[error("{}: '{form}' must end in peer_as, and have it nowhere else", action.name())]
    PeerMissing { action: ControlAction, form: String },
    #[error("{}: '{form}' cannot have peer_as, for the action concerns everybody", action.name())]
    PeerUnexpected { action: ControlAction, form: String },
    #[error("{}: '{form}' is also a form of {}", action.name(), other.name())]
    Ambiguous {
        action: ControlAction,
        form: String,
        other: ControlAction,
    },
}

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

    /// The forms of the default scheme.
    pub const fn default_forms(self) -> &'static [&'static str] {
        match self {
            ControlAction::DoNotAnnounceToAny => &["0:rs_as", "rs_as:0:0"],
            ControlAction::DoNotAnnounceToPeer => &["0:peer_as", "rs_as:0:peer_as"],
            ControlAction::AnnounceToPeer => &["rs_as:peer_as", "rs_as:1:peer_as"],
            ControlAction::AnnounceToAny => &["rs_as:rs_as", "rs_as:1:0"],
            ControlAction::PrependOnceToAny => &["rs_as:101:0"],
            ControlAction::PrependTwiceToAny => &["rs_as:102:0"],
            ControlAction::PrependThriceToAny => &["rs_as:103:0"],
            ControlAction::PrependOnceToPeer => &["rs_as:101:peer_as"],
            ControlAction::PrependTwiceToPeer => &["rs_as:102:peer_as"],
            ControlAction::PrependThriceToPeer => &["rs_as:103:peer_as"],
        }
    }

    /// Whether its forms name a peer.
    pub const fn names_a_peer(self) -> bool {
        matches!(
            self,
            ControlAction::DoNotAnnounceToPeer
                | ControlAction::AnnounceToPeer
                | ControlAction::PrependOnceToPeer
                | ControlAction::PrependTwiceToPeer
                | ControlAction::PrependThriceToPeer
        )
    }
}

/// A form with the server's ASN put in. A missing last number stands for the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Standard(u16, Option<u16>),
    Large(u32, u32, Option<u32>),
    /// A number does not fit in its 16 bits because it is the server's ASN: the form does not exist.
    Absent,
}

/// One number of a form as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Number(u32),
    RsAs,
    PeerAs,
}

impl Field {
    fn read(text: &str) -> Option<Field> {
        match text {
            "rs_as" => Some(Field::RsAs),
            "peer_as" => Some(Field::PeerAs),
            digits if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
                digits.parse().ok().map(Field::Number)
            }
            _ => None,
        }
    }

    const fn value(self, rs_asn: Asn) -> Option<u32> {
        match self {
            Field::Number(number) => Some(number),
            Field::RsAs => Some(rs_asn.0),
            Field::PeerAs => None,
        }
    }
}

impl Form {
    pub(super) fn read(
        action: ControlAction,
        text: &str,
        rs_asn: Asn,
    ) -> Result<Form, SchemeError> {
        let form = || text.to_owned();
        let wrong = || SchemeError::Form {
            action,
            form: form(),
        };
        let fields: Vec<Field> = text
            .split(':')
            .map(|field| Field::read(field.trim()))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let (last, first) = fields.split_last().ok_or_else(wrong)?;
        let names_a_peer = *last == Field::PeerAs;
        if first.contains(&Field::PeerAs) || names_a_peer != action.names_a_peer() {
            return Err(match action.names_a_peer() {
                true => SchemeError::PeerMissing {
                    action,
                    form: form(),
                },
                false => SchemeError::PeerUnexpected {
                    action,
                    form: form(),
                },
            });
        }
        match fields.as_slice() {
            [high, low] => Form::standard(*high, *low, rs_asn).ok_or_else(wrong),
            [a, b, c] => {
                let number = |field: &Field| field.value(rs_asn).ok_or_else(wrong);
                Ok(Form::Large(number(a)?, number(b)?, c.value(rs_asn)))
            }
            _ => Err(wrong()),
        }
    }

    fn standard(high: Field, low: Field, rs_asn: Asn) -> Option<Form> {
        let too_long = |field| matches!(field, Field::Number(number) if number > 0xffff);
        if too_long(high) || too_long(low) {
            return None;
        }
        if !rs_asn.is_two_octet() && [high, low].contains(&Field::RsAs) {
            return Some(Form::Absent);
        }
        Some(Form::Standard(
            high.value(rs_asn)? as u16,
            low.value(rs_asn).map(|low| low as u16),
        ))
    }
}
