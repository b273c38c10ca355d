//! A second opinion: a distinct UPDATE decoded again by `bgpkit-parser` must say the same
//! prefixes and attributes as our own reader. Extended communities and attributes unknown to the
//! library are compared by number only.

use bgpkit_parser::models::{
    AsPath, AsPathSegment, AsnLength, AttributeValue, Attributes as Library, Community,
    NetworkPrefix, NextHopAddress,
};
use bgpkit_parser::parser::bgp::messages::parse_bgp_update_message;
use bytes::Bytes;

use super::attributes::{AS_SEQUENCE, AS_SET, Attributes, Fault, Segment, fault};
use super::update::{self, Parts};
use crate::base::{Family, Prefix};

/// `parts` is what our own reader made of `body`.
pub fn confirm(body: &[u8], parts: &Parts<'_>, add_path: bool) -> Result<(), Fault> {
    let message =
        parse_bgp_update_message(Bytes::copy_from_slice(body), add_path, &AsnLength::Bits32)
            .map_err(|error| Fault(format!("the second decoder refuses an UPDATE: {error}")))?;
    if let Some(warning) = message.attributes.validation_warnings().first() {
        return fault(format!("the second decoder warns: {warning:?}"));
    }
    let mut theirs = [
        triples(&message.withdrawn_prefixes),
        triples(&message.announced_prefixes),
    ];
    let (reach, unreach) = (
        message.attributes.get_reachable_nlri(),
        message.attributes.get_unreachable_nlri(),
    );
    theirs[0].extend(unreach.iter().flat_map(|nlri| triples(&nlri.prefixes)));
    theirs[1].extend(reach.iter().flat_map(|nlri| triples(&nlri.prefixes)));
    let mut ours = [Vec::new(), Vec::new()];
    let withdrawn = parts
        .withdrawn
        .iter()
        .map(|&(family, nlri)| (0, family, nlri));
    let announced = parts
        .announced
        .iter()
        .map(|block| (1, block.family, block.nlri));
    for (which, family, nlri) in withdrawn.chain(announced) {
        update::read_nlri(family, nlri, add_path, |id, prefix| {
            ours[which].push((id, prefix))
        })?;
    }
    if ours != theirs {
        return fault(format!(
            "the second decoder reads {theirs:?}, the first {ours:?}"
        ));
    }
    for block in &parts.announced {
        let mine = block.decode()?;
        let theirs = translate(&message.attributes, &mine, block.family)?;
        if mine != theirs {
            return fault(format!(
                "the second decoder reads {theirs}, the first {mine}"
            ));
        }
    }
    Ok(())
}

fn triples(prefixes: &[NetworkPrefix]) -> Vec<(u32, Prefix)> {
    prefixes
        .iter()
        .map(|prefix| (prefix.path_id.unwrap_or(0), Prefix::from(prefix.prefix)))
        .collect()
}

/// The library's attributes as ours; what it does not give whole is taken over from `mine`.
fn translate(library: &Library, mine: &Attributes, family: Family) -> Result<Attributes, Fault> {
    let mut set = Attributes::new(&[], mine.next_hop);
    set.as_path.clear();
    let mut others = 0;
    for value in library.iter() {
        match value {
            AttributeValue::Origin(origin) => set.origin = *origin as u8,
            AttributeValue::AsPath(path) => set.as_path = segments(path),
            AttributeValue::NextHop(addr) if family == Family::Ipv4 => set.next_hop = *addr,
            AttributeValue::MultiExitDiscriminator(med) => set.med = Some(*med),
            AttributeValue::LocalPreference(preference) => set.local_pref = Some(*preference),
            AttributeValue::AtomicAggregate => set.atomic_aggregate = true,
            AttributeValue::Aggregator { asn, id } => set.aggregator = Some((asn.to_u32(), *id)),
            AttributeValue::Communities(list) => {
                set.communities = list.iter().map(community).collect()
            }
            AttributeValue::LargeCommunities(list) => {
                set.large = list
                    .iter()
                    .map(|c| [c.global_admin, c.local_data[0], c.local_data[1]])
                    .collect();
            }
            AttributeValue::ExtendedCommunities(list) if list.len() >= mine.extended.len() => {
                set.extended = mine.extended.clone();
            }
            AttributeValue::MpReachNlri(nlri) if family == Family::Ipv6 => match nlri.next_hop {
                Some(NextHopAddress::Ipv6(global)) => set.next_hop = global.into(),
                Some(NextHopAddress::Ipv6LinkLocal(global, link_local)) => {
                    set.next_hop = global.into();
                    set.link_local = Some(link_local);
                }
                other => return fault(format!("the second decoder reads the next hop {other:?}")),
            },
            AttributeValue::NextHop(_)
            | AttributeValue::MpReachNlri(_)
            | AttributeValue::MpUnreachNlri(_) => {}
            _ => others += 1,
        }
    }
    if others == mine.others.len() {
        set.others = mine.others.clone();
    }
    set.normalise();
    Ok(set)
}

/// An AS_PATH of the library as ours.
pub fn segments(path: &AsPath) -> Vec<Segment> {
    path.iter_segments()
        .map(|segment| {
            let (kind, asns) = match segment {
                AsPathSegment::AsSequence(asns) => (AS_SEQUENCE, asns),
                AsPathSegment::AsSet(asns) => (AS_SET, asns),
                AsPathSegment::ConfedSequence(asns) => (3, asns),
                AsPathSegment::ConfedSet(asns) => (4, asns),
            };
            Segment {
                kind,
                asns: asns.iter().map(|asn| asn.to_u32()).collect(),
            }
        })
        .collect()
}

/// A standard community of the library as ours.
pub fn community(community: &Community) -> u32 {
    match community {
        Community::NoExport => 0xffff_ff01,
        Community::NoAdvertise => 0xffff_ff02,
        Community::NoExportSubConfed => 0xffff_ff03,
        Community::Custom(asn, value) => asn.to_u32() << 16 | u32::from(*value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_reads_what_we_write_and_notices_a_difference() {
        for next_hop in ["10.77.1.1", "fd77::1"] {
            let mut set = Attributes::new(&[10000, 70_000, 5], next_hop.parse().unwrap());
            set.med = Some(5);
            set.communities = vec![5 << 16 | 7, 0xffff_ff01];
            set.large = vec![[1, 2, 3]];
            set.others = vec![(0xc0, 240, vec![9; 300])];
            let prefix = if next_hop.contains(':') {
                "2a00::/12"
            } else {
                "1.2.3.0/24"
            };
            let mut out = Vec::new();
            let mut key = Vec::new();
            set.key(&mut key);
            update::encode_announcement(&mut out, &key, [prefix.parse().unwrap()].iter());
            let body = &out[update::HEADER_LEN..];
            let parts = update::read_update(body).unwrap();
            assert_eq!(confirm(body, &parts, false), Ok(()));

            let mut other = body.to_vec();
            let med = other
                .windows(7)
                .position(|octets| octets == [0x80, 4, 4, 0, 0, 0, 5])
                .unwrap();
            other[med + 6] = 6;
            assert!(confirm(&other, &parts, false).is_err());
        }
    }
}
