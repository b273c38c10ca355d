//! `/api/v1/clients/{name}/report`, as the server writes it and `rialto report` reads it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::Asn;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReportView {
    pub client: String,
    pub asn: Asn,
    pub address: IpAddr,
    /// How old the report is: it is kept for a while, so that its pages are of one moment.
    pub age_s: u64,
    /// How long the session has been up; no path can be older. `None`: it is down.
    pub session_s: Option<u64>,
    /// known, missing (a check is on and there is nothing to check by), not_checked.
    pub irr: String,
    /// Whether there are VRPs.
    pub rpki: bool,
    pub counts: ReportCountsView,
    /// The client announces more than a report looks at: what is said is about a part.
    pub incomplete: bool,
    /// What was asked for: all, or not_announced, not_registered, roa_mismatch, near_miss.
    pub section: String,
    pub items: Vec<ReportItemView>,
    /// `cursor` of the next page.
    pub next: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReportCountsView {
    /// Prefixes that are announced, and entries of the IRR set.
    pub announced: u64,
    pub registered: u64,
    pub not_announced: u64,
    pub not_registered: u64,
    pub roa_mismatch: u64,
    /// Of the two first.
    pub near_miss: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReportItemView {
    /// not_announced, not_registered, roa_mismatch.
    pub section: String,
    /// As it is announced; or as it is registered: 192.0.2.0/24+, 198.51.100.0/22{23,24}.
    pub prefix: String,
    /// Of what is announced; none where the AS_PATH ends with a set.
    pub origin: Option<Asn>,
    /// Why it is rejected, if it is.
    pub reject: Option<String>,
    /// What it may have been meant to be.
    pub near: Vec<NearView>,
    /// The VRPs that cover it, and what is wrong by each.
    pub vrps: Vec<VrpView>,
    /// All of that in a sentence.
    pub text: String,
    /// Since it was first in a report; reports forget after a restart, and what was in none is as old as
    /// nobody knows.
    pub reported_s: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NearView {
    /// more_specific_announced, less_specific_announced, more_specific_registered,
    /// less_specific_registered, other_origin.
    pub relation: String,
    /// None with other_origin.
    pub prefix: Option<String>,
    /// Both in words.
    #[serde(default)]
    pub text: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VrpView {
    pub prefix: String,
    pub max_len: u8,
    pub asn: Asn,
    /// origin, length, origin_and_length, as0.
    pub wrong: String,
    /// All of that in words.
    #[serde(default)]
    pub text: String,
}
