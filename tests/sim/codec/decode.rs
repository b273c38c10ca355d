//! Reads strictly: whatever the server sends amiss is an error.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Agreed, Message, Net, Update, family_of};
use crate::oracle::Attributes;

/// Takes one message off the head of `octets`; `None` when it is not whole yet.
pub fn decode(octets: &[u8], agreed: &Agreed) -> Result<Option<(Message, usize)>, String> {
    let Some(header) = octets.first_chunk::<19>() else {
        return Ok(None);
    };
    if header[..16] != [0xff; 16] {
        return Err("the marker is not all ones".to_owned());
    }
    let len = usize::from(u16::from_be_bytes([header[16], header[17]]));
    let max = if agreed.extended_in && header[18] != 1 && header[18] != 4 {
        65_535
    } else {
        4_096
    };
    if !(19..=max).contains(&len) {
        return Err(format!(
            "a message of type {} has {len} octets, {max} are allowed",
            header[18]
        ));
    }
    if octets.len() < len {
        return Ok(None);
    }
    let mut body = Reader(&octets[19..len]);
    let message = match header[18] {
        1 => Message::Open(decode_open(&mut body)?),
        2 => Message::Update(decode_update(&mut body, agreed)?),
        3 => {
            let (code, subcode) = (body.u8()?, body.u8()?);
            let inner = match (code, subcode) {
                (6, 9) => Some((body.u8()?, body.u8()?)),
                _ => None,
            };
            Message::Notification {
                code,
                subcode,
                inner,
            }
        }
        4 => Message::Keepalive,
        5 => {
            let (afi, subtype) = (body.u16()?, body.u8()?);
            if !(1..=2).contains(&afi) || body.u8()? != 1 {
                return Err(format!("ROUTE-REFRESH of AFI {afi}"));
            }
            Message::Refresh(usize::from(afi) - 1, subtype)
        }
        other => return Err(format!("message type {other}")),
    };
    Ok(Some((message, len)))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self
            .0
            .split_at_checked(len)
            .ok_or("a field is longer than what is left")?;
        self.0 = rest;
        Ok(head)
    }

    fn u8(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, String> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    fn sub(&mut self, len: usize) -> Result<Reader<'a>, String> {
        self.take(len).map(Reader)
    }
}

fn decode_open(body: &mut Reader<'_>) -> Result<Agreed, String> {
    body.take(9)?;
    let len = usize::from(body.u8()?);
    let mut parameters = body.sub(len)?;
    let mut said = Agreed {
        families: [false; 2],
        ..Agreed::default()
    };
    while !parameters.0.is_empty() {
        let (kind, len) = (parameters.u8()?, usize::from(parameters.u8()?));
        let mut parameter = parameters.sub(len)?;
        while kind == 2 && !parameter.0.is_empty() {
            let (code, len) = (parameter.u8()?, usize::from(parameter.u8()?));
            let mut value = parameter.sub(len)?;
            match code {
                1 => said.families[usize::from(value.u16()?) - 1] = true,
                5 => said.v6_next_hops = value.take(6)? == [0, 1, 0, 1, 0, 2],
                6 => said.extended_out = true,
                65 => said.four_octet = true,
                69 => {
                    while !value.0.is_empty() {
                        let (afi, _, way) = (value.u16()?, value.u8()?, value.u8()?);
                        said.add_path[usize::from(afi) - 1] = way & 2 != 0;
                    }
                }
                70 => said.enhanced_refresh = true,
                64 => {
                    let word = value.u16()?;
                    said.restart.notifications = word & 0x4000 != 0;
                    said.restart.time_s = word & 0xfff;
                    while !value.0.is_empty() {
                        let (afi, _, flags) = (value.u16()?, value.u8()?, value.u8()?);
                        let family = usize::from(afi) - 1;
                        said.restart.families[family] = true;
                        said.restart.forwarding[family] = flags & 0x80 != 0;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(said)
}

fn decode_update(body: &mut Reader<'_>, agreed: &Agreed) -> Result<Update, String> {
    let mut update = Update::default();
    let len = usize::from(body.u16()?);
    decode_nlri(&mut body.sub(len)?, 0, agreed, &mut update.withdrawn)?;
    let len = usize::from(body.u16()?);
    let mut block = body.sub(len)?;
    let is_bare = block.0.is_empty();
    let mut parts = Parts::default();
    while !block.0.is_empty() {
        let (flags, code) = (block.u8()?, block.u8()?);
        let len = if flags & 0x10 != 0 {
            usize::from(block.u16()?)
        } else {
            usize::from(block.u8()?)
        };
        parts.read(flags & !0x10, code, block.sub(len)?, agreed, &mut update)?;
    }
    let withdrawn_count = update.withdrawn.len();
    let reach_count = update.announced.len();
    decode_nlri(body, 0, agreed, &mut update.announced)?;
    if update.announced.is_empty() {
        if withdrawn_count == 0 {
            update.end_of_rib = if is_bare { Some(0) } else { parts.unreach };
            update.end_of_rib.ok_or("an UPDATE that says nothing")?;
        }
        return Ok(update);
    }
    if reach_count > 0 && reach_count < update.announced.len() {
        return Err("prefixes both in MP_REACH_NLRI and in the body".to_owned());
    }
    if let Some((net, _)) = update
        .announced
        .iter()
        .find(|(net, _)| !agreed.families[family_of(net)])
    {
        return Err(format!("{net:?} is of a family that was not agreed on"));
    }
    update.attributes = Some(parts.finish()?);
    Ok(update)
}

#[derive(Default)]
struct Parts {
    origin: Option<u8>,
    as_path: Option<Vec<(u8, Vec<u32>)>>,
    as4_path: Option<Vec<(u8, Vec<u32>)>>,
    next_hop: Option<IpAddr>,
    link_local: Option<Ipv6Addr>,
    med: Option<u32>,
    communities: Vec<(u16, u16)>,
    large: Vec<(u32, u32, u32)>,
    extended: Vec<[u8; 8]>,
    other: BTreeMap<u8, (u8, Vec<u8>)>,
    unreach: Option<usize>,
    seen: Vec<u8>,
}

impl Parts {
    fn read(
        &mut self,
        flags: u8,
        code: u8,
        mut value: Reader<'_>,
        agreed: &Agreed,
        update: &mut Update,
    ) -> Result<(), String> {
        if self.seen.contains(&code) {
            return Err(format!("attribute {code} twice"));
        }
        self.seen.push(code);
        let due = match code {
            1..=3 | 6 => 0x40,
            4 | 14 | 15 => 0x80,
            8 | 16 | 17 | 32 => 0xc0,
            _ => flags,
        };
        if (flags ^ due) & !0x20 != 0 {
            return Err(format!("attribute {code} has the flags {flags:#x}"));
        }
        match code {
            1 => self.origin = Some(value.u8()?),
            2 => self.as_path = Some(decode_as_path(&mut value, agreed.four_octet)?),
            17 => self.as4_path = Some(decode_as_path(&mut value, true)?),
            3 => self.next_hop = Some(Ipv4Addr::from(value.u32()?).into()),
            4 => self.med = Some(value.u32()?),
            8 => {
                while !value.0.is_empty() {
                    self.communities.push((value.u16()?, value.u16()?));
                }
            }
            16 => {
                while !value.0.is_empty() {
                    self.extended.push(value.take(8)?.try_into().unwrap());
                }
            }
            32 => {
                while !value.0.is_empty() {
                    self.large.push((value.u32()?, value.u32()?, value.u32()?));
                }
            }
            14 => self.read_reach(&mut value, agreed, update)?,
            15 => {
                let family = decode_family(&mut value)?;
                self.unreach = Some(family);
                decode_nlri(&mut value, family, agreed, &mut update.withdrawn)?;
            }
            _ => {
                self.other
                    .insert(code, (flags, std::mem::take(&mut value.0).to_vec()));
            }
        }
        if value.0.is_empty() {
            Ok(())
        } else {
            Err(format!("attribute {code} is too long"))
        }
    }

    fn read_reach(
        &mut self,
        value: &mut Reader<'_>,
        agreed: &Agreed,
        update: &mut Update,
    ) -> Result<(), String> {
        let family = decode_family(value)?;
        let len = usize::from(value.u8()?);
        let octets = value.take(len)?;
        let v6 = |octets: &[u8]| Ipv6Addr::from(<[u8; 16]>::try_from(octets).unwrap());
        match len {
            4 => self.next_hop = Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).unwrap()).into()),
            16 => self.next_hop = Some(v6(octets).into()),
            32 => {
                self.next_hop = Some(v6(&octets[..16]).into());
                self.link_local = Some(v6(&octets[16..]));
            }
            _ => return Err(format!("a next hop of {len} octets")),
        }
        let is_of_family = self.next_hop.is_some_and(|hop| hop.is_ipv6()) == (family == 1);
        if !(is_of_family || family == 0 && agreed.v6_next_hops) {
            return Err(format!("a next hop of {len} octets in family {family}"));
        }
        value.u8()?;
        decode_nlri(value, family, agreed, &mut update.announced)
    }

    fn finish(self) -> Result<Attributes, String> {
        let as_path = self.as_path.ok_or("no AS_PATH")?;
        let as_path = match self.as4_path {
            Some(as4_path) => merge_as4_path(as_path, as4_path),
            None => as_path,
        };
        Ok(Attributes {
            origin: self.origin.ok_or("no ORIGIN")?,
            as_path,
            next_hop: self.next_hop.ok_or("no next hop")?,
            link_local: self.link_local,
            med: self.med,
            communities: self.communities,
            large: self.large,
            extended: self.extended,
            other: self.other,
        }
        .joined()
        .sorted())
    }
}

/// RFC 6793 §4.2.3: what AS4_PATH lacks in length is taken from the head of AS_PATH.
fn merge_as4_path(
    as_path: Vec<(u8, Vec<u32>)>,
    as4_path: Vec<(u8, Vec<u32>)>,
) -> Vec<(u8, Vec<u32>)> {
    let count = |path: &[(u8, Vec<u32>)]| -> usize {
        path.iter()
            .map(|(kind, asns)| if *kind == 1 { 1 } else { asns.len() })
            .sum()
    };
    let (all, new) = (count(&as_path), count(&as4_path));
    if all < new {
        return as_path;
    }
    let mut lead = all - new;
    let mut merged = Vec::new();
    for (kind, mut asns) in as_path {
        if lead == 0 {
            break;
        }
        if kind == 1 {
            lead -= 1;
        } else {
            asns.truncate(lead);
            lead -= asns.len();
        }
        merged.push((kind, asns));
    }
    merged.extend(as4_path);
    merged
}

fn decode_as_path(value: &mut Reader<'_>, four_octet: bool) -> Result<Vec<(u8, Vec<u32>)>, String> {
    let mut segments = Vec::new();
    while !value.0.is_empty() {
        let (kind, count) = (value.u8()?, value.u8()?);
        if !(1..=2).contains(&kind) || count == 0 {
            return Err(format!(
                "an AS_PATH segment of type {kind} with {count} ASNs"
            ));
        }
        let asns = (0..count).map(|_| {
            if four_octet {
                value.u32()
            } else {
                value.u16().map(u32::from)
            }
        });
        segments.push((kind, asns.collect::<Result<Vec<u32>, String>>()?));
    }
    Ok(segments)
}

fn decode_family(value: &mut Reader<'_>) -> Result<usize, String> {
    match (value.u16()?, value.u8()?) {
        (1, 1) => Ok(0),
        (2, 1) => Ok(1),
        other => Err(format!("AFI/SAFI {other:?}")),
    }
}

fn decode_nlri(
    value: &mut Reader<'_>,
    family: usize,
    agreed: &Agreed,
    out: &mut Vec<(Net, u32)>,
) -> Result<(), String> {
    while !value.0.is_empty() {
        let path_id = if agreed.add_path[family] {
            value.u32()?
        } else {
            0
        };
        let len = value.u8()?;
        if len > [32, 128][family] {
            return Err(format!("a prefix length of {len}"));
        }
        let mut octets = [0; 16];
        let covered = value.take(usize::from(len.div_ceil(8)))?;
        octets[..covered.len()].copy_from_slice(covered);
        let address: IpAddr = match family {
            0 => Ipv4Addr::from(<[u8; 4]>::try_from(&octets[..4]).unwrap()).into(),
            _ => Ipv6Addr::from(octets).into(),
        };
        out.push(((address, len), path_id));
    }
    Ok(())
}
