//! TABLE_DUMP_V2 (RFC 6396): written to feed a router, read to see what one has. BGP4MP: read to see what
//! one was sent.

use std::net::IpAddr;

use ipnet::IpNet;

use super::table::{Attributes, Origin, Path, Table};

/// A dump of one peer's routes. The paths are taken as they are, next hops included.
pub fn encode_dump<'a>(
    routes: impl Iterator<Item = (IpNet, &'a [u32], &'a Attributes, IpAddr)>,
) -> Vec<u8> {
    let mut out = Vec::new();
    // PEER_INDEX_TABLE: collector 10.77.0.1, no view name, one IPv4 peer with a four-octet ASN, which
    // is 0: GoBGP takes such routes for its own, and only those can be withdrawn from it.
    encode_record(
        &mut out,
        1,
        &[
            &[10, 77, 0, 1, 0, 0, 0, 1, 2][..],
            &[10, 77, 0, 2, 10, 77, 0, 2],
            &[0, 0, 0, 0],
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
    let words = |(asn, number): &(u16, u32)| {
        [&[0, 2], &asn.to_be_bytes()[..], &number.to_be_bytes()[..]].concat()
    };
    let targets: Vec<u8> = attributes.targets.iter().flat_map(words).collect();
    if !targets.is_empty() {
        attribute(0xc0, 16, &targets);
    }
    out
}

/// The routes in a dump, those of peer 0.0.0.0 (the router's own) left out.
pub fn decode_dump(octets: &[u8]) -> Result<Table, String> {
    let mut table = Table::default();
    let mut peers = Vec::new();
    let mut dump = Reader(octets);
    while !dump.0.is_empty() {
        dump.take(4)?;
        let (kind, subtype, len) = (dump.u16()?, dump.u16()?, dump.u32()?);
        let mut record = Reader(dump.take(len as usize)?);
        match (kind, subtype) {
            (13, 1) => peers = decode_peers(&mut record)?,
            // RFC 8050 §4: 8 and 10 have path identifiers.
            (13, 2 | 8) => decode_rib(&mut record, 4, subtype == 8, &peers, &mut table)?,
            (13, 4 | 10) => decode_rib(&mut record, 16, subtype == 10, &peers, &mut table)?,
            other => return Err(format!("MRT record {other:?}")),
        }
    }
    Ok(table)
}

/// What the UPDATEs in a file of BGP4MP messages withdraw, in order. The file may grow yet: a record that is
/// not whole is left.
pub fn decode_withdrawals(octets: &[u8]) -> Result<Vec<IpNet>, String> {
    let mut found = Vec::new();
    let mut file = Reader(octets);
    while let Ok(head) = file.take(12) {
        let mut head = Reader(&head[4..]);
        let (kind, subtype, len) = (head.u16()?, head.u16()?, head.u32()?);
        let Ok(record) = file.take(len as usize) else {
            break;
        };
        let mut record = Reader(record);
        match (kind, subtype) {
            (16, 1) => record.take(4)?,
            (16, 4) => record.take(8)?,
            // The state of a session.
            (16, 0 | 5) => continue,
            other => return Err(format!("MRT record {other:?}")),
        };
        record.take(2)?;
        let address_len = if record.u16()? == 1 { 4 } else { 16 };
        record.take(2 * address_len + 16)?;
        let _len = record.u16()?;
        if record.u8()? == 2 {
            decode_withdrawn(&mut record, &mut found)?;
        }
    }
    Ok(found)
}

/// From the body of an UPDATE: its Withdrawn Routes and MP_UNREACH_NLRI.
fn decode_withdrawn(body: &mut Reader<'_>, found: &mut Vec<IpNet>) -> Result<(), String> {
    let len = body.u16()?;
    decode_nlri(Reader(body.take(len.into())?), 4, found)?;
    let len = body.u16()?;
    let mut attributes = Reader(body.take(len.into())?);
    while !attributes.0.is_empty() {
        let (flags, code) = (attributes.u8()?, attributes.u8()?);
        let len = match flags & 0x10 {
            0 => attributes.u8()?.into(),
            _ => attributes.u16()?,
        };
        let mut value = Reader(attributes.take(len.into())?);
        if code == 15 {
            let address_len = if value.u16()? == 1 { 4 } else { 16 };
            value.u8()?;
            decode_nlri(value, address_len, found)?;
        }
    }
    Ok(())
}

fn decode_nlri(
    mut nlri: Reader<'_>,
    address_len: usize,
    found: &mut Vec<IpNet>,
) -> Result<(), String> {
    while !nlri.0.is_empty() {
        found.push(nlri.prefix(address_len)?);
    }
    Ok(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self
            .0
            .split_at_checked(len)
            .ok_or("the dump ends in the middle of a field")?;
        self.0 = rest;
        Ok(head)
    }

    fn u8(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, String> {
        self.take(2)
            .map(|octets| u16::from_be_bytes(octets.try_into().expect("two octets")))
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take(4)
            .map(|octets| u32::from_be_bytes(octets.try_into().expect("four octets")))
    }

    /// A prefix of a family with addresses of so many octets.
    fn prefix(&mut self, address_len: usize) -> Result<IpNet, String> {
        let len = self.u8()?;
        let mut address = vec![0; address_len];
        let covered = self.take(usize::from(len.div_ceil(8)))?;
        let place = address
            .get_mut(..covered.len())
            .ok_or("a prefix is longer than an address")?;
        place.copy_from_slice(covered);
        let address = Reader(&address).address(address_len)?;
        IpNet::new(address, len).map_err(|error| error.to_string())
    }

    /// An address of 4 or 16 octets.
    fn address(&mut self, len: usize) -> Result<IpAddr, String> {
        let octets = self.take(len)?;
        if let Ok(v4) = <[u8; 4]>::try_from(octets) {
            return Ok(v4.into());
        }
        <[u8; 16]>::try_from(octets)
            .map(IpAddr::from)
            .map_err(|_| format!("an address of {len} octets"))
    }
}

/// Addresses of the peers, in the order of their numbers.
fn decode_peers(record: &mut Reader<'_>) -> Result<Vec<IpAddr>, String> {
    record.take(4)?;
    let name_len = record.u16()?;
    record.take(usize::from(name_len))?;
    (0..record.u16()?)
        .map(|_| {
            let kind = record.u8()?;
            record.take(4)?;
            let address = record.address(if kind & 1 == 0 { 4 } else { 16 })?;
            record.take(if kind & 2 == 0 { 2 } else { 4 })?;
            Ok(address)
        })
        .collect()
}

fn decode_rib(
    record: &mut Reader<'_>,
    address_len: usize,
    has_path_ids: bool,
    peers: &[IpAddr],
    table: &mut Table,
) -> Result<(), String> {
    record.take(4)?;
    let prefix = record.prefix(address_len)?;
    for _ in 0..record.u16()? {
        let peer = peers
            .get(usize::from(record.u16()?))
            .ok_or("an unknown peer")?;
        record.take(if has_path_ids { 8 } else { 4 })?;
        let block_len = record.u16()?;
        let block = Reader(record.take(usize::from(block_len))?);
        if !peer.is_unspecified() {
            table.insert(prefix, decode_attributes(block)?);
        }
    }
    Ok(())
}

fn decode_attributes(mut block: Reader<'_>) -> Result<Path, String> {
    let mut attributes = Attributes::plain(0);
    let mut next_hop = None;
    while !block.0.is_empty() {
        let (flags, code) = (block.u8()?, block.u8()?);
        let len = if flags & 0x10 != 0 {
            block.u16()?
        } else {
            u16::from(block.u8()?)
        };
        let mut value = Reader(block.take(usize::from(len))?);
        match code {
            1 => {
                attributes.origin = match value.u8()? {
                    0 => Origin::Igp,
                    1 => Origin::Egp,
                    _ => Origin::Incomplete,
                }
            }
            2 => {
                attributes.as_path.clear();
                while !value.0.is_empty() {
                    let (_, count) = (value.u8()?, value.u8()?);
                    for _ in 0..count {
                        attributes.as_path.push(value.u32()?);
                    }
                }
            }
            3 => next_hop = Some(value.address(4)?),
            4 => attributes.med = Some(value.u32()?),
            8 => {
                while !value.0.is_empty() {
                    attributes.communities.insert((value.u16()?, value.u16()?));
                }
            }
            14 => {
                // The next hop alone (RFC 6396 §4.3.4), or all of it.
                if value.0.first() == Some(&0) {
                    value.take(3)?;
                }
                value.u8()?;
                next_hop = Some(value.address(16)?);
            }
            32 => {
                while !value.0.is_empty() {
                    attributes
                        .large
                        .insert((value.u32()?, value.u32()?, value.u32()?));
                }
            }
            35 => attributes.otc = Some(value.u32()?),
            5 => {}
            other => return Err(format!("unexpected attribute {other}")),
        }
    }
    let next_hop = next_hop.ok_or("a path without a next hop")?;
    Ok(Path {
        next_hop,
        attributes: attributes.into(),
    })
}
