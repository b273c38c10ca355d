#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/framer.rs"]
mod framer;

fuzz_target!(|octets: &[u8]| framer::check(octets));
