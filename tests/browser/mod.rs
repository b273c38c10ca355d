//! The looking glass in a real browser: what is seen, clicked and typed. Runs where Chromium is
//! installed (`scripts/test` installs it); with `CI=true` it must be. `RIALTO_SCREENSHOTS=FOLDER`
//! has the pictures of the README written there; `pngquant 48` makes them small.

mod chromium;
mod events;
mod keyboard;
mod looks;
mod pages;
mod reports;
mod scene;

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chromium::{Chromium, Page};
use scene::exchange;

use crate::manage::Server;

/// One browser at a time, started by the first test; it ends with its pipe.
fn browser() -> Option<MutexGuard<'static, Option<Chromium>>> {
    static BROWSER: Mutex<Option<Chromium>> = Mutex::new(None);
    let Some(program) = chromium::program() else {
        let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!in_ci, "CI=true, and there is no chromium");
        // Past libtest, which would swallow it.
        let told = "\n*** SKIPPED a test of the looking glass: no chromium (Debian: chromium)";
        let _ = writeln!(std::io::stderr(), "{told}");
        return None;
    };
    let mut browser = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    browser.get_or_insert_with(|| Chromium::start(&program));
    Some(browser)
}

/// Does it with an exchange and a page that shows its looking glass; nothing may complain.
fn with_page(look: impl FnOnce(&Server, &mut Page<'_>)) {
    with_page_of(exchange, look);
}

fn with_page_of(scene: impl FnOnce() -> Server, look: impl FnOnce(&Server, &mut Page<'_>)) {
    let Some(mut browser) = browser() else { return };
    let server = scene();
    let mut page = browser.as_mut().unwrap().page();
    page.open(&format!("http://{}/", server.api));
    page.wait("document.querySelectorAll('tbody tr').length > 1");
    look(&server, &mut page);
    assert_eq!(page.complaints(), Vec::<String>::new());
    assert!(
        page.eval("window.hacked ?? null").is_null(),
        "other people's text ran"
    );
}

/// Follows a hash and waits for what is there.
fn go(page: &mut Page<'_>, hash: &str, until: &str) {
    page.eval(&format!("location.hash = {hash:?}"));
    page.wait(until);
}
