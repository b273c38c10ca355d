//! The contract's table of control communities, line by line.

use std::sync::Arc;

use rialto::base::{Asn, ClientSet, ClientSlot};
use rialto::policy::{
    Actions, ControlScheme, Directory, DirectoryEntry, Precedence, PrefixClass, SchemeOptions,
    audiences,
};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, Variant, VariantFlags};

pub const RS: u32 = 64_500;

/// Slot 0 announces; AS 20 has two sessions; AS 200000 does not fit in 16 bits.
const ASNS: [u32; 5] = [10, 20, 20, 30, 200_000];

fn directory(hiding: &[u16]) -> Directory {
    let entry = |(slot, asn): (u16, u32)| DirectoryEntry {
        hide_own_as: hiding.contains(&slot),
        ..DirectoryEntry::new(ClientSlot(slot), Asn(asn))
    };
    (0..).zip(ASNS).map(entry).collect()
}

/// `communities` such as "0:20 64500:0:20 rt:64500:20".
pub fn set(path: &[u32], communities: &str) -> Arc<AttributeSet> {
    let (mut standard, mut large, mut extended) = (Vec::new(), Vec::new(), Vec::new());
    for text in communities.split_whitespace() {
        let (subtype, numbers) = match text.split_at(3) {
            ("rt:", rest) => (2, rest),
            ("ro:", rest) => (3, rest),
            _ => (0, text),
        };
        let numbers: Vec<u32> = numbers
            .split(':')
            .map(|number| number.parse().unwrap())
            .collect();
        match (subtype, &numbers[..]) {
            (0, &[high, low]) => standard.push((high.try_into().unwrap(), low.try_into().unwrap())),
            (0, &[a, b, c]) => large.push((a, b, c)),
            (_, &[high, low]) => extended.push(extended_community(subtype, high, low)),
            _ => panic!("{text} is no community"),
        }
    }
    SetBuilder::new()
        .as_path(path)
        .communities(&standard)
        .large(&large)
        .extended(&extended)
        .build()
}

/// Of a two-octet AS where it fits, else of a four-octet one.
pub fn extended_community(subtype: u8, asn: u32, last: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (asn.to_be_bytes(), last.to_be_bytes());
    match asn <= 0xffff {
        true => [0, subtype, c, d, e, f, g, h],
        false => [2, subtype, a, b, c, d, g, h],
    }
}

/// Receivers by slot, such as "1 2+1 3xg": slot 2 gets one prepend, slot 3 NO_EXPORT (x) and
/// GRACEFUL_SHUTDOWN (g); NO_ADVERTISE is a, BLACKHOLE b.
pub fn shown(audiences: &[(Variant, ClientSet)]) -> String {
    let letters = [
        (VariantFlags::NO_EXPORT, "x"),
        (VariantFlags::NO_ADVERTISE, "a"),
        (VariantFlags::BLACKHOLE, "b"),
        (VariantFlags::GRACEFUL_SHUTDOWN, "g"),
    ];
    let text = |slot: ClientSlot, variant: Variant| {
        let prepends = match variant.prepend {
            0 => String::new(),
            count => format!("+{count}"),
        };
        let flags = letters.iter();
        let flags = flags.filter(|(flag, _)| variant.flags.contains(*flag));
        let flags: String = flags.map(|(_, letter)| *letter).collect();
        (slot, format!("{}{prepends}{flags}", slot.0))
    };
    let mut slots: Vec<(ClientSlot, String)> = audiences
        .iter()
        .flat_map(|(variant, clients)| clients.iter().map(|slot| text(slot, *variant)))
        .collect();
    slots.sort_unstable();
    let texts: Vec<String> = slots.into_iter().map(|(_, text)| text).collect();
    texts.join(" ")
}

fn receivers(actions: &Actions, directory: &Directory) -> String {
    let (announcer, class) = (ClientSlot(0), PrefixClass::ACCEPTED);
    shown(&audiences(announcer, actions, class, 0, directory))
}

/// The columns of a table, one line a case.
pub fn rows(table: &str) -> impl Iterator<Item = [&str; 3]> {
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        columns.try_into().expect("three columns")
    })
}

/// `cases`: name | communities | receivers.
pub fn check(scheme: &ControlScheme, cases: &str) {
    check_among(&directory(&[]), scheme, cases);
}

pub fn check_among(directory: &Directory, scheme: &ControlScheme, cases: &str) {
    for [case, communities, expected] in rows(cases) {
        let actions = scheme.actions(&set(&[10], communities), directory);
        assert_eq!(receivers(&actions, directory), expected, "{case}");
    }
}

#[test]
fn who_may_have_a_path() {
    let cases = "
        without communities: all but the announcer          |                                 | 1 2 3 4
        communities of others change nothing                | 174:64500 1:20 174:0:20         | 1 2 3 4
        0:rs_as is to no one                                | 0:64500                         |
        rs_as:0:0 is to no one                              | 64500:0:0                       |
        0:peer_as takes out all sessions of the peer        | 0:20                            | 3 4
        rs_as:0:peer_as takes out all sessions of the peer  | 64500:0:20                      | 3 4
        a four-octet peer is named in large form            | 64500:0:200000                  | 1 2 3
        two peers can be taken out                          | 0:20 0:30                       | 4
        and in both forms                                   | 0:20 64500:0:200000             | 3
        an absent peer changes nothing                      | 0:99 64500:0:98                 | 1 2 3 4
        to no one but a peer                                | 0:64500 64500:30                | 3
        to no one but a peer, large                         | 64500:0:0 64500:1:30            | 3
        to no one but a four-octet peer                     | 64500:0:0 64500:1:200000        | 4
        to no one (standard) but a peer (large)             | 0:64500 64500:1:20              | 1 2
        to no one (large) but a peer (standard)             | 64500:20 64500:0:0              | 1 2
        to no one but two peers                             | 0:64500 64500:20 64500:1:200000 | 1 2 4
        to no one but an absent peer                        | 0:64500 64500:99                |
        to a peer without more says nothing new             | 64500:30 64500:1:20             | 1 2 3 4
        not to a peer beats to that peer                    | 0:30 64500:30                   | 1 2 4
        not to a peer beats to that peer across forms       | 64500:30 64500:0:30             | 1 2 4
        not to a peer beats to that peer after to no one    | 0:64500 0:30 64500:30 64500:20  | 1 2
        rs_as:rs_as is to all                               | 64500:64500                     | 1 2 3 4
        rs_as:1:0 is to all                                 | 64500:1:0                       | 1 2 3 4
        to no one beats to all                              | 0:64500 64500:64500             |
        to no one beats to all, large                       | 64500:1:0 64500:0:0             |
        to no one (standard) beats to all (large)           | 0:64500 64500:1:0               |
        not to a peer beats to all                          | 64500:64500 0:20                | 3 4
        well-known communities pass                         | 65535:65281 65535:65282         | 1 2 3 4
        the announcer's own ASN changes nothing             | 0:10                            | 1 2 3 4
        peer 0 is nobody in standard form                   | 0:0 64500:0                     | 1 2 3 4
        a large form under another function changes nothing | 64500:2:20                      | 1 2 3 4
    ";
    check(&ControlScheme::standard(Asn(RS)), cases);
}

#[test]
fn how_often_the_announcer_is_prepended() {
    let cases = "
        once to all                            | 64500:101:0                                             | 1+1 2+1 3+1 4+1
        twice to all                           | 64500:102:0                                             | 1+2 2+2 3+2 4+2
        three times to all                     | 64500:103:0                                             | 1+3 2+3 3+3 4+3
        the highest count to all wins          | 64500:103:0 64500:101:0                                 | 1+3 2+3 3+3 4+3
        once to a peer                         | 64500:101:20                                            | 1+1 2+1 3 4
        twice to a four-octet peer             | 64500:102:200000                                        | 1 2 3 4+2
        the highest count to a peer wins       | 64500:101:30 64500:103:30                               | 1 2 3+3 4
        to a peer beats to all, even with less | 64500:103:0 64500:101:20                                | 1+1 2+1 3+3 4+3
        each peer its own                      | 64500:101:20 64500:102:30 64500:103:200000              | 1+1 2+1 3+2 4+3
        to an absent peer                      | 64500:101:99                                            | 1 2 3 4
        who gets nothing gets no prepend       | 0:20 64500:102:20 64500:101:0                           | 3+1 4+1
        to no one but a peer, prepended        | 0:64500 64500:30 64500:102:0                            | 3+2
        to no one but two peers, one prepended | 0:64500 64500:30 64500:20 64500:101:20 64500:103:200000 | 1+1 2+1 3
        four times is no form                  | 64500:104:0                                             | 1 2 3 4
        prepends have no standard form         | 101:20                                                  | 1 2 3 4
    ";
    check(&ControlScheme::standard(Asn(RS)), cases);
}

#[test]
fn a_server_with_a_four_octet_asn() {
    const R: u32 = 4_200_000_100;
    let cases = "
        0:peer_as is there                              | 0:20                                            | 3 4
        0:rs_as is not, and its lower half names a peer | 0:60004                                         | 1 2 3 4
        rs_as:peer_as is not                            | 0:20 60004:20 4200000100:0:0                    |
        large forms are there                           | 4200000100:0:0 4200000100:1:30 4200000100:101:0 | 3+1
        forms merge all the same                        | 0:30 4200000100:1:30 4200000100:103:20          | 1+3 2+3 4
    ";
    let scheme = ControlScheme::standard(Asn(R));
    check(&scheme, cases);
    assert!(
        !scheme
            .import_scrub()
            .removes_standard(((R & 0xffff) as u16, 7))
    );
    assert!(scheme.import_scrub().removes_large((R, 7, 7)));
    assert!(
        scheme
            .forms()
            .all(|(_, form)| form.matches(':').count() == 2
                || ["0:peer_as", "65535:666"].contains(&form.as_str()))
    );
}

#[test]
fn large_first_lets_large_forms_speak_before_standard_ones() {
    let options = SchemeOptions {
        precedence: Precedence::LargeFirst,
        ..SchemeOptions::default()
    };
    let scheme = ControlScheme::new(Asn(RS), &options).unwrap();
    let cases = "
        large to a peer beats standard not to it  | 0:20 0:30 64500:1:20           | 1 2 4
        large not to a peer beats standard to it  | 0:64500 64500:30 64500:0:30    |
        large not to a peer beats large to it     | 64500:0:30 64500:1:30          | 1 2 4
        large to all beats standard to no one     | 0:64500 64500:1:0              | 1 2 3 4
        large to all beats standard not to a peer | 0:20 64500:1:0                 | 1 2 3 4
        large not to a peer beats large to all    | 0:20 64500:1:0 64500:0:30      | 1 2 4
        large to no one beats standard to a peer  | 64500:20 64500:0:0             |
        large to a peer beats large to no one     | 64500:20 64500:0:0 64500:1:30  | 3
        large to no one beats large to all        | 64500:0:0 64500:1:0            |
        standard speaks where large says nothing  | 0:20 64500:0:200000            | 3
        standard alone: not to a peer             | 0:20 64500:20                  | 3 4
        standard alone: to no one but a peer      | 0:64500 64500:20               | 1 2
        large to a peer beats standard to no one  | 0:64500 64500:1:200000         | 4
        prepends are merged                       | 0:64500 64500:1:30 64500:102:0 | 3+2
    ";
    check(&scheme, cases);
}

#[test]
fn well_known_communities_of_a_client_that_is_obeyed_stop_everything() {
    let obeying = DirectoryEntry {
        obeys_well_known: true,
        ..DirectoryEntry::new(ClientSlot(0), Asn(ASNS[0]))
    };
    let others = (1..).zip(&ASNS[1..]);
    let others = others.map(|(slot, asn)| DirectoryEntry::new(ClientSlot(slot), Asn(*asn)));
    let directory = std::iter::once(obeying).chain(others).collect();
    let cases = "
        NO_EXPORT                       | 65535:65281                     |
        NO_ADVERTISE                    | 65535:65282                     |
        NO_EXPORT_SUBCONFED             | 65535:65283                     |
        NOPEER is left to the peers     | 65535:65284                     | 1 2 3 4
        BLACKHOLE is left to the peers  | 65535:666                       | 1 2 3 4
        GRACEFUL_SHUTDOWN stops nothing | 65535:0                         | 1 2 3 4
        to a peer does not help         | 65535:65281 64500:20 64500:1:30 |
    ";
    check_among(&directory, &ControlScheme::standard(Asn(RS)), cases);
}

#[test]
fn equal_outcomes_are_equal_actions() {
    let scheme = ControlScheme::standard(Asn(RS));
    let actions = |communities| scheme.actions(&set(&[10], communities), &directory(&[]));
    let pairs = "
        order does not matter                     | 0:30 0:20                        | 0:20 0:30
        nor repetition                            | 0:20 0:20                        | 0:20
        nor the form                              | 0:20                             | 64500:0:20
        to a peer alone is nothing                | 64500:20                         |
        to all is nothing                         | 64500:64500 64500:1:0            |
        others' communities are nothing           | 174:3 174:1:2                    |
        with to no one, not to a peer is nothing  | 0:64500 0:20                     | 0:64500
        to no one needs no prepend                | 0:64500 64500:101:0 64500:102:20 | 0:64500
        what all get a peer need not be named for | 64500:102:0 64500:102:20         | 64500:102:0
        lesser counts are nothing                 | 64500:102:20 64500:101:20        | 64500:102:20
    ";
    for [case, first, second] in rows(pairs) {
        assert_eq!(actions(first), actions(second), "{case}");
    }
    assert!(actions("").is_default());
    assert_eq!(
        actions("0:99").not_to.as_slice(),
        [Asn(99)],
        "an absent peer stays named"
    );
}

#[test]
fn clients_with_hide_own_as_miss_paths_with_their_as() {
    let scheme = ControlScheme::standard(Asn(RS));
    // (case, slots that hide, communities, receivers)
    let cases: [(&str, &[u16], &str, &str); 5] = [
        (
            "without it, a path with one's own ASN comes",
            &[],
            "",
            "1 2 3 4",
        ),
        ("with it, it does not", &[3], "", "1 2 4"),
        ("it concerns the session that has it", &[2], "", "1 3 4"),
        (
            "an ASN not in the path does not matter",
            &[4],
            "",
            "1 2 3 4",
        ),
        (
            "asking for the peer does not help",
            &[3],
            "0:64500 64500:30 64500:20",
            "1 2",
        ),
    ];
    for (case, hiding, communities, expected) in cases {
        let directory = directory(hiding);
        let actions = scheme.actions(&set(&[10, 20, 30, 20], communities), &directory);
        assert_eq!(receivers(&actions, &directory), expected, "{case}");
    }
    let in_a_set = SetBuilder::new().as_path(&[10]).as_set(&[5, 30]).build();
    let directory = directory(&[3]);
    let actions = scheme.actions(&in_a_set, &directory);
    assert_eq!(receivers(&actions, &directory), "1 2 4", "an AS_SET counts");
}
