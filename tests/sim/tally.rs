//! What had a say in the seeds that ran: a feature that is drawn and never matters is not tested.

use std::collections::BTreeMap;

use super::oracle::REASONS;

/// What, and how often.
pub type Tally = BTreeMap<String, u64>;

/// Words of the oracle, beside reasons.
const EXPECTED: [&str; 54] = [
    "Hard Resets",
    "routes kept over a restart",
    "GRACEFUL_SHUTDOWN added",
    "IPv6 next hop of an IPv4 prefix",
    "IRR, origin: not_present",
    "IRR, origin: present",
    "IRR, prefix: exact",
    "IRR, prefix: more_specific",
    "IRR, prefix: not_present",
    "IRR, prefix: roa",
    "IRR, prefix: white_list",
    "NO_ADVERTISE added",
    "NO_EXPORT added",
    "NO_EXPORT on a blackhole route",
    "ONLY_TO_CUSTOMER added",
    "ROV: invalid",
    "ROV: not_found",
    "ROV: valid",
    "ROV of a blackhole route: valid",
    "UPDATEs told to a tap",
    "action block",
    "action reject",
    "blackhole route accepted",
    "blackhole route sent",
    "irr_more_specific",
    "irr_not_checked",
    "irr_valid",
    "changes told to a mirror",
    "kept back: IPv6 next hop",
    "kept back: blackhole",
    "kept back: by distance",
    "kept back: control communities",
    "kept back: matrix",
    "kept back: rfc1997",
    "let through: by distance",
    "next hop of a blackhole route rewritten",
    "origin_not_present_in_as_set",
    "origin_present_in_as_set",
    "prefix_not_present_in_as_set",
    "prefix_present_in_as_set",
    "prefix_validated_via_rpki_roas",
    "prepend_rs_as",
    "prepended beyond a distance",
    "prepended to a peer",
    "prepended within a distance",
    "reject_cause",
    "route_validated_via_white_list",
    "rpki_unknown",
    "rpki_valid",
    "connected anew",
    "stale routes",
    "LLGR_STALE",
    "NO_LLGR",
    "kept back: LLGR_STALE",
];

/// What never had a say.
pub fn missing(tally: &Tally) -> Vec<String> {
    let reasons = REASONS.iter().map(|(reason, _)| *reason);
    let rejected = reasons.clone().map(|reason| format!("rejected: {reason}"));
    let is_remark = |reason: &&str| !["accepted_limit", "quarantined"].contains(reason);
    let remarks = (reasons.filter(is_remark)).map(|reason| format!("remark: {reason}"));
    let others = EXPECTED.into_iter().map(str::to_owned);
    let expected = rejected.chain(remarks).chain(others);
    expected.filter(|what| !tally.contains_key(what)).collect()
}
