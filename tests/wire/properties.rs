//! What holds for all octets, and for all UPDATEs that could be meant.

use proptest::prelude::*;
use rialto::base::{Asn, Family, Prefix};
use rialto::wire::{
    Additions, AttributeSet, CommunityScrub, DecodeContext, EncodingClass, KeepAll, Scratch,
    Update, Variant, VariantFlags, code, decode_update, encode_announcements, encode_attributes,
};

use super::generate::{Said, next_hop_6, nlri_octets, prefix, said, set};
use super::support::{body, context, decode};

#[path = "../../fuzz/checks/framer.rs"]
mod framer;
#[path = "../../fuzz/checks/open.rs"]
mod open;
#[path = "../../fuzz/checks/update.rs"]
mod update;

fn withdrawn(update: &Update<'_>, family: Family) -> Vec<Prefix> {
    update
        .withdrawn
        .iter()
        .filter(|nlri| nlri.family == family)
        .flat_map(|nlri| nlri.iter())
        .collect()
}

fn check_said(said: &Said, update: &Update<'_>) -> Result<(), TestCaseError> {
    prop_assert_eq!(withdrawn(update, Family::Ipv4), &said.withdrawn_4[..]);
    prop_assert_eq!(withdrawn(update, Family::Ipv6), &said.withdrawn_6[..]);
    prop_assert_eq!(&update.treat_as_withdraw, &None);
    prop_assert!(update.discarded.is_empty());
    let mut announced = update.announced.iter();
    let expected = [
        (said.next_hop_4.into(), &said.announced_4),
        (said.next_hop_6, &said.announced_6),
    ];
    for (next_hop, prefixes) in expected
        .into_iter()
        .filter(|(_, prefixes)| !prefixes.is_empty())
    {
        let Some((set, nlri)) = announced.next() else {
            return Err(TestCaseError::fail("too few sets"));
        };
        prop_assert_eq!(&**set, &*said.set_of(next_hop));
        prop_assert_eq!(set.hash(), said.set_of(next_hop).hash());
        prop_assert_eq!(nlri.iter().collect::<Vec<_>>(), &prefixes[..]);
        prop_assert_eq!(nlri.count(), prefixes.len());
    }
    prop_assert!(announced.next().is_none());
    let says_nothing = nlri_octets(&said.withdrawn_4).is_empty()
        && said.withdrawn_6.is_empty()
        && said.announced_4.is_empty()
        && said.announced_6.is_empty();
    prop_assert_eq!(update.end_of_rib, says_nothing.then_some(Family::Ipv4));
    Ok(())
}

/// Octets of NLRI that a body holds, counted without regard to what the attributes say;
/// `None` where the lengths do not allow it.
fn nlri_octets_in(body: &[u8]) -> Option<usize> {
    let field = |at: usize| -> Option<(&[u8], usize)> {
        let len = usize::from(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
        Some((body.get(at + 2..at + 2 + len)?, at + 2 + len))
    };
    let (withdrawn, at) = field(0)?;
    let (mut attributes, at) = field(at)?;
    let mut count = withdrawn.len() + body[at..].len();
    while let [flags, code, rest @ ..] = attributes {
        let (len, rest) = match (flags & 0x10, rest) {
            (0, [len, rest @ ..]) => (usize::from(*len), rest),
            (0x10, [high, low, rest @ ..]) => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            _ => break,
        };
        let Some(value) = rest.get(..len) else { break };
        count += match (code, value) {
            (14, [_, _, _, hop_len, rest @ ..]) => rest.len() - usize::from(*hop_len) - 1,
            (15, [_, _, _, rest @ ..]) => rest.len(),
            _ => 0,
        };
        attributes = &rest[len..];
    }
    Some(count)
}

/// Decodes what may be anything; what comes out must be sound.
fn check_any(octets: &[u8], four_octet: bool) -> Result<(), TestCaseError> {
    let context = DecodeContext {
        four_octet,
        ..context()
    };
    let Ok(update) = decode_update(octets, &context, &mut Scratch::default()) else {
        return Ok(());
    };
    let blocks = update
        .withdrawn
        .iter()
        .chain(update.announced.iter().map(|(_, nlri)| nlri));
    let out: usize = blocks
        .map(|nlri| nlri_octets(&nlri.iter().collect::<Vec<_>>()).len())
        .sum();
    let lost = update
        .discarded
        .iter()
        .any(|fault| matches!(fault.code, 14 | 15));
    prop_assert!(
        lost || nlri_octets_in(octets) == Some(out),
        "NLRI lost: {:?}",
        update
    );
    for (set, nlri) in &update.announced {
        prop_assert!(!nlri.is_empty());
        let codes: Vec<u8> = set.attributes().map(|attribute| attribute.code).collect();
        prop_assert!(
            codes.is_sorted() && codes.contains(&1) && codes.contains(&2),
            "{:?}",
            codes
        );
        prop_assert!(
            codes
                .iter()
                .all(|code| ![3, 5, 9, 10, 14, 15, 17, 18, 26].contains(code)),
            "{:?}",
            codes
        );
        let whole: usize = set
            .attributes()
            .map(|attribute| attribute.whole.len())
            .sum();
        prop_assert_eq!(whole, set.octets().len());
        prop_assert_eq!(set.as_path_asns().find(|asn| asn.0 == 0), None);
    }
    Ok(())
}

/// Removes nothing; these come in addition.
#[derive(Debug)]
struct Adds(Additions);

impl CommunityScrub for Adds {
    fn removes_standard(&self, _: (u16, u16)) -> bool {
        false
    }
    fn removes_large(&self, _: (u32, u32, u32)) -> bool {
        false
    }
    fn removes_extended(&self, _: [u8; 8]) -> bool {
        false
    }
    fn additions(&self, _: Variant) -> Additions {
        self.0.clone()
    }
}

fn adds() -> impl Strategy<Value = Adds> {
    use proptest::collection::btree_set;
    (
        btree_set((65530u16.., 0u16..4), 0..6),
        btree_set(any::<[u8; 6]>(), 0..4),
        btree_set((0u32..3, 0u32..3, 0u32..3), 0..6),
    )
        .prop_map(|(standard, extended, large)| {
            let extended = extended.iter();
            Adds(Additions {
                standard: standard.into_iter().collect(),
                extended: extended
                    .map(|&[a, b, c, d, e, f]| [0, 2, a, b, c, d, e, f])
                    .collect(),
                large: large.into_iter().collect(),
            })
        })
}

/// None, a small one or a large one.
fn asn() -> impl Strategy<Value = Asn> {
    prop_oneof![Just(Asn(0)), Just(Asn(64_500)), Just(Asn(4_200_000_001))]
}

/// The set that a client of this class decodes from what it is sent.
fn sent(
    set: &AttributeSet,
    variant: Variant,
    class: &EncodingClass,
    scrub: &dyn CommunityScrub,
) -> std::sync::Arc<AttributeSet> {
    let mut attributes = Vec::new();
    let prepend_as = variant.prepend_as;
    encode_attributes(&mut attributes, set, variant, prepend_as, class, scrub);
    let attributes = [super::support::next_hop(), attributes].concat();
    let octets = body(&[], &attributes, &[8, 10]);
    let context = DecodeContext {
        four_octet: class.four_octet,
        ..context()
    };
    let update = decode_update(&octets, &context, &mut Scratch::default()).unwrap();
    assert_eq!(update.discarded.len(), 0, "{update:?}");
    update.announced[0].0.clone()
}

fn check_added(
    set: &AttributeSet,
    heard: &AttributeSet,
    variant: Variant,
    adds: &Adds,
) -> Result<(), TestCaseError> {
    fn all<T: PartialEq>(
        there: impl Iterator<Item = T>,
        added: impl IntoIterator<Item = T>,
    ) -> Vec<T> {
        let mut all: Vec<T> = there.collect();
        for value in added {
            if !all.contains(&value) {
                all.push(value);
            }
        }
        all
    }
    let tagged = match variant.adds_communities() {
        true => adds.0.clone(),
        false => Additions::default(),
    };
    let standard = variant.flags.communities().chain(tagged.standard);
    let standard = all(set.communities(), standard);
    prop_assert_eq!(heard.communities().collect::<Vec<_>>(), standard);
    let extended = all(set.extended_communities(), tagged.extended);
    prop_assert_eq!(heard.extended_communities().collect::<Vec<_>>(), extended);
    let large = all(set.large_communities(), tagged.large);
    prop_assert_eq!(heard.large_communities().collect::<Vec<_>>(), large);
    let others = |set: &AttributeSet| -> Vec<Vec<u8>> {
        set.attributes()
            .filter(|attribute| !code::is_communities(attribute.code))
            .filter(|attribute| ![code::AS_PATH, code::OTC].contains(&attribute.code))
            .map(|attribute| attribute.whole.to_vec())
            .collect()
    };
    prop_assert_eq!(others(heard), others(set));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_said_is_what_is_heard(said in said()) {
        let body = said.body();
        check_said(&said, &decode(&body).map_err(|error| TestCaseError::fail(error.what))?)?;
    }

    #[test]
    fn a_decoded_set_encodes_to_one_that_decodes_to_itself(
        set in set(), prefixes in proptest::collection::vec(prefix(Family::Ipv4), 1..50), four_octet: bool,
        next_hop_6 in proptest::option::of(next_hop_6()),
    ) {
        let set = match next_hop_6 {
            Some(next_hop) => set.next_hop(next_hop).build(),
            None => set.build(),
        };
        let class = EncodingClass { four_octet, message_max: 65535, v6_next_hops: true, ..EncodingClass::PLAIN };
        let (mut attributes, mut out) = (Vec::new(), Vec::new());
        encode_attributes(&mut attributes, &set, Variant::default(), Asn(0), &class, &KeepAll);
        let mut nlri = prefixes.iter().map(|prefix| (*prefix, None));
        prop_assert_eq!(encode_announcements(&mut out, &class, &attributes, set.next_hop(), Family::Ipv4, &mut nlri), 1);
        let context = DecodeContext { four_octet, v6_next_hops: true, ..context() };
        let update = decode_update(&out[19..], &context, &mut Scratch::default()).unwrap();
        prop_assert_eq!(&update.announced[0].0, &set);
        prop_assert_eq!(update.announced[0].1.iter().collect::<Vec<_>>(), prefixes);
    }

    #[test]
    fn what_is_added_is_heard_behind_what_was_there(
        set in set(), adds in adds(), bits: u8, tags in 0u16..2, four_octet: bool,
        prepend in 0u8..4, prepend_as in 1u32..100_000, otc in asn(), rs_as in asn(),
    ) {
        let set = set.build();
        let class = EncodingClass { four_octet, message_max: 65535, otc, rs_as, ..EncodingClass::PLAIN };
        let variant = Variant { flags: VariantFlags::from_bits(bits), tags, prepend, prepend_as: Asn(prepend_as) };
        let heard = sent(&set, variant, &class, &adds);
        check_added(&set, &heard, variant, &adds)?;
        let before = [rs_as].into_iter().filter(|asn| *asn != Asn(0));
        let before = before.chain([Asn(prepend_as); 3].into_iter().take(prepend.into()));
        prop_assert!(heard.as_path_asns().eq(before.chain(set.as_path_asns())), "{:?}", heard);
        let made = Some(otc).filter(|asn| *asn != Asn(0));
        prop_assert_eq!(heard.otc(), set.otc().or(made));
    }

    #[test]
    fn any_octets_give_a_value_or_an_error(octets in proptest::collection::vec(any::<u8>(), 0..300), four_octet: bool) {
        check_any(&octets, four_octet)?;
        check_any(&body(&[], &octets, &[]), four_octet)?;
        check_any(&body(&[], &octets, &[8, 10]), four_octet)?;
    }

    #[test]
    fn valid_octets_with_a_few_changed_give_a_value_or_an_error(
        said in said(), changes in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 1..6), four_octet: bool,
    ) {
        let mut octets = said.body();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        check_any(&octets, four_octet)?;
    }

    #[test]
    fn what_is_announced_can_be_sent_on(
        said in said(), changes in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..3), choices: u8,
    ) {
        let mut octets = [vec![choices], said.body()].concat();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        update::check(&octets);
    }

    #[test]
    fn what_the_fuzzers_check_of_open_and_framing_holds(
        octets in proptest::collection::vec(any::<u8>(), 0..200), header in any::<(u8, u8, u8)>(),
    ) {
        open::check(&octets);
        open::check(&[&[4, 0x27, 0x10, 0, 90, 10, 77, 1, 1], &octets[..]].concat());
        framer::check(&octets);
        let (choices, segment_len, kind) = header;
        let mut message = vec![choices, segment_len];
        message.extend([0xff; 16]);
        message.extend((octets.len() as u16 + 19).to_be_bytes());
        message.push(kind % 7);
        framer::check(&[&message[..], &octets].concat());
    }

    #[test]
    fn scratch_carries_nothing_over(first in said(), second in said()) {
        let mut scratch = Scratch::default();
        let (first, second) = (first.body(), second.body());
        let _ = decode_update(&first, &context(), &mut scratch);
        prop_assert_eq!(decode_update(&second, &context(), &mut scratch), decode(&second));
    }
}
