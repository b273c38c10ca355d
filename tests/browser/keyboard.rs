//! Everything without a mouse.

use super::scene::name;
use super::with_page;

const FOCUSED: &str = "document.activeElement.innerText";

#[test]
fn one_goes_from_the_list_to_a_rejected_route_and_back_by_keys_alone() {
    with_page(|_, page| {
        page.keys("jjk");
        assert_eq!(page.eval(FOCUSED), "aurora-fibre-1");
        assert_ne!(
            page.eval("getComputedStyle(document.activeElement).outlineStyle"),
            "none",
            "the focus is seen"
        );
        page.keys("/aurora-fibre-1");
        page.key("Enter");
        page.wait("document.activeElement.hasAttribute('data-item')");
        assert_eq!(page.eval(FOCUSED), "aurora-fibre-1");
        page.key("Enter");
        page.wait("document.querySelectorAll('.route').length === 50");
        assert_eq!(page.text("h1"), name(0));

        // n: the next page.
        page.key("n");
        page.wait("document.querySelectorAll('.route').length === 10");
        page.keys("jj");
        let second = "document.activeElement === document.querySelectorAll('.route summary')[1]";
        assert_eq!(page.eval(second), true);
        page.key("Enter");
        page.wait("document.querySelector('.route[open] .facts')");
        page.key("Escape");
        page.wait("!document.querySelector('.route[open]')");
        page.key("Escape");
        page.wait("document.querySelectorAll('.route').length === 50");
        page.key("Escape");
        page.wait("document.querySelector('h1').innerText === 'Clients'");
    });
}

#[test]
fn keys_that_are_typed_into_a_field_are_only_typed() {
    with_page(|_, page| {
        page.keys("/jkn/");
        assert_eq!(page.eval("document.getElementById('q').value"), "jkn/");
        page.key("Escape");
        assert_eq!(page.eval("document.getElementById('q').value"), "");
        page.key("Escape");
        assert_eq!(page.eval("document.activeElement === document.body"), true);
    });
}

#[test]
fn what_can_be_followed_has_a_name_and_is_reached_by_tab() {
    with_page(|_, page| {
        let nameless = "[...document.querySelectorAll('a[href], button, input, select')].filter(it => \
            !(it.innerText?.trim() || it.getAttribute('aria-label') || it.labels?.length)).length";
        for hash in [
            "#/",
            "#/client/aurora-fibre-1/rejected",
            "#/search?q=AS64497",
            "#/explain",
            "#/live",
        ] {
            super::go(
                page,
                hash,
                "document.querySelector('h1') && !document.body.innerText.includes('Looking…')",
            );
            assert_eq!(page.eval(nameless), 0, "{hash}");
            assert_eq!(
                page.count("[tabindex]:not([tabindex='0']):not([tabindex='-1'])"),
                0
            );
        }
        super::go(
            page,
            "#/",
            "document.querySelectorAll('tbody tr').length === 900",
        );
        page.eval("document.querySelector('.skip').focus()");
        let mut seen = Vec::new();
        for _ in 0..8 {
            page.key("Tab");
            seen.push(page.eval("document.activeElement.innerText || document.activeElement.id"));
        }
        for wanted in ["Clients", "Explain", "Live", "q"] {
            assert!(
                seen.iter().any(|one| one == wanted),
                "{wanted} is not in {seen:?}"
            );
        }
    });
}
