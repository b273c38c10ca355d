//! `/metrics`, and what reads it: Prometheus and its promtool, the dashboard, the alerts, the page of the
//! documentation. Nothing of them names a metric that is not served.
#![allow(clippy::disallowed_methods, reason = "Prometheus keeps real time")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rialto::base::Time;
use rialto::policy::RejectReason;
use rialto::server::query::ClientStatus;
use serde_json::Value;

use super::reloads::{set, with_routes};
use super::{Server, THREE};

const OPENMETRICS: &str = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/monitoring")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn scrape(server: &Server) -> String {
    let (status, text) = server.get("/metrics");
    assert_eq!(status, 200, "{text}");
    text
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(
        text.lines().any(|it| it == line),
        "{line} is not in\n{text}"
    );
}

/// The names under which values may stand.
fn served(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        names.insert(name.to_owned());
        if kind == "histogram" {
            names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
        }
    }
    names
}

#[test]
fn the_format_is_the_one_that_is_asked_for_and_names_are_the_same_in_both() {
    let server = with_routes();
    let (head, text) = server.get_with("/metrics", "");
    has(
        &head,
        "content-type: text/plain; version=0.0.4; charset=utf-8",
    );
    has(&text, "# TYPE rialto_core_updates_in_total counter");
    let (head, open) = server.get_with("/metrics", OPENMETRICS);
    has(
        &head,
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    has(&open, "# TYPE rialto_core_updates_in counter");
    assert!(open.ends_with("\n# EOF\n") && !text.contains("# EOF"));
    let names = |text: &str| -> Vec<String> {
        let values = text.lines().filter(|line| !line.starts_with('#'));
        values
            .map(|line| line.split([' ', '{']).next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&text), names(&open));
}

#[test]
fn sessions_are_counted_by_state_and_rejected_prefixes_by_reason_and_family() {
    let server = with_routes();
    let reason = RejectReason::BogonPrefix;
    server
        .data
        .announce(0, "10.0.0.0/24", &set(0), Some(reason));
    server
        .data
        .announce(0, "2001:db8::/32", &set(0), Some(reason));
    server.data.with(|state| {
        state.core.clients[2].state = "Active";
        state.core.clients[1].stalled = true;
        state.core.clients[1].nlri_out = 17;
        state.core.window_us = 1_500;
    });
    let text = scrape(&server);
    let labels = "client=\"AS10001-1\",asn=\"10001\"";
    for line in [
        "rialto_sessions{state=\"Idle\"} 0",
        "rialto_sessions{state=\"Active\"} 1",
        "rialto_sessions{state=\"Established\"} 2",
        &format!(
            "rialto_client_rejected_prefixes{{{labels},family=\"ipv4\",reason=\"bogon_prefix\"}} 1"
        ),
        &format!(
            "rialto_client_rejected_prefixes{{{labels},family=\"ipv6\",reason=\"bogon_prefix\"}} 1"
        ),
        &format!("rialto_client_state_seconds{{{labels}}} 100"),
        "rialto_client_stalled{client=\"AS10002-1\",asn=\"10002\"} 1",
        "rialto_client_nlri_out_total{client=\"AS10002-1\",asn=\"10002\"} 17",
        "rialto_core_window_seconds{core=\"0\"} 0.0015",
        // What its last flush had to say was one prefix.
        "rialto_shard_window_seconds{shard=\"1\"} 0.0000005",
        "rialto_thread_cpu_seconds_total{thread=\"shard-1\"} 1.5",
        "rialto_thread_mailbox_messages{thread=\"core-0\"} 4",
        "rialto_generation_in_force 1",
        "rialto_propagation_written_seconds_count{core=\"0\"} 0",
    ] {
        has(&text, line);
    }
    let rejected = "rialto_client_rejected_prefixes{";
    let lines = text.lines().filter(|line| line.starts_with(rejected));
    assert_eq!(lines.count(), 2, "reasons of none are left out:\n{text}");
}

#[test]
fn limits_are_shown_where_there_are_any() {
    let limited = format!("{THREE}[client.limits.ipv4]\nreceived_max = 70\naccepted_max = 50\n");
    let server = Server::start(&limited);
    (0..3).for_each(|slot| server.data.up(slot));
    let text = scrape(&server);
    let labels = "client=\"third\",asn=\"10003\",family=\"ipv4\"";
    has(
        &text,
        &format!("rialto_client_received_prefixes_limit{{{labels}}} 70"),
    );
    has(
        &text,
        &format!("rialto_client_accepted_prefixes_limit{{{labels}}} 50"),
    );
    let accepted = "rialto_client_accepted_prefixes_limit{";
    let limits = text.lines().filter(|line| line.starts_with(accepted));
    assert_eq!(limits.count(), 1, "{text}");
}

#[test]
fn reloads_are_counted_and_timed_and_a_refused_one_is_told_until_one_is_done() {
    let server = with_routes();
    let text = scrape(&server);
    has(&text, "rialto_reloads_total{result=\"done\"} 0");
    has(&text, "rialto_reload_last_successful 1");
    assert!(!text.contains("\nrialto_reload_last_duration_seconds "));

    server.write_clients("[[client]]\nasn = \"x\"\n");
    assert_eq!(server.says(&["reload"]).0, 1);
    let text = scrape(&server);
    has(&text, "rialto_reloads_total{result=\"refused\"} 1");
    has(&text, "rialto_reload_last_successful 0");

    server.write_clients(&format!(
        "{THREE}[[client]]\nasn = 4\naddress = \"192.0.2.4\"\n"
    ));
    assert_eq!(server.says(&["reload", "--dry-run"]).0, 0);
    has(&scrape(&server), "rialto_reloads_total{result=\"done\"} 0");
    assert_eq!(server.says(&["reload"]).0, 0);
    let text = scrape(&server);
    has(&text, "rialto_reloads_total{result=\"done\"} 1");
    has(&text, "rialto_reload_last_successful 1");
    assert!(text.contains("\nrialto_reload_last_duration_seconds "));
    assert!(text.contains("\nrialto_reload_last_success_timestamp_seconds "));
    eventually("every path is judged", || {
        scrape(&server).contains("\nrialto_reload_last_in_force_seconds ")
    });
}

#[test]
fn a_thread_that_does_not_answer_is_counted_and_the_scrape_goes_on() {
    let server = with_routes();
    server.data.with(|state| state.is_silent = true);
    let text = scrape(&server);
    has(&text, "rialto_silent_threads 2");
    has(&text, "rialto_generation_in_force 0");
    has(&text, "rialto_ready 0");
    has(&text, "rialto_sessions{state=\"Established\"} 3");
}

#[test]
fn data_from_outside_is_shown_with_its_age() {
    let server = with_routes();
    let irr = server.folder.path().join("irr");
    std::fs::create_dir(&irr).unwrap();
    let prefixes = r#"{"NN": [{"prefix": "198.51.0.0/24", "exact": true}]}"#;
    std::fs::write(irr.join("AS-ONE.v4.json"), prefixes).unwrap();
    let roa = r#"{"roas": [{"prefix": "198.51.0.0/16", "maxLength": 24, "asn": 64999}]}"#;
    std::fs::write(server.folder.path().join("vrps.json"), roa).unwrap();
    server.write_clients(
        "[irr]\ndirectory = \"irr\"\n[rpki]\nvrp_files = [\"vrps.json\"]\ncaches = [\"127.0.0.1:1\"]\n\
         [[client]]\nasn = 10001\naddress = \"192.0.2.1\"\nirr.as_sets = [\"AS-ONE\", \"AS-TWO\"]\n",
    );
    let (status, said) = server.says(&["reload"]);
    assert_eq!(status, 0, "{said}");
    let text = scrape(&server);
    for line in [
        "rialto_irr_missing_as_sets 1",
        "rialto_rtr_cache_up{cache=\"127.0.0.1:1\"} 0",
        "rialto_rtr_cache_in_use{cache=\"127.0.0.1:1\"} 0",
    ] {
        has(&text, line);
    }
    let file = format!("{}/vrps.json\"}} 1", server.folder.path().display());
    assert!(
        text.lines()
            .any(|it| it.starts_with("rialto_vrp_file_vrps{file=") && it.ends_with(&file))
    );
    assert!(text.contains("\nrialto_irr_oldest_age_seconds "), "{text}");
    assert!(
        !text.contains("\nrialto_rtr_cache_age_seconds{"),
        "it never answered:\n{text}"
    );
}

/// Reasons for which routes of each client are rejected.
const REASONS_EACH: usize = 8;

/// 1,000 clients, both families.
fn large() -> Server {
    let client = |number: u32| {
        let (high, low) = (number / 200, number % 200 + 1);
        format!(
            "[[client]]\nasn = {}\naddress = \"10.9.{high}.{low}\"\n",
            10_000 + number
        )
    };
    let clients: Vec<String> = (0..1_000).map(client).collect();
    let server = Server::start(&clients.concat());
    // What a limit keeps back counts as acceptable.
    let is_import = |reason: &RejectReason| *reason != RejectReason::AcceptedLimit;
    let reasons = RejectReason::ALL.into_iter().filter(is_import);
    let reasons: Vec<RejectReason> = reasons.take(REASONS_EACH).collect();
    for slot in 0..1_000 {
        server.data.up(slot);
        for (number, reason) in reasons.iter().enumerate() {
            let (high, low) = (slot / 200, slot % 200);
            let prefix = format!("{}.{high}.{low}.0/24", 20 + number);
            server.data.announce(slot, &prefix, &set(0), Some(*reason));
        }
    }
    server.data.with(|state| {
        for status in &mut state.core.clients {
            *status = ClientStatus {
                state: "Established",
                families: rialto::base::FamilySet::ALL,
                received: [400, 100],
                accepted: [380, 90],
                octets_in: 123_456_789,
                octets_out: 12_345_678_901,
                since_us: Time::from_secs(10).as_micros(),
                ..status.clone()
            };
        }
    });
    server
}

#[test]
fn a_scrape_of_a_thousand_clients_is_of_bounded_size() {
    let server = large();
    let since = Instant::now();
    let text = scrape(&server);
    let took = since.elapsed();
    let lines = text.lines().count();
    println!(
        "1,000 clients: {lines} lines, {} KiB, {took:?}",
        text.len() >> 10
    );
    assert!(lines < 1_000 * (29 + REASONS_EACH), "{lines} lines");
    assert!(text.len() < 3 << 20, "{} octets", text.len());
    let rejected = text.lines().filter(|it| it.contains(",reason=")).count();
    assert_eq!(rejected, 1_000 * REASONS_EACH);
}

#[test]
fn the_documentation_lists_all_metrics_and_no_others() {
    let page = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md"));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| Some(row.split_once('`')?.0));
    let listed: BTreeSet<&str> = names
        .map(|name| name.split('{').next().unwrap())
        .filter(|name| name.starts_with("rialto_") || name.starts_with("process_"))
        .collect();
    let text = scrape(&with_routes());
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<&str> = types.map(|it| it.split(' ').next().unwrap()).collect();
    assert_eq!(listed, served);
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_are_served() {
    let served = served(&scrape(&with_routes()));
    let alerts = read(folder().join("alerts.yml"));
    let alerts = alert_expressions(&alerts);
    assert!(alerts.len() > 20);
    let dashboard: Value = serde_json::from_str(&read(folder().join("grafana.json"))).unwrap();
    let mut panels = Vec::new();
    dashboard_expressions(&dashboard, &mut panels);
    assert!(panels.len() > 60);
    let mut unknown = Vec::new();
    for expression in alerts.iter().chain(&panels) {
        let names = metrics_of(expression);
        assert!(!names.is_empty(), "no metric in {expression}");
        // `up` is Prometheus' own.
        let is_unknown = |name: &String| name != "up" && !served.contains(name);
        unknown.extend(names.into_iter().filter(is_unknown));
    }
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn names_of_metrics_are_told_from_all_else_in_an_expression() {
    let cases = [
        ("up{job=\"a_b\"} == 0", vec!["up"]),
        (
            "sum by (instance, le) (rate(a_bucket{x=~\"$client\"}[$__rate_interval])) and on (instance) b offset 1h",
            vec!["a_bucket", "b"],
        ),
        (
            "label_values(a{instance=~\"$instance\"}, client)",
            vec!["a"],
        ),
        ("a > on (instance) group_left () 0.8 * b", vec!["a", "b"]),
        ("topk(10, a > 0) or (a or b)", vec!["a", "b"]),
    ];
    for (expression, names) in cases {
        assert_eq!(
            Vec::from_iter(metrics_of(expression)),
            names,
            "{expression}"
        );
    }
}

fn alert_expressions(yaml: &str) -> Vec<String> {
    let mut lines = yaml.lines().peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(first) = line.trim_start().strip_prefix("expr: ") else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let mut expression = first.strip_prefix(">-").unwrap_or(first).to_owned();
        while let Some(more) = lines.next_if(|it| it.len() - it.trim_start().len() > indent) {
            expression += &format!(" {}", more.trim());
        }
        found.push(expression);
    }
    found
}

fn dashboard_expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "expr" || key == "definition" => {
                        found.push(text.clone());
                    }
                    other => dashboard_expressions(other, found),
                }
            }
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| dashboard_expressions(value, found)),
        _ => {}
    }
}

/// The names in an expression that are no functions, operators, labels or strings.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    const WORDS: [&str; 12] = [
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "offset",
        "bool",
        "label_values",
    ];
    let mut names = BTreeSet::new();
    let mut rest = expression;
    // Those of `by (…)` and the like are labels, and the last of `label_values`.
    let mut are_labels = false;
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || "_:$.".contains(letter);
        if let Some(close) = ['"', '{', '[']
            .iter()
            .zip(['"', '}', ']'])
            .find_map(|(open, close)| (*open == first).then_some(close))
        {
            let end = rest[1..].find(close).expect("it is closed");
            rest = &rest[end + 2..];
        } else if is_word(first) {
            let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after.trim_start();
            let is_label_of = [
                "by",
                "without",
                "on",
                "ignoring",
                "group_left",
                "group_right",
            ];
            let is_function = ["(", "by (", "without ("]
                .iter()
                .any(|after| rest.starts_with(after));
            are_labels |= is_label_of.contains(&word) && rest.starts_with('(');
            let is_name = first.is_ascii_alphabetic() && !WORDS.contains(&word) && !is_function;
            if is_name && !are_labels {
                names.insert(word.to_owned());
            }
        } else {
            are_labels &= first != ')';
            rest = &rest[first.len_utf8()..];
            if first == ',' && expression.starts_with("label_values(") {
                return names;
            }
        }
    }
    names
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "{what}: not within a minute"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether Debian's package is there; a failure where `CI=true`.
fn is_there(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        let told = format!("no {program} (Debian: prometheus)");
        let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !in_ci,
            "CI=true, and the tests of /metrics cannot run: {told}"
        );
        // Past libtest, which would swallow it.
        let _ = writeln!(
            std::io::stderr(),
            "\n*** SKIPPED a test of /metrics: {told}"
        );
    }
    found
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics_but_a_name_that_is_in_use() {
    if !is_there("promtool") {
        return;
    }
    let server = with_routes();
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(scrape(&server).as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let found = text_of(&output);
    assert_eq!(
        found.lines().collect::<Vec<_>>(),
        ["rialto_startup_wait_milliseconds use base unit \"seconds\" instead of \"milliseconds\""]
    );
}

#[test]
fn promtool_likes_the_alerts_and_their_tests_pass() {
    if !is_there("promtool") {
        return;
    }
    for words in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts-test.yml"],
    ] {
        let output = Command::new("promtool")
            .args(words)
            .current_dir(folder())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
    }
    let tests = read(folder().join("alerts-test.yml"));
    let alerts = read(folder().join("alerts.yml"));
    let alerts = alerts
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- alert: "));
    let untested: Vec<&str> = alerts.filter(|alert| !tests.contains(alert)).collect();
    assert_eq!(untested, Vec::<&str>::new());
}

/// Ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// It asks for OpenMetrics, and takes nothing that is not to the letter.
#[test]
fn a_real_prometheus_scrapes_it_and_evaluates_the_alerts() {
    if !is_there("prometheus") {
        return;
    }
    let server = with_routes();
    let folder_of_data = tempfile::tempdir().unwrap();
    let config = folder_of_data.path().join("prometheus.yml");
    let text = format!(
        "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [\"{}\"]\nscrape_configs:\n\
         \x20 - job_name: rialto\n    static_configs:\n      - targets: [\"{}\"]\n",
        folder().join("alerts.yml").display(),
        server.api
    );
    std::fs::write(&config, text).unwrap();
    // Taken from whoever has it next, should that be so quick.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let log = std::fs::File::create(folder_of_data.path().join("log")).unwrap();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}/tsdb",
            folder_of_data.path().display()
        ))
        .arg(format!("--web.listen-address={port}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let _prometheus = Running(prometheus);
    let query = |expression: &str| -> Option<Value> {
        let answer = super::get(port, &format!("/api/v1/query?query={expression}"), "").ok()?;
        let answer: Value = serde_json::from_str(&answer.1).ok()?;
        answer["data"]["result"].as_array()?.first().cloned()
    };
    eventually("it is up for Prometheus", || {
        query("up").is_some_and(|up| up["value"][1] == "1")
    });
    for (expression, value) in [
        (
            "rialto_client_received_prefixes%7Bclient=%22third%22,family=%22ipv4%22%7D",
            "7",
        ),
        ("rialto_propagation_written_seconds_count", "0"),
        ("count(rialto_propagation_written_seconds_bucket)", "18"),
    ] {
        eventually(expression, || {
            query(expression).is_some_and(|found| found["value"][1] == value)
        });
    }
    eventually("alerts are evaluated", || {
        query("count(ALERTS%7Balertname=%22RialtoNotReady%22%7D)").is_some()
    });
}
