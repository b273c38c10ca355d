//! What can be wrong with an UPDATE, and what is done about it (RFC 7606).

use super::Notification;

/// A fault that ends the session.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct UpdateError {
    pub notification: Notification,
    pub what: String,
}
