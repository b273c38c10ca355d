//! VRP files of which less and less counts, though nobody writes new ones.

use std::time::SystemTime;

use rialto::runtime::wall_clock;
use serde_json::json;

use super::THREE;
use super::reloads::with_routes;

fn now_s() -> u64 {
    let since_epoch = wall_clock().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.expect("it is later").as_secs()
}

struct Case {
    name: &'static str,
    /// Of the file, against now.
    age_s: u64,
    /// Of its entry, against now.
    expires_in_s: u64,
    max_age: &'static str,
    told: &'static str,
    is_stale: bool,
}

#[test]
fn what_expires_goes_when_it_does() {
    let cases = [
        Case {
            name: "an entry that is past its end does not count",
            age_s: 0,
            expires_in_s: 3,
            max_age: "",
            told: "all of its entries have expired",
            is_stale: false,
        },
        Case {
            name: "a file older than its bound is stale, and nothing in it counts",
            age_s: 97,
            expires_in_s: 1_000,
            max_age: "max_age_s = 100\n",
            told: "is stale, nothing in it counts any more: it was made more than 100 s ago",
            is_stale: true,
        },
    ];
    for case in cases {
        let name = case.name;
        let server = with_routes();
        let now_s = now_s();
        let roa = json!({
            "prefix": "198.51.0.0/16", "maxLength": 24, "asn": 64_999, "expires": now_s + case.expires_in_s
        });
        let text = json!({"metadata": {"generated": now_s - case.age_s}, "roas": [roa]});
        std::fs::write(server.folder.path().join("vrps.json"), text.to_string()).unwrap();
        server.write_clients(&format!(
            "[rpki]\nvrp_files = [\"vrps.json\"]\n{}[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n",
            case.max_age
        ));
        let (status, text) = server.says(&["reload"]);
        assert_eq!(
            (status, text.contains(case.told)),
            (0, false),
            "{name}: {text}"
        );
        let rejected = || server.json("/api/v1/clients/AS10001-1")["client"]["rejected"].clone();
        let invalid = json!([{"reason": "rpki_invalid", "ipv4": 4, "ipv6": 0}]);
        assert_eq!(rejected(), invalid, "{name}: at first");
        server.wait_until(name, || rejected() == json!([]));
        let ready = server.get("/readyz").1;
        assert!(ready.contains(case.told), "{name}: {ready}");
        let (status, text) = server.says(&["reload"]);
        assert!(status == 0 && text.contains(case.told), "{name}: {text}");
        let feeds = server.json("/api/v1/feeds");
        let file = &feeds["vrp_files"][0];
        assert_eq!(
            (&feeds["vrps"], &file["vrps"]),
            (&json!(0), &json!(0)),
            "{name}"
        );
        assert_eq!(file["stale"], case.is_stale, "{name}");
        assert_eq!(file["expired"], u64::from(!case.is_stale), "{name}");
        let (_, shown) = server.says(&["show", "feeds"]);
        let has_all = shown.contains(case.told) && shown.contains("VRP FILE");
        assert!(has_all, "{name}: {shown}");

        // A new file is as good as the first.
        let roa = json!({"prefix": "198.51.0.0/16", "maxLength": 24, "asn": 64_999});
        std::fs::write(
            server.folder.path().join("vrps.json"),
            json!({"roas": [roa]}).to_string(),
        )
        .unwrap();
        assert_eq!(server.says(&["reload"]).0, 0, "{name}");
        assert_eq!(rejected(), invalid, "{name}: again");
        assert_eq!(server.json("/api/v1/feeds")["lacking"], json!([]), "{name}");
    }
}

/// What stands in for a file that is gone is what was in force, not what was looked at.
#[test]
fn a_reload_that_is_dry_or_refused_takes_no_file_into_use() {
    let server = with_routes();
    let file = server.folder.path().join("vrps.json");
    let write = |origins: &[u32]| {
        let roa = |asn| json!({"prefix": "198.51.0.0/16", "maxLength": 24, "asn": asn});
        let roas: Vec<_> = origins.iter().map(roa).collect();
        std::fs::write(&file, json!({"roas": roas}).to_string()).unwrap();
    };
    server.write_clients(&format!("[rpki]\nvrp_files = [\"vrps.json\"]\n{THREE}"));
    write(&[10_001, 10_002]);
    assert_eq!(server.says(&["reload"]).0, 0);
    write(&[64_999]);
    let dry = server.says(&["reload", "--dry-run"]);
    let refused = server.says(&["reload", "--max-rejected", "0"]);
    assert_eq!((dry.0, refused.0), (0, 1), "{} {}", dry.1, refused.1);
    assert_eq!(server.json("/api/v1/feeds")["vrp_files"][0]["vrps"], 2);
    std::fs::remove_file(&file).unwrap();
    let (status, text) = server.says(&["reload"]);
    let is_kept = text.contains("what it said before stays in use");
    assert!(status == 0 && is_kept, "{text}");
    let client = server.json("/api/v1/clients/AS10001-1");
    assert_eq!(client["client"]["rejected"], json!([]));
}

#[test]
fn a_vrp_file_that_is_none_keeps_nobody_waiting() {
    let server = with_routes();
    let fifo = server.folder.path().join("vrps.json");
    let made = std::process::Command::new("mkfifo").arg(fifo).status();
    assert!(made.unwrap().success());
    server.write_clients(&format!("[rpki]\nvrp_files = [\"vrps.json\"]\n{THREE}"));
    let (status, text) = server.says(&["reload"]);
    let told = "vrps.json: it is no regular file; there is nothing to use in its place";
    assert!(status == 0 && text.contains(told), "{text}");
    assert_eq!(server.says(&["client", "third", "disable"]).0, 0);
}
