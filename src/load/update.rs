//! UPDATE messages: writing what clients announce and splitting what they receive. No tables here.

use smallvec::SmallVec;

use super::attributes::{
    Attributes, Fault, MP_REACH, MP_UNREACH, NEXT_HOP, fault, put, read_attribute, split_key,
};
use crate::base::{Family, Prefix};

pub const HEADER_LEN: usize = 19;
/// The longest message without RFC 8654.
pub const MESSAGE_MAX: usize = 4096;
pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;
pub const ROUTE_REFRESH: u8 = 5;

/// Begins a message and returns where it begins.
pub fn begin(out: &mut Vec<u8>, kind: u8) -> usize {
    let start = out.len();
    out.extend([0xff; 16]);
    out.extend([0, 0, kind]);
    start
}

/// Fills in the length of the message that begins at `start`.
pub fn finish(out: &mut [u8], start: usize) {
    let len = (out.len() - start) as u16;
    out[start + 16..start + 18].copy_from_slice(&len.to_be_bytes());
}

pub fn encode_prefix(out: &mut Vec<u8>, prefix: &Prefix) {
    out.push(prefix.len());
    out.extend(prefix.octets());
}

/// Writes one UPDATE that announces as many of `prefixes` as fit with the attributes of `key`
/// ([`Attributes::key`]); returns how many. All are of the family of the next hop.
pub fn encode_announcement<'a>(
    out: &mut Vec<u8>,
    key: &[u8],
    prefixes: impl Iterator<Item = &'a Prefix>,
) -> usize {
    let start = begin(out, UPDATE);
    out.extend([0, 0, 0, 0]);
    let at = out.len();
    let (family, next_hop, attributes) = split_key(key);
    out.extend(attributes);
    let mut count = 0;
    if family == Family::Ipv6 {
        let mut value = vec![0, 2, 1, next_hop.len() as u8];
        value.extend(next_hop);
        value.push(0);
        let room = MESSAGE_MAX.saturating_sub(out.len() - start + value.len() + 4);
        let head = value.len();
        for prefix in prefixes {
            if value.len() - head + 1 + prefix.octets().len() > room {
                break;
            }
            encode_prefix(&mut value, prefix);
            count += 1;
        }
        put(out, 0x80, MP_REACH, &value);
        set_attributes_len(out, start, at);
    } else {
        set_attributes_len(out, start, at);
        for prefix in prefixes {
            if out.len() - start + 1 + prefix.octets().len() > MESSAGE_MAX {
                break;
            }
            encode_prefix(out, prefix);
            count += 1;
        }
    }
    finish(out, start);
    count
}

fn set_attributes_len(out: &mut [u8], start: usize, attributes: usize) {
    let len = (out.len() - attributes) as u16;
    out[start + HEADER_LEN + 2..start + HEADER_LEN + 4].copy_from_slice(&len.to_be_bytes());
}

/// Writes one UPDATE that withdraws `prefixes`, few enough for one message and of one family.
pub fn encode_withdrawal(out: &mut Vec<u8>, family: Family, prefixes: &[Prefix]) {
    let start = begin(out, UPDATE);
    let mut nlri = Vec::new();
    prefixes
        .iter()
        .for_each(|prefix| encode_prefix(&mut nlri, prefix));
    match family {
        Family::Ipv4 => {
            out.extend((nlri.len() as u16).to_be_bytes());
            out.extend(nlri);
            out.extend([0, 0]);
        }
        Family::Ipv6 => {
            out.extend([0, 0, 0, 0]);
            let attributes = out.len();
            let mut value = vec![0, 2, 1];
            value.extend(nlri);
            put(out, 0x80, MP_UNREACH, &value);
            set_attributes_len(out, start, attributes);
        }
    }
    finish(out, start);
}

/// End-of-RIB (RFC 4724 §2).
pub fn encode_end_of_rib(out: &mut Vec<u8>, family: Family) {
    encode_withdrawal(out, family, &[]);
}

/// The parts of a received UPDATE, still as octets.
#[derive(Default)]
pub struct Parts<'a> {
    /// Blocks of prefixes that go.
    pub withdrawn: SmallVec<[(Family, &'a [u8]); 2]>,
    /// Blocks of prefixes that come, with their attributes.
    pub announced: SmallVec<[Block<'a>; 2]>,
    pub end_of_rib: Option<Family>,
}

/// Prefixes with one set of attributes.
pub struct Block<'a> {
    pub family: Family,
    pub nlri: &'a [u8],
    /// All attributes of the message.
    pub attributes: &'a [u8],
    /// MP_REACH_NLRI's next hop; empty for the IPv4 body.
    pub next_hop: &'a [u8],
}

impl Block<'_> {
    pub fn decode(&self) -> Result<Attributes, Fault> {
        let mut key = Vec::new();
        self.key(&mut key)?;
        Attributes::from_key(&key)
    }

    /// As [`Attributes::key`], but in whatever order and form the attributes came; written over
    /// `key`.
    pub fn key(&self, key: &mut Vec<u8>) -> Result<(), Fault> {
        let len = self.next_hop.len();
        if !matches!(
            (self.family, len),
            (Family::Ipv4, 0) | (Family::Ipv6, 16 | 32)
        ) {
            return fault(format!("a next hop of {len} octets for {}", self.family));
        }
        key.clear();
        key.extend([self.family as u8, len as u8]);
        key.extend(self.next_hop);
        let mut octets = self.attributes;
        while !octets.is_empty() {
            let (attribute, rest) = read_attribute(octets)?;
            let is_here = match attribute.kind {
                MP_REACH | MP_UNREACH => false,
                NEXT_HOP => self.family == Family::Ipv4,
                _ => true,
            };
            if is_here {
                key.extend(&octets[..octets.len() - rest.len()]);
            }
            octets = rest;
        }
        Ok(())
    }
}

/// Splits the body of an UPDATE.
pub fn read_update(body: &[u8]) -> Result<Parts<'_>, Fault> {
    let cut = || Fault("the UPDATE is cut short".into());
    let mut parts = Parts::default();
    let (len, rest) = body.split_first_chunk().ok_or_else(cut)?;
    let (withdrawn, rest) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*len)))
        .ok_or_else(cut)?;
    let (len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (attributes, nlri) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*len)))
        .ok_or_else(cut)?;
    if body.len() == 4 {
        parts.end_of_rib = Some(Family::Ipv4);
    }
    if !withdrawn.is_empty() {
        parts.withdrawn.push((Family::Ipv4, withdrawn));
    }
    if !nlri.is_empty() {
        parts.announced.push(Block {
            family: Family::Ipv4,
            nlri,
            attributes,
            next_hop: &[],
        });
    }
    let mut octets = attributes;
    while !octets.is_empty() {
        let (attribute, rest) = read_attribute(octets)?;
        match attribute.kind {
            MP_REACH => parts
                .announced
                .push(read_mp_reach(attribute.value, attributes)?),
            MP_UNREACH => {
                let (family, nlri) = read_family(attribute.value)?;
                if nlri.is_empty() && rest.is_empty() && octets.len() == attributes.len() {
                    parts.end_of_rib = Some(family);
                }
                parts.withdrawn.push((family, nlri));
            }
            _ => {}
        }
        octets = rest;
    }
    Ok(parts)
}

fn read_family(value: &[u8]) -> Result<(Family, &[u8]), Fault> {
    let Some((&[a, b, safi], rest)) = value.split_first_chunk() else {
        return fault("an MP attribute is cut short");
    };
    let afi = u16::from_be_bytes([a, b]);
    let family =
        Family::from_afi_safi(afi, safi).ok_or_else(|| Fault(format!("AFI {afi} SAFI {safi}")))?;
    Ok((family, rest))
}

fn read_mp_reach<'a>(value: &'a [u8], attributes: &'a [u8]) -> Result<Block<'a>, Fault> {
    let cut = || Fault("MP_REACH_NLRI is cut short".into());
    let (family, rest) = read_family(value)?;
    let (&len, rest) = rest.split_first().ok_or_else(cut)?;
    let (next_hop, rest) = rest.split_at_checked(usize::from(len)).ok_or_else(cut)?;
    let (_reserved, nlri) = rest.split_first().ok_or_else(cut)?;
    Ok(Block {
        family,
        nlri,
        attributes,
        next_hop,
    })
}

/// Reads one block of NLRI; `each` gets path identifier (0 without ADD-PATH) and prefix.
pub fn read_nlri(
    family: Family,
    mut octets: &[u8],
    add_path: bool,
    mut each: impl FnMut(u32, Prefix),
) -> Result<(), Fault> {
    let cut = || Fault("NLRI are cut short".into());
    while !octets.is_empty() {
        let mut path_id = 0;
        if add_path {
            let (id, rest) = octets.split_first_chunk().ok_or_else(cut)?;
            path_id = u32::from_be_bytes(*id);
            octets = rest;
        }
        let (&len, rest) = octets.split_first().ok_or_else(cut)?;
        let (address, rest) = rest
            .split_at_checked(usize::from(len.div_ceil(8)))
            .ok_or_else(cut)?;
        let prefix = Prefix::new(family, address, len).map_err(|error| Fault(error.to_string()))?;
        each(path_id, prefix);
        octets = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(set: &Attributes) -> Vec<u8> {
        let mut key = Vec::new();
        set.key(&mut key);
        key
    }

    fn prefixes(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn announcements_of_both_families_are_read_back() {
        let cases = [
            (
                "10.77.1.1",
                prefixes(&["1.2.3.0/24", "4.0.0.0/8", "5.5.5.5/32"]),
            ),
            ("fd77::1", prefixes(&["2a00::/12", "2a01:1:2::/48", "::/0"])),
        ];
        for (next_hop, prefixes) in cases {
            let set = Attributes::new(&[10000, 1], next_hop.parse().unwrap());
            let mut out = Vec::new();
            assert_eq!(
                encode_announcement(&mut out, &key(&set), prefixes.iter()),
                3
            );
            assert_eq!(
                usize::from(u16::from_be_bytes([out[16], out[17]])),
                out.len()
            );
            let parts = read_update(&out[HEADER_LEN..]).unwrap();
            assert_eq!(parts.announced[0].decode(), Ok(set));
            let mut got = Vec::new();
            let block = &parts.announced[0];
            read_nlri(block.family, block.nlri, false, |_, prefix| {
                got.push(prefix)
            })
            .unwrap();
            assert_eq!(got, prefixes);
        }
    }

    #[test]
    fn a_full_message_stops_at_4096_octets() {
        for (next_hop, base) in [("10.77.1.1", "1.0.0.0/24"), ("fd77::1", "2a00::/48")] {
            let many = vec![base.parse().unwrap(); 3000];
            let set = Attributes::new(&[10000, 1], next_hop.parse().unwrap());
            let mut out = Vec::new();
            let count = encode_announcement(&mut out, &key(&set), many.iter());
            assert!(
                out.len() <= MESSAGE_MAX && out.len() > MESSAGE_MAX - 12,
                "{}",
                out.len()
            );
            let parts = read_update(&out[HEADER_LEN..]).unwrap();
            let mut got = 0;
            read_nlri(
                parts.announced[0].family,
                parts.announced[0].nlri,
                false,
                |_, _| got += 1,
            )
            .unwrap();
            assert_eq!(got, count);
        }
    }

    #[test]
    fn end_of_rib_is_known_by_its_form() {
        for family in Family::ALL {
            let mut out = Vec::new();
            encode_end_of_rib(&mut out, family);
            assert_eq!(
                read_update(&out[HEADER_LEN..]).unwrap().end_of_rib,
                Some(family)
            );
            let mut out = Vec::new();
            encode_withdrawal(&mut out, family, &[Prefix::new(family, &[32], 8).unwrap()]);
            assert_eq!(read_update(&out[HEADER_LEN..]).unwrap().end_of_rib, None);
        }
    }

    #[test]
    fn octets_cut_anywhere_are_a_fault_or_a_value_but_no_panic() {
        let set = Attributes::new(&[10000, 1], "fd77::1".parse().unwrap());
        let mut out = Vec::new();
        encode_announcement(&mut out, &key(&set), prefixes(&["2a00::/12"]).iter());
        let body = &out[HEADER_LEN..];
        for len in 0..body.len() {
            assert!(read_update(&body[..len]).is_err(), "{len}");
        }
    }
}
