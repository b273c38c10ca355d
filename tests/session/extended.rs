//! Long messages (RFC 8654): each direction hangs on what its receiver offered.

use rialto::session::{DownReason, SessionEvent, SessionSettings, Way};
use rialto::wire::{Capabilities, Notification, Open, UpdateError};

use super::script::{Script, message, notification, peer_open, settings, update};

/// Established, RFC 8654 offered by us and by them or not.
fn extended(ours: bool, theirs: bool) -> Script {
    let capabilities = Capabilities {
        extended_messages: theirs,
        ..peer_open().capabilities
    };
    let peer = Open {
        capabilities,
        ..peer_open()
    };
    let settings = SessionSettings {
        extended_messages: ours,
        ..settings()
    };
    Script::established_with(settings, &peer)
}

const OFFERS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

#[test]
fn long_messages_are_taken_where_we_offered_it_and_nowhere_else() {
    for (ours, theirs) in OFFERS {
        let mut script = extended(ours, theirs);
        script.hear(Way::Accepted, &update(4096 - 19 + 1));
        let passed = script.said.messages == ["UPDATE of 4078 octets"];
        assert_eq!(passed, ours, "we {ours}, they {theirs}");
        if !ours {
            let sent = script.sent_notification();
            assert_eq!(sent, Some(Notification::new(1, 2, [0x10, 0x01])));
        }
    }
    let mut script = extended(true, true);
    script.hear(Way::Accepted, &update(65535 - 19));
    assert_eq!(script.said.messages, ["UPDATE of 65516 octets"]);
    script.hear(Way::Accepted, &message(4, &[0; 5000]));
    let sent = script
        .sent_notification()
        .expect("a KEEPALIVE is never long");
    assert_eq!((sent.code, sent.subcode), (1, 2));
    let mut script = extended(true, true);
    script.hear(Way::Accepted, &message(1, &[0; 5000]));
    let sent = script.sent_notification().expect("an OPEN is never long");
    assert_eq!((sent.code, sent.subcode), (1, 2));
}

#[test]
fn long_messages_are_sent_where_the_peer_offered_it_and_nowhere_else() {
    for (ours, theirs) in OFFERS {
        let mut script = extended(ours, theirs);
        let negotiated = script.session.negotiated().expect("it is established");
        assert_eq!(negotiated.extended_messages, theirs, "we {ours}");
        let error = UpdateError {
            notification: Notification::new(3, 9, vec![7; 5000]),
            what: "long".to_owned(),
        };
        script.step(|session, now| session.handle_update_error(now, &error));
        let sent = script.sent_notification().expect("it is told");
        let expected = if theirs { 5000 } else { 4096 - 19 - 2 };
        assert_eq!(sent.data.len(), expected, "we {ours}, they {theirs}");
    }
}

#[test]
fn a_long_notification_is_read_as_soon_as_we_have_offered_it() {
    let long = notification(2, 7, &[9; 5000]);
    for ours in [false, true] {
        let mut script = Script::started(SessionSettings {
            extended_messages: ours,
            ..settings()
        });
        script.accept();
        script.hear(Way::Accepted, &long);
        let is_read = matches!(
            script.said.events.last(),
            Some(SessionEvent::Failed {
                reason: DownReason::PeerNotification(_)
            })
        );
        assert_eq!(is_read, ours);
    }
}
