//! PDUs of the RTR protocol, values to octets: what a router sends, and for tests what a cache does.

use std::net::IpAddr;

use crate::policy::Vrp;

use super::pdu::{HEADER_LEN, Pdu, Query, kind};

/// What is sent back of a PDU that is wrong.
const ECHO_LEN_MAX: usize = 64;

pub fn encode_query(version: u8, query: Query) -> Vec<u8> {
    match query {
        Query::Reset => encode(version, kind::RESET_QUERY, 0, &[]),
        Query::Serial { session, serial } => {
            encode(version, kind::SERIAL_QUERY, session, &serial.to_be_bytes())
        }
    }
}

/// An Error Report on a PDU that begins with `pdu`; empty where it is on none.
pub fn encode_error(version: u8, code: u16, pdu: &[u8], text: &str) -> Vec<u8> {
    let pdu = pdu.get(..ECHO_LEN_MAX).unwrap_or(pdu);
    let lens = [pdu.len(), text.len()].map(|len| (len as u32).to_be_bytes());
    let [pdu_len, text_len] = &lens;
    let body = [&pdu_len[..], pdu, &text_len[..], text.as_bytes()].concat();
    encode(version, kind::ERROR_REPORT, code, &body)
}

fn encode(version: u8, kind: u8, field: u16, body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(HEADER_LEN + body.len());
    octets.extend_from_slice(&[version, kind]);
    octets.extend_from_slice(&field.to_be_bytes());
    octets.extend_from_slice(&((HEADER_LEN + body.len()) as u32).to_be_bytes());
    octets.extend_from_slice(body);
    octets
}

/// What a cache sends, for tests that play one.
#[doc(hidden)]
pub fn encode_pdu(version: u8, pdu: &Pdu) -> Vec<u8> {
    match pdu {
        Pdu::SerialNotify { session, serial } => {
            let serial = serial.to_be_bytes();
            encode(version, kind::SERIAL_NOTIFY, *session, &serial)
        }
        Pdu::CacheResponse { session } => encode(version, kind::CACHE_RESPONSE, *session, &[]),
        Pdu::CacheReset => encode(version, kind::CACHE_RESET, 0, &[]),
        Pdu::Vrp { vrp, is_announced } => encode_vrp(version, vrp, *is_announced),
        Pdu::Aspa { aspa, is_announced } => {
            let asns = [aspa.customer].into_iter().chain(aspa.providers.clone());
            let body: Vec<u8> = asns.flat_map(|asn| asn.0.to_be_bytes()).collect();
            encode(version, kind::ASPA, u16::from(*is_announced) << 8, &body)
        }
        Pdu::RouterKey => encode(version, kind::ROUTER_KEY, 0x0100, &[7; 40]),
        Pdu::EndOfData(end) => {
            let mut body = end.serial.to_be_bytes().to_vec();
            if let Some(intervals) = end.intervals.filter(|_| version > 0) {
                let all = [intervals.refresh_s, intervals.retry_s, intervals.expire_s];
                body.extend(all.iter().flat_map(|seconds| seconds.to_be_bytes()));
            }
            encode(version, kind::END_OF_DATA, end.session, &body)
        }
        Pdu::ErrorReport { code, text } => encode_error(version, *code, &[], text),
    }
}

fn encode_vrp(version: u8, vrp: &Vrp, is_announced: bool) -> Vec<u8> {
    let (kind, address) = match vrp.prefix.address() {
        IpAddr::V4(address) => (kind::IPV4_PREFIX, address.octets().to_vec()),
        IpAddr::V6(address) => (kind::IPV6_PREFIX, address.octets().to_vec()),
    };
    let lens = [u8::from(is_announced), vrp.prefix.len(), vrp.max_len, 0];
    let body = [&lens[..], &address, &vrp.asn.0.to_be_bytes()].concat();
    encode(version, kind, 0, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_router_sends() {
        let serial = Query::Serial {
            session: 0x1234,
            serial: 7,
        };
        assert_eq!(encode_query(2, Query::Reset), [2, 2, 0, 0, 0, 0, 0, 8]);
        let octets = [1, 1, 0x12, 0x34, 0, 0, 0, 12, 0, 0, 0, 7];
        assert_eq!(encode_query(1, serial), octets);
        let octets = [
            1, 10, 0, 3, 0, 0, 0, 20, 0, 0, 0, 2, 8, 9, 0, 0, 0, 2, b'n', b'o',
        ];
        assert_eq!(encode_error(1, 3, &[8, 9], "no"), octets);
        let long = encode_error(1, 3, &[9; 70], "no");
        assert_eq!(
            long.len(),
            8 + 4 + ECHO_LEN_MAX + 4 + 2,
            "what is long is cut"
        );
    }
}
