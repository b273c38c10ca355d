#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/update.rs"]
mod update;

fuzz_target!(|octets: &[u8]| update::check(octets));
