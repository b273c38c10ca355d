//! What the protocols of other looking glasses (birdwatcher's, Bird's Eye's) have in common: sessions
//! under the operator's names, routes collected piece by piece, answers that are kept for a while.
//! It knows nothing of the form of an answer.

mod answers;
mod deflate;
mod feed;
mod lens;
mod lookup;
mod moment;
mod times;
mod writing;

use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;

use crate::base::Family;
use crate::server::exchange::Exchange;

use super::plane::Plane;

pub use answers::{Answer, Answers, Failure, Order, accepts_gzip};
pub use feed::{Feed, Kind};
pub use lens::{Lens, Shown};
pub use lookup::{Lookup, lookup};
pub use moment::{CENSUS_FOR, Moment, Moments, Session};
pub use times::{iso, plain};

/// What the management plane keeps for other looking glasses.
#[derive(Default)]
pub struct Glass {
    pub answers: Answers,
    pub moments: Moments,
}

/// The families that are looked at: all, or one where the address says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope(pub Option<Family>);

impl Scope {
    pub fn families(self) -> impl Iterator<Item = Family> {
        let is_in = move |family: &Family| self.0.is_none_or(|only| only == *family);
        Family::ALL.into_iter().filter(is_in)
    }

    /// The tables, named as BIRD 2 names them.
    pub fn tables(self) -> impl Iterator<Item = &'static str> {
        self.families().map(table_name)
    }

    /// The part of the scope that a table has; BIRD 1 has one table.
    pub fn table(self, name: &str) -> Option<Scope> {
        match name {
            "master" => Some(self),
            _ => {
                let mut families = self.families();
                let family = families.find(|family| table_name(*family) == name)?;
                Some(Scope(Some(family)))
            }
        }
    }

    pub fn sum(self, of: impl Fn(Family) -> u64) -> u64 {
        self.families().map(of).sum()
    }
}

pub const fn table_name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "master4",
        Family::Ipv6 => "master6",
    }
}

/// The same answers for all families, and under `/ipv4` and `/ipv6` for one.
pub fn scoped(routes: fn() -> Router<Arc<Plane>>) -> Router<Arc<Plane>> {
    let of = |family| routes().layer(Extension(Scope(family)));
    of(None)
        .nest("/ipv4", of(Some(Family::Ipv4)))
        .nest("/ipv6", of(Some(Family::Ipv6)))
}

/// Tells answers of one generation from those of another.
pub fn key(exchange: &Exchange, scope: Scope, what: &str) -> String {
    format!("{} {:?} {what}", exchange.generation.0, scope.0)
}

/// The text of an object that goes on with its routes.
pub fn routes_follow(envelope: &str) -> String {
    let open = envelope.strip_suffix('}').unwrap_or(envelope);
    format!("{open},\"routes\":[")
}
