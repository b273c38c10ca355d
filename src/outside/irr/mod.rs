//! IRR data from files that bgpq4 or arouteserver wrote: owns how they are found, read, kept and put
//! together for clients. Knows nothing of registries and of what is checked with the sets.
//!
//! The files of an AS-SET, say `AS-EXAMPLE`, lie in one directory; all that are there count together:
//!
//! ```text
//! AS-EXAMPLE.v4.json               bgpq4 -4j AS-EXAMPLE      (with -A, -R, … as you like)
//! AS-EXAMPLE.v6.json               bgpq4 -6j AS-EXAMPLE
//! AS-EXAMPLE.origins.json          bgpq4 -tj AS-EXAMPLE
//! AS-EXAMPLE.json                  any of these
//! AS_EXAMPLE-r_set-ipv4.json       arouteserver's cache: with the directory set to its cache_dir,
//! AS_EXAMPLE-r_set-ipv6.json       these are found where they are; those that end in
//! AS_EXAMPLE-as_set.json           _and_more_specific.json are taken where there is no other
//! ```
//!
//! A file's shape is recognised by what is in it. Capitals do not matter. A ":" may be written as it is or
//! as "_": `RIPE::AS-EXAMPLE` is `RIPE::AS-EXAMPLE.v4.json` or `RIPE__AS-EXAMPLE.v4.json`. arouteserver's
//! caches of several AS-SETs together, and of names over 48 letters, are not found.
//!
//! Whoever writes a file does so under another name and renames it. A file that is found missing, cut off,
//! malformed or without entries does not count: what it last held that was good is used in its place.
//! A refresh writes nothing. Copies are written apart from it, when what it read is in force.

mod blend;
mod copying;
mod file;
mod last_good;
mod load;
mod names;
mod problem;
mod read;
mod store;

pub use blend::{ClientIrr, IrrIngredients};
pub use copying::Copying;
pub use file::{IrrEntries, IrrFileError};
pub use names::AbsentFile;
pub use problem::{InUse, IrrFault, IrrProblem};
pub use store::{IrrReport, IrrStore};
