//! The configuration: what is wrong is told with its line and key, what is right is inherited and
//! compiled as the contract says.

mod compile;
mod diff;
mod effective;
mod effects;
mod includes;
mod judged;
mod looking_glass;
mod page;
mod policy_problems;
mod problems;
mod reference;
mod relayed;

use std::path::Path;

use rialto::config::{Config, Problems, from_text};

pub const SERVER: &str = "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n";

/// As if it stood in `x.toml`.
pub fn read(text: &str) -> Result<Config, Problems> {
    from_text(Path::new("x.toml"), text)
}

/// A configuration that must be good; the server's section comes first.
pub fn good(clients: &str) -> Config {
    match read(&format!("{SERVER}{clients}")) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}\nin\n{clients}"),
    }
}
