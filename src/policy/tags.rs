//! The informational communities of an exchange: which a path of a class gets, and which clients must
//! not send themselves.

use smallvec::SmallVec;

use crate::base::Asn;
use crate::wire::Additions;

use super::control::Last;
use super::form::{ExtendedHead, Form};
use super::forms::{Asked, Communities, Forms, extended_text};
use super::info::InfoTag;
use super::{PrefixClass, RejectReason, SchemeError, SchemeOptions};

/// So much may be added to a route; the wire floor leaves room for it.
const ADDITIONS_OCTETS_MAX: usize = Additions::LEN_MAX;

/// Attributes that may be made for additions, with four octets of header each.
const HEADERS_OCTETS: usize = 3 * 4;

/// What a variant's `tags` has set where something is added.
const HAS_TAGS: u16 = 1 << 15;

const REJECT_CAUSE: &str = "reject_cause";

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Tags {
    tags: Vec<(InfoTag, Communities)>,
    /// What stands for each reason, in the order of [`RejectReason::ALL`].
    reject_causes: Vec<Communities>,
    /// Their forms, which the reason makes whole.
    reject_forms: Vec<Form>,
}

impl Tags {
    pub fn read(
        rs_asn: Asn,
        options: &SchemeOptions,
        forms: &Forms,
        errors: &mut Vec<SchemeError>,
    ) -> Tags {
        let mut tags = Tags {
            reject_causes: vec![Communities::default(); RejectReason::ALL.len()],
            ..Tags::default()
        };
        for (tag, texts) in &options.tags {
            let mut communities = Communities::default();
            for text in texts {
                match Form::read(tag.name(), Last::Fixed, text, rs_asn) {
                    Ok(form) => communities.add(form, 0),
                    Err(error) => errors.push(error),
                }
            }
            errors.extend(ambiguous(tag.name(), &communities, forms));
            if !communities.is_empty() {
                tags.tags.push((*tag, communities));
            }
        }
        for text in &options.reject_cause {
            match Form::read_with(REJECT_CAUSE, Some("reason"), text, rs_asn) {
                Ok(form) => {
                    let clash = |other: super::ControlAction| SchemeError::Ambiguous {
                        key: REJECT_CAUSE,
                        form: text.clone(),
                        other: other.name(),
                    };
                    errors.extend(forms.beginning_as(form).map(clash));
                    tags.add_reject_cause(form, options);
                }
                Err(error) => errors.push(error),
            }
        }
        errors.extend(tags.too_long());
        tags
    }

    fn add_reject_cause(&mut self, form: Form, options: &SchemeOptions) {
        for (reason, causes) in RejectReason::ALL.into_iter().zip(&mut self.reject_causes) {
            causes.add(form, reason.number(options.reject_numbers).into());
        }
        if form != Form::Absent {
            self.reject_forms.push(form);
        }
    }

    fn too_long(&self) -> Option<SchemeError> {
        let octets = self.octets_max();
        let key = self
            .tags
            .first()
            .map_or(REJECT_CAUSE, |(tag, _)| tag.name());
        let max = ADDITIONS_OCTETS_MAX;
        (octets > max).then_some(SchemeError::TooLong { key, octets, max })
    }

    /// All that may be added to one path, whether or not its tags exclude each other.
    pub fn octets_max(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(_, c)| c.octets()).sum();
        let causes = self.reject_causes.iter().map(Communities::octets).max();
        match tags + causes.unwrap_or(0) {
            0 => 0,
            octets => octets + HEADERS_OCTETS,
        }
    }

    /// Each by its key.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        self.tags
            .iter()
            .flat_map(|(tag, communities)| texts(communities).map(|text| (tag.name(), text)))
    }

    pub fn reject_causes(&self, reason: RejectReason) -> Vec<String> {
        let of_reason = self.reject_causes.get(usize::from(reason.code()) - 1);
        of_reason.map_or(Vec::new(), |cause| texts(cause).collect())
    }

    /// What stands for the class in a variant: one number for all that get the same; 0 where that is
    /// nothing.
    pub fn of(&self, class: PrefixClass) -> u16 {
        let shown = self.shown(class);
        if shown.is_empty() {
            return 0;
        }
        let remarks = RejectReason::ALL.map(Some).into_iter();
        let mut others = std::iter::once(None).chain(remarks).flat_map(|remark| {
            let with = move |class: PrefixClass| remark.map_or(class, |r| class.with_remark(r));
            PrefixClass::all_plain().map(with)
        });
        let first = others.find(|other| {
            self.communities(*other).all(|tag| tag.is_in(&shown)) && self.shown(*other) == shown
        });
        first.map_or(0, |first| first.bits() | HAS_TAGS)
    }

    /// What a variant with this number gets.
    pub fn additions(&self, tags: u16) -> Additions {
        match tags & HAS_TAGS {
            0 => Additions::default(),
            _ => self.shown(PrefixClass::from_bits(tags & !HAS_TAGS)),
        }
    }

    fn shown(&self, class: PrefixClass) -> Additions {
        let mut additions = Additions::default();
        for communities in self.communities(class) {
            additions.standard.extend_from_slice(&communities.standard);
            additions.extended.extend_from_slice(&communities.extended);
            additions.large.extend_from_slice(&communities.large);
        }
        in_order(&mut additions.standard);
        in_order(&mut additions.extended);
        in_order(&mut additions.large);
        additions
    }

    /// For what is true of a path of this class, and why it would have been rejected.
    fn communities(&self, class: PrefixClass) -> impl Iterator<Item = &Communities> {
        let cause = class
            .reason()
            .filter(|_| class.is_accepted())
            .and_then(|reason| self.reject_causes.get(usize::from(reason.code()) - 1));
        let tags = self.tags.iter().filter(move |(tag, _)| tag.applies(class));
        tags.map(|(_, communities)| communities).chain(cause)
    }

    pub fn has_standard(&self, community: (u16, u16)) -> bool {
        self.has(
            |tag| tag.standard.contains(&community),
            |form| matches!(form, Form::Standard(high, None) if *high == community.0),
        )
    }

    pub fn has_large(&self, community: (u32, u32, u32)) -> bool {
        let (a, b, _) = community;
        self.has(
            |tag| tag.large.contains(&community),
            |form| matches!(form, Form::Large(x, y, None) if (*x, *y) == (a, b)),
        )
    }

    pub fn has_extended(&self, community: [u8; 8]) -> bool {
        let split = ExtendedHead::split(community).map(|(head, _)| head);
        self.has(
            |tag| tag.extended.contains(&community),
            |form| matches!(form, Form::Extended(head, None) if Some(*head) == split),
        )
    }

    pub fn uses_extended(&self) -> bool {
        self.has(
            |tag| !tag.extended.is_empty(),
            |form| matches!(form, Form::Extended(..)),
        )
    }

    fn has(&self, is_tag: impl Fn(&Communities) -> bool, is_cause: impl Fn(&Form) -> bool) -> bool {
        self.tags.iter().any(|(_, tag)| is_tag(tag)) || self.reject_forms.iter().any(is_cause)
    }
}

fn in_order<A: smallvec::Array<Item: Ord>>(communities: &mut SmallVec<A>) {
    communities.sort_unstable();
    communities.dedup();
}

/// An informational community that would be taken for a control one.
fn ambiguous(key: &'static str, communities: &Communities, forms: &Forms) -> Vec<SchemeError> {
    let clash = |form: String, asked: Option<Asked>| {
        let (other, _) = asked?;
        let other = other.name();
        Some(SchemeError::Ambiguous { key, form, other })
    };
    let standard = communities.standard.iter();
    let standard =
        standard.filter_map(|&(a, b)| clash(format!("{a}:{b}"), forms.of_standard((a, b))));
    let extended = communities.extended.iter();
    let extended = extended.filter_map(|&c| clash(extended_text(c), forms.of_extended(c)));
    let large = communities.large.iter();
    let large =
        large.filter_map(|&(a, b, c)| clash(format!("{a}:{b}:{c}"), forms.of_large((a, b, c))));
    standard.chain(extended).chain(large).collect()
}

fn texts(communities: &Communities) -> impl Iterator<Item = String> + '_ {
    let standard = communities.standard.iter().map(|(a, b)| format!("{a}:{b}"));
    let extended = communities.extended.iter().map(|c| extended_text(*c));
    let large = communities.large.iter();
    let large = large.map(|(a, b, c)| format!("{a}:{b}:{c}"));
    standard.chain(extended).chain(large)
}
