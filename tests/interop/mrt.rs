//! TABLE_DUMP_V2 (RFC 6396): written to feed a router, read to see what one has.

use std::io::Read;
use std::net::IpAddr;

use bgpkit_parser::BgpkitParser;
use bgpkit_parser::models::{Community, MetaCommunity, Origin as MrtOrigin};
use ipnet::IpNet;

use super::table::{Attributes, Origin, Path, Table};

/// A dump of one peer's routes. The paths are taken as they are, next hops included.
pub fn encode_dump<'a>(
    routes: impl Iterator<Item = (IpNet, &'a [u32], &'a Attributes, IpAddr)>,
) -> Vec<u8> {
    let mut out = Vec::new();
    // PEER_INDEX_TABLE: collector 10.77.0.1, no view name, one IPv4 peer with a four-octet ASN.
    encode_record(
        &mut out,
        1,
        &[
            &[10, 77, 0, 1, 0, 0, 0, 1, 2][..],
            &[10, 77, 0, 2, 10, 77, 0, 2],
            &[0, 0, 0, 1],
        ],
    );
    for (number, (prefix, as_path, attributes, next_hop)) in routes.enumerate() {
        let (subtype, address) = match prefix {
            IpNet::V4(net) => (2, net.addr().octets().to_vec()),
            IpNet::V6(net) => (4, net.addr().octets().to_vec()),
        };
        let nlri = &address[..usize::from(prefix.prefix_len().div_ceil(8))];
        let block = encode_attributes(
            as_path,
            attributes,
            next_hop,
            &[&[prefix.prefix_len()], nlri].concat(),
        );
        let block_len = (block.len() as u16).to_be_bytes();
        let number = (number as u32).to_be_bytes();
        // One entry: peer 0, originated at 0.
        let entry_head = [0, 1, 0, 0, 0, 0, 0, 0];
        encode_record(
            &mut out,
            subtype,
            &[
                &number,
                &[prefix.prefix_len()],
                nlri,
                &entry_head,
                &block_len,
                &block,
            ],
        );
    }
    out
}

fn encode_record(out: &mut Vec<u8>, subtype: u16, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    out.extend([0, 0, 0, 0, 0, 13]);
    out.extend(subtype.to_be_bytes());
    out.extend((len as u32).to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn encode_attributes(
    as_path: &[u32],
    attributes: &Attributes,
    next_hop: IpAddr,
    nlri: &[u8],
) -> Vec<u8> {
    let mut out = vec![0x40, 1, 1, attributes.origin as u8];
    let mut segment = Vec::new();
    if !as_path.is_empty() {
        segment.extend([2, as_path.len() as u8]);
        segment.extend(as_path.iter().flat_map(|asn| asn.to_be_bytes()));
    }
    let mut attribute = |flags: u8, code: u8, value: &[u8]| {
        out.extend([flags, code, value.len() as u8]);
        out.extend_from_slice(value);
    };
    attribute(0x40, 2, &segment);
    if let IpAddr::V4(address) = next_hop {
        attribute(0x40, 3, &address.octets());
    }
    if let Some(med) = attributes.med {
        attribute(0x80, 4, &med.to_be_bytes());
    }
    let words = |value: &(u16, u16)| [value.0.to_be_bytes(), value.1.to_be_bytes()].concat();
    let communities: Vec<u8> = attributes.communities.iter().flat_map(words).collect();
    if !communities.is_empty() {
        attribute(0xc0, 8, &communities);
    }
    if let IpAddr::V6(address) = next_hop {
        // RFC 6396 §4.3.4 wants the next hop alone; GoBGP reads it whole only.
        let mut value = vec![0, 2, 1, 16];
        value.extend(address.octets());
        value.push(0);
        value.extend_from_slice(nlri);
        attribute(0x80, 14, &value);
    }
    let words =
        |value: &(u32, u32, u32)| [value.0, value.1, value.2].map(u32::to_be_bytes).concat();
    let large: Vec<u8> = attributes.large.iter().flat_map(words).collect();
    if !large.is_empty() {
        attribute(0xc0, 32, &large);
    }
    out
}

/// The routes in a dump, those of peer 0.0.0.0 (the router's own) left out.
pub fn decode_dump(octets: impl Read + Send + 'static) -> Result<Table, String> {
    let mut table = Table::default();
    for element in BgpkitParser::from_reader(octets) {
        if element.peer_ip.is_unspecified() {
            continue;
        }
        let mut attributes = Attributes::plain(0);
        attributes.as_path = element
            .as_path
            .as_ref()
            .and_then(|path| path.to_u32_vec_opt(false))
            .ok_or_else(|| format!("{}: no plain AS path", element.prefix))?;
        attributes.origin = match element.origin {
            Some(MrtOrigin::IGP) => Origin::Igp,
            Some(MrtOrigin::EGP) => Origin::Egp,
            _ => Origin::Incomplete,
        };
        attributes.med = element.med;
        for community in element.communities.iter().flatten() {
            match community {
                MetaCommunity::Large(large) => {
                    let [b, c] = large.local_data;
                    attributes.large.insert((large.global_admin, b, c));
                }
                MetaCommunity::Plain(Community::Custom(asn, value)) => {
                    attributes.communities.insert((asn.to_u32() as u16, *value));
                }
                other => {
                    return Err(format!(
                        "{}: unexpected community {other:?}",
                        element.prefix
                    ));
                }
            }
        }
        let next_hop = element
            .next_hop
            .ok_or_else(|| format!("{}: no next hop", element.prefix))?;
        table.insert(
            element.prefix.prefix,
            Path {
                next_hop,
                attributes,
            },
        );
    }
    Ok(table)
}
