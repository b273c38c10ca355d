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
