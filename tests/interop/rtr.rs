//! The RTR client and StayRTR, on loopback of a namespace. The client's side is this test again, run
//! within the namespace.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rialto::base::Asn;
use rialto::outside::rtr::{CacheState, RtrCaches, RtrConfig};
use rialto::policy::Vrp;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::lan::{Lan, run_in};
use super::member::{SERVER_V4, SERVER_V6};
use super::program::{Program, wait_for};

pub const STAYRTR: &str = "/usr/bin/stayrtr";
const ADDRESS: &str = "127.0.0.1:8282";
/// Tells the test that it is within the namespace, and where the cache's file is.
const FILE_OF: &str = "RIALTO_INTEROP_VRP_FILE";
/// StayRTR looks at its file each second.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn stayrtr_is_loaded_and_its_changes_arrive() {
    if let Some(file) = std::env::var_os(FILE_OF) {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return tokio
            .expect("a runtime")
            .block_on(talk_to_stayrtr(file.into()));
    }
    let Some(_turn) = super::turn_with(&[(STAYRTR, "stayrtr")]) else {
        return;
    };
    let mut lan = Lan::new();
    let place = lan.join("rtr", SERVER_V4, SERVER_V6);
    let file = place.directory.join("vrps.json");
    write(&file, &vrps(0..1000), json!({}));
    let path = file.display().to_string();
    let words = [
        STAYRTR,
        "-bind",
        ADDRESS,
        "-cache",
        &path,
        "-refresh",
        "1",
        "-checktime=false",
    ];
    let mut stayrtr = Program::start(&place, "stayrtr", &words, &[]);
    wait_for("StayRTR to listen", PATIENCE, || {
        if stayrtr.has_ended() {
            return Err("it has ended".to_owned());
        }
        let sockets = run_in(&place.namespace, &["ss", "-Hltn", "sport", "=", ":8282"])?;
        match sockets.is_empty() {
            true => Err("no socket".to_owned()),
            false => Ok(()),
        }
    });
    let itself = std::env::current_exe()
        .expect("this test")
        .display()
        .to_string();
    let name = "rtr::stayrtr_is_loaded_and_its_changes_arrive";
    let words = [&itself, "--exact", name, "--nocapture"];
    let mut client = Program::start(&place, "client", &words, &[(FILE_OF, &path)]);
    wait_for("the client", 4 * PATIENCE, || match client.has_ended() {
        true => Ok(()),
        false => Err("it has not ended".to_owned()),
    });
    let is_well = client.terminate(Duration::from_secs(1));
    assert!(is_well, "{}", client.log());
}

async fn talk_to_stayrtr(file: PathBuf) {
    let address = ADDRESS.parse().expect("an address");
    let caches = RtrCaches::start(RtrConfig::new(vec![address], Duration::from_secs(600)));
    wait_for_vrps(&caches, &vrps(0..1000)).await;
    let status = caches.statuses().swap_remove(0);
    assert_eq!(status.state, CacheState::Synchronised);
    assert_eq!(status.last_error, None);
    let (session, serial) = (status.session, status.serial);

    // Some go, many come.
    write(&file, &vrps(500..50_000), json!({}));
    wait_for_vrps(&caches, &vrps(500..50_000)).await;
    let status = caches.statuses().swap_remove(0);
    assert_eq!(status.session, session, "the session goes on");
    assert_ne!(status.serial, serial);
    assert_eq!(status.last_error, None);

    // StayRTR 0.5.1 has ASPA PDUs of an old draft; VRPs must arrive all the same.
    let of_family = json!([{"customer_asid": 64496, "providers": [64499, 64500]}]);
    let aspas = json!({"ipv4": of_family, "ipv6": of_family});
    write(
        &file,
        &vrps(0..700),
        json!({"provider_authorizations": aspas}),
    );
    wait_for_vrps(&caches, &vrps(0..700)).await;
    let feed = caches.feed().borrow().clone().expect("a feed");
    if feed.has_aspa {
        let providers = [Asn(64499), Asn(64500)];
        assert_eq!(feed.aspas.providers(Asn(64496)), Some(&providers[..]));
        assert_eq!(feed.aspas.len(), 1);
    }
}

async fn wait_for_vrps(caches: &RtrCaches, due: &BTreeSet<Vrp>) {
    let mut feed = caches.feed();
    let is_there = feed.wait_for(|feed| {
        (feed.as_ref()).is_some_and(|feed| feed.vrps.iter().eq(due.iter().copied()))
    });
    match timeout(PATIENCE, is_there).await {
        Ok(found) => drop(found.expect("the tasks run")),
        Err(_) => panic!("waited for {} VRPs: {:?}", due.len(), caches.statuses()),
    }
}

/// Of both families.
fn vrps(numbers: std::ops::Range<u32>) -> BTreeSet<Vrp> {
    let vrp = |number: u32| {
        let (prefix, max_len) = match number % 3 {
            0 => (
                format!(
                    "{}/48",
                    Ipv6Addr::from(0x2a10_u128 << 112 | u128::from(number) << 80)
                ),
                64,
            ),
            _ => (
                format!("{}/24", Ipv4Addr::from(0x1400_0000 + (number << 8))),
                24 + (number % 2) as u8,
            ),
        };
        Vrp {
            prefix: prefix.parse().expect("a prefix"),
            max_len,
            asn: Asn(64496 + number % 11),
        }
    };
    numbers.map(vrp).collect()
}

/// As rpki-client does: a whole file takes the place of the one before.
pub fn write(file: &Path, vrps: &BTreeSet<Vrp>, mut top: Value) {
    let roa = |vrp: &Vrp| {
        json!({
            "asn": vrp.asn, "prefix": vrp.prefix, "maxLength": vrp.max_len,
            "ta": "test", "expires": 4_000_000_000u32,
        })
    };
    top["metadata"] = json!({"buildtime": "2026-01-01T00:00:00Z"});
    top["roas"] = vrps.iter().map(roa).collect();
    let new = file.with_extension("new");
    std::fs::write(&new, top.to_string()).expect("a file of VRPs");
    std::fs::rename(new, file).expect("a new file of VRPs");
}
