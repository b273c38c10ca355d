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

mod as_path;
mod attribute;
mod attribute_block;
mod attribute_set;
mod community;
mod encode;
mod fault;
mod nlri;
mod notification;
#[doc(hidden)]
pub mod testing;
mod type_codes;
mod update;

pub use attribute::flag;
pub use attribute_set::{
    AttributeSet, Facts, GRACEFUL_SHUTDOWN, NextHop, Origin, RawAttribute, Variant, code, segment,
};
pub use community::{CommunityScrub, KeepAll};
pub use encode::{
    EncodingClass, encode_announcements, encode_attributes, encode_end_of_rib, encode_withdrawals,
    fits,
};
pub use fault::{UpdateError, UpdateFault};
pub use nlri::{Nlri, NlriError, NlriIter};
pub use notification::Notification;
pub use type_codes::TypeCodes;
pub use update::{DecodeContext, Scratch, Update, decode_update};
