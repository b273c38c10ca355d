//! What a route server learns elsewhere about the routes of a plan: IRR sets, VRPs and ASPAs that all of
//! them pass, and others that reject a share of them. Knows no server; who is told when is the
//! scenario's.

mod irr;
mod rpki;

use std::io;
use std::path::Path;

pub use irr::{Entries, as_set};
pub use rpki::{Vrp, Vrps};

use super::plan::Plan;

/// Every `1 / share`th number from 0 on, as far as there are `count`.
pub fn is_rejected(number: usize, share: f64) -> bool {
    let below = |number: usize| (number as f64 * share) as usize;
    below(number + 1) > below(number)
}

/// Writes VRPs, of which there are so many, and ASPAs that all routes pass.
pub fn write_vrps(file: &Path, plan: &Plan, count: usize) -> io::Result<()> {
    let text = rpki::json(&Vrps::of(plan, count).list(|_| false), &rpki::aspas(plan));
    std::fs::write(file, text).map_err(|error| named(file, &error))
}

/// Writes what clients registered, that all routes pass.
pub fn write_irr(folder: &Path, plan: &Plan, count: usize) -> io::Result<()> {
    Entries::of(plan, count).write(folder, plan, |_| false, false)
}

fn named(file: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("cannot write {}: {error}", file.display()))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    pub use crate::load::outside::rpki::tests::small;

    #[test]
    fn a_share_is_spread_evenly() {
        let cases = [(0.0, 0), (0.01, 10), (0.1, 100), (0.5, 500), (1.0, 1000)];
        for (share, expected) in cases {
            let rejected: Vec<usize> = (0..1000).filter(|&i| is_rejected(i, share)).collect();
            assert_eq!(rejected.len(), expected, "{share}");
            let far = rejected.windows(2).map(|pair| pair[1] - pair[0]).max();
            let far = far.unwrap_or(1) as f64;
            assert!(share == 0.0 || far <= 1.0 / share + 1.0, "{share}: {far}");
        }
    }
}
