//! The control communities of an exchange: which communities mean what, and which disappear.
//!
//! Standard and large communities only: extended ones pass untouched, whatever they name.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::Asn;
use crate::wire::{AttributeSet, CommunityScrub};

use super::control::Form;
use super::{Actions, ControlAction, Directory, Precedence, SchemeError, SchemeOptions};

/// RFC 1997 NO_EXPORT, NO_ADVERTISE, NO_EXPORT_SUBCONFED: none of them leaves for another AS.
const WELL_KNOWN: [(u16, u16); 3] = [(0xffff, 0xff01), (0xffff, 0xff02), (0xffff, 0xff03)];

/// Which communities mean what. The default has no forms: nothing is asked for, nothing scrubbed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ControlScheme {
    export: ExportScrub,
    import: ImportScrub,
    precedence: Precedence,
    interpret_well_known: bool,
}

/// Removes control communities.
#[derive(Clone, PartialEq, Debug, Default)]
struct ExportScrub {
    forms: Arc<Forms>,
}

/// Removes what is under the server's ASN and no control community, so that nobody forges
/// informational ones.
#[derive(Clone, PartialEq, Debug, Default)]
struct ImportScrub {
    rs_asn: Option<Asn>,
    forms: Arc<Forms>,
}

#[derive(Clone, PartialEq, Debug, Default)]
struct Forms {
    standard: FormsOf<(u16, u16), u16>,
    large: FormsOf<(u32, u32, u32), (u32, u32)>,
}

/// The forms of one kind of community.
#[derive(Clone, PartialEq, Debug)]
struct FormsOf<Whole, Head> {
    whole: Vec<(Whole, ControlAction)>,
    /// All but the last number, which is a peer's ASN.
    to_peer: Vec<(Head, ControlAction)>,
}

impl<Whole, Head> Default for FormsOf<Whole, Head> {
    fn default() -> Self {
        FormsOf {
            whole: Vec::new(),
            to_peer: Vec::new(),
        }
    }
}

impl<Whole: PartialEq, Head: PartialEq> FormsOf<Whole, Head> {
    /// What a community asks for, and of which peer. A form without peer_as goes first.
    fn action(&self, whole: Whole, head: Head, last: u32) -> Option<(ControlAction, Option<Asn>)> {
        if let Some((_, action)) = self.whole.iter().find(|(form, _)| *form == whole) {
            return Some((*action, None));
        }
        let (_, action) = self.to_peer.iter().find(|(form, _)| *form == head)?;
        Some((*action, Some(Asn(last))))
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
    fn add(&mut self, form: Form, action: ControlAction) -> Result<(), ControlAction> {
        match form {
            Form::Standard(high, Some(low)) => add(&mut self.standard.whole, (high, low), action),
            Form::Standard(high, None) => add(&mut self.standard.to_peer, high, action),
            Form::Large(a, b, Some(c)) => add(&mut self.large.whole, (a, b, c), action),
            Form::Large(a, b, None) => add(&mut self.large.to_peer, (a, b), action),
            Form::Absent => Ok(()),
        }
    }

    fn standard_action(&self, community: (u16, u16)) -> Option<(ControlAction, Option<Asn>)> {
        self.standard
            .action(community, community.0, community.1.into())
    }

    fn large_action(&self, community: (u32, u32, u32)) -> Option<(ControlAction, Option<Asn>)> {
        let (a, b, c) = community;
        self.large.action(community, (a, b), c)
    }
}

impl ControlScheme {
    /// The default scheme with what `options` changes. All errors at once.
    pub fn new(rs_asn: Asn, options: &SchemeOptions) -> Result<ControlScheme, Vec<SchemeError>> {
        let mut forms = Forms::default();
        let mut errors = Vec::new();
        for action in ControlAction::ALL {
            let given = options.forms.iter().rfind(|(given, _)| *given == action);
            let texts: Vec<&str> = match given {
                Some((_, texts)) => texts.iter().map(String::as_str).collect(),
                None => action.default_forms().to_vec(),
            };
            for text in texts {
                let added = Form::read(action, text, rs_asn).and_then(|form| {
                    let ambiguous = |other| SchemeError::Ambiguous {
                        action,
                        form: text.to_owned(),
                        other,
                    };
                    forms.add(form, action).map_err(ambiguous)
                });
                errors.extend(added.err());
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let forms = Arc::new(forms);
        Ok(ControlScheme {
            export: ExportScrub {
                forms: forms.clone(),
            },
            import: ImportScrub {
                rs_asn: Some(rs_asn),
                forms,
            },
            precedence: options.precedence,
            interpret_well_known: options.interpret_well_known,
        })
    }

    /// The default scheme.
    pub fn standard(rs_asn: Asn) -> ControlScheme {
        ControlScheme::new(rs_asn, &SchemeOptions::default()).expect("the default forms are sound")
    }

    /// Every form there is, ordered by action, with the server's ASN put in.
    pub fn forms(&self) -> impl Iterator<Item = (ControlAction, String)> {
        let Forms { standard, large } = &*self.export.forms;
        let mut forms: Vec<(ControlAction, String)> = Vec::new();
        forms.extend(
            standard
                .whole
                .iter()
                .map(|((a, b), action)| (*action, format!("{a}:{b}"))),
        );
        forms.extend(
            standard
                .to_peer
                .iter()
                .map(|(a, action)| (*action, format!("{a}:peer_as"))),
        );
        forms.extend(
            large
                .whole
                .iter()
                .map(|((a, b, c), action)| (*action, format!("{a}:{b}:{c}"))),
        );
        forms.extend(
            large
                .to_peer
                .iter()
                .map(|((a, b), action)| (*action, format!("{a}:{b}:peer_as"))),
        );
        forms.sort_by_key(|(action, _)| *action);
        forms.into_iter()
    }

    /// What the set's communities ask for. Of the clients, only those with `hide_own_as` matter.
    pub fn actions(&self, set: &AttributeSet, directory: &Directory) -> Actions {
        let mut actions = match set.has_communities() {
            true => self.requested(set),
            false => Actions::default(),
        };
        if directory.hides_any() && !actions.reaches_nobody() {
            let hiding = set
                .as_path_asns()
                .filter(|asn| directory.hiding_own_as(*asn).is_some());
            actions.hidden_from = hiding.collect();
            sort(&mut actions.hidden_from);
        }
        actions
    }

    fn requested(&self, set: &AttributeSet) -> Actions {
        if self.interpret_well_known
            && set
                .communities()
                .any(|community| WELL_KNOWN.contains(&community))
        {
            return Actions {
                to_none: true,
                ..Actions::default()
            };
        }
        let forms = &*self.export.forms;
        let (mut standard, mut large, mut prepends) = (
            Requests::default(),
            Requests::default(),
            Prepends::default(),
        );
        for (action, peer) in set
            .communities()
            .filter_map(|community| forms.standard_action(community))
        {
            standard.add(action, peer, &mut prepends);
        }
        for (action, peer) in set
            .large_communities()
            .filter_map(|community| forms.large_action(community))
        {
            large.add(action, peer, &mut prepends);
        }
        let requests = match self.precedence {
            Precedence::Merged => standard.merged_with(large),
            Precedence::LargeFirst => standard.after(large),
        };
        requests.into_actions(prepends)
    }

    /// Whether a community is let in now that the scheme before removed on import.
    pub fn hears_more_than(&self, before: &ControlScheme) -> bool {
        let known: Vec<String> = before.forms().map(|(_, form)| form).collect();
        self.forms().any(|(_, form)| !known.contains(&form))
    }

    /// What goes on import: communities under the server's ASN that are no control communities.
    pub fn import_scrub(&self) -> &dyn CommunityScrub {
        &self.import
    }

    /// What goes on export: control communities.
    pub fn export_scrub(&self) -> &dyn CommunityScrub {
        &self.export
    }
}

impl CommunityScrub for ExportScrub {
    fn removes_standard(&self, community: (u16, u16)) -> bool {
        self.forms.standard_action(community).is_some()
    }

    fn removes_large(&self, community: (u32, u32, u32)) -> bool {
        self.forms.large_action(community).is_some()
    }

    fn removes_extended(&self, _community: [u8; 8]) -> bool {
        false
    }
}

impl CommunityScrub for ImportScrub {
    fn removes_standard(&self, community: (u16, u16)) -> bool {
        self.rs_asn == Some(Asn(community.0.into()))
            && self.forms.standard_action(community).is_none()
    }

    fn removes_large(&self, community: (u32, u32, u32)) -> bool {
        self.rs_asn == Some(Asn(community.0)) && self.forms.large_action(community).is_none()
    }

    fn removes_extended(&self, _community: [u8; 8]) -> bool {
        false
    }
}

type Asns = SmallVec<[Asn; 4]>;

fn sort<A: smallvec::Array<Item = Asn>>(asns: &mut SmallVec<A>) {
    asns.sort_unstable();
    asns.dedup();
}

/// What the communities of one kind ask for.
#[derive(Default)]
struct Requests {
    to_none: bool,
    to_all: bool,
    not_to: Asns,
    to: Asns,
}

#[derive(Default)]
struct Prepends {
    to_all: u8,
    to_peers: SmallVec<[(Asn, u8); 2]>,
}

impl Requests {
    /// `peer` is there if the action names one. AS 0 is nobody (RFC 7607).
    fn add(&mut self, action: ControlAction, peer: Option<Asn>, prepends: &mut Prepends) {
        let peer = peer.filter(|asn| *asn != Asn(0));
        match action {
            ControlAction::DoNotAnnounceToAny => self.to_none = true,
            ControlAction::AnnounceToAny => self.to_all = true,
            ControlAction::DoNotAnnounceToPeer => self.not_to.extend(peer),
            ControlAction::AnnounceToPeer => self.to.extend(peer),
            ControlAction::PrependOnceToAny => prepends.to_all = prepends.to_all.max(1),
            ControlAction::PrependTwiceToAny => prepends.to_all = prepends.to_all.max(2),
            ControlAction::PrependThriceToAny => prepends.to_all = prepends.to_all.max(3),
            ControlAction::PrependOnceToPeer => prepends.to_peers.extend(peer.map(|asn| (asn, 1))),
            ControlAction::PrependTwiceToPeer => prepends.to_peers.extend(peer.map(|asn| (asn, 2))),
            ControlAction::PrependThriceToPeer => {
                prepends.to_peers.extend(peer.map(|asn| (asn, 3)))
            }
        }
    }

    fn merged_with(mut self, other: Requests) -> Requests {
        self.to_none |= other.to_none;
        self.to_all |= other.to_all;
        self.not_to.extend(other.not_to);
        self.to.extend(other.to);
        self
    }

    /// Where `first` says nothing about a peer, this does.
    fn after(mut self, first: Requests) -> Requests {
        if first.to_none || first.to_all {
            return first;
        }
        self.not_to.retain(|asn| !first.to.contains(asn));
        self.merged_with(first)
    }

    /// Equal outcomes become equal actions: what changes nothing is dropped.
    fn into_actions(self, prepends: Prepends) -> Actions {
        let mut actions = Actions {
            to_none: self.to_none,
            prepend: prepends.to_all,
            ..Actions::default()
        };
        let (mut not_to, mut only_to) = (self.not_to, self.to);
        sort(&mut not_to);
        let mut prepend_to = prepends.to_peers;
        // The highest count of each peer first, and only that one.
        prepend_to.sort_unstable_by_key(|(asn, count)| (*asn, std::cmp::Reverse(*count)));
        prepend_to.dedup_by_key(|(asn, _)| *asn);
        prepend_to.retain(|(_, count)| *count != actions.prepend);
        if self.to_none {
            only_to.retain(|asn| not_to.binary_search(asn).is_err());
            sort(&mut only_to);
            prepend_to.retain(|(asn, _)| only_to.binary_search(asn).is_ok());
            actions.only_to = only_to;
        } else {
            prepend_to.retain(|(asn, _)| not_to.binary_search(asn).is_err());
            actions.not_to = not_to;
        }
        actions.prepend_to = prepend_to;
        if actions.reaches_nobody() {
            actions.prepend = 0;
        }
        actions
    }
}
