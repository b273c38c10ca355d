//! What each page shows, and what a click does.

use rialto::wire::GracefulRestart;

use super::scene::{HOSTILE, MANY, name};
use super::{go, with_page};

const FIRST: &str = "document.querySelector('tbody tr td').innerText";

#[test]
fn all_clients_are_listed_filtered_as_one_types_and_sorted_by_a_click() {
    with_page(|_, page| {
        assert_eq!(page.count("tbody tr"), u64::from(MANY));
        assert_eq!(page.text("h1"), "Clients");
        page.wait("document.getElementById('server').innerText === 'AS64500'");
        assert!(page.text("#facts").contains("of 900 clients up"));
        assert_eq!(page.eval(FIRST), "aurora-fibre-1");

        page.click("#q");
        page.keys("fjord 192.0.3.");
        page.wait("document.querySelectorAll('tbody tr').length < 100");
        let texts =
            page.eval("[...document.querySelectorAll('tbody tr')].map(row => row.innerText)");
        let texts = texts.as_array().unwrap();
        assert!(!texts.is_empty());
        for text in texts {
            let text = text.as_str().unwrap();
            assert!(
                text.contains("fjord-net") && text.contains("192.0.3."),
                "{text}"
            );
        }
        assert_eq!(
            page.text(".title .count"),
            format!("{} of 900", texts.len())
        );
        page.key("Escape");
        page.wait("document.querySelectorAll('tbody tr').length === 900");

        page.keys("no such client");
        page.wait("document.querySelector('tbody').innerText.includes('No client')");
        page.key("Escape");

        // Received: the most first, then the least.
        page.click("th:nth-child(5) button");
        page.wait("document.querySelector('th:nth-child(5)').ariaSort === 'descending'");
        let number = "(row => Number(row.cells[4].innerText.replaceAll(',', '')))";
        let sorted = |order: &str| {
            format!(
                "[...document.querySelectorAll('tbody tr')].map({number}).every((n, i, all) => i === 0 || all[i - 1] {order} n)"
            )
        };
        assert_eq!(page.eval(&sorted(">=")), true);
        page.click("th:nth-child(5) button");
        page.wait(&sorted("<="));
        // Numbers in names count as numbers.
        page.click("th:nth-child(1) button");
        page.wait(&format!("{FIRST} === 'aurora-fibre-1'"));
        let second = page.eval("document.querySelector('tbody tr:nth-child(2) td').innerText");
        assert_eq!(second, "aurora-fibre-2");
    });
}

#[test]
fn counters_move_while_one_looks() {
    with_page(|server, page| {
        server
            .data
            .with(|state| state.core.clients[0].received = [77_777, 0]);
        page.wait("document.querySelector('tbody').innerText.includes('77,777')");
        server.data.with(|state| {
            state.core.clients[0].state = "Idle";
            state.core.clients[0].last_error = Some("it closed the connection".to_owned());
        });
        page.wait(
            "document.querySelector('tbody tr').innerText.includes('it closed the connection')",
        );
        assert!(page.text("tbody tr").contains("▲ Idle"));
    });
}

#[test]
fn a_click_on_a_client_leads_to_its_routes_page_by_page() {
    with_page(|_, page| {
        page.click("tbody tr td:nth-child(6)");
        page.wait("document.querySelectorAll('.route').length === 50");
        assert_eq!(page.text("h1"), name(0));
        assert!(
            page.text("#main")
                .contains("50 routes, and there may be more")
        );
        assert!(page.text(".route").contains("20.1."));
        page.click("[data-next]");
        page.wait("document.querySelectorAll('.route').length === 10");
        page.eval("history.back()");
        page.wait("document.querySelectorAll('.route').length === 50");

        // One line opens to all there is; it is worked out only then.
        assert_eq!(page.count(".route .facts"), 0);
        page.click(".route summary");
        page.wait("document.querySelector('.route[open] .facts')");
        let text = page.text(".route .facts");
        for part in ["64500:64500", "3356:0", "10000:1:7", "192.0.2.1", "IGP"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        page.click(".route .chip");
        page.wait("document.querySelector('h1').innerText.startsWith('Routes with the community')");
    });
}

#[test]
fn a_client_says_what_becomes_of_our_routes_when_we_restart() {
    with_page(|server, page| {
        let fact = |name: &str| {
            format!(
                "[...document.querySelectorAll('.facts div')].find(it => it.firstChild.innerText === {name:?})?.lastChild.innerText"
            )
        };
        let (ours, its) = (fact("When we restart"), fact("When it restarts"));
        go(
            page,
            &format!("#/client/{}", name(0)),
            "document.querySelector('.facts')",
        );
        assert_eq!(page.eval(&ours), "It drops our routes");
        assert_eq!(page.eval(&its), "It announced no graceful restart");
        server.data.with(|state| {
            let status = &mut state.core.clients[0];
            (status.keeps_routes, status.hard_resets) = (true, true);
            status.peer_restart = Some(GracefulRestart {
                restarting: true,
                restart_time_s: 90,
                ..GracefulRestart::default()
            });
        });
        page.wait(&format!(
            "{ours} === 'It keeps our routes, after a NOTIFICATION, too (RFC 8538)'"
        ));
        assert_eq!(
            page.eval(&its),
            "Restart Time 90 s; it said that it had restarted"
        );
        server
            .data
            .with(|state| state.core.clients[0].hard_resets = false);
        page.wait(&format!(
            "{ours} === 'It keeps our routes unless a NOTIFICATION came (RFC 4724)'"
        ));
        server
            .data
            .with(|state| state.core.clients[0].state = "Idle");
        page.wait(&format!(
            "({ours} ?? null) === null && ({its} ?? null) === null"
        ));
    });
}

#[test]
fn rejected_routes_have_their_reason_in_words() {
    with_page(|_, page| {
        let hash = format!("#/client/{}/rejected", name(0));
        go(
            page,
            &hash,
            "document.querySelectorAll('.route').length === 7",
        );
        let reasons = page.text(".reasons");
        let first = "The prefix has no route object in the client's AS-SET (IRR).";
        assert!(reasons.starts_with(&format!("3\n{first}")), "{reasons}");
        assert!(
            page.text("#main")
                .contains("✕ The route is RPKI Invalid (RFC 6811).")
        );
        page.click(".reasons a");
        page.wait("document.querySelectorAll('.route').length === 3");
        let hash = format!("#/client/{}/rejected?find=20.9.9.0%2F24", name(0));
        go(
            page,
            &hash,
            "document.querySelectorAll('.route').length === 2",
        );
        let hash = format!("#/client/{}/advertised", name(0));
        go(
            page,
            &hash,
            "document.querySelectorAll('.route').length === 2",
        );
        assert!(page.text(".routes").contains("2001:db8:7::/48"));
        let hash = format!("#/client/{}/rejected", name(5));
        go(
            page,
            &hash,
            "document.body.innerText.includes('No route of this client is rejected.')",
        );
    });
}

#[test]
fn a_search_understands_prefixes_addresses_asns_and_communities() {
    with_page(|_, page| {
        let cases = [
            ("20.1.7.0/24", "Routes to 20.1.7.0/24", 3),
            ("20.1.7.9", "Routes to 20.1.7.9", 3),
            ("2001:db8:7::1", "Routes to 2001:db8:7::1", 1),
            ("AS64501", "Routes with AS64501 in their path", 1),
            ("64498", "Routes with AS64498 in their path", 21),
            ("3356:2", "Routes with the community 3356:2", 1),
            ("10001:*:7", "Routes with the community 10001:*:7", 2),
            ("198.51.100.1", "Routes to 198.51.100.1", 0),
        ];
        for (typed, title, count) in cases {
            page.key("/");
            page.wait("document.activeElement.id === 'q'");
            page.keys(typed);
            page.key("Enter");
            page.wait(&format!(
                "document.querySelector('h1')?.innerText === {title:?}"
            ));
            page.wait(&format!(
                "!document.body.innerText.includes('Looking…') && document.querySelectorAll('.route').length === {count}"
            ));
        }
        assert!(page.text("#main").contains("Nobody announces it"));
        go(
            page,
            "#/search?q=20.1.7.128%2F25",
            "document.querySelectorAll('.route').length === 3",
        );
        page.wait("document.body.innerText.includes('Nobody announces 20.1.7.128/25 itself')");
        go(
            page,
            "#/search?q=20.1.0.0%2F20&match=more",
            "document.querySelectorAll('.route').length === 18",
        );
        go(
            page,
            "#/search?q=AS64497&role=origin",
            "document.querySelectorAll('.route').length === 22",
        );
        go(
            page,
            "#/search?q=AS10000&verdict=rejected",
            "document.querySelectorAll('.route').length === 7",
        );
    });
}

#[test]
fn explain_says_what_a_client_has_and_what_became_of_every_path() {
    with_page(|_, page| {
        go(
            page,
            "#/explain",
            "document.querySelectorAll('#names option').length === 900",
        );
        assert_eq!(page.eval("document.activeElement.id"), "prefix");
        page.keys("20.1.7.9");
        page.key("Tab");
        page.keys(&name(0));
        page.key("Enter");
        page.wait("document.querySelectorAll('.route').length === 3");
        let answer = page.text(".answer");
        assert_eq!(
            answer,
            format!("{} has 20.1.7.0/24 from {}.", name(0), name(2))
        );
        let text = page.text(".fates");
        assert!(
            text.contains("announced it itself") && text.contains("the shorter AS_PATH"),
            "{text}"
        );
        go(
            page,
            "#/explain?prefix=20.1.7.0%2F24&to=nobody",
            "document.querySelector('[role=alert]')",
        );
        assert!(
            page.text("[role=alert]")
                .contains("there is no client 'nobody'")
        );
        // The browser tells of answers that are no success; that one was wanted.
        page.complaints();
    });
}

#[test]
fn other_peoples_text_stays_text() {
    with_page(|server, page| {
        let client = name(3);
        page.wait("document.querySelector('tbody').innerText.includes('<img src=x')");
        go(
            page,
            &format!("#/client/{client}"),
            "document.querySelector('.told')",
        );
        assert!(page.text("#main").contains(HOSTILE));
        server.data.with(|state| {
            let message = Some(format!("again {HOSTILE}"));
            state.core.clients[3].last_error = message;
        });
        page.wait("document.body.innerText.includes('again <img')");
        for hash in [
            "#/client/%3Cimg%20src=x%20onerror=%22window.hacked=1%22%3E",
            "#/search?q=%3Cimg%20src=x%20onerror=%22window.hacked=1%22%3E",
            "#/explain?prefix=%3Cimg%20src=x%3E&to=%3Cscript%3Ewindow.hacked=1%3C/script%3E",
            "#/%3Cimg%20src=x%3E",
            "#/client/%E0%A4%A",
        ] {
            go(
                page,
                hash,
                "document.querySelector('#main').innerText !== ''",
            );
            assert_eq!(page.count("#main img, #main script"), 0, "{hash}");
        }
        page.complaints();
        // If it ran all the same, the policy would hold it back.
        page.eval("document.body.append(Object.assign(document.createElement('div'), {innerHTML: '<img src=\"data:,\" onerror=\"window.hacked=1\">'}))");
        page.wait("document.querySelector('body > div > img').complete");
        let complaints = page.complaints();
        assert!(
            complaints
                .iter()
                .any(|one| one.contains("Content Security Policy")),
            "{complaints:?}"
        );
    });
}

#[test]
fn a_server_that_does_not_answer_is_said_to_be_so() {
    with_page(|server, page| {
        server.data.with(|state| state.is_silent = true);
        go(
            page,
            "#/search?q=AS7",
            "document.querySelector('[role=alert]')",
        );
        assert!(page.text("[role=alert]").contains("gone"));
        page.complaints();
    });
}
