//! `rialto report`: what a client registered and does not announce, and the other way round.

use crate::manage::report::view::{ReportItemView, ReportView};

use super::args::{ReportArgs, ReportSection};
use super::fetch::{FetchError, escape, get};
use super::paint::Tone;
use super::table::{Screen, Shrink, Table, duration, grouped};
use super::{Outcome, print};

/// Of each section, unless all are asked for.
const ITEMS_MAX: usize = 40;
/// Items in one question.
const PAGE: usize = 5_000;

pub fn report(args: &ReportArgs) -> Result<Outcome, FetchError> {
    let sections: &[&str] = match args.section {
        Some(ReportSection::NotRegistered) => &["not_registered"],
        Some(ReportSection::RoaMismatch) => &["roa_mismatch"],
        Some(ReportSection::NotAnnounced) => &["not_announced"],
        Some(ReportSection::NearMiss) => &["near_miss"],
        None => &["not_registered", "roa_mismatch", "not_announced"],
    };
    let limit = if args.all || args.common.output.json {
        usize::MAX
    } else {
        ITEMS_MAX
    };
    let screen = Screen::of_output();
    let mut whole: Option<ReportView> = None;
    for section in sections {
        let view = pages(args, section, limit)?;
        if !args.common.output.json {
            if whole.is_none() {
                print(&head(&view));
            }
            print(&text(&view, screen));
        }
        match &mut whole {
            None => whole = Some(view),
            Some(whole) => whole.items.extend(view.items),
        }
    }
    if let Some(mut whole) = whole.filter(|_| args.common.output.json) {
        if sections.len() > 1 {
            whole.section = "all".to_owned();
        }
        let value = serde_json::to_value(whole).unwrap_or_default();
        print(&format!("{value:#}\n"));
    }
    Ok(Outcome::Well)
}

/// So many items of a section.
fn pages(args: &ReportArgs, section: &str, limit: usize) -> Result<ReportView, FetchError> {
    let api = &args.common.api.api;
    let path = format!(
        "/api/v1/clients/{}/report?section={section}",
        escape(&args.name)
    );
    let mut view: ReportView = get(api, &format!("{path}&limit={}", limit.min(PAGE)))?;
    while let Some(next) = view.next.take() {
        if view.items.len() >= limit {
            break;
        }
        let page: ReportView = get(
            api,
            &format!("{path}&limit={PAGE}&cursor={}", escape(&next)),
        )?;
        view.items.extend(page.items);
        view.next = page.next;
    }
    Ok(view)
}

fn head(view: &ReportView) -> String {
    let up = match view.session_s {
        Some(seconds) => format!("up for {}", duration(seconds)),
        None => "not up".to_owned(),
    };
    let mut text = format!(
        "{}  AS{} at {}, {up}; {} announced, {} registered\n",
        view.client,
        view.asn,
        view.address,
        grouped(view.counts.announced),
        grouped(view.counts.registered)
    );
    text += match view.irr.as_str() {
        "missing" => "IRR   nothing is known of what it registered: rialto show feeds\n",
        "not_checked" => "IRR   not checked for this client\n",
        _ => "",
    };
    if !view.rpki {
        text += "RPKI  there are no VRPs\n";
    }
    if view.incomplete {
        text += "It announces more than is looked at: this is about a part.\n";
    }
    text
}

fn text(view: &ReportView, screen: Screen) -> String {
    let (title, total) = match view.section.as_str() {
        "not_registered" => ("announced, and not registered", view.counts.not_registered),
        "roa_mismatch" => ("allowed by no ROA", view.counts.roa_mismatch),
        "not_announced" => ("registered, and not announced", view.counts.not_announced),
        _ => ("near misses", view.counts.near_miss),
    };
    let head = screen
        .paint
        .paint(Tone::Strong, &format!("{} {title}", grouped(total)));
    let mut text = format!("\n{head}\n");
    if view.items.is_empty() {
        return text;
    }
    let mut table = Table::new(&["PREFIX", "ORIGIN", ">SINCE", "WHAT"]).shrinking(&[
        Shrink::Cut("WHAT", 30),
        Shrink::Drop("SINCE"),
        Shrink::Drop("ORIGIN"),
    ]);
    const WHAT: usize = 3;
    for item in &view.items {
        let origin = item
            .origin
            .map(|asn| format!("AS{asn}"))
            .unwrap_or_default();
        let row = table.row(vec![
            item.prefix.clone(),
            origin,
            since(item),
            item.text.clone(),
        ]);
        if item.reject.is_some() {
            row.tone(WHAT, Tone::Bad);
        } else if !item.near.is_empty() {
            row.tone(WHAT, Tone::Doubtful);
        }
    }
    text += &table.text(screen);
    let left = total.saturating_sub(view.items.len() as u64);
    if left > 0 {
        text += &format!("… and {} more (--all, --json)\n", grouped(left));
    }
    text
}

/// In reports; one that is new is as old as nobody knows.
fn since(item: &ReportItemView) -> String {
    match item.reported_s {
        0 => "-".to_owned(),
        seconds => duration(seconds),
    }
}
