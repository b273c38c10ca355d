//! Decoding of UPDATE messages (RFC 4271 §4.3, RFC 4760) with the remedies of RFC 7606.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::{Family, FamilySet};

use super::{AttributeSet, CommunityScrub, Nlri, TypeCodes, UpdateError, UpdateFault};

/// What decoding depends on besides the octets.
#[derive(Clone, Copy)]
pub struct DecodeContext<'a> {
    /// Both sides announced RFC 6793.
    pub four_octet: bool,
    /// Negotiated families.
    pub families: FamilySet,
    /// The operator's `attributes.discard`.
    pub discard: &'a TypeCodes,
    /// The operator's `attributes.treat_as_withdraw`.
    pub treat_as_withdraw: &'a TypeCodes,
    /// Communities removed on import.
    pub scrub: &'a dyn CommunityScrub,
    /// The same for the whole process.
    pub hash_seed: u64,
}

/// Buffers that decoding reuses from one UPDATE to the next.
#[derive(Default, Debug)]
pub struct Scratch {
    octets: Vec<u8>,
}

/// An UPDATE after validation.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update<'a> {
    /// Every block to withdraw, those of treat-as-withdraw among them. Apply before `announced`.
    pub withdrawn: SmallVec<[Nlri<'a>; 4]>,
    /// One for each next hop: that of the NEXT_HOP attribute, that of MP_REACH_NLRI.
    pub announced: SmallVec<[(Arc<AttributeSet>, Nlri<'a>); 2]>,
    pub end_of_rib: Option<Family>,
    /// The first reason, if that remedy was taken.
    pub treat_as_withdraw: Option<UpdateFault>,
    /// Attributes discarded.
    pub discarded: SmallVec<[UpdateFault; 2]>,
}

/// Decodes an UPDATE without its header. An error means session reset.
pub fn decode_update<'a>(
    _body: &'a [u8],
    _context: &DecodeContext<'_>,
    _scratch: &mut Scratch,
) -> Result<Update<'a>, UpdateError> {
    unimplemented!()
}
