//! One BGP session, sans-IO: octets, connections and ticks in; octets, messages and deadlines out.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod settings;

pub use settings::SessionSettings;
