//! Forms of control communities as a configuration writes them, and what they remove.

use rialto::base::Asn;
use rialto::policy::{ControlAction, ControlScheme, Last, SchemeError, SchemeOptions};

use crate::scheme::{RS, check};

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
    let cases = "
        the new standard form                     | 64990:20         | 3 4
        the new large form                        | 64500:990:20     | 3 4
        the old ones are gone                     | 0:20 64500:0:20  | 1 2 3 4
        other actions keep theirs                 | 0:64500 64500:20 | 1 2
        a standard prepend to all                 | 65501:64500      | 1+1 2+1 3+1 4+1
        a whole form goes before one with peer_as | 64500:65501      | 1+1 2+1 3+1 4+1
        a standard prepend to a peer              | 65502:20         | 1+2 2+2 3 4
    ";
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
    type Wrong = fn(ControlAction, String) -> SchemeError;
    fn last(action: ControlAction) -> &'static str {
        match action.last() {
            Last::Fixed => "nothing else",
            Last::Peer => "peer_as",
            Last::Rtt => "rtt",
        }
    }
    let form: Wrong = |action, form| SchemeError::Form {
        key: action.name(),
        form,
        last: last(action),
    };
    let missing: Wrong = |action, form| SchemeError::LastMissing {
        key: action.name(),
        form,
        last: last(action),
    };
    let unexpected: Wrong = |action, form| SchemeError::Unexpected {
        key: action.name(),
        word: if form.ends_with("rtt") {
            "rtt"
        } else {
            "peer_as"
        },
        form,
    };
    let ambiguous: Wrong = |action, form| SchemeError::Ambiguous {
        key: action.name(),
        form,
        other: DoNotAnnounceToPeer.name(),
    };
    let cases = [
        ("one number is no community", AnnounceToAny, "7", form),
        ("nor are four", AnnounceToAny, "1:2:3:4", form),
        ("nor is nothing", AnnounceToAny, "", form),
        ("a word is none", AnnounceToAny, "rs_asn:1:2", form),
        ("a sign is none", AnnounceToAny, "+1:2", form),
        ("17 bits do not fit", AnnounceToAny, "65536:1", form),
        ("33 bits do not fit", AnnounceToAny, "1:2:4294967296", form),
        (
            "rt and ro are all there is",
            AnnounceToPeer,
            "rx:0:peer_as",
            form,
        ),
        ("nor in capitals", AnnounceToPeer, "RT:0:peer_as", form),
        (
            "an extended one has two numbers",
            AnnounceToPeer,
            "rt:0:1:peer_as",
            form,
        ),
        ("not one", AnnounceToPeer, "rt:peer_as", form),
        (
            "behind four octets of ASN there are two",
            AnnounceToAny,
            "rt:200000:65536",
            form,
        ),
        (
            "a peer is named last",
            AnnounceToPeer,
            "rs_as:peer_as:1",
            missing,
        ),
        (
            "a peer is named once",
            AnnounceToPeer,
            "peer_as:peer_as",
            missing,
        ),
        ("a peer is named", PrependOnceToPeer, "rs_as:7", missing),
        (
            "in an extended one too",
            AnnounceToPeer,
            "ro:rs_as:7",
            missing,
        ),
        (
            "no round-trip time is asked for where a peer is",
            AnnounceToPeer,
            "rs_as:1:rtt",
            missing,
        ),
        (
            "a round-trip time is asked for where one is",
            AnnounceBelowRtt,
            "rs_as:1:peer_as",
            missing,
        ),
        (
            "no peer is named for all",
            PrependOnceToAny,
            "rs_as:7:peer_as",
            unexpected,
        ),
        (
            "nor a round-trip time",
            AddNoExportToAny,
            "rs_as:7:rtt",
            unexpected,
        ),
        (
            "one form has one meaning",
            AnnounceToPeer,
            "0:peer_as",
            ambiguous,
        ),
    ];
    for (case, action, text, error) in cases {
        let errors = ControlScheme::new(Asn(RS), &with_forms(&[(action, &[text])])).unwrap_err();
        assert_eq!(errors, [error(action, text.to_owned())], "{case}");
        assert_eq!(errors[0].key(), action.name(), "{case}");
        let message = errors[0].to_string();
        assert!(
            message.starts_with(action.name()),
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
        "65535:666",
    ];
    assert_eq!(forms, expected);
}
