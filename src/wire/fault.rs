//! What can be wrong with an UPDATE, and what is done about it (RFC 7606).

use std::fmt;

use super::notification::update_error;
use super::{HEADER_LEN, MESSAGE_MAX, Notification, code};

pub(super) use super::notification::update_error as subcode;

/// A fault that cost an attribute or the routes of an UPDATE, but not the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpdateFault {
    /// Type of the attribute at fault; 0 where it is not one attribute.
    pub code: u8,
    pub what: &'static str,
}

impl UpdateFault {
    pub(super) const WITHDRAW_CONFIGURED: &str = "treat-as-withdraw is configured for it";
    pub(super) const DISCARD_CONFIGURED: &str = "discard is configured for it";

    /// Whether it is the operator who wants this, and nothing is malformed.
    pub fn is_configured(&self) -> bool {
        [Self::WITHDRAW_CONFIGURED, Self::DISCARD_CONFIGURED].contains(&self.what)
    }
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

/// Most data that an ordinary NOTIFICATION holds, in octets.
const DATA_MAX: usize = MESSAGE_MAX as usize - HEADER_LEN - 2;

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
        let data = self.data.get(..DATA_MAX).unwrap_or(self.data);
        UpdateError {
            notification: Notification::new(update_error::CODE, self.subcode, data),
            what: self.update_fault().to_string(),
        }
    }
}
