//! What the actions beyond the default scheme do, in every kind of form; who may have what of whom.

use rialto::base::{Asn, ClientSet, ClientSlot};
use rialto::policy::{
    ControlAction, ControlScheme, Directory, DirectoryEntry, Last, PrefixClass, SchemeOptions,
    audiences,
};

use crate::scheme::{RS, check_among, rows, set, shown};

use ControlAction::*;

/// (ASN, round-trip time in microseconds) by slot; slot 0 announces.
const CLIENTS: [(u32, Option<u32>); 6] = [
    (10, Some(1_000)),
    (20, Some(3_000)),
    (20, Some(5_000)),
    (30, Some(5_001)),
    (200_000, None),
    (40, Some(60_000)),
];

fn entries() -> impl Iterator<Item = DirectoryEntry> {
    (0..)
        .zip(CLIENTS)
        .map(|(slot, (asn, rtt_us))| DirectoryEntry {
            rtt_us,
            ..DirectoryEntry::new(ClientSlot(slot), Asn(asn))
        })
}

/// The same numbers in all kinds of form: `rtt` in 65 under action number 65, and so on.
fn number(action: ControlAction) -> u32 {
    65_000 + action as u32
}

/// What follows the action's number in a community that asks for it: AS 20, 5 ms.
fn last(action: ControlAction) -> (&'static str, u32) {
    match action.last() {
        Last::Fixed => ("7", 7),
        Last::Peer => ("peer_as", 20),
        Last::Rtt => ("rtt", 5),
    }
}

/// Each action has a form of each kind.
pub fn all_forms(options: SchemeOptions) -> ControlScheme {
    let forms = |action: ControlAction| {
        let (number, (word, _)) = (number(action), last(action));
        let texts = [
            format!("{number}:{word}"),
            format!("rt:{number}:{word}"),
            format!("ro:{number}:{word}"),
            format!("rs_as:{number}:{word}"),
        ];
        (action, texts.to_vec())
    };
    let options = SchemeOptions {
        forms: ControlAction::ALL.map(forms).to_vec(),
        ..options
    };
    ControlScheme::new(Asn(RS), &options).unwrap()
}

/// A community that asks for it, in each kind.
pub fn communities(action: ControlAction, last: u32) -> [String; 4] {
    let number = number(action);
    [
        format!("{number}:{last}"),
        format!("rt:{number}:{last}"),
        format!("ro:{number}:{last}"),
        format!("{RS}:{number}:{last}"),
    ]
}

#[test]
fn every_action_is_understood_in_every_kind_of_form() {
    // (action, receivers, receivers where it is to no one but for this)
    let all = "1 2 3 4 5";
    let cases = [
        (DoNotAnnounceToAny, "", ""),
        (DoNotAnnounceToPeer, "3 4 5", ""),
        (AnnounceToPeer, all, "1 2"),
        (AnnounceToAny, all, ""),
        (PrependOnceToAny, "1+1 2+1 3+1 4+1 5+1", ""),
        (PrependTwiceToAny, "1+2 2+2 3+2 4+2 5+2", ""),
        (PrependThriceToAny, "1+3 2+3 3+3 4+3 5+3", ""),
        (PrependOnceToPeer, "1+1 2+1 3 4 5", ""),
        (PrependTwiceToPeer, "1+2 2+2 3 4 5", ""),
        (PrependThriceToPeer, "1+3 2+3 3 4 5", ""),
        (AddNoExportToAny, "1x 2x 3x 4x 5x", ""),
        (AddNoExportToPeer, "1x 2x 3 4 5", ""),
        (AddNoAdvertiseToAny, "1a 2a 3a 4a 5a", ""),
        (AddNoAdvertiseToPeer, "1a 2a 3 4 5", ""),
        (DoNotAnnounceBelowRtt, "3 4 5", ""),
        (DoNotAnnounceAboveRtt, "1 2 4", ""),
        (AnnounceBelowRtt, all, "1 2"),
        (AnnounceAboveRtt, all, "3 5"),
        (PrependOnceBelowRtt, "1+1 2+1 3 4 5", ""),
        (PrependTwiceBelowRtt, "1+2 2+2 3 4 5", ""),
        (PrependThriceBelowRtt, "1+3 2+3 3 4 5", ""),
        (PrependOnceAboveRtt, "1 2 3+1 4 5+1", ""),
        (PrependTwiceAboveRtt, "1 2 3+2 4 5+2", ""),
        (PrependThriceAboveRtt, "1 2 3+3 4 5+3", ""),
        (Blackholing, all, ""),
    ];
    assert_eq!(cases.map(|(action, ..)| action), ControlAction::ALL);
    let (scheme, directory) = (
        all_forms(SchemeOptions::default()),
        entries().collect::<Directory>(),
    );
    let [to_no_one, ..] = communities(DoNotAnnounceToAny, 7);
    for (action, expected, but_this) in cases {
        for community in communities(action, last(action).1) {
            let receivers = |communities: &str| {
                let actions = scheme.actions(&set(&[10], communities), &directory);
                let class = PrefixClass::ACCEPTED;
                shown(&audiences(ClientSlot(0), &actions, class, 0, &directory))
            };
            assert_eq!(receivers(&community), expected, "{action:?} {community}");
            let with = format!("{to_no_one} {community}");
            assert_eq!(receivers(&with), but_this, "{action:?} {community}");
        }
    }
}

#[test]
fn every_form_disappears_on_export_and_none_on_import() {
    let scheme = all_forms(SchemeOptions::default());
    let (import, export) = (scheme.import_scrub(), scheme.export_scrub());
    for action in ControlAction::ALL {
        for community in communities(action, last(action).1) {
            let set = set(&[10], &community);
            let mut removed = Vec::new();
            for c in set.communities() {
                removed.push((import.removes_standard(c), export.removes_standard(c)));
            }
            for c in set.extended_communities() {
                removed.push((import.removes_extended(c), export.removes_extended(c)));
            }
            for c in set.large_communities() {
                removed.push((import.removes_large(c), export.removes_large(c)));
            }
            assert_eq!(removed, [(false, true)], "{action:?} {community}");
        }
    }
}

/// The default scheme with what arouteserver's examples have beside it.
fn scheme() -> ControlScheme {
    let forms = [
        (AddNoExportToAny, "rs_as:300:0"),
        (AddNoExportToPeer, "rs_as:301:peer_as"),
        (AddNoAdvertiseToAny, "rs_as:310:0"),
        (AddNoAdvertiseToPeer, "rs_as:311:peer_as"),
        (DoNotAnnounceBelowRtt, "rs_as:400:rtt"),
        (DoNotAnnounceAboveRtt, "rs_as:401:rtt"),
        (AnnounceBelowRtt, "rs_as:410:rtt"),
        (AnnounceAboveRtt, "rs_as:411:rtt"),
        (PrependOnceBelowRtt, "rs_as:421:rtt"),
        (PrependTwiceBelowRtt, "rs_as:422:rtt"),
        (PrependThriceBelowRtt, "rs_as:423:rtt"),
        (PrependOnceAboveRtt, "rs_as:431:rtt"),
        (PrependTwiceAboveRtt, "rs_as:432:rtt"),
        (PrependThriceAboveRtt, "rs_as:433:rtt"),
    ];
    let options = SchemeOptions {
        forms: forms
            .map(|(action, form)| (action, vec![form.to_owned()]))
            .to_vec(),
        ..SchemeOptions::default()
    };
    ControlScheme::new(Asn(RS), &options).unwrap()
}

#[test]
fn round_trip_times_say_who_may_have_a_path() {
    let cases = "
        lower than: whoever is as near or nearer        | 64500:400:5                            | 3 4 5
        higher than: whoever is beyond                  | 64500:401:5                            | 1 2 4
        nobody is beyond the longest threshold          | 64500:401:500                          | 1 2 3 4 5
        everybody known is within it                    | 64500:400:500                          | 4
        who is not known is neither                     | 64500:400:5 64500:401:5                | 4
        a threshold that is not configured says nothing | 64500:400:7 64500:401:4                | 1 2 3 4 5
        nor does none at all                            | 64500:400:0 64500:401:65541            | 1 2 3 4 5
        to no one but who is near                       | 0:64500 64500:410:5                    | 1 2
        to no one but who is far                        | 0:64500 64500:411:20                   | 5
        to no one but who is near and who is far        | 0:64500 64500:410:5 64500:411:50       | 1 2 5
        to no one but who is near, and a peer           | 0:64500 64500:410:5 64500:1:200000     | 1 2 4
        to no one but who is near, but not a peer       | 0:64500 64500:410:10 64500:0:20        | 3
        to whom is near says nothing without to no one  | 64500:410:5                            | 1 2 3 4 5
        not to whom is far beats to whom is beyond less | 0:64500 64500:411:5 64500:401:50       | 3
        to a peer beats not to whom is near             | 64500:400:5 64500:1:20                 | 1 2 3 4 5
        not to a peer beats that                        | 64500:400:5 64500:1:20 64500:0:20      | 3 4 5
        two bounds                                      | 64500:400:5 64500:401:50               | 3 4
        the wider of two bounds                         | 64500:400:5 64500:400:100              | 4
    ";
    check_among(&entries().collect(), &scheme(), cases);
}

#[test]
fn round_trip_times_say_how_often_is_prepended() {
    let cases = "
        higher than                                  | 64500:432:5                           | 1 2 3+2 4 5+2
        lower than                                   | 64500:421:5                           | 1+1 2+1 3 4 5
        the farthest bound that is passed counts     | 64500:431:5 64500:433:50              | 1 2 3+1 4 5+3
        whatever its count                           | 64500:433:5 64500:431:50              | 1 2 3+3 4 5+1
        the nearest bound that is kept to counts     | 64500:421:10 64500:423:5              | 1+3 2+3 3+1 4 5
        whatever its count, too                      | 64500:423:10 64500:421:5              | 1+1 2+1 3+3 4 5
        beyond goes before within                    | 64500:431:5 64500:423:10              | 1+3 2+3 3+1 4 5+1
        at one bound the highest count wins          | 64500:431:5 64500:432:5               | 1 2 3+2 4 5+2
        what is for all is for the rest              | 64500:431:5 64500:103:0               | 1+3 2+3 3+1 4+3 5+1
        what names a peer goes first                 | 64500:433:5 64500:101:30              | 1 2 3+1 4 5+3
        even if it is what all get                   | 64500:433:5 64500:101:30 64500:101:0  | 1+1 2+1 3+1 4+1 5+3
        a peer that is not known can be named        | 64500:433:5 64500:102:200000          | 1 2 3+3 4+2 5+3
        who gets nothing gets no prepend             | 64500:431:5 64500:401:50 64500:0:20   | 3+1 4
        those that are let in are prepended          | 0:64500 64500:410:10 64500:422:5      | 1+2 2+2 3
        a threshold that is not configured is none   | 64500:433:6                           | 1 2 3 4 5
    ";
    check_among(&entries().collect(), &scheme(), cases);
}

#[test]
fn no_export_and_no_advertise_are_added() {
    let cases = "
        NO_EXPORT to all                          | 64500:300:0                             | 1x 2x 3x 4x 5x
        NO_ADVERTISE to all                       | 64500:310:0                             | 1a 2a 3a 4a 5a
        both                                      | 64500:300:0 64500:310:0                 | 1xa 2xa 3xa 4xa 5xa
        NO_EXPORT to one, NO_ADVERTISE to another | 64500:301:20 64500:311:30               | 1x 2x 3a 4 5
        both to one                               | 64500:301:20 64500:311:20               | 1xa 2xa 3 4 5
        to several                                | 64500:301:20 64500:301:200000           | 1x 2x 3 4x 5
        to all and to one is to all               | 64500:300:0 64500:301:20                | 1x 2x 3x 4x 5x
        to an absent peer                         | 64500:301:99                            | 1 2 3 4 5
        to AS 0 is to nobody                      | 64500:301:0                             | 1 2 3 4 5
        with a prepend to all                     | 64500:301:20 64500:102:0                | 1+2x 2+2x 3+2 4+2 5+2
        with a prepend to the same                | 64500:301:20 64500:102:20               | 1+2x 2+2x 3 4 5
        with a prepend to another                 | 64500:301:20 64500:102:30               | 1x 2x 3+2 4 5
        with prepends by round-trip time          | 64500:301:40 64500:431:5 64500:311:30   | 1 2 3+1a 4 5+1x
        who gets nothing gets no community        | 64500:301:20 64500:0:20                 | 3 4 5
        to no one but a peer, with both           | 0:64500 64500:1:30 64500:300:0          | 3x
        heard ones ask for nothing                | 65535:65281 65535:65282                 | 1 2 3 4 5
    ";
    check_among(&entries().collect(), &scheme(), cases);
}

#[test]
fn a_number_of_16_bits_may_stand_for_a_longer_asn() {
    let forms = [
        (
            DoNotAnnounceToPeer,
            &["0:peer_as", "rt:0:peer_as", "rs_as:0:peer_as"][..],
        ),
        (AnnounceToPeer, &["rs_as:peer_as"]),
        (PrependOnceToPeer, &["65501:peer_as"]),
        (AddNoExportToPeer, &["65502:peer_as"]),
        (DoNotAnnounceBelowRtt, &["65503:rtt"]),
        (PrependTwiceToAny, &["65504:65001"]),
    ];
    let owned = |forms: &[&str]| forms.iter().map(|form| (*form).to_owned()).collect();
    let options = SchemeOptions {
        forms: forms.map(|(action, forms)| (action, owned(forms))).to_vec(),
        peer_as_aliases: [
            (65_001, Asn(200_000)),
            (5, Asn(40)),
            (30, Asn(4_200_000_001)),
        ]
        .into(),
        ..SchemeOptions::default()
    };
    let scheme = ControlScheme::new(Asn(RS), &options).unwrap();
    let cases = "
        not to it, standard                         | 0:65001               | 1 2 3 5
        not to it, extended                         | rt:0:65001            | 1 2 3 5
        its own number is as good, extended         | rt:0:200000           | 1 2 3 5
        and large                                   | 64500:0:200000        | 1 2 3 5
        a large form means what it says             | 64500:0:65001         | 1 2 3 4 5
        to no one but it                            | 0:64500 64500:65001   | 4
        prepended                                   | 65501:65001           | 1 2 3 4+1 5
        with NO_EXPORT                              | 65502:65001           | 1 2 3 4x 5
        round-trip times are no peers               | 65503:5               | 3 4 5
        nor is what is fixed                        | 65504:65001           | 1+2 2+2 3+2 4+2 5+2
        a number that stands for another is no peer | 0:30                  | 1 2 3 4 5
        other numbers stand for themselves          | 0:20                  | 3 4 5
    ";
    check_among(&entries().collect(), &scheme, cases);
}

/// Slots as "1 2".
fn clients(slots: &str) -> ClientSet {
    let slots = slots.split_whitespace();
    slots
        .map(|slot| ClientSlot(slot.parse().unwrap()))
        .collect()
}

#[test]
fn the_peering_matrix_is_stronger_than_communities() {
    let mut entries: Vec<DirectoryEntry> = entries().collect();
    entries[0].receivers = Some(clients("0 1 3"));
    let cases = "
        to those that may have it             |                              | 1 3
        to all is to all of them              | 64500:1:0                    | 1 3
        to a peer does not help               | 64500:1:200000 64500:1:40    | 1 3
        not to a peer takes it out            | 64500:0:20                   | 3
        to no one but a peer that may not     | 0:64500 64500:1:40           |
        to no one but peers, some of them may | 0:64500 64500:1:20           | 1
        prepended                             | 64500:101:0 64500:301:30     | 1+1 3+1x
    ";
    check_among(&entries.iter().cloned().collect(), &scheme(), cases);
    let directory: Directory = entries.into_iter().collect();
    let actions = scheme().actions(&set(&[20], ""), &directory);
    let others = audiences(
        ClientSlot(1),
        &actions,
        PrefixClass::ACCEPTED,
        0,
        &directory,
    );
    assert_eq!(shown(&others), "0 2 3 4 5", "it concerns one announcer");
}

#[test]
fn blackhole_routes_go_to_those_that_take_them() {
    let mut entries: Vec<DirectoryEntry> = entries().collect();
    entries[2].takes_blackholes = false;
    entries[4].takes_blackholes = false;
    let blackhole = PrefixClass::ACCEPTED.with_blackhole(true);
    // name | communities | receivers with NO_EXPORT added
    let cases = "
        to all that take them            | 65535:666                        | 1xb 3xb 5xb
        a peer that does not gets none   | 65535:666 0:64500 64500:1:200000 |
        a peer of which one session does | 65535:666 0:64500 64500:1:20     | 1xb
        not to a peer                    | 65535:666 64500:0:20             | 3xb 5xb
        with NO_ADVERTISE to one         | 65535:666 64500:311:30           | 1xb 3xab 5xb
        prepended                        | 65535:666 64500:101:30           | 1xb 3+1xb 5xb
    ";
    for add_no_export in [true, false] {
        let directory: Directory = entries.iter().cloned().collect();
        let directory = directory.with_server(add_no_export, false);
        for [case, communities, expected] in rows(cases) {
            let expected = match add_no_export {
                true => expected.to_owned(),
                false => expected.replace('x', ""),
            };
            let actions = scheme().actions(&set(&[10], communities), &directory);
            let found = audiences(ClientSlot(0), &actions, blackhole, 0, &directory);
            assert_eq!(
                shown(&found),
                expected,
                "{case}, NO_EXPORT: {add_no_export}"
            );
            let ordinary = audiences(
                ClientSlot(0),
                &actions,
                PrefixClass::ACCEPTED,
                0,
                &directory,
            );
            assert!(!shown(&ordinary).contains('b'), "{case}: the class says it");
        }
    }
}

#[test]
fn a_server_about_to_stop_says_so_on_every_path() {
    let directory: Directory = entries().collect();
    let directory = directory.with_server(false, true);
    let cases = "
        plain                 |                            | 1g 2g 3g 4g 5g
        prepended and marked  | 64500:101:20 64500:301:30  | 1+1g 2+1g 3xg 4g 5g
        to no one             | 0:64500                    |
    ";
    check_among(&directory, &scheme(), cases);
}

#[test]
fn well_known_communities_are_obeyed_announcer_by_announcer() {
    let mut entries: Vec<DirectoryEntry> = entries().collect();
    entries[1].obeys_well_known = true;
    let directory: Directory = entries.into_iter().collect();
    let receivers = |announcer: u16, communities: &str| {
        let actions = scheme().actions(&set(&[10], communities), &directory);
        let class = PrefixClass::ACCEPTED;
        shown(&audiences(
            ClientSlot(announcer),
            &actions,
            class,
            0,
            &directory,
        ))
    };
    for community in ["65535:65281", "65535:65282", "65535:65283"] {
        assert_eq!(receivers(1, community), "", "{community} is obeyed");
        assert_eq!(receivers(0, community), "1 2 3 4 5", "{community} passes");
    }
    assert_eq!(
        receivers(1, "65535:65284"),
        "0 2 3 4 5",
        "NOPEER is no such one"
    );
    assert_eq!(
        receivers(1, "64500:300:0"),
        "0x 2x 3x 4x 5x",
        "what is asked for is not what is heard"
    );
}

#[test]
fn equal_requests_are_equal_actions() {
    let (scheme, directory) = (scheme(), entries().collect::<Directory>());
    let pairs = "
        the order of requests does not matter       | 64500:431:5 64500:401:50    | 64500:401:50 64500:431:5
        nor repetition                              | 64500:431:5 64500:431:5     | 64500:431:5
        a peer need not be marked where all are     | 64500:300:0 64500:301:20    | 64500:300:0
        nor twice                                   | 64500:301:20 64500:301:20   | 64500:301:20
        to no one needs no mark                     | 0:64500 64500:301:20        | 0:64500
        nor a prepend or an exception by distance   | 0:64500 64500:431:5 64500:401:50 | 0:64500
        an unknown threshold is nothing             | 64500:431:6                 |
    ";
    for [case, first, second] in rows(pairs) {
        let actions = |communities| scheme.actions(&set(&[10], communities), &directory);
        assert_eq!(actions(first), actions(second), "{case}");
    }
}
