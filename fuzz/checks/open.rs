//! Any octets as the body of an OPEN: a value or an error with its NOTIFICATION; what is a value
//! encodes to octets that decode to it. Shared by the fuzz target and the property tests.

use rialto::wire::{HEADER_LEN, Notification, Open};

pub fn check(octets: &[u8]) {
    match Open::decode(octets) {
        Ok(mut open) => {
            // That there were families unknown to us is all that is kept of them.
            open.capabilities.other_families = false;
            let mut again = Vec::new();
            open.encode(&mut again);
            assert_eq!(Open::decode(&again[HEADER_LEN..]), Ok(open));
        }
        Err(error) => {
            let mut message = Vec::new();
            error.notification().encode(&mut message, 4096);
            assert_eq!(
                Notification::decode(&message[HEADER_LEN..]),
                error.notification()
            );
        }
    }
}
