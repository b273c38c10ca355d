//! Each malformed input, sent by one client while the others exchange a table: what it gets for it,
//! what the log says, what becomes of its routes.

use super::octets::*;
use super::speaker::Speaker;
use super::tables::{BYSTANDERS, Lan, address_of, asn_of, prefix_of};
use super::{log, messages, updates};

/// Octets for the client that sends them.
pub type Octets = Box<dyn Fn(u16) -> Vec<u8>>;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum At {
    OpenSent,
    OpenConfirm,
    /// With routes 1 and 2 announced.
    Established,
}
use At::{Established, OpenConfirm, OpenSent};

#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// NOTIFICATION with this code, subcode and data, then the connection ends.
    Notified(u8, u8, Vec<u8>),
    /// The same, where the data are no matter.
    NotifiedWith(u8, u8),
    /// The connection ends without a word.
    Silence,
    /// The session goes on, route 1 is withdrawn.
    Withdrawn,
    /// The session goes on, route 1 has these attributes after the mandatory ones.
    Announced(Vec<u8>),
}
use Outcome::{Announced, Notified, NotifiedWith, Silence, Withdrawn};

pub struct Case {
    name: &'static str,
    at: At,
    octets: Octets,
    outcome: Outcome,
    /// Words of the line about the client; none where nothing is worth one.
    log: &'static str,
}

pub fn case(
    name: &'static str,
    at: At,
    octets: impl Fn(u16) -> Vec<u8> + 'static,
    outcome: Outcome,
    log: &'static str,
) -> Case {
    Case {
        name,
        at,
        octets: Box::new(octets),
        outcome,
        log,
    }
}

/// Route 1 again, with these attributes after the mandatory ones.
pub fn again(attributes: Vec<u8>) -> impl Fn(u16) -> Vec<u8> {
    move |index| {
        let attributes = [mandatory(asn_of(index)), attributes.clone()].concat();
        announce(&attributes, &[prefix_of(index, 1)])
    }
}

pub fn fixed(octets: Vec<u8>) -> impl Fn(u16) -> Vec<u8> {
    move |_| octets.clone()
}

#[test]
fn each_malformed_input_costs_its_sender_what_it_should_and_the_others_nothing() {
    let groups = [
        messages::headers(),
        messages::opens(),
        messages::states(),
        messages::refreshes(),
        updates::resets(),
        updates::remedies(),
    ];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    let mut lan = Lan::start("input", cases.len() as u16, "");
    let mut wrong = Vec::new();
    for (case, index) in cases.iter().zip(BYSTANDERS..) {
        if let Err(what) = try_case(&mut lan, case, index) {
            wrong.push(format!("{}: {what}", case.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    lan.end();
}

#[test]
fn what_was_malformed_is_in_the_log_but_not_a_hundred_times() {
    let mut lan = Lan::start("hundred", 2, "");
    let index = BYSTANDERS;
    let mut speaker = lan.establish(index);
    let octets = again(attribute(0x80, 4, &[1]))(index);
    speaker.say(&octets.repeat(100));
    let flood = again([attribute(0x40, 6, &[1]), attribute(0x40, 5, &[])].concat())(index);
    speaker.say(&flood.repeat(100));
    let routes = Table::from([(prefix_of(index, 1), mandatory(asn_of(index)))]);
    lan.only_also(&routes, "after two hundred malformed UPDATEs");
    let lines = log::lines(&[
        &format!("\"{}\"", lan.client_name(index)),
        "malformed UPDATE",
    ]);
    let [line] = &lines[..] else {
        panic!("one line, not {lines:?}");
    };
    let hex: String = octets[19..]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let prefix = prefix_of(index, 1).to_string();
    for part in ["WARN", "treat-as-withdraw: MULTI_EXIT_DISC", &hex, &prefix] {
        assert!(line.contains(part), "'{part}' is not in {line}");
    }
    let status = lan.status(index);
    let counted = (
        status.treat_as_withdraw_count,
        status.attribute_discard_count,
    );
    assert_eq!(counted, (100, 200), "and all of them are counted");
    speaker.close();
    lan.end();
}

fn try_case(lan: &mut Lan, case: &Case, index: u16) -> Result<(), String> {
    let mut speaker = lan.connect(index);
    let mut routes = Table::new();
    match case.at {
        OpenSent => {}
        OpenConfirm => speaker.confirm(asn_of(index), address_of(index)),
        Established => {
            speaker.establish(asn_of(index), address_of(index));
            let attributes = mandatory(asn_of(index));
            routes.extend([1, 2].map(|number| (prefix_of(index, number), attributes.clone())));
            speaker.say(&announce(
                &attributes,
                &[prefix_of(index, 1), prefix_of(index, 2)],
            ));
            lan.only_also(&routes, case.name);
        }
    }
    speaker.say(&(case.octets)(index));
    let found = match &case.outcome {
        Withdrawn => {
            routes.remove(&prefix_of(index, 1));
            goes_on(lan, &mut speaker, routes, (index, case.name))
        }
        Announced(attributes) => {
            let attributes = [mandatory(asn_of(index)), attributes.clone()].concat();
            routes.insert(prefix_of(index, 1), attributes);
            goes_on(lan, &mut speaker, routes, (index, case.name))
        }
        outcome => ends(&speaker, outcome),
    };
    let logged = match case.log {
        "" => Ok(()),
        words => log::expect(&lan.client_name(index), words),
    };
    speaker.close();
    lan.nobody_else(case.name);
    found.and(logged)
}

fn ends(speaker: &Speaker, outcome: &Outcome) -> Result<(), String> {
    if !speaker.until(|heard| heard.is_closed) {
        return Err("the connection goes on".to_owned());
    }
    let found = match (speaker.heard().notification.clone(), outcome) {
        (None, _) => Silence,
        (Some((code, subcode, _)), NotifiedWith(..)) => NotifiedWith(code, subcode),
        (Some((code, subcode, data)), _) => Notified(code, subcode, data),
    };
    match found == *outcome {
        true => Ok(()),
        false => Err(format!("{found:?} instead of {outcome:?}")),
    }
}

/// The session is up, everybody has its routes, and one more that it announces now.
fn goes_on(
    lan: &mut Lan,
    speaker: &mut Speaker,
    mut routes: Table,
    (index, case): (u16, &str),
) -> Result<(), String> {
    let (prefix, attributes) = (prefix_of(index, 3), mandatory(asn_of(index)));
    if !speaker.say(&announce(&attributes, &[prefix])) || speaker.heard().is_closed {
        return Err(format!(
            "the session ended: {:?}",
            speaker.heard().notification
        ));
    }
    routes.insert(prefix, attributes);
    lan.only_also(&routes, case);
    let owed = lan.table_without(None);
    match speaker.until(|heard| heard.table == owed) {
        true => Ok(()),
        false => Err("it does not get what it is owed".to_owned()),
    }
}
