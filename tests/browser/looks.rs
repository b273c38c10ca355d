//! Sizes and colours; and the pictures of the README.

use std::path::Path;

use super::chromium::Page;
use super::scene::name;
use super::{go, with_page};

const PAGES: [(&str, &str); 6] = [
    ("#/", "document.querySelectorAll('tbody tr').length === 900"),
    (
        "#/client/aurora-fibre-1/accepted",
        "document.querySelectorAll('.route').length === 50",
    ),
    (
        "#/client/aurora-fibre-1/rejected",
        "document.querySelectorAll('.route').length === 7",
    ),
    (
        "#/search?q=20.1.7.0%2F24",
        "document.querySelectorAll('.route').length === 3",
    ),
    (
        "#/explain?prefix=20.1.7.0%2F24&to=baltic-cloud-1",
        "document.querySelectorAll('.route').length === 3",
    ),
    ("#/live", "document.querySelector('.figure')"),
];

#[test]
fn no_page_is_wider_than_a_phone() {
    with_page(|_, page| {
        for (width, is_phone) in [(320, true), (390, true), (768, false), (1024, false)] {
            page.size(width, 800, is_phone);
            for (hash, until) in PAGES {
                go(page, hash, until);
                page.eval("document.querySelectorAll('.route').forEach(one => one.open = true)");
                page.eval("new Promise(requestAnimationFrame)");
                let wide = page.eval("document.documentElement.scrollWidth");
                assert!(
                    wide.as_u64().unwrap() <= width.into(),
                    "{hash} is {wide} wide on {width}"
                );
            }
        }
    });
}

/// (lightness of the text, of what is behind it), 0 to 1, as WCAG 2 has it.
pub fn contrast(page: &mut Page<'_>, selector: &str) -> f64 {
    let script = format!(
        "(() => {{ const light = (color) => {{ const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(Number)
            .map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; }};
          const it = document.querySelector({selector:?}); let behind = it;
          while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
          const [a, b] = [light(getComputedStyle(it).color), light(getComputedStyle(behind).backgroundColor)];
          return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }})()"
    );
    page.eval(&script).as_f64().unwrap()
}

#[test]
fn text_can_be_read_on_light_and_on_dark() {
    with_page(|_, page| {
        let mut behind = Vec::new();
        for scheme in ["light", "dark"] {
            page.scheme(scheme);
            behind.push(page.eval("getComputedStyle(document.body).backgroundColor"));
            let cases = [
                ("#/", PAGES[0].1, "tbody a"),
                ("#/", PAGES[0].1, "td .state.down"),
                ("#/", PAGES[0].1, "td .state.up"),
                ("#/", PAGES[0].1, ".since"),
                ("#/", PAGES[0].1, "thead button"),
                ("#/", PAGES[0].1, "#facts"),
                (PAGES[2].0, PAGES[2].1, ".verdict.down"),
                (PAGES[2].0, PAGES[2].1, ".path"),
                (PAGES[4].0, PAGES[4].1, ".verdict.off"),
            ];
            for (hash, until, selector) in cases {
                go(page, hash, until);
                let contrast = contrast(page, selector);
                assert!(contrast >= 4.5, "{selector} on {scheme}: {contrast:.1}");
            }
        }
        assert_ne!(behind[0], behind[1]);
    });
}

const BY_RECEIVED: &str = "document.querySelector('th:nth-child(5)').ariaSort ?? document.querySelector('th:nth-child(5) button').click()";
const MOVED: &str = "document.querySelector('tbody tr').cells[8].innerText.includes('.')";

/// Some seconds pass, in which UPDATEs come and go.
fn move_counters(server: &crate::manage::Server) {
    server.data.with(|state| {
        state.now = state.now + std::time::Duration::from_secs(7);
        for (client, index) in state.core.clients.iter_mut().zip(0_u64..) {
            if client.state == "Established" {
                client.updates_in += index * 7_919 % 61;
                client.updates_out += 940 + index * 31 % 97;
                client.octets_out += 70_000 + index * 7_919 % 9_000;
            }
        }
    });
}

#[test]
fn pictures_are_taken_where_they_are_asked_for() {
    let Ok(folder) = std::env::var("RIALTO_SCREENSHOTS") else {
        return;
    };
    with_page(|server, page| {
        let client = name(0);
        let shots = [
            ("clients", "#/".to_owned(), PAGES[0].1),
            (
                "rejected",
                format!("#/client/{client}/rejected"),
                PAGES[2].1,
            ),
            ("explain", PAGES[4].0.to_owned(), PAGES[4].1),
            ("search", PAGES[3].0.to_owned(), PAGES[3].1),
            ("live", PAGES[5].0.to_owned(), PAGES[5].1),
        ];
        for (scheme, ending) in [("light", ""), ("dark", "-dark")] {
            page.scheme(scheme);
            for (name, hash, until) in &shots {
                page.size(1120, if *name == "rejected" { 880 } else { 640 }, false);
                go(page, hash, until);
                if *name == "clients" {
                    move_counters(server);
                    page.eval(BY_RECEIVED);
                    page.wait(MOVED);
                }
                page.eval("document.activeElement.blur()");
                let file = Path::new(&folder).join(format!("{name}{ending}.png"));
                std::fs::write(file, page.screenshot()).unwrap();
            }
        }
        page.scheme("light");
        page.size(390, 800, true);
        for (name, hash, until) in &shots {
            go(page, hash, until);
            let file = Path::new(&folder).join(format!("{name}-phone.png"));
            std::fs::write(file, page.screenshot()).unwrap();
        }
    });
}
