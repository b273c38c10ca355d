//! What import made of one path, in sixteen bits: few distinct values, so that who may have a path, and in
//! which form, is worked out once for many prefixes.

use std::fmt;

use super::{RejectReason, Verdict};

/// Verdict, reason, and what outside data says: the same for many prefixes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PrefixClass(u16);

/// What ROV said (RFC 6811).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum RovClass {
    #[default]
    NotChecked = 0,
    Valid,
    Invalid,
    NotFound,
}

/// How a prefix stands to its client's IRR set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum IrrPrefixClass {
    #[default]
    NotChecked = 0,
    /// A route object is for just this prefix.
    Exact,
    /// It lies in one, and longer ones are allowed.
    MoreSpecific,
    NotPresent,
    /// A ROA of an origin of the AS-SET stands in for the route object.
    Roa,
    /// The operator listed prefix or route.
    WhiteList,
}

/// Whether the origin is in the client's AS-SETs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum IrrOriginClass {
    #[default]
    NotChecked = 0,
    Present,
    NotPresent,
}

impl RovClass {
    /// For the API.
    pub const fn name(self) -> &'static str {
        match self {
            RovClass::NotChecked => "not_checked",
            RovClass::Valid => "valid",
            RovClass::Invalid => "invalid",
            RovClass::NotFound => "not_found",
        }
    }
}

impl IrrPrefixClass {
    /// For the API.
    pub const fn name(self) -> &'static str {
        match self {
            IrrPrefixClass::NotChecked => "not_checked",
            IrrPrefixClass::Exact => "exact",
            IrrPrefixClass::MoreSpecific => "more_specific",
            IrrPrefixClass::NotPresent => "not_present",
            IrrPrefixClass::Roa => "roa",
            IrrPrefixClass::WhiteList => "white_list",
        }
    }
}

impl IrrOriginClass {
    /// For the API.
    pub const fn name(self) -> &'static str {
        match self {
            IrrOriginClass::NotChecked => "not_checked",
            IrrOriginClass::Present => "present",
            IrrOriginClass::NotPresent => "not_present",
        }
    }
}

/// (first bit, width) of each field.
mod field {
    pub const REASON: (u16, u16) = (0, 6);
    pub const REJECTED: (u16, u16) = (6, 1);
    pub const ROV: (u16, u16) = (7, 2);
    pub const IRR_PREFIX: (u16, u16) = (9, 3);
    pub const IRR_ORIGIN: (u16, u16) = (12, 2);
    pub const BLACKHOLE: (u16, u16) = (14, 1);
    pub const LONG_LIVED: (u16, u16) = (15, 1);
}

impl PrefixClass {
    /// Accepted; nothing was checked against outside data.
    pub const ACCEPTED: PrefixClass = PrefixClass(0);

    /// All that outside data may say of a path that is accepted without a remark.
    pub fn all_plain() -> impl Iterator<Item = PrefixClass> {
        let values = (0..3u16).flat_map(|origin| (0..6u16).map(move |prefix| (origin, prefix)));
        values.flat_map(|(origin, prefix)| {
            (0..4u16).map(move |rov| {
                PrefixClass::ACCEPTED
                    .with_field(field::IRR_ORIGIN, origin)
                    .with_field(field::IRR_PREFIX, prefix)
                    .with_field(field::ROV, rov)
            })
        })
    }

    pub const fn rejected(reason: RejectReason) -> PrefixClass {
        PrefixClass::ACCEPTED.with_rejected(reason)
    }

    const fn field(self, (shift, width): (u16, u16)) -> u16 {
        self.0 >> shift & ((1 << width) - 1)
    }

    const fn with_field(self, (shift, width): (u16, u16), value: u16) -> PrefixClass {
        let mask = ((1 << width) - 1) << shift;
        PrefixClass(self.0 & !mask | value << shift)
    }

    /// Rejected for this reason, whatever was said before; what outside data says stays.
    pub const fn with_rejected(self, reason: RejectReason) -> PrefixClass {
        self.with_field(field::REASON, reason as u16)
            .with_field(field::REJECTED, 1)
    }

    /// Accepted, with this reason as a remark. The first remark stays.
    pub fn with_remark(self, reason: RejectReason) -> PrefixClass {
        match self.field(field::REASON) {
            0 => self.with_field(field::REASON, reason as u16),
            _ => self,
        }
    }

    /// Without verdict and remark.
    pub const fn without_reason(self) -> PrefixClass {
        self.with_field(field::REASON, 0)
            .with_field(field::REJECTED, 0)
    }

    pub const fn with_rov(self, rov: RovClass) -> PrefixClass {
        self.with_field(field::ROV, rov as u16)
    }

    pub const fn with_irr_prefix(self, state: IrrPrefixClass) -> PrefixClass {
        self.with_field(field::IRR_PREFIX, state as u16)
    }

    pub const fn with_irr_origin(self, state: IrrOriginClass) -> PrefixClass {
        self.with_field(field::IRR_ORIGIN, state as u16)
    }

    pub const fn with_blackhole(self, is_blackhole: bool) -> PrefixClass {
        self.with_field(field::BLACKHOLE, is_blackhole as u16)
    }

    pub const fn with_long_lived(self, is_long_lived: bool) -> PrefixClass {
        self.with_field(field::LONG_LIVED, is_long_lived as u16)
    }

    pub const fn is_accepted(self) -> bool {
        self.field(field::REJECTED) == 0
    }

    /// Why it was rejected, or the remark on one that was accepted.
    pub const fn reason(self) -> Option<RejectReason> {
        RejectReason::of_code(self.field(field::REASON) as u8)
    }

    pub fn verdict(self) -> Verdict {
        match self.reason() {
            Some(reason) if !self.is_accepted() => Verdict::Rejected(reason),
            _ => Verdict::Accepted,
        }
    }

    pub const fn rov(self) -> RovClass {
        match self.field(field::ROV) {
            0 => RovClass::NotChecked,
            1 => RovClass::Valid,
            2 => RovClass::Invalid,
            _ => RovClass::NotFound,
        }
    }

    pub const fn irr_prefix(self) -> IrrPrefixClass {
        match self.field(field::IRR_PREFIX) {
            1 => IrrPrefixClass::Exact,
            2 => IrrPrefixClass::MoreSpecific,
            3 => IrrPrefixClass::NotPresent,
            4 => IrrPrefixClass::Roa,
            5 => IrrPrefixClass::WhiteList,
            _ => IrrPrefixClass::NotChecked,
        }
    }

    pub const fn irr_origin(self) -> IrrOriginClass {
        match self.field(field::IRR_ORIGIN) {
            1 => IrrOriginClass::Present,
            2 => IrrOriginClass::NotPresent,
            _ => IrrOriginClass::NotChecked,
        }
    }

    /// RFC 7999: traffic to it is to be dropped.
    pub const fn is_blackhole(self) -> bool {
        self.field(field::BLACKHOLE) != 0
    }

    /// Long-lived stale (RFC 9494): the last choice, and not for everybody.
    pub const fn is_long_lived(self) -> bool {
        self.field(field::LONG_LIVED) != 0
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn from_bits(bits: u16) -> PrefixClass {
        PrefixClass(bits)
    }
}

impl fmt::Debug for PrefixClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixClass")
            .field("accepted", &self.is_accepted())
            .field("reason", &self.reason())
            .field("rov", &self.rov())
            .field("irr_prefix", &self.irr_prefix())
            .field("irr_origin", &self.irr_origin())
            .field("blackhole", &self.is_blackhole())
            .field("long_lived", &self.is_long_lived())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_side_by_side() {
        let rovs = [
            RovClass::NotChecked,
            RovClass::Valid,
            RovClass::Invalid,
            RovClass::NotFound,
        ];
        let prefixes = [
            IrrPrefixClass::NotChecked,
            IrrPrefixClass::Exact,
            IrrPrefixClass::MoreSpecific,
            IrrPrefixClass::NotPresent,
            IrrPrefixClass::Roa,
            IrrPrefixClass::WhiteList,
        ];
        let origins = [
            IrrOriginClass::NotChecked,
            IrrOriginClass::Present,
            IrrOriginClass::NotPresent,
        ];
        for reason in RejectReason::ALL {
            for rov in rovs {
                for (prefix, origin) in prefixes
                    .into_iter()
                    .flat_map(|prefix| origins.map(|origin| (prefix, origin)))
                {
                    let class = PrefixClass::ACCEPTED
                        .with_blackhole(true)
                        .with_long_lived(true)
                        .with_irr_origin(origin)
                        .with_irr_prefix(prefix)
                        .with_rov(rov);
                    let said = (class.rov(), class.irr_prefix(), class.irr_origin());
                    assert_eq!(said, (rov, prefix, origin));
                    assert_eq!(class.verdict(), Verdict::Accepted);
                    let rejected = class.with_rejected(reason);
                    assert_eq!(rejected.verdict(), Verdict::Rejected(reason));
                    assert_eq!(rejected.without_reason(), class);
                    let remarked = class.with_remark(reason).with_remark(RejectReason::OwnAs);
                    assert_eq!(remarked.reason(), Some(reason), "the first remark stays");
                    assert!(remarked.is_accepted() && remarked.is_blackhole());
                    assert!(remarked.is_long_lived());
                }
            }
        }
    }
}
