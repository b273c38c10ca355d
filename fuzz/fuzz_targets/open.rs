#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/open.rs"]
mod open;

fuzz_target!(|octets: &[u8]| open::check(octets));
