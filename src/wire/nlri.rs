//! Blocks of NLRI: checked once, then read without allocation (RFC 4271 §4.3, RFC 7606 §5.3).

use std::fmt;

use crate::base::{Family, Prefix};

/// A block of NLRI whose syntax has been checked. Without path identifiers: Rialto does not
/// negotiate to receive them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nlri<'a> {
    pub family: Family,
    octets: &'a [u8],
    count: u32,
}

/// What makes a block syntactically incorrect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.what())]
pub enum NlriError {
    Length,
    Overrun,
}

impl NlriError {
    pub const fn what(self) -> &'static str {
        match self {
            NlriError::Length => "NLRI with a prefix length that is too large for the family",
            NlriError::Overrun => "last of the NLRI is cut short",
        }
    }
}

impl<'a> Nlri<'a> {
    /// Checks every prefix length and the end of the block.
    pub fn check(family: Family, octets: &'a [u8]) -> Result<Nlri<'a>, NlriError> {
        let mut rest = octets;
        let mut count = 0;
        while let Some((&len, tail)) = rest.split_first() {
            if len > family.max_len() {
                return Err(NlriError::Length);
            }
            rest = tail
                .get(usize::from(len.div_ceil(8))..)
                .ok_or(NlriError::Overrun)?;
            count += 1;
        }
        Ok(Nlri {
            family,
            octets,
            count,
        })
    }

    /// In the order of the message; a prefix may come twice.
    pub fn iter(&self) -> NlriIter<'a> {
        NlriIter {
            family: self.family,
            rest: self.octets,
            count: self.count,
        }
    }

    pub const fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// How many prefixes.
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }
}

impl<'a> IntoIterator for Nlri<'a> {
    type Item = Prefix;
    type IntoIter = NlriIter<'a>;

    fn into_iter(self) -> NlriIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Nlri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The prefixes of a checked block.
#[derive(Clone)]
pub struct NlriIter<'a> {
    family: Family,
    rest: &'a [u8],
    count: u32,
}

impl Iterator for NlriIter<'_> {
    type Item = Prefix;

    fn next(&mut self) -> Option<Prefix> {
        let (&len, tail) = self.rest.split_first()?;
        let (octets, rest) = tail.split_at_checked(usize::from(len.div_ceil(8)))?;
        self.rest = rest;
        self.count -= 1;
        Prefix::new(self.family, octets, len).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for NlriIter<'_> {}
