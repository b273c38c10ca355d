//! PDUs of the RTR protocol, octets to values: RFC 8210 §5 (version 1), RFC 6810 (version
//! 0), draft-ietf-sidrops-8210bis-27 §5.12 (ASPA, version 2). Knows nothing of their order.

use crate::base::{Asn, Family, Prefix};
use crate::policy::{Aspa, Vrp};

#[doc(hidden)]
pub use super::encode::encode_pdu;

/// The highest protocol version that is spoken.
pub const VERSION_MAX: u8 = 2;
/// The longest PDU (8210bis §5.1).
pub const PDU_LEN_MAX: usize = 65_535;
pub(super) const HEADER_LEN: usize = 8;
/// What is kept of the text of an Error Report.
const TEXT_LEN_MAX: usize = 200;

/// Types of PDUs (RFC 8210 §5, 8210bis §5.12).
pub(super) mod kind {
    pub const SERIAL_NOTIFY: u8 = 0;
    pub const SERIAL_QUERY: u8 = 1;
    pub const RESET_QUERY: u8 = 2;
    pub const CACHE_RESPONSE: u8 = 3;
    pub const IPV4_PREFIX: u8 = 4;
    pub const IPV6_PREFIX: u8 = 6;
    pub const END_OF_DATA: u8 = 7;
    pub const CACHE_RESET: u8 = 8;
    pub const ROUTER_KEY: u8 = 9;
    pub const ERROR_REPORT: u8 = 10;
    pub const ASPA: u8 = 11;
}

/// Error codes (RFC 8210 §12, 8210bis §12).
pub mod error_code {
    pub const CORRUPT_DATA: u16 = 0;
    pub const INTERNAL_ERROR: u16 = 1;
    pub const NO_DATA_AVAILABLE: u16 = 2;
    pub const UNSUPPORTED_VERSION: u16 = 4;
    pub const UNSUPPORTED_PDU_TYPE: u16 = 5;
    pub const WITHDRAWAL_OF_UNKNOWN: u16 = 6;
    pub const DUPLICATE_ANNOUNCEMENT: u16 = 7;
    pub const UNEXPECTED_VERSION: u16 = 8;
    pub const ASPA_PROVIDER_LIST: u16 = 9;
}

/// What a cache sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pdu {
    SerialNotify {
        session: u16,
        serial: u32,
    },
    CacheResponse {
        session: u16,
    },
    Vrp {
        vrp: Vrp,
        is_announced: bool,
    },
    Aspa {
        aspa: Aspa,
        is_announced: bool,
    },
    /// Of no use to a route server.
    RouterKey,
    EndOfData(EndOfData),
    CacheReset,
    ErrorReport {
        code: u16,
        text: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndOfData {
    pub session: u16,
    pub serial: u32,
    /// Version 0 has none.
    pub intervals: Option<Intervals>,
}

/// What a cache asks of its routers, in seconds (RFC 8210 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intervals {
    pub refresh_s: u32,
    pub retry_s: u32,
    pub expire_s: u32,
}

impl Default for Intervals {
    fn default() -> Intervals {
        Intervals {
            refresh_s: 3600,
            retry_s: 600,
            expire_s: 7200,
        }
    }
}

impl Intervals {
    /// Within the bounds of RFC 8210 §6; a refresh comes well before the data expire.
    pub fn bounded(self) -> Intervals {
        let expire_s = self.expire_s.clamp(600, 172_800);
        Intervals {
            refresh_s: self.refresh_s.clamp(1, 86_400).min(expire_s / 2),
            retry_s: self.retry_s.clamp(1, 7200),
            expire_s,
        }
    }
}

/// What is asked of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Query {
    Reset,
    Serial { session: u16, serial: u32 },
}

/// A PDU with its version and its length in octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    pub version: u8,
    pub len: usize,
    pub pdu: Pdu,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PduError {
    #[error("it sent a PDU of version {0}; 0 to 2 are known: is it an RTR cache?")]
    Version(u8),
    #[error("it sent a PDU of type {kind}, which version {version} does not have")]
    Kind { version: u8, kind: u8 },
    #[error("it sent a PDU of type {kind} that is {len} octets long")]
    Len { kind: u8, len: usize },
    #[error("it sent a VRP that cannot be: length {len}, maximum length {max_len}")]
    Vrp { len: u8, max_len: u8 },
    #[error("it sent an ASPA PDU that is not as draft-ietf-sidrops-8210bis-27 has it")]
    Aspa,
}

impl PduError {
    pub fn code(&self) -> u16 {
        match self {
            PduError::Version(_) => error_code::UNSUPPORTED_VERSION,
            PduError::Kind { .. } => error_code::UNSUPPORTED_PDU_TYPE,
            PduError::Len { .. } | PduError::Vrp { .. } => error_code::CORRUPT_DATA,
            PduError::Aspa => error_code::ASPA_PROVIDER_LIST,
        }
    }
}

/// The first PDU of these octets; `None` while they are not all there.
pub fn decode(octets: &[u8]) -> Result<Option<Received>, PduError> {
    let Some((&[version, kind, a, b, l0, l1, l2, l3], rest)) = octets.split_first_chunk() else {
        return Ok(None);
    };
    if version > VERSION_MAX && kind != kind::ERROR_REPORT {
        return Err(PduError::Version(version));
    }
    let len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if !may_be(version, kind, len)? {
        return Err(PduError::Len { kind, len });
    }
    let Some(body) = rest.get(..len - HEADER_LEN) else {
        return Ok(None);
    };
    let field = u16::from_be_bytes([a, b]);
    let pdu = decode_body(kind, field, body)?.ok_or(PduError::Len { kind, len })?;
    Ok(Some(Received { version, len, pdu }))
}

/// Whether a PDU of this type can be that long, which is known before it is there.
fn may_be(version: u8, kind: u8, len: usize) -> Result<bool, PduError> {
    Ok(match kind {
        kind::SERIAL_NOTIFY => len == 12,
        kind::CACHE_RESPONSE | kind::CACHE_RESET => len == HEADER_LEN,
        kind::IPV4_PREFIX => len == 20,
        kind::IPV6_PREFIX => len == 32,
        kind::END_OF_DATA => len == if version == 0 { 12 } else { 24 },
        kind::ROUTER_KEY if version >= 1 => (32..=PDU_LEN_MAX).contains(&len),
        kind::ERROR_REPORT => (16..=PDU_LEN_MAX).contains(&len),
        kind::ASPA if version >= 2 => (12..=PDU_LEN_MAX).contains(&len),
        _ => return Err(PduError::Kind { version, kind }),
    })
}

/// `field` is what the header has between type and length. `None`: the body is too short.
fn decode_body(kind: u8, field: u16, body: &[u8]) -> Result<Option<Pdu>, PduError> {
    let session = field;
    Ok(match kind {
        kind::SERIAL_NOTIFY => {
            take_u32(body).map(|(serial, _)| Pdu::SerialNotify { session, serial })
        }
        kind::CACHE_RESPONSE => Some(Pdu::CacheResponse { session }),
        kind::CACHE_RESET => Some(Pdu::CacheReset),
        kind::IPV4_PREFIX => decode_vrp::<4>(Family::Ipv4, body)?,
        kind::IPV6_PREFIX => decode_vrp::<16>(Family::Ipv6, body)?,
        kind::END_OF_DATA => decode_end_of_data(session, body).map(Pdu::EndOfData),
        kind::ERROR_REPORT => Some(Pdu::ErrorReport {
            code: field,
            text: error_text(body).unwrap_or_default(),
        }),
        kind::ASPA => Some(decode_aspa(field, body)?),
        _ => Some(Pdu::RouterKey),
    })
}

fn take_u32(octets: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = octets.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

fn decode_vrp<const ADDRESS_LEN: usize>(
    family: Family,
    body: &[u8],
) -> Result<Option<Pdu>, PduError> {
    let Some((&[flags, len, max_len, _], rest)) = body.split_first_chunk() else {
        return Ok(None);
    };
    let Some((address, rest)) = rest.split_first_chunk::<ADDRESS_LEN>() else {
        return Ok(None);
    };
    let Some((asn, _)) = take_u32(rest) else {
        return Ok(None);
    };
    let wrong = PduError::Vrp { len, max_len };
    if max_len < len || max_len > family.max_len() {
        return Err(wrong);
    }
    let vrp = Vrp {
        prefix: Prefix::new(family, address, len).map_err(|_| wrong)?,
        max_len,
        asn: Asn(asn),
    };
    Ok(Some(Pdu::Vrp {
        vrp,
        is_announced: flags & 1 == 1,
    }))
}

fn decode_end_of_data(session: u16, body: &[u8]) -> Option<EndOfData> {
    let (serial, rest) = take_u32(body)?;
    let intervals = || {
        let (refresh_s, rest) = take_u32(rest)?;
        let (retry_s, rest) = take_u32(rest)?;
        let (expire_s, _) = take_u32(rest)?;
        Some(Intervals {
            refresh_s,
            retry_s,
            expire_s,
        })
    };
    Some(EndOfData {
        session,
        serial,
        intervals: intervals(),
    })
}

/// An announcement has providers, a withdrawal none. Up to revision 10 of the draft flags were
/// elsewhere: read as what they became, such PDUs are withdrawals with providers.
fn decode_aspa(field: u16, body: &[u8]) -> Result<Pdu, PduError> {
    let is_announced = field >> 8 & 1 == 1;
    let (customer, rest) = take_u32(body).ok_or(PduError::Aspa)?;
    let (providers, tail) = rest.as_chunks::<4>();
    if !tail.is_empty() || is_announced == providers.is_empty() {
        return Err(PduError::Aspa);
    }
    let asn = |octets: &[u8; 4]| Asn(u32::from_be_bytes(*octets));
    let aspa = Aspa {
        customer: Asn(customer),
        providers: providers.iter().map(asn).collect(),
    };
    Ok(Pdu::Aspa { aspa, is_announced })
}

/// What can be shown of it, on one line.
fn error_text(body: &[u8]) -> Option<String> {
    let (pdu_len, rest) = take_u32(body)?;
    let (text_len, rest) = take_u32(rest.get(pdu_len as usize..)?)?;
    let text = rest.get(..(text_len as usize).min(TEXT_LEN_MAX).min(rest.len()))?;
    let text = String::from_utf8_lossy(text);
    Some(text.chars().filter(|c| !c.is_control()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vrp(prefix: &str, max_len: u8, asn: u32) -> Vrp {
        Vrp {
            prefix: prefix.parse().unwrap(),
            max_len,
            asn: Asn(asn),
        }
    }

    fn aspa(customer: u32, providers: &[u32]) -> Aspa {
        Aspa {
            customer: Asn(customer),
            providers: providers.iter().copied().map(Asn).collect(),
        }
    }

    /// By hand from the figures of RFC 8210 §5 and 8210bis §5.12.
    #[test]
    fn octets_are_read_and_written() {
        let intervals = Intervals::default();
        let end = |intervals| EndOfData {
            session: 0x1234,
            serial: 7,
            intervals,
        };
        let cases: [(&str, u8, Pdu, &str); 10] = [
            (
                "Serial Notify",
                1,
                Pdu::SerialNotify {
                    session: 0x1234,
                    serial: 7,
                },
                "01 00 1234 0000000c 00000007",
            ),
            (
                "Cache Response",
                0,
                Pdu::CacheResponse { session: 0x1234 },
                "00 03 1234 00000008",
            ),
            (
                "IPv4 Prefix, announced",
                1,
                Pdu::Vrp {
                    vrp: vrp("192.0.2.0/24", 25, 64496),
                    is_announced: true,
                },
                "01 04 0000 00000014 01 18 19 00 c0000200 0000fbf0",
            ),
            (
                "IPv6 Prefix, withdrawn",
                1,
                Pdu::Vrp {
                    vrp: vrp("2001:db8::/32", 48, 64496),
                    is_announced: false,
                },
                "01 06 0000 00000020 00 20 30 00 20010db8000000000000000000000000 0000fbf0",
            ),
            (
                "End of Data of version 0",
                0,
                Pdu::EndOfData(end(None)),
                "00 07 1234 0000000c 00000007",
            ),
            (
                "End of Data of version 1",
                1,
                Pdu::EndOfData(end(Some(intervals))),
                "01 07 1234 00000018 00000007 00000e10 00000258 00001c20",
            ),
            ("Cache Reset", 2, Pdu::CacheReset, "02 08 0000 00000008"),
            (
                "Error Report",
                1,
                Pdu::ErrorReport {
                    code: 2,
                    text: "no".into(),
                },
                "01 0a 0002 00000012 00000000 00000002 6e6f",
            ),
            (
                "ASPA, announced",
                2,
                Pdu::Aspa {
                    aspa: aspa(64496, &[64499, 64500]),
                    is_announced: true,
                },
                "02 0b 0100 00000014 0000fbf0 0000fbf3 0000fbf4",
            ),
            (
                "ASPA, withdrawn",
                2,
                Pdu::Aspa {
                    aspa: aspa(64496, &[]),
                    is_announced: false,
                },
                "02 0b 0000 0000000c 0000fbf0",
            ),
        ];
        for (case, version, pdu, text) in cases {
            let octets = hex(text);
            let len = octets.len();
            let followed = [&octets[..], &[1, 2, 3]].concat();
            let expected = Received {
                version,
                len,
                pdu: pdu.clone(),
            };
            assert_eq!(decode(&followed), Ok(Some(expected)), "{case}");
            assert_eq!(encode_pdu(version, &pdu), octets, "{case}");
            for part in 0..len {
                assert_eq!(
                    decode(&octets[..part]),
                    Ok(None),
                    "{case}: {part} octets of it"
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let cases: [(&str, &str, PduError); 14] = [
            (
                "an HTTP server",
                "48 54 5450 2f312e31",
                PduError::Version(0x48),
            ),
            (
                "an unknown type",
                "01 05 0000 00000008",
                PduError::Kind {
                    version: 1,
                    kind: 5,
                },
            ),
            (
                "a query",
                "01 02 0000 00000008",
                PduError::Kind {
                    version: 1,
                    kind: 2,
                },
            ),
            (
                "a router key in version 0",
                "00 09 0000 00000030",
                PduError::Kind {
                    version: 0,
                    kind: 9,
                },
            ),
            (
                "an ASPA in version 1",
                "01 0b 0100 00000010",
                PduError::Kind {
                    version: 1,
                    kind: 11,
                },
            ),
            (
                "a length of 0",
                "01 03 0000 00000000",
                PduError::Len { kind: 3, len: 0 },
            ),
            (
                "a short prefix",
                "01 04 0000 00000013",
                PduError::Len { kind: 4, len: 19 },
            ),
            (
                "an End of Data of the other version",
                "01 07 0000 0000000c",
                PduError::Len { kind: 7, len: 12 },
            ),
            (
                "an endless Error Report",
                "01 0a 0000 ffffffff",
                PduError::Len {
                    kind: 10,
                    len: 0xffff_ffff,
                },
            ),
            (
                "a length over the maximum length",
                "01 04 0000 00000014 01 18 17 00 c0000200 0000fbf0",
                PduError::Vrp {
                    len: 24,
                    max_len: 23,
                },
            ),
            (
                "a maximum length over that of the family",
                "01 04 0000 00000014 01 18 21 00 c0000200 0000fbf0",
                PduError::Vrp {
                    len: 24,
                    max_len: 33,
                },
            ),
            (
                "an announced ASPA without providers",
                "02 0b 0100 0000000c 0000fbf0",
                PduError::Aspa,
            ),
            (
                "an ASPA that ends within a provider",
                "02 0b 0100 00000012 0000fbf0 0000fbf1 0000",
                PduError::Aspa,
            ),
            (
                "an ASPA of revision 10 of the draft",
                "02 0b 0000 00000014 01 00 0001 0000fbf0 0000fbf3",
                PduError::Aspa,
            ),
        ];
        for (case, text, error) in cases {
            assert_eq!(decode(&hex(text)), Err(error), "{case}");
        }
    }

    #[test]
    fn texts_of_errors_are_shown_with_care() {
        let text = |octets: &str| match decode(&hex(octets)).unwrap().unwrap().pdu {
            Pdu::ErrorReport { text, .. } => text,
            other => panic!("{other:?}"),
        };
        let cases = [
            (
                "after the PDU it is about",
                "01 0a 0002 00000014 00000002 0102 00000002 6e6f",
                "no",
            ),
            (
                "control characters go",
                "01 0a 0002 00000013 00000000 00000003 6e0a6f",
                "no",
            ),
            (
                "a length over what is there",
                "01 0a 0002 00000012 00000000 ffffffff 6e6f",
                "no",
            ),
            (
                "a PDU over what is there",
                "01 0a 0002 00000012 ffffffff 00000000 6e6f",
                "",
            ),
            (
                "even of a version to come",
                "09 0a 0004 00000012 00000000 00000002 6e6f",
                "no",
            ),
        ];
        for (case, octets, expected) in cases {
            assert_eq!(text(octets), expected, "{case}");
        }
    }

    #[test]
    fn intervals_are_bounded() {
        let of = |refresh_s, retry_s, expire_s| Intervals {
            refresh_s,
            retry_s,
            expire_s,
        };
        let cases = [
            ("usual ones stay", of(3600, 600, 7200), of(3600, 600, 7200)),
            ("nothing is 0", of(0, 0, 0), of(1, 1, 600)),
            (
                "nothing is for ever",
                of(u32::MAX, u32::MAX, u32::MAX),
                of(86_400, 7200, 172_800),
            ),
            (
                "a refresh comes before the data expire",
                of(3600, 600, 900),
                of(450, 600, 900),
            ),
        ];
        for (case, intervals, expected) in cases {
            assert_eq!(intervals.bounded(), expected, "{case}");
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(octet).collect()
    }

    proptest! {
        #[test]
        fn any_octets_give_a_value_or_an_error(
            version in 0u8..4,
            kind in 0u8..13,
            len in 0u8..64,
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let octets = [&[version, kind, 1, 0, 0, 0, 0, len], &body[..]].concat();
            if let Ok(Some(received)) = decode(&octets) {
                prop_assert!(received.len <= octets.len());
            }
        }
    }
}
