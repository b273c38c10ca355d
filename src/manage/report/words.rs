//! Items of a report in words.

use std::time::Duration;

use crate::base::Asn;
use crate::policy::Vrp;
use crate::server::exchange::Client;

use super::compare::{Item, Near, Section, Wrong};
use super::view::{NearView, ReportItemView, VrpView};

pub(super) fn item(item: &Item, client: &Client, reported: Duration) -> ReportItemView {
    let near = item.near.iter().map(|near| NearView {
        relation: relation(*near).to_owned(),
        prefix: place(*near),
        text: near_text(*near, item),
    });
    let vrps = item.vrps.iter().map(|(vrp, wrong)| VrpView {
        prefix: vrp.prefix.to_string(),
        max_len: vrp.max_len,
        asn: vrp.asn,
        wrong: wrong_name(*wrong).to_owned(),
        text: vrp_text(vrp, *wrong, item),
    });
    ReportItemView {
        section: item.section.name().to_owned(),
        prefix: item.range.to_string(),
        origin: item.origin,
        reject: item.reject.map(|reason| reason.name().to_owned()),
        near: near.collect(),
        vrps: vrps.collect(),
        text: text(item, client),
        reported_s: reported.as_secs(),
    }
}

const fn relation(near: Near) -> &'static str {
    match near {
        Near::MoreSpecificAnnounced(_) => "more_specific_announced",
        Near::LessSpecificAnnounced(_) => "less_specific_announced",
        Near::MoreSpecificRegistered(_) => "more_specific_registered",
        Near::LessSpecificRegistered(_) => "less_specific_registered",
        Near::OtherOrigin => "other_origin",
    }
}

fn place(near: Near) -> Option<String> {
    match near {
        Near::MoreSpecificAnnounced(prefix) | Near::LessSpecificAnnounced(prefix) => {
            Some(prefix.to_string())
        }
        Near::MoreSpecificRegistered(range) | Near::LessSpecificRegistered(range) => {
            Some(range.to_string())
        }
        Near::OtherOrigin => None,
    }
}

const fn wrong_name(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Origin => "origin",
        Wrong::Length => "length",
        Wrong::OriginAndLength => "origin_and_length",
        Wrong::As0 => "as0",
    }
}

fn origin(asn: Option<Asn>) -> String {
    asn.map_or_else(
        || "no origin that counts".to_owned(),
        |asn| format!("AS{asn}"),
    )
}

fn text(item: &Item, client: &Client) -> String {
    let near = item.near.iter().map(|near| near_text(*near, item));
    let near = near.collect::<Vec<_>>().join("; ");
    match item.section {
        Section::NotAnnounced if near.is_empty() => "registered, and not announced".to_owned(),
        Section::NotAnnounced => format!("registered, and not announced; {near}"),
        Section::NotRegistered => {
            let verdict = match item.reject {
                Some(reason) => format!("rejected ({reason})"),
                None => "accepted all the same".to_owned(),
            };
            let by = format!("announced by {}", client.name);
            match near.is_empty() {
                true => format!("{by}, {verdict}; nothing like it is registered"),
                false => format!("{by}, {verdict}; {near}"),
            }
        }
        Section::RoaMismatch => {
            let told = item
                .vrps
                .iter()
                .map(|(vrp, wrong)| vrp_text(vrp, *wrong, item));
            told.collect::<Vec<_>>().join("; ")
        }
    }
}

fn near_text(near: Near, item: &Item) -> String {
    match near {
        Near::MoreSpecificAnnounced(prefix) => format!("announced is {prefix}, more specific"),
        Near::LessSpecificAnnounced(prefix) => format!("announced is {prefix}, less specific"),
        Near::MoreSpecificRegistered(range) => format!("registered is {range}, more specific"),
        Near::LessSpecificRegistered(range) => format!("registered is {range}, less specific"),
        Near::OtherOrigin => format!("{} is not in its AS-SET", origin(item.origin)),
    }
}

fn vrp_text(vrp: &Vrp, wrong: Wrong, item: &Item) -> String {
    let Vrp {
        prefix,
        max_len,
        asn,
    } = vrp;
    let range = match *max_len == prefix.len() {
        true => prefix.to_string(),
        false => format!("{prefix}-{max_len}"),
    };
    let came = origin(item.origin);
    match wrong {
        Wrong::Origin => format!("{range} is AS{asn}'s by ROA, and came from {came}"),
        Wrong::Length => format!("{range} is AS{asn}'s by ROA, which allows no longer one"),
        Wrong::OriginAndLength => format!(
            "{range} is AS{asn}'s by ROA, which allows no longer one, and it came from {came}"
        ),
        Wrong::As0 => format!("a ROA says that nobody may announce {range} (AS0)"),
    }
}
