//! The communities of an exchange: what they ask for, which disappear, which are added.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::Asn;
use crate::wire::{Additions, AttributeSet, CommunityScrub, NextHop, Variant, VariantFlags};

use super::actions::{Marked, RttAction, RttRequest};
use super::form::{ExtendedHead, Form};
use super::forms::{Asked, Forms};
use super::tags::Tags;
use super::{
    Actions, ControlAction, Directory, Precedence, PrefixClass, RejectReason, SchemeError,
    SchemeOptions,
};

/// RFC 1997 NO_EXPORT, NO_ADVERTISE, NO_EXPORT_SUBCONFED: none of them leaves for another AS.
const WELL_KNOWN: [(u16, u16); 3] = [(0xffff, 0xff01), (0xffff, 0xff02), (0xffff, 0xff03)];

/// RFC 7999 §5.
const BLACKHOLE: (u16, u16) = (65_535, 666);

/// Which communities mean what. The default has no forms: nothing is asked for, scrubbed or added.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ControlScheme {
    export: ExportRewrite,
    import: ImportScrub,
    precedence: Precedence,
}

/// Removes control communities, adds informational ones, replaces next hops of blackhole routes.
#[derive(Clone, PartialEq, Debug, Default)]
struct ExportRewrite {
    forms: Arc<Forms>,
    tags: Arc<Tags>,
    blackhole: BlackholeNextHops,
}

/// Where packets for blackhole routes go, if there are such; `None` leaves the next hop of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlackholeNextHops {
    pub v4: Option<Ipv4Addr>,
    pub v6: Option<Ipv6Addr>,
    /// There are such routes in some family.
    pub is_on: bool,
}

/// Removes what is under the server's ASN and no control community, and what is informational, so
/// that nobody forges it.
#[derive(Clone, PartialEq, Debug, Default)]
struct ImportScrub {
    rs_asn: Option<Asn>,
    forms: Arc<Forms>,
    tags: Arc<Tags>,
}

impl ControlScheme {
    /// The default scheme with what `options` changes. All errors at once.
    pub fn new(rs_asn: Asn, options: &SchemeOptions) -> Result<ControlScheme, Vec<SchemeError>> {
        let mut errors = Vec::new();
        let forms = read_forms(rs_asn, options, &mut errors);
        let tags = Tags::read(rs_asn, options, &forms, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let (forms, tags) = (Arc::new(forms), Arc::new(tags));
        Ok(ControlScheme {
            export: ExportRewrite {
                forms: forms.clone(),
                tags: tags.clone(),
                blackhole: BlackholeNextHops::default(),
            },
            import: ImportScrub {
                rs_asn: Some(rs_asn),
                forms,
                tags,
            },
            precedence: options.precedence,
        })
    }

    /// The default scheme.
    pub fn standard(rs_asn: Asn) -> ControlScheme {
        ControlScheme::new(rs_asn, &SchemeOptions::default()).expect("the default forms are sound")
    }

    pub fn with_blackhole_next_hops(mut self, next_hops: BlackholeNextHops) -> ControlScheme {
        self.export.blackhole = next_hops;
        self
    }

    /// Every form there is, ordered by action, with the server's ASN put in.
    pub fn forms(&self) -> impl Iterator<Item = (ControlAction, String)> {
        self.export.forms.texts().into_iter()
    }

    /// Every informational community, by its key.
    pub fn tags(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        self.export.tags.texts()
    }

    /// What stands for a reject reason, as it is shown.
    pub fn reject_causes(&self, reason: RejectReason) -> Vec<String> {
        self.export.tags.reject_causes(reason)
    }

    /// What a path's class comes to in the communities that are added to it: [`Variant::tags`].
    pub fn tags_of(&self, class: PrefixClass) -> u16 {
        self.export.tags.of(class)
    }

    /// Whether the set asks for RFC 7999 treatment.
    pub fn is_blackhole(&self, set: &AttributeSet) -> bool {
        let forms = &self.export.forms;
        let asks = |asked: Asked| asked.0 == ControlAction::Blackholing;
        set.has_communities()
            && (set
                .communities()
                .any(|c| forms.of_standard(c).is_some_and(asks))
                || set
                    .large_communities()
                    .any(|c| forms.of_large(c).is_some_and(asks))
                || forms.has_extended()
                    && set
                        .extended_communities()
                        .any(|c| forms.of_extended(c).is_some_and(asks)))
    }

    /// What the set's communities ask for. Of the clients, only those with `hide_own_as`, and whether
    /// there are some whose RFC 1997 communities are obeyed, matter.
    pub fn actions(&self, set: &AttributeSet, directory: &Directory) -> Actions {
        let mut actions = match set.has_communities() {
            true => self.requested(set),
            false => Actions::default(),
        };
        actions.well_known = directory.obeys_any()
            && set
                .communities()
                .any(|community| WELL_KNOWN.contains(&community));
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
        let forms = &*self.export.forms;
        let (mut others, mut large, mut forms_of_all) =
            (Requests::default(), Requests::default(), Common::default());
        let standard = set.communities().filter_map(|c| forms.of_standard(c));
        standard.for_each(|asked| others.add(asked, &mut forms_of_all));
        if forms.has_extended() {
            let extended = set
                .extended_communities()
                .filter_map(|c| forms.of_extended(c));
            extended.for_each(|asked| others.add(asked, &mut forms_of_all));
        }
        let asked = set.large_communities().filter_map(|c| forms.of_large(c));
        asked.for_each(|asked| large.add(asked, &mut forms_of_all));
        let requests = match self.precedence {
            Precedence::Merged => others.merged_with(large),
            Precedence::LargeFirst => others.after(large),
        };
        requests.into_actions(forms_of_all)
    }

    /// Whether a community may be let in now that the scheme before removed on import.
    pub fn hears_more_than(&self, before: &ControlScheme) -> bool {
        let (new, old) = (&self.import, &before.import);
        let known: Vec<String> = before.forms().map(|(_, form)| form).collect();
        let ms = &old.forms.rtt_thresholds_ms;
        new.tags != old.tags
            || old.uses_extended() && !new.uses_extended()
            || new
                .forms
                .rtt_thresholds_ms
                .iter()
                .any(|new| !ms.contains(new))
            || self.forms().any(|(_, form)| !known.contains(&form))
    }

    /// What goes on import: communities under the server's ASN that are no control communities.
    pub fn import_scrub(&self) -> &dyn CommunityScrub {
        &self.import
    }

    /// What goes on export, and what is added.
    pub fn export_scrub(&self) -> &dyn CommunityScrub {
        &self.export
    }
}

fn read_forms(rs_asn: Asn, options: &SchemeOptions, errors: &mut Vec<SchemeError>) -> Forms {
    let mut forms = Forms {
        rtt_thresholds_ms: options.rtt_thresholds_ms.clone(),
        peer_as_aliases: options.peer_as_aliases.clone(),
        ..Forms::default()
    };
    for action in ControlAction::ALL {
        let given = options.forms.iter().rfind(|(given, _)| *given == action);
        let texts: Vec<&str> = match given {
            Some((_, texts)) => texts.iter().map(String::as_str).collect(),
            None => action.default_forms().to_vec(),
        };
        for text in texts {
            let read = Form::read(action.name(), action.last(), text, rs_asn);
            let added = read.and_then(|form| {
                let ambiguous = |other: ControlAction| SchemeError::Ambiguous {
                    key: action.name(),
                    form: text.to_owned(),
                    other: other.name(),
                };
                forms.add(form, action).map_err(ambiguous)
            });
            errors.extend(added.err());
        }
    }
    forms
}

impl CommunityScrub for ExportRewrite {
    /// Where the server has blackhole routes, BLACKHOLE is for those alone, and comes with their variant.
    fn removes_standard(&self, community: (u16, u16)) -> bool {
        match community {
            BLACKHOLE => self.blackhole.is_on,
            _ => self.forms.of_standard(community).is_some(),
        }
    }

    fn removes_large(&self, community: (u32, u32, u32)) -> bool {
        self.forms.of_large(community).is_some()
    }

    fn removes_extended(&self, community: [u8; 8]) -> bool {
        self.forms.of_extended(community).is_some()
    }

    fn additions(&self, variant: Variant) -> Additions {
        self.tags.additions(variant.tags)
    }

    fn additions_len_max(&self) -> usize {
        self.tags.octets_max()
    }

    fn next_hop(&self, variant: Variant, next_hop: NextHop) -> NextHop {
        if !variant.flags.contains(VariantFlags::BLACKHOLE) {
            return next_hop;
        }
        match (next_hop, self.blackhole) {
            (NextHop::V4(_), BlackholeNextHops { v4: Some(v4), .. }) => NextHop::V4(v4),
            (NextHop::V6(_) | NextHop::V6LinkLocal(..), BlackholeNextHops { v6: Some(v6), .. }) => {
                NextHop::V6(v6)
            }
            _ => next_hop,
        }
    }
}

impl CommunityScrub for ImportScrub {
    fn removes_standard(&self, community: (u16, u16)) -> bool {
        let is_ours = self.rs_asn == Some(Asn(community.0.into()));
        (is_ours && self.forms.of_standard(community).is_none())
            || self.tags.has_standard(community)
    }

    fn removes_large(&self, community: (u32, u32, u32)) -> bool {
        let is_ours = self.rs_asn == Some(Asn(community.0));
        (is_ours && self.forms.of_large(community).is_none()) || self.tags.has_large(community)
    }

    /// Extended communities under the server's ASN are its own where it uses any.
    fn removes_extended(&self, community: [u8; 8]) -> bool {
        let is_ours = || {
            ExtendedHead::split(community).is_some_and(|(head, _)| Some(head.asn) == self.rs_asn)
        };
        (self.uses_extended() && is_ours() && self.forms.of_extended(community).is_none())
            || self.tags.has_extended(community)
    }
}

impl ImportScrub {
    fn uses_extended(&self) -> bool {
        self.forms.has_extended() || self.tags.uses_extended()
    }
}

type Asns = SmallVec<[Asn; 4]>;

fn sort<A: smallvec::Array<Item = Asn>>(asns: &mut SmallVec<A>) {
    asns.sort_unstable();
    asns.dedup();
}

/// Who is to have it, by the communities of some kinds.
#[derive(Default)]
struct Requests {
    to_none: bool,
    to_all: bool,
    not_to: Asns,
    to: Asns,
}

/// What the communities of all kinds ask for together.
#[derive(Default)]
struct Common {
    prepend: u8,
    prepend_to: SmallVec<[(Asn, u8); 2]>,
    rtt: SmallVec<[RttRequest; 1]>,
    no_export: Marked,
    no_advertise: Marked,
}

impl Common {
    fn prepend(&mut self, count: u8) {
        self.prepend = self.prepend.max(count);
    }

    fn by_rtt(&mut self, what: RttAction, is_above: bool, last: Option<u32>) {
        if let Some(ms) = last.and_then(|ms| u16::try_from(ms).ok()) {
            self.rtt.push(RttRequest { what, is_above, ms });
        }
    }
}

impl Requests {
    /// AS 0 is nobody (RFC 7607).
    fn add(&mut self, (action, last): Asked, common: &mut Common) {
        use ControlAction::*;
        let peer = last.map(Asn).filter(|asn| *asn != Asn(0));
        let prepend_to = |count| peer.map(|asn| (asn, count));
        match action {
            DoNotAnnounceToAny => self.to_none = true,
            AnnounceToAny => self.to_all = true,
            DoNotAnnounceToPeer => self.not_to.extend(peer),
            AnnounceToPeer => self.to.extend(peer),
            PrependOnceToAny => common.prepend(1),
            PrependTwiceToAny => common.prepend(2),
            PrependThriceToAny => common.prepend(3),
            PrependOnceToPeer => common.prepend_to.extend(prepend_to(1)),
            PrependTwiceToPeer => common.prepend_to.extend(prepend_to(2)),
            PrependThriceToPeer => common.prepend_to.extend(prepend_to(3)),
            AddNoExportToAny => common.no_export.any = true,
            AddNoExportToPeer => common.no_export.peers.extend(peer),
            AddNoAdvertiseToAny => common.no_advertise.any = true,
            AddNoAdvertiseToPeer => common.no_advertise.peers.extend(peer),
            DoNotAnnounceBelowRtt => common.by_rtt(RttAction::DoNotAnnounce, false, last),
            DoNotAnnounceAboveRtt => common.by_rtt(RttAction::DoNotAnnounce, true, last),
            AnnounceBelowRtt => common.by_rtt(RttAction::Announce, false, last),
            AnnounceAboveRtt => common.by_rtt(RttAction::Announce, true, last),
            PrependOnceBelowRtt => common.by_rtt(RttAction::Prepend(1), false, last),
            PrependTwiceBelowRtt => common.by_rtt(RttAction::Prepend(2), false, last),
            PrependThriceBelowRtt => common.by_rtt(RttAction::Prepend(3), false, last),
            PrependOnceAboveRtt => common.by_rtt(RttAction::Prepend(1), true, last),
            PrependTwiceAboveRtt => common.by_rtt(RttAction::Prepend(2), true, last),
            PrependThriceAboveRtt => common.by_rtt(RttAction::Prepend(3), true, last),
            Blackholing => {}
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
    fn into_actions(self, common: Common) -> Actions {
        let mut actions = Actions {
            to_none: self.to_none,
            prepend: common.prepend,
            rtt: common.rtt,
            no_export: common.no_export.normal(),
            no_advertise: common.no_advertise.normal(),
            ..Actions::default()
        };
        actions.rtt.sort_unstable();
        actions.rtt.dedup();
        let (mut not_to, mut to) = (self.not_to, self.to);
        sort(&mut not_to);
        let mut prepend_to = common.prepend_to;
        // The highest count of each peer first, and only that one.
        prepend_to.sort_unstable_by_key(|(asn, count)| (*asn, std::cmp::Reverse(*count)));
        prepend_to.dedup_by_key(|(asn, _)| *asn);
        let by_rtt =
            |what: fn(&RttAction) -> bool| actions.rtt.iter().any(|request| what(&request.what));
        let prepends_by_rtt = by_rtt(|what| matches!(what, RttAction::Prepend(_)));
        let keeps_off = by_rtt(|what| *what == RttAction::DoNotAnnounce);
        let lets_in = by_rtt(|what| *what == RttAction::Announce);
        prepend_to.retain(|(_, count)| *count != actions.prepend || prepends_by_rtt);
        prepend_to.retain(|(asn, _)| not_to.binary_search(asn).is_err());
        to.retain(|asn| not_to.binary_search(asn).is_err());
        sort(&mut to);
        if self.to_none && !lets_in {
            prepend_to.retain(|(asn, _)| to.binary_search(asn).is_ok());
            not_to.clear();
        }
        if self.to_none || keeps_off {
            actions.to = to;
        }
        actions.not_to = not_to;
        actions.prepend_to = prepend_to;
        if actions.reaches_nobody() {
            return Actions {
                to_none: true,
                ..Actions::default()
            };
        }
        actions
    }
}

impl Marked {
    fn normal(mut self) -> Marked {
        match self.any {
            true => self.peers.clear(),
            false => sort(&mut self.peers),
        }
        self
    }
}
