//! What happens, as it happens.

use std::sync::Arc;

use rialto::wire::testing::SetBuilder;

use super::scene::name;
use super::{go, with_page};

#[test]
fn rates_and_events_come_while_one_looks() {
    with_page(|server, page| {
        let listening = "document.body.innerText.includes('Listening')";
        go(
            page,
            "#/live?kinds=routes&client=kestrel-games-1",
            listening,
        );
        let questions = || server.data.with(|state| state.questions);
        let before = questions();
        while questions() < before + 6 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let set = SetBuilder::new().next_hop(std::net::Ipv4Addr::new(192, 0, 2, 11));
        let set: Arc<_> = set.as_path(&[10_010, 64_999]).build();
        server.data.announce(10, "20.200.0.0/16", &set, None);
        page.wait("document.querySelector('.events li')");
        let text = page.text(".events li");
        for part in [
            name(10).as_str(),
            "announces",
            "20.200.0.0/16",
            "10010 64999",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        server.data.withdraw(10, "20.200.0.0/16");
        page.wait("document.querySelector('.events li').innerText.includes('withdraws')");

        server.data.with(|state| {
            state.now = state.now + std::time::Duration::from_secs(5);
            state.core.updates_in += 6_170;
            state.core.clients[2].updates_in += 6_170;
        });
        page.wait("document.querySelector('.tile').innerText.includes('1,234/s')");
        page.wait("document.querySelector('.busiest tbody').innerText.includes('canal-hosting-1')");
    });
}
