//! What a client registered and what it announces, one against the other.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rialto::policy::{IrrOriginClass, IrrPrefixClass, PrefixClass, RejectReason};
use rialto::wire::AttributeSet;
use rialto::wire::testing::SetBuilder;
use serde_json::json;

use super::chromium::Page;
use super::looks::contrast;
use super::{go, with_page_of};
use crate::manage::Server;

const AURORA: &str =
    "[[client]]\nasn = 10000\naddress = \"192.0.2.1\"\nname = \"aurora-fibre-1\"\n";
const OTHERS: &str = "[[client]]\nasn = 10001\naddress = \"192.0.2.2\"\nname = \"baltic-cloud-1\"\n\
     [[client]]\nasn = 10002\naddress = \"192.0.2.3\"\nname = \"canal-hosting-1\"\n";

fn of(path: &[u32]) -> Arc<AttributeSet> {
    let next_hop = Ipv4Addr::new(192, 0, 2, 1);
    SetBuilder::new().next_hop(next_hop).as_path(path).build()
}

/// Each entry of the configuration, and 60 of which nothing is announced.
fn registered() -> String {
    let entries = [
        "20.40.0.0/16{16,20}",
        "20.41.0.0/16",
        "20.42.8.0/22",
        "20.43.0.0/24",
        "20.44.0.0/20+",
        "20.45.0.0/20",
        "20.46.0.0/19",
    ];
    let entries = entries.map(str::to_owned).into_iter();
    let all = entries.chain((0..60).map(|third| format!("20.60.{third}.0/24")));
    let quoted = all.map(|entry| format!("\"{entry}\""));
    quoted.collect::<Vec<_>>().join(", ")
}

/// The first client announces this and that, and its IRR data is there; the second is not checked; the
/// third one's data is not there.
fn exchange() -> Server {
    let server = Server::start(&format!("{AURORA}{OTHERS}"));
    (0..3).for_each(|slot| server.data.up(slot));
    server.data.with(|state| state.core.startup_over = true);
    let own = of(&[10_000]);
    for prefix in [
        "20.40.0.0/16",
        "20.40.64.0/24",
        "20.42.0.0/16",
        "20.44.3.0/24",
        "20.45.0.0/21",
    ] {
        server.data.announce(0, prefix, &own, None);
    }
    let other = of(&[10_000, 10_099]);
    server.data.announce(0, "20.41.0.0/16", &other, None);
    let vrps = json!({"roas": [
        {"prefix": "20.40.0.0/16", "maxLength": 20, "asn": 10000},
        {"prefix": "20.41.0.0/16", "maxLength": 16, "asn": 10000},
        {"prefix": "20.44.0.0/20", "maxLength": 24, "asn": 64497},
    ]});
    std::fs::write(server.folder.path().join("vrps.json"), vrps.to_string()).unwrap();
    server.write_clients(&format!(
        "[rpki]\nvrp_files = [\"vrps.json\"]\n{AURORA}irr.prefixes = [{}]\nirr.origins = [10000]\n{OTHERS}irr.as_sets = [\"AS-CANAL\"]\n",
        registered()
    ));
    let (status, text) = server.says(&["reload"]);
    assert_eq!(status, 0, "{text}");
    server
}

const REPORT: &str = "#/report/aurora-fibre-1";
const THREE_TABLES: &str = "document.querySelectorAll('table.report').length === 3";

/// One report, and another one later, in which there is more.
fn aged() -> Server {
    let server = exchange();
    let pass = |seconds| {
        let ask = || server.json("/api/v1/clients/aurora-fibre-1/report");
        ask();
        let span = Duration::from_secs(seconds);
        server.data.with(|state| state.now = state.now + span);
    };
    let unregistered = PrefixClass::rejected(RejectReason::IrrPrefix)
        .with_irr_prefix(IrrPrefixClass::NotPresent)
        .with_irr_origin(IrrOriginClass::Present);
    let hear = |prefix| {
        server
            .data
            .hear(0, prefix, Some(&of(&[10_000])), unregistered)
    };
    pass(6 * 86_400 + 4 * 3_600);
    hear("20.43.0.0/23");
    pass(3 * 3_600);
    hear("20.99.0.0/16");
    server
}

/// Texts of the cells of a section's row that has this prefix.
fn cells(page: &mut Page<'_>, heading: &str, prefix: &str) -> Vec<String> {
    let script = format!(
        "[...[...document.querySelectorAll('main section')].find(one => one.querySelector('h2').innerText.startsWith({heading:?}))\
         .querySelectorAll('tbody tr')].find(row => row.cells[0].innerText === {prefix:?}) ?.cells"
    );
    let texts = page.eval(&format!(
        "[...({script} ?? [])].map(cell => cell.innerText.replaceAll('\\n', ' '))"
    ));
    let texts = texts.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_click_on_the_clients_page_leads_to_what_does_not_match_in_groups() {
    with_page_of(aged, |_, page| {
        go(
            page,
            "#/client/aurora-fibre-1",
            "document.querySelector('nav[aria-label=Report] a')",
        );
        page.click("nav[aria-label=Report] a");
        page.wait(THREE_TABLES);
        assert_eq!(page.text("h1"), "aurora-fibre-1");
        let headings = page.eval("[...document.querySelectorAll('h2')].map(one => one.innerText)");
        assert_eq!(
            headings,
            json!([
                "Announced, not registered 6",
                "Forbidden by ROAs 3",
                "Registered, not announced 64"
            ])
        );
        let facts = page.text(".facts");
        assert!(
            facts.contains("8 prefixes") && facts.contains("67 entries"),
            "{facts}"
        );
        assert!(
            facts.contains("Up for 6 d 7 h; no path is older"),
            "{facts}"
        );
        let (announced, registered) = ("Announced", "Registered");
        let rejected = "✕ Rejected";
        let irr_prefix = "✕ Rejected The prefix has no route object in the client's AS-SET (IRR).";
        let cases: [(&str, &str, &[&str]); 9] = [
            (
                announced,
                "20.40.64.0/24",
                &[
                    "AS10000",
                    "Registered is 20.40.0.0/16{16,20}, less specific",
                    rejected,
                    "6 d 7 h",
                ],
            ),
            (
                announced,
                "20.41.0.0/16",
                &[
                    "AS10099",
                    "AS10099 is not in its AS-SET",
                    rejected,
                    "6 d 7 h",
                ],
            ),
            (
                announced,
                "20.43.0.0/23",
                &[
                    "AS10000",
                    "Registered is 20.43.0.0/24, more specific",
                    rejected,
                    "3 h",
                ],
            ),
            (
                announced,
                "20.99.0.0/16",
                &["AS10000", "Nothing like it is registered", rejected, "New"],
            ),
            (
                "Forbidden",
                "20.40.64.0/24",
                &[
                    "AS10000",
                    "20.40.0.0/16-20 is AS10000's by ROA, which allows no longer one",
                    irr_prefix,
                    "6 d 7 h",
                ],
            ),
            (
                "Forbidden",
                "20.44.3.0/24",
                &[
                    "AS10000",
                    "20.44.0.0/20-24 is AS64497's by ROA, and came from AS10000",
                    rejected,
                    "6 d 7 h",
                ],
            ),
            (
                registered,
                "20.42.8.0/22",
                &["Announced is 20.42.0.0/16, less specific", "6 d 7 h"],
            ),
            (
                registered,
                "20.45.0.0/20",
                &["Announced is 20.45.0.0/21, more specific", "6 d 7 h"],
            ),
            (
                registered,
                "20.46.0.0/19",
                &["Nothing like it is announced", "6 d 7 h"],
            ),
        ];
        for (heading, prefix, expected) in cases {
            let expected = [&[prefix], expected].concat();
            assert_eq!(cells(page, heading, prefix), expected, "{heading}");
        }
        let links =
            page.eval("[...document.querySelectorAll('h2 ~ p .button')].map(one => one.innerText)");
        assert_eq!(links, json!(["All 64"]), "ten of each are shown");
    });
}

#[test]
fn a_section_is_paged_and_all_is_reached_by_keys() {
    with_page_of(aged, |_, page| {
        let rows = |count: u32| {
            format!("document.querySelectorAll('.report tbody tr').length === {count}")
        };
        go(page, REPORT, THREE_TABLES);
        // k: the last that can be opened, which is the rest of the last section.
        page.key("k");
        assert_eq!(page.eval("document.activeElement.innerText"), "All 64");
        page.key("Enter");
        page.wait(&rows(50));
        assert!(page.text("#main").contains("1 to 50 of 64"));
        assert_eq!(
            page.text(".tabs [aria-current]"),
            "Registered, not announced 64"
        );
        page.key("n");
        page.wait(&rows(14));
        assert!(page.text("#main").contains("51 to 64 of 64"));
        assert_eq!(page.count("[data-next]"), 0);
        page.key("Escape");
        page.wait(&rows(50));
        page.key("Escape");
        page.wait(THREE_TABLES);

        page.keys("jj");
        assert_eq!(
            page.eval("document.activeElement.innerText"),
            "20.41.0.0/16"
        );
        page.key("Enter");
        page.wait("document.querySelectorAll('.route').length === 1");
        assert_eq!(page.text("h1"), "Routes to 20.41.0.0/16");
        // Near misses are of both kinds: what is announced, and what is registered.
        go(page, &format!("{REPORT}?section=near_miss"), &rows(8));
        assert_eq!(page.count(".report .judged .down"), 5);
        // A page of a report that is gone leads back to its beginning.
        go(
            page,
            &format!("{REPORT}?section=near_miss&cursor=99-0"),
            "document.querySelector('[role=alert]')",
        );
        assert!(page.text("[role=alert]").contains("is not kept any more"));
        page.complaints();
        page.click("main .button");
        page.wait(&rows(8));
        go(
            page,
            "#/report/nobody",
            "document.querySelector('[role=alert]')",
        );
        assert!(
            page.text("[role=alert]")
                .contains("there is no client 'nobody'")
        );
        page.complaints();
    });
}

const SECTIONS: &str = "document.querySelectorAll('main section').length === 3";

#[test]
fn what_a_check_lacks_is_said_in_place_of_nothing_found() {
    with_page_of(exchange, |server, page| {
        let unsaid = "Nothing can be said: what this is found by is not there.";
        for (client, told) in [
            (
                "baltic-cloud-1",
                "It is not checked against the IRR: what it registered is not known.",
            ),
            (
                "canal-hosting-1",
                "Its IRR data has not come, or not all of it: what it registered is not known.",
            ),
        ] {
            go(
                page,
                &format!("#/report/{client}"),
                &format!("{SECTIONS} && document.querySelector('h1').innerText === {client:?}"),
            );
            let text = page.text("#main");
            assert_eq!(page.text("main .told.odd"), told);
            assert!(
                text.contains("Announced, not registered not known"),
                "{text}"
            );
            assert_eq!(text.matches(unsaid).count(), 2, "{text}");
            assert!(text.contains("No ROA forbids what it announces."), "{text}");
        }
        server.write_clients(&format!(
            "{AURORA}irr.prefixes = [\"20.40.0.0/16+\"]\n{OTHERS}"
        ));
        let (status, text) = server.says(&["reload"]);
        assert_eq!(status, 0, "{text}");
        go(
            page,
            REPORT,
            &format!("{SECTIONS} && document.querySelector('h1').innerText === 'aurora-fibre-1'"),
        );
        let text = page.text("#main");
        assert!(
            text.contains("There are no VRPs: nothing can be compared with ROAs."),
            "{text}"
        );
        assert!(text.contains("Forbidden by ROAs not known"), "{text}");
        assert!(
            text.contains("It announces all that it registered."),
            "{text}"
        );
        assert_eq!(text.matches(unsaid).count(), 1, "{text}");
    });
}

#[test]
fn a_report_fits_a_phone_and_is_read_on_light_and_dark() {
    with_page_of(aged, |_, page| {
        for (width, is_phone) in [(320, true), (390, true), (768, false), (1024, false)] {
            page.size(width, 800, is_phone);
            for (hash, until) in [
                (REPORT.to_owned(), THREE_TABLES.to_owned()),
                (
                    format!("{REPORT}?section=near_miss"),
                    "document.querySelectorAll('.report tbody tr').length === 8".to_owned(),
                ),
            ] {
                go(page, &hash, &until);
                page.eval("new Promise(requestAnimationFrame)");
                let wide = page.eval("document.documentElement.scrollWidth");
                assert!(
                    wide.as_u64().unwrap() <= width.into(),
                    "{hash} is {wide} wide on {width}"
                );
                let cut = "[...document.querySelectorAll('.report td > *')].filter(it => it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0).length";
                let broken = "[...document.querySelectorAll('.report .origin a')].filter(it => it.getClientRects().length > 1).length";
                assert_eq!(
                    page.eval(broken),
                    0,
                    "{hash} on {width}: an ASN stays on its line"
                );
                assert_eq!(
                    page.eval(cut),
                    0,
                    "{hash} on {width}: nothing sticks out of its cell"
                );
            }
        }
        go(page, REPORT, THREE_TABLES);
        for scheme in ["light", "dark"] {
            page.scheme(scheme);
            for selector in [
                ".report .down",
                ".report .odd",
                ".report small",
                ".report .count",
                ".report .range a",
                ".tabs .count",
            ] {
                let contrast = contrast(page, selector);
                assert!(contrast >= 4.5, "{selector} on {scheme}: {contrast:.1}");
            }
        }
        let nameless = "[...document.querySelectorAll('main a[href], main button')].filter(it => !it.innerText.trim()).length";
        assert_eq!(page.eval(nameless), 0);
    });
}

#[test]
fn its_picture_is_taken_where_it_is_asked_for() {
    let Ok(folder) = std::env::var("RIALTO_SCREENSHOTS") else {
        return;
    };
    with_page_of(aged, |_, page| {
        let sizes = [
            ("report", "light", 1120, false),
            ("report-dark", "dark", 1120, false),
            ("report-phone", "light", 390, true),
        ];
        for (name, scheme, width, is_phone) in sizes {
            page.scheme(scheme);
            page.size(width, 896, is_phone);
            go(page, REPORT, THREE_TABLES);
            page.eval("document.activeElement.blur()");
            let file = Path::new(&folder).join(format!("{name}.png"));
            std::fs::write(file, page.screenshot()).unwrap();
        }
    });
}
