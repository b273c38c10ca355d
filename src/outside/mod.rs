//! What an exchange learns from elsewhere: the IRR from files, the RPKI from RTR caches and files.
//! Ordinary I/O for the management plane; knows nothing of the data path.

pub mod irr;
pub mod regular_file;
pub mod rtr;
pub mod vrp_file;
