//! What a reload would do, for people: totals, then the worst hit, with the reasons in words.

use std::collections::BTreeMap;

use crate::manage::{RehearsalView, WhyView};

use super::count;
use super::table::{Screen, Table, grouped};

/// Rows of each table; JSON has all.
const ROWS_MAX: usize = 20;
/// Names in a line.
const NAMES_MAX: usize = 5;

pub fn totals(view: &RehearsalView) -> String {
    let share = |part: u64, all: u64| match part {
        0 => String::new(),
        _ => format!(" ({:.1} %)", 100.0 * part as f64 / all.max(1) as f64),
    };
    let mut text = format!(
        "paths     {} of {} accepted ones rejected{}, {} accepted that were not\n\
         prefixes  {} of {} lost{}, {} gained; counted for each client that has them\n",
        grouped(view.newly_rejected),
        grouped(view.accepted),
        share(view.newly_rejected, view.accepted),
        grouped(view.newly_accepted),
        grouped(view.lost),
        grouped(view.served),
        share(view.lost, view.served),
        grouped(view.gained),
    );
    if !view.restarts.is_empty() {
        let (begin, names) = (count(view.restarts.len(), "client"), names(&view.restarts));
        text += &format!("sessions  of {begin} begin anew: {names}\n");
    }
    text
}

/// Totals, then who is hit, worst first.
pub fn tables(view: &RehearsalView) -> String {
    let mut text = totals(view);
    if !view.announcers.is_empty() {
        let mut table = Table::new(&["PATHS OF", ">REJECTED", ">ACCEPTED", "WHY"]);
        for change in view.announcers.iter().take(ROWS_MAX) {
            let would = change.why.iter().map(short);
            let is = change
                .why_now
                .iter()
                .map(|why| format!("now {}", short(why)));
            table.row(vec![
                change.client.clone(),
                grouped(change.newly_rejected),
                grouped(change.newly_accepted),
                would.chain(is).collect::<Vec<_>>().join(", "),
            ]);
        }
        text += &format!(
            "\n{}{}",
            table.text(Screen::of_output()),
            more(view.announcers.len())
        );
        text += &reasons(view);
    }
    if !view.receivers.is_empty() {
        let mut table = Table::new(&["PREFIXES AT", ">LOST", ">GAINED"]);
        for change in view.receivers.iter().take(ROWS_MAX) {
            table.row(vec![
                change.client.clone(),
                grouped(change.lost),
                grouped(change.gained),
            ]);
        }
        text += &format!(
            "\n{}{}",
            table.text(Screen::of_output()),
            more(view.receivers.len())
        );
    }
    text
}

/// Every reason once, in words.
fn reasons(view: &RehearsalView) -> String {
    let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
    for why in (view.announcers.iter()).flat_map(|change| change.why.iter().chain(&change.why_now))
    {
        reasons.insert(&why.reason, &why.text);
    }
    let width = reasons.keys().map(|reason| reason.len()).max().unwrap_or(0);
    let line = |(reason, text): (&&str, &&str)| format!("{reason:<width$}  {text}\n");
    format!("\n{}", reasons.iter().map(line).collect::<String>())
}

fn short(why: &WhyView) -> String {
    format!("{} {}", why.reason, grouped(why.count))
}

fn more(len: usize) -> String {
    match len.saturating_sub(ROWS_MAX) {
        0 => String::new(),
        more => format!("{more} more; --json lists them\n"),
    }
}

fn names(all: &[String]) -> String {
    let shown = all.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>();
    match all.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manage::{AnnouncerChange, ReceiverChange};

    fn why(reason: &str, count: u64) -> WhyView {
        WhyView {
            reason: reason.to_owned(),
            text: format!("It is {reason}"),
            count,
        }
    }

    #[test]
    fn the_worst_come_first_and_the_rest_is_counted() {
        let announcer = |number: u64| AnnouncerChange {
            client: format!("AS{number}-1"),
            newly_rejected: 1_000 - number,
            newly_accepted: 0,
            why: vec![why("bad", 1_000 - number)],
            why_now: Vec::new(),
        };
        let view = RehearsalView {
            accepted: 45_678,
            served: 9_000_000,
            newly_rejected: 1_234,
            lost: 450_000,
            announcers: (1..=900).map(announcer).collect(),
            receivers: vec![ReceiverChange {
                client: "AS9-1".to_owned(),
                lost: 450_000,
                gained: 0,
            }],
            restarts: (1..=7).map(|number| format!("AS{number}-1")).collect(),
            ..RehearsalView::default()
        };
        let text = tables(&view);
        let expected = "paths     1,234 of 45,678 accepted ones rejected (2.7 %), 0 accepted that were not\n\
                        prefixes  450,000 of 9,000,000 lost (5.0 %), 0 gained; counted for each client that has them\n\
                        sessions  of 7 clients begin anew: AS1-1, AS2-1, AS3-1, AS4-1, AS5-1 and 2 more\n\n\
                        PATHS OF  REJECTED  ACCEPTED  WHY\n\
                        AS1-1          999         0  bad 999\n";
        assert!(text.starts_with(expected), "{text}");
        let after = "AS20-1         980         0  bad 980\n880 more; --json lists them\n\nbad  It is bad\n\n\
                     PREFIXES AT     LOST  GAINED\nAS9-1        450,000       0\n";
        assert!(text.ends_with(after), "{text}");
    }
}
