//! Next hops of others (RFC 7948 §4.8).

use super::log;
use super::octets::*;
use super::tables::{BYSTANDERS, Lan, address_of, asn_of, prefix_of, until};

const INDEX: u16 = BYSTANDERS;

fn with_next_hop(asn: u16, next_hop: [u8; 4]) -> Vec<u8> {
    let [high, low] = asn.to_be_bytes();
    let path = attribute(0x40, 2, &[2, 1, 0, 0, high, low]);
    [
        attribute(0x40, 1, &[0]),
        path,
        attribute(0x40, 3, &next_hop),
    ]
    .concat()
}

#[test]
fn a_next_hop_of_another_client_is_an_event_with_evidence_and_a_strangers_is_none() {
    let mut lan = Lan::start("hijack", 1, "import.next_hop = \"strict\"\n");
    let mut speaker = lan.establish(INDEX);
    let name = lan.client_name(INDEX);
    let say = |speaker: &mut super::speaker::Speaker, next_hop, number| {
        let attributes = with_next_hop(asn_of(INDEX), next_hop);
        speaker.say(&announce(&attributes, &[prefix_of(INDEX, number)]));
    };
    say(&mut speaker, [192, 0, 2, 99], 0);
    say(&mut speaker, address_of(INDEX).octets(), 1);
    let victim = address_of(2).octets();
    (2..7).for_each(|number| say(&mut speaker, victim, number));
    until("it is counted", || lan.status(INDEX).hijack_count == 5);
    let stats = lan.core_stats();
    let kept: Vec<_> = stats.iter().flat_map(|core| &core.hijacks).collect();
    let [hijack] = &kept[..] else {
        panic!("one pair of client and next hop: {kept:?}");
    };
    assert_eq!(hijack.next_hop, std::net::IpAddr::from(victim));
    assert_eq!((hijack.slot.0, hijack.of.0, hijack.prefixes), (INDEX, 2, 5));
    assert_eq!(hijack.prefix, prefix_of(INDEX, 6), "the last one");
    let (of, next_hop) = (lan.client_name(2), address_of(2).to_string());
    let lines = log::lines(&[&name, "next hop of another client", &of, &next_hop]);
    assert_eq!(lines.len(), 1, "one line for the five: {lines:?}");
    let prefix = format!("prefix={}", prefix_of(INDEX, 2));
    assert!(lines[0].contains(&prefix), "{lines:?}");
    assert!((0..BYSTANDERS).all(|index| lan.status(index).hijack_count == 0));
    speaker.close();
    lan.nobody_else("after it");
    lan.end();
}
