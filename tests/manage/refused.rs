//! New data from files that is refused: told until it, or other data, is in force.

use serde_json::json;

use super::THREE;
use super::reloads::with_routes_under;

#[test]
fn what_is_refused_is_told_until_it_is_taken_or_put_right() {
    let sections = "[irr]\nwatch_s = 1\n[reload]\nmax_rejected = 0\n";
    let server = with_routes_under(sections);
    server.data.with(|state| state.core.startup_over = true);
    let write = |asns: &[u32]| {
        let roa =
            |asn: &u32| json!({"prefix": "198.51.0.0/16", "maxLength": 24, "asn": asn}).to_owned();
        let roas: Vec<_> = asns.iter().map(roa).collect();
        let text = json!({ "roas": roas }).to_string();
        std::fs::write(server.folder.path().join("vrps.json"), text).unwrap();
    };
    write(&[10_001, 10_002]);
    server.write_clients(&format!(
        "{sections}[rpki]\nvrp_files = [\"vrps.json\"]\n{THREE}"
    ));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");

    let told = |path: &str| server.json(path)["warnings"].to_string();
    let gauge = || {
        let (_, metrics) = server.get("/metrics");
        let mut lines = metrics.lines();
        let line = lines.find(|line| line.starts_with("rialto_feeds_refused"));
        line.unwrap().to_owned()
    };
    let is_told = |is_refused: bool| {
        let feeds = || told("/api/v1/feeds");
        let what = "2 of 6 accepted paths would be rejected or withdrawn";
        server.wait_until("it is looked at", || feeds().contains(what) == is_refused);
        let (status, text) = server.says(&["show", "feeds"]);
        assert_eq!(status, 0, "{text}");
        let expected =
            "WARNING new data from files was refused, what was there before is in use: 2 of 6";
        assert_eq!(text.contains(expected), is_refused, "{text}");
        // What was there before is good.
        assert_eq!(server.get("/readyz").0, 200);
        assert_eq!(told("/readyz").contains(what), is_refused);
        let count = u8::from(is_refused);
        assert_eq!(gauge(), format!("rialto_feeds_refused {count}"));
    };
    is_told(false);
    write(&[10_001]);
    is_told(true);
    write(&[10_001, 10_002]);
    is_told(false);
    write(&[10_001]);
    is_told(true);
    let (status, text) = server.says(&["reload", "--force"]);
    assert_eq!(status, 0, "{text}");
    is_told(false);
}
