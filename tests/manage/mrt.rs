//! MRT files, read back by others: the crate bgpkit-parser and, where it is there, Debian's bgpdump.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bgpkit_parser::BgpkitParser;
use bgpkit_parser::models::{BgpElem, ElemType, MrtMessage};
use rialto::base::{Asn, Family, FamilySet, PathId, Prefix};
use rialto::policy::RejectReason;
use rialto::server::query::TappedWhat;
use rialto::session::DownReason;
use rialto::wire::testing::SetBuilder;
use rialto::wire::{
    AttributeSet, EncodingClass, KeepAll, MessageForm, MrtSession, TimeOfDay, Variant,
    encode_announcements, encode_attributes, encode_mrt_message, encode_withdrawals,
};

use super::{HEAD, Server, THREE};

const SIX: &str = "[[client]]\nasn = 4200000001\naddress = \"2001:db8::4\"\n";

fn server(mrt: &str) -> Server {
    let server = Server::start(&format!("[mrt]\ndirectory = \"mrt\"\n{mrt}{THREE}{SIX}"));
    (0..4).for_each(|slot| server.data.up(slot));
    server
}

fn files(server: &Server) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(server.folder.path().join("mrt")) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Waits for what a server does of itself.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{what}: not within thirty seconds");
}

fn parser(file: &Path) -> BgpkitParser<std::fs::File> {
    BgpkitParser::from_reader(std::fs::File::open(file).unwrap())
}

/// One line for each route that is announced or withdrawn.
fn elems(file: &Path) -> Vec<BgpElem> {
    parser(file).into_iter().collect()
}

fn line(elem: &BgpElem) -> String {
    let path = elem
        .as_path
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let next_hop = elem.next_hop.map(|it| it.to_string()).unwrap_or_default();
    let kind = match elem.elem_type {
        ElemType::ANNOUNCE => "A",
        ElemType::WITHDRAW => "W",
    };
    format!(
        "{kind}|{}|{}|{}|{path}|{next_hop}",
        elem.peer_ip, elem.peer_asn, elem.prefix
    )
}

/// The same of bgpdump; `None`: it is not installed.
fn bgpdump(file: &Path) -> Option<Vec<String>> {
    let output = Command::new("bgpdump")
        .args(["-m", "-t", "change"])
        .arg(file)
        .output();
    let Ok(output) = output else {
        eprintln!("LEFT OUT: bgpdump is not installed");
        let ci = std::env::var("CI");
        assert_ne!(ci.as_deref(), Ok("true"), "CI leaves nothing out");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

fn set_of(asns: &[u32], next_hop: IpAddr) -> Arc<AttributeSet> {
    let set = SetBuilder::new()
        .as_path(asns)
        .communities(&[(9, 9)])
        .large(&[(1, 2, 3)]);
    match next_hop {
        IpAddr::V4(next_hop) => set.next_hop(next_hop).build(),
        IpAddr::V6(next_hop) => set.next_hop(next_hop).build(),
    }
}

fn v4(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

#[test]
fn a_dump_has_all_accepted_paths_grouped_by_prefix() {
    let server = server("");
    let v6: Ipv6Addr = "2001:db8::4".parse().unwrap();
    let data = &server.data;
    data.announce(0, "203.0.113.0/24", &set_of(&[10001, 7], v4(1)), None);
    data.announce(
        1,
        "203.0.113.0/24",
        &set_of(&[10002, 4200000009], v4(2)),
        None,
    );
    data.announce(1, "198.51.100.0/22", &set_of(&[10002], v4(2)), None);
    data.announce(3, "2a00:100::/32", &set_of(&[4200000001], v6.into()), None);
    let rejected = Some(RejectReason::BogonPrefix);
    data.announce(2, "10.0.0.0/8", &set_of(&[10003], v4(3)), rejected);
    let (status, text) = server.says(&["dump"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains(": 3 prefixes, 4 paths, "), "{text}");
    let [file] = &files(&server)[..] else {
        panic!("{:?}", files(&server));
    };
    assert!(text.contains(file.to_str().unwrap()), "{text}");
    let name = name(file);
    assert!(
        name.starts_with("rib.20") && name.ends_with(".mrt"),
        "{name}"
    );

    let due: BTreeSet<String> = [
        "A|192.0.2.1|10001|203.0.113.0/24|10001 7|192.0.2.1",
        "A|192.0.2.2|10002|203.0.113.0/24|10002 4200000009|192.0.2.2",
        "A|192.0.2.2|10002|198.51.100.0/22|10002|192.0.2.2",
        "A|2001:db8::4|4200000001|2a00:100::/32|4200000001|2001:db8::4",
    ]
    .map(str::to_owned)
    .into();
    let read = elems(file);
    assert_eq!(read.iter().map(line).collect::<BTreeSet<_>>(), due);
    let communities = |elem: &BgpElem| elem.communities.as_ref().map(Vec::len);
    assert!(read.iter().all(|elem| communities(elem) == Some(2)));
    let records = parser(file).into_record_iter();
    assert_eq!(records.count(), 4, "the index, and one for each prefix");

    if let Some(lines) = bgpdump(file) {
        // TABLE_DUMP2|time|B|peer|asn|prefix|path|origin|next hop|…
        let short = |line: &String| {
            let f: Vec<&str> = line.split('|').collect();
            format!("A|{}|{}|{}|{}|{}", f[3], f[4], f[5], f[6], f[8])
        };
        assert_eq!(lines.iter().map(short).collect::<BTreeSet<_>>(), due);
        assert!(lines.iter().all(|line| line.contains("|9:9")), "{lines:?}");
    }
}

#[test]
fn rejected_paths_are_in_a_dump_where_that_is_wanted_and_a_name_is_used_once() {
    let server = server("rejected = true\n");
    let rejected = Some(RejectReason::BogonPrefix);
    server
        .data
        .announce(2, "10.0.0.0/8", &set_of(&[10003], v4(3)), rejected);
    for _ in 0..3 {
        let (status, text) = server.says(&["dump"]);
        assert_eq!(status, 0, "{text}");
    }
    let files = files(&server);
    assert_eq!(files.len(), 3);
    for file in files {
        let lines: Vec<_> = elems(&file).iter().map(line).collect();
        assert_eq!(lines, ["A|192.0.2.3|10003|10.0.0.0/8|10003|192.0.2.3"]);
    }
}

#[test]
fn what_cannot_be_dumped_is_told() {
    let server = Server::start(THREE);
    let (status, text) = server.says(&["dump"]);
    assert_eq!(status, 1);
    assert!(text.contains("[mrt] directory"), "{text}");
    // A reload says where; and a file is in the way.
    server.write_clients(&format!("[mrt]\ndirectory = \"rialto.toml\"\n{THREE}"));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("mrt"), "{text}");
    let (status, text) = server.says(&["dump"]);
    assert_eq!(status, 1);
    assert!(text.contains("rialto.toml failed: "), "{text}");
    server.write_clients(&format!("[mrt]\ndirectory = \"mrt\"\n{THREE}"));
    server.says(&["reload"]);
    let (_, _) = server.says(&["dump"]);
    server.data.with(|state| state.is_silent = true);
    let (status, text) = server.says(&["dump"]);
    assert_eq!(
        (status, text.as_str()),
        (1, "the table dump failed: gone\n")
    );
    let left = files(&server);
    assert_eq!(left.len(), 1, "nothing half done stays: {left:?}");
}

fn update(set: &AttributeSet, prefixes: &[&str], class: EncodingClass) -> TappedWhat {
    let mut attributes = Vec::new();
    let (variant, asn) = (Variant::default(), rialto::base::Asn(0));
    encode_attributes(&mut attributes, set, variant, asn, &class, &KeepAll);
    let prefixes: Vec<Prefix> = prefixes.iter().map(|it| it.parse().unwrap()).collect();
    let family = prefixes[0].family();
    let mut nlri = prefixes.into_iter().map(|prefix| (prefix, None));
    let mut out = Vec::new();
    encode_announcements(
        &mut out,
        &class,
        &attributes,
        set.next_hop(),
        family,
        &mut nlri,
    );
    TappedWhat::Received(out.into())
}

#[test]
fn updates_and_session_changes_are_streamed_to_files_that_are_cut_by_time() {
    let server = server("updates_interval_s = 0\nsent_to = [\"third\"]\n");
    server.data.session(0);
    server.data.session_of(1, false);
    server.data.session(2);
    let text = format!(
        "[mrt]\ndirectory = \"mrt\"\nupdates_interval_s = 10\nsent_to = [\"third\"]\n{THREE}{SIX}"
    );
    server.write_clients(&text);
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    wait("it asks", || {
        server
            .data
            .with(|state| (state.questions > 0).then_some(()))
    });

    let plain = EncodingClass::PLAIN;
    let narrow = EncodingClass {
        four_octet: false,
        ..plain
    };
    let data = &server.data;
    data.tap(
        0,
        update(
            &set_of(&[10001, 4200000009], v4(1)),
            &["203.0.113.0/24"],
            plain,
        ),
    );
    data.tap(
        1,
        update(
            &set_of(&[10002, 4200000009], v4(2)),
            &["203.0.112.0/24"],
            narrow,
        ),
    );
    let mut withdrawal = Vec::new();
    let mut gone = std::iter::once(("203.0.113.0/24".parse().unwrap(), None));
    encode_withdrawals(&mut withdrawal, &plain, Family::Ipv4, &mut gone);
    data.tap(0, TappedWhat::Received(withdrawal.into()));
    let TappedWhat::Received(sent) = update(&set_of(&[10001], v4(1)), &["203.0.113.0/24"], plain)
    else {
        unreachable!()
    };
    data.tap(2, TappedWhat::Sent(sent));
    data.tap(0, TappedWhat::Down(DownReason::PeerClosed));
    let up = server.data.session(0);
    data.tap(0, TappedWhat::Up(up));

    let file = wait("a whole file", || {
        let files = files(&server);
        files
            .into_iter()
            .find(|file| !name(file).ends_with(".part"))
    });
    assert!(name(&file).starts_with("updates.20"), "{file:?}");
    let due = [
        "A|192.0.2.1|10001|203.0.113.0/24|10001 4200000009|192.0.2.1",
        // bgpkit-parser shows the two-octet path where AS4_PATH is not merged.
        "A|192.0.2.2|10002|203.0.112.0/24|10002 4200000009|192.0.2.2",
        "W|192.0.2.1|10001|203.0.113.0/24||",
        "A|192.0.2.3|10003|203.0.113.0/24|10001|192.0.2.1",
    ];
    let read: Vec<String> = elems(&file).iter().map(line).collect();
    assert_eq!(read, due);
    let records = parser(&file).into_record_iter();
    let records: Vec<_> = records.collect();
    assert_eq!(records.len(), 6);
    let states = records.iter().filter(|record| match &record.message {
        MrtMessage::Bgp4Mp(message) => {
            matches!(message, bgpkit_parser::models::Bgp4MpEnum::StateChange(_))
        }
        _ => false,
    });
    assert_eq!(states.count(), 2);
    assert!(
        records
            .iter()
            .all(|r| r.common_header.microsecond_timestamp.is_some())
    );

    if let Some(lines) = bgpdump(&file) {
        let announced = lines.iter().filter(|line| line.contains("|A|")).count();
        let withdrawn = lines.iter().filter(|line| line.contains("|W|")).count();
        let states: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("|STATE|"))
            .collect();
        assert_eq!(announced, 3, "{lines:#?}");
        let sent: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("_LOCAL|"))
            .collect();
        assert!(
            sent.len() == 1 && sent[0].contains("|192.0.2.3|10003|"),
            "{sent:?}"
        );
        assert_eq!((withdrawn, states.len()), (1, 2), "{lines:#?}");
        assert!(
            states[0].ends_with("|6|1") && states[1].ends_with("|5|6"),
            "{states:?}"
        );
        let narrow = lines.iter().find(|line| line.contains("203.0.112.0/24"));
        assert!(narrow.unwrap().contains("|10002 4200000009|"), "{narrow:?}");
    }
}

#[test]
fn a_stream_that_is_broken_off_has_what_came_before() {
    let server = server("updates_interval_s = 3600\n");
    wait("it asks", || {
        server
            .data
            .with(|state| (state.questions > 0).then_some(()))
    });
    let up = server.data.session(0);
    server.data.tap(0, TappedWhat::Up(up));
    let set = set_of(&[10001], v4(1));
    server
        .data
        .tap(0, update(&set, &["203.0.113.0/24"], EncodingClass::PLAIN));
    wait("a file", || files(&server).first().cloned());
    let directory = server.folder.path().join("mrt");
    server.stop(|| {
        let entries = std::fs::read_dir(&directory).unwrap();
        let left: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        let [file] = &left[..] else {
            panic!("{left:?}");
        };
        assert!(name(file).ends_with(".mrt"), "{file:?}");
        assert_eq!(elems(file).len(), 1);
    });
}

#[test]
fn a_stream_goes_on_when_its_directory_can_be_written_to_again() {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| server.data.up(slot));
    let in_the_way = server.folder.path().join("mrt");
    std::fs::write(&in_the_way, "no directory").unwrap();
    let mrt = "[mrt]\ndirectory = \"mrt\"\nupdates_interval_s = 10\n";
    server.write_clients(&format!("{mrt}{THREE}"));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    let asked = || {
        server
            .data
            .with(|state| (state.questions > 0).then_some(()))
    };
    wait("it asks", asked);
    let up = server.data.session(0);
    server.data.tap(0, TappedWhat::Up(up));
    let set = set_of(&[10001], v4(1));
    let say = || {
        let said = update(&set, &["203.0.113.0/24"], EncodingClass::PLAIN);
        server.data.tap(0, said);
    };
    say();
    let (status, text) = server.says(&["dump"]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("mrt failed: "), "{text}");
    assert_eq!(server.get("/api/v1/summary").0, 200, "nobody else notices");

    std::fs::remove_file(&in_the_way).unwrap();
    // The next interval tries again.
    let file = (0..3).find_map(|_| {
        let mut looks = 0;
        wait("a whole file", || {
            say();
            looks += 1;
            let files = files(&server);
            let whole = files.into_iter().find(|file| name(file).ends_with(".mrt"));
            match whole {
                None if looks == 199 => Some(None),
                whole => whole.map(Some),
            }
        })
    });
    assert!(!elems(&file.expect("a whole file")).is_empty());
}

#[test]
fn wrong_words_about_files_are_told() {
    let cases = [
        ("[mrt]\n", "mrt.directory: is missing"),
        (
            "[mrt]\ndirectory = \"m\"\ninterval_s = 59\n",
            "60 is the least",
        ),
        (
            "[mrt]\ndirectory = \"m\"\nupdates_interval_s = 3\n",
            "10 is the least",
        ),
        (
            "[mrt]\ndirectory = \"m\"\nsent_to = [\"fourth\"]\n",
            "there is no client 'fourth'",
        ),
    ];
    for (section, due) in cases {
        let text = format!("{HEAD}{section}{THREE}");
        let problems = rialto::config::from_text(Path::new("x.toml"), &text).unwrap_err();
        assert!(problems.to_string().contains(due), "{section}: {problems}");
    }
}

#[test]
fn messages_of_every_form_are_read_back() {
    let plain = EncodingClass::PLAIN;
    let session = MrtSession {
        peer_asn: Asn(10001),
        local_asn: Asn(64500),
        peer: v4(1),
        local: v4(254),
    };
    let set = set_of(&[10001, 7], v4(1));
    for form in 0..8u8 {
        let form = MessageForm {
            four_octet: form & 1 > 0,
            add_path: form & 2 > 0,
            is_local: form & 4 > 0,
        };
        let add_path = if form.add_path {
            FamilySet::ALL
        } else {
            FamilySet::EMPTY
        };
        let class = EncodingClass {
            four_octet: form.four_octet,
            add_path,
            ..plain
        };
        let mut attributes = Vec::new();
        encode_attributes(
            &mut attributes,
            &set,
            Variant::default(),
            Asn(0),
            &class,
            &KeepAll,
        );
        let prefix: Prefix = "203.0.113.0/24".parse().unwrap();
        let mut nlri = std::iter::once((prefix, Some(PathId(9))));
        let mut message = Vec::new();
        let (next_hop, family) = (set.next_hop(), Family::Ipv4);
        encode_announcements(
            &mut message,
            &class,
            &attributes,
            next_hop,
            family,
            &mut nlri,
        );
        let mut record = Vec::new();
        let at = TimeOfDay {
            seconds: 1_700_000_000,
            micros: 250_000,
        };
        encode_mrt_message(&mut record, at, &session, form, &message);
        let read: Vec<_> = BgpkitParser::from_reader(&record[..]).into_iter().collect();
        let lines: Vec<_> = read.iter().map(line).collect();
        let due = "A|192.0.2.1|10001|203.0.113.0/24|10001 7|192.0.2.1";
        assert_eq!(lines, [due], "{form:?}");
        assert_eq!(
            read[0].prefix.path_id,
            form.add_path.then_some(9),
            "{form:?}"
        );
        assert_eq!(read[0].timestamp, 1_700_000_000.25, "{form:?}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.mrt");
        std::fs::write(&file, &record).unwrap();
        if let Some(lines) = bgpdump(&file) {
            // It shows those with both as if they came from us.
            let is_shown = form.is_local && !form.add_path;
            let is_local = |line: &String| line.contains("_LOCAL|") == is_shown;
            let is_due = |line: &String| is_local(line) && line.contains("203.0.113.0/24");
            assert!(
                lines.len() == 1 && lines.iter().all(is_due),
                "{form:?}: {lines:?}"
            );
        }
    }
}
