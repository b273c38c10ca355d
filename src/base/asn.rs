//! Autonomous System numbers (RFC 6793), shown as asplain (RFC 5396).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A four-octet Autonomous System number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asn(pub u32);

impl Asn {
    /// AS_TRANS, which stands for a four-octet ASN towards a two-octet speaker (RFC 6793 §9).
    pub const TRANS: Asn = Asn(23456);

    /// Whether the number fits in the two octets of RFC 4271.
    pub const fn is_two_octet(self) -> bool {
        self.0 <= 0xffff
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

impl FromStr for Asn {
    type Err = std::num::ParseIntError;

    /// Reads `64500` or `AS64500`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text
            .strip_prefix("AS")
            .or_else(|| text.strip_prefix("as"))
            .unwrap_or(text);
        digits.parse().map(Asn)
    }
}
