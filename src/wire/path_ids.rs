//! UPDATEs with path identifiers (RFC 7911 §3), which Rialto sends and does not take, made into such
//! without, for whoever looks at what was sent.

use crate::base::{Family, FamilySet};

use super::attribute::{flag, push_attribute, split_attribute};
use super::code;

/// An UPDATE without path identifiers, and those, in the order of its prefixes. `None` belongs to a
/// prefix of a family that has none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WithoutPathIds {
    pub body: Vec<u8>,
    pub withdrawn: Vec<Option<u32>>,
    pub announced: Vec<Option<u32>>,
}

/// Takes the identifiers out of an UPDATE without its header. `None`: its lengths do not add up.
pub fn without_path_ids(body: &[u8], families: FamilySet) -> Option<WithoutPathIds> {
    let (withdrawn, rest) = split_counted(body)?;
    let (attributes, nlri) = split_counted(rest)?;
    let mut out = WithoutPathIds::default();
    let ipv4 = (Family::Ipv4, families.contains(Family::Ipv4));
    let mut octets = Vec::new();
    take_out(&mut octets, &mut out.withdrawn, ipv4, withdrawn)?;
    push_counted(&mut out.body, &octets)?;
    octets.clear();
    let mut of_body = Vec::new();
    let mut bare_nlri = Vec::new();
    take_out(&mut bare_nlri, &mut of_body, ipv4, nlri)?;
    let mut of_reach = Vec::new();
    let mut rest = attributes;
    while !rest.is_empty() {
        let (attribute, after) = split_attribute(rest).ok()?;
        rest = after;
        let head_len = match attribute.code {
            code::MP_REACH_NLRI => 5 + usize::from(*attribute.value.get(3)?),
            code::MP_UNREACH_NLRI => 3,
            _ => {
                octets.extend_from_slice(attribute.whole);
                continue;
            }
        };
        let ids = match attribute.code {
            code::MP_REACH_NLRI => &mut of_reach,
            _ => &mut out.withdrawn,
        };
        let (head, nlri) = attribute.value.split_at_checked(head_len)?;
        let &[high, low, safi] = head.first_chunk::<3>()?;
        let mut value = head.to_vec();
        match Family::from_afi_safi(u16::from_be_bytes([high, low]), safi) {
            Some(family) => {
                let has_ids = families.contains(family);
                take_out(&mut value, ids, (family, has_ids), nlri)?;
            }
            None => value.extend_from_slice(nlri),
        }
        push_attribute(
            &mut octets,
            attribute.flags & !flag::EXTENDED_LENGTH,
            attribute.code,
            &value,
        );
    }
    push_counted(&mut out.body, &octets)?;
    out.body.extend_from_slice(&bare_nlri);
    out.announced = of_body;
    out.announced.extend(of_reach);
    Some(out)
}

/// Appends prefixes without their identifiers, and the identifiers.
fn take_out(
    out: &mut Vec<u8>,
    ids: &mut Vec<Option<u32>>,
    (family, has_ids): (Family, bool),
    mut nlri: &[u8],
) -> Option<()> {
    while !nlri.is_empty() {
        let mut id = None;
        if has_ids {
            let (octets, rest) = nlri.split_first_chunk::<4>()?;
            id = Some(u32::from_be_bytes(*octets));
            nlri = rest;
        }
        let len = *nlri.first().filter(|len| **len <= family.max_len())?;
        let (prefix, rest) = nlri.split_at_checked(1 + usize::from(len.div_ceil(8)))?;
        out.extend_from_slice(prefix);
        ids.push(id);
        nlri = rest;
    }
    Some(())
}

fn split_counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

fn push_counted(out: &mut Vec<u8>, octets: &[u8]) -> Option<()> {
    out.extend_from_slice(&u16::try_from(octets.len()).ok()?.to_be_bytes());
    out.extend_from_slice(octets);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IPV4: FamilySet = FamilySet::only(Family::Ipv4);
    const IPV6: FamilySet = FamilySet::only(Family::Ipv6);

    /// ORIGIN, and MP_REACH_NLRI or MP_UNREACH_NLRI of IPv6 with these octets of prefixes.
    fn attributes(reach: Option<&[u8]>, unreach: Option<&[u8]>) -> Vec<u8> {
        let mut out = vec![0x40, code::ORIGIN, 1, 0];
        if let Some(nlri) = reach {
            let head = [&[0, 2, 1, 16][..], &[0x20; 16], &[0]].concat();
            push_attribute(&mut out, 0x80, code::MP_REACH_NLRI, &[&head, nlri].concat());
        }
        if let Some(nlri) = unreach {
            push_attribute(
                &mut out,
                0x80,
                code::MP_UNREACH_NLRI,
                &[&[0, 2, 1], nlri].concat(),
            );
        }
        out
    }

    fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_counted(&mut out, withdrawn).unwrap();
        push_counted(&mut out, attributes).unwrap();
        [&out, nlri].concat()
    }

    #[test]
    fn identifiers_go_out_of_every_place_that_has_prefixes() {
        let with = update(
            &[0, 0, 0, 7, 8, 10],
            &attributes(
                Some(&[0, 0, 0, 5, 16, 0x20, 1, 0, 0, 0, 6, 0]),
                Some(&[0, 0, 1, 0, 8, 0x20]),
            ),
            &[0, 0, 0, 9, 24, 192, 0, 2, 0, 0, 0, 9, 24, 192, 0, 3],
        );
        let without = update(
            &[8, 10],
            &attributes(Some(&[16, 0x20, 1, 0]), Some(&[8, 0x20])),
            &[24, 192, 0, 2, 24, 192, 0, 3],
        );
        let told = without_path_ids(&with, FamilySet::ALL).unwrap();
        assert_eq!(told.body, without);
        assert_eq!(told.withdrawn, [7, 256].map(Some));
        assert_eq!(told.announced, [9, 9, 5, 6].map(Some));
    }

    #[test]
    fn a_family_without_identifiers_is_left_alone() {
        let body = update(
            &[],
            &attributes(Some(&[16, 0x20, 1]), None),
            &[0, 0, 0, 9, 8, 10],
        );
        let told = without_path_ids(&body, IPV4).unwrap();
        assert_eq!(told.announced, [Some(9), None]);
        let same = update(&[8, 10], &attributes(None, Some(&[16, 0x20, 1])), &[8, 11]);
        let told = without_path_ids(&same, FamilySet::EMPTY).unwrap();
        assert_eq!(told.body, same);
        assert!(without_path_ids(&same, IPV6).is_none(), "no room for them");
    }

    proptest! {
        #[test]
        fn any_octets_give_an_update_or_nothing(
            octets in prop::collection::vec(any::<u8>(), 0..64),
            both in any::<bool>(),
        ) {
            let families = if both { FamilySet::ALL } else { IPV4 };
            if let Some(told) = without_path_ids(&octets, families) {
                prop_assert!(told.body.len() <= octets.len() + 1);
            }
        }
    }
}
