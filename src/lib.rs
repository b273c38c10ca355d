//! Rialto: a BGP route server (RFC 7947, RFC 7948). `ARCHITECTURE.md` is the map.

pub mod base;
pub mod cli;
pub mod config;
pub mod fanout;
pub mod load;
pub mod manage;
pub mod outside;
pub mod policy;
pub mod rib;
pub mod runtime;
pub mod server;
pub mod session;
pub mod wire;
