//! The contract's table of control communities, line by line.

use rialto::base::{Asn, ClientSlot};
use rialto::policy::{
    Actions, ControlAction, ControlScheme, Directory, DirectoryEntry, Precedence, SchemeError,
    SchemeOptions, audiences,
};
use rialto::wire::testing::SetBuilder;

const RS: u32 = 64_500;
const WIDE: u32 = 200_000;
type Standard = &'static [(u16, u16)];
type Large = &'static [(u32, u32, u32)];

/// Slot 0 announces; AS 20 has two sessions; AS 200000 does not fit in 16 bits.
const ASNS: [u32; 5] = [10, 20, 20, 30, WIDE];

fn directory(hiding: &[u16]) -> Directory {
    let entry = |(slot, asn): (usize, u32)| {
        let slot = ClientSlot(slot as u16);
        DirectoryEntry {
            slot,
            asn: Asn(asn),
            hide_own_as: hiding.contains(&slot.0),
        }
    };
    ASNS.into_iter().enumerate().map(entry).collect()
}

/// Receivers by slot, such as "1 2 3+1" where slot 3 gets one prepend.
fn receivers(scheme: &ControlScheme, standard: Standard, large: Large) -> String {
    let directory = directory(&[]);
    let set = SetBuilder::new()
        .as_path(&[10])
        .communities(standard)
        .large(large)
        .build();
    shown(&scheme.actions(&set, &directory), &directory)
}

fn shown(actions: &Actions, directory: &Directory) -> String {
    let mut slots: Vec<(u16, u8)> = audiences(ClientSlot(0), actions, directory)
        .iter()
        .flat_map(|(variant, clients)| clients.iter().map(|slot| (slot.0, variant.prepend)))
        .collect();
    slots.sort_unstable();
    let texts = slots.into_iter().map(|(slot, prepend)| match prepend {
        0 => slot.to_string(),
        _ => format!("{slot}+{prepend}"),
    });
    texts.collect::<Vec<_>>().join(" ")
}

fn check(scheme: &ControlScheme, cases: &[(&str, Standard, Large, &str)]) {
    for (case, standard, large, expected) in cases {
        assert_eq!(receivers(scheme, standard, large), *expected, "{case}");
    }
}

#[test]
fn who_may_have_a_path() {
    let cases: &[(&str, Standard, Large, &str)] = &[
        (
            "without communities: all but the announcer",
            &[],
            &[],
            "1 2 3 4",
        ),
        (
            "communities of others change nothing",
            &[(174, 64_500), (1, 20)],
            &[(174, 0, 20)],
            "1 2 3 4",
        ),
        ("0:rs_as is to no one", &[(0, 64_500)], &[], ""),
        ("rs_as:0:0 is to no one", &[], &[(RS, 0, 0)], ""),
        (
            "0:peer_as takes out all sessions of the peer",
            &[(0, 20)],
            &[],
            "3 4",
        ),
        (
            "rs_as:0:peer_as takes out all sessions of the peer",
            &[],
            &[(RS, 0, 20)],
            "3 4",
        ),
        (
            "a four-octet peer is named in large form",
            &[],
            &[(RS, 0, WIDE)],
            "1 2 3",
        ),
        ("two peers can be taken out", &[(0, 20), (0, 30)], &[], "4"),
        ("and in both forms", &[(0, 20)], &[(RS, 0, WIDE)], "3"),
        (
            "an absent peer changes nothing",
            &[(0, 99)],
            &[(RS, 0, 98)],
            "1 2 3 4",
        ),
        (
            "to no one but a peer",
            &[(0, 64_500), (64_500, 30)],
            &[],
            "3",
        ),
        (
            "to no one but a peer, large",
            &[],
            &[(RS, 0, 0), (RS, 1, 30)],
            "3",
        ),
        (
            "to no one but a four-octet peer",
            &[],
            &[(RS, 0, 0), (RS, 1, WIDE)],
            "4",
        ),
        (
            "to no one (standard) but a peer (large)",
            &[(0, 64_500)],
            &[(RS, 1, 20)],
            "1 2",
        ),
        (
            "to no one (large) but a peer (standard)",
            &[(64_500, 20)],
            &[(RS, 0, 0)],
            "1 2",
        ),
        (
            "to no one but two peers",
            &[(0, 64_500), (64_500, 20)],
            &[(RS, 1, WIDE)],
            "1 2 4",
        ),
        (
            "to no one but an absent peer",
            &[(0, 64_500), (64_500, 99)],
            &[],
            "",
        ),
        (
            "to a peer without more says nothing new",
            &[(64_500, 30)],
            &[(RS, 1, 20)],
            "1 2 3 4",
        ),
        (
            "not to a peer beats to that peer",
            &[(0, 30), (64_500, 30)],
            &[],
            "1 2 4",
        ),
        (
            "not to a peer beats to that peer across forms",
            &[(64_500, 30)],
            &[(RS, 0, 30)],
            "1 2 4",
        ),
        (
            "not to a peer beats to that peer after to no one",
            &[(0, 64_500), (0, 30), (64_500, 30), (64_500, 20)],
            &[],
            "1 2",
        ),
        ("rs_as:rs_as is to all", &[(64_500, 64_500)], &[], "1 2 3 4"),
        ("rs_as:1:0 is to all", &[], &[(RS, 1, 0)], "1 2 3 4"),
        (
            "to no one beats to all",
            &[(0, 64_500), (64_500, 64_500)],
            &[],
            "",
        ),
        (
            "to no one beats to all, large",
            &[],
            &[(RS, 1, 0), (RS, 0, 0)],
            "",
        ),
        (
            "to no one (standard) beats to all (large)",
            &[(0, 64_500)],
            &[(RS, 1, 0)],
            "",
        ),
        (
            "not to a peer beats to all",
            &[(64_500, 64_500), (0, 20)],
            &[],
            "3 4",
        ),
        (
            "well-known communities pass",
            &[(65_535, 65_281), (65_535, 65_282)],
            &[],
            "1 2 3 4",
        ),
        (
            "the announcer's own ASN changes nothing",
            &[(0, 10)],
            &[],
            "1 2 3 4",
        ),
        (
            "peer 0 is nobody in standard form",
            &[(0, 0), (64_500, 0)],
            &[],
            "1 2 3 4",
        ),
        (
            "a large form under another function changes nothing",
            &[],
            &[(RS, 2, 20)],
            "1 2 3 4",
        ),
    ];
    check(&ControlScheme::standard(Asn(RS)), cases);
}

#[test]
fn how_often_the_announcer_is_prepended() {
    let cases: &[(&str, Standard, Large, &str)] = &[
        ("once to all", &[], &[(RS, 101, 0)], "1+1 2+1 3+1 4+1"),
        ("twice to all", &[], &[(RS, 102, 0)], "1+2 2+2 3+2 4+2"),
        (
            "three times to all",
            &[],
            &[(RS, 103, 0)],
            "1+3 2+3 3+3 4+3",
        ),
        (
            "the highest count to all wins",
            &[],
            &[(RS, 103, 0), (RS, 101, 0)],
            "1+3 2+3 3+3 4+3",
        ),
        ("once to a peer", &[], &[(RS, 101, 20)], "1+1 2+1 3 4"),
        (
            "twice to a four-octet peer",
            &[],
            &[(RS, 102, WIDE)],
            "1 2 3 4+2",
        ),
        (
            "the highest count to a peer wins",
            &[],
            &[(RS, 101, 30), (RS, 103, 30)],
            "1 2 3+3 4",
        ),
        (
            "to a peer beats to all, even with less",
            &[],
            &[(RS, 103, 0), (RS, 101, 20)],
            "1+1 2+1 3+3 4+3",
        ),
        (
            "each peer its own",
            &[],
            &[(RS, 101, 20), (RS, 102, 30), (RS, 103, WIDE)],
            "1+1 2+1 3+2 4+3",
        ),
        ("to an absent peer", &[], &[(RS, 101, 99)], "1 2 3 4"),
        (
            "who gets nothing gets no prepend",
            &[(0, 20)],
            &[(RS, 102, 20), (RS, 101, 0)],
            "3+1 4+1",
        ),
        (
            "to no one but a peer, prepended",
            &[(0, 64_500), (64_500, 30)],
            &[(RS, 102, 0)],
            "3+2",
        ),
        (
            "to no one but two peers, one prepended",
            &[(0, 64_500), (64_500, 30), (64_500, 20)],
            &[(RS, 101, 20), (RS, 103, WIDE)],
            "1+1 2+1 3",
        ),
        ("four times is no form", &[], &[(RS, 104, 0)], "1 2 3 4"),
        (
            "prepends have no standard form",
            &[(101, 20)],
            &[],
            "1 2 3 4",
        ),
    ];
    check(&ControlScheme::standard(Asn(RS)), cases);
}

#[test]
fn a_server_with_a_four_octet_asn() {
    const R: u32 = 4_200_000_100;
    let cases: &[(&str, Standard, Large, &str)] = &[
        ("0:peer_as is there", &[(0, 20)], &[], "3 4"),
        (
            "0:rs_as is not, and its lower half names a peer",
            &[(0, (R & 0xffff) as u16)],
            &[],
            "1 2 3 4",
        ),
        (
            "rs_as:peer_as is not",
            &[(0, 20), ((R & 0xffff) as u16, 20)],
            &[(R, 0, 0)],
            "",
        ),
        (
            "large forms are there",
            &[],
            &[(R, 0, 0), (R, 1, 30), (R, 101, 0)],
            "3+1",
        ),
        (
            "forms merge all the same",
            &[(0, 30)],
            &[(R, 1, 30), (R, 103, 20)],
            "1+3 2+3 4",
        ),
    ];
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
            .all(|(_, form)| form.matches(':').count() == 2 || form == "0:peer_as")
    );
}

#[test]
fn large_first_lets_large_forms_speak_before_standard_ones() {
    let options = SchemeOptions {
        precedence: Precedence::LargeFirst,
        ..SchemeOptions::default()
    };
    let scheme = ControlScheme::new(Asn(RS), &options).unwrap();
    let cases: &[(&str, Standard, Large, &str)] = &[
        (
            "large to a peer beats standard not to it",
            &[(0, 20), (0, 30)],
            &[(RS, 1, 20)],
            "1 2 4",
        ),
        (
            "large not to a peer beats standard to it",
            &[(0, 64_500), (64_500, 30)],
            &[(RS, 0, 30)],
            "",
        ),
        (
            "large not to a peer beats large to it",
            &[],
            &[(RS, 0, 30), (RS, 1, 30)],
            "1 2 4",
        ),
        (
            "large to all beats standard to no one",
            &[(0, 64_500)],
            &[(RS, 1, 0)],
            "1 2 3 4",
        ),
        (
            "large to all beats standard not to a peer",
            &[(0, 20)],
            &[(RS, 1, 0)],
            "1 2 3 4",
        ),
        (
            "large not to a peer beats large to all",
            &[(0, 20)],
            &[(RS, 1, 0), (RS, 0, 30)],
            "1 2 4",
        ),
        (
            "large to no one beats standard to a peer",
            &[(64_500, 20)],
            &[(RS, 0, 0)],
            "",
        ),
        (
            "large to a peer beats large to no one",
            &[(64_500, 20)],
            &[(RS, 0, 0), (RS, 1, 30)],
            "3",
        ),
        (
            "large to no one beats large to all",
            &[],
            &[(RS, 0, 0), (RS, 1, 0)],
            "",
        ),
        (
            "standard speaks where large says nothing",
            &[(0, 20)],
            &[(RS, 0, WIDE)],
            "3",
        ),
        (
            "standard alone: not to a peer",
            &[(0, 20), (64_500, 20)],
            &[],
            "3 4",
        ),
        (
            "standard alone: to no one but a peer",
            &[(0, 64_500), (64_500, 20)],
            &[],
            "1 2",
        ),
        (
            "large to a peer beats standard to no one",
            &[(0, 64_500)],
            &[(RS, 1, WIDE)],
            "4",
        ),
        (
            "prepends are merged",
            &[(0, 64_500)],
            &[(RS, 1, 30), (RS, 102, 0)],
            "3+2",
        ),
    ];
    check(&scheme, cases);
}

#[test]
fn interpreted_well_known_communities_stop_everything() {
    let options = SchemeOptions {
        interpret_well_known: true,
        ..SchemeOptions::default()
    };
    let scheme = ControlScheme::new(Asn(RS), &options).unwrap();
    let cases: &[(&str, Standard, Large, &str)] = &[
        ("NO_EXPORT", &[(65_535, 65_281)], &[], ""),
        ("NO_ADVERTISE", &[(65_535, 65_282)], &[], ""),
        ("NO_EXPORT_SUBCONFED", &[(65_535, 65_283)], &[], ""),
        (
            "NOPEER is left to the peers",
            &[(65_535, 65_284)],
            &[],
            "1 2 3 4",
        ),
        (
            "BLACKHOLE is left to the peers",
            &[(65_535, 666)],
            &[],
            "1 2 3 4",
        ),
        (
            "GRACEFUL_SHUTDOWN stops nothing",
            &[(65_535, 0)],
            &[],
            "1 2 3 4",
        ),
        (
            "to a peer does not help",
            &[(65_535, 65_281), (64_500, 20)],
            &[(RS, 1, 30)],
            "",
        ),
    ];
    check(&scheme, cases);
}

#[test]
fn equal_outcomes_are_equal_actions() {
    let scheme = ControlScheme::standard(Asn(RS));
    let actions = |standard: Standard, large: Large| {
        let set = SetBuilder::new()
            .as_path(&[10])
            .communities(standard)
            .large(large)
            .build();
        scheme.actions(&set, &directory(&[]))
    };
    let pairs: &[(&str, Standard, Large, Standard, Large)] = &[
        (
            "order does not matter",
            &[(0, 30), (0, 20)],
            &[],
            &[(0, 20), (0, 30)],
            &[],
        ),
        ("nor repetition", &[(0, 20), (0, 20)], &[], &[(0, 20)], &[]),
        ("nor the form", &[(0, 20)], &[], &[], &[(RS, 0, 20)]),
        ("to a peer alone is nothing", &[(64_500, 20)], &[], &[], &[]),
        (
            "to all is nothing",
            &[(64_500, 64_500)],
            &[(RS, 1, 0)],
            &[],
            &[],
        ),
        (
            "others' communities are nothing",
            &[(174, 3)],
            &[(174, 1, 2)],
            &[],
            &[],
        ),
        (
            "with to no one, not to a peer is nothing",
            &[(0, 64_500), (0, 20)],
            &[],
            &[(0, 64_500)],
            &[],
        ),
        (
            "to no one needs no prepend",
            &[(0, 64_500)],
            &[(RS, 101, 0), (RS, 102, 20)],
            &[(0, 64_500)],
            &[],
        ),
        (
            "what all get a peer need not be named for",
            &[],
            &[(RS, 102, 0), (RS, 102, 20)],
            &[],
            &[(RS, 102, 0)],
        ),
        (
            "lesser counts are nothing",
            &[],
            &[(RS, 102, 20), (RS, 101, 20)],
            &[],
            &[(RS, 102, 20)],
        ),
    ];
    for (case, standard_a, large_a, standard_b, large_b) in pairs {
        assert_eq!(
            actions(standard_a, large_a),
            actions(standard_b, large_b),
            "{case}"
        );
    }
    assert!(actions(&[], &[]).is_default());
    assert_eq!(
        actions(&[(0, 99)], &[]).not_to.as_slice(),
        [Asn(99)],
        "an absent peer stays named"
    );
}

#[test]
fn clients_with_hide_own_as_miss_paths_with_their_as() {
    let scheme = ControlScheme::standard(Asn(RS));
    let path: &[u32] = &[10, 20, 30, 20];
    let cases: &[(&str, &[u16], &[u32], Standard, &str)] = &[
        (
            "without it, a path with one's own ASN comes",
            &[],
            path,
            &[],
            "1 2 3 4",
        ),
        ("with it, it does not", &[3], path, &[], "1 2 4"),
        (
            "it concerns the session that has it",
            &[2],
            path,
            &[],
            "1 3 4",
        ),
        (
            "an ASN not in the path does not matter",
            &[4],
            path,
            &[],
            "1 2 3 4",
        ),
        (
            "asking for the peer does not help",
            &[3],
            path,
            &[(0, 64_500), (64_500, 30), (64_500, 20)],
            "1 2",
        ),
    ];
    for (case, hiding, path, standard, expected) in cases {
        let directory = directory(hiding);
        let set = SetBuilder::new()
            .as_path(path)
            .communities(standard)
            .build();
        assert_eq!(
            shown(&scheme.actions(&set, &directory), &directory),
            *expected,
            "{case}"
        );
    }
    let in_a_set = SetBuilder::new().as_path(&[10]).as_set(&[5, 30]).build();
    let directory = directory(&[3]);
    assert_eq!(
        shown(&scheme.actions(&in_a_set, &directory), &directory),
        "1 2 4",
        "an AS_SET counts"
    );
}

#[test]
fn what_is_scrubbed() {
    let scheme = ControlScheme::standard(Asn(RS));
    let (import, export) = (scheme.import_scrub(), scheme.export_scrub());
    let rs = RS as u16;
    // (case, community, goes on import, goes on export)
    let standard = [
        ("to no one", (0, rs), false, true),
        ("not to an absent peer", (0, 7), false, true),
        ("to an absent peer", (rs, 7), false, true),
        ("to all", (rs, rs), false, true),
        ("another network's", (174, 7), false, false),
        (
            "another network's about the server's ASN",
            (174, rs),
            false,
            false,
        ),
        ("a well-known one", (65_535, 65_281), false, false),
    ];
    for (case, community, on_import, on_export) in standard {
        assert_eq!(
            import.removes_standard(community),
            on_import,
            "{case}, on import"
        );
        assert_eq!(
            export.removes_standard(community),
            on_export,
            "{case}, on export"
        );
    }
    let large = [
        ("to no one", (RS, 0, 0), false, true),
        ("not to an absent peer", (RS, 0, 4_000_000_000), false, true),
        ("to an absent peer", (RS, 1, 7), false, true),
        ("to all", (RS, 1, 0), false, true),
        ("a prepend", (RS, 102, 7), false, true),
        ("a prepend to all", (RS, 103, 0), false, true),
        ("a forged informational one", (RS, 1000, 1), true, false),
        ("a form that is none", (RS, 104, 0), true, false),
        ("another network's", (174, 0, 7), false, false),
        (
            "another network's about the server's ASN",
            (174, RS, RS),
            false,
            false,
        ),
    ];
    for (case, community, on_import, on_export) in large {
        assert_eq!(
            import.removes_large(community),
            on_import,
            "{case}, on import"
        );
        assert_eq!(
            export.removes_large(community),
            on_export,
            "{case}, on export"
        );
    }
    let route_target = [0, 2, (RS >> 8) as u8, RS as u8, 0, 0, 0, 7];
    assert!(!import.removes_extended(route_target) && !export.removes_extended(route_target));
    let none = ControlScheme::default();
    assert!(
        !none.import_scrub().removes_large((RS, 7, 7))
            && !none.export_scrub().removes_standard((0, 7))
    );
}

fn with_forms(forms: &[(ControlAction, &[&str])]) -> SchemeOptions {
    let owned = |forms: &[&str]| forms.iter().map(|form| (*form).to_owned()).collect();
    SchemeOptions {
        forms: forms
            .iter()
            .map(|(action, forms)| (*action, owned(forms)))
            .collect(),
        ..SchemeOptions::default()
    }
}

#[test]
fn forms_of_ones_own_replace_the_default_ones() {
    use ControlAction::*;
    let options = with_forms(&[
        (DoNotAnnounceToPeer, &["64990:peer_as", "rs_as:990:peer_as"]),
        (PrependOnceToAny, &["65501:rs_as", "rs_as:65501"]),
        (PrependTwiceToPeer, &["65502:peer_as"]),
        (AnnounceToAny, &[]),
    ]);
    let scheme = ControlScheme::new(Asn(RS), &options).unwrap();
    let cases: &[(&str, Standard, Large, &str)] = &[
        ("the new standard form", &[(64_990, 20)], &[], "3 4"),
        ("the new large form", &[], &[(RS, 990, 20)], "3 4"),
        (
            "the old ones are gone",
            &[(0, 20)],
            &[(RS, 0, 20)],
            "1 2 3 4",
        ),
        (
            "other actions keep theirs",
            &[(0, 64_500), (64_500, 20)],
            &[],
            "1 2",
        ),
        (
            "a standard prepend to all",
            &[(65_501, 64_500)],
            &[],
            "1+1 2+1 3+1 4+1",
        ),
        (
            "a whole form goes before one with peer_as",
            &[(64_500, 65_501)],
            &[],
            "1+1 2+1 3+1 4+1",
        ),
        (
            "a standard prepend to a peer",
            &[(65_502, 20)],
            &[],
            "1+2 2+2 3 4",
        ),
    ];
    check(&scheme, cases);
    assert!(
        scheme.import_scrub().removes_large((RS, 0, 20)),
        "a former form is forged"
    );
    assert!(
        !scheme.export_scrub().removes_standard((0, 20)),
        "a former form passes"
    );
    assert!(scheme.forms().all(|(action, _)| action != AnnounceToAny));
}

#[test]
fn without_forms_for_peers_the_servers_standard_values_are_forged() {
    let options = with_forms(&[(ControlAction::AnnounceToPeer, &["rs_as:1:peer_as"])]);
    let scheme = ControlScheme::new(Asn(RS), &options).unwrap();
    assert!(scheme.import_scrub().removes_standard((64_500, 20)));
    assert!(
        !scheme.import_scrub().removes_standard((64_500, 64_500)),
        "to all"
    );
}

#[test]
fn every_error_in_the_forms_is_reported() {
    use ControlAction::*;
    let form = |action, form: &str| SchemeError::Form {
        action,
        form: form.to_owned(),
    };
    let missing = |action, form: &str| SchemeError::PeerMissing {
        action,
        form: form.to_owned(),
    };
    let cases: Vec<(&str, ControlAction, &str, SchemeError)> = vec![
        (
            "one number is no community",
            AnnounceToAny,
            "7",
            form(AnnounceToAny, "7"),
        ),
        (
            "nor are four",
            AnnounceToAny,
            "1:2:3:4",
            form(AnnounceToAny, "1:2:3:4"),
        ),
        ("nor is nothing", AnnounceToAny, "", form(AnnounceToAny, "")),
        (
            "a word is none",
            AnnounceToAny,
            "rs_asn:1:2",
            form(AnnounceToAny, "rs_asn:1:2"),
        ),
        (
            "a sign is none",
            AnnounceToAny,
            "+1:2",
            form(AnnounceToAny, "+1:2"),
        ),
        (
            "17 bits do not fit",
            AnnounceToAny,
            "65536:1",
            form(AnnounceToAny, "65536:1"),
        ),
        (
            "33 bits do not fit",
            AnnounceToAny,
            "1:2:4294967296",
            form(AnnounceToAny, "1:2:4294967296"),
        ),
        (
            "extended ones are not known",
            AnnounceToPeer,
            "rt:0:peer_as",
            form(AnnounceToPeer, "rt:0:peer_as"),
        ),
        (
            "a peer is named last",
            AnnounceToPeer,
            "rs_as:peer_as:1",
            missing(AnnounceToPeer, "rs_as:peer_as:1"),
        ),
        (
            "a peer is named once",
            AnnounceToPeer,
            "peer_as:peer_as",
            missing(AnnounceToPeer, "peer_as:peer_as"),
        ),
        (
            "a peer is named",
            PrependOnceToPeer,
            "rs_as:7",
            missing(PrependOnceToPeer, "rs_as:7"),
        ),
        (
            "no peer is named for all",
            PrependOnceToAny,
            "rs_as:7:peer_as",
            SchemeError::PeerUnexpected {
                action: PrependOnceToAny,
                form: "rs_as:7:peer_as".into(),
            },
        ),
        (
            "one form has one meaning",
            AnnounceToPeer,
            "0:peer_as",
            SchemeError::Ambiguous {
                action: AnnounceToPeer,
                form: "0:peer_as".into(),
                other: DoNotAnnounceToPeer,
            },
        ),
    ];
    for (case, action, text, expected) in &cases {
        let errors = ControlScheme::new(Asn(RS), &with_forms(&[(*action, &[text])])).unwrap_err();
        assert_eq!(errors, [expected.clone()], "{case}");
        assert!(
            errors[0].to_string().starts_with(action.name()),
            "{case}: the message names the key"
        );
    }
    let two = with_forms(&[(AnnounceToAny, &["7", "8", "rs_as:9"])]);
    assert_eq!(ControlScheme::new(Asn(RS), &two).unwrap_err().len(), 2);
    let same_twice = with_forms(&[(AnnounceToAny, &["rs_as:64500", "rs_as:rs_as"])]);
    assert!(
        ControlScheme::new(Asn(RS), &same_twice).is_ok(),
        "saying it twice is no harm"
    );
}

#[test]
fn names_read_back() {
    for action in ControlAction::ALL {
        assert_eq!(ControlAction::from_name(action.name()), Some(action));
    }
    assert_eq!(ControlAction::from_name("announce"), None);
}

#[test]
fn the_forms_in_force_are_listed() {
    let forms: Vec<String> = ControlScheme::standard(Asn(RS))
        .forms()
        .map(|(_, form)| form)
        .collect();
    let expected = [
        "0:64500",
        "64500:0:0",
        "0:peer_as",
        "64500:0:peer_as",
        "64500:peer_as",
        "64500:1:peer_as",
        "64500:64500",
        "64500:1:0",
        "64500:101:0",
        "64500:102:0",
        "64500:103:0",
        "64500:101:peer_as",
        "64500:102:peer_as",
        "64500:103:peer_as",
    ];
    assert_eq!(forms, expected);
}
