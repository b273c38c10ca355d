//! Why a client has a prefix or has it not, in words.

use crate::policy::KeptBack;
use crate::rib::DecidedBy;
use crate::server::exchange::{Client, Exchange};
use crate::server::query::{Explanation, PathFate, PathRow};

use super::describe::{Side, path};
use super::view::{ExplainView, FateView, PathView};

/// Each path of a prefix with what became of it for one client.
pub fn explanation(
    exchange: &Exchange,
    to: &Client,
    prefix: Option<String>,
    explanation: &Explanation,
) -> ExplainView {
    let fate = |(row, fate): &(PathRow, PathFate)| {
        let (name, decided_by) = fate_name(*fate);
        let path = path(exchange, row, Side::Heard);
        let text = fate_text(*fate, &path, &to.name) + age_text(&path);
        FateView {
            fate: name.to_owned(),
            decided_by: decided_by.map(str::to_owned),
            text,
            path,
        }
    };
    let paths = explanation.paths.iter().map(fate).collect::<Vec<_>>();
    let answer = answer(&to.name, prefix.as_deref(), to, explanation.live, &paths);
    ExplainView {
        prefix,
        to: to.name.clone(),
        live: explanation.live,
        answer,
        paths,
    }
}

fn answer(name: &str, prefix: Option<&str>, to: &Client, live: bool, paths: &[FateView]) -> String {
    let Some(prefix) = prefix.filter(|_| !paths.is_empty()) else {
        return "Nobody announces it.".to_owned();
    };
    let has = paths
        .iter()
        .filter(|path| matches!(path.fate.as_str(), "best" | "additional"))
        .collect::<Vec<_>>();
    let would = if live { "has" } else { "would have" };
    let told = match &has[..] {
        [] => format!(
            "{name} {} {prefix}: no path may go to it{}.",
            if live {
                "does not have"
            } else {
                "would not have"
            },
            quarantined(paths)
        ),
        [one] => format!("{name} {would} {prefix} from {}.", one.path.from),
        many => format!(
            "{name} {would} {} paths of {prefix} (ADD-PATH).",
            many.len()
        ),
    };
    match (live, &to.disabled) {
        (true, _) => told,
        (false, Some(_)) => format!("{name} is disabled. {told}"),
        (false, None) => format!(
            "{name} is not served now: its session is down, or still being brought up. {told}"
        ),
    }
}

/// Who announces it in vain, because of quarantine.
fn quarantined(paths: &[FateView]) -> String {
    let held = paths.iter().filter(|fate| fate.path.is_quarantined());
    let names = held.map(|fate| fate.path.from.as_str()).collect::<Vec<_>>();
    match &names[..] {
        [] => String::new(),
        [one] => format!(" ({one} is quarantined)"),
        many => format!(" ({} are quarantined)", many.join(", ")),
    }
}

const fn fate_name(fate: PathFate) -> (&'static str, Option<&'static str>) {
    match fate {
        PathFate::Best(None) => ("best", None),
        PathFate::Best(Some(by)) => ("best", Some(step_name(by))),
        PathFate::Additional => ("additional", None),
        PathFate::Lost(by) => ("lost", Some(step_name(by))),
        PathFate::Rejected => ("rejected", None),
        PathFate::Own => ("own", None),
        PathFate::NotInAudience(by) => ("not_in_audience", Some(by.name())),
        PathFate::Unsettled => ("unsettled", None),
        PathFate::TooLong => ("too_long", None),
        PathFate::NextHopForm => ("next_hop_form", None),
        PathFate::LongLived => ("long_lived", None),
        PathFate::FamilyNotNegotiated => ("family_not_negotiated", None),
    }
}

pub const fn step_name(step: DecidedBy) -> &'static str {
    match step {
        DecidedBy::Preference => "preference",
        DecidedBy::AsPathLength => "as_path_length",
        DecidedBy::Origin => "origin",
        DecidedBy::Med => "med",
        DecidedBy::RouterId => "router_id",
        DecidedBy::PeerAddress => "peer_address",
    }
}

const fn step_words(step: DecidedBy) -> &'static str {
    match step {
        DecidedBy::Preference => "preference (GRACEFUL_SHUTDOWN, LLGR_STALE)",
        DecidedBy::AsPathLength => "the shorter AS_PATH",
        DecidedBy::Origin => "the lower ORIGIN",
        DecidedBy::Med => "the lower MED from the same neighbouring AS",
        DecidedBy::RouterId => "the lower router identifier",
        DecidedBy::PeerAddress => "the lower peer address",
    }
}

/// What keeps the path back, and the remedy's name.
fn kept_back_words(by: KeptBack, path: &PathView, to: &str) -> String {
    let from = &path.from;
    match by {
        KeptBack::WellKnown => {
            format!("it has an RFC 1997 community, which is obeyed of {from} (rfc1997)")
        }
        KeptBack::Matrix => format!(
            "by configuration {to} has no routes of {from} (announce_only_to, do_not_announce_to, \
             receive_only_from, do_not_receive_from)"
        ),
        KeptBack::Blackhole => format!("{to} takes no blackhole routes (blackhole = false)"),
        KeptBack::HideOwnAs => {
            format!("{to} wants no path with its own ASN in AS_PATH (hide_own_as)")
        }
        KeptBack::Action(action, ms) => {
            let ms = ms.map_or_else(String::new, |ms| format!(" {ms} ms"));
            format!(
                "a control community of {from} keeps it from {to} ({}{ms})",
                action.name()
            )
        }
    }
}

/// Of a path that outlives its session.
const fn age_text(path: &PathView) -> &'static str {
    match (path.stale, path.long_lived) {
        (true, true) => "; stale for long, its session is over: the last choice (RFC 9494)",
        (true, false) => "; stale, its session is over (RFC 4724)",
        (false, true) => "; stale for long where it comes from (LLGR_STALE): the last choice",
        (false, false) => "",
    }
}

fn fate_text(fate: PathFate, path: &PathView, to: &str) -> String {
    match fate {
        PathFate::Best(None) => "best: the only one it may have".to_owned(),
        PathFate::Best(Some(step)) => {
            format!("best: preferred to the next one by {}", step_words(step))
        }
        PathFate::Additional => "sent beside the others (ADD-PATH)".to_owned(),
        PathFate::Lost(step) => format!("not sent: a better one has {}", step_words(step)),
        PathFate::Rejected if path.is_quarantined() => format!(
            "would be accepted; relayed to none, because {} is quarantined",
            path.from
        ),
        PathFate::Rejected => {
            let reason = path
                .reject
                .as_ref()
                .map_or("rejected", |reject| reject.text.as_str());
            format!("rejected on import: {}", reason.trim_end_matches('.'))
        }
        PathFate::Own => format!("not sent: {to} announced it itself"),
        PathFate::NotInAudience(by) => format!("not sent: {}", kept_back_words(by, path, to)),
        PathFate::Unsettled => "not sent yet: a reload has not come to it".to_owned(),
        PathFate::TooLong => {
            format!("not sent: too long for the longest message that {to} takes")
        }
        PathFate::NextHopForm => {
            format!("not sent: its next hop is IPv6, which {to} does not take for IPv4 (RFC 8950)")
        }
        PathFate::LongLived => format!(
            "not sent: it is long-lived stale, and {to} did not announce that capability (RFC 9494 §4.3)"
        ),
        PathFate::FamilyNotNegotiated => format!("not sent: {to} did not negotiate the family"),
    }
}
