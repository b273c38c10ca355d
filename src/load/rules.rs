//! What control communities ask of a route server, for one receiver at a time: the default scheme
//! of the contract, read off a set each time it is asked. Obvious rather than fast.

use super::attributes::Attributes;

/// Whether `receiver` may have a path with these attributes and with how many prepends.
pub fn verdict(set: &Attributes, receiver: u32, server_asn: u32) -> Option<u8> {
    let standard = |high: u32, low: u32| {
        high <= 0xffff && low <= 0xffff && set.communities.contains(&(high << 16 | low))
    };
    let large = |action: u32, peer: u32| set.large.contains(&[server_asn, action, peer]);
    let not_to_peer = standard(0, receiver) || large(0, receiver);
    let to_peer = standard(server_asn, receiver) || large(1, receiver);
    let to_no_one = standard(0, server_asn) || large(0, 0);
    if not_to_peer || (to_no_one && !to_peer) {
        return None;
    }
    let prepends = |peer: u32| (1..=3u32).rev().find(|count| large(100 + count, peer));
    Some(prepends(receiver).or_else(|| prepends(0)).unwrap_or(0) as u8)
}

/// Whether the set has communities that concern only the server.
#[cfg(test)]
pub fn has_controls(set: &Attributes, server_asn: u32) -> bool {
    controls(set, server_asn) != (vec![], vec![])
}

/// The communities that concern only the server, standard and large.
pub fn controls(set: &Attributes, server_asn: u32) -> (Vec<u32>, Vec<[u32; 3]>) {
    let standard = set.communities.iter().copied();
    let large = set.large.iter().copied();
    (
        standard
            .filter(|&community| is_standard_control(community, server_asn))
            .collect(),
        large.filter(|large| large[0] == server_asn).collect(),
    )
}

/// Whether any of the communities in the value of an attribute (8 or 32) concerns only the server.
pub fn are_controls(kind: u8, value: &[u8], server_asn: u32) -> bool {
    let word = |octets: &[u8; 4]| u32::from_be_bytes(*octets);
    let words = value.as_chunks().0;
    match kind {
        8 => words
            .iter()
            .any(|community| is_standard_control(word(community), server_asn)),
        _ => words
            .iter()
            .step_by(3)
            .any(|first| word(first) == server_asn),
    }
}

/// Takes the communities out that do not leave the server.
pub fn strip(set: &mut Attributes, server_asn: u32) {
    set.communities
        .retain(|&community| !is_standard_control(community, server_asn));
    set.large.retain(|large| large[0] != server_asn);
}

fn is_standard_control(community: u32, server_asn: u32) -> bool {
    community >> 16 == 0 || community >> 16 == server_asn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(standard: &[(u32, u32)], large: &[[u32; 3]]) -> Attributes {
        let mut set = Attributes::new(&[10000], "10.77.1.1".parse().unwrap());
        set.communities = standard
            .iter()
            .map(|(high, low)| high << 16 | low)
            .collect();
        set.large = large.to_vec();
        set
    }

    #[test]
    fn verdicts_follow_the_contract() {
        let rs = 64500;
        let cases = [
            ("nothing said: everybody", set(&[], &[]), Some(0)),
            ("not to this peer", set(&[(0, 10001)], &[]), None),
            ("not to this peer, large", set(&[], &[[rs, 0, 10001]]), None),
            ("not to another peer", set(&[(0, 10002)], &[]), Some(0)),
            ("to no one", set(&[(0, rs)], &[]), None),
            ("to no one, large", set(&[], &[[rs, 0, 0]]), None),
            (
                "to no one but this peer",
                set(&[(0, rs), (rs, 10001)], &[]),
                Some(0),
            ),
            (
                "not to a peer beats to a peer",
                set(&[(rs, 10001)], &[[rs, 0, 10001]]),
                None,
            ),
            (
                "to no one beats to all",
                set(&[(rs, rs), (0, rs)], &[]),
                None,
            ),
            (
                "prepend to a peer beats to all",
                set(&[], &[[rs, 103, 0], [rs, 101, 10001]]),
                Some(1),
            ),
            (
                "the highest count wins",
                set(&[], &[[rs, 102, 10001], [rs, 101, 10001]]),
                Some(2),
            ),
            ("prepend to all", set(&[], &[[rs, 102, 0]]), Some(2)),
        ];
        for (name, set, expected) in cases {
            assert_eq!(verdict(&set, 10001, rs), expected, "{name}");
        }
    }

    #[test]
    fn a_four_octet_server_asn_has_no_standard_forms() {
        let asn = 200_000;
        assert_eq!(
            verdict(&set(&[(0, asn & 0xffff), (0, 300)], &[]), 10001, asn),
            Some(0)
        );
        assert_eq!(verdict(&set(&[(0, 10001)], &[]), 10001, asn), None);
    }

    #[test]
    fn controls_are_stripped_and_the_rest_stays() {
        let mut mixed = set(
            &[(0, 999), (64500, 3), (65000, 1)],
            &[[64500, 0, 5], [7, 8, 9]],
        );
        assert!(has_controls(&mixed, 64500));
        strip(&mut mixed, 64500);
        assert_eq!(mixed, set(&[(65000, 1)], &[[7, 8, 9]]));
    }
}
