//! How a community is written in the configuration: `rs_as:1:peer_as`, `0:64496`, `rt:rs_as:peer_as`.

use crate::base::Asn;

use super::SchemeError;
use super::control::Last;

/// A form with the server's ASN put in. A missing last number is the one that varies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Standard(u16, Option<u16>),
    /// Of a two-octet AS (RFC 4360 §3.1) where the first number fits, else of a four-octet one (RFC 5668).
    Extended(ExtendedHead, Option<u32>),
    Large(u32, u32, Option<u32>),
    /// A number does not fit in its 16 bits because it is the server's ASN: the form does not exist.
    Absent,
}

/// An extended community up to its last number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ExtendedHead {
    /// 2 is route target, 3 route origin.
    pub subtype: u8,
    pub asn: Asn,
}

/// One number of a form as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Number(u32),
    RsAs,
    PeerAs,
    Rtt,
    Reason,
}

const ROUTE_TARGET: u8 = 2;
const ROUTE_ORIGIN: u8 = 3;
/// Types with a two-octet AS and a four-octet one, transitive.
const TWO_OCTET_AS: u8 = 0;
const FOUR_OCTET_AS: u8 = 2;

impl ExtendedHead {
    /// The community with this last number; `None` where that does not fit.
    pub fn with_last(self, last: u32) -> Option<[u8; 8]> {
        let ExtendedHead { subtype, asn } = self;
        let [a, b, c, d] = asn.0.to_be_bytes();
        let [e, f, g, h] = last.to_be_bytes();
        match asn.is_two_octet() {
            true => Some([TWO_OCTET_AS, subtype, c, d, e, f, g, h]),
            false if last <= 0xffff => Some([FOUR_OCTET_AS, subtype, a, b, c, d, g, h]),
            false => None,
        }
    }

    /// Head and last number of a route target or origin.
    pub fn split(community: [u8; 8]) -> Option<(ExtendedHead, u32)> {
        let [kind, subtype, a, b, c, d, e, f] = community;
        if !matches!(subtype, ROUTE_TARGET | ROUTE_ORIGIN) {
            return None;
        }
        let word = |octets| u32::from_be_bytes(octets);
        let (asn, last) = match kind {
            TWO_OCTET_AS => (word([0, 0, a, b]), word([c, d, e, f])),
            FOUR_OCTET_AS => (word([a, b, c, d]), word([0, 0, e, f])),
            _ => return None,
        };
        let asn = Asn(asn);
        Some((ExtendedHead { subtype, asn }, last))
    }
}

impl Field {
    fn read(text: &str) -> Option<Field> {
        match text {
            "rs_as" => Some(Field::RsAs),
            "peer_as" => Some(Field::PeerAs),
            "rtt" => Some(Field::Rtt),
            "reason" => Some(Field::Reason),
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
            Field::PeerAs | Field::Rtt | Field::Reason => None,
        }
    }

    /// The word for what varies.
    const fn varies(self) -> Option<&'static str> {
        match self {
            Field::Number(_) | Field::RsAs => None,
            Field::PeerAs => Some("peer_as"),
            Field::Rtt => Some("rtt"),
            Field::Reason => Some("reason"),
        }
    }
}

impl Last {
    const fn word(self) -> Option<&'static str> {
        match self {
            Last::Fixed => None,
            Last::Peer => Some("peer_as"),
            Last::Rtt => Some("rtt"),
        }
    }
}

impl Form {
    /// Of a control action.
    pub fn read(
        key: &'static str,
        last: Last,
        text: &str,
        rs_asn: Asn,
    ) -> Result<Form, SchemeError> {
        Form::read_with(key, last.word(), text, rs_asn)
    }

    /// `word` is what the last number must be; `None`: every number is fixed.
    pub fn read_with(
        key: &'static str,
        word: Option<&'static str>,
        text: &str,
        rs_asn: Asn,
    ) -> Result<Form, SchemeError> {
        let form = || text.to_owned();
        let wrong = || SchemeError::Form {
            key,
            form: form(),
            last: word.unwrap_or("nothing else"),
        };
        let (subtype, numbers) = match text.split_once(':') {
            Some(("rt", rest)) => (Some(ROUTE_TARGET), rest),
            Some(("ro", rest)) => (Some(ROUTE_ORIGIN), rest),
            _ => (None, text),
        };
        let fields: Vec<Field> = numbers
            .split(':')
            .map(|field| Field::read(field.trim()))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let (last, first) = fields.split_last().ok_or_else(wrong)?;
        let odd = first.iter().find_map(|field| field.varies());
        match (word, odd.or(last.varies())) {
            (None, Some(word)) => {
                let form = form();
                return Err(SchemeError::Unexpected { key, form, word });
            }
            (Some(word), _) if odd.is_some() || last.varies() != Some(word) => {
                let form = form();
                return Err(SchemeError::LastMissing {
                    key,
                    form,
                    last: word,
                });
            }
            _ => {}
        }
        match (subtype, fields.as_slice()) {
            (Some(subtype), [high, low]) => {
                Form::extended(subtype, *high, *low, rs_asn).ok_or_else(wrong)
            }
            (None, [high, low]) => Form::standard(*high, *low, rs_asn).ok_or_else(wrong),
            (None, [a, b, c]) => {
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

    fn extended(subtype: u8, high: Field, low: Field, rs_asn: Asn) -> Option<Form> {
        let asn = Asn(high.value(rs_asn)?);
        let head = ExtendedHead { subtype, asn };
        let last = low.value(rs_asn);
        match last.is_none_or(|last| head.with_last(last).is_some()) {
            true => Some(Form::Extended(head, last)),
            // Only the server's own ASN makes it so.
            false if low == Field::RsAs => Some(Form::Absent),
            false => None,
        }
    }
}
