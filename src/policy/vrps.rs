//! Validated ROA payloads (RFC 6811).

use crate::base::{Asn, Prefix};

/// An AS may announce the prefix, and what lies in it up to a length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vrp {
    pub prefix: Prefix,
    pub max_len: u8,
    pub asn: Asn,
}
