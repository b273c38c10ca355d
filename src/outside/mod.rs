//! What the server learns from outside: from RTR caches and files. Knows nothing of what is made of it.

pub mod irr;
pub mod rtr;
pub mod vrp_file;
