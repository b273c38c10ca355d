//! The header of every BGP message (RFC 4271 §4.1), and KEEPALIVE, which is nothing else.

use super::notification::{Notification, header_error};

/// Octets of marker, length and type.
pub const HEADER_LEN: usize = 19;
/// Longest message without RFC 8654, in octets; OPEN and KEEPALIVE are never longer.
pub const MESSAGE_MAX: u16 = 4096;
/// Longest message with RFC 8654, in octets.
pub const EXTENDED_MESSAGE_MAX: u16 = 65535;

/// What every message begins with.
pub const MARKER: [u8; 16] = [0xff; 16];

/// Message types in the order of their codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum MessageType {
    Open = 1,
    Update = 2,
    Notification = 3,
    Keepalive = 4,
    /// RFC 2918.
    RouteRefresh = 5,
}

impl MessageType {
    const fn from_code(code: u8) -> Option<MessageType> {
        match code {
            1 => Some(MessageType::Open),
            2 => Some(MessageType::Update),
            3 => Some(MessageType::Notification),
            4 => Some(MessageType::Keepalive),
            5 => Some(MessageType::RouteRefresh),
            _ => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            MessageType::Open => "OPEN",
            MessageType::Update => "UPDATE",
            MessageType::Notification => "NOTIFICATION",
            MessageType::Keepalive => "KEEPALIVE",
            MessageType::RouteRefresh => "ROUTE-REFRESH",
        }
    }

    /// Least length of the whole message, in octets (RFC 4271 §6.1). Of a short ROUTE-REFRESH its
    /// own decoder knows what to say (RFC 7313 §5).
    const fn len_min(self) -> usize {
        match self {
            MessageType::Open => 29,
            MessageType::Update => 23,
            MessageType::Notification => 21,
            MessageType::Keepalive | MessageType::RouteRefresh => HEADER_LEN,
        }
    }

    /// Greatest length where messages may have `message_max` octets (RFC 8654 §4).
    const fn len_max(self, message_max: u16) -> usize {
        match self {
            MessageType::Open if message_max > MESSAGE_MAX => MESSAGE_MAX as usize,
            MessageType::Keepalive => HEADER_LEN,
            _ => message_max as usize,
        }
    }
}

/// A valid message header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Length of the whole message, in octets.
    pub len: u16,
    pub kind: MessageType,
}

impl Header {
    pub const fn body_len(self) -> usize {
        (self.len as usize).saturating_sub(HEADER_LEN)
    }
}

/// Reads a header; the error is the NOTIFICATION it calls for (RFC 4271 §6.1).
pub fn decode_header(octets: &[u8; HEADER_LEN], message_max: u16) -> Result<Header, Notification> {
    let [marker @ .., len_high, len_low, code] = octets;
    if *marker != MARKER {
        return Err(Notification::new(
            header_error::CODE,
            header_error::NOT_SYNCHRONIZED,
            [],
        ));
    }
    let len = u16::from_be_bytes([*len_high, *len_low]);
    let wrong_len = || {
        Notification::new(
            header_error::CODE,
            header_error::BAD_LENGTH,
            len.to_be_bytes(),
        )
    };
    if usize::from(len) < HEADER_LEN || len > message_max {
        return Err(wrong_len());
    }
    let Some(kind) = MessageType::from_code(*code) else {
        return Err(Notification::new(
            header_error::CODE,
            header_error::BAD_TYPE,
            [*code],
        ));
    };
    if usize::from(len) < kind.len_min() || usize::from(len) > kind.len_max(message_max) {
        return Err(wrong_len());
    }
    Ok(Header { len, kind })
}

/// Appends a message; `body` must fit in the longest message the receiver takes.
pub fn encode_message(out: &mut Vec<u8>, kind: MessageType, body: &[u8]) {
    let len = HEADER_LEN + body.len();
    assert!(
        len <= usize::from(EXTENDED_MESSAGE_MAX),
        "a message has at most 65,535 octets"
    );
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&(len as u16).to_be_bytes());
    out.push(kind as u8);
    out.extend_from_slice(body);
}

/// Appends a KEEPALIVE (RFC 4271 §4.4).
pub fn encode_keepalive(out: &mut Vec<u8>) {
    encode_message(out, MessageType::Keepalive, &[]);
}
