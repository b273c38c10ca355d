//! Tables of other shapes than the ordinary one, and what each scenario tells in figures.

use serde_json::Value;

use super::{load, run};

#[test]
fn plainer_and_tagged_tables_end_right() {
    let cases: [(&[&str], u64, u64); 5] = [
        (
            &["--even", "--clients", "12", "--prefixes", "1205"],
            1205,
            12,
        ),
        (
            &[
                "--even",
                "--clients",
                "12",
                "--prefixes",
                "1200",
                "--prefixes-per-attributes",
                "4",
            ],
            1200,
            300,
        ),
        (
            &["--full-tables", "--clients", "12", "--prefixes", "1000"],
            12_000,
            3_000,
        ),
        (
            &[
                "--full-tables",
                "--clients",
                "6",
                "--prefixes",
                "400",
                "--family",
                "both",
                "--tagging-clients",
                "0.5",
                "--add-path-clients",
                "2",
            ],
            2_400,
            600,
        ),
        (
            &[
                "--clients",
                "12",
                "--prefixes",
                "1500",
                "--family",
                "both",
                "--ipv6-share",
                "0.4",
                "--tagging-clients",
                "0.4",
                "--no-prepends",
                "--add-path-clients",
                "3",
            ],
            0,
            0,
        ),
    ];
    for (plan, routes, sets) in cases {
        let (ok, report) = run(plan, &["--second-decoder"], |config| config);
        assert!(ok, "{plan:?}: {report:#}");
        if routes > 0 {
            assert_eq!(report["routes"], routes, "{plan:?}");
            assert_eq!(report["attribute_sets"], sets, "{plan:?}");
        }
    }
}

#[test]
fn a_wrong_table_is_found_in_plainer_and_tagged_shapes_too() {
    let shapes: [&[&str]; 3] = [
        &["--even", "--prefixes", "600"],
        &["--full-tables", "--prefixes", "200"],
        &["--tagging-clients", "1", "--prefixes", "600"],
    ];
    for shape in shapes {
        let plan = [shape, &["--clients", "12"]].concat();
        let (ok, report) = run(&plan, &["--patience", "2"], |config| {
            config.replace(
                "preset = \"exchange\"",
                "preset = \"exchange\"\nas_path_max = 1",
            )
        });
        assert!(!ok, "{shape:?}");
        assert!(report["wrong_prefixes"].as_u64() > Some(0), "{shape:?}");
    }
}

#[test]
fn every_server_is_configured_for_every_shape() {
    let shapes: [&[&str]; 3] = [
        &["--even", "--prefixes", "50000"],
        &["--full-tables", "--prefixes", "20000"],
        &["--tagging-clients", "0.36", "--family", "both"],
    ];
    for shape in shapes {
        for server in ["rialto", "bird", "openbgpd", "gobgp", "frr"] {
            let words = [shape, &["--clients", "5000", "--print-config", server]].concat();
            let output = load(&words);
            assert!(output.status.success(), "{words:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains("127.77.25.200"), "{words:?}");
        }
    }
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn figures_say_what_they_should() {
    let pid = std::process::id().to_string();
    let plan = ["--clients", "10", "--prefixes", "1000", "--even"];
    let figures = |words: &[&str]| {
        let words = [words, &["--server-pid", &pid]].concat();
        let (ok, report) = run(&plan, &words, |config| config);
        assert!(ok, "{words:?}: {report:#}");
        let steps = report["steps"].as_array().unwrap().clone();
        for step in &steps {
            let server = &step["server"];
            assert!(number(&server["cpu_settled_s"]) >= number(&server["cpu_s"]));
            assert!(number(&server["memory_settled"]) > 0.0);
            assert!(number(&step["generator_lag_ms"]["max"]) >= 0.0);
        }
        assert!(number(&steps[0]["sessions_up_s"]) <= number(&steps[0]["took_s"]));
        assert!(number(&steps[0]["octets_in"]) > 0.0);
        (report, steps)
    };

    let (_, steps) = figures(&["--scenario", "idle", "--duration", "1"]);
    assert_eq!(steps.len(), 2);
    assert!(number(&steps[1]["took_s"]) >= 1.0);

    let (report, steps) = figures(&["--scenario", "join"]);
    let join = &report["join"];
    assert_eq!(join["routes"], 900);
    assert!(number(&join["from_connect_s"]) >= number(&join["from_established_s"]));
    assert!(number(&steps[1]["took_s"]) >= number(&join["from_connect_s"]));

    let (_, steps) = figures(&["--scenario", "flap", "--affected", "3"]);
    for step in &steps {
        assert!(number(&step["others_right_s"]) <= number(&step["took_s"]));
    }

    let churn = ["--scenario", "churn", "--rate", "300", "--duration", "1"];
    let (report, _) = figures(&churn);
    assert_eq!(report["churn"]["changes"], 300);
    assert!(number(&report["churn"]["drain_s"]) < 1.0);
    assert!(report["latency"]["count"].as_u64() > Some(1000));
    assert!(report["latency_joining"].is_null());

    let series = ["--scenario", "series", "--rate", "300", "--duration", "1"];
    let (report, _) = figures(&[&series[..], &["--rounds", "3"]].concat());
    let series = report["series"].as_array().expect("there are some");
    assert_eq!(series.len(), 3);
    for one in series {
        let changes = one["changes"].as_u64().expect("a number");
        assert!((250..=350).contains(&changes), "{one}");
        let arrivals = one["arrival"]["count"].as_u64();
        assert!(arrivals > Some(1000), "{one}");
    }
    assert!(report["latency"].is_null(), "each has its own");

    let busy = [
        "--scenario",
        "join-busy",
        "--rate",
        "300",
        "--duration",
        "1",
    ];
    let (report, steps) = figures(&busy);
    assert_eq!((steps.len(), &report["churn"]["changes"]), (2, &300.into()));
    assert_eq!(report["scenario"], "join-busy");
    assert!(report["latency"]["count"].as_u64() > Some(500));
    assert!(number(&report["churn"]["joined_s"]) < 1.0);
    let joining = report["latency_joining"]["count"].as_u64();
    assert!(joining < report["latency"]["count"].as_u64());
}
