//! Routes that the server comes to reject by what it learns elsewhere, while others change.

use serde_json::Value;

use super::{SMALL, load, run};

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
fn a_reload_without_the_servers_file_ends_with_2() {
    let cases: [&[&str]; 2] = [
        &["--scenario", "reload"],
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
