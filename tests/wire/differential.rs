//! Rialto's decoder beside netgauze-bgp-pkt: on generated UPDATEs and on real ones from MRT files.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use netgauze_bgp_pkt::nlri::{Ipv4UnicastAddress, Ipv6UnicastAddress};
use netgauze_bgp_pkt::path_attribute::{AsPath, MpReach, MpUnreach, PathAttributeValue};
use netgauze_bgp_pkt::update::BgpUpdateMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use proptest::prelude::*;
use rialto::base::{Asn, Family, FamilySet, Prefix};
use rialto::wire::{
    AttributeSet, DecodeContext, EncodingClass, KeepAll, NextHop, Scratch, Update, Variant,
    decode_update, encode_announcements, encode_attributes,
};

use super::generate::said;
use super::support::context;

/// What both decoders can be asked.
#[derive(Clone, PartialEq, Debug, Default)]
struct Heard {
    withdrawn: Vec<Prefix>,
    announced: Vec<(NextHop, Prefix)>,
    /// Segment type and ASNs.
    as_path: Vec<(u8, Vec<u32>)>,
    communities: Vec<(u16, u16)>,
    large: Vec<(u32, u32, u32)>,
    /// The values of all other attributes that pass through.
    others: BTreeMap<u8, (u8, Vec<u8>)>,
}

fn heard(update: &Update<'_>) -> Heard {
    let mut heard = Heard {
        withdrawn: update
            .withdrawn
            .iter()
            .flat_map(|nlri| nlri.iter())
            .collect(),
        ..Heard::default()
    };
    for (set, nlri) in &update.announced {
        heard
            .announced
            .extend(nlri.iter().map(|prefix| (set.next_hop(), prefix)));
        heard.as_path = set
            .as_path_segments()
            .map(|(kind, asns)| (kind, asns.map(|asn| asn.0).collect()))
            .collect();
        heard.communities = set.communities().collect();
        heard.large = set.large_communities().collect();
        let others = set
            .attributes()
            .filter(|attribute| ![2, 8, 32].contains(&attribute.code));
        heard.others = others
            .map(|other| {
                (
                    other.code,
                    (other.flags & 0xe0, comparable(other.code, other.value)),
                )
            })
            .collect();
    }
    heard
}

/// The other library writes some subtypes of extended communities (0x0009) as others (0x0002):
/// subtypes are left out of the comparison.
fn comparable(code: u8, value: &[u8]) -> Vec<u8> {
    let is_subtype = |at: usize| code == 16 && at % 8 == 1;
    value
        .iter()
        .enumerate()
        .map(|(at, octet)| if is_subtype(at) { 0 } else { *octet })
        .collect()
}

fn v4(prefixes: &[Ipv4UnicastAddress]) -> impl Iterator<Item = Prefix> {
    prefixes
        .iter()
        .map(|prefix| Prefix::from(ipnet::IpNet::V4(prefix.network().address())))
}

fn v6(prefixes: &[Ipv6UnicastAddress]) -> impl Iterator<Item = Prefix> {
    prefixes
        .iter()
        .map(|prefix| Prefix::from(ipnet::IpNet::V6(prefix.network().address())))
}

/// The other decoder's opinion; `None` where it wants none of it.
fn heard_by_netgauze(body: &[u8], four_octet: bool) -> Option<Heard> {
    let mut context = BgpParsingContext::asn2_default();
    context.set_asn4(four_octet);
    let update = BgpUpdateMessage::parse(&mut SliceReader::new(body), &mut context).ok()?;
    let mut heard = Heard {
        withdrawn: v4(update.withdraw_routes()).collect(),
        ..Heard::default()
    };
    let mut next_hop_4 = None;
    let mut reach = Vec::new();
    for attribute in update.path_attributes() {
        match attribute.value() {
            PathAttributeValue::NextHop(next_hop) => {
                next_hop_4 = Some(NextHop::V4(next_hop.next_hop()))
            }
            PathAttributeValue::MpReach(MpReach::Ipv6Unicast {
                next_hop_global,
                next_hop_local,
                nlri,
            }) => {
                let next_hop = match next_hop_local {
                    None => NextHop::V6(*next_hop_global),
                    Some(link_local) => NextHop::V6LinkLocal(*next_hop_global, *link_local),
                };
                reach.extend(v6(nlri).map(|prefix| (next_hop, prefix)));
            }
            PathAttributeValue::MpUnreach(MpUnreach::Ipv6Unicast { nlri }) => {
                heard.withdrawn.extend(v6(nlri))
            }
            PathAttributeValue::MpReach(_) | PathAttributeValue::MpUnreach(_) => return None,
            PathAttributeValue::AsPath(AsPath::As4PathSegments(segments)) => {
                let segment = |segment: &netgauze_bgp_pkt::path_attribute::As4PathSegment| {
                    (segment.segment_type() as u8, segment.as_numbers().to_vec())
                };
                heard.as_path = segments.iter().map(segment).collect();
            }
            PathAttributeValue::AsPath(AsPath::As2PathSegments(segments)) => {
                let segment = |segment: &netgauze_bgp_pkt::path_attribute::As2PathSegment| {
                    (
                        segment.segment_type() as u8,
                        segment
                            .as_numbers()
                            .iter()
                            .map(|asn| u32::from(*asn))
                            .collect(),
                    )
                };
                heard.as_path = segments.iter().map(segment).collect();
            }
            PathAttributeValue::Communities(communities) => {
                let halves = communities.communities().iter();
                heard.communities = halves
                    .map(|value| (value.collection_asn(), value.collection_value()))
                    .collect();
            }
            PathAttributeValue::LargeCommunities(communities) => {
                let parts = communities.communities().iter();
                heard.large = parts
                    .map(|value| {
                        (
                            value.global_admin(),
                            value.local_data1(),
                            value.local_data2(),
                        )
                    })
                    .collect();
            }
            PathAttributeValue::LocalPreference(_)
            | PathAttributeValue::Originator(_)
            | PathAttributeValue::ClusterList(_)
            | PathAttributeValue::Aigp(_) => {}
            _ => {
                let mut octets = Vec::new();
                attribute.write(&mut octets).ok()?;
                let header_len = if octets[0] & 0x10 == 0 { 3 } else { 4 };
                heard.others.insert(
                    octets[1],
                    (
                        octets[0] & 0xe0,
                        comparable(octets[1], &octets[header_len..]),
                    ),
                );
            }
        }
    }
    let ipv4 = v4(update.nlri()).filter_map(|prefix| next_hop_4.map(|next_hop| (next_hop, prefix)));
    heard.announced = ipv4.chain(reach).collect();
    if heard.announced.is_empty() {
        heard = Heard {
            withdrawn: heard.withdrawn,
            ..Heard::default()
        };
    }
    Some(heard)
}

fn encode(set: &AttributeSet, family: Family, nlri: impl Iterator<Item = Prefix>) -> Vec<u8> {
    let class = EncodingClass {
        four_octet: true,
        add_path: FamilySet::EMPTY,
        message_max: 65535,
        ..EncodingClass::PLAIN
    };
    let (mut attributes, mut out) = (Vec::new(), Vec::new());
    encode_attributes(
        &mut attributes,
        set,
        Variant::default(),
        Asn(0),
        &class,
        &KeepAll,
    );
    let mut nlri = nlri.map(|prefix| (prefix, None));
    assert_eq!(
        encode_announcements(
            &mut out,
            &class,
            &attributes,
            set.next_hop(),
            family,
            &mut nlri
        ),
        1
    );
    out
}

/// What Rialto sends on must mean to the other decoder what Rialto heard.
fn check_sent(update: &Update<'_>) -> Result<(), TestCaseError> {
    for (set, nlri) in &update.announced {
        let octets = encode(set, nlri.family, nlri.iter());
        let other = heard_by_netgauze(&octets[19..], true);
        let alone = Update {
            announced: [(set.clone(), *nlri)].into_iter().collect(),
            ..Update::default()
        };
        prop_assert_eq!(other, Some(heard(&alone)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_updates_mean_the_same_to_both(said in said()) {
        let body = said.body();
        let update = super::support::decode(&body).map_err(|error| TestCaseError::fail(error.what))?;
        prop_assert_eq!(heard_by_netgauze(&body, true), Some(heard(&update)));
        check_sent(&update)?;
    }
}

/// `RIALTO_DATA`, or the folder beside the repository; `None`, loudly, where neither is there.
fn data() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("RIALTO_DATA").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        // Past the capture of the test harness.
        let mut stderr = std::io::stderr();
        let folder = folder.display();
        let _ = writeln!(
            stderr,
            "SKIPPED: no real UPDATEs: {folder} is not there (RIALTO_DATA names the folder)"
        );
        return None;
    }
    Some(folder)
}

/// The BGP messages of an MRT file of BGP4MP records (RFC 6396 §4.4), each with whether its ASNs
/// have four octets.
fn mrt_messages(octets: &[u8]) -> Vec<(bool, &[u8])> {
    let number = |octets: &[u8]| {
        octets
            .iter()
            .fold(0usize, |number, octet| number << 8 | usize::from(*octet))
    };
    let mut messages = Vec::new();
    let mut rest = octets;
    while let Some((header, tail)) = rest.split_at_checked(12) {
        let Some((record, tail)) = tail.split_at_checked(number(&header[8..12])) else {
            break;
        };
        rest = tail;
        let body = match number(&header[4..6]) {
            16 => record,
            17 => &record[4..],
            _ => continue,
        };
        let (four_octet, asns_len) = match number(&header[6..8]) {
            1 => (false, 4),
            4 => (true, 8),
            _ => continue,
        };
        let address_len = if number(&body[asns_len + 2..asns_len + 4]) == 1 {
            4
        } else {
            16
        };
        messages.push((four_octet, &body[asns_len + 4 + 2 * address_len..]));
    }
    messages
}

#[test]
fn real_updates_mean_the_same_to_both() {
    let Some(folder) = data() else { return };
    let files = [
        ("rrc01-linx-updates.20070211.0141.mrt.gz", 10_000),
        ("rrc03-amsix-updates.20100227.1600.first796.mrt.gz", 700),
        ("rrc06-dixie-updates.20150401.0000.mrt.gz", 500),
        ("rrc15-ptt-updates.20100227.1600.mrt.gz", 5_000),
        ("ris-updates.20071015.1505.mrt.gz", 2_000),
        ("routeviews-updates.20130101-arch0.mrt.gz", 10_000),
        (
            "pch-206.220.231.55-fulltable-2015-10.updates.mrt.gz",
            10_000,
        ),
    ];
    for (file, at_least) in files {
        let mut octets = Vec::new();
        let compressed = std::fs::File::open(folder.join(file)).unwrap();
        flate2::read::MultiGzDecoder::new(compressed)
            .read_to_end(&mut octets)
            .unwrap();
        let messages = mrt_messages(&octets)
            .into_iter()
            .filter(|(_, message)| message[18] == 2);
        let mut tally = BTreeMap::new();
        for (four_octet, message) in messages {
            *tally
                .entry(check_real(four_octet, &message[19..]))
                .or_insert(0) += 1;
        }
        eprintln!("{file}: {tally:?}");
        let same = tally.remove(&Outcome::Same).unwrap_or(0);
        let different: i32 = tally.values().sum();
        assert!(same >= at_least && different * 50 <= same, "{file}");
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Outcome {
    Same,
    /// The other decoder refuses the message.
    Declined,
    /// Rialto took the routes for withdrawn, and why; the other decoder is not as strict.
    TreatedAsWithdraw(String),
}

fn check_real(four_octet: bool, body: &[u8]) -> Outcome {
    let context = DecodeContext {
        four_octet,
        ..context()
    };
    let update = decode_update(body, &context, &mut Scratch::default()).unwrap();
    let Some(mut other) = heard_by_netgauze(body, four_octet) else {
        return Outcome::Declined;
    };
    let mut ours = heard(&update);
    if let Some(fault) = update.treat_as_withdraw {
        let announced = other.announced.iter().map(|(_, prefix)| *prefix);
        let expected: Vec<Prefix> = other.withdrawn.iter().copied().chain(announced).collect();
        assert_eq!(ours.withdrawn, expected);
        return Outcome::TreatedAsWithdraw(fault.to_string());
    }
    for fault in &update.discarded {
        // AGGREGATOR with AS 0 (RFC 7607) is in real tables.
        other.others.remove(&fault.code);
    }
    if !four_octet {
        // The other decoder neither merges nor widens.
        let asn_count = |heard: &Heard| {
            heard
                .as_path
                .iter()
                .map(|(_, asns)| asns.len())
                .sum::<usize>()
        };
        assert_eq!(asn_count(&ours), asn_count(&other));
        let has_as4_path = other.others.remove(&17).is_some();
        other.others.remove(&18);
        if has_as4_path {
            other.as_path.clone_from(&ours.as_path);
        }
        other.others.remove(&7);
        ours.others.remove(&7);
    }
    assert_eq!(ours, other, "{body:x?}");
    check_sent(&update).unwrap();
    Outcome::Same
}
