//! The recognised forms, looked up by community.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::base::Asn;
use crate::wire::Additions;

use super::ControlAction;
use super::control::Last;
use super::form::{ExtendedHead, Form};

/// A control community: what it asks for, and its last number where that varies.
pub(super) type Asked = (ControlAction, Option<u32>);

/// Every form of every action.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Forms {
    pub standard: FormsOf<(u16, u16), u16>,
    pub extended: FormsOf<[u8; 8], ExtendedHead>,
    pub large: FormsOf<(u32, u32, u32), (u32, u32)>,
    pub rtt_thresholds_ms: Vec<u16>,
    pub peer_as_aliases: BTreeMap<u16, Asn>,
}

/// The forms of one kind of community.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct FormsOf<Whole, Head> {
    pub whole: Vec<(Whole, ControlAction)>,
    /// All but the last number, which varies.
    pub heads: Vec<(Head, ControlAction)>,
}

impl<Whole, Head> Default for FormsOf<Whole, Head> {
    fn default() -> Self {
        FormsOf {
            whole: Vec::new(),
            heads: Vec::new(),
        }
    }
}

impl<Whole: PartialEq, Head: PartialEq> FormsOf<Whole, Head> {
    /// A form without anything that varies goes first.
    fn action(&self, whole: Whole, head: Head, last: u32, thresholds: &[u16]) -> Option<Asked> {
        if let Some((_, action)) = self.whole.iter().find(|(form, _)| *form == whole) {
            return Some((*action, None));
        }
        let (_, action) = self.heads.iter().find(|(form, _)| *form == head)?;
        let is_meant = match action.last() {
            Last::Rtt => thresholds.iter().any(|ms| u32::from(*ms) == last),
            Last::Peer | Last::Fixed => true,
        };
        is_meant.then_some((*action, Some(last)))
    }

    fn beginning_as(&self, head: Head, is_in: impl Fn(&Whole) -> bool) -> Option<ControlAction> {
        let whole = self.whole.iter().find(|(whole, _)| is_in(whole));
        let heads = || self.heads.iter().find(|(form, _)| *form == head);
        whole
            .map(|(_, action)| *action)
            .or_else(|| heads().map(|(_, action)| *action))
    }
}

/// Adds a form; says which other action has it already.
fn add<F: PartialEq>(
    forms: &mut Vec<(F, ControlAction)>,
    form: F,
    action: ControlAction,
) -> Result<(), ControlAction> {
    match forms.iter().find(|(known, _)| *known == form) {
        Some((_, other)) if *other != action => Err(*other),
        Some(_) => Ok(()),
        None => {
            forms.push((form, action));
            Ok(())
        }
    }
}

impl Forms {
    pub fn add(&mut self, form: Form, action: ControlAction) -> Result<(), ControlAction> {
        match form {
            Form::Standard(high, Some(low)) => add(&mut self.standard.whole, (high, low), action),
            Form::Standard(high, None) => add(&mut self.standard.heads, high, action),
            Form::Extended(head, Some(last)) => match head.with_last(last) {
                Some(whole) => add(&mut self.extended.whole, whole, action),
                None => Ok(()),
            },
            Form::Extended(head, None) => add(&mut self.extended.heads, head, action),
            Form::Large(a, b, Some(c)) => add(&mut self.large.whole, (a, b, c), action),
            Form::Large(a, b, None) => add(&mut self.large.heads, (a, b), action),
            Form::Absent => Ok(()),
        }
    }

    /// The action that has a form of this beginning, whatever its last number.
    pub fn beginning_as(&self, form: Form) -> Option<ControlAction> {
        match form {
            Form::Standard(high, _) => self.standard.beginning_as(high, |(a, _)| *a == high),
            Form::Large(a, b, _) => {
                (self.large).beginning_as((a, b), |(x, y, _)| (*x, *y) == (a, b))
            }
            Form::Extended(head, _) => self.extended.beginning_as(head, |whole| {
                ExtendedHead::split(*whole).is_some_and(|(other, _)| other == head)
            }),
            Form::Absent => None,
        }
    }

    pub fn of_standard(&self, community: (u16, u16)) -> Option<Asked> {
        let (high, low) = community;
        self.standard
            .action(community, high, low.into(), &self.rtt_thresholds_ms)
            .map(|asked| self.without_alias(asked))
    }

    pub fn of_extended(&self, community: [u8; 8]) -> Option<Asked> {
        if !self.has_extended() {
            return None;
        }
        let (head, last) = ExtendedHead::split(community)?;
        self.extended
            .action(community, head, last, &self.rtt_thresholds_ms)
            .map(|asked| self.without_alias(asked))
    }

    pub fn of_large(&self, community: (u32, u32, u32)) -> Option<Asked> {
        let (a, b, c) = community;
        self.large
            .action(community, (a, b), c, &self.rtt_thresholds_ms)
    }

    pub fn has_extended(&self) -> bool {
        !(self.extended.whole.is_empty() && self.extended.heads.is_empty())
    }

    /// A 16-bit number may stand for a longer ASN.
    fn without_alias(&self, (action, last): Asked) -> Asked {
        let alias = |last: u32| self.peer_as_aliases.get(&u16::try_from(last).ok()?);
        match (action.last(), last.and_then(alias)) {
            (Last::Peer, Some(asn)) => (action, Some(asn.0)),
            _ => (action, last),
        }
    }

    /// "action, form" of each, ordered by action.
    pub fn texts(&self) -> Vec<(ControlAction, String)> {
        let word = |action: ControlAction| match action.last() {
            Last::Rtt => "rtt",
            Last::Peer | Last::Fixed => "peer_as",
        };
        let mut texts: Vec<(ControlAction, String)> = Vec::new();
        let mut push = |action: &ControlAction, text: String| texts.push((*action, text));
        for ((a, b), action) in &self.standard.whole {
            push(action, format!("{a}:{b}"));
        }
        for (a, action) in &self.standard.heads {
            push(action, format!("{a}:{}", word(*action)));
        }
        for (whole, action) in &self.extended.whole {
            push(action, extended_text(*whole));
        }
        for (head, action) in &self.extended.heads {
            push(action, format!("{}:{}", head_text(*head), word(*action)));
        }
        for ((a, b, c), action) in &self.large.whole {
            push(action, format!("{a}:{b}:{c}"));
        }
        for ((a, b), action) in &self.large.heads {
            push(action, format!("{a}:{b}:{}", word(*action)));
        }
        texts.sort_by_key(|(action, _)| *action);
        texts
    }
}

fn head_text(ExtendedHead { subtype, asn }: ExtendedHead) -> String {
    format!("{}:{asn}", if subtype == 2 { "rt" } else { "ro" })
}

/// A route target or origin as it is configured.
pub(super) fn extended_text(community: [u8; 8]) -> String {
    match ExtendedHead::split(community) {
        Some((head, last)) => format!("{}:{last}", head_text(head)),
        None => format!("{:016x}", u64::from_be_bytes(community)),
    }
}

/// Communities without anything that varies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Communities {
    pub standard: SmallVec<[(u16, u16); 1]>,
    pub extended: SmallVec<[[u8; 8]; 1]>,
    pub large: SmallVec<[(u32, u32, u32); 1]>,
}

impl Communities {
    /// A form whose last number varies takes `last`; what does not fit is left out.
    pub fn add(&mut self, form: Form, last: u32) {
        match form {
            Form::Standard(high, low) => {
                let low = low.or(u16::try_from(last).ok());
                self.standard.extend(low.map(|low| (high, low)));
            }
            Form::Extended(head, low) => {
                self.extended.extend(head.with_last(low.unwrap_or(last)));
            }
            Form::Large(a, b, c) => self.large.push((a, b, c.unwrap_or(last))),
            Form::Absent => {}
        }
    }

    pub fn octets(&self) -> usize {
        self.standard.len() * 4 + self.extended.len() * 8 + self.large.len() * 12
    }

    pub fn is_in(&self, additions: &Additions) -> bool {
        self.standard.iter().all(|c| additions.standard.contains(c))
            && self.extended.iter().all(|c| additions.extended.contains(c))
            && self.large.iter().all(|c| additions.large.contains(c))
    }

    pub fn is_empty(&self) -> bool {
        self.octets() == 0
    }
}
