//! BGP octets to values and back. No I/O, no clock, no policy.
//!
//! Nothing that comes from the network can panic here: every length is checked, every index is a
//! `get`.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod attribute_set;
mod encode;
mod type_codes;

pub use attribute_set::{AttributeSet, Facts, NextHop, Origin, RawAttribute, Variant, code};
pub use encode::{
    CommunityScrub, EncodingClass, encode_announcements, encode_attributes, encode_end_of_rib,
    encode_withdrawals,
};
pub use type_codes::TypeCodes;
