//! Data from outside that a reload takes back, or away.

use serde_json::json;

use crate::rtr::cache::Says;

use super::reloads::with_routes;
use super::shrink::cache;
use super::{Server, THREE};

fn vrps(server: &Server) -> Option<Vec<String>> {
    server.data.with(|state| {
        let vrps = state.exchange.outside.vrps.as_ref()?;
        Some(vrps.iter().map(|vrp| vrp.prefix.to_string()).collect())
    })
}

fn write_vrps(server: &Server, prefix: &str) {
    let text = json!({"roas": [{"prefix": prefix, "maxLength": 24, "asn": 64_999}]});
    std::fs::write(server.folder.path().join("vrps.json"), text.to_string()).unwrap();
}

#[test]
fn what_a_cache_said_goes_and_comes_back_with_the_cache() {
    const FILE: &str = "[rpki]\nvrp_files = [\"vrps.json\"]\n";
    const CACHE: &str = "[rpki]\ncaches = [CACHE]\n";
    let both = format!("{FILE}caches = [CACHE]\n");
    let cache = cache(Says::new(5, 0..2));
    let of_cache = ["10.0.0.0/24", "10.0.1.0/24"];
    let of_file = ["203.0.113.0/24"];
    let of_both = [&of_cache[..], &of_file].concat();
    let server = Server::start(THREE);
    write_vrps(&server, of_file[0]);
    type Step<'a> = (&'a str, &'a str, &'a [&'a str], Option<&'a [&'a str]>);
    let reload = |(step, section, words, due): Step<'_>| {
        let section = section.replace("CACHE", &format!("\"{}\"", cache.address));
        server.write_clients(&format!("{section}{THREE}"));
        let (status, text) = server.says(&[&["reload"], words].concat());
        assert_eq!(status, 0, "{step}: {text}");
        let due = due.map(|due| due.iter().map(|it| it.to_string()).collect());
        server.wait_until(step, || vrps(&server) == due);
    };
    let is_taken_back = || server.json("/api/v1/summary")["unconfirmed_s"].is_null();
    reload(("both are heard", &both, &[], Some(&of_both)));
    reload(("the file stays", FILE, &[], Some(&of_file)));
    let confirm = &["--confirm", "1s"];
    reload(("for the time being", &both, confirm, Some(&of_both)));
    server.wait_until("it is taken back", is_taken_back);
    assert_eq!(vrps(&server).unwrap(), of_file, "that of the cache with it");
    reload(("the cache instead", CACHE, &[], Some(&of_cache)));
    // From now on it says nothing that could be heard anew.
    cache.says().has_data = false;
    reload(("away for the time being", "", confirm, None));
    server.wait_until("it is taken back", is_taken_back);
    assert_eq!(vrps(&server).unwrap(), of_cache, "as before");
    reload(("no source, no data", "", &[], None));
    let other = "[rpki]\ncaches = [\"127.0.0.1:9\"]\n";
    reload(("those of another are not its", other, &[], None));
}

#[test]
fn vrp_files_that_a_reload_read_are_taken_back_with_it() {
    let server = with_routes();
    let one = "[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n";
    server.write_clients(&format!("[rpki]\nvrp_files = [\"vrps.json\"]\n{one}"));
    write_vrps(&server, "203.0.113.0/24");
    assert_eq!(server.says(&["reload"]).0, 0);
    let rejected = || server.json("/api/v1/clients/AS10001-1")["client"]["rejected"].clone();
    assert_eq!(rejected(), json!([]));
    write_vrps(&server, "198.51.0.0/16");
    assert_eq!(server.says(&["reload", "--confirm", "1s"]).0, 0);
    assert_eq!(rejected()[0]["reason"], "rpki_invalid");
    server.wait_until("it is taken back", || rejected() == json!([]));
    // The file is still the one that was taken back.
    assert_eq!(server.says(&["reload"]).0, 0);
    assert_eq!(rejected()[0]["reason"], "rpki_invalid");
}

#[test]
fn files_that_were_taken_back_wait_for_the_operator() {
    let server = with_routes();
    let irr = server.folder.path().join("irr");
    std::fs::create_dir(&irr).unwrap();
    std::fs::write(irr.join("AS-A.origins.json"), "{\"NN\": [10001]}").unwrap();
    let write = |prefix: &str| {
        let text = json!({"NN": [{"prefix": prefix, "exact": false}]}).to_string();
        std::fs::write(irr.join("AS-A.v4.json"), text).unwrap();
    };
    write("198.51.0.0/16");
    let one = "[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\nirr.as_sets = [\"AS-A\"]\n\
               irr.allow_longer_prefixes = true\n";
    server.write_clients(&format!("[irr]\nwatch_s = 1\n{one}"));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    let rejected = || server.json("/api/v1/clients/AS10001-1")["client"]["rejected"].clone();
    assert_eq!(rejected(), json!([]));
    write("203.0.113.0/24");
    assert_eq!(server.says(&["reload", "--confirm", "1s"]).0, 0);
    assert_eq!(rejected()[0]["reason"], "irr_prefix");
    server.wait_until("it is taken back", || rejected() == json!([]));
    server.look_at_files();
    assert_eq!(rejected(), json!([]));
    let told = "new files from outside are not taken until the next rialto reload";
    for words in [server.get("/readyz").1, server.says(&["show", "feeds"]).1] {
        assert!(words.contains(told), "{words}");
    }
    assert_eq!(server.says(&["reload"]).0, 0);
    assert_eq!(rejected()[0]["reason"], "irr_prefix");
    assert!(!server.get("/readyz").1.contains(told));
    write("198.51.0.0/16");
    server.wait_until("it is watched again", || rejected() == json!([]));
}
