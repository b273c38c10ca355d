//! Routes that the server comes to reject by what it learns elsewhere, while others change.

use serde_json::Value;

use super::{SMALL, free_port, load, run};

const TURNS: [&str; 6] = ["--scenario", "reload", "--rate", "200", "--rounds", "1"];

fn turns(report: &Value) -> &Vec<Value> {
    report["turns"]["turns"].as_array().unwrap()
}

#[test]
fn each_share_is_rejected_and_accepted_again() {
    let cases: [(&str, usize); 4] = [("0", 0), ("0.01", 15), ("0.1", 150), ("1", 1500)];
    for (share, prefixes) in cases {
        let words = [&TURNS[..], &["--rejected-share", share]].concat();
        let (ok, report) = run(&SMALL, &words, |config| config);
        assert!(ok, "{share}: {report:#}");
        for (turn, rejects) in turns(&report).iter().zip([true, false]) {
            assert_eq!(turn["rejects"], rejects, "{share}");
            let routes = turn["routes"].as_u64().unwrap() as usize;
            assert!(routes >= prefixes, "{share}: {turn:#}");
            assert_eq!(turn["took_s"].is_null(), prefixes == 0, "{share}: {turn:#}");
            assert!(turn["answered_s"].as_f64() > Some(0.0), "{share}");
            assert_eq!(turn["needless"], 0, "{share}: {turn:#}");
            let runs = turn["running"].as_u64() > Some(0);
            assert_eq!(runs, share != "1", "{share}: {turn:#}");
        }
    }
}

#[test]
fn a_server_that_does_not_judge_again_is_found_wrong() {
    let words = [&TURNS[..], &["--patience", "2"]].concat();
    let (ok, report) = run(&SMALL, &words, |config| {
        let checks = "preset = \"exchange\"";
        config.replace(checks, &format!("{checks}\nblack_list = false"))
    });
    assert!(!ok, "{report:#}");
    let turns = turns(&report);
    assert_eq!((turns.len(), &turns[0]["right"]), (1, &false.into()));
}

#[test]
fn what_clients_registered_changes_and_what_is_missing_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let irr = folder.path().join("irr");
    let files = ["--irr-files", irr.to_str().unwrap(), "--irr-entries", "600"];
    let plan = [&SMALL[..], &files].concat();
    let words = [&TURNS[..], &["--rejected-share", "0.05"]].concat();
    let (ok, report) = run(&plan, &words, |config| config);
    assert!(ok, "{report:#}");
    for turn in turns(&report) {
        assert!(turn["routes"].as_u64() >= Some(75), "{turn:#}");
        assert_eq!(turn["needless"], 0, "{turn:#}");
    }
    assert_eq!(turns(&report).len(), 2);
    let folders = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(folders, 1, "only the files that were there");
}

#[test]
fn vrps_come_and_change_and_only_what_they_cover_is_told() {
    let cache = format!("127.0.0.1:{}", free_port());
    let plan = [&SMALL[..], &["--rtr-cache", &cache]].concat();
    let words = [
        "--scenario",
        "vrps",
        "--vrps",
        "3000",
        "--changed-vrps",
        "100",
        "--rejected-share",
        "0.05",
        "--rate",
        "200",
        "--rounds",
        "1",
    ];
    let (ok, report) = run(&plan, &words, |config| config);
    assert!(ok, "{report:#}");
    let arrival = &report["turns"]["arrival"];
    assert!(arrival["vrps"].as_u64() > Some(2900), "{arrival:#}");
    for turn in turns(&report).iter().chain([arrival]) {
        assert!(turn["routes"].as_u64() >= Some(50), "{turn:#}");
        assert!(turn["took_s"].as_f64() > Some(0.0), "{turn:#}");
        assert_eq!(turn["needless"], 0, "{turn:#}");
    }
    for turn in turns(&report) {
        let vrps = turn["vrps"].as_u64().unwrap();
        assert!((80..=130).contains(&vrps), "{turn:#}");
    }
}

#[test]
fn every_route_passes_every_check() {
    let folder = tempfile::tempdir().unwrap();
    let (irr, vrps) = (folder.path().join("irr"), folder.path().join("vrps.json"));
    let files = [
        "--irr-files",
        irr.to_str().unwrap(),
        "--vrp-file",
        vrps.to_str().unwrap(),
    ];
    let plan = [
        &SMALL[..],
        &files,
        &["--irr-entries", "500", "--vrps", "5000"],
    ]
    .concat();
    let (ok, report) = run(&plan, &[], |config| {
        let (head, tail) = config.split_once("transit_free").unwrap();
        let tail = tail.split_once("\n\n").unwrap().1;
        format!("{head}blackhole = true\n\n[blackhole]\nipv4 = \"propagate_unchanged\"\n\n{tail}")
    });
    assert!(ok, "{report:#}");
    let words = ["--patience", "2"];
    let (ok, report) = run(&plan, &words, |config| {
        let (head, tail) = config.split_once("vrp_files").unwrap();
        let (file, tail) = tail.split_once("\n").unwrap();
        let other = file.replace("vrps.json", "other.json");
        let folder = file.split('"').nth(1).unwrap();
        let everybodys = "{\"roas\": [{\"asn\": 1, \"prefix\": \"0.0.0.0/0\", \"maxLength\": 32}]}";
        std::fs::write(folder.replace("vrps.json", "other.json"), everybodys).unwrap();
        format!("{head}vrp_files{other}\n{tail}")
    });
    assert!(!ok, "VRPs count");
    assert_eq!(report["established"], 12, "{report:#}");
}

#[test]
fn words_that_lack_others_end_with_2() {
    let cases: [&[&str]; 4] = [
        &["--scenario", "reload"],
        &["--scenario", "vrps"],
        &["--print-config", "bird", "--irr-files", "x"],
        &[
            "--scenario",
            "reload",
            "--server-config",
            "x",
            "--rejected-share",
            "1.1",
        ],
    ];
    for words in cases {
        assert_eq!(load(words).status.code(), Some(2), "{words:?}");
    }
}
