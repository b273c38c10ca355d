//! What an exchange learns from elsewhere: the IRR, the RPKI. Ordinary I/O for the management plane;
//! knows nothing of the data path.

pub mod irr;
