//! OPEN messages (RFC 4271 §4.2) with long optional parameters (RFC 9072).

use std::net::Ipv4Addr;

use crate::base::Asn;

use super::MessageType;
use super::capability::Capabilities;
use super::header::encode_message;
use super::notification::{Notification, open_error};

const VERSION: u8 = 4;
const PARAMETER_CAPABILITIES: u8 = 2;
const PARAMETER_EXTENDED: u8 = 255;

/// What a speaker says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// From the four-octet AS capability where there is one, else from "My Autonomous System".
    pub asn: Asn,
    /// 0, or at least 3.
    pub hold_time_s: u16,
    pub router_id: Ipv4Addr,
    pub capabilities: Capabilities,
}

/// An OPEN that cannot be accepted from anybody.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    #[error("OPEN is cut short")]
    Short,
    #[error("OPEN has BGP version {0}")]
    Version(u8),
    #[error("OPEN has AS 0")]
    AsZero,
    #[error("OPEN has a hold time of {0} s")]
    HoldTime(u16),
    #[error("OPEN has BGP identifier 0.0.0.0")]
    RouterId,
    #[error("OPEN has optional parameters that do not fit in it")]
    Parameters,
    #[error("OPEN has optional parameter {0}, which nobody knows")]
    Parameter(u8),
    #[error("OPEN: {0}")]
    Capability(#[from] super::capability::CapabilityError),
}

impl OpenError {
    /// What RFC 4271 §6.2 answers.
    pub fn notification(&self) -> Notification {
        let (subcode, data) = match self {
            OpenError::Version(_) => (open_error::UNSUPPORTED_VERSION, vec![0, VERSION]),
            OpenError::AsZero => (open_error::BAD_PEER_AS, vec![]),
            OpenError::HoldTime(_) => (open_error::UNACCEPTABLE_HOLD_TIME, vec![]),
            OpenError::RouterId => (open_error::BAD_BGP_IDENTIFIER, vec![]),
            OpenError::Parameter(_) => (open_error::UNSUPPORTED_PARAMETER, vec![]),
            OpenError::Short | OpenError::Parameters | OpenError::Capability(_) => {
                (open_error::UNSPECIFIC, vec![])
            }
        };
        Notification::new(open_error::CODE, subcode, data)
    }
}

impl Open {
    /// Reads an OPEN without its header and checks what RFC 4271 §6.2 asks of any peer.
    pub fn decode(body: &[u8]) -> Result<Open, OpenError> {
        let [
            version,
            as_high,
            as_low,
            hold_high,
            hold_low,
            a,
            b,
            c,
            d,
            rest @ ..,
        ] = body
        else {
            return Err(body
                .first()
                .filter(|v| **v != VERSION)
                .map_or(OpenError::Short, |v| OpenError::Version(*v)));
        };
        if *version != VERSION {
            return Err(OpenError::Version(*version));
        }
        let my_as = u16::from_be_bytes([*as_high, *as_low]);
        let hold_time_s = u16::from_be_bytes([*hold_high, *hold_low]);
        let router_id = Ipv4Addr::new(*a, *b, *c, *d);
        if my_as == 0 {
            return Err(OpenError::AsZero);
        }
        if matches!(hold_time_s, 1 | 2) {
            return Err(OpenError::HoldTime(hold_time_s));
        }
        if router_id.is_unspecified() {
            return Err(OpenError::RouterId);
        }
        let capabilities = decode_parameters(rest)?;
        let asn = capabilities.four_octet_asn.unwrap_or(Asn(my_as.into()));
        if asn == Asn(0) {
            return Err(OpenError::AsZero);
        }
        Ok(Open {
            asn,
            hold_time_s,
            router_id,
            capabilities,
        })
    }

    /// Appends the whole message. Capabilities go into one optional parameter; over 255 octets the
    /// long form is used.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let my_as = if self.asn.is_two_octet() {
            self.asn.0
        } else {
            Asn::TRANS.0
        } as u16;
        let mut body = vec![VERSION];
        body.extend_from_slice(&my_as.to_be_bytes());
        body.extend_from_slice(&self.hold_time_s.to_be_bytes());
        body.extend_from_slice(&self.router_id.octets());
        let mut capabilities = Vec::new();
        self.capabilities.encode(&mut capabilities);
        encode_parameters(&mut body, &capabilities);
        encode_message(out, MessageType::Open, &body);
    }
}

fn encode_parameters(body: &mut Vec<u8>, capabilities: &[u8]) {
    match capabilities.len() {
        0 => body.push(0),
        len @ 1..=253 => {
            body.extend_from_slice(&[len as u8 + 2, PARAMETER_CAPABILITIES, len as u8])
        }
        len => {
            let len = len as u16;
            body.extend_from_slice(&[PARAMETER_EXTENDED, PARAMETER_EXTENDED]);
            body.extend_from_slice(&(len + 3).to_be_bytes());
            body.push(PARAMETER_CAPABILITIES);
            body.extend_from_slice(&len.to_be_bytes());
        }
    }
    body.extend_from_slice(capabilities);
}

/// From the optional parameters' length on. RFC 9072 §2: a first type of 255 means the long form,
/// whatever the short length says, unless that is 0.
fn decode_parameters(octets: &[u8]) -> Result<Capabilities, OpenError> {
    let (parameters, long) = match octets {
        [] => return Err(OpenError::Short),
        [0, rest @ ..] => (whole(0, rest)?, false),
        [_, PARAMETER_EXTENDED, high, low, rest @ ..] => {
            (whole(u16::from_be_bytes([*high, *low]), rest)?, true)
        }
        [len, rest @ ..] => (whole((*len).into(), rest)?, false),
    };
    let mut capabilities = Capabilities::default();
    let mut rest = parameters;
    while !rest.is_empty() {
        let (kind, value, after) = split_parameter(rest, long).ok_or(OpenError::Parameters)?;
        if kind != PARAMETER_CAPABILITIES {
            return Err(OpenError::Parameter(kind));
        }
        capabilities.decode(value)?;
        rest = after;
    }
    Ok(capabilities)
}

fn whole(len: u16, octets: &[u8]) -> Result<&[u8], OpenError> {
    if usize::from(len) == octets.len() {
        Ok(octets)
    } else {
        Err(OpenError::Parameters)
    }
}

fn split_parameter(octets: &[u8], long: bool) -> Option<(u8, &[u8], &[u8])> {
    let (kind, len, rest) = match octets {
        [kind, high, low, rest @ ..] if long => {
            (kind, usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        [kind, len, rest @ ..] if !long => (kind, usize::from(*len), rest),
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(len)?;
    Some((*kind, value, after))
}
