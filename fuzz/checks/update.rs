//! Any octets as the body of an UPDATE: a value or an error; what is announced can be sent on and
//! is then heard as the same. Shared by the fuzz target and the property tests.

use rialto::base::{Asn, FamilySet};
use rialto::wire::{
    DecodeContext, EncodingClass, KeepAll, Scratch, TypeCodes, Variant, decode_update,
    encode_announcements, encode_attributes, fits,
};

/// The first octet chooses the session, the rest is the body.
pub fn check(octets: &[u8]) {
    let Some((&choices, body)) = octets.split_first() else {
        return;
    };
    let none = TypeCodes::default();
    let context = DecodeContext {
        four_octet: choices & 1 == 0,
        families: FamilySet::ALL,
        v6_next_hops: choices & 8 != 0,
        discard: &none,
        treat_as_withdraw: &none,
        scrub: &KeepAll,
        link_locals: None,
        hash_seed: 0,
    };
    let Ok(update) = decode_update(body, &context, &mut Scratch::default()) else {
        return;
    };
    let class = EncodingClass {
        four_octet: choices & 2 == 0,
        add_path: FamilySet::EMPTY,
        message_max: if choices & 4 == 0 { 4096 } else { 65535 },
        v6_next_hops: choices & 16 != 0,
        ..EncodingClass::PLAIN
    };
    for (set, nlri) in &update.announced {
        let (mut attributes, mut out) = (Vec::new(), Vec::new());
        encode_attributes(
            &mut attributes,
            set,
            Variant::default(),
            Asn(0),
            &class,
            &KeepAll,
        );
        let mut prefixes = nlri.iter().map(|prefix| (prefix, None));
        let count = encode_announcements(
            &mut out,
            &class,
            &attributes,
            set.next_hop(),
            nlri.family,
            &mut prefixes,
        );
        assert_eq!(
            count != 0,
            fits(&class, attributes.len(), set.next_hop(), nlri.family)
        );
        let mut heard = Vec::new();
        let mut rest = &out[..];
        while let [.., _] = rest {
            let (message, tail) =
                rest.split_at(usize::from(u16::from_be_bytes([rest[16], rest[17]])));
            rest = tail;
            let context = DecodeContext {
                four_octet: class.four_octet,
                v6_next_hops: class.v6_next_hops,
                ..context
            };
            let again = decode_update(&message[19..], &context, &mut Scratch::default())
                .expect("what Rialto sends is sound");
            let (same, block) = &again.announced[0];
            assert_eq!(same, set);
            heard.extend(block.iter());
        }
        assert!(count == 0 || heard.into_iter().eq(nlri.iter()));
    }
}
