//! A cache that suddenly has far fewer VRPs: they are used, and it is told until it is put right.

use serde_json::json;

use crate::rtr::cache::{Cache, Says};

use super::{Server, THREE};

/// On a thread of its own, for as long as the tests run.
pub fn cache(says: Says) -> Cache {
    let (report, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio.block_on(async {
            report.send(Cache::start(says).await).ok().unwrap();
            std::future::pending::<()>().await;
        });
    });
    started.recv().unwrap()
}

#[test]
fn vrps_that_shrink_at_once_are_told_until_that_is_put_right() {
    let cache = cache(Says::new(5, 0..20));
    let server = Server::start(&format!(
        "[rpki]\ncaches = [\"{}\"]\n{THREE}",
        cache.address
    ));
    server.data.with(|state| state.core.startup_over = true);
    let warned = |path: &str| server.json(path)["warnings"].clone();
    let vrps = || server.json("/api/v1/feeds")["vrps"].clone();
    server.wait_until("the data are there", || vrps() == 20);
    let steps: [(&str, std::ops::Range<u32>, Option<&str>); 5] = [
        ("a few less are well", 0..18, None),
        (
            "most are gone",
            0..3,
            Some("3 VRPs are in force where there were 18,"),
        ),
        (
            "a few are back",
            0..7,
            Some("7 VRPs are in force where there were 18,"),
        ),
        ("nearly all are back", 0..17, None),
        (
            "most are gone again",
            0..5,
            Some("5 VRPs are in force where there were 17,"),
        ),
    ];
    for (step, numbers, told) in steps {
        let count = numbers.len();
        cache.set(numbers);
        server.wait_until(step, || vrps() == count);
        let (status, ready) = server.get("/readyz");
        assert_eq!(
            status, 200,
            "{step}: they are used, and in nobody's way: {ready}"
        );
        let warnings = warned("/api/v1/feeds");
        assert_eq!(warnings, warned("/readyz"), "{step}");
        let (_, shown) = server.says(&["show", "feeds"]);
        match told {
            None => assert_eq!(warnings, json!([]), "{step}"),
            Some(told) => {
                assert!(
                    warnings[0].as_str().unwrap().starts_with(told),
                    "{step}: {warnings}"
                );
                assert!(
                    shown.contains(&format!("WARNING {told}")),
                    "{step}: {shown}"
                );
            }
        }
    }
    assert_eq!(server.says(&["reload"]).0, 0);
    assert_ne!(
        warned("/readyz"),
        json!([]),
        "whoever reloads from cron has not looked"
    );
    assert_eq!(server.says(&["reload", "--force"]).0, 0);
    assert_eq!(warned("/readyz"), json!([]), "it is right, somebody says");
}
