//! `rialto client NAME trace`: what a client says and is told, as it happens.

use crate::base::Family;
use crate::manage::trace::view::{
    AnnouncedView, MessageView, NlriView, OpenView, SessionView, TraceLine, Traced, UpdateView,
};
use crate::manage::view::AttributesView;

use super::args::ShowCommon;
use super::fetch::{FetchError, escape, lines};
use super::paint::{Paint, Tone};
use super::{Outcome, count, print};

/// Prefixes of one verdict that are named; --json has them all.
const PREFIXES_MAX: usize = 12;
/// Where what belongs to a line stands under it.
const INDENT: &str = "               ";

pub fn trace(name: &str, for_s: u32, common: &ShowCommon) -> Result<Outcome, FetchError> {
    let path = format!("/api/v1/clients/{}/trace?for_s={for_s}", escape(name));
    let paint = Paint::of_output();
    let mut has_ended = false;
    lines(&common.api.api, &path, |line: &str| {
        let foreign = |error: serde_json::Error| FetchError::Foreign {
            api: common.api.api.clone(),
            why: error.to_string(),
        };
        if common.output.json {
            print(&format!("{line}\n"));
        }
        let line: TraceLine = serde_json::from_str(line).map_err(foreign)?;
        if !common.output.json {
            print(&text(&line, paint));
        }
        has_ended = matches!(line.what, Traced::Ended { .. });
        Ok(())
    })?;
    match has_ended {
        true => Ok(Outcome::Well),
        false => Err(FetchError::Unreachable {
            api: common.api.api.clone(),
            why: "the trace broke off".to_owned(),
        }),
    }
}

fn text(line: &TraceLine, paint: Paint) -> String {
    // The time of day; the day is in the JSON.
    let at = line.at.get(11..23).unwrap_or(&line.at);
    let at = paint.paint(Tone::Faint, at);
    let told =
        |tone: Tone, word: &str, rest: &str| format!("{at}  {}{rest}\n", paint.paint(tone, word));
    match &line.what {
        Traced::Began {
            client,
            asn,
            address,
            for_s,
            session,
        } => {
            let head = format!(", AS{asn} at {address}, for {for_s} s (Ctrl-C ends it)");
            let first = told(Tone::Strong, &format!("trace of {client}"), &head);
            first
                + &match session {
                    Some(session) => under(&session_text(session)),
                    None => under("not established"),
                }
        }
        Traced::Up { session } => {
            told(Tone::Good, "UP", "") + &under(&session_text(session)) + &opens(session)
        }
        Traced::Down { reason } => told(Tone::Bad, "DOWN", &format!("  {reason}")),
        Traced::NotEstablished { reason } => {
            told(Tone::Bad, "not established", &format!("  {reason}"))
        }
        Traced::Received(message) => format!("{at}  heard  {}", message_text(message, paint)),
        Traced::Sent(message) => format!("{at}  sent   {}", message_text(message, paint)),
        Traced::Missed => told(
            Tone::Doubtful,
            "some is missing here",
            ": too much at once, or it was not read fast enough",
        ),
        Traced::Ended { why } => told(Tone::Strong, "end of the trace", &format!(": {why}")),
    }
}

fn under(text: &str) -> String {
    format!("{INDENT}{text}\n")
}

fn names(families: &[Family]) -> String {
    let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(" "),
    }
}

fn session_text(session: &SessionView) -> String {
    format!(
        "established: {} to {}, router id {}, hold time {} s, {}, ADD-PATH {}, {} ASNs, messages of {} octets",
        session.remote,
        session.local,
        session.router_id,
        session.hold_time_s,
        names(&session.families),
        names(&session.add_path),
        if session.four_octet {
            "four-octet"
        } else {
            "two-octet"
        },
        if session.extended_messages {
            "65535"
        } else {
            "4096"
        },
    )
}

fn opens(session: &SessionView) -> String {
    let of = |word: &str, open: &Option<OpenView>| {
        let open = open.as_ref().map(open_text);
        open.map_or_else(String::new, |open| under(&format!("{word} OPEN: {open}")))
    };
    of("its", &session.received_open) + &of("our", &session.sent_open)
}

fn open_text(open: &OpenView) -> String {
    format!(
        "AS{}, router id {}, hold time {} s; {}",
        open.asn,
        open.router_id,
        open.hold_time_s,
        open.capabilities.join(", ")
    )
}

fn message_text(message: &MessageView, paint: Paint) -> String {
    let head = format!("{} {} octets", message.kind, message.octets);
    if let Some(error) = &message.error {
        let octets = message.hexadecimal.as_deref().unwrap_or_default();
        let error = paint.paint(Tone::Bad, &format!("cannot be read: {error}"));
        return format!("{head}: {error}\n") + &under(octets);
    }
    match (&message.update, &message.text, &message.open) {
        (Some(update), _, _) => format!("{head}{}", update_text(update, paint)),
        (_, Some(text), _) => format!("{head}: {text}\n"),
        (_, _, Some(open)) => format!("{head}: {}\n", open_text(open)),
        _ => format!("{head}\n"),
    }
}

fn update_text(update: &UpdateView, paint: Paint) -> String {
    if let Some(family) = update.end_of_rib {
        return format!(": End-of-RIB {family}\n");
    }
    let announced: usize = update.announced.iter().map(|it| it.prefixes.len()).sum();
    let mut sums = Vec::new();
    if announced > 0 {
        sums.push(format!("{announced} announced"));
    }
    if !update.withdrawn.is_empty() {
        sums.push(format!("{} withdrawn", update.withdrawn.len()));
    }
    let mut text = match sums.is_empty() {
        true => ": nothing\n".to_owned(),
        false => format!(": {}\n", sums.join(", ")),
    };
    if !update.withdrawn.is_empty() {
        text += &under(&format!("withdrawn  {}", prefixes(update.withdrawn.iter())));
    }
    text.extend(update.announced.iter().map(|it| announced_text(it, paint)));
    let faults = update
        .treat_as_withdraw
        .iter()
        .map(|why| format!("treated as a withdrawal: {why}"));
    let faults = faults.chain(
        update
            .discarded
            .iter()
            .map(|why| format!("left out: {why}")),
    );
    text.extend(faults.map(|why| under(&paint.paint(Tone::Bad, &why))));
    text
}

fn announced_text(announced: &AnnouncedView, paint: Paint) -> String {
    let mut verdicts: Vec<String> = Vec::new();
    for view in &announced.prefixes {
        let verdict = verdict(view);
        if !verdicts.contains(&verdict) {
            verdicts.push(verdict);
        }
    }
    let mut text = String::new();
    for told in &verdicts {
        let of_it = announced
            .prefixes
            .iter()
            .filter(|view| verdict(view) == *told);
        let tone = match told.starts_with("rejected") {
            true => Tone::Bad,
            false => Tone::Good,
        };
        let told = match told.as_str() {
            "" => String::new(),
            told => format!("  {}", paint.paint(tone, told)),
        };
        text += &under(&format!("{}{told}", prefixes(of_it)));
    }
    text + &under(&paint.paint(Tone::Faint, &attributes(&announced.attributes)))
}

/// Nothing, of what is sent.
fn verdict(view: &NlriView) -> String {
    let rpki = view
        .rpki
        .as_ref()
        .map(|rpki| format!(", RPKI {}", rpki.replace('_', " ")));
    let rpki = rpki.unwrap_or_default();
    match (view.accepted, &view.reason) {
        (None, _) => String::new(),
        (Some(true), None) => format!("accepted{rpki}"),
        (Some(true), Some(remark)) => format!("accepted all the same ({remark}){rpki}"),
        (Some(false), reason) => {
            format!(
                "rejected: {}{rpki}",
                reason.as_deref().unwrap_or("no reason told")
            )
        }
    }
}

fn prefixes<'a>(all: impl Iterator<Item = &'a NlriView>) -> String {
    let name = |view: &NlriView| match view.path_id {
        Some(id) => format!("{} (path {id})", view.prefix),
        None => view.prefix.clone(),
    };
    let all: Vec<String> = all.map(name).collect();
    match all.get(PREFIXES_MAX..) {
        Some(rest @ [_, ..]) => format!(
            "{} and {}",
            all[..PREFIXES_MAX].join(" "),
            count(rest.len(), "more").trim_end_matches('s')
        ),
        _ => all.join(" "),
    }
}

/// In short.
fn attributes(of: &AttributesView) -> String {
    let mut parts = vec![format!("next hop {}", of.next_hop)];
    parts.extend(of.link_local_next_hop.map(|it| format!("and {it}")));
    parts.push(format!("AS_PATH {}", of.as_path));
    parts.push(format!("origin {}", of.origin));
    parts.extend(of.med.map(|med| format!("MED {med}")));
    for (name, values) in [
        ("communities", &of.communities),
        ("large", &of.large_communities),
        ("extended", &of.extended_communities),
    ] {
        if !values.is_empty() {
            parts.push(format!("{name} {}", values.join(" ")));
        }
    }
    let others = of.others.iter();
    parts.extend(others.map(|other| format!("attribute {} {}", other.code, other.value)));
    parts.join(", ").replace(", and ", " and ")
}
