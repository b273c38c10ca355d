//! Rialto: a BGP route server (RFC 7947, RFC 7948). `ARCHITECTURE.md` is the map.

pub mod base;
pub mod wire;
pub mod session;
pub mod policy;
pub mod rib;
pub mod fanout;
pub mod server;
pub mod config;
pub mod runtime;
pub mod manage;
pub mod load;
pub mod cli;
