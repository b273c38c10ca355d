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
mod bmp;
mod capability;
mod community;
mod encode;
mod fault;
mod header;
mod hear_again;
mod mrt;
mod nlri;
mod notification;
mod open;
mod path_ids;
mod route_refresh;
#[doc(hidden)]
pub mod testing;
mod type_codes;
mod update;
mod variant;

pub use attribute::flag;
pub use attribute_set::{AttributeSet, Facts, NextHop, Origin, RawAttribute, code, segment};
pub use bmp::{
    BmpEnds, BmpPeer, BmpPeerDown, BmpStatistic, BmpTable, BmpTermination, encode_initiation,
    encode_peer_down, encode_peer_up, encode_route_monitoring, encode_statistics,
    encode_termination,
};
pub use capability::{
    Capabilities, CapabilityError, GracefulRestart, LongLivedRestart, capability_code,
    encode_multiprotocol, role,
};
pub use community::{
    Additions, BLACKHOLE, CommunityScrub, GRACEFUL_SHUTDOWN, KeepAll, LLGR_STALE, NO_ADVERTISE,
    NO_EXPORT, NO_LLGR,
};
pub use encode::{
    EncodingClass, encode_announcements, encode_attributes, encode_end_of_rib, encode_withdrawals,
    fits,
};
pub use fault::{UpdateError, UpdateFault};
pub use header::{
    EXTENDED_MESSAGE_MAX, HEADER_LEN, Header, MARKER, MESSAGE_MAX, MessageType, decode_header,
    encode_keepalive, encode_message,
};
pub use hear_again::HeardAgain;
pub use mrt::{
    MessageForm, MrtPath, MrtPeer, MrtSession, TimeOfDay, encode_mrt_message,
    encode_peer_index_table, encode_rib, encode_state_change,
};
pub use nlri::{Nlri, NlriError, NlriIter};
pub use notification::{
    CEASE, CeaseSubcode, HOLD_TIMER_EXPIRED, Notification, SEND_HOLD_TIMER_EXPIRED,
    SHUTDOWN_TEXT_MAX, fsm_error, header_error, open_error, route_refresh_error, update_error,
};
pub use open::{Open, OpenError};
pub use path_ids::{WithoutPathIds, without_path_ids};
pub use route_refresh::{RefreshSubtype, decode_route_refresh, encode_route_refresh};
pub use type_codes::TypeCodes;
pub use update::{DecodeContext, Scratch, Update, decode_update};
pub use variant::{Variant, VariantFlags};
