//! NOTIFICATION messages (RFC 4271 §4.5): why a session ends, in octets and in words.

use std::borrow::Cow;
use std::fmt;

use crate::base::Family;

use super::MessageType;
use super::header::encode_message;

/// Message Header Error (RFC 4271 §6.1).
pub mod header_error {
    pub const CODE: u8 = 1;
    pub const NOT_SYNCHRONIZED: u8 = 1;
    pub const BAD_LENGTH: u8 = 2;
    pub const BAD_TYPE: u8 = 3;
}

/// OPEN Message Error (RFC 4271 §6.2).
pub mod open_error {
    pub const CODE: u8 = 2;
    pub const UNSPECIFIC: u8 = 0;
    pub const UNSUPPORTED_VERSION: u8 = 1;
    pub const BAD_PEER_AS: u8 = 2;
    pub const BAD_BGP_IDENTIFIER: u8 = 3;
    pub const UNSUPPORTED_PARAMETER: u8 = 4;
    pub const UNACCEPTABLE_HOLD_TIME: u8 = 6;
    /// RFC 5492.
    pub const UNSUPPORTED_CAPABILITY: u8 = 7;
    /// RFC 9234.
    pub const ROLE_MISMATCH: u8 = 11;
}

/// UPDATE Message Error (RFC 4271 §6.3).
pub mod update_error {
    pub const CODE: u8 = 3;
    pub const MALFORMED_ATTRIBUTE_LIST: u8 = 1;
    pub const UNRECOGNIZED_WELL_KNOWN: u8 = 2;
    pub const MISSING_WELL_KNOWN: u8 = 3;
    pub const ATTRIBUTE_FLAGS: u8 = 4;
    pub const ATTRIBUTE_LENGTH: u8 = 5;
    pub const INVALID_ORIGIN: u8 = 6;
    pub const INVALID_NEXT_HOP: u8 = 8;
    pub const OPTIONAL_ATTRIBUTE: u8 = 9;
    pub const INVALID_NETWORK_FIELD: u8 = 10;
    pub const MALFORMED_AS_PATH: u8 = 11;
}

pub const HOLD_TIMER_EXPIRED: u8 = 4;

/// Finite State Machine Error (RFC 6608): a message that the state does not expect.
pub mod fsm_error {
    pub const CODE: u8 = 5;
    pub const IN_OPEN_SENT: u8 = 1;
    pub const IN_OPEN_CONFIRM: u8 = 2;
    pub const IN_ESTABLISHED: u8 = 3;
}

pub const CEASE: u8 = 6;

/// ROUTE-REFRESH Message Error (RFC 7313 §5).
pub mod route_refresh_error {
    pub const CODE: u8 = 7;
    pub const INVALID_LENGTH: u8 = 1;
}

/// RFC 9687.
pub const SEND_HOLD_TIMER_EXPIRED: u8 = 8;

/// Longest shutdown communication, in octets (RFC 9003 §2).
pub const SHUTDOWN_TEXT_MAX: usize = 255;

/// Subcodes of Cease (RFC 4486, RFC 8538, RFC 9384).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum CeaseSubcode {
    MaximumPrefixes = 1,
    AdministrativeShutdown = 2,
    PeerDeconfigured = 3,
    AdministrativeReset = 4,
    ConnectionRejected = 5,
    OtherConfigurationChange = 6,
    ConnectionCollision = 7,
    OutOfResources = 8,
    HardReset = 9,
    BfdDown = 10,
}

impl CeaseSubcode {
    /// Whether the message carries text for the other operator (RFC 9003 §2).
    pub const fn has_text(self) -> bool {
        matches!(
            self,
            CeaseSubcode::AdministrativeShutdown | CeaseSubcode::AdministrativeReset
        )
    }
}

/// Why a session ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    pub code: u8,
    pub subcode: u8,
    pub data: Vec<u8>,
}

impl Notification {
    pub fn new(code: u8, subcode: u8, data: impl Into<Vec<u8>>) -> Notification {
        Notification {
            code,
            subcode,
            data: data.into(),
        }
    }

    /// Cease. `text` goes along where the subcode has a place for it, cut to 255 octets.
    pub fn cease(subcode: CeaseSubcode, text: &str) -> Notification {
        let text = cut(text, SHUTDOWN_TEXT_MAX);
        let mut data = Vec::new();
        if subcode.has_text() && !text.is_empty() {
            data.push(text.len() as u8);
            data.extend_from_slice(text.as_bytes());
        }
        Notification::new(CEASE, subcode as u8, data)
    }

    /// This one inside a Hard Reset (RFC 8538 §3.1): whoever gets it keeps no routes.
    pub fn into_hard_reset(self) -> Notification {
        let mut data = vec![self.code, self.subcode];
        data.extend(self.data);
        Notification::new(CEASE, CeaseSubcode::HardReset as u8, data)
    }

    /// What it says, without a Hard Reset around it.
    pub fn meant(&self) -> Cow<'_, Notification> {
        match self.hard_reset_reason() {
            Some(inner) => Cow::Owned(inner),
            None => Cow::Borrowed(self),
        }
    }

    /// From the message without its header. Lenient: there is no way to answer a bad one (RFC 4271 §6.4).
    pub fn decode(body: &[u8]) -> Notification {
        match body {
            [code, subcode, data @ ..] => Notification::new(*code, *subcode, data),
            [code] => Notification::new(*code, 0, []),
            [] => Notification::new(0, 0, []),
        }
    }

    /// Appends the whole message, header included; data that would make it longer than
    /// `message_max` octets is cut.
    pub fn encode(&self, out: &mut Vec<u8>, message_max: u16) {
        let data_max = usize::from(message_max).saturating_sub(super::HEADER_LEN + 2);
        let mut body = vec![self.code, self.subcode];
        body.extend(self.data.iter().take(data_max));
        encode_message(out, MessageType::Notification, &body);
    }

    pub fn is_cease(&self, subcode: CeaseSubcode) -> bool {
        self.code == CEASE && self.subcode == subcode as u8
    }

    /// The shutdown communication (RFC 9003), if there is one; what is no UTF-8 is replaced.
    pub fn text(&self) -> Option<String> {
        if !self.is_cease(CeaseSubcode::AdministrativeShutdown)
            && !self.is_cease(CeaseSubcode::AdministrativeReset)
        {
            return None;
        }
        let (len, rest) = self.data.split_first()?;
        let text = rest.get(..usize::from(*len)).unwrap_or(rest);
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }

    /// The NOTIFICATION inside a Hard Reset (RFC 8538 §3.1).
    fn hard_reset_reason(&self) -> Option<Notification> {
        let inner = Notification::decode(&self.data);
        let nested = inner.is_cease(CeaseSubcode::HardReset);
        (self.is_cease(CeaseSubcode::HardReset) && self.data.len() >= 2 && !nested).then_some(inner)
    }

    /// Address family and number of prefixes that came with Maximum Number of Prefixes Reached (RFC 4486 §4).
    fn prefix_limit(&self) -> Option<(u16, u8, u32)> {
        if !self.is_cease(CeaseSubcode::MaximumPrefixes) {
            return None;
        }
        let [a, b, safi, rest @ ..] = self.data.as_slice() else {
            return None;
        };
        let limit = rest.first_chunk::<4>()?;
        Some((
            u16::from_be_bytes([*a, *b]),
            *safi,
            u32::from_be_bytes(*limit),
        ))
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match code_name(self.code) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "error code {}", self.code)?,
        }
        match subcode_name(self.code, self.subcode) {
            Some(name) => write!(f, " / {name}")?,
            None if self.subcode != 0 => write!(f, " / subcode {}", self.subcode)?,
            None => {}
        }
        if let Some(text) = self.text() {
            write!(f, ": \"{}\"", text.escape_debug())
        } else if let Some(inner) = self.hard_reset_reason() {
            write!(f, ": {inner}")
        } else if let Some((afi, safi, limit)) = self.prefix_limit() {
            match Family::from_afi_safi(afi, safi) {
                Some(family) => write!(f, ": {limit} {family} prefixes"),
                None => write!(f, ": {limit} prefixes of AFI {afi} SAFI {safi}"),
            }
        } else {
            Ok(())
        }
    }
}

/// `text` up to `len` octets, at a character's end.
fn cut(text: &str, len: usize) -> &str {
    text.get(..text.floor_char_boundary(len))
        .unwrap_or_default()
}

fn code_name(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "Message Header Error",
        2 => "OPEN Message Error",
        3 => "UPDATE Message Error",
        4 => "Hold Timer Expired",
        5 => "Finite State Machine Error",
        6 => "Cease",
        7 => "ROUTE-REFRESH Message Error",
        8 => "Send Hold Timer Expired",
        _ => return None,
    })
}

fn subcode_name(code: u8, subcode: u8) -> Option<&'static str> {
    Some(match (code, subcode) {
        (1, 1) => "Connection Not Synchronized",
        (1, 2) => "Bad Message Length",
        (1, 3) => "Bad Message Type",
        (2, 1) => "Unsupported Version Number",
        (2, 2) => "Bad Peer AS",
        (2, 3) => "Bad BGP Identifier",
        (2, 4) => "Unsupported Optional Parameter",
        (2, 6) => "Unacceptable Hold Time",
        (2, 7) => "Unsupported Capability",
        (2, 11) => "Role Mismatch",
        (3, 1) => "Malformed Attribute List",
        (3, 2) => "Unrecognized Well-known Attribute",
        (3, 3) => "Missing Well-known Attribute",
        (3, 4) => "Attribute Flags Error",
        (3, 5) => "Attribute Length Error",
        (3, 6) => "Invalid ORIGIN Attribute",
        (3, 8) => "Invalid NEXT_HOP Attribute",
        (3, 9) => "Optional Attribute Error",
        (3, 10) => "Invalid Network Field",
        (3, 11) => "Malformed AS_PATH",
        (5, 1) => "Unexpected Message in OpenSent",
        (5, 2) => "Unexpected Message in OpenConfirm",
        (5, 3) => "Unexpected Message in Established",
        (6, 1) => "Maximum Number of Prefixes Reached",
        (6, 2) => "Administrative Shutdown",
        (6, 3) => "Peer De-configured",
        (6, 4) => "Administrative Reset",
        (6, 5) => "Connection Rejected",
        (6, 6) => "Other Configuration Change",
        (6, 7) => "Connection Collision Resolution",
        (6, 8) => "Out of Resources",
        (6, 9) => "Hard Reset",
        (6, 10) => "BFD Down",
        (7, 1) => "Invalid Message Length",
        _ => return None,
    })
}
