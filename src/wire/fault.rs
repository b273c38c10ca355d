//! What can be wrong with an UPDATE, and what is done about it (RFC 7606).

use std::fmt;

use super::{Notification, code};

/// A fault that cost an attribute or the routes of an UPDATE, but not the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpdateFault {
    /// Type of the attribute at fault; 0 where it is not one attribute.
    pub code: u8,
    pub what: &'static str,
}

impl fmt::Display for UpdateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, code::name(self.code)) {
            (0, _) => f.write_str(self.what),
            (_, Some(name)) => write!(f, "{name}: {}", self.what),
            (number, None) => write!(f, "attribute {number}: {}", self.what),
        }
    }
}

/// A fault that ends the session.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct UpdateError {
    pub notification: Notification,
    pub what: String,
}

/// The remedies of RFC 7606 §2, the weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Remedy {
    AttributeDiscard,
    TreatAsWithdraw,
    SessionReset,
}

/// Subcodes of UPDATE Message Error (RFC 4271 §4.5).
pub(super) mod subcode {
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

/// UPDATE Message Error (RFC 4271 §4.5).
const UPDATE_MESSAGE_ERROR: u8 = 3;

/// Most data a NOTIFICATION of 4,096 octets holds.
const NOTIFICATION_DATA_MAX: usize = 4096 - 21;

/// A fault as found. `subcode` and `data` are for the NOTIFICATION, should it come to that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fault<'a> {
    pub remedy: Remedy,
    pub code: u8,
    pub what: &'static str,
    pub subcode: u8,
    pub data: &'a [u8],
}

impl Fault<'_> {
    pub fn update_fault(&self) -> UpdateFault {
        UpdateFault {
            code: self.code,
            what: self.what,
        }
    }

    pub fn session_reset(&self) -> UpdateError {
        let data = self
            .data
            .get(..NOTIFICATION_DATA_MAX)
            .unwrap_or(self.data)
            .to_vec();
        UpdateError {
            notification: Notification {
                code: UPDATE_MESSAGE_ERROR,
                subcode: self.subcode,
                data,
            },
            what: self.update_fault().to_string(),
        }
    }
}
