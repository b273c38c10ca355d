//! ROUTE-REFRESH messages (RFC 2918, RFC 7313).

use crate::base::Family;

use super::header::encode_message;
use super::notification::{Notification, header_error, route_refresh_error};
use super::{HEADER_LEN, MessageType};

/// What a ROUTE-REFRESH asks or says, in the order of the codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum RefreshSubtype {
    /// Send your routes again.
    Request = 0,
    /// Beginning of a refresh, BoRR (RFC 7313).
    Begin = 1,
    /// Its end, EoRR: what was not announced since is gone.
    End = 2,
}

/// Reads a ROUTE-REFRESH without its header; `None` is one to be ignored: a family that Rialto does
/// not know, or a subtype that nobody does.
///
/// Without `enhanced` (both sides announced RFC 7313) the subtype is a reserved octet.
pub fn decode_route_refresh(
    body: &[u8],
    enhanced: bool,
) -> Result<Option<(Family, RefreshSubtype)>, Notification> {
    let subtype = match body {
        [_, _, subtype, ..] if enhanced => *subtype,
        _ => 0,
    };
    let [afi_high, afi_low, _, safi, rest @ ..] = body else {
        return Err(wrong_len(body, subtype));
    };
    let subtype = match subtype {
        0 => RefreshSubtype::Request,
        1 | 2 if !rest.is_empty() => return Err(wrong_len(body, subtype)),
        1 => RefreshSubtype::Begin,
        2 => RefreshSubtype::End,
        _ => return Ok(None),
    };
    let family = Family::from_afi_safi(u16::from_be_bytes([*afi_high, *afi_low]), *safi);
    Ok(family.map(|family| (family, subtype)))
}

/// For BoRR and EoRR, RFC 7313 §5 wants the complete message back; else it is the header's error.
fn wrong_len(body: &[u8], subtype: u8) -> Notification {
    if matches!(subtype, 1 | 2) {
        let mut message = Vec::with_capacity(HEADER_LEN + body.len());
        encode_message(&mut message, MessageType::RouteRefresh, body);
        return Notification::new(
            route_refresh_error::CODE,
            route_refresh_error::INVALID_LENGTH,
            message,
        );
    }
    let len = (HEADER_LEN + body.len()) as u16;
    Notification::new(
        header_error::CODE,
        header_error::BAD_LENGTH,
        len.to_be_bytes(),
    )
}

/// Appends a ROUTE-REFRESH.
pub fn encode_route_refresh(out: &mut Vec<u8>, family: Family, subtype: RefreshSubtype) {
    let [afi_high, afi_low] = family.afi().to_be_bytes();
    encode_message(
        out,
        MessageType::RouteRefresh,
        &[afi_high, afi_low, subtype as u8, family.safi()],
    );
}
