//! Prefix and origin of a route against what its client registered (IRR).

use std::sync::Arc;

use crate::base::{Asn, Prefix};

use super::class::{IrrOriginClass, IrrPrefixClass, PrefixClass};
use super::{IrrSet, Match, Outside, PrefixRange, PrefixSet, RejectReason, RovState};

/// One client's IRR checks.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct IrrChecks {
    /// What its AS-SETs hold; `None`: it has not come yet, and nothing passes but by white lists. The
    /// same where it has no prefixes, or no origins, and those are checked.
    pub set: Option<Arc<IrrSet>>,
    pub prefix: bool,
    pub origin: bool,
    /// More specific prefixes than the registered ones pass.
    pub allow_longer_prefixes: bool,
    /// A ROA of an origin of the set stands for a route object (needs VRPs).
    pub roas_as_route_objects: bool,
    /// Pass the check of the prefix.
    pub white_list_prefixes: Arc<PrefixSet>,
    /// Pass the check of the origin; sorted.
    pub white_list_origins: Vec<Asn>,
    /// Pass both checks, of this origin or of any.
    pub white_list_routes: Vec<(PrefixRange, Option<Asn>)>,
}

/// What the origin of an attribute set came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetOrigin(IrrOriginClass);

impl IrrChecks {
    pub const fn uses_vrps(&self) -> bool {
        self.prefix && self.roas_as_route_objects
    }

    /// Whether a check is on, and there is nothing that it could let pass: what it needs has not come.
    pub fn lacks_set(&self) -> bool {
        match &self.set {
            None => self.prefix || self.origin,
            Some(set) => {
                self.prefix && set.prefixes.is_empty() || self.origin && set.origins().is_empty()
            }
        }
    }

    /// The part of the checks that all prefixes of a set share.
    pub fn check_origin(&self, origin: Option<Asn>) -> SetOrigin {
        let (true, Some(set)) = (self.origin, &self.set) else {
            return SetOrigin(IrrOriginClass::NotChecked);
        };
        let is_present = origin.is_some_and(|asn| {
            set.has_origin(asn) || self.white_list_origins.binary_search(&asn).is_ok()
        });
        SetOrigin(match is_present {
            true => IrrOriginClass::Present,
            false => IrrOriginClass::NotPresent,
        })
    }

    /// The class with what is found; `found` turns a reason into a rejection or a remark.
    pub fn check_prefix(
        &self,
        class: PrefixClass,
        SetOrigin(of_origin): &SetOrigin,
        prefix: &Prefix,
        origin: Option<Asn>,
        outside: &Outside,
        found: impl Fn(PrefixClass, RejectReason) -> PrefixClass,
    ) -> PrefixClass {
        if self.is_white_listed(prefix, origin) {
            return class.with_irr_prefix(IrrPrefixClass::WhiteList);
        }
        let mut class = class;
        if self.lacks_set() {
            class = found(class, RejectReason::IrrMissing);
        }
        let Some(set) = self.set.as_ref().filter(|_| class.is_accepted()) else {
            return class;
        };
        class = class.with_irr_origin(*of_origin);
        if *of_origin == IrrOriginClass::NotPresent {
            class = found(class, RejectReason::IrrOrigin);
        }
        if !self.prefix || !class.is_accepted() {
            return class;
        }
        let state = self.prefix_state(set, prefix, origin, class.is_blackhole(), outside);
        let class = class.with_irr_prefix(state);
        match state {
            IrrPrefixClass::NotPresent => found(class, RejectReason::IrrPrefix),
            _ => class,
        }
    }

    fn prefix_state(
        &self,
        set: &IrrSet,
        prefix: &Prefix,
        origin: Option<Asn>,
        is_blackhole: bool,
        outside: &Outside,
    ) -> IrrPrefixClass {
        match set.prefixes.contains(prefix) {
            Some(Match::Exact) => return IrrPrefixClass::Exact,
            Some(Match::MoreSpecific) => return IrrPrefixClass::MoreSpecific,
            None => {}
        }
        // Nobody registers what is to be dropped (RFC 7999 §3.3).
        if (self.allow_longer_prefixes || is_blackhole) && set.prefixes.covers(prefix) {
            return IrrPrefixClass::MoreSpecific;
        }
        if self.white_list_prefixes.contains(prefix).is_some() {
            return IrrPrefixClass::WhiteList;
        }
        let has_roa = |asn: Asn| {
            let is_known =
                set.has_origin(asn) || self.white_list_origins.binary_search(&asn).is_ok();
            let vrps = outside.vrps.as_ref().filter(|_| is_known);
            vrps.is_some_and(|vrps| match is_blackhole {
                true => vrps.validate_blackhole(prefix, Some(asn)) == RovState::Valid,
                false => vrps.covers_with(prefix, asn),
            })
        };
        match self.roas_as_route_objects && origin.is_some_and(has_roa) {
            true => IrrPrefixClass::Roa,
            false => IrrPrefixClass::NotPresent,
        }
    }

    fn is_white_listed(&self, prefix: &Prefix, origin: Option<Asn>) -> bool {
        self.white_list_routes
            .iter()
            .any(|(range, of)| range.contains(prefix) && (of.is_none() || *of == origin))
    }
}
