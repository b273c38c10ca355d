//! Informational communities: what the server says about a route to those that get it.

use super::class::{IrrOriginClass, IrrPrefixClass, PrefixClass, RovClass};

/// Defines the tags, each with its key.
macro_rules! tags {
    ($($variant:ident, $name:literal;)*) => {
        /// What an informational community says. The names are keys of `[communities]`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum InfoTag {
            $($variant,)*
        }

        impl InfoTag {
            pub const ALL: [InfoTag; [$(InfoTag::$variant),*].len()] = [$(InfoTag::$variant),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(InfoTag::$variant => $name,)*
                }
            }
        }
    };
}

tags! {
    RpkiValid, "rpki_valid";
    RpkiUnknown, "rpki_unknown";
    RpkiInvalid, "rpki_invalid";
    RpkiNotChecked, "rpki_not_checked";
    IrrValid, "irr_valid";
    IrrMoreSpecific, "irr_more_specific";
    IrrNotChecked, "irr_not_checked";
    PrefixPresent, "prefix_present_in_as_set";
    PrefixNotPresent, "prefix_not_present_in_as_set";
    OriginPresent, "origin_present_in_as_set";
    OriginNotPresent, "origin_not_present_in_as_set";
    PrefixViaRoas, "prefix_validated_via_rpki_roas";
    RouteViaWhiteList, "route_validated_via_white_list";
}

impl InfoTag {
    /// Whether it is true of a path of this class.
    pub fn applies(self, class: PrefixClass) -> bool {
        use IrrPrefixClass::*;
        let (rov, prefix, origin) = (class.rov(), class.irr_prefix(), class.irr_origin());
        match self {
            InfoTag::RpkiValid => rov == RovClass::Valid,
            InfoTag::RpkiUnknown => rov == RovClass::NotFound,
            InfoTag::RpkiInvalid => rov == RovClass::Invalid,
            InfoTag::RpkiNotChecked => rov == RovClass::NotChecked,
            InfoTag::IrrValid => matches!(prefix, Exact | Roa | WhiteList),
            InfoTag::IrrMoreSpecific => prefix == MoreSpecific,
            InfoTag::IrrNotChecked => prefix == NotChecked,
            InfoTag::PrefixPresent => matches!(prefix, Exact | MoreSpecific),
            InfoTag::PrefixNotPresent => matches!(prefix, NotPresent | Roa),
            InfoTag::OriginPresent => origin == IrrOriginClass::Present,
            InfoTag::OriginNotPresent => origin == IrrOriginClass::NotPresent,
            InfoTag::PrefixViaRoas => prefix == Roa,
            InfoTag::RouteViaWhiteList => prefix == WhiteList,
        }
    }
}
